//! A store's files as earlier versions of the formats were written: this version opens them and
//! finds the same rows. Version 2 has blocks of index entries, version 3 history and a table that
//! was dropped. (`oxibase/tests/it/formats.rs` does so with whole databases.)

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use oxi_base::{RowId, TableId, Ts};
use oxi_model::{
    Datum,
    engine::*,
    lock::{AdvisoryKey, LockObject},
};
use oxi_store::{Store, StoreOptions};
use oxi_world::World;

use crate::support::*;

const ROWS: i64 = 5_000;

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/formats").join(name)
}

/// A copy of a golden directory, which is written if there is none.
fn golden(name: &str, write: fn(&Path)) -> PathBuf {
    let place = std::env::temp_dir().join(format!("oxi-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&place);
    let directory = directory(name);
    if !directory.exists() {
        fs::create_dir_all(&place).unwrap();
        write(&place);
        copy(&place, &directory);
        panic!("wrote {}; look at it, commit it, and run again", directory.display());
    }
    copy(&directory, &place);
    place
}

fn text(k: i64) -> String {
    if k % 3 == 0 { format!("{k}") } else { format!("row {k}, with a text that has its own chunk") }
}

/// What the rows are after everything.
fn expected() -> BTreeMap<i64, String> {
    let mut rows: BTreeMap<i64, String> = (0..ROWS).map(|k| (k * 2, text(k))).collect();
    rows.retain(|k, _| k % 14 != 0);
    for k in (2..ROWS).step_by(246).filter(|k| k % 14 != 0) {
        rows.insert(k, "changed before the checkpoint".to_owned());
    }
    rows.remove(&16);
    rows.insert(1, "in the log".to_owned());
    rows.insert(18, "changed in the log".to_owned());
    rows
}

fn change(store: &Store, k: i64, text: &str) {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    if let Some((row, _)) = find(&*snapshot, k) {
        let change = [(1, Datum::text(text))];
        txn.update(&*snapshot, TABLE, row, WriteTarget::Snapshot, &change).unwrap();
    }
    now(txn.commit().unwrap()).unwrap();
}

fn delete(store: &Store, keys: impl Iterator<Item = i64>) {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    for k in keys {
        let (row, _) = find(&*snapshot, k).unwrap();
        txn.delete(&*snapshot, TABLE, row, WriteTarget::Snapshot).unwrap();
    }
    now(txn.commit().unwrap()).unwrap();
}

/// Writes the directory of version 2.
fn write_2(place: &Path) {
    let store = open(&World::real(place).unwrap(), StoreOptions::default()).unwrap();
    create(&store);
    let txn = store.begin(Isolation::ReadCommitted);
    for k in 0..ROWS {
        txn.insert(TABLE, &row(k * 2, &text(k))).unwrap();
    }
    now(txn.commit().unwrap()).unwrap();
    store.checkpoint().unwrap();
    delete(&store, (0..ROWS * 2).step_by(14));
    for k in (2..ROWS).step_by(246) {
        change(&store, k, "changed before the checkpoint");
    }
    store.checkpoint().unwrap();
    delete(&store, std::iter::once(16));
    let txn = store.begin(Isolation::ReadCommitted);
    txn.insert(TABLE, &row(1, "in the log")).unwrap();
    now(txn.commit().unwrap()).unwrap();
    change(&store, 18, "changed in the log");
    drop(store);
    fs::remove_file(place.join("LOCK")).unwrap();
}

/// Copies a tree of files, a log without the zeros that it is filled up with.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        if path.extension().is_some_and(|ending| ending == "wal") {
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            bytes.truncate((end + 64).min(bytes.len()));
        }
        fs::write(to.join(name), bytes).unwrap();
    }
}

#[test]
fn files_of_version_2_open_with_the_same_rows() {
    let place = golden("store-v2", write_2);
    let world = World::real(&place).unwrap();
    let found = Store::inspect(&world, "").unwrap();
    assert_eq!(found.problems, []);
    assert!(found.index_blocks > 5, "{}", found.index_blocks);
    for _ in 0..2 {
        let store = open(&world, StoreOptions::default()).unwrap();
        let txn = store.begin(Isolation::ReadCommitted);
        let snapshot = txn.begin_statement();
        let rows = scan(&*snapshot);
        assert_eq!(rows, scan_index(&*snapshot, false));
        let rows: BTreeMap<_, _> = rows.into_iter().map(|(k, v, _)| (k, v)).collect();
        assert_eq!(rows, expected());
        drop((snapshot, txn));
        // What this version makes of it opens again.
        store.check().unwrap();
        store.close().unwrap();
    }
    fs::remove_dir_all(&place).unwrap();
}

/// A transaction that has inserted a row, up to its second phase.
fn prepare(store: &Store, gid: &str, key: i64) {
    let txn = store.begin(Isolation::ReadCommitted);
    insert(&*txn, key, gid);
    prepare_as(&*txn, gid);
}

