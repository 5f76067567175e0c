//! The commands: many seeds in a row, with progress, and how to see a failure again.

use std::{
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
};

use oxi_world::{Clock, clock::SystemClock};

use crate::{
    canary::Lie,
    history::{self, Statistics},
};

/// Seconds between two lines of progress.
const PROGRESS_US: u64 = 5_000_000;

/// A line for the person at the terminal.
pub fn say(line: &str) {
    // Nobody reads any more: there is nobody to tell, either.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Lives one history; a panic is a failure like others.
pub fn seed(seed: u64, lie: Lie) -> Result<Statistics, String> {
    catch_unwind(AssertUnwindSafe(|| history::run(seed, lie))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panic: {}", text.unwrap_or("of an unknown kind")))
    })
}

/// Lives `seeds` histories from `first` on; true if all promises were kept.
pub fn bank(first: u64, seeds: u64, verbose: bool) -> bool {
    let clock = SystemClock::new();
    let began = clock.monotonic_us();
    let mut shown = began;
    let (mut passed, mut failed) = (0, 0);
    let mut all = Statistics::default();
    for number in first..first.saturating_add(seeds) {
        match seed(number, Lie::None) {
            Ok(statistics) => {
                passed += 1;
                all.add(&statistics);
                if verbose {
                    say(&format!("seed {number}: {statistics:?}"));
                }
            }
            Err(reason) => {
                failed += 1;
                say(&format!("seed {number} FAILED: {reason}"));
                say(&format!("  again: oxi-sim bank --first {number} --seeds 1 --verbose"));
            }
        }
        let now = clock.monotonic_us();
        if now - shown > PROGRESS_US {
            shown = now;
            say(&format!("{passed} passed, {failed} failed so far"));
        }
    }
    let seconds = (clock.monotonic_us() - began) as f64 / 1e6;
    let rate = f64::from(passed + failed) / seconds.max(1e-6);
    say(&format!("{all:?}"));
    say(&format!("{seconds:.1} s, {rate:.0} seeds/s"));
    say(&format!("{passed} passed, {failed} failed"));
    failed == 0
}

/// The first seed of `count` from `first` on whose history breaks a promise, and which one.
pub fn hunt(first: u64, count: u64) -> Option<(u64, String)> {
    (first..first.saturating_add(count))
        .find_map(|number| seed(number, Lie::None).err().map(|reason| (number, reason)))
}

/// Looks for each lie within `seeds` histories; the seed that found it, or `None`.
pub fn find_lie(lie: Lie, seeds: u64) -> Option<(u64, String)> {
    (0..seeds).find_map(|number| seed(number, lie).err().map(|reason| (number, reason)))
}

/// True if every lie was noticed within `seeds` histories.
pub fn canary(seeds: u64) -> bool {
    let (mut passed, mut failed) = (0, 0);
    for lie in Lie::ALL {
        if let Some((number, reason)) = find_lie(lie, seeds) {
            passed += 1;
            say(&format!("{lie:?} noticed at seed {number}: {reason}"));
        } else {
            failed += 1;
            say(&format!("{lie:?} NOT noticed within {seeds} seeds"));
        }
    }
    say(&format!("{passed} passed, {failed} failed"));
    failed == 0
}
