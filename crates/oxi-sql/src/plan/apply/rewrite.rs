//! Where subqueries become [`ApplyNode`]s.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, Result, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    functions_aggregate::{bool_and_or::bool_or_udaf, count::count_udaf},
    logical_expr::{
        Case, Expr, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr, col,
        expr::SetQuantifier,
        expr_rewriter::NamePreserver,
        lit, not,
        utils::{conjunction, split_conjunction_owned},
        when,
    },
    optimizer::decorrelate::PullUpCorrelatedExpr,
};

use super::{
    ApplyNode,
    outer::{map_subquery, outer_columns},
};
use crate::bind::{modify::has_subquery, query::all_columns};

/// Which subqueries become nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Those that the query engine is seen not to turn into joins.
    Needed,
    /// All that it would have to turn into joins.
    All,
}

/// Replaces subqueries by columns of [`ApplyNode`]s.
///
/// # Errors
/// If rebuilding the plan fails.
pub fn decorrelate(plan: LogicalPlan, reach: Reach) -> Result<LogicalPlan> {
    let plan = plan.map_children(|child| decorrelate(child, reach).map(Transformed::yes))?.data;
    rewrite_node(plan, reach)
}

fn rewrite_node(plan: LogicalPlan, reach: Reach) -> Result<LogicalPlan> {
    let plan = crate::plan::lateral::from_join(plan)?;
    if !plan.expressions().iter().any(has_subquery) {
        return Ok(plan);
    }
    let names = NamePreserver::new(&plan);
    let plan = plan
        .map_expressions(|expr| {
            let saved = names.save(&expr);
            let inner = &mut |inner| decorrelate(inner, reach);
            let mapped = expr.transform_up(|expr| map_subquery(expr, inner))?;
            Ok(mapped.update_data(|expr| saved.restore(expr)))
        })?
        .data;
    match plan {
        LogicalPlan::Filter(filter) => {
            let input = Arc::unwrap_or_clone(filter.input);
            rewrite_filter(filter.predicate, input, reach)
        }
        LogicalPlan::Join(mut join)
            if join.join_type == JoinType::Inner
                && join.filter.as_ref().is_some_and(has_subquery) =>
        {
            let filter = join.filter.take().unwrap_or_else(|| lit(true));
            rewrite_filter(filter, LogicalPlan::Join(join), reach)
        }
        LogicalPlan::Projection(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Sort(_) => rewrite_unary(plan, reach),
        other => Ok(other),
    }
}

/// Conditions without subqueries come first: fewer rows are left to run the others for.
fn rewrite_filter(predicate: Expr, input: LogicalPlan, reach: Reach) -> Result<LogicalPlan> {
    let columns = all_columns(&input);
    let (tests, plain): (Vec<_>, Vec<_>) =
        split_conjunction_owned(predicate).into_iter().partition(has_subquery);
    let mut input = match conjunction(plain) {
        Some(plain) => LogicalPlanBuilder::from(input).filter(plain)?.build()?,
        None => input,
    };
    let mut applied = false;
    let mut kept = Vec::with_capacity(tests.len());
    for test in tests {
        let place = Place { reach, filter: true, joins: true };
        let test = replace(test, &mut input, place)?;
        applied |= test.transformed;
        kept.push(test.data);
    }
    let mut builder = LogicalPlanBuilder::from(input);
    if let Some(kept) = conjunction(kept) {
        builder = builder.filter(kept)?;
    }
    if applied {
        builder = builder.project(columns)?;
    }
    builder.build()
}

fn rewrite_unary(plan: LogicalPlan, reach: Reach) -> Result<LogicalPlan> {
    let Some(input) = plan.inputs().first().map(|input| (*input).clone()) else {
        return Ok(plan);
    };
    let columns = all_columns(&plan);
    let mut current = input;
    let names = NamePreserver::new(&plan);
    let sorts = matches!(plan, LogicalPlan::Sort(_));
    let place = Place { reach, filter: false, joins: matches!(plan, LogicalPlan::Projection(_)) };
    let mut applied = false;
    let mut exprs = Vec::new();
    for expr in plan.expressions() {
        let saved = names.save(&expr);
        let expr = replace(expr, &mut current, place)?;
        applied |= expr.transformed;
        exprs.push(if expr.transformed && !sorts { saved.restore(expr.data) } else { expr.data });
    }
    if !applied {
        return Ok(plan);
    }
    let plan = plan.with_new_exprs(exprs, vec![current])?;
    if plan.schema().fields().len() == columns.len() {
        return Ok(plan);
    }
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// What the query engine does with subqueries in an expression.
#[derive(Clone, Copy)]
struct Place {
    reach: Reach,
    /// A condition: EXISTS and IN may become joins.
    filter: bool,
    /// Scalar subqueries may become joins.
    joins: bool,
}

/// Puts nodes on the input for the subqueries of an expression.
fn replace(expr: Expr, input: &mut LogicalPlan, place: Place) -> Result<Transformed<Expr>> {
    replace_guarded(expr, input, place, None)
}

/// As [`replace`]; where the guard is not true the expression's value is not asked for.
fn replace_guarded(
    expr: Expr,
    input: &mut LogicalPlan,
    place: Place,
    guard: Option<&Expr>,
) -> Result<Transformed<Expr>> {
    if let Expr::Case(case) = expr {
        return replace_case(case, input, place, guard);
    }
    let mapped = expr.map_children(|child| replace_guarded(child, input, place, guard))?;
    let applied = mapped.transformed;
    let mapped = replace_one(mapped.data, input, place, guard)?;
    Ok(Transformed { transformed: mapped.transformed || applied, ..mapped })
}

/// The results of CASE are asked for where their conditions hold and none before did.
fn replace_case(
    case: Case,
    input: &mut LogicalPlan,
    place: Place,
    guard: Option<&Expr>,
) -> Result<Transformed<Expr>> {
    let mut applied = false;
    let mut mapped = |expr: Expr, guard: Option<&Expr>| -> Result<Box<Expr>> {
        let mapped = replace_guarded(expr, input, place, guard)?;
        applied |= mapped.transformed;
        Ok(Box::new(mapped.data))
    };
    let operand = match case.expr {
        Some(operand) => Some(mapped(*operand, guard)?),
        None => None,
    };
    let mut reached = guard.cloned();
    let mut branches = Vec::with_capacity(case.when_then_expr.len());
    for (when, then) in case.when_then_expr {
        let when = mapped(*when, reached.as_ref())?;
        let test = match &operand {
            Some(operand) => binary_expr(operand.as_ref().clone(), Operator::Eq, *when.clone()),
            None => *when.clone(),
        };
        let both = |test: Expr| match &reached {
            Some(reached) => reached.clone().and(test),
            None => test,
        };
        let then = if has_subquery(&then) {
            mapped(*then, Some(&both(test.clone().is_true())))?
        } else {
            then
        };
        reached = Some(both(test.is_not_true()));
        branches.push((when, then));
    }
    let otherwise = match case.else_expr {
        Some(otherwise) => Some(mapped(*otherwise, reached.as_ref())?),
        None => None,
    };
    let case = Expr::Case(Case::new(operand, branches, otherwise));
    Ok(if applied { Transformed::yes(case) } else { Transformed::no(case) })
}

fn replace_one(
    expr: Expr,
    input: &mut LogicalPlan,
    place: Place,
    guard: Option<&Expr>,
) -> Result<Transformed<Expr>> {
    let subplan = match &expr {
        Expr::ScalarSubquery(inner) => &inner.subquery,
        Expr::Exists(test) => &test.subquery.subquery,
        Expr::InSubquery(test) => &test.subquery.subquery,
        Expr::SetComparison(test) => &test.subquery.subquery,
        _ => return Ok(Transformed::no(expr)),
    };
    if is_native(&expr, subplan, input, place)? {
        return Ok(Transformed::no(expr));
    }
    let (value, negated) = match expr {
        Expr::ScalarSubquery(inner) => (inner.subquery.as_ref().clone(), false),
        Expr::Exists(test) => (exists(test.subquery.subquery.as_ref())?, test.negated),
        Expr::InSubquery(test) => {
            let plan = test.subquery.subquery.as_ref();
            (quantified(*test.expr, Operator::Eq, false, plan, input)?, test.negated)
        }
        Expr::SetComparison(test) => {
            let all = test.quantifier == SetQuantifier::All;
            let plan = test.subquery.subquery.as_ref();
            (quantified(*test.expr, test.op, all, plan, input)?, false)
        }
        other => return Ok(Transformed::no(other)),
    };
    let name = free_name(input, "apply");
    let mut below = std::mem::take(input);
    let guard = match guard {
        Some(guard) => {
            let name = free_name(&below, "guard");
            let mut columns = all_columns(&below);
            columns.push(guard.clone().alias(&name));
            below = LogicalPlanBuilder::from(below).project(columns)?.build()?;
            Some(Column::new_unqualified(name))
        }
        None => None,
    };
    let node = ApplyNode::new(below, Arc::new(value), name.clone())?;
    *input = ApplyNode { guard, ..node }.into_plan();
    let column = Expr::Column(Column::new_unqualified(name));
    Ok(Transformed::yes(if negated { not(column) } else { column }))
}

/// Whether the query engine can run a subquery where it stands.
fn is_native(expr: &Expr, plan: &LogicalPlan, input: &LogicalPlan, place: Place) -> Result<bool> {
    let scalar = matches!(expr, Expr::ScalarSubquery(_));
    let outer = outer_columns(plan)?;
    // What the plan binds itself are references within it.
    let schemas = own_columns(plan)?;
    let outer = outer.into_iter().filter(|column| !schemas.contains(column)).collect::<Vec<_>>();
    if outer.is_empty() {
        return Ok(scalar || place.filter);
    }
    let seen = plan.all_out_ref_exprs();
    let hidden = outer.iter().any(|column| {
        !seen
            .iter()
            .any(|known| matches!(known, Expr::OuterReferenceColumn(_, known) if known == column))
    });
    let farther = outer.iter().any(|column| !input.schema().has_column(column));
    let place_joins = if scalar { place.joins } else { place.filter };
    if place.reach == Reach::All || hidden || farther || !place_joins {
        return Ok(false);
    }
    let mut pull_up = PullUpCorrelatedExpr::new()
        .with_need_handle_count_bug(scalar)
        .with_exists_sub_query(!scalar);
    let Ok(pulled) = plan.clone().rewrite(&mut pull_up) else { return Ok(false) };
    Ok(pull_up.can_pull_up && pulled.data.all_out_ref_exprs().is_empty())
}

/// Every column that nodes inside a plan yield.
///
/// # Errors
/// If walking the plan fails.
pub fn own_columns(plan: &LogicalPlan) -> Result<std::collections::BTreeSet<Column>> {
    let mut own = std::collections::BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        own.extend(node.schema().columns());
        if let Some(apply) = ApplyNode::of(node) {
            own.extend(own_columns(&apply.subplan)?);
        }
        if let Some(lateral) = crate::plan::LateralNode::of(node) {
            own.extend(own_columns(&lateral.subplan)?);
        }
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    })?;
    Ok(own)
}

