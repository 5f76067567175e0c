//! Time limits, with waits that would last for hours without them.

use crate::harness::*;

#[test]
fn a_session_that_idles_in_a_transaction_is_ended() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.rows("create table t (a int primary key); insert into t values (1)");
    client.rows("set idle_in_transaction_session_timeout = '50ms'");
    // Outside of a transaction nothing happens: the next statement finds the session.
    client.rows("begin");
    client.rows("delete from t");
    let farewell = client.next().unwrap();
    assert_eq!((farewell.tag, farewell.field(b'C').as_str()), (b'E', "25P03"));
    assert_eq!(farewell.field(b'S'), "FATAL");
    assert_eq!(farewell.field(b'M'), "terminating connection due to idle-in-transaction timeout");
    assert!(client.next().is_none());
    // Its lock is gone, its change was never made.
    assert_eq!(server.client().rows("update t set a = 2 returning a"), [["2"]]);
}

#[test]
fn a_failed_block_idles_too() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.rows("set idle_in_transaction_session_timeout = '50ms'");
    client.rows("begin");
    assert_eq!(code(&client.query("select 1/0")), "22012");
    assert_eq!(client.next().unwrap().field(b'C'), "25P03");
}
