//! SELECT: the clauses in the order in which they take effect.

use std::collections::BTreeSet;

use datafusion::{
    common::{
        NullHandling,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr},
};
use oxi_base::{Error, Result, SqlState};
use oxi_types::oid;

use crate::{
    ast::{self, Distinct, ExprKind, OrderItem, Query, Select, SelectItem, Span},
    bind::{
        Binder,
        distinct::distinct_on,
        expr::Cx,
        from::unnest,
        grouping::Grouping,
        implied::implied_order,
        locking::clause,
        naming::item_name,
        order::{check_orderable, ordinal, sort, sort_key},
        query::{BoundPlan, Hints, Output, all_columns, filter, project},
        scope::{Scope, ScopeColumn},
        typed::{Typed, bare_column},
    },
    function::{error::from_datafusion, key::key},
};

/// A column of the select list.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) value: Typed,
    pub(crate) origin: Option<(u32, i16)>,
}

impl Binder<'_> {
    pub(crate) fn select(
        &mut self,
        select: &Select,
        query: &Query,
        parent: &Scope<'_>,
        hints: Hints<'_>,
    ) -> Result<BoundPlan> {
        if let Some(into) = &select.into {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "SELECT ... INTO is not allowed here")
                .at(into.name.span.position()));
        }
        let (mut plan, scope) = if query.locking.is_empty() {
            self.from(&select.from, parent)?
        } else {
            self.locked_from(select, query, parent)?
        };
        let order;
        (plan, order) = implied_order(&select.from, plan)?;
        if let Some(condition) = &select.filter {
            let mut cx = Cx::plain(&scope, "WHERE");
            plan = filter(plan, self.condition(condition, "WHERE", &mut cx)?)?;
        }
        let mut cx = Cx {
            aggregates: true,
            windows: true,
            sets: true,
            named_windows: &select.windows,
            order: &order,
            ..Cx::plain(&scope, "SELECT")
        };
        let mut items = self.select_items(&select.items, hints, &mut cx)?;
        let grouping = self.select_grouping(select, &items, &mut cx)?;
        let mut having = self.having(select, &mut cx)?;
        let visible = items.len();
        let distinct = matches!(select.distinct, Some(Distinct::All));
        let sorts = self.select_order(&query.order_by, &mut items, distinct, &mut cx)?;
        let on = match &select.distinct {
            Some(Distinct::On(exprs)) => {
                Some(self.distinct_on_items(exprs, &mut items, visible, &sorts, &mut cx)?)
            }
            _ => None,
        };
        let grouped = grouping.is_some() || cx.found_aggregate || select.having.is_some();
        if grouped {
            let mut exprs = items.iter_mut().map(|i| &mut i.value.expr).collect::<Vec<_>>();
            exprs.extend(having.iter_mut());
            let grouping = grouping.unwrap_or_default();
            plan = self.aggregate(plan, &scope, grouping, &mut exprs, &cx)?;
            if let Some(having) = having {
                plan = filter(plan, having)?;
            }
        }
        if cx.found_window {
            plan = apply_windows(plan, &mut items)?;
        }
        if cx.found_set {
            plan = self.apply_sets(plan, &mut items)?;
        }
        self.finish_select(plan, items, visible, sorts, on, select, query, parent)
    }

    fn having(&mut self, select: &Select, cx: &mut Cx<'_>) -> Result<Option<Expr>> {
        let Some(having) = &select.having else { return Ok(None) };
        let mut inner = Cx {
            aggregates: true,
            named_windows: &select.windows,
            order: cx.order,
            ..Cx::plain(cx.scope, "HAVING")
        };
        let having = self.condition(having, "HAVING", &mut inner)?;
        for (column, span) in inner.places {
            cx.places.entry(column).or_insert(span);
        }
        Ok(Some(having))
    }

    #[allow(clippy::too_many_arguments, reason = "the last steps of one pipeline")]
    fn finish_select(
        &mut self,
        plan: LogicalPlan,
        items: Vec<Item>,
        visible: usize,
        sorts: Vec<(usize, &OrderItem)>,
        on: Option<Vec<usize>>,
        select: &Select,
        query: &Query,
        parent: &Scope<'_>,
    ) -> Result<BoundPlan> {
        let mut names = BTreeSet::new();
        let mut outputs = Vec::with_capacity(items.len());
        let mut exprs = Vec::with_capacity(items.len());
        for item in items {
            let column = unique_name(&item.name, &mut names);
            exprs.push(item.value.expr.alias(&column));
            outputs.push(Output {
                name: item.name,
                ty: item.value.ty,
                column,
                origin: item.origin,
            });
        }
        let locks = self.lock_columns(&plan, query);
        exprs.extend(locks.iter().cloned());
        let mut plan = project(plan, exprs)?;
        if matches!(select.distinct, Some(Distinct::All)) {
            if let Some(locking) = query.locking.first().filter(|_| !locks.is_empty()) {
                return Err(Error::unsupported(format!(
                    "{} is not allowed with DISTINCT clause",
                    clause(locking.strength)
                )));
            }
            plan = self.distinct(plan, &outputs)?;
        }
        let keys = sorts
            .iter()
            .map(|(index, item)| sort_key(outputs[*index].expr(), outputs[*index].ty.oid, item))
            .collect::<Result<Vec<SortExpr>>>()?;
        if let Some(on) = on {
            let on =
                on.iter().map(|&index| key(outputs[index].expr(), outputs[index].ty.oid)).collect();
            plan = distinct_on(plan, on, keys.clone())?;
        }
        plan = sort(plan, keys)?;
        // Rows that are skipped because others hold them do not count towards the limit.
        if !locks.is_empty() {
            plan = self.lock_rows(plan)?;
        }
        plan = self.limit(plan, query, parent)?;
        if outputs.len() > visible {
            outputs.truncate(visible);
            plan = project(plan, outputs.iter().map(Output::expr).collect())?;
        }
        Ok(BoundPlan { plan, outputs })
    }

    /// The select list with its stars spread out.
    pub(crate) fn select_items(
        &mut self,
        list: &[SelectItem],
        hints: Hints<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<Vec<Item>> {
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            if let ExprKind::Star(parts) = &item.expr.kind {
                let columns = star(parts, cx.scope, item.expr.span)?;
                self.note_star(item.expr.span, &columns, cx.scope);
                for column in columns {
                    items.push(star_item(&column, item.expr.span, cx)?);
                }
            } else {
                let value = self.expr(&item.expr, cx)?;
                let value = match hints.get(items.len()).copied().flatten() {
                    Some(hint) if value.is_unknown() && hint == oid::UNKNOWN => value,
                    Some(hint) if value.is_unknown() => self.coerce_to(value, hint)?,
                    _ => self.resolve_unknown(value)?,
                };
                let origin = origin_of(&value.expr, cx.scope);
                items.push(Item { name: item_name(item), value, origin });
            }
        }
        Ok(items)
    }

    /// Remembers what a star of the statement itself stands for.
    fn note_star(&mut self, span: Span, columns: &[ScopeColumn], scope: &Scope<'_>) {
        let Some(stars) = self.stars.as_mut().filter(|_| self.view_depth == 0) else { return };
        let named = columns.iter().map(|column| {
            let mut relations = scope.relations.iter().filter(|relation| !relation.hidden);
            let owner = relations.find(|relation| {
                let mut own = relation.columns.iter();
                own.any(|other| other.name == column.name && other.expr == column.expr)
            });
            let alias = owner.map(|relation| relation.alias.clone());
            alias.into_iter().chain([column.name.clone()]).collect()
        });
        stars.insert(span.start, named.collect());
    }

    fn select_grouping(
        &mut self,
        select: &Select,
        items: &[Item],
        cx: &mut Cx<'_>,
    ) -> Result<Option<Grouping>> {
        let Some(group_by) = &select.group_by else { return Ok(None) };
        let named = items.iter().map(|i| (i.name.clone(), i.value.clone())).collect::<Vec<_>>();
        self.group_by(group_by, &named, cx).map(Some)
    }

    /// ORDER BY: positions of items, added ones included.
    fn select_order<'q>(
        &mut self,
        order_by: &'q [OrderItem],
        items: &mut Vec<Item>,
        distinct: bool,
        cx: &mut Cx<'_>,
    ) -> Result<Vec<(usize, &'q OrderItem)>> {
        let visible = items.len();
        let mut sorts = Vec::with_capacity(order_by.len());
        for item in order_by {
            let index = if let Some(index) = ordinal(&item.expr, "ORDER BY", visible)? {
                index
            } else if let Some(index) = named_item(&item.expr, &items[..visible])? {
                index
            } else {
                let clause = std::mem::replace(&mut cx.clause, "ORDER BY");
                let value = self.expr(&item.expr, cx)?;
                cx.clause = clause;
                let value = self.resolve_unknown(value)?;
                add_item(items, value)
            };
            if distinct && index >= visible {
                return Err(Error::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
                )
                .at(item.expr.span.position()));
            }
            check_orderable(items[index].value.ty.oid, item.expr.span.position())?;
            sorts.push((index, item));
        }
        Ok(sorts)
    }

    fn distinct_on_items(
        &mut self,
        exprs: &[ast::Expr],
        items: &mut Vec<Item>,
        visible: usize,
        sorts: &[(usize, &OrderItem)],
        cx: &mut Cx<'_>,
    ) -> Result<Vec<usize>> {
        let mut on = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let index = if let Some(index) = ordinal(expr, "DISTINCT ON", visible)? {
                index
            } else if let Some(index) = named_item(expr, &items[..visible])? {
                index
            } else {
                let value = self.expr(expr, cx)?;
                let value = self.resolve_unknown(value)?;
                add_item(items, value)
            };
            on.push(index);
        }
        let leading = sorts.iter().take(on.len());
        if let Some((_, item)) = leading.clone().find(|(index, _)| !on.contains(index)) {
            return Err(Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
            )
            .at(item.expr.span.position()));
        }
        Ok(on)
    }

    /// Spreads set-returning functions of the select list, inner ones first.
    fn apply_sets(&mut self, plan: LogicalPlan, items: &mut [Item]) -> Result<LogicalPlan> {
        let mut plan = plan;
        loop {
            let mut lists: Vec<(Expr, String)> = Vec::new();
            for item in items.iter() {
                self.innermost_sets(&item.value.expr, &mut lists)?;
            }
            if lists.is_empty() {
                return Ok(plan);
            }
            let mut exprs = all_columns(&plan);
            for (set, name) in &lists {
                if let Expr::Unnest(set) = set {
                    exprs.push(set.expr.as_ref().clone().alias(name));
                }
            }
            let names = lists.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>();
            plan = unnest(project(plan, exprs)?, &names, NullHandling::Drop)?;
            for item in items.iter_mut() {
                let owned = std::mem::take(&mut item.value.expr);
                item.value.expr = owned
                    .transform_down(|inner| match lists.iter().find(|(set, _)| *set == inner) {
                        Some((_, name)) => {
                            Ok(Transformed::new(bare_column(name), true, TreeNodeRecursion::Jump))
                        }
                        None => Ok(Transformed::no(inner)),
                    })
                    .map_err(from_datafusion)?
                    .data;
            }
        }
    }

    fn innermost_sets(&mut self, expr: &Expr, lists: &mut Vec<(Expr, String)>) -> Result<()> {
        expr.apply(|inner| {
            if let Expr::Unnest(set) = inner {
                let nested = set.expr.exists(|e| Ok(matches!(e, Expr::Unnest(_))))?;
                if !nested {
                    if !lists.iter().any(|(known, _)| known == inner) {
                        lists.push((inner.clone(), self.fresh_name("set")));
                    }
                    return Ok(TreeNodeRecursion::Jump);
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .map(|_| ())
        .map_err(from_datafusion)
    }
}

/// Adds Window nodes below and turns the calls into columns.
fn apply_windows(plan: LogicalPlan, items: &mut [Item]) -> Result<LogicalPlan> {
    let mut calls: Vec<Expr> = Vec::new();
    for item in items.iter() {
        item.value
            .expr
            .apply(|inner| {
                if matches!(inner, Expr::WindowFunction(_)) {
                    if !calls.contains(inner) {
                        calls.push(inner.clone());
                    }
                    return Ok(TreeNodeRecursion::Jump);
                }
                Ok(TreeNodeRecursion::Continue)
            })
            .map_err(from_datafusion)?;
    }
    let plan = LogicalPlanBuilder::window_plan(plan, calls.clone()).map_err(from_datafusion)?;
    for item in items {
        let owned = std::mem::take(&mut item.value.expr);
        item.value.expr = owned
            .transform_down(|inner| {
                if calls.contains(&inner) {
                    let name = inner.schema_name().to_string();
                    return Ok(Transformed::new(bare_column(&name), true, TreeNodeRecursion::Jump));
                }
                Ok(Transformed::no(inner))
            })
            .map_err(from_datafusion)?
            .data;
    }
    Ok(plan)
}

/// The item that a bare name of ORDER BY means.
fn named_item(expr: &ast::Expr, items: &[Item]) -> Result<Option<usize>> {
    let ExprKind::Column(parts) = &expr.kind else { return Ok(None) };
    let [name] = parts.as_slice() else { return Ok(None) };
    let mut found = items.iter().enumerate().filter(|(_, item)| item.name == name.value);
    let Some((index, item)) = found.next() else { return Ok(None) };
    if found.any(|(_, other)| other.value.expr != item.value.expr) {
        return Err(Error::new(
            SqlState::AMBIGUOUS_COLUMN,
            format!("ORDER BY \"{}\" is ambiguous", name.value),
        )
        .at(expr.span.position()));
    }
    Ok(Some(index))
}

/// The position of an expression among the items, which it joins if it is new.
fn add_item(items: &mut Vec<Item>, value: Typed) -> usize {
    if let Some(index) = items.iter().position(|item| item.value.expr == value.expr) {
        return index;
    }
    items.push(Item { name: format!("__sort_{}", items.len()), value, origin: None });
    items.len() - 1
}

fn unique_name(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = wanted.to_owned();
    let mut number = 0;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{wanted}_{number}");
    }
    name
}

fn origin_of(expr: &Expr, scope: &Scope<'_>) -> Option<(u32, i16)> {
    scope
        .relations
        .iter()
        .flat_map(|relation| &relation.columns)
        .find(|column| column.expr == *expr)
        .and_then(|column| column.origin)
}

fn star_item(column: &ScopeColumn, span: Span, cx: &mut Cx<'_>) -> Result<Item> {
    if let Expr::Column(name) = &column.expr {
        cx.places.entry(name.clone()).or_insert(span);
    }
    Ok(Item {
        name: column.name.clone(),
        value: Typed::new(column.expr.clone(), column.ty, span),
        origin: column.origin,
    })
}

/// The columns that `*` or `t.*` stands for.
pub(crate) fn star(
    parts: &[ast::Ident],
    scope: &Scope<'_>,
    span: Span,
) -> Result<Vec<ScopeColumn>> {
    match parts {
        [] => {
            if scope.relations.is_empty() {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    "SELECT * with no tables specified is not valid",
                )
                .at(span.position()));
            }
            Ok(scope.columns.iter().filter(|column| !column.hidden).cloned().collect())
        }
        [.., relation] => {
            let schema = parts.len().checked_sub(2).map(|index| parts[index].value.as_str());
            match scope.find_relation(schema, &relation.value) {
                Some((found, 0)) => {
                    Ok(found.columns.iter().filter(|column| !column.hidden).cloned().collect())
                }
                Some(_) => {
                    Err(Error::unsupported("outer row expansion is not supported")
                        .at(span.position()))
                }
                None => Err(scope.missing_relation(&relation.value, span)),
            }
        }
    }
}
