//! Joins.

use datafusion::{
    common::{JoinType, NullHandling},
    logical_expr::{Case, Expr, LogicalPlanBuilder},
};
use oxi_base::{Error, Result, SqlState};

use crate::{
    ast::{Ident, JoinCondition, JoinKind, TableExpr, TableExprKind},
    bind::{
        Binder,
        expr::Cx,
        from::{
            FromItem, Side, Source, alias_of, cross, lateral_side, plan_of, rename_columns,
            spread_over,
        },
        scope::{Scope, ScopeColumn, ScopeRelation},
        typed::{Typed, boolean},
    },
    function::error::from_datafusion,
    plan::LateralNode,
};

impl Binder<'_> {
    pub(crate) fn join(
        &mut self,
        item: &TableExpr,
        parent: &Scope<'_>,
        lateral: &Scope<'_>,
    ) -> Result<FromItem> {
        let TableExprKind::Join { left, right, kind, condition, alias } = &item.kind else {
            return Err(Error::bug("no join").at(item.span.position()));
        };
        let left_item = self.table_expr(left, parent, lateral)?;
        // The right side sees the left one and what stands before the whole join.
        let mut around = left_item.scope(parent);
        around.relations.extend(lateral.relations.iter().cloned());
        around.columns.extend(lateral.columns.iter().cloned());
        let right_item = self.table_expr(right, parent, &around)?;
        let seen = left_item.scope(parent);
        for relation in &right_item.relations {
            seen.check_alias(&relation.alias, right.span)?;
        }
        let joined = match condition {
            JoinCondition::Cross => cross(left_item, right_item)?,
            JoinCondition::On(on) => {
                let mut scope = left_item.scope(parent);
                scope.relations.extend(right_item.relations.iter().cloned());
                scope.columns.extend(right_item.columns.iter().cloned());
                let mut cx = Cx::plain(&scope, "JOIN conditions");
                let on = self.condition(on, "JOIN/ON", &mut cx)?;
                let mut columns = left_item.columns.clone();
                columns.extend(right_item.columns.iter().cloned());
                join_items(left_item, right_item, *kind, on, columns)?
            }
            JoinCondition::Using { columns, alias } => {
                let item = self.join_using(left_item, right_item, *kind, columns)?;
                match alias {
                    Some(alias) => using_alias(item, alias, columns),
                    None => item,
                }
            }
            JoinCondition::Natural => {
                let shared = left_item
                    .columns
                    .iter()
                    .filter(|l| right_item.columns.iter().any(|r| r.name == l.name))
                    .map(|l| Ident { span: item.span, ..Ident::new(l.name.clone()) })
                    .collect::<Vec<_>>();
                self.join_using(left_item, right_item, *kind, &shared)?
            }
        };
        let Some(alias) = alias else { return Ok(joined) };
        let (name, renamed) = alias_of(Some(alias), "unnamed_join");
        let columns = rename_columns(joined.columns, renamed, &name)?;
        let relation = ScopeRelation {
            alias: name,
            schema: None,
            columns: columns.clone(),
            table: None,
            hidden: false,
        };
        let mut relations = joined.relations;
        for inner in &mut relations {
            inner.hidden = true;
        }
        relations.push(relation);
        Ok(FromItem { source: joined.source, relations, columns })
    }

    fn join_using(
        &mut self,
        left: FromItem,
        right: FromItem,
        kind: JoinKind,
        names: &[Ident],
    ) -> Result<FromItem> {
        let mut tests: Option<Expr> = None;
        let mut merged = Vec::with_capacity(names.len());
        for name in names {
            let l = using_column(&left.columns, name, "left")?.clone();
            let r = using_column(&right.columns, name, "right")?.clone();
            let l_typed = Typed::new(l.expr.clone(), l.ty, name.span);
            let r_typed = Typed::new(r.expr.clone(), r.ty, name.span);
            let test = self.equals(l_typed.clone(), r_typed.clone(), name.span)?.expr;
            tests = Some(match tests {
                Some(tests) => tests.and(test),
                None => test,
            });
            let (mut unified, ty) = self.unify(vec![l_typed, r_typed], "JOIN/USING")?;
            let (r_expr, l_expr) = (unified.pop().map(|v| v.expr), unified.pop().map(|v| v.expr));
            let (Some(l_expr), Some(r_expr)) = (l_expr, r_expr) else {
                return Err(Error::bug("USING lost a side"));
            };
            let (expr, origin) = match kind {
                JoinKind::Inner | JoinKind::Left => (l_expr, l.origin),
                JoinKind::Right => (r_expr, r.origin),
                JoinKind::Full => {
                    let test = Box::new(Expr::IsNotNull(Box::new(l_expr.clone())));
                    let case =
                        Case::new(None, vec![(test, Box::new(l_expr))], Some(Box::new(r_expr)));
                    (Expr::Case(case), None)
                }
            };
            merged.push(ScopeColumn { name: name.value.clone(), ty, expr, origin, hidden: false });
        }
        let used = |column: &ScopeColumn| names.iter().any(|name| name.value == column.name);
        let mut columns = merged;
        columns.extend(left.columns.iter().filter(|c| !used(c)).cloned());
        columns.extend(right.columns.iter().filter(|c| !used(c)).cloned());
        let on = tests.unwrap_or_else(|| boolean(true));
        join_items(left, right, kind, on, columns)
    }
}

