//! Transaction states as rows see them, and the chain of older versions behind a row.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    task::Waker,
};

use oxi_base::{ColumnId, Ts, TxnId};
use oxi_model::{Datum, engine::RowLock};
use parking_lot::Mutex;

/// What every version of a transaction points to: publishing one number commits them all.
pub(crate) struct TxnState {
    /// 0 while active, [`ABORTED`] after rollback, else the commit timestamp.
    commit_ts: AtomicU64,
    /// 0 until the transaction writes or locks something.
    id: AtomicU64,
    /// Grows when a rollback to a savepoint gives rows back, so that waiters look again.
    epoch: AtomicU64,
    waiters: Mutex<Vec<Waker>>,
    /// The session it belongs to; 0 is none.
    session: AtomicU32,
}

/// Who holds locks: what one party holds is not in its own way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Party {
    /// A session with its transaction.
    Session(u32),
    /// A transaction without a session, by the address of its state.
    Txn(usize),
}

const ABORTED: u64 = u64::MAX;

/// What became of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Active,
    Committed(Ts),
    Aborted,
}

impl TxnState {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(TxnState {
            commit_ts: AtomicU64::new(0),
            id: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            waiters: Mutex::default(),
            session: AtomicU32::new(0),
        })
    }

    pub(crate) fn belong_to(&self, session: u32) {
        self.session.store(session, Ordering::Release);
    }

    pub(crate) fn session(&self) -> u32 {
        self.session.load(Ordering::Acquire)
    }

    pub(crate) fn party(self: &Arc<Self>) -> Party {
        match self.session() {
            0 => Party::Txn(Arc::as_ptr(self).addr()),
            session => Party::Session(session),
        }
    }

    /// The number of a transaction without session.
    pub(crate) fn lone_id(&self) -> Option<TxnId> {
        if self.session() == 0 { self.id() } else { None }
    }

    /// The state of what was there before anything else: what recovery brings back.
    pub(crate) fn ancient() -> Arc<Self> {
        Self::committed(Ts(1))
    }

    /// The state of a transaction that committed then.
    pub(crate) fn committed(ts: Ts) -> Arc<Self> {
        let state = Self::new();
        state.publish(ts);
        state
    }

    pub(crate) fn status(&self) -> Status {
        match self.commit_ts.load(Ordering::Acquire) {
            0 => Status::Active,
            ABORTED => Status::Aborted,
            ts => Status::Committed(Ts(ts)),
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.commit_ts.load(Ordering::Acquire) == 0
    }

    /// Whether it committed at or before `ts`.
    pub(crate) fn committed_by(&self, ts: Ts) -> bool {
        let commit = self.commit_ts.load(Ordering::Acquire);
        commit != 0 && commit != ABORTED && commit <= ts.0
    }

    pub(crate) fn id(&self) -> Option<TxnId> {
        match self.id.load(Ordering::Acquire) {
            0 => None,
            id => Some(TxnId(id)),
        }
    }

    /// Gives a transaction the number it had before a restart.
    pub(crate) fn set_id(&self, id: TxnId) {
        self.id.store(id.0, Ordering::Release);
    }

    /// The number, drawn from `next` at the first call.
    pub(crate) fn id_or_assign(&self, next: &AtomicU64) -> TxnId {
        if let Some(id) = self.id() {
            return id;
        }
        let fresh = next.fetch_add(1, Ordering::AcqRel);
        match self.id.compare_exchange(0, fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => TxnId(fresh),
            Err(other) => TxnId(other),
        }
    }

    /// Makes the transaction's versions visible. Waiters are woken by [`TxnState::wake`], later,
    /// when the locks are gone too.
    pub(crate) fn publish(&self, ts: Ts) {
        self.commit_ts.store(ts.0, Ordering::Release);
    }

    pub(crate) fn abort(&self) {
        self.commit_ts.store(ABORTED, Ordering::Release);
    }

    pub(crate) fn wake(&self) {
        let waiters = std::mem::take(&mut *self.waiters.lock());
        for waker in waiters {
            waker.wake();
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Lets waiters try again although the transaction goes on.
    pub(crate) fn give_way(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.wake();
    }

    /// Registers a waker; false if there is nothing to wait for since `epoch`.
    pub(crate) fn add_waiter(&self, waker: &Waker, epoch: u64) -> bool {
        let mut waiters = self.waiters.lock();
        if !self.is_active() || self.epoch() != epoch {
            return false;
        }
        if !waiters.iter().any(|known| known.will_wake(waker)) {
            waiters.push(waker.clone());
        }
        true
    }
}

/// What a statement sees: commits up to a timestamp, and its own transaction's earlier commands.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) ts: Ts,
    pub(crate) own: Option<&'a Arc<TxnState>>,
    /// Own changes of commands below this one are seen.
    pub(crate) command: u32,
}

impl Sight<'_> {
    /// Sees what was committed at `ts`, nothing else.
    pub(crate) fn committed(ts: Ts) -> Self {
        Sight { ts, own: None, command: 0 }
    }

    pub(crate) fn sees(&self, txn: &Arc<TxnState>, command: u32) -> bool {
        if self.is_own(txn) {
            return command < self.command;
        }
        txn.committed_by(self.ts)
    }

    pub(crate) fn is_own(&self, txn: &Arc<TxnState>) -> bool {
        self.own.is_some_and(|own| Arc::ptr_eq(own, txn))
    }
}

/// One step back in a row's history: who made the newer state, and how to get the older one.
pub(crate) struct Version {
    pub(crate) txn: Arc<TxnState>,
    pub(crate) command: u32,
    pub(crate) before: Before,
    pub(crate) next: Option<Box<Version>>,
}

/// The older state, as a difference.
pub(crate) enum Before {
    /// The columns that were changed, with the values they had.
    Columns {
        /// Old values by column id (positions may change, ids do not).
        values: Box<[(ColumnId, Datum)]>,
        /// A column of some unique index changed.
        key: bool,
    },
    /// The row was there; the newer state is its deletion.
    Live,
    /// The same row: it was only locked, this strongly.
    Locked(RowLock),
}

impl Before {
    /// How strongly whoever made this step holds the row until it ends.
    pub(crate) fn row_lock(&self) -> RowLock {
        match self {
            Before::Columns { key: false, .. } => RowLock::NoKeyUpdate,
            Before::Columns { key: true, .. } | Before::Live => RowLock::Update,
            Before::Locked(lock) => *lock,
        }
    }
}
