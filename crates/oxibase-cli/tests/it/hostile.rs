//! Clients that do not keep to the protocol.

use std::io::Read as _;

use crate::harness::*;

/// Sends bytes as the first of a connection; the answer up to the end of the stream.
fn answer(server: &Served, bytes: &[u8]) -> Vec<u8> {
    let mut raw = Raw::connect(server.address);
    raw.bytes(bytes);
    let mut all = vec![];
    let _ = raw.stream.read_to_end(&mut all);
    all
}

fn still_there(server: &Served) {
    assert_eq!(tags(&server.client().query("select 1")), "TDCZ");
}

#[test]
fn bytes_that_are_no_startup() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(),
        &[0xff; 64],
        &[0, 0, 0, 4],
        &[0, 0, 0, 8, 0, 2, 0, 0],
        &[0, 0, 0, 9, 0, 3, 0, 0, 0],
        &[0, 0, 0, 11, 0, 3, 0, 0, b'a', b'b', b'c'],
    ] {
        let all = answer(&server, bytes);
        assert_eq!(all.first(), Some(&b'E'), "{bytes:?}");
        assert!(all.windows(6).any(|w| w == b"SFATAL"), "{bytes:?}");
    }
    // A request to cancel somebody unknown gets no answer at all.
    let mut packet = 16u32.to_be_bytes().to_vec();
    packet.extend_from_slice(&80_877_102u32.to_be_bytes());
    packet.extend_from_slice(&[9; 8]);
    assert_eq!(answer(&server, &packet), b"");
    still_there(&server);
}

#[test]
fn encryption_is_declined() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut raw = Raw::connect(server.address);
    for request in [80_877_104u32, 80_877_103] {
        raw.bytes(&[8u32.to_be_bytes(), request.to_be_bytes()].concat());
        let mut byte = [0];
        raw.stream.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"N");
    }
    raw.start("ann");
}

#[test]
fn frames_beyond_the_limits() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    for bytes in [
        b"Q\x7f\xff\xff\xff".as_slice(),
        b"Q\xff\xff\xff\xff",
        b"Q\0\0\0\x03",
        b"S\0\0\x27\x20",
        b"~\0\0\0\x04",
        b"\0\0\0\0\0",
    ] {
        let mut client = server.client();
        client.bytes(bytes);
        let messages = client.until_ready();
        assert_eq!(code(&messages), "08P01", "{bytes:?}");
        assert_eq!(messages[0].field(b'S'), "FATAL");
        assert_eq!(messages.len(), 1);
    }
    still_there(&server);
}

#[test]
fn text_that_is_not_utf8() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.send(b'Q', b"select '\xc3\x28'\0");
    let messages = client.until_ready();
    assert_eq!(code(&messages), "22021");
    assert_eq!(messages[0].field(b'M'), "invalid byte sequence for encoding \"UTF8\": 0xc3 0x28");
    assert_eq!(tags(&client.query("select 1")), "TDCZ");
}

#[test]
fn bodies_that_end_too_early_or_late() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    // A statement for the Bind messages to name.
    client.send(b'P', b"\0select 1\0\0\0");
    client.send(b'S', b"");
    client.until_ready();
    for (tag, body) in [
        (b'B', b"\0\0\0\x01".as_slice()),
        (b'B', b"\0"),
        (b'P', b"\0select 1\0"),
        (b'P', b"\0select 1\0\0\x09"),
        (b'D', b""),
        (b'D', b"X\0"),
        (b'E', b"\0"),
        (b'C', b"S"),
        (b'Q', b"select 1"),
    ] {
        client.send(tag, body);
        client.send(b'S', b"");
        let messages = client.until_ready();
        assert_eq!(code(&messages), "08P01", "{} {body:?}", tag as char);
        if tag == b'Q' {
            client.until_ready();
        }
    }
    assert_eq!(tags(&client.query("select 1")), "TDCZ");
}

#[test]
fn a_client_that_vanishes_in_the_middle_of_copy() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.rows("create table t (a int)");
    let mut other = server.client();
    other.send(b'Q', b"copy t from stdin\0");
    other.next().unwrap();
    other.send(b'd', b"1\n2\n");
    drop(other);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(client.rows("select count(*) from t"), [["0"]]);
}

#[test]
fn a_client_that_vanishes_while_its_statement_runs() {
    let directory = Directory::new();
    let mut server = Served::start(&directory, &[]);
    let mut other = server.client();
    other.send(b'Q', b"select pg_sleep(600)\0");
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(other);
    // Nothing is left to wait for when the server stops.
    let started = std::time::Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(started.elapsed() < std::time::Duration::from_secs(4));
}
