//! Deferrable uniqueness: equal keys are let in, and looked for when the constraint is due.

use std::sync::Arc;

use oxi_base::{Error, IndexId, Result, RowId};
use oxi_model::{Datum, engine::KeyCheck};

use super::Transaction;
use crate::{
    collect::has_key,
    index::{IndexUse, key::Key},
    table::Table,
    undo::TxnState,
};

/// How a row stands to a key, seen by a transaction that has written the key.
enum Holder {
    /// It has the key, by this transaction's doing.
    Own,
    /// It has the key, and that is committed.
    Other,
    /// It has the key or will have it again, depending on how this transaction ends.
    Perhaps(Arc<TxnState>),
    /// Another key, or no row any more.
    None,
}

impl Transaction {
    /// See [`oxi_model::engine::Txn::check_unique`].
    pub(super) fn check_key(&self, index: IndexId, key: &[Datum]) -> Result<KeyCheck> {
        drop(self.running()?);
        let (index, table) = self.core.index_with_table(index)?;
        if key.len() != index.layout.columns.len() {
            return Err(Error::bug("a check of a part of a key"));
        }
        let shape = table.shape();
        let entry = shape
            .indexes
            .iter()
            .find(|entry| entry.index.id == index.id)
            .ok_or_else(|| Error::bug("a check by an index whose column is gone"))?;
        let key = index.key(|number| &key[number]).0;
        let (mut own, mut others, mut active) = (0, 0, None);
        for row in index.rows_of(&key)? {
            match self.holder(&table, entry, &key, row)? {
                Holder::Own => own += 1,
                Holder::Other => others += 1,
                Holder::Perhaps(state) => active = Some(state),
                Holder::None => {}
            }
        }
        Ok(match active {
            // The row that was to be checked has gone or got another key since.
            _ if own == 0 => KeyCheck::Unique,
            _ if own + others > 1 => KeyCheck::Twice,
            Some(state) => KeyCheck::Wait(self.wait_for(state)),
            None => KeyCheck::Unique,
        })
    }

    fn holder(&self, table: &Table, entry: &IndexUse, key: &Key, row: RowId) -> Result<Holder> {
        let Some((block, slot)) = table.locate(row) else { return Ok(Holder::None) };
        let rows = block.read()?;
        let (owner, is_live) = rows.newest_owner(slot);
        let has_it = is_live && entry.key(|position| rows.value(slot, position, None)).0 == *key;
        Ok(match owner {
            Some(owner) if Arc::ptr_eq(owner, &self.state) => {
                if has_it {
                    Holder::Own
                } else {
                    Holder::None
                }
            }
            Some(owner) if has_it || has_key(&rows, entry, slot, key) => {
                Holder::Perhaps(owner.clone())
            }
            None if has_it => Holder::Other,
            _ => Holder::None,
        })
    }
}
