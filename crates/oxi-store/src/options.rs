//! What a store is opened with.

use std::{fmt, sync::Arc};

/// Who brings committed transactions to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flush {
    /// A background thread, which takes all that wait at once: for many sessions.
    Writer,
    /// The thread that awaits the commit: for embedding and for the simulator.
    #[default]
    Caller,
}

/// How far reading the log has come while a database is being opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecoveryProgress {
    /// Bytes of the log read so far.
    pub log_bytes: u64,
    /// Bytes of the log to be read in all.
    pub log_bytes_total: u64,
    /// Row changes read so far.
    pub operations: u64,
}

/// Who is told, about once a second, how far opening a database has come.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Fn(RecoveryProgress) + Send + Sync>>);

impl Observer {
    /// An observer that calls `tell`.
    pub fn new(tell: impl Fn(RecoveryProgress) + Send + Sync + 'static) -> Self {
        Observer(Some(Arc::new(tell)))
    }

    pub(crate) fn tell(&self, progress: RecoveryProgress) {
        if let Some(tell) = &self.0 {
            tell(progress);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer" } else { "nobody" })
    }
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
    /// Bytes of rows and their older versions to keep in memory, about. What was not used lately
    /// goes to disk when there is more; `None` keeps everything.
    pub memory_limit: Option<u64>,
    /// How long tables keep older versions of their rows readable, in microseconds, where their
    /// layout says nothing else. `None` is what the database was opened with before, at first 0.
    pub history_retention_us: Option<u64>,
    /// How many checkpoints are kept besides the newest one, for [`crate::Store::open_checkpoint`].
    /// `None` is what the database was opened with before, at first 0.
    pub retained_checkpoints: Option<u64>,
    /// Told how far opening has come, when that takes long.
    pub observer: Observer,
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
            memory_limit: None,
            history_retention_us: None,
            retained_checkpoints: None,
            observer: Observer::default(),
        }
    }
}
