//! Arithmetic, ages, overlaps and series.

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, Interval, descriptor::TypeRef};

use crate::{
    builtin::{
        args::{arg, scalar},
        math::out_of_range,
    },
    compare::interval_span,
    context::{EvalContext, TimeZone},
    datetime::{self, DAY, is_infinite, timetz},
    oid,
};

fn minus(span: Interval) -> Result<Interval> {
    datetime::interval_negate(span)
}

fn finite_dates(a: i32, b: i32) -> Result<()> {
    if [a, b].iter().any(|days| *days == i32::MIN || *days == i32::MAX) {
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite dates",
        ));
    }
    Ok(())
}

fn date_plus_days(date: i32, days: i64) -> Result<i32> {
    if date == i32::MIN || date == i32::MAX {
        return Ok(date);
    }
    datetime::checked_date(i64::from(date) + days)
}

fn date_plus(date: i32, span: Interval) -> Result<i64> {
    datetime::timestamp_plus(datetime::date_to_timestamp(date)?, span)
}

fn time_plus(time: i64, span: Interval) -> i64 {
    (time + span.micros % DAY).rem_euclid(DAY)
}

fn timetz_plus(value: Interval, span: Interval) -> Interval {
    timetz(time_plus(value.micros, span), value.months)
}

fn today(context: &EvalContext) -> i64 {
    context.timezone.to_local(context.transaction_us).div_euclid(DAY) * DAY
}

scalar! {
    fn date_mi(a: i32, b: i32) -> i32 {
        finite_dates(a, b)?;
        a - b
    }
    fn date_pli(a: i32, days: i32) -> i32 { date_plus_days(a, i64::from(days))? }
    fn date_mii(a: i32, days: i32) -> i32 { date_plus_days(a, -i64::from(days))? }
    fn sql_integer_pl_date(days: i32, a: i32) -> i32 { date_plus_days(a, i64::from(days))? }
    fn date_pl_interval(a: i32, span: Interval) -> i64 { date_plus(a, span)? }
    fn date_mi_interval(a: i32, span: Interval) -> i64 { date_plus(a, minus(span)?)? }
    fn sql_interval_pl_date(span: Interval, a: i32) -> i64 { date_plus(a, span)? }
    fn timestamp_mi(a: i64, b: i64) -> Interval { datetime::timestamp_minus(a, b)? }
    fn timestamp_pl_interval(a: i64, span: Interval) -> i64 { datetime::timestamp_plus(a, span)? }
    fn timestamp_mi_interval(a: i64, span: Interval) -> i64 {
        datetime::timestamp_plus(a, minus(span)?)?
    }
    fn sql_interval_pl_timestamp(span: Interval, a: i64) -> i64 { datetime::timestamp_plus(a, span)? }
    fn timestamptz_pl_interval[context](a: i64, span: Interval) -> i64 {
        datetime::timestamptz_plus(a, span, &context.timezone)?
    }
    fn timestamptz_mi_interval[context](a: i64, span: Interval) -> i64 {
        datetime::timestamptz_plus(a, minus(span)?, &context.timezone)?
    }
    fn sql_interval_pl_timestamptz[context](span: Interval, a: i64) -> i64 {
        datetime::timestamptz_plus(a, span, &context.timezone)?
    }
    fn time_mi_time(a: i64, b: i64) -> Interval { Interval { months: 0, days: 0, micros: a - b } }
    fn time_pl_interval(a: i64, span: Interval) -> i64 { time_plus(a, span) }
    fn time_mi_interval(a: i64, span: Interval) -> i64 { time_plus(a, minus(span)?) }
    fn sql_interval_pl_time(span: Interval, a: i64) -> i64 { time_plus(a, span) }
    fn timetz_pl_interval(a: Interval, span: Interval) -> Interval { timetz_plus(a, span) }
    fn timetz_mi_interval(a: Interval, span: Interval) -> Interval { timetz_plus(a, minus(span)?) }
    fn sql_interval_pl_timetz(span: Interval, a: Interval) -> Interval { timetz_plus(a, span) }
    fn interval_um(a: Interval) -> Interval { minus(a)? }
    fn interval_pl(a: Interval, b: Interval) -> Interval { datetime::interval_add(a, b)? }
    fn interval_mi(a: Interval, b: Interval) -> Interval { datetime::interval_subtract(a, b)? }
    fn interval_mul(a: Interval, factor: f64) -> Interval { datetime::interval_multiply(a, factor)? }
    fn mul_d_interval(factor: f64, a: Interval) -> Interval { datetime::interval_multiply(a, factor)? }
    fn interval_div(a: Interval, divisor: f64) -> Interval { datetime::interval_divide(a, divisor)? }
    fn interval_justify_hours(a: Interval) -> Interval { datetime::justify_hours(a)? }
    fn interval_justify_days(a: Interval) -> Interval { datetime::justify_days(a)? }
    fn interval_justify_interval(a: Interval) -> Interval { datetime::justify_interval(a)? }
    fn timestamp_age(a: i64, b: i64) -> Interval { datetime::age(a, b)? }
    fn timestamptz_age[context](a: i64, b: i64) -> Interval {
        datetime::age(
            datetime::timestamp_to_local(context, a),
            datetime::timestamp_to_local(context, b),
        )?
    }
    fn date_finite(a: i32) -> bool { a != i32::MIN && a != i32::MAX }
    fn timestamp_finite(a: i64) -> bool { !is_infinite(a) }
    fn interval_finite(_a: Interval) -> bool { true }
    fn timestamp_bin(stride: Interval, a: i64, origin: i64) -> i64 { datetime::bin(stride, a, origin)? }
    fn timestamptz_bin(stride: Interval, a: i64, origin: i64) -> i64 {
        datetime::bin(stride, a, origin)?
    }
    fn datetime_timestamp(date: i32, time: i64) -> i64 { date_at(date, time)? }
    fn sql_timedate_pl(time: i64, date: i32) -> i64 { date_at(date, time)? }
    fn datetimetz_timestamptz(date: i32, time: Interval) -> i64 { date_at_zoned(date, time)? }
    fn sql_timetzdate_pl(time: Interval, date: i32) -> i64 { date_at_zoned(date, time)? }
    fn generate_series_timestamp(from: i64, to: i64, step: Interval) -> Vec<i64> {
        series(from, to, step, &TimeZone::UTC)?
    }
    fn generate_series_timestamptz[context](from: i64, to: i64, step: Interval) -> Vec<i64> {
        series(from, to, step, &context.timezone)?
    }
    fn overlaps_timestamp(a: Option<i64>, b: Option<i64>, c: Option<i64>, d: Option<i64>) -> Option<bool> {
        overlaps(a, b, c, d)
    }
    fn overlaps_time(a: Option<i64>, b: Option<i64>, c: Option<i64>, d: Option<i64>) -> Option<bool> {
        overlaps(a, b, c, d)
    }
    fn overlaps_timetz(a: Option<Interval>, b: Option<Interval>, c: Option<Interval>, d: Option<Interval>) -> Option<bool> {
        let utc = |time: Option<Interval>| {
            time.map(|time| time.micros - i64::from(time.months) * datetime::SECOND)
        };
        overlaps(utc(a), utc(b), utc(c), utc(d))
    }
}

