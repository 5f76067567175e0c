//! Statements run from text to rows over a real store, on both routes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod copy;
mod modify;
mod query;
mod support;
