//! `to_char`, `to_number`, `to_date`, `to_timestamp`.

use oxi_model::Interval;

use crate::{
    Numeric,
    builtin::args::scalar,
    context::EvalContext,
    datetime::{self, DAY, SECOND, is_infinite},
    template::{
        date::{self, Moment},
        number, read,
    },
};

fn moment(context: &EvalContext, utc: i64) -> Moment {
    let offset = context.timezone.offset_at(utc);
    Moment {
        local: utc.saturating_add(i64::from(offset) * SECOND),
        zone: Some((offset, context.timezone.abbreviation_at(utc))),
    }
}

/// An interval as a moment: months and days count from the era's start.
fn from_interval(span: Interval) -> Moment {
    let days = datetime::days_from_civil(
        i64::from(span.months / 12),
        i64::from(span.months % 12).max(0) + 1,
        1,
    );
    Moment { local: (days - 1 + i64::from(span.days)) * DAY + span.micros, zone: None }
}

fn digits_of(value: f64, digits: usize) -> Numeric {
    if value.is_nan() {
        return Numeric::NaN;
    }
    let text = format!("{value:.*e}", digits - 1);
    Numeric::parse(&text).unwrap_or(Numeric::NaN)
}

scalar! {
    fn timestamp_to_char(a: i64, template: &str) -> Option<String> {
        if is_infinite(a) || template.is_empty() {
            return Ok(None);
        }
        Some(date::format(&Moment { local: a, zone: None }, template))
    }
    fn timestamptz_to_char[context](a: i64, template: &str) -> Option<String> {
        if is_infinite(a) || template.is_empty() {
            return Ok(None);
        }
        Some(date::format(&moment(context, a), template))
    }
    fn interval_to_char(a: Interval, template: &str) -> Option<String> {
        if template.is_empty() {
            return Ok(None);
        }
        Some(date::format(&from_interval(a), template))
    }
    fn numeric_to_char(a: Numeric, template: &str) -> String { number::format(&a, template)? }
    fn int4_to_char(a: i32, template: &str) -> String {
        number::format(&Numeric::from_i128(i128::from(a)), template)?
    }
    fn int8_to_char(a: i64, template: &str) -> String {
        number::format(&Numeric::from_i128(i128::from(a)), template)?
    }
    fn float4_to_char(a: f32, template: &str) -> String {
        number::format(&digits_of(f64::from(a), 6), template)?
    }
    fn float8_to_char(a: f64, template: &str) -> String { number::format(&digits_of(a, 15), template)? }
    fn numeric_to_number(text: &str, template: &str) -> Option<Numeric> {
        if template.is_empty() {
            return Ok(None);
        }
        Some(number::read(text, template)?)
    }
    fn to_date(text: &str, template: &str) -> i32 {
        datetime::timestamp_to_date(read::read(text, template)?.local)
    }
    fn to_timestamp[context](text: &str, template: &str) -> i64 {
        let found = read::read(text, template)?;
        match found.offset {
            Some(offset) => found.local - i64::from(offset) * SECOND,
            None => datetime::timestamp_to_utc(context, found.local),
        }
    }
}
