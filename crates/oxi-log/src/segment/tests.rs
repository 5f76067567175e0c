//! File headers and names.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn header_round_trip(timeline: u32, database: [u8; 16], lsn: u64, sequence: u64, salt: u64) {
        let header = FileHeader { timeline, database, first_lsn: Lsn(lsn), sequence, salt };
        let bytes = header.encode();
        prop_assert_eq!(FileHeader::decode(&bytes), Ok(header));
        prop_assert_eq!(FileHeader::decode(&bytes[..63]), Err(HeaderFault::Invalid));
    }

    #[test]
    fn any_flipped_bit_is_seen(at in 0..64usize, bit in 0..8u32) {
        let header = FileHeader {
            timeline: 1, database: [7; 16], first_lsn: Lsn(9), sequence: 3, salt: 5,
        };
        let mut bytes = header.encode();
        bytes[at] ^= 1 << bit;
        prop_assert_eq!(FileHeader::decode(&bytes), Err(HeaderFault::Invalid));
    }

    #[test]
    fn names_round_trip_and_sort(timeline in 0..99_999_999u32, sequence in 0..999_999_999_999u64) {
        let name = file_name(timeline, sequence);
        prop_assert_eq!(parse_name(&name), Some((timeline, sequence)));
        prop_assert!(name < file_name(timeline, sequence + 1));
    }
}

#[test]
fn foreign_names_are_ignored() {
    for name in ["", "1-2.wal", "LOCK", "00000001-000000000007.wal.tmp", "00000001-7.wal"] {
        assert_eq!(parse_name(name), None, "{name}");
    }
}

#[test]
fn unknown_versions_are_named() {
    let header =
        FileHeader { timeline: 1, database: [0; 16], first_lsn: Lsn(0), sequence: 1, salt: 0 };
    let mut bytes = header.encode();
    bytes[8] = 9;
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(FileHeader::decode(&bytes), Err(HeaderFault::Version(9)));
}
