//! A transaction: statements, savepoints, commit and rollback.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, AtomicU32, Ordering},
};

use arrow_array::RecordBatch;
use oxi_base::{
    Error, IndexId, Lsn, Result, RowId, SqlState, TableId, Ts, TxnId, codec::put_varint,
};
use oxi_log::FrameKind;
use oxi_model::{
    Datum, Row,
    engine::{
        BoxFuture, DifferenceVisitor, IndexLayout, InsertOutcome, Isolation, KeyCheck, Moment,
        PrepareAs, RowLock, SavepointId, SequenceStep, Snapshot, TableLayout, TableLock, Txn, Wait,
        WriteOutcome, WriteTarget,
    },
    lock::{AdvisoryKey, LockObject},
};
use parking_lot::Mutex;

use crate::{
    block::{Block, Seen},
    commit::{DropAction, Ended, Refusal, Validation},
    engine::Core,
    history,
    index::{Index, key::Key},
    lock::{advisory, queue::Modes, row::Taken, wait},
    reads::{Read, Reads},
    snapshot::{Registration, StoreSnapshot, register},
    table::Table,
    undo::{Sight, TxnState},
};

mod build;
mod ddl;
mod prepare;
pub(crate) use prepare::{Prepared, PreparedFrame, read_frame as read_prepare_frame};
mod unique;
mod write;

/// One step of a transaction, as rollback and collection need it.
pub(crate) enum UndoEntry {
    /// Rows inserted into consecutive slots (end exclusive).
    Insert {
        table: Arc<Table>,
        block: Arc<Block>,
        start: u16,
        end: u16,
    },
    /// A version pushed onto a slot's chain.
    Change {
        table: Arc<Table>,
        block: Arc<Block>,
        slot: u16,
        deleted: bool,
    },
    CreateTable(TableId),
    AlterTable {
        table: Arc<Table>,
        before: Box<TableLayout>,
    },
    CreateIndex(IndexId),
    /// A unique index that was to go: it refuses equal keys again.
    DropIndex(Arc<Index>),
    UndropTable(TableId),
}

impl UndoEntry {
    /// The rows concerned.
    pub(crate) fn place(&self) -> Option<(&Arc<Table>, &Arc<Block>)> {
        match self {
            UndoEntry::Insert { table, block, .. } | UndoEntry::Change { table, block, .. } => {
                Some((table, block))
            }
            _ => None,
        }
    }
}

/// What a transaction has done so far.
#[derive(Default)]
struct Work {
    ended: bool,
    undo: Vec<UndoEntry>,
    redo: Redo,
    tables: Vec<(Arc<Table>, Modes)>,
    advisory: Vec<(AdvisoryKey, TableLock)>,
    shared_rows: Vec<Taken>,
    drops: Vec<DropAction>,
    catalog: bool,
    /// A sequence was advanced: its record must be durable before the commit is acknowledged.
    sequences: bool,
    savepoints: Vec<Savepoint>,
    next_savepoint: u32,
    /// Undo entries below this are not extended: a savepoint stands after them.
    sealed: usize,
}

/// Log operations not yet sent.
#[derive(Default)]
struct Redo {
    bytes: Vec<u8>,
    /// Bytes that were sent ahead and still count.
    sent: usize,
    /// How many of the sent bytes the next frame keeps.
    keep: usize,
    chunks: bool,
}

struct Savepoint {
    id: SavepointId,
    undo: usize,
    redo: usize,
    tables: Vec<Modes>,
    advisory: usize,
    shared_rows: usize,
    drops: usize,
    catalog: bool,
}

