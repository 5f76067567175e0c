//! A flag that is raised once and wakes those who wait for it.
//!
//! Waiting is registered once per connection and looking is one atomic load, because every read
//! of every connection looks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// The flag.
#[derive(Clone, Default)]
pub(crate) struct Signal(Arc<Inner>);

#[derive(Default)]
struct Inner {
    raised: AtomicBool,
    notify: Arc<Notify>,
}

impl Signal {
    /// Raises the flag, for good.
    pub(crate) fn raise(&self) {
        self.0.raised.store(true, Ordering::Release);
        self.0.notify.notify_waiters();
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::Acquire)
    }

    /// Waits until the flag is raised.
    pub(crate) async fn raised(&self) {
        let mut watcher = self.watcher();
        std::future::poll_fn(|cx| {
            if watcher.look(cx) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }

    /// A watcher for one task.
    pub(crate) fn watcher(&self) -> Watcher {
        let notified = Arc::clone(&self.0.notify).notified_owned();
        Watcher { signal: self.clone(), notified: Box::pin(notified), armed: false }
    }
}

/// A task's view of the flag. It must stay with that task, which is woken when the flag is raised.
pub(crate) struct Watcher {
    signal: Signal,
    notified: Pin<Box<OwnedNotified>>,
    armed: bool,
}

impl Watcher {
    /// Whether the flag is raised; if not, the task will be woken when it is.
    pub(crate) fn look(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.armed {
            self.armed = true;
            // The flag itself is looked at below.
            let _ = self.notified.as_mut().poll(cx);
        }
        self.signal.is_raised()
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.signal.is_raised()
    }
}
