//! Floats.

#![allow(clippy::float_cmp, reason = "SQL compares floats exactly")]

use oxi_base::{Error, Result, SqlState};

use super::integer::out_of_range as type_out_of_range;
use crate::{builtin::args::scalar, numeric::division_by_zero};

fn overflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

fn underflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

/// `input is out of range`
pub(crate) fn input_out_of_range() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

trait Float: Copy + PartialEq {
    fn infinite(self) -> bool;
    fn zero(self) -> bool;
}

impl Float for f32 {
    fn infinite(self) -> bool {
        self.is_infinite()
    }
    fn zero(self) -> bool {
        self == 0.0
    }
}

impl Float for f64 {
    fn infinite(self) -> bool {
        self.is_infinite()
    }
    fn zero(self) -> bool {
        self == 0.0
    }
}

fn sum<T: Float>(result: T, a: T, b: T) -> Result<T> {
    if result.infinite() && !a.infinite() && !b.infinite() { Err(overflow()) } else { Ok(result) }
}

fn product<T: Float>(result: T, a: T, b: T) -> Result<T> {
    if result.zero() && !a.zero() && !b.zero() {
        return Err(underflow());
    }
    sum(result, a, b)
}

fn quotient<T: Float>(result: T, a: T, b: T) -> Result<T> {
    if result.infinite() && !a.infinite() {
        return Err(overflow());
    }
    if result.zero() && !a.zero() && !b.infinite() { Err(underflow()) } else { Ok(result) }
}

macro_rules! arithmetic {
    ($($a:ident $b:ident -> $wide:ident: $pl:ident $mi:ident $mul:ident $div:ident;)*) => {$(
        scalar! {
            fn $pl(a: $a, b: $b) -> $wide {
                let (a, b) = ($wide::from(a), $wide::from(b));
                sum(a + b, a, b)?
            }
            fn $mi(a: $a, b: $b) -> $wide {
                let (a, b) = ($wide::from(a), $wide::from(b));
                sum(a - b, a, b)?
            }
            fn $mul(a: $a, b: $b) -> $wide {
                let (a, b) = ($wide::from(a), $wide::from(b));
                product(a * b, a, b)?
            }
            fn $div(a: $a, b: $b) -> $wide {
                let (a, b) = ($wide::from(a), $wide::from(b));
                if b == 0.0 && !a.is_nan() {
                    return Err(division_by_zero());
                }
                quotient(a / b, a, b)?
            }
        }
    )*};
}

arithmetic! {
    f32 f32 -> f32: float4pl float4mi float4mul float4div;
    f64 f64 -> f64: float8pl float8mi float8mul float8div;
    f32 f64 -> f64: float48pl float48mi float48mul float48div;
    f64 f32 -> f64: float84pl float84mi float84mul float84div;
}

/// A function of one float that overflows only for finite input.
fn guarded(result: f64, input: f64) -> Result<f64> {
    if result.is_infinite() && !input.is_infinite() { Err(overflow()) } else { Ok(result) }
}

fn finite_input(value: f64) -> Result<f64> {
    if value.is_infinite() { Err(input_out_of_range()) } else { Ok(value) }
}

fn in_unit(value: f64) -> Result<f64> {
    if value.is_nan() || (-1.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(input_out_of_range())
    }
}

fn logarithm(value: f64, log: fn(f64) -> f64) -> Result<f64> {
    let error = |message: &str| Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_LOGARITHM, message));
    if value == 0.0 {
        return error("cannot take logarithm of zero");
    }
    if value < 0.0 {
        return error("cannot take logarithm of a negative number");
    }
    Ok(log(value))
}

fn power(base: f64, exponent: f64) -> Result<f64> {
    let error =
        |message: &str| Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
    if base.is_nan() {
        return Ok(if exponent == 0.0 { 1.0 } else { f64::NAN });
    }
    if exponent.is_nan() {
        return Ok(if base == 1.0 { 1.0 } else { f64::NAN });
    }
    if base == 0.0 && exponent < 0.0 {
        return error("zero raised to a negative power is undefined");
    }
    if base < 0.0 && exponent.floor() != exponent {
        return error("a negative number raised to a non-integer power yields a complex result");
    }
    let result = base.powf(exponent);
    if base.is_infinite() || exponent.is_infinite() {
        return Ok(result);
    }
    if result.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 && base != 0.0 { Err(underflow()) } else { Ok(result) }
}

