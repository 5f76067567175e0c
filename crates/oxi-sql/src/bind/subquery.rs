//! Subqueries in expressions.

use std::sync::Arc;

use datafusion::{
    common::{
        Spans,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{
        Aggregate, Expr, LogicalPlan, Subquery,
        expr::{Exists, InSubquery, SetComparison, SetQuantifier},
        utils::{conjunction, split_conjunction_owned},
    },
};
use oxi_base::{Error, Result, SqlState};
use oxi_types::{
    builtin::{CastContext, OperatorKind},
    oid,
};

use crate::{
    ast::{self, ExprKind, OperatorName, Query, Span},
    bind::{
        Binder,
        candidate::aggregates,
        coerce::{array_of, can_coerce, common_type},
        compare::native_operator,
        expr::Cx,
        modify::has_subquery,
        operator::pick_operator,
        query::{BoundPlan, project},
        scope::Scope,
        typed::{Typed, bare_column},
    },
    function::{
        BuiltinUdaf,
        aggregate::ArgumentOrder,
        error::from_datafusion,
        key::{key, key_orders},
    },
};
use oxi_model::descriptor::TypeRef;

/// A plan as DataFusion's subquery.
pub(crate) fn subquery(plan: LogicalPlan) -> Subquery {
    Subquery {
        outer_ref_columns: plan.all_out_ref_exprs(),
        subquery: Arc::new(plan),
        spans: Spans::new(),
    }
}

impl Binder<'_> {
    fn inner_query(&mut self, query: &Query, cx: &Cx<'_>) -> Result<BoundPlan> {
        self.query(query, cx.scope, &[])
    }

    fn one_column(&mut self, query: &Query, span: Span, cx: &Cx<'_>) -> Result<BoundPlan> {
        let bound = self.inner_query(query, cx)?;
        if bound.outputs.len() != 1 {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "subquery must return only one column")
                .at(span.position()));
        }
        Ok(bound)
    }

    pub(crate) fn exists(&mut self, query: &Query, span: Span, cx: &mut Cx<'_>) -> Result<Typed> {
        let bound = self.inner_query(query, cx)?;
        let expr = Expr::Exists(Exists::new(subquery(bound.plan), false));
        Ok(Typed::plain(expr, oid::BOOL, span))
    }

    pub(crate) fn scalar_subquery(
        &mut self,
        query: &Query,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let bound = self.one_column(query, span, cx)?;
        let output = bound.outputs[0].clone();
        scalar_of(bound.plan, output.ty, &output.column, span, cx.scope)
    }

    pub(crate) fn array_subquery(
        &mut self,
        query: &Query,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let position = span.position();
        let bound = self.one_column(query, span, cx)?;
        let output = bound.outputs[0].clone();
        let undefined = || {
            Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!(
                    "could not find array type for data type {}",
                    crate::bind::coerce::type_name(output.ty.oid)
                ),
            )
            .at(position)
        };
        let (declared, result) = if crate::bind::coerce::element_of(output.ty.oid).is_some() {
            (oid::ANYARRAY, output.ty.oid)
        } else {
            (oid::ANYNONARRAY, array_of(output.ty.oid).ok_or_else(undefined)?)
        };
        let row = aggregates("array_agg")
            .iter()
            .find(|row| row.args == [declared] || row.args == [oid::ANYELEMENT])
            .ok_or_else(|| Error::unsupported("ARRAY(SELECT …) is not supported").at(position))?;
        // The order of the subquery is the order of the elements.
        let (input, keys) = match sorted_input(&bound.plan)? {
            Some(sorted) => sorted,
            None => (
                number_rows(bound.plan, &output.column)?,
                vec![(bare_column("__number"), ArgumentOrder::ascending(oid::INT8))],
            ),
        };
        let (values, order): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        let context = Arc::new(oxi_types::EvalContext::fixed(0));
        let udaf =
            BuiltinUdaf::new(row, vec![output.ty], order, result, false, context).into_udaf();
        let args = std::iter::once(bare_column(&output.column)).chain(values).collect();
        let aggregate = udaf.call(args);
        let plan = LogicalPlan::Aggregate(
            Aggregate::try_new(Arc::new(input), Vec::new(), vec![aggregate.alias("array")])
                .map_err(from_datafusion)?,
        );
        let empty = self.coerce(
            crate::bind::typed::unknown_literal(Some("{}".to_owned()), span),
            TypeRef::plain(result),
            CastContext::Implicit,
        )?;
        let value = Expr::ScalarSubquery(subquery(plan));
        let case = datafusion::logical_expr::Case::new(
            None,
            vec![(Box::new(Expr::IsNull(Box::new(value.clone()))), Box::new(empty.expr))],
            Some(Box::new(value)),
        );
        Ok(Typed::plain(Expr::Case(case), result, span))
    }

    pub(crate) fn in_subquery(
        &mut self,
        operand: &ast::Expr,
        query: &Query,
        negated: bool,
        op_span: Span,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        if let ExprKind::Row { fields, .. } = &operand.kind {
            return self.row_in_subquery(fields, query, negated, op_span, span, cx);
        }
        let left = self.expr(operand, cx)?;
        let bound = self.inner_query(query, cx)?;
        if bound.outputs.len() != 1 {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "subquery has too many columns")
                .at(op_span.position()));
        }
        let (left, plan) = self.match_column(left, bound, OperatorKind::Eq, "=", op_span)?;
        let expr = Expr::InSubquery(InSubquery::new(Box::new(left), subquery(plan), negated));
        Ok(Typed::plain(expr, oid::BOOL, span))
    }

    /// Makes the left side and the subquery's one column natively comparable.
    fn match_column(
        &mut self,
        left: Typed,
        bound: BoundPlan,
        kind: OperatorKind,
        name: &str,
        op_span: Span,
    ) -> Result<(Expr, LogicalPlan)> {
        let output = bound.outputs[0].clone();
        let right = Typed::new(output.expr(), output.ty, op_span);
        pick_operator(name, Some(left.ty.oid), right.ty.oid, op_span)?;
        let left = if left.is_unknown() { self.coerce_to(left, right.ty.oid)? } else { left };
        let pair = if let Some(pair) = self.comparable(kind, &left, &right)? {
            pair
        } else {
            let common = common_type(&[left.ty.oid, right.ty.oid], "IN", &[])
                .ok()
                .filter(|common| {
                    [left.ty.oid, right.ty.oid]
                        .iter()
                        .all(|from| can_coerce(*from, *common, CastContext::Implicit))
                })
                .filter(|common| kind == OperatorKind::Eq || key_orders(*common))
                .ok_or_else(|| {
                    Error::unsupported("this comparison with a subquery is not supported")
                        .at(op_span.position())
                })?;
            let left = self.coerce_to(left, common)?;
            let right = self.coerce_to(right, common)?;
            (key(left.expr, common), key(right.expr, common))
        };
        // The engine looks for the column in the plan's head, and sees none in nodes of ours.
        let has_head = bound.plan.head_output_expr().map_err(from_datafusion)?.is_some();
        let plan = if has_head && pair.1 == output.expr() {
            bound.plan
        } else {
            project(bound.plan, vec![pair.1.alias(&output.column)])?
        };
        Ok((pair.0, plan))
    }

    /// `(a, b) IN (SELECT …)`: a subquery over both that is correlated with the row.
    fn row_in_subquery(
        &mut self,
        fields: &[ast::Expr],
        query: &Query,
        negated: bool,
        op_span: Span,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let bound = self.inner_query(query, cx)?;
        if bound.outputs.len() != fields.len() {
            let message = if bound.outputs.len() > fields.len() {
                "subquery has too many columns"
            } else {
                "subquery has too few columns"
            };
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(op_span.position()));
        }
        if negated {
            return Err(
                Error::unsupported("row NOT IN (SELECT …) is not supported").at(op_span.position())
            );
        }
        let outer = Scope::inside(cx.scope);
        let mut test: Option<Expr> = None;
        for (field, output) in fields.iter().zip(&bound.outputs) {
            let mut inner = Cx::plain(&outer, "IN");
            let left = self.expr(field, &mut inner)?;
            let right = Typed::new(output.expr(), output.ty, op_span);
            let equal = self.equals(left, right, op_span)?.expr;
            test = Some(match test {
                Some(test) => test.and(equal),
                None => equal,
            });
        }
        let plan = match test {
            Some(test) => crate::bind::query::filter(bound.plan, test)?,
            None => bound.plan,
        };
        let expr = Expr::Exists(Exists::new(subquery(plan), false));
        Ok(Typed::plain(expr, oid::BOOL, span))
    }

    pub(crate) fn quantified_subquery(
        &mut self,
        left: &ast::Expr,
        op: &OperatorName,
        all: bool,
        query: &Query,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let left = self.expr(left, cx)?;
        let bound = self.inner_query(query, cx)?;
        if bound.outputs.len() != 1 {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "subquery has too many columns")
                .at(op.span.position()));
        }
        let kind = OperatorKind::of(&op.name, true);
        let Some(native) = native_operator(kind) else {
            return Err(Error::unsupported(
                "this operator with ANY/ALL (SELECT …) is not supported",
            )
            .at(op.span.position()));
        };
        let (left, plan) = self.match_column(left, bound, kind, &op.name, op.span)?;
        let quantifier = if all { SetQuantifier::All } else { SetQuantifier::Any };
        let expr = Expr::SetComparison(SetComparison::new(
            Box::new(left),
            subquery(plan),
            native,
            quantifier,
        ));
        Ok(Typed::plain(expr, oid::BOOL, span))
    }
}

