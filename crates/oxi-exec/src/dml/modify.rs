//! The physical node of INSERT, UPDATE and DELETE.
//!
//! It consumes its input on one task and yields nothing before the last row is written and every
//! foreign key is settled: either the RETURNING rows or one row with the count.

use std::{fmt, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions},
    datatypes::{SchemaRef, UInt64Type},
};
use datafusion::{
    error::Result as DfResult,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execution_plan::EmissionType,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use oxi_base::{Error, Result, RowId};
use oxi_model::{
    Datum, PhysicalType, Row,
    array::{ArrayBuilder, datum_at},
    engine::InsertOutcome,
};
use rustc_hash::FxHashSet;

use crate::{
    context::StatementContext,
    dml::{
        apply::{RowAction, RowPlan, RowSink},
        violation,
        writer::Writer,
    },
    error::{convert_arrow, from_datafusion, to_datafusion},
    node::{bounded, single_input_methods},
    row::physical_of,
};

/// Writes the rows of its input.
#[derive(Debug)]
pub struct ModifyExec {
    plan: Arc<RowPlan>,
    input: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl ModifyExec {
    /// The node; `schema` is what it yields.
    pub fn new(plan: Arc<RowPlan>, input: Arc<dyn ExecutionPlan>, schema: SchemaRef) -> Self {
        let properties = bounded(&schema, 1, EmissionType::Final);
        ModifyExec { plan, input, schema, properties }
    }
}

impl DisplayAs for ModifyExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match &self.plan.action {
            RowAction::Insert(_) => "Insert",
            RowAction::Update(..) => "Update",
            RowAction::Delete(_) => "Delete",
        };
        write!(f, "{verb} on {}", self.plan.target.relation.name)?;
        if let RowAction::Insert(Some(conflict)) = &self.plan.action {
            let what = if conflict.update.is_some() { "UPDATE" } else { "NOTHING" };
            write!(f, " Conflict Resolution: {what}")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for ModifyExec {
    single_input_methods!("ModifyExec", |node, input| ModifyExec::new(
        Arc::clone(&node.plan),
        input,
        Arc::clone(&node.schema)
    ));

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let statement = StatementContext::of(&context)?;
        let input = self.input.execute(0, context)?;
        let plan = Arc::clone(&self.plan);
        let schema = Arc::clone(&self.schema);
        let batches = stream::once(async move {
            run(&plan, &statement, input, schema).await.map_err(to_datafusion)
        })
        .map_ok(|batches| stream::iter(batches.into_iter().map(Ok)))
        .try_flatten();
        let schema = Arc::clone(&self.schema);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

async fn run(
    plan: &RowPlan,
    statement: &StatementContext,
    mut input: SendableRecordBatchStream,
    schema: SchemaRef,
) -> Result<Vec<RecordBatch>> {
    let mut writer = Writer::new(statement, &plan.target);
    let mut sink = plan.returning.as_ref().map(|_| Collector::new(&schema)).transpose()?;
    let mut visited = FxHashSet::default();
    while let Some(batch) = input.next().await {
        let batch = batch.map_err(from_datafusion)?;
        statement.cancel.check()?;
        let mut nowhere = Nowhere;
        let sink: &mut (dyn RowSink + Send) = match &mut sink {
            Some(sink) => sink,
            None => &mut nowhere,
        };
        match &plan.action {
            RowAction::Insert(None) => insert_batch(plan, &mut writer, &batch, sink)
                .await
                .map_err(|failure| failure.error)?,
            RowAction::Insert(Some(_)) => {
                let reader = Reader::of_target(plan, &batch)?;
                for row in 0..batch.num_rows() {
                    plan.insert(&mut writer, &reader.row(row)?, &[], sink).await?;
                }
            }
            RowAction::Update(..) | RowAction::Delete(_) => {
                change_batch(plan, &mut writer, &batch, &mut visited, sink).await?;
            }
        }
    }
    drop(input);
    let count = writer.finish().await?;
    if let Some(sink) = sink {
        return sink.finish();
    }
    let count: ArrayRef = Arc::new(Int64Array::from(vec![count.cast_signed()]));
    let batch = RecordBatch::try_new(schema, vec![count]);
    Ok(vec![batch.map_err(|error| convert_arrow(&error))?])
}

async fn change_batch(
    plan: &RowPlan,
    writer: &mut Writer<'_>,
    batch: &RecordBatch,
    visited: &mut FxHashSet<u64>,
    sink: &mut (dyn RowSink + Send),
) -> Result<()> {
    let reader = Reader::after_row_id(plan, batch)?;
    let ids = batch
        .column(0)
        .as_primitive_opt::<UInt64Type>()
        .ok_or_else(|| Error::bug("a modification whose input has no row ids"))?;
    for row in 0..batch.num_rows() {
        if ids.is_null(row) || visited.contains(&ids.value(row)) {
            continue;
        }
        let id = RowId(ids.value(row));
        let mut values = reader.row(row)?;
        let done = if matches!(plan.action, RowAction::Update(..)) {
            plan.update(writer, id, &mut values, &[], sink).await?
        } else {
            plan.delete(writer, id, &mut values, &[], sink).await?
        };
        // One that others have changed may still qualify with another row it is joined with.
        if done {
            visited.insert(id.0);
        }
    }
    Ok(())
}

/// Why a batch was not inserted, and at which of its rows.
pub(crate) struct BatchFailure {
    pub(crate) error: Error,
    pub(crate) row: usize,
}

impl From<Error> for BatchFailure {
    fn from(error: Error) -> Self {
        BatchFailure { error, row: 0 }
    }
}

/// Inserts a batch in bulk. Constraints are checked for the whole batch first; when a row violates
/// one, the rows before it are inserted all the same, for one of them may violate another, and the
/// first violation is the one to report.
pub(crate) async fn insert_batch(
    plan: &RowPlan,
    writer: &mut Writer<'_>,
    batch: &RecordBatch,
    sink: &mut (dyn RowSink + Send),
) -> Result<(), BatchFailure> {
    let reader = Reader::of_target(plan, batch)?;
    let mut end = batch.num_rows();
    let mut failure = None;
    if let Some((row, column)) = first_null(plan, batch) {
        end = row;
        let values = reader.row(row)?;
        failure = Some(violation::not_null(&writer.statement.eval, &plan.target, column, &values));
    }
    if let Some((row, error)) = first_violation(plan, writer, &reader, end) {
        end = row;
        failure = Some(error);
    }
    let rows = if end == batch.num_rows() { batch.clone() } else { batch.slice(0, end) };
    let mut from = 0;
    while from < end {
        let (inserted, stopped) =
            writer.statement.txn.insert_batch(plan.target.table, &rows, from)?;
        from += inserted;
        match stopped {
            None => break,
            Some(InsertOutcome::Done(_)) => {}
            Some(InsertOutcome::Wait(wait)) => writer.statement.wait(wait).await?,
            Some(InsertOutcome::Duplicate(duplicate)) => {
                let error = writer.duplicate(duplicate, &reader.row(from)?);
                return Err(BatchFailure { error, row: from });
            }
        }
    }
    if let Some(error) = failure {
        return Err(BatchFailure { error, row: end });
    }
    writer.count += end as u64;
    if plan.returning.is_some() || plan.target.owes_for_inserts() {
        // Without RETURNING only the columns of keys are read.
        let mut used = vec![plan.returning.is_some(); plan.target.columns().len()];
        let referring = plan.target.outgoing.iter().flat_map(|key| &key.columns);
        for column in referring.chain(plan.target.deferrable().flat_map(|(_, key)| &key.columns)) {
            used[*column] = true;
        }
        let mut values = Row::new();
        for row in 0..end {
            reader.read(row, &used, &mut values)?;
            writer.queue.inserted(writer.statement.txn.as_ref(), writer.target, &values)?;
            plan.give(writer, &values, &[], sink)?;
        }
    }
    Ok(())
}

/// The first row before `end` that violates a CHECK, or whose CHECK fails to compute.
fn first_violation(
    plan: &RowPlan,
    writer: &Writer<'_>,
    reader: &Reader<'_>,
    end: usize,
) -> Option<(usize, Error)> {
    if plan.rules.checks.is_empty() {
        return None;
    }
    let mut used = vec![false; plan.target.columns().len()];
    for (_, expression) in &plan.rules.checks {
        expression.mark_columns(&mut used);
    }
    let eval = &writer.statement.eval;
    let mut values = Row::new();
    for row in 0..end {
        let violated = reader
            .read(row, &used, &mut values)
            .and_then(|()| plan.rules.violated(eval, &values, &[]));
        let error = match violated {
            Ok(None) => continue,
            Ok(Some(name)) => match reader.row(row) {
                Ok(whole) => violation::check(eval, &plan.target, name, &whole),
                Err(error) => error,
            },
            Err(error) => error,
        };
        return Some((row, error));
    }
    None
}

/// The first row with a NULL where none may be, and the first such column of it.
fn first_null(plan: &RowPlan, batch: &RecordBatch) -> Option<(usize, usize)> {
    let mut first: Option<(usize, usize)> = None;
    for column in &plan.target.not_null {
        let array = batch.column(*column);
        if array.null_count() == 0 {
            continue;
        }
        let found = (0..batch.num_rows()).find(|row| array.is_null(*row));
        if let Some(row) = found
            && first.is_none_or(|(earliest, _)| row < earliest)
        {
            first = Some((row, *column));
        }
    }
    first
}

/// Reads rows of values out of a batch.
pub(crate) struct Reader<'a> {
    columns: Vec<(&'a ArrayRef, PhysicalType)>,
}

impl<'a> Reader<'a> {
    /// A batch whose columns are the table's.
    fn of_target(plan: &RowPlan, batch: &'a RecordBatch) -> Result<Self> {
        let columns = plan.target.columns();
        if columns.len() != batch.num_columns() {
            return Err(Error::bug(format!(
                "{} columns for a table of {}",
                batch.num_columns(),
                columns.len()
            )));
        }
        let physical = columns.iter().map(|column| column.physical.clone());
        Ok(Reader { columns: batch.columns().iter().zip(physical).collect() })
    }

    /// A batch with a row id, the table's columns, and others.
    pub(crate) fn after_row_id(plan: &RowPlan, batch: &'a RecordBatch) -> Result<Self> {
        let mut own = plan.target.columns().iter();
        let mut columns = Vec::with_capacity(batch.num_columns());
        for array in batch.columns().iter().skip(1) {
            let physical = match own.next() {
                Some(column) => column.physical.clone(),
                None => physical_of(array.data_type()).ok_or_else(|| {
                    Error::bug(format!("a column of {} beside the target", array.data_type()))
                })?,
            };
            columns.push((array, physical));
        }
        Ok(Reader { columns })
    }

    /// Reads the columns marked; the others are NULL.
    fn read(&self, row: usize, used: &[bool], out: &mut Row) -> Result<()> {
        out.clear();
        for ((array, physical), used) in self.columns.iter().zip(used) {
            out.push(if *used { datum_at(array.as_ref(), physical, row)? } else { Datum::Null });
        }
        Ok(())
    }

    pub(crate) fn row(&self, row: usize) -> Result<Row> {
        self.columns
            .iter()
            .map(|(array, physical)| datum_at(array.as_ref(), physical, row))
            .collect()
    }
}

/// Takes no rows.
pub(crate) struct Nowhere;

impl RowSink for Nowhere {
    fn row(&mut self, _: &mut Row) -> Result<()> {
        Ok(())
    }
}

/// Gathers rows into batches.
struct Collector {
    schema: SchemaRef,
    builders: Vec<ArrayBuilder>,
    rows: usize,
    done: Vec<RecordBatch>,
}

impl Collector {
    fn new(schema: &SchemaRef) -> Result<Self> {
        let builders = schema
            .fields()
            .iter()
            .map(|field| {
                physical_of(field.data_type())
                    .map(|physical| ArrayBuilder::new(&physical, 16))
                    .ok_or_else(|| Error::bug(format!("RETURNING {}", field.data_type())))
            })
            .collect::<Result<_>>()?;
        Ok(Collector { schema: Arc::clone(schema), builders, rows: 0, done: Vec::new() })
    }

    fn flush(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let columns = self.builders.iter_mut().map(ArrayBuilder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| convert_arrow(&error))?;
        self.done.push(batch);
        self.rows = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<RecordBatch>> {
        self.flush()?;
        Ok(self.done)
    }
}

impl RowSink for Collector {
    fn row(&mut self, values: &mut Row) -> Result<()> {
        for (builder, value) in self.builders.iter_mut().zip(values.iter()) {
            builder.push(value)?;
        }
        self.rows += 1;
        if self.rows == 8192 { self.flush() } else { Ok(()) }
    }
}
