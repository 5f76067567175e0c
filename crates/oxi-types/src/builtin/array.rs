//! Arrays as functions and operators.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, datum::ListValue, descriptor::TypeRef};

use crate::{
    builtin::args::{arg, list, scalar},
    compare::{compare, equal},
    context::EvalContext,
    io, oid, pg_type,
};

type Array = Arc<ListValue>;

fn element_type(types: &[TypeRef], at: usize) -> u32 {
    let array = types.get(at).map_or(0, |reference| reference.oid);
    pg_type::by_oid(array).map_or(0, |row| row.element_oid)
}

fn subscript(message: &str) -> Error {
    Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
}

fn made(dimensions: Vec<(i32, i32)>, elements: Vec<Datum>) -> Datum {
    let dimensions = if elements.is_empty() { Vec::new() } else { dimensions };
    Datum::List(Arc::new(ListValue { dimensions, elements }))
}

fn dimension(a: &Array, number: i32) -> Option<(i32, i32)> {
    usize::try_from(number - 1).ok().and_then(|at| a.dimensions.get(at).copied())
}

/// Concatenation: end to end, or an array of one dimension less as a new last or first row.
fn concat(a: &Array, b: &Array) -> Result<Datum> {
    if a.dimensions.is_empty() {
        return Ok(Datum::List(Arc::clone(b)));
    }
    if b.dimensions.is_empty() {
        return Ok(Datum::List(Arc::clone(a)));
    }
    let mismatch = || {
        subscript("cannot concatenate incompatible arrays").with_detail(
            "Arrays with differing element dimensions are not compatible for concatenation.",
        )
    };
    let (da, db) = (&a.dimensions, &b.dimensions);
    let elements = a.elements.iter().chain(&b.elements).cloned().collect();
    let lengths = |dimensions: &[(i32, i32)]| -> Vec<i32> {
        dimensions.iter().map(|(length, _)| *length).collect()
    };
    let mut dimensions;
    if da.len() == db.len() {
        if lengths(&da[1..]) != lengths(&db[1..]) {
            return Err(mismatch());
        }
        dimensions = da.clone();
        dimensions[0].0 += db[0].0;
    } else if da.len() == db.len() + 1 {
        if lengths(&da[1..]) != lengths(db) {
            return Err(mismatch());
        }
        dimensions = da.clone();
        dimensions[0].0 += 1;
    } else if db.len() == da.len() + 1 {
        if lengths(&db[1..]) != lengths(da) {
            return Err(mismatch());
        }
        dimensions = db.clone();
        dimensions[0].0 += 1;
    } else {
        return Err(subscript("cannot concatenate incompatible arrays").with_detail(format!(
            "Arrays of {} and {} dimensions are not compatible for concatenation.",
            da.len(),
            db.len()
        )));
    }
    Ok(made(dimensions, elements))
}

fn push(a: Option<&Array>, item: &Datum, first: bool) -> Result<Datum> {
    let Some(a) = a.filter(|a| !a.dimensions.is_empty()) else {
        return Ok(list(vec![item.clone()]));
    };
    let [(length, lower)] = a.dimensions[..] else {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "argument must be empty or one-dimensional array",
        ));
    };
    let mut elements = a.elements.clone();
    elements.insert(if first { 0 } else { elements.len() }, item.clone());
    Ok(made(vec![(length + 1, lower)], elements))
}

fn same(element: u32, a: &Datum, b: &Datum) -> bool {
    match (a.is_null(), b.is_null()) {
        (true, true) => true,
        (false, false) => equal(element, a, b),
        _ => false,
    }
}

fn searchable(a: &Array) -> Result<()> {
    if a.dimensions.len() > 1 {
        return Err(Error::unsupported(
            "searching for elements in multidimensional arrays is not supported",
        ));
    }
    Ok(())
}

fn lower_bound(a: &Array) -> i32 {
    a.dimensions.first().map_or(1, |(_, lower)| *lower)
}

fn position(element: u32, a: &Array, wanted: &Datum, start: Option<i32>) -> Result<Datum> {
    searchable(a)?;
    let lower = lower_bound(a);
    let skip = start.map_or(0, |start| (start - lower).max(0)) as usize;
    let found =
        a.elements.iter().enumerate().skip(skip).find(|(_, item)| same(element, item, wanted));
    Ok(found.map_or(Datum::Null, |(at, _)| Datum::Int32(at as i32 + lower)))
}

