//! Points of the contract that scripts cannot say: layouts, batches, index order, threads.

use std::{ops::Bound, sync::Arc};

use oxi_base::{IndexId, TableId};
use oxi_model::{
    Datum, Interval, PhysicalType, array::array_from_datums, datum::ListValue, engine::*,
};
use oxi_store::{Flush, Store, StoreOptions};
use oxi_world::World;

use crate::support::*;

const T: TableId = TableId(50);

fn store() -> (World, Arc<Store>) {
    let (world, _) = World::simulated(3);
    let store = open(&world, StoreOptions::default()).unwrap();
    (world, store)
}

fn begin(store: &Store) -> Arc<dyn Txn> {
    store.begin(Isolation::ReadCommitted)
}

fn commit(txn: &Arc<dyn Txn>) {
    now(txn.commit().unwrap()).unwrap();
}

fn table(columns: Vec<ColumnLayout>) -> TableLayout {
    TableLayout { columns, catalog: false, history_us: None }
}

fn rows_of(snapshot: &dyn Snapshot, columns: usize) -> Vec<Vec<Datum>> {
    let request = ScanRequest {
        columns: (0..columns).collect(),
        row_id: true,
        partitions: 3,
        in_order: false,
    };
    let mut found = Vec::new();
    for mut scan in snapshot.scan(T, &request).unwrap() {
        while let Some(batch) = scan.next_batch().unwrap() {
            let ids = batch.column(columns).as_any().downcast_ref::<arrow_array::UInt64Array>();
            for n in 0..batch.num_rows() {
                let row = oxi_base::RowId(ids.unwrap().value(n));
                let mut out = Vec::new();
                let all: Vec<usize> = (0..columns).collect();
                assert!(snapshot.get(T, row, &all, &mut out).unwrap());
                found.push(out);
            }
        }
    }
    found
}

#[test]
fn columns_are_added_dropped_and_given_back() {
    let (world, store) = store();
    let a = column(0, PhysicalType::Int64);
    let b = column(1, PhysicalType::Text);
    let txn = begin(&store);
    txn.create_table(T, table(vec![a.clone(), b])).unwrap();
    for n in 0..3 {
        txn.insert(T, &row(n, "some text that is long")).unwrap();
    }
    commit(&txn);
    store.checkpoint().unwrap();

    let c = ColumnLayout { missing: Datum::Int32(7), ..column(2, PhysicalType::Int32) };
    let txn = begin(&store);
    assert!(txn.lock_table(T, TableLock::AccessExclusive).unwrap().is_none());
    txn.alter_table(T, table(vec![c.clone(), a.clone()])).unwrap();
    txn.insert(T, &[Datum::Null, Datum::Int64(9)]).unwrap();
    let rows = rows_of(&*txn.begin_statement(), 2);
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0], [Datum::Int32(7), Datum::Int64(0)]);
    assert_eq!(rows[3], [Datum::Null, Datum::Int64(9)]);
    txn.rollback();

    let txn = begin(&store);
    assert_eq!(rows_of(&*txn.begin_statement(), 2)[2], row(2, "some text that is long"));
    // The same column id again, as a catalog that was rolled back would give it.
    let c = ColumnLayout { missing: Datum::Int32(8), ..c };
    txn.alter_table(T, table(vec![a, c])).unwrap();
    let snapshot = txn.begin_statement();
    let rows = rows_of(&*snapshot, 2);
    assert_eq!(rows[1], [Datum::Int64(1), Datum::Int32(8)]);
    let first = oxi_base::RowId(0);
    let change = [(1, Datum::Int32(80))];
    let outcome = txn.update(&*snapshot, T, first, WriteTarget::Snapshot, &change).unwrap();
    assert!(matches!(outcome, WriteOutcome::Done));
    commit(&txn);
    let expected = vec![
        vec![Datum::Int64(0), Datum::Int32(80)],
        vec![Datum::Int64(1), Datum::Int32(8)],
        vec![Datum::Int64(2), Datum::Int32(8)],
    ];
    assert_eq!(rows_of(&*begin(&store).begin_statement(), 2), expected);
    for checkpoint in [false, true] {
        let store = {
            if checkpoint {
                let again = open_again(&world, None);
                again.checkpoint().unwrap();
                open_again(&world, Some(again))
            } else {
                drop(txn.clone());
                drop_store(&world, &store)
            }
        };
        assert_eq!(rows_of(&*begin(&store).begin_statement(), 2), expected);
        store.check().unwrap();
        store.close().unwrap();
    }
}

