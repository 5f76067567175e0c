//! Interval arithmetic.

use oxi_base::{Error, Result, SqlState};
use oxi_model::Interval;

use super::{DAY, checked_timestamp, civil_from_days, days_from_civil, days_in_month, is_infinite};
use crate::{compare::interval_span, context::TimeZone, numeric::division_by_zero};

/// `interval out of range`
pub fn interval_out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

fn made(months: Option<i32>, days: Option<i32>, micros: Option<i64>) -> Result<Interval> {
    match (months, days, micros) {
        (Some(months), Some(days), Some(micros)) => Ok(Interval { months, days, micros }),
        _ => Err(interval_out_of_range()),
    }
}

/// The sum, part by part.
pub fn interval_add(a: Interval, b: Interval) -> Result<Interval> {
    made(a.months.checked_add(b.months), a.days.checked_add(b.days), a.micros.checked_add(b.micros))
}

/// The difference, part by part.
pub fn interval_subtract(a: Interval, b: Interval) -> Result<Interval> {
    made(a.months.checked_sub(b.months), a.days.checked_sub(b.days), a.micros.checked_sub(b.micros))
}

/// The negated interval.
pub fn interval_negate(a: Interval) -> Result<Interval> {
    made(a.months.checked_neg(), a.days.checked_neg(), a.micros.checked_neg())
}

/// Rounds to microseconds.
fn settle(seconds: f64) -> f64 {
    (seconds * 1e6).round_ties_even() / 1e6
}

/// Whole months and days stay; fractions of months become days, fractions of days time.
fn scaled(months: f64, days: f64, micros: f64) -> Result<Interval> {
    let limit = f64::from(i32::MAX) + 1.0;
    if months.is_nan() || months.abs() >= limit || days.is_nan() || days.abs() >= limit {
        return Err(interval_out_of_range());
    }
    let (whole_months, whole_days) = (months.trunc(), days.trunc());
    let month_days = settle((months - whole_months) * 30.0);
    let mut seconds = settle((days - whole_days + month_days - month_days.trunc()) * 86_400.0);
    let mut extra_days = month_days.trunc();
    if seconds.abs() >= 86_400.0 {
        extra_days += (seconds / 86_400.0).trunc();
        seconds %= 86_400.0;
    }
    let total = (micros + seconds * 1e6).round_ties_even();
    if total.is_nan() || total.abs() >= 9.223_372_036_854_775e18 {
        return Err(interval_out_of_range());
    }
    made(
        Some(whole_months as i32),
        (whole_days as i32).checked_add(extra_days as i32),
        Some(total as i64),
    )
}

/// The interval times a factor.
pub fn interval_multiply(a: Interval, factor: f64) -> Result<Interval> {
    let (months, days) = (f64::from(a.months) * factor, f64::from(a.days) * factor);
    scaled(months, days, a.micros as f64 * factor)
}

/// The interval divided by a number.
pub fn interval_divide(a: Interval, divisor: f64) -> Result<Interval> {
    if divisor == 0.0 {
        return Err(division_by_zero());
    }
    let (months, days) = (f64::from(a.months) / divisor, f64::from(a.days) / divisor);
    scaled(months, days, a.micros as f64 / divisor)
}

/// `justify_hours`: whole days out of the time.
pub fn justify_hours(a: Interval) -> Result<Interval> {
    let mut days = i64::from(a.days) + a.micros / DAY;
    let mut micros = a.micros % DAY;
    if days > 0 && micros < 0 {
        micros += DAY;
        days -= 1;
    } else if days < 0 && micros > 0 {
        micros -= DAY;
        days += 1;
    }
    made(Some(a.months), i32::try_from(days).ok(), Some(micros))
}

/// `justify_days`: whole months out of the days.
pub fn justify_days(a: Interval) -> Result<Interval> {
    let mut months = i64::from(a.months) + i64::from(a.days / 30);
    let mut days = a.days % 30;
    if months > 0 && days < 0 {
        days += 30;
        months -= 1;
    } else if months < 0 && days > 0 {
        days -= 30;
        months += 1;
    }
    made(i32::try_from(months).ok(), Some(days), Some(a.micros))
}

