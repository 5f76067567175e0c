//! A transaction: statements, savepoints, commit and rollback.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering},
};

use arrow_array::RecordBatch;
use oxi_base::{Error, IndexId, Lsn, Result, RowId, SqlState, TableId, TxnId, codec::put_varint};
use oxi_log::FrameKind;
use oxi_model::{
    Datum, Row,
    engine::{
        BoxFuture, IndexLayout, InsertOutcome, Isolation, KeyCheck, PrepareAs, RowLock,
        SavepointId, SequenceStep, Snapshot, TableLayout, TableLock, Txn, Wait, WriteOutcome,
        WriteTarget,
    },
};
use parking_lot::Mutex;

use crate::{
    block::Block,
    commit::{DropAction, Ended},
    engine::Core,
    index::Index,
    lock::{self, Granted, unlock_table},
    snapshot::{Registration, StoreSnapshot, register},
    table::Table,
    undo::{Sight, TxnState},
};

mod build;
mod ddl;
pub(crate) use ddl::build as build_index;
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
    tables: Vec<(Arc<Table>, TableLock)>,
    key_shares: Vec<(TableId, RowId)>,
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
    tables: Vec<TableLock>,
    key_shares: usize,
    drops: usize,
    catalog: bool,
}

/// See [`Txn`].
pub(crate) struct Transaction {
    core: Arc<Core>,
    state: Arc<TxnState>,
    isolation: Isolation,
    /// The number of the running statement.
    command: AtomicU32,
    /// The one snapshot of REPEATABLE READ.
    fixed: OnceLock<Mutex<Option<Arc<Registration>>>>,
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
        Transaction {
            core,
            state,
            isolation,
            command: AtomicU32::new(1),
            fixed: OnceLock::new(),
            work: Mutex::default(),
        }
    }

    fn command(&self) -> u32 {
        self.command.load(Ordering::Acquire)
    }

    /// The registration that a snapshot taken now uses.
    fn registration(&self) -> Arc<Registration> {
        match self.isolation {
            Isolation::ReadCommitted => Arc::new(register(&self.core, None)),
            Isolation::RepeatableRead => {
                let fixed = self.fixed.get_or_init(Mutex::default);
                let mut fixed = fixed.lock();
                fixed.get_or_insert_with(|| Arc::new(register(&self.core, None))).clone()
            }
        }
    }

    fn snapshot(&self, command: u32) -> Arc<dyn Snapshot> {
        let registration = self.registration();
        Arc::new(StoreSnapshot { registration, own: self.state.clone(), command })
    }

    /// Sees all that is committed, and everything of its own.
    fn newest_sight(&self) -> Sight<'_> {
        Sight { ts: oxi_base::Ts(u64::MAX - 1), own: Some(&self.state), command: u32::MAX }
    }

    /// Locks the work of a transaction that may still write.
    fn writable(&self) -> Result<parking_lot::MutexGuard<'_, Work>> {
        self.core.check_usable()?;
        self.running()
    }

    /// Locks the work of a transaction that has not ended.
    fn running(&self) -> Result<parking_lot::MutexGuard<'_, Work>> {
        let work = self.work.lock();
        if work.ended {
            return Err(Error::new(
                SqlState::INVALID_TRANSACTION_STATE,
                "the transaction has ended",
            ));
        }
        self.state.id_or_assign(&self.core.next_txn);
        Ok(work)
    }

    fn own_id(&self) -> TxnId {
        self.state.id_or_assign(&self.core.next_txn)
    }

    fn wait_for(&self, target: Arc<TxnState>) -> Wait {
        lock::wait_for(&self.core.waits, self.own_id(), target)
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
            .append(FrameKind::Chunk, id, oxi_base::Ts(0), &payload)
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
                        write::undo_insert(&table, &block, slot);
                    }
                    if length == 0 {
                        emptied.push(block);
                    }
                }
                Some(UndoEntry::Change { table, block, slot, deleted }) => {
                    write::undo_change(&table, &block, slot, &self.state);
                    if deleted {
                        table.count_rows(1);
                    }
                }
                Some(UndoEntry::CreateTable(id)) => {
                    self.core.tables.write().remove(&id);
                }
                Some(UndoEntry::AlterTable { table, before }) => table.undo_layout(*before),
                Some(UndoEntry::CreateIndex(id)) => self.core.remove_index(id),
                Some(UndoEntry::DropIndex(index)) => index.enforce(true),
                None => break,
            }
        }
        // Not before the last row is gone: one without creator is one that everybody sees.
        for block in emptied {
            block.rows.write().forget_creator(&self.state);
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
            tables: std::mem::take(&mut work.tables).into_iter().map(|(table, _)| table).collect(),
            key_shares: std::mem::take(&mut work.key_shares),
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
            let _ = self.core.log.append(FrameKind::Abort, id, oxi_base::Ts(0), &[]);
        }
        self.state.abort();
        self.core.release(&mut ended);
    }

    fn give_back_tables(&self, work: &mut Work, keep: &[TableLock]) {
        for (table, _) in work.tables.drain(keep.len()..) {
            unlock_table(&table, &self.state, false);
        }
        for ((table, held), before) in work.tables.iter_mut().zip(keep) {
            if held != before {
                unlock_table(table, &self.state, true);
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

    fn isolation(&self) -> Isolation {
        self.isolation
    }

    fn begin_statement(&self) -> Arc<dyn Snapshot> {
        let command = self.command.fetch_add(1, Ordering::AcqRel) + 1;
        self.snapshot(command)
    }

    fn current_snapshot(&self) -> Arc<dyn Snapshot> {
        self.snapshot(u32::MAX)
    }

    fn lock_table(&self, table: TableId, lock: TableLock) -> Result<Option<Wait>> {
        // Reading goes on after a failure of the log.
        let mut work = match lock {
            TableLock::Shared => self.running()?,
            TableLock::Exclusive => self.writable()?,
        };
        if work.tables.iter().any(|(held, mode)| {
            held.id == table && (lock == TableLock::Shared || *mode == TableLock::Exclusive)
        }) {
            return Ok(None);
        }
        let table = self.core.table(table)?;
        match lock::lock_table(&self.core.waits, &table, &self.state, self.own_id(), lock) {
            Ok(Granted::Held) => Ok(None),
            Ok(Granted::New) => {
                work.tables.push((table, lock));
                Ok(None)
            }
            Ok(Granted::Upgraded) => {
                for (held, mode) in &mut work.tables {
                    if held.id == table.id {
                        *mode = lock;
                    }
                }
                Ok(None)
            }
            Err(wait) => Ok(Some(wait)),
        }
    }

    fn insert(&self, table: TableId, row: &[Datum]) -> Result<InsertOutcome> {
        let mut work = self.writable()?;
        let table = self.core.table(table)?;
        let shape = table.shape();
        shape.check_row(row)?;
        let outcome = self.insert_row(&mut work, &table, &shape, row)?;
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
        self.insert_rows(&mut work, &table, batch, from)
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
        let outcome = self.update_row(&mut work, snapshot, table, row, target, changes)?;
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
        let outcome = self.delete_row(&mut work, snapshot, table, row, target)?;
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
        let rows = block.rows.read();
        let all = 0..rows.columns.len();
        Ok(match rows.see(slot, &self.newest_sight()) {
            crate::block::Seen::No => None,
            crate::block::Seen::InPlace => Some(all.map(|p| rows.value(slot, p, None)).collect()),
            crate::block::Seen::Older(overlay) => {
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

    fn create_index(&self, index: IndexId, layout: IndexLayout) -> Result<()> {
        self.create_index_storage(&mut *self.writable()?, index, layout)
    }

    fn attach_index(&self, index: IndexId, layout: IndexLayout) -> Result<()> {
        self.attach_index_storage(&mut *self.writable()?, index, layout)
    }

    fn make_unique(&self, index: IndexId) -> Result<()> {
        self.make_index_unique(&mut *self.writable()?, index)
    }

    fn others_ended(&self, table: TableId) -> Result<Wait> {
        drop(self.running()?);
        Ok(self.others_of(&*self.core.table(table)?))
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
            tables: work.tables.iter().map(|(_, mode)| *mode).collect(),
            key_shares: work.key_shares.len(),
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
        let (undo, redo, key_shares, drops, catalog) = {
            let to = &work.savepoints[at];
            (to.undo, to.redo, to.key_shares, to.drops, to.catalog)
        };
        let keep = work.savepoints[at].tables.clone();
        let changed = work.undo.len() > undo || work.key_shares.len() > key_shares;
        self.undo_to(&mut work.undo, undo);
        work.sealed = undo;
        work.redo.truncate(redo);
        work.drops.truncate(drops);
        work.catalog = catalog;
        for (table, row) in work.key_shares.drain(key_shares..) {
            self.core.key_shares.remove(table, row, &self.state);
        }
        self.give_back_tables(&mut work, &keep);
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
        let payload = work.redo.payload();
        let ended = self.end(&mut work);
        if let Err(error) = self.core.check_usable() {
            self.abort(ended, chunks);
            return Err(error);
        }
        match self.core.commit(FrameKind::Commit, ended, self.own_id(), payload) {
            Ok(future) => Ok(future),
            Err((error, ended)) => {
                let error = self.core.fail(error);
                self.abort(*ended, chunks);
                Err(error)
            }
        }
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
