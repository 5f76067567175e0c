//! Applying row operations to blocks.

use std::sync::Arc;

use oxi_base::{Result, codec::Reader};

use crate::{
    block::{Block, Rows, SLOTS, place},
    redo::{RowHead, RowKind},
    table::Table,
};

/// Applies row operations, remembering the block of the one before.
#[derive(Default)]
pub(super) struct Applier {
    last: Option<(Arc<Table>, Arc<Block>)>,
}

impl Applier {
    /// Applies one operation whose values come next in `reader`; `None` if it does not fit.
    pub(super) fn apply(
        &mut self,
        table: &Arc<Table>,
        head: RowHead,
        reader: &mut Reader<'_>,
    ) -> Result<Option<()>> {
        let (number, slot) = place(head.row);
        table.home.storage.relieve()?;
        let block = match &self.last {
            Some((known, block)) if block.number == number && Arc::ptr_eq(known, table) => block,
            _ => {
                let block = match head.kind {
                    RowKind::Insert => table.restore_block(number),
                    RowKind::Update | RowKind::Delete => {
                        let Some(block) = table.block(number) else { return Ok(None) };
                        block
                    }
                };
                &self.last.insert((table.clone(), block)).1
            }
        };
        let mut rows = block.write()?;
        block.touch();
        let is_applied = change(&mut rows, head.kind, slot, reader);
        if rows.len == SLOTS && head.kind == RowKind::Insert {
            block.recharge(&mut rows);
        }
        Ok(is_applied)
    }
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
