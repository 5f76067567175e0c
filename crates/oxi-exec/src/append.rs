//! Rows in the order in which their tables hold them, as far as nothing asks for another.
//!
//! SQL promises no order without ORDER BY, and everybody who looks at a table's rows expects them as
//! they came in all the same. The query engine gathers what its partitions give as it comes; here
//! the partitions are read one after the other, a few of them running ahead.

use std::{fmt, sync::Arc};

use datafusion::{
    error::Result as DfResult,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{Distribution, aggregate::AggregateFunctionExpr},
    physical_expr_common::physical_expr::is_volatile,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
        InputDistributionRequirements, Partitioning, PlanProperties,
        aggregates::{AggregateExec, AggregateInputMode, AggregateMode},
        coalesce_partitions::CoalescePartitionsExec,
        common::spawn_buffered,
        execution_plan::{ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions},
        filter::FilterExec,
        limit::GlobalLimitExec,
        projection::ProjectionExec,
        repartition::RepartitionExec,
        stream::RecordBatchStreamAdapter,
        union::UnionExec,
        windows::{BoundedWindowAggExec, WindowAggExec},
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use oxi_base::Error;

use crate::{
    error::to_datafusion,
    node::{bounded, common_methods},
    scan::ScanExec,
};

/// Batches that a partition may be ahead of its turn.
const AHEAD: usize = 16;

/// Aggregates whose result tells in which order they were given their arguments.
const TELLING: [&str; 7] = [
    "array_agg",
    "string_agg",
    "json_agg",
    "jsonb_agg",
    "json_object_agg",
    "jsonb_object_agg",
    "xmlagg",
];

/// A plan whose rows come in the order of its tables where they have no other, and in which
/// windows and aggregates see them in that order.
pub(crate) fn in_order(plan: Arc<dyn ExecutionPlan>) -> DfResult<Arc<dyn ExecutionPlan>> {
    if partitions(&plan) == 1 {
        return gathered(plan, true);
    }
    match ordered(&plan)? {
        Some(input) => Ok(appended(input)),
        None => gathered(plan, false),
    }
}

/// A plan that gathers the rows of several partitions in order where somebody `looks` at it.
fn gathered(plan: Arc<dyn ExecutionPlan>, looks: bool) -> DfResult<Arc<dyn ExecutionPlan>> {
    if let Some(gather) = plan.downcast_ref::<CoalescePartitionsExec>()
        && looks
        && let Some(input) = ordered(gather.input())?
    {
        let input = appended(input);
        return Ok(match gather.fetch() {
            None => input,
            Some(fetch) => Arc::new(GlobalLimitExec::new(input, 0, Some(fetch))),
        });
    }
    if let Some(whole) = whole_aggregate(&plan)? {
        return Ok(whole);
    }
    let window = plan.is::<BoundedWindowAggExec>() || plan.is::<WindowAggExec>();
    let kept = plan.maintains_input_order();
    let mut children = plan.children().into_iter().cloned().collect::<Vec<_>>();
    for (child, kept) in children.iter_mut().zip(kept) {
        // Who merges several sorted inputs is left alone.
        let looks = (looks || window) && kept && partitions(child) == 1;
        *child = gathered(Arc::clone(child), looks)?;
    }
    remade(&plan, children)
}

/// An aggregation in two steps with a telling aggregate, as one step over rows in their order.
fn whole_aggregate(plan: &Arc<dyn ExecutionPlan>) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
    let Some(last) = plan.downcast_ref::<AggregateExec>() else { return Ok(None) };
    let telling = |call: &Arc<AggregateFunctionExpr>| TELLING.contains(&call.fun().name());
    if last.mode().input_mode() == AggregateInputMode::Raw || !last.aggr_expr().iter().any(telling)
    {
        return Ok(None);
    }
    let mut below = last.input();
    while below.is::<CoalescePartitionsExec>() || below.is::<RepartitionExec>() {
        let Some(input) = below.children().first().copied() else { return Ok(None) };
        below = input;
    }
    let Some(first) = below.downcast_ref::<AggregateExec>() else { return Ok(None) };
    let Some(input) = ordered(first.input())? else { return Ok(None) };
    let whole = AggregateExec::try_new(
        AggregateMode::Single,
        first.group_expr().clone(),
        first.aggr_expr().to_vec(),
        first.filter_expr().to_vec(),
        appended(input),
        first.input_schema(),
    )?;
    Ok(Some(Arc::new(whole.with_limit_options(last.limit_options()))))
}

