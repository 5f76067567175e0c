//! Blocks of index entries: what is written is read, damage is noticed.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::{decode, encode};

proptest! {
    #[test]
    fn numbers_come_back(entries in prop::collection::btree_set(any::<(u64, u64)>(), 0..300)) {
        let entries: Vec<_> = entries.into_iter().collect();
        prop_assert_eq!(decode::<u64>(&encode(&entries)).unwrap(), entries);
    }

    #[test]
    fn byte_strings_come_back(
        entries in prop::collection::btree_set((prop::collection::vec(0..3u8, 0..9), 0..5u64), 0..300),
    ) {
        let entries: Vec<_> =
            entries.into_iter().map(|(key, row)| (key.into_boxed_slice(), row)).collect();
        prop_assert_eq!(decode::<Box<[u8]>>(&encode(&entries)).unwrap(), entries);
    }

    #[test]
    fn foreign_bytes_are_refused_or_sorted(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(entries) = decode::<u128>(&bytes) {
            prop_assert!(entries.is_sorted());
        }
    }
}

#[test]
fn keys_of_neighbours_are_cut_short() {
    let entries: Vec<(u64, u64)> = (0..2000).map(|n| (n + (1 << 60), n)).collect();
    assert!(encode(&entries).len() < 2000 * 5);
}
