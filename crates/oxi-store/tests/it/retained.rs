//! Checkpoints that are kept and opened by themselves.

use std::{collections::BTreeMap, sync::Arc};

use oxi_base::SqlState;
use oxi_model::{Datum, engine::*};
use oxi_store::{Store, StoreOptions};
use oxi_world::World;

use crate::support::*;

fn options(retained_checkpoints: u64) -> StoreOptions {
    StoreOptions { retained_checkpoints: Some(retained_checkpoints), ..StoreOptions::default() }
}

/// Changes about a third of 5000 rows, and adds and removes some.
fn change(store: &Store, round: i64) {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    for (k, _, row) in scan(&*snapshot) {
        if k % 10 == round {
            txn.delete(&*snapshot, TABLE, row, WriteTarget::Snapshot).unwrap();
        } else if k % 3 == round % 3 {
            let change = [(1, Datum::text(format!("of round {round}")))];
            txn.update(&*snapshot, TABLE, row, WriteTarget::Snapshot, &change).unwrap();
        }
    }
    for k in 0..100 {
        txn.insert(TABLE, &row(10_000 * round + k, "added")).unwrap();
    }
    now(txn.commit().unwrap()).unwrap();
}

fn content(store: &Store) -> BTreeMap<i64, String> {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    let rows = scan(&*snapshot);
    assert_eq!(rows, scan_index(&*snapshot, false));
    rows.into_iter().map(|(k, v, _)| (k, v)).collect()
}

fn numbers(world: &World) -> Vec<u64> {
    Store::checkpoints(world, "").unwrap().iter().map(|one| one.number).collect()
}

fn open_at(world: &World, number: u64) -> oxi_base::Result<Arc<Store>> {
    Store::open_checkpoint(world.clone(), World::simulated(2).0, options(2), number)
}

#[test]
fn kept_checkpoints_are_what_they_were() {
    let (world, control) = World::simulated(1);
    let store = open(&world, options(2)).unwrap();
    create(&store);
    let txn = store.begin(Isolation::ReadCommitted);
    for k in 0..5000 {
        txn.insert(TABLE, &row(k, "first")).unwrap();
    }
    now(txn.commit().unwrap()).unwrap();
    let mut states = BTreeMap::new();
    for round in 1..=5 {
        change(&store, round);
        store.checkpoint().unwrap();
        let number = *numbers(&world).last().unwrap();
        states.insert(number, content(&store));
    }
    assert_eq!(numbers(&world), [4, 5, 6]);
    change(&store, 6);
    let last = content(&store);
    control.crash_losing_all_unsynced();
    drop(store);
    assert_eq!(Store::inspect(&world, "").unwrap().problems, []);
    for number in [5, 4, 6] {
        let store = open_at(&world, number).unwrap();
        assert_eq!(content(&store), states[&number]);
        let txn = store.begin(Isolation::ReadCommitted);
        let refused = txn.insert(TABLE, &row(-1, "no")).err().map(|error| error.code());
        assert_eq!(refused, Some(SqlState::READ_ONLY_SQL_TRANSACTION));
        assert!(store.checkpoint().is_err());
        drop(txn);
        store.close().unwrap();
    }
    assert_eq!(open_at(&world, 3).err().map(|e| e.code()), Some(SqlState::UNDEFINED_OBJECT));
    // Looking back has changed nothing.
    let store = open(&world, StoreOptions::default()).unwrap();
    assert_eq!(store.retained_checkpoints(), 2, "as it was told before");
    assert_eq!(content(&store), last);
    assert_eq!(open_at(&world, 5).err().map(|e| e.code()), Some(SqlState::OBJECT_IN_USE));
    store.checkpoint().unwrap();
    assert_eq!(numbers(&world), [5, 6, 7]);
    drop(store);
    assert_eq!(content(&open_at(&world, 5).unwrap()), states[&5]);
    // Fewer are kept from now on.
    let store = open(&world, options(0)).unwrap();
    assert_eq!(numbers(&world), [8]);
    store.check().unwrap();
}

#[test]
fn a_checkpoint_has_the_tables_of_its_time() {
    let (world, _control) = World::simulated(1);
    let store = open(&world, options(1)).unwrap();
    create(&store);
    let txn = store.begin(Isolation::ReadCommitted);
    txn.insert(TABLE, &row(1, "one")).unwrap();
    now(txn.commit().unwrap()).unwrap();
    store.checkpoint().unwrap();
    let txn = store.begin(Isolation::ReadCommitted);
    txn.drop_table(TABLE).unwrap();
    now(txn.commit().unwrap()).unwrap();
    store.checkpoint().unwrap();
    store.close().unwrap();
    drop(store);
    let kept = numbers(&world);
    // The last two: before closing, and by closing.
    let store = open_at(&world, kept[0]).unwrap();
    let found = store.begin(Isolation::ReadCommitted).begin_statement();
    let request = ScanRequest { columns: vec![0], row_id: false, partitions: 1, in_order: false };
    assert_eq!(kept.len(), 2);
    assert!(found.scan(TABLE, &request).is_err(), "dropped before the checkpoint before the last");
}
