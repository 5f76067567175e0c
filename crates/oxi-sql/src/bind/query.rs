//! Queries as a whole: WITH, the body, ORDER BY and LIMIT.

use datafusion::{
    common::{Column, tree_node::TreeNode},
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder},
};
use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::TypeRef;
use oxi_types::{builtin::CastContext, oid};

use crate::{
    ast::{Query, QueryBody, ValuesRow},
    bind::{
        Binder, OutputField,
        expr::Cx,
        order::order_outputs,
        scope::Scope,
        typed::{Typed, bare_column},
    },
    function::error::from_datafusion,
};

/// A column of a bound query.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// Its name in SQL.
    pub(crate) name: String,
    /// Its type.
    pub(crate) ty: TypeRef,
    /// Its name in the plan, unqualified and unique.
    pub(crate) column: String,
    /// Table oid and attnum if it is a table's column unchanged.
    pub(crate) origin: Option<(u32, i16)>,
}

impl Output {
    pub(crate) fn expr(&self) -> Expr {
        bare_column(&self.column)
    }
}

/// A query whose plan yields exactly its outputs, in order.
#[derive(Clone, Debug)]
pub(crate) struct BoundPlan {
    pub(crate) plan: LogicalPlan,
    pub(crate) outputs: Vec<Output>,
}

impl BoundPlan {
    pub(crate) fn fields(&self) -> Vec<OutputField> {
        self.outputs
            .iter()
            .map(|output| OutputField {
                name: output.name.clone(),
                data_type: output.ty,
                table_oid: output.origin.map_or(0, |(table, _)| table),
                column_number: output.origin.map_or(0, |(_, column)| column),
            })
            .collect()
    }
}

/// What unknown literals of a query's columns become; text where nothing is said.
pub(crate) type Hints<'h> = &'h [Option<u32>];

impl Binder<'_> {
    /// Binds a query inside a scope.
    pub(crate) fn query(
        &mut self,
        query: &Query,
        parent: &Scope<'_>,
        hints: Hints<'_>,
    ) -> Result<BoundPlan> {
        self.nested(query.span, |binder| {
            let ctes = binder.ctes.len();
            if let Some(with) = &query.with {
                binder.with(with, parent)?;
            }
            let result = binder.query_body(query, parent, hints);
            binder.ctes.truncate(ctes);
            result
        })
    }

    fn query_body(
        &mut self,
        query: &Query,
        parent: &Scope<'_>,
        hints: Hints<'_>,
    ) -> Result<BoundPlan> {
        if query.with_ties {
            return Err(Error::unsupported("WITH TIES is not supported").at(query.span.position()));
        }
        let bound = match &query.body {
            QueryBody::Select(select) => return self.select(select, query, parent, hints),
            QueryBody::Values(rows) => self.values(rows, parent, hints)?,
            QueryBody::Set { op, all, left, right, op_span } => {
                self.set_operation(*op, *all, left, right, *op_span, parent, hints)?
            }
        };
        if let Some(locking) = query.locking.first() {
            return Err(Error::unsupported(format!(
                "FOR UPDATE is not allowed with {}",
                if matches!(query.body, QueryBody::Values(_)) {
                    "VALUES"
                } else {
                    "UNION/INTERSECT/EXCEPT"
                }
            ))
            .at(locking.span.position()));
        }
        let plan = order_outputs(bound.plan, &bound.outputs, &query.order_by)?;
        let plan = self.limit(plan, query, parent)?;
        Ok(BoundPlan { plan, outputs: bound.outputs })
    }

    fn values(
        &mut self,
        rows: &[ValuesRow],
        parent: &Scope<'_>,
        hints: Hints<'_>,
    ) -> Result<BoundPlan> {
        let width = rows.first().map_or(0, |row| row.values.len());
        let mut columns: Vec<Vec<Typed>> = vec![Vec::with_capacity(rows.len()); width];
        let scope = Scope::inside(parent);
        for row in rows {
            if row.values.len() != width {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    "VALUES lists must all be the same length",
                )
                .at(row.span.position()));
            }
            for (index, value) in row.values.iter().enumerate() {
                let mut cx = Cx::plain(&scope, "VALUES");
                let value = self.expr(value, &mut cx)?;
                let value = match hints.get(index) {
                    Some(Some(hint)) if value.is_unknown() => self.coerce_to(value, *hint)?,
                    _ => value,
                };
                columns[index].push(value);
            }
        }
        let mut types = Vec::with_capacity(width);
        let mut unified = Vec::with_capacity(width);
        for column in columns {
            let (column, ty) = self.unify(column, "VALUES")?;
            types.push(ty);
            unified.push(column.into_iter());
        }
        let exprs = (0..rows.len())
            .map(|_| unified.iter_mut().filter_map(|c| c.next().map(|v| v.expr)).collect())
            .collect::<Vec<Vec<Expr>>>();
        let outputs = types
            .iter()
            .enumerate()
            .map(|(index, ty)| Output {
                name: format!("column{}", index + 1),
                ty: *ty,
                column: format!("column{}", index + 1),
                origin: None,
            })
            .collect::<Vec<_>>();
        let plan = values_plan(exprs, &outputs)?;
        Ok(BoundPlan { plan, outputs })
    }

    /// LIMIT and OFFSET.
    pub(crate) fn limit(
        &mut self,
        plan: LogicalPlan,
        query: &Query,
        parent: &Scope<'_>,
    ) -> Result<LogicalPlan> {
        let scope = Scope::inside(parent);
        let mut bound = |expr: &Option<crate::ast::Expr>, word: &'static str, code: SqlState| {
            let Some(expr) = expr else { return Ok(None) };
            let mut cx = Cx::plain(&scope, word);
            let value = self.expr(expr, &mut cx)?;
            let value = self.coerce(value, TypeRef::plain(oid::INT8), CastContext::Assignment)?;
            if value.is_null_literal() {
                return Ok(None);
            }
            if value.expr.any_column_refs() {
                return Err(Error::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    format!("argument of {word} must not contain variables"),
                )
                .at(expr.span.position()));
            }
            if let Expr::Literal(datafusion::common::ScalarValue::Int64(Some(count)), _) =
                &value.expr
                && *count < 0
            {
                return Err(Error::new(code, format!("{word} must not be negative")));
            }
            Ok(Some(value.expr))
        };
        let fetch = bound(&query.limit, "LIMIT", SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE)?;
        let skip =
            bound(&query.offset, "OFFSET", SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE)?;
        if fetch.is_none() && skip.is_none() {
            return Ok(plan);
        }
        LogicalPlanBuilder::from(plan)
            .limit_by_expr(skip, fetch)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)
    }

    /// Projects a plan onto its outputs with other types.
    pub(crate) fn coerce_outputs(
        &mut self,
        bound: BoundPlan,
        types: &[TypeRef],
        context: CastContext,
        span: crate::ast::Span,
    ) -> Result<BoundPlan> {
        if bound.outputs.iter().zip(types).all(|(output, ty)| output.ty.oid == ty.oid) {
            return Ok(bound);
        }
        let mut outputs = bound.outputs;
        let mut exprs = Vec::with_capacity(outputs.len());
        for (output, ty) in outputs.iter_mut().zip(types) {
            let value = Typed::new(output.expr(), output.ty, span);
            let value = self.coerce(value, TypeRef::plain(ty.oid), context)?;
            output.ty = value.ty;
            output.origin = None;
            exprs.push(value.expr.alias(&output.column));
        }
        let plan = project(bound.plan, exprs)?;
        Ok(BoundPlan { plan, outputs })
    }
}