/// Degrees reduced to where the sine and cosine are exact at multiples of 30.
fn sine_degrees(degrees: f64) -> f64 {
    let mut angle = degrees % 360.0;
    let mut sign = 1.0;
    if angle < 0.0 {
        angle = -angle;
        sign = -sign;
    }
    if angle > 180.0 {
        angle = 360.0 - angle;
        sign = -sign;
    }
    if angle > 90.0 {
        angle = 180.0 - angle;
    }
    sign * first_quadrant_sine(angle)
}

fn cosine_degrees(degrees: f64) -> f64 {
    let mut angle = (degrees % 360.0).abs();
    let mut sign = 1.0;
    if angle > 180.0 {
        angle = 360.0 - angle;
    }
    if angle > 90.0 {
        angle = 180.0 - angle;
        sign = -sign;
    }
    sign * first_quadrant_cosine(angle)
}

fn first_quadrant_sine(angle: f64) -> f64 {
    if angle <= 30.0 {
        (angle.to_radians().sin() / 30f64.to_radians().sin()) / 2.0
    } else {
        let one_minus = |degrees: f64| 1.0 - degrees.to_radians().cos();
        1.0 - (one_minus(90.0 - angle) / one_minus(60.0)) / 2.0
    }
}

fn first_quadrant_cosine(angle: f64) -> f64 {
    if angle <= 60.0 {
        let one_minus = |degrees: f64| 1.0 - degrees.to_radians().cos();
        1.0 - (one_minus(angle) / one_minus(60.0)) / 2.0
    } else {
        ((90.0 - angle).to_radians().sin() / 30f64.to_radians().sin()) / 2.0
    }
}

fn positive_zero(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value }
}

fn asin_degrees(value: f64) -> f64 {
    let quadrant = |x: f64| {
        if x <= 0.5 {
            x.asin() / 0.5f64.asin() * 30.0
        } else {
            90.0 - x.acos() / 0.5f64.acos() * 60.0
        }
    };
    if value >= 0.0 { quadrant(value) } else { -quadrant(-value) }
}

fn acos_degrees(value: f64) -> f64 {
    let quadrant = |x: f64| {
        if x <= 0.5 {
            90.0 - x.asin() / 0.5f64.asin() * 30.0
        } else {
            x.acos() / 0.5f64.acos() * 60.0
        }
    };
    if value >= 0.0 { quadrant(value) } else { 90.0 + (90.0 - quadrant(-value)) }
}

