//! Indexes built beside threads that insert, change, delete and roll back.

use std::{
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use oxi_base::{IndexId, RowId, SqlState};
use oxi_model::{Datum, engine::*};
use oxi_store::{Flush, Store, StoreOptions};
use oxi_world::{World, rng::Prng};

use crate::support::*;

/// On `v`, which few values fill.
const BUILT: IndexId = IndexId(30);
const KEYS: u64 = 900;
const THREADS: u64 = 3;

fn options() -> StoreOptions {
    StoreOptions { flush: Flush::Caller, collect_every: 2, ..StoreOptions::default() }
}

fn store() -> (World, Arc<Store>) {
    let world = World::in_memory().unwrap();
    let store = open(&world, options()).unwrap();
    create(&store);
    (world, store)
}

fn commit(txn: &Arc<dyn Txn>) {
    now(txn.commit().unwrap()).unwrap();
}

/// One transaction on rows of the thread's own keys, so that threads do not meet.
fn transaction(store: &Store, prng: &mut Prng, thread: u64, value: &dyn Fn(&mut Prng) -> String) {
    let txn = store.begin(Isolation::ReadCommitted);
    assert!(txn.lock_table(TABLE, TableLock::RowExclusive).unwrap().is_none());
    for _ in 0..=prng.below(4) {
        let key = (prng.below(KEYS / THREADS) * THREADS + thread) as i64;
        let savepoint = txn.savepoint();
        let snapshot = txn.begin_statement();
        let target = WriteTarget::Snapshot;
        let _ = match (find(&*snapshot, key), prng.below(3)) {
            (None, _) => {
                let new = row(key, &value(prng));
                matches!(txn.insert(TABLE, &new).unwrap(), InsertOutcome::Done(_))
            }
            (Some((row, _)), 0) => {
                matches!(txn.delete(&*snapshot, TABLE, row, target).unwrap(), WriteOutcome::Done)
            }
            (Some((row, _)), _) => {
                let changes = [(1, Datum::text(value(prng)))];
                let outcome = txn.update(&*snapshot, TABLE, row, target, &changes).unwrap();
                matches!(outcome, WriteOutcome::Done)
            }
        };
        if prng.below(4) == 0 {
            txn.rollback_to(savepoint).unwrap();
        }
    }
    if prng.below(4) == 0 {
        txn.rollback();
    } else {
        commit(&txn);
    }
}

fn attach(store: &Store, unique: bool) {
    let txn = store.begin(Isolation::ReadCommitted);
    txn.attach_index(BUILT, index(1, unique)).unwrap();
    commit(&txn);
}

fn by_index(snapshot: &dyn Snapshot) -> Vec<(String, RowId)> {
    let range = KeyRange { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse: false };
    let mut found = Vec::new();
    snapshot
        .index_scan(BUILT, &range, &[1], &mut |row, values| {
            let Datum::Text(v) = &values[0] else { panic!("unexpected values {values:?}") };
            found.push((v.to_string(), row));
            Ok(true)
        })
        .unwrap();
    found
}

fn by_scan(snapshot: &dyn Snapshot) -> Vec<(String, RowId)> {
    let mut found: Vec<_> = scan(snapshot).into_iter().map(|(_, v, row)| (v, row)).collect();
    found.sort();
    found
}

/// The index says what the table says.
fn agree(snapshot: &dyn Snapshot) {
    let (index, table) = (by_index(snapshot), by_scan(snapshot));
    if index == table {
        return;
    }
    let more: Vec<_> = index.iter().filter(|found| !table.contains(found)).collect();
    let fewer: Vec<_> = table.iter().filter(|found| !index.contains(found)).collect();
    assert!(more.is_empty() && fewer.is_empty(), "too many: {more:?}, missing: {fewer:?}");
    panic!("twice or out of order: {index:?}");
}

/// Attaches, waits and fills beside the threads; then what the index says is what the table says.
fn build_beside(seed: u64, unique: bool, value: fn(&mut Prng) -> String) {
    let (world, store) = store();
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (store, stop) = (store.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut prng = Prng::new(seed * 100 + thread);
                while !stop.load(Ordering::Relaxed) {
                    transaction(&store, &mut prng, thread, &value);
                }
            })
        })
        .collect();
    while store.statistics(TABLE).rows < KEYS / 3 {
        std::thread::yield_now();
    }
    let old = store.begin(Isolation::RepeatableRead);
    let old = old.begin_statement();
    attach(&store, unique);
    let guard = store.begin(Isolation::ReadCommitted);
    blocking(guard.others_ended(TABLE, TableLock::Share).unwrap()).unwrap();
    store.fill_index(BUILT).unwrap();
    for _ in 0..20 {
        let reader = store.begin(Isolation::RepeatableRead);
        let snapshot = reader.begin_statement();
        agree(&*snapshot);
        agree(&*old);
    }
    if unique {
        store.enforce_unique(BUILT).unwrap();
        blocking(guard.others_ended(TABLE, TableLock::Share).unwrap()).unwrap();
        store.verify_unique(BUILT).unwrap();
        guard.make_unique(BUILT).unwrap();
        commit(&guard);
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    drop(old);
    store.collect();
    store.check().unwrap();
    let reader = store.begin(Isolation::ReadCommitted);
    let snapshot = reader.begin_statement();
    agree(&*snapshot);
    let before = by_scan(&*snapshot);
    drop((snapshot, reader));
    if unique {
        refuses(&store, &before[0].0);
    }
    store.checkpoint().unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(&world, options()).unwrap();
    let reader = store.begin(Isolation::ReadCommitted);
    let snapshot = reader.begin_statement();
    assert_eq!(by_index(&*snapshot), before);
    if unique {
        refuses(&store, &before[0].0);
    }
}

