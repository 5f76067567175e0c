//! Reading tables: the physical nodes that turn a snapshot into batches.
//!
//! A node names the table and never holds a snapshot: it takes the statement's from the task
//! context when it is executed.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::SchemaRef,
};
use datafusion::{
    common::{Statistics, stats::Precision},
    error::Result as DfResult,
    execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        execution_plan::EmissionType,
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet},
        statistics::StatisticsArgs,
    },
};
use futures::Stream;
use oxi_base::{Error, Result, SqlState, TableId};
use oxi_model::{
    PhysicalType,
    engine::{Scan, ScanRequest, Snapshot},
};
use parking_lot::Mutex;

use crate::{
    context::{CancelFlag, StatementContext},
    error::to_datafusion,
    node::{bounded, leaf_methods},
    provider::{access::Ways, predicate::Wanted},
};

pub mod index;

pub(crate) mod first_rows;
pub(crate) mod ordered;

/// What both kinds of table read have in common.
#[derive(Clone, Debug)]
pub struct ScanTarget {
    /// The table's name, for EXPLAIN.
    pub name: String,
    /// Where the rows are.
    pub table: TableId,
    /// For each output column its position in the table's layout; `None` is the row id.
    pub columns: Vec<Option<usize>>,
    /// The output columns.
    pub schema: SchemaRef,
    /// Rows the table has, as far as storage knows.
    pub rows: u64,
    /// Bytes the table has.
    pub bytes: u64,
    /// Which rows are wanted.
    pub wanted: Wanted,
    /// The number of the moment as of which they are read; `None` is now.
    pub as_of: Option<usize>,
    /// The indexes that lead to them.
    pub(crate) ways: Arc<Ways>,
}

impl ScanTarget {
    /// What the rows are read from.
    pub(crate) fn snapshot<'a>(&self, statement: &'a StatementContext) -> Result<&'a dyn Snapshot> {
        match self.as_of {
            None => Ok(statement.snapshot.as_ref()),
            Some(number) => statement
                .moments
                .get(number)
                .map(AsRef::as_ref)
                .ok_or_else(|| Error::bug("a statement without the moment it reads as of")),
        }
    }

    /// Starts scans of the wanted rows.
    pub(crate) fn scans(
        &self,
        statement: &StatementContext,
        partitions: usize,
        in_order: bool,
    ) -> Result<Vec<Box<dyn Scan>>> {
        let snapshot = self.snapshot(statement)?;
        let scans = self.wanted.scan(snapshot, self.table, &self.request(partitions, in_order));
        scans.map_err(|error| self.told(error))
    }

    /// An error of storage, with the table's name if it is about that.
    pub(crate) fn told(&self, error: Error) -> Error {
        if error.code() != SqlState::SNAPSHOT_TOO_OLD {
            return error;
        }
        let message = format!("snapshot too old for table \"{}\"", self.name);
        let mut named = Error::new(error.code(), message);
        if let Some(detail) = error.detail() {
            named = named.with_detail(detail);
        }
        if let Some(hint) = error.hint() {
            named = named.with_hint(hint);
        }
        named
    }

    /// What EXPLAIN adds to the table's name.
    pub(crate) fn when(&self) -> &'static str {
        if self.as_of.is_some() { " as of an earlier moment" } else { "" }
    }

    /// Positions of the output columns that are table columns, in order.
    fn positions(&self) -> Vec<usize> {
        self.columns.iter().copied().flatten().collect()
    }

    /// The physical types of these.
    fn physical(&self) -> Vec<PhysicalType> {
        let places = self.columns.iter().flatten();
        places.map(|place| self.ways.physical[*place].clone()).collect()
    }

    /// Positions to ask storage for, and whether it must add the row id (as the last column).
    pub(crate) fn request(&self, partitions: usize, in_order: bool) -> ScanRequest {
        ScanRequest {
            columns: self.positions(),
            row_id: self.columns.contains(&None),
            partitions,
            in_order,
        }
    }

    /// Puts the columns of a storage batch into output order.
    fn arrange(&self, batch: &RecordBatch) -> DfResult<RecordBatch> {
        let mut next = 0;
        let last = batch.num_columns().saturating_sub(1);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let position = if column.is_some() {
                next += 1;
                next - 1
            } else {
                last
            };
            columns.push(Arc::clone(batch.column(position)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    /// Properties of a plan with this output.
    pub(crate) fn properties(&self, partitions: usize) -> Arc<PlanProperties> {
        bounded(&self.schema, partitions, EmissionType::Incremental)
    }

    /// Estimates for the planner, for `rows` of the table's rows.
    pub(crate) fn statistics(&self, rows: u64) -> Arc<Statistics> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Inexact(rows as usize);
        let share = (self.bytes / self.rows.max(1)).max(8);
        statistics.total_byte_size = Precision::Inexact(rows.saturating_mul(share) as usize);
        Arc::new(statistics)
    }
}

/// Reads a whole table.
#[derive(Debug)]
pub struct ScanExec {
    target: ScanTarget,
    limit: Option<usize>,
    partitions: usize,
    in_order: bool,
    running: Mutex<Running>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// The scans of the current execution, one per partition.
#[derive(Default)]
struct Running(Vec<Slot>);

enum Slot {
    /// Not asked for yet. There may be fewer scans than partitions.
    Ready(Option<Box<dyn Scan>>),
    /// Given out.
    Taken,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} scans", self.0.len())
    }
}

