//! The simulator of the whole: sessions on a simulated machine, and the real server killed.
//!
//! # Purpose
//! Runs whole engines with many sessions and checks what they were told: the isolation of their
//! histories, and that nothing acknowledged is missing after kill -9. The commands of the simulator
//! of the store (`oxi-sim-store`) are here, too.
//!
//! # Start reading at
//! [`list_append`], then `check` for the anomalies; [`kill`] does the same things to the real server
//! with the real kill -9.
//!
//! # Invariants
//! - Without threads a history is determined by its seed.
//! - A claim fails loudly: there is no tolerance, no retry, no "usually".
//!
//! # Not here
//! Histories of the store, damage, planted bugs (`oxi-sim-store`); tests of SQL (`oxi-sqltest`).
#![forbid(unsafe_code)]

pub mod kill;
pub mod list_append;
