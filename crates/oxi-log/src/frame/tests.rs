//! Frames survive the round trip, and nothing else decodes.

use proptest::prelude::*;

use super::*;

fn kind() -> impl Strategy<Value = FrameKind> {
    proptest::sample::select(FrameKind::ALL)
}

proptest! {
    #[test]
    fn round_trip(
        kind in kind(),
        txn: u64,
        ts: u64,
        previous: u32,
        lsn: u64,
        flags in 0..=FLUSH_START,
        payload in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let parts = Parts { kind, flags, txn: TxnId(txn), commit_ts: Ts(ts), payload: &payload };
        let mut bytes = Vec::new();
        let crc = encode(&mut bytes, previous, Lsn(lsn), &parts);
        prop_assert_eq!(bytes.len(), parts.encoded_bytes());
        let decoded = decode(&bytes, previous, Lsn(lsn)).unwrap();
        prop_assert_eq!(decoded.crc, crc);
        prop_assert_eq!(decoded.parts.kind, kind);
        prop_assert_eq!(decoded.parts.flags, flags);
        prop_assert_eq!(decoded.parts.txn, TxnId(txn));
        prop_assert_eq!(decoded.parts.commit_ts, Ts(ts));
        prop_assert_eq!(decoded.parts.payload, &payload[..]);
        prop_assert!(decode(&bytes, previous ^ 1, Lsn(lsn)).is_none());
        prop_assert!(decode(&bytes, previous, Lsn(lsn ^ 1)).is_none());
    }

    #[test]
    fn any_flipped_bit_is_seen(
        payload in proptest::collection::vec(any::<u8>(), 0..64),
        at: prop::sample::Index,
        bit in 0..8u32,
    ) {
        let parts = Parts {
            kind: FrameKind::Commit, flags: 0, txn: TxnId(1), commit_ts: Ts(2), payload: &payload,
        };
        let mut bytes = Vec::new();
        encode(&mut bytes, 3, Lsn(4), &parts);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(decode(&bytes, 3, Lsn(4)).is_none());
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(decode(&bytes, 0, Lsn(0)).is_none());
    }
}

#[test]
fn kinds_round_trip() {
    for &kind in FrameKind::ALL {
        assert_eq!(FrameKind::from_byte(kind as u8), Some(kind));
    }
    assert_eq!(FrameKind::from_byte(0), None);
}

/// The bytes are a promise to old files.
#[test]
fn golden_bytes() {
    let parts = Parts {
        kind: FrameKind::Commit,
        flags: FLUSH_START,
        txn: TxnId(7),
        commit_ts: Ts(0x0102_0304),
        payload: b"hi",
    };
    let mut bytes = Vec::new();
    encode(&mut bytes, 0xdead_beef, Lsn(100), &parts);
    assert_eq!(
        bytes,
        *b"\x1e\0\0\0\x01\x01\0\0\x07\0\0\0\0\0\0\0\x04\x03\x02\x01\0\0\0\0hi\xf5\x09\x44\x1b"
    );
}
