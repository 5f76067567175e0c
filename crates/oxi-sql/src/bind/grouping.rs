//! GROUP BY: what is grouped by, the plan that groups, and the expressions over its result.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    functions_aggregate::{count::count_udaf, grouping::grouping_udaf},
    logical_expr::{Aggregate, Case, Expr, GroupingSet, LogicalPlan},
};
use oxi_base::{Error, Result, SqlState};
use oxi_types::oid;

use crate::{
    ast::{self, ExprKind, GroupBy, GroupingElement, Span},
    bind::{
        Binder,
        distinct::least,
        expr::Cx,
        order::ordinal,
        query::{all_columns, project},
        scope::Scope,
        typed::{Typed, bare_column},
    },
    function::{
        error::from_datafusion,
        key::{key, needs_key},
    },
};

/// What a query is grouped by.
#[derive(Default)]
pub(crate) struct Grouping {
    /// The distinct expressions.
    pub(crate) keys: Vec<Typed>,
    /// Grouping sets as positions in `keys`; none for plain GROUP BY.
    pub(crate) sets: Option<Vec<Vec<usize>>>,
}

impl Grouping {
    fn position(&mut self, key: Typed) -> usize {
        if let Some(found) = self.keys.iter().position(|known| known.expr == key.expr) {
            return found;
        }
        self.keys.push(key);
        self.keys.len() - 1
    }
}

