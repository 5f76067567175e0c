//! References to outer rows inside the plan of a subquery, at any depth.

use std::{collections::BTreeSet, sync::Arc};

use datafusion::{
    common::{
        Column, Result, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, LogicalPlan, Subquery, expr_rewriter::NamePreserver},
};

use crate::{
    bind::subquery::subquery,
    plan::{ApplyNode, LateralNode},
};

/// The columns of `input` that a plan refers to as outer ones, with their positions in it.
pub(crate) fn bindings(plan: &LogicalPlan, input: &LogicalPlan) -> Result<Vec<(Column, usize)>> {
    let schema = input.schema();
    let position = |column: Column| Some((schema.maybe_index_of_column(&column)?, column));
    let found = outer_columns(plan)?.into_iter().filter_map(position);
    Ok(found.map(|(position, column)| (column, position)).collect())
}

/// Every outer column that a plan refers to anywhere inside, also in subqueries within it. Those of
/// queries between are among them: relation names are unique in a statement.
pub fn outer_columns(plan: &LogicalPlan) -> Result<BTreeSet<Column>> {
    let mut found = BTreeSet::new();
    collect(plan, &mut found)?;
    Ok(found)
}

fn collect(plan: &LogicalPlan, found: &mut BTreeSet<Column>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let Some(apply) = ApplyNode::of(node) {
            collect(&apply.subplan, found)?;
        }
        if let Some(lateral) = LateralNode::of(node) {
            collect(&lateral.subplan, found)?;
        }
        node.apply_expressions(|expr| {
            expr.apply(|inner| {
                if let Expr::OuterReferenceColumn(_, column) = inner {
                    found.insert(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })
    .map(|_| ())
}

/// Replaces references to outer columns by values.
pub fn bind_outer(plan: LogicalPlan, values: &[(Column, ScalarValue)]) -> Result<LogicalPlan> {
    if values.is_empty() {
        return Ok(plan);
    }
    let plan = plan.transform_up(|node| {
        let node = match node {
            LogicalPlan::Subquery(inner) => {
                return Ok(Transformed::yes(LogicalPlan::Subquery(subquery(
                    Arc::unwrap_or_clone(inner.subquery),
                ))));
            }
            node => bind_hidden(node, values)?,
        };
        let names = NamePreserver::new(&node);
        let sorts = matches!(node, LogicalPlan::Sort(_));
        node.map_expressions(|expr| {
            let saved = names.save(&expr);
            let bound = expr.transform_up(|inner| bind_expr(inner, values))?;
            Ok(if sorts || !bound.transformed {
                bound
            } else {
                bound.update_data(|expr| saved.restore(expr))
            })
        })
    })?;
    plan.data.recompute_schema()
}

/// Binds the plan that a node hides.
fn bind_hidden(node: LogicalPlan, values: &[(Column, ScalarValue)]) -> Result<LogicalPlan> {
    if let Some(apply) = ApplyNode::of(&node) {
        let subplan = bind_outer(apply.subplan.as_ref().clone(), values)?;
        let input = apply.input.as_ref().clone();
        let node = ApplyNode::new(input, Arc::new(subplan), apply.name.clone())?;
        return Ok(ApplyNode { guard: apply.guard.clone(), ..node }.into_plan());
    }
    if let Some(lateral) = LateralNode::of(&node) {
        let subplan = bind_outer(lateral.subplan.as_ref().clone(), values)?;
        let input = lateral.input.as_ref().clone();
        return Ok(LateralNode::new(input, Arc::new(subplan), lateral.outer)?.into_plan());
    }
    Ok(node)
}

fn bind_expr(expr: Expr, values: &[(Column, ScalarValue)]) -> Result<Transformed<Expr>> {
    if let Expr::OuterReferenceColumn(_, column) = &expr {
        let value = values.iter().find(|(known, _)| known == column);
        return Ok(match value {
            Some((_, value)) => Transformed::yes(Expr::Literal(value.clone(), None)),
            None => Transformed::no(expr),
        });
    }
    map_subquery(expr, &mut |plan| bind_outer(plan, values))
}

/// Rewrites the plan of a subquery expression.
pub(super) fn map_subquery(
    expr: Expr,
    rewrite: &mut dyn FnMut(LogicalPlan) -> Result<LogicalPlan>,
) -> Result<Transformed<Expr>> {
    let mut mapped = |inner: &mut Subquery| -> Result<()> {
        *inner = subquery(rewrite(inner.subquery.as_ref().clone())?);
        Ok(())
    };
    Ok(match expr {
        Expr::ScalarSubquery(mut inner) => {
            mapped(&mut inner)?;
            Transformed::yes(Expr::ScalarSubquery(inner))
        }
        Expr::Exists(mut test) => {
            mapped(&mut test.subquery)?;
            Transformed::yes(Expr::Exists(test))
        }
        Expr::InSubquery(mut test) => {
            mapped(&mut test.subquery)?;
            Transformed::yes(Expr::InSubquery(test))
        }
        Expr::SetComparison(mut test) => {
            mapped(&mut test.subquery)?;
            Transformed::yes(Expr::SetComparison(test))
        }
        other => Transformed::no(other),
    })
}
