//! Comparison operators, once for all types: `T` is the type whose order applies.

use std::cmp::Ordering;

use oxi_base::Result;
use oxi_model::{Datum, descriptor::TypeRef};

use super::args::arg;
use crate::{
    compare::{compare, equal},
    context::EvalContext,
    datetime,
    numeric::Numeric,
    oid,
};

macro_rules! orders {
    ($($name:ident $any:ident $integer:ident $float:ident $moment:ident = $test:expr;)*) => {$(
        /// The comparison of two values of type `T`.
        pub fn $name<const T: u32>(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            let test: fn(Ordering) -> bool = $test;
            Ok(Datum::Bool(test(compare(T, arg(args, 0)?, arg(args, 1)?))))
        }
        /// The comparison of two values of the same polymorphic type.
        pub fn $any(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
            let test: fn(Ordering) -> bool = $test;
            let oid = types.first().map_or(0, |reference| reference.oid);
            Ok(Datum::Bool(test(compare(oid, arg(args, 0)?, arg(args, 1)?))))
        }
        /// The comparison of integers of different widths.
        pub fn $integer(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            let test: fn(Ordering) -> bool = $test;
            Ok(Datum::Bool(test(integer(arg(args, 0)?).cmp(&integer(arg(args, 1)?)))))
        }
        /// The comparison of floats of different widths.
        pub fn $float(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            let test: fn(Ordering) -> bool = $test;
            let (a, b) = (float(arg(args, 0)?), float(arg(args, 1)?));
            Ok(Datum::Bool(test(compare(oid::FLOAT8, &a, &b))))
        }
        /// The comparison of dates and timestamps with and without time zone, as told by `A` and
        /// `B`.
        pub fn $moment<const A: u32, const B: u32>(
            context: &EvalContext,
            args: &[Datum],
        ) -> Result<Datum> {
            let test: fn(Ordering) -> bool = $test;
            Ok(Datum::Bool(test(moments(context, A, B, args)?)))
        }
    )*};
}

orders! {
    eq any_eq integer_eq float_eq moment_eq = Ordering::is_eq;
    ne any_ne integer_ne float_ne moment_ne = Ordering::is_ne;
    lt any_lt integer_lt float_lt moment_lt = Ordering::is_lt;
    le any_le integer_le float_le moment_le = Ordering::is_le;
    gt any_gt integer_gt float_gt moment_gt = Ordering::is_gt;
    ge any_ge integer_ge float_ge moment_ge = Ordering::is_ge;
}

fn integer(datum: &Datum) -> i64 {
    match datum {
        Datum::Int16(value) => i64::from(*value),
        Datum::Int32(value) => i64::from(*value),
        Datum::Int64(value) => *value,
        Datum::UInt32(value) => i64::from(*value),
        _ => 0,
    }
}

fn float(datum: &Datum) -> Datum {
    match datum {
        Datum::Float32(value) => Datum::Float64(f64::from(*value)),
        other => other.clone(),
    }
}

fn moments(context: &EvalContext, a: u32, b: u32, args: &[Datum]) -> Result<Ordering> {
    let both_plain = a != oid::TIMESTAMPTZ && b != oid::TIMESTAMPTZ;
    let moment = |oid: u32, datum: &Datum| -> Result<i64> {
        Ok(match (oid, datum) {
            (oid::DATE, Datum::Int32(days)) => {
                let local = datetime::date_to_timestamp_saturating(*days);
                if both_plain { local } else { datetime::timestamp_to_utc(context, local) }
            }
            (oid::TIMESTAMP, Datum::Int64(local)) if !both_plain => {
                datetime::timestamp_to_utc(context, *local)
            }
            (_, Datum::Int64(micros)) => *micros,
            _ => 0,
        })
    };
    Ok(moment(a, arg(args, 0)?)?.cmp(&moment(b, arg(args, 1)?)?))
}

/// The three-way comparison that index support functions give.
pub fn cmp<const T: u32>(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int32(compare(T, arg(args, 0)?, arg(args, 1)?) as i32))
}

/// The larger of two values of type `T`.
pub fn larger<const T: u32>(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (a, b): (&Datum, &Datum) = (arg(args, 0)?, arg(args, 1)?);
    Ok(if compare(T, a, b).is_lt() { b } else { a }.clone())
}

/// The smaller of two values of type `T`.
pub fn smaller<const T: u32>(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let (a, b): (&Datum, &Datum) = (arg(args, 0)?, arg(args, 1)?);
    Ok(if compare(T, a, b).is_gt() { b } else { a }.clone())
}

/// `GREATEST`: the largest of the values that are not NULL.
pub fn greatest(type_oid: u32, args: &[Datum]) -> Datum {
    extreme(type_oid, args, Ordering::Greater)
}

/// `LEAST`: the smallest of the values that are not NULL.
pub fn least(type_oid: u32, args: &[Datum]) -> Datum {
    extreme(type_oid, args, Ordering::Less)
}

fn extreme(type_oid: u32, args: &[Datum], wanted: Ordering) -> Datum {
    let mut best = &Datum::Null;
    for value in args.iter().filter(|value| !value.is_null()) {
        if best.is_null() || compare(type_oid, value, best) == wanted {
            best = value;
        }
    }
    best.clone()
}

/// `IS NOT DISTINCT FROM`.
pub fn not_distinct(type_oid: u32, a: &Datum, b: &Datum) -> bool {
    match (a.is_null(), b.is_null()) {
        (true, true) => true,
        (false, false) => equal(type_oid, a, b),
        _ => false,
    }
}

/// `value op ANY (array)` / `value op ALL (array)` for a comparison given as a function: `any`
/// chooses which. NULL elements make the answer unknown unless another element decides it.
pub fn quantified(
    list: &[Datum],
    any: bool,
    mut test: impl FnMut(&Datum) -> Result<Datum>,
) -> Result<Datum> {
    let mut unknown = false;
    for item in list {
        match test(item)? {
            Datum::Bool(answer) if answer == any => return Ok(Datum::Bool(any)),
            Datum::Bool(_) => {}
            _ => unknown = true,
        }
    }
    Ok(if unknown { Datum::Null } else { Datum::Bool(!any) })
}

/// A numeric key for tests of equality across number types.
pub fn as_numeric(datum: &Datum) -> Option<Numeric> {
    match datum {
        Datum::Int16(_) | Datum::Int32(_) | Datum::Int64(_) | Datum::UInt32(_) => {
            Some(Numeric::from_i128(i128::from(integer(datum))))
        }
        Datum::Float32(value) => Some(Numeric::from_f32(*value)),
        Datum::Float64(value) => Some(Numeric::from_f64(*value)),
        Datum::Bytes(_) => Numeric::from_datum(datum).ok(),
        _ => None,
    }
}
