//! What a statement gives back: rows, a command tag, or a COPY dialogue.

use std::{fmt, sync::Arc};

use arrow_array::RecordBatch;
use futures::future::{BoxFuture, Either, Ready, ready};
use oxi_base::Result;
use oxi_exec::executor::Rows;
use oxi_model::{PhysicalType, Row, array::datum_at, descriptor::TypeRef};
pub use oxi_sql::bind::OutputField;

use crate::{
    copy::{CopyIn, CopyOut},
    session::Session,
};

/// The last word about a statement, as `INSERT 0 1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandTag {
    verb: &'static str,
    rows: Option<u64>,
}

impl CommandTag {
    /// A tag without a count, as `CREATE TABLE`.
    pub const fn plain(verb: &'static str) -> Self {
        CommandTag { verb, rows: None }
    }

    /// A tag with a count of rows, as `UPDATE 3`.
    pub const fn counted(verb: &'static str, rows: u64) -> Self {
        CommandTag { verb, rows: Some(rows) }
    }

    /// The count of rows, for commands that have one.
    pub fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// The command's words.
    pub fn verb(&self) -> &'static str {
        self.verb
    }
}

impl fmt::Display for CommandTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rows {
            // The zero is the oid that INSERT once returned; the protocol keeps it.
            Some(rows) if self.verb == "INSERT" => write!(f, "INSERT 0 {rows}"),
            Some(rows) => write!(f, "{} {rows}", self.verb),
            None => f.write_str(self.verb),
        }
    }
}

/// What a statement came to.
pub enum Outcome {
    /// Rows follow.
    Rows(Cursor),
    /// It is done.
    Done(CommandTag),
    /// The client now sends data: COPY … FROM STDIN.
    CopyIn(CopyIn),
    /// The client now receives data: COPY … TO STDOUT.
    CopyOut(CopyOut),
    /// There was no statement.
    Empty,
}

/// A statement that was handed in: done already if it had to wait for nothing, else to be awaited.
pub enum Execution<'a> {
    /// What it came to.
    Ready(Result<Outcome>),
    /// It runs while it is polled.
    Running(BoxFuture<'a, Result<Outcome>>),
}

impl<'a> IntoFuture for Execution<'a> {
    type Output = Result<Outcome>;
    type IntoFuture = Either<Ready<Result<Outcome>>, BoxFuture<'a, Result<Outcome>>>;

    fn into_future(self) -> Self::IntoFuture {
        match self {
            Execution::Ready(outcome) => Either::Left(ready(outcome)),
            Execution::Running(run) => Either::Right(run),
        }
    }
}

/// Rows of a running statement. The statement ends (and an implicit transaction of its own
/// commits) when [`Cursor::next`] has returned [`Chunk::End`].
pub struct Cursor {
    pub(crate) fields: Arc<[OutputField]>,
    pub(crate) source: CursorSource,
    pub(crate) verb: &'static str,
    pub(crate) rows: u64,
    /// Ends the transaction at the end of the rows.
    pub(crate) commits: bool,
    pub(crate) ended: bool,
}

/// Where a cursor's rows come from.
pub(crate) enum CursorSource {
    /// Computed already: the point path and SHOW, EXPLAIN and the like.
    Rows(std::vec::IntoIter<Row>),
    /// Computed as they are asked for.
    Stream(Box<Rows>),
    /// The rows of a batch of a stream, one by one, then the rest of the stream.
    Batch(RecordBatch, usize, Box<Rows>),
}

impl CursorSource {
    /// The next piece; `None` at the end.
    pub(crate) async fn pull(&mut self) -> Result<Option<Chunk>> {
        match self {
            CursorSource::Rows(rows) => Ok(rows.next().map(Chunk::Row)),
            CursorSource::Stream(rows) | CursorSource::Batch(_, _, rows) => loop {
                match rows.next().await.transpose()? {
                    Some(batch) if batch.num_rows() == 0 => {}
                    other => return Ok(other.map(Chunk::Batch)),
                }
            },
        }
    }
}

/// A piece of a result.
pub enum Chunk {
    /// One row.
    Row(Row),
    /// Some rows, never zero.
    Batch(RecordBatch),
    /// No more rows.
    End(CommandTag),
}

impl Cursor {
    /// A cursor over rows that are there already.
    pub(crate) fn of_rows(
        verb: &'static str,
        fields: Arc<[OutputField]>,
        rows: Vec<Row>,
        commits: bool,
    ) -> Self {
        let source = CursorSource::Rows(rows.into_iter());
        Cursor { fields, source, verb, rows: 0, commits, ended: false }
    }

    /// Names and types of the columns.
    pub fn fields(&self) -> &Arc<[OutputField]> {
        &self.fields
    }

