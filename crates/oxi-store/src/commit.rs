//! Commit: one short critical section gives a timestamp and a place in the log; visibility is
//! published, in that order, once the log says the place is durable.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use oxi_base::{IndexId, Lsn, Result, TableId, Ts, TxnId};
use oxi_log::FrameKind;
use oxi_model::{
    engine::{BoxFuture, TableLock},
    lock::AdvisoryKey,
};
use smallvec::SmallVec;

use crate::{
    collect::Undo,
    engine::Core,
    lock::{queue::Modes, row::Taken},
    options::Flush,
    reads::{Author, Reads, Written},
    redo::{self, Marks},
    table::Table,
    txn::UndoEntry,
    undo::TxnState,
};

/// Unflushed bytes after which an asynchronous commit flushes.
const ASYNCHRONOUS_BYTES: u64 = 1 << 20;

/// What the critical section protects.
#[derive(Default)]
pub(crate) struct Sequencer {
    pub(crate) last_ts: u64,
    /// Appended, not yet published; ascending in both timestamp and position.
    pending: VecDeque<Pending>,
    /// The allocators' marks that the log knows.
    pub(crate) logged: Marks,
    /// Transactions that sent chunks ahead: where the first one begins.
    pub(crate) streaming: BTreeMap<TxnId, Lsn>,
}

impl Sequencer {
    pub(crate) fn new(last_ts: u64, logged: Marks) -> Self {
        Sequencer { last_ts, logged, ..Sequencer::default() }
    }

    /// Gives later commits later timestamps than this one; where what was committed by then, and
    /// waits for the log, ends.
    pub(crate) fn settle(&mut self, ts: Ts) -> Option<Lsn> {
        self.last_ts = self.last_ts.max(ts.0);
        let after = self.pending.partition_point(|pending| pending.ts <= ts);
        Some(self.pending.get(after.checked_sub(1)?)?.lsn)
    }

    /// What waits for the log with a timestamp after a moment.
    pub(crate) fn pending_since(&mut self, from: Ts) -> impl Iterator<Item = Written> {
        let first = self.pending.partition_point(|pending| pending.ts <= from);
        self.pending.range_mut(first..).map(|pending| Written {
            ts: pending.ts,
            by: Author::Pending(pending.ended.state.clone()),
            undo: pending.undo.share(),
        })
    }
}

struct Pending {
    lsn: Lsn,
    ts: Ts,
    undo: Undo,
    ended: Ended,
}

/// What must still hold of a SERIALIZABLE transaction when it commits: reads, each with the commit
/// up to which they are known to hold.
pub(crate) type Validation<'a> = SmallVec<[(&'a Reads, Ts); 2]>;

/// Why a transaction was not committed; nothing was appended.
pub(crate) enum Refusal {
    /// The log failed.
    Log(oxi_base::Error),
    /// The transaction may not commit.
    Conflict(oxi_base::Error),
}

/// What remains to be done for a transaction that has ended.
pub(crate) struct Ended {
    pub(crate) state: Arc<TxnState>,
    pub(crate) undo: Vec<UndoEntry>,
    pub(crate) tables: Vec<(Arc<Table>, Modes)>,
    pub(crate) advisory: Vec<(AdvisoryKey, TableLock)>,
    pub(crate) shared_rows: Vec<Taken>,
    pub(crate) drops: Vec<DropAction>,
    pub(crate) catalog: bool,
}

/// What a commit removes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DropAction {
    Table(TableId),
    Index(IndexId),
    /// Columns that an ALTER TABLE dropped.
    Columns(TableId),
    /// Nothing: a table that had been removed is back.
    Undropped(TableId),
}

impl Core {
    /// Gives back the locks of a transaction and wakes who waited. Its state says it has ended.
    pub(crate) fn release(&self, ended: &mut Ended) {
        for taken in ended.shared_rows.drain(..).rev() {
            self.shared_rows.undo(taken, &ended.state);
        }
        for (table, modes) in ended.tables.drain(..) {
            table.locks.release(&ended.state, modes);
        }
        for (key, lock) in ended.advisory.drain(..) {
            self.advisory.release(key, lock, &ended.state);
        }
        ended.state.wake();
    }

    fn apply_drops(&self, drops: &[DropAction], ts: Ts) {
        for action in drops {
            match action {
                DropAction::Table(id) => self.remove_table(*id, ts),
                DropAction::Undropped(id) => {
                    if let Some(table) = self.dropped.write().remove(id) {
                        table.dropped_at.store(0, Ordering::SeqCst);
                    }
                }
                DropAction::Index(id) => self.remove_index(*id),
                DropAction::Columns(id) => {
                    if let Ok(table) = self.table(*id) {
                        table.forget_dropped();
                    }
                }
            }
        }
    }

    /// Takes a table and its indexes out of the store; one that keeps its history may come back.
    fn remove_table(&self, id: TableId, ts: Ts) {
        let Some(table) = self.tables.write().remove(&id) else { return };
        self.indexes.write().retain(|_, index| index.table != id);
        if self.history_us(&table.shape().layout) > 0 {
            table.dropped_at.store(ts.0, Ordering::SeqCst);
            self.dropped.write().insert(id, table);
        }
    }

