//! `oxibase check`: it reads, says what it has seen, and changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::*;

/// Every file below a directory with its bytes and when it was written.
fn tree(path: &Path, found: &mut BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)>) {
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tree(&path, found);
        } else {
            let written = std::fs::metadata(&path).unwrap().modified().unwrap();
            found.insert(path.clone(), (std::fs::read(&path).unwrap(), written));
        }
    }
}

/// Exit status and output of `oxibase check`, which must leave the directory as it is.
fn check(database: &str) -> (Option<i32>, String) {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    tree(Path::new(database), &mut before);
    let output = Command::new(OXIBASE).args(["check", database]).output().unwrap();
    tree(Path::new(database), &mut after);
    assert!(before == after, "the check has changed files");
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn sql(database: &str, sql: &str) {
    let output = Command::new(OXIBASE).args([database, "-q", "-c", sql]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A database that was closed well, then killed with rows in its log.
fn killed(directory: &Directory) -> String {
    let database = directory.file("db");
    sql(&database, "create table t (a int primary key); insert into t values (1), (2)");
    let mut server = Served::start(directory, &[]);
    server.client().rows("insert into t values (3)");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    database
}

fn newest(directory: &str) -> PathBuf {
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.pop().unwrap()
}

#[test]
fn a_sound_database_line_by_line() {
    let directory = Directory::new();
    let database = killed(&directory);
    let (status, out) = check(&database);
    assert_eq!(status, Some(0), "{out}");
    for part in [
        "checkpoint  manifest/manifest-",
        "images      ",
        "log         wal/",
        "replay      1 transaction of the log after the checkpoint",
        "rows        ",
        "indexes     ",
        "sequences   0",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(out.ends_with("no problems found\n"), "{out}");
    assert!(!out.contains('{'), "{out}");
}

#[test]
fn a_torn_tail_is_normal() {
    let directory = Directory::new();
    let database = killed(&directory);
    let log = newest(&format!("{database}/wal"));
    let mut bytes = std::fs::read(&log).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.splice(end.., [0, 0, 0, 0, 99, 0, 0, 0, 1]);
    std::fs::write(&log, &bytes).unwrap();
    let (status, out) = check(&database);
    assert_eq!(status, Some(0), "{out}");
    assert!(out.contains("of an unfinished write at its end, as a crash leaves them"), "{out}");
    sql(&database, "select * from t");
}

#[test]
fn a_flipped_byte_is_found_and_named() {
    let directory = Directory::new();
    let database = killed(&directory);
    let mut files = BTreeMap::new();
    tree(Path::new(&database), &mut files);
    for (path, at) in [("/data/", 30), ("/manifest/t-", 12), ("/manifest/manifest-", 12)] {
        let file = files.keys().find(|file| file.to_str().unwrap().contains(path)).unwrap();
        let sound = std::fs::read(file).unwrap();
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        std::fs::write(file, bytes).unwrap();
        let (status, out) = check(&database);
        std::fs::write(file, sound).unwrap();
        assert_eq!(status, Some(1), "{out}");
        let name = file.strip_prefix(&database).unwrap().display();
        assert!(out.contains(&format!("problem     {name} at byte ")), "{out}");
        assert!(out.ends_with("1 problem found\n"), "{out}");
    }
    assert_eq!(check(&database).0, Some(0));
}

#[test]
fn a_missing_file_is_named() {
    let directory = Directory::new();
    let database = killed(&directory);
    let mut files = BTreeMap::new();
    tree(Path::new(&database), &mut files);
    let image = files.keys().find(|file| file.to_str().unwrap().contains("/data/")).unwrap();
    std::fs::remove_file(image).unwrap();
    let (status, out) = check(&database);
    assert_eq!(status, Some(1), "{out}");
    let name = image.strip_prefix(&database).unwrap().display();
    assert!(out.contains(&format!("problem     {name}: the file is missing\n")), "{out}");
}

#[test]
fn a_database_in_use_and_one_that_is_not_there() {
    let directory = Directory::new();
    let _server = Served::start(&directory, &[]);
    let output = Command::new(OXIBASE).args(["check", &directory.file("db")]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("already locked"), "{said}");
    let nowhere = directory.file("nowhere");
    let output = Command::new(OXIBASE).args(["check", &nowhere]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!Path::new(&nowhere).exists());
}

#[test]
fn the_server_says_in_words_what_it_recovered() {
    let directory = Directory::new();
    killed(&directory);
    let errors = directory.file("errors");
    let child = Command::new(OXIBASE)
        .args(["serve", "--pg", "127.0.0.1:0", "--data", &directory.file("db")])
        .stdout(std::process::Stdio::piped())
        .stderr(std::fs::File::create(&errors).unwrap())
        .spawn()
        .unwrap();
    let mut server = Served::of(child);
    assert_eq!(server.stop(), Some(0));
    let said = std::fs::read_to_string(&errors).unwrap();
    assert!(said.contains("; replayed 1 transaction (1 change) from "), "{said}");
    assert!(!said.contains("RecoveryReport"), "{said}");
}
