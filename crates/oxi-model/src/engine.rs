//! The contract between SQL and storage: [`Engine`], [`Txn`], [`Snapshot`], [`Scan`].
//!
//! Everything is synchronous except waiting: a call that must wait for another transaction returns
//! a [`Wait`] and has changed nothing; the caller awaits it and calls again. Committing returns at
//! once with a future that resolves when the commit is durable and visible.
//!
//! Columns are named by [`ColumnId`] in layouts and by *position in the table's current layout* in
//! row calls, so that the hot path does no lookup.

use std::{any::Any, future::Future, ops::Bound, pin::Pin, sync::Arc};

use arrow_array::RecordBatch;
use oxi_base::{ColumnId, IndexId, Result, RowId, TableId, Ts, TxnId};

use crate::{
    backup::{ArchiverInfo, RunningBackup},
    datum::{Datum, PhysicalType, Row},
    lock::{AdvisoryKey, LockInfo, SessionLocks},
};

pub use crate::lock::{RowLock, TableLock};

/// A future that crosses the contract.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Resolves when what is in the way may have gone; an error when waiting would be a deadlock
/// (`40P01`). Waiting begins when it is first polled and stops when it is dropped.
pub type Wait = BoxFuture<Result<()>>;

/// What a transaction sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Isolation {
    /// Each statement sees what was committed when it began.
    #[default]
    ReadCommitted,
    /// All statements see what was committed when the first one began; first updater wins.
    RepeatableRead,
    /// As REPEATABLE READ, and a transaction that wrote commits only if nobody has meanwhile
    /// committed a change to what it read: commits are as if one transaction followed the other.
    Serializable,
}

impl Isolation {
    /// Whether all statements see the same, and writing what others changed since is an error.
    pub fn keeps_snapshot(self) -> bool {
        self != Isolation::ReadCommitted
    }
}

/// The physical shape of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct TableLayout {
    /// Live columns in order; row calls use positions in this list.
    pub columns: Vec<ColumnLayout>,
    /// A system table: a commit that writes it advances [`Engine::catalog_version`].
    pub catalog: bool,
    /// How long older versions of its rows stay readable, in microseconds; `None` is as long as
    /// the database says.
    pub history_us: Option<u64>,
}

/// A moment whose state can be read later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// All that was committed by this Unix time in microseconds.
    Time(i64),
    /// What this transaction left when it committed.
    Transaction(TxnId),
    /// All that was committed by this timestamp.
    Commit(Ts),
}

/// A row that is not as it was at some moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    /// The row.
    pub row: RowId,
    /// As it was then; `None` if it was not there.
    pub then: Option<Row>,
    /// As it is now; `None` if it is not there any more.
    pub now: Option<Row>,
}

/// Takes the differences of a table.
pub type DifferenceVisitor<'a> = dyn FnMut(Difference) -> Result<()> + 'a;

/// One column of a [`TableLayout`].
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnLayout {
    /// Stable id.
    pub id: ColumnId,
    /// How values lie in memory.
    pub physical: PhysicalType,
    /// What rows read that were written before the column was added.
    pub missing: Datum,
}

/// The physical shape of an index.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexLayout {
    /// The table it belongs to.
    pub table: TableId,
    /// Key columns.
    pub columns: Vec<IndexColumnLayout>,
    /// Two live rows may not have equal keys.
    pub unique: bool,
    /// For unique indexes: NULL equals NULL.
    pub nulls_not_distinct: bool,
}

/// One key column of an [`IndexLayout`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexColumnLayout {
    /// The table's column.
    pub column: ColumnId,
    /// Descending order.
    pub descending: bool,
    /// NULL before all values (in the index's order).
    pub nulls_first: bool,
}

/// Numbers the planner and the monitor want; estimates unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TableStatistics {
    /// Live rows.
    pub rows: u64,
    /// Bytes of memory for rows.
    pub bytes: u64,
}

/// What a checkpoint did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CheckpointReport {
    /// Rows written to block images.
    pub rows_written: u64,
    /// Bytes of image files written.
    pub bytes_written: u64,
    /// Log bytes that could be retired.
    pub log_bytes_retired: u64,
}

