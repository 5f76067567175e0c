//! The one door: every statement, from any protocol, enters by [`Session::execute`].
//!
//! # Purpose
//! Sessions and their transactions, prepared statements, cursors and settings; the dispatch of
//! statement kinds; data definition; COPY.
//!
//! # Start reading at
//! [`Session::execute`], then `dispatch.rs`, then the file of a statement kind under `statement/`.
//!
//! # Invariants
//! - There is no second executor: protocols, the library and tests all come through the door.
//! - `dispatch` holds the only `match` over statement kinds.
//! - A statement that fails or panics before its commit leaves the transaction rolled back or
//!   doomed, never half done.
//!
//! # Not here
//! Parsing and binding (`oxi-sql`), plans and rows (`oxi-exec`), wire formats (the doors).

mod activity;
mod advisory;
mod backup;
mod binding;
mod cache;
pub mod copy;
pub mod database;
mod dispatch;
mod functions;
mod limits;
pub mod outcome;
pub mod prepared;
mod recall;
pub mod request;
pub mod session;
pub mod settings;
mod statement;
mod system;
mod transaction;

pub use copy::{CopyIn, CopyOut};
pub use database::{Authentication, CancelTarget, ConnectOptions, Database, DatabaseOptions};
pub use outcome::{Chunk, CommandTag, Cursor, Execution, Notice, Outcome, OutputField};
pub use prepared::Prepared;
pub use request::{Parsed, Request};
pub use session::Session;
pub use transaction::TransactionStatus;
