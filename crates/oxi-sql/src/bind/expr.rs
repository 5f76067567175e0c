//! Expressions: each form of the tree, its type, and DataFusion's expression for it.

mod conditional;
mod predicate;

use std::collections::BTreeMap;

use datafusion::{
    common::{Column, ScalarValue},
    logical_expr::Expr,
};
use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};
use oxi_types::{builtin::CastContext, io, oid};

use crate::{
    ast::{self, CastSyntax, ExprKind, Literal, NamedWindow, Span, SqlValue},
    bind::{
        Binder,
        array::build_array,
        scope::Scope,
        typed::{Typed, boolean, parameter, unknown_literal},
        types::resolve_type,
    },
    function::{aggregate::ArgumentOrder, value::literal_of},
};

/// Where an expression stands, and what was met while binding it.
pub(crate) struct Cx<'s> {
    /// The names it may use.
    pub(crate) scope: &'s Scope<'s>,
    /// The clause, for messages.
    pub(crate) clause: &'static str,
    /// Aggregates, window functions and set-returning functions may stand here.
    pub(crate) aggregates: bool,
    pub(crate) windows: bool,
    pub(crate) sets: bool,
    /// Inside the arguments of an aggregate or a window function.
    pub(crate) in_aggregate: bool,
    pub(crate) in_window: bool,
    /// What was met.
    pub(crate) found_aggregate: bool,
    pub(crate) found_window: bool,
    pub(crate) found_set: bool,
    /// The WINDOW clause.
    pub(crate) named_windows: &'s [NamedWindow],
    /// The order of the rows, for aggregates that depend on it and name none.
    pub(crate) order: &'s [(Typed, ArgumentOrder)],
    /// The first place of each column outside aggregates, for the grouping error.
    pub(crate) places: BTreeMap<Column, Span>,
}

impl<'s> Cx<'s> {
    /// A place where only plain expressions may stand.
    pub(crate) fn plain(scope: &'s Scope<'s>, clause: &'static str) -> Self {
        Cx {
            scope,
            clause,
            aggregates: false,
            windows: false,
            sets: false,
            in_aggregate: false,
            in_window: false,
            found_aggregate: false,
            found_window: false,
            found_set: false,
            named_windows: &[],
            order: &[],
            places: BTreeMap::new(),
        }
    }
}

