//! A connection: statements in, rows out, transactions as closures.

use std::sync::Arc;

use arrow_array::RecordBatch;
use oxi_base::{Error, Result, SqlState};
use oxi_session::{Chunk, Execution, Outcome, Prepared, Request, Session};
use oxi_types::EvalContext;
use oxi_world::net::Runtime;

use crate::{
    appender::Appender,
    database::Database,
    rows::{Row, Rows},
    statement::Statement,
    value::ToSql,
};

/// A connection. Statements commit by themselves unless a transaction is open.
pub struct Connection {
    pub(crate) session: Session,
    pub(crate) runtime: Arc<Runtime>,
    // Keeps the database open.
    _database: Database,
}

impl Connection {
    pub(crate) fn new(database: Database, session: Session, runtime: Arc<Runtime>) -> Self {
        Connection { session, runtime, _database: database }
    }

    /// Runs a statement; returns how many rows it has affected or returned.
    pub fn execute(&mut self, sql: &str, params: &[&dyn ToSql]) -> Result<u64> {
        let statement = self.prepare(sql)?;
        self.execute_prepared(&statement, params)
    }

    /// Runs a query and collects its rows.
    pub fn query(&mut self, sql: &str, params: &[&dyn ToSql]) -> Result<Rows> {
        let statement = self.prepare(sql)?;
        self.query_prepared(&statement, params)
    }

    /// Runs a query that gives exactly one row.
    ///
    /// # Errors
    /// `21000` if it gives none or more than one.
    pub fn query_one(&mut self, sql: &str, params: &[&dyn ToSql]) -> Result<Row> {
        let mut rows = self.query(sql, params)?.into_iter();
        match (rows.next(), rows.next()) {
            (Some(row), None) => Ok(row),
            (None, _) => Err(Error::new(SqlState::CARDINALITY_VIOLATION, "query returned no rows")),
            _ => {
                Err(Error::new(SqlState::CARDINALITY_VIOLATION, "query returned more than one row"))
            }
        }
    }

    /// Runs a query and collects its Arrow batches (see `oxi_model::array` for the types).
    pub fn query_arrow(&mut self, sql: &str, params: &[&dyn ToSql]) -> Result<Vec<RecordBatch>> {
        let statement = self.prepare(sql)?;
        let outcome = self.start(&statement.prepared, params)?;
        let Outcome::Rows(mut cursor) = outcome else { return Ok(Vec::new()) };
        let mut batches = Vec::new();
        loop {
            match self.runtime.block_on(cursor.next(&mut self.session))? {
                Chunk::Batch(batch) => batches.push(batch),
                Chunk::Row(row) => batches.push(crate::rows::batch_of(cursor.fields(), &row)?),
                Chunk::End(_) => return Ok(batches),
            }
        }
    }

    /// Runs several statements separated by semicolons, as one transaction unless they say
    /// otherwise; rows are thrown away.
    pub fn execute_batch(&mut self, sql: &str) -> Result<()> {
        let requests = self.session.requests(sql)?;
        self.runtime.clone().block_on(async {
            for request in requests {
                self.run_one(request).await?;
            }
            self.session.sync().await
        })
    }

    async fn run_one(&mut self, request: Request) -> Result<()> {
        match self.session.execute(request).await? {
            Outcome::Rows(mut cursor) => {
                while !matches!(cursor.next(&mut self.session).await?, Chunk::End(_)) {}
                Ok(())
            }
            Outcome::CopyIn(copy) => copy.abort(&mut self.session, "no data here"),
            Outcome::CopyOut(mut copy) => {
                while copy.next(&mut self.session).await?.is_some() {}
                copy.finish(&mut self.session).await.map(|_| ())
            }
            Outcome::Done(_) | Outcome::Empty => Ok(()),
        }
    }