fn drop_store(world: &World, store: &Arc<Store>) -> Arc<Store> {
    store.close().unwrap();
    // The lock file is released with the last handle; a copy of the files opens beside it.
    copy_of(world)
}

fn open_again(world: &World, store: Option<Arc<Store>>) -> Arc<Store> {
    drop(store);
    copy_of(world)
}

/// A store on a copy of the world's files.
fn copy_of(world: &World) -> Arc<Store> {
    let (copy, _) = World::simulated(11);
    copy_dir(world, &copy, "");
    open(&copy, StoreOptions::default()).unwrap()
}

fn copy_dir(from: &World, to: &World, dir: &str) {
    for name in from.disk.list(dir).unwrap() {
        let path = oxi_world::disk::join(dir, &name);
        match from.disk.read(&path) {
            Ok(bytes) if name != "LOCK" => {
                let file = to.disk.open(&path, oxi_world::OpenMode::CreateOrOpen).unwrap();
                file.write_at(&bytes, 0).unwrap();
                file.sync_data().unwrap();
            }
            Ok(_) => {}
            Err(_) => {
                to.disk.create_dir_all(&path).unwrap();
                copy_dir(from, to, &path);
            }
        }
    }
    to.disk.sync_dir(dir).unwrap();
}

#[test]
fn ddl_rolls_back_and_recovers() {
    let (world, store) = store();
    let txn = begin(&store);
    txn.create_table(T, table(vec![column(0, PhysicalType::Int64)])).unwrap();
    txn.insert(T, &[Datum::Int64(1)]).unwrap();
    txn.rollback();
    let txn = begin(&store);
    assert_eq!(txn.insert(T, &[Datum::Int64(1)]).err().unwrap().code().as_str(), "42P01");
    txn.create_table(T, table(vec![column(0, PhysicalType::Int64)])).unwrap();
    txn.insert(T, &[Datum::Int64(1)]).unwrap();
    txn.insert(T, &[Datum::Int64(1)]).unwrap();
    let layout = IndexLayout { table: T, ..index(0, true) };
    let error = txn.create_index(IndexId(9), layout.clone()).unwrap_err();
    assert_eq!((error.code().as_str(), error.detail()), ("23505", Some("Key (1) is duplicated.")));
    let save = txn.savepoint();
    let layout = IndexLayout { unique: false, ..layout };
    txn.create_index(IndexId(9), layout.clone()).unwrap();
    txn.rollback_to(save).unwrap();
    txn.create_index(IndexId(9), layout).unwrap();
    commit(&txn);

    let txn = begin(&store);
    txn.drop_index(IndexId(9)).unwrap();
    txn.drop_table(T).unwrap();
    txn.rollback();
    assert_eq!(store.check().unwrap().entries, 2);
    let again = copy_of(&world);
    assert_eq!(again.check().unwrap().entries, 2);
    let oid = again.allocate_oid();
    assert!(oid >= 16384);
    let txn = begin(&again);
    txn.drop_table(T).unwrap();
    commit(&txn);
    assert_eq!(again.check().unwrap().tables, 0);
    again.checkpoint().unwrap();
    assert!(again.allocate_oid() > oid);
}

#[test]
fn allocated_numbers_are_not_given_twice() {
    let (world, store) = store();
    let used = (store.allocate_table_id(), store.allocate_index_id(), store.allocate_oid());
    let txn = begin(&store);
    txn.create_table(used.0, table(vec![column(0, PhysicalType::Int64)])).unwrap();
    commit(&txn);
    let again = copy_of(&world);
    assert!(again.allocate_table_id() > used.0);
    assert!(again.allocate_index_id() > used.1);
    assert!(again.allocate_oid() > used.2);
}

