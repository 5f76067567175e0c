//! Filling an index from the rows of its table.

use std::{ops::Bound, sync::Arc};

use oxi_base::{Error, Result, RowId, SqlState};
use oxi_model::{Datum, engine::KeyRange};

use super::{Index, IndexUse, key::Key};
use crate::{
    block::{Overlay, Seen, row_id},
    table::Table,
    undo::Sight,
};

/// Entries that are gathered and sorted at once when memory is limited.
const RUN: usize = 1 << 19;

/// Fills an index from every state that the table's rows still have; checks uniqueness among the
/// rows that `sight` sees.
pub(crate) fn build(table: &Table, mut index: Index, sight: &Sight<'_>) -> Result<Arc<Index>> {
    let storage = &table.home.storage;
    let shape = table.shape();
    let columns = index.layout.columns.iter();
    let positions: Vec<usize> = columns
        .map(|column| shape.position(column.column))
        .collect::<Option<_>>()
        .ok_or_else(|| Error::bug("index on a column that is not there"))?;
    let mut entries: Vec<(Key, u64)> = Vec::new();
    let mut has_runs = false;
    for block in table.blocks() {
        storage.relieve()?;
        let rows = block.read()?;
        for slot in 0..rows.len as u16 {
            if !rows.is_live(slot) && rows.chain(slot).is_none() {
                continue;
            }
            let row = row_id(block.number, slot).0;
            rows.each_state(slot, |overlay| {
                let value = |number: usize| rows.value(slot, positions[number], Some(overlay));
                entries.push((index.key(value).0, row));
            });
        }
        drop(rows);
        if storage.is_limited() && entries.len() >= RUN {
            index.insert_run(&mut entries)?;
            has_runs = true;
        }
    }
    if has_runs {
        index.insert_run(&mut entries)?;
    } else {
        index.fill(entries);
    }
    let index = Arc::new(index);
    if index.layout.unique {
        let entry = IndexUse::new(index.clone(), &shape.layout)
            .ok_or_else(|| Error::bug("index on a column that is not there"))?;
        check_unique(table, &entry, sight)?;
    }
    Ok(index)
}

impl Index {
    /// Inserts entries in their order, so that leaves come and go once.
    fn insert_run(&self, entries: &mut Vec<(Key, u64)>) -> Result<()> {
        entries.sort_unstable();
        for (number, (key, row)) in entries.drain(..).enumerate() {
            if number.is_multiple_of(1024) {
                self.shelf.storage.relieve()?;
            }
            self.insert(&key, RowId(row))?;
        }
        Ok(())
    }
}

/// Neighbouring entries of one key.
struct Group {
    key: Key,
    /// The first row, as long as nobody asked whether it is seen.
    first: Option<RowId>,
    /// A row that is seen and has the key.
    holder: Option<RowId>,
}

/// Refuses two rows that `sight` sees with one key.
fn check_unique(table: &Table, entry: &IndexUse, sight: &Sight<'_>) -> Result<()> {
    let everything = KeyRange { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse: false };
    let mut group: Option<Group> = None;
    entry.index.visit(&everything, |key, row| {
        match &mut group {
            Some(group) if group.key == *key => {
                if let Some(first) = group.first.take()
                    && holds(table, entry, sight, key, first)?
                {
                    group.holder = Some(first);
                }
                if holds(table, entry, sight, key, row)? {
                    if group.holder.is_some_and(|holder| holder != row) {
                        return Err(row_not_unique(table, entry, row));
                    }
                    group.holder = Some(row);
                }
            }
            _ => group = Some(Group { key: key.clone(), first: Some(row), holder: None }),
        }
        Ok(true)
    })
}

/// Whether `sight` sees the row with this key, and nobody else may have it.
fn holds(
    table: &Table,
    entry: &IndexUse,
    sight: &Sight<'_>,
    key: &Key,
    row: RowId,
) -> Result<bool> {
    let Some((block, slot)) = table.locate(row) else { return Ok(false) };
    let rows = block.read()?;
    let overlay = match rows.see(slot, sight) {
        Seen::No => return Ok(false),
        Seen::InPlace => Overlay::new(),
        Seen::Older(overlay) => overlay,
    };
    let (found, null) = entry.key(|position| rows.value(slot, position, Some(&overlay)));
    Ok(found == *key && entry.index.checks(null))
}

fn row_not_unique(table: &Table, entry: &IndexUse, row: RowId) -> Error {
    let values = table.locate(row).and_then(|(block, slot)| {
        let rows = block.read().ok()?;
        Some(entry.positions.iter().map(|p| rows.value(slot, *p, None)).collect::<Vec<_>>())
    });
    not_unique(&values.unwrap_or_default())
}

/// The error of a key that several rows have.
pub(crate) fn not_unique(values: &[Datum]) -> Error {
    let values: Vec<String> = values.iter().map(show).collect();
    Error::new(SqlState::UNIQUE_VIOLATION, "could not create unique index")
        .with_detail(format!("Key ({}) is duplicated.", values.join(", ")))
}

/// A value for a message; types that need their SQL meaning are shown as they lie in storage.
fn show(datum: &Datum) -> String {
    match datum {
        Datum::Null => "null".to_owned(),
        Datum::Bool(value) => if *value { "t" } else { "f" }.to_owned(),
        Datum::Int16(value) => value.to_string(),
        Datum::Int32(value) => value.to_string(),
        Datum::Int64(value) => value.to_string(),
        Datum::UInt32(value) => value.to_string(),
        Datum::Float32(value) => value.to_string(),
        Datum::Float64(value) => value.to_string(),
        Datum::Text(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}
