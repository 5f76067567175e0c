//! Reading the rows whose index key lies in given ranges.
//!
//! The filter that led here stays in the plan above, so reading too much is harmless: when a range
//! turns out to hold a large part of the table, the node goes over to scanning the table.

use std::{fmt, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Builder},
    datatypes::{Schema, SchemaRef},
};
use datafusion::{
    common::{ScalarValue, Statistics},
    error::Result as DfResult,
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::ColumnarValue,
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet},
        statistics::StatisticsArgs,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::stream;
use oxi_base::{IndexId, Result, RowId};
use oxi_model::{
    Datum, PhysicalType,
    array::ArrayBuilder,
    engine::{KeyRange, Scan},
};

use crate::{
    context::StatementContext, error::to_datafusion, node::leaf_methods,
    provider::access::key_datum, row::datum_of, scan::ScanTarget,
};

/// Rows per batch that this node makes.
pub(super) const BATCH_ROWS: usize = 8192;
/// Below so many rows an index scan is never given up.
pub(crate) const PATIENCE_ROWS: u64 = 20_000;

/// Reads rows by ranges of an index.
#[derive(Debug)]
pub struct IndexScanExec {
    target: ScanTarget,
    access: IndexAccess,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// Which index, and where in it.
#[derive(Clone, Debug)]
pub struct IndexAccess {
    /// The index.
    pub index: IndexId,
    /// Its name, for EXPLAIN.
    pub name: String,
    /// The condition in words, for EXPLAIN.
    pub condition: String,
    /// Disjoint ranges of keys.
    pub ranges: Vec<KeyRange>,
    /// At most one row per range can match.
    pub point: bool,
    /// Positions of the table's columns that are equal to something, and whether the next one of
    /// the key has bounds.
    pub equal: Vec<usize>,
    /// See `equal`.
    pub bounded: bool,
    /// The one range's values that are known when the statement runs.
    pub late: Option<Late>,
}

/// A key that is computed when the scan begins.
#[derive(Clone, Debug)]
pub struct Late {
    /// Values of the first columns.
    pub prefix: Vec<Datum>,
    /// What gives those of the next ones.
    pub values: Vec<LateValue>,
}

/// A value that is known once the subqueries were run.
#[derive(Clone, Debug)]
pub struct LateValue {
    /// What computes it, of no columns.
    pub expr: Arc<dyn PhysicalExpr>,
    /// The type of the key's column.
    pub physical: PhysicalType,
    /// Whether it was made comparable.
    pub keyed: bool,
}

impl Late {
    /// The range of the key: none if a value is NULL, which equals nothing. `None` if the column
    /// cannot have the value, so that there is no key to look for.
    fn ranges(&self) -> DfResult<Option<Vec<KeyRange>>> {
        let mut key = self.prefix.clone();
        for value in &self.values {
            let Some(datum) = value.datum()? else { return Ok(None) };
            if datum.is_null() {
                return Ok(Some(Vec::new()));
            }
            let Some(datum) = key_datum(datum, value.keyed, &value.physical) else {
                return Ok(None);
            };
            key.push(datum);
        }
        Ok(Some(vec![KeyRange::equal(key)]))
    }
}

impl LateValue {
    fn datum(&self) -> DfResult<Option<Datum>> {
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let schema = Arc::new(Schema::empty());
        let row = RecordBatch::try_new_with_options(schema, Vec::new(), &options)?;
        let scalar = match self.expr.evaluate(&row)? {
            ColumnarValue::Scalar(scalar) => scalar,
            ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0)?,
        };
        datum_of(&scalar).map_err(to_datafusion)
    }
}

impl IndexScanExec {
    /// Reads the rows of `access`, at most `limit` of them.
    pub fn new(target: ScanTarget, access: IndexAccess, limit: Option<usize>) -> Self {
        let properties = target.properties(1);
        IndexScanExec { target, access, limit, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// What it reads and how, unless it stops before the end.
    pub(crate) fn whole(&self) -> Option<(&ScanTarget, &IndexAccess)> {
        self.limit.is_none().then_some((&self.target, &self.access))
    }

    fn estimate(&self) -> u64 {
        let late = u64::from(self.access.late.is_some());
        let ranges = self.access.ranges.len() as u64 + late;
        let rows = if self.access.point { ranges } else { (self.target.rows / 20).max(ranges) };
        rows.min(self.target.rows).min(self.limit.map_or(u64::MAX, |limit| limit as u64))
    }
}

impl DisplayAs for IndexScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IndexAccess { name, condition, .. } = &self.access;
        let (table, when) = (&self.target.name, self.target.when());
        write!(f, "Index Scan using {name} on {table}{when} Index Cond: ({condition})")
    }
}