    /// Takes an index out of its table's shape and out of the store.
    pub(crate) fn remove_index(&self, id: IndexId) {
        let Some(index) = self.indexes.write().remove(&id) else { return };
        if let Ok(table) = self.table(index.table) {
            table.change_indexes(|all| all.retain(|index| index.id != id));
        }
    }

    /// Makes everything up to a position visible. The log calls it before it wakes waiters.
    pub(crate) fn publish(&self, durable: Lsn) {
        let mut sequencer = self.sequencer.lock();
        let mut done = self.publish_locked(&mut sequencer, durable);
        drop(sequencer);
        for ended in &mut done {
            self.release(ended);
        }
    }

    fn publish_locked(&self, sequencer: &mut Sequencer, durable: Lsn) -> Vec<Ended> {
        let mut done = Vec::new();
        while let Some(pending) = sequencer.pending.pop_front_if(|pending| pending.lsn <= durable) {
            let Pending { ts, undo, ended, .. } = pending;
            ended.state.publish(ts);
            self.apply_drops(&ended.drops, ts);
            self.visible.store(ts.0, Ordering::SeqCst);
            if ended.catalog {
                // After visibility: who reads the old number reloads once too often, never too
                // rarely.
                self.catalog_version.fetch_add(1, Ordering::AcqRel);
            }
            self.garbage.lock().push(ts, undo);
            done.push(ended);
        }
        done
    }

    /// Ends a transaction that changed nothing: it may hold locks.
    pub(crate) fn end_unchanged(&self, mut ended: Ended) {
        let ts = self.visible_ts().max(Ts(1));
        ended.state.publish(ts);
        if !ended.undo.is_empty() {
            let undo = Undo::Own(std::mem::take(&mut ended.undo));
            self.garbage.lock().push(ts, undo);
        }
        self.release(&mut ended);
    }

    /// Commits (`kind` says whether the transaction was prepared): on error nothing was appended
    /// and the transaction is given back.
    pub(crate) fn commit(
        self: &Arc<Self>,
        kind: FrameKind,
        mut ended: Ended,
        txn: TxnId,
        mut payload: Vec<u8>,
        validation: Validation<'_>,
    ) -> std::result::Result<BoxFuture<Result<()>>, (Refusal, Box<Ended>)> {
        let gate = self.gate.read();
        let mut sequencer = self.sequencer.lock();
        if let Err(error) = self.validate_rest(&mut sequencer, &validation) {
            drop(sequencer);
            return Err((Refusal::Conflict(error), Box::new(ended)));
        }
        let marks = self.marks();
        if marks != sequencer.logged {
            redo::put_marks(&mut payload, marks);
        }
        let now = Ts::from_unix_us(self.world.clock.now_unix_us()).0;
        let ts = Ts(now.max(sequencer.last_ts + 1));
        let lsn = match self.log.append(kind, txn, ts, &payload) {
            Ok(lsn) => lsn,
            Err(error) => {
                drop(sequencer);
                return Err((Refusal::Log(error), Box::new(ended)));
            }
        };
        sequencer.logged = marks;
        sequencer.last_ts = ts.0;
        sequencer.streaming.remove(&txn);
        let undo = Undo::Own(std::mem::take(&mut ended.undo));
        self.note_commit(ts, txn, &undo);
        sequencer.pending.push_back(Pending { lsn, ts, undo, ended });
        let synchronous = self.options.synchronous_commit;
        let done = if synchronous { Vec::new() } else { self.publish_locked(&mut sequencer, lsn) };
        drop(sequencer);
        drop(gate);
        for mut ended in done {
            self.release(&mut ended);
        }
        self.maybe_collect();
        if synchronous {
            return Ok(self.wait_durable(lsn));
        }
        if self.options.flush == Flush::Caller
            && lsn.0.saturating_sub(self.log.durable_lsn().0) > ASYNCHRONOUS_BYTES
            && let Err(error) = self.log.flush()
        {
            let error = self.fail(error);
            return Ok(Box::pin(std::future::ready(Err(error))));
        }
        Ok(Box::pin(std::future::ready(Ok(()))))
    }

    /// Resolves when a position is durable (and what lies before it is visible).
    pub(crate) fn wait_durable(self: &Arc<Self>, lsn: Lsn) -> BoxFuture<Result<()>> {
        let inner: Option<BoxFuture<Result<()>>> = match self.options.flush {
            Flush::Caller => None,
            Flush::Writer => Some(Box::pin(self.log.wait_durable(lsn))),
        };
        Box::pin(Durable { core: self.clone(), lsn, inner })
    }
}

struct Durable {
    core: Arc<Core>,
    lsn: Lsn,
    /// `None` when the caller flushes itself.
    inner: Option<BoxFuture<Result<()>>>,
}

impl Future for Durable {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        let outcome = match &mut this.inner {
            Some(inner) => match inner.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(outcome) => outcome,
            },
            None if this.core.log.durable_lsn() >= this.lsn => Ok(()),
            None => this.core.log.flush().map(|_| ()),
        };
        Poll::Ready(outcome.map_err(|error| this.core.fail(error)))
    }
}
