//! Statements run from text to rows over a real store, on both routes.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a failed unwrap is a failed test, and each test has a runtime of its own"
)]

mod copy;
mod modify;
mod query;
mod support;
