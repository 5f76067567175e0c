//! The corpora of others (`tests/corpus`): what they hold and how their trials are made.

pub(crate) mod postgresql;
pub(crate) mod sqlite;
pub(crate) mod tpch;

use std::{future::Future, path::Path};

use libtest_mimic::Failed;
use oxi_sqltest::run::serve;
use oxibase::Database;
use tokio_postgres::{Client, SimpleQueryMessage};

/// Runs a trial on a runtime of its own.
pub(crate) fn block_on(work: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(8 << 20)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?
        .block_on(work)
}

/// A database in memory with the wire door open, and where that is.
pub(crate) async fn served() -> Result<(Database, String), Failed> {
    let database = Database::memory().map_err(|error| error.to_string())?;
    let address = serve(&database).await.map_err(|error| error.to_string())?;
    Ok((database, address))
}

pub(crate) async fn connect(address: &str) -> Result<Client, Failed> {
    let (client, connection) = tokio_postgres::connect(address, tokio_postgres::NoTls)
        .await
        .map_err(|error| error.to_string())?;
    oxi_world::net::spawn(connection);
    Ok(client)
}

/// The rows of a statement as text.
pub(crate) async fn text_rows(
    client: &Client,
    sql: &str,
) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
    let mut rows = Vec::new();
    for message in client.simple_query(sql).await? {
        if let SimpleQueryMessage::Row(row) = message {
            rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
        }
    }
    Ok(rows)
}

pub(crate) fn read(path: &Path) -> Result<String, Failed> {
    std::fs::read_to_string(path)
        .map_err(|error| Failed::from(format!("{}: {error}", path.display())))
}