/// A projection.
pub(crate) fn project(plan: LogicalPlan, exprs: Vec<Expr>) -> Result<LogicalPlan> {
    LogicalPlanBuilder::from(plan)
        .project(exprs)
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

/// A filter.
pub(crate) fn filter(plan: LogicalPlan, predicate: Expr) -> Result<LogicalPlan> {
    LogicalPlanBuilder::from(plan)
        .filter(predicate)
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

/// Every column of a plan as expressions.
pub(crate) fn all_columns(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema()
        .iter()
        .map(|(qualifier, field)| Expr::Column(Column::new(qualifier.cloned(), field.name())))
        .collect()
}

/// Rows of expressions as a plan. A single row, and rows with subqueries, are projections over
/// one empty row, which may hold any expression.
pub(crate) fn values_plan(rows: Vec<Vec<Expr>>, outputs: &[Output]) -> Result<LogicalPlan> {
    let named = |row: Vec<Expr>| {
        row.into_iter()
            .zip(outputs)
            .map(|(expr, output)| expr.alias(&output.column))
            .collect::<Vec<_>>()
    };
    let one_row = || LogicalPlanBuilder::empty(true);
    // Values are computed while the plan is made: nothing volatile, and no subqueries.
    let simple = |expr: &Expr| {
        matches!(expr, Expr::Literal(..) | Expr::Placeholder(_))
            || (!expr.is_volatile()
                && !crate::bind::modify::has_subquery(expr)
                && !expr
                    .exists(|e| Ok(matches!(e, Expr::OuterReferenceColumn(..) | Expr::Column(_))))
                    .unwrap_or(true))
    };
    if rows.len() > 1 && rows.iter().flatten().all(simple) {
        let fields = outputs
            .iter()
            .map(|output| {
                let physical = crate::function::value::physical_of(output.ty.oid);
                let data_type = oxi_model::array::arrow_type(&physical);
                arrow_schema::Field::new(&output.column, data_type, true)
            })
            .collect::<Vec<_>>();
        let schema = datafusion::common::DFSchema::from_unqualified_fields(
            fields.into(),
            std::collections::HashMap::default(),
        )
        .map_err(from_datafusion)?;
        return Ok(LogicalPlan::Values(datafusion::logical_expr::Values {
            schema: std::sync::Arc::new(schema),
            values: rows,
        }));
    }
    let mut plans = rows.into_iter().map(|row| one_row().project(named(row)));
    let first = match plans.next() {
        Some(first) => first,
        None => one_row().project(Vec::<Expr>::new()),
    }
    .map_err(from_datafusion)?;
    let rest = plans.collect::<datafusion::common::Result<Vec<_>>>().map_err(from_datafusion)?;
    let mut builder = first;
    for row in rest {
        let plan = row.build().map_err(from_datafusion)?;
        builder = builder.union(plan).map_err(from_datafusion)?;
    }
    builder.build().map_err(from_datafusion)
}
