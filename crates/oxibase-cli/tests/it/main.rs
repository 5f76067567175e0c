//! The program as its users meet it: over sockets, and as a process with arguments.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests stand outside and may use the operating system"
)]

mod backup;
mod check;
mod checkpoints;
mod config;
mod dump;
mod extended;
mod harness;
mod hostile;
mod lifecycle;
mod shell;
mod simple;
mod timeout;
mod two_phase;