fn date_at(date: i32, time: i64) -> Result<i64> {
    let midnight = datetime::date_to_timestamp(date)?;
    if is_infinite(midnight) {
        return Ok(midnight);
    }
    datetime::checked_timestamp(midnight.checked_add(time))
}

fn date_at_zoned(date: i32, time: Interval) -> Result<i64> {
    let local = date_at(date, time.micros)?;
    if is_infinite(local) {
        return Ok(local);
    }
    datetime::checked_timestamp(local.checked_sub(i64::from(time.months) * datetime::SECOND))
}

/// `age(timestamp)` and `age(timestamptz)`: from today's midnight.
pub fn sql_age(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let value: i64 = arg(args, 0)?;
    let zoned = types.first().is_some_and(|reference| reference.oid == oid::TIMESTAMPTZ);
    let local = if zoned { datetime::timestamp_to_local(context, value) } else { value };
    datetime::age(today(context), local).map(Datum::Interval)
}

/// `xid_age` and its kin have no meaning here beyond zero.
pub fn xid_age(_: &EvalContext, _: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int32(0))
}

fn series(from: i64, to: i64, step: Interval, zone: &TimeZone) -> Result<Vec<i64>> {
    let span = interval_span(step);
    if span == 0 {
        return Err(crate::builtin::math::zero_step());
    }
    if is_infinite(from) || is_infinite(to) {
        return Err(out_of_range("timestamp"));
    }
    let mut out = Vec::new();
    let mut next = from;
    while if span > 0 { next <= to } else { next >= to } {
        out.push(next);
        match datetime::timestamptz_plus(next, step, zone) {
            Ok(following) => next = following,
            Err(_) => break,
        }
    }
    Ok(out)
}

/// SQL's OVERLAPS of two periods given by their ends, in any order; NULLs leave it unknown unless
/// the rest decides.
fn overlaps(a: Option<i64>, b: Option<i64>, c: Option<i64>, d: Option<i64>) -> Option<bool> {
    let order = |start: Option<i64>, end: Option<i64>| match (start, end) {
        (None, None) => None,
        (None, end) => Some((end, None)),
        (start, None) => Some((start, None)),
        (start, end) => Some((start.min(end), start.max(end))),
    };
    let (s1, e1) = order(a, b)?;
    let (s2, e2) = order(c, d)?;
    let (s1, s2) = (s1?, s2?);
    if s1 > s2 {
        return match e2 {
            None => None,
            Some(e2) if s1 < e2 => Some(true),
            Some(_) => e1.map(|_| false),
        };
    }
    if s1 < s2 {
        return match e1 {
            None => None,
            Some(e1) if s2 < e1 => Some(true),
            Some(_) => e2.map(|_| false),
        };
    }
    if e1.is_none() || e2.is_none() { None } else { Some(true) }
}

/// The forms of OVERLAPS in which periods have a length instead of an end.
pub fn sql_overlaps(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let kind = types.first().map_or(oid::TIMESTAMP, |reference| reference.oid);
    let end = |start: usize, end: usize| -> Result<Option<i64>> {
        let (from, to): (Option<i64>, &Datum) = (arg(args, start)?, arg(args, end)?);
        Ok(match (from, to) {
            (_, Datum::Int64(to)) => Some(*to),
            (Some(from), Datum::Interval(span)) => Some(match kind {
                oid::TIMESTAMPTZ => datetime::timestamptz_plus(from, *span, &context.timezone)?,
                oid::TIME => time_plus(from, *span),
                _ => datetime::timestamp_plus(from, *span)?,
            }),
            _ => None,
        })
    };
    let (e1, e2) = (end(0, 1)?, end(2, 3)?);
    Ok(overlaps(arg(args, 0)?, e1, arg(args, 2)?, e2).map_or(Datum::Null, Datum::Bool))
}
