//! One trial for each file and door.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use libtest_mimic::{Failed, Trial};
use oxi_pgwire::{Options, Server};
use oxi_world::{
    World,
    net::{Listener, Runtime},
};
use oxibase::Database;
use sqllogictest::Runner;

use crate::{
    client::{Client, Monitor},
    door::{Door, Failure, Line},
};

/// The trials for all `.slt` files below a directory.
///
/// # Errors
/// What reading the directory says.
pub fn trials(root: &Path, files: &[PathBuf]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
        for door in Door::ALL {
            let file = file.clone();
            trials.push(Trial::test(format!("{}::{name}", door.name()), move || run(&file, door)));
        }
    }
    trials
}

fn run(file: &Path, door: Door) -> Result<(), Failed> {
    let runtime = Runtime::new(2).map_err(|error| error.to_string())?;
    runtime.block_on(run_file(file, door))
}

async fn run_file(file: &Path, door: Door) -> Result<(), Failed> {
    let database = Database::memory().map_err(|error| error.to_string())?;
    let address = match door {
        Door::Embedded => String::new(),
        Door::Simple | Door::Extended => serve(&database).await.map_err(|e| e.to_string())?,
    };
    let opened = database.clone();
    let mut runner = Runner::new(|| {
        let (database, address) = (opened.clone(), address.clone());
        async move { connect(&database, &address, door).await }
    });
    runner.add_label(door.name());
    runner.run_file_async(file).await.map_err(|error| Failed::from(error.display(true).to_string()))
}

/// The trials of the same files against a PostgreSQL server, for what is in doubt. Each file gets
/// a database of its own there; `address` is what libpq takes, without a database.
///
/// # Errors
/// What reading the directory says.
pub fn oracle_trials(root: &Path, files: &[PathBuf], address: &str) -> Vec<Trial> {
    let trial = |(number, file): (usize, &PathBuf)| {
        let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
        let (file, address) = (file.clone(), address.to_owned());
        let database = format!("oxi_slt_{number}");
        Trial::test(format!("postgresql::{name}"), move || {
            let runtime = Runtime::new(2).map_err(|error| error.to_string())?;
            runtime.block_on(run_oracle(&file, &address, &database))
        })
    };
    files.iter().enumerate().map(trial).collect()
}

async fn run_oracle(file: &Path, address: &str, name: &str) -> Result<(), Failed> {
    let mut first = dial(&format!("{address} dbname=postgres"), Door::Simple).await?;
    first.run(&format!("DROP DATABASE IF EXISTS {name}")).await?;
    first.run(&format!("CREATE DATABASE {name}")).await?;
    let address = format!("{address} dbname={name}");
    let mut runner = Runner::new(|| {
        let address = address.clone();
        async move { Client::new(dial(&address, Door::Simple).await?, Monitor::There(address)).await }
    });
    runner.add_label(Door::Simple.name());
    runner.run_file_async(file).await.map_err(|error| Failed::from(error.display(true).to_string()))
}

/// Opens the wire door on a free port and says how to connect to it.
///
/// # Errors
/// If no port can be had.
pub async fn serve(database: &Database) -> oxibase::Result<String> {
    let listener = Listener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let rng = World::in_memory()?.rng;
    let options = Options {
        max_connections: 100,
        authentication_timeout_us: 10_000_000,
        tls: None,
        random: Arc::new(move |bytes| rng.fill(bytes)),
    };
    let server = Server::new(database.sessions().clone(), options);
    oxi_world::net::spawn(async move { server.listen(listener).await });
    Ok(format!("host={} port={} user=tester dbname=oxibase", address.ip(), address.port()))
}

async fn connect(database: &Database, address: &str, door: Door) -> Result<Client, Failure> {
    let line = if door == Door::Embedded {
        let connection = tokio::task::block_in_place(|| database.connect())?;
        Line::Embedded(Box::new(connection))
    } else {
        dial(address, door).await?
    };
    Client::new(line, Monitor::Here(database.clone())).await
}

/// Connects to a server.
///
/// # Errors
/// What the server says.
pub async fn dial(address: &str, door: Door) -> Result<Line, Failure> {
    let (client, connection) =
        tokio_postgres::connect(address, tokio_postgres::NoTls).await.map_err(Failure::from)?;
    // Ends when the client is dropped.
    oxi_world::net::spawn(connection);
    Ok(Line::Wire(Arc::new(client), door))
}
