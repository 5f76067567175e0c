//! The write-ahead log: one stream of frames that a commit is durable in.
//!
//! # Purpose
//! Commit = one frame durable here. Recovery, replicas and change feeds read the same frames with
//! the same reader.
//!
//! # Start reading at
//! [`Log`], then [`frame`] for the bytes (byte map: `docs/dev/formats/log.md`), then `group` for
//! the way of an appended frame to the disk.
//!
//! # Invariants
//! - The order of `append` calls is the order of frames; an LSN is a byte position in the stream.
//! - A flush writes and syncs one file at a time: bytes of a later flush prove that all earlier
//!   ones were durable, so a bad frame before them is corruption, never a torn tail.
//! - No file is written to after a restart: each opening starts a new one with a fresh salt, whose
//!   header declares where its predecessor ends.
//! - A failed write or sync fails the log for ever; nothing is retried.
//! - The durable callback sees a position before any waiter does.
//!
//! # Not here
//! What payloads mean (`oxi-store`), shipping to replicas (`oxi-cluster`).

pub mod frame;
pub mod segment;

mod log;
pub mod options;

mod append;
mod flip;
mod group;
pub mod inspect;
mod open;
mod reader;
mod scan;
mod wait;

mod hold;
mod retire;

pub mod archive;
pub mod branch;
pub mod timeline;

pub use archive::Archiver;
pub use frame::{Frame, FrameKind};
pub use hold::LogHold;
pub use log::Log;
pub use open::Recovered;
pub use options::LogOptions;
pub use reader::LogReader;
pub use wait::WaitDurable;
