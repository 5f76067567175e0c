//! The first rows of an order: along an index as long as that pays, else by sorting.
//!
//! How many rows of an index a filter lets through is known only once they were read. A walk that
//! has read a good part of the table and does not have its rows together is given up for the plan
//! that reads the whole table and sorts.

use std::{fmt, sync::Arc};

use arrow::{
    array::{AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::UInt64Type,
};
use datafusion::{
    error::Result as DfResult,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::Distribution,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
        execution_plan::{EmissionType, ReplaceChildrenOptions, reset_plan_states},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use oxi_base::Error;
use rustc_hash::FxHashSet;

use crate::{
    error::to_datafusion,
    node::{bounded, common_methods},
    scan::ordered::GivenUp,
};

/// The first rows of a walk along an index, or of the same rows sorted.
#[derive(Debug)]
pub(crate) struct FirstRowsExec {
    walk: Arc<dyn ExecutionPlan>,
    sorted: Arc<dyn ExecutionPlan>,
    take: Take,
    properties: Arc<PlanProperties>,
}

/// How many rows are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Take {
    /// So many. They are kept until they are all there.
    First(usize),
    /// As many as are asked for; the row id in this column says which rows were given already.
    Asked(usize),
}

impl FirstRowsExec {
    /// Rows of `walk` as long as its scan does not give up, else of `sorted`, which holds no nodes
    /// that are to be seen by others.
    pub(crate) fn new(
        walk: Arc<dyn ExecutionPlan>,
        sorted: Arc<dyn ExecutionPlan>,
        take: Take,
    ) -> Self {
        let properties = bounded(&walk.schema(), 1, EmissionType::Incremental);
        FirstRowsExec { walk, sorted, take, properties }
    }
}

impl DisplayAs for FirstRowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.take {
            Take::First(rows) => write!(f, "Limit {rows}"),
            Take::Asked(_) => write!(f, "Rows in Order"),
        }
    }
}

impl ExecutionPlan for FirstRowsExec {
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.walk]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let walk = children.pop().ok_or_else(|| to_datafusion(Error::bug("rows of no walk")))?;
        Ok(Arc::new(FirstRowsExec::new(walk, Arc::clone(&self.sorted), self.take)))
    }

    common_methods!("FirstRowsExec");

    fn reset_state(self: Arc<Self>) -> DfResult<Arc<dyn ExecutionPlan>> {
        let sorted = reset_plan_states(Arc::clone(&self.sorted))?;
        Ok(Arc::new(FirstRowsExec::new(Arc::clone(&self.walk), sorted, self.take)))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let rows = self.walk.execute(0, Arc::clone(&context))?;
        let sorted = Sorted { plan: Arc::clone(&self.sorted), context };
        let schema = self.walk.schema();
        Ok(match self.take {
            Take::First(count) => {
                let rows = stream::once(first(rows, count, sorted)).try_flatten();
                Box::pin(RecordBatchStreamAdapter::new(schema, rows))
            }
            Take::Asked(row_id) => {
                let given = FxHashSet::default();
                let state = Asked { rows, row_id, given, sorted: Some(sorted), skips: false };
                let rows = stream::try_unfold(state, |mut state| async move {
                    Ok(state.next().await?.map(|batch| (batch, state)))
                });
                Box::pin(RecordBatchStreamAdapter::new(schema, rows))
            }
        })
    }
}

/// The plan to go over to.
struct Sorted {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
}

impl Sorted {
    fn run(self) -> DfResult<SendableRecordBatchStream> {
        self.plan.execute(0, self.context)
    }
}

/// The first `count` rows, all of the one plan or all of the other.
async fn first(
    mut rows: SendableRecordBatchStream,
    count: usize,
    sorted: Sorted,
) -> DfResult<SendableRecordBatchStream> {
    let mut batches = Vec::new();
    let mut left = count;
    while left > 0
        && let Some(batch) = rows.next().await
    {
        match batch {
            Err(error) if GivenUp::is(&error) => return sorted.run(),
            Err(error) => return Err(error),
            Ok(batch) => {
                let batch = batch.slice(0, batch.num_rows().min(left));
                left -= batch.num_rows();
                batches.push(Ok(batch));
            }
        }
    }
    let batches = stream::iter(batches);
    Ok(Box::pin(RecordBatchStreamAdapter::new(rows.schema(), batches)))
}

/// Rows given as they come.
struct Asked {
    rows: SendableRecordBatchStream,
    row_id: usize,
    /// The rows that the walk has given.
    given: FxHashSet<u64>,
    /// What follows if the walk is given up.
    sorted: Option<Sorted>,
    /// Whether it was.
    skips: bool,
}

impl Asked {
    async fn next(&mut self) -> DfResult<Option<RecordBatch>> {
        loop {
            match self.rows.next().await {
                None => return Ok(None),
                Some(Ok(batch)) if self.skips => return self.new_ones(&batch).map(Some),
                Some(Ok(batch)) => {
                    self.given.extend(self.row_ids(&batch)?.iter().copied());
                    return Ok(Some(batch));
                }
                Some(Err(error)) => match self.sorted.take() {
                    Some(sorted) if GivenUp::is(&error) => {
                        self.rows = sorted.run()?;
                        self.skips = true;
                    }
                    _ => return Err(error),
                },
            }
        }
    }

    fn new_ones(&self, batch: &RecordBatch) -> DfResult<RecordBatch> {
        let rows = self.row_ids(batch)?.iter();
        let keep: BooleanArray = rows.map(|row| Some(!self.given.contains(row))).collect();
        Ok(filter_record_batch(batch, &keep)?)
    }

    fn row_ids<'a>(&self, batch: &'a RecordBatch) -> DfResult<&'a [u64]> {
        let ids = batch.column(self.row_id).as_primitive_opt::<UInt64Type>();
        let ids = ids.ok_or_else(|| to_datafusion(Error::bug("rows without row ids")))?;
        Ok(ids.values())
    }
}
