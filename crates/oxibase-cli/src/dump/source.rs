//! The session that a dump reads from: one transaction, settings under which values are exact.

use std::io;

use oxi_base::Error;

use crate::client::{Client, Event, ServerError};

/// Settings under which text says exactly what a value is, wherever and by whomever it is read.
/// Names are written with their schemas because the search path is empty, which is set only after
/// the names that the user gave have been looked up.
const SETTINGS: &[&str] = &[
    "SET client_encoding = 'UTF8'",
    "SET DateStyle = 'ISO, MDY'",
    "SET IntervalStyle = 'postgres'",
    "SET TimeZone = 'UTC'",
    "SET extra_float_digits = 3",
    "SET bytea_output = 'hex'",
    "SET standard_conforming_strings = on",
    "SET statement_timeout = 0",
    "SET lock_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
];

/// Why there is no whole dump.
pub(crate) enum Failure {
    /// The server refused a statement.
    Server(Box<ServerError>, String),
    /// The connection is lost.
    Lost(io::Error),
    /// The SQL cannot be written.
    Output(io::Error),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

/// A row of a query on the catalog.
pub(crate) struct Row(Vec<Option<String>>);

impl Row {
    /// A value; NULL is the empty text.
    pub(crate) fn text(&self, column: usize) -> String {
        self.optional(column).unwrap_or_default()
    }

    /// A value; `None` is NULL.
    pub(crate) fn optional(&self, column: usize) -> Option<String> {
        self.0.get(column).cloned().flatten()
    }

    /// A boolean.
    pub(crate) fn is_true(&self, column: usize) -> bool {
        self.0.get(column).is_some_and(|value| value.as_deref() == Some("t"))
    }

    /// A number of an object; 0 is none.
    pub(crate) fn oid(&self, column: usize) -> u32 {
        self.text(column).parse().unwrap_or(0)
    }

    /// All values.
    pub(crate) fn values(&self) -> &[Option<String>] {
        &self.0
    }
}

/// The session.
pub(crate) struct Source {
    client: Client,
}

impl Source {
    pub(crate) fn new(client: Client) -> Self {
        Source { client }
    }

    /// Starts the transaction whose state of the database is the dump's.
    pub(crate) async fn begin(&mut self) -> Result<(), Failure> {
        for sql in SETTINGS {
            self.rows(sql).await?;
        }
        Ok(())
    }

    /// Ends it.
    pub(crate) async fn end(&mut self) -> Result<(), Failure> {
        self.rows("COMMIT").await.map(drop)
    }

    pub(crate) async fn close(self) {
        self.client.close().await;
    }

    /// All rows of a query.
    pub(crate) async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        self.stream(sql, |event| {
            if let Event::Row(values) = event {
                rows.push(Row(values));
            }
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Each row of a query as it comes.
    pub(crate) async fn each_row(
        &mut self,
        sql: &str,
        mut take: impl FnMut(&Row) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.stream(sql, |event| match event {
            Event::Row(values) => take(&Row(values)),
            _ => Ok(()),
        })
        .await
    }

    /// Each piece of a COPY TO STDOUT as it comes.
    pub(crate) async fn each_piece(
        &mut self,
        sql: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.stream(sql, |event| match event {
            Event::CopyData(data) => take(&data),
            _ => Ok(()),
        })
        .await
    }

    async fn stream(
        &mut self,
        sql: &str,
        mut take: impl FnMut(Event) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.client.query(sql).await.map_err(Failure::Lost)?;
        let mut failed = None;
        loop {
            match self.client.event().await.map_err(Failure::Lost)? {
                Event::Ready => break,
                Event::Error(error) => {
                    let is_last = error.severity == "FATAL";
                    failed = Some(Failure::Server(Box::new(error), sql.to_owned()));
                    if is_last {
                        break;
                    }
                }
                // What cannot be written ends the dump at once; the session goes with it.
                event => take(event)?,
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
