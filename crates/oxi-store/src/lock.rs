//! Table locks, KEY SHARE row locks, waiting, and deadlocks.
//!
//! Exclusive row locks are versions in the row's chain (see `undo`); what several transactions may
//! hold together is here.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use oxi_base::{Error, Result, RowId, SqlState, TableId, TxnId};
use oxi_model::engine::{TableLock, Wait};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::{table::Table, undo::TxnState};

/// Who waits for whom, and whether waiting has become pointless.
#[derive(Default)]
pub(crate) struct Waits {
    edges: Mutex<FxHashMap<TxnId, SmallVec<[TxnId; 2]>>>,
    failed: AtomicBool,
    failure: Mutex<Option<Error>>,
    /// Everyone who waits, to be woken by a failure.
    wakers: Mutex<FxHashMap<u64, Waker>>,
    next_edge: AtomicU64,
}

impl Waits {
    /// Records a wait; `40P01` if it would close a circle.
    fn start(&self, waiter: TxnId, holders: &[TxnId]) -> Result<()> {
        let mut edges = self.edges.lock();
        let mut path = vec![waiter];
        for holder in holders {
            if reaches(&edges, *holder, waiter, &mut path) {
                return Err(deadlock(&path));
            }
        }
        edges.entry(waiter).or_default().extend_from_slice(holders);
        Ok(())
    }

    fn stop(&self, waiter: TxnId, holders: &[TxnId]) {
        let mut edges = self.edges.lock();
        if let Some(targets) = edges.get_mut(&waiter) {
            for holder in holders {
                if let Some(at) = targets.iter().position(|target| target == holder) {
                    targets.swap_remove(at);
                }
            }
            if targets.is_empty() {
                edges.remove(&waiter);
            }
        }
    }

    /// Ends all waits, now and later, with an error.
    pub(crate) fn fail(&self, error: Error) {
        self.failure.lock().get_or_insert(error);
        self.failed.store(true, Ordering::Release);
        for (_, waker) in std::mem::take(&mut *self.wakers.lock()) {
            waker.wake();
        }
    }

    /// What stopped the database.
    pub(crate) fn failure(&self) -> Option<Error> {
        if !self.failed.load(Ordering::Acquire) {
            return None;
        }
        self.failure.lock().clone()
    }

    fn register(&self, edge: u64, waker: &Waker) {
        self.wakers.lock().insert(edge, waker.clone());
    }
}

fn reaches(
    edges: &FxHashMap<TxnId, SmallVec<[TxnId; 2]>>,
    from: TxnId,
    to: TxnId,
    path: &mut Vec<TxnId>,
) -> bool {
    if from == to {
        return true;
    }
    if path.contains(&from) {
        return false;
    }
    path.push(from);
    if let Some(targets) = edges.get(&from) {
        for target in targets {
            if reaches(edges, *target, to, path) {
                return true;
            }
        }
    }
    path.pop();
    false
}

fn deadlock(path: &[TxnId]) -> Error {
    let mut detail = String::new();
    for (number, waiter) in path.iter().enumerate() {
        let holder = path[(number + 1) % path.len()];
        if number > 0 {
            detail.push('\n');
        }
        let _ = write!(detail, "Transaction {waiter} waits for transaction {holder}.");
    }
    Error::new(SqlState::DEADLOCK_DETECTED, "deadlock detected").with_detail(detail)
}

/// Common to all waits: the edge in the graph, removed on drop.
struct Edge {
    waits: Arc<Waits>,
    number: u64,
    waiter: TxnId,
    holders: SmallVec<[TxnId; 2]>,
    deadlock: Option<Error>,
}

impl Edge {
    fn new(waits: Arc<Waits>, waiter: TxnId, holders: SmallVec<[TxnId; 2]>) -> Self {
        let deadlock = waits.start(waiter, &holders).err();
        let number = waits.next_edge.fetch_add(1, Ordering::Relaxed);
        Edge { waits, number, waiter, holders, deadlock }
    }

