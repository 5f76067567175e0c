//! Values on the wire, byte for byte.

use oxi_base::SqlState;
use oxi_model::Datum;
use oxi_model::descriptor::TypeRef;
use oxi_types::oid;

use super::value::{self, Column};
use super::*;
use crate::error::{Severity, character_position, error_response};
use crate::frame::{self, Body};

#[test]
fn integers_have_their_digits() {
    for (number, digits) in [
        (0, "0"),
        (-1, "-1"),
        (i64::MIN, "-9223372036854775808"),
        (i64::MAX, "9223372036854775807"),
    ] {
        let mut out = Vec::new();
        value::int64(&mut out, number, false);
        assert_eq!(&out[4..], digits.as_bytes());
        assert_eq!(out[..4], (digits.len() as u32).to_be_bytes());
    }
}

#[test]
fn timestamps_count_from_2000() {
    let mut out = Vec::new();
    value::timestamp(&mut out, 946_684_800_000_001);
    value::timestamp(&mut out, i64::MAX);
    value::date(&mut out, 10_958);
    assert_eq!(out[4..12], 1i64.to_be_bytes());
    assert_eq!(out[16..24], i64::MAX.to_be_bytes());
    assert_eq!(out[28..], 1i32.to_be_bytes());
}

#[test]
fn formats_are_none_one_or_all() {
    let field = |oid| OutputField {
        name: "a".into(),
        data_type: TypeRef::plain(oid),
        table_oid: 0,
        column_number: 0,
    };
    let fields = [field(oid::INT4), field(oid::TEXT), field(oid::BOOL)];
    assert!(columns(&fields, &[]).unwrap().iter().all(|c| !c.binary()));
    assert!(columns(&fields, &[1]).unwrap().iter().all(Column::binary));
    let error = columns(&fields, &[1, 0]).unwrap_err();
    assert_eq!(error.code(), SqlState::PROTOCOL_VIOLATION);
    assert!(columns(&fields, &[2]).is_err());
    assert_eq!(Datum::Null, Datum::default());
}

#[test]
fn positions_count_characters() {
    assert_eq!(character_position("select ä, b", 0), 1);
    assert_eq!(character_position("select ä, b", 11), 11);
    assert_eq!(character_position("ab", 99), 3);
}

#[test]
fn an_error_response_has_its_fields() {
    let mut out = Vec::new();
    let error = Error::new(SqlState::SYNTAX_ERROR, "syntax error").at(2).with_hint("Try again.");
    error_response(&mut out, Severity::Error, &error, "abcd");
    assert_eq!(&out[5..], b"SERROR\0VERROR\0C42601\0Msyntax error\0HTry again.\0P3\0\0");
    assert_eq!(out[1..5], ((out.len() - 1) as u32).to_be_bytes());
}

#[test]
fn text_must_be_utf8() {
    let error = frame::utf8(b"ab\xff").unwrap_err();
    assert_eq!(error.code(), SqlState::CHARACTER_NOT_IN_REPERTOIRE);
    assert_eq!(error.message(), "invalid byte sequence for encoding \"UTF8\": 0xff");
    let error = frame::utf8(b"\xc3\x28").unwrap_err();
    assert_eq!(error.message(), "invalid byte sequence for encoding \"UTF8\": 0xc3 0x28");
    assert!(frame::value_text(b"a\0b").is_err());
}

#[test]
fn bodies_end_where_they_say() {
    let mut body = Body::new(b"ab\0\0\x01rest");
    assert_eq!(body.text().unwrap(), "ab");
    assert_eq!(body.i16().unwrap(), 1);
    assert!(body.end().is_err());
    assert_eq!(body.rest(), b"rest");
    assert!(body.end().is_ok());
    assert!(body.u8().is_err());
    assert!(Body::new(b"open").text().is_err());
}
