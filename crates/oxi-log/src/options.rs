//! What a log is opened with.

/// Where the log lives and how its files are cut.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The directory of the log's files; nothing else lives in it.
    pub dir: String,
    /// The size at which a file is closed and the next begun. A frame larger than this gets a file
    /// of its own.
    pub segment_bytes: u64,
    /// How far ahead of the end files are filled with zeros, so that most syncs change no size.
    pub fill_bytes: u64,
    /// The database the log belongs to: written by `create` (random when `None`), checked by
    /// `open` (not when `None`).
    pub database: Option<[u8; 16]>,
    /// The history this log continues; grows when a replica is promoted.
    pub timeline: u32,
}

impl LogOptions {
    /// The defaults: files of 64 MiB, filled 1 MiB ahead.
    pub fn new(dir: impl Into<String>) -> Self {
        LogOptions {
            dir: dir.into(),
            segment_bytes: 64 << 20,
            fill_bytes: 1 << 20,
            database: None,
            timeline: 1,
        }
    }
}
