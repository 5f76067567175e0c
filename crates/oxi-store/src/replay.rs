//! Applying committed transactions to the store: recovery, and later replicas.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use oxi_base::{Error, IndexId, Lsn, Result, TableId, TxnId, codec::Reader};
use oxi_log::{Frame, FrameKind};
use oxi_model::engine::IndexLayout;
use rustc_hash::FxHashMap;

use crate::{
    block::place,
    redo::{self, Marks, Op},
    sequence::SequenceState,
    table::Table,
    txn::{PreparedFrame, read_prepare_frame},
    undo::TxnState,
};

/// A database being put together, before anybody sees it.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) tables: FxHashMap<TableId, Arc<Table>>,
    /// Indexes are built at the end.
    pub(crate) indexes: BTreeMap<IndexId, IndexLayout>,
    pub(crate) sequences: FxHashMap<u32, SequenceState>,
    pub(crate) marks: Marks,
    pub(crate) last_ts: u64,
    pub(crate) last_txn: u64,
    pub(crate) transactions: u64,
    pub(crate) operations: u64,
    /// Chunks of transactions whose end was not read yet, with the place of the first.
    chunks: BTreeMap<TxnId, (Lsn, Vec<u8>)>,
    /// Prepared transactions whose end was not read yet.
    prepared: BTreeMap<TxnId, PreparedFrame>,
}

impl Replay {
    /// Applies a frame. Before `from`, only chunks count: their transactions end later.
    pub(crate) fn apply(&mut self, frame: &Frame, from: Lsn) -> Result<()> {
        self.last_txn = self.last_txn.max(frame.txn.0);
        match frame.kind {
            FrameKind::Chunk => {
                let (keep, rest) = split(frame)?;
                let begin = || (frame.lsn, Vec::new());
                let (_, chunks) = self.chunks.entry(frame.txn).or_insert_with(begin);
                chunks.truncate(keep);
                chunks.extend_from_slice(rest);
            }
            FrameKind::Abort => {
                self.chunks.remove(&frame.txn);
            }
            FrameKind::Commit => {
                let (keep, rest) = split(frame)?;
                let chunks = self.chunks.remove(&frame.txn);
                if frame.lsn < from {
                    return Ok(());
                }
                match chunks {
                    Some((_, mut bytes)) => {
                        bytes.truncate(keep);
                        bytes.extend_from_slice(rest);
                        self.operations(&bytes, frame)?;
                    }
                    None => self.operations(rest, frame)?,
                }
                self.committed(frame);
            }
            FrameKind::Prepare => {
                let chunks = self.chunks.remove(&frame.txn);
                let prepared = read_prepare_frame(frame, chunks).ok_or_else(|| malformed(frame))?;
                self.use_marks(prepared.head.marks);
                self.prepared.insert(frame.txn, prepared);
            }
            FrameKind::AbortPrepared => {
                self.prepared.remove(&frame.txn);
            }
            FrameKind::CommitPrepared => {
                let prepared = self.prepared.remove(&frame.txn);
                if frame.lsn < from {
                    return Ok(());
                }
                let prepared = prepared.ok_or_else(|| malformed(frame))?;
                self.operations(&prepared.operations, frame)?;
                let (_, rest) = split(frame)?;
                self.operations(rest, frame)?;
                self.committed(frame);
            }
            FrameKind::Sequence if frame.lsn >= from => {
                let (_, rest) = split(frame)?;
                self.operations(rest, frame)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn committed(&mut self, frame: &Frame) {
        self.last_ts = self.last_ts.max(frame.commit_ts.0);
        self.transactions += 1;
    }

    fn use_marks(&mut self, marks: Marks) {
        self.marks.table = self.marks.table.max(marks.table);
        self.marks.index = self.marks.index.max(marks.index);
        self.marks.oid = self.marks.oid.max(marks.oid);
    }

    fn operations(&mut self, bytes: &[u8], frame: &Frame) -> Result<()> {
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let tables = &self.tables;
            let op = redo::read_op(&mut reader, &mut |id| {
                tables.get(&id).map(|table| Cow::Owned(table.shape().layout.clone()))
            });
            let op = op.ok_or_else(|| malformed(frame))?;
            self.operation(op).ok_or_else(|| malformed(frame))?;
            self.operations += 1;
        }
        Ok(())
    }

    fn operation(&mut self, op: Op) -> Option<()> {
        match op {
            Op::CreateTable(id, layout) => {
                self.tables.insert(id, Arc::new(Table::new(id, layout, TxnState::ancient())));
            }
            Op::AlterTable(id, layout) => {
                let table = self.tables.get(&id)?;
                table.set_layout(layout, &TxnState::ancient());
                table.forget_dropped();
            }
            Op::DropTable(id) => {
                self.tables.remove(&id);
                self.indexes.retain(|_, layout| layout.table != id);
            }
            Op::CreateIndex(id, layout) => {
                self.indexes.insert(id, layout);
            }
            Op::DropIndex(id) => {
                self.indexes.remove(&id);
            }
            Op::Insert(id, row, values) => {
                let (number, slot) = place(row);
                let block = self.tables.get(&id)?.restore_block(number);
                block.rows.write().restore(slot, &values);
                block.touch();
            }
            Op::Update(id, row, changes) => {
                let (number, slot) = place(row);
                let block = self.tables.get(&id)?.block(number)?;
                let mut rows = block.rows.write();
                if !rows.is_live(slot) {
                    return None;
                }
                let len = rows.len;
                for (position, value) in &changes {
                    rows.columns.get_mut(*position)?.replace(slot.into(), len, value);
                }
                block.touch();
            }
            Op::Delete(id, row) => {
                let (number, slot) = place(row);
                let block = self.tables.get(&id)?.block(number)?;
                let mut rows = block.rows.write();
                if !rows.is_live(slot) {
                    return None;
                }
                rows.set_live(slot, false);
                rows.clear_values(slot);
                block.touch();
            }
            Op::Sequence(id, value, is_called) => {
                self.sequences.insert(id, SequenceState::new(value, is_called));
            }
            Op::Marks(marks) => self.use_marks(marks),
        }
        Some(())
    }

    /// The transactions that wait for their second phase, in the order of the log.
    pub(crate) fn take_prepared(&mut self) -> Vec<(TxnId, PreparedFrame)> {
        let mut prepared: Vec<_> = std::mem::take(&mut self.prepared).into_iter().collect();
        prepared.sort_by_key(|(_, frame)| frame.begin);
        prepared
    }

    /// How many transactions never ended.
    pub(crate) fn unfinished(&self) -> u64 {
        self.chunks.len() as u64
    }
}

fn split(frame: &Frame) -> Result<(usize, &[u8])> {
    let mut reader = Reader::new(&frame.payload);
    let keep = reader.varint().and_then(|keep| usize::try_from(keep).ok());
    Ok((keep.ok_or_else(|| malformed(frame))?, reader.rest()))
}

fn malformed(frame: &Frame) -> Error {
    Error::corrupt(format!("log record at {} cannot be applied", frame.lsn))
        .with_detail(format!("It is the {:?} record of transaction {}.", frame.kind, frame.txn))
}
