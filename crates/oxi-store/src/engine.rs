//! The store: its shared state, and the engine side of the contract.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use oxi_base::{ColumnId, Error, IndexId, Result, SqlState, TableId, Ts};
use oxi_log::{Archiver, Log};
use oxi_model::{
    Datum,
    backup::{ArchiverInfo, RunningBackup},
    engine::{
        BoxFuture, CheckpointReport, Engine, Isolation, KeyAccess, PreparedEnd,
        PreparedTransaction, RowVisitor, TableNamer, TableStatistics, Txn,
    },
    lock::{LockInfo, LockObject, SessionLocks},
};
use oxi_world::{Disk, DiskLock, TaskHandle, World};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;

use crate::{
    check::CheckReport,
    checkpoint::CheckpointState,
    collect::Garbage,
    commit::Sequencer,
    history::Histories,
    index::Index,
    key_read,
    lock::{
        advisory::{Advisory, SessionHolder},
        row::SharedRows,
        wait::Waits,
    },
    manifest::Kept,
    options::StoreOptions,
    recover::RecoveryReport,
    redo::Marks,
    sequence::SequenceState,
    snapshot::{Registry, missing_index},
    storage::Storage,
    table::Table,
    txn::{Prepared, Transaction},
};

/// Everything that transactions share.
pub(crate) struct Core {
    /// Itself, for what outlives a call.
    pub(crate) this: Weak<Core>,
    pub(crate) options: StoreOptions,
    pub(crate) world: World,
    pub(crate) log: Log,
    pub(crate) storage: Arc<Storage>,
    pub(crate) tables: RwLock<FxHashMap<TableId, Arc<Table>>>,
    pub(crate) indexes: RwLock<FxHashMap<IndexId, Arc<Index>>>,
    /// Tables that were dropped and may come back. One that is just coming back is also among the
    /// tables.
    pub(crate) dropped: RwLock<FxHashMap<TableId, Arc<Table>>>,
    pub(crate) histories: Histories,
    pub(crate) kept: Kept,
    /// Also orders sequence records in the log.
    pub(crate) sequences: Mutex<FxHashMap<u32, SequenceState>>,
    pub(crate) snapshots: Registry,
    pub(crate) waits: Arc<Waits>,
    pub(crate) shared_rows: SharedRows,
    pub(crate) advisory: Advisory,
    /// Transactions prepared for two-phase commit, by identifier.
    pub(crate) prepared: Mutex<BTreeMap<String, Prepared>>,
    pub(crate) sequencer: Mutex<Sequencer>,
    /// Held for writing by a checkpoint while it fixes its position.
    pub(crate) gate: RwLock<()>,
    pub(crate) visible: AtomicU64,
    pub(crate) next_txn: AtomicU64,
    pub(crate) next_table: AtomicU32,
    pub(crate) next_index: AtomicU32,
    pub(crate) next_oid: AtomicU32,
    pub(crate) catalog_version: AtomicU64,
    pub(crate) garbage: Mutex<Garbage>,
    pub(crate) since_collect: AtomicUsize,
    pub(crate) collecting: Mutex<()>,
    /// One checkpoint at a time.
    pub(crate) checkpoint: Mutex<CheckpointState>,
    pub(crate) closed: AtomicBool,
    /// Opened at a checkpoint: nothing is written.
    pub(crate) read_only: bool,
}

/// An open database's storage.
pub struct Store {
    pub(crate) core: Arc<Core>,
    pub(crate) report: RecoveryReport,
    pub(crate) writer: Mutex<Option<TaskHandle>>,
    pub(crate) archiver: OnceLock<Arc<Archiver>>,
    /// Released after everything else.
    pub(crate) _lock: DiskLock,
}

impl Core {
    /// A counted reference to itself.
    pub(crate) fn self_arc(&self) -> Result<Arc<Core>> {
        self.this.upgrade().ok_or_else(|| Error::bug("the store is being dropped"))
    }

    /// The same disk without a limit of memory, for looking at files.
    pub(crate) fn unlimited(&self) -> Arc<Storage> {
        Storage::new(&self.world, self.storage.paths.clone(), None)
    }

