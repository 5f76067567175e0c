//! Rows as values: ROW(…) and names of relations, of type record.

use std::sync::Arc;

use datafusion::logical_expr::Volatility as DfVolatility;
use oxi_base::Result;
use oxi_model::{Datum, descriptor::TypeRef};
use oxi_types::{
    builtin::args::{RecordField, record_decode, record_encode},
    oid,
};

use crate::{
    ast::{self, ExprKind, Span},
    bind::{Binder, array::closure_call, expr::Cx, select::star, typed::Typed},
};

/// What a row becomes whose fields are all NULL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RowNulls {
    /// A row of NULLs.
    Fields,
    /// NULL.
    Whole,
}

/// A row of named fields as a value.
pub(crate) fn row_value(fields: Vec<(String, Typed)>, nulls: RowNulls, span: Span) -> Typed {
    let (names, values): (Vec<String>, Vec<Typed>) = fields.into_iter().unzip();
    let types: Vec<TypeRef> = values.iter().map(|value| value.ty).collect();
    let identity = format!("row({names:?},{types:?},{nulls:?})");
    let closure = move |_: &_, args: &[Datum]| {
        if nulls == RowNulls::Whole && !args.is_empty() && args.iter().all(Datum::is_null) {
            return Ok(Datum::Null);
        }
        let fields = names.iter().zip(&types).zip(args);
        let fields = fields.map(|((name, ty), value)| RecordField {
            name: name.clone(),
            reference: TypeRef::plain(ty.oid),
            value: value.clone(),
        });
        record_encode(&fields.collect::<Vec<_>>())
    };
    let volatility = DfVolatility::Immutable;
    let expr =
        closure_call("row", identity, values, oid::RECORD, false, volatility, Arc::new(closure));
    Typed::plain(expr, oid::RECORD, span)
}

/// Whether a row value is NULL as SQL means it: all fields are, or none is.
pub(crate) fn row_is_null(value: Typed, negated: bool, span: Span) -> Typed {
    let closure = move |_: &_, args: &[Datum]| {
        let Some(Datum::Bytes(bytes)) = args.first() else { return Ok(Datum::Bool(!negated)) };
        let fields = record_decode(bytes)?;
        Ok(Datum::Bool(fields.iter().all(|field| field.value.is_null() != negated)))
    };
    let identity = format!("row_is_null({negated})");
    let volatility = DfVolatility::Immutable;
    let closure = Arc::new(closure);
    let expr =
        closure_call("row_is_null", identity, vec![value], oid::BOOL, false, volatility, closure);
    Typed::plain(expr, oid::BOOL, span)
}

impl Binder<'_> {
    /// `ROW(…)`.
    pub(crate) fn row(&mut self, list: &[ast::Expr], span: Span, cx: &mut Cx<'_>) -> Result<Typed> {
        let mut values = Vec::with_capacity(list.len());
        for item in list {
            if let ExprKind::Star(parts) = &item.kind {
                for column in star(parts, cx.scope, item.span)? {
                    values.push(Typed::new(column.expr.clone(), column.ty, item.span));
                }
                continue;
            }
            let value = self.expr(item, cx)?;
            values.push(self.resolve_unknown(value)?);
        }
        let named = values.into_iter().enumerate();
        let fields = named.map(|(index, value)| (format!("f{}", index + 1), value)).collect();
        Ok(row_value(fields, RowNulls::Fields, span))
    }
}
