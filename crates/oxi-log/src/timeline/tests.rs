//! The bytes of history files.

use super::*;

#[test]
fn histories_survive_their_encoding() {
    let history = vec![Branch { parent: 1, at: Lsn(77) }, Branch { parent: 2, at: Lsn(1 << 40) }];
    let bytes = encode_history(&history);
    assert_eq!(decode_history(&bytes), Some(history));
    assert_eq!(decode_history(&encode_history(&[])), Some(vec![]));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = encode_history(&[Branch { parent: 1, at: Lsn(77) }]);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decode_history(&damaged), None, "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert_eq!(decode_history(&bytes[..length]), None);
    }
}
