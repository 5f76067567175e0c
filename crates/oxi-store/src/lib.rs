//! The row store: MVCC with undo in memory, hot blocks, indexes, locks, commit and recovery.
//!
//! # Purpose
//! Implements `oxi_model::engine`: rows live in blocks with the newest version in place and older
//! ones behind it; the log carries only committed changes; a checkpoint is a read at one
//! timestamp.
//!
//! # Start reading at
//! [`Store`], then `txn::write` for the way of a row, `block` for what is read, `commit` for how
//! changes become durable and visible.
//!
//! # Invariants
//! - An index never misses an entry of a state that somebody may see; the row decides.
//! - A row is changed only by the transaction that owns its newest version.
//! - Visibility follows the order of the log, and (unless switched off) durability.
//! - Latches are taken in the order key stripe, block, index leaf; nobody waits for a transaction
//!   holding one.
//! - After a failure of the log nothing is acknowledged.
//!
//! # Not here
//! SQL, names and types' meanings (`oxi-catalog`, `oxi-types`), the log's bytes (`oxi-log`).
#![forbid(unsafe_code)]

mod engine;
mod options;

mod key_read;
mod scan;
mod snapshot;

mod lock;
mod reads;
mod sequence;
mod txn;
mod undo;

mod block;
mod index;
mod table;

mod spill;
mod storage;

mod collect;
mod commit;
mod history;
mod redo;

mod recover;
mod replay;

mod check;
mod checkpoint;
pub mod formats;
mod image;
mod inspect;
mod manifest;

pub mod backup;
mod restore;

pub use check::CheckReport;
pub use checkpoint::retained::Checkpoint;
pub use engine::Store;
pub use inspect::{CheckpointFigures, Inspection, Problem};
pub use options::{Flush, Observer, RecoveryProgress, StoreOptions};
pub use oxi_log::Archiver;
pub use recover::RecoveryReport;
pub use restore::{RestoreOptions, RestoreReport, restore};
