//! Half a million reads leave nothing behind: no snapshot, no versions kept for one, no memory.

use oxi_model::{Datum, engine::*};
use oxi_store::StoreOptions;
use oxi_world::World;

use crate::support::*;

const READS: u64 = 500_000;

#[test]
fn reads_leave_nothing_behind() {
    let (world, _) = World::simulated(1);
    // Only with a limit does anybody count.
    let limit = StoreOptions { memory_limit: Some(1 << 30), ..StoreOptions::default() };
    let store = open(&world, limit).unwrap();
    create(&store);
    let txn = store.begin(Isolation::ReadCommitted);
    for k in 0..10 {
        txn.insert(TABLE, &row(k, "v")).unwrap();
    }
    now(txn.commit().unwrap()).unwrap();
    drop(txn);
    store.collect();
    let (used, position) = (store.memory_used(), store.log_position());

    let mut out = Vec::new();
    for number in 0..READS {
        let level =
            if number % 2 == 0 { Isolation::ReadCommitted } else { Isolation::Serializable };
        let txn = store.begin(level);
        let snapshot = txn.begin_statement();
        let mut found = 0;
        let key = [Datum::Int64((number % 10).cast_signed())];
        let mut visit = |_, values: &mut Vec<Datum>| {
            std::mem::swap(&mut out, values);
            found += 1;
            Ok(true)
        };
        snapshot.index_get(BY_KEY, &key, &[1], &mut visit).unwrap();
        assert_eq!(found, 1);
        if number % 3 == 0 {
            now(txn.commit().unwrap()).unwrap();
        }
    }
    let report = store.check().unwrap();
    assert_eq!((report.snapshots, report.garbage), (0, 0));
    assert_eq!((store.memory_used(), store.log_position()), (used, position));

    // What an update leaves is gone as soon as it is collected: nobody reads the old version.
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    let (row, _) = find(&*snapshot, 3).unwrap();
    let change = [(1, Datum::text("w"))];
    let outcome = txn.update(&*snapshot, TABLE, row, WriteTarget::Snapshot, &change).unwrap();
    assert!(matches!(outcome, WriteOutcome::Done));
    now(txn.commit().unwrap()).unwrap();
    drop((snapshot, txn));
    store.collect();
    assert_eq!(store.check().unwrap().garbage, 0);
}
