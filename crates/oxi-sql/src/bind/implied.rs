//! The order that rows of FROM have because it is one sorted subquery: aggregates that depend on
//! the order of their input (`string_agg` over `(SELECT … ORDER BY …)`) get the rows in it.

use datafusion::{
    common::{
        Column, TableReference,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, SortExpr, SubqueryAlias},
};
use oxi_base::Result;

use crate::{
    ast::{Span, TableExpr, TableExprKind},
    bind::{
        query::project,
        subquery::plain_type,
        typed::{Typed, bare_column},
    },
    function::{aggregate::ArgumentOrder, error::from_datafusion},
    plan::SharedNode,
};

/// Keys over the columns of FROM.
pub(crate) type ImpliedOrder = Vec<(Typed, ArgumentOrder)>;

/// Whether an aggregate's result depends on the order of its input.
pub(crate) fn depends_on_order(aggregate: &str) -> bool {
    matches!(
        aggregate,
        "array_agg"
            | "string_agg"
            | "json_agg"
            | "jsonb_agg"
            | "json_object_agg"
            | "jsonb_object_agg"
            | "xmlagg"
    )
}

/// The order of the rows of FROM. The plan may get columns that only the order needs.
pub(crate) fn implied_order(
    from: &[TableExpr],
    plan: LogicalPlan,
) -> Result<(LogicalPlan, ImpliedOrder)> {
    let (
        [
            TableExpr {
                kind: TableExprKind::Subquery { .. } | TableExprKind::Table { .. }, ..
            },
        ],
        LogicalPlan::SubqueryAlias(alias),
    ) = (from, &plan)
    else {
        return Ok((plan, Vec::new()));
    };
    let shared = SharedNode::of(&alias.input);
    let inner = shared.map_or(&alias.input, |shared| &shared.input);
    let Some(keys) = sort_keys(inner) else { return Ok((plan, Vec::new())) };
    let plan = if shared.is_some() {
        plan
    } else {
        LogicalPlanBuilder::from(widened(inner.as_ref().clone())?)
            .alias(alias.alias.clone())
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?
    };
    let order = match &plan {
        LogicalPlan::SubqueryAlias(alias) => outside(&keys, alias)?,
        _ => None,
    };
    Ok((plan, order.unwrap_or_default()))
}

/// The sort keys on top of a plan.
fn sort_keys(plan: &LogicalPlan) -> Option<Vec<SortExpr>> {
    match plan {
        LogicalPlan::Sort(sort) => Some(sort.expr.clone()),
        LogicalPlan::Limit(limit) => sort_keys(&limit.input),
        LogicalPlan::Projection(projection)
            if projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_))) =>
        {
            sort_keys(&projection.input)
        }
        _ => None,
    }
}

/// A sorted plan with those columns too that it sorts by and drops.
pub(crate) fn widened(plan: LogicalPlan) -> Result<LogicalPlan> {
    let (LogicalPlan::Projection(projection), Some(keys)) = (&plan, sort_keys(&plan)) else {
        return Ok(plan);
    };
    let mut missing: Vec<Expr> = Vec::new();
    for column in keys.iter().flat_map(|key| key.expr.column_refs()) {
        let known = bare_column(&column.name);
        let there = projection.input.schema().has_column(column);
        if there && column.relation.is_none() && !plan.schema().has_column(column) {
            missing.push(known);
        }
    }
    if missing.is_empty() {
        return Ok(plan);
    }
    missing.dedup();
    let mut exprs = projection.expr.clone();
    exprs.extend(missing);
    project(projection.input.as_ref().clone(), exprs)
}

/// Keys as they are called from outside the alias.
fn outside(keys: &[SortExpr], alias: &SubqueryAlias) -> Result<Option<ImpliedOrder>> {
    let qualifier: &TableReference = &alias.alias;
    let mut order = Vec::with_capacity(keys.len());
    for key in keys {
        let expr = key
            .expr
            .clone()
            .transform_up(|expr| match expr {
                Expr::Column(column) => {
                    let outer = Column::new(Some(qualifier.clone()), column.name);
                    Ok(Transformed::yes(Expr::Column(outer)))
                }
                other => Ok(Transformed::no(other)),
            })
            .map_err(from_datafusion)?
            .data;
        if !expr.column_refs().iter().all(|column| alias.schema.has_column(column)) {
            return Ok(None);
        }
        let data_type = expr.get_type(alias.schema.as_ref()).map_err(from_datafusion)?;
        let Some(type_oid) = plain_type(&data_type) else { return Ok(None) };
        let argument =
            ArgumentOrder { type_oid, descending: !key.asc, nulls_first: key.nulls_first };
        order.push((Typed::plain(expr, type_oid, Span::default()), argument));
    }
    Ok(Some(order))
}