/// A second row with a value there is.
fn refuses(store: &Store, value: &str) {
    let txn = store.begin(Isolation::ReadCommitted);
    let outcome = txn.insert(TABLE, &row(-1, value)).unwrap();
    assert!(matches!(outcome, InsertOutcome::Duplicate(Duplicate { index, .. }) if index == BUILT));
}

#[test]
fn entries_are_complete_and_exact() {
    for seed in 0..4 {
        build_beside(seed, false, |prng| format!("{}", prng.below(40)));
    }
}

#[test]
fn a_unique_index_becomes_unique_for_good() {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    for seed in 0..3 {
        build_beside(seed, true, |_| NEXT.fetch_add(1, Ordering::Relaxed).to_string());
    }
}

#[test]
fn equal_keys_are_found_and_stay_possible() {
    let (world, store) = store();
    let txn = store.begin(Isolation::ReadCommitted);
    for key in 0..10 {
        txn.insert(TABLE, &row(key, &format!("{}", key % 9))).unwrap();
    }
    commit(&txn);
    attach(&store, true);
    store.fill_index(BUILT).unwrap();
    store.enforce_unique(BUILT).unwrap();
    refuses(&store, "5");
    let error = store.verify_unique(BUILT).unwrap_err();
    assert_eq!(error.code(), SqlState::UNIQUE_VIOLATION);
    assert_eq!(error.detail(), Some("Key (0) is duplicated."));
    let txn = store.begin(Isolation::ReadCommitted);
    assert!(matches!(txn.insert(TABLE, &row(20, "5")).unwrap(), InsertOutcome::Done(_)));
    commit(&txn);
    store.check().unwrap();
    // What is left behind does not keep the database from opening.
    store.close().unwrap();
    drop(store);
    let store = open(&world, options()).unwrap();
    store.check().unwrap();
    let txn = store.begin(Isolation::ReadCommitted);
    txn.drop_index(BUILT).unwrap();
    commit(&txn);
    store.check().unwrap();
}

#[test]
fn attaching_is_rolled_back() {
    let (_, store) = store();
    let txn = store.begin(Isolation::ReadCommitted);
    txn.attach_index(BUILT, index(1, false)).unwrap();
    txn.insert(TABLE, &row(1, "one")).unwrap();
    txn.rollback();
    attach(&store, false);
    store.fill_index(BUILT).unwrap();
    store.check().unwrap();
}

/// Filling is not in the log: a checkpoint that came before it must not count as the index.
#[test]
fn a_checkpoint_before_the_filling_is_not_the_index() {
    let (world, store) = store();
    let txn = store.begin(Isolation::ReadCommitted);
    for key in 0..3_000 {
        txn.insert(TABLE, &row(key, &format!("{}", key % 7))).unwrap();
    }
    commit(&txn);
    attach(&store, false);
    let txn = store.begin(Isolation::ReadCommitted);
    txn.insert(TABLE, &row(-2, "beside")).unwrap();
    commit(&txn);
    store.check().unwrap();
    store.checkpoint().unwrap();
    let incomplete = open_again(&world, store);
    incomplete.check().unwrap();

    let txn = incomplete.begin(Isolation::ReadCommitted);
    txn.drop_index(BUILT).unwrap();
    commit(&txn);
    attach(&incomplete, false);
    incomplete.checkpoint().unwrap();
    incomplete.fill_index(BUILT).unwrap();
    let store = open_again(&world, incomplete);
    store.check().unwrap();
    let reader = store.begin(Isolation::ReadCommitted);
    agree(&*reader.begin_statement());
    drop(reader);
    store.checkpoint().unwrap();
    let store = open_again(&world, store);
    let reader = store.begin(Isolation::ReadCommitted);
    agree(&*reader.begin_statement());
}

/// Ends without a checkpoint, and opens.
fn open_again(world: &World, store: Arc<Store>) -> Arc<Store> {
    drop(store);
    open(world, options()).unwrap()
}

/// Leaves that are away come back while blocks are latched, and neither stands in the other's way.
#[test]
fn an_index_is_built_in_little_memory() {
    let world = World::in_memory().unwrap();
    let little = StoreOptions { memory_limit: Some(1 << 19), ..options() };
    let store = open(&world, little).unwrap();
    create(&store);
    let long = "x".repeat(100);
    for batch in 0..4 {
        let txn = store.begin(Isolation::ReadCommitted);
        for number in 0..1_000 {
            let key = batch * 1_000 + number;
            // Neighbours have keys far apart.
            let text = format!("{}{long}", (key * 7_919) % 4_000);
            txn.insert(TABLE, &row(key + 1_000_000, &text)).unwrap();
        }
        commit(&txn);
    }
    store.checkpoint().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, stop) = (store.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut prng = Prng::new(5);
            while !stop.load(Ordering::Relaxed) {
                transaction(&store, &mut prng, 0, &|prng| format!("{}", prng.below(4_000)));
            }
        })
    };
    attach(&store, false);
    let guard = store.begin(Isolation::ReadCommitted);
    blocking(guard.others_ended(TABLE, TableLock::Share).unwrap()).unwrap();
    store.fill_index(BUILT).unwrap();
    store.checkpoint().unwrap();
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    store.collect();
    store.check().unwrap();
    let reader = store.begin(Isolation::ReadCommitted);
    agree(&*reader.begin_statement());
}
