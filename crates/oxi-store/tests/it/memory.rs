//! A memory limit: rows come back from images and from the temporary file as they were.

use oxi_model::{Datum, PhysicalType, engine::*};
use oxi_store::{Store, StoreOptions};
use oxi_world::World;

use crate::support::*;

/// Three blocks, of which two fit into what the limit leaves for them.
const ROWS: i64 = 6_000;
const LIMIT: u64 = 800_000;

fn limited(world: &World, bytes: u64) -> std::sync::Arc<Store> {
    let memory_limit = Some(bytes);
    open(world, StoreOptions { memory_limit, ..StoreOptions::default() }).unwrap()
}

fn text(k: i64) -> String {
    format!("the text of row {k}, long enough not to fit into a view")
}

fn load(store: &Store) {
    let txn = store.begin(Isolation::ReadCommitted);
    for k in 0..ROWS {
        txn.insert(TABLE, &row(k, &text(k))).unwrap();
    }
    now(txn.commit().unwrap()).unwrap();
}

fn read(store: &Store, k: i64) -> Option<String> {
    let txn = store.begin(Isolation::ReadCommitted);
    find(&*txn.begin_statement(), k).map(|(_, text)| text)
}

fn change(txn: &dyn Txn, k: i64, text: &str) {
    let snapshot = txn.begin_statement();
    let (row, _) = find(&*snapshot, k).unwrap();
    let change = [(1, Datum::text(text))];
    let outcome = txn.update(&*snapshot, TABLE, row, WriteTarget::Snapshot, &change).unwrap();
    assert!(matches!(outcome, WriteOutcome::Done));
}

#[test]
fn a_transaction_larger_than_memory_commits() {
    let (world, _control) = World::simulated(1);
    let store = limited(&world, LIMIT);
    create(&store);
    load(&store);
    assert!(world.disk.exists("tmp/spill").unwrap());
    for k in (0..ROWS).step_by(997) {
        assert_eq!(read(&store, k), Some(text(k)));
    }
    assert!(store.memory_used() < 2 * LIMIT, "{}", store.memory_used());
}

#[test]
fn a_transaction_larger_than_memory_rolls_back() {
    let (world, _control) = World::simulated(1);
    let store = limited(&world, LIMIT);
    create(&store);
    load(&store);
    let txn = store.begin(Isolation::ReadCommitted);
    for k in (0..ROWS).step_by(20) {
        change(&*txn, k, "changed by what will not have been");
    }
    assert_eq!(read(&store, 77), Some(text(77)));
    txn.rollback();
    for k in (0..ROWS).step_by(997) {
        assert_eq!(read(&store, k), Some(text(k)));
    }
    store.collect();
    let report = store.check().unwrap();
    assert_eq!((report.rows, report.garbage), (ROWS as u64, 0));
}

#[test]
fn old_versions_come_back_with_their_block() {
    let (world, _control) = World::simulated(1);
    let store = limited(&world, LIMIT);
    create(&store);
    load(&store);
    let old = store.begin(Isolation::RepeatableRead);
    let before = old.begin_statement();
    assert_eq!(find(&*before, 5).unwrap().1, text(5));
    for k in (0..ROWS).step_by(5) {
        let txn = store.begin(Isolation::ReadCommitted);
        change(&*txn, k, "new");
        now(txn.commit().unwrap()).unwrap();
    }
    store.checkpoint().unwrap();
    for k in (0..ROWS).step_by(505) {
        assert_eq!(find(&*before, k).unwrap().1, text(k));
        assert_eq!(read(&store, k).as_deref(), Some("new"));
    }
    drop((before, old));
    store.collect();
    assert_eq!(store.check().unwrap().garbage, 0);
}

#[test]
fn what_a_checkpoint_has_is_dropped_and_read_back() {
    let (world, _control) = World::simulated(1);
    let store = limited(&world, LIMIT);
    create(&store);
    load(&store);
    store.checkpoint().unwrap();
    for round in 0..3 {
        for k in (0..ROWS).step_by(331) {
            let txn = store.begin(Isolation::ReadCommitted);
            change(&*txn, k, &format!("round {round} of {k}, with a tail that needs a chunk"));
            now(txn.commit().unwrap()).unwrap();
        }
        store.checkpoint().unwrap();
        let report = store.check().unwrap();
        assert_eq!(report.rows, ROWS as u64);
    }
    drop(store);
    let store = limited(&world, LIMIT);
    assert_eq!(store.recovery_report().image_rows, ROWS as u64);
    assert_eq!(store.statistics(TABLE).rows, ROWS as u64);
    for k in (0..ROWS).step_by(331) {
        let expected = format!("round 2 of {k}, with a tail that needs a chunk");
        assert_eq!(read(&store, k), Some(expected));
    }
    assert_eq!(read(&store, 1), Some(text(1)));
}

#[test]
fn columns_come_and_go_while_rows_are_away() {
    let (world, _control) = World::simulated(1);
    let store = limited(&world, LIMIT);
    create(&store);
    load(&store);
    for is_in_image in [false, true] {
        if is_in_image {
            store.checkpoint().unwrap();
        }
        let txn = store.begin(Isolation::ReadCommitted);
        let mut wider = layout();
        wider
            .columns
            .push(ColumnLayout { missing: Datum::Int32(42), ..column(8, PhysicalType::Int32) });
        txn.alter_table(TABLE, wider.clone()).unwrap();
        let snapshot = txn.begin_statement();
        let mut out = Vec::new();
        let row = oxi_base::RowId(900);
        assert!(snapshot.get(TABLE, row, &[0, 2], &mut out).unwrap());
        assert_eq!(out, [Datum::Int64(900), Datum::Int32(42)]);
        wider.columns.remove(1);
        txn.alter_table(TABLE, wider).unwrap();
        assert!(snapshot.get(TABLE, row, &[0, 1], &mut out).unwrap());
        assert_eq!(out, [Datum::Int64(900), Datum::Int32(42)]);
        drop(snapshot);
        txn.rollback();
        assert_eq!(read(&store, 900), Some(text(900)));
        assert_eq!(read(&store, 5_000), Some(text(5_000)));
    }
    store.check().unwrap();
}

#[test]
fn a_damaged_image_is_told_with_file_and_place() {
    let (world, _control) = World::simulated(1);
    let store = limited(&world, LIMIT);
    create(&store);
    load(&store);
    store.checkpoint().unwrap();
    let dir = format!("data/{TABLE}");
    let name = world.disk.list(&dir).unwrap().remove(0);
    let path = format!("{dir}/{name}");
    drop(store);
    let store = limited(&world, LIMIT);
    let file = world.disk.open(&path, oxi_world::OpenMode::ReadWrite).unwrap();
    let middle = file.len().unwrap() / 2;
    let mut byte = [0];
    file.read_at(&mut byte, middle).unwrap();
    file.write_at(&[byte[0] ^ 8], middle).unwrap();
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    let mut failures = 0;
    for k in (0..ROWS).step_by(500) {
        let mut out = Vec::new();
        match snapshot.get(TABLE, oxi_base::RowId(k as u64), &[0, 1], &mut out) {
            Ok(true) => assert_eq!(out, row(k, &text(k))),
            Ok(false) => panic!("row {k} is not there"),
            Err(error) => {
                failures += 1;
                assert_eq!(error.code(), oxi_base::SqlState::DATA_CORRUPTED);
                assert!(error.message().contains(&path), "{error}");
            }
        }
    }
    // Only the rows of one block.
    assert!((1..=5).contains(&failures), "{failures}");
}
