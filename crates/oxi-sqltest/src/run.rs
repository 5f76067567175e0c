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

use crate::door::{Client, Door, Failure};

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
    if door == Door::Embedded {
        let connection = tokio::task::block_in_place(|| database.connect())?;
        return Ok(Client::Embedded(Box::new(connection)));
    }
    let (client, connection) =
        tokio_postgres::connect(address, tokio_postgres::NoTls).await.map_err(Failure::from)?;
    // Ends when the client is dropped.
    oxi_world::net::spawn(connection);
    Ok(Client::Wire(Arc::new(client), door))
}
