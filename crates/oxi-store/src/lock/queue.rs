//! A thing that is locked in PostgreSQL's eight modes, and the line before it: tables and advisory
//! keys.
//!
//! The three weak modes never conflict with each other. They are noted in shards, each behind a
//! latch of its own, so that ordinary statements meet neither each other nor a list of all holders;
//! whoever wants a mode that conflicts with them says so first and then looks into every shard.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use oxi_base::Result;
use oxi_model::{
    engine::{TableLock, Wait},
    lock::{LockInfo, LockObject},
};
use parking_lot::{Mutex, MutexGuard};

use super::wait::{Blockers, Edge, Waits, Wanted};
use crate::undo::{Party, TxnState};

const SHARDS: usize = 8;

/// A set of modes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Modes(u8);

impl Modes {
    const WEAK: Modes = Modes(
        TableLock::AccessShare.bit() | TableLock::RowShare.bit() | TableLock::RowExclusive.bit(),
    );

    pub(crate) fn has(self, lock: TableLock) -> bool {
        self.0 & lock.bit() != 0
    }

    pub(crate) fn with(self, lock: TableLock) -> Modes {
        Modes(self.0 | lock.bit())
    }

    pub(crate) fn without(self, other: Modes) -> Modes {
        Modes(self.0 & !other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn weak(self) -> Modes {
        Modes(self.0 & Modes::WEAK.0)
    }

    fn conflict(self, lock: TableLock) -> bool {
        self.0 & lock.conflict_bits() != 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = TableLock> {
        TableLock::ALL.into_iter().filter(move |lock| self.has(*lock))
    }
}

impl From<TableLock> for Modes {
    fn from(lock: TableLock) -> Self {
        Modes(lock.bit())
    }
}

/// One holder, with all modes it holds.
struct Holding {
    holder: Arc<TxnState>,
    modes: Modes,
}

/// Somebody in line.
struct InLine {
    waiter: Arc<TxnState>,
    lock: TableLock,
}

/// Weak modes of some of the holders.
#[derive(Default)]
#[repr(align(64))]
struct Shard(Mutex<Vec<Holding>>);

/// See the module.
pub(crate) struct LockQueue {
    shards: Box<[Shard]>,
    state: Mutex<State>,
    /// Whether a mode that conflicts with weak ones is held or wanted; set before the shards are
    /// looked into, else kept up to date under `state`.
    is_strong: AtomicBool,
    /// Whether AccessExclusive is held or wanted.
    is_exclusive: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Modes that are not weak.
    holders: Vec<Holding>,
    line: VecDeque<InLine>,
    wakers: Vec<Waker>,
}

impl State {
    /// Lets everyone in line look again.
    fn changed(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }
}

fn add(holdings: &mut Vec<Holding>, holder: &Arc<TxnState>, lock: TableLock) {
    match holdings.iter_mut().find(|holding| Arc::ptr_eq(&holding.holder, holder)) {
        Some(holding) => holding.modes = holding.modes.with(lock),
        None => holdings.push(Holding { holder: Arc::clone(holder), modes: lock.into() }),
    }
}

/// Takes modes away; whether any of them was there.
fn subtract(holdings: &mut Vec<Holding>, holder: &Arc<TxnState>, modes: Modes) -> bool {
    let place = holdings.iter().position(|holding| Arc::ptr_eq(&holding.holder, holder));
    let Some(place) = place else { return false };
    let before = holdings[place].modes;
    let after = before.without(modes);
    holdings[place].modes = after;
    if after.is_empty() {
        holdings.swap_remove(place);
    }
    before != after
}

fn of_party(holdings: &[Holding], party: Party) -> Modes {
    let own = holdings.iter().filter(|holding| holding.holder.party() == party);
    Modes(own.fold(0, |bits, holding| bits | holding.modes.0))
}

impl LockQueue {
    /// For a table, which is mostly held in weak modes.
    pub(crate) fn of_table() -> Arc<Self> {
        Arc::new(Self::new((0..SHARDS).map(|_| Shard::default()).collect()))
    }

    /// For an advisory key, which never is.
    pub(crate) fn of_key() -> Arc<Self> {
        Arc::new(Self::new(Box::default()))
    }

    fn new(shards: Box<[Shard]>) -> Self {
        LockQueue {
            shards,
            state: Mutex::default(),
            is_strong: AtomicBool::new(false),
            is_exclusive: AtomicBool::new(false),
        }
    }

    /// The transactions that now hold a mode in the way of `lock`; some may be named twice.
    pub(crate) fn holders(&self, lock: TableLock) -> Vec<Arc<TxnState>> {
        let mut all: Vec<Arc<TxnState>> = Vec::new();
        let mut add = |holdings: &[Holding]| {
            let in_the_way = holdings.iter().filter(|holding| holding.modes.conflict(lock));
            all.extend(in_the_way.map(|holding| holding.holder.clone()));
        };
        add(&self.state.lock().holders);
        for shard in &self.shards {
            add(&shard.0.lock());
        }
        all
    }

    /// Whether readers that take no lock must stand back.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.is_exclusive.load(Ordering::Acquire)
    }

    /// Whether nobody holds or wants anything.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.holders.is_empty() && state.line.is_empty()
    }

    fn shard(&self, holder: &Arc<TxnState>) -> &Mutex<Vec<Holding>> {
        // By address, which stays the same for as long as anything is held; states lie further
        // apart than this.
        &self.shards[(Arc::as_ptr(holder).addr() >> 6) % SHARDS].0
    }

    /// Whether somebody else of a holder's party holds something.
    pub(crate) fn is_shared_by_party(&self, holder: &Arc<TxnState>) -> bool {
        let party = holder.party();
        let is_other = |holding: &Holding| {
            holding.holder.party() == party && !Arc::ptr_eq(&holding.holder, holder)
        };
        let is_strong = self.state.lock().holders.iter().any(is_other);
        is_strong || self.shards.iter().any(|shard| shard.0.lock().iter().any(is_other))
    }

    /// Takes a mode, unless somebody is in the way.
    pub(crate) fn acquire(&self, holder: &Arc<TxnState>, lock: TableLock) -> bool {
        if Modes::WEAK.has(lock) && self.acquire_weak(holder, lock) {
            return true;
        }
        let mut state = self.lock_state(lock);
        let is_free = self.blockers(&state, holder, lock).is_empty();
        if is_free {
            state.line.retain(|other| !(Arc::ptr_eq(&other.waiter, holder) && other.lock == lock));
            if Modes::WEAK.has(lock) {
                add(&mut self.shard(holder).lock(), holder, lock);
            } else {
                add(&mut state.holders, holder, lock);
            }
        }
        self.note(&state);
        is_free
    }

    /// The way that meets nobody: no strong mode is held or wanted.
    fn acquire_weak(&self, holder: &Arc<TxnState>, lock: TableLock) -> bool {
        let mut holdings = self.shard(holder).lock();
        // Under the latch: who sets this looks into the shard afterwards.
        if self.is_strong.load(Ordering::Acquire) {
            return false;
        }
        add(&mut holdings, holder, lock);
        true
    }

    /// The state, for a look at who is in the way of a mode.
    fn lock_state(&self, lock: TableLock) -> MutexGuard<'_, State> {
        let state = self.state.lock();
        if Modes::WEAK.conflict(lock) {
            self.is_strong.store(true, Ordering::SeqCst);
        }
        state
    }

