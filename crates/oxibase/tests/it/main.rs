//! The library as a program uses it.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod formats;
mod library;
