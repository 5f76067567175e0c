//! The real server under the real kill -9: clients transfer money, the server dies at a random
//! moment, and after the restart nothing acknowledged may be missing and nothing may be half there.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use oxi_world::{
    Clock, Rng,
    clock::SystemClock,
    net::{self, Runtime},
    rng::{Prng, SystemRng},
};

use oxi_sim_store::runner::say;

mod backup;
mod client;
mod server;
mod verify;

use server::Server;

/// Accounts, and what each holds at first.
const ACCOUNTS: i64 = 16;
const OPENING_BALANCE: i64 = 1_000;

/// How long a dead connection may take to be noticed.
const PATIENCE_US: u64 = 20_000_000;

/// What `oxi-sim kill` was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many kills.
    pub cycles: u64,
    /// The server.
    pub binary: PathBuf,
    /// Connections at once.
    pub clients: usize,
    /// The database's directory; a new one when `None`.
    pub data: Option<PathBuf>,
    /// Lets the server's messages through.
    pub verbose: bool,
}

/// What the clients were told.
#[derive(Default)]
struct Told {
    /// COMMIT succeeded.
    acknowledged: BTreeSet<i64>,
    /// Rolled back, or refused before COMMIT was sent.
    refused: BTreeSet<i64>,
    conflicts: u64,
    /// A client was told what it should never be told.
    problems: Vec<String>,
}

/// What all clients share.
#[derive(Default)]
struct Ledger {
    next_token: AtomicI64,
    told: Mutex<Told>,
}

impl Ledger {
    fn tell<T>(&self, change: impl FnOnce(&mut Told) -> T) -> T {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn token(&self) -> i64 {
        self.next_token.fetch_add(1, Ordering::Relaxed)
    }
}

/// Runs the cycles; true if every check passed.
pub fn run(options: &Options) -> bool {
    let default = || {
        let name = format!("oxi-sim-kill-{}", oxi_world::process::id());
        std::env::temp_dir().join(name)
    };
    let data = options.data.clone().unwrap_or_else(default);
    say(&format!("data directory {}", data.display()));
    let ledger = Arc::new(Ledger::default());
    let outcome = Runtime::new(2)
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(cycles(options, &data, &ledger)));
    let (acknowledged, refused, conflicts) =
        ledger.tell(|told| (told.acknowledged.len(), told.refused.len(), told.conflicts));
    say(&format!(
        "{acknowledged} transactions acknowledged, {refused} rolled back, {conflicts} conflicts"
    ));
    match outcome {
        Ok(()) => {
            say(&format!("{} passed, 0 failed", options.cycles));
            true
        }
        Err(reason) => {
            say(&format!("FAILED: {reason}"));
            say(&format!(
                "  the database is kept; again: oxi-sim kill --cycles {} --clients {} --binary {}",
                options.cycles,
                options.clients,
                options.binary.display()
            ));
            say("0 passed, 1 failed");
            false
        }
    }
}

async fn cycles(options: &Options, data: &Path, ledger: &Arc<Ledger>) -> Result<(), String> {
    let rng = SystemRng::new().map_err(|error| error.to_string())?;
    let clock = SystemClock::new();
    let mut prng = Prng::new(rng.next_u64());
    let mut shown = clock.monotonic_us();
    for cycle in 0..options.cycles {
        one_cycle(options, data, ledger, &mut prng, cycle == 0)
            .await
            .map_err(|reason| format!("cycle {cycle}: {reason}"))?;
        if clock.monotonic_us() - shown > 5_000_000 {
            shown = clock.monotonic_us();
            let acknowledged = ledger.tell(|told| told.acknowledged.len());
            say(&format!("{} kills survived, {acknowledged} acknowledged", cycle + 1));
        }
    }
    let server = Server::start(options, data)?;
    verify::all(server.port, ledger).await?;
    server.kill()?;
    server::check(options, data)
}

/// Start, verify, work, kill, check.
async fn one_cycle(
    options: &Options,
    data: &Path,
    ledger: &Arc<Ledger>,
    prng: &mut Prng,
    first: bool,
) -> Result<(), String> {
    if !first && prng.below(5) == 0 {
        // Killed while it recovers.
        let server = Server::launch(options, data)?;
        net::sleep(prng.below(60_000)).await;
        server.kill()?;
    }
    let server = Server::start(options, data)?;
    if first {
        verify::create(server.port).await?;
    } else {
        verify::all(server.port, ledger).await?;
    }
    let mut clients = Vec::new();
    for number in 0..options.clients {
        let ledger = ledger.clone();
        let prng = Prng::new(prng.next_u64());
        clients.push(net::spawn(client::run(server.port, number as i32, ledger, prng)));
    }
    let patience = 20_000 + prng.below(700_000);
    let copying = (prng.below(3) == 0).then(|| backup::start(options, data, server.port));
    net::sleep(patience).await;
    server.kill()?;
    if let Some(copying) = copying {
        copying?.finish(options)?;
    }
    for client in clients {
        match net::timeout(PATIENCE_US, client).await {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(format!("a client failed: {error}")),
            None => return Err("a client hangs on a dead connection".to_owned()),
        }
    }
    if let Some(problem) = ledger.tell(|told| told.problems.pop()) {
        return Err(problem);
    }
    server::check(options, data)
}

/// A connection, with its traffic in the background.
async fn connect(port: u16) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let config = format!("host=127.0.0.1 port={port} user=simulator dbname=oxibase");
    let (client, connection) = tokio_postgres::connect(&config, tokio_postgres::NoTls).await?;
    net::spawn(async move {
        // Its end is noticed by the client's next call.
        let _ = connection.await;
    });
    Ok(client)
}
