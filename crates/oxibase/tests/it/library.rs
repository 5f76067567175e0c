//! Connections, parameters, transactions, bulk load, reopening.

use arrow_array::RecordBatch;
use oxibase::{Connection, Database, SqlState, Value};

fn with_table() -> (Database, Connection) {
    let database = Database::memory().unwrap();
    let mut connection = database.connect().unwrap();
    connection.execute("CREATE TABLE t (id int PRIMARY KEY, v text)", &[]).unwrap();
    (database, connection)
}

fn count(connection: &mut Connection) -> i64 {
    connection.query_one("SELECT count(*) FROM t", &[]).unwrap().get(0).unwrap()
}

#[test]
fn parameters_and_values() {
    let (_database, mut connection) = with_table();
    assert_eq!(connection.execute("INSERT INTO t VALUES ($1, $2)", &[&1, &"one"]).unwrap(), 1);
    assert_eq!(
        connection.execute("INSERT INTO t VALUES ($1, $2)", &[&2, &None::<&str>]).unwrap(),
        1
    );
    let rows = connection.query("SELECT id, v FROM t ORDER BY id", &[]).unwrap();
    let values: Vec<(i32, Option<String>)> =
        rows.into_iter().map(|row| (row.get(0).unwrap(), row.get_by_name("v").unwrap())).collect();
    assert_eq!(values, [(1, Some("one".to_owned())), (2, None)]);
    let row = connection.query_one("SELECT 1.50, true, 2.5::float8", &[]).unwrap();
    assert_eq!(row.value(0).unwrap(), Value::Other("1.50".to_owned()));
    assert_eq!(row.value(1).unwrap(), Value::Bool(true));
    assert_eq!(row.value(2).unwrap(), Value::Float(2.5));
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let (_database, mut connection) = with_table();
    let failed = connection.transaction(|txn| {
        txn.execute("INSERT INTO t VALUES (1, 'x')", &[])?;
        txn.execute("INSERT INTO t VALUES (1, 'y')", &[])
    });
    assert_eq!(failed.unwrap_err().code(), SqlState::UNIQUE_VIOLATION);
    assert_eq!(count(&mut connection), 0);
    connection.transaction(|txn| txn.execute("INSERT INTO t VALUES (1, 'x')", &[])).unwrap();
    assert_eq!(count(&mut connection), 1);
}

#[test]
fn an_appender_commits_at_its_end_or_not_at_all() {
    let (_database, mut connection) = with_table();
    let mut appender = connection.appender("t").unwrap();
    for id in 0..1000 {
        appender.append(&[&id, &"row"]).unwrap();
    }
    assert_eq!(appender.finish().unwrap(), 1000);
    let mut appender = connection.appender("t").unwrap();
    appender.append(&[&5000, &"row"]).unwrap();
    drop(appender);
    assert_eq!(count(&mut connection), 1000);
}

#[test]
fn batches_come_out_as_arrow() {
    let (_database, mut connection) = with_table();
    connection.execute_batch("INSERT INTO t SELECT n, 'v' FROM generate_series(1, 100) n").unwrap();
    let batches = connection.query_arrow("SELECT id, v FROM t", &[]).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
}

#[test]
fn a_directory_keeps_what_was_committed() {
    let directory = std::env::temp_dir().join(format!("oxibase-library-{}", std::process::id()));
    let database = Database::open(&directory).unwrap();
    let mut connection = database.connect().unwrap();
    connection.execute_batch("CREATE TABLE t (id serial PRIMARY KEY, v text)").unwrap();
    connection.execute("INSERT INTO t (v) VALUES ('kept')", &[]).unwrap();
    let second = Database::open(&directory);
    assert_eq!(second.err().unwrap().code(), SqlState::OBJECT_IN_USE);
    drop(connection);
    database.close().unwrap();

    let findings = oxibase::check(&directory).unwrap();
    assert!(findings.problems.is_empty(), "{findings:?}");
    let database = Database::open(&directory).unwrap();
    let mut connection = database.connect().unwrap();
    connection.execute("INSERT INTO t (v) VALUES ('more')", &[]).unwrap();
    assert_eq!(count(&mut connection), 2);
    drop(connection);
    database.close().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_sequence_goes_on_where_it_was_closed() {
    let place = std::env::temp_dir().join(format!("oxibase-sequence-{}", std::process::id()));
    let next = |sql: &str| {
        let database = Database::open(&place).unwrap();
        let mut connection = database.connect().unwrap();
        let row = connection.query_one(sql, &[]).unwrap();
        drop(connection);
        database.close().unwrap();
        row.get::<i64>(0).unwrap()
    };
    let database = Database::open(&place).unwrap();
    database.connect().unwrap().execute_batch("CREATE SEQUENCE s; CREATE SEQUENCE unused").unwrap();
    database.close().unwrap();
    assert_eq!(next("SELECT nextval('s')"), 1);
    assert_eq!(next("SELECT nextval('s')"), 2);
    assert_eq!(next("SELECT setval('s', 50)"), 50);
    assert_eq!(next("SELECT nextval('s')"), 51);
    assert_eq!(next("SELECT last_value FROM pg_sequences WHERE sequencename = 's'"), 51);
    assert_eq!(next("SELECT nextval('unused')"), 1);
    std::fs::remove_dir_all(&place).unwrap();
}
