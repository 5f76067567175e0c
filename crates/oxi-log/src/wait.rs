//! Waiting for a position to become durable.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use oxi_base::{Error, Lsn, Result};

use crate::log::{Log, Shared};

/// Futures waiting, by the position they wait for.
#[derive(Default)]
pub(crate) struct Waiters {
    wakers: BTreeMap<(Lsn, u64), Waker>,
    next_id: u64,
}

/// Wakers to be called once no lock is held.
pub(crate) struct Ready(BTreeMap<(Lsn, u64), Waker>);

impl Waiters {
    /// Takes out those whose position is at or before `lsn`.
    pub(crate) fn take_through(&mut self, lsn: Lsn) -> Ready {
        let later = self.wakers.split_off(&(Lsn(lsn.0 + 1), 0));
        Ready(std::mem::replace(&mut self.wakers, later))
    }

    pub(crate) fn take_all(&mut self) -> Ready {
        Ready(std::mem::take(&mut self.wakers))
    }
}

impl Ready {
    pub(crate) fn wake(self) {
        for waker in self.0.into_values() {
            waker.wake();
        }
    }
}

/// Ends when its position is durable, or with the log's failure.
pub struct WaitDurable {
    shared: Arc<Shared>,
    lsn: Lsn,
    id: Option<u64>,
}

impl WaitDurable {
    fn outcome(&self) -> Option<Result<()>> {
        if self.shared.durable() >= self.lsn {
            return Some(Ok(()));
        }
        self.shared.check().err().map(Err)
    }
}

impl Future for WaitDurable {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(outcome) = self.outcome() {
            return Poll::Ready(outcome);
        }
        let shared = Arc::clone(&self.shared);
        if let Err(error) = shared.check_appended(self.lsn) {
            return Poll::Ready(Err(error));
        }
        if shared.writers.load(Ordering::Acquire) == 0 {
            // Nobody else will flush: the waiter leads the group itself.
            let flushed = shared.flush();
            return Poll::Ready(self.outcome().unwrap_or(flushed.map(|_| ())));
        }
        let mut waiters = shared.waiters.lock();
        // Asked again under the lock that publishing takes, so that no wake-up is missed.
        if let Some(outcome) = self.outcome() {
            return Poll::Ready(outcome);
        }
        let id = *self.id.get_or_insert_with(|| {
            waiters.next_id += 1;
            waiters.next_id
        });
        waiters.wakers.insert((self.lsn, id), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for WaitDurable {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.waiters.lock().wakers.remove(&(self.lsn, id));
        }
    }
}

impl Shared {
    /// Refuses a position that nothing was appended up to: it might never become durable.
    fn check_appended(&self, lsn: Lsn) -> Result<()> {
        let next = self.queue.lock().next_lsn;
        if lsn <= next {
            return Ok(());
        }
        Err(Error::bug(format!("log position {lsn} is waited for, but the log ends at {next}")))
    }
}

impl Log {
    /// Waits until everything before `lsn` is durable. Without a writer thread the first poll
    /// flushes.
    pub fn wait_durable(&self, lsn: Lsn) -> WaitDurable {
        WaitDurable { shared: Arc::clone(&self.shared), lsn, id: None }
    }

    /// Like [`Self::wait_durable`], blocking the calling thread.
    pub fn wait_durable_blocking(&self, lsn: Lsn) -> Result<()> {
        let shared = &*self.shared;
        shared.check_appended(lsn)?;
        if shared.durable() < lsn && shared.writers.load(Ordering::Acquire) == 0 {
            shared.flush()?;
        }
        let mut waiters = shared.waiters.lock();
        while shared.durable() < lsn {
            shared.check()?;
            shared.durable_changed.wait(&mut waiters);
        }
        Ok(())
    }
}