/// Tables and indexes below this number are the system's own, which knows them by number.
pub const FIRST_FREE_STORAGE: u32 = 16;

/// A database's storage.
pub trait Engine: Send + Sync {
    /// Begins a transaction. Costs nothing until it writes or locks.
    fn begin(&self, isolation: Isolation) -> Arc<dyn Txn>;

    /// A number that grows with each commit that wrote a catalog table; equal numbers mean the
    /// same committed catalog.
    fn catalog_version(&self) -> u64;

    /// The way to rows by whole keys of an index, to be kept for many reads; `None` if there is no
    /// such index. `columns` are positions in the table's layout, `expected` the ids of the columns
    /// there.
    fn key_access(
        &self,
        index: IndexId,
        columns: &[usize],
        expected: &[ColumnId],
    ) -> Option<KeyAccess>;

    /// Reads what is committed now of the rows with one whole key, as a transaction of its own
    /// would. False, and nothing was visited, if the table is no longer of the shape that `access`
    /// expects or locked against readers: the caller then goes the way through a transaction.
    fn read_key(
        &self,
        access: &KeyAccess,
        key: &[Datum],
        visit: &mut RowVisitor<'_>,
    ) -> Result<bool>;

    /// A table number never used before, at least [`FIRST_FREE_STORAGE`].
    fn allocate_table_id(&self) -> TableId;

    /// An index number never used before, at least [`FIRST_FREE_STORAGE`].
    fn allocate_index_id(&self) -> IndexId;

    /// An object number never used before in this database (at least 16384, as PostgreSQL's).
    fn allocate_oid(&self) -> u32;

    /// The transactions prepared for two-phase commit, in the order of their identifiers.
    fn prepared(&self) -> Vec<PreparedTransaction>;

    /// Ends a prepared transaction; `42704` if there is none of that identifier. The future is
    /// [`Txn::commit`]'s.
    fn finish_prepared(&self, gid: &str, end: PreparedEnd) -> Result<BoxFuture<Result<()>>>;

    /// Adds the entries of all rows that an attached index lacks. Every transaction that wrote the
    /// table before it was attached must have ended ([`Txn::others_ended`]). Blocking; writers go
    /// on meanwhile.
    fn fill_index(&self, index: IndexId) -> Result<()>;

    /// Lets a filled index refuse equal keys from now on; keys that meet already may stay.
    fn enforce_unique(&self, index: IndexId) -> Result<()>;

    /// `23505` if committed rows have equal keys (detail names the key), which the index then
    /// accepts again. Every transaction that wrote before [`Engine::enforce_unique`] must have
    /// ended.
    fn verify_unique(&self, index: IndexId) -> Result<()>;

    /// Numbers of a table.
    fn statistics(&self, table: TableId) -> TableStatistics;

    /// Writes what was committed to image files, switches the manifest, retires the log. Blocking;
    /// writers go on meanwhile.
    fn checkpoint(&self) -> Result<CheckpointReport>;

    /// Frees versions and index entries that no snapshot can see. Blocking; called periodically.
    fn collect(&self);

    /// Whether a log failure has stopped the database, and why.
    fn failure(&self) -> Option<oxi_base::Error>;

    /// The advisory locks of a session, which must be the only one of its number.
    fn session_locks(&self, session: u32) -> Arc<dyn SessionLocks>;

    /// All locks on tables and advisory keys, and all waits for any lock.
    fn locks(&self) -> Vec<LockInfo>;

    /// The sessions that a waiting session waits for (0 for a transaction without one); empty if
    /// it does not wait.
    fn blockers(&self, session: u32) -> Vec<u32>;

    /// Tables that were dropped and whose rows are still kept, newest first, each with the commit
    /// that dropped it.
    fn dropped_tables(&self) -> Vec<(TableId, Ts)> {
        Vec::new()
    }

    /// Tells by what oid messages call a table. Set once.
    fn name_tables(&self, namer: TableNamer);

