//! Figures, not a test: `cargo test -p oxi-store -- --ignored --nocapture speed`.

use std::{io::Write as _, time::Instant};

use oxi_model::{Datum, PhysicalType, engine::*};
use oxi_store::{Store, StoreOptions};
use oxi_world::World;

use crate::support::*;

fn say(what: &str, count: u64, start: Instant) {
    let nanos = start.elapsed().as_nanos() as u64 / count;
    let _ = writeln!(std::io::stderr(), "{what:<32}{nanos:>8} ns");
}

#[test]
#[ignore = "measures"]
fn speed() {
    let world = World::in_memory().unwrap();
    let options = StoreOptions { synchronous_commit: false, ..StoreOptions::default() };
    let store = Store::open(world, options).unwrap();
    let txn = store.begin(Isolation::ReadCommitted);
    let columns = vec![
        column(0, PhysicalType::Int64),
        column(1, PhysicalType::Int32),
        column(2, PhysicalType::Float64),
        column(3, PhysicalType::TimestampTz),
        column(4, PhysicalType::Text),
    ];
    txn.create_table(TABLE, TableLayout { columns, catalog: false }).unwrap();
    txn.create_index(BY_KEY, index(0, true)).unwrap();
    now(txn.commit().unwrap()).unwrap();
    let rows = 1_000_000i64;
    let row = |n: i64| {
        vec![
            Datum::Int64(n),
            Datum::Int32(n as i32),
            Datum::Float64(n as f64),
            Datum::Int64(n),
            Datum::text(format!("text of row {n:>8}")),
        ]
    };
    let start = Instant::now();
    let txn = store.begin(Isolation::ReadCommitted);
    for n in 0..rows / 2 {
        txn.insert(TABLE, &row(n)).unwrap();
    }
    now(txn.commit().unwrap()).unwrap();
    say("insert in one transaction", rows as u64 / 2, start);
    let start = Instant::now();
    for n in rows / 2..rows {
        let txn = store.begin(Isolation::ReadCommitted);
        txn.insert(TABLE, &row(n)).unwrap();
        now(txn.commit().unwrap()).unwrap();
    }
    say("insert autocommit", rows as u64 / 2, start);
    store.collect();
    let statistics = store.statistics(TABLE);
    let _ = writeln!(
        std::io::stderr(),
        "{:<32}{:>8} bytes a row, with 16 of index",
        "memory",
        statistics.bytes / statistics.rows
    );
    let start = Instant::now();
    let key = |n: i64| KeyRange::equal(vec![Datum::Int64(n * 7919 % rows)]);
    for n in 0..rows {
        let txn = store.begin(Isolation::ReadCommitted);
        let snapshot = txn.begin_statement();
        let mut seen = 0;
        snapshot
            .index_scan(BY_KEY, &key(n), &[0, 1, 2, 3, 4], &mut |_, values| {
                seen += values.len();
                Ok(true)
            })
            .unwrap();
        assert_eq!(seen, 5);
    }
    say("get by random key", rows as u64, start);
    let start = Instant::now();
    for n in 0..rows / 4 {
        let txn = store.begin(Isolation::ReadCommitted);
        let snapshot = txn.begin_statement();
        let mut found = None;
        snapshot
            .index_scan(BY_KEY, &key(n), &[], &mut |row, _| {
                found = Some(row);
                Ok(false)
            })
            .unwrap();
        let change = [(2, Datum::Float64(1.0))];
        txn.update(&*snapshot, TABLE, found.unwrap(), WriteTarget::Snapshot, &change).unwrap();
        drop(snapshot);
        now(txn.commit().unwrap()).unwrap();
    }
    say("update by random key, autocommit", rows as u64 / 4, start);
    store.collect();
    let start = Instant::now();
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    let request = ScanRequest { columns: vec![0, 1, 2, 3, 4], row_id: false, partitions: 1 };
    let mut count = 0;
    for mut scan in snapshot.scan(TABLE, &request).unwrap() {
        while let Some(batch) = scan.next_batch().unwrap() {
            count += batch.num_rows() as u64;
        }
    }
    say("scan of five columns, a row", count, start);
    let start = Instant::now();
    store.checkpoint().unwrap();
    say("checkpoint, a row", count, start);
}
