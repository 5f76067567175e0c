//! Bulk load: rows gathered into batches, one transaction, one commit.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use oxi_base::{Error, Result, SqlState};
use oxi_model::{
    Row,
    array::{ArrayBuilder, arrow_type},
    descriptor::TypeRef,
};
use oxi_session::{CopyIn, Outcome, Request};
use oxi_types::{EvalContext, io, pg_type};

use crate::{connection::Connection, value::ToSql};

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// Loads rows into one table, as COPY does. Nothing is visible to others before
/// [`Appender::finish`]; dropping it takes everything back.
pub struct Appender<'a> {
    connection: &'a mut Connection,
    /// `None` once the load has ended or failed.
    copy: Option<CopyIn>,
    types: Vec<TypeRef>,
    context: Arc<EvalContext>,
    schema: SchemaRef,
    builders: Vec<ArrayBuilder>,
    /// Rows in the builders.
    gathered: usize,
    appended: u64,
}

impl<'a> Appender<'a> {
    pub(crate) fn new(connection: &'a mut Connection, table: &str) -> Result<Self> {
        let mut statements = connection.session.split(&format!("COPY {table} FROM STDIN"))?;
        let (Some(parsed), true) = (statements.pop(), statements.is_empty()) else {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "an appender wants the name of a table",
            ));
        };
        let request = Request::Simple { parsed, implicit_block: false };
        let runtime = Arc::clone(&connection.runtime);
        let execution = connection.session.execute(request).into_future();
        let Outcome::CopyIn(copy) = runtime.block_on(execution)? else {
            return Err(Error::bug("a COPY that takes no rows"));
        };
        let types = copy.column_types();
        let context = Arc::clone(connection.session.output_context()?);
        let (mut fields, mut builders) = (Vec::new(), Vec::new());
        for (place, data_type) in types.iter().enumerate() {
            let physical = pg_type::by_oid(data_type.oid)
                .map(|row| row.physical.clone())
                .ok_or_else(|| Error::bug("a column of unknown type"))?;
            fields.push(Field::new(format!("c{place}"), arrow_type(&physical), true));
            builders.push(ArrayBuilder::new(&physical, BATCH_ROWS));
        }
        let schema = Arc::new(Schema::new(fields));
        let copy = Some(copy);
        Ok(Appender {
            connection,
            copy,
            types,
            context,
            schema,
            builders,
            gathered: 0,
            appended: 0,
        })
    }

    /// Adds a row: a value for every column that is not generated, in the table's order.
    ///
    /// # Errors
    /// `42601` for another number of values and `42804` for one of another type leave the load as
    /// it is; constraint violations, which may come with a later row, take it back.
    pub fn append(&mut self, row: &[&dyn ToSql]) -> Result<()> {
        if row.len() != self.types.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!(
                    "the table has {} columns, {} values were given",
                    self.types.len(),
                    row.len()
                ),
            ));
        }
        let convert = |(value, data_type): (&&dyn ToSql, &TypeRef)| {
            let value = value.to_sql(data_type.oid, &self.context)?;
            io::apply_typmod(*data_type, value, false)
        };
        let values = row.iter().zip(&self.types).map(convert).collect::<Result<Row>>()?;
        for (builder, value) in self.builders.iter_mut().zip(&values) {
            builder.push(value)?;
        }
        self.gathered += 1;
        self.appended += 1;
        if self.gathered == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let Some(copy) = &mut self.copy else { return Err(ended()) };
        if self.gathered == 0 {
            return Ok(());
        }
        let columns = self.builders.iter_mut().map(ArrayBuilder::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(Error::bug)?;
        self.gathered = 0;
        let session = &mut self.connection.session;
        let pushed = self.connection.runtime.block_on(copy.push_batch(session, batch));
        if pushed.is_err() {
            self.copy = None;
        }
        pushed
    }

    /// Commits (unless a transaction is open, which then contains the rows); returns how many rows
    /// were added.
    ///
    /// # Errors
    /// Constraint violations; nothing of the load stays then.
    pub fn finish(mut self) -> Result<u64> {
        self.flush()?;
        let Some(copy) = self.copy.take() else { return Err(ended()) };
        let finished = copy.finish(&mut self.connection.session);
        self.connection.runtime.block_on(finished)?;
        Ok(self.appended)
    }
}

fn ended() -> Error {
    Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "the load has failed")
}

impl Drop for Appender<'_> {
    fn drop(&mut self) {
        if let Some(copy) = self.copy.take() {
            // Giving up always reports an error; there is nobody to tell here.
            let _ = copy.abort(&mut self.connection.session, "the appender was dropped");
        }
    }
}