impl Binder<'_> {
    /// Binds GROUP BY. `items` are the names and expressions of the select list.
    pub(crate) fn group_by(
        &mut self,
        group_by: &GroupBy,
        items: &[(String, Typed)],
        cx: &mut Cx<'_>,
    ) -> Result<Grouping> {
        let mut grouping = Grouping::default();
        let mut product: Vec<Vec<usize>> = vec![Vec::new()];
        let mut plain = true;
        for element in &group_by.items {
            plain &= matches!(element, GroupingElement::Expr(_));
            let sets = self.grouping_element(element, items, &mut grouping, cx)?;
            if product.len() * sets.len() > 4096 {
                return Err(Error::new(
                    SqlState::STATEMENT_TOO_COMPLEX,
                    "too many grouping sets present (maximum 4096)",
                )
                .at(group_by.span.position()));
            }
            product = product
                .iter()
                .flat_map(|left| {
                    sets.iter().map(move |right| {
                        let mut both = left.clone();
                        both.extend(right.iter().filter(|k| !left.contains(k)));
                        both
                    })
                })
                .collect();
        }
        if group_by.distinct {
            let mut seen: Vec<Vec<usize>> = Vec::new();
            for set in product {
                let mut sorted = set.clone();
                sorted.sort_unstable();
                if !seen.contains(&sorted) {
                    seen.push(sorted);
                }
            }
            product = seen;
        }
        if !plain {
            grouping.sets = Some(product);
        }
        Ok(grouping)
    }

    fn grouping_element(
        &mut self,
        element: &GroupingElement,
        items: &[(String, Typed)],
        grouping: &mut Grouping,
        cx: &mut Cx<'_>,
    ) -> Result<Vec<Vec<usize>>> {
        match element {
            GroupingElement::Empty(_) => Ok(vec![Vec::new()]),
            GroupingElement::Expr(expr) => {
                Ok(vec![self.grouping_exprs(expr, items, grouping, cx)?])
            }
            GroupingElement::Rollup(exprs, _) => {
                let parts = exprs
                    .iter()
                    .map(|expr| self.grouping_exprs(expr, items, grouping, cx))
                    .collect::<Result<Vec<_>>>()?;
                Ok((0..=parts.len()).rev().map(|count| parts[..count].concat()).collect())
            }
            GroupingElement::Cube(exprs, span) => {
                let parts = exprs
                    .iter()
                    .map(|expr| self.grouping_exprs(expr, items, grouping, cx))
                    .collect::<Result<Vec<_>>>()?;
                if parts.len() > 12 {
                    return Err(Error::new(
                        SqlState::TOO_MANY_COLUMNS,
                        "CUBE is limited to 12 elements",
                    )
                    .at(span.position()));
                }
                let all = 1usize << parts.len();
                Ok((0..all)
                    .map(|mask| {
                        parts
                            .iter()
                            .enumerate()
                            .filter(|(index, _)| mask & (1 << (parts.len() - 1 - index)) == 0)
                            .flat_map(|(_, part)| part.clone())
                            .collect()
                    })
                    .collect())
            }
            GroupingElement::Sets(elements, _) => {
                let mut sets = Vec::new();
                for element in elements {
                    sets.extend(self.grouping_element(element, items, grouping, cx)?);
                }
                Ok(sets)
            }
        }
    }

    fn grouping_exprs(
        &mut self,
        expr: &ast::Expr,
        items: &[(String, Typed)],
        grouping: &mut Grouping,
        cx: &mut Cx<'_>,
    ) -> Result<Vec<usize>> {
        if let ExprKind::Row { fields, explicit: false } = &expr.kind {
            let mut positions = Vec::new();
            for field in fields {
                positions.extend(self.grouping_exprs(field, items, grouping, cx)?);
            }
            return Ok(positions);
        }
        let key = self.group_key(expr, items, cx)?;
        Ok(vec![grouping.position(key)])
    }

    fn group_key(
        &mut self,
        expr: &ast::Expr,
        items: &[(String, Typed)],
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let refuse = |item: &Typed| -> Result<Typed> {
            let mut found = None;
            item.expr
                .apply(|inner| {
                    if matches!(inner, Expr::AggregateFunction(_) | Expr::WindowFunction(_)) {
                        found = Some(inner.clone());
                        return Ok(TreeNodeRecursion::Stop);
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
                .map_err(from_datafusion)?;
            match found {
                None => Ok(item.clone()),
                Some(Expr::WindowFunction(_)) => Err(Error::new(
                    SqlState::WINDOWING_ERROR,
                    "window functions are not allowed in GROUP BY",
                )
                .at(item.span.position())),
                Some(_) => Err(Error::new(
                    SqlState::GROUPING_ERROR,
                    "aggregate functions are not allowed in GROUP BY",
                )
                .at(item.span.position())),
            }
        };
        if let Some(index) = ordinal(expr, "GROUP BY", items.len())? {
            return refuse(&items[index].1);
        }
        if let ExprKind::Column(parts) = &expr.kind
            && let [name] = parts.as_slice()
        {
            // A column of FROM comes first, then a name of the select list.
            let own = cx.scope.columns.iter().any(|c| !c.hidden && c.name == name.value);
            if !own {
                let mut named = items.iter().filter(|(item, _)| *item == name.value);
                if let Some((_, item)) = named.next() {
                    if named.any(|(_, other)| other.expr != item.expr) {
                        return Err(Error::new(
                            SqlState::AMBIGUOUS_COLUMN,
                            format!("GROUP BY \"{}\" is ambiguous", name.value),
                        )
                        .at(expr.span.position()));
                    }
                    return refuse(item);
                }
            }
        }
        let mut inner = Cx::plain(cx.scope, "GROUP BY");
        let value = self.expr(expr, &mut inner)?;
        self.resolve_unknown(value)
    }

    /// GROUPING(…).
    pub(crate) fn grouping_call(
        &mut self,
        items: &[ast::Expr],
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        if !cx.aggregates {
            return Err(Error::new(
                SqlState::GROUPING_ERROR,
                format!("grouping operations are not allowed in {}", cx.clause),
            )
            .at(span.position()));
        }
        cx.found_aggregate = true;
        let inside = std::mem::replace(&mut cx.in_aggregate, true);
        let args =
            items.iter().map(|item| Ok(self.expr(item, cx)?.expr)).collect::<Result<Vec<_>>>();
        cx.in_aggregate = inside;
        Ok(Typed::plain(grouping_udaf().call(args?), oid::INT4, span))
    }

    /// Groups a plan and rewrites the expressions over its result.
    pub(crate) fn aggregate(
        &mut self,
        plan: LogicalPlan,
        scope: &Scope<'_>,
        mut grouping: Grouping,
        exprs: &mut [&mut Expr],
        cx: &Cx<'_>,
    ) -> Result<LogicalPlan> {
        add_dependent(&plan, scope, &mut grouping, exprs, cx)?;
        let mut before = all_columns(&plan);
        let base = before.len();
        let mut groups: Vec<Expr> = Vec::new();
        let mut calls: Vec<Expr> = Vec::new();
        let mut after: Vec<Expr> = Vec::new();
        let mut results: Vec<Expr> = Vec::new();
        for typed in &grouping.keys {
            let plain = matches!(typed.expr, Expr::Column(_));
            if needs_key(typed.ty.oid) {
                let (name, first) = (self.fresh_name("key"), self.fresh_name("first"));
                before.push(key(typed.expr.clone(), typed.ty.oid).alias(&name));
                calls.push(least(typed.expr.clone()).alias(&first));
                groups.push(bare_column(&name));
                let mut shown = bare_column(&first);
                if grouping.sets.is_some() {
                    let null = Expr::Literal(
                        crate::function::value::null_scalar(&crate::function::value::physical_of(
                            typed.ty.oid,
                        ))?,
                        None,
                    );
                    let absent = Box::new(Expr::IsNull(Box::new(bare_column(&name))));
                    shown = Expr::Case(Case::new(
                        None,
                        vec![(absent, Box::new(null))],
                        Some(Box::new(shown)),
                    ));
                }
                if let Expr::Column(column) = &typed.expr {
                    after.push(shown.alias_qualified(column.relation.clone(), &column.name));
                    results.push(typed.expr.clone());
                } else {
                    let result = self.fresh_name("group");
                    after.push(shown.alias(&result));
                    results.push(bare_column(&result));
                }
            } else if plain {
                groups.push(typed.expr.clone());
                after.push(typed.expr.clone());
                results.push(typed.expr.clone());
            } else {
                let name = self.fresh_name("group");
                before.push(typed.expr.clone().alias(&name));
                groups.push(bare_column(&name));
                after.push(bare_column(&name));
                results.push(bare_column(&name));
            }
        }
        let mut found: Vec<(Expr, String)> = Vec::new();
        for expr in exprs.iter() {
            self.collect_aggregates(expr, &mut found)?;
        }
        for (call, name) in &found {
            calls.push(map_grouping(call.clone(), &grouping.keys, &groups)?.alias(name));
            after.push(bare_column(name));
        }
        let plan = if before.len() > base { project(plan, before)? } else { plan };
        if groups.is_empty() && calls.is_empty() {
            let one = Expr::Literal(ScalarValue::Int64(Some(1)), None);
            calls.push(count_udaf().call(vec![one]).alias(self.fresh_name("agg")));
        }
        let group_expr = match &grouping.sets {
            None => groups.clone(),
            Some(sets) => vec![Expr::GroupingSet(GroupingSet::GroupingSets(
                sets.iter()
                    .map(|set| set.iter().map(|&index| groups[index].clone()).collect())
                    .collect(),
            ))],
        };
        let group_expr = match &grouping.sets {
            Some(_) if groups.is_empty() => Vec::new(),
            _ => group_expr,
        };
        let plan = LogicalPlan::Aggregate(
            Aggregate::try_new(Arc::new(plan), group_expr, calls).map_err(from_datafusion)?,
        );
        let plan = if after.is_empty() { plan } else { project(plan, after)? };
        for expr in exprs {
            let owned = std::mem::take(*expr);
            **expr = rewrite(owned, &grouping.keys, &results, &found)?;
        }
        Ok(plan)
    }

    fn collect_aggregates(&mut self, expr: &Expr, found: &mut Vec<(Expr, String)>) -> Result<()> {
        expr.apply(|inner| {
            if matches!(inner, Expr::AggregateFunction(_)) {
                if !found.iter().any(|(known, _)| known == inner) {
                    found.push((inner.clone(), self.fresh_name("agg")));
                }
                return Ok(TreeNodeRecursion::Jump);
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .map(|_| ())
        .map_err(from_datafusion)
    }
}

/// Columns outside aggregates must be grouped by, or depend on a grouped primary key.
fn add_dependent(
    plan: &LogicalPlan,
    scope: &Scope<'_>,
    grouping: &mut Grouping,
    exprs: &[&mut Expr],
    cx: &Cx<'_>,
) -> Result<()> {
    let mut loose: Vec<Column> = Vec::new();
    for expr in exprs {
        loose_columns(expr, &grouping.keys, plan, &mut loose)?;
    }
    for column in loose {
        let column_expr = Expr::Column(column.clone());
        let owner = scope
            .relations
            .iter()
            .find(|relation| relation.columns.iter().any(|known| known.expr == column_expr));
        let known = owner
            .and_then(|relation| relation.columns.iter().find(|known| known.expr == column_expr));
        let dependent = grouping.sets.is_none()
            && owner.is_some_and(|relation| primary_key_grouped(relation, &grouping.keys));
        let span = cx.places.get(&column).copied().unwrap_or_default();
        match known {
            Some(known) if dependent => {
                grouping.keys.push(Typed::new(column_expr, known.ty, span));
            }
            _ => {
                let name = match (owner, known) {
                    (Some(owner), Some(known)) => format!("{}.{}", owner.alias, known.name),
                    _ => column.name,
                };
                return Err(Error::new(
                    SqlState::GROUPING_ERROR,
                    format!(
                        "column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function"
                    ),
                )
                .at(span.position()));
            }
        }
    }
    Ok(())
}

fn primary_key_grouped(relation: &crate::bind::scope::ScopeRelation, keys: &[Typed]) -> bool {
    use oxi_model::descriptor::ConstraintKind;
    let Some(table) = relation.table.as_ref().and_then(|table| table.as_table()) else {
        return false;
    };
    table.constraints.iter().any(|constraint| match &constraint.kind {
        ConstraintKind::Unique { primary: true, columns, .. } => columns.iter().all(|id| {
            table
                .column_by_id(*id)
                .and_then(|(position, _)| relation.columns.get(position))
                .is_some_and(|column| keys.iter().any(|key| key.expr == column.expr))
        }),
        _ => false,
    })
}

/// The columns of the plan that stand outside aggregates and grouped expressions.
fn loose_columns(
    expr: &Expr,
    keys: &[Typed],
    plan: &LogicalPlan,
    loose: &mut Vec<Column>,
) -> Result<()> {
    let mut add = |column: &Column| {
        let grouped = keys.iter().any(|key| matches!(&key.expr, Expr::Column(c) if c == column));
        if plan.schema().has_column(column) && !grouped && !loose.contains(column) {
            loose.push(column.clone());
        }
    };
    expr.apply(|inner| {
        if keys.iter().any(|key| key.expr == *inner) {
            return Ok(TreeNodeRecursion::Jump);
        }
        let outer = match inner {
            Expr::AggregateFunction(_) => return Ok(TreeNodeRecursion::Jump),
            Expr::Column(column) => {
                add(column);
                return Ok(TreeNodeRecursion::Continue);
            }
            Expr::ScalarSubquery(subquery) => &subquery.outer_ref_columns,
            Expr::Exists(exists) => &exists.subquery.outer_ref_columns,
            Expr::InSubquery(test) => &test.subquery.outer_ref_columns,
            Expr::SetComparison(test) => &test.subquery.outer_ref_columns,
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        for reference in outer {
            if let Expr::OuterReferenceColumn(_, column) = reference {
                add(column);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map(|_| ())
    .map_err(from_datafusion)
}

/// GROUPING speaks of the grouped columns themselves.
fn map_grouping(call: Expr, keys: &[Typed], groups: &[Expr]) -> Result<Expr> {
    let Expr::AggregateFunction(mut function) = call else { return Ok(call) };
    if function.func.name() != "grouping" {
        return Ok(Expr::AggregateFunction(function));
    }
    for arg in &mut function.params.args {
        let index = keys.iter().position(|key| key.expr == *arg).ok_or_else(|| {
            Error::new(
                SqlState::GROUPING_ERROR,
                "arguments to GROUPING must be grouping expressions of the associated query level",
            )
        })?;
        *arg = groups[index].clone();
    }
    Ok(Expr::AggregateFunction(function))
}

fn rewrite(expr: Expr, keys: &[Typed], results: &[Expr], found: &[(Expr, String)]) -> Result<Expr> {
    expr.transform_down(|inner| {
        if let Some(index) = keys.iter().position(|key| key.expr == inner) {
            return Ok(Transformed::new(results[index].clone(), true, TreeNodeRecursion::Jump));
        }
        if let Some((_, name)) = found.iter().find(|(call, _)| *call == inner) {
            return Ok(Transformed::new(bare_column(name), true, TreeNodeRecursion::Jump));
        }
        Ok(Transformed::no(inner))
    })
    .map(|transformed| transformed.data)
    .map_err(from_datafusion)
}
