//! Inserting, changing, deleting and locking rows.
//!
//! The order is always: the row first, under its block's latch, then the index entries; an
//! obstacle met at an index takes the row's change back. So an index never misses an entry of a
//! state that somebody may see, and whoever finds an entry finds the row's writer.

use std::{borrow::Borrow, ops::Range, sync::Arc};

use arrow_array::RecordBatch;
use oxi_base::{Error, IndexId, Result, RowId, SqlState, TableId};
use oxi_model::{
    Datum,
    array::TypedArray,
    engine::{Duplicate, InsertOutcome, RowLock, Snapshot, Txn, WriteOutcome, WriteTarget},
};
use smallvec::SmallVec;

use super::{Transaction, UndoEntry, Work};
use crate::{
    block::{Access, Block, Rows, SLOTS, VERSION_BYTES, row_id},
    collect::has_key,
    index::{IndexUse, key::Key},
    redo,
    snapshot::StoreSnapshot,
    table::{Shape, Table},
    undo::{Before, Sight, TxnState},
};

/// What stands in the way of a unique key.
pub(super) enum Obstacle {
    Active(Arc<TxnState>),
    Duplicate(Duplicate),
}

impl Transaction {
    pub(super) fn insert_row(
        &self,
        work: &mut Work,
        table: &Arc<Table>,
        shape: &Shape,
        row: &[Datum],
        arbiters: &[IndexId],
    ) -> Result<InsertOutcome> {
        let command = self.command();
        let (block, slot) = table.with_open_block(|block| {
            let mut rows = block.write()?;
            let Some(slot) = rows.append(row.iter(), &self.state, command) else {
                block.recharge(&mut rows);
                return Ok(None);
            };
            block.touch();
            Ok(Some((block.clone(), slot)))
        })?;
        let id = row_id(block.number, slot);
        match self.place_row(table, shape, id, arbiters, |position| &row[position]) {
            Ok(None) => {}
            Ok(Some(obstacle)) => {
                self.take_back(shape, &block, slot)?;
                return Ok(self.insert_outcome(obstacle));
            }
            Err(error) => {
                self.take_back(shape, &block, slot)?;
                return Err(error);
            }
        }
        redo::put_insert(&mut work.redo.bytes, table.id, id, row.iter());
        note_inserted(work, table, shape, block, slot..slot + 1);
        Ok(InsertOutcome::Done(id))
    }

    pub(super) fn insert_rows(
        &self,
        work: &mut Work,
        table: &Arc<Table>,
        batch: &RecordBatch,
        from: usize,
    ) -> Result<(usize, Option<InsertOutcome>)> {
        let shape = table.shape();
        if batch.num_columns() != shape.layout.columns.len() {
            return Err(Error::bug("batch with another number of columns than the table"));
        }
        let columns = batch.columns().iter().zip(&shape.layout.columns);
        let arrays = columns
            .map(|(array, column)| TypedArray::new(array.as_ref(), &column.physical))
            .collect::<Result<Vec<_>>>()?;
        let mut next = from;
        while next < batch.num_rows() {
            let (done, obstacle) = self.insert_run(work, table, &shape, &arrays, next)?;
            next += done;
            self.stream(work)?;
            if obstacle.is_some() {
                return Ok((next - from, obstacle));
            }
        }
        Ok((next - from, None))
    }

