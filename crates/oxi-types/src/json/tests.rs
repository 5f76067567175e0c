//! JSON texts, as PostgreSQL 15 gives them.

use super::*;

#[test]
fn jsonb_is_normalised() {
    let cases = [
        (r#"{"bb":1,"a":2,"a":3}"#, r#"{"a": 3, "bb": 1}"#),
        ("[1.50, 1e3, -0]", "[1.50, 1000, 0]"),
        (r#""\u00e9\n""#, "\"é\\n\""),
        (" null ", "null"),
        ("[]", "[]"),
    ];
    for (text, expected) in cases {
        let value = Json::parse(text).expect("valid");
        assert_eq!(value.to_string(), expected);
        assert_eq!(decode(&encode(&value)).expect("decodes"), value);
    }
}

#[test]
fn malformed_json_is_refused() {
    for text in ["", "{", "[1,]", "{\"a\"}", "01", "1.", "tru", "\"a", "{a:1}", "[1] 2"] {
        assert!(validate(text).is_err(), "{text}");
    }
}

#[test]
fn containment_looks_inside() {
    let holds =
        |a: &str, b: &str| Json::parse(a).expect("valid").contains(&Json::parse(b).expect("valid"));
    assert!(holds(r#"{"a":{"b":[1,2]}}"#, r#"{"a":{"b":[2]}}"#));
    assert!(holds("[1,[2,3]]", "[[3]]"));
    assert!(holds("[1,2]", "1"));
    assert!(!holds("[1,2]", "[3]"));
}