fn insert(txn: &dyn Txn, key: i64, text: &str) {
    assert!(matches!(txn.insert(TABLE, &row(key, text)).unwrap(), InsertOutcome::Done(_)));
}

fn prepare_as(txn: &dyn Txn, gid: &str) {
    let name = PrepareAs { gid: gid.to_owned(), owner: "größe".to_owned(), limit: 9 };
    now(txn.prepare(&name).unwrap()).unwrap();
}

const KEYS: [(AdvisoryKey, TableLock); 2] =
    [(AdvisoryKey::One(-7), TableLock::Exclusive), (AdvisoryKey::Two(1, -1), TableLock::Share)];

/// Writes a log with prepared transactions: one of each end, and one without, which has sent chunks
/// ahead and holds all kinds of locks.
fn write_prepared(place: &Path) {
    let options = StoreOptions { chunk_bytes: 200, ..StoreOptions::default() };
    let store = open(&World::real(place).unwrap(), options).unwrap();
    create(&store);
    let txn = store.begin(Isolation::ReadCommitted);
    for key in 1..=5 {
        insert(&*txn, key, "before");
    }
    now(txn.commit().unwrap()).unwrap();
    store.checkpoint().unwrap();
    let open = store.begin(Isolation::ReadCommitted);
    for lock in [TableLock::RowExclusive, TableLock::ShareUpdateExclusive] {
        assert!(open.lock_table(TABLE, lock).unwrap().is_none());
    }
    for (key, lock) in KEYS {
        assert!(open.lock_advisory(key, lock).unwrap().is_none());
    }
    let snapshot = open.begin_statement();
    let locks = [RowLock::KeyShare, RowLock::Share, RowLock::NoKeyUpdate, RowLock::Update];
    for (key, lock) in (1..).zip(locks) {
        let (row, _) = find(&*snapshot, key).unwrap();
        let locked = open.lock_row(&*snapshot, TABLE, row, WriteTarget::Snapshot, lock).unwrap();
        assert!(matches!(locked, WriteOutcome::Done));
    }
    for key in 10..40 {
        insert(&*open, key, "a row of a transaction that is still open");
    }
    let (row, _) = find(&*snapshot, 5).unwrap();
    open.delete(&*snapshot, TABLE, row, WriteTarget::Snapshot).unwrap();
    prepare(&store, "committed", 50);
    prepare(&store, "rolled back", 60);
    prepare_as(&*open, "open");
    now(store.finish_prepared("committed", PreparedEnd::Commit).unwrap()).unwrap();
    now(store.finish_prepared("rolled back", PreparedEnd::Rollback).unwrap()).unwrap();
    store.checkpoint().unwrap();
    drop((snapshot, store));
    fs::remove_file(place.join("LOCK")).unwrap();
}

/// Longer than anybody will run this test.
const LONG_US: u64 = 1000 * 365 * 86_400_000_000;
const OTHER: TableId = TableId(7);
const MOMENTS: &str = "moments.txt";

/// The rows of version 3 after each of its commits.
fn states() -> Vec<BTreeMap<i64, String>> {
    let first: BTreeMap<i64, String> = (0..10).map(|k| (k, text(k))).collect();
    let mut second = first.clone();
    second.insert(3, "changed before the checkpoint".to_owned());
    second.remove(&4);
    let mut third = second.clone();
    third.insert(3, "changed in the log".to_owned());
    third.remove(&5);
    third.insert(20, "in the log".to_owned());
    vec![first, second, third]
}

/// The commit that is visible now.
fn newest(store: &Store) -> Ts {
    store.begin(Isolation::ReadCommitted).begin_statement().ts()
}

/// Makes the rows what they are in the next state.
fn step(store: &Store, from: &BTreeMap<i64, String>, to: &BTreeMap<i64, String>) -> Ts {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    for k in from.keys().filter(|k| !to.contains_key(k)) {
        let (row, _) = find(&*snapshot, *k).unwrap();
        txn.delete(&*snapshot, TABLE, row, WriteTarget::Snapshot).unwrap();
    }
    for (k, v) in to.iter().filter(|(k, v)| from.get(k) != Some(v)) {
        match find(&*snapshot, *k) {
            None => {
                txn.insert(TABLE, &row(*k, v)).unwrap();
            }
            Some((at, _)) => {
                let change = [(1, Datum::text(v.as_str()))];
                txn.update(&*snapshot, TABLE, at, WriteTarget::Snapshot, &change).unwrap();
            }
        }
    }
    now(txn.commit().unwrap()).unwrap();
    newest(store)
}