    /// Inserts as many rows of the arrays, from `from` on, as one block takes; how many they were
    /// and what stopped it.
    fn insert_run(
        &self,
        work: &mut Work,
        table: &Arc<Table>,
        shape: &Shape,
        arrays: &[TypedArray<'_>],
        from: usize,
    ) -> Result<(usize, Option<InsertOutcome>)> {
        if arrays.is_empty() {
            // A table without columns has rows all the same.
            return Ok(match self.insert_row(work, table, shape, &[], &[])? {
                InsertOutcome::Done(_) => (1, None),
                other => (0, Some(other)),
            });
        }
        let command = self.command();
        let (block, start, end) = table.with_open_block(|block| {
            let mut rows = block.write()?;
            let appended = rows.append_rows(arrays, from, &self.state, command);
            block.recharge(&mut rows);
            block.touch();
            Ok(appended.map(|(start, count)| (block.clone(), start, start + count)))
        })?;
        let mut placed = start;
        let mut stopped = Ok(None);
        while placed < end && matches!(stopped, Ok(None)) {
            let row = from + usize::from(placed - start);
            // What cannot be decoded was never written, and reads as NULL.
            let value = |position: usize| arrays[position].datum(row).unwrap_or(Datum::Null);
            stopped = self.place_row(table, shape, row_id(block.number, placed), &[], value);
            placed += u16::from(matches!(stopped, Ok(None)));
        }
        for slot in (placed..end).rev() {
            self.take_back(shape, &block, slot)?;
        }
        for slot in start..placed {
            let row = from + usize::from(slot - start);
            let id = row_id(block.number, slot);
            redo::put_insert_at(&mut work.redo.bytes, table.id, id, arrays, row);
        }
        note_inserted(work, table, shape, block, start..placed);
        let stopped = stopped?.map(|obstacle| self.insert_outcome(obstacle));
        Ok((usize::from(placed - start), stopped))
    }

    /// The outcome of a change whose key met an obstacle.
    fn write_outcome(&self, obstacle: Obstacle) -> WriteOutcome {
        match obstacle {
            Obstacle::Active(state) => WriteOutcome::Wait(self.wait_for(state)),
            Obstacle::Duplicate(duplicate) => WriteOutcome::Duplicate(duplicate),
        }
    }

    /// Takes back the newest change of a row, with the entries of the keys it brought.
    fn take_back_change(
        &self,
        block: &Block,
        slot: u16,
        entries: &[(&IndexUse, Key, bool)],
    ) -> Result<()> {
        let mut rows = block.write().map_err(|error| self.core.fail(error))?;
        rows.undo(slot, &self.state);
        for (entry, key, _) in entries {
            // An older version of the row may have the key as well.
            if !has_key(&rows, entry, slot, key) {
                let removed = entry.index.remove(key, row_id(block.number, slot));
                removed.map_err(|error| self.core.fail(error))?;
            }
        }
        Ok(())
    }

    /// Takes back a row that met an obstacle, with the entries made for it: its own, and those of
    /// whoever builds an index beside it and has seen the row. A failure leaves it behind, which
    /// only a restart can mend.
    fn take_back(&self, shape: &Shape, block: &Block, slot: u16) -> Result<()> {
        let mut rows = block.write().map_err(|error| self.core.fail(error))?;
        let row = row_id(block.number, slot);
        for entry in &shape.indexes {
            let (key, _) = entry.key(|position| rows.value(slot, position, None));
            entry.index.remove(&key, row).map_err(|error| self.core.fail(error))?;
        }
        rows.remove_inserted(slot);
        Ok(())
    }

    /// Adds the index entries of an inserted row, those of some indexes first; what is in the way
    /// (the caller takes them back).
    pub(super) fn place_row<D: Borrow<Datum>>(
        &self,
        table: &Table,
        shape: &Shape,
        row: RowId,
        first: &[IndexId],
        mut value: impl FnMut(usize) -> D,
    ) -> Result<Option<Obstacle>> {
        let is_first = |entry: &&IndexUse| first.contains(&entry.index.id);
        let others = shape.indexes.iter().filter(|entry| !is_first(entry));
        for entry in shape.indexes.iter().filter(is_first).chain(others) {
            let (key, null) = entry.key(&mut value);
            if let Err(obstacle) = self.place_key(table, entry, &key, null, row)? {
                return Ok(Some(obstacle));
            }
        }
        Ok(None)
    }

    fn insert_outcome(&self, obstacle: Obstacle) -> InsertOutcome {
        match obstacle {
            Obstacle::Active(state) => InsertOutcome::Wait(self.wait_for(state)),
            Obstacle::Duplicate(duplicate) => InsertOutcome::Duplicate(duplicate),
        }
    }

    pub(super) fn update_row(
        &self,
        work: &mut Work,
        snapshot: &dyn Snapshot,
        table: TableId,
        row: RowId,
        target: WriteTarget,
        changes: &[(usize, Datum)],
    ) -> Result<WriteOutcome> {
        let table = self.core.table(table)?;
        let shape = table.shape();
        for (position, value) in changes {
            shape.check_value(*position, value)?;
        }
        let Some((block, slot)) = table.locate(row) else { return Ok(WriteOutcome::Gone) };
        let sight = self.sight_of(snapshot)?;
        let mut entries: SmallVec<[(&IndexUse, Key, bool); 4]> = SmallVec::new();
        {
            let mut rows = block.write()?;
            // To the row itself the weaker of an update's two locks says as much as the stronger.
            let newest = target == WriteTarget::Newest;
            let access = rows.access(slot, &sight, newest, RowLock::NoKeyUpdate);
            if let Some(outcome) = self.refused(access)? {
                return Ok(outcome);
            }
            let key = changes.iter().any(|(position, value)| {
                shape.key[*position] && rows.columns[*position].get(slot.into()) != *value
            });
            let lock = if key { RowLock::Update } else { RowLock::NoKeyUpdate };
            if let Some(wait) = self.shared_with(&table, row, lock) {
                return Ok(wait);
            }
            for entry in &shape.indexes {
                if !changes.iter().any(|(position, _)| entry.positions.contains(position)) {
                    continue;
                }
                let old = entry.key(|position| rows.value(slot, position, None)).0;
                let (new, null) = entry.key(|position| {
                    match changes.iter().rev().find(|(changed, _)| *changed == position) {
                        Some((_, value)) => value.clone(),
                        None => rows.value(slot, position, None),
                    }
                });
                if new != old {
                    entries.push((entry, new, null));
                }
            }
            block.touch();
            rows.update(slot, &self.state, self.command(), changes, key);
            block.charge(&mut rows, VERSION_BYTES);
        }
        for (entry, key, null) in &entries {
            let placed = self.place_key(&table, entry, key, *null, row);
            if matches!(placed, Ok(Ok(()))) {
                continue;
            }
            self.take_back_change(&block, slot, &entries)?;
            return placed.map(|placed| match placed {
                Ok(()) => WriteOutcome::Done,
                Err(obstacle) => self.write_outcome(obstacle),
            });
        }
        redo::put_update(&mut work.redo.bytes, table.id, row, changes);
        work.catalog |= shape.layout.catalog;
        work.undo.push(UndoEntry::Change { table, block, slot, deleted: false });
        Ok(WriteOutcome::Done)
    }

    pub(super) fn delete_row(
        &self,
        work: &mut Work,
        snapshot: &dyn Snapshot,
        table: TableId,
        row: RowId,
        target: WriteTarget,
    ) -> Result<WriteOutcome> {
        let table = self.core.table(table)?;
        let Some((block, slot)) = table.locate(row) else { return Ok(WriteOutcome::Gone) };
        let sight = self.sight_of(snapshot)?;
        {
            let mut rows = block.write()?;
            let newest = target == WriteTarget::Newest;
            let access = rows.access(slot, &sight, newest, RowLock::Update);
            if let Some(outcome) = self.refused(access)? {
                return Ok(outcome);
            }
            if let Some(wait) = self.shared_with(&table, row, RowLock::Update) {
                return Ok(wait);
            }
            block.touch();
            rows.delete(slot, &self.state, self.command());
            block.charge(&mut rows, VERSION_BYTES);
        }
        redo::put_delete(&mut work.redo.bytes, table.id, row);
        work.catalog |= table.shape().layout.catalog;
        table.count_rows(-1);
        work.undo.push(UndoEntry::Change { table, block, slot, deleted: true });
        Ok(WriteOutcome::Done)
    }

    pub(super) fn lock_one(
        &self,
        work: &mut Work,
        snapshot: &dyn Snapshot,
        table: TableId,
        row: RowId,
        target: WriteTarget,
        lock: RowLock,
    ) -> Result<WriteOutcome> {
        let table = self.core.table(table)?;
        let Some((block, slot)) = table.locate(row) else { return Ok(WriteOutcome::Gone) };
        let sight = self.sight_of(snapshot)?;
        let newest = target == WriteTarget::Newest;
        if lock.is_shared() {
            let rows = block.read()?;
            if let Some(outcome) = self.refused(rows.access(slot, &sight, newest, lock))? {
                return Ok(outcome);
            }
            if rows.holds(slot, &self.state, lock) {
                return Ok(WriteOutcome::Done);
            }
            // Under the latch, so that no writer passes between the look and the lock.
            let taken = self.core.shared_rows.add(table.id, row, &self.state, lock);
            work.shared_rows.extend(taken);
            return Ok(WriteOutcome::Done);
        }
        let mut rows = block.write()?;
        if let Some(outcome) = self.refused(rows.access(slot, &sight, newest, lock))? {
            return Ok(outcome);
        }
        if rows.holds(slot, &self.state, lock) {
            return Ok(WriteOutcome::Done);
        }
        if let Some(wait) = self.shared_with(&table, row, lock) {
            return Ok(wait);
        }
        rows.lock(slot, &self.state, self.command(), lock);
        drop(rows);
        work.undo.push(UndoEntry::Change { table, block, slot, deleted: false });
        Ok(WriteOutcome::Done)
    }

    /// What to wait for if another transaction's shared lock is in the way of holding a row this
    /// strongly. The caller holds the latch of the row's block.
    fn shared_with(&self, table: &Table, row: RowId, lock: RowLock) -> Option<WriteOutcome> {
        let holder = self.core.shared_rows.holder(table.id, row, &self.state, lock)?;
        Some(WriteOutcome::Wait(self.wait_for(holder)))
    }

    fn sight_of<'a>(&'a self, snapshot: &dyn Snapshot) -> Result<Sight<'a>> {
        let snapshot = snapshot
            .as_any()
            .downcast_ref::<StoreSnapshot>()
            .filter(|snapshot| Arc::ptr_eq(&snapshot.own, &self.state))
            .ok_or_else(|| Error::bug("write with a snapshot of another transaction"))?;
        let Sight { ts, command, .. } = snapshot.sight();
        Ok(Sight { ts, own: Some(&self.state), command })
    }

    /// The outcome of a write that may not go ahead.
    fn refused(&self, access: Access) -> Result<Option<WriteOutcome>> {
        let strict = self.isolation().keeps_snapshot();
        let failure = |what: &str| {
            Error::new(
                SqlState::SERIALIZATION_FAILURE,
                format!("could not serialize access due to concurrent {what}"),
            )
        };
        Ok(Some(match access {
            Access::Free => return Ok(None),
            Access::Wait(state) => WriteOutcome::Wait(self.wait_for(state)),
            Access::Changed if strict => return Err(failure("update")),
            Access::Deleted if strict => return Err(failure("delete")),
            Access::Changed => WriteOutcome::Changed,
            Access::Deleted | Access::Gone => WriteOutcome::Gone,
        }))
    }

    /// Adds an index entry unless a unique key is taken.
    fn place_key(
        &self,
        table: &Table,
        entry: &IndexUse,
        key: &Key,
        has_null: bool,
        row: RowId,
    ) -> Result<std::result::Result<(), Obstacle>> {
        let index = &entry.index;
        if !index.checks(has_null) {
            index.insert(key, row)?;
            return Ok(Ok(()));
        }
        let _stripe = index.stripe(key);
        for other in index.rows_of(key)? {
            if other != row
                && let Some(obstacle) = self.obstacle(table, entry, key, other)?
            {
                // That the key is taken is something the transaction now knows.
                if matches!(obstacle, Obstacle::Duplicate(_)) && self.reads().is_some() {
                    self.note_taken(table, index.id, key, other)?;
                }
                return Ok(Err(obstacle));
            }
        }
        index.insert(key, row)?;
        Ok(Ok(()))
    }

    /// Whether another row holds the key, or may come to hold it.
    fn obstacle(
        &self,
        table: &Table,
        entry: &IndexUse,
        key: &Key,
        other: RowId,
    ) -> Result<Option<Obstacle>> {
        let Some((block, slot)) = table.locate(other) else { return Ok(None) };
        let rows = block.read()?;
        let (owner, live) = rows.newest_owner(slot);
        let foreign = owner.filter(|owner| !Arc::ptr_eq(owner, &self.state));
        if live && entry.key(|position| rows.value(slot, position, None)).0 == *key {
            return Ok(Some(match foreign {
                Some(owner) => Obstacle::Active(owner.clone()),
                None => Obstacle::Duplicate(Duplicate { index: entry.index.id, row: other }),
            }));
        }
        // A foreign transaction took the key away; its rollback, or one to a savepoint, would bring
        // it back.
        let Some(owner) = foreign else { return Ok(None) };
        let held = has_key(&rows, entry, slot, key);
        Ok(held.then(|| Obstacle::Active(owner.clone())))
    }
}

