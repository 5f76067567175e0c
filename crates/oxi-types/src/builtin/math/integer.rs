//! Integers.

use oxi_base::{Error, Result, SqlState};

use crate::{
    builtin::args::scalar,
    numeric::{Numeric, division_by_zero},
};

/// `integer out of range` and its kin.
pub(crate) fn out_of_range(type_name: &str) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{type_name} out of range"))
}

trait Integer: Copy {
    const NAME: &'static str;
}

impl Integer for i16 {
    const NAME: &'static str = "smallint";
}
impl Integer for i32 {
    const NAME: &'static str = "integer";
}
impl Integer for i64 {
    const NAME: &'static str = "bigint";
}

fn checked<T: Integer>(value: Option<T>) -> Result<T> {
    value.ok_or_else(|| out_of_range(T::NAME))
}

macro_rules! same_width {
    ($rust:ident $pl:ident $mi:ident $mul:ident $div:ident $modulo:ident $um:ident $up:ident $abs:ident
     $and:ident $or:ident $xor:ident $not:ident $shl:ident $shr:ident) => {
        scalar! {
            fn $pl(a: $rust, b: $rust) -> $rust { checked(a.checked_add(b))? }
            fn $mi(a: $rust, b: $rust) -> $rust { checked(a.checked_sub(b))? }
            fn $mul(a: $rust, b: $rust) -> $rust { checked(a.checked_mul(b))? }
            fn $div(a: $rust, b: $rust) -> $rust {
                if b == 0 {
                    return Err(division_by_zero());
                }
                checked(a.checked_div(b))?
            }
            fn $modulo(a: $rust, b: $rust) -> $rust {
                if b == 0 {
                    return Err(division_by_zero());
                }
                a.checked_rem(b).unwrap_or(0)
            }
            fn $um(a: $rust) -> $rust { checked(a.checked_neg())? }
            fn $up(a: $rust) -> $rust { a }
            fn $abs(a: $rust) -> $rust { checked(a.checked_abs())? }
            fn $and(a: $rust, b: $rust) -> $rust { a & b }
            fn $or(a: $rust, b: $rust) -> $rust { a | b }
            fn $xor(a: $rust, b: $rust) -> $rust { a ^ b }
            fn $not(a: $rust) -> $rust { !a }
            fn $shl(a: $rust, b: i32) -> $rust { shift_left(i64::from(a), b, $rust::BITS) as $rust }
            fn $shr(a: $rust, b: i32) -> $rust { shift_right(i64::from(a), b, $rust::BITS) as $rust }
        }
    };
}

same_width!(i16 int2pl int2mi int2mul int2div int2mod int2um int2up int2abs int2and int2or int2xor int2not int2shl int2shr);
same_width!(i32 int4pl int4mi int4mul int4div int4mod int4um int4up int4abs int4and int4or int4xor int4not int4shl int4shr);
same_width!(i64 int8pl int8mi int8mul int8div int8mod int8um int8up int8abs int8and int8or int8xor int8not int8shl int8shr);

/// Shifts as the machine does: the distance counts modulo the width (32 bits at least).
fn shift_left(value: i64, distance: i32, bits: u32) -> i64 {
    if bits == 64 {
        value.wrapping_shl(distance.cast_unsigned())
    } else {
        i64::from((value as i32).wrapping_shl(distance.cast_unsigned()))
    }
}

fn shift_right(value: i64, distance: i32, bits: u32) -> i64 {
    if bits == 64 {
        value.wrapping_shr(distance.cast_unsigned())
    } else {
        i64::from((value as i32).wrapping_shr(distance.cast_unsigned()))
    }
}