    /// Brings the marks up to date.
    fn note(&self, state: &State) {
        let held = state.holders.iter().fold(0, |bits, holding| bits | holding.modes.0);
        let wanted = state.line.iter().fold(0, |bits, other| bits | other.lock.bit());
        let all = Modes(held | wanted);
        let is_strong = all.iter().any(|lock| Modes::WEAK.conflict(lock));
        self.is_strong.store(is_strong, Ordering::SeqCst);
        self.is_exclusive.store(all.has(TableLock::AccessExclusive), Ordering::Release);
    }

    /// All modes that a party holds.
    fn held_by(&self, state: &State, party: Party) -> Modes {
        let weak =
            self.shards.iter().fold(0, |bits, shard| bits | of_party(&shard.0.lock(), party).0);
        Modes(of_party(&state.holders, party).0 | weak)
    }

    /// Who is in the way of a mode.
    fn blockers(&self, state: &State, wanting: &Arc<TxnState>, lock: TableLock) -> Blockers {
        let mut blockers = Blockers::default();
        let party = wanting.party();
        let mut look = |holdings: &[Holding]| {
            let in_the_way = holdings
                .iter()
                .filter(|holding| holding.modes.conflict(lock) && holding.holder.party() != party);
            blockers.holding.extend(in_the_way.map(|holding| Arc::clone(&holding.holder)));
        };
        look(&state.holders);
        if Modes::WEAK.conflict(lock) {
            for shard in &self.shards {
                look(&shard.0.lock());
            }
        }
        if state.line.is_empty() {
            return blockers;
        }
        let own = self.held_by(state, party);
        let ahead = state
            .line
            .iter()
            .take_while(|other| !(Arc::ptr_eq(&other.waiter, wanting) && other.lock == lock));
        // Who waits for what this party holds already would wait in vain if it waited for them.
        let ahead = ahead.filter(|other| {
            other.lock.conflicts(lock)
                && other.waiter.party() != party
                && other.waiter.is_active()
                && !own.conflict(other.lock)
        });
        blockers.ahead.extend(ahead.map(|other| Arc::clone(&other.waiter)));
        blockers
    }

