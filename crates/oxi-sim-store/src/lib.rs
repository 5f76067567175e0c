//! The simulator of the store: one seed is one history, with faults, crashes and recoveries.
//!
//! # Purpose
//! Finds what tests written by hand do not think of: clients interleave, disks tear, lie and decay,
//! machines stop in the middle of a write; after each recovery the database must be exactly what
//! some prefix of its commits makes it, and no shorter than what was acknowledged.
//!
//! # Start reading at
//! [`history`], then `workload` for what clients do, `tx` for the claims checked at every call,
//! `model` for what the database must be. [`canary`] and [`mutation`] prove that a lie of the disk
//! and a bug of the store would be noticed; [`flip`] and [`fuzz`] damage the files.
//!
//! # Invariants
//! - A history is determined by its seed: one thread, no clock, no randomness but the seed's.
//! - The model knows the commits in the order of the log; what is on disk is a prefix of them.
//! - A claim fails loudly: there is no tolerance, no retry, no "usually".
//! - Nothing here sees SQL: a changed store is built and run in seconds.
//!
//! # Not here
//! The simulated disk and its faults (`oxi_world::simulated`); sessions and the real server
//! (`oxi-sim`).
#![forbid(unsafe_code)]

pub mod history;

pub mod executor;
pub mod shared;

mod tx;
mod workload;

mod audit;
mod damage;
mod model;
mod sample;
mod schema;

pub mod canary;
pub mod flip;
pub mod fuzz;
pub mod mutation;
pub mod runner;
pub mod soak;
