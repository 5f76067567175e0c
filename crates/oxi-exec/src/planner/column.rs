//! Which column of a table an expression above its scan stands for.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    error::Result as DfResult,
    physical_expr::{PhysicalExpr, ScalarFunctionExpr, expressions::Column},
    physical_plan::{
        ExecutionPlan, Partitioning, coalesce_partitions::CoalescePartitionsExec,
        coop::CooperativeExec, filter::FilterExec, projection::ProjectionExec,
        repartition::RepartitionExec,
    },
};
use oxi_model::PhysicalType;
use oxi_sql::function::BuiltinUdf;

use crate::{
    append::counts,
    scan::{
        ScanExec, ScanTarget,
        index::{IndexAccess, IndexScanExec},
    },
};

/// The input of a node that only passes on what it gets, in whatever order.
pub(crate) fn passes_on(plan: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    if let Some(gather) = plan.downcast_ref::<CoalescePartitionsExec>() {
        return gather.fetch().is_none().then(|| gather.input());
    }
    if let Some(deal) = plan.downcast_ref::<RepartitionExec>() {
        let round = matches!(deal.partitioning(), Partitioning::RoundRobinBatch(_));
        return round.then(|| deal.input());
    }
    plan.downcast_ref::<CooperativeExec>().map(CooperativeExec::input)
}

/// What a scan of a whole table reads, and how if that is by an index.
pub(crate) fn scanned(
    plan: &Arc<dyn ExecutionPlan>,
) -> Option<(&ScanTarget, Option<&IndexAccess>)> {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        return scan.whole().map(|target| (target, None));
    }
    let (target, access) = plan.downcast_ref::<IndexScanExec>()?.whole()?;
    Some((target, Some(access)))
}

/// The input of a filter or projection, and `exprs` over that input instead of the node's output.
pub(crate) fn over<'a>(
    plan: &'a Arc<dyn ExecutionPlan>,
    exprs: &mut [Arc<dyn PhysicalExpr>],
) -> DfResult<Option<&'a Arc<dyn ExecutionPlan>>> {
    if counts(plan) {
        return Ok(None);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        if filter.fetch().is_some() {
            return Ok(None);
        }
        if let Some(projection) = filter.projection() {
            let schema = filter.input().schema();
            replace(exprs, &|place| {
                let place = projection.get(place).copied()?;
                Some(Arc::new(Column::new(schema.field(place).name(), place)))
            })?;
        }
        return Ok(Some(filter.input()));
    }
    let Some(projection) = plan.downcast_ref::<ProjectionExec>() else { return Ok(None) };
    replace(exprs, &|place| Some(Arc::clone(&projection.expr().get(place)?.expr)))?;
    Ok(Some(projection.input()))
}

fn replace(
    exprs: &mut [Arc<dyn PhysicalExpr>],
    column: &dyn Fn(usize) -> Option<Arc<dyn PhysicalExpr>>,
) -> DfResult<()> {
    for expr in exprs {
        let replaced = Arc::clone(expr).transform_down(|inner| {
            let place = inner.downcast_ref::<Column>().map(Column::index);
            Ok(match place.and_then(column) {
                Some(new) => Transformed::new(new, true, TreeNodeRecursion::Jump),
                None => Transformed::no(inner),
            })
        })?;
        *expr = replaced.data;
    }
    Ok(())
}

/// A column of a table whose index orders and compares it as an expression does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyOf {
    /// Its position in the table.
    pub(crate) position: usize,
    /// Whether the expression makes it comparable.
    pub(crate) keyed: bool,
}

impl KeyOf {
    /// The column of an expression over a scan's output.
    pub(crate) fn of(expr: &Arc<dyn PhysicalExpr>, target: &ScanTarget) -> Option<Self> {
        let mut expr = expr;
        let mut keyed = false;
        if let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>()
            && matches!(call.name(), "numeric_key" | "sort_key")
            && BuiltinUdf::of(call.fun()).is_some()
            && let [inner] = call.args()
        {
            expr = inner;
            keyed = true;
        }
        let column = expr.downcast_ref::<Column>()?;
        let position = (*target.columns.get(column.index())?)?;
        let needs_key = match target.ways.physical.get(position)? {
            PhysicalType::Numeric
            | PhysicalType::Interval
            | PhysicalType::Float32
            | PhysicalType::Float64 => true,
            PhysicalType::List(_) => return None,
            _ => false,
        };
        // Of other types the keys are not what stands in an index.
        (keyed == needs_key).then_some(KeyOf { position, keyed })
    }
}