    /// Begins a copy of the files, with a checkpoint. Blocking; writers go on meanwhile.
    fn begin_backup(&self) -> Result<Box<dyn RunningBackup>> {
        Err(oxi_base::Error::unsupported("this storage has no backups"))
    }

    /// How the archiving of the log goes; `None` if it is not archived.
    fn archiver(&self) -> Option<ArchiverInfo> {
        None
    }
}

/// The oid of the relation whose rows a storage holds.
pub type TableNamer = Box<dyn Fn(TableId) -> Option<u32> + Send + Sync>;

/// What an insert came to.
pub enum InsertOutcome {
    /// The row is there.
    Done(RowId),
    /// Another transaction has written the same unique key: await, then call again. Nothing was
    /// changed.
    Wait(Wait),
    /// A live row has the same unique key. Nothing was changed.
    Duplicate(Duplicate),
}

/// The row that holds a unique key.
#[derive(Clone, PartialEq, Debug)]
pub struct Duplicate {
    /// The index.
    pub index: IndexId,
    /// The row.
    pub row: RowId,
}

/// What an update, delete or row lock came to.
pub enum WriteOutcome {
    /// It is done.
    Done,
    /// Another transaction holds the row (or a unique key): await, then call again. Nothing was
    /// changed.
    Wait(Wait),
    /// READ COMMITTED only: a transaction committed a newer version after the statement's
    /// snapshot. Re-read with [`Txn::newest`], re-evaluate, and call again with
    /// [`WriteTarget::Newest`]. Under REPEATABLE READ this is the error `40001` instead.
    Changed,
    /// The row is gone: deleted by a transaction committed since (READ COMMITTED), or by an
    /// earlier action of this very statement.
    Gone,
    /// A live row has the same unique key. Nothing was changed.
    Duplicate(Duplicate),
}

/// What a look at the rows of one key came to.
pub enum KeyCheck {
    /// No row of the transaction's own meets another.
    Unique,
    /// Another transaction's end decides: await, then call again.
    Wait(Wait),
    /// A row of the transaction's own and another one have the key.
    Twice,
}

/// Which version a write expects to find.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteTarget {
    /// The version the statement's snapshot sees; anything newer is [`WriteOutcome::Changed`].
    Snapshot,
    /// The newest committed version (after re-evaluation).
    Newest,
}

/// A savepoint's handle; handles nest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SavepointId(pub u32);

/// A transaction. Calls may come from several threads, writes are serialised inside.
pub trait Txn: Send + Sync {
    /// Its number, if it has written anything, locked rows, or was asked for it.
    fn id(&self) -> Option<TxnId>;

    /// Its number, given now if it had none.
    fn assign_id(&self) -> TxnId;

    /// Its isolation.
    fn isolation(&self) -> Isolation;

    /// Makes it a session's: what the session holds is not in its way, and messages and monitoring
    /// name the session. 0 takes it from the session that had it. The caller has not locked
    /// anything yet, or is the only one who uses the transaction.
    fn belong_to(&self, session: u32);

    /// Gives another isolation to a transaction that has not begun any statement; what it has
    /// locked stays locked.
    fn set_isolation(&self, isolation: Isolation) -> Result<()> {
        if self.isolation() == isolation {
            return Ok(());
        }
        Err(oxi_base::Error::bug("a transaction whose isolation is fixed"))
    }

    /// Begins a statement: what it sees is fixed now (READ COMMITTED: anew; REPEATABLE READ: at
    /// the first call). A statement does not see its own changes; the next one does.
    fn begin_statement(&self) -> Arc<dyn Snapshot>;

    /// A snapshot that also sees every change this transaction has made so far, for checks that
    /// run inside a statement (ON CONFLICT).
    fn current_snapshot(&self) -> Arc<dyn Snapshot>;

    /// As [`Txn::current_snapshot`], for checks whose answers row locks keep true until the end of
    /// the transaction (foreign keys): SERIALIZABLE does not remember what they read.
    fn check_snapshot(&self) -> Arc<dyn Snapshot> {
        self.current_snapshot()
    }

