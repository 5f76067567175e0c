//! Fields, truncation, construction.

use oxi_base::{Error, Result, SqlState};
use oxi_model::Interval;

use crate::{
    builtin::args::scalar,
    context::TimeZone,
    datetime::{
        self, DAY, HOUR, MINUTE, SECOND, days_from_civil, days_in_month, interval_out_of_range,
    },
    numeric::Numeric,
};

/// A zone written in a value or an argument.
pub(crate) fn zone_named(name: &str) -> Result<TimeZone> {
    TimeZone::for_value(name).ok_or_else(|| {
        Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("time zone \"{name}\" not recognized"),
        )
    })
}

fn as_float(value: Option<Numeric>) -> Option<f64> {
    value.map(|value| value.to_f64().unwrap_or(f64::NAN))
}

fn make_day(year: i32, month: i32, day: i32) -> Result<i64> {
    let error = || {
        Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date field value out of range: {year}-{month:02}-{day:02}"),
        )
    };
    if year == 0 || !(1..=12).contains(&month) {
        return Err(error());
    }
    let astronomical = i64::from(if year < 0 { year + 1 } else { year });
    if day < 1 || i64::from(day) > days_in_month(astronomical, i64::from(month)) {
        return Err(error());
    }
    let days = days_from_civil(astronomical, i64::from(month), i64::from(day));
    datetime::checked_date(days).map(i64::from).map_err(|_| {
        Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date out of range: {year}-{month:02}-{day:02}"),
        )
    })
}

fn make_clock(hour: i32, minute: i32, second: f64) -> Result<i64> {
    let fine = (0..=24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..=60.0).contains(&second)
        && (hour < 24 || (minute == 0 && second == 0.0));
    if !fine {
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("time field value out of range: {hour}:{minute:02}:{second:02}"),
        ));
    }
    Ok(i64::from(hour) * HOUR
        + i64::from(minute) * MINUTE
        + (second * SECOND as f64).round_ties_even() as i64)
}

fn make_local(year: i32, month: i32, day: i32, hour: i32, minute: i32, second: f64) -> Result<i64> {
    let days = make_day(year, month, day)?;
    let time = make_clock(hour, minute, second)?;
    datetime::checked_timestamp(days.checked_mul(DAY).and_then(|day| day.checked_add(time)))
}

fn from_seconds(seconds: f64) -> Result<i64> {
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { datetime::INFINITY } else { datetime::NEG_INFINITY });
    }
    if seconds.is_nan() {
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN"));
    }
    let micros = (seconds * SECOND as f64).round_ties_even();
    if micros < datetime::MIN_TIMESTAMP as f64 || micros >= i64::MAX as f64 {
        let mut shown = String::new();
        crate::float::general(seconds, 6, &mut shown);
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("timestamp out of range: \"{shown}\""),
        ));
    }
    Ok(micros as i64)
}

#[allow(clippy::too_many_arguments, reason = "as the SQL function has")]
fn span(
    years: i32,
    months: i32,
    weeks: i32,
    days: i32,
    hours: i32,
    minutes: i32,
    seconds: f64,
) -> Result<Interval> {
    if !seconds.is_finite() {
        return Err(interval_out_of_range());
    }
    let months = years.checked_mul(12).and_then(|total| total.checked_add(months));
    let days = weeks.checked_mul(7).and_then(|total| total.checked_add(days));
    let micros = (i64::from(hours) * HOUR + i64::from(minutes) * MINUTE)
        .checked_add((seconds * SECOND as f64).round_ties_even() as i64);
    match (months, days, micros) {
        (Some(months), Some(days), Some(micros)) => Ok(Interval { months, days, micros }),
        _ => Err(interval_out_of_range()),
    }
}

scalar! {
    fn timestamp_part(name: &str, a: i64) -> Option<f64> {
        as_float(datetime::timestamp_field(name, a)?)
    }
    fn timestamptz_part[context](name: &str, a: i64) -> Option<f64> {
        as_float(datetime::timestamptz_field(name, a, &context.timezone)?)
    }
    fn sql_date_part(name: &str, a: i32) -> Option<f64> {
        as_float(datetime::timestamp_field(name, datetime::date_to_timestamp(a)?)?)
    }
    fn time_part(name: &str, a: i64) -> Option<f64> { as_float(Some(datetime::time_field(name, a)?)) }
    fn timetz_part(name: &str, a: Interval) -> Option<f64> {
        as_float(Some(datetime::timetz_field(name, a)?))
    }
    fn interval_part(name: &str, a: Interval) -> Option<f64> {
        as_float(Some(datetime::interval_field(name, a)?))
    }
    fn extract_timestamp(name: &str, a: i64) -> Option<Numeric> { datetime::timestamp_field(name, a)? }
    fn extract_timestamptz[context](name: &str, a: i64) -> Option<Numeric> {
        datetime::timestamptz_field(name, a, &context.timezone)?
    }
    fn extract_date(name: &str, a: i32) -> Option<Numeric> { datetime::date_field(name, a)? }
    fn extract_time(name: &str, a: i64) -> Numeric { datetime::time_field(name, a)? }
    fn extract_timetz(name: &str, a: Interval) -> Numeric { datetime::timetz_field(name, a)? }
    fn extract_interval(name: &str, a: Interval) -> Numeric { datetime::interval_field(name, a)? }
    fn timestamp_trunc(name: &str, a: i64) -> i64 {
        datetime::timestamp_trunc(name, a, "timestamp without time zone")?
    }
    fn timestamptz_trunc[context](name: &str, a: i64) -> i64 {
        datetime::timestamptz_trunc(name, a, &context.timezone)?
    }
    fn timestamptz_trunc_zone(name: &str, a: i64, zone: &str) -> i64 {
        datetime::timestamptz_trunc(name, a, &zone_named(zone)?)?
    }
    fn interval_trunc(name: &str, a: Interval) -> Interval { datetime::interval_trunc(name, a)? }
    fn make_date(year: i32, month: i32, day: i32) -> i32 { make_day(year, month, day)? as i32 }
    fn make_time(hour: i32, minute: i32, second: f64) -> i64 { make_clock(hour, minute, second)? }
    fn make_timestamp(year: i32, month: i32, day: i32, hour: i32, minute: i32, second: f64) -> i64 {
        make_local(year, month, day, hour, minute, second)?
    }
    fn make_timestamptz[context](year: i32, month: i32, day: i32, hour: i32, minute: i32, second: f64) -> i64 {
        let local = make_local(year, month, day, hour, minute, second)?;
        datetime::timestamp_to_utc(context, local)
    }
    fn make_timestamptz_at_timezone(year: i32, month: i32, day: i32, hour: i32, minute: i32, second: f64, zone: &str) -> i64 {
        zone_named(zone)?.to_utc(make_local(year, month, day, hour, minute, second)?)
    }
    fn make_interval(years: i32, months: i32, weeks: i32, days: i32, hours: i32, minutes: i32, seconds: f64) -> Interval {
        span(years, months, weeks, days, hours, minutes, seconds)?
    }
    fn float8_timestamptz(seconds: f64) -> i64 { from_seconds(seconds)? }
}
