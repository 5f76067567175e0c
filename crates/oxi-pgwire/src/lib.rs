//! PostgreSQL's wire protocol, version 3: the door through which clients come in.
//!
//! # Purpose
//! Turns bytes of a socket into requests to a session and its outcomes into bytes, for every
//! client that speaks to PostgreSQL.
//!
//! # Start reading at
//! [`server::Server`], then [`connection`](mod@connection) (one client's life), then `query` and
//! `portal` (the two query protocols), then `encode`.
//!
//! # Invariants
//! - One task per connection. Nothing is flushed per message: output leaves when the input is
//!   exhausted or more than 64 KiB wait.
//! - While a statement runs, the socket is watched: a client that leaves cancels its statement.
//! - No byte sequence from a client panics; a broken frame ends the connection with `08P01`.
//! - Everything is decided by the session; this crate has no SQL and no transaction of its own.
//!
//! # Not here
//! Statements, transactions and prepared statements (`oxi-session`), text and binary formats of
//! types (`oxi-types`).

pub mod connection;
pub mod scram;
pub mod server;
pub mod tls;

mod auth;
mod copy;
mod encode;
mod error;
mod frame;
mod portal;
mod query;
mod signal;
mod startup;
mod wire;

pub use server::{Options, Server};
pub use wire::Stream;
