//! Measures the store alone, without SQL: `measure recovery|checkpoint|memory [ROWS] [DIRECTORY]`.
//!
//! - `recovery`: a log of inserts and of single-row updates, then how fast opening replays it;
//! - `checkpoint`: latency and throughput of point updates without and during checkpoints;
//! - `memory`: loads, updates and reads a table with two indexes; `MEMORY_LIMIT` in megabytes.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measuring program talks to whoever runs it, looks at the clock, and may panic"
)]

use std::{
    env, fs,
    future::Future,
    path::PathBuf,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use oxi_base::{ColumnId, IndexId, TableId};
use oxi_model::{Datum, PhysicalType, engine::*};
use oxi_store::{Flush, Store, StoreOptions};
use oxi_world::World;

const TABLE: TableId = TableId(101);
const BY_ID: IndexId = IndexId(101);
const BY_GROUP: IndexId = IndexId(102);
/// Rows inserted by one transaction.
const BATCH: i64 = 1000;

fn main() {
    let mut arguments = env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let rows: i64 = arguments.next().map_or(1_000_000, |text| text.parse().unwrap());
    let directory = arguments.next().map_or_else(env::temp_dir, PathBuf::from);
    let directory = directory.join(format!("oxi-measure-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let world = World::real(&directory).unwrap();
    match what.as_str() {
        "recovery" => recovery(&world, rows),
        "checkpoint" => checkpoint(&world, rows),
        "memory" => memory(&world, rows),
        _ => println!("measure recovery|checkpoint|memory [ROWS] [DIRECTORY]"),
    }
    fs::remove_dir_all(&directory).unwrap();
}

fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        thread::yield_now();
    }
}

fn options() -> StoreOptions {
    StoreOptions { flush: Flush::Writer, synchronous_commit: false, ..StoreOptions::default() }
}

fn open(world: &World) -> Arc<Store> {
    Store::open(world.clone(), options()).unwrap()
}

fn index(column: u32, unique: bool) -> IndexLayout {
    let column =
        IndexColumnLayout { column: ColumnId(column), descending: false, nulls_first: false };
    IndexLayout { table: TABLE, columns: vec![column], unique, nulls_not_distinct: false }
}

/// `(id int8 primary key, group int4, amount float8, note text)` with an index on `group`.
fn create(store: &Store) {
    let types =
        [PhysicalType::Int64, PhysicalType::Int32, PhysicalType::Float64, PhysicalType::Text];
    let columns = types.into_iter().zip(0..);
    let columns = columns.map(|(physical, id)| ColumnLayout {
        id: ColumnId(id),
        physical,
        missing: Datum::Null,
    });
    let txn = store.begin(Isolation::ReadCommitted);
    txn.create_table(
        TABLE,
        TableLayout { columns: columns.collect(), catalog: false, history_us: None },
    )
    .unwrap();
    txn.create_index(BY_ID, index(0, true)).unwrap();
    txn.create_index(BY_GROUP, index(1, false)).unwrap();
    now(txn.commit().unwrap()).unwrap();
}

fn load(store: &Store, rows: i64) {
    for first in (0..rows).step_by(BATCH as usize) {
        let txn = store.begin(Isolation::ReadCommitted);
        for id in first..(first + BATCH).min(rows) {
            let row = [
                Datum::Int64(id),
                Datum::Int32((id * 7919 % 1_000_003) as i32),
                Datum::Float64(id as f64),
                Datum::text(format!("text number {id:08}")),
            ];
            txn.insert(TABLE, &row).unwrap();
        }
        now(txn.commit().unwrap()).unwrap();
    }
}

/// A sequence of keys that looks random.
fn scramble(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn update(store: &Store, id: i64, amount: f64) {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    let mut row = None;
    snapshot
        .index_get(BY_ID, &[Datum::Int64(id)], &[0], &mut |found, _| {
            row = Some(found);
            Ok(false)
        })
        .unwrap();
    let change = [(2, Datum::Float64(amount))];
    let row = row.expect("the row was loaded");
    txn.update(&*snapshot, TABLE, row, WriteTarget::Newest, &change).unwrap();
    now(txn.commit().unwrap()).unwrap();
}

/// Seconds of processor time that the process has used, in all threads.
fn processor() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

fn replayed(world: &World, what: &str) {
    let (started, used) = (Instant::now(), processor());
    let store = open(world);
    let (seconds, used) = (started.elapsed().as_secs_f64(), processor() - used);
    let report = store.recovery_report();
    println!(
        "{what}: opened in {seconds:.2} s, {used:.2} s of processor ({:.0} changes a second of it); \
         {report}",
        report.operations as f64 / used.max(0.01),
    );
    drop(store);
}

fn recovery(world: &World, rows: i64) {
    let store = open(world);
    create(&store);
    load(&store, rows);
    println!("log of {} MB", store.log_position() >> 20);
    drop(store);
    replayed(world, "inserts");
    let store = open(world);
    store.checkpoint().unwrap();
    let before = store.log_position();
    let mut seed = 1;
    for number in 0..rows * 2 {
        update(&store, (scramble(&mut seed) % rows as u64) as i64, number as f64);
    }
    println!("log of {} MB", (store.log_position() - before) >> 20);
    drop(store);
    replayed(world, "single updates");
    let store = open(world);
    store.checkpoint().unwrap();
    drop(store);
    replayed(world, "nothing");
}

/// Latencies in microseconds with the time at which they were taken.
type Samples = Vec<(Instant, u32)>;

fn percentile(samples: &mut [u32], part: f64) -> u32 {
    samples.sort_unstable();
    let at = (samples.len() as f64 * part) as usize;
    samples.get(at.min(samples.len().saturating_sub(1))).copied().unwrap_or(0)
}

fn describe(what: &str, samples: &[u32], seconds: f64) {
    let mut samples = samples.to_vec();
    println!(
        "{what}: {:.0} updates a second, p50 {} us, p99 {} us, p99.9 {} us, longest {} us",
        samples.len() as f64 / seconds,
        percentile(&mut samples, 0.5),
        percentile(&mut samples, 0.99),
        percentile(&mut samples, 0.999),
        percentile(&mut samples, 1.0),
    );
}

fn updater(store: &Store, stop: &AtomicBool, rows: i64, mut seed: u64) -> Samples {
    let mut samples = Samples::new();
    while !stop.load(Ordering::Relaxed) {
        let id = (scramble(&mut seed) % rows as u64) as i64;
        let started = Instant::now();
        update(store, id, seed as f64);
        samples.push((started, started.elapsed().as_micros() as u32));
        // Clients think: what is measured is the wait, not who gets the processor.
        thread::sleep(Duration::from_micros(100));
    }
    samples
}

fn checkpoint(world: &World, rows: i64) {
    let store = open(world);
    create(&store);
    load(&store, rows);
    store.checkpoint().unwrap();
    let stop = AtomicBool::new(false);
    let mut spans = Vec::new();
    let samples = thread::scope(|scope| {
        let workers: Vec<_> = (1..=4)
            .map(|seed| {
                let (store, stop) = (&*store, &stop);
                scope.spawn(move || updater(store, stop, rows, seed))
            })
            .collect();
        for _ in 0..5 {
            thread::sleep(Duration::from_secs(2));
            let started = Instant::now();
            let report = store.checkpoint().unwrap();
            spans.push((started, Instant::now()));
            let took = started.elapsed().as_millis();
            println!("checkpoint: {took} ms, {} MB", report.bytes_written >> 20);
        }
        thread::sleep(Duration::from_secs(2));
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Samples>()
    });
    let first = samples.iter().map(|(at, _)| *at).min().unwrap();
    let last = samples.iter().map(|(at, _)| *at).max().unwrap();
    let during: f64 = spans.iter().map(|(from, to)| (*to - *from).as_secs_f64()).sum();
    let is_during = |(at, took): &&(Instant, u32)| {
        let end = *at + Duration::from_micros((*took).into());
        spans.iter().any(|(from, to)| *at < *to && end > *from)
    };
    let (inside, outside): (Vec<_>, Vec<_>) = samples.iter().partition(|sample| is_during(sample));
    let latencies =
        |samples: Vec<&(Instant, u32)>| samples.iter().map(|(_, took)| *took).collect::<Vec<_>>();
    describe("without", &latencies(outside), (last - first).as_secs_f64() - during);
    describe("during ", &latencies(inside), during);
}

/// Megabytes of memory the process has now, and had at most.
fn resident() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or(0) >> 10
    };
    (field("VmRSS:"), field("VmHWM:"))
}

