//! What a running statement has at hand, and how physical nodes get at it.

use std::{
    future::{Future, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    task::{Poll, Waker},
};

use datafusion::{error::Result as DfResult, execution::TaskContext};
use futures::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{Catalog, system::ServerState};
use oxi_model::engine::{Engine, Snapshot, Txn};
use oxi_types::EvalContext;
use parking_lot::Mutex;

use crate::{
    dml::{deferred::Deferred, rules::RuleSource},
    error::to_datafusion,
    shared::SharedRows,
};

/// Everything that belongs to one running statement. Physical nodes get it from the task context,
/// so that plans can be kept and run again.
#[derive(Clone)]
pub struct StatementContext {
    /// The storage.
    pub engine: Arc<dyn Engine>,
    /// The transaction the statement runs in.
    pub txn: Arc<dyn Txn>,
    /// What the statement sees.
    pub snapshot: Arc<dyn Snapshot>,
    /// What functions need to know: times, settings, the session.
    pub eval: Arc<EvalContext>,
    /// The catalog as of the statement.
    pub catalog: Arc<Catalog>,
    /// Set to stop the statement.
    pub cancel: Arc<CancelFlag>,
    /// What the running server knows and system relations show.
    pub server: Arc<dyn ServerState>,
    /// The rules of tables that foreign keys act on.
    pub rules: Arc<dyn RuleSource>,
    /// Rows of the queries of a WITH, computed once.
    pub shared: Arc<SharedRows>,
    /// Checks that the transaction has put off.
    pub deferred: Arc<Deferred>,
    /// What the moments see as of which it reads tables, by their numbers.
    pub moments: Vec<Arc<dyn Snapshot>>,
}

impl StatementContext {
    /// The context of the statement that a task belongs to.
    ///
    /// # Errors
    /// A defect if the task was not started by [`crate::executor::Executor`].
    pub fn of(context: &TaskContext) -> DfResult<Arc<StatementContext>> {
        context
            .session_config()
            .get_extension::<StatementContext>()
            .ok_or_else(|| to_datafusion(Error::bug("a task outside of any statement")))
    }

    /// Waits for another transaction, unless the statement is cancelled.
    ///
    /// # Errors
    /// `40P01` if waiting would be a deadlock, `55P03` if it takes longer than `lock_timeout`, or
    /// why the statement was cancelled.
    pub async fn wait(&self, wait: oxi_model::engine::Wait) -> Result<()> {
        self.cancel.wait_for_lock(wait).await?
    }
}

/// Why a statement is stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum CancelReason {
    /// The client asked for it.
    User = 1,
    /// `statement_timeout`.
    StatementTimeout = 2,
    /// `lock_timeout`.
    LockTimeout = 3,
    /// The session is being ended.
    Shutdown = 4,
}

impl CancelReason {
    fn of(byte: u8) -> Option<CancelReason> {
        match byte {
            0 => None,
            2 => Some(CancelReason::StatementTimeout),
            3 => Some(CancelReason::LockTimeout),
            4 => Some(CancelReason::Shutdown),
            _ => Some(CancelReason::User),
        }
    }

    fn error(self) -> Error {
        let (code, message) = match self {
            CancelReason::User => {
                (SqlState::QUERY_CANCELED, "canceling statement due to user request")
            }
            CancelReason::StatementTimeout => {
                (SqlState::QUERY_CANCELED, "canceling statement due to statement timeout")
            }
            CancelReason::LockTimeout => {
                (SqlState::LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout")
            }
            CancelReason::Shutdown => {
                (SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
            }
        };
        Error::new(code, message)
    }
}

/// A future that ends after so many microseconds.
pub type Sleep = fn(u64) -> BoxFuture<'static, ()>;

/// A request to stop, seen by whatever works for the statement.
#[derive(Debug, Default)]
pub struct CancelFlag {
    reason: AtomicU8,
    /// The session is to end: its statements are stopped from now on.
    terminated: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
    /// Somebody waits with, or has a timer on, the running statement.
    watched: AtomicBool,
    /// Which statement is running, so that a late timer does not stop the next one.
    statement: AtomicU64,
    /// `lock_timeout`; 0 is never.
    lock_limit_us: AtomicU64,
    /// Whether the running statement waits for a lock.
    waits: AtomicBool,
    sleep: Option<Sleep>,
}

/// Says, while it lives, that a statement waits.
struct Waiting<'a>(&'a AtomicBool);

impl<'a> Waiting<'a> {
    fn new(waits: &'a AtomicBool) -> Self {
        waits.store(true, Ordering::Release);
        Waiting(waits)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl CancelFlag {
    /// A flag whose statements may have a `lock_timeout`.
    pub fn with_timer(sleep: Sleep) -> Self {
        CancelFlag { sleep: Some(sleep), ..CancelFlag::default() }
    }

    /// Asks to stop.
    pub fn cancel(&self, reason: CancelReason) {
        let mut wakers = self.wakers.lock();
        self.stop(reason, &mut wakers);
    }

    /// Asks the session to end.
    pub fn terminate(&self) {
        let mut wakers = self.wakers.lock();
        self.terminated.store(true, Ordering::Release);
        self.stop(CancelReason::Shutdown, &mut wakers);
    }

    /// Whether the session was asked to end.
    pub fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::Acquire)
    }

