//! SQL's order of values, and keys whose byte order and equality are SQL's.

use std::{cmp::Ordering, sync::Arc};

use oxi_model::{Datum, Interval, datum::ListValue};

use crate::{json, numeric, oid, pg_type};

/// The length of an interval in microseconds, months counting 30 days: what `=` and `<` see.
pub fn interval_span(interval: Interval) -> i128 {
    let days = i128::from(interval.months) * 30 + i128::from(interval.days);
    days * 86_400_000_000 + i128::from(interval.micros)
}

fn floats(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}

/// SQL's order of two values of one type. NULLs, where they occur inside arrays or here, come last.
pub fn compare(type_oid: u32, a: &Datum, b: &Datum) -> Ordering {
    match (a, b) {
        (Datum::Null, Datum::Null) => Ordering::Equal,
        (Datum::Null, _) => Ordering::Greater,
        (_, Datum::Null) => Ordering::Less,
        (Datum::Bool(a), Datum::Bool(b)) => a.cmp(b),
        (Datum::Int16(a), Datum::Int16(b)) => a.cmp(b),
        (Datum::Int32(a), Datum::Int32(b)) => a.cmp(b),
        (Datum::Int64(a), Datum::Int64(b)) if type_oid == oid::PG_LSN => {
            a.cast_unsigned().cmp(&b.cast_unsigned())
        }
        (Datum::Int64(a), Datum::Int64(b)) => a.cmp(b),
        (Datum::UInt32(a), Datum::UInt32(b)) => a.cmp(b),
        (Datum::Float32(a), Datum::Float32(b)) => floats(f64::from(*a), f64::from(*b)),
        (Datum::Float64(a), Datum::Float64(b)) => floats(*a, *b),
        (Datum::Interval(a), Datum::Interval(b)) if type_oid == oid::TIMETZ => {
            // The same moment first, then the zone.
            let utc = |time: &Interval| time.micros - i64::from(time.months) * 1_000_000;
            utc(a).cmp(&utc(b)).then(b.months.cmp(&a.months))
        }
        (Datum::Interval(a), Datum::Interval(b)) => interval_span(*a).cmp(&interval_span(*b)),
        (Datum::Uuid(a), Datum::Uuid(b)) => a.cmp(b),
        (Datum::Text(a), Datum::Text(b)) if type_oid == oid::BPCHAR => {
            a.trim_end_matches(' ').cmp(b.trim_end_matches(' '))
        }
        (Datum::Text(a), Datum::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Datum::Bytes(a), Datum::Bytes(b)) => match type_oid {
            oid::NUMERIC => numeric::key(a).cmp(numeric::key(b)),
            oid::JSONB => json::jsonb_compare(a, b),
            oid::RECORD => crate::builtin::args::record_compare(a, b),
            _ => a.cmp(b),
        },
        (Datum::List(a), Datum::List(b)) => {
            let element = pg_type::by_oid(type_oid).map_or(0, |row| row.element_oid);
            compare_lists(element, a, b)
        }
        _ => Ordering::Equal,
    }
}

fn compare_lists(element: u32, a: &ListValue, b: &ListValue) -> Ordering {
    for (x, y) in a.elements.iter().zip(&b.elements) {
        let order = compare(element, x, y);
        if order != Ordering::Equal {
            return order;
        }
    }
    a.elements
        .len()
        .cmp(&b.elements.len())
        .then(a.dimensions.len().cmp(&b.dimensions.len()))
        .then_with(|| a.dimensions.cmp(&b.dimensions))
}

/// SQL's `=` of two values of one type.
pub fn equal(type_oid: u32, a: &Datum, b: &Datum) -> bool {
    compare(type_oid, a, b) == Ordering::Equal
}

/// Whether the type's stored form sorts or groups otherwise than SQL does, so that [`key`] must
/// stand for it.
pub fn needs_key(type_oid: u32) -> bool {
    match type_oid {
        oid::NUMERIC
        | oid::INTERVAL
        | oid::TIMETZ
        | oid::BPCHAR
        | oid::FLOAT4
        | oid::FLOAT8
        | oid::JSONB
        | oid::RECORD => true,
        other => pg_type::by_oid(other).is_some_and(pg_type::PgType::is_array),
    }
}

/// A value of the same physical type that stands for all values equal to this one. For numeric
/// its bytes also sort as SQL does.
pub fn key(type_oid: u32, value: &Datum) -> Datum {
    match (type_oid, value) {
        (oid::NUMERIC, Datum::Bytes(bytes)) => Datum::bytes(numeric::key(bytes)),
        (oid::BPCHAR, Datum::Text(text)) => Datum::text(text.trim_end_matches(' ')),
        (oid::FLOAT4, Datum::Float32(value)) => Datum::Float32(if value.is_nan() {
            f32::NAN
        } else if *value == 0.0 {
            0.0
        } else {
            *value
        }),
        (oid::FLOAT8, Datum::Float64(value)) => Datum::Float64(if value.is_nan() {
            f64::NAN
        } else if *value == 0.0 {
            0.0
        } else {
            *value
        }),
        (oid::INTERVAL, Datum::Interval(interval)) => {
            // Days and months together in days, so that equal spans are equal values.
            const DAY: i128 = 86_400_000_000;
            let span = interval_span(*interval);
            let days = span.div_euclid(DAY);
            let months = days.div_euclid(30);
            Datum::Interval(Interval {
                months: i32::try_from(months).unwrap_or(i32::MAX),
                days: days.rem_euclid(30) as i32,
                micros: span.rem_euclid(DAY) as i64,
            })
        }
        (oid::JSONB, Datum::Bytes(bytes)) => Datum::bytes(json::jsonb_key(bytes)),
        (type_oid, Datum::List(list)) => {
            let element = pg_type::by_oid(type_oid).map_or(0, |row| row.element_oid);
            if !needs_key(element) {
                return value.clone();
            }
            Datum::List(Arc::new(ListValue {
                dimensions: list.dimensions.clone(),
                elements: list.elements.iter().map(|item| key(element, item)).collect(),
            }))
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests;
