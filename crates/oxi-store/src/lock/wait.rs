//! Who waits for whom: the graph of waits, deadlocks, and the wait for a transaction.

use std::{
    fmt::Write as _,
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use oxi_base::{Error, Result, SqlState, TxnId};
use oxi_model::{
    engine::{TableLock, TableNamer, Wait},
    lock::{DATABASE_OID, LockInfo, LockObject},
};
use oxi_world::Clock;
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::queue::LockQueue;
use crate::undo::{Party, TxnState};

/// Who is in the way of a wait.
#[derive(Clone, Default)]
pub(crate) struct Blockers {
    /// They hold what is wanted.
    pub(crate) holding: SmallVec<[Arc<TxnState>; 2]>,
    /// They want it, too, and came first.
    pub(crate) ahead: SmallVec<[Arc<TxnState>; 1]>,
}

impl Blockers {
    pub(crate) fn is_empty(&self) -> bool {
        self.holding.is_empty() && self.ahead.is_empty()
    }

    /// Everyone, with whether they only stand ahead.
    fn all(&self) -> impl Iterator<Item = (&Arc<TxnState>, bool)> {
        let holding = self.holding.iter().map(|txn| (txn, false));
        holding.chain(self.ahead.iter().map(|txn| (txn, true)))
    }
}

/// What somebody waits for.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) waiter: Arc<TxnState>,
    pub(crate) object: LockObject,
    pub(crate) lock: TableLock,
    /// Where it stands in line, unless it waits for a transaction.
    pub(crate) queue: Option<Arc<LockQueue>>,
}

/// A wait in the graph.
struct Waiting {
    number: u64,
    wanted: Wanted,
    blockers: Blockers,
    since_us: i64,
}

/// A step of a circle: who waits for what, and whom.
struct Step {
    wanted: Wanted,
    blocker: Arc<TxnState>,
    /// The blocker only stands ahead in line.
    ahead: bool,
}

type Graph = FxHashMap<Party, SmallVec<[Waiting; 1]>>;

/// Who waits for whom, and whether waiting has become pointless.
pub(crate) struct Waits {
    graph: Mutex<Graph>,
    clock: Arc<dyn Clock>,
    namer: OnceLock<TableNamer>,
    failed: AtomicBool,
    failure: Mutex<Option<Error>>,
    /// Everyone who waits, to be woken by a failure.
    wakers: Mutex<FxHashMap<u64, Waker>>,
    next_number: AtomicU64,
}

impl Waits {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Waits {
            graph: Mutex::default(),
            clock,
            namer: OnceLock::new(),
            failed: AtomicBool::new(false),
            failure: Mutex::default(),
            wakers: Mutex::default(),
            next_number: AtomicU64::new(1),
        }
    }

    /// Tells by what oid messages call a table.
    pub(crate) fn name_tables(&self, namer: TableNamer) {
        // The first one stays.
        let _ = self.namer.set(namer);
    }

    /// Records a wait, or whom it is for now; `40P01` if it closes a circle that standing elsewhere
    /// in line does not open.
    fn record(&self, number: u64, wanted: &Wanted, blockers: Blockers) -> Result<()> {
        let mut graph = self.graph.lock();
        let waits = graph.entry(wanted.waiter.party()).or_default();
        if let Some(waiting) = waits.iter_mut().find(|waiting| waiting.number == number) {
            waiting.blockers = blockers;
        } else {
            let since_us = self.clock.now_unix_us();
            let wanted = wanted.clone();
            waits.push(Waiting { number, wanted, blockers, since_us });
        }
        let mut moved: FxHashSet<(Party, Party)> = FxHashSet::default();
        while let Some(circle) = circle_from(&graph, wanted.waiter.party()) {
            let passes = circle.iter().find(|step| {
                let pair = (step.wanted.waiter.party(), step.blocker.party());
                step.ahead && moved.insert(pair) && step.pass()
            });
            let Some(step) = passes else {
                forget(&mut graph, wanted.waiter.party(), number);
                drop(graph);
                return Err(self.deadlock(&circle));
            };
            step.forget_ahead(&mut graph);
        }
        Ok(())
    }

    fn deadlock(&self, circle: &[Step]) -> Error {
        let mut detail = String::new();
        for (number, step) in circle.iter().enumerate() {
            if number > 0 {
                detail.push('\n');
            }
            let _ = write!(
                detail,
                "Process {} waits for {} on {}; blocked by process {}.",
                step.wanted.waiter.session(),
                step.wanted.lock.name(),
                self.describe(step.wanted.object),
                step.blocker.session()
            );
        }
        Error::new(SqlState::DEADLOCK_DETECTED, "deadlock detected")
            .with_detail(detail)
            .with_hint("See server log for query details.")
    }

    fn describe(&self, object: LockObject) -> String {
        match object {
            LockObject::Transaction(id) => format!("transaction {id}"),
            LockObject::Table(id) => {
                let oid = self.namer.get().and_then(|namer| namer(id)).unwrap_or(id.0);
                format!("relation {oid} of database {DATABASE_OID}")
            }
            LockObject::Advisory(key) => {
                let (class, object, sub) = key.parts();
                format!("advisory lock [{DATABASE_OID},{class},{object},{sub}]")
            }
        }
    }

    /// All waits.
    pub(crate) fn list(&self, into: &mut Vec<LockInfo>) {
        let graph = self.graph.lock();
        into.extend(graph.values().flatten().map(|waiting| LockInfo {
            object: waiting.wanted.object,
            lock: waiting.wanted.lock,
            session: waiting.wanted.waiter.session(),
            transaction: waiting.wanted.waiter.lone_id(),
            granted: false,
            fast_path: false,
            waits_since_us: Some(waiting.since_us),
        }));
    }

    /// The sessions that a session waits for.
    pub(crate) fn blockers(&self, session: u32) -> Vec<u32> {
        let graph = self.graph.lock();
        let mut sessions = Vec::new();
        for waiting in graph.get(&Party::Session(session)).into_iter().flatten() {
            for (txn, _) in waiting.blockers.all() {
                if !sessions.contains(&txn.session()) {
                    sessions.push(txn.session());
                }
            }
        }
        sessions
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
}