/// A plan of one column as a value.
pub(crate) fn scalar_of(
    plan: LogicalPlan,
    ty: TypeRef,
    column: &str,
    span: Span,
    scope: &Scope<'_>,
) -> Result<Typed> {
    let correlated = !plan.all_out_ref_exprs().is_empty();
    if !correlated || yields_one_row(&plan) {
        return Ok(Typed::new(Expr::ScalarSubquery(subquery(plan)), ty, span));
    }
    let (plan, guard) = outer_conditions(plan, scope)?;
    let value = Expr::ScalarSubquery(subquery(single_row(plan, column)?));
    let expr = match guard {
        None => value,
        Some(guard) => Expr::Case(datafusion::logical_expr::Case::new(
            None,
            vec![(Box::new(guard), Box::new(value))],
            None,
        )),
    };
    Ok(Typed::new(expr, ty, span))
}

/// Whether a plan is an aggregate without groups, which yields one row whatever comes.
fn yields_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => yields_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => yields_one_row(&alias.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

/// Takes conditions that speak of the outer row alone out of a subquery: without them DataFusion
/// can turn more subqueries into joins. Such a condition guards the whole value.
fn outer_conditions(plan: LogicalPlan, scope: &Scope<'_>) -> Result<(LogicalPlan, Option<Expr>)> {
    let LogicalPlan::Projection(projection) = &plan else { return Ok((plan, None)) };
    let LogicalPlan::Filter(filter) = projection.input.as_ref() else { return Ok((plan, None)) };
    let (outer, inner): (Vec<_>, Vec<_>) =
        split_conjunction_owned(filter.predicate.clone()).into_iter().partition(|part| {
            part.contains_outer()
                && !part.any_column_refs()
                && !has_subquery(part)
                && !part.exists(|expr| Ok(is_farther(expr, scope))).unwrap_or(true)
        });
    let Some(guard) = conjunction(outer) else { return Ok((plan, None)) };
    let guard = guard
        .transform_up(|expr| match expr {
            Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
            other => Ok(Transformed::no(other)),
        })
        .map_err(from_datafusion)?
        .data;
    let input = filter.input.as_ref().clone();
    let input = match conjunction(inner) {
        Some(inner) => crate::bind::query::filter(input, inner)?,
        None => input,
    };
    Ok((project(input, projection.expr.clone())?, Some(guard)))
}

/// Whether an expression refers to a query farther out than the scope's own.
fn is_farther(expr: &Expr, scope: &Scope<'_>) -> bool {
    let Expr::OuterReferenceColumn(_, column) = expr else { return false };
    let own = scope.relations.iter().flat_map(|relation| &relation.columns);
    !own.into_iter().any(|known| matches!(&known.expr, Expr::Column(c) if c == column))
}

/// Wraps a plan so that it yields one row: NULL where there was none, `21000` where several.
fn single_row(plan: LogicalPlan, name: &str) -> Result<LogicalPlan> {
    let data_type = plan.schema().field(0).data_type().clone();
    let call = crate::function::single::SingleUdaf::call_expr(bare_column(name), data_type);
    Ok(LogicalPlan::Aggregate(
        Aggregate::try_new(Arc::new(plan), Vec::new(), vec![call.alias(name)])
            .map_err(from_datafusion)?,
    ))
}

/// Adds `__number`: the position of each row in the query's order.
fn number_rows(plan: LogicalPlan, column: &str) -> Result<LogicalPlan> {
    let number = crate::bind::distinct::row_number(Vec::new(), sorts_of(&plan));
    let name = number.schema_name().to_string();
    let plan = datafusion::logical_expr::LogicalPlanBuilder::from(plan)
        .window(vec![number])
        .and_then(datafusion::logical_expr::LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    let number = Expr::Cast(datafusion::logical_expr::Cast::new(
        Box::new(bare_column(&name)),
        arrow_schema::DataType::Int64,
    ));
    project(plan, vec![bare_column(column), number.alias("__number")])
}

/// The sort keys on top of a plan, where they are over its own columns.
fn sorts_of(plan: &LogicalPlan) -> Vec<datafusion::logical_expr::SortExpr> {
    match plan {
        LogicalPlan::Sort(sort) => sort.expr.clone(),
        LogicalPlan::Limit(limit) => sorts_of(&limit.input),
        _ => Vec::new(),
    }
}

/// What a plan sorts and by what, if sorting is the last thing it does. A plan that does not sort
/// has no keys; `None` if the order cannot be told so (LIMIT).
#[allow(clippy::type_complexity, reason = "a plan and its keys")]
fn sorted_input(plan: &LogicalPlan) -> Result<Option<(LogicalPlan, Vec<(Expr, ArgumentOrder)>)>> {
    let sort = match plan {
        LogicalPlan::Sort(sort) => sort,
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Sort(sort) => sort,
            LogicalPlan::Limit(_) => return Ok(None),
            _ => return Ok(Some((plan.clone(), Vec::new()))),
        },
        LogicalPlan::Limit(_) => return Ok(None),
        _ => return Ok(Some((plan.clone(), Vec::new()))),
    };
    if sort.fetch.is_some() {
        return Ok(None);
    }
    let mut keys = Vec::with_capacity(sort.expr.len());
    for key in &sort.expr {
        let data_type = datafusion::logical_expr::ExprSchemable::get_type(
            &key.expr,
            sort.input.schema().as_ref(),
        )
        .map_err(from_datafusion)?;
        let Some(type_oid) = plain_type(&data_type) else { return Ok(None) };
        let order = ArgumentOrder { type_oid, descending: !key.asc, nulls_first: key.nulls_first };
        keys.push((key.expr.clone(), order));
    }
    Ok(Some((sort.input.as_ref().clone(), keys)))
}

/// A SQL type whose order is the Arrow type's.
pub(super) fn plain_type(data_type: &arrow_schema::DataType) -> Option<u32> {
    use arrow_schema::DataType;
    Some(match data_type {
        DataType::Boolean => oid::BOOL,
        DataType::Int16 => oid::INT2,
        DataType::Int32 => oid::INT4,
        DataType::Int64 => oid::INT8,
        DataType::UInt32 => oid::OID,
        DataType::Float32 => oid::FLOAT4,
        DataType::Float64 => oid::FLOAT8,
        DataType::Date32 => oid::DATE,
        DataType::Utf8View => oid::TEXT,
        DataType::BinaryView => oid::BYTEA,
        DataType::Timestamp(_, None) => oid::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => oid::TIMESTAMPTZ,
        _ => return None,
    })
}