    pub(crate) fn visible_ts(&self) -> Ts {
        Ts(self.visible.load(Ordering::SeqCst))
    }

    pub(crate) fn table(&self, id: TableId) -> Result<Arc<Table>> {
        self.tables.read().get(&id).cloned().ok_or_else(|| Table::missing(id))
    }

    pub(crate) fn index(&self, id: IndexId) -> Result<Arc<Index>> {
        self.indexes.read().get(&id).cloned().ok_or_else(|| missing_index(id))
    }

    pub(crate) fn index_with_table(&self, id: IndexId) -> Result<(Arc<Index>, Arc<Table>)> {
        let index = self.index(id)?;
        let table = self.table(index.table)?;
        Ok((index, table))
    }

    pub(crate) fn marks(&self) -> Marks {
        Marks {
            table: self.next_table.load(Ordering::Acquire),
            index: self.next_index.load(Ordering::Acquire),
            oid: self.next_oid.load(Ordering::Acquire),
        }
    }

    /// Refuses writes once the log has failed or the store is closed.
    pub(crate) fn check_usable(&self) -> Result<()> {
        if let Some(error) = self.waits.failure() {
            return Err(error);
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(SqlState::ADMIN_SHUTDOWN, "the database is closed"));
        }
        if self.read_only {
            return Err(Error::new(
                SqlState::READ_ONLY_SQL_TRANSACTION,
                "a database that was opened at a checkpoint cannot be changed",
            ));
        }
        Ok(())
    }

    /// Stops the database: nothing is acknowledged any more. Returns the error that all get.
    pub(crate) fn fail(&self, cause: Error) -> Error {
        let error = self.log.failure().unwrap_or(cause);
        self.waits.fail(error.clone());
        error
    }
}

impl Store {
    /// What opening found and did.
    pub fn recovery_report(&self) -> RecoveryReport {
        self.report
    }

    /// Checkpoints, flushes and refuses further work. Dropping a store without it is a crash that
    /// loses nothing acknowledged.
    pub fn close(&self) -> Result<()> {
        if self.core.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        let checkpointed = match self.core.waits.failure() {
            None if !self.core.read_only => self.checkpoint().map(|_| ()),
            _ => Ok(()),
        };
        self.core.closed.store(true, Ordering::Release);
        let settled = match self.core.waits.failure() {
            Some(_) => Ok(()),
            None => self.core.settle_sequences(),
        };
        let closed = self.core.log.close();
        if let Some(writer) = self.writer.lock().take() {
            writer.join()?;
        }
        checkpointed.and(settled).and(closed)
    }

    /// How many bytes the log has had in all, for deciding when a checkpoint is due.
    pub fn log_position(&self) -> u64 {
        self.core.log.next_lsn().0
    }

    /// From now on the log's files are removed only when they are in an archive. To be called once,
    /// before the first checkpoint; the caller lets the archiver work.
    pub fn archive_to(&self, archive: Arc<dyn Disk>) -> Arc<Archiver> {
        let made = || Arc::new(Archiver::new(&self.core.log, archive));
        Arc::clone(self.archiver.get_or_init(made))
    }

    /// Ends the log's current file, so that what is in it can be archived.
    pub fn rotate_log(&self) -> Result<()> {
        self.core.log.rotate().map(drop).map_err(|error| self.core.fail(error))
    }

    /// Bytes of rows and older versions in memory, about; 0 without a limit, which nobody counts
    /// for.
    pub fn memory_used(&self) -> u64 {
        self.core.storage.used() as u64
    }

    /// How long tables keep older versions that say nothing else, in microseconds.
    pub fn history_retention_us(&self) -> u64 {
        self.core.kept.history_us
    }

    /// How many checkpoints are kept besides the newest one.
    pub fn retained_checkpoints(&self) -> u64 {
        self.core.kept.checkpoints
    }

    /// Verifies files and memory; see [`CheckReport`].
    pub fn check(&self) -> Result<CheckReport> {
        crate::check::check(&self.core)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if !self.core.closed.swap(true, Ordering::AcqRel) {
            // An error here was already reported to whoever waited for the commits concerned.
            let _ = self.core.log.close();
        }
        if let Some(writer) = self.writer.lock().take() {
            let _ = writer.join();
        }
    }
}