    /// Runs a future to its end, or to the request to end the session: `None`.
    pub async fn unless_terminated<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Poll::Ready(Some(value));
            }
            let mut wakers = self.wakers.lock();
            if self.is_terminated() {
                return Poll::Ready(None);
            }
            if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// Asks a certain statement to stop; nothing happens when it is not the running one any more.
    pub fn cancel_statement(&self, statement: u64, reason: CancelReason) {
        let mut wakers = self.wakers.lock();
        if self.statement.load(Ordering::Relaxed) == statement {
            self.stop(reason, &mut wakers);
        }
    }

    fn stop(&self, reason: CancelReason, wakers: &mut Vec<Waker>) {
        self.reason.store(reason as u8, Ordering::Release);
        for waker in wakers.drain(..) {
            waker.wake();
        }
    }

    /// Forgets the request (before the next statement). Only the session's own thread calls this
    /// and [`CancelFlag::watch_statement`].
    pub fn reset(&self) {
        if self.watched.load(Ordering::Relaxed) {
            let mut wakers = self.wakers.lock();
            wakers.clear();
            self.statement.fetch_add(1, Ordering::Relaxed);
            self.watched.store(false, Ordering::Relaxed);
            self.reason.store(0, Ordering::Release);
        } else {
            self.reason.store(0, Ordering::Release);
        }
    }

    /// The number of the running statement, for [`CancelFlag::cancel_statement`].
    pub fn watch_statement(&self) -> u64 {
        self.watched.store(true, Ordering::Relaxed);
        self.statement.load(Ordering::Relaxed)
    }

    /// How long statements from now on may wait for a lock; 0 is for ever.
    pub fn limit_lock_waits(&self, limit_us: u64) {
        self.lock_limit_us.store(limit_us, Ordering::Relaxed);
    }

    /// Waits for a lock: to the end, to the request to stop, or for as long as allowed.
    ///
    /// # Errors
    /// As [`CancelFlag::check`].
    pub async fn wait_for_lock<T>(&self, wait: impl Future<Output = T>) -> Result<T> {
        let mut wait = std::pin::pin!(wait);
        // Said only once there is something to wait for.
        if let Some(done) = wait.as_mut().now_or_never() {
            return Ok(done);
        }
        let _waiting = Waiting::new(&self.waits);
        let limit = self.lock_limit_us.load(Ordering::Relaxed);
        let Some(sleep) = self.sleep.filter(|_| limit > 0) else {
            return self.unless_cancelled(wait).await;
        };
        match self.unless_cancelled(select(wait, sleep(limit))).await? {
            Either::Left((value, _)) => Ok(value),
            Either::Right(_) => Err(CancelReason::LockTimeout.error()),
        }
    }

    /// Whether the running statement waits for a lock.
    pub fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::Acquire)
    }

    /// Whether stopping was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.reason.load(Ordering::Relaxed) != 0 || self.is_terminated()
    }

    /// # Errors
    /// `57014` and its like if stopping was asked for.
    pub fn check(&self) -> Result<()> {
        match CancelReason::of(self.reason.load(Ordering::Acquire)) {
            // A request to end the session is not forgotten with the statement.
            _ if self.is_terminated() => Err(CancelReason::Shutdown.error()),
            None => Ok(()),
            Some(reason) => Err(reason.error()),
        }
    }

    /// Runs a future to its end or to the request to stop.
    ///
    /// # Errors
    /// As [`CancelFlag::check`].
    pub async fn unless_cancelled<T>(&self, future: impl Future<Output = T>) -> Result<T> {
        let mut future = std::pin::pin!(future);
        poll_fn(|context| {
            if let Err(error) = self.check() {
                return Poll::Ready(Err(error));
            }
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(value));
            }
            let mut wakers = self.wakers.lock();
            if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                wakers.push(context.waker().clone());
                self.watched.store(true, Ordering::Relaxed);
            }
            drop(wakers);
            // The request may have come between the check and the registration.
            match self.check() {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }
}
