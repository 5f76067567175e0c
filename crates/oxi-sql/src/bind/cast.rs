//! Conversions as expressions: implicit, on assignment, and written.

use std::sync::Arc;

use datafusion::{
    common::ScalarValue,
    logical_expr::{Cast as DfCast, Expr, Volatility as DfVolatility},
};
use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, PhysicalType, array::arrow_type, descriptor::TypeRef};
use oxi_types::{
    EvalContext,
    builtin::{CastContext, CastMethod, cast_value},
    io, oid,
    pg_type::{self, format_type},
};

use crate::{
    bind::{
        Binder,
        coerce::{Pathway, can_coerce, element_of, pathway, type_name},
        typed::{Typed, parameter},
    },
    function::{
        udf::{BuiltinUdf, Definition, Implementation},
        value::{datum_of_literal, literal_of, null_scalar, physical_of},
    },
};

impl Binder<'_> {
    /// Converts to a type where the context allows it.
    ///
    /// # Errors
    /// `42846` (explicit) or `42804`; errors of reading a literal, with its position.
    pub(crate) fn coerce(
        &mut self,
        value: Typed,
        target: TypeRef,
        context: CastContext,
    ) -> Result<Typed> {
        let span = value.span;
        let explicit = context == CastContext::Explicit;
        if value.is_unknown() {
            return self.coerce_unknown(value, target, explicit);
        }
        if value.ty.oid == target.oid {
            return apply_typmod(value, target, explicit);
        }
        let Some(path) = pathway(value.ty.oid, target.oid, context) else {
            return Err(cannot_coerce(&value, target, context));
        };
        let source = value.ty;
        let expr = self.convert(value.expr, source, target.oid, path, span)?;
        let converted = Typed::plain(expr, target.oid, span);
        apply_typmod(converted, target, explicit)
    }

    /// Converts implicitly to a type without modifier.
    pub(crate) fn coerce_to(&mut self, value: Typed, target: u32) -> Result<Typed> {
        if value.ty.oid == target && !value.is_unknown() {
            return Ok(value);
        }
        self.coerce(value, TypeRef::plain(target), CastContext::Implicit)
    }

    /// Decides what is still unknown: text.
    pub(crate) fn resolve_unknown(&mut self, value: Typed) -> Result<Typed> {
        if value.is_unknown() { self.coerce_to(value, oid::TEXT) } else { Ok(value) }
    }

    /// Converts to boolean for AND, WHERE and the like.
    pub(crate) fn coerce_bool(&mut self, value: Typed, construct: &str) -> Result<Typed> {
        if value.is_unknown() || value.ty.oid == oid::BOOL {
            return self.coerce_to(value, oid::BOOL);
        }
        if can_coerce(value.ty.oid, oid::BOOL, CastContext::Assignment)
            && pathway(value.ty.oid, oid::BOOL, CastContext::Implicit).is_some()
        {
            return self.coerce_to(value, oid::BOOL);
        }
        Err(Error::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "argument of {construct} must be type boolean, not type {}",
                format_type(TypeRef::plain(value.ty.oid))
            ),
        )
        .at(value.span.position()))
    }

    fn coerce_unknown(&mut self, value: Typed, target: TypeRef, explicit: bool) -> Result<Typed> {
        let span = value.span;
        if target.oid == oid::UNKNOWN || target.oid == oid::ANY {
            return Ok(value);
        }
        match &value.expr {
            Expr::Literal(scalar, _) if scalar.is_null() => {
                let null = null_scalar(&physical_of(target.oid))?;
                Ok(Typed::new(Expr::Literal(null, None), target, span))
            }
            Expr::Literal(ScalarValue::Utf8View(Some(text)), _) => {
                // Only interval input looks at the modifier; the others cut or round afterwards.
                let read =
                    if target.oid == oid::INTERVAL { target } else { TypeRef::plain(target.oid) };
                let datum = io::text_in(self.context.eval, read, text)
                    .and_then(|datum| io::apply_typmod(target, datum, explicit))
                    .map_err(|error| error.at(span.position()))?;
                Ok(Typed::new(literal_of(&datum, target.oid)?, target, span))
            }
            Expr::Placeholder(placeholder) => {
                let number = placeholder.id.trim_start_matches('$').parse::<u32>().unwrap_or(0);
                let typed = self.decide_parameter(number, target.oid, span)?;
                apply_typmod(typed, target, explicit)
            }
            _ => {
                // A column that is still unknown holds text.
                let text = Typed::plain(value.expr, oid::TEXT, span);
                if target.oid == oid::TEXT {
                    return Ok(text);
                }
                let expr = self.convert(text.expr, text.ty, target.oid, Pathway::InOut, span)?;
                apply_typmod(Typed::plain(expr, target.oid, span), target, explicit)
            }
        }
    }

    fn decide_parameter(
        &mut self,
        number: u32,
        type_oid: u32,
        span: crate::ast::Span,
    ) -> Result<Typed> {
        let index = (number as usize).wrapping_sub(1);
        let Some(slot) = self.context.param_types.get_mut(index) else {
            return Err(Error::bug(format!("parameter ${number} was not seen")));
        };
        match *slot {
            Some(known) if known != oid::UNKNOWN && known != type_oid => {
                // Another place decided first: convert from there.
                let typed = parameter(number, known, span);
                if can_coerce(known, type_oid, CastContext::Assignment) {
                    return self.coerce(typed, TypeRef::plain(type_oid), CastContext::Assignment);
                }
                Err(Error::new(
                    SqlState::AMBIGUOUS_PARAMETER,
                    format!("inconsistent types deduced for parameter ${number}"),
                )
                .with_detail(format!("{} versus {}", type_name(known), type_name(type_oid)))
                .at(span.position()))
            }
            _ => {
                *slot = Some(type_oid);
                Ok(parameter(number, type_oid, span))
            }
        }
    }

    fn convert(
        &mut self,
        expr: Expr,
        source: TypeRef,
        target: u32,
        path: Pathway,
        span: crate::ast::Span,
    ) -> Result<Expr> {
        let (from, to) = (physical_of(source.oid), physical_of(target));
        if matches!(path, Pathway::Cast(CastMethod::Binary)) && from == to {
            return Ok(expr);
        }
        if let Pathway::Elements = path
            && from == to
            && elements_are_binary(source.oid, target)
        {
            return Ok(expr);
        }
        if let Some(datum) = datum_of_literal(&expr, source.oid) {
            let result = convert_value(self.context.eval, source, target, &datum)
                .map_err(|error| error.at(span.position()))?;
            return literal_of(&result, target);
        }
        if widens(&from, &to) {
            return Ok(Expr::Cast(DfCast::new(Box::new(expr), arrow_type(&to))));
        }
        let volatility = cast_volatility(source.oid, target, path);
        if volatility != DfVolatility::Immutable {
            self.note_volatility(oxi_types::builtin::Volatility::Stable);
        }
        Ok(BuiltinUdf::new(Definition {
            name: type_name(target),
            identity: format!("cast({},{},{target})", source.oid, source.typmod),
            args: vec![from],
            returns: to,
            strict: true,
            volatility,
            implementation: Implementation::Closure(Arc::new(move |context, args| {
                convert_value(context, source, target, &first(args))
            })),
        })
        .call_expr(vec![expr]))
    }
}

