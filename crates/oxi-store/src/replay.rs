//! Applying committed transactions to the store: recovery, and later replicas.
//!
//! One thread reads frames in the order of the log and hands each row operation to the lane that
//! owns the row's block; what changes tables or indexes waits until the lanes have caught up.
//! Without lanes (one processor, or a simulated world) everything happens on that one thread.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::Ordering},
};

use oxi_base::{Error, IndexId, Lsn, Result, TableId, Ts, TxnId, codec::Reader};
use oxi_log::{Frame, FrameKind};
use oxi_model::engine::IndexLayout;
use oxi_world::World;
use rustc_hash::FxHashMap;

use crate::{
    block::place,
    history::keeps_history,
    redo::{self, Marks, Op, RowHead},
    sequence::SequenceState,
    storage::Storage,
    table::{Shape, Table},
    txn::{PreparedFrame, read_prepare_frame},
    undo::TxnState,
};

mod apply;
mod chunks;
mod lanes;

use apply::Applier;
use chunks::Chunks;
use lanes::Lanes;

/// A database being put together, before anybody sees it.
pub(crate) struct Replay {
    pub(crate) storage: Arc<Storage>,
    pub(crate) tables: FxHashMap<TableId, Arc<Table>>,
    /// Indexes that are built at the end; those that have a base are with their tables.
    pub(crate) indexes: BTreeMap<IndexId, IndexLayout>,
    pub(crate) sequences: FxHashMap<u32, SequenceState>,
    pub(crate) marks: Marks,
    pub(crate) last_ts: u64,
    pub(crate) last_txn: u64,
    /// Transactions that changed tables with a history.
    pub(crate) commits: VecDeque<(Ts, TxnId)>,
    /// How long tables keep older versions that say nothing else.
    pub(crate) history_us: u64,
    /// Who made the changes of the frame being applied, if somebody wants to know.
    author: Option<Arc<TxnState>>,
    pub(crate) transactions: u64,
    pub(crate) operations: u64,
    /// Chunks of transactions whose end was not read yet, with the place of the first.
    chunks: BTreeMap<TxnId, (Lsn, Chunks)>,
    /// Prepared transactions whose end was not read yet.
    prepared: BTreeMap<TxnId, PreparedFrame>,
    /// The table of the operation before, which often is the next one's too, and whether its
    /// older versions are kept.
    last: Option<(Arc<Table>, Arc<Shape>, bool)>,
    applier: Applier,
    lanes: Option<Lanes>,
}

impl Replay {
    pub(crate) fn new(storage: &Arc<Storage>, history_us: u64) -> Replay {
        Replay {
            commits: VecDeque::new(),
            history_us,
            author: None,
            storage: Arc::clone(storage),
            tables: FxHashMap::default(),
            indexes: BTreeMap::new(),
            sequences: FxHashMap::default(),
            marks: Marks::default(),
            last_ts: 0,
            last_txn: 0,
            transactions: 0,
            operations: 0,
            chunks: BTreeMap::new(),
            prepared: BTreeMap::new(),
            last: None,
            applier: Applier::default(),
            lanes: None,
        }
    }

    /// Starts lanes, where they help. They end with [`Replay::finish`].
    pub(crate) fn start_lanes(&mut self, world: &World) -> Result<()> {
        let tasks = &world.tasks;
        if !tasks.is_simulated() && tasks.parallelism() > 1 {
            self.lanes = Some(Lanes::start(world, tasks.parallelism())?);
        }
        Ok(())
    }

