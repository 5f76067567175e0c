//! Calls: functions, set-returning functions, casts in the form of calls.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, expr::Unnest};
use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};
use oxi_types::{
    builtin::{CastContext, Function},
    io, oid, pg_type,
};

use crate::{
    ast::{FunctionCall, Span},
    bind::{
        Binder,
        candidate::{self, Candidate, Choice, choose, function_candidates},
        coerce::{Generic, element_of, is_polymorphic, type_name},
        expr::{Cx, constant},
        operator::df_volatility,
        typed::Typed,
    },
    function::{
        set::{Element, SetUdf},
        udf::{BuiltinUdf, Definition, Implementation},
        value::{literal_of, physical_of},
    },
};

/// A set-returning call: the list it yields and the columns of its rows.
pub(crate) struct SetCall {
    /// The list, for Unnest.
    pub(crate) list: Expr,
    /// Column names and types; one without name for a plain value.
    pub(crate) columns: Vec<(String, TypeRef)>,
    /// Whether the elements are rows.
    pub(crate) is_row: bool,
    /// The function's name.
    pub(crate) name: String,
}

/// The oid of `pg_typeof`, which tells what other functions never see: that a type is unknown.
const PG_TYPEOF: u32 = 1619;

impl Binder<'_> {
    pub(super) fn call(&mut self, call: &FunctionCall, cx: &mut Cx<'_>) -> Result<Typed> {
        let name = call.name.last();
        if !candidate::windows(name).is_empty() && candidate::aggregates(name).is_empty()
            || call.over.is_some()
        {
            return self.window_call(call, cx);
        }
        if !candidate::aggregates(name).is_empty() || call.star {
            return self.aggregate_call(call, cx);
        }
        if call.distinct || !call.order_by.is_empty() || call.filter.is_some() {
            let (what, code) = if call.distinct {
                ("DISTINCT specified", SqlState::WRONG_OBJECT_TYPE)
            } else if call.filter.is_some() {
                ("FILTER specified", SqlState::WRONG_OBJECT_TYPE)
            } else {
                ("ORDER BY specified", SqlState::WRONG_OBJECT_TYPE)
            };
            return Err(Error::new(
                code,
                format!("{what}, but {name} is not an aggregate function"),
            )
            .at(call.span.position()));
        }
        let args = self.call_args(call, cx)?;
        let function = match pick_function(call, &args) {
            Ok(function) => function,
            Err(error) => {
                return match self.call_as_cast(call, &args)? {
                    Some(value) => Ok(value),
                    None => Err(error),
                };
            }
        };
        if function.target.returns_set {
            if !cx.sets || cx.in_aggregate {
                return Err(Error::unsupported(format!(
                    "set-returning functions are not allowed in {}",
                    cx.clause
                ))
                .at(call.span.position()));
            }
            cx.found_set = true;
            let set = self.set_call(&function, args, call)?;
            let [(_, ty)] = set.columns.as_slice() else {
                return Err(Error::unsupported(
                    "a function that returns rows is supported in FROM only",
                )
                .at(call.span.position()));
            };
            let ty = *ty;
            let expr = Expr::Unnest(Unnest { expr: Box::new(set.list), outer: false });
            return Ok(Typed::new(expr, ty, call.span));
        }
        if function.target.oid == PG_TYPEOF && args.iter().all(Typed::is_unknown) {
            return constant(&Datum::UInt32(oid::UNKNOWN), oid::REGTYPE, call.span);
        }
        self.apply_function(&function, args, call.variadic, call.span)
    }

    /// The bound arguments of a call.
    pub(crate) fn call_args(&mut self, call: &FunctionCall, cx: &mut Cx<'_>) -> Result<Vec<Typed>> {
        let mut args = Vec::with_capacity(call.args.len());
        let mut named = Vec::new();
        for argument in &call.args {
            let value = self.expr(&argument.value, cx)?;
            match &argument.name {
                Some(name) => named.push((name, value)),
                None if named.is_empty() => args.push(value),
                None => {
                    return Err(Error::new(
                        SqlState::SYNTAX_ERROR,
                        "positional argument cannot follow named argument",
                    )
                    .at(value.span.position()));
                }
            }
        }
        if named.is_empty() {
            return Ok(args);
        }
        self.place_named(call, args, named)
    }

    /// `typename(x)`: a cast, where no function fits.
    fn call_as_cast(&mut self, call: &FunctionCall, args: &[Typed]) -> Result<Option<Typed>> {
        let [arg] = args else { return Ok(None) };
        let Some(row) = pg_type::by_typname(call.name.last()) else { return Ok(None) };
        let castable = arg.is_unknown()
            || crate::bind::coerce::pathway(arg.ty.oid, row.oid, CastContext::Explicit).is_some();
        if !castable {
            return Ok(None);
        }
        self.coerce(arg.clone(), TypeRef::plain(row.oid), CastContext::Explicit).map(Some)
    }

    /// A call of a built-in by name, for what the grammar spells without a call.
    pub(crate) fn builtin(&mut self, name: &str, args: Vec<Typed>, span: Span) -> Result<Typed> {
        let actual = args.iter().map(|arg| arg.ty.oid).collect::<Vec<_>>();
        match choose(function_candidates(name, args.len(), false), &actual) {
            Choice::One(candidate) => self.apply_function(&candidate, args, false, span),
            _ => Err(undefined_function(name, &actual, span)),
        }
    }

    /// Converts the arguments to what the function declares, adds defaults, and reports the
    /// function's concrete result type.
    fn prepare_args(
        &mut self,
        candidate: &Candidate<&'static Function>,
        args: Vec<Typed>,
        span: Span,
    ) -> Result<(Vec<Typed>, TypeRef)> {
        let function = candidate.target;
        let actual = args.iter().map(|arg| arg.ty.oid).collect::<Vec<_>>();
        let mut generic = Generic::resolve(&candidate.args, &actual)
            .ok_or_else(|| undefined_function(function.name, &actual, span))?;
        if candidate.args.iter().any(|declared| is_polymorphic(*declared))
            && candidate
                .args
                .iter()
                .zip(&actual)
                .all(|(declared, actual)| !is_polymorphic(*declared) || *actual == oid::UNKNOWN)
        {
            // Only unknown input: text where that makes sense, else no decision is possible.
            if candidate.args.iter().any(|declared| {
                matches!(*declared, oid::ANYARRAY | oid::ANYELEMENT | oid::ANYNONARRAY)
            }) {
                let polymorphic =
                    candidate.args.iter().all(|declared| !matches!(*declared, oid::ANYARRAY));
                if !polymorphic {
                    return Err(Error::new(
                        SqlState::DATATYPE_MISMATCH,
                        "could not determine polymorphic type because input has type unknown",
                    )
                    .at(span.position()));
                }
                generic = Generic::resolve(&[oid::ANYELEMENT], &[oid::TEXT]).unwrap_or(generic);
            }
        }
        let mut converted = Vec::with_capacity(function.args.len());
        for (arg, declared) in args.into_iter().zip(&candidate.args) {
            converted.push(self.coerce_argument(arg, *declared, generic)?);
        }
        if !candidate.spread && converted.len() < function.args.len() {
            let missing = function.args.len() - converted.len();
            let defaults = &function.defaults[function.defaults.len().saturating_sub(missing)..];
            for (declared, text) in function.args[converted.len()..].iter().zip(defaults) {
                let datum = io::text_in(self.context.eval, TypeRef::plain(*declared), text)?;
                converted.push(Typed::plain(literal_of(&datum, *declared)?, *declared, span));
            }
        }
        let result = match generic.concrete(function.returns) {
            Some(result) => result,
            None => converted.first().map_or(oid::TEXT, |arg| arg.ty.oid),
        };
        Ok((converted, TypeRef::plain(result)))
    }

    pub(crate) fn apply_function(
        &mut self,
        candidate: &Candidate<&'static Function>,
        args: Vec<Typed>,
        variadic: bool,
        span: Span,
    ) -> Result<Typed> {
        let function = candidate.target;
        let (args, result) = self.prepare_args(candidate, args, span)?;
        self.note_volatility(function.volatility);
        let types = args.iter().map(|arg| arg.ty).collect::<Vec<_>>();
        let implementation = if variadic && function.variadic {
            spread_call(function, &types)
        } else {
            Implementation::Static(function.implementation, types.clone().into())
        };
        let expr = BuiltinUdf::new(Definition {
            name: function.name.to_owned(),
            identity: format!("function({},{types:?},{variadic})", function.oid),
            args: types.iter().map(|ty| physical_of(ty.oid)).collect(),
            returns: physical_of(result.oid),
            strict: function.strict,
            volatility: df_volatility(function.volatility),
            implementation,
        })
        .call_expr(args.into_iter().map(|arg| arg.expr).collect());
        Ok(Typed::new(expr, result, span))
    }

    pub(crate) fn set_call(
        &mut self,
        candidate: &Candidate<&'static Function>,
        args: Vec<Typed>,
        call: &FunctionCall,
    ) -> Result<SetCall> {
        let function = candidate.target;
        let (args, result) = self.prepare_args(candidate, args, call.span)?;
        self.note_volatility(function.volatility);
        let types = args.iter().map(|arg| arg.ty).collect::<Vec<_>>();
        let is_row = !function.columns.is_empty();
        let columns = if is_row {
            let actual = types.iter().map(|ty| ty.oid).collect::<Vec<_>>();
            let generic = Generic::resolve(&candidate.args, &actual).unwrap_or_default();
            function
                .columns
                .iter()
                .map(|(name, declared)| {
                    let oid = generic.concrete(*declared).unwrap_or(*declared);
                    ((*name).to_owned(), TypeRef::plain(oid))
                })
                .collect()
        } else {
            vec![(function.name.to_owned(), result)]
        };
        let element = if is_row {
            Element::Row(
                columns.iter().map(|(name, ty)| (name.clone(), physical_of(ty.oid))).collect(),
            )
        } else {
            Element::Value(physical_of(result.oid))
        };
        let list = SetUdf::new(function, types, element)
            .call_expr(args.into_iter().map(|arg| arg.expr).collect());
        Ok(SetCall { list, columns, is_row, name: function.name.to_owned() })
    }
}

