//! Reading by key outside of transactions: what is committed now, without registering a snapshot
//! unless somebody commits meanwhile.

use std::sync::{Arc, Weak};

use oxi_base::{ColumnId, IndexId, Result};
use oxi_model::{
    Datum, Row,
    engine::{KeyAccess, RowVisitor},
};

use crate::{
    engine::Core,
    snapshot::{Fetch, register},
    table::{Shape, Table},
    undo::Sight,
};

/// What stands behind a [`KeyAccess`].
#[derive(Debug)]
struct KeyWay {
    /// Does not keep a dropped table's rows.
    table: Weak<Table>,
    index: IndexId,
    columns: Vec<usize>,
    expected: Vec<ColumnId>,
}

impl KeyWay {
    fn fits(&self, shape: &Shape) -> bool {
        self.columns.iter().zip(&self.expected).all(|(position, id)| {
            shape.layout.columns.get(*position).is_some_and(|column| column.id == *id)
        })
    }
}

/// See [`oxi_model::engine::Engine::key_access`].
pub(crate) fn find_access(
    core: &Core,
    index: IndexId,
    columns: &[usize],
    expected: &[ColumnId],
) -> Option<KeyAccess> {
    let (_, table) = core.index_with_table(index).ok()?;
    let (columns, expected) = (columns.to_vec(), expected.to_vec());
    let way = KeyWay { table: Arc::downgrade(&table), index, columns, expected };
    Some(KeyAccess(Box::new(way)))
}

/// See [`oxi_model::engine::Engine::read_key`].
pub(crate) fn read_key(
    core: &Arc<Core>,
    access: &KeyAccess,
    key: &[Datum],
    visit: &mut RowVisitor<'_>,
) -> Result<bool> {
    core.storage.relieve()?;
    let Some(way) = access.0.downcast_ref::<KeyWay>() else { return Ok(false) };
    let Some(table) = way.table.upgrade() else { return Ok(false) };
    if table.locks.is_exclusive() {
        return Ok(false);
    }
    // Held to the end: neither the layout nor the indexes change under the reading.
    let shape = table.fixed_shape();
    let Some(entry) = shape.index(way.index).filter(|_| way.fits(&shape)) else {
        return Ok(false);
    };
    let key = entry.index.whole_key(key)?;
    let now = core.visible_ts();
    let rows = entry.index.rows_of(&key)?;
    if rows.len() <= 1 {
        let mut fetch = Fetch::new(&table, entry, Sight::committed(now), &way.columns);
        let mut values = Row::with_capacity(way.columns.len());
        let found = match rows.first() {
            Some(row) if fetch.row(&key, *row, &mut values)? => Some(*row),
            _ => None,
        };
        // As long as nothing newer is visible, collection leaves what this moment sees.
        if core.visible_ts() == now {
            if let Some(row) = found {
                visit(row, &mut values)?;
            }
            return Ok(true);
        }
    }
    let registration = register(core, None);
    let sight = Sight::committed(registration.ts);
    Fetch::new(&table, entry, sight, &way.columns).all_of(&key, visit)?;
    Ok(true)
}
