//! A backup and an archive as version 1 of their formats was written: this version restores them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oxi_model::engine::*;
use oxi_store::backup::copy_running;
use oxi_store::{RestoreOptions, Store, StoreOptions, restore};
use oxi_world::{Disk, World, disk::place};

use crate::support::*;

/// In the backup's checkpoint, its log, and the archive.
const ROWS: [std::ops::Range<i64>; 3] = [0..40, 40..50, 50..60];

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/formats").join(name)
}

fn disk(path: &Path) -> Arc<dyn Disk> {
    place::open(path.to_str().unwrap()).unwrap()
}

fn insert(store: &Store, keys: std::ops::Range<i64>) {
    for k in keys {
        let txn = store.begin(Isolation::ReadCommitted);
        txn.insert(TABLE, &row(k, &format!("row {k}"))).unwrap();
        now(txn.commit().unwrap()).unwrap();
    }
}

/// Writes the directories of a new version.
fn write(backup: &Path, archive: &Path) {
    let (world, _control) = World::simulated(16);
    let store = open(&world, StoreOptions::default()).unwrap();
    let archiver = store.archive_to(disk(archive));
    create(&store);
    insert(&store, ROWS[0].clone());
    let running = store.begin_backup().unwrap();
    insert(&store, ROWS[1].clone());
    copy_running(&*running, disk(backup)).unwrap();
    insert(&store, ROWS[2].clone());
    store.close().unwrap();
    archiver.finish().unwrap();
}

fn restored(backup: &Path, archive: Option<&Path>) -> BTreeMap<i64, String> {
    let (world, _control) = World::simulated(17);
    let archive = archive.map(disk);
    let options = RestoreOptions::default();
    restore(&world, &*disk(backup), archive.as_deref(), &options).unwrap();
    let store = open(&world, StoreOptions::default()).unwrap();
    let txn = store.begin(Isolation::ReadCommitted);
    scan(&*txn.begin_statement()).into_iter().map(|(k, v, _)| (k, v)).collect()
}

#[test]
fn a_backup_of_version_1_is_restored() {
    let (backup, archive) = (directory("backup-v1"), directory("backup-v1-archive"));
    if !backup.exists() {
        write(&backup, &archive);
        panic!("wrote {}; look at it, commit it, and run again", backup.display());
    }
    let (world, _control) = World::simulated(18);
    let found = Store::inspect_backup(&world, disk(&backup)).unwrap();
    assert_eq!(found.problems, []);
    let rows = |to: i64| (0..to).map(|k| (k, format!("row {k}"))).collect::<BTreeMap<_, _>>();
    assert_eq!(restored(&backup, None), rows(ROWS[1].end));
    assert_eq!(restored(&backup, Some(&archive)), rows(ROWS[2].end));
}
