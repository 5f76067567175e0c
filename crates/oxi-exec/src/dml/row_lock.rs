//! The physical node of SELECT … FOR UPDATE and its kin.
//!
//! Rows are locked in the order the input yields them, and only as many as a LIMIT above wants.
//! When a row was changed after the snapshot, READ COMMITTED wants the query evaluated on the newest
//! version: the node runs its input again on a newer snapshot, keeping the locks it has, until every
//! row it yields is locked in the version it yields. Nothing is yielded before that, and only rows
//! that the statement's own snapshot had led to: what has come since is not part of the answer.

use std::{fmt, sync::Arc};

use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::{SchemaRef, UInt64Type},
};
use datafusion::{
    error::Result as DfResult,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        execution_plan::{EmissionType, reset_plan_states},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use oxi_base::{Error, Result, RowId, SqlState};
use oxi_model::engine::{RowLock, Wait, WriteOutcome, WriteTarget};
use oxi_sql::plan::{LockStrength, LockWait, LockedTable};
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use crate::{
    context::StatementContext,
    error::{convert_arrow, from_datafusion, to_datafusion},
    node::{bounded, single_input_methods},
};

/// Locks the rows of its input and yields them without the row ids.
#[derive(Debug)]
pub struct RowLockExec {
    input: Arc<dyn ExecutionPlan>,
    locks: Arc<Locks>,
    fetch: Option<usize>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

/// What is locked.
#[derive(Debug)]
pub struct Locks {
    /// The tables of the trailing row id columns, each with how it is locked.
    pub tables: Vec<LockedTable>,
}

/// The lock to take on rows of a table.
pub(crate) fn row_lock(table: &LockedTable) -> RowLock {
    match table.strength {
        LockStrength::KeyShare => RowLock::KeyShare,
        LockStrength::Share => RowLock::Share,
        LockStrength::NoKeyUpdate => RowLock::NoKeyUpdate,
        LockStrength::Update => RowLock::Update,
    }
}

/// Waits for whoever holds a row; false if the row is to be left out instead.
pub(crate) async fn wait_for(
    statement: &StatementContext,
    table: &LockedTable,
    wait: Wait,
) -> Result<bool> {
    match table.wait {
        LockWait::Block => statement.wait(wait).await.map(|()| true),
        LockWait::SkipLocked => Ok(false),
        LockWait::NoWait => Err(Error::new(
            SqlState::LOCK_NOT_AVAILABLE,
            format!("could not obtain lock on row in relation \"{}\"", table.name),
        )),
    }
}

impl RowLockExec {
    /// The node; `schema` is the input's without the row ids.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        locks: Arc<Locks>,
        fetch: Option<usize>,
        schema: SchemaRef,
    ) -> Self {
        let properties = bounded(&schema, 1, EmissionType::Final);
        RowLockExec { input, locks, fetch, schema, properties }
    }
}

impl DisplayAs for RowLockExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockRows")?;
        if let Some(fetch) = self.fetch {
            write!(f, " (limit {fetch})")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for RowLockExec {
    single_input_methods!("RowLockExec", |node, input| RowLockExec::new(
        input,
        Arc::clone(&node.locks),
        node.fetch,
        Arc::clone(&node.schema)
    ));

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        let (input, locks) = (Arc::clone(&self.input), Arc::clone(&self.locks));
        Some(Arc::new(RowLockExec::new(input, locks, limit, Arc::clone(&self.schema))))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let run = Run {
            statement: StatementContext::of(&context)?,
            input: Arc::clone(&self.input),
            locks: Arc::clone(&self.locks),
            fetch: self.fetch.unwrap_or(usize::MAX),
            schema: Arc::clone(&self.schema),
        };
        let batches = stream::once(async move { run.run(context).await.map_err(to_datafusion) })
            .map_ok(|batches| stream::iter(batches.into_iter().map(Ok)))
            .try_flatten();
        let schema = Arc::clone(&self.schema);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

struct Run {
    statement: Arc<StatementContext>,
    input: Arc<dyn ExecutionPlan>,
    locks: Arc<Locks>,
    fetch: usize,
    schema: SchemaRef,
}

/// A row of each locked table; none where an outer join found none.
type RowIds = SmallVec<[Option<RowId>; 2]>;

/// What locking a row came to.
enum Locked {
    Yes,
    /// Leave the row out.
    No,
    /// Evaluate anew.
    Stale,
}

impl Run {
    async fn run(self, context: Arc<TaskContext>) -> Result<Vec<RecordBatch>> {
        let mut statement = Arc::clone(&self.statement);
        let mut context = context;
        let mut input = Arc::clone(&self.input);
        let mut known = None;
        loop {
            if let Some(batches) =
                self.attempt(&statement, &input, &context, known.as_ref()).await?
            {
                return Ok(batches);
            }
            if known.is_none() {
                let input = reset_plan_states(Arc::clone(&input)).map_err(from_datafusion)?;
                known = Some(self.all_rows(&input, &context).await?);
            }
            let newer = StatementContext {
                snapshot: statement.txn.begin_statement(),
                ..statement.as_ref().clone()
            };
            statement = Arc::new(newer);
            let config = context.session_config().clone().with_extension(Arc::clone(&statement));
            context = Arc::new(TaskContext::new(
                context.task_id(),
                context.session_id(),
                config,
                context.scalar_functions().clone(),
                context.higher_order_functions().clone(),
                context.aggregate_functions().clone(),
                context.window_functions().clone(),
                context.runtime_env(),
            ));
            input = reset_plan_states(input).map_err(from_datafusion)?;
        }
    }

    /// All rows, or `None` if some row must be evaluated anew.
    async fn attempt(
        &self,
        statement: &StatementContext,
        input: &Arc<dyn ExecutionPlan>,
        context: &Arc<TaskContext>,
        known: Option<&FxHashSet<RowIds>>,
    ) -> Result<Option<Vec<RecordBatch>>> {
        let mut rows = input.execute(0, Arc::clone(context)).map_err(from_datafusion)?;
        let mut done = Vec::new();
        let mut left = self.fetch;
        let mut stale = false;
        while left > 0
            && let Some(batch) = rows.next().await
        {
            let batch = batch.map_err(from_datafusion)?;
            let mut keep = Vec::with_capacity(batch.num_rows());
            for row in 0..batch.num_rows() {
                let is_known = match known {
                    Some(known) => known.contains(&self.ids(&batch, row)?),
                    None => true,
                };
                if left == 0 || !is_known {
                    keep.push(false);
                    continue;
                }
                let locked = self.lock(statement, &batch, row).await?;
                stale |= matches!(locked, Locked::Stale);
                let yes = matches!(locked, Locked::Yes);
                left -= usize::from(yes);
                keep.push(yes);
            }
            if stale {
                return Ok(None);
            }
            let columns: Vec<usize> = (0..self.schema.fields().len()).collect();
            let visible = batch.project(&columns).map_err(|error| convert_arrow(&error))?;
            let kept = filter_record_batch(&visible, &BooleanArray::from(keep));
            done.push(kept.map_err(|error| convert_arrow(&error))?);
        }
        Ok(Some(done))
    }

    async fn lock(
        &self,
        statement: &StatementContext,
        batch: &RecordBatch,
        row: usize,
    ) -> Result<Locked> {
        for (table, id) in self.locks.tables.iter().zip(self.ids(batch, row)?) {
            let Some(id) = id else { continue };
            match self.lock_row(statement, table, id).await? {
                Locked::Yes => {}
                other => return Ok(other),
            }
        }
        Ok(Locked::Yes)
    }

    /// The rows of the locked tables that a row of the input comes from.
    fn ids(&self, batch: &RecordBatch, row: usize) -> Result<RowIds> {
        let first = batch.num_columns() - self.locks.tables.len();
        let id = |place: usize| {
            let ids = batch
                .column(first + place)
                .as_primitive_opt::<UInt64Type>()
                .ok_or_else(|| Error::bug("locking rows without row ids"))?;
            Ok((!ids.is_null(row)).then(|| RowId(ids.value(row))))
        };
        (0..self.locks.tables.len()).map(id).collect()
    }

    /// What the input leads to, without locking anything.
    async fn all_rows(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        context: &Arc<TaskContext>,
    ) -> Result<FxHashSet<RowIds>> {
        let mut rows = input.execute(0, Arc::clone(context)).map_err(from_datafusion)?;
        let mut known = FxHashSet::default();
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(from_datafusion)?;
            self.statement.cancel.check()?;
            for row in 0..batch.num_rows() {
                known.insert(self.ids(&batch, row)?);
            }
        }
        Ok(known)
    }

    async fn lock_row(
        &self,
        statement: &StatementContext,
        table: &LockedTable,
        row: RowId,
    ) -> Result<Locked> {
        let lock = row_lock(table);
        let mut version = WriteTarget::Snapshot;
        loop {
            let outcome = statement.txn.lock_row(
                statement.snapshot.as_ref(),
                table.storage,
                row,
                version,
                lock,
            )?;
            match outcome {
                WriteOutcome::Done if version == WriteTarget::Newest => return Ok(Locked::Stale),
                WriteOutcome::Done => return Ok(Locked::Yes),
                WriteOutcome::Gone => return Ok(Locked::No),
                // Locked first, so that the next evaluation finds it unchanged.
                WriteOutcome::Changed => version = WriteTarget::Newest,
                WriteOutcome::Duplicate(_) => return Err(Error::bug("a lock that conflicts")),
                WriteOutcome::Wait(wait) => {
                    if !wait_for(statement, table, wait).await? {
                        return Ok(Locked::No);
                    }
                }
            }
        }
    }
}
