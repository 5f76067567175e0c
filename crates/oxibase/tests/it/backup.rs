//! Backups of a database that this program has open, and its archive.

use std::path::PathBuf;

use oxibase::backup::{Restore, restore};
use oxibase::{Database, Options};

fn directory(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("oxibase-backup-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

fn text(path: &std::path::Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_open_database_is_copied_and_its_log_archived() {
    let root = directory("open");
    let place = |name: &str| text(&root.join(name));
    let options = Options { archive: Some(place("archive")), ..Options::default() };
    let database = Database::open_with(Some(&root.join("db")), options).unwrap();
    let mut connection = database.connect().unwrap();
    connection.execute("CREATE TABLE t (a int)", &[]).unwrap();
    connection.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
    let made = database.backup(&place("backup")).unwrap();
    assert!(made.backup.files.len() > 3 && made.backup.end.is_some());
    assert_eq!(database.backup(&place("backup")).unwrap_err().code().as_str(), "55000");
    connection.execute("INSERT INTO t VALUES (2)", &[]).unwrap();
    let shown: String = connection.query_one("SHOW archive_mode", &[]).unwrap().get(0).unwrap();
    assert_eq!(shown, "on");
    drop(connection);
    database.close().unwrap();

    let sum = |name: &str, options: &Restore| {
        restore(&place("backup"), root.join(name), options).unwrap();
        let restored = Database::open(root.join(name)).unwrap();
        let mut connection = restored.connect().unwrap();
        let sum: i64 = connection.query_one("SELECT sum(a) FROM t", &[]).unwrap().get(0).unwrap();
        sum
    };
    assert_eq!(sum("alone", &Restore::default()), 1);
    let archive = Restore { archive: Some(place("archive")), ..Restore::default() };
    assert_eq!(sum("whole", &archive), 3);
    std::fs::remove_dir_all(&root).unwrap();
}

#[test]
fn a_database_in_memory_can_be_kept() {
    let root = directory("memory");
    let database = Database::memory().unwrap();
    let mut connection = database.connect().unwrap();
    connection.execute("CREATE TABLE t AS SELECT 7 AS a", &[]).unwrap();
    database.backup(&text(&root.join("backup"))).unwrap();
    let findings = oxibase::check(root.join("backup")).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
    restore(&text(&root.join("backup")), root.join("db"), &Restore::default()).unwrap();
    let restored = Database::open(root.join("db")).unwrap();
    let mut connection = restored.connect().unwrap();
    let a: i32 = connection.query_one("SELECT a FROM t", &[]).unwrap().get(0).unwrap();
    assert_eq!(a, 7);
    drop((connection, restored));
    std::fs::remove_dir_all(&root).unwrap();
}

#[test]
fn moments_are_timestamps() {
    use oxibase::backup::moment;
    assert_eq!(moment("2026-03-01 12:00:00+01").unwrap(), moment("2026-03-01 11:00:00").unwrap());
    assert_eq!(moment("1970-01-01 00:00:01.000002").unwrap(), 1_000_002);
    assert!(moment("soon").is_err() && moment("infinity").is_err());
}
