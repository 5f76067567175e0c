//! SERIALIZABLE with threads: what holds of each transaction alone holds of all together.

use std::sync::Arc;

use oxi_base::{IndexId, RowId, TableId};
use oxi_model::{Datum, PhysicalType, engine::*};
use oxi_store::{Flush, Store, StoreOptions};
use oxi_world::World;

use crate::support::*;

const T: TableId = TableId(60);
const BY_K: IndexId = IndexId(60);
const PAIRS: i64 = 3;
const THREADS: i64 = 4;

/// Pairs of accounts: of two that together hold something, one may be overdrawn.
fn open_accounts() -> Arc<Store> {
    let options =
        StoreOptions { flush: Flush::Writer, collect_every: 20, ..StoreOptions::default() };
    let store = Store::open(World::in_memory().unwrap(), options).unwrap();
    let txn = store.begin(Isolation::ReadCommitted);
    let columns = vec![column(0, PhysicalType::Int64), column(1, PhysicalType::Int64)];
    txn.create_table(T, TableLayout { columns, catalog: false, history_us: None }).unwrap();
    txn.create_index(BY_K, IndexLayout { table: T, ..index(0, true) }).unwrap();
    for k in 0..PAIRS * 2 {
        txn.insert(T, &[Datum::Int64(k), Datum::Int64(40)]).unwrap();
    }
    blocking(txn.commit().unwrap()).unwrap();
    store
}

fn balance(snapshot: &dyn Snapshot, k: i64) -> (RowId, i64) {
    let mut found = None;
    snapshot
        .index_get(BY_K, &[Datum::Int64(k)], &[1], &mut |row, values| {
            let Datum::Int64(n) = values[0] else { panic!("unexpected values {values:?}") };
            found = Some((row, n));
            Ok(true)
        })
        .unwrap();
    found.unwrap()
}

/// Takes one from an account if its pair has it; false if the transaction met a conflict.
fn withdraw(store: &Store, isolation: Isolation, pair: i64, from: i64) -> bool {
    let txn = store.begin(isolation);
    let snapshot = txn.begin_statement();
    let accounts = [balance(&*snapshot, pair * 2), balance(&*snapshot, pair * 2 + 1)];
    if accounts[0].1 + accounts[1].1 < 1 {
        return blocking(txn.commit().unwrap()).is_ok();
    }
    let (row, n) = accounts[from as usize];
    let change = [(1, Datum::Int64(n - 1))];
    let snapshot = txn.begin_statement();
    loop {
        match txn.update(&*snapshot, T, row, WriteTarget::Snapshot, &change) {
            Ok(WriteOutcome::Done) => break,
            Ok(WriteOutcome::Wait(wait)) => blocking(wait).unwrap(),
            Ok(_) => panic!("neither done nor waiting nor a conflict"),
            Err(error) => {
                assert_eq!(error.code().as_str(), "40001");
                return false;
            }
        }
    }
    match txn.commit() {
        Ok(durable) => {
            blocking(durable).unwrap();
            true
        }
        Err(error) => {
            assert_eq!(error.code().as_str(), "40001");
            false
        }
    }
}

#[test]
fn threads_never_overdraw_a_pair() {
    let store = open_accounts();
    let workers: Vec<_> = (0..THREADS)
        .map(|worker| {
            let store = store.clone();
            std::thread::spawn(move || {
                for step in 0..60i64 {
                    let (pair, from) = ((worker + step) % PAIRS, (worker + step / PAIRS) % 2);
                    while !withdraw(&store, Isolation::Serializable, pair, from) {}
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    for pair in 0..PAIRS {
        let sum = balance(&*snapshot, pair * 2).1 + balance(&*snapshot, pair * 2 + 1).1;
        assert_eq!(sum, 0, "80 were there, 80 withdrawals were tried at least");
    }
    drop((snapshot, txn));
    store.collect();
    assert_eq!(store.check().unwrap().garbage, 0);
    store.close().unwrap();
}

#[test]
fn many_reads_become_the_whole_table() {
    let store = open_accounts();
    let txn = store.begin(Isolation::Serializable);
    let snapshot = txn.begin_statement();
    let own = balance(&*snapshot, 0).0;
    for k in 1000..20_000 {
        snapshot.index_get(BY_K, &[Datum::Int64(k)], &[], &mut |_, _| Ok(true)).unwrap();
    }
    let other = store.begin(Isolation::ReadCommitted);
    other.insert(T, &[Datum::Int64(-1), Datum::Int64(0)]).unwrap();
    blocking(other.commit().unwrap()).unwrap();
    let change = [(1, Datum::Int64(7))];
    let refused = txn.update(&*snapshot, T, own, WriteTarget::Snapshot, &change);
    assert_eq!(refused.err().map(|error| error.code().as_str().to_owned()), Some("40001".into()));
}