    /// All rows at once, if they are there already and nothing is left to do; the cursor then is
    /// at its end.
    pub fn take_ready(&mut self, session: &mut Session) -> Option<Vec<Row>> {
        match &mut self.source {
            CursorSource::Rows(rows)
                if !self.ended && session.is_awake() && session.ended_without_transaction() =>
            {
                self.ended = true;
                self.rows += rows.len() as u64;
                Some(std::mem::take(rows).collect())
            }
            _ => None,
        }
    }

    /// Names and types of the columns, when they are all that is wanted any more.
    pub fn into_fields(self) -> Arc<[OutputField]> {
        self.fields
    }

    /// The next piece. After an error the statement has ended and the session has dealt with the
    /// transaction.
    pub async fn next(&mut self, session: &mut Session) -> Result<Chunk> {
        // What is there already, and the end of a statement without transaction, wait for nothing.
        if let (CursorSource::Rows(rows), true) = (&mut self.source, session.is_awake()) {
            match rows.next() {
                Some(row) => {
                    self.rows += 1;
                    return Ok(Chunk::Row(row));
                }
                None if session.ended_without_transaction() => {
                    self.ended = true;
                    return Ok(Chunk::End(self.tag()));
                }
                None => {}
            }
        }
        let mut pulled = if self.ended { Ok(None) } else { self.source.pull().await };
        if let Err(cancelled) = session.sleep_off().await {
            pulled = Err(cancelled);
        }
        match pulled {
            Ok(Some(chunk)) => {
                self.rows += chunk.rows();
                Ok(chunk)
            }
            Ok(None) => {
                if !self.ended {
                    self.ended = true;
                    session.statement_ended(self.commits).await?;
                }
                Ok(Chunk::End(self.tag()))
            }
            Err(error) => {
                self.ended = true;
                session.statement_failed();
                Err(error)
            }
        }
    }

    /// The last word about the statement so far.
    fn tag(&self) -> CommandTag {
        match self.verb {
            "SHOW" | "EXPLAIN" => CommandTag::plain(self.verb),
            verb => CommandTag::counted(verb, self.rows),
        }
    }

    /// The next row, for statements that use the rows of others; the transaction is theirs.
    pub(crate) async fn pull_row(&mut self) -> Result<Option<Row>> {
        loop {
            if let CursorSource::Batch(batch, next, _) = &mut self.source
                && *next < batch.num_rows()
            {
                let row = row_at(&self.fields, batch, *next)?;
                *next += 1;
                return Ok(Some(row));
            }
            match self.source.pull().await? {
                None | Some(Chunk::End(_)) => return Ok(None),
                Some(Chunk::Row(row)) => return Ok(Some(row)),
                Some(Chunk::Batch(batch)) => self.keep(batch),
            }
        }
    }

    /// Holds a batch while its rows are handed out.
    fn keep(&mut self, batch: RecordBatch) {
        let none = CursorSource::Rows(Vec::new().into_iter());
        self.source = match std::mem::replace(&mut self.source, none) {
            CursorSource::Stream(rows) | CursorSource::Batch(_, _, rows) => {
                CursorSource::Batch(batch, 0, rows)
            }
            rows @ CursorSource::Rows(_) => rows,
        };
    }

    /// How many rows a change without RETURNING has affected.
    pub(crate) async fn count(self) -> Result<u64> {
        match self.source {
            CursorSource::Rows(_) => Ok(self.rows),
            CursorSource::Stream(rows) | CursorSource::Batch(_, _, rows) => rows.count().await,
        }
    }
}

/// A field that no table has.
pub(crate) fn computed(name: &str, data_type: TypeRef) -> OutputField {
    OutputField { name: name.to_owned(), data_type, table_oid: 0, column_number: 0 }
}

/// How the values of a field lie in memory.
pub fn physical_of(field: &OutputField) -> PhysicalType {
    oxi_types::pg_type::by_oid(field.data_type.oid)
        .map_or(PhysicalType::Text, |row| row.physical.clone())
}

/// The values of one row of a batch.
pub fn row_at(fields: &[OutputField], batch: &RecordBatch, row: usize) -> Result<Row> {
    fields
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| datum_at(column.as_ref(), &physical_of(field), row))
        .collect()
}

impl Chunk {
    fn rows(&self) -> u64 {
        match self {
            Chunk::Row(_) => 1,
            Chunk::Batch(batch) => batch.num_rows() as u64,
            Chunk::End(_) => 0,
        }
    }
}

/// A message beside the result, as `NOTICE: relation "t" already exists, skipping`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// NOTICE, WARNING, INFO.
    pub severity: &'static str,
    /// SQLSTATE.
    pub code: oxi_base::SqlState,
    /// The text.
    pub message: String,
    /// A full sentence more.
    pub detail: Option<String>,
    /// A full sentence of advice.
    pub hint: Option<String>,
}
