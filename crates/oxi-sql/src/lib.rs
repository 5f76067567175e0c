//! PostgreSQL's language: from text to bound logical plans.
//!
//! # Purpose
//! Parses SQL text into a typed syntax tree with byte spans, writes such trees back as text, and
//! binds them against the catalog to plans.
//!
//! # Start reading at
//! [`ast`] (what a statement is), then [`parse`] (text to tree) and [`deparse`] (tree to text);
//! then [`bind::Binder`] and [`plan::ModifyNode`].
//!
//! # Invariants
//! - Parsing any text ends in statements or in an error: no panic, no stack overflow.
//! - A clause the tree cannot express is an error that names it; it is never dropped.
//! - Positions are 0-based byte offsets in the text given to [`parse::parse`].
//!
//! # Not here
//! Types' input and output (oxi-types), the catalog (oxi-catalog), execution (oxi-exec).

pub mod ast;
pub mod parse;

pub mod deparse;

pub mod function;
pub mod plan;

pub mod bind;

pub use bind::{BindContext, Binder, Bound, BoundQuery, Command, OutputField, Relations};