/// Index order, NULLs, directions and bounds, for fixed and for byte keys.
#[test]
fn index_ranges_follow_the_index_order() {
    for physical in [PhysicalType::Int64, PhysicalType::Float64] {
        for (descending, nulls_first) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let (_, store) = store();
            let value = |n: i64| match physical {
                PhysicalType::Int64 => Datum::Int64(n),
                _ => Datum::Float64(n as f64),
            };
            let txn = begin(&store);
            txn.create_table(T, table(vec![column(0, physical.clone())])).unwrap();
            let mut layout = IndexLayout { table: T, ..index(0, true) };
            layout.columns[0].descending = descending;
            layout.columns[0].nulls_first = nulls_first;
            txn.create_index(IndexId(9), layout).unwrap();
            let mut values: Vec<Datum> = (-3..4).map(value).collect();
            values.extend([Datum::Null, Datum::Null]);
            for value in &values {
                assert!(matches!(
                    txn.insert(T, std::slice::from_ref(value)).unwrap(),
                    InsertOutcome::Done(_)
                ));
            }
            let rank = |datum: &Datum| -> i64 {
                let number = match datum {
                    Datum::Int64(n) => *n,
                    Datum::Float64(n) => *n as i64,
                    _ => return if nulls_first { -100 } else { 100 },
                };
                if descending { -number } else { number }
            };
            values.sort_by_key(rank);
            let snapshot = txn.begin_statement();
            let mut bounds = vec![Bound::Unbounded];
            for datum in [value(-2), value(0), value(9), Datum::Null] {
                bounds.push(Bound::Included(vec![datum.clone()]));
                bounds.push(Bound::Excluded(vec![datum]));
            }
            for lower in &bounds {
                for upper in &bounds {
                    for reverse in [false, true] {
                        let inside = |datum: &&Datum| {
                            (match lower {
                                Bound::Unbounded => true,
                                Bound::Included(at) => rank(datum) >= rank(&at[0]),
                                Bound::Excluded(at) => rank(datum) > rank(&at[0]),
                            }) && match upper {
                                Bound::Unbounded => true,
                                Bound::Included(at) => rank(datum) <= rank(&at[0]),
                                Bound::Excluded(at) => rank(datum) < rank(&at[0]),
                            }
                        };
                        let mut expected: Vec<_> = values.iter().filter(inside).cloned().collect();
                        if reverse {
                            expected.reverse();
                        }
                        let range =
                            KeyRange { lower: lower.clone(), upper: upper.clone(), reverse };
                        let mut got = Vec::new();
                        let mut visit = |_: oxi_base::RowId, row: &[Datum]| {
                            got.push(row[0].clone());
                            Ok(true)
                        };
                        snapshot.index_scan(IndexId(9), &range, &[0], &mut visit).unwrap();
                        assert_eq!(got, expected, "{range:?} {descending} {nulls_first}");
                    }
                }
            }
        }
    }
}

#[test]
fn prefixes_of_a_key_are_ranges() {
    let (_, store) = store();
    let txn = begin(&store);
    txn.create_table(T, table(vec![column(0, PhysicalType::Int64), column(1, PhysicalType::Text)]))
        .unwrap();
    let layout = IndexLayout {
        columns: vec![index(0, true).columns[0], index(1, true).columns[0]],
        table: T,
        ..index(0, true)
    };
    txn.create_index(IndexId(9), layout).unwrap();
    for n in 0..4 {
        for text in ["", "a", "a\0", "b"] {
            txn.insert(T, &row(n, text)).unwrap();
        }
    }
    let snapshot = txn.begin_statement();
    let count = |range: KeyRange| {
        let mut count = 0;
        snapshot
            .index_scan(IndexId(9), &range, &[], &mut |_, _| {
                count += 1;
                Ok(true)
            })
            .unwrap();
        count
    };
    assert_eq!(count(KeyRange::equal(vec![Datum::Int64(2)])), 4);
    assert_eq!(count(KeyRange::equal(vec![Datum::Int64(2), Datum::text("a")])), 1);
    assert_eq!(count(KeyRange::equal(vec![])), 16);
    let after = KeyRange {
        lower: Bound::Excluded(vec![Datum::Int64(1)]),
        upper: Bound::Excluded(vec![Datum::Int64(3), Datum::text("a\0")]),
        reverse: false,
    };
    assert_eq!(count(after), 6);
}