/// See [`Txn`].
pub(crate) struct Transaction {
    core: Arc<Core>,
    state: Arc<TxnState>,
    /// An [`Isolation`] as its number.
    isolation: AtomicU8,
    /// The number of the running statement.
    command: AtomicU32,
    /// The one snapshot of REPEATABLE READ and SERIALIZABLE.
    fixed: OnceLock<Mutex<Option<Arc<Registration>>>>,
    /// What was read, under SERIALIZABLE.
    reads: OnceLock<Arc<Reads>>,
    /// What was learnt beside the snapshot, namely that keys are taken which it does not show, and
    /// from what moment on that is to stay so.
    late: OnceLock<(Ts, Reads)>,
    work: Mutex<Work>,
}

impl Redo {
    fn position(&self) -> usize {
        self.keep + self.bytes.len()
    }

    fn truncate(&mut self, position: usize) {
        if position >= self.keep {
            self.bytes.truncate(position - self.keep);
        } else {
            self.bytes.clear();
            self.keep = position;
        }
    }

    /// A frame's payload: how much of what was sent counts, then the operations.
    fn payload(&mut self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.bytes.len() + 32);
        put_varint(&mut payload, self.keep as u64);
        payload.append(&mut self.bytes);
        payload
    }

    fn is_empty(&self) -> bool {
        self.keep == 0 && self.bytes.is_empty()
    }
}

impl Transaction {
    pub(crate) fn new(core: Arc<Core>, isolation: Isolation) -> Self {
        Self::resumed(core, isolation, TxnState::new())
    }

    /// A transaction that has begun before.
    fn resumed(core: Arc<Core>, isolation: Isolation, state: Arc<TxnState>) -> Self {
        let reads = OnceLock::new();
        if isolation == Isolation::Serializable {
            let _ = reads.set(Arc::default());
        }
        Transaction {
            core,
            state,
            isolation: AtomicU8::new(isolation as u8),
            command: AtomicU32::new(1),
            fixed: OnceLock::new(),
            reads,
            late: OnceLock::new(),
            work: Mutex::default(),
        }
    }

    fn command(&self) -> u32 {
        self.command.load(Ordering::Acquire)
    }

    /// The registration that a snapshot taken now uses.
    fn registration(&self) -> Arc<Registration> {
        if !self.isolation().keeps_snapshot() {
            return Arc::new(register(&self.core, None));
        }
        let mut fixed = self.fixed.get_or_init(Mutex::default).lock();
        fixed.get_or_insert_with(|| Arc::new(register(&self.core, None))).clone()
    }

    fn snapshot(&self, command: u32, reads: Option<Arc<Reads>>) -> Arc<dyn Snapshot> {
        let registration = self.registration();
        let own = self.state.clone();
        Arc::new(StoreSnapshot { registration, own, command, reads, past: false })
    }

    /// Where snapshots note what they read.
    fn noted(&self) -> Option<Arc<Reads>> {
        if self.isolation() == Isolation::Serializable { self.reads.get().cloned() } else { None }
    }

    /// What was read, under SERIALIZABLE.
    fn reads(&self) -> Option<&Reads> {
        self.reads.get().map(AsRef::as_ref)
    }

    /// The snapshot of a SERIALIZABLE transaction that has read something.
    fn validated_snapshot(&self) -> Option<(&Reads, Arc<Registration>)> {
        let registration = self.fixed.get()?.lock().clone()?;
        Some((self.reads()?, registration))
    }

    /// Under SERIALIZABLE, whether the transaction could still commit. One that has not written
    /// can, whatever it has read.
    fn validate(&self, during: &str) -> Result<()> {
        if let Some((reads, snapshot)) = self.validated_snapshot() {
            self.validate_all(reads, snapshot.ts, during)?;
        }
        Ok(())
    }

