//! The time limits that settings put on statements, lock waits and idle transactions.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use oxi_exec::context::{CancelFlag, CancelReason};
use oxi_world::net::{self, Timer};

use crate::settings::Settings;

/// The limits of a session, in microseconds; 0 is none.
#[derive(Default)]
pub(crate) struct Limits {
    /// What they were read from.
    settings: Option<Settings>,
    statement_us: u64,
    lock_us: u64,
    idle_us: u64,
    /// Stops the running statement.
    timer: Option<Timer>,
}

impl Limits {
    /// Forgets requests to stop and begins to measure a statement.
    pub(crate) fn start(&mut self, settings: &Settings, cancel: &Arc<CancelFlag>) {
        cancel.reset();
        self.read(settings);
        cancel.limit_lock_waits(self.lock_us);
        self.timer = (self.statement_us > 0).then(|| {
            let (cancel, statement) = (Arc::clone(cancel), cancel.watch_statement());
            net::after(self.statement_us, move || {
                cancel.cancel_statement(statement, CancelReason::StatementTimeout);
            })
        });
    }

    /// The statement has ended.
    pub(crate) fn stop(&mut self) {
        self.timer = None;
    }

    /// How long the session may idle in a transaction; 0 is for ever.
    pub(crate) fn idle_us(&mut self, settings: &Settings) -> u64 {
        self.read(settings);
        self.idle_us
    }

    fn read(&mut self, settings: &Settings) {
        if self.settings.as_ref().is_some_and(|known| known.is_same(settings)) {
            return;
        }
        let micros =
            |name: &str| settings.integer(name).max(0).unsigned_abs().saturating_mul(1_000);
        self.statement_us = micros("statement_timeout");
        self.lock_us = micros("lock_timeout");
        self.idle_us = micros("idle_in_transaction_session_timeout");
        self.settings = Some(settings.clone());
    }
}

/// What `lock_timeout` waits with.
pub(crate) fn sleep(duration_us: u64) -> BoxFuture<'static, ()> {
    net::sleep(duration_us).boxed()
}
