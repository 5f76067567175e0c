//! The log's handle and what its parts share.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use oxi_base::{Error, Lsn, Result, SqlState};
use oxi_world::World;
use parking_lot::{Condvar, Mutex};

use crate::append::Queue;
use crate::group::Active;
use crate::hold::Holds;
use crate::options::LogOptions;
use crate::segment::FileHeader;
use crate::wait::Waiters;

/// An open log; clones are handles on the same one.
#[derive(Clone)]
pub struct Log {
    pub(crate) shared: Arc<Shared>,
}

/// Told the durable position after each flush.
type Callback = Box<dyn Fn(Lsn) + Send + Sync>;

/// The state behind all handles. Locks are taken in the order of the fields.
pub(crate) struct Shared {
    pub(crate) world: World,
    pub(crate) options: LogOptions,
    /// The file being written; held through a whole flush.
    pub(crate) active: Mutex<Active>,
    callbacks: Mutex<Vec<Callback>>,
    /// Frames on their way to the file.
    pub(crate) queue: Mutex<Queue>,
    /// Signals the writer thread that the queue has something, or that the log ends.
    pub(crate) queue_changed: Condvar,
    /// The files on disk, oldest first.
    pub(crate) files: Mutex<Vec<FileHeader>>,
    /// What `retire` leaves alone.
    pub(crate) holds: Mutex<Holds>,
    pub(crate) waiters: Mutex<Waiters>,
    /// Signals threads that wait without a future.
    pub(crate) durable_changed: Condvar,
    durable: AtomicU64,
    failure: OnceLock<Error>,
    /// How many threads are in `run_writer`.
    pub(crate) writers: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(
        world: World,
        options: LogOptions,
        active: Active,
        files: Vec<FileHeader>,
    ) -> Arc<Shared> {
        let header = active.header;
        Arc::new(Shared {
            world,
            options,
            active: Mutex::new(active),
            callbacks: Mutex::default(),
            queue: Mutex::new(Queue::new(header)),
            queue_changed: Condvar::new(),
            files: Mutex::new(files),
            holds: Mutex::default(),
            waiters: Mutex::default(),
            durable_changed: Condvar::new(),
            durable: AtomicU64::new(header.first_lsn.0),
            failure: OnceLock::new(),
            writers: AtomicUsize::new(0),
        })
    }

    pub(crate) fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    /// Fails when the log has failed.
    pub(crate) fn check(&self) -> Result<()> {
        match self.failure.get() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Ends the log for ever and tells everyone who waits.
    pub(crate) fn fail(&self, cause: &Error) -> Error {
        let failure = self.failure.get_or_init(|| {
            let message = format!("the write-ahead log has failed: {}", cause.message());
            Error::new(SqlState::IO_ERROR, message)
                .with_detail("Recovery decides which of the transactions being committed survive.")
                .with_hint("Repair the storage, then reopen the database.")
        });
        let waiting = self.waiters.lock().take_all();
        waiting.wake();
        self.durable_changed.notify_all();
        // The lock makes sure that a writer about to wait sees the failure.
        drop(self.queue.lock());
        self.queue_changed.notify_all();
        failure.clone()
    }

    /// Announces that everything before `lsn` is durable: callbacks first, then whoever waits.
    pub(crate) fn publish(&self, lsn: Lsn) {
        for callback in self.callbacks.lock().iter() {
            callback(lsn);
        }
        let mut waiters = self.waiters.lock();
        let before = self.durable.swap(lsn.0, Ordering::AcqRel);
        debug_assert!(before <= lsn.0, "the durable position never goes back");
        let ready = waiters.take_through(lsn);
        drop(waiters);
        ready.wake();
        self.durable_changed.notify_all();
    }
}

impl Log {
    /// The position before which everything survives a crash.
    pub fn durable_lsn(&self) -> Lsn {
        self.shared.durable()
    }

    /// The position that the next appended frame gets.
    pub fn next_lsn(&self) -> Lsn {
        self.shared.queue.lock().next_lsn
    }

    /// The position where the oldest file begins. What was retired may still be there in part, when
    /// the directory could not be synced: read from the position that was given to `retire`.
    pub fn oldest_lsn(&self) -> Lsn {
        self.shared.files.lock().first().map_or(Lsn(0), |header| header.first_lsn)
    }

    /// The files that are complete, oldest first, each with the position where it ends. Nothing is
    /// written to them any more.
    pub fn completed(&self) -> Vec<(FileHeader, Lsn)> {
        let files = self.shared.files.lock();
        files.windows(2).map(|pair| (pair[0], pair[1].first_lsn)).collect()
    }

    /// The history that is being written.
    pub fn timeline(&self) -> u32 {
        self.shared.queue.lock().header.timeline
    }

    /// The database the log belongs to.
    pub fn database(&self) -> [u8; 16] {
        self.shared.queue.lock().header.database
    }

    /// Registers a callback that is told the durable position after each flush, in order, before
    /// any waiter wakes. It runs within the flush and must not call `flush`, `rotate` or `close`.
    pub fn on_durable(&self, callback: impl Fn(Lsn) + Send + Sync + 'static) {
        self.shared.callbacks.lock().push(Box::new(callback));
    }

    /// Why the log has failed, if it has.
    pub fn failure(&self) -> Option<Error> {
        self.shared.check().err()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("dir", &self.shared.options.dir)
            .field("durable_lsn", &self.durable_lsn())
            .finish_non_exhaustive()
    }
}
