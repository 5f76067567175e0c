//! The command line of the simulator.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
}

fn main() -> ExitCode {
    let passed = match Arguments::parse().command {
        Command::Bank { seeds, first, verbose } => oxi_sim::runner::bank(first, seeds, verbose),
        Command::Canary { seeds } => oxi_sim::runner::canary(seeds),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