/// A plan with other children.
pub(crate) fn remade(
    plan: &Arc<dyn ExecutionPlan>,
    children: Vec<Arc<dyn ExecutionPlan>>,
) -> DfResult<Arc<dyn ExecutionPlan>> {
    if plan.children().into_iter().zip(&children).all(|(old, new)| Arc::ptr_eq(old, new)) {
        return Ok(Arc::clone(plan));
    }
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(plan).replace_children(children, options)
}

fn partitions(plan: &Arc<dyn ExecutionPlan>) -> usize {
    plan.output_partitioning().partition_count()
}

/// The plan with its partitions in order, if they can be: a scan's, those of several plans one
/// after the other, or what comes row by row from such.
fn ordered(plan: &Arc<dyn ExecutionPlan>) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        return Ok(Some(Arc::new(scan.in_order())));
    }
    if partitions(plan) == 1 {
        return Ok(Some(gathered(Arc::clone(plan), true)?));
    }
    // Rows that came one after the other were dealt out to several hands.
    if let Some(deal) = plan.downcast_ref::<RepartitionExec>() {
        let back = matches!(deal.partitioning(), Partitioning::RoundRobinBatch(_))
            && partitions(deal.input()) == 1;
        return if back { ordered(deal.input()) } else { Ok(None) };
    }
    let mut children = plan.children().into_iter().cloned().collect::<Vec<_>>();
    if plan.is::<UnionExec>() {
        for child in &mut children {
            let Some(input) = ordered(child)? else { return Ok(None) };
            *child = input;
        }
        return Ok(Some(remade(plan, children)?));
    }
    let kept = plan.maintains_input_order();
    let mut from = (0..children.len()).filter(|index| kept.get(*index) == Some(&true));
    let (Some(index), None) = (from.next(), from.next()) else { return Ok(None) };
    let Some(input) = ordered(&children[index])? else { return Ok(None) };
    children[index] = if counts(plan) { appended(input) } else { input };
    Ok(Some(remade(plan, children)?))
}

fn appended(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if partitions(&input) == 1 { input } else { Arc::new(AppendExec::new(input)) }
}

/// Whether a plan computes what, like `nextval`, depends on how often it was computed before.
pub(crate) fn counts(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return is_volatile(filter.predicate());
    }
    let projection = plan.downcast_ref::<ProjectionExec>();
    projection.is_some_and(|projection| projection.expr().iter().any(|out| is_volatile(&out.expr)))
}

/// The rows of its input's partitions, one partition after the other.
#[derive(Debug)]
struct AppendExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl AppendExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = bounded(&input.schema(), 1, EmissionType::Incremental);
        AppendExec { input, properties }
    }
}

impl DisplayAs for AppendExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Append")
    }
}

impl ExecutionPlan for AppendExec {
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::UnspecifiedDistribution])
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let input =
            children.pop().ok_or_else(|| to_datafusion(Error::bug("Append without input")))?;
        Ok(Arc::new(AppendExec::new(input)))
    }

    common_methods!("AppendExec");

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let input = Arc::clone(&self.input);
        let count = partitions(&input);
        let hands = context.session_config().target_partitions().max(1);
        let rows = stream::iter(0..count)
            .map(move |partition| {
                let started = input.execute(partition, Arc::clone(&context));
                std::future::ready(started.map(|stream| spawn_buffered(stream, AHEAD)))
            })
            .buffered(hands)
            .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), rows.boxed())))
    }
}
