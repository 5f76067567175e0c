//! Runs bound plans.

use std::{num::NonZeroUsize, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    error::{DataFusionError, Result as DfResult},
    execution::{
        SendableRecordBatchStream, SessionState, SessionStateBuilder, TaskContext,
        memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool},
        runtime_env::RuntimeEnvBuilder,
    },
    logical_expr::{Expr, LogicalPlan},
    physical_plan::{ExecutionPlan, display::DisplayableExecutionPlan, execute_stream},
    prelude::SessionConfig,
};
use futures::StreamExt;
use oxi_base::{Error, Result};
use oxi_sql::{
    function::EvalExtension,
    plan::apply::{Reach, decorrelate},
};

use crate::{
    context::StatementContext,
    error::from_datafusion,
    interrupt::interruptible,
    planner::{OxiPlanner, reject_foreign},
};

/// How plans are run.
#[derive(Clone, Copy, Debug)]
pub struct ExecutorOptions {
    /// Tasks per statement.
    pub target_partitions: usize,
    /// Bytes that all statements together may use for sorting, joining and grouping.
    pub memory_bytes: usize,
    /// Rows per batch.
    pub batch_rows: usize,
}

impl Default for ExecutorOptions {
    fn default() -> Self {
        ExecutorOptions { target_partitions: 4, memory_bytes: 1 << 30, batch_rows: 8192 }
    }
}

/// Runs the plans of one database.
pub struct Executor {
    state: SessionState,
}

impl Executor {
    /// An executor.
    ///
    /// # Errors
    /// If the query engine refuses the options.
    pub fn new(options: ExecutorOptions) -> Result<Executor> {
        let mut config = SessionConfig::new()
            .with_target_partitions(options.target_partitions.max(1))
            .with_batch_size(options.batch_rows.max(1));
        let settings = config.options_mut();
        settings.optimizer.skip_failed_rules = false;
        settings.execution.collect_statistics = true;
        let consumers = NonZeroUsize::MIN.saturating_add(4);
        let pool: Arc<dyn MemoryPool> =
            Arc::new(TrackConsumersPool::new(FairSpillPool::new(options.memory_bytes), consumers));
        let runtime =
            RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().map_err(from_datafusion)?;
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_query_planner(Arc::new(OxiPlanner))
            .build();
        Ok(Executor { state })
    }

    /// Optimizes a plan once so that it can be run many times; functions that depend on the
    /// statement stay calls.
    ///
    /// # Errors
    /// What folding constants raises, as `22012`.
    pub fn optimize(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        reject_foreign(plan).map_err(from_datafusion)?;
        optimized(&self.state, plan).map_err(from_datafusion)
    }

    /// Runs a plan (parameters substituted) for a statement.
    ///
    /// # Errors
    /// What planning raises; what running raises comes from [`Rows::next`].
    pub async fn execute(
        &self,
        plan: &LogicalPlan,
        statement: Arc<StatementContext>,
    ) -> Result<Rows> {
        let (physical, task) = self.plan(plan, &statement).await?;
        let physical = interruptible(physical, &statement.cancel).map_err(from_datafusion)?;
        Rows::start(&physical, &task, statement)
    }

    async fn plan(
        &self,
        plan: &LogicalPlan,
        statement: &Arc<StatementContext>,
    ) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
        statement.cancel.check()?;
        let state = self.state_of(statement);
        reject_foreign(plan).map_err(from_datafusion)?;
        let plan = optimized(&state, plan).map_err(from_datafusion)?;
        let planner = Arc::clone(state.query_planner());
        let physical =
            planner.create_physical_plan(&plan, &state).await.map_err(from_datafusion)?;
        Ok((physical, state.task_ctx()))
    }

    fn state_of(&self, statement: &Arc<StatementContext>) -> SessionState {
        let config = self
            .state
            .config()
            .clone()
            .with_extension(Arc::clone(statement))
            .with_option_extension(EvalExtension(Arc::clone(&statement.eval)));
        configured(&self.state, config)
    }

    /// The lines of EXPLAIN, after running the statement if `analyze`.
    ///
    /// # Errors
    /// As [`Executor::execute`].
    pub async fn explain(
        &self,
        plan: &LogicalPlan,
        statement: Arc<StatementContext>,
        options: ExplainOptions,
    ) -> Result<Vec<String>> {
        let (physical, task) = self.plan(plan, &statement).await?;
        if options.analyze {
            let physical = interruptible(physical, &statement.cancel).map_err(from_datafusion)?;
            let mut rows = Rows::start(&physical, &task, statement)?;
            while let Some(batch) = rows.next().await {
                batch?;
            }
            let shown = DisplayableExecutionPlan::with_metrics(physical.as_ref());
            return Ok(lines(&shown.indent(options.verbose).to_string()));
        }
        let shown = DisplayableExecutionPlan::new(physical.as_ref());
        Ok(lines(&shown.indent(options.verbose).to_string()))
    }
}