    fn check(&self, context: &Context<'_>) -> Result<()> {
        self.waits.register(self.number, context.waker());
        if let Some(error) = self.deadlock.clone().or_else(|| self.waits.failure()) {
            return Err(error);
        }
        Ok(())
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.waits.wakers.lock().remove(&self.number);
        if self.deadlock.is_none() {
            self.waits.stop(self.waiter, &self.holders);
        }
    }
}

/// Waits for a transaction's end.
struct TxnWait {
    edge: Edge,
    target: Arc<TxnState>,
    epoch: u64,
}

impl Future for TxnWait {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.edge.check(context)?;
        if self.target.add_waiter(context.waker(), self.epoch) {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }
}

/// A wait of `waiter` for the end of `target`. `epoch` was read before the obstacle was seen.
pub(crate) fn wait_for(waits: &Arc<Waits>, waiter: TxnId, target: Arc<TxnState>) -> Wait {
    let epoch = target.epoch();
    let holders = target.id().into_iter().filter(|_| target.is_active()).collect();
    Box::pin(TxnWait { edge: Edge::new(waits.clone(), waiter, holders), target, epoch })
}

/// The locks of one table.
#[derive(Default)]
pub(crate) struct TableLocks {
    state: Mutex<TableLockState>,
    /// Whether somebody holds the exclusive lock or waits for it; kept up to date under `state`.
    exclusive: AtomicBool,
}

impl TableLocks {
    /// Whether readers that take no lock must stand back.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.exclusive.load(Ordering::Acquire)
    }

    /// The transactions that hold a lock now.
    pub(crate) fn holders(&self) -> Vec<Arc<TxnState>> {
        self.state.lock().holders.iter().map(|(holder, _)| holder.clone()).collect()
    }

    fn note(&self, state: &TableLockState) {
        let held = state.holders.iter().any(|(_, held)| *held == TableLock::Exclusive);
        self.exclusive.store(held || !state.queue.is_empty(), Ordering::Release);
    }
}

#[derive(Default)]
struct TableLockState {
    holders: Vec<(Arc<TxnState>, TableLock)>,
    /// Transactions that wait for the exclusive lock; newcomers stand behind them.
    queue: VecDeque<Arc<TxnState>>,
    /// Grows whenever something is given back.
    generation: u64,
    wakers: Vec<Waker>,
}

impl TableLockState {
    fn changed(&mut self) {
        self.generation += 1;
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }
}

/// Takes a lock on a table, or returns what to wait for. The flag says whether the transaction
/// holds something that it did not hold before.
pub(crate) fn lock_table(
    waits: &Arc<Waits>,
    table: &Arc<Table>,
    txn: &Arc<TxnState>,
    id: TxnId,
    lock: TableLock,
) -> std::result::Result<Granted, Wait> {
    let mut state = table.locks.state.lock();
    let own = state.holders.iter().position(|(holder, _)| Arc::ptr_eq(holder, txn));
    if let Some(own) = own
        && (lock == TableLock::Shared || state.holders[own].1 == TableLock::Exclusive)
    {
        return Ok(Granted::Held);
    }
    let foreign = |other: &&Arc<TxnState>| !Arc::ptr_eq(other, txn);
    let exclusive = lock == TableLock::Exclusive;
    let mut obstacles: SmallVec<[TxnId; 2]> = state
        .holders
        .iter()
        .filter(|(_, held)| exclusive || *held == TableLock::Exclusive)
        .map(|(holder, _)| holder)
        .filter(foreign)
        .filter_map(|holder| holder.id())
        .collect();
    let ahead = state.queue.iter().take_while(foreign).filter_map(|queued| queued.id());
    obstacles.extend(ahead);
    if obstacles.is_empty() {
        state.queue.retain(|queued| !Arc::ptr_eq(queued, txn));
        if let Some(own) = own {
            state.holders[own].1 = lock;
            table.locks.note(&state);
            return Ok(Granted::Upgraded);
        }
        state.holders.push((txn.clone(), lock));
        table.locks.note(&state);
        return Ok(Granted::New);
    }
    if exclusive && !state.queue.iter().any(|queued| Arc::ptr_eq(queued, txn)) {
        state.queue.push_back(txn.clone());
        table.locks.note(&state);
    }
    let generation = state.generation;
    drop(state);
    Err(Box::pin(TableWait {
        edge: Edge::new(waits.clone(), id, obstacles),
        table: table.clone(),
        txn: txn.clone(),
        generation,
        queued: exclusive,
    }))
}

