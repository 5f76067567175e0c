//! Indexes built beside their table's writers: attached empty, then filled from the rows there are.
//!
//! Whoever begins after an index is attached makes its entries. The builder waits for everybody who
//! began before, and makes the entries of all states it finds, each under its block's latch, so
//! that none is made for a state that has just been taken away.

use std::{ops::Bound, sync::Arc};

use oxi_base::{Error, IndexId, Result, RowId, Ts};
use oxi_model::{
    Datum,
    engine::{KeyRange, TableLock, Wait},
};

use super::Transaction;
use crate::{
    block::{Overlay, Rows, SLOTS, Seen, row_id},
    engine::Core,
    index::{Index, IndexUse, build::not_unique, key::Key},
    lock::wait,
    table::Table,
    undo::Sight,
};

const EVERYTHING: KeyRange =
    KeyRange { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse: false };

/// Slots whose entries are made under one hold of their block's latch: leaves of the index may have
/// to be read from the disk meanwhile, and writers wait.
const SLOTS_AT_ONCE: usize = 32;

impl Transaction {
    /// See [`oxi_model::engine::Txn::others_ended`].
    pub(super) fn others_of(&self, table: &Table, lock: TableLock) -> Wait {
        let (waits, own) = (self.core.waits.clone(), self.state.clone());
        let mut others = table.locks.holders(lock);
        others.retain(|other| other.party() != self.state.party());
        Box::pin(async move {
            for other in others {
                while other.is_active() {
                    wait::wait_for(&waits, &own, other.clone()).await?;
                }
            }
            Ok(())
        })
    }
}

/// Makes the entries of all states of a slot.
fn enter(rows: &Rows, entry: &IndexUse, block: u64, slot: u16) -> Result<()> {
    if !rows.is_live(slot) && rows.chain(slot).is_none() {
        return Ok(());
    }
    let mut inserted = Ok(());
    rows.each_state(slot, |overlay| {
        let value = |position| rows.value(slot, position, Some(overlay));
        if inserted.is_ok() {
            inserted = entry.index.insert(&entry.key(value).0, row_id(block, slot)).map(drop);
        }
    });
    inserted
}

fn use_of(table: &Table, index: &Arc<Index>) -> Result<IndexUse> {
    let layout = &table.shape().layout;
    IndexUse::new(index.clone(), layout).ok_or_else(|| Error::bug("an index without its column"))
}

impl Core {
    /// See [`oxi_model::engine::Engine::fill_index`].
    pub(crate) fn fill_index(&self, id: IndexId) -> Result<()> {
        let (index, table) = self.index_with_table(id)?;
        let entry = use_of(&table, &index)?;
        // A collection that is under way may not know the index; the next one does.
        drop(self.collecting.lock());
        for block in table.blocks() {
            for start in (0..SLOTS).step_by(SLOTS_AT_ONCE) {
                self.storage.relieve()?;
                let rows = block.read()?;
                let end = rows.len.min(start + SLOTS_AT_ONCE);
                for slot in start..end {
                    enter(&rows, &entry, block.number, slot as u16)?;
                }
            }
        }
        index.completed();
        Ok(())
    }

    /// See [`oxi_model::engine::Engine::enforce_unique`].
    pub(crate) fn enforce_unique(&self, id: IndexId) -> Result<()> {
        self.index(id)?.enforce(true);
        Ok(())
    }

    /// See [`oxi_model::engine::Engine::verify_unique`].
    pub(crate) fn verify_unique(&self, id: IndexId) -> Result<()> {
        let (index, table) = self.index_with_table(id)?;
        let entry = use_of(&table, &index)?;
        let mut before: Option<Key> = None;
        let verified = index.visit(&EVERYTHING, |key, row| {
            let Some(values) = committed_values(&table, &entry, key, row)? else { return Ok(true) };
            if before.as_ref() == Some(key) {
                return Err(not_unique(&values));
            }
            before = Some(key.clone());
            Ok(true)
        });
        if verified.is_err() {
            index.enforce(false);
        }
        verified
    }
}

/// The key's values, if the row as it was last committed has this key and must not share it.
fn committed_values(
    table: &Table,
    entry: &IndexUse,
    key: &Key,
    row: RowId,
) -> Result<Option<Vec<Datum>>> {
    let Some((block, slot)) = table.locate(row) else { return Ok(None) };
    let rows = block.read()?;
    let overlay = match rows.see(slot, &Sight::committed(Ts(u64::MAX - 1))) {
        Seen::No => return Ok(None),
        Seen::InPlace => Overlay::new(),
        Seen::Older(overlay) => overlay,
    };
    let value = |position| rows.value(slot, position, Some(&overlay));
    let (now, null) = entry.key(value);
    let counts = now == *key && entry.index.checks(null);
    Ok(counts.then(|| entry.positions.iter().map(|position| value(*position)).collect()))
}
