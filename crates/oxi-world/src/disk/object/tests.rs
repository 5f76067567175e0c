//! The object store as a disk, in memory and in a directory.

use std::sync::Arc;

use object_store::local::LocalFileSystem;
use oxi_base::SqlState;

#[cfg(feature = "s3")]
mod s3;

use super::{ObjectDisk, PART_BYTES};
use crate::disk::{Disk, OpenMode, WholeFile};

fn write(disk: &dyn Disk, path: &str, bytes: &[u8]) {
    let mut file = WholeFile::begin(disk, path).unwrap();
    for piece in bytes.chunks(1 << 20) {
        file.append(piece).unwrap();
    }
    file.finish().unwrap();
}

/// What is asked of every store.
fn contract(disk: &dyn Disk) {
    assert_eq!(disk.list("").unwrap(), Vec::<String>::new());
    assert!(!disk.exists("").unwrap() && !disk.exists("a/x").unwrap());
    let missing = disk.open("a/x", OpenMode::Read).err().unwrap();
    assert_eq!(missing.code(), SqlState::UNDEFINED_FILE);

    disk.create_dir_all("a").unwrap();
    write(disk, "a/x", b"some bytes");
    assert_eq!(disk.read("a/x").unwrap(), b"some bytes");
    assert!(disk.exists("a").unwrap() && disk.exists("a/x").unwrap());
    let file = disk.open("a/x", OpenMode::Read).unwrap();
    let mut out = [0; 8];
    assert_eq!(file.read_at(&mut out, 5).unwrap(), 5);
    assert_eq!(&out[..5], b"bytes");
    assert_eq!(file.read_at(&mut out, 10).unwrap(), 0);
    assert_eq!(file.read_exact_at(&mut out, 5).unwrap_err().code(), SqlState::DATA_CORRUPTED);

    // Written once.
    let again = disk.open("a/x", OpenMode::Create).err().unwrap();
    assert_eq!(again.code(), SqlState::DUPLICATE_FILE);
    assert!(disk.open("a/x", OpenMode::ReadWrite).is_err());
    assert!(file.write_at(b"y", 0).is_err());

    // Nobody sees a file that is not complete, nor one that was given up.
    let large: Vec<u8> = (0..PART_BYTES * 2 + 17).map(|n| (n % 251) as u8).collect();
    let mut unfinished = WholeFile::begin(disk, "a/unfinished").unwrap();
    unfinished.append(&large).unwrap();
    drop(unfinished);
    assert!(!disk.exists("a/unfinished").unwrap());
    write(disk, "b/c/large", &large);
    assert!(disk.read("b/c/large").unwrap() == large);
    write(disk, "b/c/empty", b"");
    assert_eq!(disk.read("b/c/empty").unwrap(), b"");

    assert_eq!(disk.list("").unwrap(), ["a", "b"]);
    assert_eq!(disk.list("b").unwrap(), ["c"]);
    assert_eq!(disk.list("b/c").unwrap(), ["empty", "large"]);
    disk.rename("b/c/large", "a/large").unwrap();
    assert_eq!(disk.list("a").unwrap(), ["large", "x"]);
    disk.remove("a/x").unwrap();
    assert_eq!(disk.list("a").unwrap(), ["large"]);
    assert!(disk.list("../a").is_err());
}

#[test]
fn in_memory() {
    contract(&ObjectDisk::open("memory://").unwrap());
}

#[test]
fn in_a_directory_below_a_prefix() {
    let root = std::env::temp_dir().join(format!("oxi-objects-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(&root).unwrap();
    let store = Arc::new(LocalFileSystem::new_with_prefix(&root).unwrap());
    contract(&ObjectDisk::new(store, "deep/prefix", "file:///test").unwrap());
    std::fs::remove_dir_all(&root).unwrap();
}

#[test]
fn within_another_runtime() {
    let runtime = crate::net::Runtime::new(1).unwrap();
    runtime.block_on(async {
        tokio::task::yield_now().await;
        write(&ObjectDisk::open("memory://").unwrap(), "a", b"b");
    });
}

#[test]
fn addresses_that_are_none() {
    assert!(ObjectDisk::open("ftp://host/x").is_err());
    assert!(ObjectDisk::open("nothing").is_err());
}
