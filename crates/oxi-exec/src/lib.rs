//! Executes bound plans: scans, modifications, the point path and COPY.
//!
//! # Purpose
//! The way from a bound plan to rows read and written: through the query engine for the general
//! case, and past it for statements that touch rows by key.
//!
//! # Start reading at
//! [`executor::Executor`] and [`context::StatementContext`], then [`scan`], [`dml`], [`fast`].
//!
//! # Invariants
//! - Storage is reached through `oxi_model::engine` alone.
//! - Plans hold no snapshot: it comes with the statement.
//! - Both routes write and check rows with the same code ([`dml::apply`]).
//! - None of the query engine's own DML or DDL ever runs ([`planner::reject_foreign`]).
//!
//! # Not here
//! Names and types (`oxi-sql`), transactions and prepared statements (`oxi-session`).

pub mod error;

pub mod context;

pub mod row;

mod node;

pub mod scan;

pub mod provider;

pub mod dml;

pub mod apply;

pub mod lateral;

pub mod shared;

mod interrupt;

pub mod planner;

pub mod executor;

pub mod fast;

pub mod copy;