/// A row's value by the row's number.
type ValueOf = Box<dyn Fn(usize) -> Datum>;

/// Values of every physical type, the later ones with NULLs among them.
fn values_of_all_types(rows: usize) -> Vec<(PhysicalType, Vec<Datum>)> {
    let list = ListValue { dimensions: vec![(2, 1)], elements: vec![Datum::Int32(7), Datum::Null] };
    let kinds: Vec<(PhysicalType, ValueOf)> = vec![
        (PhysicalType::Int64, Box::new(|n| Datum::Int64(n as i64))),
        (PhysicalType::Bool, Box::new(|n| Datum::Bool(n % 3 == 0))),
        (PhysicalType::Int16, Box::new(|n| Datum::Int16(n as i16))),
        (PhysicalType::Date, Box::new(|n| Datum::Int32(n as i32))),
        (PhysicalType::TimestampTz, Box::new(|n| Datum::Int64(n as i64 * 1000))),
        (PhysicalType::UInt32, Box::new(|n| Datum::UInt32(n as u32))),
        (PhysicalType::Float32, Box::new(|n| Datum::Float32(n as f32))),
        (PhysicalType::Float64, Box::new(|n| Datum::Float64(n as f64))),
        (
            PhysicalType::Interval,
            Box::new(|n| Datum::Interval(Interval { months: 1, days: 2, micros: n as i64 })),
        ),
        (PhysicalType::Uuid, Box::new(|n| Datum::Uuid([n as u8; 16]))),
        (PhysicalType::Text, Box::new(|n| Datum::text("x".repeat(n % 30)))),
        (PhysicalType::Bytes, Box::new(|n| Datum::bytes(vec![n as u8; n % 30]))),
        (
            PhysicalType::List(Box::new(PhysicalType::Int32)),
            Box::new(move |_| Datum::List(Arc::new(list.clone()))),
        ),
    ];
    let of = |(at, (physical, value)): (usize, (PhysicalType, ValueOf))| {
        let is_null = |n: usize| at > 0 && (n + at).is_multiple_of(5);
        let values = (0..rows).map(|n| if is_null(n) { Datum::Null } else { value(n) }).collect();
        (physical, values)
    };
    kinds.into_iter().enumerate().map(of).collect()
}

#[test]
fn a_batch_is_what_its_rows_are() {
    let (world, store) = store();
    let rows = 5000;
    let columns = values_of_all_types(rows);
    let txn = begin(&store);
    let layout = columns.iter().enumerate().map(|(id, (kind, _))| column(id as u32, kind.clone()));
    txn.create_table(T, table(layout.collect())).unwrap();
    txn.create_index(IndexId(9), IndexLayout { table: T, ..index(0, true) }).unwrap();
    // Rows one by one before the batch: it begins in the middle of a block.
    let row_at = |n: usize| columns.iter().map(|(_, values)| values[n].clone()).collect::<Vec<_>>();
    for n in 0..10 {
        assert!(matches!(txn.insert(T, &row_at(n)).unwrap(), InsertOutcome::Done(_)));
    }
    let arrays = columns
        .iter()
        .enumerate()
        .map(|(id, (kind, values))| (format!("c{id}"), array_from_datums(kind, values).unwrap()));
    let batch = arrow_array::RecordBatch::try_from_iter(arrays).unwrap();
    // Row 9 is there already: nothing of the block's run may stay behind it.
    let again = txn.insert_batch(T, &batch, 9).unwrap();
    assert!(matches!(again, (0, Some(InsertOutcome::Duplicate(_)))));
    assert!(matches!(txn.insert_batch(T, &batch, 10).unwrap(), (4990, None)));
    commit(&txn);
    for store in [store.clone(), copy_of(&world)] {
        let txn = begin(&store);
        let mut found = rows_of(&*txn.begin_statement(), columns.len());
        found.sort_by_key(|row| match row[0] {
            Datum::Int64(k) => k,
            _ => -1,
        });
        assert_eq!(found.len(), rows);
        for (n, row) in found.iter().enumerate() {
            assert_eq!(*row, row_at(n), "row {n}");
        }
        store.check().unwrap();
    }
}

