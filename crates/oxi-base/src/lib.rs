//! Ids, timestamps, errors with SQLSTATE and byte codecs: the words every other crate speaks.
//!
//! # Purpose
//! One definition of each identifier, one error type from the disk to the wire, and the byte
//! encodings that files and index keys share.
//!
//! # Start reading at
//! [`error::Error`], then [`id`], then [`codec`].
//!
//! # Invariants
//! - No I/O, no clock, no randomness, no global state.
//! - Encodings here are part of the on-disk format: a change needs a format version.
//!
//! # Not here
//! Values and types of SQL (`oxi-model`, `oxi-types`), anything that touches the outside world
//! (`oxi-world`).

pub mod codec;
pub mod error;
pub mod id;
pub mod sqlstate;

pub use error::{Error, Kind, Result};
pub use id::{ColumnId, IndexId, Lsn, Oid, RowId, TableId, Ts, TxnId};
pub use sqlstate::SqlState;
