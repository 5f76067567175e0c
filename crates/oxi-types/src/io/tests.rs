//! Wire formats round trip.

use super::*;

#[test]
fn wire_formats_round_trip() {
    let context = EvalContext::fixed(0);
    let cases = [
        (oid::NUMERIC, "-12345.6700"),
        (oid::NUMERIC, "0.0001"),
        (oid::NUMERIC, "1e40"),
        (oid::NUMERIC, "NaN"),
        (oid::DATE, "2001-02-03"),
        (oid::TIMESTAMP, "2001-02-03 04:05:06"),
        (oid::TIMESTAMPTZ, "infinity"),
        (oid::INTERVAL, "1 mon 2 days 03:00"),
        (oid::TIMETZ, "04:05:06+02"),
        (oid::JSONB, "{\"a\": [1, null]}"),
        (oid::_INT4, "{1,NULL,3}"),
        (oid::_TEXT, "{{a,b},{c,d}}"),
        (oid::BYTEA, "\\x0102"),
        (oid::BIT, "10101"),
        (oid::UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        (oid::FLOAT4, "1.1"),
    ];
    for (type_oid, text) in cases {
        let reference = TypeRef::plain(type_oid);
        let value = text_in(&context, reference, text).expect(text);
        let mut wire = Vec::new();
        binary_out(reference, &value, &mut wire).expect(text);
        assert_eq!(binary_in(reference, &wire).expect(text), value, "{text}");
    }
}

#[test]
fn modifiers_are_applied() {
    let context = EvalContext::fixed(0);
    let varchar = TypeRef { oid: oid::VARCHAR, typmod: 7 };
    let error = text_in(&context, varchar, "abcd").expect_err("too long");
    assert_eq!(error.message(), "value too long for type character varying(3)");
    assert_eq!(text_in(&context, varchar, "abc  ").ok(), Some(Datum::text("abc")));
    let bpchar = TypeRef { oid: oid::BPCHAR, typmod: 9 };
    assert_eq!(text_in(&context, bpchar, "ab").ok(), Some(Datum::text("ab   ")));
    let numeric = TypeRef { oid: oid::NUMERIC, typmod: (4 << 16 | 2) + 4 };
    let error = text_in(&context, numeric, "123.456").expect_err("overflow");
    assert_eq!(error.message(), "numeric field overflow");
}
