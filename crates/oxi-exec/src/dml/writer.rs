//! Writing single rows through the storage contract: waiting, conflicts, and what foreign keys
//! must hear of. Both routes, plans and the point path, write through here.

use std::sync::Arc;

use oxi_base::{Error, IndexId, Result, RowId, SqlState};
use oxi_model::{
    Datum, Row,
    engine::{Duplicate, InsertOutcome, Isolation, RowLock, WriteOutcome, WriteTarget},
};
use rustc_hash::FxHashSet;

use crate::{
    context::StatementContext,
    dml::{foreign_key::Queue, target::Target, violation},
};

/// Writes the rows of one statement to one table.
pub struct Writer<'a> {
    /// The statement.
    pub statement: &'a StatementContext,
    /// The table.
    pub target: &'a Arc<Target>,
    /// What foreign keys are owed.
    pub queue: Queue,
    /// Rows affected.
    pub count: u64,
    /// Rows this statement has inserted or updated, kept for ON CONFLICT DO UPDATE.
    pub touched: FxHashSet<u64>,
}

/// What an insertion that may conflict came to.
pub enum Inserted {
    /// The row is there.
    New(RowId),
    /// A row has the same key in an index that counts.
    Conflict(Duplicate),
}

/// What an update or deletion came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// It is done.
    Done,
    /// The row was changed since the snapshot.
    Changed,
    /// The row is not there any more.
    Gone,
}

impl<'a> Writer<'a> {
    /// A writer for one statement.
    pub fn new(statement: &'a StatementContext, target: &'a Arc<Target>) -> Self {
        Writer {
            statement,
            target,
            queue: Queue::default(),
            count: 0,
            touched: FxHashSet::default(),
        }
    }

    /// Inserts a row; a conflict is an error.
    pub async fn insert(&mut self, row: &[Datum]) -> Result<RowId> {
        loop {
            match self.statement.txn.insert(self.target.table, row)? {
                InsertOutcome::Done(id) => {
                    if self.target.owes_for_inserts() {
                        self.queue.inserted(self.statement.txn.as_ref(), self.target, row)?;
                    }
                    self.count += 1;
                    return Ok(id);
                }
                InsertOutcome::Wait(wait) => self.statement.wait(wait).await?,
                InsertOutcome::Duplicate(duplicate) => return Err(self.duplicate(duplicate, row)),
            }
        }
    }

    /// Inserts a row unless a row has its key in one of the arbiters (in any unique index if none
    /// are named).
    pub async fn insert_unless(&mut self, row: &[Datum], arbiters: &[IndexId]) -> Result<Inserted> {
        loop {
            match self.statement.txn.insert_unless(self.target.table, row, arbiters)? {
                InsertOutcome::Done(id) => {
                    self.queue.inserted(self.statement.txn.as_ref(), self.target, row)?;
                    return Ok(Inserted::New(id));
                }
                InsertOutcome::Wait(wait) => self.statement.wait(wait).await?,
                InsertOutcome::Duplicate(duplicate) => {
                    if arbiters.is_empty() || arbiters.contains(&duplicate.index) {
                        return Ok(Inserted::Conflict(duplicate));
                    }
                    // The arbiters came first and had nothing against the row.
                    return Err(self.duplicate(duplicate, row));
                }
            }
        }
    }

    /// Under REPEATABLE READ a conflict with a row that the transaction cannot see is an error.
    pub fn require_visible(&self, row: RowId) -> Result<()> {
        if self.statement.txn.isolation() == Isolation::ReadCommitted {
            return Ok(());
        }
        let mut out = Row::new();
        let current = self.statement.txn.current_snapshot();
        if current.get(self.target.table, row, &[], &mut out)? {
            return Ok(());
        }
        Err(Error::new(
            SqlState::SERIALIZATION_FAILURE,
            "could not serialize access due to concurrent update",
        ))
    }