#[test]
fn a_batch_stops_in_front_of_a_duplicate_and_goes_on_behind_it() {
    let (world, store) = store();
    let txn = begin(&store);
    txn.create_table(T, table(vec![column(0, PhysicalType::Int64)])).unwrap();
    txn.create_index(IndexId(9), IndexLayout { table: T, ..index(0, true) }).unwrap();
    let keys: Vec<Datum> = (0..100).map(|n| Datum::Int64(if n == 70 { 5 } else { n })).collect();
    let array = array_from_datums(&PhysicalType::Int64, &keys).unwrap();
    let batch = arrow_array::RecordBatch::try_from_iter([("k", array)]).unwrap();
    assert!(matches!(
        txn.insert_batch(T, &batch, 0).unwrap(),
        (70, Some(InsertOutcome::Duplicate(_)))
    ));
    let savepoint = txn.savepoint();
    assert!(matches!(txn.insert_batch(T, &batch, 71).unwrap(), (29, None)));
    txn.rollback_to(savepoint).unwrap();
    assert!(matches!(txn.insert_batch(T, &batch, 71).unwrap(), (29, None)));
    commit(&txn);
    for store in [store.clone(), copy_of(&world)] {
        let txn = begin(&store);
        let mut found: Vec<i64> = rows_of(&*txn.begin_statement(), 1)
            .iter()
            .map(|row| if let Datum::Int64(k) = row[0] { k } else { -1 })
            .collect();
        found.sort_unstable();
        assert_eq!(found, (0..100).filter(|n| *n != 70).collect::<Vec<_>>());
        store.check().unwrap();
    }
}

/// The values of column 1 that a read by key outside of transactions gives; `None` if it stands
/// back.
fn read_key(store: &Store, key: i64, expected: u32) -> Option<Vec<Datum>> {
    let mut found = Vec::new();
    let access = store.key_access(BY_KEY, &[1], &[oxi_base::ColumnId(expected)]).unwrap();
    let done = store.read_key(&access, &[Datum::Int64(key)], &mut |_, values| {
        found.append(values);
        Ok(true)
    });
    done.unwrap().then_some(found)
}

#[test]
fn reading_by_key_outside_of_transactions() {
    let (_, store) = store();
    create(&store);
    let txn = begin(&store);
    txn.insert(TABLE, &row(1, "one")).unwrap();
    txn.insert(TABLE, &row(2, "two")).unwrap();
    // Nobody sees what is not committed, neither new rows …
    assert_eq!(read_key(&store, 1, 1), Some(vec![]));
    commit(&txn);
    assert_eq!(read_key(&store, 1, 1), Some(vec![Datum::text("one")]));
    // … nor changes and moves of keys.
    let txn = begin(&store);
    let snapshot = txn.begin_statement();
    let id = scan(&*snapshot)[0].2;
    let changes = [(0, Datum::Int64(3)), (1, Datum::text("three"))];
    let outcome = txn.update(&*snapshot, TABLE, id, WriteTarget::Snapshot, &changes).unwrap();
    assert!(matches!(outcome, WriteOutcome::Done));
    assert_eq!(read_key(&store, 1, 1), Some(vec![Datum::text("one")]));
    assert_eq!(read_key(&store, 3, 1), Some(vec![]));
    commit(&txn);
    assert_eq!(read_key(&store, 1, 1), Some(vec![]));
    assert_eq!(read_key(&store, 3, 1), Some(vec![Datum::text("three")]));
    // A locked table, or one of another shape, is not read so.
    let txn = begin(&store);
    assert!(txn.lock_table(TABLE, TableLock::AccessExclusive).unwrap().is_none());
    assert_eq!(read_key(&store, 3, 1), None);
    txn.rollback();
    assert_eq!(read_key(&store, 3, 1), Some(vec![Datum::text("three")]));
    assert_eq!(read_key(&store, 3, 7), None);
}

