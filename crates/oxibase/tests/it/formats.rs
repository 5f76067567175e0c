//! Databases as each version of the on-disk formats was written: this version opens them all and
//! finds the same rows.
//!
//! `tests/formats/v<N>/` holds a database's files (a checkpoint, and a log behind it with a torn
//! end) and `dump.txt`: queries, each with the rows it gave. A change of a format comes with a new
//! directory, which this test writes when `VERSION` is raised; the old ones stay.

use std::fs;
use std::path::{Path, PathBuf};

use oxibase::{Connection, Database};

/// The version of the formats that this code writes.
const VERSION: u32 = 2;

/// Before the checkpoint.
const IN_IMAGES: &str = "
CREATE SCHEMA shop;
CREATE TABLE shop.item (
    id int PRIMARY KEY, name text NOT NULL DEFAULT 'none', price numeric(10, 2) CHECK (price >= 0),
    UNIQUE (name, price)
);
CREATE INDEX item_price ON shop.item (price DESC NULLS LAST, id);
CREATE SEQUENCE shop.number START 10 INCREMENT 5;
CREATE TABLE kind (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision, n numeric, t text,
    v varchar(10), c char(4), y bytea, d date, tm time, ts timestamp, tz timestamptz, iv interval,
    u uuid, j json, jb jsonb, o oid
);
INSERT INTO shop.item VALUES (1, 'axe', 12.50), (2, 'bow', 3), (3, 'cup', NULL), (4, 'die', 0);
INSERT INTO kind (b, i2, i4, i8, f4, f8, n, t, v, c, y, d, tm, ts, tz, iv, u, j, jb, o) VALUES
    (true, -32768, 2147483647, -9223372036854775808, 1.5, -0.1, 12345678901234567890.0123456789,
     'größe 大', 'short', 'ab', '\\x00ff10', '2024-02-29', '23:59:59.999999', '0044-03-15 BC',
     '2001-02-03 04:05:06.789+00', '1 year -2 days 03:04:05.000006',
     'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"a\" : [1, null]}', '{\"b\": {}, \"a\": 1.50}', 4294967295),
    (false, 0, 0, 0, 'NaN', 'Infinity', 'NaN', '', '', '', '', 'infinity', '00:00', '-infinity',
     'infinity', '0', '00000000-0000-0000-0000-000000000000', '1', '\"x\"', 0),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL);
INSERT INTO kind (t, n) SELECT repeat('long ', 40 + g), g * -1.25 FROM generate_series(1, 30) AS g;
CREATE VIEW dear AS SELECT id, name FROM shop.item WHERE price > 1;
COMMENT ON TABLE kind IS 'one of each';
SELECT nextval('shop.number'), nextval('shop.number');
";

/// Behind the checkpoint, in the log only.
const IN_THE_LOG: &str = "
UPDATE shop.item SET name = 'bowl', price = 4 WHERE id = 2;
DELETE FROM shop.item WHERE id = 4;
INSERT INTO shop.item VALUES (5, 'egg', 0.25);
ALTER TABLE shop.item ADD COLUMN stock int NOT NULL DEFAULT 7;
UPDATE shop.item SET stock = 0 WHERE id = 5;
CREATE TABLE late (a int REFERENCES shop.item, b text);
INSERT INTO late VALUES (1, 'x'), (NULL, 'y');
CREATE INDEX late_b ON late (b);
DELETE FROM kind WHERE id > 20;
BEGIN; INSERT INTO late VALUES (2, 'kept'); SAVEPOINT s; INSERT INTO late VALUES (3, 'undone');
ROLLBACK TO s; COMMIT;
BEGIN; INSERT INTO late VALUES (3, 'never'); ROLLBACK;
SELECT nextval('shop.number');
";

const QUERIES: &[&str] = &[
    "SELECT id, name, price, stock FROM shop.item ORDER BY id",
    "SELECT id FROM shop.item WHERE name = 'bowl' AND price = 4",
    "SELECT id FROM shop.item ORDER BY price DESC NULLS LAST, id",
    "SELECT id, b, i2, i4, i8, f4, f8, n, t, v, c FROM kind WHERE id <= 3 ORDER BY id",
    "SELECT id, y, d, tm, ts, tz, iv, u, j, jb, o FROM kind WHERE id <= 3 ORDER BY id",
    "SELECT count(*), sum(length(t)), sum(n) FILTER (WHERE id > 3) FROM kind",
    "SELECT a, b FROM late ORDER BY b",
    "SELECT id, name FROM dear ORDER BY id",
    "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1",
    "SELECT n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n \
     ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'shop') ORDER BY 1, 2",
    "SELECT conrelid::regclass::text, conname, contype FROM pg_constraint WHERE conrelid > 16000 \
     ORDER BY 1, 2",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname IN ('public', 'shop') \
     ORDER BY 2",
    "SELECT obj_description('kind'::regclass)",
];