/// `array_position`.
pub fn array_position(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let Some(a) = arg::<Option<&Array>>(args, 0)? else { return Ok(Datum::Null) };
    position(element_type(types, 0), a, arg(args, 1)?, None)
}

/// `array_position` from a subscript on.
pub fn array_position_start(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let Some(a) = arg::<Option<&Array>>(args, 0)? else { return Ok(Datum::Null) };
    let start = arg::<Option<i32>>(args, 2)?.ok_or_else(|| {
        Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "initial position must not be null")
    })?;
    position(element_type(types, 0), a, arg(args, 1)?, Some(start))
}

/// `array_positions`.
pub fn array_positions(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let Some(a) = arg::<Option<&Array>>(args, 0)? else { return Ok(Datum::Null) };
    searchable(a)?;
    let wanted: &Datum = arg(args, 1)?;
    let (element, lower) = (element_type(types, 0), lower_bound(a));
    let found = a.elements.iter().enumerate().filter(|(_, item)| same(element, item, wanted));
    Ok(list(found.map(|(at, _)| Datum::Int32(at as i32 + lower)).collect()))
}

/// `array_remove`.
pub fn array_remove(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let Some(a) = arg::<Option<&Array>>(args, 0)? else { return Ok(Datum::Null) };
    if a.dimensions.len() > 1 {
        return Err(Error::unsupported(
            "removing elements from multidimensional arrays is not supported",
        ));
    }
    let wanted: &Datum = arg(args, 1)?;
    let element = element_type(types, 0);
    let kept: Vec<Datum> =
        a.elements.iter().filter(|item| !same(element, item, wanted)).cloned().collect();
    Ok(made(vec![(kept.len() as i32, lower_bound(a))], kept))
}

/// `array_replace`.
pub fn array_replace(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let Some(a) = arg::<Option<&Array>>(args, 0)? else { return Ok(Datum::Null) };
    let (old, new): (&Datum, &Datum) = (arg(args, 1)?, arg(args, 2)?);
    let element = element_type(types, 0);
    let elements =
        a.elements.iter().map(|item| if same(element, item, old) { new } else { item }.clone());
    Ok(made(a.dimensions.clone(), elements.collect()))
}

fn contains(element: u32, a: &Array, b: &Array) -> bool {
    b.elements.iter().all(|wanted| {
        !wanted.is_null()
            && a.elements.iter().any(|item| !item.is_null() && equal(element, item, wanted))
    })
}

/// `@>`
pub fn arraycontains(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(contains(element_type(types, 0), arg(args, 0)?, arg(args, 1)?)))
}

/// `<@`
pub fn arraycontained(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(contains(element_type(types, 0), arg(args, 1)?, arg(args, 0)?)))
}

/// `&&`
pub fn arrayoverlap(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let (a, b): (&Array, &Array) = (arg(args, 0)?, arg(args, 1)?);
    let element = element_type(types, 0);
    Ok(Datum::Bool(
        a.elements.iter().any(|x| {
            !x.is_null() && b.elements.iter().any(|y| !y.is_null() && equal(element, x, y))
        }),
    ))
}

fn joined(
    context: &EvalContext,
    types: &[TypeRef],
    args: &[Datum],
    null: Option<&str>,
) -> Result<Datum> {
    let (Some(a), Some(delimiter)) =
        (arg::<Option<&Array>>(args, 0)?, arg::<Option<&str>>(args, 1)?)
    else {
        return Ok(Datum::Null);
    };
    let element = TypeRef::plain(element_type(types, 0));
    let mut parts = Vec::new();
    for item in &a.elements {
        match (item, null) {
            (Datum::Null, None) => {}
            (Datum::Null, Some(null)) => parts.push(null.to_owned()),
            (item, _) => parts.push(io::to_text(context, element, item)?),
        }
    }
    Ok(Datum::text(parts.join(delimiter)))
}

/// `array_to_string`.
pub fn array_to_text(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    joined(context, types, args, None)
}