#[test]
fn batches_of_many_rows_go_in_and_out() {
    let (world, store) = store();
    let rows = 20_000i64;
    let txn = begin(&store);
    txn.create_table(T, table(vec![column(0, PhysicalType::Int64), column(1, PhysicalType::Text)]))
        .unwrap();
    txn.create_index(IndexId(9), IndexLayout { table: T, ..index(0, true) }).unwrap();
    let keys: Vec<Datum> = (0..rows).map(Datum::Int64).collect();
    let texts: Vec<Datum> =
        (0..rows).map(|n| Datum::text(format!("the text of row {n}"))).collect();
    let batch = arrow_array::RecordBatch::try_from_iter([
        ("k", array_from_datums(&PhysicalType::Int64, &keys).unwrap()),
        ("v", array_from_datums(&PhysicalType::Text, &texts).unwrap()),
    ])
    .unwrap();
    assert!(matches!(txn.insert_batch(T, &batch, 0).unwrap(), (20_000, None)));
    assert!(matches!(
        txn.insert_batch(T, &batch, 19_999).unwrap(),
        (0, Some(InsertOutcome::Duplicate(_)))
    ));
    commit(&txn);
    for store in [store.clone(), copy_of(&world)] {
        store.collect();
        let txn = begin(&store);
        let snapshot = txn.begin_statement();
        let mut found = rows_of(&*snapshot, 2);
        found.sort_by_key(|row| match row[0] {
            Datum::Int64(k) => k,
            _ => 0,
        });
        assert_eq!(found.len() as i64, rows);
        assert!(found.iter().enumerate().all(|(n, row)| row[0] == keys[n] && row[1] == texts[n]));
        assert_eq!(store.statistics(T).rows, rows as u64);
        store.check().unwrap();
        // Delete everything: the blocks go away.
        let request = ScanRequest { columns: vec![], row_id: true, partitions: 1, in_order: false };
        for mut scan in snapshot.scan(T, &request).unwrap() {
            while let Some(batch) = scan.next_batch().unwrap() {
                let ids = batch.column(0).as_any().downcast_ref::<arrow_array::UInt64Array>();
                for id in ids.unwrap().values() {
                    let row = oxi_base::RowId(*id);
                    txn.delete(&*snapshot, T, row, WriteTarget::Snapshot).unwrap();
                }
            }
        }
        drop(snapshot);
        commit(&txn);
        store.collect();
        assert_eq!(store.check().unwrap().entries, 0);
        assert!(store.statistics(T).bytes < 400_000, "{:?}", store.statistics(T));
    }
}

