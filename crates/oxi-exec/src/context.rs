//! What a running statement has at hand, and how physical nodes get at it.

use std::{
    future::{Future, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Poll, Waker},
};

use datafusion::{error::Result as DfResult, execution::TaskContext};
use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{Catalog, system::ServerState};
use oxi_model::engine::{Engine, Snapshot, Txn};
use oxi_types::EvalContext;
use parking_lot::Mutex;

use crate::{dml::rules::RuleSource, error::to_datafusion};

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
    /// `40P01` if waiting would be a deadlock, or why the statement was cancelled.
    pub async fn wait(&self, wait: oxi_model::engine::Wait) -> Result<()> {
        self.cancel.unless_cancelled(wait).await?
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

/// A request to stop, seen by whatever works for the statement.
#[derive(Debug, Default)]
pub struct CancelFlag {
    reason: AtomicU8,
    wakers: Mutex<Vec<Waker>>,
}

impl CancelFlag {
    /// Asks to stop.
    pub fn cancel(&self, reason: CancelReason) {
        self.reason.store(reason as u8, Ordering::Release);
        for waker in std::mem::take(&mut *self.wakers.lock()) {
            waker.wake();
        }
    }

    /// Forgets the request (before the next statement).
    pub fn reset(&self) {
        self.reason.store(0, Ordering::Release);
        self.wakers.lock().clear();
    }

    /// Whether stopping was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.reason.load(Ordering::Relaxed) != 0
    }

    /// # Errors
    /// `57014` and its like if stopping was asked for.
    pub fn check(&self) -> Result<()> {
        let (code, message) = match self.reason.load(Ordering::Acquire) {
            0 => return Ok(()),
            2 => (SqlState::QUERY_CANCELED, "canceling statement due to statement timeout"),
            3 => (SqlState::LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout"),
            4 => (SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command"),
            _ => (SqlState::QUERY_CANCELED, "canceling statement due to user request"),
        };
        Err(Error::new(code, message))
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
