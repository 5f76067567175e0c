//! Bulk load: one prepared insert by key, one transaction, one commit.

use oxi_base::{Error, Result, SqlState};

use crate::{connection::Connection, statement::Statement, value::ToSql};

/// Loads rows into one table. Nothing is visible to others before [`Appender::finish`]; dropping
/// it rolls back.
pub struct Appender<'a> {
    connection: &'a mut Connection,
    columns: usize,
    single: Statement,
    appended: u64,
    is_finished: bool,
}

impl<'a> Appender<'a> {
    pub(crate) fn new(connection: &'a mut Connection, table: &str) -> Result<Self> {
        let described = connection.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = described.column_names().len();
        if columns == 0 {
            return Err(Error::new(
                SqlState::INVALID_TABLE_DEFINITION,
                format!("table {table} has no columns"),
            ));
        }
        let marks: Vec<String> = (1..=columns).map(|n| format!("${n}")).collect();
        let single =
            connection.prepare(&format!("INSERT INTO {table} VALUES ({})", marks.join(", ")))?;
        connection.execute_batch("BEGIN")?;
        Ok(Appender { connection, columns, single, appended: 0, is_finished: false })
    }

    /// Adds a row: a value for every column, in the table's order.
    ///
    /// # Errors
    /// Constraint violations; the whole load is then rolled back.
    pub fn append(&mut self, row: &[&dyn ToSql]) -> Result<()> {
        if row.len() != self.columns {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("the table has {} columns, {} values were given", self.columns, row.len()),
            ));
        }
        self.connection.execute_prepared(&self.single, row)?;
        self.appended += 1;
        Ok(())
    }

    /// Commits; returns how many rows were added.
    pub fn finish(mut self) -> Result<u64> {
        self.is_finished = true;
        self.connection.execute_batch("COMMIT")?;
        Ok(self.appended)
    }
}

impl Drop for Appender<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            // The connection's next statement would report a failure; there is nobody to tell here.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}