/// Many threads move amounts between rows; the sum stays, at every snapshot and after a crash.
#[test]
fn threads_keep_the_sum() {
    let world = World::in_memory().unwrap();
    let options =
        StoreOptions { flush: Flush::Writer, collect_every: 20, ..StoreOptions::default() };
    let store = Store::open(world, options).unwrap();
    let txn = begin(&store);
    txn.create_table(
        T,
        table(vec![column(0, PhysicalType::Int64), column(1, PhysicalType::Int64)]),
    )
    .unwrap();
    txn.create_index(IndexId(9), IndexLayout { table: T, ..index(0, true) }).unwrap();
    const ROWS: i64 = 8;
    for n in 0..ROWS {
        txn.insert(T, &[Datum::Int64(n), Datum::Int64(100)]).unwrap();
    }
    commit(&txn);
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let store = store.clone();
            std::thread::spawn(move || {
                for step in 0..150i64 {
                    transfer(&store, (worker * 31 + step * 7) % ROWS, (step * 5 + worker) % ROWS);
                    let txn = begin(&store);
                    assert_eq!(sum(&*txn.begin_statement()), ROWS * 100);
                    if step % 50 == worker {
                        store.checkpoint().unwrap();
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    store.collect();
    let report = store.check().unwrap();
    assert_eq!((report.rows, report.entries, report.garbage), (ROWS as u64, ROWS as u64, 0));
    store.close().unwrap();
}

fn sum(snapshot: &dyn Snapshot) -> i64 {
    let rows = rows_of(snapshot, 2);
    rows.iter().map(|row| if let Datum::Int64(n) = row[1] { n } else { 0 }).sum()
}

/// Waiting on a thread; `Err` when it was a deadlock.
fn wait(wait: Wait) -> Result<(), ()> {
    blocking(wait).map_err(|error| {
        assert_eq!(error.code().as_str(), "40P01");
    })
}

fn add(txn: &dyn Txn, k: i64, amount: i64) -> Result<(), ()> {
    loop {
        let snapshot = txn.begin_statement();
        let mut found = None;
        let key = KeyRange::equal(vec![Datum::Int64(k)]);
        snapshot
            .index_scan(IndexId(9), &key, &[1], &mut |row, values| {
                found = Some((row, values[0].clone()));
                Ok(false)
            })
            .unwrap();
        let (row, Datum::Int64(old)) = found.unwrap() else { panic!("not a number") };
        let change = [(1, Datum::Int64(old + amount))];
        match txn.update(&*snapshot, T, row, WriteTarget::Snapshot, &change).unwrap() {
            WriteOutcome::Done => return Ok(()),
            WriteOutcome::Wait(waiting) => wait(waiting)?,
            WriteOutcome::Changed => {}
            WriteOutcome::Gone | WriteOutcome::Duplicate(_) => panic!("row {k} is gone"),
        }
    }
}

fn transfer(store: &Store, from: i64, to: i64) {
    let txn = begin(store);
    if add(&*txn, from, -1).is_ok() && add(&*txn, to, 1).is_ok() {
        blocking(txn.commit().unwrap()).unwrap();
    } else {
        txn.rollback();
    }
}

#[test]
fn recovery_in_lanes_brings_back_what_was_there() {
    // Threads of the operating system, unlike in a simulated world.
    let world = World::in_memory().unwrap();
    let options = StoreOptions { chunk_bytes: 4096, ..StoreOptions::default() };
    let store = open(&world, options.clone()).unwrap();
    create(&store);
    let mut expected = std::collections::BTreeMap::new();
    for round in 0..30i64 {
        let txn = store.begin(Isolation::ReadCommitted);
        for k in round * 400..(round + 1) * 400 {
            txn.insert(TABLE, &row(k, &format!("row {k} of round {round}"))).unwrap();
            expected.insert(k, format!("row {k} of round {round}"));
        }
        let snapshot = txn.begin_statement();
        for step in 0..200 {
            let k = (round * 7919 + step * 31) % ((round + 1) * 400);
            let Some((row, _)) = find(&*snapshot, k) else { continue };
            if step % 5 == 0 {
                txn.delete(&*snapshot, TABLE, row, WriteTarget::Newest).unwrap();
                expected.remove(&k);
            } else {
                let value = format!("changed by {step} of {round}, to something longer");
                let change = [(1, Datum::text(&*value))];
                let outcome = txn.update(&*snapshot, TABLE, row, WriteTarget::Newest, &change);
                if matches!(outcome.unwrap(), WriteOutcome::Done) {
                    expected.insert(k, value);
                }
            }
        }
        now(txn.commit().unwrap()).unwrap();
        if round == 10 {
            store.checkpoint().unwrap();
        }
        if round == 20 {
            let txn = store.begin(Isolation::ReadCommitted);
            let mut wider = layout();
            wider.columns.push(column(7, PhysicalType::Int32));
            txn.alter_table(TABLE, wider).unwrap();
            txn.alter_table(TABLE, layout()).unwrap();
            now(txn.commit().unwrap()).unwrap();
        }
    }
    drop(store);
    let store = open(&world, options).unwrap();
    let txn = store.begin(Isolation::ReadCommitted);
    let found = scan(&*txn.begin_statement());
    let found: std::collections::BTreeMap<_, _> =
        found.into_iter().map(|(k, v, _)| (k, v)).collect();
    assert_eq!(found, expected);
    assert_eq!(store.statistics(TABLE).rows, expected.len() as u64);
    store.check().unwrap();
}