impl Engine for Store {
    fn begin(&self, isolation: Isolation) -> Arc<dyn Txn> {
        Arc::new(Transaction::new(self.core.clone(), isolation))
    }

    fn catalog_version(&self) -> u64 {
        self.core.catalog_version.load(Ordering::Acquire)
    }

    fn key_access(
        &self,
        index: IndexId,
        columns: &[usize],
        expected: &[ColumnId],
    ) -> Option<KeyAccess> {
        key_read::find_access(&self.core, index, columns, expected)
    }

    fn read_key(
        &self,
        access: &KeyAccess,
        key: &[Datum],
        visit: &mut RowVisitor<'_>,
    ) -> Result<bool> {
        key_read::read_key(&self.core, access, key, visit)
    }

    fn allocate_table_id(&self) -> TableId {
        TableId(self.core.next_table.fetch_add(1, Ordering::AcqRel))
    }

    fn allocate_index_id(&self) -> IndexId {
        IndexId(self.core.next_index.fetch_add(1, Ordering::AcqRel))
    }

    fn allocate_oid(&self) -> u32 {
        self.core.next_oid.fetch_add(1, Ordering::AcqRel)
    }

    fn prepared(&self) -> Vec<PreparedTransaction> {
        self.core.prepared_transactions()
    }

    fn finish_prepared(&self, gid: &str, end: PreparedEnd) -> Result<BoxFuture<Result<()>>> {
        self.core.end_prepared(gid, end)
    }

    fn fill_index(&self, index: IndexId) -> Result<()> {
        self.core.fill_index(index)
    }

    fn enforce_unique(&self, index: IndexId) -> Result<()> {
        self.core.enforce_unique(index)
    }

    fn verify_unique(&self, index: IndexId) -> Result<()> {
        self.core.verify_unique(index)
    }

    fn statistics(&self, table: TableId) -> TableStatistics {
        let Ok(table) = self.core.table(table) else { return TableStatistics::default() };
        TableStatistics {
            rows: table.rows.load(Ordering::Relaxed) as u64,
            bytes: table.memory() as u64,
        }
    }

    fn checkpoint(&self) -> Result<CheckpointReport> {
        crate::checkpoint::checkpoint(&self.core)
    }

    fn collect(&self) {
        self.core.collect();
    }

    fn failure(&self) -> Option<Error> {
        self.core.waits.failure().or_else(|| self.core.log.failure())
    }

    fn session_locks(&self, session: u32) -> Arc<dyn SessionLocks> {
        Arc::new(SessionHolder::new(self.core.clone(), session))
    }

    fn locks(&self) -> Vec<LockInfo> {
        let mut locks = Vec::new();
        let mut tables: Vec<_> = self.core.tables.read().values().cloned().collect();
        tables.sort_unstable_by_key(|table| table.id);
        for table in tables {
            table.locks.list(LockObject::Table(table.id), &mut locks);
        }
        self.core.advisory.list(&mut locks);
        self.core.waits.list(&mut locks);
        locks
    }

    fn blockers(&self, session: u32) -> Vec<u32> {
        self.core.waits.blockers(session)
    }

    fn dropped_tables(&self) -> Vec<(TableId, Ts)> {
        let dropped = self.core.dropped.read();
        let mut tables: Vec<_> = dropped
            .values()
            .map(|table| (table.id, Ts(table.dropped_at.load(Ordering::SeqCst))))
            .collect();
        tables.sort_unstable_by_key(|(table, ts)| std::cmp::Reverse((*ts, *table)));
        tables
    }

    fn name_tables(&self, namer: TableNamer) {
        self.core.waits.name_tables(namer);
    }

    fn begin_backup(&self) -> Result<Box<dyn RunningBackup>> {
        self.running_backup()
    }

    fn archiver(&self) -> Option<ArchiverInfo> {
        let statistics = self.archiver.get()?.statistics();
        Some(ArchiverInfo {
            archived: statistics.archived,
            last_archived: statistics.last_archived,
            failed: statistics.failed,
            last_failed: statistics.last_failed,
            since_us: statistics.since_us,
        })
    }
}