    /// Parses and binds a statement with parameters `$1`, `$2`, … for repeated use.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement> {
        let prepared = self.session.prepare("", sql, &[])?;
        Ok(Statement { prepared })
    }

    /// Runs a prepared statement; returns how many rows it has affected or returned.
    pub fn execute_prepared(
        &mut self,
        statement: &Statement,
        params: &[&dyn ToSql],
    ) -> Result<u64> {
        match self.start(&statement.prepared, params)? {
            Outcome::Rows(mut cursor) => loop {
                if let Chunk::End(tag) = self.runtime.block_on(cursor.next(&mut self.session))? {
                    return Ok(tag.rows().unwrap_or_default());
                }
            },
            Outcome::Done(tag) => Ok(tag.rows().unwrap_or_default()),
            Outcome::Empty => Ok(0),
            Outcome::CopyIn(_) | Outcome::CopyOut(_) => {
                self.session.fail();
                Err(Error::unsupported("COPY through the library is not supported")
                    .with_hint("Use an appender for bulk load and query_arrow for export."))
            }
        }
    }

    /// Runs a prepared query and collects its rows.
    pub fn query_prepared(&mut self, statement: &Statement, params: &[&dyn ToSql]) -> Result<Rows> {
        let Outcome::Rows(mut cursor) = self.start(&statement.prepared, params)? else {
            return Ok(Rows::empty());
        };
        let session = &mut self.session;
        if let Some(rows) = cursor.take_ready(session) {
            return Ok(Rows::new(cursor.into_fields(), rows));
        }
        self.runtime.block_on(async {
            let mut rows = Rows::new(Arc::clone(cursor.fields()), Vec::new());
            loop {
                match cursor.next(session).await? {
                    Chunk::Row(row) => rows.push(row),
                    Chunk::Batch(batch) => rows.push_batch(&batch)?,
                    Chunk::End(_) => return Ok(rows),
                }
            }
        })
    }

    fn start(&mut self, prepared: &Arc<Prepared>, params: &[&dyn ToSql]) -> Result<Outcome> {
        let request = self.request(prepared, params)?;
        match self.session.execute(request) {
            Execution::Ready(outcome) => outcome,
            Execution::Running(run) => self.runtime.block_on(run),
        }
    }

    fn request(&mut self, prepared: &Arc<Prepared>, params: &[&dyn ToSql]) -> Result<Request> {
        let types = prepared.parameter_types();
        if params.len() != types.len() {
            return Err(Error::new(
                SqlState::PROTOCOL_VIOLATION,
                format!(
                    "the statement has {} parameters, {} were given",
                    types.len(),
                    params.len()
                ),
            ));
        }
        let context = if types.is_empty() { None } else { Some(&**self.session.output_context()?) };
        let mut values = Vec::with_capacity(params.len());
        for (param, oid) in params.iter().zip(types) {
            values.push(convert(*param, *oid, context)?);
        }
        let prepared = Arc::clone(prepared);
        Ok(Request::Prepared { prepared, params: values, implicit_block: false })
    }

    /// Runs a closure as one transaction: committed if it returns `Ok`, rolled back otherwise.
    pub fn transaction<T>(
        &mut self,
        body: impl FnOnce(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        self.execute_batch("BEGIN")?;
        let mut transaction = Transaction { connection: self };
        match body(&mut transaction) {
            Ok(value) => {
                self.execute_batch("COMMIT")?;
                Ok(value)
            }
            Err(error) => {
                self.execute_batch("ROLLBACK")?;
                Err(error)
            }
        }
    }

    /// Loads rows in bulk into a table.
    ///
    /// # Errors
    /// `42P01` if there is no such table.
    pub fn appender(&mut self, table: &str) -> Result<Appender<'_>> {
        Appender::new(self, table)
    }
}

fn convert(param: &dyn ToSql, oid: u32, context: Option<&EvalContext>) -> Result<oxi_model::Datum> {
    let Some(context) = context else { return Err(Error::bug("parameters without context")) };
    param.to_sql(oid, context)
}

/// A connection inside a transaction.
pub struct Transaction<'a> {
    connection: &'a mut Connection,
}

impl std::ops::Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl std::ops::DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
    }
}
