//! The physical node of [`ApplyNode`]: runs a subquery for each row of its input.
//!
//! The subquery is planned anew for each distinct tuple of outer values, with the values in the
//! place of the references, and its result is kept for further rows with the same values.

use std::{fmt, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, new_empty_array},
    compute::cast,
    datatypes::SchemaRef,
};
use datafusion::{
    common::{Column, ScalarValue},
    error::Result as DfResult,
    execution::{SendableRecordBatchStream, SessionState, TaskContext},
    logical_expr::LogicalPlan,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execute_stream,
        execution_plan::EmissionType, stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, stream};
use oxi_base::{Error, Result, SqlState};
use oxi_sql::plan::ApplyNode;
use rustc_hash::FxHashMap;

use crate::{
    context::StatementContext,
    error::{convert_arrow, from_datafusion, to_datafusion},
    executor::{configured, optimized},
    interrupt::interruptible,
    node::{bounded, single_input_methods},
};

/// Adds the value of a subquery to each row of its input.
pub struct ApplyExec {
    input: Arc<dyn ExecutionPlan>,
    parts: Arc<Parts>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

struct Parts {
    node: ApplyNode,
    /// The outer columns and their positions in the input.
    bindings: Vec<(Column, usize)>,
    /// How to plan the subquery; the statement's part of it comes with the task.
    state: SessionState,
}

impl ApplyExec {
    /// The node.
    ///
    /// # Errors
    /// If the subquery's plan cannot be walked.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        node: &ApplyNode,
        state: SessionState,
    ) -> DfResult<Self> {
        let bindings = node.bindings()?;
        let schema = Arc::clone(node.schema.inner());
        let parts = Arc::new(Parts { node: node.clone(), bindings, state });
        Ok(ApplyExec::with_parts(input, parts, schema))
    }

    fn with_parts(input: Arc<dyn ExecutionPlan>, parts: Arc<Parts>, schema: SchemaRef) -> Self {
        let properties = bounded(&schema, 1, EmissionType::Incremental);
        ApplyExec { input, parts, schema, properties }
    }
}

impl fmt::Debug for ApplyExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApplyExec({:?})", self.input)
    }
}

impl DisplayAs for ApplyExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubPlan {}", self.parts.node.name)
    }
}

impl ExecutionPlan for ApplyExec {
    single_input_methods!("ApplyExec", |node, input| ApplyExec::with_parts(
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
            known: FxHashMap::default(),
        };
        let input = self.input.execute(0, context)?;
        let batches = stream::unfold(Some((run, input)), |running| async move {
            let (mut run, mut input) = running?;
            let batch = match input.next().await? {
                Ok(batch) => batch,
                Err(error) => return Some((Err(error), None)),
            };
            match run.batch(&batch).await {
                Ok(batch) => Some((Ok(batch), Some((run, input)))),
                Err(error) => Some((Err(to_datafusion(error)), None)),
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

/// Plans and starts a subquery whose outer values are filled in.
pub(crate) async fn start(
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<SendableRecordBatchStream> {
    let plan = optimized(state, plan).map_err(from_datafusion)?;
    let planner = Arc::clone(state.query_planner());
    let physical = planner.create_physical_plan(&plan, state).await.map_err(from_datafusion)?;
    let statement = state.config().get_extension::<StatementContext>();
    let statement = statement.ok_or_else(|| Error::bug("a subquery outside of any statement"))?;
    let physical = interruptible(physical, &statement.cancel).map_err(from_datafusion)?;
    execute_stream(physical, state.task_ctx()).map_err(from_datafusion)
}

struct Run {
    statement: Arc<StatementContext>,
    state: SessionState,
    parts: Arc<Parts>,
    schema: SchemaRef,
    known: FxHashMap<Vec<ScalarValue>, ScalarValue>,
}

impl Run {
    async fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut values = Vec::with_capacity(batch.num_rows());
        let guard = self.parts.node.guard_position();
        for row in 0..batch.num_rows() {
            if let Some(guard) = guard {
                let open = ScalarValue::try_from_array(batch.column(guard), row);
                if open.map_err(from_datafusion)? != ScalarValue::Boolean(Some(true)) {
                    values.push(self.null()?);
                    continue;
                }
            }
            let mut key = Vec::with_capacity(self.parts.bindings.len());
            for (_, index) in &self.parts.bindings {
                let value = ScalarValue::try_from_array(batch.column(*index), row);
                key.push(value.map_err(from_datafusion)?);
            }
            let value = if let Some(value) = self.known.get(&key) {
                value.clone()
            } else {
                let value = self.value(&key).await?;
                self.known.insert(key, value.clone());
                value
            };
            values.push(value);
        }
        let wanted = self.schema.field(self.schema.fields().len() - 1).data_type();
        let column: ArrayRef = if values.is_empty() {
            new_empty_array(wanted)
        } else {
            ScalarValue::iter_to_array(values).map_err(from_datafusion)?
        };
        let column = if column.data_type() == wanted {
            column
        } else {
            cast(&column, wanted).map_err(|error| convert_arrow(&error))?
        };
        let mut columns = batch.columns().to_vec();
        columns.push(column);
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| convert_arrow(&error))
    }

    fn null(&self) -> Result<ScalarValue> {
        let data_type = self.parts.node.subplan.schema().field(0).data_type();
        ScalarValue::try_from(data_type).map_err(from_datafusion)
    }

    /// The subquery's value for some outer values.
    async fn value(&self, key: &[ScalarValue]) -> Result<ScalarValue> {
        self.statement.cancel.check()?;
        let columns = self.parts.bindings.iter().map(|(column, _)| column.clone());
        let bound = columns.zip(key.iter().cloned()).collect::<Vec<_>>();
        let plan = self.parts.node.bound(&bound).map_err(from_datafusion)?;
        let mut rows = start(&self.state, &plan).await?;
        let mut found = None;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(from_datafusion)?;
            if batch.num_rows() == 0 {
                continue;
            }
            if batch.num_rows() > 1 || found.is_some() {
                return Err(Error::new(
                    SqlState::CARDINALITY_VIOLATION,
                    "more than one row returned by a subquery used as an expression",
                ));
            }
            let value = ScalarValue::try_from_array(batch.column(0), 0);
            found = Some(value.map_err(from_datafusion)?);
        }
        match found {
            Some(value) => Ok(value),
            None => self.null(),
        }
    }
}
