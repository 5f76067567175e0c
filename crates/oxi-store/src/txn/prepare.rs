//! Two-phase commit: a prepared transaction has no session any more, keeps its locks and its
//! uncommitted rows, and survives a restart. Byte map: `docs/dev/formats/redo.md`.

use std::{collections::BTreeMap, sync::Arc};

use oxi_base::{
    Error, Lsn, Result, RowId, SqlState, TableId, Ts, TxnId,
    codec::{Reader, put_bytes, put_varint},
};
use oxi_log::{Frame, FrameKind};
use oxi_model::{
    engine::{
        BoxFuture, Isolation, PrepareAs, PreparedEnd, PreparedTransaction, RowLock, TableLock, Txn,
        WriteOutcome, WriteTarget,
    },
    lock::AdvisoryKey,
};

use super::{Transaction, UndoEntry, Work, write::note_inserted};
use crate::{
    block::{place, row_id},
    commit::{Ended, Refusal, Validation},
    engine::Core,
    lock::queue::Modes,
    redo::{self, Marks, Op, RowHead, RowKind},
    table::Table,
    undo::{Before, TxnState},
};

/// A prepared transaction, waiting for its second phase.
pub(crate) struct Prepared {
    info: PreparedTransaction,
    ended: Ended,
}

/// What a `Prepare` frame says before the operations.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Head {
    pub(crate) gid: String,
    pub(crate) owner: String,
    pub(crate) prepared_us: i64,
    pub(crate) marks: Marks,
    tables: Vec<(TableId, TableLock)>,
    rows: Vec<(TableId, RowId, RowLock)>,
    advisory: Vec<(AdvisoryKey, TableLock)>,
}

/// A `Prepare` frame whose transaction has not ended yet.
pub(crate) struct PreparedFrame {
    /// Where the log must be kept from.
    pub(crate) begin: Lsn,
    pub(crate) head: Head,
    /// The operations of the chunks and of the frame.
    pub(crate) operations: Vec<u8>,
}

/// The bytes are PostgreSQL's numbers of the modes.
const TABLE_LOCKS: [(TableLock, u8); 8] = [
    (TableLock::AccessShare, 1),
    (TableLock::RowShare, 2),
    (TableLock::RowExclusive, 3),
    (TableLock::ShareUpdateExclusive, 4),
    (TableLock::Share, 5),
    (TableLock::ShareRowExclusive, 6),
    (TableLock::Exclusive, 7),
    (TableLock::AccessExclusive, 8),
];
const ROW_LOCKS: [(RowLock, u8); 4] =
    [(RowLock::KeyShare, 1), (RowLock::Share, 2), (RowLock::NoKeyUpdate, 3), (RowLock::Update, 4)];

fn byte_of<L: PartialEq + Copy>(list: &[(L, u8)], lock: L) -> u8 {
    list.iter().find(|(known, _)| *known == lock).map_or(0, |(_, byte)| *byte)
}

fn lock_of<L: Copy>(list: &[(L, u8)], byte: u8) -> Option<L> {
    list.iter().find(|(_, known)| *known == byte).map(|(lock, _)| *lock)
}

fn put_key(out: &mut Vec<u8>, key: AdvisoryKey) {
    match key {
        AdvisoryKey::One(key) => {
            out.push(1);
            out.extend_from_slice(&key.to_le_bytes());
        }
        AdvisoryKey::Two(first, second) => {
            out.push(2);
            out.extend_from_slice(&first.to_le_bytes());
            out.extend_from_slice(&second.to_le_bytes());
        }
    }
}

fn read_key(reader: &mut Reader<'_>) -> Option<AdvisoryKey> {
    match reader.u8()? {
        1 => Some(AdvisoryKey::One(i64::from_le_bytes(reader.array()?))),
        2 => {
            let first = i32::from_le_bytes(reader.array()?);
            Some(AdvisoryKey::Two(first, i32::from_le_bytes(reader.array()?)))
        }
        _ => None,
    }
}

