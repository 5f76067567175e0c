//! Tests of the log through its public face: scripted dialogues, simulated crashes, real threads.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panics and use real directories"
)]

mod archiving;
mod crashes;
mod damage;
mod scripts;
mod threads;