/// A state with another configuration.
pub(crate) fn configured(state: &SessionState, config: SessionConfig) -> SessionState {
    let mut state = state.clone();
    let options = Arc::clone(config.options());
    *state.config_mut() = config;
    state.execution_props_mut().config_options = Some(options);
    state
}

/// Optimizes a plan. Where subqueries do not become joins, they are run for each row: first those
/// that are seen to need it, then, if there are still some left, all.
pub(crate) fn optimized(state: &SessionState, plan: &LogicalPlan) -> DfResult<LogicalPlan> {
    let first = state.optimize(plan);
    let failed = match &first {
        Ok(plan) => is_left(plan)?,
        Err(DataFusionError::External(_) | DataFusionError::ArrowError(..)) => false,
        Err(_) => true,
    };
    if !failed {
        return first;
    }
    for reach in [Reach::Needed, Reach::All] {
        let rewritten = decorrelate(plan.clone(), reach)?;
        if &rewritten == plan {
            continue;
        }
        if let Ok(optimized) = state.optimize(&rewritten)
            && !is_left(&optimized)?
        {
            return Ok(optimized);
        }
    }
    first
}

/// Whether a plan has subqueries that cannot be run as they stand.
fn is_left(plan: &LogicalPlan) -> DfResult<bool> {
    let mut left = false;
    plan.apply_with_subqueries(|node| {
        left = left || node.inputs().iter().any(|input| matches!(input, LogicalPlan::Subquery(_)));
        node.apply_expressions(|expr| {
            left = left
                || expr.exists(|inner| {
                    Ok(matches!(
                        inner,
                        Expr::Exists(_)
                            | Expr::InSubquery(_)
                            | Expr::SetComparison(_)
                            | Expr::OuterReferenceColumn(..)
                    ))
                })?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(left)
}

/// What EXPLAIN shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExplainOptions {
    /// Run the statement and show what happened.
    pub analyze: bool,
    /// Show more.
    pub verbose: bool,
}

/// An indented plan in PostgreSQL's manner.
fn lines(plan: &str) -> Vec<String> {
    plan.lines()
        .map(|line| {
            let text = line.trim_start();
            let depth = (line.len() - text.len()) / 2;
            if depth == 0 {
                text.to_owned()
            } else {
                format!("{:width$}->  {text}", "", width = depth * 6 - 4)
            }
        })
        .collect()
}

/// The rows of a running statement.
pub struct Rows {
    stream: SendableRecordBatchStream,
    statement: Arc<StatementContext>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows({})", self.stream.schema())
    }
}

impl Rows {
    fn start(
        physical: &Arc<dyn ExecutionPlan>,
        task: &Arc<TaskContext>,
        statement: Arc<StatementContext>,
    ) -> Result<Rows> {
        let stream =
            execute_stream(Arc::clone(physical), Arc::clone(task)).map_err(from_datafusion)?;
        Ok(Rows { stream, statement })
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// The next batch, which may be empty; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        let next = self.statement.cancel.unless_cancelled(self.stream.next()).await;
        match next {
            Err(error) => Some(Err(error)),
            Ok(None) => None,
            Ok(Some(batch)) => Some(batch.map_err(from_datafusion)),
        }
    }

    /// The number in the one row of a change without RETURNING.
    ///
    /// # Errors
    /// What running raises.
    pub async fn count(mut self) -> Result<u64> {
        let mut count = 0;
        while let Some(batch) = self.next().await {
            let batch = batch?;
            let column = arrow::array::AsArray::as_primitive_opt::<arrow::datatypes::Int64Type>(
                batch.column(0).as_ref(),
            )
            .ok_or_else(|| Error::bug("a change that does not count"))?;
            count += column.values().iter().map(|value| value.cast_unsigned()).sum::<u64>();
        }
        Ok(count)
    }
}