/// `array_to_string` with a text for NULLs.
pub fn array_to_text_null(
    context: &EvalContext,
    types: &[TypeRef],
    args: &[Datum],
) -> Result<Datum> {
    joined(context, types, args, arg(args, 2)?)
}

/// `width_bucket(value, thresholds)`.
pub fn width_bucket_array(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let (value, thresholds): (&Datum, &Array) = (arg(args, 0)?, arg(args, 1)?);
    if thresholds.dimensions.len() > 1 {
        return Err(subscript("thresholds must be one-dimensional array"));
    }
    if thresholds.elements.iter().any(Datum::is_null) {
        return Err(Error::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "thresholds array must not contain NULLs",
        ));
    }
    let element = element_type(types, 1);
    let below = thresholds.elements.partition_point(|item| compare(element, item, value).is_le());
    Ok(Datum::Int32(below as i32))
}

/// The three-way comparison of arrays.
pub fn btarraycmp(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let oid = types.first().map_or(oid::_TEXT, |reference| reference.oid);
    Ok(Datum::Int32(compare(oid, arg(args, 0)?, arg(args, 1)?) as i32))
}

/// The larger array.
pub fn array_larger(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let oid = types.first().map_or(oid::_TEXT, |reference| reference.oid);
    let (a, b): (&Datum, &Datum) = (arg(args, 0)?, arg(args, 1)?);
    Ok(if compare(oid, a, b).is_lt() { b } else { a }.clone())
}

/// The smaller array.
pub fn array_smaller(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let oid = types.first().map_or(oid::_TEXT, |reference| reference.oid);
    let (a, b): (&Datum, &Datum) = (arg(args, 0)?, arg(args, 1)?);
    Ok(if compare(oid, a, b).is_gt() { b } else { a }.clone())
}

fn fill(value: &Datum, lengths: &Array, lowers: Option<&Array>) -> Result<Datum> {
    let number = |item: &Datum| match item {
        Datum::Int32(value) => Ok(*value),
        _ => Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "dimension values cannot be null")),
    };
    if lengths.dimensions.len() > 1 {
        return Err(subscript("wrong number of array subscripts")
            .with_detail("Dimension array must be one dimensional."));
    }
    let mut dimensions = Vec::new();
    let mut total = 1i64;
    for (at, item) in lengths.elements.iter().enumerate() {
        let length = number(item)?;
        let lower = match lowers {
            None => 1,
            Some(lowers) => lowers.elements.get(at).map_or(
                Err(subscript("wrong number of array subscripts")
                    .with_detail("Low bound array has different size than dimensions array.")),
                number,
            )?,
        };
        if length < 0 {
            return Err(subscript("invalid array size"));
        }
        total = total.saturating_mul(i64::from(length));
        dimensions.push((length, lower));
    }
    if total > 0x07ff_ffff {
        return Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "array size exceeds the maximum allowed (134217727)",
        ));
    }
    if dimensions.is_empty() {
        total = 0;
    }
    Ok(made(dimensions, vec![value.clone(); total as usize]))
}

fn subscripts(a: &Array, number: i32, reverse: bool) -> Vec<i32> {
    let Some((length, lower)) = dimension(a, number) else { return Vec::new() };
    let up = lower..lower + length;
    if reverse { up.rev().collect() } else { up.collect() }
}

