//! Embedded statements by key against SQLite, in one process and one thread, alternating so that both
//! see the same machine: `oxi-bench [ROWS] [SECONDS] [PART]`, where PART picks the rows of the table
//! whose names contain it.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark talks to whoever runs it and looks at the clock"
)]

use std::{
    env,
    error::Error,
    fs,
    time::{Duration, Instant},
};

use oxibase::{Connection, Database, Statement};
use rusqlite::Connection as Sqlite;

mod beside;

type Outcome<T> = Result<T, Box<dyn Error>>;
/// One statement with a key.
type Run<'a> = &'a mut dyn FnMut(i32) -> Outcome<i32>;

const SCHEMA: &str = "CREATE TABLE item (id INTEGER PRIMARY KEY, a INTEGER, b TEXT)";
/// Rounds alternate between the engines; the best of each counts.
const ROUNDS: u32 = 5;

fn main() -> Outcome<()> {
    let mut arguments = env::args().skip(1);
    let rows: i32 = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let seconds: f64 = arguments.next().map_or(Ok(1.0), |text| text.parse())?;
    let part = arguments.next().unwrap_or_default();
    let round = Duration::from_secs_f64(seconds / f64::from(ROUNDS));
    let compare = |name: &str, ours: Run<'_>, theirs: Run<'_>| {
        if name.contains(&part) { measure_both(name, round, ours, theirs) } else { Ok(()) }
    };

    println!("| embedded, one thread, prepared | Oxibase | SQLite | ratio |");
    println!("|---|---|---|---|");
    let (database, sqlite) = (Database::memory()?, Sqlite::open_in_memory()?);
    run(&database, &sqlite, rows, "in memory", &compare)?;

    let place = env::temp_dir().join(format!("oxi-bench-{}", std::process::id()));
    fs::create_dir_all(&place)?;
    let database = Database::open(place.join("oxibase"))?;
    let sqlite = Sqlite::open(place.join("sqlite"))?;
    // As durable as the other side: every commit is on the disk.
    sqlite.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
    run(&database, &sqlite, rows, "on disk", &compare)?;
    database.close()?;
    fs::remove_dir_all(&place)?;
    if "beside a join".contains(&part) {
        beside::run()?;
    }
    Ok(())
}

/// Measures a statement on both sides and prints it under a name.
type Compare<'a> = &'a dyn Fn(&str, Run<'_>, Run<'_>) -> Outcome<()>;

fn run(
    database: &Database,
    sqlite: &Sqlite,
    rows: i32,
    place: &str,
    compare: Compare<'_>,
) -> Outcome<()> {
    let mut ours = database.connect()?;
    load(&mut ours, sqlite, rows)?;
    let select = ours.prepare("SELECT a, b FROM item WHERE id = $1")?;
    let mut theirs = sqlite.prepare("SELECT a, b FROM item WHERE id = ?1")?;
    compare(
        &format!("SELECT by key, {place}"),
        &mut |key| {
            let row = ours.query_prepared(&select, &[&(key % rows)])?.into_iter().next();
            row.ok_or("a row is missing")?.get::<i32>(0).map_err(Into::into)
        },
        &mut |key| Ok(theirs.query_row([key % rows], |row| row.get(0))?),
    )?;
    let update = ours.prepare("UPDATE item SET a = a + 1 WHERE id = $1")?;
    let mut theirs = sqlite.prepare("UPDATE item SET a = a + 1 WHERE id = ?1")?;
    compare(
        &format!("UPDATE by key, {place}"),
        &mut |key| changed(&mut ours, &update, key % rows),
        &mut |key| Ok(theirs.execute([key % rows])? as i32),
    )?;
    Ok(())
}

fn changed(connection: &mut Connection, statement: &Statement, key: i32) -> Outcome<i32> {
    Ok(connection.execute_prepared(statement, &[&key])? as i32)
}

fn load(ours: &mut Connection, sqlite: &Sqlite, rows: i32) -> Outcome<()> {
    ours.execute_batch(SCHEMA)?;
    let mut appender = ours.appender("item")?;
    for id in 0..rows {
        appender.append(&[&id, &(id / 2), &format!("item number {id}")])?;
    }
    appender.finish()?;
    sqlite.execute_batch(SCHEMA)?;
    sqlite.execute_batch("BEGIN")?;
    let mut insert = sqlite.prepare("INSERT INTO item VALUES (?1, ?2, ?3)")?;
    for id in 0..rows {
        insert.execute((id, id / 2, format!("item number {id}")))?;
    }
    sqlite.execute_batch("COMMIT")?;
    Ok(())
}

/// Runs both in alternating rounds and prints nanoseconds per statement and their ratio.
fn measure_both(name: &str, round: Duration, ours: Run<'_>, theirs: Run<'_>) -> Outcome<()> {
    let (mut best_ours, mut best_theirs) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        best_ours = best_ours.min(measure(round, ours)?);
        best_theirs = best_theirs.min(measure(round, theirs)?);
    }
    let ratio = best_theirs / best_ours;
    println!("| {name} | {best_ours:.0} ns | {best_theirs:.0} ns | {ratio:.2}× |");
    Ok(())
}

fn measure(round: Duration, run: Run<'_>) -> Outcome<f64> {
    let started = Instant::now();
    let (mut count, mut key) = (0u32, 17i32);
    while started.elapsed() < round {
        for _ in 0..20 {
            key = key.wrapping_mul(1_103_515_245).wrapping_add(12_345) & i32::MAX;
            run(key)?;
            count += 1;
        }
    }
    Ok(started.elapsed().as_nanos() as f64 / f64::from(count))
}
