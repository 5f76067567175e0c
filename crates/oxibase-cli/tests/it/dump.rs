//! `oxibase dump`: what it writes builds the same database again.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::*;

/// A database with everything that a dump holds.
const EVERYTHING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/dump/everything.sql");

/// Exit status, output and errors.
fn oxibase(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(OXIBASE).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The output of what must go well, without a word on standard error.
fn well(arguments: &[&str]) -> String {
    let (status, out, errors) = oxibase(arguments);
    assert_eq!((status, errors.as_str()), (0, ""), "{arguments:?}\n{out}");
    out
}

fn everything(directory: &Directory) -> String {
    let database = directory.file("db");
    well(&[&database, "-q", "-f", EVERYTHING]);
    database
}

/// A new database from a dump.
fn restored(directory: &Directory, name: &str, dump: &str) -> String {
    let (database, file) = (directory.file(name), directory.file(&format!("{name}.sql")));
    std::fs::write(&file, dump).unwrap();
    well(&[&database, "-q", "-f", &file]);
    database
}

/// Panics at the first line in which two dumps differ.
fn assert_same(left: &str, right: &str) {
    for (number, (a, b)) in left.lines().zip(right.lines()).enumerate() {
        assert_eq!(a, b, "line {}", number + 1);
    }
    assert_eq!(left.len(), right.len());
}

#[test]
fn a_restored_database_has_the_same_dump() {
    let directory = Directory::new();
    let database = everything(&directory);
    let first = well(&["dump", &database]);
    let copy = restored(&directory, "copy", &first);
    assert_same(&first, &well(&["dump", &copy]));
    for sql in [
        "SELECT * FROM kind",
        "SELECT f4::text, f8::text, octet_length(raw), jsonb_typeof(tree), ints[0] FROM kind",
        "SELECT * FROM \"My \"\"odd\"\" Schema\".\"Select\"",
        "SELECT id, name, since, best_order FROM shop.customer",
        "SELECT * FROM shop.a_customer",
        "SELECT * FROM shop.b_mixed ORDER BY 1",
        "SELECT * FROM shop.c_joined ORDER BY 1, 2, 3",
        "SELECT * FROM shop.z_orders ORDER BY 1",
        "SELECT * FROM shop.f_values",
        "SELECT count(*) FROM shop.no_columns",
        "SELECT nextval('shop.countdown'), nextval('shop.fresh'), nextval('shop.rewound')",
        "INSERT INTO shop.numbered DEFAULT VALUES RETURNING n, m",
        "INSERT INTO shop.orders (customer) VALUES (100) RETURNING id, status, total, tags",
        "INSERT INTO shop.customer (name) VALUES ('Edsger') RETURNING id",
    ] {
        let query = |database: &str| well(&[database, "--format", "csv", "-c", sql]);
        assert_eq!(query(&database), query(&copy), "{sql}");
    }
    assert!(well(&["check", &copy]).ends_with("no problems found\n"));
}

#[test]
fn constraints_hold_after_a_restore() {
    let directory = Directory::new();
    let dump = well(&["dump", &everything(&directory)]);
    let copy = restored(&directory, "copy", &dump);
    for (sql, code) in [
        ("INSERT INTO shop.orders (total) VALUES (-1)", "23514"),
        ("INSERT INTO shop.orders (customer) VALUES (1)", "23503"),
        ("DELETE FROM shop.customer WHERE id = 100", "23503"),
        ("INSERT INTO shop.customer (name) VALUES ('Ada')", "23505"),
        ("INSERT INTO shop.customer (id, name) VALUES (1, 'x')", "428C9"),
        ("INSERT INTO shop.line (customer, \"order\", position) VALUES (NULL, 1, 9)", "23503"),
        ("INSERT INTO \"My \"\"odd\"\" Schema\".\"Select\" (\"a b\") VALUES ('1')", "23505"),
    ] {
        let (status, _, errors) = oxibase(&[&copy, "-c", sql]);
        assert!(status == 1 && errors.contains(code), "{sql}: {errors}");
    }
}

#[test]
fn inserts_say_the_same_as_copy() {
    let directory = Directory::new();
    let database = everything(&directory);
    let inserts = well(&["dump", &database, "--inserts"]);
    assert!(!inserts.contains("COPY"), "{inserts}");
    assert!(inserts.contains("OVERRIDING SYSTEM VALUE"), "{inserts}");
    let copy = restored(&directory, "copy", &inserts);
    assert_same(&well(&["dump", &database]), &well(&["dump", &copy]));
}

#[test]
fn definitions_and_rows_apart() {
    let directory = Directory::new();
    let database = directory.file("db");
    let sql =
        "create table t (id serial primary key, a text); insert into t (a) values ('x'), (null)";
    well(&[&database, "-q", "-c", sql]);
    let schema = well(&["dump", &database, "--schema-only"]);
    assert!(!schema.contains("COPY") && !schema.contains("setval"), "{schema}");
    let data = well(&["dump", &database, "--data-only"]);
    assert!(!data.contains("CREATE") && !data.contains("ALTER"), "{data}");
    let copy = restored(&directory, "copy", &format!("{schema}{data}"));
    assert_same(&well(&["dump", &database]), &well(&["dump", &copy]));
}

#[test]
fn a_server_gives_the_same_dump_as_its_directory() {
    let directory = Directory::new();
    let database = everything(&directory);
    let from_directory = well(&["dump", &database]);
    let mut server = Served::start(&directory, &[]);
    let url = format!("postgres://ann@{}/oxibase", server.address);
    let file = directory.file("out.sql");
    assert_eq!(well(&["dump", &url, "-o", &file]), "");
    assert_same(&from_directory, &std::fs::read_to_string(&file).unwrap());
    // Nobody but the server may open its directory.
    let (status, _, errors) = oxibase(&["dump", &database]);
    assert_eq!(status, 1);
    assert!(errors.contains("already locked"), "{errors}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_dump_is_of_one_moment() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let url = format!("postgres://ann@{}/oxibase", server.address);
    server.client().rows("create table a (n int); create table z (n int)");
    server.client().rows("insert into a values (0); insert into z values (0)");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = server.client();
            while !is_over.load(Ordering::Relaxed) {
                client.rows("begin; update a set n = n + 1; update z set n = n + 1; commit");
            }
        });
        for _ in 0..5 {
            let dump = well(&["dump", &url, "--data-only"]);
            let mut values = dump.lines().filter(|line| line.parse::<u64>().is_ok());
            assert_eq!(values.next(), values.next(), "{dump}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn rows_of_a_large_table_keep_their_order() {
    let directory = Directory::new();
    let database = directory.file("db");
    let sql = "create table t (a int, b text); \
               insert into t select i, 'x' from generate_series(1, 60000) i";
    well(&[&database, "-q", "-c", sql]);
    for option in [None, Some("--inserts")] {
        let mut arguments = vec!["dump", database.as_str()];
        arguments.extend(option);
        let dump = well(&arguments);
        let number = |line: &str| {
            let values = line.split_once("VALUES (").map_or(line, |(_, values)| values);
            values.split(['\t', ',']).next().and_then(|first| first.parse::<u32>().ok())
        };
        let numbers: Vec<u32> = dump.lines().filter_map(number).collect();
        assert!(numbers.iter().copied().eq(1..=60_000), "{} rows", numbers.len());
    }
}

#[test]
fn some_tables_only() {
    let directory = Directory::new();
    let database = everything(&directory);
    let dump = well(&["dump", &database, "--table", "shop.orders"]);
    for part in [
        "CREATE TABLE shop.orders (",
        "SEQUENCE NAME shop.orders_id_seq",
        "COPY shop.orders (",
        "CREATE UNIQUE INDEX orders_key ON shop.orders",
        "REFERENCES shop.customer(id)",
        "setval('shop.orders_id_seq'",
    ] {
        assert!(dump.contains(part), "{part}: {dump}");
    }
    for part in ["CREATE SCHEMA", "CREATE TABLE shop.customer", "VIEW", "countdown"] {
        assert!(!dump.contains(part), "{part}: {dump}");
    }
    let dump = well(&["dump", &database, "-t", "KIND", "-t", "*.\"Sel\"*", "--schema-only"]);
    assert_eq!(dump.matches("CREATE TABLE").count(), 2, "{dump}");
    let (status, out, errors) = oxibase(&["dump", &database, "--table", "orders"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(errors.contains("no matching tables were found"), "{errors}");
}

#[test]
fn exit_statuses_and_what_is_left_alone() {
    let directory = Directory::new();
    let nowhere = directory.file("nowhere");
    let (status, _, errors) = oxibase(&["dump", &nowhere]);
    assert_eq!(status, 1);
    assert!(errors.contains("there is no database in"), "{errors}");
    assert!(!std::path::Path::new(&nowhere).exists());
    let database = directory.file("db");
    well(&[&database, "-q", "-c", "create table t (a int)"]);
    assert_eq!(oxibase(&["dump", &database, "--schema-only", "--data-only"]).0, 2);
    assert_eq!(oxibase(&["dump", "postgres://127.0.0.1:1/x"]).0, 3);
    let (status, _, errors) = oxibase(&["dump", &database, "-o", "/no/such/folder/file"]);
    assert_eq!(status, 1, "{errors}");
    // A failed dump does not take the place of an older one.
    let file = directory.file("older.sql");
    std::fs::write(&file, "older").unwrap();
    assert_eq!(oxibase(&["dump", &database, "-t", "nothing", "-o", &file]).0, 1);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "older");
}