fn directory(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/formats/v{version}"))
}

/// Copies a tree of files, without the zeros that a log is filled up with.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        if path.extension().is_some_and(|ending| ending == "wal") {
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            bytes.truncate((end + 64).min(bytes.len()));
        }
        fs::write(to.join(name), bytes).unwrap();
    }
}

/// A query's rows, one a line.
fn rows(connection: &mut Connection, sql: &str) -> String {
    let found = connection.query(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let width = found.columns().len();
    let mut text = String::new();
    for row in found {
        let values: Vec<String> = (0..width)
            .map(|at| row.text(at).unwrap().unwrap_or_else(|| "NULL".to_owned()))
            .collect();
        text.push_str(&values.join("|"));
        text.push('\n');
    }
    text
}

/// Compares what the queries of a dump give with what they gave.
fn compare(database: &Database, dump: &str) {
    let mut connection = database.connect().unwrap();
    connection.execute("SET timezone = 'UTC'", &[]).unwrap();
    let mut pieces = dump.split("\n> ");
    assert_eq!(pieces.next(), Some(""));
    for piece in pieces {
        let (sql, expected) = piece.split_once('\n').unwrap();
        assert_eq!(rows(&mut connection, sql).trim_end(), expected.trim_end(), "{sql}");
    }
}

#[test]
fn every_version_opens_with_the_same_rows() {
    if !directory(VERSION).exists() {
        write();
        panic!("wrote {}; look at it, commit it, and run again", directory(VERSION).display());
    }
    for version in 1..=VERSION {
        let source = directory(version);
        let dump = fs::read_to_string(source.join("dump.txt")).unwrap();
        let place = std::env::temp_dir().join(format!("oxibase-v{version}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        copy(&source.join("database"), &place);

        let found = oxibase::check(&place).unwrap();
        assert_eq!(found.problems, Vec::<String>::new());
        assert!(found.lines.iter().any(|line| line.contains("of an unfinished write at its end")));

        let database = Database::open(&place).unwrap();
        compare(&database, &dump);
        // It can be written to, and what this version makes of it opens again.
        let mut connection = database.connect().unwrap();
        connection.execute("INSERT INTO shop.item VALUES (100, 'new', 1)", &[]).unwrap();
        connection.execute("DELETE FROM shop.item WHERE id = 100", &[]).unwrap();
        drop(connection);
        database.close().unwrap();
        assert_eq!(oxibase::check(&place).unwrap().problems, Vec::<String>::new());
        compare(&Database::open(&place).unwrap(), &dump);
        fs::remove_dir_all(&place).unwrap();
    }
}

/// Writes the directory of a new [`VERSION`].
fn write() {
    let target = directory(VERSION);
    let place = std::env::temp_dir().join(format!("oxibase-write-{}", std::process::id()));
    let _ = fs::remove_dir_all(&place);
    let database = Database::open(&place).unwrap();
    database.connect().unwrap().execute_batch(IN_IMAGES).unwrap();
    database.close().unwrap();

    let database = Database::open(&place).unwrap();
    let mut connection = database.connect().unwrap();
    connection.execute_batch(IN_THE_LOG).unwrap();
    // As if the process had been killed here, while it wrote on.
    copy(&place, &target.join("database"));
    fs::remove_file(target.join("database/LOCK")).unwrap();
    tear(&target.join("database/wal"));
    let live = dump(&mut connection);
    drop(connection);
    drop(database);
    fs::remove_dir_all(&place).unwrap();

    copy(&target.join("database"), &place);
    let database = Database::open(&place).unwrap();
    let recovered = dump(&mut database.connect().unwrap());
    // A sequence goes on at the value logged ahead, as after any crash.
    let differing = live.lines().zip(recovered.lines()).filter(|(a, b)| a != b);
    assert!(
        differing.clone().all(|(a, _)| a.starts_with("kind_id_seq|") || a.starts_with("number|"))
    );
    assert_eq!(live.lines().count(), recovered.lines().count());
    fs::write(target.join("dump.txt"), recovered).unwrap();
    drop(database);
    fs::remove_dir_all(&place).unwrap();
}

/// The queries with their rows.
fn dump(connection: &mut Connection) -> String {
    connection.execute("SET timezone = 'UTC'", &[]).unwrap();
    let parts = QUERIES.iter().map(|sql| format!("\n> {sql}\n{}", rows(connection, sql)));
    parts.collect::<Vec<_>>().concat()
}

/// Puts the beginning of a frame behind the last one.
fn tear(log: &Path) {
    let mut names: Vec<PathBuf> =
        fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let last = names.pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(end);
    // A checksum may end in zeros: these belong to it or are no frame's length.
    bytes.extend([0; 4]);
    bytes.extend([90, 0, 0, 0, 1, 1, 0, 0, 5, 5, 5]);
    fs::write(&last, bytes).unwrap();
}