    /// What was committed by a moment, for reading. A table that does not keep its history so far
    /// back refuses to be read with `72000`. What was changed by this transaction is not seen.
    ///
    /// # Errors
    /// `22023` for a moment in the future, `72000` for a transaction that is not known any more.
    fn snapshot_at(&self, moment: Moment) -> BoxFuture<Result<Arc<dyn Snapshot>>> {
        let _ = moment;
        let error = oxi_base::Error::unsupported("reading as of an earlier moment");
        Box::pin(std::future::ready(Err(error)))
    }

    /// Visits the rows of a table that are not as `then` (of [`Txn::snapshot_at`]) sees them; now
    /// is what is committed and what this transaction did. The caller holds
    /// [`TableLock::Exclusive`] or more.
    fn differences(
        &self,
        then: &dyn Snapshot,
        table: TableId,
        visit: &mut DifferenceVisitor<'_>,
    ) -> Result<()> {
        let _ = (then, table, visit);
        Err(oxi_base::Error::unsupported("reading as of an earlier moment"))
    }

    /// Takes a table lock until the end of the transaction; `Some` asks to wait and call again.
    fn lock_table(&self, table: TableId, lock: TableLock) -> Result<Option<Wait>>;

    /// Takes an advisory lock until the end of the transaction; `Some` asks to wait and call again.
    fn lock_advisory(&self, key: AdvisoryKey, lock: TableLock) -> Result<Option<Wait>>;

    /// Inserts a row (values by position in the layout, each fitting its physical type).
    fn insert(&self, table: TableId, row: &[Datum]) -> Result<InsertOutcome>;

    /// As [`Txn::insert`], looking at these unique indexes before the others: a row that is in
    /// their way is what the caller wants to hear of.
    fn insert_unless(
        &self,
        table: TableId,
        row: &[Datum],
        arbiters: &[IndexId],
    ) -> Result<InsertOutcome> {
        let _ = arbiters;
        self.insert(table, row)
    }

    /// Inserts the rows of a batch (columns in layout order), beginning at row `from`; returns how
    /// many rows from there were inserted and the outcome that stopped it, if any. For bulk load.
    fn insert_batch(
        &self,
        table: TableId,
        batch: &RecordBatch,
        from: usize,
    ) -> Result<(usize, Option<InsertOutcome>)>;

    /// Whether the rows that this transaction has written with one whole key (of any index, also
    /// one that is not unique) are the only ones with it: the check of a deferrable constraint.
    fn check_unique(&self, index: IndexId, key: &[Datum]) -> Result<KeyCheck>;

    /// Changes columns (position, value) of a row.
    fn update(
        &self,
        snapshot: &dyn Snapshot,
        table: TableId,
        row: RowId,
        target: WriteTarget,
        changes: &[(usize, Datum)],
    ) -> Result<WriteOutcome>;

    /// Deletes a row.
    fn delete(
        &self,
        snapshot: &dyn Snapshot,
        table: TableId,
        row: RowId,
        target: WriteTarget,
    ) -> Result<WriteOutcome>;

    /// Locks a row without changing it, until the end of the transaction.
    fn lock_row(
        &self,
        snapshot: &dyn Snapshot,
        table: TableId,
        row: RowId,
        target: WriteTarget,
        lock: RowLock,
    ) -> Result<WriteOutcome>;

    /// The newest version of a row that is committed or this transaction's own; `None` if that
    /// version is a deletion. All columns in layout order.
    fn newest(&self, table: TableId, row: RowId) -> Result<Option<Row>>;

    /// Creates a table's storage.
    fn create_table(&self, table: TableId, layout: TableLayout) -> Result<()>;

    /// Changes a table's layout: columns added (rows read their `missing` value), dropped or
    /// reordered. Columns that are there already keep their values, whatever `missing` now says.
    /// The caller holds [`TableLock::AccessExclusive`].
    fn alter_table(&self, table: TableId, layout: TableLayout) -> Result<()>;

    /// Drops a table's storage and its indexes at commit.
    fn drop_table(&self, table: TableId) -> Result<()>;

