//! The simulated world keeps what was synced, loses the rest in every legal way, and repeats.

use std::sync::atomic::{AtomicBool, Ordering};

use oxi_base::SqlState;

use super::*;
use crate::disk::OpenMode;

#[test]
fn synced_bytes_and_names_survive() {
    for seed in 0..50 {
        let (world, control) = World::simulated(seed);
        let file = world.disk.open("kept", OpenMode::Create).unwrap();
        file.write_at(&[1; 2000], 0).unwrap();
        file.sync_data().unwrap();
        world.disk.sync_dir("").unwrap();
        file.write_at(&[2; 2000], 0).unwrap();
        world.disk.open("perhaps", OpenMode::Create).unwrap();
        control.crash();
        let kept = world.disk.read("kept").unwrap();
        assert_eq!(kept.len(), 2000);
        assert!(kept.chunks(512).all(|sector| sector.iter().all(|&byte| byte == sector[0])));
        assert!(file.len().is_err(), "handles die with the machine");
    }
}

#[test]
fn unsynced_bytes_tear_in_every_way() {
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let (world, control) = World::simulated(seed);
        let file = world.disk.open("file", OpenMode::Create).unwrap();
        file.write_at(&[0; 1536], 0).unwrap();
        file.sync_data().unwrap();
        world.disk.sync_dir("").unwrap();
        file.write_at(&[1; 1536], 0).unwrap();
        control.crash();
        let bytes = world.disk.read("file").unwrap();
        outcomes.insert((bytes[0], bytes[512], bytes[1024]));
    }
    assert_eq!(outcomes.len(), 8, "{outcomes:?}");
}

#[test]
fn unsynced_names_may_be_lost() {
    let (mut lost, mut kept) = (0, 0);
    for seed in 0..100 {
        let (world, control) = World::simulated(seed);
        let file = world.disk.open("file", OpenMode::Create).unwrap();
        file.write_at(b"x", 0).unwrap();
        file.sync_data().unwrap();
        control.crash();
        if world.disk.exists("file").unwrap() { kept += 1 } else { lost += 1 }
    }
    assert!(lost > 10 && kept > 10);
}

#[test]
fn a_failed_sync_loses_bytes_that_reads_still_see() {
    let (world, control) = World::simulated(3);
    let file = world.disk.open("file", OpenMode::Create).unwrap();
    world.disk.sync_dir("").unwrap();
    file.write_at(&[7; 16 * 512], 0).unwrap();
    control.fail_sync("file", 0);
    assert_eq!(file.sync_data().unwrap_err().code(), SqlState::IO_ERROR);
    file.sync_data().unwrap();
    assert_eq!(world.disk.read("file").unwrap(), [7; 16 * 512]);
    control.crash();
    assert_ne!(world.disk.read("file").unwrap(), [7; 16 * 512]);
}

#[test]
fn full_disks_and_stopped_machines() {
    let (world, control) = World::simulated(4);
    let file = world.disk.open("file", OpenMode::Create).unwrap();
    control.limit_space(Some(10));
    assert_eq!(file.write_at(&[1; 16], 0).unwrap_err().code(), SqlState::DISK_FULL);
    file.write_at(&[2; 10], 0).unwrap();
    control.limit_space(None);
    control.halt_after(1);
    file.write_at(&[3; 600], 0).unwrap();
    assert!(file.sync_data().is_err());
    assert!(world.disk.exists("file").is_err());
    control.crash();
    world.disk.exists("file").unwrap();
}

#[test]
fn reads_are_wrong_once_when_told() {
    let (world, control) = World::simulated(6);
    let file = world.disk.open("file", OpenMode::Create).unwrap();
    let old: Vec<u8> = (0..8192).map(|at| (at / 512) as u8).collect();
    file.write_at(&old, 0).unwrap();
    control.misdirect_read("file", 1);
    assert_eq!(world.disk.read("file").unwrap(), old);
    let wrong = world.disk.read("file").unwrap();
    assert_eq!((wrong.len(), wrong == old), (old.len(), false));
    assert_eq!(world.disk.read("file").unwrap(), old);

    file.write_at(&[99; 700], 8000).unwrap();
    control.stale_read("file", 0);
    assert_eq!(world.disk.read("file").unwrap(), old);
    assert_eq!(world.disk.read("file").unwrap().len(), 8700);

    control.slow_disk(1000);
    let before = world.clock.monotonic_us();
    for _ in 0..10 {
        world.disk.read("file").unwrap();
    }
    assert!(world.clock.monotonic_us() > before);
}

#[test]
fn time_and_tasks_move_only_when_told() {
    let (world, control) = World::simulated(5);
    assert_eq!(world.clock.now_unix_us(), START_UNIX_US);
    control.advance_us(5);
    world.tasks.sleep(7);
    assert_eq!(world.clock.monotonic_us(), 12);
    let ran = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ran);
    let body = Box::new(move || flag.store(true, Ordering::SeqCst));
    world.tasks.spawn_thread("writer", body).unwrap();
    assert_eq!(control.pending_tasks(), ["writer"]);
    assert!(!ran.load(Ordering::SeqCst));
    assert!(control.run_task("writer"));
    assert!(ran.load(Ordering::SeqCst));
}

#[test]
fn equal_seeds_give_equal_histories() {
    let run = |seed| {
        let (world, control) = World::simulated(seed);
        let file = world.disk.open("file", OpenMode::Create).unwrap();
        for at in 0..20 {
            file.write_at(&world.rng.next_u64().to_le_bytes().repeat(80), at * 300).unwrap();
        }
        world.disk.sync_dir("").unwrap();
        control.crash();
        world.disk.read("file").unwrap()
    };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}