impl Head {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.gid.as_bytes());
        put_bytes(out, self.owner.as_bytes());
        out.extend_from_slice(&self.prepared_us.to_le_bytes());
        for mark in [self.marks.table, self.marks.index, self.marks.oid] {
            put_varint(out, mark.into());
        }
        put_varint(out, self.tables.len() as u64);
        for (table, lock) in &self.tables {
            put_varint(out, table.0.into());
            out.push(byte_of(&TABLE_LOCKS, *lock));
        }
        put_varint(out, self.rows.len() as u64);
        for (table, row, lock) in &self.rows {
            put_varint(out, table.0.into());
            put_varint(out, row.0);
            out.push(byte_of(&ROW_LOCKS, *lock));
        }
        put_varint(out, self.advisory.len() as u64);
        for (key, lock) in &self.advisory {
            put_key(out, *key);
            out.push(byte_of(&TABLE_LOCKS, *lock));
        }
    }

    /// Reads what [`Head::encode`] wrote.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Head> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let gid = text(reader.bytes()?)?;
        let owner = text(reader.bytes()?)?;
        let prepared_us = i64::from_le_bytes(reader.array()?);
        let table = redo::read_u32(reader)?;
        let index = redo::read_u32(reader)?;
        let marks = Marks { table, index, oid: redo::read_u32(reader)? };
        let mut tables = Vec::new();
        for _ in 0..reader.varint()? {
            let table = TableId(redo::read_u32(reader)?);
            tables.push((table, lock_of(&TABLE_LOCKS, reader.u8()?)?));
        }
        let mut rows = Vec::new();
        for _ in 0..reader.varint()? {
            let (table, row) = (TableId(redo::read_u32(reader)?), RowId(reader.varint()?));
            rows.push((table, row, lock_of(&ROW_LOCKS, reader.u8()?)?));
        }
        let mut advisory = Vec::new();
        for _ in 0..reader.varint()? {
            let key = read_key(reader)?;
            advisory.push((key, lock_of(&TABLE_LOCKS, reader.u8()?)?));
        }
        Some(Head { gid, owner, prepared_us, marks, tables, rows, advisory })
    }
}

/// The rows that a transaction has locked without changing them (and perhaps some it has changed).
fn locked_rows(txn: &Transaction, work: &Work) -> Result<Vec<(TableId, RowId, RowLock)>> {
    let mut own = BTreeMap::new();
    for entry in &work.undo {
        let UndoEntry::Change { table, block, slot, deleted: false } = entry else { continue };
        let rows = block.read()?;
        let mut version = rows.chain(*slot);
        while let Some(step) = version {
            if let Before::Locked(lock) = step.before
                && Arc::ptr_eq(&step.txn, &txn.state)
            {
                let strongest = own.entry((table.id, row_id(block.number, *slot))).or_insert(lock);
                *strongest = lock.max(*strongest);
            }
            version = step.next.as_deref();
        }
    }
    let mut rows = Vec::new();
    for taken in &work.shared_rows {
        let held = txn.core.shared_rows.held(taken.table, taken.row, &txn.state);
        rows.extend(held.map(|lock| (taken.table, taken.row, lock)));
    }
    rows.extend(own.into_iter().map(|((table, row), lock)| (table, row, lock)));
    Ok(rows)
}

/// Every mode of every table that a transaction holds.
fn table_locks(work: &Work) -> Vec<(TableId, TableLock)> {
    let each = |(table, modes): &(Arc<Table>, Modes)| {
        let id = table.id;
        modes.iter().map(move |lock| (id, lock)).collect::<Vec<_>>()
    };
    work.tables.iter().flat_map(each).collect()
}

/// `0A000` if the session holds one of the advisory locks as well: the lock cannot stay with it and
/// go with the transaction.
fn refuse_shared_advisory(txn: &Transaction, work: &Work) -> Result<()> {
    let shares = |(key, _): &(AdvisoryKey, TableLock)| {
        txn.core.advisory.queue(*key).is_shared_by_party(&txn.state)
    };
    if !work.advisory.iter().any(shares) {
        return Ok(());
    }
    let message = "cannot PREPARE while holding both session-level and transaction-level locks \
                   on the same object";
    Err(Error::unsupported(message))
}

fn already_used(gid: &str) -> Error {
    let message = format!("transaction identifier \"{gid}\" is already in use");
    Error::new(SqlState::DUPLICATE_OBJECT, message)
}

impl Transaction {
    /// See [`oxi_model::engine::Txn::prepare`].
    pub(super) fn prepare_as(&self, name: &PrepareAs) -> Result<BoxFuture<Result<()>>> {
        if self.isolation() == Isolation::Serializable {
            return Err(Error::unsupported("PREPARE TRANSACTION of a SERIALIZABLE transaction"));
        }
        let core = &self.core;
        core.check_usable()?;
        let mut work = self.running()?;
        refuse_shared_advisory(self, &work)?;
        let mut prepared = core.prepared.lock();
        if prepared.contains_key(&name.gid) {
            return Err(already_used(&name.gid));
        }
        if prepared.len() >= name.limit {
            return Err(Error::new(
                SqlState::OUT_OF_MEMORY,
                "maximum number of prepared transactions reached",
            )
            .with_hint(format!("Increase max_prepared_transactions (currently {}).", name.limit)));
        }
        let id = self.own_id();
        let head = Head {
            gid: name.gid.clone(),
            owner: name.owner.clone(),
            prepared_us: core.world.clock.now_unix_us(),
            marks: core.marks(),
            tables: table_locks(&work),
            rows: locked_rows(self, &work)?,
            advisory: work.advisory.clone(),
        };
        let mut payload = Vec::with_capacity(work.redo.bytes.len() + 128);
        head.encode(&mut payload);
        payload.append(&mut work.redo.payload());
        let lsn = {
            let _gate = core.gate.read();
            // The log is kept from here until the transaction has ended.
            let begin = core.log.next_lsn();
            core.sequencer.lock().streaming.entry(id).or_insert(begin);
            core.log.append(FrameKind::Prepare, id, Ts(0), &payload).map_err(|e| core.fail(e))?
        };
        self.belong_to(0);
        let ended = self.end(&mut work);
        let info = PreparedTransaction {
            gid: head.gid,
            txn: id,
            owner: head.owner,
            prepared_us: head.prepared_us,
        };
        prepared.insert(name.gid.clone(), Prepared { info, ended });
        Ok(core.wait_durable(lsn))
    }
}

