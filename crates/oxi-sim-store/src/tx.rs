//! A transaction with the oracle beside it: each answer of the store is held against the model.

use std::{rc::Rc, sync::Arc};

use oxi_base::{IndexId, RowId, SqlState, TableId};
use oxi_model::{
    Datum, Row,
    engine::{
        Engine, IndexLayout, InsertOutcome, Isolation, RowLock, SavepointId, SequenceStep,
        Snapshot, TableLayout, TableLock, Txn, Wait, WriteOutcome, WriteTarget,
    },
};

use crate::{
    executor::pause,
    model::{Commit, Ddl, Overlay, convert},
    shared::{Shared, Stop},
};

/// The part of a transaction that a savepoint brings back.
#[derive(Clone, Default)]
struct Work {
    own: Overlay,
    ddl: Vec<Ddl>,
    /// Tables locked, and how.
    locks: Vec<(TableId, TableLock)>,
    /// Rows that nobody may delete or give another key until the end, or not change at all.
    held: Vec<Held>,
}

/// A row as it was when it was locked.
#[derive(Clone)]
struct Held {
    table: TableId,
    row: RowId,
    lock: RowLock,
    values: Row,
}

/// An open transaction.
pub(crate) struct Tx {
    pub(crate) shared: Rc<Shared>,
    pub(crate) txn: Arc<dyn Txn>,
    pub(crate) isolation: Isolation,
    work: Work,
    sequences: Vec<(u32, i64)>,
    saved: Vec<(SavepointId, Work)>,
    finished: bool,
}

impl Tx {
    pub(crate) fn begin(shared: &Rc<Shared>, isolation: Isolation) -> Self {
        Tx {
            shared: shared.clone(),
            txn: shared.store.begin(isolation),
            isolation,
            work: Work::default(),
            sequences: Vec::new(),
            saved: Vec::new(),
            finished: false,
        }
    }

    fn error<T>(&self, error: &oxi_base::Error) -> Result<T, Stop> {
        Err(self.shared.stop(error))
    }