    /// Gives modes back.
    pub(crate) fn release(&self, holder: &Arc<TxnState>, modes: Modes) {
        let weak = modes.weak();
        if !weak.is_empty() {
            subtract(&mut self.shard(holder).lock(), holder, weak);
        }
        let strong = modes.without(weak);
        // Who wants a strong mode has said so before it looked for this holder.
        if strong.is_empty() && !self.is_strong.load(Ordering::SeqCst) {
            return;
        }
        let mut state = self.state.lock();
        subtract(&mut state.holders, holder, strong);
        state.line.retain(|other| other.waiter.is_active());
        self.note(&state);
        state.changed();
    }

    /// Moves somebody in line in front of another one; false if the other one holds what is wanted.
    pub(crate) fn pass(
        &self,
        waiter: &Arc<TxnState>,
        blocker: &Arc<TxnState>,
        lock: TableLock,
    ) -> bool {
        let mut state = self.state.lock();
        if self.held_by(&state, blocker.party()).conflict(lock) {
            return false;
        }
        let place_of = |state: &State, txn: &Arc<TxnState>| {
            state.line.iter().position(|other| Arc::ptr_eq(&other.waiter, txn))
        };
        if let (Some(from), Some(to)) = (place_of(&state, waiter), place_of(&state, blocker))
            && to < from
            && let Some(moved) = state.line.remove(from)
        {
            state.line.insert(to, moved);
            state.changed();
        }
        true
    }

    /// What is held, for monitoring.
    pub(crate) fn list(&self, object: LockObject, into: &mut Vec<LockInfo>) {
        let mut note = |holdings: &[Holding], fast_path: bool| {
            for holding in holdings {
                into.extend(holding.modes.iter().map(|lock| LockInfo {
                    object,
                    lock,
                    session: holding.holder.session(),
                    transaction: holding.holder.lone_id(),
                    granted: true,
                    fast_path,
                    waits_since_us: None,
                }));
            }
        };
        note(&self.state.lock().holders, false);
        for shard in &self.shards {
            note(&shard.0.lock(), true);
        }
    }

    /// A place in line, for a mode that could not be had.
    pub(crate) fn wait(
        self: &Arc<Self>,
        waits: &Arc<Waits>,
        waiter: &Arc<TxnState>,
        object: LockObject,
        lock: TableLock,
    ) -> Wait {
        let wanted =
            Wanted { waiter: Arc::clone(waiter), object, lock, queue: Some(Arc::clone(self)) };
        let queue = Arc::clone(self);
        Box::pin(QueueWait { edge: Edge::new(waits, wanted), queue, is_in_line: false })
    }

    /// Takes a place in line: at its end, but in front of whoever waits for what the party holds.
    fn enter(&self, state: &mut State, wanted: &Wanted) {
        let own = self.held_by(state, wanted.waiter.party());
        let place = state.line.iter().position(|other| own.conflict(other.lock));
        let entry = InLine { waiter: Arc::clone(&wanted.waiter), lock: wanted.lock };
        state.line.insert(place.unwrap_or(state.line.len()), entry);
    }

    fn is_in_line(state: &State, wanted: &Wanted) -> bool {
        state
            .line
            .iter()
            .any(|other| Arc::ptr_eq(&other.waiter, &wanted.waiter) && other.lock == wanted.lock)
    }

    fn leave(&self, wanted: &Wanted) {
        let mut state = self.state.lock();
        let place = state.line.iter().position(|other| {
            Arc::ptr_eq(&other.waiter, &wanted.waiter) && other.lock == wanted.lock
        });
        if let Some(place) = place {
            state.line.remove(place);
            self.note(&state);
            state.changed();
        }
    }
}

/// Stands in line until nobody is in the way. The place is kept for the next try.
struct QueueWait {
    edge: Edge,
    queue: Arc<LockQueue>,
    is_in_line: bool,
}

impl Future for QueueWait {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        this.edge.check(context)?;
        let wanted = &this.edge.wanted;
        let mut state = this.queue.lock_state(wanted.lock);
        state.line.retain(|other| other.waiter.is_active());
        let blockers = loop {
            let blockers = this.queue.blockers(&state, &wanted.waiter, wanted.lock);
            // Who stands ahead may end without ever having held anything here.
            let register = |txn: &Arc<TxnState>| txn.add_waiter(context.waker(), txn.epoch());
            if blockers.ahead.iter().all(register) {
                break blockers;
            }
        };
        if blockers.is_empty() {
            this.queue.note(&state);
            this.is_in_line = false;
            return Poll::Ready(Ok(()));
        }
        if !this.is_in_line {
            this.is_in_line = true;
            if !LockQueue::is_in_line(&state, wanted) {
                this.queue.enter(&mut state, wanted);
            }
        }
        this.queue.note(&state);
        if !state.wakers.iter().any(|known| known.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        drop(state);
        this.edge.blocked_by(blockers)?;
        Poll::Pending
    }
}

impl Drop for QueueWait {
    fn drop(&mut self) {
        if self.is_in_line {
            self.queue.leave(&self.edge.wanted);
        }
    }
}