impl ExecutionPlan for IndexScanExec {
    leaf_methods!("IndexScanExec");

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let statement = StatementContext::of(&context)?;
        let ranges = match &self.access.late {
            Some(late) => late.ranges()?,
            None => Some(self.access.ranges.clone()),
        };
        let reader = Reader {
            target: self.target.clone(),
            index: self.access.index,
            ranges,
            limit: self.limit,
            statement,
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let schema = Arc::clone(&self.target.schema);
        let batches = stream::try_unfold(State::Start(reader), |state| async move {
            state.next().map_err(to_datafusion)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> DfResult<Arc<Statistics>> {
        Ok(self.target.statistics(self.estimate()))
    }
}

struct Reader {
    target: ScanTarget,
    index: IndexId,
    /// `None` if the index cannot tell.
    ranges: Option<Vec<KeyRange>>,
    limit: Option<usize>,
    statement: Arc<StatementContext>,
    metrics: BaselineMetrics,
}

enum State {
    Start(Reader),
    Ready(Reader, std::vec::IntoIter<RecordBatch>),
    Scanning(Reader, Box<dyn Scan>),
}

impl State {
    fn next(self) -> Result<Option<(RecordBatch, State)>> {
        match self {
            State::Start(reader) => {
                if let Some(batches) = reader.read()? {
                    return State::Ready(reader, batches.into_iter()).next();
                }
                let scans = reader.target.scans(&reader.statement, 1, true)?;
                match scans.into_iter().next() {
                    Some(scan) => State::Scanning(reader, scan).next(),
                    None => Ok(None),
                }
            }
            State::Ready(reader, mut batches) => Ok(batches.next().map(|batch| {
                reader.metrics.record_output(batch.num_rows());
                (batch, State::Ready(reader, batches))
            })),
            State::Scanning(reader, mut scan) => {
                reader.statement.cancel.check()?;
                let Some(batch) = scan.next_batch()? else { return Ok(None) };
                reader.metrics.record_output(batch.num_rows());
                let batch = reader.target.arrange(&batch).map_err(crate::error::from_datafusion)?;
                Ok(Some((batch, State::Scanning(reader, scan))))
            }
        }
    }
}

impl Reader {
    /// All rows of the ranges, or `None` if they are so many that scanning is cheaper.
    fn read(&self) -> Result<Option<Vec<RecordBatch>>> {
        let timer = self.metrics.elapsed_compute().timer();
        let bound = (self.target.rows / 4).max(PATIENCE_ROWS);
        let Some(ranges) = &self.ranges else { return Ok(None) };
        let columns = self.target.positions();
        let mut rows = Collector::new(&self.target);
        let limit = self.limit.map_or(u64::MAX, |limit| limit as u64);
        let mut count = 0u64;
        let snapshot = self.target.snapshot(&self.statement)?;
        for range in ranges {
            self.statement.cancel.check()?;
            let mut visit = |row: RowId, values: &[Datum]| {
                rows.push(&self.target.columns, row, values)?;
                count += 1;
                Ok(count < limit && count <= bound)
            };
            let read = snapshot.index_scan(self.index, range, &columns, &mut visit);
            read.map_err(|error| self.target.told(error))?;
            if count >= limit {
                break;
            }
            if count > bound {
                return Ok(None);
            }
        }
        timer.done();
        rows.finish().map(Some)
    }
}

/// Rows on their way into batches.
pub(super) struct Collector {
    schema: SchemaRef,
    builders: Vec<ArrayBuilder>,
    row_ids: UInt64Builder,
    rows: usize,
    with_row_id: Option<usize>,
    done: Vec<RecordBatch>,
}

impl Collector {
    pub(super) fn new(target: &ScanTarget) -> Self {
        let builder = |physical: &PhysicalType| ArrayBuilder::new(physical, 16);
        Collector {
            schema: Arc::clone(&target.schema),
            builders: target.physical().iter().map(builder).collect(),
            row_ids: UInt64Builder::new(),
            rows: 0,
            with_row_id: None,
            done: Vec::new(),
        }
    }

    /// Takes a row, whose values may be followed by others.
    pub(super) fn push(
        &mut self,
        columns: &[Option<usize>],
        row: RowId,
        values: &[Datum],
    ) -> Result<()> {
        for (builder, value) in self.builders.iter_mut().zip(values) {
            builder.push(value)?;
        }
        if let Some(place) = columns.iter().position(Option::is_none) {
            self.with_row_id = Some(place);
            self.row_ids.append_value(row.0);
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut columns: Vec<ArrayRef> =
            self.builders.iter_mut().map(ArrayBuilder::finish).collect();
        if let Some(place) = self.with_row_id {
            columns.insert(place, Arc::new(self.row_ids.finish()));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| crate::error::convert_arrow(&error))?;
        self.done.push(batch);
        self.rows = 0;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<RecordBatch>> {
        self.flush()?;
        Ok(self.done)
    }
}
