//! The physical nodes of WITH: [`SharedNode`](oxi_sql::plan::SharedNode) computes its rows once in
//! a statement, [`WithNode`](oxi_sql::plan::WithNode) carries out changes before the body.

use std::{fmt, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    error::{DataFusionError, Result as DfResult},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::Distribution,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
        execution_plan::{EmissionType, ReplaceChildrenOptions},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, lock::Mutex as AsyncMutex, stream};
use oxi_base::Error;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::{
    context::StatementContext,
    error::to_datafusion,
    node::{bounded, common_methods, single_input_methods},
};

type Rows = Arc<Vec<RecordBatch>>;
type Cell = Arc<AsyncMutex<Option<Rows>>>;

/// The rows that a statement has computed for its WITH so far, by the id of the node.
#[derive(Debug, Default)]
pub struct SharedRows {
    cells: Mutex<FxHashMap<usize, Cell>>,
}

impl SharedRows {
    fn cell(&self, id: usize) -> Cell {
        Arc::clone(self.cells.lock().entry(id).or_default())
    }
}

/// Gives the rows of its input, which runs for the first reader of the id only.
#[derive(Debug)]
pub struct SharedExec {
    id: usize,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl SharedExec {
    /// The node.
    pub fn new(id: usize, input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = single(input.schema());
        SharedExec { id, input, properties }
    }
}

fn single(schema: SchemaRef) -> Arc<PlanProperties> {
    bounded(&schema, 1, EmissionType::Final)
}

async fn rows(
    statement: &StatementContext,
    id: usize,
    input: &Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> DfResult<Rows> {
    let cell = statement.shared.cell(id);
    let mut kept = cell.lock().await;
    if let Some(rows) = kept.as_ref() {
        return Ok(Arc::clone(rows));
    }
    let rows: Rows = Arc::new(input.execute(0, context)?.try_collect::<Vec<_>>().await?);
    *kept = Some(Arc::clone(&rows));
    Ok(rows)
}

impl DisplayAs for SharedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CTE Scan {}", self.id)
    }
}

impl ExecutionPlan for SharedExec {
    single_input_methods!("SharedExec", |node, input| SharedExec::new(node.id, input));

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let statement = StatementContext::of(&context)?;
        let (id, input) = (self.id, Arc::clone(&self.input));
        let batches = stream::once(async move {
            let rows = rows(&statement, id, &input, context).await?;
            let rows = rows.iter().cloned().map(Ok::<_, DataFusionError>).collect::<Vec<_>>();
            Ok::<_, DataFusionError>(stream::iter(rows))
        })
        .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), batches)))
    }
}

/// Runs all inputs but the first to their ends, then gives the rows of the first.
#[derive(Debug)]
pub struct WithExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl WithExec {
    /// The node: the body, then the changes; `schema` is the body's.
    pub fn new(inputs: Vec<Arc<dyn ExecutionPlan>>, schema: SchemaRef) -> Self {
        let properties = single(Arc::clone(&schema));
        WithExec { inputs, schema, properties }
    }
}

impl DisplayAs for WithExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "With")
    }
}

impl ExecutionPlan for WithExec {
    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; self.inputs.len()])
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true; self.inputs.len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(WithExec::new(children, Arc::clone(&self.schema))))
    }

    common_methods!("WithExec");

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let inputs = self.inputs.clone();
        let batches = stream::once(async move {
            let [body, changes @ ..] = inputs.as_slice() else {
                return Err(to_datafusion(Error::bug("WITH without a body")));
            };
            for change in changes {
                let mut rows = change.execute(0, Arc::clone(&context))?;
                while let Some(batch) = rows.next().await {
                    batch?;
                }
            }
            body.execute(0, context)
        })
        .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}