    /// What remains to be validated when the transaction commits.
    fn validate_all<'a>(
        &'a self,
        reads: &'a Reads,
        at: Ts,
        during: &str,
    ) -> Result<Validation<'a>> {
        let mut parts = Validation::new();
        let late = self.late.get().map(|(at, reads)| (reads, *at));
        for (reads, from) in [Some((reads, at)), late].into_iter().flatten() {
            parts.push((reads, self.core.validate(reads, from, during)?));
        }
        Ok(parts)
    }

    /// Remembers, under SERIALIZABLE, that a row has a unique key.
    fn note_taken(&self, table: &Table, index: IndexId, key: &Key, row: RowId) -> Result<()> {
        let Some((reads, snapshot)) = self.validated_snapshot() else { return Ok(()) };
        let sight = Sight { ts: snapshot.ts, own: Some(&self.state), command: u32::MAX };
        let is_seen = match table.locate(row) {
            Some((block, slot)) => !matches!(block.read()?.see(slot, &sight), Seen::No),
            None => false,
        };
        let read = Read::Key(index, key.clone());
        if is_seen {
            reads.note(table, read);
        } else {
            let (_, late) = self.late.get_or_init(|| (self.core.visible_ts(), Reads::default()));
            late.note(table, read);
        }
        Ok(())
    }

    /// What must be done under SERIALIZABLE about a write: the first one of a transaction that
    /// cannot commit fails at once, and so does what a row that it does not see keeps out.
    fn validate_write(&self, is_first: bool, is_duplicate: bool) -> Result<()> {
        if (is_first || is_duplicate) && self.reads().is_some() {
            self.validate("write")?;
        }
        Ok(())
    }

    /// Sees all that is committed, and everything of its own.
    fn newest_sight(&self) -> Sight<'_> {
        Sight { ts: Ts(u64::MAX - 1), own: Some(&self.state), command: u32::MAX }
    }

    /// Locks the work of a transaction that may still write.
    fn writable(&self) -> Result<parking_lot::MutexGuard<'_, Work>> {
        self.core.check_usable()?;
        let work = self.running()?;
        self.own_id();
        Ok(work)
    }

    /// Locks the work of a transaction that has not ended.
    fn running(&self) -> Result<parking_lot::MutexGuard<'_, Work>> {
        self.core.storage.relieve()?;
        let work = self.work.lock();
        if work.ended {
            return Err(Error::new(
                SqlState::INVALID_TRANSACTION_STATE,
                "the transaction has ended",
            ));
        }
        Ok(work)
    }

    fn own_id(&self) -> TxnId {
        self.state.id_or_assign(&self.core.next_txn)
    }

    fn wait_for(&self, target: Arc<TxnState>) -> Wait {
        wait::wait_for(&self.core.waits, &self.state, target)
    }

    /// Sends the redo ahead when it has become large.
    fn stream(&self, work: &mut Work) -> Result<()> {
        if work.redo.bytes.len() < self.core.options.chunk_bytes {
            return Ok(());
        }
        let sent = work.redo.position();
        let payload = work.redo.payload();
        let id = self.own_id();
        let _gate = self.core.gate.read();
        let before = self.core.log.next_lsn();
        if !work.redo.chunks {
            self.core.sequencer.lock().streaming.entry(id).or_insert(Lsn(before.0));
        }
        self.core
            .log
            .append(FrameKind::Chunk, id, Ts(0), &payload)
            .map_err(|error| self.core.fail(error))?;
        work.redo.chunks = true;
        work.redo.sent = sent;
        work.redo.keep = sent;
        Ok(())
    }

    /// Undoes entries down to a length.
    fn undo_to(&self, undo: &mut Vec<UndoEntry>, length: usize) {
        let mut emptied: Vec<Arc<Block>> = Vec::new();
        while undo.len() > length {
            match undo.pop() {
                Some(UndoEntry::Insert { table, block, start, end }) => {
                    for slot in (start..end).rev() {
                        self.or_fail(write::undo_insert(&table, &block, slot));
                    }
                    if length == 0 {
                        emptied.push(block);
                    }
                }
                Some(UndoEntry::Change { table, block, slot, deleted }) => {
                    self.or_fail(write::undo_change(&table, &block, slot, &self.state));
                    if deleted {
                        table.count_rows(1);
                    }
                }
                Some(UndoEntry::CreateTable(id)) => {
                    self.core.tables.write().remove(&id);
                }
                Some(UndoEntry::UndropTable(id)) => self.core.hide_undropped(id),
                Some(UndoEntry::AlterTable { table, before }) => table.undo_layout(*before),
                Some(UndoEntry::CreateIndex(id)) => self.core.remove_index(id),
                Some(UndoEntry::DropIndex(index)) => index.enforce(true),
                None => break,
            }
        }
        // Not before the last row is gone: one without creator is one that everybody sees.
        for block in emptied {
            block.forget_creator(&self.state);
        }
    }

    /// A step of a rollback that the disk did not allow can only be made up for by a restart.
    fn or_fail(&self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.core.fail(error);
        }
    }

    fn commit_changes(&self, work: &mut Work, chunks: bool) -> Result<BoxFuture<Result<()>>> {
        let payload = work.redo.payload();
        // Kept until all is validated: it keeps what others wrote from being collected.
        let read = self.validated_snapshot();
        let ended = self.end(work);
        let validated = self.core.check_usable().and_then(|()| match &read {
            None => Ok(Validation::new()),
            Some((reads, snapshot)) => self.validate_all(reads, snapshot.ts, "commit attempt"),
        });
        let validation = match validated {
            Ok(validation) => validation,
            Err(error) => {
                self.abort(ended, chunks);
                return Err(error);
            }
        };
        match self.core.commit(FrameKind::Commit, ended, self.own_id(), payload, validation) {
            Ok(future) => Ok(future),
            Err((refusal, ended)) => {
                let error = match refusal {
                    Refusal::Log(error) => self.core.fail(error),
                    Refusal::Conflict(error) => error,
                };
                self.abort(*ended, chunks);
                Err(error)
            }
        }
    }

    fn end(&self, work: &mut Work) -> Ended {
        work.ended = true;
        if let Some(fixed) = self.fixed.get() {
            *fixed.lock() = None;
        }
        Ended {
            state: self.state.clone(),
            undo: std::mem::take(&mut work.undo),
            tables: std::mem::take(&mut work.tables),
            advisory: std::mem::take(&mut work.advisory),
            shared_rows: std::mem::take(&mut work.shared_rows),
            drops: std::mem::take(&mut work.drops),
            catalog: work.catalog,
        }
    }

    fn abort(&self, mut ended: Ended, chunks: bool) {
        self.undo_to(&mut ended.undo, 0);
        if chunks {
            let id = self.own_id();
            self.core.sequencer.lock().streaming.remove(&id);
            // Without the frame recovery drops the chunks all the same, at its end.
            let _ = self.core.log.append(FrameKind::Abort, id, Ts(0), &[]);
        }
        self.state.abort();
        self.core.release(&mut ended);
    }

    fn give_back_tables(&self, work: &mut Work, keep: &[Modes]) {
        for (table, modes) in work.tables.drain(keep.len()..) {
            table.locks.release(&self.state, modes);
        }
        for ((table, held), before) in work.tables.iter_mut().zip(keep) {
            if held != before {
                table.locks.release(&self.state, held.without(*before));
                *held = *before;
            }
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.rollback();
    }
}

