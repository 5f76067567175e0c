//! PostgreSQL's type system: what values mean, how they are read, written, compared and computed.
//!
//! # Purpose
//! Types, casts, operators, functions and aggregates as rows of static tables, each with its
//! implementation over [`oxi_model::Datum`]s. Results, texts and errors are PostgreSQL's.
//!
//! # Start reading at
//! [`pg_type::PgType`], then [`context::EvalContext`], [`io`], [`compare`], and [`builtin`].
//!
//! # Invariants
//! - No clock, randomness, settings or catalog except through [`context::EvalContext`].
//! - No panic is reachable by values from outside.
//! - The encodings of numeric and jsonb are part of the on-disk format.
//!
//! # Not here
//! Name resolution and overload choice (`oxi-sql`), vectorised kernels (`oxi-sql`), storage.

pub mod oid;
pub mod pg_type;

pub mod context;
pub mod numeric;

pub mod datetime;
pub mod float;
pub mod json;
pub mod list;
pub mod regexp;
pub mod template;
pub mod text;

pub mod compare;
pub mod io;

pub mod builtin;

pub use context::{EvalContext, SessionFunctions, TimeZone};
pub use numeric::Numeric;
