//! Arrays: constructors, subscripts, `op ANY (array)`, and GREATEST/LEAST, which work alike.

use std::{cmp::Ordering, sync::Arc};

use datafusion::logical_expr::{Expr, Volatility as DfVolatility};
use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, datum::ListValue, descriptor::TypeRef};
use oxi_types::{
    builtin::{self, OperatorKind},
    compare, oid,
};

use crate::{
    ast::{self, OperatorName, Span, Subscript},
    bind::{
        Binder,
        candidate::choose_operator,
        coerce::{Generic, array_of, common_type, element_of, type_name},
        expr::Cx,
        operator::{df_volatility, pick_operator},
        typed::Typed,
    },
    function::{
        udf::{BuiltinUdf, Closure, Definition, Implementation},
        value::physical_of,
    },
};

pub(crate) fn closure_call(
    name: &str,
    identity: String,
    args: Vec<Typed>,
    returns: u32,
    strict: bool,
    volatility: DfVolatility,
    closure: Closure,
) -> Expr {
    BuiltinUdf::new(Definition {
        name: name.to_owned(),
        identity,
        args: args.iter().map(|arg| physical_of(arg.ty.oid)).collect(),
        returns: physical_of(returns),
        strict,
        volatility,
        implementation: Implementation::Closure(closure),
    })
    .call_expr(args.into_iter().map(|arg| arg.expr).collect())
}