impl ScanExec {
    /// A scan in `partitions` parts that share the work; each stops after `limit` rows.
    pub fn new(target: ScanTarget, limit: Option<usize>, partitions: usize) -> Self {
        let partitions = partitions.max(1);
        let properties = target.properties(partitions);
        ScanExec {
            target,
            limit,
            partitions,
            in_order: false,
            running: Mutex::default(),
            properties,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// What it reads, unless it stops before the end.
    pub(crate) fn whole(&self) -> Option<&ScanTarget> {
        self.limit.is_none().then_some(&self.target)
    }

    /// The same scan, the rows of each partition before those of the next.
    pub(crate) fn in_order(&self) -> Self {
        let scan = ScanExec::new(self.target.clone(), self.limit, self.partitions);
        ScanExec { in_order: true, ..scan }
    }

    /// The scan of one partition. The first partition asked for starts all of them, because they
    /// divide one queue of blocks; asking for a partition again is a new execution.
    fn start(
        &self,
        partition: usize,
        statement: &StatementContext,
    ) -> DfResult<Option<Box<dyn Scan>>> {
        let mut running = self.running.lock();
        if running.0.get(partition).is_none_or(|slot| matches!(slot, Slot::Taken)) {
            let scans = self.target.scans(statement, self.partitions, self.in_order);
            let mut scans = scans.map_err(to_datafusion)?.into_iter();
            running.0 = (0..self.partitions).map(|_| Slot::Ready(scans.next())).collect();
        }
        let slot = running.0.get_mut(partition).map(|slot| std::mem::replace(slot, Slot::Taken));
        match slot {
            Some(Slot::Ready(scan)) => Ok(scan),
            _ => Err(to_datafusion(Error::bug(format!("no partition {partition} of a scan")))),
        }
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seq Scan on {}{}", self.target.name, self.target.when())?;
        if let Some(limit) = self.limit {
            write!(f, " (limit {limit})")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for ScanExec {
    leaf_methods!("ScanExec");

    fn reset_state(self: Arc<Self>) -> DfResult<Arc<dyn ExecutionPlan>> {
        let scan = ScanExec::new(self.target.clone(), self.limit, self.partitions);
        Ok(Arc::new(ScanExec { in_order: self.in_order, ..scan }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let statement = StatementContext::of(&context)?;
        let scan = self.start(partition, &statement)?;
        Ok(Box::pin(ScanStream {
            target: self.target.clone(),
            scan,
            left: self.limit.unwrap_or(usize::MAX),
            cancel: Arc::clone(&statement.cancel),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> DfResult<Arc<Statistics>> {
        let parts = if args.partition().is_some() { self.partitions as u64 } else { 1 };
        let rows = self.target.rows.min(self.limit.map_or(u64::MAX, |limit| limit as u64));
        Ok(self.target.statistics(rows / parts))
    }
}

struct ScanStream {
    target: ScanTarget,
    scan: Option<Box<dyn Scan>>,
    left: usize,
    cancel: Arc<CancelFlag>,
    metrics: BaselineMetrics,
}

impl ScanStream {
    fn next_batch(&mut self) -> DfResult<Option<RecordBatch>> {
        let Some(scan) = &mut self.scan else { return Ok(None) };
        if self.left == 0 {
            return Ok(None);
        }
        self.cancel.check().map_err(to_datafusion)?;
        let Some(batch) = scan.next_batch().map_err(to_datafusion)? else {
            self.scan = None;
            return Ok(None);
        };
        let batch = self.target.arrange(&batch)?;
        let batch = batch.slice(0, batch.num_rows().min(self.left));
        self.left -= batch.num_rows();
        Ok(Some(batch))
    }
}

impl Stream for ScanStream {
    type Item = DfResult<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = self.get_mut();
        let timer = stream.metrics.elapsed_compute().clone();
        let timer = timer.timer();
        let next = stream.next_batch().transpose();
        drop(timer);
        stream.metrics.record_poll(Poll::Ready(next))
    }
}

impl RecordBatchStream for ScanStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.target.schema)
    }
}