/// How a table lock was granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Granted {
    Held,
    New,
    Upgraded,
}

struct TableWait {
    edge: Edge,
    table: Arc<Table>,
    txn: Arc<TxnState>,
    generation: u64,
    queued: bool,
}

impl Future for TableWait {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.edge.check(context)?;
        let this = &mut *self;
        let mut state = this.table.locks.state.lock();
        if state.generation != this.generation {
            // The place in the queue is kept for the next try.
            this.queued = false;
            return Poll::Ready(Ok(()));
        }
        if !state.wakers.iter().any(|known| known.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for TableWait {
    fn drop(&mut self) {
        if self.queued {
            leave_queue(&self.table, &self.txn);
        }
    }
}

fn leave_queue(table: &Table, txn: &Arc<TxnState>) {
    let mut state = table.locks.state.lock();
    let before = state.queue.len();
    state.queue.retain(|queued| !Arc::ptr_eq(queued, txn));
    if state.queue.len() != before {
        table.locks.note(&state);
        state.changed();
    }
}

/// Gives back a table lock (or the place in the queue), or the upgrade of one.
pub(crate) fn unlock_table(table: &Table, txn: &Arc<TxnState>, keep_shared: bool) {
    let mut state = table.locks.state.lock();
    if let Some(own) = state.holders.iter().position(|(holder, _)| Arc::ptr_eq(holder, txn)) {
        if keep_shared {
            state.holders[own].1 = TableLock::Shared;
        } else {
            state.holders.swap_remove(own);
        }
    }
    state.queue.retain(|queued| !Arc::ptr_eq(queued, txn));
    table.locks.note(&state);
    state.changed();
}

const SHARDS: usize = 16;

/// Holders by row.
type Shard = FxHashMap<(TableId, RowId), SmallVec<[Arc<TxnState>; 1]>>;

/// KEY SHARE locks: rows that several transactions keep from being deleted or given another key.
#[derive(Default)]
pub(crate) struct KeyShares {
    /// All locks, so that writers skip the table when there are none.
    count: AtomicUsize,
    shards: [Mutex<Shard>; SHARDS],
}

impl KeyShares {
    fn shard(&self, row: RowId) -> &Mutex<Shard> {
        &self.shards[row.0 as usize % SHARDS]
    }

    /// Adds a lock; false if the transaction has it. The caller holds the row's block latch.
    pub(crate) fn add(&self, table: TableId, row: RowId, txn: &Arc<TxnState>) -> bool {
        let mut shard = self.shard(row).lock();
        let holders = shard.entry((table, row)).or_default();
        if holders.iter().any(|holder| Arc::ptr_eq(holder, txn)) {
            return false;
        }
        holders.push(txn.clone());
        self.count.fetch_add(1, Ordering::AcqRel);
        true
    }

    /// Another transaction that holds the row.
    pub(crate) fn holder(
        &self,
        table: TableId,
        row: RowId,
        but: &Arc<TxnState>,
    ) -> Option<Arc<TxnState>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let shard = self.shard(row).lock();
        let holders = shard.get(&(table, row))?;
        holders.iter().find(|holder| !Arc::ptr_eq(holder, but) && holder.is_active()).cloned()
    }

    pub(crate) fn remove(&self, table: TableId, row: RowId, txn: &Arc<TxnState>) {
        let mut shard = self.shard(row).lock();
        if let Some(holders) = shard.get_mut(&(table, row)) {
            if let Some(at) = holders.iter().position(|holder| Arc::ptr_eq(holder, txn)) {
                holders.swap_remove(at);
                self.count.fetch_sub(1, Ordering::AcqRel);
            }
            if holders.is_empty() {
                shard.remove(&(table, row));
            }
        }
    }
}
