//! Tables and indexes coming, changing and going, within a transaction.

use std::sync::Arc;

use oxi_base::{Error, IndexId, Result, SqlState, TableId};
use oxi_model::engine::{ColumnLayout, IndexLayout, TableLayout};

use super::{Transaction, UndoEntry, Work};
use crate::{
    commit::DropAction,
    engine::Core,
    index::{Index, build::build},
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
        let table = Table::new(id, layout, self.state.clone(), &self.core.storage);
        if self.core.tables.write().insert(id, table).is_some() {
            return Err(Error::bug(format!("table storage {id} exists already")));
        }
        self.core.lengthen_histories(&self.core.table(id)?.shape().layout);
        work.undo.push(UndoEntry::CreateTable(id));
        Ok(())
    }

    pub(super) fn alter_table_storage(
        &self,
        work: &mut Work,
        id: TableId,
        mut layout: TableLayout,
    ) -> Result<()> {
        check_layout(&layout)?;
        let table = self.core.table(id)?;
        let before = table.shape().layout.clone();
        keep_missing(&mut layout, &before);
        self.core.begin_history(&table, &layout);
        redo::put_alter_table(&mut work.redo.bytes, id, &layout);
        table.set_layout(layout, &self.state);
        self.core.lengthen_histories(&table.shape().layout);
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

    pub(super) fn undrop_table_storage(&self, work: &mut Work, id: TableId) -> Result<()> {
        let missing = || Error::bug(format!("table storage {id} was not dropped"));
        let table = self.core.dropped.read().get(&id).cloned().ok_or_else(missing)?;
        let mut tables = self.core.tables.write();
        if tables.contains_key(&id) {
            return Err(Error::new(
                SqlState::OBJECT_IN_USE,
                "the table is being brought back by another transaction",
            ));
        }
        let indexes = table.shape().all.clone();
        self.core.indexes.write().extend(indexes.into_iter().map(|index| (index.id, index)));
        tables.insert(id, table);
        drop(tables);
        redo::put_undrop_table(&mut work.redo.bytes, id);
        work.undo.push(UndoEntry::UndropTable(id));
        work.drops.push(DropAction::Undropped(id));
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
        let index =
            Index::new(id, layout.clone(), &shape.layout, self.state.clone(), &self.core.storage)
                .ok_or_else(|| Error::bug("index on a column that is not there"))?;
        let sight = self.newest_sight();
        let index = build(&table, index, &sight)?;
        redo::put_create_index(&mut work.redo.bytes, id, &layout);
        if self.core.indexes.write().insert(id, index.clone()).is_some() {
            return Err(Error::bug(format!("index storage {id} exists already")));
        }
        table.change_indexes(|all| all.push(index));
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
        let index = Index::new(
            id,
            layout.clone(),
            &table.shape().layout,
            self.state.clone(),
            &table.home.storage,
        )
        .ok_or_else(|| Error::bug("index on a column that is not there"))?;
        let index = Arc::new(index.attached());
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

impl Core {
    /// Undoes that a dropped table has come back.
    pub(super) fn hide_undropped(&self, id: TableId) {
        self.tables.write().remove(&id);
        self.indexes.write().retain(|_, index| index.table != id);
    }
}

/// Rows that are not in memory read of columns added since they were written what was said then.
fn keep_missing(layout: &mut TableLayout, before: &TableLayout) {
    for column in &mut layout.columns {
        let is_same =
            |known: &&ColumnLayout| known.id == column.id && known.physical == column.physical;
        if let Some(known) = before.columns.iter().find(is_same) {
            column.missing = known.missing.clone();
        }
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
