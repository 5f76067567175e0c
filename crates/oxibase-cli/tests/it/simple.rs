//! The simple query protocol and COPY.

use crate::harness::*;

#[test]
fn a_string_is_one_transaction() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.rows("create table t (a int primary key)");
    let messages = client.query("insert into t values (1); insert into t values (2); select 1/0");
    assert_eq!(tags(&messages).replace('T', ""), "CCEZ", "{messages:?}");
    assert_eq!(code(&messages), "22012");
    assert_eq!(client.rows("select count(*) from t"), [["0"]]);

    let messages = client.query("begin; insert into t values (1); commit; select broken");
    assert_eq!(code(&messages), "42703");
    assert_eq!(client.rows("select count(*) from t"), [["1"]]);
    assert_eq!(tags(&client.query(" ;; ")), "IZ");
    assert_eq!(tags(&client.query("")), "IZ");
}

#[test]
fn errors_point_at_the_word_and_doom_the_block() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    let messages = client.query("select 'ä', oops");
    let error = messages.iter().find(|m| m.tag == b'E').unwrap();
    assert_eq!(error.field(b'C'), "42703");
    assert_eq!(error.field(b'P'), "13");
    assert_eq!(error.field(b'V'), "ERROR");

    client.query("begin");
    assert_eq!(client.query("select 1/0").last().unwrap().body, b"E");
    assert_eq!(code(&client.query("select 1")), "25P02");
    let messages = client.query("commit");
    assert_eq!(messages[0].body, b"ROLLBACK\0");
    assert_eq!(messages.last().unwrap().body, b"I");
}

#[test]
fn copy_in_and_out() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.rows("create table t (a int, b text)");
    client.send(b'Q', b"copy t from stdin\0");
    assert_eq!(client.next().unwrap().tag, b'G');
    client.send(b'd', b"1\tone\n2\t");
    client.send(b'd', b"\\N\n");
    client.send(b'c', b"");
    let messages = client.until_ready();
    assert_eq!(messages[0].body, b"COPY 2\0");
    let messages = client.query("copy t to stdout (format csv)");
    assert_eq!(tags(&messages), "HddcCZ");
    assert_eq!(messages[1].body, b"1,one\n");

    client.send(b'Q', b"copy t from stdin\0");
    client.next().unwrap();
    client.send(b'd', b"3\tthree\n");
    client.send(b'f', b"changed my mind\0");
    let messages = client.until_ready();
    assert_eq!(code(&messages), "57014");
    assert!(messages[0].field(b'M').contains("changed my mind"));

    client.send(b'Q', b"copy t from stdin\0");
    client.next().unwrap();
    client.send(b'd', b"x\tbad\n");
    client.send(b'd', b"4\tfour\n");
    client.send(b'c', b"");
    let messages = client.until_ready();
    assert_eq!(code(&messages), "22P02");
    assert!(messages[0].field(b'W').starts_with("COPY t, line 1, column a"));
    assert_eq!(client.rows("select count(*) from t"), [["2"]]);
}

#[test]
fn settings_are_reported() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    let messages = client.query("set application_name = 'x y'");
    let told = messages.iter().find(|m| m.tag == b'S').expect("a ParameterStatus");
    assert_eq!(told.body, b"application_name\0x y\0");
    assert_eq!(client.rows("show application_name"), [["x y"]]);
}

#[test]
fn a_running_statement_is_cancelled() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.send(b'Q', b"select pg_sleep(30)\0");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut packet = (client.key.len() as u32 + 8).to_be_bytes().to_vec();
    packet.extend_from_slice(&80_877_102u32.to_be_bytes());
    packet.extend_from_slice(&client.key);
    Raw::connect(server.address).bytes(&packet);
    let messages = client.until_ready();
    assert_eq!(code(&messages), "57014");
    assert_eq!(client.rows("select 1"), [["1"]]);
}