/// `justify_interval`: both, with one sign throughout.
pub fn justify_interval(a: Interval) -> Result<Interval> {
    let mut months = i64::from(a.months);
    let mut days = i64::from(a.days);
    let mut micros = a.micros;
    days += micros / DAY;
    micros %= DAY;
    months += days / 30;
    days %= 30;
    if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
        days += 30;
        months -= 1;
    } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
        days -= 30;
        months += 1;
    }
    if days > 0 && micros < 0 {
        micros += DAY;
        days -= 1;
    } else if days < 0 && micros > 0 {
        micros -= DAY;
        days += 1;
    }
    made(i32::try_from(months).ok(), i32::try_from(days).ok(), Some(micros))
}

/// A local timestamp plus an interval: months first (the day cut to the month's end), then days,
/// then time.
pub fn timestamp_plus(micros: i64, span: Interval) -> Result<i64> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    let mut result = micros;
    if span.months != 0 {
        let (days, time) = (result.div_euclid(DAY), result.rem_euclid(DAY));
        let (year, month, day) = civil_from_days(days);
        let months = year * 12 + month - 1 + i64::from(span.months);
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let day = day.min(days_in_month(year, month));
        let moved = days_from_civil(year, month, day).checked_mul(DAY);
        result = checked_timestamp(moved.and_then(|moved| moved.checked_add(time)))?;
    }
    if span.days != 0 {
        result = checked_timestamp(
            i64::from(span.days).checked_mul(DAY).and_then(|days| result.checked_add(days)),
        )?;
    }
    checked_timestamp(result.checked_add(span.micros))
}

/// A moment plus an interval: months and days on the zone's calendar, then time.
pub fn timestamptz_plus(micros: i64, span: Interval, zone: &TimeZone) -> Result<i64> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    let mut result = micros;
    if span.months != 0 || span.days != 0 {
        let calendar = Interval { micros: 0, ..span };
        result = zone.to_utc(timestamp_plus(zone.to_local(result), calendar)?);
    }
    checked_timestamp(result.checked_add(span.micros))
}

/// `age`: the difference in years, months, days and time on the calendar.
pub fn age(a: i64, b: i64) -> Result<Interval> {
    if is_infinite(a) || is_infinite(b) {
        return Err(super::timestamp_out_of_range());
    }
    let negative = a < b;
    let (later, earlier) = if negative { (b, a) } else { (a, b) };
    let (later_days, earlier_days) = (later.div_euclid(DAY), earlier.div_euclid(DAY));
    let (y1, m1, d1) = civil_from_days(later_days);
    let (y2, m2, d2) = civil_from_days(earlier_days);
    let mut micros = later.rem_euclid(DAY) - earlier.rem_euclid(DAY);
    let mut days = d1 - d2;
    let mut months = (y1 - y2) * 12 + m1 - m2;
    if micros < 0 {
        micros += DAY;
        days -= 1;
    }
    while days < 0 {
        // Borrow the days of the month in which the earlier date lies.
        days += days_in_month(y2, m2);
        months -= 1;
    }
    let found = Interval { months: months as i32, days: days as i32, micros };
    if negative { interval_negate(found) } else { Ok(found) }
}

/// The difference of timestamps in days and time.
pub fn timestamp_minus(a: i64, b: i64) -> Result<Interval> {
    if is_infinite(a) || is_infinite(b) {
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite timestamps",
        ));
    }
    let micros = a.checked_sub(b).ok_or_else(interval_out_of_range)?;
    justify_hours(Interval { months: 0, days: 0, micros })
}

/// `date_bin`.
pub fn bin(stride: Interval, value: i64, origin: i64) -> Result<i64> {
    if is_infinite(value) {
        return Ok(value);
    }
    if is_infinite(origin) {
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "origin out of range"));
    }
    if stride.months != 0 {
        return Err(Error::unsupported(
            "timestamps cannot be binned into intervals containing months or years",
        ));
    }
    let step = i64::try_from(interval_span(stride)).map_err(|_| interval_out_of_range())?;
    if step <= 0 {
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "stride must be greater than zero",
        ));
    }
    let offset = value.checked_sub(origin).ok_or_else(interval_out_of_range)?;
    checked_timestamp(
        offset.div_euclid(step).checked_mul(step).and_then(|bin| origin.checked_add(bin)),
    )
}