impl Txn for Transaction {
    fn id(&self) -> Option<TxnId> {
        self.state.id()
    }

    fn assign_id(&self) -> TxnId {
        self.own_id()
    }

    fn isolation(&self) -> Isolation {
        match self.isolation.load(Ordering::Relaxed) {
            0 => Isolation::ReadCommitted,
            1 => Isolation::RepeatableRead,
            _ => Isolation::Serializable,
        }
    }

    fn set_isolation(&self, isolation: Isolation) -> Result<()> {
        if self.command() > 1 {
            return Err(Error::bug("the isolation of a transaction that has begun a statement"));
        }
        self.isolation.store(isolation as u8, Ordering::Relaxed);
        if isolation == Isolation::Serializable {
            let _ = self.reads.set(Arc::default());
        }
        Ok(())
    }

    fn belong_to(&self, session: u32) {
        self.state.belong_to(session);
    }

    fn begin_statement(&self) -> Arc<dyn Snapshot> {
        let command = self.command.fetch_add(1, Ordering::AcqRel) + 1;
        self.snapshot(command, self.noted())
    }

    fn current_snapshot(&self) -> Arc<dyn Snapshot> {
        self.snapshot(u32::MAX, self.noted())
    }

    fn check_snapshot(&self) -> Arc<dyn Snapshot> {
        self.snapshot(u32::MAX, None)
    }