    /// Brings back the storage of a table that was dropped ([`Engine::dropped_tables`]), with its
    /// rows and indexes.
    fn undrop_table(&self, table: TableId) -> Result<()> {
        Err(oxi_base::Error::bug(format!("table storage {table} was not dropped")))
    }

    /// Creates an index and fills it from the rows visible to this transaction; `Err` with
    /// `23505` if they are not unique (detail names the key). The caller holds [`TableLock::Share`] or more.
    fn create_index(&self, index: IndexId, layout: IndexLayout) -> Result<()>;

    /// Creates an index without entries, which all transactions that begin from now on maintain;
    /// nobody may read by it before [`Engine::fill_index`]. It accepts equal keys. No exclusive
    /// lock is needed.
    fn attach_index(&self, index: IndexId, layout: IndexLayout) -> Result<()>;

    /// Makes an attached index that has passed [`Engine::verify_unique`] unique for good.
    fn make_unique(&self, index: IndexId) -> Result<()>;

    /// Resolves when the other transactions have ended that now hold a lock on the table in the
    /// way of `lock`, which is not taken: who comes later is not waited for.
    fn others_ended(&self, table: TableId, lock: TableLock) -> Result<Wait>;

    /// Drops an index at commit.
    fn drop_index(&self, index: IndexId) -> Result<()>;

    /// Marks a place to roll back to.
    fn savepoint(&self) -> SavepointId;

    /// Undoes everything since the savepoint; the savepoint itself stays.
    fn rollback_to(&self, savepoint: SavepointId) -> Result<()>;

    /// Forgets the savepoint and those after it, keeping their changes.
    fn release(&self, savepoint: SavepointId);

    /// Commits. The future resolves when the commit is durable and visible; an error then means
    /// that the log has failed and the outcome is decided by the next recovery. The error of the
    /// call itself means that the transaction was rolled back; under SERIALIZABLE it is `40001` if
    /// others have changed what the transaction read.
    fn commit(&self) -> Result<BoxFuture<Result<()>>>;

    /// Prepares the transaction for two-phase commit: it ends for its session, keeps its changes
    /// and locks, and waits for [`Engine::finish_prepared`], across restarts too. The future
    /// resolves when that is durable. An error of the call leaves the transaction as it was:
    /// `42710` if the identifier is taken, `53200` if there are too many, `0A000` under
    /// SERIALIZABLE and if it shares an advisory lock with its session.
    fn prepare(&self, name: &PrepareAs) -> Result<BoxFuture<Result<()>>>;

    /// Rolls everything back. Also done on drop.
    fn rollback(&self);

    /// The sequence's next value, advancing by `increment` within `min..=max`; not undone by
    /// rollback.
    fn sequence_next(&self, sequence: u32, step: &SequenceStep) -> Result<i64>;

    /// Sets a sequence as `setval(seq, value, is_called)`.
    fn sequence_set(&self, sequence: u32, value: i64, is_called: bool) -> Result<()>;

    /// `(last_value, is_called)`; `None` if never used.
    fn sequence_state(&self, sequence: u32) -> Option<(i64, bool)>;
}

/// What a transaction is prepared as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrepareAs {
    /// The identifier that the second phase names.
    pub gid: String,
    /// Who prepared it.
    pub owner: String,
    /// The most prepared transactions there may be.
    pub limit: usize,
}

/// A transaction prepared for two-phase commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PreparedTransaction {
    /// Its identifier.
    pub gid: String,
    /// Its number.
    pub txn: TxnId,
    /// Who prepared it.
    pub owner: String,
    /// When: Unix microseconds.
    pub prepared_us: i64,
}

/// The second phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PreparedEnd {
    /// COMMIT PREPARED.
    Commit,
    /// ROLLBACK PREPARED.
    Rollback,
}

/// How a sequence moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SequenceStep {
    /// First value.
    pub start: i64,
    /// Added each time; may be negative, never zero.
    pub increment: i64,
    /// Least value.
    pub min: i64,
    /// Greatest value.
    pub max: i64,
    /// Wraps around instead of failing with `2200H`.
    pub cycle: bool,
}

