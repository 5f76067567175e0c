//! What a session is doing, for `pg_stat_activity` and `pg_locks`.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, Ordering},
};

use oxi_model::engine::Txn;
use parking_lot::Mutex;

use crate::{settings::SharedSettings, transaction::TransactionStatus};

/// One session's activity: written by the session, read by everybody's statements.
#[derive(Default)]
pub(crate) struct Activity {
    now: Mutex<Now>,
    /// In `pg_sleep`.
    sleeps: AtomicBool,
}

/// What a session does, and since when (Unix microseconds).
#[derive(Clone, Default)]
pub(crate) struct Now {
    pub(crate) runs: bool,
    /// What it is in while it does not run anything.
    pub(crate) status: Option<TransactionStatus>,
    /// The text of the running or last statement's string.
    pub(crate) query: Option<Arc<str>>,
    pub(crate) query_started_us: Option<i64>,
    pub(crate) changed_us: Option<i64>,
    transaction: Option<OpenTransaction>,
    /// How many transactions there were.
    transactions: u64,
    /// Where `application_name` stands.
    settings: Option<Arc<SharedSettings>>,
}

#[derive(Clone)]
struct OpenTransaction {
    /// Does not keep it from ending.
    txn: Weak<dyn Txn>,
    started_us: i64,
}

impl Activity {
    pub(crate) fn begin_session(&self, settings: Arc<SharedSettings>) {
        self.now.lock().settings = Some(settings);
    }

    pub(crate) fn begin_statement(&self, query: Arc<str>, now_us: i64) {
        let mut now = self.now.lock();
        now.runs = true;
        now.query = Some(query);
        now.query_started_us = Some(now_us);
        now.changed_us = Some(now_us);
    }

    /// A statement that was over before anybody could have seen it run.
    pub(crate) fn note_statement(&self, query: Arc<str>, now_us: i64) {
        let mut now = self.now.lock();
        now.query = Some(query);
        now.query_started_us = Some(now_us);
        now.changed_us = Some(now_us);
    }

    pub(crate) fn end_statement(&self, status: TransactionStatus, now_us: i64) {
        let mut now = self.now.lock();
        now.runs = false;
        now.status = Some(status);
        now.changed_us = Some(now_us);
    }

    pub(crate) fn begin_transaction(&self, txn: &Arc<dyn Txn>, started_us: i64) {
        let mut now = self.now.lock();
        now.transactions += 1;
        now.transaction = Some(OpenTransaction { txn: Arc::downgrade(txn), started_us });
    }

    pub(crate) fn end_transaction(&self) {
        self.now.lock().transaction = None;
    }

    /// Rolls back what a session that is to end has open, unless it runs a statement: that sees
    /// for itself.
    pub(crate) fn roll_back_idle(&self) {
        let now = self.now.lock();
        let open = now.transaction.as_ref().filter(|_| !now.runs);
        if let Some(txn) = open.and_then(|transaction| transaction.txn.upgrade()) {
            txn.rollback();
        }
    }

    pub(crate) fn sleeps(&self, does: SleepState) {
        self.sleeps.store(does == SleepState::Asleep, Ordering::Relaxed);
    }

    pub(crate) fn is_asleep(&self) -> bool {
        self.sleeps.load(Ordering::Relaxed)
    }

    pub(crate) fn now(&self) -> Now {
        self.now.lock().clone()
    }
}

/// Whether `pg_sleep` sleeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SleepState {
    Asleep,
    Awake,
}

impl Now {
    /// `state` of `pg_stat_activity`.
    pub(crate) fn state(&self) -> &'static str {
        match self.status {
            _ if self.runs => "active",
            Some(TransactionStatus::InTransaction) => "idle in transaction",
            Some(TransactionStatus::Failed) => "idle in transaction (aborted)",
            _ => "idle",
        }
    }

    /// When the open transaction began.
    pub(crate) fn transaction_started_us(&self) -> Option<i64> {
        self.transaction.as_ref().map(|transaction| transaction.started_us)
    }

    /// The open transaction's number, if it has one.
    pub(crate) fn transaction_id(&self) -> Option<u64> {
        Some(self.transaction.as_ref()?.txn.upgrade()?.id()?.0)
    }

    /// Which transaction of the session is open.
    pub(crate) fn transaction_number(&self) -> Option<u64> {
        self.transaction.as_ref().map(|_| self.transactions)
    }

    /// `application_name`.
    pub(crate) fn application_name(&self) -> String {
        let settings = self.settings.as_ref().map(|settings| settings.lock().effective.clone());
        settings.and_then(|settings| settings.lookup("application_name")).unwrap_or_default()
    }
}
