//! Startup messages, good and bad.

use super::*;

const V3: u32 = 3 << 16;

#[test]
fn a_startup_message() {
    let body =
        b"user\0ann\0application_name\0psql\0DateStyle\0ISO\0options\0-c a.b=1 --c-d=x\\ y\0\0";
    let hello = hello(V3, Body::new(body)).unwrap();
    assert_eq!((hello.user.as_str(), hello.database.as_str()), ("ann", "ann"));
    let settings: Vec<_> = hello.settings.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(
        settings,
        [("application_name", "psql"), ("DateStyle", "ISO"), ("a.b", "1"), ("c_d", "x y")]
    );
}

#[test]
fn bad_startup_messages() {
    let code = |version, body: &[u8]| hello(version, Body::new(body)).unwrap_err().code();
    assert_eq!(code(2 << 16, b"\0"), SqlState::FEATURE_NOT_SUPPORTED);
    assert_eq!(code(V3, b"\0"), SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
    assert_eq!(code(V3, b"user\0a"), SqlState::PROTOCOL_VIOLATION);
    assert_eq!(code(V3, b"user\0a\0\0x"), SqlState::PROTOCOL_VIOLATION);
    assert_eq!(code(V3, b"user\0\xff\0\0"), SqlState::CHARACTER_NOT_IN_REPERTOIRE);
    assert_eq!(code(V3, b"user\0a\0replication\0true\0\0"), SqlState::FEATURE_NOT_SUPPORTED);
    assert_eq!(code(V3, b"user\0a\0options\0nonsense\0\0"), SqlState::SYNTAX_ERROR);
}