    /// Locks the newest version of a row; false if the row is gone. Where the statement keeps its
    /// snapshot, a newer version than that shows is an error.
    async fn lock_newest(&mut self, row: RowId, lock: RowLock) -> Result<bool> {
        let keeps = self.statement.txn.isolation().keeps_snapshot();
        let version = if keeps { WriteTarget::Snapshot } else { WriteTarget::Newest };
        loop {
            let outcome = self.statement.txn.lock_row(
                self.statement.snapshot.as_ref(),
                self.target.table,
                row,
                version,
                lock,
            )?;
            match outcome {
                WriteOutcome::Done => return Ok(true),
                WriteOutcome::Wait(wait) => self.statement.wait(wait).await?,
                WriteOutcome::Gone => return Ok(false),
                WriteOutcome::Changed | WriteOutcome::Duplicate(_) => {
                    return Err(Error::bug("locking the newest version of a row"));
                }
            }
        }
    }

    /// Locks a row that others have changed, and reads its newest version; `None` if it is gone.
    pub async fn newest(&mut self, row: RowId, lock: RowLock) -> Result<Option<Row>> {
        if !self.lock_newest(row, lock).await? {
            return Ok(None);
        }
        self.statement.txn.newest(self.target.table, row)
    }

    /// Changes a row from `old` to `new`, which differ in `changes`.
    pub async fn update(
        &mut self,
        row: RowId,
        version: WriteTarget,
        old: &[Datum],
        new: &[Datum],
        changes: &[(usize, Datum)],
    ) -> Result<Written> {
        loop {
            let outcome = self.statement.txn.update(
                self.statement.snapshot.as_ref(),
                self.target.table,
                row,
                version,
                changes,
            )?;
            match outcome {
                WriteOutcome::Done => break,
                WriteOutcome::Wait(wait) => self.statement.wait(wait).await?,
                WriteOutcome::Changed => return Ok(Written::Changed),
                WriteOutcome::Gone => return Ok(Written::Gone),
                WriteOutcome::Duplicate(duplicate) => return Err(self.duplicate(duplicate, new)),
            }
        }
        if changes.iter().any(|(column, _)| self.target.watches(*column)) {
            self.queue.updated(self.statement.txn.as_ref(), self.target, old, new)?;
        }
        self.count += 1;
        Ok(Written::Done)
    }

    /// Deletes a row.
    pub async fn delete(
        &mut self,
        row: RowId,
        version: WriteTarget,
        old: &[Datum],
    ) -> Result<Written> {
        loop {
            let outcome = self.statement.txn.delete(
                self.statement.snapshot.as_ref(),
                self.target.table,
                row,
                version,
            )?;
            match outcome {
                WriteOutcome::Done => break,
                WriteOutcome::Wait(wait) => self.statement.wait(wait).await?,
                WriteOutcome::Changed => return Ok(Written::Changed),
                WriteOutcome::Gone => return Ok(Written::Gone),
                WriteOutcome::Duplicate(_) => return Err(Error::bug("a deletion that conflicts")),
            }
        }
        if !self.target.incoming.is_empty() {
            self.queue.deleted(self.target, old);
        }
        self.count += 1;
        Ok(Written::Done)
    }

    /// Settles foreign keys; the number of rows affected.
    pub async fn finish(mut self) -> Result<u64> {
        if !self.queue.is_empty() {
            // Boxed: settling is rare and its future large.
            Box::pin(self.queue.settle(self.statement)).await?;
        }
        Ok(self.count)
    }

    /// `23505` for a row that another one keeps out.
    pub fn duplicate(&self, duplicate: Duplicate, row: &[Datum]) -> Error {
        match self.target.unique_key(duplicate.index) {
            Some(key) => violation::unique(&self.statement.eval, self.target, key, row),
            None => Error::new(
                SqlState::UNIQUE_VIOLATION,
                "duplicate key value violates unique constraint",
            ),
        }
    }
}
