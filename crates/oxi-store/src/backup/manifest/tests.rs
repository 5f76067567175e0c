//! The manifest's bytes.

use oxi_base::{Lsn, Ts};
use oxi_model::backup::{BackupFile, BackupPoint};

use super::*;

fn backup() -> Backup {
    Backup {
        database: *b"0123456789abcdef",
        timeline: 1,
        checkpoint: 2,
        begin: BackupPoint { lsn: Lsn(3), ts: Ts(4) },
        end: Some(BackupPoint { lsn: Lsn(5), ts: Ts(6) }),
        files: vec![BackupFile { path: "CURRENT".to_owned(), bytes: 18, checksums: vec![7] }],
    }
}

#[test]
fn the_bytes_are_these() {
    let expected = "oxibase backup 1\n\
        database 30313233343536373839616263646566\n\
        timeline 1\n\
        checkpoint 2\n\
        begin 3 4\n\
        end 5 6\n\
        file 18 CURRENT 0000000000000007\n\
        checksum ";
    let text = encode(&backup());
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(decode(text.as_bytes(), "x").unwrap(), backup());
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let bytes = encode(&backup()).into_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = decode(&damaged, "place").unwrap_err();
        assert!(error.message().contains("place/backup.manifest"), "{error}");
    }
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length], "place").is_err());
    }
}
