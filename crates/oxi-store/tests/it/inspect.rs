//! The offline check: it changes nothing, and it finds and names what is wrong.

use std::collections::BTreeMap;

use oxi_model::engine::*;
use oxi_store::{Inspection, Store, StoreOptions};
use oxi_world::{OpenMode, SimControl, World, disk};

use crate::support::*;

const DIR: &str = "db";

/// Every file below a directory with its bytes.
fn files(world: &World, dir: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    for name in world.disk.list(dir).unwrap() {
        let path = disk::join(dir, &name);
        match world.disk.read(&path) {
            Ok(bytes) => {
                found.insert(path, bytes);
            }
            Err(_) => files(world, &path, found),
        }
    }
}

fn snapshot(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    files(world, DIR, &mut found);
    found
}

/// Inspects, and makes sure that this has changed nothing.
fn inspect(world: &World) -> Inspection {
    let before = snapshot(world);
    let found = Store::inspect(world, DIR).unwrap();
    assert_eq!(before, snapshot(world));
    found
}

fn problems(world: &World) -> Vec<String> {
    inspect(world).problems.iter().map(ToString::to_string).collect()
}

fn insert(store: &Store, keys: std::ops::Range<i64>) {
    for k in keys {
        let txn = store.begin(Isolation::ReadCommitted);
        txn.insert(TABLE, &row(k, "some value")).unwrap();
        now(txn.commit().unwrap()).unwrap();
    }
}

fn options() -> StoreOptions {
    StoreOptions { dir: DIR.to_owned(), log_segment_bytes: 1024, ..StoreOptions::default() }
}

/// A database with a checkpoint of 30 rows and a log with 40 more behind it.
fn made() -> (World, SimControl) {
    let (world, control) = World::simulated(7);
    world.disk.create_dir_all(DIR).unwrap();
    let store = open(&world, options()).unwrap();
    create(&store);
    insert(&store, 0..30);
    store.checkpoint().unwrap();
    insert(&store, 30..70);
    drop(store);
    (world, control)
}

/// The file of the table whose name begins so: there is one.
fn stored(world: &World, beginning: &str) -> String {
    let beginning = format!("db/data/1/{beginning}");
    let found = snapshot(world).into_keys().filter(|path| path.starts_with(&beginning));
    let found: Vec<String> = found.collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

fn logs(world: &World) -> Vec<String> {
    let names = world.disk.list("db/wal").unwrap();
    names.iter().map(|name| disk::join("db/wal", name)).collect()
}

#[test]
fn a_sound_database() {
    let (world, _control) = made();
    let found = inspect(&world);
    assert_eq!(found.problems, []);
    assert_eq!(found.checkpoint.as_ref().unwrap().number, 1);
    assert_eq!((found.images, found.image_files, found.image_rows), (1, 1, 30));
    assert!(found.log.len() > 2, "{:?}", found.log);
    assert_eq!(found.transactions, 40);
    let content = found.content.unwrap();
    assert_eq!((content.tables, content.rows, content.entries), (1, 70, 140));
    assert_eq!(found.indexes, 2);
    assert_eq!(found.leftovers, Vec::<String>::new());
    assert_eq!(
        scan(&*open(&world, options()).unwrap().begin(Isolation::ReadCommitted).begin_statement())
            .len(),
        70
    );
}

#[test]
fn a_database_that_is_open() {
    let (world, _control) = made();
    let _store = open(&world, options()).unwrap();
    assert_eq!(Store::inspect(&world, DIR).unwrap_err().code().as_str(), "55006");
}

#[test]
fn a_torn_tail_is_what_a_crash_leaves() {
    let (world, _control) = made();
    let last = logs(&world).pop().unwrap();
    let end = inspect(&world).log.last().map(|file| file.end_lsn.0 - file.first_lsn.0).unwrap();
    let file = world.disk.open(&last, OpenMode::ReadWrite).unwrap();
    file.write_at(&[100, 0, 0, 0, 1, 1, 0, 0, 9], 64 + end).unwrap();
    let found = inspect(&world);
    assert_eq!(found.problems, []);
    assert_eq!(found.log.last().unwrap().torn_bytes, 9);
    assert_eq!(found.content.unwrap().rows, 70);
}

#[test]
fn a_flipped_bit_in_an_image() {
    let (world, control) = made();
    let image = stored(&world, "h-");
    control.flip_bit(&image, 40, 3).unwrap();
    let found = problems(&world);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("db/data/1/h-"), "{found:?}");
    assert!(found[0].contains(" at byte 8: block 0, "), "{found:?}");
    assert!(found[0].ends_with("block image fails its checksum"), "{found:?}");
}

