//! The library as a program uses it.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that fails may panic, and its databases are in real directories"
)]

mod backup;
mod formats;
mod index_order;
mod lasting;
mod library;
mod locks;
