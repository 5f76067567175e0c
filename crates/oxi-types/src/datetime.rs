//! Dates, times and intervals: text forms and arithmetic.

pub mod zone;

use oxi_base::{Error, Result};
use oxi_model::Interval;

use crate::context::EvalContext;

fn later<T>() -> Result<T> {
    Err(Error::unsupported("date and time input is not supported"))
}
pub fn date_in(_: &EvalContext, _: &str) -> Result<i32> { later() }
pub fn time_in(_: &EvalContext, _: &str) -> Result<i64> { later() }
pub fn timetz_in(_: &EvalContext, _: &str) -> Result<Interval> { later() }
pub fn timestamp_in(_: &EvalContext, _: &str) -> Result<i64> { later() }
pub fn timestamptz_in(_: &EvalContext, _: &str) -> Result<i64> { later() }
pub fn interval_in(_: &EvalContext, _: &str, _: i32) -> Result<Interval> { later() }
pub fn date_out(_: &EvalContext, _: i32, _: &mut String) {}
pub fn time_out(_: i64, _: &mut String) {}
pub fn timetz_out(_: Interval, _: &mut String) {}
pub fn timestamp_out(_: &EvalContext, _: i64, _: &mut String) {}
pub fn timestamptz_out(_: &EvalContext, _: i64, _: &mut String) {}
pub fn interval_out(_: &EvalContext, _: Interval, _: &mut String) {}
pub fn interval_typmod(interval: Interval, _: i32) -> Result<Interval> { Ok(interval) }
/// Rounds to a number of digits after the second's point.
pub fn round_micros(micros: i64, digits: i32) -> i64 {
    if !(0..6).contains(&digits) || micros == i64::MIN || micros == i64::MAX {
        return micros;
    }
    let unit = 10i64.pow((6 - digits) as u32);
    let half = unit / 2;
    if micros >= 0 {
        micros.saturating_add(half) / unit * unit
    } else {
        -(micros.saturating_neg().saturating_add(half) / unit * unit)
    }
}

pub fn date_to_timestamp_saturating(days: i32) -> i64 { i64::from(days) * 86_400_000_000 }
pub fn timestamp_to_utc(context: &EvalContext, local: i64) -> i64 { context.timezone.to_utc(local) }
pub fn interval_add(a: Interval, b: Interval) -> Result<Interval> { let _ = b; Ok(a) }
pub fn interval_subtract(a: Interval, b: Interval) -> Result<Interval> { let _ = b; Ok(a) }
pub fn interval_divide(a: Interval, b: f64) -> Result<Interval> { let _ = b; Ok(a) }
pub fn interval_multiply(a: Interval, b: f64) -> Result<Interval> { let _ = b; Ok(a) }
