//! Reading rows in the order of an index, no more of them than are wanted.
//!
//! The rows are read in steps that grow, each by a call of its own that begins at the last key of
//! the one before: whoever has enough after a few rows has made nobody read a table.

use std::{fmt, ops::Bound, sync::Arc};

use arrow::array::RecordBatch;
use datafusion::{
    common::Statistics,
    error::{DataFusionError, Result as DfResult},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        coop::make_cooperative,
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet},
        statistics::StatisticsArgs,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::stream;
use oxi_base::{Error, Result, RowId};
use oxi_model::{Datum, engine::KeyRange};

use crate::{
    context::StatementContext,
    error::to_datafusion,
    node::leaf_methods,
    provider::access::IndexOrder,
    scan::{
        ScanTarget,
        index::{BATCH_ROWS, Collector},
    },
};

/// How much larger each step is than the one before.
const GROWTH: usize = 4;

/// Reads rows in the order of an index.
#[derive(Debug)]
pub(crate) struct OrderedScanExec {
    target: ScanTarget,
    walk: Walk,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// Along which index, and how far.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    /// The index, with the range in the direction to go.
    pub(crate) order: IndexOrder,
    /// Rows to read at first.
    pub(crate) first: usize,
    /// Rows to read at most.
    pub(crate) limit: Option<usize>,
    /// Rows after which the scan gives up ([`GivenUp`]) instead of reading on.
    pub(crate) patience: Option<usize>,
}

/// The error of a scan that has read many rows and was asked for more.
#[derive(Debug)]
pub(crate) struct GivenUp;

impl GivenUp {
    /// Whether an error of a plan is this one of its scan.
    pub(crate) fn is(error: &DataFusionError) -> bool {
        matches!(error.find_root(), DataFusionError::External(inner) if inner.is::<GivenUp>())
    }
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an index was walked for too long")
    }
}

impl std::error::Error for GivenUp {}

impl OrderedScanExec {
    /// Reads the rows of `target` along an index.
    pub(crate) fn new(target: ScanTarget, mut walk: Walk) -> Self {
        // The rows of one whole key come in one order alone.
        let range = &mut walk.order.range;
        range.reverse &= range.lower != range.upper || range.lower == Bound::Unbounded;
        let properties = target.properties(1);
        OrderedScanExec { target, walk, properties, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for OrderedScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Walk { order, limit, .. } = &self.walk;
        let backward = if order.range.reverse { " Backward" } else { "" };
        let ScanTarget { name, .. } = &self.target;
        write!(f, "Index Scan{backward} using {} on {name}", order.index.name)?;
        write!(f, "{}", self.target.when())?;
        if !order.condition.is_empty() {
            write!(f, " Index Cond: ({})", order.condition)?;
        }
        if let Some(limit) = limit {
            write!(f, " (limit {limit})")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for OrderedScanExec {
    leaf_methods!("OrderedScanExec");

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let walker = Walker {
            target: self.target.clone(),
            columns: self.columns(),
            walk: self.walk.clone(),
            statement: StatementContext::of(&context)?,
            metrics: BaselineMetrics::new(&self.metrics, partition),
            last: None,
            step: self.walk.first.clamp(1, BATCH_ROWS),
            read: 0,
            ended: false,
            ready: Vec::new().into_iter(),
        };
        let batches = stream::try_unfold(walker, |mut walker| async move {
            Ok(walker.next()?.map(|batch| (batch, walker)))
        });
        let schema = Arc::clone(&self.target.schema);
        Ok(make_cooperative(Box::pin(RecordBatchStreamAdapter::new(schema, batches))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> DfResult<Arc<Statistics>> {
        let limit = self.walk.limit.map_or(u64::MAX, |limit| limit as u64);
        Ok(self.target.statistics(self.target.rows.min(limit)))
    }
}

impl OrderedScanExec {
    /// What is read of each row: the output's columns, then those of the key that are not there.
    fn columns(&self) -> Columns {
        let mut read = self.target.positions();
        let key = self.walk.order.index.columns.iter().map(|column| {
            read.iter().position(|position| *position == column.position).unwrap_or_else(|| {
                read.push(column.position);
                read.len() - 1
            })
        });
        let key = key.collect();
        Columns { read, key }
    }
}

struct Columns {
    /// Positions in the table.
    read: Vec<usize>,
    /// Where the key's columns are among these.
    key: Vec<usize>,
}

struct Walker {
    target: ScanTarget,
    columns: Columns,
    walk: Walk,
    statement: Arc<StatementContext>,
    metrics: BaselineMetrics,
    /// The last row read and its key.
    last: Option<(Vec<Datum>, RowId)>,
    /// Rows to read next time.
    step: usize,
    /// Rows read.
    read: usize,
    ended: bool,
    ready: std::vec::IntoIter<RecordBatch>,
}

impl Walker {
    fn next(&mut self) -> DfResult<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.next() {
                self.metrics.record_output(batch.num_rows());
                return Ok(Some(batch));
            }
            let left = self.walk.limit.map_or(usize::MAX, |limit| limit - self.read);
            if self.ended || left == 0 {
                return Ok(None);
            }
            if self.walk.patience.is_some_and(|patience| self.read >= patience) {
                return Err(DataFusionError::External(Box::new(GivenUp)));
            }
            self.ready = self.some_more(left).map_err(to_datafusion)?.into_iter();
        }
    }

    /// Reads the next rows, not more than `left`.
    fn some_more(&mut self, left: usize) -> Result<Vec<RecordBatch>> {
        self.statement.cancel.check()?;
        let timer = self.metrics.elapsed_compute().timer();
        let mut rows = Collector::new(&self.target);
        let mut given = self.last.as_ref().map(|(_, row)| *row);
        let (mut count, mut skipped, mut last) = (0, 0, None);
        let mut visit = |row: RowId, values: &[Datum]| {
            // Rows of the last key come again, in the same order, up to the last row.
            if let Some(before) = given {
                skipped += 1;
                given = (before != row).then_some(before);
                return Ok(true);
            }
            rows.push(&self.target.columns, row, values)?;
            count += 1;
            // Where many rows have one key, a step is as long as the way to where it begins.
            if count < self.step.max(skipped).min(left) {
                return Ok(true);
            }
            last =
                Some((self.columns.key.iter().map(|place| values[*place].clone()).collect(), row));
            Ok(false)
        };
        let (index, range) = (self.walk.order.index.index, self.rest());
        let snapshot = self.target.snapshot(&self.statement)?;
        let read = snapshot.index_scan(index, &range, &self.columns.read, &mut visit);
        read.map_err(|error| self.target.told(error))?;
        if given.is_some() {
            return Err(Error::bug("a row that is no longer in its index"));
        }
        self.ended = last.is_none();
        self.last = last;
        self.read += count;
        self.step = (self.step * GROWTH).min(BATCH_ROWS);
        timer.done();
        rows.finish()
    }

    /// The range from the last key on.
    fn rest(&self) -> KeyRange {
        let mut range = self.walk.order.range.clone();
        if let Some((key, _)) = &self.last {
            let from = Bound::Included(key.clone());
            if range.reverse {
                range.upper = from;
            } else {
                range.lower = from;
            }
        }
        range
    }
}
