//! Backups while others write, archived log, and restoring to any commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use oxi_base::SqlState;
use oxi_log::Archiver;
use oxi_model::backup::Backup;
use oxi_model::engine::*;
use oxi_store::backup::{self, MANIFEST_NAME};
use oxi_store::{RestoreOptions, RestoreReport, Store, StoreOptions, restore};
use oxi_world::{Disk, OpenMode, SimControl, World, disk};

use crate::support::*;

const DIR: &str = "db";

fn options() -> StoreOptions {
    StoreOptions { dir: DIR.to_owned(), log_segment_bytes: 2048, ..StoreOptions::default() }
}

/// A place that is empty.
fn place(seed: u64) -> Arc<dyn Disk> {
    World::simulated(seed).0.disk
}

fn made(seed: u64) -> (World, SimControl, Arc<Store>) {
    let (world, control) = World::simulated(seed);
    world.disk.create_dir_all(DIR).unwrap();
    let store = open(&world, options()).unwrap();
    create(&store);
    (world, control, store)
}

type Model = BTreeMap<i64, String>;

/// States by the microsecond of the commit that made them.
type History = Vec<(i64, Model)>;

/// Commits changes of a few rows, each at a time of its own, and notes what holds then.
fn work(world: &World, control: &SimControl, store: &Store, history: &mut History, count: i64) {
    let mut model = history.last().map(|(_, model)| model.clone()).unwrap_or_default();
    let begun = history.len() as i64;
    for n in begun..begun + count {
        control.advance_us(1000);
        let txn = store.begin(Isolation::ReadCommitted);
        let snapshot = txn.begin_statement();
        for k in [n % 7, n % 11] {
            let value = format!("{n} of {k}");
            match find(&*snapshot, k) {
                Some((row, _)) => {
                    let change = [(1, oxi_model::Datum::text(&*value))];
                    txn.update(&*snapshot, TABLE, row, WriteTarget::Snapshot, &change).unwrap();
                }
                None if !model.contains_key(&k) => {
                    txn.insert(TABLE, &row(k, &value)).unwrap();
                }
                None => continue,
            }
            model.insert(k, value);
        }
        now(txn.commit().unwrap()).unwrap();
        history.push((world.clock.now_unix_us(), model.clone()));
        if n % 40 == 17 {
            store.checkpoint().unwrap();
        }
    }
}

fn rows(store: &Store) -> Model {
    let txn = store.begin(Isolation::ReadCommitted);
    scan(&*txn.begin_statement()).into_iter().map(|(k, v, _)| (k, v)).collect()
}

/// Restores into a fresh world; the rows that are there then.
fn restored(
    backup: &Arc<dyn Disk>,
    archive: Option<&Arc<dyn Disk>>,
    options: RestoreOptions,
) -> oxi_base::Result<(Model, RestoreReport, World)> {
    let (world, _) = World::simulated(77);
    let report = restore(&world, &**backup, archive.map(|disk| &**disk), &options)?;
    let found = Store::inspect(&world, "").unwrap();
    assert_eq!(found.problems, []);
    let store = open(&world, StoreOptions::default()).unwrap();
    let rows = rows(&store);
    store.check().unwrap();
    store.close().unwrap();
    Ok((rows, report, world))
}

fn to(to_us: i64) -> RestoreOptions {
    RestoreOptions { to_us: Some(to_us), timeline: None }
}

fn copy(store: &Store, target: &Arc<dyn Disk>) -> Backup {
    let running = store.begin_backup().unwrap();
    backup::copy_running(&*running, Arc::clone(target)).unwrap()
}

