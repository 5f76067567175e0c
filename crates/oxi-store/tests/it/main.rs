//! Tests of the store through its contract: scripts with several sessions, random histories
//! against a model, crashes on a simulated disk.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a failed unwrap is a failed test, and some tests want real threads"
)]

mod backup;
mod build;
mod contract;
mod crash;
mod golden;
mod golden_backup;
mod histories;
mod inspect;
mod memory;
mod reads;
mod retained;
mod scripts;
mod serializable;
mod support;
mod travel;