    fn snapshot_at(&self, moment: Moment) -> BoxFuture<Result<Arc<dyn Snapshot>>> {
        self.core.snapshot_at(moment)
    }

    fn differences(
        &self,
        then: &dyn Snapshot,
        table: TableId,
        visit: &mut DifferenceVisitor<'_>,
    ) -> Result<()> {
        let then = then.as_any().downcast_ref::<StoreSnapshot>();
        let then = then.ok_or_else(|| Error::bug("a snapshot of another engine"))?;
        let table = self.core.table(table)?;
        self.core.check_history(&table, then.registration.ts)?;
        history::differences(&table, &then.sight(), &self.newest_sight(), visit)
    }

    fn lock_table(&self, table: TableId, lock: TableLock) -> Result<Option<Wait>> {
        // Reading goes on after a failure of the log.
        let mut work = match lock {
            TableLock::AccessShare | TableLock::RowShare => self.running()?,
            _ => self.writable()?,
        };
        let held = work.tables.iter().position(|(held, _)| held.id == table);
        if held.is_some_and(|at| work.tables[at].1.has(lock)) {
            return Ok(None);
        }
        let table = match held {
            Some(at) => work.tables[at].0.clone(),
            None => self.core.table(table)?,
        };
        if !table.locks.acquire(&self.state, lock) {
            let object = LockObject::Table(table.id);
            return Ok(Some(table.locks.wait(&self.core.waits, &self.state, object, lock)));
        }
        match held {
            Some(at) => work.tables[at].1 = work.tables[at].1.with(lock),
            None => work.tables.push((table, lock.into())),
        }
        Ok(None)
    }

    fn lock_advisory(&self, key: AdvisoryKey, lock: TableLock) -> Result<Option<Wait>> {
        let mut work = self.running()?;
        self.core.check_usable()?;
        if work.advisory.contains(&(key, lock)) {
            return Ok(None);
        }
        let wait = advisory::acquire(&self.core, &self.state, key, lock);
        if wait.is_none() {
            work.advisory.push((key, lock));
        }
        Ok(wait)
    }

    fn insert(&self, table: TableId, row: &[Datum]) -> Result<InsertOutcome> {
        self.insert_unless(table, row, &[])
    }

    fn insert_unless(
        &self,
        table: TableId,
        row: &[Datum],
        arbiters: &[IndexId],
    ) -> Result<InsertOutcome> {
        let mut work = self.writable()?;
        let table = self.core.table(table)?;
        let shape = table.shape();
        shape.check_row(row)?;
        let is_first = work.redo.is_empty();
        let outcome = self.insert_row(&mut work, &table, &shape, row, arbiters)?;
        self.validate_write(is_first, matches!(outcome, InsertOutcome::Duplicate(_)))?;
        self.stream(&mut work)?;
        Ok(outcome)
    }

    fn insert_batch(
        &self,
        table: TableId,
        batch: &RecordBatch,
        from: usize,
    ) -> Result<(usize, Option<InsertOutcome>)> {
        let mut work = self.writable()?;
        let table = self.core.table(table)?;
        let is_first = work.redo.is_empty();
        let outcome = self.insert_rows(&mut work, &table, batch, from)?;
        self.validate_write(is_first, matches!(outcome.1, Some(InsertOutcome::Duplicate(_))))?;
        Ok(outcome)
    }

