//! Isolation of the whole engine: sessions append unique values to lists and read them; from what
//! they read it follows in which order the transactions took place, and whether there is one.
//!
//! A run consists of rounds, each a database of its own whose seed decides everything: what the
//! sessions do and how their steps interleave. With threads chance takes part.

pub mod check;
mod client;
pub mod graph;
pub mod history;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use oxi_model::engine::{Engine, Isolation};
use oxi_session::{ConnectOptions, Database, DatabaseOptions, Session};
use oxi_store::{Flush, Store, StoreOptions};
use oxi_world::{Clock, World, clock::SystemClock, net::Runtime, rng::Prng};

use oxi_sim_store::{
    executor::{Executor, Local, Step, now},
    runner::say,
    shared::one_in,
};

use check::Findings;
use client::Round;

/// Transactions of a round.
const ROUND: u64 = 1000;
/// Microseconds between two lines of progress.
const PROGRESS_US: u64 = 5_000_000;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that run sessions at the same time; with none, one thread runs all of them in an
    /// order that the seed decides.
    pub threads: usize,
    /// How many transactions in all.
    pub transactions: u64,
    /// The first round's seed; the next ones follow.
    pub seed: u64,
    /// The isolation of the transactions.
    pub isolation: Isolation,
}

/// What came of it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Report {
    /// Transactions that committed.
    pub committed: u64,
    /// Transactions (and parts after a savepoint) that were rolled back.
    pub aborted: u64,
    /// Anomalies, also those that the isolation admits.
    pub findings: Findings,
}

/// Runs one round.
///
/// # Errors
/// What a session met that is neither a result nor a conflict.
pub fn round(seed: u64, isolation: Isolation, transactions: u64) -> Result<Report, String> {
    let round = Round::new(isolation, transactions);
    caught(|| Play::new(World::simulated(seed).0, seed)?.run(round))
}

/// The same with threads: what happens is up to them.
///
/// # Errors
/// As [`round`].
pub fn threaded_round(options: Options) -> Result<Report, String> {
    let round = Round::new(options.isolation, options.transactions);
    let world = World::in_memory().map_err(|error| error.to_string())?;
    caught(|| Play::new(world, options.seed)?.run_threads(round, options.threads))
}

fn caught(run: impl FnOnce() -> Result<Report, String>) -> Result<Report, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panic: {}", text.unwrap_or("of an unknown kind")))
    })
}

/// A database and the order in which its sessions go on.
struct Play {
    world: World,
    store: Arc<Store>,
    database: Database,
    prng: Prng,
}

impl Play {
    fn new(world: World, seed: u64) -> Result<Self, String> {
        let options =
            StoreOptions { flush: Flush::Caller, collect_every: 20, ..StoreOptions::default() };
        let store = Store::open(world.clone(), options).map_err(|error| error.to_string())?;
        let engine: Arc<dyn Engine> = store.clone();
        let opening = Database::open(engine, world.clone(), DatabaseOptions::default());
        let database = now(opening)
            .ok_or("opening the database waits for somebody")?
            .map_err(|error| error.to_string())?;
        Ok(Play { world, store, database, prng: Prng::new(seed ^ 0x6c69_7374_7321) })
    }

    fn connect(&self) -> Result<Session, String> {
        self.database.connect(ConnectOptions::default()).map_err(|error| error.to_string())
    }

    fn fork(&mut self) -> Prng {
        Prng::new(self.prng.next_u64())
    }

    fn set_up(&self) -> Result<(), String> {
        let sql = "CREATE TABLE lists (k int PRIMARY KEY, g int NOT NULL, v text NOT NULL)";
        client::set_up(&mut self.connect()?, sql)
    }

    fn run(mut self, round: Round) -> Result<Report, String> {
        self.set_up()?;
        let round = Arc::new(round);
        let mut sessions: Vec<Local> = Vec::new();
        for _ in 0..4 + self.prng.below(7) {
            let (session, prng) = (self.connect()?, self.fork());
            sessions.push(Box::pin(client::work(session, round.clone(), prng)));
        }
        self.play(sessions)?;
        self.report(&round)
    }

    fn run_threads(mut self, round: Round, threads: usize) -> Result<Report, String> {
        self.set_up()?;
        let round = Arc::new(round);
        let runtime = Arc::new(Runtime::new(2).map_err(|error| error.to_string())?);
        let mut running = Vec::new();
        for _ in 0..threads {
            let (session, prng) = (self.connect()?, self.fork());
            let (round, runtime) = (round.clone(), runtime.clone());
            let work = Box::new(move || runtime.block_on(client::work(session, round, prng)));
            let thread = self.world.tasks.spawn_thread("session", work);
            running.push(thread.map_err(|error| error.to_string())?);
        }
        for thread in running {
            thread.join().map_err(|error| error.to_string())?;
        }
        self.report(&round)
    }

    /// Reads all lists and looks at what went on.
    fn report(mut self, round: &Arc<Round>) -> Result<Report, String> {
        let (session, prng) = (self.connect()?, self.fork());
        self.play(vec![Box::pin(client::read_all(session, round.clone(), prng))])?;
        let history = round.outcome()?;
        let committed = history.iter().filter(|transaction| transaction.committed).count() as u64;
        Ok(Report {
            committed,
            aborted: history.len() as u64 - committed,
            findings: check::check(&history, true),
        })
    }

    /// Lets sessions go on, one step of one of them after the other, until all have ended.
    fn play(&mut self, sessions: Vec<Local>) -> Result<(), String> {
        let mut executor = Executor::default();
        for session in sessions {
            executor.spawn(session);
        }
        loop {
            if one_in(&mut self.prng, 5000) {
                self.store.checkpoint().map_err(|error| error.to_string())?;
            }
            match executor.step(&mut self.prng) {
                Step::Ran => {}
                Step::Idle => return Ok(()),
                Step::Stuck => return Err("all sessions wait for each other".to_owned()),
            }
        }
    }
}

/// Runs rounds until all transactions have ended; true if no anomaly was found that the isolation
/// forbids.
pub fn run(options: Options) -> bool {
    let clock = SystemClock::new();
    let began = clock.monotonic_us();
    let mut shown = began;
    let mut all = Report::default();
    let mut seed = options.seed;
    let mut left = options.transactions;
    while left > 0 {
        let size = left.min(ROUND);
        let again = format!("seed {seed}, {size} transactions");
        let report = match options.threads {
            0 => round(seed, options.isolation, size),
            _ => threaded_round(Options { seed, transactions: size, ..options }),
        };
        match report {
            Err(reason) => {
                say(&format!("{again}: FAILED: {reason}"));
                return false;
            }
            Ok(report) => {
                let forbidden = report.findings.forbidden(options.isolation);
                if !forbidden.is_empty() {
                    say(&format!("{again}: FORBIDDEN:\n{forbidden}"));
                    return false;
                }
                all.committed += report.committed;
                all.aborted += report.aborted;
                all.findings.merge(&report.findings);
            }
        }
        left -= size;
        seed += 1;
        let now = clock.monotonic_us();
        if now - shown > PROGRESS_US {
            shown = now;
            say(&format!("{} transactions so far", options.transactions - left));
        }
    }
    let seconds = (clock.monotonic_us() - began) as f64 / 1e6;
    let rate = options.transactions as f64 / seconds.max(1e-6);
    say(&format!("{} committed, {} rolled back", all.committed, all.aborted));
    say(&format!("anomalies that the isolation admits:\n{}", all.findings));
    say(&format!("{seconds:.1} s, {rate:.0} transactions/s, no forbidden anomaly"));
    true
}

#[cfg(test)]
mod tests;
