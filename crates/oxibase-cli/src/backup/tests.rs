//! Taking files out of the stream of a server.

use super::value_of;

fn stream(value: &[u8]) -> Vec<u8> {
    let mut out = b"PGCOPY\n\xff\r\n\0".to_vec();
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
    out.extend_from_slice(&[0xff, 0xff]);
    out
}

#[test]
fn one_value_of_the_right_length() {
    assert_eq!(value_of(&stream(b"bytes"), 5).unwrap(), b"bytes");
    assert_eq!(value_of(&stream(b""), 0).unwrap(), b"");
    assert!(value_of(&stream(b"bytes"), 4).is_err());
    for length in 0..stream(b"bytes").len() - 2 {
        assert!(value_of(&stream(b"bytes")[..length], 5).is_err(), "{length}");
    }
}