/// Applies a length, precision or the like.
fn apply_typmod(value: Typed, target: TypeRef, explicit: bool) -> Result<Typed> {
    if target.typmod < 0 || value.ty.typmod == target.typmod {
        let typmod = if target.typmod < 0 { value.ty.typmod } else { target.typmod };
        let kept = if value.ty.oid == target.oid && !explicit { typmod } else { target.typmod };
        return Ok(Typed { ty: TypeRef { oid: target.oid, typmod: kept }, ..value });
    }
    let span = value.span;
    if let Some(datum) = datum_of_literal(&value.expr, target.oid) {
        let datum =
            io::apply_typmod(target, datum, explicit).map_err(|error| error.at(span.position()))?;
        return Ok(Typed::new(literal_of(&datum, target.oid)?, target, span));
    }
    let physical = physical_of(target.oid);
    let kind = if explicit { "explicit" } else { "assignment" };
    let expr = BuiltinUdf::new(Definition {
        name: format_type(target),
        identity: format!("typmod({},{},{kind})", target.oid, target.typmod),
        args: vec![physical.clone()],
        returns: physical,
        strict: true,
        volatility: DfVolatility::Immutable,
        implementation: Implementation::Closure(Arc::new(move |_, args| {
            io::apply_typmod(target, first(args), explicit)
        })),
    })
    .call_expr(vec![value.expr]);
    Ok(Typed::new(expr, target, span))
}

