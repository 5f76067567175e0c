//! What a store is opened with.

/// Who brings committed transactions to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flush {
    /// A background thread, which takes all that wait at once: for many sessions.
    Writer,
    /// The thread that awaits the commit: for embedding and for the simulator.
    #[default]
    Caller,
}

/// The options of [`crate::Store::open`].
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The directory of the database, relative to the world's disk (`""` is its root).
    pub dir: String,
    /// Who flushes the log.
    pub flush: Flush,
    /// Whether a commit waits for the disk. Without it a crash may lose the newest commits, never
    /// parts of one.
    pub synchronous_commit: bool,
    /// The size of log files.
    pub log_segment_bytes: u64,
    /// Transactions send their changes to the log early when they exceed this.
    pub chunk_bytes: usize,
    /// Commits between automatic collections of what nobody sees any more.
    pub collect_every: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            dir: String::new(),
            flush: Flush::Caller,
            synchronous_commit: true,
            log_segment_bytes: 64 << 20,
            chunk_bytes: 16 << 20,
            collect_every: 512,
        }
    }
}