scalar! {
    fn float4um(a: f32) -> f32 { -a }
    fn float8um(a: f64) -> f64 { -a }
    fn float4up(a: f32) -> f32 { a }
    fn float8up(a: f64) -> f64 { a }
    fn float4abs(a: f32) -> f32 { a.abs() }
    fn float8abs(a: f64) -> f64 { a.abs() }
    fn dround(a: f64) -> f64 { a.round_ties_even() }
    fn dtrunc(a: f64) -> f64 { a.trunc() }
    fn dceil(a: f64) -> f64 { a.ceil() }
    fn dfloor(a: f64) -> f64 { a.floor() }
    fn dsign(a: f64) -> f64 { if a > 0.0 { 1.0 } else if a < 0.0 { -1.0 } else { 0.0 } }
    fn dsqrt(a: f64) -> f64 {
        if a < 0.0 {
            return Err(Error::new(
                SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                "cannot take square root of a negative number",
            ));
        }
        guarded(a.sqrt(), a)?
    }
    fn dcbrt(a: f64) -> f64 { guarded(a.cbrt(), a)? }
    fn dpow(a: f64, b: f64) -> f64 { power(a, b)? }
    fn dexp(a: f64) -> f64 {
        let result = a.exp();
        if result == 0.0 && a.is_finite() {
            return Err(underflow());
        }
        guarded(result, a)?
    }
    fn dlog1(a: f64) -> f64 { logarithm(a, f64::ln)? }
    fn dlog10(a: f64) -> f64 { logarithm(a, f64::log10)? }
    fn dasin(a: f64) -> f64 { in_unit(a)?.asin() }
    fn dacos(a: f64) -> f64 { in_unit(a)?.acos() }
    fn datan(a: f64) -> f64 { a.atan() }
    fn datan2(a: f64, b: f64) -> f64 { a.atan2(b) }
    fn dsin(a: f64) -> f64 { finite_input(a)?.sin() }
    fn dcos(a: f64) -> f64 { finite_input(a)?.cos() }
    fn dtan(a: f64) -> f64 { finite_input(a)?.tan() }
    fn dcot(a: f64) -> f64 { 1.0 / finite_input(a)?.tan() }
    fn dsinh(a: f64) -> f64 { a.sinh() }
    fn dcosh(a: f64) -> f64 { a.cosh() }
    fn dtanh(a: f64) -> f64 { a.tanh() }
    fn dasinh(a: f64) -> f64 { a.asinh() }
    fn dacosh(a: f64) -> f64 { if a < 1.0 { return Err(input_out_of_range()); } a.acosh() }
    fn datanh(a: f64) -> f64 { in_unit(a)?.atanh() }
    fn dsind(a: f64) -> f64 { sine_degrees(finite_input(a)?) }
    fn dcosd(a: f64) -> f64 { cosine_degrees(finite_input(a)?) }
    fn dtand(a: f64) -> f64 {
        let a = finite_input(a)?;
        positive_zero(sine_degrees(a) / cosine_degrees(a))
    }
    fn dcotd(a: f64) -> f64 {
        let a = finite_input(a)?;
        positive_zero(cosine_degrees(a) / sine_degrees(a))
    }
    fn dasind(a: f64) -> f64 { asin_degrees(in_unit(a)?) }
    fn dacosd(a: f64) -> f64 { acos_degrees(in_unit(a)?) }
    fn datand(a: f64) -> f64 { a.atan() / 1f64.atan() * 45.0 }
    fn datan2d(a: f64, b: f64) -> f64 { a.atan2(b) / 1f64.atan() * 45.0 }
    fn degrees(a: f64) -> f64 { guarded(a / (std::f64::consts::PI / 180.0), a)? }
    fn radians(a: f64) -> f64 { a * (std::f64::consts::PI / 180.0) }
    fn dpi() -> f64 { std::f64::consts::PI }
    fn drandom[context]() -> f64 { context.session.random()? }
    fn ftod(a: f32) -> f64 { f64::from(a) }
    fn dtof(a: f64) -> f32 {
        let narrow = a as f32;
        if narrow.is_infinite() && !a.is_infinite() {
            return Err(overflow());
        }
        if narrow == 0.0 && a != 0.0 {
            return Err(underflow());
        }
        narrow
    }
    fn i2tod(a: i16) -> f64 { f64::from(a) }
    fn i4tod(a: i32) -> f64 { f64::from(a) }
    fn i8tod(a: i64) -> f64 { a as f64 }
    fn i2tof(a: i16) -> f32 { f32::from(a) }
    fn i4tof(a: i32) -> f32 { a as f32 }
    fn i8tof(a: i64) -> f32 { a as f32 }
    fn dtoi2(a: f64) -> i16 { to_integer(a, -32768.0, 32768.0, "smallint")? as i16 }
    fn dtoi4(a: f64) -> i32 { to_integer(a, -2_147_483_648.0, 2_147_483_648.0, "integer")? as i32 }
    fn dtoi8(a: f64) -> i64 {
        to_integer(a, -9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0, "bigint")?
    }
    fn ftoi2(a: f32) -> i16 { to_integer(f64::from(a), -32768.0, 32768.0, "smallint")? as i16 }
    fn ftoi4(a: f32) -> i32 {
        to_integer(f64::from(a), -2_147_483_648.0, 2_147_483_648.0, "integer")? as i32
    }
    fn ftoi8(a: f32) -> i64 {
        to_integer(f64::from(a), -9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0, "bigint")?
    }
    fn width_bucket_float8(value: f64, low: f64, high: f64, count: i32) -> i32 {
        bucket(value, low, high, count)?
    }
}

/// Rounds half to even and checks the range `[low, high)`.
fn to_integer(value: f64, low: f64, high: f64, type_name: &str) -> Result<i64> {
    let rounded = value.round_ties_even();
    if rounded.is_nan() || rounded < low || rounded >= high {
        return Err(type_out_of_range(type_name));
    }
    Ok(rounded as i64)
}

/// An error of `width_bucket`.
pub(crate) fn bucket_error(message: &str) -> Error {
    Error::new(SqlState::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, message)
}

fn bucket(value: f64, low: f64, high: f64, count: i32) -> Result<i32> {
    if count <= 0 {
        return Err(bucket_error("count must be greater than zero"));
    }
    if value.is_nan() || low.is_nan() || high.is_nan() {
        return Err(bucket_error("operand, lower bound, and upper bound cannot be NaN"));
    }
    if low.is_infinite() || high.is_infinite() {
        return Err(bucket_error("lower and upper bounds must be finite"));
    }
    if low == high {
        return Err(bucket_error("lower bound cannot equal upper bound"));
    }
    let (before, after) =
        if low < high { (value < low, value >= high) } else { (value > low, value <= high) };
    if before {
        return Ok(0);
    }
    if after {
        return count.checked_add(1).ok_or_else(|| type_out_of_range("integer"));
    }
    let fraction = (value - low) / (high - low);
    Ok(((fraction * f64::from(count)) as i32).min(count - 1) + 1)
}
