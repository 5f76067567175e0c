//! A database: opened once, connected to many times.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use oxi_base::{Error, Result};
use oxi_session::{Authentication, ConnectOptions};
use oxi_world::net::Runtime;

use crate::{assemble::Assembly, connection::Connection};

/// How a database is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most sessions at once.
    pub connections_max: usize,
    /// How clients of network doors prove who they are.
    pub authentication: Authentication,
    /// COPY may read and write files of the server.
    pub server_files: bool,
    /// A checkpoint is made when this much log has come since the last one …
    pub max_wal_bytes: u64,
    /// … or after this much time, if anything was written.
    pub checkpoint_timeout_us: u64,
    /// Bytes of rows, indexes and older versions to keep in memory, about; what was not used lately
    /// goes to disk. `None` keeps everything. Databases in memory always do.
    pub memory_limit: Option<u64>,
    /// Where complete files of the log are copied to before they are removed: a directory, or
    /// `s3://bucket/prefix`. Each database needs a place of its own.
    pub archive: Option<String>,
    /// A file of the log is archived this long after the one before, if anything was written, even
    /// if it is not full; 0 waits until it is.
    pub archive_timeout_us: u64,
    /// How long older versions of rows stay readable (`AS OF`) and dropped tables can come back,
    /// in microseconds, where a table says nothing else (`history_retention`); 0 keeps none. `None`
    /// is what the database was opened with before, at first 0.
    pub history_retention_us: Option<u64>,
    /// How many checkpoints are kept besides the newest one, to be opened by themselves
    /// ([`Database::open_checkpoint`]). `None` is what the database was opened with before, at
    /// first 0.
    pub retained_checkpoints: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            connections_max: 1000,
            authentication: Authentication::Trust,
            server_files: false,
            max_wal_bytes: 1 << 30,
            checkpoint_timeout_us: 300_000_000,
            memory_limit: None,
            archive: None,
            archive_timeout_us: 0,
            history_retention_us: None,
            retained_checkpoints: None,
        }
    }
}

/// A checkpoint that can be opened by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Its number.
    pub number: u64,
    /// The time of the last commit in it: Unix microseconds.
    pub committed_us: i64,
    /// The same as text, in UTC.
    pub committed_at: String,
}

/// A database. Cheap to clone; the last clone's drop closes it, [`Database::close`] does so with
/// an answer.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    assembly: Assembly,
    /// Runs what synchronous connections await; a server brings its own.
    runtime: OnceLock<Arc<Runtime>>,
}

impl Database {
    /// Opens the database in a directory; creates both if there are none.
    ///
    /// # Errors
    /// `55006` if another process has it open, `XX001` if its files are damaged, `58030` and its
    /// like for what the disk says.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(Some(directory.as_ref()), Options::default())
    }

    /// Whether a directory holds a database.
    pub fn exists(directory: impl AsRef<Path>) -> bool {
        ["CURRENT", "wal"].iter().any(|name| directory.as_ref().join(name).exists())
    }

    /// A new database in memory, gone when it is closed.
    pub fn memory() -> Result<Self> {
        Self::open_with(None, Options::default())
    }

    /// Opens with options; without directory, in memory.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_with(directory: Option<&Path>, options: Options) -> Result<Self> {
        let assembly = Assembly::open(directory, options)?;
        Ok(Database { inner: Arc::new(Inner { assembly, runtime: OnceLock::new() }) })
    }

    /// Opens a checkpoint of the database in a directory, for reading: the database as it was when
    /// the checkpoint was made. Nobody else may have it open.
    ///
    /// # Errors
    /// `42704` if there is no such checkpoint (any more); else as [`Database::open`].
    pub fn open_checkpoint(directory: impl AsRef<Path>, number: u64) -> Result<Self> {
        let assembly = Assembly::open_checkpoint(directory.as_ref(), number)?;
        Ok(Database { inner: Arc::new(Inner { assembly, runtime: OnceLock::new() }) })
    }

    /// The checkpoints of the database in a directory that can be opened, oldest first.
    ///
    /// # Errors
    /// What the disk says.
    pub fn checkpoints(directory: impl AsRef<Path>) -> Result<Vec<Checkpoint>> {
        crate::assemble::checkpoints(directory.as_ref())
    }

    /// A connection for one thread at a time.
    ///
    /// # Errors
    /// `53300` if there are too many.
    pub fn connect(&self) -> Result<Connection> {
        let session = self.inner.assembly.sessions.connect(ConnectOptions::default())?;
        Ok(Connection::new(self.clone(), session, self.runtime()?))
    }

    fn runtime(&self) -> Result<Arc<Runtime>> {
        if let Some(runtime) = self.inner.runtime.get() {
            return Ok(Arc::clone(runtime));
        }
        let fresh = Arc::new(Runtime::new(self.inner.assembly.parallelism())?);
        Ok(Arc::clone(self.inner.runtime.get_or_init(|| fresh)))
    }

    /// What network doors connect to.
    pub fn sessions(&self) -> &oxi_session::Database {
        &self.inner.assembly.sessions
    }

    /// What the start had to do, in one line.
    pub fn recovery_summary(&self) -> String {
        self.inner.assembly.store.recovery_report().to_string()
    }

    /// Why the database has stopped, if it has: the disk did not take what was written.
    pub fn failure(&self) -> Option<Error> {
        self.sessions().engine().failure()
    }

    /// Writes a checkpoint and closes the files. Connections that are still there get errors.
    ///
    /// # Errors
    /// What the disk says.
    pub fn close(self) -> Result<()> {
        self.sessions().begin_shutdown();
        self.inner.assembly.close()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.assembly.close() {
            tracing::error!(%error, "closing the database");
        }
    }
}