impl Core {
    /// See [`oxi_model::engine::Engine::prepared`].
    pub(crate) fn prepared_transactions(&self) -> Vec<PreparedTransaction> {
        self.prepared.lock().values().map(|prepared| prepared.info.clone()).collect()
    }

    /// See [`oxi_model::engine::Engine::finish_prepared`].
    pub(crate) fn end_prepared(
        self: &Arc<Self>,
        gid: &str,
        end: PreparedEnd,
    ) -> Result<BoxFuture<Result<()>>> {
        self.check_usable()?;
        let Some(Prepared { info, ended }) = self.prepared.lock().remove(gid) else {
            let message = format!("prepared transaction with identifier \"{gid}\" does not exist");
            return Err(Error::new(SqlState::UNDEFINED_OBJECT, message));
        };
        match end {
            PreparedEnd::Commit => {
                // Nothing is kept of chunks: the Prepare frame has the operations.
                let payload = vec![0];
                let committed = self.commit(
                    FrameKind::CommitPrepared,
                    ended,
                    info.txn,
                    payload,
                    Validation::new(),
                );
                committed.map_err(|(refusal, ended)| {
                    let (Refusal::Log(error) | Refusal::Conflict(error)) = refusal;
                    let error = self.fail(error);
                    self.prepared.lock().insert(gid.to_owned(), Prepared { info, ended: *ended });
                    error
                })
            }
            PreparedEnd::Rollback => {
                let lsn = {
                    let _gate = self.gate.read();
                    let appended = self.log.append(FrameKind::AbortPrepared, info.txn, Ts(0), &[]);
                    self.sequencer.lock().streaming.remove(&info.txn);
                    appended.map_err(|error| self.fail(error))?
                };
                // Whoever gets the locks now commits behind this frame.
                let txn = Transaction::resumed(
                    self.clone(),
                    Isolation::ReadCommitted,
                    ended.state.clone(),
                );
                txn.work.lock().ended = true;
                txn.abort(ended, false);
                Ok(self.wait_durable(lsn))
            }
        }
    }

    /// Brings prepared transactions back, in the order in which they were prepared.
    pub(crate) fn recover_prepared(
        self: &Arc<Self>,
        frames: Vec<(TxnId, PreparedFrame)>,
    ) -> Result<()> {
        for (id, frame) in frames {
            let gid = frame.head.gid.clone();
            self.recover_one(id, frame).map_err(|error| {
                Error::corrupt(format!("prepared transaction \"{gid}\" cannot be brought back"))
                    .with_detail(error.message())
            })?;
        }
        Ok(())
    }

    fn recover_one(self: &Arc<Self>, id: TxnId, frame: PreparedFrame) -> Result<()> {
        let PreparedFrame { begin, head, operations } = frame;
        let state = TxnState::new();
        state.set_id(id);
        let txn = Transaction::resumed(self.clone(), Isolation::ReadCommitted, state);
        let mut work = txn.work.lock();
        let mut reader = Reader::new(&operations);
        while !reader.is_empty() {
            let repeated = match redo::peek_row(&reader) {
                Some((row, length)) => {
                    let _head = reader.take(length);
                    txn.repeat_row(&mut work, row, &mut reader)?
                }
                None => match redo::read_op(&mut reader) {
                    Some(op) => Some(txn.repeat(&mut work, op)?),
                    None => None,
                },
            };
            repeated.ok_or_else(|| Error::bug("an operation is malformed"))?;
        }
        for (table, lock) in head.tables {
            // A table that the transaction itself has created or dropped is nobody else's.
            let Ok(table) = self.table(table) else { continue };
            if !table.locks.acquire(&txn.state, lock) {
                return Err(Error::bug("a table lock is not free"));
            }
            match work.tables.iter_mut().find(|(held, _)| held.id == table.id) {
                Some((_, modes)) => *modes = modes.with(lock),
                None => work.tables.push((table, lock.into())),
            }
        }
        for (table, row, lock) in head.rows {
            let snapshot = txn.current();
            let newest = WriteTarget::Newest;
            let locked = txn.lock_one(&mut work, &*snapshot, table, row, newest, lock)?;
            if matches!(locked, WriteOutcome::Wait(_)) {
                return Err(Error::bug("a row lock is not free"));
            }
        }
        for (key, lock) in head.advisory {
            if !self.advisory.queue(key).acquire(&txn.state, lock) {
                return Err(Error::bug("an advisory lock is not free"));
            }
            work.advisory.push((key, lock));
        }
        let ended = txn.end(&mut work);
        drop(work);
        self.sequencer.lock().streaming.insert(id, begin);
        let info = PreparedTransaction {
            gid: head.gid.clone(),
            txn: id,
            owner: head.owner,
            prepared_us: head.prepared_us,
        };
        self.prepared.lock().insert(head.gid, Prepared { info, ended });
        Ok(())
    }
}