/// Notes rows that are there now.
pub(super) fn note_inserted(
    work: &mut Work,
    table: &Arc<Table>,
    shape: &Shape,
    block: Arc<Block>,
    slots: Range<u16>,
) {
    work.catalog |= shape.layout.catalog;
    table.count_rows(slots.len() as isize);
    let sealed = work.undo.len() == work.sealed;
    match work.undo.last_mut() {
        Some(UndoEntry::Insert { block: last, end, .. })
            if !sealed && *end == slots.start && Arc::ptr_eq(last, &block) =>
        {
            *end = slots.end;
        }
        _ if slots.is_empty() => {}
        _ => work.undo.push(UndoEntry::Insert {
            table: table.clone(),
            block,
            start: slots.start,
            end: slots.end,
        }),
    }
}

/// Takes an inserted row back.
pub(super) fn undo_insert(table: &Table, block: &Arc<Block>, slot: u16) -> Result<()> {
    let shape = table.shape();
    let mut rows = block.write()?;
    let row = row_id(block.number, slot);
    for entry in &shape.indexes {
        let (key, _) = entry.key(|position| rows.value(slot, position, None));
        entry.index.remove(&key, row)?;
    }
    rows.remove_inserted(slot);
    block.touch();
    table.count_rows(-1);
    drop_if_dead(table, block, &rows);
    Ok(())
}

