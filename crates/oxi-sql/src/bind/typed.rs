//! Expressions with their SQL types.

use arrow_schema::Field;
use datafusion::{
    common::{Column, ScalarValue, TableReference},
    logical_expr::{Expr, expr::Placeholder},
};
use oxi_model::{array::arrow_type, descriptor::TypeRef};
use oxi_types::oid;
use std::sync::Arc;

use crate::{ast::Span, function::value::physical_of};

/// An expression, its SQL type, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    /// The expression.
    pub(crate) expr: Expr,
    /// Its type; `unknown` for string literals, NULL and parameters not yet decided.
    pub(crate) ty: TypeRef,
    /// Where it stands.
    pub(crate) span: Span,
}

impl Typed {
    pub(crate) fn new(expr: Expr, ty: TypeRef, span: Span) -> Self {
        Typed { expr, ty, span }
    }

    pub(crate) fn plain(expr: Expr, type_oid: u32, span: Span) -> Self {
        Typed { expr, ty: TypeRef::plain(type_oid), span }
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.ty.oid == oid::UNKNOWN
    }

    pub(crate) fn is_null_literal(&self) -> bool {
        matches!(&self.expr, Expr::Literal(scalar, _) if scalar.is_null())
    }
}

/// A string literal of type unknown.
pub(crate) fn unknown_literal(text: Option<String>, span: Span) -> Typed {
    Typed::plain(Expr::Literal(ScalarValue::Utf8View(text), None), oid::UNKNOWN, span)
}

/// A parameter of a known or unknown type.
pub(crate) fn parameter(number: u32, type_oid: u32, span: Span) -> Typed {
    let field = (type_oid != oid::UNKNOWN)
        .then(|| Arc::new(Field::new("", arrow_type(&physical_of(type_oid)), true)));
    let expr = Expr::Placeholder(Placeholder::new_with_field(format!("${number}"), field));
    Typed::plain(expr, type_oid, span)
}

/// A column under a relation name.
pub(crate) fn column(qualifier: &TableReference, name: &str) -> Expr {
    Expr::Column(Column::new(Some(qualifier.clone()), name))
}

/// A column without relation name.
pub(crate) fn bare_column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// A boolean literal.
pub(crate) fn boolean(value: bool) -> Expr {
    Expr::Literal(ScalarValue::Boolean(Some(value)), None)
}
