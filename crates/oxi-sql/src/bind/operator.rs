//! Operators: which row is meant, and the expression that computes it.

use datafusion::{
    common::ScalarValue,
    logical_expr::{Expr, Like, Volatility as DfVolatility, expr_fn::not},
};
use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::TypeRef;
use oxi_types::{
    builtin::{Operator, OperatorKind, Volatility},
    oid,
};

use crate::{
    ast::Span,
    bind::{
        Binder,
        candidate::{Candidate, Choice, choose_operator},
        coerce::{Generic, type_name},
        typed::Typed,
    },
    function::{
        udf::{BuiltinUdf, Definition, Implementation},
        value::physical_of,
    },
};

/// DataFusion's word for a volatility.
pub(crate) fn df_volatility(volatility: Volatility) -> DfVolatility {
    match volatility {
        Volatility::Immutable => DfVolatility::Immutable,
        Volatility::Stable => DfVolatility::Stable,
        Volatility::Volatile => DfVolatility::Volatile,
    }
}

impl Binder<'_> {
    /// An infix operator.
    pub(crate) fn binary(
        &mut self,
        name: &str,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Result<Typed> {
        let candidate = pick_operator(name, Some(left.ty.oid), right.ty.oid, span)?;
        self.apply_operator(&candidate, vec![left, right], span)
    }

    /// A prefix operator.
    pub(crate) fn prefix(&mut self, name: &str, operand: Typed, span: Span) -> Result<Typed> {
        let candidate = pick_operator(name, None, operand.ty.oid, span)?;
        self.apply_operator(&candidate, vec![operand], span)
    }

    /// Converts the operands and builds the expression.
    pub(crate) fn apply_operator(
        &mut self,
        candidate: &Candidate<&'static Operator>,
        operands: Vec<Typed>,
        span: Span,
    ) -> Result<Typed> {
        let operator = candidate.target;
        let actual = operands.iter().map(|operand| operand.ty.oid).collect::<Vec<_>>();
        let generic = Generic::resolve(&candidate.args, &actual).ok_or_else(|| {
            let names = actual.iter().map(|oid| type_name(*oid)).collect::<Vec<_>>();
            Error::new(
                SqlState::UNDEFINED_FUNCTION,
                format!("operator does not exist: {}", names.join(&format!(" {} ", operator.name))),
            )
            .with_hint(
                "No operator matches the given name and argument types. You might need to add explicit type casts.",
            )
            .at(span.position())
        })?;
        let mut args = Vec::with_capacity(operands.len());
        for (operand, declared) in operands.into_iter().zip(&candidate.args) {
            args.push(self.coerce_argument(operand, *declared, generic)?);
        }
        let result = generic.concrete(operator.result).unwrap_or(operator.result);
        if let [left, right] = args.as_slice() {
            if let Some(expr) = self.comparison(operator, left, right)? {
                return Ok(Typed::plain(expr, oid::BOOL, span));
            }
            if let Some(expr) = simple_like(operator.kind, left, right) {
                return Ok(Typed::plain(expr, oid::BOOL, span));
            }
        }
        self.note_volatility(operator.volatility);
        let types = args.iter().map(|arg| arg.ty).collect::<Vec<TypeRef>>();
        let expr = BuiltinUdf::new(Definition {
            name: operator.function.to_owned(),
            identity: format!("operator({},{types:?})", operator.oid),
            args: types.iter().map(|ty| physical_of(ty.oid)).collect(),
            returns: physical_of(result),
            strict: operator.strict,
            volatility: df_volatility(operator.volatility),
            implementation: Implementation::Static(operator.implementation, types.into()),
        })
        .call_expr(args.into_iter().map(|arg| arg.expr).collect());
        Ok(Typed::plain(expr, result, span))
    }

    /// Converts an argument to its declared type; polymorphic ones to what they resolved to.
    pub(crate) fn coerce_argument(
        &mut self,
        value: Typed,
        declared: u32,
        generic: Generic,
    ) -> Result<Typed> {
        if declared == oid::ANY {
            return self.resolve_unknown(value);
        }
        let target = generic.concrete(declared).unwrap_or(oid::TEXT);
        self.coerce_to(value, target)
    }
}

/// Chooses the row of an operator.
pub(crate) fn pick_operator(
    name: &str,
    left: Option<u32>,
    right: u32,
    span: Span,
) -> Result<Candidate<&'static Operator>> {
    let spelled = || match left {
        Some(left) => format!("{} {name} {}", type_name(left), type_name(right)),
        None => format!("{name} {}", type_name(right)),
    };
    match choose_operator(name, left, right) {
        Choice::One(candidate) => Ok(candidate),
        Choice::None => Err(Error::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("operator does not exist: {}", spelled()),
        )
        .with_hint(
            "No operator matches the given name and argument types. You might need to add explicit type casts.",
        )
        .at(span.position())),
        Choice::Ambiguous => Err(Error::new(
            SqlState::AMBIGUOUS_FUNCTION,
            format!("operator is not unique: {}", spelled()),
        )
        .with_hint(
            "Could not choose a best candidate operator. You might need to add explicit type casts.",
        )
        .at(span.position())),
    }
}

/// LIKE as DataFusion's own where both agree: a literal pattern without escapes.
fn simple_like(kind: OperatorKind, left: &Typed, right: &Typed) -> Option<Expr> {
    let negated = match kind {
        OperatorKind::Like => false,
        OperatorKind::NotLike => true,
        _ => return None,
    };
    if left.ty.oid == oid::BPCHAR || physical_of(left.ty.oid) != oxi_model::PhysicalType::Text {
        return None;
    }
    let Expr::Literal(ScalarValue::Utf8View(Some(pattern)), _) = &right.expr else {
        return None;
    };
    if pattern.contains('\\') {
        return None;
    }
    let like = Expr::Like(Like::new(
        false,
        Box::new(left.expr.clone()),
        Box::new(right.expr.clone()),
        None,
        false,
    ));
    Some(if negated { not(like) } else { like })
}
