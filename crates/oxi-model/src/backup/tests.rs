//! The text that describes a backup.

use super::*;

fn backup() -> Backup {
    let file = |path: &str, checksums: &[u64]| BackupFile {
        path: path.to_owned(),
        bytes: 5,
        checksums: checksums.to_vec(),
    };
    Backup {
        database: *b"0123456789abcdef",
        timeline: 3,
        checkpoint: 42,
        begin: BackupPoint { lsn: Lsn(7), ts: Ts(u64::MAX) },
        end: Some(BackupPoint { lsn: Lsn(9), ts: Ts(12) }),
        files: vec![file("CURRENT", &[]), file("data/1/h-00000001.oxh", &[1, u64::MAX])],
    }
}

#[test]
fn what_is_written_is_read() {
    let backup = backup();
    assert_eq!(backup.to_string().parse::<Backup>().unwrap(), backup);
    let unfinished = Backup { end: None, files: vec![], ..backup };
    assert_eq!(unfinished.to_string().parse::<Backup>().unwrap(), unfinished);
}

#[test]
fn what_cannot_be_understood_is_an_error() {
    for text in
        ["x", "x 1", "timeline", "timeline one", "database 00", "begin 1", "file 1", "file 1 a zz"]
    {
        let error = text.parse::<Backup>().unwrap_err();
        assert!(error.message().contains(text), "{error}");
    }
}
