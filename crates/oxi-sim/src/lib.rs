//! The simulator: one seed is one history of the store, with faults, crashes and recoveries.
//!
//! # Purpose
//! Finds what tests written by hand do not think of: clients interleave, disks tear and lie,
//! machines stop in the middle of a write; after each recovery the database must be exactly what
//! some prefix of its commits makes it, and no shorter than what was acknowledged.
//!
//! # Start reading at
//! [`history`], then `workload` for what clients do, `tx` for the claims checked at every call,
//! `model` for what the database must be. [`canary`] proves that a lost commit would be noticed;
//! [`kill`] does the same things to the real server with the real kill -9.
//!
//! # Invariants
//! - A history is determined by its seed: one thread, no clock, no randomness but the seed's.
//! - The model knows the commits in the order of the log; what is on disk is a prefix of them.
//! - A claim fails loudly: there is no tolerance, no retry, no "usually".
//!
//! # Not here
//! The simulated disk and its faults (`oxi_world::simulated`); tests of SQL (`oxi-sqltest`).
#![forbid(unsafe_code)]

pub mod history;

mod executor;
mod shared;

mod tx;
mod workload;

mod audit;
mod model;
mod schema;

pub mod canary;
pub mod kill;
pub mod list_append;
pub mod runner;
