//! Round trips, order preservation and survival of arbitrary bytes.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn varint_round_trips(value: u64) {
        let mut out = Vec::new();
        put_varint(&mut out, value);
        let mut reader = Reader::new(&out);
        prop_assert_eq!(reader.varint(), Some(value));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn varint_survives_any_bytes(bytes: Vec<u8>) {
        let mut reader = Reader::new(&bytes);
        while reader.varint().is_some() {}
        let mut reader = Reader::new(&bytes);
        while reader.bytes().is_some() {}
    }

    #[test]
    fn key_order_is_value_order(a: i64, b: i64, x: f64, y: f64, s: Vec<u8>, t: Vec<u8>) {
        let key = |put: &dyn Fn(&mut Vec<u8>)| { let mut out = Vec::new(); put(&mut out); out };
        prop_assert_eq!(
            a.cmp(&b),
            key(&|o| put_key_i64(o, a)).cmp(&key(&|o| put_key_i64(o, b)))
        );
        prop_assert_eq!(
            x.partial_cmp(&y).unwrap(),
            key(&|o| put_key_f64(o, x)).cmp(&key(&|o| put_key_f64(o, y)))
        );
        prop_assert_eq!(
            s.cmp(&t),
            key(&|o| put_key_bytes(o, &s)).cmp(&key(&|o| put_key_bytes(o, &t)))
        );
    }
}

#[test]
fn float_keys_treat_zeros_and_nans_as_postgresql_does() {
    let key = |value| {
        let mut out = Vec::new();
        put_key_f64(&mut out, value);
        out
    };
    assert_eq!(key(-0.0), key(0.0));
    assert_eq!(key(f64::NAN), key(-f64::NAN));
    assert!(key(f64::NAN) > key(f64::INFINITY));
}
