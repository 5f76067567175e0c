//! Archiving and timelines: what is kept until it is archived, what continues what.

use std::sync::Arc;

use oxi_base::{Lsn, SqlState, Ts, TxnId};
use oxi_log::timeline::{Archive, Ending};
use oxi_log::{Archiver, FrameKind, Log, LogOptions, branch};
use oxi_world::{Disk, OpenMode, SimControl, World};

const DATABASE: [u8; 16] = *b"0123456789abcdef";

fn options() -> LogOptions {
    let mut options = LogOptions::new("wal");
    options.database = Some(DATABASE);
    options.segment_bytes = 256;
    options.fill_bytes = 64;
    options
}

fn create(seed: u64) -> (World, SimControl, Log) {
    let (world, control) = World::simulated(seed);
    let (log, _) = Log::create(world.clone(), options()).unwrap();
    (world, control, log)
}

/// Commits transactions with these timestamps, each durable.
fn commit(log: &Log, numbers: std::ops::Range<u64>) {
    for n in numbers {
        log.append(FrameKind::Commit, TxnId(n), Ts(n), &n.to_le_bytes()).unwrap();
        log.flush().unwrap();
    }
}

fn logs(disk: &dyn Disk, dir: &str) -> Vec<String> {
    let mut names = disk.list(dir).unwrap();
    names.retain(|name| name.strip_suffix(".wal").is_some());
    names
}

fn archive() -> Arc<dyn Disk> {
    World::simulated(99).0.disk
}

/// What the last files of the directory say of its end.
fn ending(world: &World) -> Ending {
    let last = *branch::headers(world, "wal").unwrap().last().unwrap();
    let lsn = branch::end_of(&*world.disk, "wal", &last).unwrap();
    let (timeline, sequence) = (last.timeline, last.sequence);
    Ending { database: DATABASE, timeline, sequence, lsn }
}

/// Timestamps of the commits in a directory.
fn commits(world: &World) -> Vec<u64> {
    let (log, _) = Log::open(world.clone(), options()).unwrap();
    log.read(log.oldest_lsn()).map(|frame| frame.unwrap().commit_ts.0).collect()
}

#[test]
fn nothing_is_removed_before_it_is_archived() {
    let (world, _control, log) = create(1);
    let archive = archive();
    let archiver = Archiver::new(&log, Arc::clone(&archive));
    commit(&log, 1..40);
    let all = logs(&*world.disk, "wal");
    assert!(all.len() > 4 && archiver.is_behind());
    assert_eq!(log.retire(log.next_lsn()).unwrap(), 0);
    assert_eq!(archiver.step().unwrap(), all.len() as u64 - 1);
    assert!(!archiver.is_behind());
    assert_eq!(logs(&*archive, ""), all[..all.len() - 1]);
    assert!(log.retire(log.next_lsn()).unwrap() > 0);
    assert_eq!(logs(&*world.disk, "wal").len(), 1);
    let statistics = archiver.statistics();
    assert_eq!(statistics.archived, all.len() as u64 - 1);
    assert_eq!(statistics.last_archived.unwrap().0, all[all.len() - 2]);
    // The one that was written last follows when the log is closed.
    log.close().unwrap();
    assert_eq!(archiver.finish().unwrap(), 1);
    assert_eq!(logs(&*archive, ""), all);
}

#[test]
fn a_hold_keeps_files() {
    let (_world, _control, log) = create(2);
    commit(&log, 1..20);
    let hold = log.hold(log.oldest_lsn());
    assert_eq!(log.retire(log.next_lsn()).unwrap(), 0);
    let later = log.hold(log.next_lsn());
    drop(hold);
    commit(&log, 20..40);
    log.retire(log.next_lsn()).unwrap();
    assert!(log.oldest_lsn() > Lsn(0) && log.oldest_lsn() <= later.first_lsn());
}

#[test]
fn failures_are_counted_and_tried_again() {
    let (_world, _control, log) = create(3);
    let (broken, faults) = World::simulated(4);
    let archiver = Archiver::new(&log, Arc::clone(&broken.disk));
    commit(&log, 1..20);
    faults.fail_write("00000002", 0);
    assert_eq!(archiver.step().unwrap_err().code(), SqlState::IO_ERROR);
    let statistics = archiver.statistics();
    assert_eq!((statistics.archived, statistics.failed), (1, 1));
    assert!(statistics.last_failed.unwrap().0.contains("00000002"));
    assert_eq!(log.retire(log.next_lsn()).unwrap(), log.completed()[0].0.first_lsn.0);
    let behind = log.completed().len() as u64;
    assert_eq!(archiver.step().unwrap(), behind);
    assert!(log.retire(log.next_lsn()).unwrap() > 0);
}

#[test]
fn a_restart_goes_on_where_the_archive_ends() {
    let (world, control, log) = create(5);
    let archive = archive();
    commit(&log, 1..20);
    Archiver::new(&log, Arc::clone(&archive)).step().unwrap();
    commit(&log, 20..30);
    drop(log);
    control.crash();
    let (log, _) = Log::open(world, options()).unwrap();
    let archiver = Archiver::new(&log, Arc::clone(&archive));
    assert!(archiver.step().unwrap() > 0);
    assert_eq!(archiver.statistics().failed, 0);
    let continuation = Archive::open(&*archive, "").unwrap();
    let start = Ending { database: DATABASE, timeline: 1, sequence: 0, lsn: Lsn(0) };
    let files = continuation.continuation(&start, None).unwrap().files;
    assert_eq!(files.last().unwrap().end, log.oldest_lsn().max(log.durable_lsn()));
}