impl Binder<'_> {
    /// Binds an expression. String literals and parameters may stay of type unknown.
    pub(crate) fn expr(&mut self, expr: &ast::Expr, cx: &mut Cx<'_>) -> Result<Typed> {
        self.nested(expr.span, |binder| binder.expr_inner(expr, cx))
    }

    /// Binds a condition.
    pub(crate) fn condition(
        &mut self,
        expr: &ast::Expr,
        construct: &str,
        cx: &mut Cx<'_>,
    ) -> Result<Expr> {
        let value = self.expr(expr, cx)?;
        Ok(self.coerce_bool(value, construct)?.expr)
    }

    fn expr_inner(&mut self, expr: &ast::Expr, cx: &mut Cx<'_>) -> Result<Typed> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Literal(literal) => self.literal(literal, span),
            ExprKind::Parameter(number) => self.parameter(*number, span),
            ExprKind::Column(parts) => {
                let column = cx.scope.resolve(parts, span)?;
                if !cx.in_aggregate {
                    note_places(&column.expr, span, &mut cx.places);
                }
                Ok(column)
            }
            ExprKind::Unary { op, operand } => {
                let operand = self.expr(operand, cx)?;
                self.prefix(&op.name, operand, op.span).map(|value| Typed { span, ..value })
            }
            ExprKind::Binary { left, op, right } => self.infix(left, op, right, span, cx),
            ExprKind::And(items) => self.connective(items, true, span, cx),
            ExprKind::Or(items) => self.connective(items, false, span, cx),
            ExprKind::Not(operand) => {
                let operand = self.condition(operand, "NOT", cx)?;
                Ok(Typed::plain(Expr::Not(Box::new(operand)), oid::BOOL, span))
            }
            ExprKind::IsNull { operand, negated } => self.is_null(operand, *negated, span, cx),
            ExprKind::IsBool { operand, test, negated } => {
                self.is_bool(operand, *test, *negated, span, cx)
            }
            ExprKind::IsDistinct { left, right, negated, op } => {
                let left = self.expr(left, cx)?;
                let right = self.expr(right, cx)?;
                self.is_distinct(left, right, *negated, op.span)
                    .map(|value| Typed { span, ..value })
            }
            ExprKind::Like { .. } => self.like(expr, cx),
            ExprKind::Between { .. } => self.between(expr, cx),
            ExprKind::InList { operand, list, negated, op_span } => {
                self.in_list(operand, list, *negated, *op_span, span, cx)
            }
            ExprKind::InSubquery { operand, query, negated, op_span } => {
                self.in_subquery(operand, query, *negated, *op_span, span, cx)
            }
            ExprKind::Quantified { left, op, all, right } => {
                self.quantified(left, op, *all, right, span, cx)
            }
            ExprKind::Exists(query) => self.exists(query, span, cx),
            ExprKind::Subquery(query) => self.scalar_subquery(query, span, cx),
            ExprKind::ArraySubquery(query) => self.array_subquery(query, span, cx),
            ExprKind::Call(call) => self.call(call, cx),
            ExprKind::Coalesce(items) => self.coalesce(items, span, cx),
            ExprKind::NullIf(left, right) => self.null_if(left, right, span, cx),
            ExprKind::Greatest(items) => self.extreme(items, true, span, cx),
            ExprKind::Least(items) => self.extreme(items, false, span, cx),
            ExprKind::SqlValue { function, precision } => {
                self.sql_value(*function, *precision, span)
            }
            ExprKind::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), span, cx)
            }
            ExprKind::Array(items) => self.array(items, span, cx),
            ExprKind::Subscript { base, subscripts } => {
                let base = self.expr(base, cx)?;
                self.subscript(base, subscripts, span, cx)
            }
            ExprKind::Collate { operand, collation } => {
                let value = self.expr(operand, cx)?;
                match collation.last() {
                    "C" | "POSIX" | "default" | "ucs_basic" | "C.UTF-8" | "C.utf8" => Ok(value),
                    other => Err(Error::new(
                        SqlState::UNDEFINED_OBJECT,
                        format!("collation \"{other}\" for encoding \"UTF8\" does not exist"),
                    )
                    .at(collation.span.position())),
                }
            }
            ExprKind::Cast { operand, target, syntax } => {
                self.cast(operand, target, *syntax, span, cx)
            }
            ExprKind::Grouping(items) => self.grouping_call(items, span, cx),
            ExprKind::Star(_) => Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "row expansion via \"*\" is not supported here",
            )
            .at(span.position())),
            ExprKind::Row { fields, .. } => self.row(fields, span, cx),
            ExprKind::Field { base, field } => composite_field(base, field, cx),
            ExprKind::FieldStar(_) => {
                Err(Error::unsupported("composite values are not supported").at(span.position()))
            }
            ExprKind::Default => {
                Err(Error::new(SqlState::SYNTAX_ERROR, "DEFAULT is not allowed in this context")
                    .at(span.position()))
            }
            ExprKind::CurrentOf(_) => {
                Err(Error::unsupported("WHERE CURRENT OF is not supported").at(span.position()))
            }
        }
    }

    fn literal(&mut self, literal: &Literal, span: Span) -> Result<Typed> {
        let at = |error: Error| error.at(span.position());
        Ok(match literal {
            Literal::Null => unknown_literal(None, span),
            Literal::String(text) => unknown_literal(Some(text.clone()), span),
            Literal::Bool(value) => Typed::plain(boolean(*value), oid::BOOL, span),
            Literal::Int4(value) => {
                Typed::plain(Expr::Literal(ScalarValue::Int32(Some(*value)), None), oid::INT4, span)
            }
            Literal::Int8(value) => {
                Typed::plain(Expr::Literal(ScalarValue::Int64(Some(*value)), None), oid::INT8, span)
            }
            Literal::Numeric(text) => self.typed_literal(oid::NUMERIC, text, span)?,
            Literal::BitString(digits) => self.typed_literal(oid::BIT, digits, span)?,
            Literal::HexString(digits) => {
                let bits = digits
                    .chars()
                    .filter_map(|digit| digit.to_digit(16))
                    .map(|digit| format!("{digit:04b}"))
                    .collect::<Vec<_>>()
                    .concat();
                let datum =
                    io::text_in(self.context.eval, TypeRef::plain(oid::BIT), &bits).map_err(at)?;
                Typed::plain(literal_of(&datum, oid::BIT)?, oid::BIT, span)
            }
        })
    }

    fn typed_literal(&mut self, type_oid: u32, text: &str, span: Span) -> Result<Typed> {
        let datum = io::text_in(self.context.eval, TypeRef::plain(type_oid), text)
            .map_err(|error| error.at(span.position()))?;
        Ok(Typed::plain(literal_of(&datum, type_oid)?, type_oid, span))
    }

    fn parameter(&mut self, number: u32, span: Span) -> Result<Typed> {
        if number == 0 || number > 65535 {
            return Err(Error::new(
                SqlState::UNDEFINED_PARAMETER,
                format!("there is no parameter ${number}"),
            )
            .at(span.position()));
        }
        let index = number as usize - 1;
        if self.context.param_types.len() <= index {
            self.context.param_types.resize(index + 1, None);
        }
        let known = self.context.param_types[index].filter(|oid| *oid != 0);
        Ok(parameter(number, known.unwrap_or(oid::UNKNOWN), span))
    }

    fn cast(
        &mut self,
        operand: &ast::Expr,
        target: &ast::TypeName,
        _syntax: CastSyntax,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let target = resolve_type(target)?;
        // An array constructor hands its cast on to the elements.
        if let (ExprKind::Array(items), Some(element)) =
            (&operand.kind, crate::bind::coerce::element_of(target.oid))
        {
            return self.cast_array(items, target, element, operand.span, cx);
        }
        let value = self.expr(operand, cx)?;
        let value = self.coerce(value, target, CastContext::Explicit)?;
        Ok(Typed { ty: TypeRef { oid: target.oid, typmod: target.typmod }, span, ..value })
    }

    fn cast_array(
        &mut self,
        items: &[ast::Expr],
        target: TypeRef,
        element: u32,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let mut nested = false;
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let value = if let ExprKind::Array(inner) = &item.kind {
                nested = true;
                self.cast_array(inner, target, element, item.span, cx)?
            } else {
                let value = self.expr(item, cx)?;
                if crate::bind::coerce::element_of(value.ty.oid).is_some() {
                    nested = true;
                    self.coerce(value, target, CastContext::Explicit)?
                } else {
                    let to = TypeRef { oid: element, typmod: target.typmod };
                    self.coerce(value, to, CastContext::Explicit)?
                }
            };
            values.push(value);
        }
        let common = if nested { target.oid } else { element };
        let array = build_array(values, common, nested, span)?;
        Ok(Typed { ty: target, ..array })
    }

    fn sql_value(
        &mut self,
        function: SqlValue,
        precision: Option<i32>,
        span: Span,
    ) -> Result<Typed> {
        let call = |binder: &mut Self, name: &str| binder.builtin(name, Vec::new(), span);
        let typed = |oid: u32| TypeRef { oid, typmod: precision.unwrap_or(-1) };
        let mut now = |target: TypeRef| {
            let now = call(self, "now")?;
            self.coerce(now, target, CastContext::Explicit)
        };
        match function {
            SqlValue::CurrentDate => now(TypeRef::plain(oid::DATE)),
            SqlValue::CurrentTime => now(typed(oid::TIMETZ)),
            SqlValue::CurrentTimestamp => now(typed(oid::TIMESTAMPTZ)),
            SqlValue::LocalTime => now(typed(oid::TIME)),
            SqlValue::LocalTimestamp => now(typed(oid::TIMESTAMP)),
            SqlValue::CurrentRole | SqlValue::CurrentUser | SqlValue::User => {
                call(self, "current_user")
            }
            SqlValue::SessionUser => call(self, "session_user"),
            SqlValue::CurrentCatalog => call(self, "current_database"),
            SqlValue::CurrentSchema => call(self, "current_schema"),
        }
    }
}

/// A literal value of a type, for what binding itself makes.
pub(crate) fn constant(datum: &Datum, type_oid: u32, span: Span) -> Result<Typed> {
    Ok(Typed::plain(literal_of(datum, type_oid)?, type_oid, span))
}

fn composite_field(base: &ast::Expr, field: &ast::Ident, cx: &mut Cx<'_>) -> Result<Typed> {
    if let ExprKind::Column(parts) = &base.kind {
        let mut parts = parts.clone();
        parts.push(field.clone());
        return cx.scope.resolve(&parts, base.span);
    }
    Err(Error::unsupported("composite values are not supported").at(field.span.position()))
}

fn note_places(expr: &Expr, span: Span, places: &mut BTreeMap<Column, Span>) {
    if let Expr::Column(column) = expr {
        places.entry(column.clone()).or_insert(span);
    }
}