fn free_name(input: &LogicalPlan, what: &str) -> String {
    let taken = |name: &String| input.schema().fields().iter().any(|field| field.name() == name);
    let mut number = 1;
    let mut name = format!("__{what}_1");
    while taken(&name) {
        number += 1;
        name = format!("__{what}_{number}");
    }
    name
}

/// EXISTS as a value.
fn exists(plan: &LogicalPlan) -> Result<LogicalPlan> {
    LogicalPlanBuilder::from(plan.clone())
        .limit(0, Some(1))?
        .aggregate(Vec::<Expr>::new(), vec![count_udaf().call(vec![lit(1_i64)]).alias("rows")])?
        .project(vec![col("rows").gt(lit(0_i64)).alias("exists")])?
        .build()
}

/// `left op ANY/ALL (plan)` as a value.
fn quantified(
    left: Expr,
    op: Operator,
    all: bool,
    plan: &LogicalPlan,
    input: &LogicalPlan,
) -> Result<LogicalPlan> {
    // The left side is of the outer row.
    let outer = input.schema();
    let left = left
        .transform_up(|expr| match expr {
            Expr::Column(column) => {
                let (_, field) = outer.qualified_field_from_column(&column)?;
                Ok(Transformed::yes(Expr::OuterReferenceColumn(Arc::clone(field), column)))
            }
            other => Ok(Transformed::no(other)),
        })?
        .data;
    let (qualifier, field) = plan.schema().qualified_field(0);
    let right = Expr::Column(Column::new(qualifier.cloned(), field.name()));
    let test = || col("test");
    let decided = if all { not(test()) } else { test() };
    let or = |arg: Expr, name: &str| bool_or_udaf().call(vec![arg]).alias(name);
    LogicalPlanBuilder::from(plan.clone())
        .project(vec![binary_expr(left, op, right).alias("test")])?
        .aggregate(
            Vec::<Expr>::new(),
            vec![or(decided, "decided"), or(test().is_null(), "unknown")],
        )?
        .project(vec![
            when(col("decided").is_true(), lit(!all))
                .when(col("unknown").is_true(), lit(ScalarValue::Boolean(None)))
                .otherwise(lit(all))?
                .alias("quantified"),
        ])?
        .build()
}
