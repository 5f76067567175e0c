//! A store's files as version 2 of the formats was written, with blocks of index entries: this
//! version opens them and finds the same rows. (`oxibase/tests/it/formats.rs` does so with whole
//! databases.)

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use oxi_model::{Datum, engine::*};
use oxi_store::{Store, StoreOptions};
use oxi_world::World;

use crate::support::*;

const ROWS: i64 = 5_000;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/formats/store-v2")
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

/// Writes the directory of a new version.
fn write(place: &Path) {
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
    let place = std::env::temp_dir().join(format!("oxi-store-golden-{}", std::process::id()));
    let _ = fs::remove_dir_all(&place);
    if !directory().exists() {
        fs::create_dir_all(&place).unwrap();
        write(&place);
        copy(&place, &directory());
        panic!("wrote {}; look at it, commit it, and run again", directory().display());
    }
    copy(&directory(), &place);
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