scalar! {
    fn array_append(a: Option<&Array>, item: &Datum) -> Datum { push(a, item, false)? }
    fn array_prepend(item: &Datum, a: Option<&Array>) -> Datum { push(a, item, true)? }
    fn array_cat(a: Option<&Array>, b: Option<&Array>) -> Datum {
        match (a, b) {
            (Some(a), Some(b)) => concat(a, b)?,
            (Some(one), None) | (None, Some(one)) => Datum::List(Arc::clone(one)),
            (None, None) => Datum::Null,
        }
    }
    fn array_ndims(a: &Array) -> Option<i32> {
        (!a.dimensions.is_empty()).then_some(a.dimensions.len() as i32)
    }
    fn array_dims(a: &Array) -> Option<String> {
        let one = |(length, lower): &(i32, i32)| format!("[{lower}:{}]", lower + length - 1);
        (!a.dimensions.is_empty()).then(|| a.dimensions.iter().map(one).collect())
    }
    fn array_lower(a: &Array, number: i32) -> Option<i32> {
        dimension(a, number).map(|(_, lower)| lower)
    }
    fn array_upper(a: &Array, number: i32) -> Option<i32> {
        dimension(a, number).map(|(length, lower)| lower + length - 1)
    }
    fn array_length(a: &Array, number: i32) -> Option<i32> {
        dimension(a, number).map(|(length, _)| length)
    }
    fn array_cardinality(a: &Array) -> i32 { a.elements.len() as i32 }
    fn array_unnest(a: &Array) -> Vec<Datum> { a.elements.clone() }
    fn array_fill(value: &Datum, lengths: Option<&Array>) -> Datum {
        match lengths {
            Some(lengths) => fill(value, lengths, None)?,
            None => return Err(Error::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "dimension array or low bound array cannot be null",
            )),
        }
    }
    fn array_fill_with_lower_bounds(value: &Datum, lengths: Option<&Array>, lowers: Option<&Array>) -> Datum {
        match (lengths, lowers) {
            (Some(lengths), Some(lowers)) => fill(value, lengths, Some(lowers))?,
            _ => return Err(Error::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "dimension array or low bound array cannot be null",
            )),
        }
    }
    fn trim_array(a: &Array, count: i32) -> Datum {
        let length = a.dimensions.first().map_or(0, |(length, _)| *length);
        if count < 0 || count > length {
            return Err(Error::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                format!("number of elements to trim must be between 0 and {length}"),
            ));
        }
        let row = if length == 0 { 0 } else { a.elements.len() / length as usize };
        let kept = a.elements[..row * (length - count) as usize].to_vec();
        let mut dimensions = a.dimensions.clone();
        if let Some(first) = dimensions.first_mut() {
            *first = (length - count, 1);
        }
        made(dimensions, kept)
    }
    fn generate_subscripts(a: &Array, number: i32, reverse: bool) -> Vec<i32> {
        subscripts(a, number, reverse)
    }
    fn generate_subscripts_nodir(a: &Array, number: i32) -> Vec<i32> { subscripts(a, number, false) }
}

/// The element of an array at subscripts, NULL outside.
pub fn element_at(a: &ListValue, subscripts: &[i32]) -> Datum {
    if subscripts.len() != a.dimensions.len() {
        return Datum::Null;
    }
    let mut place = 0usize;
    for (subscript, (length, lower)) in subscripts.iter().zip(&a.dimensions) {
        let at = i64::from(*subscript) - i64::from(*lower);
        if at < 0 || at >= i64::from(*length) {
            return Datum::Null;
        }
        place = place * *length as usize + at as usize;
    }
    a.elements.get(place).cloned().unwrap_or_default()
}

/// A slice of an array: bounds per dimension, `None` for an open end. The result's lower bounds
/// are 1; outside it is empty.
pub fn slice(a: &ListValue, bounds: &[(Option<i32>, Option<i32>)]) -> Datum {
    if bounds.len() > a.dimensions.len() || a.dimensions.is_empty() {
        return made(Vec::new(), Vec::new());
    }
    let mut ranges = Vec::new();
    for (at, (length, lower)) in a.dimensions.iter().enumerate() {
        let (from, to) = bounds.get(at).copied().unwrap_or((None, None));
        let from = from.unwrap_or(*lower).max(*lower) - lower;
        let to = to.unwrap_or(lower + length - 1).min(lower + length - 1) - lower;
        if to < from {
            return made(Vec::new(), Vec::new());
        }
        ranges.push((from as usize, to as usize, *length as usize));
    }
    let mut elements = Vec::new();
    collect(a, &ranges, 0, &mut elements);
    made(ranges.iter().map(|(from, to, _)| ((to - from + 1) as i32, 1)).collect(), elements)
}

fn collect(a: &ListValue, ranges: &[(usize, usize, usize)], base: usize, out: &mut Vec<Datum>) {
    let Some(((from, to, length), inner)) = ranges.split_first() else {
        out.extend(a.elements.get(base).cloned());
        return;
    };
    for at in *from..=*to {
        collect(a, inner, base * length + at, out);
    }
}