    fn check_unique(&self, index: IndexId, key: &[Datum]) -> Result<KeyCheck> {
        self.check_key(index, key)
    }

    fn update(
        &self,
        snapshot: &dyn Snapshot,
        table: TableId,
        row: RowId,
        target: WriteTarget,
        changes: &[(usize, Datum)],
    ) -> Result<WriteOutcome> {
        let mut work = self.writable()?;
        let is_first = work.redo.is_empty();
        let outcome = self.update_row(&mut work, snapshot, table, row, target, changes)?;
        self.validate_write(is_first, matches!(outcome, WriteOutcome::Duplicate(_)))?;
        self.stream(&mut work)?;
        Ok(outcome)
    }

    fn delete(
        &self,
        snapshot: &dyn Snapshot,
        table: TableId,
        row: RowId,
        target: WriteTarget,
    ) -> Result<WriteOutcome> {
        let mut work = self.writable()?;
        let is_first = work.redo.is_empty();
        let outcome = self.delete_row(&mut work, snapshot, table, row, target)?;
        self.validate_write(is_first, false)?;
        self.stream(&mut work)?;
        Ok(outcome)
    }

    fn lock_row(
        &self,
        snapshot: &dyn Snapshot,
        table: TableId,
        row: RowId,
        target: WriteTarget,
        lock: RowLock,
    ) -> Result<WriteOutcome> {
        let mut work = self.writable()?;
        self.lock_one(&mut work, snapshot, table, row, target, lock)
    }

    fn newest(&self, table: TableId, row: RowId) -> Result<Option<Row>> {
        let table = self.core.table(table)?;
        let Some((block, slot)) = table.locate(row) else { return Ok(None) };
        let rows = block.read()?;
        let all = 0..rows.columns.len();
        Ok(match rows.see(slot, &self.newest_sight()) {
            Seen::No => None,
            Seen::InPlace => Some(all.map(|p| rows.value(slot, p, None)).collect()),
            Seen::Older(overlay) => {
                Some(all.map(|p| rows.value(slot, p, Some(&overlay))).collect())
            }
        })
    }

    fn create_table(&self, table: TableId, layout: TableLayout) -> Result<()> {
        self.create_table_storage(&mut *self.writable()?, table, layout)
    }

    fn alter_table(&self, table: TableId, layout: TableLayout) -> Result<()> {
        self.alter_table_storage(&mut *self.writable()?, table, layout)
    }

    fn drop_table(&self, table: TableId) -> Result<()> {
        self.drop_table_storage(&mut *self.writable()?, table)
    }

    fn undrop_table(&self, table: TableId) -> Result<()> {
        self.undrop_table_storage(&mut *self.writable()?, table)
    }

    fn create_index(&self, index: IndexId, layout: IndexLayout) -> Result<()> {
        self.create_index_storage(&mut *self.writable()?, index, layout)
    }

    fn attach_index(&self, index: IndexId, layout: IndexLayout) -> Result<()> {
        self.attach_index_storage(&mut *self.writable()?, index, layout)
    }

    fn make_unique(&self, index: IndexId) -> Result<()> {
        self.make_index_unique(&mut *self.writable()?, index)
    }

    fn others_ended(&self, table: TableId, lock: TableLock) -> Result<Wait> {
        drop(self.running()?);
        Ok(self.others_of(&*self.core.table(table)?, lock))
    }

    fn drop_index(&self, index: IndexId) -> Result<()> {
        self.drop_index_storage(&mut *self.writable()?, index)
    }

