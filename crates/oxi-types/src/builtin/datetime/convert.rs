//! Casts between dates and times, `AT TIME ZONE`, and the current time.

use oxi_base::{Error, SqlState};
use oxi_model::Interval;

use super::fields::zone_named;
use crate::{
    builtin::args::scalar,
    context::{EvalContext, TimeZone},
    datetime::{self, DAY, SECOND, is_infinite, timetz},
};

/// A zone given as an interval: hours and minutes east of Greenwich.
fn zone_of(span: Interval) -> oxi_base::Result<TimeZone> {
    if span.months != 0 || span.days != 0 {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "interval time zone must not include months or days",
        ));
    }
    Ok(TimeZone::fixed((span.micros / SECOND) as i32))
}

fn to_zone(zone: &TimeZone, utc: i64) -> i64 {
    if is_infinite(utc) { utc } else { zone.to_local(utc) }
}

fn from_zone(zone: &TimeZone, local: i64) -> i64 {
    if is_infinite(local) { local } else { zone.to_utc(local) }
}

fn timetz_at(context: &EvalContext, zone: &TimeZone, value: Interval) -> Interval {
    let offset = zone.offset_at(context.transaction_us);
    let utc = value.micros - i64::from(value.months) * SECOND;
    timetz((utc + i64::from(offset) * SECOND).rem_euclid(DAY), offset)
}

fn local_now(context: &EvalContext) -> i64 {
    context.timezone.to_local(context.transaction_us)
}

fn current_offset(context: &EvalContext) -> i32 {
    context.timezone.offset_at(context.transaction_us)
}

scalar! {
    fn date_timestamp(a: i32) -> i64 { datetime::date_to_timestamp(a)? }
    fn date_timestamptz[context](a: i32) -> i64 {
        datetime::timestamp_to_utc(context, datetime::date_to_timestamp(a)?)
    }
    fn timestamp_date(a: i64) -> i32 { datetime::timestamp_to_date(a) }
    fn timestamptz_date[context](a: i64) -> i32 {
        datetime::timestamp_to_date(datetime::timestamp_to_local(context, a))
    }
    fn timestamp_time(a: i64) -> Option<i64> { (!is_infinite(a)).then(|| a.rem_euclid(DAY)) }
    fn timestamptz_time[context](a: i64) -> Option<i64> {
        (!is_infinite(a)).then(|| datetime::timestamp_to_local(context, a).rem_euclid(DAY))
    }
    fn timestamptz_timetz[context](a: i64) -> Option<Interval> {
        (!is_infinite(a)).then(|| {
            timetz(context.timezone.to_local(a).rem_euclid(DAY), context.timezone.offset_at(a))
        })
    }
    fn timestamp_timestamptz[context](a: i64) -> i64 { datetime::timestamp_to_utc(context, a) }
    fn timestamptz_timestamp[context](a: i64) -> i64 { datetime::timestamp_to_local(context, a) }
    fn time_interval(a: i64) -> Interval { Interval { months: 0, days: 0, micros: a } }
    fn interval_time(a: Interval) -> i64 { a.micros.rem_euclid(DAY) }
    fn time_timetz[context](a: i64) -> Interval { timetz(a, current_offset(context)) }
    fn timetz_time(a: Interval) -> i64 { a.micros }
    fn sql_timestamptz[context](date: i32, time: i64) -> i64 {
        let midnight = datetime::date_to_timestamp(date)?;
        let local = if is_infinite(midnight) { midnight } else { midnight.saturating_add(time) };
        datetime::timestamp_to_utc(context, local)
    }
    fn timestamp_zone(zone: &str, a: i64) -> i64 { from_zone(&zone_named(zone)?, a) }
    fn timestamptz_zone(zone: &str, a: i64) -> i64 { to_zone(&zone_named(zone)?, a) }
    fn timestamp_izone(zone: Interval, a: i64) -> i64 { from_zone(&zone_of(zone)?, a) }
    fn timestamptz_izone(zone: Interval, a: i64) -> i64 { to_zone(&zone_of(zone)?, a) }
    fn timetz_zone[context](zone: &str, a: Interval) -> Interval {
        timetz_at(context, &zone_named(zone)?, a)
    }
    fn timetz_izone[context](zone: Interval, a: Interval) -> Interval {
        timetz_at(context, &zone_of(zone)?, a)
    }
    fn now[context]() -> i64 { context.transaction_us }
    fn statement_timestamp[context]() -> i64 { context.statement_us }
    fn clock_timestamp[context]() -> i64 { (context.clock)() }
    fn timeofday[context]() -> String {
        let mut shown = context.clone();
        shown.date_style.format = crate::context::DateFormat::Postgres;
        let mut out = String::new();
        datetime::timestamptz_out(&shown, (context.clock)(), &mut out);
        out
    }
    fn current_date[context]() -> i32 { local_now(context).div_euclid(DAY) as i32 }
    fn current_time[context](precision: Option<i32>) -> Interval {
        let time = local_now(context).rem_euclid(DAY);
        timetz(datetime::round_micros(time, precision.unwrap_or(6)), current_offset(context))
    }
    fn current_timestamp[context](precision: Option<i32>) -> i64 {
        datetime::round_micros(context.transaction_us, precision.unwrap_or(6))
    }
    fn localtime[context](precision: Option<i32>) -> i64 {
        datetime::round_micros(local_now(context).rem_euclid(DAY), precision.unwrap_or(6))
    }
    fn localtimestamp[context](precision: Option<i32>) -> i64 {
        datetime::round_micros(local_now(context), precision.unwrap_or(6))
    }
}
