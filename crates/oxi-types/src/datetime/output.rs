//! Text output of dates and times.

use std::fmt::Write;

use oxi_model::Interval;

use super::{DAY, HOUR, INFINITY, MINUTE, NEG_INFINITY, SECOND, civil_from_days, words, zone};
use crate::context::{DateFormat, DateOrder, EvalContext};

/// Writes `hh:mm:ss[.ffffff]` without trailing zeros.
pub fn time_out(micros: i64, out: &mut String) {
    let _ =
        write!(out, "{:02}:{:02}:{:02}", micros / HOUR, micros / MINUTE % 60, micros / SECOND % 60);
    fraction_out(micros % SECOND, out);
}

pub(super) fn fraction_out(micros: i64, out: &mut String) {
    if micros != 0 {
        let digits = format!("{:06}", micros.unsigned_abs());
        out.push('.');
        out.push_str(digits.trim_end_matches('0'));
    }
}

/// Writes a time with time zone.
pub fn timetz_out(value: Interval, out: &mut String) {
    time_out(value.micros, out);
    zone::put_offset(value.months, out);
}

fn shown_year(year: i64) -> (i64, &'static str) {
    if year > 0 { (year, "") } else { (1 - year, " BC") }
}

fn put_date(context: &EvalContext, days: i64, out: &mut String) -> &'static str {
    let (year, month, day) = civil_from_days(days);
    let (year, era) = shown_year(year);
    let style = context.date_style;
    let dmy = style.order == DateOrder::Dmy;
    let _ = match style.format {
        DateFormat::Iso => write!(out, "{year:04}-{month:02}-{day:02}"),
        DateFormat::Sql if dmy => write!(out, "{day:02}/{month:02}/{year:04}"),
        DateFormat::Sql => write!(out, "{month:02}/{day:02}/{year:04}"),
        DateFormat::German => write!(out, "{day:02}.{month:02}.{year:04}"),
        DateFormat::Postgres if dmy => write!(out, "{day:02}-{month:02}-{year:04}"),
        DateFormat::Postgres => write!(out, "{month:02}-{day:02}-{year:04}"),
    };
    era
}

/// Writes a date.
pub fn date_out(context: &EvalContext, days: i32, out: &mut String) {
    match days {
        i32::MIN => out.push_str("-infinity"),
        i32::MAX => out.push_str("infinity"),
        days => {
            let era = put_date(context, i64::from(days), out);
            out.push_str(era);
        }
    }
}

fn put_timestamp(context: &EvalContext, local: i64, zone: Option<(i32, String)>, out: &mut String) {
    let (days, time) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let style = context.date_style;
    if style.format == DateFormat::Postgres {
        let (year, month, day) = civil_from_days(days);
        let (year, era) = shown_year(year);
        let weekday = &words::DAYS[(days + 4).rem_euclid(7) as usize][..3];
        let month = &words::MONTHS[month as usize - 1][..3];
        let _ = if style.order == DateOrder::Dmy {
            write!(out, "{weekday} {day:02} {month} ")
        } else {
            write!(out, "{weekday} {month} {day:02} ")
        };
        time_out(time, out);
        let _ = write!(out, " {year:04}");
        if let Some((_, name)) = zone {
            out.push(' ');
            out.push_str(&name);
        }
        out.push_str(era);
        return;
    }
    let era = put_date(context, days, out);
    out.push(' ');
    time_out(time, out);
    if let Some((offset, name)) = zone {
        if style.format == DateFormat::Iso {
            zone::put_offset(offset, out);
        } else {
            if !name.starts_with(['+', '-']) {
                out.push(' ');
            }
            out.push_str(&name);
        }
    }
    out.push_str(era);
}

/// Writes a timestamp.
pub fn timestamp_out(context: &EvalContext, micros: i64, out: &mut String) {
    match micros {
        NEG_INFINITY => out.push_str("-infinity"),
        INFINITY => out.push_str("infinity"),
        micros => put_timestamp(context, micros, None, out),
    }
}

/// Writes a timestamp with time zone in the session's zone.
pub fn timestamptz_out(context: &EvalContext, micros: i64, out: &mut String) {
    match micros {
        NEG_INFINITY => out.push_str("-infinity"),
        INFINITY => out.push_str("infinity"),
        micros => {
            let offset = context.timezone.offset_at(micros);
            let name = if context.date_style.format == DateFormat::Iso {
                String::new()
            } else {
                context.timezone.abbreviation_at(micros)
            };
            let local = micros.saturating_add(i64::from(offset) * SECOND);
            put_timestamp(context, local, Some((offset, name)), out);
        }
    }
}
