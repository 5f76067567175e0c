//! Applying row operations to blocks and to the indexes that are there already.

use std::sync::Arc;

use oxi_base::{Result, RowId, codec::Reader};
use smallvec::SmallVec;

use crate::{
    block::{Block, Rows, SLOTS, place},
    index::{IndexUse, key::Key},
    redo::{self, RowHead, RowKind},
    table::{Shape, Table},
    undo::TxnState,
};

/// Applies row operations, remembering the block of the one before.
#[derive(Default)]
pub(super) struct Applier {
    last: Option<Last>,
}

struct Last {
    table: Arc<Table>,
    shape: Arc<Shape>,
    block: Arc<Block>,
}

/// Keys of a row by index.
type Keys<'a> = SmallVec<[(&'a IndexUse, Key); 4]>;

impl Applier {
    /// Applies one operation whose values come next in `reader`; `None` if it does not fit. With
    /// an author, what was before is remembered.
    pub(super) fn apply(
        &mut self,
        table: &Arc<Table>,
        author: Option<&Arc<TxnState>>,
        head: RowHead,
        reader: &mut Reader<'_>,
    ) -> Result<Option<()>> {
        let (number, slot) = place(head.row);
        table.home.storage.relieve()?;
        let last = match &self.last {
            Some(last) if last.block.number == number && Arc::ptr_eq(&last.table, table) => last,
            _ => {
                let block = match head.kind {
                    RowKind::Insert => Some(table.restore_block(number)),
                    RowKind::Update | RowKind::Delete => table.block(number),
                };
                let Some(block) = block else { return Ok(None) };
                let last = Last { table: table.clone(), shape: table.shape(), block };
                &*self.last.insert(last)
            }
        };
        let mut rows = last.block.write()?;
        last.block.touch();
        let before = match head.kind {
            RowKind::Insert => Keys::new(),
            RowKind::Update if last.shape.indexes.is_empty() => Keys::new(),
            RowKind::Update => {
                let Some(touched) = redo::positions(*reader, &last.shape.layout) else {
                    return Ok(None);
                };
                let is_touched =
                    |entry: &&IndexUse| entry.positions.iter().any(|at| touched.contains(at));
                keys(&rows, slot, last.shape.indexes.iter().filter(is_touched))
            }
            RowKind::Delete => keys(&rows, slot, last.shape.indexes.iter()),
        };
        let changed = match author {
            None => change(&mut rows, head.kind, slot, reader),
            Some(author) => change_kept(&mut rows, head.kind, slot, author, reader),
        };
        if changed.is_none() {
            return Ok(None);
        }
        if rows.len == SLOTS && head.kind == RowKind::Insert {
            last.block.recharge(&mut rows);
        }
        let after = match head.kind {
            RowKind::Insert => keys(&rows, slot, last.shape.indexes.iter()),
            RowKind::Update => keys(&rows, slot, before.iter().map(|(entry, _)| *entry)),
            RowKind::Delete => Keys::new(),
        };
        drop(rows);
        // The states of before are still there, and so are their entries.
        let gone = if author.is_some() { Keys::new() } else { before };
        move_entries(&gone, &after, head.row)?;
        Ok(Some(()))
    }
}

/// The keys of a row as it is.
fn keys<'a>(rows: &Rows, slot: u16, entries: impl Iterator<Item = &'a IndexUse>) -> Keys<'a> {
    entries.map(|entry| (entry, entry.key(|at| rows.value(slot, at, None)).0)).collect()
}

/// Takes the entries of the row before away and adds those of the row after.
fn move_entries(before: &Keys<'_>, after: &Keys<'_>, row: RowId) -> Result<()> {
    for (number, (entry, key)) in before.iter().enumerate() {
        if after.get(number).is_none_or(|(_, new)| new != key) {
            entry.index.remove(key, row)?;
        }
    }
    for (number, (entry, key)) in after.iter().enumerate() {
        if before.get(number).is_none_or(|(_, old)| old != key) {
            entry.index.insert(key, row)?;
        }
    }
    Ok(())
}

fn change(rows: &mut Rows, kind: RowKind, slot: u16, reader: &mut Reader<'_>) -> Option<()> {
    match kind {
        RowKind::Insert => {
            if reader.varint()? != rows.columns.len() as u64 {
                return None;
            }
            rows.restore(slot, reader)
        }
        RowKind::Update => rows.restore_change(slot, reader),
        RowKind::Delete => {
            if !rows.is_live(slot) {
                return None;
            }
            rows.set_live(slot, false);
            rows.clear_values(slot);
            Some(())
        }
    }
}

/// As [`change`], leaving the older version behind the row.
fn change_kept(
    rows: &mut Rows,
    kind: RowKind,
    slot: u16,
    author: &Arc<TxnState>,
    reader: &mut Reader<'_>,
) -> Option<()> {
    match kind {
        RowKind::Insert => {
            change(rows, kind, slot, reader)?;
            rows.note_creator(slot, author);
            Some(())
        }
        RowKind::Update => rows.restore_kept_change(slot, reader, author),
        RowKind::Delete => {
            if !rows.is_live(slot) {
                return None;
            }
            rows.delete(slot, author, 0);
            Some(())
        }
    }
}
