//! Oxibase inside your program: a PostgreSQL-dialect database in a directory or in memory.
//!
//! # Purpose
//! A synchronous façade: open a database, connect, execute, query rows or Arrow batches, load in
//! bulk. The same sessions serve the network doors.
//!
//! ```
//! let database = oxibase::Database::memory()?;
//! let mut connection = database.connect()?;
//! connection.execute("CREATE TABLE greeting (id int PRIMARY KEY, words text)", &[])?;
//! connection.execute("INSERT INTO greeting VALUES ($1, $2)", &[&1, &"hello"])?;
//! let words: String = connection.query_one("SELECT words FROM greeting WHERE id = $1", &[&1])?.get(0)?;
//! assert_eq!(words, "hello");
//! # Ok::<(), oxibase::Error>(())
//! ```
//!
//! # Start reading at
//! [`Database`], [`Connection`], then `assemble.rs`, where all parts are put together.
//!
//! # Invariants
//! - `assemble.rs` is the only place that knows which implementation stands behind which contract.
//! - Nothing here executes SQL by itself: everything goes through `oxi_session::Session::execute`.
//!
//! # Not here
//! Protocols (`oxi-pgwire`), the command line (`oxibase-cli`).

mod appender;
mod archive;
mod assemble;
pub mod backup;
mod check;
mod connection;
mod database;
mod rows;
mod statement;
pub mod units;
mod value;

pub use appender::Appender;
pub use check::{Findings, check};
pub use connection::{Connection, Transaction};
pub use database::{Checkpoint, Database, Options};
pub use oxi_base::{Error, Kind, Result, SqlState};
pub use oxi_session::Authentication;
pub use rows::{Column, IntoIter, Row, Rows};
pub use statement::Statement;
pub use value::{FromSql, ToSql, Value};
