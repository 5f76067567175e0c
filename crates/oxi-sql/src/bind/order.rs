//! ORDER BY.

use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr};
use oxi_base::{Error, Result, SqlState};

use crate::{
    ast::{ExprKind, Literal, OrderItem},
    bind::{aggregate::is_descending, coerce::type_name, query::Output},
    function::{
        error::from_datafusion,
        key::{key, key_orders, order_key},
    },
};

/// A sort key over an expression of a SQL type.
pub(crate) fn sort_key(expr: Expr, type_oid: u32, item: &OrderItem) -> Result<SortExpr> {
    let descending = is_descending(&item.direction)?;
    let nulls_first = item.nulls_first.unwrap_or(descending);
    let expr = if key_orders(type_oid) { key(expr, type_oid) } else { order_key(expr, type_oid) };
    Ok(SortExpr::new(expr, !descending, nulls_first))
}

/// What an item of ORDER BY or GROUP BY that is a bare constant says.
pub(crate) fn ordinal(
    expr: &crate::ast::Expr,
    clause: &str,
    count: usize,
) -> Result<Option<usize>> {
    match &expr.kind {
        ExprKind::Literal(Literal::Int4(number)) => {
            let index = usize::try_from(*number).ok().filter(|n| (1..=count).contains(n));
            match index {
                Some(index) => Ok(Some(index - 1)),
                None => Err(Error::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    format!("{clause} position {number} is not in select list"),
                )
                .at(expr.span.position())),
            }
        }
        ExprKind::Literal(Literal::Null) => Ok(None),
        ExprKind::Literal(_) => {
            Err(Error::new(SqlState::SYNTAX_ERROR, format!("non-integer constant in {clause}"))
                .at(expr.span.position()))
        }
        _ => Ok(None),
    }
}

/// Fails for types that have no order.
pub(crate) fn check_orderable(type_oid: u32, position: usize) -> Result<()> {
    use crate::bind::candidate::{Choice, choose_operator};
    if matches!(choose_operator("<", Some(type_oid), type_oid), Choice::One(_)) {
        return Ok(());
    }
    Err(Error::new(
        SqlState::UNDEFINED_FUNCTION,
        format!("could not identify an ordering operator for type {}", type_name(type_oid)),
    )
    .with_hint("Use an explicit ordering operator or modify the query.")
    .at(position))
}

/// ORDER BY over the outputs of a set operation or VALUES.
pub(crate) fn order_outputs(
    plan: LogicalPlan,
    outputs: &[Output],
    items: &[OrderItem],
) -> Result<LogicalPlan> {
    let mut sorts = Vec::with_capacity(items.len());
    for item in items {
        let index = match ordinal(&item.expr, "ORDER BY", outputs.len())? {
            Some(index) => index,
            None => output_by_name(&item.expr, outputs)?,
        };
        let output = &outputs[index];
        check_orderable(output.ty.oid, item.expr.span.position())?;
        sorts.push(sort_key(output.expr(), output.ty.oid, item)?);
    }
    sort(plan, sorts)
}

fn output_by_name(expr: &crate::ast::Expr, outputs: &[Output]) -> Result<usize> {
    if let ExprKind::Column(parts) = &expr.kind
        && let [name] = parts.as_slice()
    {
        if let Some(index) = outputs.iter().position(|output| output.name == name.value) {
            return Ok(index);
        }
        return Err(Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{}\" does not exist", name.value),
        )
        .at(expr.span.position()));
    }
    Err(Error::unsupported("invalid UNION/INTERSECT/EXCEPT ORDER BY clause")
        .with_detail("Only result column names can be used, not expressions or functions.")
        .with_hint(
            "Add the expression/function to every SELECT, or move the UNION into a FROM clause.",
        )
        .at(expr.span.position()))
}

/// A sort, if there is something to sort by.
pub(crate) fn sort(plan: LogicalPlan, sorts: Vec<SortExpr>) -> Result<LogicalPlan> {
    if sorts.is_empty() {
        return Ok(plan);
    }
    LogicalPlanBuilder::from(plan)
        .sort(sorts)
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}
