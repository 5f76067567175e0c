//! Queries in an index's order against the same queries with a sort that no index helps.

use std::fmt::Write;

use oxibase::{Connection, Database};

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

const COLUMNS: [&str; 7] = ["id", "k", "n", "f", "s", "d", "i"];

/// Tables of a few rows or of many, with few keys or many, NULLs among them.
fn fill(connection: &mut Connection, numbers: &mut Numbers) {
    connection
        .execute(
            "CREATE TABLE t (id int PRIMARY KEY, k int, n numeric, f float8, s text NOT NULL, d date, i interval)",
            &[],
        )
        .unwrap();
    let rows = [0, 7, 300, 2000, 3000][numbers.below(5) as usize];
    let keys = [1, 3, 50, 20_000][numbers.below(4) as usize];
    let insert = format!(
        "INSERT INTO t SELECT x, CASE WHEN h % 11 = 0 THEN NULL ELSE h % {keys} END, \
         (h % {keys}) / 8.0 - 1, CASE h % 17 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN '-0' ELSE (h % {keys}) / 4.0 - 2 END, \
         's' || h % {keys}, '2020-01-01'::date + h % {keys}, make_interval(days => h % {keys}) \
         FROM (SELECT x, (x * 7919) % 100003 AS h FROM generate_series(1, {rows}) x) g"
    );
    connection.execute(&insert, &[]).unwrap();
    for number in 0..4 {
        let mut columns = String::new();
        for _ in 0..=numbers.below(3) {
            let separator = if columns.is_empty() { "" } else { ", " };
            let column = numbers.one_of(&COLUMNS);
            if columns.split([' ', ',']).any(|taken| taken == column) {
                continue;
            }
            let direction = numbers.one_of(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
            write!(columns, "{separator}{column}{direction}").unwrap();
        }
        connection.execute(&format!("CREATE INDEX i{number} ON t ({columns})"), &[]).unwrap();
    }
}

fn condition(numbers: &mut Numbers) -> String {
    let number = numbers.below(60);
    match numbers.below(14) {
        0 => format!("WHERE k > {number}"),
        1 => format!("WHERE k = {number}"),
        2 => format!("WHERE id > {}", number * 100),
        3 => format!("WHERE id <= {} AND k IS NOT NULL", number * 500),
        4 => "WHERE k IS NOT NULL".to_owned(),
        5 => format!("WHERE id % {} = 0", number + 1),
        6 => format!("WHERE n <= {number} AND n > 0.5"),
        7 => format!("WHERE f < {number}"),
        8 => format!("WHERE s = 's{number}' AND id > {number}"),
        9 => format!("WHERE k = (SELECT {number})"),
        10 => format!("WHERE n = (SELECT {number} / 8.0) AND id > 5"),
        11 => format!("WHERE k IN ({number}, 1, 2)"),
        _ => String::new(),
    }
}

/// A query's rows: their number apart, then what they are sorted by.
fn answer(connection: &mut Connection, keys: &[&str], rest: &str) -> (Vec<i32>, Vec<String>) {
    // Equal intervals are not always written the same.
    let shown = keys.iter().map(|key| match *key {
        "i" => "coalesce(extract(epoch FROM i)::text, '-')".to_owned(),
        key => format!("coalesce({key}::text, '-')"),
    });
    let shown: Vec<String> = shown.collect();
    let sql = format!("SELECT id, concat_ws(' ', {}) FROM t {rest}", shown.join(", "));
    let rows = connection.query(&sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.into_iter().map(|row| (row.get::<i32>(0).unwrap(), row.get::<String>(1).unwrap())).unzip()
}

fn compare(connection: &mut Connection, numbers: &mut Numbers) {
    let mut keys = Vec::new();
    let (mut plain, mut sorted) = (Vec::new(), Vec::new());
    let turned = numbers.below(2) == 1;
    for _ in 0..=numbers.below(2) {
        let key = numbers.one_of(&COLUMNS);
        if keys.contains(&key) {
            continue;
        }
        let direction = match numbers.below(6) {
            0 => numbers.one_of(&["NULLS FIRST", "DESC NULLS LAST"]),
            1 => numbers.one_of(&["", "DESC"]),
            _ => ["", "DESC"][usize::from(turned)],
        };
        keys.push(key);
        plain.push(format!("{key} {direction}"));
        sorted.push(format!("CASE WHEN id > -1000000 THEN {key} END {direction}"));
    }
    let condition = condition(numbers);
    let limit = [1, 2, 10, 90, 500, 4000][numbers.below(6) as usize];
    let offset = [0, 0, 3, 100][numbers.below(4) as usize];
    let page = format!("LIMIT {limit} OFFSET {offset}");
    let page = if numbers.below(8) == 0 { format!("LIMIT {limit} FOR UPDATE") } else { page };
    let first = format!("{condition} ORDER BY {} {page}", plain.join(", "));
    let second = format!("{condition} ORDER BY {} {page}", sorted.join(", "));
    let (mut ids, along) = answer(connection, &keys, &first);
    let (_, expected) = answer(connection, &keys, &second);
    assert_eq!(normal(along), normal(expected), "{first}");
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "rows came twice: {first}");
}

/// Equal values that are not written the same.
fn normal(rows: Vec<String>) -> Vec<String> {
    rows.into_iter()
        .map(|row| {
            row.split(' ')
                .map(|word| if word == "-0" { "0" } else { word })
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

/// Leaves entries of rows that are no longer what they were.
fn change(connection: &mut Connection, numbers: &mut Numbers) {
    let number = numbers.below(100) + 2;
    let sql = match numbers.below(4) {
        0 => format!("UPDATE t SET k = {number}, n = n + 0.25 WHERE id % {number} = 1"),
        1 => format!("DELETE FROM t WHERE id % {number} = 0"),
        2 => format!("UPDATE t SET id = -id, f = -f, k = NULL WHERE id % {number} = 1"),
        _ => format!("UPDATE t SET s = 's' || id % {number}, i = i + '1 mon' WHERE id % 3 = 0"),
    };
    connection.execute(&sql, &[]).unwrap();
}

#[test]
fn an_index_gives_the_rows_that_a_sort_gives() {
    for seed in 0..8 {
        let mut numbers = Numbers(seed);
        let database = Database::memory().unwrap();
        let mut connection = database.connect().unwrap();
        fill(&mut connection, &mut numbers);
        for round in 0..40 {
            match (round % 8, numbers.below(3)) {
                (3, 0) => drop(connection.execute("BEGIN", &[])),
                (3 | 5, _) => change(&mut connection, &mut numbers),
                (7, 1) => drop(connection.execute("COMMIT", &[])),
                (7, 2) => drop(connection.execute("ROLLBACK", &[])),
                _ => compare(&mut connection, &mut numbers),
            }
        }
    }
}