impl Binder<'_> {
    /// Converts values to their common type.
    pub(crate) fn unify(
        &mut self,
        values: Vec<Typed>,
        construct: &str,
    ) -> Result<(Vec<Typed>, TypeRef)> {
        let types = values.iter().map(|value| value.ty.oid).collect::<Vec<_>>();
        let positions = values.iter().map(|value| value.span.position()).collect::<Vec<_>>();
        let common = common_type(&types, construct, &positions)?;
        // A modifier survives only where all agree.
        let typmod = match values.split_first() {
            Some((first, rest))
                if first.ty.oid == common && rest.iter().all(|value| value.ty == first.ty) =>
            {
                first.ty.typmod
            }
            _ => -1,
        };
        let values = values
            .into_iter()
            .map(|value| {
                let position = value.span.position();
                let from = value.ty.oid;
                self.coerce_to(value, common).map_err(|error| {
                    if error.code() == SqlState::DATATYPE_MISMATCH {
                        Error::new(
                            SqlState::CANNOT_COERCE,
                            format!(
                                "{construct} could not convert type {} to {}",
                                type_name(from),
                                type_name(common)
                            ),
                        )
                        .at(position)
                    } else {
                        error
                    }
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok((values, TypeRef { oid: common, typmod }))
    }

    /// `ARRAY[…]`.
    pub(crate) fn array(
        &mut self,
        items: &[ast::Expr],
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        if items.is_empty() {
            return Err(Error::new(
                SqlState::INDETERMINATE_DATATYPE,
                "cannot determine type of empty array",
            )
            .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
            .at(span.position()));
        }
        let values = items.iter().map(|item| self.expr(item, cx)).collect::<Result<Vec<_>>>()?;
        let nested = items.iter().all(|item| matches!(item.kind, ast::ExprKind::Array(_)))
            || values.iter().any(|value| element_of(value.ty.oid).is_some());
        let (values, common) = self.unify(values, "ARRAY")?;
        build_array(values, common.oid, nested, span)
    }

    /// `a[i]`, `a[l:u]`.
    pub(crate) fn subscript(
        &mut self,
        base: Typed,
        subscripts: &[Subscript],
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        if base.ty.oid == oid::JSONB {
            return self.json_subscript(base, subscripts, span, cx);
        }
        let Some(element) = element_of(base.ty.oid) else {
            return Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "cannot subscript type {} because it does not support subscripting",
                    type_name(base.ty.oid)
                ),
            )
            .at(base.span.position()));
        };
        let slice = subscripts.iter().any(|s| matches!(s, Subscript::Slice { .. }));
        // Vectors of the catalog count from 0.
        let mut args = vec![base.clone()];
        let mut shape = Vec::new();
        for subscript in subscripts {
            let mut bound = |binder: &mut Self, expr: &ast::Expr| -> Result<()> {
                let value = binder.expr(expr, cx)?;
                let value = binder.coerce(
                    value,
                    TypeRef::plain(oid::INT4),
                    builtin::CastContext::Assignment,
                )?;
                args.push(value);
                Ok(())
            };
            match subscript {
                Subscript::Index(index) => {
                    bound(self, index)?;
                    shape.push((false, true));
                }
                Subscript::Slice { lower, upper } => {
                    if let Some(lower) = lower {
                        bound(self, lower)?;
                    }
                    if let Some(upper) = upper {
                        bound(self, upper)?;
                    }
                    shape.push((lower.is_some(), upper.is_some()));
                }
            }
        }
        let result = if slice { base.ty.oid } else { element };
        let identity = format!("subscript({},{slice},{shape:?})", base.ty.oid);
        let closure: Closure = Arc::new(move |_, args| {
            let Some((Datum::List(list), bounds)) = args.split_first() else {
                return Ok(Datum::Null);
            };
            if bounds.iter().any(Datum::is_null) {
                return Ok(Datum::Null);
            }
            let bounds = bounds
                .iter()
                .map(|bound| match bound {
                    Datum::Int32(value) => *value,
                    _ => 0,
                })
                .collect::<Vec<_>>();
            Ok(if slice { take_slice(list, &shape, &bounds) } else { take_item(list, &bounds) })
        });
        let expr = closure_call(
            "subscript",
            identity,
            args,
            result,
            false,
            DfVolatility::Immutable,
            closure,
        );
        Ok(Typed::plain(expr, result, span))
    }

    fn json_subscript(
        &mut self,
        base: Typed,
        subscripts: &[Subscript],
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let mut value = base;
        for subscript in subscripts {
            let Subscript::Index(index) = subscript else {
                return Err(Error::new(
                    SqlState::DATATYPE_MISMATCH,
                    "jsonb subscript does not support slices",
                )
                .at(span.position()));
            };
            let index = self.expr(index, cx)?;
            value = self.binary("->", value, index, span)?;
        }
        Ok(value)
    }

    /// `left op ANY|ALL (array)`.
    pub(crate) fn quantified_array(
        &mut self,
        left: Typed,
        op: &OperatorName,
        all: bool,
        right: Typed,
        span: Span,
    ) -> Result<Typed> {
        let right = if right.is_unknown() {
            // A literal array takes the left side's type.
            let left_type = if left.is_unknown() { oid::TEXT } else { left.ty.oid };
            let array = array_of(left_type).unwrap_or(oid::_TEXT);
            self.coerce_to(right, array)?
        } else {
            right
        };
        let Some(element) = element_of(right.ty.oid) else {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                "op ANY/ALL (array) requires array on right side",
            )
            .at(op.span.position()));
        };
        let candidate = pick_operator(&op.name, Some(left.ty.oid), element, op.span)?;
        let row = candidate.target;
        if row.result != oid::BOOL {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                "op ANY/ALL (array) requires operator to yield boolean",
            )
            .at(op.span.position()));
        }
        let generic =
            Generic::resolve(&candidate.args, &[left.ty.oid, element]).unwrap_or_default();
        let left_declared = candidate.args.first().copied().unwrap_or(left.ty.oid);
        let right_declared = candidate.args.get(1).copied().unwrap_or(element);
        let left = self.coerce_argument(left, left_declared, generic)?;
        let item = generic.concrete(right_declared).unwrap_or(element);
        let array_type = array_of(item).unwrap_or(right.ty.oid);
        let right = self.coerce_to(right, array_type)?;
        let types: Arc<[TypeRef]> = [left.ty, TypeRef::plain(item)].into();
        let implementation = row.implementation;
        self.note_volatility(row.volatility);
        let closure: Closure = Arc::new(move |context, args| {
            let [value, array] = args else { return Ok(Datum::Null) };
            let Datum::List(list) = array else { return Ok(Datum::Null) };
            let mut unknown = false;
            for element in &list.elements {
                if value.is_null() || element.is_null() {
                    unknown = true;
                    continue;
                }
                match implementation.call(context, &types, &[value.clone(), element.clone()])? {
                    Datum::Bool(result) if result != all => return Ok(Datum::Bool(result)),
                    Datum::Null => unknown = true,
                    _ => {}
                }
            }
            Ok(if unknown { Datum::Null } else { Datum::Bool(all) })
        });
        let name = if all { "op_all" } else { "op_any" };
        let identity = format!("{name}({},{:?},{})", row.oid, left.ty, item);
        let expr = closure_call(
            name,
            identity,
            vec![left, right],
            oid::BOOL,
            false,
            df_volatility(row.volatility),
            closure,
        );
        Ok(Typed::plain(expr, oid::BOOL, span))
    }

    /// GREATEST and LEAST.
    pub(crate) fn extreme(
        &mut self,
        items: &[ast::Expr],
        greatest: bool,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let construct = if greatest { "GREATEST" } else { "LEAST" };
        let values = items.iter().map(|item| self.expr(item, cx)).collect::<Result<Vec<_>>>()?;
        let (values, common) = self.unify(values, construct)?;
        let type_oid = common.oid;
        if !matches!(choose_operator("<", Some(type_oid), type_oid),
            crate::bind::candidate::Choice::One(c) if c.target.kind == OperatorKind::Lt)
        {
            return Err(Error::new(
                SqlState::UNDEFINED_FUNCTION,
                format!(
                    "could not identify a comparison function for type {}",
                    type_name(type_oid)
                ),
            )
            .at(span.position()));
        }
        let wanted = if greatest { Ordering::Greater } else { Ordering::Less };
        let closure: Closure = Arc::new(move |_, args| {
            let mut best = Datum::Null;
            for arg in args.iter().filter(|arg| !arg.is_null()) {
                if best.is_null() || compare::compare(type_oid, arg, &best) == wanted {
                    best = arg.clone();
                }
            }
            Ok(best)
        });
        let expr = closure_call(
            &construct.to_lowercase(),
            format!("{construct}({type_oid})"),
            values,
            type_oid,
            false,
            DfVolatility::Immutable,
            closure,
        );
        Ok(Typed::new(expr, common, span))
    }
}