fn join_items(
    left: FromItem,
    right: FromItem,
    kind: JoinKind,
    on: Expr,
    columns: Vec<ScopeColumn>,
) -> Result<FromItem> {
    let left_plan = plan_of(left.source)?;
    let join_type = match kind {
        JoinKind::Inner => JoinType::Inner,
        JoinKind::Left => JoinType::Left,
        JoinKind::Right => JoinType::Right,
        JoinKind::Full => JoinType::Full,
    };
    let plan = match right.source {
        Source::Functions(spread) if kind == JoinKind::Inner && spread.refers_to(&left_plan) => {
            let spread = spread.resolve(&left_plan)?;
            let plan = spread_over(left_plan, spread, NullHandling::Drop)?;
            crate::bind::query::filter(plan, on)?
        }
        source => {
            let right_plan = plan_of(source)?;
            let on = (on != boolean(true)).then_some(on);
            match lateral_side(right_plan, &left_plan)? {
                Side::Row(right) if matches!(kind, JoinKind::Inner | JoinKind::Left) => {
                    LateralNode::join(left_plan, right, kind == JoinKind::Left, on)
                }
                Side::Row(_) => return Err(lateral_refused()),
                Side::Plain(right) => {
                    let builder = LogicalPlanBuilder::from(left_plan);
                    match on {
                        None if kind == JoinKind::Inner => builder.cross_join(right),
                        on => {
                            let on = on.unwrap_or_else(|| boolean(true));
                            builder.join_on(right, join_type, [on])
                        }
                    }
                    .and_then(LogicalPlanBuilder::build)
                }
            }
            .map_err(from_datafusion)?
        }
    };
    let mut relations = left.relations;
    relations.extend(right.relations);
    Ok(FromItem { source: Source::Plan(plan), relations, columns })
}

fn using_alias(item: FromItem, alias: &Ident, names: &[Ident]) -> FromItem {
    let columns = item
        .columns
        .iter()
        .filter(|column| names.iter().any(|name| name.value == column.name))
        .cloned()
        .collect();
    let mut relations = item.relations;
    relations.push(ScopeRelation {
        alias: alias.value.clone(),
        schema: None,
        columns,
        table: None,
        hidden: false,
    });
    FromItem { relations, ..item }
}

fn lateral_refused() -> Error {
    Error::new(
        SqlState::INVALID_COLUMN_REFERENCE,
        "invalid reference to FROM-clause entry of the left side",
    )
    .with_detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
}

fn using_column<'c>(
    columns: &'c [ScopeColumn],
    name: &Ident,
    side: &str,
) -> Result<&'c ScopeColumn> {
    let position = name.span.position();
    let mut found = columns.iter().filter(|column| column.name == name.value);
    match (found.next(), found.next()) {
        (Some(column), None) => Ok(column),
        (None, _) => Err(Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!(
                "column \"{}\" specified in USING clause does not exist in {side} table",
                name.value
            ),
        )
        .at(position)),
        (Some(_), Some(_)) => Err(Error::new(
            SqlState::AMBIGUOUS_COLUMN,
            format!("common column name \"{}\" appears more than once in {side} table", name.value),
        )
        .at(position)),
    }
}