fn memory(world: &World, rows: i64) {
    let megabytes = env::var("MEMORY_LIMIT").ok().and_then(|text| text.parse::<u64>().ok());
    let limited = || {
        let memory_limit = megabytes.map(|megabytes| megabytes << 20);
        let options = StoreOptions { memory_limit, ..options() };
        Store::open(world.clone(), options).unwrap()
    };
    let store = limited();
    create(&store);
    let step = |store: &Store, what: &str, count: i64, started: Instant| {
        let (now, most) = resident();
        let seconds = started.elapsed().as_secs_f64();
        let speed = count as f64 / seconds;
        let counted = store.memory_used() >> 20;
        println!(
            "{what}: {seconds:.1} s ({speed:.0}/s), {now} MB resident ({most} MB at most), \
             {counted} MB of them counted",
        );
    };
    let started = Instant::now();
    load(&store, rows);
    step(&store, "load", rows, started);
    let started = Instant::now();
    let (mut seed, count) = (7, rows / 100);
    for number in 0..count {
        update(&store, (scramble(&mut seed) % rows as u64) as i64, number as f64);
    }
    step(&store, "updates", count, started);
    let started = Instant::now();
    store.checkpoint().unwrap();
    step(&store, "checkpoint", 1, started);
    let started = Instant::now();
    for _ in 0..count {
        let id = (scramble(&mut seed) % rows as u64) as i64;
        let txn = store.begin(Isolation::ReadCommitted);
        let mut found = 0;
        txn.begin_statement()
            .index_get(BY_ID, &[Datum::Int64(id)], &[0, 3], &mut |_, values| {
                assert_eq!(values[1], Datum::text(format!("text number {id:08}")));
                found += 1;
                Ok(true)
            })
            .unwrap();
        assert_eq!(found, 1);
    }
    step(&store, "point reads", count, started);
    drop(store);
    let started = Instant::now();
    let store = limited();
    step(&store, "reopen", 1, started);
    drop(store);
}