/// The array with one element changed (`a[i] = v`); grows by NULLs as needed.
pub(crate) fn set_element(array: Typed, index: Typed, value: Typed, span: Span) -> Typed {
    let ty = array.ty;
    let closure: Closure = Arc::new(|_, args| {
        let [array, Datum::Int32(index), value] = args else {
            return Err(Error::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "array subscript in assignment must not be null",
            ));
        };
        let (mut elements, lower) = match array {
            Datum::List(list) if list.dimensions.len() > 1 => {
                return Err(Error::new(
                    SqlState::ARRAY_SUBSCRIPT_ERROR,
                    "wrong number of array subscripts",
                ));
            }
            Datum::List(list) => {
                (list.elements.clone(), list.dimensions.first().map_or(*index, |(_, lower)| *lower))
            }
            _ => (Vec::new(), *index),
        };
        let offset = i64::from(*index) - i64::from(lower);
        if !(0..=100_000_000).contains(&offset) {
            return Err(Error::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "array subscript out of range",
            ));
        }
        let offset = offset as usize;
        if offset >= elements.len() {
            elements.resize(offset + 1, Datum::Null);
        }
        elements[offset] = value.clone();
        let dimensions = vec![(elements.len() as i32, lower)];
        Ok(Datum::List(Arc::new(ListValue { dimensions, elements })))
    });
    let expr = closure_call(
        "set_element",
        format!("set_element({})", ty.oid),
        vec![array, index, value],
        ty.oid,
        false,
        DfVolatility::Immutable,
        closure,
    );
    Typed::new(expr, ty, span)
}