fn cannot_coerce(value: &Typed, target: TypeRef, context: CastContext) -> Error {
    let position = value.span.position();
    let (from, to) = (type_name(value.ty.oid), type_name(target.oid));
    match context {
        CastContext::Explicit => {
            Error::new(SqlState::CANNOT_COERCE, format!("cannot cast type {from} to {to}"))
        }
        _ => Error::new(SqlState::DATATYPE_MISMATCH, format!("cannot convert type {from} to {to}")),
    }
    .at(position)
}

fn first(args: &[Datum]) -> Datum {
    args.first().cloned().unwrap_or_default()
}

fn elements_are_binary(source: u32, target: u32) -> bool {
    match (element_of(source), element_of(target)) {
        (Some(from), Some(to)) => {
            from == to
                || matches!(
                    pathway(from, to, CastContext::Explicit),
                    Some(Pathway::Cast(CastMethod::Binary))
                )
        }
        _ => false,
    }
}

/// Native casts that never fail and agree with PostgreSQL's.
fn widens(from: &PhysicalType, to: &PhysicalType) -> bool {
    use PhysicalType::{Float32, Float64, Int16, Int32, Int64};
    matches!(
        (from, to),
        (Int16, Int32 | Int64 | Float32 | Float64)
            | (Int32, Int64 | Float64)
            | (Int64 | Float32, Float64)
    )
}

fn cast_volatility(source: u32, target: u32, path: Pathway) -> DfVolatility {
    let depends = |type_oid: u32| {
        matches!(
            element_of(type_oid).unwrap_or(type_oid),
            oid::DATE
                | oid::TIME
                | oid::TIMETZ
                | oid::TIMESTAMP
                | oid::TIMESTAMPTZ
                | oid::INTERVAL
                | oid::FLOAT4
                | oid::FLOAT8
                | oid::BYTEA
                | oid::REGCLASS
                | oid::REGTYPE
                | oid::REGPROC
                | oid::REGPROCEDURE
                | oid::REGNAMESPACE
                | oid::REGROLE
        )
    };
    let zoned = |type_oid| matches!(type_oid, oid::TIMESTAMPTZ | oid::TIMETZ);
    let textual = matches!(path, Pathway::InOut | Pathway::Elements)
        || matches!(path, Pathway::Cast(CastMethod::InOut))
        || pg_type::by_oid(source).is_some_and(|row| row.category == 'S')
        || pg_type::by_oid(target).is_some_and(|row| row.category == 'S');
    let stable = (textual && (depends(source) || depends(target)))
        || (zoned(source) != zoned(target) && depends(source) && depends(target));
    if stable { DfVolatility::Stable } else { DfVolatility::Immutable }
}

/// Converts one value. A cast that PostgreSQL does without work may still change how the value
/// lies in memory here: oid is unsigned.
fn convert_value(
    context: &EvalContext,
    source: TypeRef,
    target: u32,
    value: &Datum,
) -> Result<Datum> {
    let result = cast_value(context, source, TypeRef::plain(target), value, true)?;
    Ok(match (result, physical_of(target)) {
        (Datum::Int32(value), PhysicalType::UInt32) => Datum::UInt32(value.cast_unsigned()),
        (Datum::UInt32(value), PhysicalType::Int32) => Datum::Int32(value.cast_signed()),
        (Datum::UInt32(value), PhysicalType::Int64) => Datum::Int64(i64::from(value)),
        (other, _) => other,
    })
}
