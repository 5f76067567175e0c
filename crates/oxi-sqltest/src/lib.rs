//! Runs the SQL test files (`tests/slt/**.slt`, sqllogictest format) through every door.
//!
//! # Purpose
//! SQL behaviour is written once and tested embedded, through the simple protocol and through the
//! extended protocol with binary results. The SQL of the documentation runs here too.
//!
//! # Start reading at
//! [`run`], then [`door`].
//!
//! # Invariants
//! - A file passes through each door with the same expectations.
//! - NULL is written `NULL`, the empty string `(empty)`, a line break within a value `\n`.
//!
//! # Not here
//! The files themselves (`tests/slt`), how to write one (`docs/dev/testing.md`).

pub mod client;
pub mod docs;
pub mod door;
pub mod run;

pub use docs::doc_trials;
pub use run::{oracle_trials, trials};