impl Step {
    /// Moves the waiter in front of the blocker; false if that is not possible.
    fn pass(&self) -> bool {
        let Some(queue) = &self.wanted.queue else { return false };
        queue.pass(&self.wanted.waiter, &self.blocker, self.wanted.lock)
    }

    /// The blocker is not in the way of the waiter any more.
    fn forget_ahead(&self, graph: &mut Graph) {
        let waits = graph.get_mut(&self.wanted.waiter.party()).into_iter().flatten();
        for waiting in waits.filter(|waiting| waiting.wanted.object == self.wanted.object) {
            waiting.blockers.ahead.retain(|txn| txn.party() != self.blocker.party());
        }
    }
}

fn forget(graph: &mut Graph, waiter: Party, number: u64) {
    if let Some(waits) = graph.get_mut(&waiter) {
        waits.retain(|waiting| waiting.number != number);
        if waits.is_empty() {
            graph.remove(&waiter);
        }
    }
}

/// A circle of waits through a party: of those who hold if there is one, else one in which
/// somebody only stands ahead.
fn circle_from(graph: &Graph, start: Party) -> Option<Vec<Step>> {
    [false, true].into_iter().find_map(|ahead| {
        let mut search =
            Search { graph, start, ahead, seen: FxHashSet::default(), path: Vec::new() };
        search.reaches_start(start).then_some(search.path)
    })
}

struct Search<'a> {
    graph: &'a Graph,
    start: Party,
    /// Follow those who stand ahead, too.
    ahead: bool,
    seen: FxHashSet<Party>,
    path: Vec<Step>,
}

impl Search<'_> {
    fn reaches_start(&mut self, from: Party) -> bool {
        if !self.seen.insert(from) {
            return false;
        }
        let graph = self.graph;
        for waiting in graph.get(&from).into_iter().flatten() {
            for (blocker, ahead) in waiting.blockers.all() {
                if (ahead && !self.ahead) || !blocker.is_active() {
                    continue;
                }
                let (wanted, blocker) = (waiting.wanted.clone(), blocker.clone());
                let party = blocker.party();
                self.path.push(Step { wanted, blocker, ahead });
                if party == self.start || self.reaches_start(party) {
                    return true;
                }
                self.path.pop();
            }
        }
        false
    }
}

/// A wait's place in the graph, taken when it is first blocked and left on drop.
pub(crate) struct Edge {
    waits: Arc<Waits>,
    number: u64,
    pub(crate) wanted: Wanted,
    is_recorded: bool,
}

impl Edge {
    pub(crate) fn new(waits: &Arc<Waits>, wanted: Wanted) -> Self {
        let number = waits.next_number.fetch_add(1, Ordering::Relaxed);
        Edge { waits: Arc::clone(waits), number, wanted, is_recorded: false }
    }

    /// Whether waiting is still worth while; to be asked before each look at the obstacle.
    pub(crate) fn check(&self, context: &Context<'_>) -> Result<()> {
        self.waits.wakers.lock().insert(self.number, context.waker().clone());
        self.waits.failure().map_or(Ok(()), Err)
    }

    /// Notes who is in the way.
    pub(crate) fn blocked_by(&mut self, blockers: Blockers) -> Result<()> {
        self.is_recorded = true;
        self.waits.record(self.number, &self.wanted, blockers)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.waits.wakers.lock().remove(&self.number);
        if self.is_recorded {
            forget(&mut self.waits.graph.lock(), self.wanted.waiter.party(), self.number);
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

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        this.edge.check(context)?;
        if !this.target.add_waiter(context.waker(), this.epoch) {
            return Poll::Ready(Ok(()));
        }
        if !this.edge.is_recorded {
            let holding = SmallVec::from_iter([Arc::clone(&this.target)]);
            this.edge.blocked_by(Blockers { holding, ..Blockers::default() })?;
        }
        Poll::Pending
    }
}

/// A wait of `waiter` for the end of `target`.
pub(crate) fn wait_for(waits: &Arc<Waits>, waiter: &Arc<TxnState>, target: Arc<TxnState>) -> Wait {
    let epoch = target.epoch();
    let wanted = Wanted {
        waiter: Arc::clone(waiter),
        object: LockObject::Transaction(target.id().unwrap_or(TxnId(0))),
        lock: TableLock::Share,
        queue: None,
    };
    Box::pin(TxnWait { edge: Edge::new(waits, wanted), target, epoch })
}