macro_rules! mixed_width {
    ($($a:ident $b:ident -> $wide:ident: $pl:ident $mi:ident $mul:ident $div:ident;)*) => {$(
        scalar! {
            fn $pl(a: $a, b: $b) -> $wide { checked($wide::from(a).checked_add($wide::from(b)))? }
            fn $mi(a: $a, b: $b) -> $wide { checked($wide::from(a).checked_sub($wide::from(b)))? }
            fn $mul(a: $a, b: $b) -> $wide { checked($wide::from(a).checked_mul($wide::from(b)))? }
            fn $div(a: $a, b: $b) -> $wide {
                if b == 0 {
                    return Err(division_by_zero());
                }
                checked($wide::from(a).checked_div($wide::from(b)))?
            }
        }
    )*};
}

mixed_width! {
    i16 i32 -> i32: int24pl int24mi int24mul int24div;
    i32 i16 -> i32: int42pl int42mi int42mul int42div;
    i16 i64 -> i64: int28pl int28mi int28mul int28div;
    i64 i16 -> i64: int82pl int82mi int82mul int82div;
    i32 i64 -> i64: int48pl int48mi int48mul int48div;
    i64 i32 -> i64: int84pl int84mi int84mul int84div;
}

fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn lcm(a: u64, b: u64) -> Option<u64> {
    if a == 0 || b == 0 { Some(0) } else { (a / gcd(a, b)).checked_mul(b) }
}

scalar! {
    fn int4inc(a: i32) -> i32 { checked(a.checked_add(1))? }
    fn int8inc(a: i64) -> i64 { checked(a.checked_add(1))? }
    fn int8dec(a: i64) -> i64 { checked(a.checked_sub(1))? }
    fn int4gcd(a: i32, b: i32) -> i32 {
        let found = gcd(u64::from(a.unsigned_abs()), u64::from(b.unsigned_abs()));
        checked(i32::try_from(found).ok())?
    }
    fn int8gcd(a: i64, b: i64) -> i64 {
        checked(i64::try_from(gcd(a.unsigned_abs(), b.unsigned_abs())).ok())?
    }
    fn int4lcm(a: i32, b: i32) -> i32 {
        let found = lcm(u64::from(a.unsigned_abs()), u64::from(b.unsigned_abs()));
        checked(found.and_then(|value| i32::try_from(value).ok()))?
    }
    fn int8lcm(a: i64, b: i64) -> i64 {
        let found = lcm(a.unsigned_abs(), b.unsigned_abs());
        checked(found.and_then(|value| i64::try_from(value).ok()))?
    }
    fn to_hex32(a: i32) -> String { format!("{:x}", a.cast_unsigned()) }
    fn to_hex64(a: i64) -> String { format!("{:x}", a.cast_unsigned()) }
    fn numeric_fac(n: i64) -> Numeric { Numeric::factorial(n)? }
    fn generate_series_int4(from: i32, to: i32) -> Vec<i32> { series(i64::from(from), i64::from(to), 1)?.into_iter().map(|value| value as i32).collect() }
    fn generate_series_int8(from: i64, to: i64) -> Vec<i64> { series(from, to, 1)? }
    fn generate_series_step_int4(from: i32, to: i32, step: i32) -> Vec<i32> {
        let wide = series(i64::from(from), i64::from(to), i64::from(step))?;
        wide.into_iter().map(|value| value as i32).collect()
    }
    fn generate_series_step_int8(from: i64, to: i64, step: i64) -> Vec<i64> {
        series(from, to, step)?
    }
}

/// `step size cannot equal zero`
pub(crate) fn zero_step() -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero")
}

/// The longest series of integers that is made at once.
const SERIES_LIMIT: i128 = 50_000_000;

fn series(from: i64, to: i64, step: i64) -> Result<Vec<i64>> {
    if step == 0 {
        return Err(zero_step());
    }
    // A set is one value here: callers that want long ones run through them without this function.
    let span = i128::from(to) - i128::from(from);
    if span / i128::from(step) > SERIES_LIMIT {
        return Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "generate_series() gives too many rows at once",
        ));
    }
    let mut out = Vec::new();
    let mut next = Some(from);
    while let Some(value) = next.filter(|value| if step > 0 { *value <= to } else { *value >= to })
    {
        out.push(value);
        next = value.checked_add(step);
    }
    Ok(out)
}