#[test]
fn a_flipped_bit_in_an_index() {
    let (world, control) = made();
    let path = stored(&world, "i-1-");
    control.flip_bit(&path, 40, 3).unwrap();
    let expected = format!("{path} at byte 8: index block fails its checksum");
    assert_eq!(problems(&world), [expected]);
    let (world, control) = made();
    control.flip_bit(&path, 3, 3).unwrap();
    let expected = format!("{path} at byte 0: it does not begin as a file of index blocks does");
    assert_eq!(problems(&world), [expected]);
}

#[test]
fn a_flipped_bit_in_the_middle_of_the_log() {
    let (world, control) = made();
    let second = logs(&world)[1].clone();
    control.flip_bit(&second, 200, 0).unwrap();
    let found = problems(&world);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(&format!("{second} at byte ")), "{found:?}");
    assert!(found[0].contains("checksum does not match"), "{found:?}");
}

#[test]
fn a_flipped_bit_before_a_later_flush_of_the_last_file() {
    let (world, control) = made();
    let last = logs(&world).pop().unwrap();
    control.flip_bit(&last, 64 + 30, 0).unwrap();
    let found = problems(&world);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(&format!("{last} at byte 64: ")), "{found:?}");
    assert!(found[0].contains("sound frames follow"), "{found:?}");
}

#[test]
fn a_flipped_bit_in_a_manifest() {
    for part in ["db/manifest/manifest-", "db/manifest/t-", "db/manifest/i-"] {
        let (world, control) = made();
        let path = snapshot(&world).into_keys().find(|path| path.starts_with(part)).unwrap();
        control.flip_bit(&path, 20, 5).unwrap();
        let found = problems(&world);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("{path} at byte 0: the checksum of its ")));
    }
}

#[test]
fn damage_in_several_places_is_told_at_once() {
    let (world, control) = made();
    control.flip_bit(&stored(&world, "h-"), 40, 3).unwrap();
    let logs = logs(&world);
    control.flip_bit(&logs[0], 100, 0).unwrap();
    control.flip_bit(&logs[1], 10, 0).unwrap();
    let found = problems(&world);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().any(|line| line.contains("its header is invalid")), "{found:?}");
}

#[test]
fn every_missing_file_is_named() {
    let all: Vec<String> = snapshot(&made().0).into_keys().collect();
    for path in all.iter().filter(|path| !path.ends_with("LOCK") && !path.ends_with("CURRENT")) {
        let (world, _control) = made();
        world.disk.remove(path).unwrap();
        let found = problems(&world);
        let is_last_log = logs(&made().0).last() == Some(path);
        if is_last_log {
            // Nothing tells that there was more log.
            assert_eq!(found, Vec::<String>::new());
            continue;
        }
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        let is_log = path.contains("/wal/");
        assert!(is_log || found[0] == format!("{path}: the file is missing"), "{path}: {found:?}");
    }
}

#[test]
fn without_current_the_log_shows_that_there_was_a_checkpoint() {
    let (world, _control) = made();
    world.disk.remove("db/CURRENT").unwrap();
    // The newest root that is whole is what the next start takes, too.
    assert_eq!(inspect(&world).content.unwrap().rows, 70);
    let root = snapshot(&world).into_keys().find(|path| path.contains("/manifest-")).unwrap();
    world.disk.remove(&root).unwrap();
    let found = problems(&world);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("db/CURRENT: the log begins at position "), "{found:?}");
    assert!(open(&world, options()).is_err());
}

#[test]
fn what_a_failed_checkpoint_leaves_is_no_problem() {
    let (world, _control) = made();
    let left = world.disk.open("db/manifest/t-1-00000009", OpenMode::Create).unwrap();
    left.write_at(b"half", 0).unwrap();
    let found = inspect(&world);
    assert_eq!((found.problems.len(), found.leftovers.len()), (0, 1));
}

#[test]
fn what_opening_refuses_is_found_and_the_other_way_round() {
    for seed in 0..120 {
        let (world, control) = made();
        let paths: Vec<String> = snapshot(&world).into_keys().collect();
        let paths: Vec<_> = paths.iter().filter(|path| !path.ends_with("LOCK")).collect();
        let path = paths[seed % paths.len()];
        let length = world.disk.read(path).unwrap().len() as u64;
        control.flip_bit(path, seed as u64 * 37 % length, seed as u32).unwrap();
        let found = problems(&world);
        let opened = open(&world, options()).and_then(|store| store.check().map(|_| ()));
        assert_eq!(opened.is_ok(), found.is_empty(), "{seed} {path}: {opened:?} {found:?}");
    }
}

#[test]
fn recovery_speaks_in_sentences() {
    let (world, _control) = made();
    let store = open(&world, options()).unwrap();
    assert_eq!(
        store.recovery_report().to_string(),
        "opened checkpoint 1 with 30 rows; replayed 40 transactions (40 changes) from 41 log records; \
         took 0.00 s"
    );
    let (fresh, _control) = World::simulated(1);
    let store = open(&fresh, StoreOptions::default()).unwrap();
    assert_eq!(store.recovery_report().to_string(), "opened a database without content");
}
