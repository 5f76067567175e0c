//! Tables and indexes coming, changing and going, within a transaction.

use std::sync::Arc;

use oxi_base::{Error, IndexId, Result, SqlState, TableId};
use oxi_model::{
    Datum,
    engine::{IndexLayout, TableLayout},
};

use super::{Transaction, UndoEntry, Work};
use crate::{
    block::{Seen, row_id},
    commit::DropAction,
    index::{Index, key::Key},
    redo,
    table::Table,
};

impl Transaction {
    pub(super) fn create_table_storage(
        &self,
        work: &mut Work,
        id: TableId,
        layout: TableLayout,
    ) -> Result<()> {
        check_layout(&layout)?;
        redo::put_create_table(&mut work.redo.bytes, id, &layout);
        let table = Arc::new(Table::new(id, layout, self.state.clone()));
        if self.core.tables.write().insert(id, table).is_some() {
            return Err(Error::bug(format!("table storage {id} exists already")));
        }
        work.undo.push(UndoEntry::CreateTable(id));
        Ok(())
    }

    pub(super) fn alter_table_storage(
        &self,
        work: &mut Work,
        id: TableId,
        layout: TableLayout,
    ) -> Result<()> {
        check_layout(&layout)?;
        let table = self.core.table(id)?;
        let before = table.shape().layout.clone();
        redo::put_alter_table(&mut work.redo.bytes, id, &layout);
        table.set_layout(layout, &self.state);
        work.undo.push(UndoEntry::AlterTable { table, before: Box::new(before) });
        work.drops.push(DropAction::Columns(id));
        Ok(())
    }

    pub(super) fn drop_table_storage(&self, work: &mut Work, id: TableId) -> Result<()> {
        self.core.table(id)?;
        redo::put_drop_table(&mut work.redo.bytes, id);
        work.drops.push(DropAction::Table(id));
        Ok(())
    }

    pub(super) fn drop_index_storage(&self, work: &mut Work, id: IndexId) -> Result<()> {
        let index = self.core.index(id)?;
        redo::put_drop_index(&mut work.redo.bytes, id);
        if index.is_enforced() {
            // The transaction's own next rows need not be unique any more.
            index.enforce(false);
            work.undo.push(UndoEntry::DropIndex(index));
        }
        work.drops.push(DropAction::Index(id));
        Ok(())
    }

    pub(super) fn create_index_storage(
        &self,
        work: &mut Work,
        id: IndexId,
        layout: IndexLayout,
    ) -> Result<()> {
        let table = self.core.table(layout.table)?;
        let shape = table.shape();
        let index = Index::new(id, layout.clone(), &shape.layout, self.state.clone())
            .ok_or_else(|| Error::bug("index on a column that is not there"))?;
        let sight = self.newest_sight();
        let index = build(&table, index, &sight)?;
        redo::put_create_index(&mut work.redo.bytes, id, &layout);
        if self.core.indexes.write().insert(id, index.clone()).is_some() {
            return Err(Error::bug(format!("index storage {id} exists already")));
        }
        table.change_indexes(|indexes| indexes.push(index));
        work.undo.push(UndoEntry::CreateIndex(id));
        Ok(())
    }

    /// See [`oxi_model::engine::Txn::attach_index`].
    pub(super) fn attach_index_storage(
        &self,
        work: &mut Work,
        id: IndexId,
        layout: IndexLayout,
    ) -> Result<()> {
        let table = self.core.table(layout.table)?;
        let layout = IndexLayout { unique: false, ..layout };
        let index = Index::new(id, layout.clone(), &table.shape().layout, self.state.clone())
            .ok_or_else(|| Error::bug("index on a column that is not there"))?;
        let index = Arc::new(index.with_stripes());
        redo::put_create_index(&mut work.redo.bytes, id, &layout);
        if self.core.indexes.write().insert(id, index.clone()).is_some() {
            return Err(Error::bug(format!("index storage {id} exists already")));
        }
        table.change_indexes(|indexes| indexes.push(index));
        work.undo.push(UndoEntry::CreateIndex(id));
        Ok(())
    }

    /// See [`oxi_model::engine::Txn::make_unique`].
    pub(super) fn make_index_unique(&self, work: &mut Work, id: IndexId) -> Result<()> {
        let index = self.core.index(id)?;
        let layout = IndexLayout { unique: true, ..index.layout.clone() };
        if !index.become_unique(&self.state) {
            return Err(Error::bug("an index became unique twice"));
        }
        // To recovery it is a new index in the place of the old one.
        redo::put_create_index(&mut work.redo.bytes, id, &layout);
        Ok(())
    }
}

fn check_layout(layout: &TableLayout) -> Result<()> {
    for (position, column) in layout.columns.iter().enumerate() {
        if layout.columns[..position].iter().any(|other| other.id == column.id) {
            return Err(Error::bug("two columns of one id"));
        }
        if !column.missing.fits(&column.physical) {
            return Err(Error::bug("missing value of another type than its column"));
        }
    }
    Ok(())
}

/// Fills an index from every state that the table's rows still have; checks uniqueness among the
/// rows that `sight` sees.
pub(crate) fn build(
    table: &Table,
    mut index: Index,
    sight: &crate::undo::Sight<'_>,
) -> Result<Arc<Index>> {
    let shape = table.shape();
    let layout = index.layout.clone();
    let positions = layout.columns.iter().map(|column| shape.position(column.column));
    let positions: Vec<usize> = positions
        .collect::<Option<_>>()
        .ok_or_else(|| Error::bug("index on a column that is not there"))?;
    let mut entries: Vec<(Key, u64)> = Vec::new();
    let mut unique: Vec<(Key, u64)> = Vec::new();
    for block in table.blocks() {
        let rows = block.rows.read();
        for slot in 0..rows.len as u16 {
            if !rows.is_live(slot) && rows.chain(slot).is_none() {
                continue;
            }
            let row = row_id(block.number, slot).0;
            rows.each_state(slot, |overlay| {
                let value = |number: usize| rows.value(slot, positions[number], Some(overlay));
                entries.push((index.key(value).0, row));
            });
            if !layout.unique {
                continue;
            }
            let overlay = match rows.see(slot, sight) {
                Seen::No => continue,
                Seen::InPlace => crate::block::Overlay::new(),
                Seen::Older(overlay) => overlay,
            };
            let value = |number: usize| rows.value(slot, positions[number], Some(&overlay));
            let (key, null) = index.key(value);
            if index.checks(null) {
                unique.push((key, row));
            }
        }
    }
    unique.sort_unstable();
    if let Some(twice) = unique.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let row = oxi_base::RowId(twice[0].1);
        let values = table.locate(row).map(|(block, slot)| {
            let rows = block.rows.read();
            positions.iter().map(|p| rows.value(slot, *p, None)).collect::<Vec<_>>()
        });
        return Err(not_unique(&values.unwrap_or_default()));
    }
    index.fill(entries);
    Ok(Arc::new(index))
}

pub(super) fn not_unique(values: &[Datum]) -> Error {
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
