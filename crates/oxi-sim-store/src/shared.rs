//! What the clients of a history share.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use oxi_base::{Error, SqlState};
use oxi_store::Store;
use oxi_world::rng::Prng;

use crate::{audit, damage, model::Model};

/// Why a client's transaction does not go on.
#[derive(Clone, Debug)]
pub enum Stop {
    /// A conflict: roll back and try again.
    Retry,
    /// The database has stopped, as it should after a fault.
    Down,
    /// The store broke a promise.
    Violation(String),
}

/// What went on, for the curious.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Transactions acknowledged.
    pub acknowledged: u64,
    /// Transactions rolled back on purpose.
    pub rolled_back: u64,
    /// Transactions that met a conflict.
    pub conflicts: u64,
    /// Deadlocks among them.
    pub deadlocks: u64,
    /// Waits for another transaction.
    pub waits: u64,
    /// Recoveries that were checked.
    pub recoveries: u64,
    /// Commits in doubt that recovery found.
    pub doubtful_kept: u64,
    /// Commits in doubt that recovery did not find.
    pub doubtful_lost: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Snapshots compared with the model.
    pub audits: u64,
    /// Faults that were arranged.
    pub faults: u64,
    /// A fingerprint of everything that happened: equal for equal seeds.
    pub digest: u64,
}

impl Statistics {
    /// Adds another history's numbers.
    pub fn add(&mut self, other: &Statistics) {
        self.acknowledged += other.acknowledged;
        self.rolled_back += other.rolled_back;
        self.conflicts += other.conflicts;
        self.deadlocks += other.deadlocks;
        self.waits += other.waits;
        self.recoveries += other.recoveries;
        self.doubtful_kept += other.doubtful_kept;
        self.doubtful_lost += other.doubtful_lost;
        self.checkpoints += other.checkpoints;
        self.audits += other.audits;
        self.faults += other.faults;
        self.mix(other.digest);
    }

    /// Stirs a number into the fingerprint.
    pub(crate) fn mix(&mut self, value: u64) {
        self.digest = (self.digest.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

/// Everything the clients of one life of the database share.
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) model: RefCell<Model>,
    pub(crate) statistics: RefCell<Statistics>,
    pub(crate) next_token: Cell<i64>,
    pub(crate) violation: RefCell<Option<String>>,
    /// A client was told that the database has stopped.
    pub(crate) down: Cell<bool>,
    /// Faults were arranged, so errors of the disk are expected.
    pub(crate) faulty: Cell<bool>,
    /// Reads may be wrong, which is noticed.
    pub(crate) decaying: bool,
    /// Faults before this life began.
    pub(crate) faults_before: u64,
    /// Clients finish their transaction and end.
    pub(crate) stopping: Cell<bool>,
    /// A commit is acknowledged only when it is durable.
    pub(crate) synchronous: bool,
}

/// A random choice of one in `n`.
pub fn one_in(prng: &mut Prng, n: u64) -> bool {
    prng.below(n) == 0
}

impl Shared {
    pub(crate) fn violate(&self, message: String) {
        self.violation.borrow_mut().get_or_insert(message);
    }

    /// What an error of the store means for the caller.
    pub(crate) fn stop(&self, error: &Error) -> Stop {
        match error.code() {
            SqlState::SERIALIZATION_FAILURE => Stop::Retry,
            SqlState::DEADLOCK_DETECTED => {
                self.statistics.borrow_mut().deadlocks += 1;
                Stop::Retry
            }
            SqlState::IO_ERROR | SqlState::DISK_FULL if self.faulty.get() => Stop::Down,
            SqlState::DATA_CORRUPTED if self.decaying && damage::is_reported(error) => Stop::Down,
            _ => Stop::Violation(format!(
                "unexpected error: {error}; detail: {}",
                error.detail().unwrap_or("none")
            )),
        }
    }

    /// Whether a reading had to fail for this reason, after what was arranged.
    pub(crate) fn expects(&self, reason: &str) -> bool {
        self.faulty.get() && audit::is_of_the_disk(reason)
            || self.decaying && damage::is_report(reason)
    }

    pub(crate) fn mix(&self, value: u64) {
        self.statistics.borrow_mut().mix(value);
    }

    /// A violation, unless it can be blamed on nothing else.
    pub(crate) fn checked<T>(result: Result<T, String>) -> Result<T, Stop> {
        result.map_err(Stop::Violation)
    }
}
