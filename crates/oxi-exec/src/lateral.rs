//! The physical node of [`LateralNode`]: runs the right side of a join for each left row.

use std::{fmt, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array},
    compute::{cast, concat, take},
    datatypes::SchemaRef,
};
use datafusion::{
    common::{Column, ScalarValue},
    error::Result as DfResult,
    execution::{SendableRecordBatchStream, SessionState, TaskContext},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execution_plan::EmissionType,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, stream};
use oxi_base::{Error, Result};
use oxi_sql::plan::LateralNode;

use crate::{
    apply::start,
    context::StatementContext,
    error::{convert_arrow, from_datafusion, to_datafusion},
    executor::configured,
    node::{bounded, single_input_methods},
};

/// Rows that an output batch may have before it is given away.
const BATCH_ROWS: usize = 8192;

/// Joins each row of its input with the rows that a subquery has for it.
pub struct LateralExec {
    input: Arc<dyn ExecutionPlan>,
    parts: Arc<Parts>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

struct Parts {
    node: LateralNode,
    /// The outer columns and their positions in the input.
    bindings: Vec<(Column, usize)>,
    state: SessionState,
}

impl LateralExec {
    /// The node.
    ///
    /// # Errors
    /// If the subquery's plan cannot be walked.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        node: &LateralNode,
        state: SessionState,
    ) -> DfResult<Self> {
        let bindings = node.bindings()?;
        let schema = Arc::clone(node.schema.inner());
        let parts = Arc::new(Parts { node: node.clone(), bindings, state });
        Ok(LateralExec::with_parts(input, parts, schema))
    }

    fn with_parts(input: Arc<dyn ExecutionPlan>, parts: Arc<Parts>, schema: SchemaRef) -> Self {
        let properties = bounded(&schema, 1, EmissionType::Incremental);
        LateralExec { input, parts, schema, properties }
    }
}

impl fmt::Debug for LateralExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LateralExec({:?})", self.input)
    }
}

impl DisplayAs for LateralExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nested Loop{}", if self.parts.node.outer { " Left Join" } else { "" })
    }
}

impl ExecutionPlan for LateralExec {
    single_input_methods!("LateralExec", |node, input| LateralExec::with_parts(
        input,
        Arc::clone(&node.parts),
        Arc::clone(&node.schema)
    ));

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let run = Run {
            statement: StatementContext::of(&context)?,
            state: configured(&self.parts.state, context.session_config().clone()),
            parts: Arc::clone(&self.parts),
            schema: Arc::clone(&self.schema),
            input: self.input.execute(0, context)?,
            batch: None,
            row: 0,
        };
        let batches = stream::unfold(Some(run), |running| async move {
            let mut run = running?;
            match run.next().await {
                Ok(Some(batch)) => Some((Ok(batch), Some(run))),
                Ok(None) => None,
                Err(error) => Some((Err(to_datafusion(error)), None)),
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

struct Run {
    statement: Arc<StatementContext>,
    state: SessionState,
    parts: Arc<Parts>,
    schema: SchemaRef,
    input: SendableRecordBatchStream,
    /// The left rows being joined, and the next of them.
    batch: Option<RecordBatch>,
    row: usize,
}

impl Run {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.batch.take()
                && self.row < batch.num_rows()
            {
                let joined = self.joined(&batch).await?;
                self.batch = Some(batch);
                return Ok(Some(joined));
            }
            self.row = 0;
            match self.input.next().await {
                Some(batch) => self.batch = Some(batch.map_err(from_datafusion)?),
                None => return Ok(None),
            }
        }
    }

    /// Joins left rows from the current one on until the output is large enough.
    async fn joined(&mut self, left: &RecordBatch) -> Result<RecordBatch> {
        let mut picked: Vec<u32> = Vec::new();
        let width = self.schema.fields().len() - left.num_columns();
        let mut right: Vec<Vec<ArrayRef>> = vec![Vec::new(); width];
        while self.row < left.num_rows() && picked.len() < BATCH_ROWS {
            let index = u32::try_from(self.row).map_err(Error::bug)?;
            let before = picked.len();
            for batch in self.partners(left, self.row).await? {
                picked.extend(std::iter::repeat_n(index, batch.num_rows()));
                for (column, array) in right.iter_mut().zip(batch.columns()) {
                    column.push(Arc::clone(array));
                }
            }
            if picked.len() == before && self.parts.node.outer {
                picked.push(index);
                for (position, column) in right.iter_mut().enumerate() {
                    let field = self.schema.field(left.num_columns() + position);
                    column.push(new_null_array(field.data_type(), 1));
                }
            }
            self.row += 1;
        }
        let rows = picked.len();
        let picked = UInt32Array::from(picked);
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for column in left.columns() {
            columns.push(take(column, &picked, None).map_err(|e| convert_arrow(&e))?);
        }
        for (position, parts) in right.iter().enumerate() {
            let wanted = self.schema.field(left.num_columns() + position).data_type();
            columns.push(joined_column(parts, wanted)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| convert_arrow(&error))
    }

    /// The right rows of a left row.
    async fn partners(&mut self, left: &RecordBatch, row: usize) -> Result<Vec<RecordBatch>> {
        self.statement.cancel.check()?;
        let mut values = Vec::with_capacity(self.parts.bindings.len());
        for (column, index) in &self.parts.bindings {
            let value = ScalarValue::try_from_array(left.column(*index), row);
            values.push((column.clone(), value.map_err(from_datafusion)?));
        }
        let plan = self.parts.node.bound(&values).map_err(from_datafusion)?;
        let mut rows = start(&self.state, &plan).await?;
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(from_datafusion)?;
            if batch.num_rows() > 0 {
                batches.push(batch);
            }
        }
        Ok(batches)
    }
}

fn joined_column(parts: &[ArrayRef], wanted: &arrow::datatypes::DataType) -> Result<ArrayRef> {
    if parts.is_empty() {
        return Ok(arrow::array::new_empty_array(wanted));
    }
    let parts = parts
        .iter()
        .map(|part| {
            if part.data_type() == wanted {
                Ok(Arc::clone(part))
            } else {
                cast(part, wanted).map_err(|error| convert_arrow(&error))
            }
        })
        .collect::<Result<Vec<_>>>()?;
    let parts = parts.iter().map(AsRef::as_ref).collect::<Vec<_>>();
    concat(&parts).map_err(|error| convert_arrow(&error))
}