    #[allow(clippy::unused_self, reason = "reads better at the calls")]
    pub(crate) fn violation<T>(&self, message: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::Violation(message.into()))
    }

    async fn wait(&self, wait: Wait) -> Result<(), Stop> {
        self.shared.statistics.borrow_mut().waits += 1;
        wait.await.or_else(|error| self.error(&error))
    }

    /// The newest state of a row that this transaction may write: its own, or the committed one.
    pub(crate) fn expected(&self, table: TableId, row: RowId) -> Option<Row> {
        if let Some(own) = self.work.own.get(&(table, row)) {
            return own.clone();
        }
        let model = self.shared.model.borrow();
        let state = model.head.tables.get(&table)?;
        let found = state.rows.get(&row)?;
        // The transaction may have changed the table since.
        Some(match self.own_layout(table) {
            Some(layout) => convert(found, &state.layout, &layout),
            None => found.clone(),
        })
    }

    fn own_layout(&self, table: TableId) -> Option<TableLayout> {
        self.work.ddl.iter().rev().find_map(|ddl| match ddl {
            Ddl::CreateTable(id, layout) | Ddl::AlterTable(id, layout) if *id == table => {
                Some(layout.clone())
            }
            _ => None,
        })
    }

    /// The layout that row calls use; `None` when the table is gone.
    pub(crate) fn layout(&self, table: TableId) -> Option<TableLayout> {
        self.own_layout(table).or_else(|| {
            let model = self.shared.model.borrow();
            model.head.tables.get(&table).map(|state| state.layout.clone())
        })
    }

    /// Takes a table lock; false when the table has been dropped meanwhile.
    pub(crate) async fn lock(&mut self, table: TableId, lock: TableLock) -> Result<bool, Stop> {
        loop {
            match self.txn.lock_table(table, lock) {
                Ok(None) => break,
                Ok(Some(wait)) => self.wait(wait).await?,
                Err(error) if error.code() == SqlState::UNDEFINED_TABLE => {
                    if self.shared.model.borrow().head.tables.contains_key(&table) {
                        return self.violation(format!("table {table} is not there: {error}"));
                    }
                    return Ok(false);
                }
                Err(error) => return self.error(&error),
            }
        }
        let held = |lock| self.work.locks.contains(&(table, lock));
        if keeps_writers_out(lock) && !held(lock) {
            *self.shared.model.borrow_mut().exclusive.entry(table).or_default() += 1;
        }
        if !held(lock) {
            self.work.locks.push((table, lock));
        }
        Ok(self.layout(table).is_some())
    }

    pub(crate) fn read(
        &self,
        snapshot: &dyn Snapshot,
        table: TableId,
        row: RowId,
    ) -> Result<Option<Row>, Stop> {
        let Some(layout) = self.layout(table) else { return Ok(None) };
        let columns: Vec<usize> = (0..layout.columns.len()).collect();
        let mut out = Row::new();
        match snapshot.get(table, row, &columns, &mut out) {
            Ok(true) => Ok(Some(out)),
            Ok(false) => Ok(None),
            Err(error) => self.error(&error),
        }
    }

    pub(crate) async fn insert(&mut self, table: TableId, row: Row) -> Result<Option<RowId>, Stop> {
        loop {
            match self.txn.insert(table, &row) {
                Ok(InsertOutcome::Done(id)) => {
                    if self.expected(table, id).is_some() {
                        return self.violation(format!("table {table}: row id {id} is taken"));
                    }
                    self.shared.mix(id.0);
                    self.work.own.insert((table, id), Some(row));
                    return Ok(Some(id));
                }
                Ok(InsertOutcome::Wait(wait)) => self.wait(wait).await?,
                Ok(InsertOutcome::Duplicate(duplicate)) => {
                    self.check_duplicate(table, duplicate.index, duplicate.row, &row)?;
                    return Ok(None);
                }
                Err(error) => return self.error(&error),
            }
        }
    }

    /// A row said to hold a unique key must be there and hold it.
    fn check_duplicate(
        &self,
        table: TableId,
        index: IndexId,
        holder: RowId,
        row: &Row,
    ) -> Result<(), Stop> {
        let Some(found) = self.expected(table, holder) else {
            return self.violation(format!("index {index}: duplicate {holder} does not exist"));
        };
        let Some(layout) = self.layout(table) else { return Ok(()) };
        let model = self.shared.model.borrow();
        let known = model.head.tables.get(&table).and_then(|state| state.indexes.get(&index));
        let Some(known) = known else { return Ok(()) };
        for column in &known.columns {
            let position = layout.columns.iter().position(|c| c.id == column.column);
            if position.is_some_and(|at| found[at] != row[at]) {
                let message = format!("index {index}: {found:?} is no duplicate of {row:?}");
                return Err(Stop::Violation(message));
            }
        }
        Ok(())
    }

    /// Changes a row as one statement: `None` from `compute` leaves it alone. True if changed.
    pub(crate) async fn update(
        &mut self,
        table: TableId,
        row: RowId,
        mut compute: impl FnMut(&Row) -> Option<Vec<(usize, Datum)>>,
    ) -> Result<bool, Stop> {
        let snapshot = self.txn.begin_statement();
        self.write(&*snapshot, table, row, false, &mut |this, snapshot, target, old| {
            let Some(changes) = compute(old) else { return Ok((None, None)) };
            let outcome = this.txn.update(snapshot, table, row, target, &changes);
            let mut new = old.clone();
            for (position, value) in changes {
                new[position] = value;
            }
            outcome.map(|outcome| (Some(outcome), Some(Some(new))))
        })
        .await
    }

    /// Deletes a row as one statement. True if it was there.
    pub(crate) async fn delete(
        &mut self,
        table: TableId,
        row: RowId,
        mut only_if: impl FnMut(&Row) -> bool,
    ) -> Result<bool, Stop> {
        let snapshot = self.txn.begin_statement();
        self.write(&*snapshot, table, row, false, &mut |this, snapshot, target, old| {
            if !only_if(old) {
                return Ok((None, None));
            }
            let outcome = this.txn.delete(snapshot, table, row, target)?;
            Ok((Some(outcome), Some(None)))
        })
        .await
    }

    /// Locks a row as one statement. True if it is there.
    pub(crate) async fn lock_row(
        &mut self,
        table: TableId,
        row: RowId,
        lock: RowLock,
    ) -> Result<bool, Stop> {
        let snapshot = self.txn.begin_statement();
        let done = self
            .write(
                &*snapshot,
                table,
                row,
                lock == RowLock::KeyShare,
                &mut |this, snapshot, target, _| {
                    let outcome = this.txn.lock_row(snapshot, table, row, target, lock)?;
                    Ok((Some(outcome), None))
                },
            )
            .await?;
        if done && let Some(found) = self.expected(table, row) {
            self.work.held.push(Held { table, row, lock, values: found });
        }
        Ok(done)
    }

    /// The protocol of every write: wait, re-read, call again; then the oracle's questions.
    #[allow(clippy::type_complexity, reason = "one closure, used three times above")]
    async fn write(
        &mut self,
        snapshot: &dyn Snapshot,
        table: TableId,
        row: RowId,
        key_only: bool,
        attempt: &mut dyn FnMut(
            &Tx,
            &dyn Snapshot,
            WriteTarget,
            &Row,
        )
            -> oxi_base::Result<(Option<WriteOutcome>, Option<Option<Row>>)>,
    ) -> Result<bool, Stop> {
        let mut target = WriteTarget::Snapshot;
        let Some(mut old) = self.read(snapshot, table, row)? else { return Ok(false) };
        loop {
            if target == WriteTarget::Newest {
                match self.txn.newest(table, row) {
                    Ok(Some(newest)) => old = newest,
                    Ok(None) => return self.gone(table, row),
                    Err(error) => return self.error(&error),
                }
            }
            let (outcome, new) = match attempt(self, snapshot, target, &old) {
                Ok((Some(outcome), new)) => (outcome, new),
                Ok((None, _)) => return Ok(false),
                Err(error) => return self.error(&error),
            };
            match outcome {
                WriteOutcome::Done => {
                    let expected = self.expected(table, row);
                    // A key share lock goes together with an update of other columns.
                    let found = match &expected {
                        Some(expected) if key_only => expected.first() == old.first(),
                        expected => expected.as_ref() == Some(&old),
                    };
                    if !found {
                        return self.violation(format!(
                            "table {table} row {row}: a write found {old:?}, but the newest \
                             version is {expected:?}"
                        ));
                    }
                    self.shared.mix(row.0 ^ 0x5555);
                    if let Some(new) = new {
                        self.work.own.insert((table, row), new);
                    }
                    return Ok(true);
                }
                WriteOutcome::Wait(wait) => self.wait(wait).await?,
                WriteOutcome::Changed if self.isolation.keeps_snapshot() => {
                    return self.violation("a repeatable read transaction was told to re-read");
                }
                WriteOutcome::Changed => target = WriteTarget::Newest,
                WriteOutcome::Gone => return self.gone(table, row),
                WriteOutcome::Duplicate(duplicate) => {
                    if let Some(Some(new)) = new {
                        self.check_duplicate(table, duplicate.index, duplicate.row, &new)?;
                    }
                    return Ok(false);
                }
            }
        }
    }

    fn gone(&self, table: TableId, row: RowId) -> Result<bool, Stop> {
        match self.expected(table, row) {
            None => Ok(false),
            Some(found) => {
                self.violation(format!("table {table} row {row} is said to be gone: {found:?}"))
            }
        }
    }

    pub(crate) fn savepoint(&mut self) -> SavepointId {
        let id = self.txn.savepoint();
        self.saved.push((id, self.work.clone()));
        id
    }

    pub(crate) fn rollback_to(&mut self, savepoint: SavepointId) -> Result<(), Stop> {
        if let Err(error) = self.txn.rollback_to(savepoint) {
            return self.error(&error);
        }
        if let Some(at) = self.saved.iter().position(|(id, _)| *id == savepoint) {
            self.saved.truncate(at + 1);
            let before = self.saved[at].1.clone();
            let given_back = exclusive_of(&self.work.locks[before.locks.len()..]);
            self.shared.model.borrow_mut().release(&given_back);
            self.work = before;
        }
        self.check_own()
    }

    pub(crate) fn release(&mut self, savepoint: SavepointId) {
        self.txn.release(savepoint);
        if let Some(at) = self.saved.iter().position(|(id, _)| *id == savepoint) {
            self.saved.truncate(at);
        }
    }

    /// The next statement sees exactly what this transaction wrote.
    pub(crate) fn check_own(&self) -> Result<(), Stop> {
        let snapshot = self.txn.begin_statement();
        for ((table, row), own) in self.work.own.iter().rev().take(4) {
            if self.layout(*table).is_none() {
                continue;
            }
            let seen = self.read(&*snapshot, *table, *row)?;
            if seen != *own {
                return self.violation(format!(
                    "table {table} row {row}: a transaction wrote {own:?} and reads {seen:?}"
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn sequence(&mut self, sequence: u32, step: &SequenceStep) -> Result<i64, Stop> {
        match self.txn.sequence_next(sequence, step) {
            Ok(value) => {
                self.sequences.push((sequence, value));
                Ok(value)
            }
            Err(error) => self.error(&error),
        }
    }

    pub(crate) fn create_table(&mut self, id: TableId, layout: TableLayout) -> Result<(), Stop> {
        self.done(self.txn.create_table(id, layout.clone()))?;
        self.work.ddl.push(Ddl::CreateTable(id, layout));
        Ok(())
    }

    pub(crate) fn alter_table(&mut self, id: TableId, layout: TableLayout) -> Result<(), Stop> {
        let Some(before) = self.layout(id) else { return Ok(()) };
        self.done(self.txn.alter_table(id, layout.clone()))?;
        for ((table, _), row) in &mut self.work.own {
            if *table == id
                && let Some(row) = row
            {
                *row = convert(row, &before, &layout);
            }
        }
        self.work.ddl.push(Ddl::AlterTable(id, layout));
        Ok(())
    }

    pub(crate) fn drop_table(&mut self, id: TableId) -> Result<(), Stop> {
        self.done(self.txn.drop_table(id))?;
        self.work.ddl.push(Ddl::DropTable(id));
        Ok(())
    }

    /// False when the rows are not unique.
    pub(crate) fn create_index(&mut self, id: IndexId, layout: IndexLayout) -> Result<bool, Stop> {
        match self.txn.create_index(id, layout.clone()) {
            Ok(()) => {
                self.work.ddl.push(Ddl::CreateIndex(id, layout));
                Ok(true)
            }
            Err(error) if error.code() == SqlState::UNIQUE_VIOLATION && layout.unique => Ok(false),
            Err(error) => self.error(&error),
        }
    }

    pub(crate) fn drop_index(&mut self, table: TableId, id: IndexId) -> Result<(), Stop> {
        self.done(self.txn.drop_index(id))?;
        self.work.ddl.push(Ddl::DropIndex(table, id));
        Ok(())
    }

    fn done(&self, result: oxi_base::Result<()>) -> Result<(), Stop> {
        result.or_else(|error| self.error(&error))
    }

    /// Commits; `patience` is how long others go first before this client asks for durability.
    pub(crate) async fn commit(mut self, patience: u64) -> Result<(), Stop> {
        self.check_own()?;
        for Held { table, row, lock, values } in &self.work.held {
            let now = self.expected(*table, *row);
            let changed_here = self.work.own.contains_key(&(*table, *row));
            let counts = if *lock == RowLock::KeyShare { 1 } else { values.len() };
            if !changed_here && now.as_ref().map(|row| &row[..counts]) != Some(&values[..counts]) {
                return self.violation(format!(
                    "table {table} row {row}: {lock:?} lock of {values:?}, and now it is {now:?}"
                ));
            }
        }
        let shared = self.shared.clone();
        let writes_catalog = self.work.own.keys().any(|(table, _)| *table == crate::schema::EVENTS);
        let version = shared.store.catalog_version();
        let future = match self.txn.commit() {
            Ok(future) => future,
            Err(error) => return self.error(&error),
        };
        let exclusive = exclusive_of(&self.work.locks);
        let work = std::mem::take(&mut self.work);
        let sequences = std::mem::take(&mut self.sequences);
        self.finished = true;
        let changed = !work.own.is_empty() || !work.ddl.is_empty();
        let number = if changed {
            let commit =
                Commit { rows: work.own, ddl: work.ddl, sequences: sequences.clone(), exclusive };
            let appended = shared.model.borrow_mut().append(commit);
            Some(Shared::checked(appended)?)
        } else {
            shared.model.borrow_mut().release(&exclusive);
            None
        };
        for _ in 0..patience {
            pause().await;
        }
        if let Err(error) = future.await {
            return self.error(&error);
        }
        shared.statistics.borrow_mut().acknowledged += 1;
        if writes_catalog && shared.store.catalog_version() == version {
            return self.violation("the catalog changed and its version did not");
        }
        let mut model = shared.model.borrow_mut();
        let settled = match number {
            Some(number) if shared.synchronous => model.settle(number),
            None if shared.synchronous => model.acknowledge_sequences(&sequences),
            _ => Ok(()),
        };
        Shared::checked(settled)
    }

    pub(crate) fn rollback(mut self) {
        self.end_unfinished();
        self.txn.rollback();
    }

    fn end_unfinished(&mut self) {
        if !std::mem::replace(&mut self.finished, true) {
            let exclusive = exclusive_of(&self.work.locks);
            if let Ok(mut model) = self.shared.model.try_borrow_mut() {
                model.release(&exclusive);
            }
        }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.end_unfinished();
    }
}

fn exclusive_of(locks: &[(TableId, TableLock)]) -> Vec<TableId> {
    let exclusive = locks.iter().filter(|(_, lock)| keeps_writers_out(*lock));
    exclusive.map(|(table, _)| *table).collect()
}

fn keeps_writers_out(lock: TableLock) -> bool {
    lock.conflicts(TableLock::RowExclusive)
}
