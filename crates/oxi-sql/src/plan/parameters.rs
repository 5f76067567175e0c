//! Putting values in the place of `$1`, `$2`, … in a bound or optimized plan.

use std::sync::Arc;

use datafusion::{
    common::{
        DataFusionError,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{Expr, LogicalPlan},
};
use oxi_base::{Error, Result};
use oxi_model::Datum;

use crate::{
    function::{error::from_datafusion, value::literal_of},
    plan::{ApplyNode, LateralNode, ModifyNode},
};

/// Replaces every parameter by its value, also inside subqueries and the row expressions of
/// [`ModifyNode`]. `types` are the types that binding reported, `values` one for each.
pub fn substitute(plan: LogicalPlan, values: &[Datum], types: &[u32]) -> Result<LogicalPlan> {
    if types.is_empty() {
        return Ok(plan);
    }
    if values.len() != types.len() {
        return Err(Error::bug(format!("{} values for {} parameters", values.len(), types.len())));
    }
    let literals = values
        .iter()
        .zip(types)
        .map(|(value, oid)| literal_of(value, *oid))
        .collect::<Result<Vec<_>>>()?;
    substitute_in(plan, &literals).and_then(LogicalPlan::recompute_schema).map_err(from_datafusion)
}

fn substitute_in(plan: LogicalPlan, literals: &[Expr]) -> datafusion::common::Result<LogicalPlan> {
    plan.transform_down_with_subqueries(|plan| {
        if let Some(apply) = ApplyNode::of(&plan) {
            let subplan = substitute_in(apply.subplan.as_ref().clone(), literals)?;
            let apply = ApplyNode { subplan: Arc::new(subplan), ..apply.clone() };
            return Ok(Transformed::yes(apply.into_plan()));
        }
        if let Some(lateral) = LateralNode::of(&plan) {
            let subplan = substitute_in(lateral.subplan.as_ref().clone(), literals)?;
            let lateral = LateralNode { subplan: Arc::new(subplan), ..lateral.clone() };
            return Ok(Transformed::yes(lateral.into_plan()));
        }
        let plan = match ModifyNode::of(&plan) {
            Some(node) => {
                let mut node =
                    node.map_row_expressions(&mut |expr| replace(expr, literals).map(|t| t.data))?;
                if let Some(again) = node.again {
                    let again = substitute_in(again.as_ref().clone(), literals)?;
                    node.again = Some(Arc::new(again));
                }
                return Ok(Transformed::yes(node.into_plan()));
            }
            None => plan,
        };
        plan.map_expressions(|expr| replace(expr, literals))
    })
    .map(|transformed| transformed.data)
}

fn replace(expr: Expr, literals: &[Expr]) -> datafusion::common::Result<Transformed<Expr>> {
    expr.transform_up(|expr| match expr {
        Expr::Placeholder(placeholder) => {
            let literal = placeholder
                .id
                .strip_prefix('$')
                .and_then(|number| number.parse::<usize>().ok())
                .and_then(|number| literals.get(number.wrapping_sub(1)))
                .ok_or_else(|| {
                    DataFusionError::Internal(format!("no value for {}", placeholder.id))
                })?;
            Ok(Transformed::yes(literal.clone()))
        }
        other => Ok(Transformed::no(other)),
    })
}