/// Writes the directory of version 3.
fn write_3(place: &Path) {
    let store = open(&World::real(place).unwrap(), StoreOptions::default()).unwrap();
    let kept = TableLayout { history_us: Some(LONG_US), ..layout() };
    let txn = store.begin(Isolation::ReadCommitted);
    txn.create_table(TABLE, kept.clone()).unwrap();
    txn.create_index(BY_KEY, index(0, true)).unwrap();
    txn.create_index(BY_VALUE, index(1, false)).unwrap();
    txn.create_table(OTHER, kept).unwrap();
    txn.insert(OTHER, &row(1, "in a table that was dropped")).unwrap();
    now(txn.commit().unwrap()).unwrap();
    let (mut before, mut moments) = (BTreeMap::new(), Vec::new());
    for (number, state) in states().into_iter().enumerate() {
        if number == 2 {
            let txn = store.begin(Isolation::ReadCommitted);
            txn.drop_table(OTHER).unwrap();
            now(txn.commit().unwrap()).unwrap();
            store.checkpoint().unwrap();
        }
        moments.push(format!("{}\n", step(&store, &before, &state).0));
        before = state;
    }
    drop(store);
    fs::write(place.join(MOMENTS), moments.concat()).unwrap();
    fs::remove_file(place.join("LOCK")).unwrap();
}

#[test]
fn prepared_transactions_come_back_as_they_were_written() {
    let place = golden("store-prepared-v1", write_prepared);
    let world = World::real(&place).unwrap();
    assert_eq!(Store::inspect(&world, "").unwrap().problems, []);
    let store = open(&world, StoreOptions::default()).unwrap();
    let found = store.prepared();
    let named: Vec<_> = found.iter().map(|one| (one.gid.as_str(), one.owner.as_str())).collect();
    assert_eq!(named, [("open", "größe")]);
    let held: Vec<_> = store.locks().into_iter().map(|lock| (lock.object, lock.lock)).collect();
    let mut expected: Vec<_> =
        KEYS.map(|(key, lock)| (LockObject::Advisory(key), lock)).into_iter().collect();
    for lock in [TableLock::RowExclusive, TableLock::ShareUpdateExclusive] {
        expected.push((LockObject::Table(TABLE), lock));
    }
    assert_eq!(held.len(), expected.len(), "{held:?}");
    assert!(expected.iter().all(|lock| held.contains(lock)), "{held:?}");
    let keys = |store: &Store| -> Vec<i64> {
        let txn = store.begin(Isolation::ReadCommitted);
        scan(&*txn.begin_statement()).into_iter().map(|(key, _, _)| key).collect()
    };
    assert_eq!(keys(&store), [1, 2, 3, 4, 5, 50]);
    // How strongly its rows are locked shows in who gets them all the same.
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    for (key, lock, is_free) in [
        (1, RowLock::NoKeyUpdate, true),
        (1, RowLock::Update, false),
        (2, RowLock::Share, true),
        (2, RowLock::NoKeyUpdate, false),
        (3, RowLock::KeyShare, true),
        (3, RowLock::Share, false),
        (4, RowLock::KeyShare, false),
        (5, RowLock::KeyShare, false),
    ] {
        let (row, _) = find(&*snapshot, key).unwrap();
        let locked = txn.lock_row(&*snapshot, TABLE, row, WriteTarget::Snapshot, lock).unwrap();
        assert_eq!(matches!(locked, WriteOutcome::Done), is_free, "{key} {lock:?}");
    }
    drop((snapshot, txn));
    now(store.finish_prepared("open", PreparedEnd::Commit).unwrap()).unwrap();
    let all: Vec<i64> = (1..=4).chain(10..40).chain([50]).collect();
    assert_eq!(keys(&store), all);
    assert_eq!(store.locks(), []);
    store.check().unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(&world, StoreOptions::default()).unwrap();
    assert_eq!(keys(&store), all);
    drop(store);
    fs::remove_dir_all(&place).unwrap();
}

#[test]
fn files_of_version_3_open_with_their_history() {
    let place = golden("store-v3", write_3);
    let moments = fs::read_to_string(place.join(MOMENTS)).unwrap();
    let moments: Vec<Ts> = moments.lines().map(|line| Ts(line.parse().unwrap())).collect();
    let world = World::real(&place).unwrap();
    assert_eq!(Store::inspect(&world, "").unwrap().problems, []);
    for _ in 0..2 {
        let store = open(&world, StoreOptions::default()).unwrap();
        let txn = store.begin(Isolation::ReadCommitted);
        for (ts, state) in moments.iter().zip(states()) {
            let then = now(txn.snapshot_at(Moment::Commit(*ts))).unwrap();
            let rows = scan(&*then);
            assert_eq!(rows, scan_index(&*then, false));
            let rows: BTreeMap<_, _> = rows.into_iter().map(|(k, v, _)| (k, v)).collect();
            assert_eq!(rows, state);
        }
        let dropped: Vec<_> = store.dropped_tables().iter().map(|(table, _)| *table).collect();
        assert_eq!(dropped, [OTHER]);
        txn.undrop_table(OTHER).unwrap();
        let mut row = Vec::new();
        assert!(txn.begin_statement().get(OTHER, RowId(0), &[0], &mut row).unwrap());
        assert_eq!(row, [Datum::Int64(1)]);
        txn.rollback();
        drop(txn);
        store.check().unwrap();
        store.close().unwrap();
    }
    fs::remove_dir_all(&place).unwrap();
}