pub(crate) fn build_array(
    values: Vec<Typed>,
    common: u32,
    nested: bool,
    span: Span,
) -> Result<Typed> {
    let result = if nested { Some(common) } else { array_of(common) }.ok_or_else(|| {
        Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("could not find array type for data type {}", type_name(common)),
        )
        .at(span.position())
    })?;
    let closure: Closure = if nested {
        Arc::new(|_, args| nest(args))
    } else {
        Arc::new(|_, args| Ok(list(args.to_vec())))
    };
    let expr = closure_call(
        "array",
        format!("array({result},{nested})"),
        values,
        result,
        false,
        DfVolatility::Immutable,
        closure,
    );
    Ok(Typed::plain(expr, result, span))
}

/// A one-dimensional array.
pub(crate) fn list(elements: Vec<Datum>) -> Datum {
    let dimensions =
        if elements.is_empty() { Vec::new() } else { vec![(elements.len() as i32, 1)] };
    Datum::List(Arc::new(ListValue { dimensions, elements }))
}

/// An array of arrays.
fn nest(args: &[Datum]) -> Result<Datum> {
    let mut dimensions: Option<Vec<(i32, i32)>> = None;
    let mut elements = Vec::new();
    for arg in args {
        let inner = match arg {
            Datum::List(list) => list.as_ref().clone(),
            _ => ListValue { dimensions: Vec::new(), elements: Vec::new() },
        };
        match &dimensions {
            Some(known) if *known != inner.dimensions => {
                return Err(Error::new(
                    SqlState::ARRAY_SUBSCRIPT_ERROR,
                    "multidimensional arrays must have array expressions with matching dimensions",
                ));
            }
            Some(_) => {}
            None => dimensions = Some(inner.dimensions.clone()),
        }
        elements.extend(inner.elements);
    }
    let inner = dimensions.unwrap_or_default();
    if elements.is_empty() {
        return Ok(list(Vec::new()));
    }
    let mut dimensions = vec![(args.len() as i32, 1)];
    dimensions.extend(inner);
    Ok(Datum::List(Arc::new(ListValue { dimensions, elements })))
}

fn take_item(list: &ListValue, indexes: &[i32]) -> Datum {
    if indexes.len() != list.dimensions.len() {
        return Datum::Null;
    }
    let mut position = 0usize;
    for (index, (length, lower)) in indexes.iter().zip(&list.dimensions) {
        let offset = i64::from(*index) - i64::from(*lower);
        if offset < 0 || offset >= i64::from(*length) {
            return Datum::Null;
        }
        position = position * (*length as usize) + offset as usize;
    }
    list.elements.get(position).cloned().unwrap_or_default()
}

fn take_slice(list: &ListValue, shape: &[(bool, bool)], bounds: &[i32]) -> Datum {
    if shape.len() > list.dimensions.len() {
        return self::list(Vec::new());
    }
    let mut given = bounds.iter().copied();
    let mut ranges = Vec::new();
    for (dimension, &(length, lower)) in list.dimensions.iter().enumerate() {
        let last = lower.saturating_add(length - 1);
        let (from, to) = match shape.get(dimension) {
            // A plain index among slices means 1:index, which is [:index] for arrays from 1.
            Some((has_lower, has_upper)) => {
                let from = if *has_lower { given.next().unwrap_or(lower) } else { lower };
                let to = if *has_upper { given.next().unwrap_or(last) } else { last };
                (from, to)
            }
            None => (lower, last),
        };
        let (from, to) = (from.max(lower), to.min(last));
        if from > to {
            return self::list(Vec::new());
        }
        ranges.push(((from - lower) as usize, (to - from + 1) as usize, length as usize));
    }
    let mut positions = vec![0usize];
    for (from, count, length) in &ranges {
        positions = positions
            .iter()
            .flat_map(|base| (0..*count).map(move |step| base * length + from + step))
            .collect();
    }
    let elements = positions.into_iter().filter_map(|p| list.elements.get(p).cloned()).collect();
    let dimensions = ranges.iter().map(|(_, count, _)| (*count as i32, 1)).collect();
    Datum::List(Arc::new(ListValue { dimensions, elements }))
}