pub(crate) fn pick_function(
    call: &FunctionCall,
    args: &[Typed],
) -> Result<Candidate<&'static Function>> {
    let name = call.name.last();
    let candidates = match call.name.schema() {
        None | Some("pg_catalog") => function_candidates(name, args.len(), call.variadic),
        Some(_) => Vec::new(),
    };
    let actual = args.iter().map(|arg| arg.ty.oid).collect::<Vec<_>>();
    match choose(candidates, &actual) {
        Choice::One(candidate) => Ok(candidate),
        Choice::None => Err(undefined_function(
            &call.name.texts().join("."),
            &actual,
            call.span,
        )),
        Choice::Ambiguous => Err(Error::new(
            SqlState::AMBIGUOUS_FUNCTION,
            format!("function {} is not unique", signature(name, &actual)),
        )
        .with_hint(
            "Could not choose a best candidate function. You might need to add explicit type casts.",
        )
        .at(call.span.position())),
    }
}

/// A variadic function called with an array: its elements become the arguments.
fn spread_call(function: &'static Function, types: &[TypeRef]) -> Implementation {
    let fixed = types.len().saturating_sub(1);
    let leading = types[..fixed].to_vec();
    let element = types
        .last()
        .and_then(|last| element_of(last.oid))
        .map_or(TypeRef::plain(oid::TEXT), TypeRef::plain);
    let implementation = function.implementation;
    Implementation::Closure(Arc::new(move |context, args| {
        let Some((Datum::List(list), head)) = args.split_last() else {
            return Ok(Datum::Null);
        };
        let mut values = head.to_vec();
        values.extend(list.elements.iter().cloned());
        let mut types = leading.clone();
        types.resize(values.len(), element);
        implementation.call(context, &types, &values)
    }))
}

/// `name(integer, text)`.
pub(crate) fn signature(name: &str, actual: &[u32]) -> String {
    let names = actual.iter().map(|oid| type_name(*oid)).collect::<Vec<_>>();
    format!("{name}({})", names.join(", "))
}

/// `42883` with PostgreSQL's words.
pub(crate) fn undefined_function(name: &str, actual: &[u32], span: Span) -> Error {
    Error::new(
        SqlState::UNDEFINED_FUNCTION,
        format!("function {} does not exist", signature(name, actual)),
    )
    .with_hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    )
    .at(span.position())
}
