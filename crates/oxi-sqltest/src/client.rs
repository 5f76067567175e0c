//! A connection of a test file, which can leave a statement waiting.
//!
//! `\start SQL` starts a statement that must come to wait for another connection; `\finish` gives
//! its outcome. In between other connections go on. No time is measured: the server is asked
//! whether the statement waits, as PostgreSQL's isolation tester asks.

use oxibase::Database;
use sqllogictest::DBOutput;
use tokio::task::JoinHandle;

use crate::door::{Door, Failure, Line, Output};

/// A pause before the server is asked again whether a statement waits.
const PAUSE_US: u64 = 1000;
/// A statement that is to go on and does not for so long never will.
const PATIENCE_US: u64 = 60_000_000;

/// Where to ask who waits.
#[derive(Clone)]
pub enum Monitor {
    /// A database of this process.
    Here(Database),
    /// A server elsewhere, by its address.
    There(String),
}

/// One connection.
pub struct Client {
    /// Gone while a started statement runs.
    line: Option<Line>,
    started: Option<JoinHandle<(Line, Result<Output, Failure>)>>,
    /// Its number among the server's sessions.
    pid: String,
    monitor: Monitor,
}

impl Client {
    /// A client on an open line.
    ///
    /// # Errors
    /// What the server says to the question for its number.
    pub async fn new(mut line: Line, monitor: Monitor) -> Result<Self, Failure> {
        let pid = single(line.run("SELECT pg_backend_pid()").await?)?;
        Ok(Client { line: Some(line), started: None, pid, monitor })
    }

    /// Runs a record's statement, or starts or finishes one.
    ///
    /// # Errors
    /// What the server reports, and misuse.
    pub async fn record(&mut self, sql: &str) -> Result<Output, Failure> {
        if sql.trim() == "\\finish" {
            return self.finish().await;
        }
        let Some(mut line) = self.line.take() else {
            return Err(Failure::of_runner("the connection has a statement to \\finish"));
        };
        if let Some(sql) = sql.strip_prefix("\\start ") {
            let sql = sql.to_owned();
            self.started = Some(oxi_world::net::spawn(async move {
                let output = line.run(&sql).await;
                (line, output)
            }));
            return self.see_it_wait().await;
        }
        let output = line.run(sql).await;
        self.line = Some(line);
        output
    }

    async fn see_it_wait(&mut self) -> Result<Output, Failure> {
        let mut line = self.monitor.connect().await?;
        let question = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = {} AND wait_event_type = 'Lock'",
            self.pid
        );
        while self.started.as_ref().is_some_and(|started| !started.is_finished()) {
            if single(line.run(&question).await?)? == "1" {
                return Ok(DBOutput::StatementComplete(0));
            }
            oxi_world::net::sleep(PAUSE_US).await;
        }
        let (message, outcome) = match self.finish().await {
            Ok(_) => ("the statement did not wait but succeeded", String::new()),
            Err(failure) => ("the statement did not wait but failed: ", failure.to_string()),
        };
        Err(Failure::of_runner(format!("{message}{outcome}")))
    }

    async fn finish(&mut self) -> Result<Output, Failure> {
        let Some(started) = &mut self.started else {
            return Err(Failure::of_runner("no statement was started"));
        };
        let Some(joined) = oxi_world::net::timeout(PATIENCE_US, started).await else {
            return Err(Failure::of_runner("the statement still waits"));
        };
        self.started = None;
        let (line, output) = joined.map_err(|error| Failure::of_runner(error.to_string()))?;
        self.line = Some(line);
        output
    }
}

impl Monitor {
    async fn connect(&self) -> Result<Line, Failure> {
        match self {
            Monitor::Here(database) => {
                let connection = tokio::task::block_in_place(|| database.connect())?;
                Ok(Line::Embedded(Box::new(connection)))
            }
            Monitor::There(address) => crate::run::dial(address, Door::Simple).await,
        }
    }
}

fn single(output: Output) -> Result<String, Failure> {
    match output {
        DBOutput::Rows { rows, .. } => rows.into_iter().flatten().next(),
        _ => None,
    }
    .ok_or_else(|| Failure::of_runner("a query without answer"))
}
