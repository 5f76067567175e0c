//! The program `oxibase`: a shell, a server, a check of the files, a list of checkpoints, a dump as
//! SQL, backups.

mod args;
mod backup;
mod check;
mod checkpoints;
mod client;
mod config;
mod connect;
mod diagnose;
mod dump;
mod files;
mod render;
mod restore;
mod serve;
mod shell;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use oxi_world::net::Runtime;

use crate::args::{Arguments, Command};

/// A statement or the database failed.
const FAILED: u8 = 1;
/// The server cannot be reached.
const NO_CONNECTION: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = match Runtime::new(threads) {
        Ok(runtime) => runtime,
        Err(error) => return ExitCode::from(fail(&error)),
    };
    let status = runtime.block_on(async {
        match &arguments.command {
            Some(Command::Serve(arguments)) => match serve::run(arguments).await {
                Ok(()) => 0,
                Err(error) => fail(&error),
            },
            Some(Command::Check(arguments)) => match check::run(arguments) {
                Ok(status) => status,
                Err(error) => fail(&error),
            },
            Some(Command::Checkpoints(arguments)) => match checkpoints::run(arguments) {
                Ok(()) => 0,
                Err(error) => fail(&error),
            },
            Some(Command::Dump(arguments)) => dump::run(arguments).await,
            Some(Command::Backup(arguments)) => backup::run(arguments).await,
            Some(Command::Restore(arguments)) => match restore::run(arguments) {
                Ok(status) => status,
                Err(error) => fail(&error),
            },
            None => shell::run(&arguments.shell).await,
        }
    });
    runtime.shutdown();
    ExitCode::from(status)
}

/// Says what went wrong, on standard error.
fn fail(error: &oxi_base::Error) -> u8 {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "oxibase: error: {}", error.message());
    if let Some(detail) = error.detail() {
        let _ = writeln!(out, "detail: {detail}");
    }
    if let Some(hint) = error.hint() {
        let _ = writeln!(out, "hint: {hint}");
    }
    FAILED
}
