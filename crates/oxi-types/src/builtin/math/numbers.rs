//! Numerics.

use oxi_base::{Error, SqlState};

use super::{float::bucket_error, integer::zero_step};
use crate::{builtin::args::scalar, numeric::Numeric};

scalar! {
    fn numeric_add(a: Numeric, b: Numeric) -> Numeric { a.add(&b) }
    fn numeric_sub(a: Numeric, b: Numeric) -> Numeric { a.sub(&b) }
    fn numeric_mul(a: Numeric, b: Numeric) -> Numeric { a.mul(&b) }
    fn numeric_div(a: Numeric, b: Numeric) -> Numeric { a.div(&b)? }
    fn numeric_mod(a: Numeric, b: Numeric) -> Numeric { a.rem(&b)? }
    fn numeric_div_trunc(a: Numeric, b: Numeric) -> Numeric { a.div_trunc(&b)? }
    fn numeric_uminus(a: Numeric) -> Numeric { a.neg() }
    fn numeric_uplus(a: Numeric) -> Numeric { a }
    fn numeric_inc(a: Numeric) -> Numeric { a.add(&Numeric::ONE) }
    fn numeric_abs(a: Numeric) -> Numeric { a.abs() }
    fn numeric_sign(a: Numeric) -> Numeric {
        if a.is_nan() { a } else { Numeric::from_i128(i128::from(a.signum())) }
    }
    fn numeric_round(a: Numeric, scale: i32) -> Numeric { a.round(scale.clamp(-131_072, 16_383)) }
    fn sql_round(a: Numeric) -> Numeric { a.round(0) }
    fn numeric_trunc(a: Numeric, scale: i32) -> Numeric { a.trunc(scale.clamp(-131_072, 16_383)) }
    fn sql_trunc(a: Numeric) -> Numeric { a.trunc(0) }
    fn numeric_ceil(a: Numeric) -> Numeric { a.ceil() }
    fn numeric_floor(a: Numeric) -> Numeric { a.floor() }
    fn numeric_sqrt(a: Numeric) -> Numeric { a.sqrt()? }
    fn numeric_exp(a: Numeric) -> Numeric { a.exp()? }
    fn numeric_ln(a: Numeric) -> Numeric { a.ln()? }
    fn numeric_log(base: Numeric, a: Numeric) -> Numeric { a.log(&base)? }
    fn sql_log(a: Numeric) -> Numeric { a.log(&Numeric::from_i128(10))? }
    fn sql_log10(a: Numeric) -> Numeric { a.log(&Numeric::from_i128(10))? }
    fn numeric_power(a: Numeric, b: Numeric) -> Numeric { a.power(&b)? }
    fn numeric_gcd(a: Numeric, b: Numeric) -> Numeric { a.gcd(&b) }
    fn numeric_lcm(a: Numeric, b: Numeric) -> Numeric { a.lcm(&b)? }
    fn numeric_scale(a: Numeric) -> Option<i32> { a.is_finite().then(|| a.scale()) }
    fn numeric_min_scale(a: Numeric) -> Option<i32> { a.is_finite().then(|| a.min_scale()) }
    fn numeric_trim_scale(a: Numeric) -> Numeric { a.trim_scale() }
    fn int2_numeric(a: i16) -> Numeric { Numeric::from_i128(i128::from(a)) }
    fn int4_numeric(a: i32) -> Numeric { Numeric::from_i128(i128::from(a)) }
    fn int8_numeric(a: i64) -> Numeric { Numeric::from_i128(i128::from(a)) }
    fn float4_numeric(a: f32) -> Numeric { Numeric::from_f32(a) }
    fn float8_numeric(a: f64) -> Numeric { Numeric::from_f64(a) }
    fn numeric_int2(a: Numeric) -> i16 { a.to_integer("smallint")? }
    fn numeric_int4(a: Numeric) -> i32 { a.to_integer("integer")? }
    fn numeric_int8(a: Numeric) -> i64 { a.to_integer("bigint")? }
    fn numeric_float4(a: Numeric) -> f32 { crate::float::float4_in(&a.to_string())? }
    fn numeric_float8(a: Numeric) -> f64 { crate::float::float8_in(&a.to_string())? }
    fn width_bucket_numeric(value: Numeric, low: Numeric, high: Numeric, count: i32) -> i32 {
        bucket(&value, &low, &high, count)?
    }
    fn generate_series_numeric(from: Numeric, to: Numeric) -> Vec<Numeric> {
        series(&from, &to, &Numeric::ONE)?
    }
    fn generate_series_step_numeric(from: Numeric, to: Numeric, step: Numeric) -> Vec<Numeric> {
        series(&from, &to, &step)?
    }
}

fn bucket(value: &Numeric, low: &Numeric, high: &Numeric, count: i32) -> oxi_base::Result<i32> {
    if count <= 0 {
        return Err(bucket_error("count must be greater than zero"));
    }
    if value.is_nan() || low.is_nan() || high.is_nan() {
        return Err(bucket_error("operand, lower bound, and upper bound cannot be NaN"));
    }
    if !low.is_finite() || !high.is_finite() {
        return Err(bucket_error("lower and upper bounds must be finite"));
    }
    if low == high {
        return Err(bucket_error("lower bound cannot equal upper bound"));
    }
    let rising = low < high;
    if if rising { value < low } else { value > low } {
        return Ok(0);
    }
    if if rising { value >= high } else { value <= high } {
        return count.checked_add(1).ok_or_else(|| super::integer::out_of_range("integer"));
    }
    let count = Numeric::from_i128(i128::from(count));
    let place = value.sub(low).mul(&count).div_trunc(&high.sub(low))?;
    place.add(&Numeric::ONE).to_integer("integer")
}

fn series(from: &Numeric, to: &Numeric, step: &Numeric) -> oxi_base::Result<Vec<Numeric>> {
    for (value, name) in [(from, "start"), (to, "stop"), (step, "step")] {
        let place = if name == "step" { "step size" } else { name };
        let what = if name == "step" { "step size".to_owned() } else { format!("{place} value") };
        if value.is_nan() {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("{what} cannot be NaN"),
            ));
        }
        if !value.is_finite() {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("{what} cannot be infinity"),
            ));
        }
    }
    if step.is_zero() {
        return Err(zero_step());
    }
    let rising = !step.is_negative();
    let mut out = Vec::new();
    let mut next = from.clone();
    while if rising { next <= *to } else { next >= *to } {
        let following = next.add(step);
        out.push(next);
        next = following;
    }
    Ok(out)
}
