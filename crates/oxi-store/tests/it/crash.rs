//! Crashes at every step of the disk: what was acknowledged survives, the rest is all or nothing.

use std::collections::BTreeMap;

use oxi_model::{Datum, engine::*};
use oxi_store::{Store, StoreOptions};
use oxi_world::World;

use crate::support::*;

fn options(seed: u64) -> StoreOptions {
    let memory_limit = (seed == 1).then_some(1);
    StoreOptions {
        chunk_bytes: 256,
        log_segment_bytes: 4096,
        memory_limit,
        ..StoreOptions::default()
    }
}

type Model = BTreeMap<i64, String>;

/// What is known to be there, and what one more transaction might have made of it.
struct Known {
    certain: Model,
    possible: Option<Model>,
}

/// Works until the disk halts; each transaction writes several rows.
fn work(store: &Store, known: &mut Known, seed: u64) -> oxi_base::Result<()> {
    for step in 0..40i64 {
        let mut next = known.certain.clone();
        let txn = store.begin(Isolation::ReadCommitted);
        for part in 0..=(seed as i64 + step) % 5 {
            let k = (step * 3 + part * 7 + seed as i64) % 17;
            let snapshot = txn.begin_statement();
            let value = format!("value of step {step}, part {part}, and some more text");
            match try_find(&*snapshot, k)? {
                None => {
                    txn.insert(TABLE, &row(k, &value))?;
                    next.insert(k, value);
                }
                Some((row, _)) if part % 3 == 2 => {
                    txn.delete(&*snapshot, TABLE, row, WriteTarget::Snapshot)?;
                    next.remove(&k);
                }
                Some((row, _)) => {
                    let change = [(1, Datum::text(&*value))];
                    txn.update(&*snapshot, TABLE, row, WriteTarget::Snapshot, &change)?;
                    next.insert(k, value);
                }
            }
        }
        if step % 6 == 5 {
            txn.rollback();
            continue;
        }
        known.possible = Some(next);
        now(txn.commit()?)?;
        known.certain = known.possible.take().unwrap();
        if step % 9 == 8 {
            store.checkpoint()?;
        }
    }
    Ok(())
}

fn rows(store: &Store) -> Model {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    let found = scan(&*snapshot);
    assert_eq!(found, scan_index(&*snapshot, false));
    found.into_iter().map(|(k, v, _)| (k, v)).collect()
}

/// Returns false when the work ended before the disk halted.
fn crash_after(operations: u64, seed: u64) -> bool {
    let (world, control) = World::simulated(seed);
    let store = open(&world, options(seed)).unwrap();
    create(&store);
    let mut known = Known { certain: Model::new(), possible: None };
    control.halt_after(operations);
    let halted = work(&store, &mut known, seed).is_err();
    for round in 0..2 {
        control.crash();
        let store = open(&world, options(seed))
            .unwrap_or_else(|e| panic!("{operations} {seed} {round}: {e} {:?}", e.context()));
        store.check().unwrap();
        let found = rows(&store);
        assert!(
            found == known.certain || Some(&found) == known.possible.as_ref(),
            "after {operations} operations with seed {seed}, round {round}"
        );
        // The outcome is decided now, and must stay.
        known = Known { certain: found, possible: None };
        work(&store, &mut known, seed + 1).unwrap();
        std::mem::forget(store);
    }
    halted
}

#[test]
fn every_disk_operation_may_be_the_last() {
    for seed in 0..3 {
        let mut operations = 1;
        while crash_after(operations, seed) {
            // With a limit of memory there are many more operations.
            operations += 1 + operations / if seed == 1 { 4 } else { 12 };
        }
    }
}
