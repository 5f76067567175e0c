//! Rows of a result.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use oxi_base::{Error, Result, SqlState};
use oxi_model::{
    Datum,
    array::{array_from_datums, arrow_type},
};
use oxi_session::{OutputField, outcome::row_at};
use oxi_types::EvalContext;

use crate::value::{FromSql, Value};

/// The rows of a query.
pub struct Rows {
    fields: Arc<[OutputField]>,
    rows: Vec<oxi_model::Row>,
}

/// A column of a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type's name, as `integer`.
    pub type_name: String,
}

impl Rows {
    pub(crate) fn new(fields: Arc<[OutputField]>, rows: Vec<oxi_model::Row>) -> Self {
        Rows { fields, rows }
    }

    pub(crate) fn empty() -> Self {
        Rows { fields: Arc::new([]), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: oxi_model::Row) {
        self.rows.push(row);
    }

    pub(crate) fn push_batch(&mut self, batch: &RecordBatch) -> Result<()> {
        for index in 0..batch.num_rows() {
            self.rows.push(row_at(&self.fields, batch, index)?);
        }
        Ok(())
    }

    /// The columns.
    pub fn columns(&self) -> Vec<Column> {
        self.fields
            .iter()
            .map(|field| Column {
                name: field.name.clone(),
                type_name: oxi_types::pg_type::format_type(field.data_type),
            })
            .collect()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl IntoIterator for Rows {
    type Item = Row;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter { fields: self.fields, rows: self.rows.into_iter() }
    }
}

/// The rows of a query, one by one.
pub struct IntoIter {
    fields: Arc<[OutputField]>,
    rows: std::vec::IntoIter<oxi_model::Row>,
}

impl Iterator for IntoIter {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let values = self.rows.next()?;
        Some(Row { fields: Arc::clone(&self.fields), values })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for IntoIter {}

/// One row.
pub struct Row {
    fields: Arc<[OutputField]>,
    values: oxi_model::Row,
}

impl Row {
    /// The value of a column by position.
    ///
    /// # Errors
    /// `42703` if there is no such column, `42804` if the value is of another type, `22002` if it
    /// is NULL and the Rust type has no place for that.
    pub fn get<T: FromSql>(&self, column: usize) -> Result<T> {
        let (field, value) = self.at(column)?;
        T::from_sql(field.data_type.oid, value)
    }

    /// The value of a column by name.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub fn get_by_name<T: FromSql>(&self, name: &str) -> Result<T> {
        let position = self.fields.iter().position(|field| field.name == name);
        self.get(position.ok_or_else(|| no_column(name))?)
    }

    /// The value of a column whatever its type.
    ///
    /// # Errors
    /// `42703` if there is no such column.
    pub fn value(&self, column: usize) -> Result<Value> {
        self.get(column)
    }

    /// The value of a column as SQL writes it as text; `None` is NULL.
    ///
    /// # Errors
    /// `42703` if there is no such column.
    pub fn text(&self, column: usize) -> Result<Option<String>> {
        let (field, value) = self.at(column)?;
        if value.is_null() {
            return Ok(None);
        }
        let mut text = String::new();
        oxi_types::io::text_out(&EvalContext::fixed(0), field.data_type, value, &mut text)?;
        Ok(Some(text))
    }

    fn at(&self, column: usize) -> Result<(&OutputField, &Datum)> {
        let found = self.fields.get(column).zip(self.values.get(column));
        found.ok_or_else(|| no_column(&column.to_string()))
    }
}

fn no_column(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_COLUMN, format!("the result has no column {name}"))
}

/// A batch of one row.
pub(crate) fn batch_of(fields: &[OutputField], row: &[Datum]) -> Result<RecordBatch> {
    let schema: Vec<Field> = fields
        .iter()
        .map(|field| {
            Field::new(&field.name, arrow_type(&oxi_session::outcome::physical_of(field)), true)
        })
        .collect();
    let columns = fields
        .iter()
        .zip(row)
        .map(|(field, value)| array_from_datums(&oxi_session::outcome::physical_of(field), [value]))
        .collect::<Result<_>>()?;
    RecordBatch::try_new(Arc::new(Schema::new(schema)), columns).map_err(Error::bug)
}
