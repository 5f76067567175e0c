//! A small table to test with, and futures without a runtime.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use oxi_base::{ColumnId, IndexId, Result, RowId, TableId};
use oxi_model::{Datum, PhysicalType, engine::*};
use oxi_store::{Store, StoreOptions};
use oxi_world::World;

pub(crate) const TABLE: TableId = TableId(1);
/// Unique, on `k`.
pub(crate) const BY_KEY: IndexId = IndexId(1);
/// Not unique, on `v`.
pub(crate) const BY_VALUE: IndexId = IndexId(2);

/// Polls once.
pub(crate) fn poll<T>(future: &mut BoxFuture<T>) -> Option<T> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future, parking the thread while it waits.
pub(crate) fn blocking<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}

/// Runs a future that never really waits.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        std::thread::yield_now();
    }
}

pub(crate) fn column(id: u32, physical: PhysicalType) -> ColumnLayout {
    ColumnLayout { id: ColumnId(id), physical, missing: Datum::Null }
}

/// `(k int8, v text)`.
pub(crate) fn layout() -> TableLayout {
    TableLayout {
        columns: vec![column(0, PhysicalType::Int64), column(1, PhysicalType::Text)],
        catalog: false,
        history_us: None,
    }
}

pub(crate) fn index(column: u32, unique: bool) -> IndexLayout {
    IndexLayout {
        table: TABLE,
        columns: vec![IndexColumnLayout {
            column: ColumnId(column),
            descending: false,
            nulls_first: false,
        }],
        unique,
        nulls_not_distinct: false,
    }
}

pub(crate) fn open(world: &World, options: StoreOptions) -> Result<Arc<Store>> {
    Store::open(world.clone(), options)
}

/// Creates the table with its indexes.
pub(crate) fn create(store: &Store) {
    let txn = store.begin(Isolation::ReadCommitted);
    txn.create_table(TABLE, layout()).unwrap();
    txn.create_index(BY_KEY, index(0, true)).unwrap();
    txn.create_index(BY_VALUE, index(1, false)).unwrap();
    now(txn.commit().unwrap()).unwrap();
}

pub(crate) fn row(k: i64, v: &str) -> Vec<Datum> {
    vec![Datum::Int64(k), Datum::text(v)]
}

fn request() -> ScanRequest {
    ScanRequest { columns: vec![0, 1], row_id: true, partitions: 2, in_order: false }
}

/// The rows that a snapshot sees, by scan, sorted by key.
pub(crate) fn scan(snapshot: &dyn Snapshot) -> Vec<(i64, String, RowId)> {
    rows_of(snapshot.scan(TABLE, &request()).unwrap())
}

/// Keys within bounds, both included.
struct Between(i64, i64);

impl Predicate for Between {
    fn columns(&self) -> &[usize] {
        &[0]
    }

    fn holds(&self, row: &[Datum]) -> bool {
        assert_eq!(row[1], Datum::Null, "only what is looked at is read");
        matches!(row[0], Datum::Int64(k) if (self.0..=self.1).contains(&k))
    }
}

/// The rows with keys within bounds, by a scan that says what it is after.
pub(crate) fn scan_between(snapshot: &dyn Snapshot, from: i64, to: i64) -> Vec<Found> {
    let predicate = Arc::new(Between(from, to));
    let mut rows = rows_of(snapshot.scan_where(TABLE, &request(), predicate).unwrap());
    rows.retain(|(k, ..)| (from..=to).contains(k));
    rows
}

/// Key, value and place of a row.
pub(crate) type Found = (i64, String, RowId);

fn rows_of(scans: Vec<Box<dyn Scan>>) -> Vec<Found> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int64Type, UInt64Type};
    let mut found = Vec::new();
    for mut scan in scans {
        while let Some(batch) = scan.next_batch().unwrap() {
            assert!(batch.num_rows() > 0 && batch.num_rows() <= 8192);
            let keys = batch.column(0).as_primitive::<Int64Type>();
            let values = batch.column(1).as_string_view();
            let rows = batch.column(2).as_primitive::<UInt64Type>();
            for n in 0..batch.num_rows() {
                found.push((keys.value(n), values.value(n).to_owned(), RowId(rows.value(n))));
            }
        }
    }
    found.sort();
    found
}

/// The same by the unique index, in its order.
pub(crate) fn scan_index(snapshot: &dyn Snapshot, reverse: bool) -> Vec<(i64, String, RowId)> {
    use std::ops::Bound::Unbounded;
    index_scan(snapshot, &KeyRange { lower: Unbounded, upper: Unbounded, reverse }, usize::MAX)
}

/// The first rows with keys within bounds, by the unique index.
pub(crate) fn range(snapshot: &dyn Snapshot, from: i64, to: i64, limit: usize) -> Vec<Found> {
    use std::ops::Bound::Included;
    let bound = |key| Included(vec![Datum::Int64(key)]);
    index_scan(snapshot, &KeyRange { lower: bound(from), upper: bound(to), reverse: false }, limit)
}

fn index_scan(snapshot: &dyn Snapshot, range: &KeyRange, limit: usize) -> Vec<Found> {
    let mut found = Vec::new();
    snapshot
        .index_scan(BY_KEY, range, &[0, 1], &mut |row, values| {
            let (Datum::Int64(k), Datum::Text(v)) = (&values[0], &values[1]) else {
                panic!("unexpected values {values:?}");
            };
            found.push((*k, v.to_string(), row));
            Ok(found.len() < limit)
        })
        .unwrap();
    found
}

/// The row of a key, by the unique index.
pub(crate) fn find(snapshot: &dyn Snapshot, k: i64) -> Option<(RowId, String)> {
    try_find(snapshot, k).unwrap()
}

/// The same, where the disk may have halted.
pub(crate) fn try_find(snapshot: &dyn Snapshot, k: i64) -> Result<Option<(RowId, String)>> {
    let mut found = None;
    let range = KeyRange::equal(vec![Datum::Int64(k)]);
    snapshot.index_scan(BY_KEY, &range, &[1], &mut |row, values| {
        let Datum::Text(v) = &values[0] else { panic!("unexpected values {values:?}") };
        assert!(found.is_none(), "two visible rows of one unique key");
        found = Some((row, v.to_string()));
        Ok(true)
    })?;
    Ok(found)
}
