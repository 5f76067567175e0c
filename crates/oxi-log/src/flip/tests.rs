//! Every single bit of a frame is found; what was written in part is not taken for it.

use oxi_base::{Ts, TxnId};
use proptest::prelude::*;

use super::*;
use crate::frame::{FrameKind, Parts};

const OFFSET: u64 = 64;

fn frame(payload: &[u8]) -> Vec<u8> {
    let (txn, commit_ts) = (TxnId(77), Ts(1 << 40));
    let parts = Parts { kind: FrameKind::Commit, flags: 1, txn, commit_ts, payload };
    let mut bytes = Vec::new();
    frame::encode(&mut bytes, 9, Lsn(5), &parts);
    bytes
}

proptest! {
    #[test]
    fn one_bit_is_found(
        payload in proptest::collection::vec(1..=255u8, 0..1200),
        rest in proptest::collection::vec(any::<u8>(), 0..40),
        at: prop::sample::Index,
        bit in 0..8u32,
    ) {
        let mut bytes = frame(&payload);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        bytes.extend(rest);
        prop_assert_eq!(flipped(&bytes, 9, Lsn(5), OFFSET), Some(at));
    }

    #[test]
    fn what_was_written_in_part_is_no_flipped_bit(
        payload in proptest::collection::vec(any::<u8>(), 0..2000),
        lost in 0..5u64,
    ) {
        let mut bytes = frame(&payload);
        for (at, byte) in bytes.iter_mut().enumerate() {
            if (OFFSET + at as u64) / SECTOR_BYTES == lost {
                *byte = 0;
            }
        }
        prop_assert_eq!(flipped(&bytes, 9, Lsn(5), OFFSET), None);
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = flipped(&bytes, 0, Lsn(0), OFFSET);
    }
}

#[test]
fn a_sound_frame_has_no_flipped_bit() {
    assert_eq!(flipped(&frame(b"abc"), 9, Lsn(5), OFFSET), None);
}
