//! The doors as the test runner sees them.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use oxi_base::Error;
use oxi_model::descriptor::TypeRef;
use oxi_types::{EvalContext, io};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};
use tokio_postgres::{
    SimpleQueryMessage,
    types::{FromSql, Type},
};

use crate::client::Client;

/// A way for statements to come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// The library.
    Embedded,
    /// The PostgreSQL wire, simple protocol: text.
    Simple,
    /// The PostgreSQL wire, extended protocol: binary results.
    Extended,
}

impl Door {
    /// All doors.
    pub const ALL: [Door; 3] = [Door::Embedded, Door::Simple, Door::Extended];

    /// The name in test names and in `skipif`/`onlyif` records.
    pub fn name(self) -> &'static str {
        match self {
            Door::Embedded => "embedded",
            Door::Simple => "simple",
            Door::Extended => "extended",
        }
    }
}

/// What a statement failed with, as the runner compares it.
#[derive(Debug)]
pub struct Failure {
    code: String,
    message: String,
}

impl Failure {
    /// What the runner itself has to complain about.
    pub fn of_runner(message: impl Into<String>) -> Self {
        Failure { code: "XX000".to_owned(), message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { code: error.code().to_string(), message: error.message().to_owned() }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => {
                Failure { code: db.code().code().to_owned(), message: db.message().to_owned() }
            }
            None => Failure { code: "08006".to_owned(), message: error.to_string() },
        }
    }
}

/// A way to the server.
pub enum Line {
    /// See [`Door::Embedded`].
    Embedded(Box<oxibase::Connection>),
    /// See [`Door::Simple`] and [`Door::Extended`].
    Wire(Arc<tokio_postgres::Client>, Door),
}

/// What statements come to: rows as text.
pub type Output = DBOutput<DefaultColumnType>;

fn shown(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(text) => text.replace('\n', "\\n"),
    }
}

fn rows(columns: usize, rows: Vec<Vec<String>>) -> Output {
    DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows }
}

fn embedded(connection: &mut oxibase::Connection, sql: &str) -> Result<Output, Failure> {
    let statement = match connection.prepare(sql) {
        Ok(statement) => statement,
        // Several statements in one record run as one string.
        Err(error) if error.message().starts_with("cannot insert multiple commands") => {
            connection.execute_batch(sql)?;
            return Ok(DBOutput::StatementComplete(0));
        }
        Err(error) => return Err(error.into()),
    };
    let columns = statement.column_names().len();
    if columns == 0 {
        let count = connection.execute_prepared(&statement, &[])?;
        return Ok(DBOutput::StatementComplete(count));
    }
    let mut output = Vec::new();
    for row in connection.query_prepared(&statement, &[])? {
        let values = (0..columns)
            .map(|column| Ok(shown(row.text(column)?.as_deref())))
            .collect::<Result<_, Error>>()?;
        output.push(values);
    }
    Ok(rows(columns, output))
}

async fn simple(client: &tokio_postgres::Client, sql: &str) -> Result<Output, Failure> {
    let mut columns = None;
    let mut output = Vec::new();
    let mut count = 0;
    for message in client.simple_query(sql).await? {
        match message {
            SimpleQueryMessage::RowDescription(description) => columns = Some(description.len()),
            SimpleQueryMessage::Row(row) => {
                output.push((0..row.len()).map(|column| shown(row.get(column))).collect());
            }
            SimpleQueryMessage::CommandComplete(affected) => count = affected,
            _ => {}
        }
    }
    Ok(match columns {
        Some(columns) => rows(columns, output),
        None => DBOutput::StatementComplete(count),
    })
}

/// A value as its bytes came over the wire.
struct Raw(Option<Vec<u8>>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(Some(raw.to_vec())))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

async fn extended(client: &tokio_postgres::Client, sql: &str) -> Result<Output, Failure> {
    let statement = client.prepare(sql).await?;
    let types: Vec<u32> = statement.columns().iter().map(|column| column.type_().oid()).collect();
    if types.is_empty() {
        return Ok(DBOutput::StatementComplete(client.execute(&statement, &[]).await?));
    }
    let context = EvalContext::fixed(0);
    let mut output = Vec::new();
    for row in client.query(&statement, &[]).await? {
        let mut values = Vec::new();
        for (column, oid) in types.iter().enumerate() {
            let Raw(bytes) = row.try_get(column)?;
            let text = bytes
                .map(|bytes| {
                    let mut text = String::new();
                    let value = io::binary_in(TypeRef::plain(*oid), &bytes)?;
                    io::text_out(&context, TypeRef::plain(*oid), &value, &mut text)?;
                    Ok::<_, Error>(text)
                })
                .transpose()?;
            values.push(shown(text.as_deref()));
        }
        output.push(values);
    }
    Ok(rows(types.len(), output))
}

impl Line {
    /// Runs a statement.
    ///
    /// # Errors
    /// What the server reports.
    pub async fn run(&mut self, sql: &str) -> Result<Output, Failure> {
        match self {
            Line::Embedded(connection) => tokio::task::block_in_place(|| embedded(connection, sql)),
            Line::Wire(client, Door::Extended) => match extended(client, sql).await {
                Err(failure) if failure.message.starts_with("cannot insert multiple commands") => {
                    simple(client, sql).await
                }
                output => output,
            },
            Line::Wire(client, _) => simple(client, sql).await,
        }
    }
}

#[async_trait]
impl AsyncDB for Client {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<Output, Failure> {
        self.record(sql).await
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "postgresql"
    }

    fn error_sql_state(error: &Failure) -> Option<String> {
        Some(error.code.clone())
    }
}
