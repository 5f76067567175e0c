//! Dates, times and intervals: text forms and arithmetic.
//!
//! Dates are days, timestamps microseconds since 1970-01-01, in the proleptic Gregorian calendar;
//! the extreme values are the infinities. A time with time zone is an [`Interval`] whose `micros`
//! are the local time and whose `months` are seconds east of Greenwich.

mod field;
mod interval;
mod interval_text;
mod output;
mod parse;
mod words;
pub mod zone;

use oxi_base::{Error, Result, SqlState};
use oxi_model::Interval;

use crate::context::EvalContext;

pub use field::*;
pub use interval::*;
pub use interval_text::{interval_in, interval_out, interval_typmod};
pub use output::*;
pub use parse::{date_in, time_in, timestamp_in, timestamptz_in, timetz_in};

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds of a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds of an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds of a day.
pub const DAY: i64 = 24 * HOUR;
/// `-infinity` of timestamps.
pub const NEG_INFINITY: i64 = i64::MIN;
/// `infinity` of timestamps.
pub const INFINITY: i64 = i64::MAX;
/// The first day: 4714-11-24 BC.
pub const MIN_DATE: i64 = -2_440_588;
/// The last day: 5874897-12-31.
pub const MAX_DATE: i64 = 2_145_042_905;
/// The first moment.
pub const MIN_TIMESTAMP: i64 = MIN_DATE * DAY;
/// The Julian day of 1970-01-01.
pub const UNIX_JULIAN: i64 = 2_440_588;

/// Days since 1970-01-01 of a date; the year counts astronomically (0 is 1 BC).
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The (astronomical) year, month and day of a number of days since 1970-01-01.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Whether an astronomical year has 366 days.
pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How many days a month has.
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Whether a timestamp is infinite.
pub fn is_infinite(micros: i64) -> bool {
    micros == NEG_INFINITY || micros == INFINITY
}

/// `timestamp out of range`
pub fn timestamp_out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

/// `date out of range`
pub fn date_out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range")
}

/// Checks a computed timestamp.
pub fn checked_timestamp(micros: Option<i64>) -> Result<i64> {
    micros
        .filter(|micros| *micros >= MIN_TIMESTAMP && *micros != INFINITY)
        .ok_or_else(timestamp_out_of_range)
}

/// Checks a computed date.
pub fn checked_date(days: i64) -> Result<i32> {
    if (MIN_DATE..=MAX_DATE).contains(&days) { Ok(days as i32) } else { Err(date_out_of_range()) }
}

/// The timestamp at a date's midnight, infinities kept, out of range becoming infinite.
pub fn date_to_timestamp_saturating(days: i32) -> i64 {
    match days {
        i32::MIN => NEG_INFINITY,
        i32::MAX => INFINITY,
        days => i64::from(days).checked_mul(DAY).unwrap_or(INFINITY - 1),
    }
}

/// The timestamp at a date's midnight.
pub fn date_to_timestamp(days: i32) -> Result<i64> {
    match days {
        i32::MIN => Ok(NEG_INFINITY),
        i32::MAX => Ok(INFINITY),
        days => i64::from(days).checked_mul(DAY).ok_or_else(|| {
            Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")
        }),
    }
}

/// The date of a timestamp.
pub fn timestamp_to_date(micros: i64) -> i32 {
    match micros {
        NEG_INFINITY => i32::MIN,
        INFINITY => i32::MAX,
        micros => micros.div_euclid(DAY) as i32,
    }
}

/// The moment of a local timestamp in the session's zone.
pub fn timestamp_to_utc(context: &EvalContext, local: i64) -> i64 {
    if is_infinite(local) { local } else { context.timezone.to_utc(local) }
}

/// The local timestamp of a moment in the session's zone.
pub fn timestamp_to_local(context: &EvalContext, utc: i64) -> i64 {
    if is_infinite(utc) { utc } else { context.timezone.to_local(utc) }
}

/// Rounds to a number of digits after the second's point.
pub fn round_micros(micros: i64, digits: i32) -> i64 {
    if !(0..6).contains(&digits) || is_infinite(micros) {
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

/// A time with time zone.
pub fn timetz(micros: i64, offset: i32) -> Interval {
    Interval { months: offset, days: 0, micros }
}

#[cfg(test)]
mod tests;
