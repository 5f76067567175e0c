//! Threads that apply row operations, each those of its own blocks, in the order of the log.

use std::{collections::VecDeque, hash::Hasher, sync::Arc};

use oxi_base::{Error, Lsn, Result, codec::Reader};
use oxi_world::{TaskHandle, World};
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHasher;

use super::{apply::Applier, inapplicable};
use crate::{redo, table::Table, undo::TxnState};

/// Most lanes: one thread reads for all of them.
const LANES_MAX: usize = 8;
/// Bytes of operations handed over at once.
const BATCH_BYTES: usize = 64 << 10;
/// Batches that may wait for one lane.
const WAITING_MAX: usize = 8;

/// Operations on their way to a lane.
#[derive(Default)]
struct Batch {
    /// Where the operations of a table begin.
    runs: Vec<Run>,
    bytes: Vec<u8>,
}

struct Run {
    start: usize,
    table: Arc<Table>,
    /// Who made the changes, if they are to be remembered.
    author: Option<Arc<TxnState>>,
    /// The frame of its first operation, for messages.
    lsn: Lsn,
}

/// What a lane's two ends share.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Batch>,
    /// A batch is being applied.
    busy: bool,
    closed: bool,
    failure: Option<Error>,
    /// Buffers to be used again.
    spare: Vec<Batch>,
}

struct Lane {
    queue: Arc<Queue>,
    filling: Batch,
    thread: TaskHandle,
}

/// An operation on a row.
pub(super) struct Change<'a> {
    pub(super) table: &'a Arc<Table>,
    pub(super) author: Option<&'a Arc<TxnState>>,
    pub(super) lsn: Lsn,
    pub(super) bytes: &'a [u8],
}

/// All lanes.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
}

impl Lanes {
    pub(super) fn start(world: &World, wanted: usize) -> Result<Lanes> {
        let mut lanes = Lanes { lanes: Vec::new() };
        for number in 0..wanted.clamp(1, LANES_MAX) {
            let queue = Arc::new(Queue::default());
            let theirs = Arc::clone(&queue);
            let body = Box::new(move || theirs.work());
            let thread = world.tasks.spawn_thread(&format!("oxi-replay-{number}"), body)?;
            lanes.lanes.push(Lane { queue, filling: Batch::default(), thread });
        }
        Ok(lanes)
    }

    pub(super) fn count(&self) -> usize {
        self.lanes.len()
    }

    /// Hands one operation on a row of a block to its lane.
    pub(super) fn send(&mut self, block: u64, change: &Change<'_>) -> Result<()> {
        let Change { table, author, lsn, bytes } = *change;
        let mut hasher = FxHasher::default();
        hasher.write_u64(block << 20 ^ u64::from(table.id.0));
        let at = (hasher.finish() >> 40) as usize % self.lanes.len();
        let lane = &mut self.lanes[at];
        let batch = &mut lane.filling;
        let continues = |run: &Run| {
            let is_same_author = match (&run.author, author) {
                (None, None) => true,
                (Some(run), Some(author)) => Arc::ptr_eq(run, author),
                _ => false,
            };
            Arc::ptr_eq(&run.table, table) && is_same_author
        };
        if !batch.runs.last().is_some_and(continues) {
            let (table, author) = (Arc::clone(table), author.cloned());
            batch.runs.push(Run { start: batch.bytes.len(), table, author, lsn });
        }
        batch.bytes.extend_from_slice(bytes);
        if batch.bytes.len() >= BATCH_BYTES {
            lane.hand_over()?;
        }
        Ok(())
    }

    /// Waits until everything sent is applied.
    pub(super) fn settle(&mut self) -> Result<()> {
        for lane in &mut self.lanes {
            lane.hand_over()?;
        }
        self.lanes.iter().try_for_each(|lane| lane.queue.wait_idle())
    }

    /// Settles and ends the threads.
    pub(super) fn finish(mut self) -> Result<()> {
        let settled = self.settle();
        for lane in &self.lanes {
            lane.queue.close();
        }
        let lanes = std::mem::take(&mut self.lanes);
        let joined = lanes.into_iter().map(|lane| lane.thread.join()).fold(Ok(()), Result::and);
        settled.and(joined)
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.queue.close();
        }
    }
}

impl Lane {
    /// Gives the filled batch to the thread, waiting while that is far behind.
    fn hand_over(&mut self) -> Result<()> {
        let mut state = self.queue.state.lock();
        while state.waiting.len() >= WAITING_MAX && state.failure.is_none() {
            self.queue.changed.wait(&mut state);
        }
        if let Some(error) = &state.failure {
            return Err(error.clone());
        }
        if self.filling.bytes.is_empty() {
            return Ok(());
        }
        let next = state.spare.pop().unwrap_or_default();
        state.waiting.push_back(std::mem::replace(&mut self.filling, next));
        drop(state);
        self.queue.changed.notify_all();
        Ok(())
    }
}

impl Queue {
    /// The body of a lane's thread.
    fn work(&self) {
        loop {
            let Some(batch) = self.take() else { return };
            let unwinding = FailOnUnwind { queue: self };
            let applied = apply(&batch);
            std::mem::forget(unwinding);
            self.done(batch, applied.err());
        }
    }

    fn take(&self) -> Option<Batch> {
        let mut state = self.state.lock();
        loop {
            if state.failure.is_some() {
                return None;
            }
            if let Some(batch) = state.waiting.pop_front() {
                state.busy = true;
                return Some(batch);
            }
            if state.closed {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }

    fn done(&self, mut batch: Batch, failure: Option<Error>) {
        batch.runs.clear();
        batch.bytes.clear();
        let mut state = self.state.lock();
        state.busy = false;
        state.failure = failure;
        state.spare.push(batch);
        drop(state);
        self.changed.notify_all();
    }

    fn wait_idle(&self) -> Result<()> {
        let mut state = self.state.lock();
        while state.failure.is_none() && (state.busy || !state.waiting.is_empty()) {
            self.changed.wait(&mut state);
        }
        state.failure.clone().map_or(Ok(()), Err)
    }

    fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}

/// Fails a lane when its thread panics, so that nobody waits for it.
struct FailOnUnwind<'a> {
    queue: &'a Queue,
}

impl Drop for FailOnUnwind<'_> {
    fn drop(&mut self) {
        self.queue.done(Batch::default(), Some(Error::bug("applying the log panicked")));
    }
}

fn apply(batch: &Batch) -> Result<()> {
    // Of this batch only: a table may have another shape in the next one.
    let mut applier = Applier::default();
    for (number, run) in batch.runs.iter().enumerate() {
        let end = batch.runs.get(number + 1).map_or(batch.bytes.len(), |next| next.start);
        let mut reader = Reader::new(&batch.bytes[run.start..end]);
        while !reader.is_empty() {
            let applied = match redo::peek_row(&reader) {
                Some((head, length)) => {
                    let _head = reader.take(length);
                    applier.apply(&run.table, run.author.as_ref(), head, &mut reader)?
                }
                None => None,
            };
            applied.ok_or_else(|| {
                inapplicable(run.lsn)
                    .with_detail("It, or one after it, does not fit the rows that are there.")
            })?;
        }
    }
    Ok(())
}
