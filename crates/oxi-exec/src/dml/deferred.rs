//! Constraints whose check a transaction has put off, and when they are due.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use oxi_base::Result;
use oxi_model::Datum;
use parking_lot::Mutex;

use crate::{
    context::StatementContext,
    dml::{foreign_key::Queue, target::Timing},
};

/// What one transaction has deferred. Its statements share it; a savepoint is a [`Mark`].
#[derive(Default, Debug)]
pub struct Deferred {
    state: Mutex<Mark>,
}

/// The state of a [`Deferred`], cheap to keep: checks that were there before a mark was taken are
/// shared with it.
#[derive(Clone, Default, Debug)]
pub struct Mark {
    modes: Modes,
    /// Checks owed when a mark was taken, oldest first.
    marked: Vec<Arc<Vec<Check>>>,
    /// Checks owed since.
    recent: Vec<Check>,
}

/// What SET CONSTRAINTS has said in this transaction.
#[derive(Clone, Default, Debug)]
struct Modes {
    /// Of ALL; `None` leaves each constraint as it was declared.
    all: Option<bool>,
    /// Of single constraints, by oid, since.
    single: BTreeMap<u32, bool>,
}

/// A check that is owed.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Check {
    /// The relation oid of the table that was written.
    pub(crate) table: u32,
    /// The constraint.
    pub(crate) timing: Timing,
    /// What to look for.
    pub(crate) subject: Subject,
}

/// What a check looks for. Keys of foreign keys are in the order of declaration.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Subject {
    /// A second row with this unique key.
    Unique(Vec<Datum>),
    /// A referenced row.
    Refers(Vec<Datum>),
    /// Rows that refer to an old key; the new one unless the row was deleted.
    Departed(Vec<Datum>, Option<Vec<Datum>>),
}

/// Which checks are due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// All: the transaction ends.
    All,
    /// Those of constraints that are not deferred any more.
    Immediate,
}

impl Modes {
    fn is_deferred(&self, timing: Timing) -> bool {
        let declared = timing.deferral.initially_deferred;
        timing.deferral.deferrable
            && (self.single.get(&timing.constraint).copied().or(self.all)).unwrap_or(declared)
    }
}

impl Deferred {
    /// Whether the check of a constraint waits for the end of the transaction.
    pub(crate) fn is_deferred(&self, timing: Timing) -> bool {
        timing.deferral.deferrable && self.state.lock().modes.is_deferred(timing)
    }

    /// Notes a check.
    pub(crate) fn owe(&self, check: Check) {
        self.state.lock().recent.push(check);
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.recent.is_empty() && state.marked.is_empty()
    }

    /// Whether a check is owed for what was written to a table.
    pub fn owes(&self, table: u32) -> bool {
        let state = self.state.lock();
        state.marked.iter().flat_map(|checks| checks.iter()).any(|check| check.table == table)
            || state.recent.iter().any(|check| check.table == table)
    }

    /// SET CONSTRAINTS ALL.
    pub fn set_all(&self, is_deferred: Option<bool>) {
        self.state.lock().modes = Modes { all: is_deferred, single: BTreeMap::new() };
    }

    /// SET CONSTRAINTS of one deferrable constraint.
    pub fn set(&self, constraint: u32, is_deferred: Option<bool>) {
        let single = &mut self.state.lock().modes.single;
        match is_deferred {
            Some(is_deferred) => single.insert(constraint, is_deferred),
            None => single.remove(&constraint),
        };
    }

    /// The state now, to come back to.
    pub fn mark(&self) -> Mark {
        let mut state = self.state.lock();
        if !state.recent.is_empty() {
            let recent = std::mem::take(&mut state.recent);
            state.marked.push(Arc::new(recent));
        }
        state.clone()
    }

    /// Comes back to a mark.
    pub fn reset(&self, mark: &Mark) {
        self.state.lock().clone_from(mark);
    }

    /// Makes the checks that are due, in the order in which they were put off.
    ///
    /// # Errors
    /// The first violation; the transaction must be rolled back (to a mark at least).
    pub async fn settle(&self, statement: &StatementContext, due: Due) -> Result<()> {
        let mut checks = self.take(due);
        let mut queue = Queue::default();
        while let Some(check) = checks.pop_front() {
            statement.cancel.check()?;
            queue.settle_check(statement, check, &mut checks).await?;
        }
        Ok(())
    }

    fn take(&self, due: Due) -> VecDeque<Check> {
        let mut state = self.state.lock();
        let marked = std::mem::take(&mut state.marked);
        let recent = std::mem::take(&mut state.recent);
        let owed = marked.into_iter().flat_map(Arc::unwrap_or_clone).chain(recent);
        let (is_due, later): (Vec<_>, Vec<_>) =
            owed.partition(|check| due == Due::All || !state.modes.is_deferred(check.timing));
        state.recent = later;
        is_due.into()
    }
}