impl Transaction {
    fn current(&self) -> Arc<dyn oxi_model::engine::Snapshot> {
        self.snapshot(u32::MAX, None)
    }

    /// Does a change of a table or an index once more.
    fn repeat(&self, work: &mut Work, op: Op) -> Result<()> {
        match op {
            Op::CreateTable(id, layout) => self.create_table_storage(work, id, layout),
            Op::AlterTable(id, layout) => self.alter_table_storage(work, id, layout),
            Op::DropTable(id) => self.drop_table_storage(work, id),
            Op::UndropTable(id) => self.undrop_table_storage(work, id),
            Op::CreateIndex(id, layout) => self.create_index_storage(work, id, layout),
            Op::DropIndex(id) => self.drop_index_storage(work, id),
            Op::Sequence(..) | Op::Marks(_) => Ok(()),
        }
    }

    /// Does once more to a row what the transaction did before the restart: the same rows get the
    /// same numbers. `None` if the values do not fit.
    fn repeat_row(
        &self,
        work: &mut Work,
        head: RowHead,
        reader: &mut Reader<'_>,
    ) -> Result<Option<()>> {
        let newest = WriteTarget::Newest;
        let written = match head.kind {
            RowKind::Insert => return self.repeat_insert(work, head, reader),
            RowKind::Update => {
                let shape = self.core.table(head.table)?.shape();
                let Some(changes) = redo::read_changes(reader, &shape.layout) else {
                    return Ok(None);
                };
                let snapshot = self.current();
                self.update_row(work, &*snapshot, head.table, head.row, newest, &changes)?
            }
            RowKind::Delete => {
                self.delete_row(work, &*self.current(), head.table, head.row, newest)?
            }
        };
        // What it wrote is not needed: the log has it.
        work.redo.bytes.clear();
        match written {
            WriteOutcome::Done => Ok(Some(())),
            _ => Err(Error::bug("a row is not as the transaction left it")),
        }
    }

    fn repeat_insert(
        &self,
        work: &mut Work,
        head: RowHead,
        reader: &mut Reader<'_>,
    ) -> Result<Option<()>> {
        let table = self.core.table(head.table)?;
        let shape = table.shape();
        let (number, slot) = place(head.row);
        let block = table.restore_block(number);
        let mut ahead = *reader;
        let Some(values) = redo::read_row(reader, &shape.layout) else { return Ok(None) };
        shape.check_row(&values)?;
        let _count = ahead.varint();
        let mut rows = block.write()?;
        if rows.restore_created(slot, &mut ahead, &self.state, self.command()).is_none() {
            return Ok(None);
        }
        drop(rows);
        block.touch();
        let value = |position: usize| &values[position];
        if self.place_row(&table, &shape, head.row, &[], value)?.is_some() {
            return Err(Error::bug("a unique key is not free"));
        }
        note_inserted(work, &table, &shape, block, slot..slot + 1);
        Ok(Some(()))
    }
}

/// Reads a `Prepare` frame; `chunks` are the operations that went ahead.
pub(crate) fn read_frame(frame: &Frame, chunks: Option<(Lsn, Vec<u8>)>) -> Option<PreparedFrame> {
    let mut reader = Reader::new(&frame.payload);
    let head = Head::decode(&mut reader)?;
    let keep = usize::try_from(reader.varint()?).ok()?;
    let (begin, mut operations) = chunks.unwrap_or((frame.lsn, Vec::new()));
    operations.truncate(keep);
    operations.extend_from_slice(reader.rest());
    Some(PreparedFrame { begin, head, operations })
}

#[cfg(test)]
mod tests;