/// One consistent view of the data. Cheap to hold for a statement; holding it long keeps undo.
pub trait Snapshot: Send + Sync {
    /// The commit timestamp up to which it sees.
    fn ts(&self) -> Ts;

    /// Downcast support for the engine that made it.
    fn as_any(&self) -> &dyn Any;

    /// Scans a table with up to `request.partitions` scans that share the work; together they
    /// yield each visible row once.
    fn scan(&self, table: TableId, request: &ScanRequest) -> Result<Vec<Box<dyn Scan>>>;

    /// As [`Snapshot::scan`], which yields all rows all the same: the caller has no use for those
    /// that do not meet the predicate, so SERIALIZABLE lets others change them.
    fn scan_where(
        &self,
        table: TableId,
        request: &ScanRequest,
        predicate: Arc<dyn Predicate>,
    ) -> Result<Vec<Box<dyn Scan>>> {
        let _ = predicate;
        self.scan(table, request)
    }

    /// Whether it matters to this snapshot which rows a scan is after ([`Snapshot::scan_where`]).
    fn notes_reads(&self) -> bool {
        false
    }

    /// Reads the columns (positions) of one row into `out` (cleared first); false if not visible.
    fn get(&self, table: TableId, row: RowId, columns: &[usize], out: &mut Row) -> Result<bool>;

    /// Visits the visible rows whose index key lies in the range, in index order (reversed if
    /// asked), with the requested columns; the key was rechecked against the row. The visitor
    /// returns false to stop.
    fn index_scan(
        &self,
        index: IndexId,
        range: &KeyRange,
        columns: &[usize],
        visit: &mut dyn FnMut(RowId, &[Datum]) -> Result<bool>,
    ) -> Result<()>;

    /// As [`Snapshot::index_scan`] for one whole key, a value for each of the key's columns. The
    /// visitor may take the values away.
    fn index_get(
        &self,
        index: IndexId,
        key: &[Datum],
        columns: &[usize],
        visit: &mut RowVisitor<'_>,
    ) -> Result<()>;
}

/// A condition on single rows of a table, for [`Snapshot::scan_where`].
pub trait Predicate: Send + Sync {
    /// The columns it looks at, as positions in the table's layout.
    fn columns(&self) -> &[usize];

    /// Whether a row meets it; `row` has a value for each column of the table, but those it does
    /// not look at may be NULL. In doubt (a computation fails) the answer is yes.
    fn holds(&self, row: &[Datum]) -> bool;
}

/// Takes a row, whose values it may keep; false ends the reading.
pub type RowVisitor<'a> = dyn FnMut(RowId, &mut Row) -> Result<bool> + 'a;

/// What [`Engine::key_access`] has found; only the engine knows what it is.
#[derive(Debug)]
pub struct KeyAccess(pub Box<dyn Any + Send + Sync>);

/// A range of index keys: each bound is a prefix of the key's columns. An equality lookup has the
/// same included prefix on both sides.
#[derive(Clone, PartialEq, Debug)]
pub struct KeyRange {
    /// Where it starts, in the index's order.
    pub lower: Bound<Vec<Datum>>,
    /// Where it ends.
    pub upper: Bound<Vec<Datum>>,
    /// Visit from the end.
    pub reverse: bool,
}

impl KeyRange {
    /// All keys that begin with these values.
    pub fn equal(key: Vec<Datum>) -> Self {
        KeyRange {
            lower: Bound::Included(key.clone()),
            upper: Bound::Included(key),
            reverse: false,
        }
    }
}

/// What to scan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanRequest {
    /// Columns to return, as positions in the table's layout.
    pub columns: Vec<usize>,
    /// Append a `UInt64` column of row ids, named `__row_id`.
    pub row_id: bool,
    /// How many scans to split the work over (at least 1).
    pub partitions: usize,
    /// Whether the rows of each scan come before those of the next one. Else the scans divide the
    /// work as they come.
    pub in_order: bool,
}

/// A running scan.
pub trait Scan: Send {
    /// The next batch (Arrow types as [`crate::array::arrow_type`] maps them, fields named
    /// `c<position>`), or `None` at the end. At most 8192 rows, never zero.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>>;
}
