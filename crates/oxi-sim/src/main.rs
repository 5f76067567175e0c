//! The command line of the simulator.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use oxi_model::engine::Isolation;
use oxi_sim::list_append::Options;

/// Simulates Oxibase: crashes, torn writes, lying disks, kill -9.
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
        Command::Bank { seeds, first, verbose } => oxi_sim::runner::bank(first, seeds, verbose),
        Command::Canary { seeds } => oxi_sim::runner::canary(seeds),
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
