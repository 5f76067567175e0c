//! Prepared transactions outlive the process, however it ends.

use crate::harness::*;

#[test]
fn a_prepared_transaction_survives_kill_checkpoint_and_stop() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.rows("create table t (a int primary key, b text)");
    client.rows("insert into t values (1, 'one'), (2, 'two'), (3, 'three')");
    client.rows(
        "begin; update t set b = 'uno' where a = 1; delete from t where a = 2; \
         insert into t values (4, 'four'); create table made (x int); \
         insert into made values (1), (2); create index on made (x); \
         prepare transaction 'move'",
    );
    client.rows("begin; lock table t in row share mode; insert into t values (5, 'five')");
    client.rows("prepare transaction 'other'");
    drop(server);

    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    let gids = "select gid from pg_prepared_xacts order by 1";
    assert_eq!(client.rows(gids), [["move"], ["other"]]);
    let all = "select a, b from t order by a";
    assert_eq!(client.rows(all), [["1", "one"], ["2", "two"], ["3", "three"]]);
    client.rows("set lock_timeout = '50ms'");
    for blocked in [
        "update t set b = 'eins' where a = 1",
        "delete from t where a = 2",
        "insert into t values (4, 'vier')",
        "create table made (y int)",
        "alter table t add column c int",
    ] {
        assert_eq!(code(&client.query(blocked)), "55P03", "{blocked}");
    }
    client.rows("update t set b = 'drei' where a = 3");
    client.rows("insert into t values (6, 'six')");
    client.rows("checkpoint");
    client.rows("rollback prepared 'other'");
    client.rows("insert into t values (5, 'fünf')");
    drop(server);

    let mut server = Served::start(&directory, &[]);
    let mut client = server.client();
    assert_eq!(client.rows(gids), [["move"]]);
    assert_eq!(code(&client.query("rollback prepared 'other'")), "42704");
    assert_eq!(server.stop(), Some(0));

    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.rows("commit prepared 'move'");
    let expected = [["1", "uno"], ["3", "drei"], ["4", "four"], ["5", "fünf"], ["6", "six"]];
    assert_eq!(client.rows(all), expected);
    assert_eq!(client.rows("select x from made where x = 2"), [["2"]]);
    drop(server);

    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    assert_eq!(client.rows(all), expected);
    assert_eq!(client.rows("select count(*) from made"), [["2"]]);
    assert!(client.rows(gids).is_empty());
}