#[test]
fn two_databases_in_one_archive() {
    let (_one, _control, log) = create(6);
    let (_other, _control, second) = create(7);
    let archive = archive();
    commit(&log, 1..20);
    commit(&second, 1..20);
    Archiver::new(&log, Arc::clone(&archive)).step().unwrap();
    let refused = Archiver::new(&second, archive).step().unwrap_err();
    assert_eq!(refused.code(), SqlState::DUPLICATE_FILE);
}

#[test]
fn damage_is_found_when_archiving() {
    let (world, _control, log) = create(8);
    commit(&log, 1..20);
    let (header, _) = log.completed()[1];
    let path = format!("wal/00000001-{:012}.wal", header.sequence);
    let file = world.disk.open(&path, OpenMode::ReadWrite).unwrap();
    file.write_at(b"?", 100).unwrap();
    let error = Archiver::new(&log, archive()).step().unwrap_err();
    assert_eq!(error.code(), SqlState::DATA_CORRUPTED);
    assert!(error.message().contains(&path), "{}", error.message());
}

/// A log whose first 10 commits are in a directory of their own, all 40 in an archive.
fn archived() -> (World, Arc<dyn Disk>) {
    let (world, _control, log) = create(9);
    let archive = archive();
    commit(&log, 1..11);
    log.rotate().unwrap();
    let (copy, _) = World::simulated(10);
    copy.disk.create_dir_all("wal").unwrap();
    for (header, end) in log.completed() {
        let name = format!("wal/00000001-{:012}.wal", header.sequence);
        let bytes = world.disk.read(&name).unwrap();
        let length = 64 + (end.0 - header.first_lsn.0) as usize;
        let file = copy.disk.open(&name, OpenMode::Create).unwrap();
        file.write_at(&bytes[..length], 0).unwrap();
    }
    commit(&log, 11..41);
    log.close().unwrap();
    Archiver::new(&log, Arc::clone(&archive)).finish().unwrap();
    (copy, archive)
}

/// Copies what continues the log and ends it at the last commit up to a timestamp.
fn replay(world: &World, archive: &dyn Disk, until: Ts) -> u32 {
    let opened = Archive::open(archive, "").unwrap();
    let found = opened.continuation(&ending(world), None).unwrap();
    for file in &found.files {
        let from = archive.open(&file.name, OpenMode::Read).unwrap();
        let length = 64 + (file.end.0 - file.header.first_lsn.0);
        let path = format!("wal/{}", file.name);
        oxi_world::disk::copy_whole(&*from, length, &*world.disk, &path).unwrap();
    }
    let mut at = ending(world).lsn;
    for header in branch::headers(world, "wal").unwrap() {
        let commits = branch::commits(&*world.disk, "wal", header, until).unwrap();
        if let Some(beyond) = commits.beyond {
            at = beyond;
            break;
        }
    }
    let timeline = found.newest.max(1) + 1;
    branch::begin(world, "wal", at, timeline, found.history).unwrap();
    timeline
}

#[test]
fn a_log_goes_on_from_the_archive_to_a_commit() {
    for until in [10, 11, 17, 24, 39, 40] {
        let (world, archive) = archived();
        assert_eq!(replay(&world, &*archive, Ts(until)), 2);
        assert_eq!(commits(&world), (1..=until).collect::<Vec<_>>());
    }
}

#[test]
fn timelines_are_kept_apart_in_one_archive() {
    let (world, archive) = archived();
    let (again, _) = archived();
    replay(&world, &*archive, Ts(25));
    let (log, recovered) = Log::open(world, options()).unwrap();
    assert_eq!(recovered.timeline, 2);
    commit(&log, 100..120);
    log.close().unwrap();
    Archiver::new(&log, Arc::clone(&archive)).finish().unwrap();

    // Who restores now follows the newest timeline, or the one that is asked for.
    let opened = Archive::open(&*archive, "").unwrap();
    let newest = opened.continuation(&ending(&again), None).unwrap();
    assert_eq!((newest.timeline, newest.newest, newest.history.len()), (2, 2, 1));
    let first = opened.continuation(&ending(&again), Some(1)).unwrap();
    assert_eq!((first.timeline, first.history.len()), (1, 0));
    assert!(opened.continuation(&ending(&again), Some(7)).is_err());
    assert_eq!(replay(&again, &*archive, Ts(u64::MAX)), 3);
    assert_eq!(commits(&again), (1..=25).chain(100..120).collect::<Vec<_>>());
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let (world, archive) = archived();
    let names = logs(&*archive, "");
    let end = ending(&world);
    let later = names.iter().filter(|name| ***name > *format!("00000001-{:012}.wal", end.sequence));
    let later: Vec<String> = later.cloned().collect();
    let bytes = archive.read(&later[1]).unwrap();
    archive.remove(&later[1]).unwrap();
    let gap = Archive::open(&*archive, "").unwrap().continuation(&end, None).unwrap_err();
    assert_eq!(gap.code(), SqlState::UNDEFINED_FILE);
    assert!(gap.message().starts_with("the archive lacks the log from position "), "{gap:?}");
    assert!(gap.detail().unwrap().contains(&later[2]), "{gap:?}");
    let file = archive.open(&later[1], OpenMode::Create).unwrap();
    file.write_at(&bytes, 0).unwrap();
    file.write_at(b"?", 20).unwrap();
    let damaged = Archive::open(&*archive, "").unwrap().continuation(&end, None).unwrap_err();
    assert_eq!(damaged.code(), SqlState::DATA_CORRUPTED);
    assert!(damaged.message().contains(&later[1]), "{damaged:?}");
}