    fn savepoint(&self) -> SavepointId {
        let mut work = self.work.lock();
        let id = SavepointId(work.next_savepoint);
        work.next_savepoint += 1;
        work.sealed = work.undo.len();
        let savepoint = Savepoint {
            id,
            undo: work.undo.len(),
            redo: work.redo.position(),
            tables: work.tables.iter().map(|(_, modes)| *modes).collect(),
            advisory: work.advisory.len(),
            shared_rows: work.shared_rows.len(),
            drops: work.drops.len(),
            catalog: work.catalog,
        };
        work.savepoints.push(savepoint);
        id
    }

    fn rollback_to(&self, savepoint: SavepointId) -> Result<()> {
        let mut work = self.work.lock();
        let Some(at) = work.savepoints.iter().position(|known| known.id == savepoint) else {
            return Err(Error::bug("rollback to a savepoint that is not there"));
        };
        work.savepoints.truncate(at + 1);
        let (undo, redo, shared_rows, drops, catalog) = {
            let to = &work.savepoints[at];
            (to.undo, to.redo, to.shared_rows, to.drops, to.catalog)
        };
        let keep = work.savepoints[at].tables.clone();
        let advisory = work.savepoints[at].advisory;
        let changed = work.undo.len() > undo || work.shared_rows.len() > shared_rows;
        self.undo_to(&mut work.undo, undo);
        work.sealed = undo;
        work.redo.truncate(redo);
        work.drops.truncate(drops);
        work.catalog = catalog;
        for taken in work.shared_rows.drain(shared_rows..).rev() {
            self.core.shared_rows.undo(taken, &self.state);
            // That the row was there is no longer held true by the lock.
            if let (Some(reads), Ok(table)) = (self.reads(), self.core.table(taken.table)) {
                reads.note(&table, Read::Row(taken.row));
            }
        }
        self.give_back_tables(&mut work, &keep);
        for (key, lock) in work.advisory.drain(advisory..) {
            self.core.advisory.release(key, lock, &self.state);
        }
        if changed {
            self.state.give_way();
        }
        Ok(())
    }

    fn release(&self, savepoint: SavepointId) {
        let mut work = self.work.lock();
        if let Some(at) = work.savepoints.iter().position(|known| known.id == savepoint) {
            work.savepoints.truncate(at);
        }
    }

    fn commit(&self) -> Result<BoxFuture<Result<()>>> {
        let mut work = self.work.lock();
        if work.ended {
            return Err(Error::new(
                SqlState::INVALID_TRANSACTION_STATE,
                "the transaction has ended",
            ));
        }
        let (empty, chunks) = (work.redo.is_empty(), work.redo.chunks);
        if empty && !chunks {
            let ended = self.end(&mut work);
            self.core.end_unchanged(ended);
            if work.sequences && self.core.options.synchronous_commit {
                return Ok(self.core.wait_durable(self.core.log.next_lsn()));
            }
            return Ok(Box::pin(std::future::ready(Ok(()))));
        }
        self.commit_changes(&mut work, chunks)
    }

    fn prepare(&self, name: &PrepareAs) -> Result<BoxFuture<Result<()>>> {
        self.prepare_as(name)
    }

    fn rollback(&self) {
        let mut work = self.work.lock();
        if work.ended {
            return;
        }
        let chunks = work.redo.chunks;
        let ended = self.end(&mut work);
        self.abort(ended, chunks);
    }

    fn sequence_next(&self, sequence: u32, step: &SequenceStep) -> Result<i64> {
        let value = self.core.sequence_next(sequence, step)?;
        self.work.lock().sequences = true;
        Ok(value)
    }

    fn sequence_set(&self, sequence: u32, value: i64, is_called: bool) -> Result<()> {
        self.core.sequence_set(sequence, value, is_called)?;
        self.work.lock().sequences = true;
        Ok(())
    }

    fn sequence_state(&self, sequence: u32) -> Option<(i64, bool)> {
        let sequences = self.core.sequences.lock();
        sequences.get(&sequence).map(|state| (state.value, state.is_called))
    }
}
