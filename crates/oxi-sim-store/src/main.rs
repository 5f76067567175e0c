//! Looks for the first seed whose history breaks a promise: `oxi-sim-hunt FIRST COUNT`.
//!
//! The smallest program that has the store in it, so that a changed store is built in seconds.

use std::process::ExitCode;

use oxi_sim_store::runner::{hunt, say};

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (Some(Ok(first)), Some(Ok(count))) = (numbers.next(), numbers.next()) else {
        say("usage: oxi-sim-hunt FIRST COUNT");
        return ExitCode::from(2);
    };
    match hunt(first, count) {
        Some((seed, reason)) => {
            say(&format!("seed {seed}: {reason}"));
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}
