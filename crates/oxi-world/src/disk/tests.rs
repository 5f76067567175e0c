//! What both disks must do alike, and the real one's lock.

use super::real::RealDisk;
use super::*;
use crate::World;

fn temporary(name: &str) -> std::path::PathBuf {
    let dir = std::env::temp_dir().join(format!("oxi-world-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

fn code(error: Error) -> SqlState {
    error.code()
}

fn exercise(disk: &dyn Disk) {
    disk.create_dir_all("a/b").unwrap();
    let file = disk.open("a/b/one", OpenMode::Create).unwrap();
    assert_eq!(
        code(disk.open("a/b/one", OpenMode::Create).err().unwrap()),
        SqlState::DUPLICATE_FILE
    );
    file.write_at(b"world", 6).unwrap();
    file.write_at(b"hello ", 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir("a/b").unwrap();
    assert_eq!(disk.read("a/b/one").unwrap(), b"hello world");
    let mut short = [0; 20];
    assert_eq!(file.read_at(&mut short, 6).unwrap(), 5);
    assert_eq!(file.read_at(&mut short, 99).unwrap(), 0);
    assert_eq!(code(file.read_exact_at(&mut short, 0).unwrap_err()), SqlState::DATA_CORRUPTED);
    file.set_len(5).unwrap();
    assert_eq!(file.len().unwrap(), 5);
    disk.replace("a/two", b"fresh").unwrap();
    disk.replace("a/two", b"fresher").unwrap();
    assert_eq!(disk.list("a").unwrap(), ["b", "two"]);
    disk.rename("a/b/one", "a/one").unwrap();
    assert_eq!(disk.read("a/one").unwrap(), b"hello");
    assert!(!disk.exists("a/b/one").unwrap());
    disk.remove("a/one").unwrap();
    assert_eq!(code(disk.open("a/one", OpenMode::Read).err().unwrap()), SqlState::UNDEFINED_FILE);
    assert_eq!(code(disk.list("nowhere").unwrap_err()), SqlState::UNDEFINED_FILE);
    assert!(disk.read("../etc/passwd").is_err());
    let held = disk.lock("LOCK").unwrap();
    let refused = disk.lock("LOCK").unwrap_err();
    assert_eq!(refused.code(), SqlState::OBJECT_IN_USE);
    drop(held);
    disk.lock("LOCK").unwrap();
}

#[test]
fn real_and_simulated_agree() {
    let root = temporary("agree");
    exercise(&RealDisk::open(&root).unwrap());
    std::fs::remove_dir_all(&root).unwrap();
    let (world, _) = World::simulated(7);
    exercise(&*world.disk);
}

#[test]
fn the_lock_names_its_holder() {
    let root = temporary("lock");
    let world = World::real(&root).unwrap();
    let _held = world.disk.lock("LOCK").unwrap();
    let refused = world.disk.lock("LOCK").unwrap_err();
    let holder = format!("Process {} holds the lock.", std::process::id());
    assert_eq!(refused.detail(), Some(holder.as_str()));
    std::fs::remove_dir_all(&root).unwrap();
}

#[test]
fn real_threads_and_signals() {
    let root = temporary("threads");
    let world = World::real(&root).unwrap();
    let signal = world.tasks.signal();
    assert!(!signal.wait(1));
    let raiser = Arc::clone(&signal);
    let handle = world.tasks.spawn_thread("raiser", Box::new(move || raiser.raise())).unwrap();
    assert!(signal.wait(10_000_000));
    handle.join().unwrap();
    assert!(world.clock.now_unix_us() > 1_700_000_000_000_000);
    let (mut one, mut two) = ([0; 32], [0; 32]);
    world.rng.fill(&mut one);
    world.rng.fill(&mut two);
    assert_ne!(one, two);
    std::fs::remove_dir_all(&root).unwrap();
}
