//! What a fetch by an entry of an index makes of entries that are out of date.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use oxi_base::{ColumnId, IndexId, TableId};
use oxi_model::{Datum, PhysicalType, engine::*};
use oxi_world::World;

use super::Fetch;
use crate::{Flush, Store, StoreOptions, undo::Sight};

const TABLE: TableId = TableId(1);
const BY_KEY: IndexId = IndexId(1);

fn commit(txn: &Arc<dyn Txn>) {
    let mut durable = txn.commit().unwrap();
    let polled = durable.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(()))));
}

/// A table of one column with an index on it.
fn store(physical: PhysicalType) -> Arc<Store> {
    let (world, _) = World::simulated(1);
    let options = StoreOptions { flush: Flush::Caller, ..StoreOptions::default() };
    let store = Store::open(world, options).unwrap();
    let txn = store.begin(Isolation::ReadCommitted);
    let column = ColumnLayout { id: ColumnId(0), physical, missing: Datum::Null };
    txn.create_table(
        TABLE,
        TableLayout { columns: vec![column], catalog: false, history_us: None },
    )
    .unwrap();
    let column = IndexColumnLayout { column: ColumnId(0), descending: false, nulls_first: false };
    let layout = IndexLayout {
        table: TABLE,
        columns: vec![column],
        unique: true,
        nulls_not_distinct: false,
    };
    txn.create_index(BY_KEY, layout).unwrap();
    commit(&txn);
    store
}

#[test]
fn an_entry_found_before_its_collection_does_not_mislead() {
    for (physical, old, new) in [
        (PhysicalType::Int64, Datum::Int64(1), Datum::Int64(2)),
        (PhysicalType::Text, Datum::text("one"), Datum::text("two")),
    ] {
        let store = store(physical);
        let txn = store.begin(Isolation::ReadCommitted);
        txn.insert(TABLE, std::slice::from_ref(&old)).unwrap();
        commit(&txn);
        let (index, table) = store.core.index_with_table(BY_KEY).unwrap();
        let old_key = index.whole_key(std::slice::from_ref(&old)).unwrap();
        let row = index.rows_of(&old_key).unwrap()[0];
        // The key moves and nobody needs the old one: its entry and the row's history go.
        let txn = store.begin(Isolation::ReadCommitted);
        let snapshot = txn.begin_statement();
        let changes = [(0, new.clone())];
        txn.update(&*snapshot, TABLE, row, WriteTarget::Snapshot, &changes).unwrap();
        drop(snapshot);
        commit(&txn);
        store.core.collect();
        assert!(index.rows_of(&old_key).unwrap().is_empty());
        let shape = table.shape();
        let entry = shape.index(BY_KEY).unwrap();
        let sight = Sight::committed(store.core.visible_ts());
        let mut fetch = Fetch::new(&table, entry, sight, &[0]);
        let mut values = Vec::new();
        assert!(!fetch.row(&old_key, row, &mut values).unwrap());
        let new_key = index.whole_key(std::slice::from_ref(&new)).unwrap();
        assert!(fetch.row(&new_key, row, &mut values).unwrap());
        assert_eq!(values, [new]);
    }
}
