//! The catalog: what objects exist, what they are called, and who depends on whom.
//!
//! # Purpose
//! One immutable [`Catalog`] per committed (or transaction-local) state; its rows in the system
//! tables; the rules of DDL that need nothing but descriptors; and the relations of `pg_catalog`
//! and `information_schema`, computed from it.
//!
//! # Start reading at
//! [`catalog::Catalog`], then [`resolve`] (names), [`mutation::CatalogTxn`] (changes),
//! [`cache::CatalogCache`] (sharing), [`system`] (virtual relations).
//!
//! # Invariants
//! - A [`Catalog`] never changes; clones share everything that did not change.
//! - Storage is reached through `oxi_model::engine` alone.
//! - A change is written as rows first; the changed [`Catalog`] is what those rows would load as.
//! - Names conflict through unique indexes of the system tables, never through a check alone.
//!
//! # Not here
//! What types and functions mean (`oxi-types`), SQL text (`oxi-sql`), locks and when to take them
//! (`oxi-session`).

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod cache;
pub mod catalog;
pub mod expression;
pub mod identifier;
pub mod layout;
pub mod mutation;
pub mod resolve;
pub mod suggest;
pub mod tables;

pub mod alter;
pub mod definition;
pub mod removal;

pub mod functions;
pub mod system;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod sample;

pub use cache::CatalogCache;
pub use catalog::Catalog;
pub use mutation::CatalogTxn;
pub use resolve::Resolved;
pub use system::{SystemContext, SystemRelation};