    /// How many threads apply rows.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes.as_ref().map_or(1, Lanes::count)
    }

    /// Waits until everything read so far is applied.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.last = None;
        match self.lanes.take() {
            Some(lanes) => lanes.finish(),
            None => Ok(()),
        }
    }

    /// Applies a frame. Before `from`, only chunks count: their transactions end later.
    pub(crate) fn apply(&mut self, frame: &Frame, from: Lsn) -> Result<()> {
        self.last_txn = self.last_txn.max(frame.txn.0);
        match frame.kind {
            FrameKind::Chunk => {
                let (keep, rest) = split(frame)?;
                let begin = || (frame.lsn, Chunks::default());
                let (_, chunks) = self.chunks.entry(frame.txn).or_insert_with(begin);
                chunks.truncate(keep);
                chunks.push(rest, &self.storage)?;
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
                self.author = None;
                if let Some((_, mut chunks)) = chunks {
                    chunks.truncate(keep);
                    for chunk in chunks.into_chunks() {
                        self.operations(&chunk.bytes()?, frame)?;
                    }
                }
                self.operations(rest, frame)?;
                self.committed(frame);
            }
            FrameKind::Prepare => {
                let ahead = match self.chunks.remove(&frame.txn) {
                    Some((begin, chunks)) => Some((begin, chunks.all_bytes()?)),
                    None => None,
                };
                let prepared = read_prepare_frame(frame, ahead).ok_or_else(|| malformed(frame))?;
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
                self.author = None;
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
        if self.author.take().is_some() {
            self.commits.push_back((frame.commit_ts, frame.txn));
        }
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
            if let Some((head, length)) = redo::peek_row(&reader) {
                self.row(head, length, &mut reader, frame)?;
            } else {
                let op = redo::read_op(&mut reader).ok_or_else(|| malformed(frame))?;
                self.operation(op, frame)?.ok_or_else(|| malformed(frame))?;
            }
            self.operations += 1;
        }
        Ok(())
    }

    /// A row operation, whose head is `length` bytes long.
    fn row(
        &mut self,
        head: RowHead,
        length: usize,
        reader: &mut Reader<'_>,
        frame: &Frame,
    ) -> Result<()> {
        let (table, shape, keeps) = match &self.last {
            Some((table, shape, keeps)) if table.id == head.table => (table, shape, *keeps),
            _ => {
                let table = self.tables.get(&head.table).ok_or_else(|| malformed(frame))?;
                let keeps = keeps_history(table, self.history_us);
                let last = self.last.insert((table.clone(), table.shape(), keeps));
                (&last.0, &last.1, keeps)
            }
        };
        let author = if keeps {
            let (number, _) = place(head.row);
            table.history.schedule(number, frame.commit_ts);
            Some(&*self.author.get_or_insert_with(|| TxnState::committed(frame.commit_ts)))
        } else {
            None
        };
        let whole = reader.rest();
        let _head = reader.take(length);
        let applied = match &mut self.lanes {
            None => self.applier.apply(table, author, head, reader)?,
            Some(lanes) => {
                let values = redo::skip_values(reader, head.kind, &shape.layout);
                let bytes = &whole[..whole.len() - reader.rest().len()];
                match values {
                    Some(()) => {
                        let change = lanes::Change { table, author, lsn: frame.lsn, bytes };
                        Some(lanes.send(place(head.row).0, &change)?)
                    }
                    None => None,
                }
            }
        };
        applied.ok_or_else(|| malformed(frame))
    }

    fn operation(&mut self, op: Op, frame: &Frame) -> Result<Option<()>> {
        if !matches!(op, Op::Sequence(..) | Op::Marks(_)) {
            self.last = None;
            self.applier = Applier::default();
            if let Some(lanes) = &mut self.lanes {
                lanes.settle()?;
            }
        }
        Ok(self.change(op, frame.commit_ts))
    }

    fn change(&mut self, op: Op, ts: Ts) -> Option<()> {
        match op {
            Op::CreateTable(id, layout) => {
                let table = Table::new(id, layout, TxnState::ancient(), &self.storage);
                table.history.begins_at(ts);
                self.tables.insert(id, table);
            }
            Op::AlterTable(id, layout) => {
                let table = self.tables.get(&id)?;
                let kept = keeps_history(table, self.history_us);
                table.set_layout(layout, &TxnState::ancient());
                table.forget_dropped();
                if !kept {
                    table.history.begins_at(ts);
                }
            }
            Op::DropTable(id) => {
                let table = self.tables.get(&id);
                if table.is_some_and(|table| keeps_history(table, self.history_us)) {
                    table?.dropped_at.store(ts.0, Ordering::Relaxed);
                } else {
                    self.tables.remove(&id);
                    self.indexes.retain(|_, layout| layout.table != id);
                }
            }
            Op::UndropTable(id) => self.tables.get(&id)?.dropped_at.store(0, Ordering::Relaxed),
            Op::CreateIndex(id, layout) => {
                // One that became unique takes the place of what its base held.
                self.drop_loaded(id);
                self.indexes.insert(id, layout);
            }
            Op::DropIndex(id) => {
                if self.indexes.remove(&id).is_none() {
                    self.drop_loaded(id);
                }
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

    /// Takes an index that has a base from its table.
    fn drop_loaded(&self, id: IndexId) {
        for table in self.tables.values() {
            let shape = table.shape();
            if shape.all.iter().any(|index| index.id == id) {
                table.set_indexes(
                    shape.all.iter().filter(|index| index.id != id).cloned().collect(),
                );
            }
        }
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
    inapplicable(frame.lsn)
        .with_detail(format!("It is the {:?} record of transaction {}.", frame.kind, frame.txn))
}

/// The error of a log record that does not fit the rows.
fn inapplicable(lsn: Lsn) -> Error {
    Error::corrupt(format!("log record at {lsn} cannot be applied"))
}
