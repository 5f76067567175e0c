//! `column = (SELECT …)` by an index.
//!
//! A subquery that does not look at the rows around it is run once, before them. What it gives is a
//! key like any other; only, it is not there yet when the plan is made.

use std::sync::Arc;

use datafusion::{
    common::tree_node::TreeNode,
    error::Result as DfResult,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::BinaryExpr,
        scalar_subquery::ScalarSubqueryExpr,
        utils::{collect_columns, split_conjunction},
    },
    physical_expr_common::physical_expr::is_volatile,
    physical_plan::{ExecutionPlan, filter::FilterExec},
};

use crate::{
    append::remade,
    planner::column::{KeyOf, passes_on, scanned},
    provider::access::IndexOrder,
    scan::{
        ScanTarget,
        index::{IndexAccess, IndexScanExec, Late, LateValue},
    },
};

/// A plan that looks results of subqueries up in indexes.
pub(crate) fn by_subqueries(plan: Arc<dyn ExecutionPlan>) -> DfResult<Arc<dyn ExecutionPlan>> {
    if let Some(filter) = plan.downcast_ref::<FilterExec>()
        && let Some(scan) = lookup(filter)
    {
        return remade(&plan, vec![scan]);
    }
    let children = plan.children().into_iter().cloned().map(by_subqueries);
    let children = children.collect::<DfResult<Vec<_>>>()?;
    remade(&plan, children)
}

/// The scan under a filter as a lookup of what subqueries give.
fn lookup(filter: &FilterExec) -> Option<Arc<dyn ExecutionPlan>> {
    let mut below = filter.input();
    while let Some(input) = passes_on(below) {
        below = input;
    }
    let (target, chosen) = scanned(below)?;
    let known = known_later(filter.predicate(), target);
    if known.is_empty() {
        return None;
    }
    let accesses = target.ways.orders().filter_map(|order| access(&order, &known, target));
    let best = accesses.max_by_key(|access| (access.point, access.equal.len()))?;
    let better = chosen.is_none_or(|chosen| best.point && !chosen.point);
    better.then(|| Arc::new(IndexScanExec::new(target.clone(), best, None)) as _)
}

/// A column that equals what is known once the subqueries were run.
struct Known {
    key: KeyOf,
    value: Arc<dyn PhysicalExpr>,
}

fn known_later(predicate: &Arc<dyn PhysicalExpr>, target: &ScanTarget) -> Vec<Known> {
    let mut known = Vec::new();
    for condition in split_conjunction(predicate) {
        let Some(binary) = condition.downcast_ref::<BinaryExpr>() else { continue };
        if *binary.op() != Operator::Eq {
            continue;
        }
        for (column, value) in [(binary.left(), binary.right()), (binary.right(), binary.left())] {
            if let Some(key) = KeyOf::of(column, target)
                && is_late(value)
            {
                known.push(Known { key, value: Arc::clone(value) });
            }
        }
    }
    known
}

/// Whether an expression is a constant as soon as the subqueries were run.
fn is_late(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let has_subquery = expr.exists(|inner| Ok(inner.is::<ScalarSubqueryExpr>()));
    matches!(has_subquery, Ok(true)) && collect_columns(expr).is_empty() && !is_volatile(expr)
}

/// What an index makes of it: its columns with constants, then those with subqueries.
fn access(order: &IndexOrder, known: &[Known], target: &ScanTarget) -> Option<IndexAccess> {
    let columns = &order.index.columns;
    let mut values = Vec::new();
    let mut words = Vec::new();
    for column in &columns[order.prefix.len()..] {
        let Some(found) = known.iter().find(|one| one.key.position == column.position) else {
            break;
        };
        let name = target.ways.schema.field(column.position).name();
        words.push(format!("{name} = {}", found.value));
        values.push(LateValue {
            expr: Arc::clone(&found.value),
            physical: target.ways.physical.get(column.position)?.clone(),
            keyed: found.key.keyed,
        });
    }
    if values.is_empty() {
        return None;
    }
    let equal = order.prefix.len() + values.len();
    Some(IndexAccess {
        index: order.index.index,
        name: order.index.name.clone(),
        condition: words.join(" AND "),
        ranges: Vec::new(),
        point: order.index.unique && equal == columns.len(),
        equal: columns[..equal].iter().map(|column| column.position).collect(),
        bounded: false,
        late: Some(Late { prefix: order.prefix.clone(), values }),
    })
}
