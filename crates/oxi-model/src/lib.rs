//! Values, object descriptors, and the one contract between SQL and storage.
//!
//! # Purpose
//! SQL (`oxi-sql`, `oxi-exec`, `oxi-session`) and storage (`oxi-store`) meet here and nowhere else:
//! an edit inside either rebuilds neither the other nor this crate.
//!
//! # Start reading at
//! [`engine::Engine`] and [`engine::Txn`], then [`datum::Datum`], then [`descriptor`].
//!
//! # Invariants
//! - No behaviour beyond value conversion; widening the contract needs a decision record.
//! - Types here are physical: what PostgreSQL's types mean lives in `oxi-types`.
//!
//! # Not here
//! Implementations of the contract (`oxi-store`), names and lookup (`oxi-catalog`).

pub mod array;
pub mod backup;
pub mod datum;
pub mod descriptor;
pub mod engine;
pub mod lock;

pub use datum::{Datum, Interval, PhysicalType, Row};