fn problems(target: &Arc<dyn Disk>) -> Vec<String> {
    let (world, _) = World::simulated(1);
    let found = Store::inspect_backup(&world, Arc::clone(target)).unwrap();
    found.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_backup_holds_what_was_committed_until_its_end() {
    let (world, control, store) = made(1);
    let mut history = History::new();
    work(&world, &control, &store, &mut history, 60);
    let target = place(2);
    let running = store.begin_backup().unwrap();
    // Nobody waits: what comes while files are copied, checkpoints included, is part of it.
    work(&world, &control, &store, &mut history, 90);
    let copied = backup::copy_running(&*running, Arc::clone(&target)).unwrap();
    drop(running);
    let expected = history.last().unwrap().1.clone();
    work(&world, &control, &store, &mut history, 10);
    assert_eq!(problems(&target), Vec::<String>::new());
    let (rows, report, _) = restored(&target, None, RestoreOptions::default()).unwrap();
    assert_eq!(rows, expected);
    assert_eq!((report.end, report.timeline), (copied.end.unwrap().lsn, 2));
    // Its own log leads to each moment since its beginning.
    for (at, expected) in history.iter().skip(60).take(90).step_by(13) {
        assert_eq!(restored(&target, None, to(*at)).unwrap().0, *expected);
        assert_eq!(restored(&target, None, to(*at + 500)).unwrap().0, *expected);
    }
}

#[test]
fn files_stay_as_long_as_a_backup_reads_them() {
    let (world, control, store) = made(3);
    let mut history = History::new();
    work(&world, &control, &store, &mut history, 30);
    let running = store.begin_backup().unwrap();
    let files = running.begin().files.clone();
    work(&world, &control, &store, &mut history, 200);
    for file in &files {
        assert_eq!(
            running.read(&file.path, 0, file.bytes as usize).unwrap().len() as u64,
            file.bytes
        );
    }
    assert_eq!(running.read("LOCK", 0, 0).unwrap_err().code(), SqlState::UNDEFINED_FILE);
    assert!(running.read("CURRENT", 10, 100).is_err());
    drop(running);
    store.checkpoint().unwrap();
    let gone =
        files.iter().filter(|file| !world.disk.exists(&format!("db/{}", file.path)).unwrap());
    assert!(gone.count() > 1, "{files:?}");
}

#[test]
fn restoring_to_any_commit_from_the_archive() {
    let (world, control, store) = made(4);
    let archive = place(5);
    let archiver = store.archive_to(Arc::clone(&archive));
    let mut history = History::new();
    work(&world, &control, &store, &mut history, 50);
    let target = place(6);
    copy(&store, &target);
    let begun = history.len();
    work(&world, &control, &store, &mut history, 150);
    store.close().unwrap();
    archiver.finish().unwrap();

    for (at, expected) in history.iter().skip(begun - 1).step_by(11) {
        let (rows, report, _) = restored(&target, Some(&archive), to(*at)).unwrap();
        assert_eq!(rows, *expected);
        assert!(report.last_commit.is_none_or(|ts| ts.unix_us() <= *at));
    }
    let (rows, ..) = restored(&target, Some(&archive), RestoreOptions::default()).unwrap();
    assert_eq!(rows, history.last().unwrap().1);

    // What cannot be reached.
    let early = restored(&target, Some(&archive), to(history[3].0)).unwrap_err();
    assert!(early.message().contains("before consistent recovery point"), "{early}");
    let late = restored(&target, Some(&archive), to(history.last().unwrap().0 + 1)).unwrap_err();
    assert!(late.message().contains("recovery ended before"), "{late}");
    assert!(restored(&target, None, to(history[begun + 20].0)).is_err());
}

#[test]
fn a_restored_database_goes_on_with_the_same_archive() {
    let (world, control, store) = made(7);
    let archive = place(8);
    let archiver = store.archive_to(Arc::clone(&archive));
    let mut history = History::new();
    work(&world, &control, &store, &mut history, 40);
    let target = place(9);
    copy(&store, &target);
    work(&world, &control, &store, &mut history, 60);
    store.close().unwrap();
    archiver.finish().unwrap();

    let (at, expected) = history[70].clone();
    let (rows_then, report, second) = restored(&target, Some(&archive), to(at)).unwrap();
    assert_eq!((rows_then, report.timeline), (expected.clone(), 2));
    let store = open(&second, StoreOptions::default()).unwrap();
    let archiver = store.archive_to(Arc::clone(&archive));
    let txn = store.begin(Isolation::ReadCommitted);
    txn.insert(TABLE, &row(1000, "another life")).unwrap();
    now(txn.commit().unwrap()).unwrap();
    let mut other = expected;
    other.insert(1000, "another life".to_owned());
    store.close().unwrap();
    archiver.finish().unwrap();
    assert_eq!(archiver.statistics().failed, 0);

    // By default the newest life goes on, the first is there as well.
    let (rows_now, report, _) =
        restored(&target, Some(&archive), RestoreOptions::default()).unwrap();
    assert_eq!((rows_now, report.timeline), (other, 3));
    let first = RestoreOptions { timeline: Some(1), ..RestoreOptions::default() };
    let (rows_first, report, _) = restored(&target, Some(&archive), first).unwrap();
    assert_eq!((rows_first, report.timeline), (history.last().unwrap().1.clone(), 3));
}

#[test]
fn a_database_that_nobody_has_open() {
    let (world, control, store) = made(10);
    let mut history = History::new();
    work(&world, &control, &store, &mut history, 75);
    let target = place(11);
    let open_yet = Store::backup_closed(&world, DIR, Arc::clone(&target)).unwrap_err();
    assert_eq!(open_yet.code(), SqlState::OBJECT_IN_USE);
    drop(store);
    control.crash();
    Store::backup_closed(&world, DIR, Arc::clone(&target)).unwrap();
    assert_eq!(problems(&target), Vec::<String>::new());
    let (rows, ..) = restored(&target, None, RestoreOptions::default()).unwrap();
    assert_eq!(rows, history.last().unwrap().1);
    let again = Store::backup_closed(&world, DIR, target).unwrap_err();
    assert_eq!(again.code(), SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
}

#[test]
fn a_database_without_any_checkpoint() {
    let (world, control, store) = made(12);
    let mut history = History::new();
    work(&world, &control, &store, &mut history, 10);
    drop(store);
    let target = place(13);
    Store::backup_closed(&world, DIR, Arc::clone(&target)).unwrap();
    let (rows, ..) = restored(&target, None, RestoreOptions::default()).unwrap();
    assert_eq!(rows, history.last().unwrap().1);
}

#[test]
fn every_damaged_file_is_named() {
    let (world, control, store) = made(14);
    let mut history = History::new();
    work(&world, &control, &store, &mut history, 50);
    let target = place(15);
    let copied = copy(&store, &target);
    for file in &copied.files {
        let path = disk::join("files", &file.path);
        for bit in [0, file.bytes * 4, file.bytes * 8 - 1] {
            let (opened, at) = (target.open(&path, OpenMode::ReadWrite).unwrap(), bit / 8);
            let mut byte = [0];
            opened.read_exact_at(&mut byte, at).unwrap();
            opened.write_at(&[byte[0] ^ 1 << (bit % 8)], at).unwrap();
            let found = problems(&target);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(&format!("{path} at byte 0: ")), "{found:?}");
            let refused = restored(&target, None, RestoreOptions::default()).unwrap_err();
            assert_eq!(refused.code(), SqlState::DATA_CORRUPTED);
            assert!(refused.message().contains(&path), "{refused}");
            opened.write_at(&byte, at).unwrap();
        }
        let opened = target.open(&path, OpenMode::ReadWrite).unwrap();
        opened.write_at(b"more", file.bytes).unwrap();
        assert!(problems(&target)[0].contains(&format!("{} bytes rather than", file.bytes + 4)));
        opened.set_len(file.bytes).unwrap();
    }
    assert_eq!(problems(&target), Vec::<String>::new());
}

#[test]
fn what_is_not_complete_is_recognised() {
    let (world, control, store) = made(16);
    let mut history = History::new();
    work(&world, &control, &store, &mut history, 20);
    let target = place(17);
    copy(&store, &target);
    let manifest = target.read(MANIFEST_NAME).unwrap();
    target.remove(MANIFEST_NAME).unwrap();
    let refused = restored(&target, None, RestoreOptions::default()).unwrap_err();
    assert!(refused.message().contains("is not complete"), "{refused}");
    assert!(Store::inspect_backup(&world, Arc::clone(&target)).is_err());
    let nothing = restored(&place(18), None, RestoreOptions::default()).unwrap_err();
    assert_eq!(nothing.code(), SqlState::UNDEFINED_FILE);

    // A restore that stops in between leaves nothing that could be taken for a database.
    target.replace(MANIFEST_NAME, &manifest).unwrap();
    for step in 0.. {
        let (fresh, control) = World::simulated(19);
        control.halt_after(step);
        let finished = restore(&fresh, &*target, None, &RestoreOptions::default()).is_ok();
        control.crash();
        match open(&fresh, StoreOptions::default()) {
            Ok(store) => {
                let rows = rows_or_none(&store);
                assert!(rows.is_none() || rows == Some(history.last().unwrap().1.clone()));
                assert!(!finished || rows.is_some(), "step {step}");
            }
            Err(error) => assert!(!finished, "step {step}: {error}"),
        }
        if finished {
            break;
        }
    }
}

/// The rows, if there is a table at all.
fn rows_or_none(store: &Store) -> Option<Model> {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    let request = ScanRequest { columns: vec![0, 1], row_id: true, partitions: 1, in_order: false };
    snapshot.scan(TABLE, &request).ok()?;
    Some(rows(store))
}

#[test]
fn an_archive_that_fails_costs_nothing_but_space() {
    let (world, control, store) = made(20);
    let (broken, faults) = World::simulated(21);
    let archiver: Arc<Archiver> = store.archive_to(Arc::clone(&broken.disk));
    faults.limit_space(Some(0));
    let mut history = History::new();
    work(&world, &control, &store, &mut history, 120);
    assert!(archiver.step().is_err());
    assert_eq!(store.archiver().unwrap().failed, 1);
    assert_eq!(store.checkpoint().unwrap().log_bytes_retired, 0);
    faults.limit_space(None);
    assert!(archiver.step().unwrap() > 3);
    assert!(store.checkpoint().unwrap().log_bytes_retired > 0);
    assert!(store.archiver().unwrap().last_archived.is_some());
}
