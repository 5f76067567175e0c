//! COPY FROM: a stream into a table.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use oxi_base::{Error, Result};
use oxi_model::{
    Row,
    array::{ArrayBuilder, datum_at},
    descriptor::RelationDescriptor,
};

use crate::{
    context::StatementContext,
    copy::{
        decode::CopyDecoder,
        options::{CopyColumn, CopyOptions},
    },
    dml::{
        apply::{RowAction, RowPlan},
        foreign_key::Queue,
        modify::{BatchFailure, Nowhere, insert_batch},
        rules::Rules,
        target::{Target, table_of},
        writer::Writer,
    },
    row::{RowExpr, Scope, into_physical},
};

/// A COPY FROM that is being fed.
pub struct CopyLoad {
    statement: Arc<StatementContext>,
    decoder: CopyDecoder,
    plan: RowPlan,
    /// For each column of the table its place in the stream, if it is there.
    places: Vec<Option<usize>>,
    rules: Arc<Rules>,
    queue: Queue,
    count: u64,
}

impl CopyLoad {
    /// Prepares for a stream of the columns at `positions` of a table.
    ///
    /// # Errors
    /// `22023` for options that do not fit; what the table's rules raise.
    pub fn new(
        statement: Arc<StatementContext>,
        relation: &Arc<RelationDescriptor>,
        positions: &[usize],
        options: CopyOptions,
    ) -> Result<CopyLoad> {
        options.validate()?;
        let table = table_of(relation)?;
        let columns = positions
            .iter()
            .map(|position| table.columns.get(*position).map(CopyColumn::from))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Error::bug("COPY of a column that is not there"))?;
        let places = (0..table.columns.len())
            .map(|column| positions.iter().position(|position| *position == column))
            .collect();
        let rules = statement.rules.rules(&statement, relation)?;
        let plan = RowPlan {
            target: Arc::new(Target::new(&statement.catalog, relation)?),
            rules: Rules { checks: rules.checks.clone(), ..Rules::default() },
            action: RowAction::Insert(None),
            returning: None,
            again: None,
        };
        let decoder =
            CopyDecoder::new(Arc::clone(&statement.eval), relation.name.clone(), columns, options);
        Ok(CopyLoad { statement, decoder, plan, places, rules, queue: Queue::default(), count: 0 })
    }

    /// The columns of the stream.
    pub fn columns(&self) -> &[CopyColumn] {
        self.decoder.columns()
    }

    /// Takes a piece of the stream.
    ///
    /// # Errors
    /// What the data violates.
    pub async fn push(&mut self, piece: &[u8]) -> Result<()> {
        let read = self.decoder.push(piece);
        // Rows before a malformed one come first, and so do their errors.
        self.insert_ready().await?;
        read
    }

    /// Ends the stream; the number of rows loaded.
    ///
    /// # Errors
    /// As [`CopyLoad::push`], and foreign keys.
    pub async fn finish(mut self) -> Result<u64> {
        let read = self.decoder.finish();
        self.insert_ready().await?;
        read?;
        self.queue.settle(&self.statement).await?;
        Ok(self.count)
    }

    /// Takes rows that need no decoding: the columns of the stream, in its order.
    ///
    /// # Errors
    /// What the rows violate.
    pub async fn push_batch(&mut self, batch: RecordBatch) -> Result<()> {
        self.insert(batch).await.map_err(|failure| failure.error)
    }

    async fn insert_ready(&mut self) -> Result<()> {
        while let Some((batch, line)) = self.decoder.take() {
            self.insert(batch).await.map_err(|failure| {
                let number = line + failure.row as u64;
                failure
                    .error
                    .with_context(format!("COPY {}, line {number}", self.plan.target.relation.name))
            })?;
        }
        Ok(())
    }

    async fn insert(&mut self, batch: RecordBatch) -> Result<(), BatchFailure> {
        self.statement.cancel.check()?;
        let batch = self.complete(batch)?;
        let mut writer = Writer::new(&self.statement, &self.plan.target);
        writer.queue = std::mem::take(&mut self.queue);
        let result = insert_batch(&self.plan, &mut writer, &batch, &mut Nowhere).await;
        self.count += writer.count;
        self.queue = writer.queue;
        result
    }

    /// Adds the columns that the stream does not have: defaults and generated ones.
    fn complete(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let columns = self.plan.target.columns();
        let in_order = self.places.iter().enumerate().all(|(at, place)| *place == Some(at));
        if in_order && self.rules.generated.is_empty() {
            return Ok(batch);
        }
        let eval = &self.statement.eval;
        let rows = batch.num_rows();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
        for (column, place) in columns.iter().zip(&self.places) {
            if let Some(place) = place {
                arrays.push(Arc::clone(batch.column(*place)));
                continue;
            }
            let default = self.rules.defaults.get(arrays.len()).and_then(Option::as_ref);
            let default = default.unwrap_or(&RowExpr::Literal(oxi_model::Datum::Null));
            let mut builder = ArrayBuilder::new(&column.physical, rows);
            for _ in 0..rows {
                let value = default.eval(eval, Scope::of(&[], &[]))?.into_owned();
                builder.push(&into_physical(value, &column.physical)?)?;
            }
            arrays.push(builder.finish());
        }
        if !self.rules.generated.is_empty() {
            self.generate(&mut arrays, rows)?;
        }
        let fields: Vec<arrow::datatypes::Field> = columns
            .iter()
            .zip(&arrays)
            .map(|(column, array)| {
                arrow::datatypes::Field::new(&column.name, array.data_type().clone(), true)
            })
            .collect();
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(schema, arrays, &options)
            .map_err(|error| crate::error::convert_arrow(&error))
    }

    fn generate(&self, arrays: &mut [ArrayRef], rows: usize) -> Result<()> {
        let columns = self.plan.target.columns();
        let eval = &self.statement.eval;
        let mut builders: Vec<(usize, ArrayBuilder)> = self
            .rules
            .generated
            .iter()
            .map(|(column, _)| (*column, ArrayBuilder::new(&columns[*column].physical, rows)))
            .collect();
        for row in 0..rows {
            let values = columns
                .iter()
                .zip(arrays.iter())
                .map(|(column, array)| datum_at(array.as_ref(), &column.physical, row))
                .collect::<Result<Row>>()?;
            for ((_, expression), (_, builder)) in self.rules.generated.iter().zip(&mut builders) {
                builder.push(expression.eval(eval, Scope::of(&values, &[]))?.as_ref())?;
            }
        }
        for (column, mut builder) in builders {
            arrays[column] = builder.finish();
        }
        Ok(())
    }
}
