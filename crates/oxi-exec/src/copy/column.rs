//! Columns under construction: the hot types are parsed here straight into Arrow, all others and
//! every unusual spelling go through the type's input function.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, StringViewBuilder, TimestampMicrosecondBuilder,
};
use oxi_base::{Error, Result};
use oxi_model::{Datum, PhysicalType, array::ArrayBuilder, descriptor::TypeRef};
use oxi_types::{EvalContext, io, oid};

/// Values of one column.
pub(crate) struct ColumnSink {
    data_type: TypeRef,
    sink: Sink,
}

enum Sink {
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Bool(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    TimestampTz(TimestampMicrosecondBuilder),
    /// Text whose byte length is at most this needs no further check.
    Text(StringViewBuilder, usize),
    Other(ArrayBuilder),
}

impl ColumnSink {
    pub(crate) fn new(data_type: TypeRef, physical: &PhysicalType) -> Self {
        let plain = data_type.typmod < 0;
        let sink = match (data_type.oid, physical) {
            (oid::INT2, _) => Sink::Int16(Int16Builder::new()),
            (oid::INT4, _) => Sink::Int32(Int32Builder::new()),
            (oid::INT8, _) => Sink::Int64(Int64Builder::new()),
            (oid::FLOAT4, _) => Sink::Float32(Float32Builder::new()),
            (oid::FLOAT8, _) => Sink::Float64(Float64Builder::new()),
            (oid::BOOL, _) => Sink::Bool(BooleanBuilder::new()),
            (oid::DATE, _) => Sink::Date(Date32Builder::new()),
            (oid::TIMESTAMP, _) if plain => Sink::Timestamp(TimestampMicrosecondBuilder::new()),
            (oid::TIMESTAMPTZ, _) if plain => {
                Sink::TimestampTz(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            (oid::TEXT, _) => Sink::Text(views(), usize::MAX),
            (oid::VARCHAR, _) if plain => Sink::Text(views(), usize::MAX),
            // The modifier counts characters and four more; bytes are never fewer.
            (oid::VARCHAR, _) => {
                Sink::Text(views(), usize::try_from(data_type.typmod - 4).unwrap_or(0))
            }
            _ => Sink::Other(ArrayBuilder::new(physical, 1024)),
        };
        ColumnSink { data_type, sink }
    }

    pub(crate) fn push_null(&mut self) -> Result<()> {
        match &mut self.sink {
            Sink::Int16(builder) => builder.append_null(),
            Sink::Int32(builder) => builder.append_null(),
            Sink::Int64(builder) => builder.append_null(),
            Sink::Float32(builder) => builder.append_null(),
            Sink::Float64(builder) => builder.append_null(),
            Sink::Bool(builder) => builder.append_null(),
            Sink::Date(builder) => builder.append_null(),
            Sink::Timestamp(builder) | Sink::TimestampTz(builder) => builder.append_null(),
            Sink::Text(builder, _) => builder.append_null(),
            Sink::Other(builder) => return builder.push(&Datum::Null),
        }
        Ok(())
    }

    /// Appends the value of a text.
    ///
    /// # Errors
    /// Whatever the type's input function says.
    pub(crate) fn push(&mut self, eval: &EvalContext, text: &str) -> Result<()> {
        if self.push_usual(text) {
            return Ok(());
        }
        let value = io::text_in(eval, self.data_type, text)?;
        self.push_datum(&value)
    }

    /// Appends the value of a text in one of its type's usual spellings; false for all others.
    fn push_usual(&mut self, text: &str) -> bool {
        let bytes = text.as_bytes();
        match &mut self.sink {
            Sink::Int16(builder) => {
                let value = integer(bytes).and_then(|value| i16::try_from(value).ok());
                value.map(|value| builder.append_value(value))
            }
            Sink::Int32(builder) => {
                let value = integer(bytes).and_then(|value| i32::try_from(value).ok());
                value.map(|value| builder.append_value(value))
            }
            Sink::Int64(builder) => integer(bytes).map(|value| builder.append_value(value)),
            Sink::Float32(builder) => {
                let value = plain_number(bytes).then(|| text.parse::<f32>().ok()).flatten();
                value.filter(|value| value.is_normal()).map(|value| builder.append_value(value))
            }
            Sink::Float64(builder) => {
                let value = plain_number(bytes).then(|| text.parse::<f64>().ok()).flatten();
                value.filter(|value| value.is_normal()).map(|value| builder.append_value(value))
            }
            Sink::Bool(builder) => truth(bytes).map(|value| builder.append_value(value)),
            Sink::Date(builder) => date(bytes).map(|days| builder.append_value(days)),
            Sink::Timestamp(builder) => timestamp(bytes).map(|micros| builder.append_value(micros)),
            Sink::TimestampTz(builder) => {
                timestamp_with_offset(bytes).map(|micros| builder.append_value(micros))
            }
            Sink::Text(builder, limit) => {
                (bytes.len() <= *limit).then(|| builder.append_value(text))
            }
            Sink::Other(_) => None,
        }
        .is_some()
    }

    /// Appends a value.
    ///
    /// # Errors
    /// A defect if it is of another type.
    pub(crate) fn push_datum(&mut self, value: &Datum) -> Result<()> {
        match (&mut self.sink, value) {
            (_, Datum::Null) => return self.push_null(),
            (Sink::Int16(builder), Datum::Int16(value)) => builder.append_value(*value),
            (Sink::Int32(builder), Datum::Int32(value)) => builder.append_value(*value),
            (Sink::Int64(builder), Datum::Int64(value)) => builder.append_value(*value),
            (Sink::Float32(builder), Datum::Float32(value)) => builder.append_value(*value),
            (Sink::Float64(builder), Datum::Float64(value)) => builder.append_value(*value),
            (Sink::Bool(builder), Datum::Bool(value)) => builder.append_value(*value),
            (Sink::Date(builder), Datum::Int32(value)) => builder.append_value(*value),
            (Sink::Timestamp(builder) | Sink::TimestampTz(builder), Datum::Int64(value)) => {
                builder.append_value(*value);
            }
            (Sink::Text(builder, _), Datum::Text(value)) => builder.append_value(value),
            (Sink::Other(builder), value) => return builder.push(value),
            (_, value) => return Err(Error::bug(format!("{value:?} in a column of COPY"))),
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self) -> ArrayRef {
        match &mut self.sink {
            Sink::Int16(builder) => Arc::new(builder.finish()),
            Sink::Int32(builder) => Arc::new(builder.finish()),
            Sink::Int64(builder) => Arc::new(builder.finish()),
            Sink::Float32(builder) => Arc::new(builder.finish()),
            Sink::Float64(builder) => Arc::new(builder.finish()),
            Sink::Bool(builder) => Arc::new(builder.finish()),
            Sink::Date(builder) => Arc::new(builder.finish()),
            Sink::Timestamp(builder) => Arc::new(builder.finish()),
            Sink::TimestampTz(builder) => {
                // Finishing forgets the zone of the next array.
                let next = TimestampMicrosecondBuilder::new().with_timezone("UTC");
                Arc::new(std::mem::replace(builder, next).finish())
            }
            Sink::Text(builder, _) => Arc::new(builder.finish()),
            Sink::Other(builder) => builder.finish(),
        }
    }
}

fn views() -> StringViewBuilder {
    StringViewBuilder::new().with_fixed_block_size(1 << 20)
}

fn truth(bytes: &[u8]) -> Option<bool> {
    match bytes {
        b"t" | b"true" => Some(true),
        b"f" | b"false" => Some(false),
        _ => None,
    }
}

/// A decimal integer without blanks; `None` leaves it to the input function.
fn integer(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, bytes),
    };
    // Eighteen digits cannot overflow.
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

fn plain_number(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'))
}

fn digits(bytes: &[u8]) -> Option<u32> {
    let mut value = 0;
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u32::from(digit);
    }
    Some(value)
}

/// Days since 1970-01-01 of `YYYY-MM-DD`.
fn date(bytes: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *bytes else { return None };
    let year = digits(&[y1, y2, y3, y4])?;
    let month = digits(&[m1, m2])?;
    let day = digits(&[d1, d2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return None,
    };
    if year == 0 || day == 0 || day > longest {
        return None;
    }
    // Days of a calendar whose years begin in March, so that leap days come last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some(days.cast_signed() - 719_468)
}

/// Microseconds since 1970-01-01 of `YYYY-MM-DD HH:MM:SS[.ffffff]`.
fn timestamp(bytes: &[u8]) -> Option<i64> {
    let (day, time) = bytes.split_at_checked(10)?;
    let days = date(day)?;
    let (clock, fraction) = time.split_at_checked(9)?;
    let [b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2] = *clock else { return None };
    let (hour, minute, second) = (digits(&[h1, h2])?, digits(&[m1, m2])?, digits(&[s1, s2])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', rest @ ..] if !rest.is_empty() && rest.len() <= 6 => {
            digits(rest)? * 10u32.pow(6 - rest.len() as u32)
        }
        _ => return None,
    };
    let seconds = i64::from(days) * 86_400
        + i64::from(hour) * 3600
        + i64::from(minute) * 60
        + i64::from(second);
    Some(seconds * 1_000_000 + i64::from(micros))
}

/// The same with an offset from UTC at its end: `+HH`, `-HH`, `+HH:MM`.
fn timestamp_with_offset(bytes: &[u8]) -> Option<i64> {
    let sign = bytes.iter().rposition(|byte| matches!(byte, b'+' | b'-')).filter(|at| *at >= 19)?;
    let local = timestamp(&bytes[..sign])?;
    let (hours, minutes) = match bytes[sign + 1..] {
        [h1, h2] => (digits(&[h1, h2])?, 0),
        [h1, h2, b':', m1, m2] => (digits(&[h1, h2])?, digits(&[m1, m2])?),
        _ => return None,
    };
    if hours > 15 || minutes > 59 {
        return None;
    }
    let offset = i64::from(hours * 60 + minutes) * 60_000_000;
    Some(if bytes[sign] == b'+' { local - offset } else { local + offset })
}
