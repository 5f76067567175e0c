//! The extended query protocol.

use crate::harness::*;

fn parse(name: &str, sql: &str) -> Vec<u8> {
    frame(b'P', format!("{name}\0{sql}\0\0\0").as_bytes())
}

fn bind(portal: &str, statement: &str, values: &[Option<&[u8]>], format: u16) -> Vec<u8> {
    let mut body = format!("{portal}\0{statement}\0").into_bytes();
    body.extend_from_slice(&1u16.to_be_bytes());
    body.extend_from_slice(&format.to_be_bytes());
    body.extend_from_slice(&(values.len() as u16).to_be_bytes());
    for value in values {
        match value {
            None => body.extend_from_slice(&(-1i32).to_be_bytes()),
            Some(bytes) => {
                body.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                body.extend_from_slice(bytes);
            }
        }
    }
    body.extend_from_slice(&1u16.to_be_bytes());
    body.extend_from_slice(&format.to_be_bytes());
    frame(b'B', &body)
}

fn execute(portal: &str, limit: u32) -> Vec<u8> {
    let mut body = format!("{portal}\0").into_bytes();
    body.extend_from_slice(&limit.to_be_bytes());
    frame(b'E', &body)
}

fn describe(kind: char, name: &str) -> Vec<u8> {
    frame(b'D', format!("{kind}{name}\0").as_bytes())
}

fn sync() -> Vec<u8> {
    frame(b'S', b"")
}

#[test]
fn a_statement_with_parameters_in_both_formats() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    let sql = "select $1::int4 + 1, $2::text";
    client.bytes(&[parse("s", sql), describe('S', "s"), sync()].concat());
    let messages = client.until_ready();
    assert_eq!(tags(&messages), "1tTZ", "{messages:?}");
    assert_eq!(messages[1].body, b"\0\x02\0\0\0\x17\0\0\0\x19");

    let values: [Option<&[u8]>; 2] = [Some(b"41"), Some("ä".as_bytes())];
    client.bytes(&[bind("", "s", &values, 0), execute("", 0), sync()].concat());
    let messages = client.until_ready();
    assert_eq!(tags(&messages), "2DCZ");
    assert_eq!(messages[1].values(), [Some(b"42".to_vec()), Some("ä".as_bytes().to_vec())]);

    let number = 41u32.to_be_bytes();
    let values: [Option<&[u8]>; 2] = [Some(&number), None];
    let all = [bind("", "s", &values, 1), describe('P', ""), execute("", 0), sync()].concat();
    client.bytes(&all);
    let messages = client.until_ready();
    assert_eq!(tags(&messages), "2TDCZ");
    assert_eq!(messages[2].values(), [Some(42u32.to_be_bytes().to_vec()), None]);
}

#[test]
fn after_an_error_all_is_skipped_up_to_sync() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.rows("create table t (a int)");
    let pipeline = [
        parse("", "insert into t values (1)"),
        bind("", "", &[], 0),
        execute("", 0),
        parse("", "select oops"),
        bind("", "", &[], 0),
        execute("", 0),
        sync(),
        parse("", "select count(*) from t"),
        bind("", "", &[], 0),
        execute("", 0),
        sync(),
    ];
    client.bytes(&pipeline.concat());
    assert_eq!(tags(&client.until_ready()), "12CEZ");
    let messages = client.until_ready();
    assert_eq!(tags(&messages), "12DCZ");
    // The insert stood in the same implicit transaction as the error.
    assert_eq!(messages[2].values(), [Some(b"0".to_vec())]);
}

#[test]
fn a_portal_is_suspended_and_resumed() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.rows("create table t (a int); insert into t values (1), (2), (3)");
    let pipeline = [
        parse("", "select a from t order by a"),
        bind("p", "", &[], 0),
        execute("p", 2),
        execute("p", 2),
        execute("p", 2),
        frame(b'C', b"Pp\0"),
        sync(),
    ];
    client.bytes(&pipeline.concat());
    let messages = client.until_ready();
    assert_eq!(tags(&messages), "12DDsDCC3Z");
    assert_eq!(messages[6].body, b"SELECT 1\0");
    assert_eq!(messages[7].body, b"SELECT 0\0");
}

#[test]
fn what_is_missing_or_wrong() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    let cases: [(Vec<u8>, &str); 7] = [
        (bind("", "nope", &[], 0), "26000"),
        (execute("nope", 0), "34000"),
        (describe('P', "nope"), "34000"),
        ([parse("", "select 1"), bind("", "", &[Some(b"1")], 0)].concat(), "08P01"),
        ([parse("", "select $1::int"), bind("", "", &[Some(b"x")], 0)].concat(), "22P02"),
        (parse("", "select 1; select 2"), "42601"),
        ([parse("", "select $1::text"), bind("", "", &[Some(b"a\xff")], 0)].concat(), "22021"),
    ];
    for (bytes, expected) in cases {
        client.bytes(&[bytes, sync()].concat());
        let messages = client.until_ready();
        assert_eq!(code(&messages), expected, "{messages:?}");
        assert_eq!(messages.last().unwrap().tag, b'Z');
    }
    assert_eq!(tags(&client.query("select 1")), "TDCZ");
}

#[test]
fn an_empty_statement() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.bytes(&[parse("", ""), bind("", "", &[], 0), execute("", 0), sync()].concat());
    assert_eq!(tags(&client.until_ready()), "12IZ");
}
