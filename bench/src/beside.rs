//! Point reads beside a long join of another session: how long the longest of them takes.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use oxibase::{Connection, Database};

use super::Outcome;

const ROWS: i32 = 200_000;
/// Rows that join with each other, so that there is much to do for few rows read.
const ALIKE: i32 = 500;
const READS_FOR: Duration = Duration::from_secs(4);
/// What the longest read may take.
const LONGEST: Duration = Duration::from_millis(50);

/// Measures, and prints a line.
pub(crate) fn run() -> Outcome<()> {
    let database = Database::memory()?;
    let mut connection = database.connect()?;
    connection.execute_batch(&format!(
        "CREATE TABLE item (id int PRIMARY KEY, kind int, v text);
         INSERT INTO item SELECT n, n % ({ROWS} / {ALIKE}), 'v' || n FROM generate_series(1, {ROWS}) n"
    ))?;
    let mut joining = database.connect()?;
    let done = AtomicBool::new(false);
    let (reads, joins) = thread::scope(|scope| {
        let join = scope.spawn(|| -> Result<u32, oxibase::Error> {
            let mut joins = 0;
            while !done.load(Ordering::Relaxed) {
                let sql = "SELECT count(*) FROM item a JOIN item b ON a.kind = b.kind \
                           WHERE a.v < b.v";
                joining.query_one(sql, &[])?;
                joins += 1;
            }
            Ok(joins)
        });
        let reads = read(&mut connection);
        done.store(true, Ordering::Relaxed);
        (reads, join.join())
    });
    let mut reads = reads?;
    let joins = joins.map_err(|_| "the join panicked")??;
    reads.sort_unstable();
    let part = |of_thousand: usize| reads[(reads.len() - 1) * of_thousand / 1000];
    let longest = part(1000);
    println!();
    println!("| point read beside {joins} long joins | half | 99 % | longest | at most |");
    println!("|---|---|---|---|---|");
    println!(
        "| {} reads | {:?} | {:?} | {longest:?} | {LONGEST:?}{} |",
        reads.len(),
        part(500),
        part(990),
        if longest > LONGEST { " EXCEEDED" } else { "" }
    );
    Ok(())
}

/// How long each read took.
fn read(connection: &mut Connection) -> Outcome<Vec<Duration>> {
    let select = connection.prepare("SELECT v FROM item WHERE id = $1")?;
    let began = Instant::now();
    let mut reads = Vec::new();
    while began.elapsed() < READS_FOR {
        let id = (reads.len() as i32).wrapping_mul(7919).rem_euclid(ROWS) + 1;
        let start = Instant::now();
        let found = connection.query_prepared(&select, &[&id])?.len();
        reads.push(start.elapsed());
        if found != 1 {
            return Err("a row is missing".into());
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(reads)
}