fn drop_if_dead(table: &Table, block: &Arc<Block>, rows: &Rows) {
    if rows.len == SLOTS && rows.dead == SLOTS {
        table.drop_block(block.number);
    }
}

/// Takes the newest version of a row back, with the index entries only it needed.
pub(super) fn undo_change(
    table: &Table,
    block: &Arc<Block>,
    slot: u16,
    state: &Arc<TxnState>,
) -> Result<()> {
    let shape = table.shape();
    let mut rows = block.write()?;
    let row = row_id(block.number, slot);
    let mut keys: SmallVec<[(&IndexUse, Key); 4]> = SmallVec::new();
    if let Some(version) = rows.chain(slot)
        && let Before::Columns { values, .. } = &version.before
    {
        for entry in &shape.indexes {
            let touched = |(id, _): &(_, _)| {
                entry.index.layout.columns.iter().any(|column| column.column == *id)
            };
            if values.iter().any(touched) {
                keys.push((entry, entry.key(|position| rows.value(slot, position, None)).0));
            }
        }
    }
    if !rows.undo(slot, state) {
        return Ok(());
    }
    block.touch();
    for (entry, key) in keys {
        if !has_key(&rows, entry, slot, &key) {
            entry.index.remove(&key, row)?;
        }
    }
    Ok(())
}
