//! Intervals as text, in the four styles.

use std::fmt::Write;

use oxi_model::Interval;

use crate::context::{EvalContext, IntervalStyle};
use crate::datetime::{SECOND, output::fraction_out};

fn plural(count: i64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Writes an interval.
pub fn interval_out(context: &EvalContext, value: Interval, out: &mut String) {
    match context.interval_style {
        IntervalStyle::Postgres => postgres(value, out),
        IntervalStyle::PostgresVerbose => verbose(value, out),
        IntervalStyle::SqlStandard => sql_standard(value, out),
        IntervalStyle::Iso8601 => iso_8601(value, out),
    }
}

fn clock_parts(micros: i64) -> (u64, u64, u64, i64) {
    let total = micros.unsigned_abs();
    let second = SECOND.unsigned_abs();
    (
        total / (3600 * second),
        total / (60 * second) % 60,
        total / second % 60,
        (total % second) as i64,
    )
}

fn postgres(value: Interval, out: &mut String) {
    let mut first = true;
    let mut before_negative = false;
    let mut part = |count: i32, word: &str, out: &mut String| {
        if count == 0 {
            return;
        }
        let sign = if before_negative && count > 0 { "+" } else { "" };
        let space = if first { "" } else { " " };
        let _ = write!(out, "{space}{sign}{count} {word}{}", if count == 1 { "" } else { "s" });
        before_negative = count < 0;
        first = false;
    };
    part(value.months / 12, "year", out);
    part(value.months % 12, "mon", out);
    part(value.days, "day", out);
    if first || value.micros != 0 {
        let (hours, minutes, seconds, fraction) = clock_parts(value.micros);
        let sign = if value.micros < 0 {
            "-"
        } else if before_negative {
            "+"
        } else {
            ""
        };
        let space = if first { "" } else { " " };
        let _ = write!(out, "{space}{sign}{hours:02}:{minutes:02}:{seconds:02}");
        fraction_out(fraction, out);
    }
}

fn verbose(value: Interval, out: &mut String) {
    out.push('@');
    let mut ago: Option<bool> = None;
    let mut part = |count: i64, word: &str, out: &mut String| {
        if count == 0 {
            return;
        }
        let negative = *ago.get_or_insert(count < 0);
        let shown = if negative { -count } else { count };
        let _ = write!(out, " {shown} {word}{}", plural(shown));
    };
    part(i64::from(value.months / 12), "year", out);
    part(i64::from(value.months % 12), "mon", out);
    part(i64::from(value.days), "day", out);
    let (hours, minutes, seconds, fraction) = clock_parts(value.micros);
    let sign = if value.micros < 0 { -1 } else { 1 };
    part(sign * hours as i64, "hour", out);
    part(sign * minutes as i64, "min", out);
    if seconds != 0 || fraction != 0 {
        let negative = *ago.get_or_insert(value.micros < 0);
        out.push_str(if (value.micros < 0) == negative { " " } else { " -" });
        let _ = write!(out, "{seconds}");
        fraction_out(fraction, out);
        out.push_str(if seconds == 1 && fraction == 0 { " sec" } else { " secs" });
    }
    match ago {
        None => out.push_str(" 0"),
        Some(true) => out.push_str(" ago"),
        Some(false) => {}
    }
}

fn sql_standard(value: Interval, out: &mut String) {
    let (years, months, days) = (value.months / 12, value.months % 12, value.days);
    let negative = value.months < 0 || days < 0 || value.micros < 0;
    let positive = value.months > 0 || days > 0 || value.micros > 0;
    let has_calendar = value.months != 0;
    let has_day = days != 0 || value.micros != 0;
    let (hours, minutes, seconds, fraction) = clock_parts(value.micros);
    if negative && positive || has_calendar && has_day {
        let sign = |negative: bool| if negative { '-' } else { '+' };
        let _ = write!(
            out,
            "{}{}-{} {}{} {}{hours}:{minutes:02}:{seconds:02}",
            sign(value.months < 0),
            years.abs(),
            months.abs(),
            sign(days < 0),
            days.unsigned_abs(),
            sign(value.micros < 0),
        );
        fraction_out(fraction, out);
        return;
    }
    if !negative && !positive {
        out.push('0');
        return;
    }
    if negative {
        out.push('-');
    }
    if has_calendar {
        let _ = write!(out, "{}-{}", years.abs(), months.abs());
        return;
    }
    if days != 0 {
        let _ = write!(out, "{} ", days.unsigned_abs());
    }
    let _ = write!(out, "{hours}:{minutes:02}:{seconds:02}");
    fraction_out(fraction, out);
}

fn iso_8601(value: Interval, out: &mut String) {
    if value == Interval::default() {
        out.push_str("PT0S");
        return;
    }
    out.push('P');
    let part = |count: i64, letter: char, out: &mut String| {
        if count != 0 {
            let _ = write!(out, "{count}{letter}");
        }
    };
    part(i64::from(value.months / 12), 'Y', out);
    part(i64::from(value.months % 12), 'M', out);
    part(i64::from(value.days), 'D', out);
    if value.micros != 0 {
        out.push('T');
        let (hours, minutes, seconds, fraction) = clock_parts(value.micros);
        let sign = if value.micros < 0 { -1 } else { 1 };
        part(sign * hours as i64, 'H', out);
        part(sign * minutes as i64, 'M', out);
        if seconds != 0 || fraction != 0 {
            out.push_str(if sign < 0 { "-" } else { "" });
            let _ = write!(out, "{seconds}");
            fraction_out(fraction, out);
            out.push('S');
        }
    }
}
