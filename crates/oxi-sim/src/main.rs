//! The command line of the simulator.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand, ValueEnum};
use oxi_model::engine::Isolation;
use oxi_sim::list_append::Options;
use oxi_sim_store::{flip, fuzz, mutation, runner, soak};
use oxi_world::{Rng, rng::SystemRng};

/// Simulates Oxibase: crashes, torn writes, disks that lie and decay, kill -9, planted bugs.
#[derive(Parser)]
#[command(name = "oxi-sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Histories of the store on a simulated machine, one per seed
    Bank {
        /// How many seeds
        #[arg(long, default_value_t = 300)]
        seeds: u64,
        /// The first seed
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Tell what each history did
        #[arg(long)]
        verbose: bool,
    },
    /// The same on machines that lie: succeeds when every lie is noticed
    Canary {
        /// Within how many seeds each lie must be noticed
        #[arg(long, default_value_t = 200)]
        seeds: u64,
    },
    /// Planted bugs: succeeds when every one is noticed
    Mutate {
        /// Only this one
        #[arg(long)]
        only: Option<String>,
        /// Within how many seeds each must be noticed
        #[arg(long, default_value_t = 2000)]
        seeds: u64,
        /// The root of the sources [default: where this program was built from]
        #[arg(long, value_name = "DIR")]
        sources: Option<PathBuf>,
        /// Where they are copied to and built [default: among the temporary files]
        #[arg(long, value_name = "DIR")]
        work: Option<PathBuf>,
    },
    /// Single bits of a database's files turned over: succeeds when no answer is silently wrong
    Flip {
        /// How many positions
        #[arg(long, default_value_t = 10_000)]
        positions: u64,
        /// The first one's number
        #[arg(long, default_value_t = 0)]
        first: u64,
    },
    /// Bytes that nobody has written, for the reader of every persisted format
    Fuzz {
        /// How many rounds, one per seed
        #[arg(long, default_value_t = 500)]
        rounds: u64,
        /// The first seed
        #[arg(long, default_value_t = 0)]
        first: u64,
    },
    /// Histories, flips and fuzzers until stopped
    Soak {
        /// The first seed; the next ones follow [default: a random one]
        #[arg(long)]
        first: Option<u64>,
        /// Stop after so many seeds
        #[arg(long)]
        seeds: Option<u64>,
    },
    /// Sessions that append to lists and read them; their histories are checked for anomalies
    ListAppend {
        /// How many transactions
        #[arg(long, default_value_t = 10_000)]
        txns: u64,
        /// The first round's seed
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// The isolation of the transactions
        #[arg(long, value_enum, default_value_t = Level::Serializable)]
        level: Level,
        /// Threads that run sessions; 0 lets the seed decide all
        #[arg(long, default_value_t = 0)]
        threads: usize,
    },
    /// The real server, killed with SIGKILL while clients work
    Kill {
        /// How many kills
        #[arg(long, default_value_t = 20)]
        cycles: u64,
        /// The server's binary
        #[arg(long, value_name = "PATH")]
        binary: PathBuf,
        /// Connections at once
        #[arg(long, default_value_t = 8)]
        clients: usize,
        /// The database's directory [default: a new one among the temporary files]
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Show the server's messages
        #[arg(long)]
        verbose: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Level {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl From<Level> for Isolation {
    fn from(level: Level) -> Self {
        match level {
            Level::ReadCommitted => Isolation::ReadCommitted,
            Level::RepeatableRead => Isolation::RepeatableRead,
            Level::Serializable => Isolation::Serializable,
        }
    }
}

fn main() -> ExitCode {
    let passed = match Arguments::parse().command {
        Command::Bank { seeds, first, verbose } => runner::bank(first, seeds, verbose),
        Command::Canary { seeds } => runner::canary(seeds),
        Command::Mutate { only, seeds, sources, work } => {
            let built_from = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            mutation::run(&mutation::Options {
                sources: sources.unwrap_or_else(built_from),
                work: work.unwrap_or_else(|| std::env::temp_dir().join("oxi-sim-mutate")),
                only,
                seeds,
            })
        }
        Command::Flip { positions, first } => flip::command(first, positions),
        Command::Fuzz { rounds, first } => fuzz::command(first, rounds),
        Command::Soak { first, seeds } => soak::run(first.unwrap_or_else(random_seed), seeds),
        Command::ListAppend { txns, seed, level, threads } => {
            let isolation = level.into();
            oxi_sim::list_append::run(Options { transactions: txns, seed, isolation, threads })
        }
        Command::Kill { cycles, binary, clients, data, verbose } => {
            let options = oxi_sim::kill::Options { cycles, binary, clients, data, verbose };
            oxi_sim::kill::run(&options)
        }
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A seed that leaves room for those that follow.
fn random_seed() -> u64 {
    SystemRng::new().map_or(0, |rng| rng.next_u64() >> 16)
}
