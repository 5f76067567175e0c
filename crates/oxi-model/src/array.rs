//! Between single values and Arrow arrays.
//!
//! | physical | Arrow |
//! |---|---|
//! | Bool, Int16, Int32, Int64, UInt32, Float32, Float64 | the same |
//! | Date | Date32 |
//! | Time | Time64(µs) |
//! | Timestamp | Timestamp(µs, none) |
//! | TimestampTz | Timestamp(µs, "UTC") |
//! | Interval | Interval(MonthDayNano) |
//! | Uuid | FixedSizeBinary(16) |
//! | Numeric, Bytes | BinaryView |
//! | Text | Utf8View |
//! | List(e) | BinaryView holding [`encode_list`] |

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, builder::*, types::*};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use oxi_base::{Error, Result, codec};

use crate::datum::{Datum, Interval, ListValue, PhysicalType};

mod typed;

pub use typed::{TypedArray, Values, interval, uuid};

/// The Arrow type that carries a physical type.
pub fn arrow_type(physical: &PhysicalType) -> DataType {
    match physical {
        PhysicalType::Bool => DataType::Boolean,
        PhysicalType::Int16 => DataType::Int16,
        PhysicalType::Int32 => DataType::Int32,
        PhysicalType::Int64 => DataType::Int64,
        PhysicalType::UInt32 => DataType::UInt32,
        PhysicalType::Float32 => DataType::Float32,
        PhysicalType::Float64 => DataType::Float64,
        PhysicalType::Date => DataType::Date32,
        PhysicalType::Time => DataType::Time64(TimeUnit::Microsecond),
        PhysicalType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        PhysicalType::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        PhysicalType::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
        PhysicalType::Uuid => DataType::FixedSizeBinary(16),
        PhysicalType::Text => DataType::Utf8View,
        PhysicalType::Numeric | PhysicalType::Bytes | PhysicalType::List(_) => DataType::BinaryView,
    }
}

/// The value at `index` of an array that carries `physical`.
///
/// # Errors
/// A defect if the array's Arrow type is not [`arrow_type`] of `physical`.
pub fn datum_at(array: &dyn Array, physical: &PhysicalType, index: usize) -> Result<Datum> {
    TypedArray::new(array, physical)?.datum(index)
}

/// Builds an array of one physical type from values.
pub struct ArrayBuilder {
    physical: PhysicalType,
    inner: Inner,
}

enum Inner {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    UInt32(UInt32Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    Uuid(FixedSizeBinaryBuilder),
    Text(StringViewBuilder),
    Bytes(BinaryViewBuilder),
}

impl ArrayBuilder {
    /// A builder with room for `capacity` values.
    pub fn new(physical: &PhysicalType, capacity: usize) -> Self {
        let inner = match physical {
            PhysicalType::Bool => Inner::Bool(BooleanBuilder::with_capacity(capacity)),
            PhysicalType::Int16 => Inner::Int16(Int16Builder::with_capacity(capacity)),
            PhysicalType::Int32 => Inner::Int32(Int32Builder::with_capacity(capacity)),
            PhysicalType::Int64 => Inner::Int64(Int64Builder::with_capacity(capacity)),
            PhysicalType::UInt32 => Inner::UInt32(UInt32Builder::with_capacity(capacity)),
            PhysicalType::Float32 => Inner::Float32(Float32Builder::with_capacity(capacity)),
            PhysicalType::Float64 => Inner::Float64(Float64Builder::with_capacity(capacity)),
            PhysicalType::Date => Inner::Date(Date32Builder::with_capacity(capacity)),
            PhysicalType::Time => Inner::Time(Time64MicrosecondBuilder::with_capacity(capacity)),
            PhysicalType::Timestamp => {
                Inner::Timestamp(TimestampMicrosecondBuilder::with_capacity(capacity))
            }
            PhysicalType::TimestampTz => Inner::Timestamp(
                TimestampMicrosecondBuilder::with_capacity(capacity).with_timezone("UTC"),
            ),
            PhysicalType::Interval => {
                Inner::Interval(IntervalMonthDayNanoBuilder::with_capacity(capacity))
            }
            PhysicalType::Uuid => Inner::Uuid(FixedSizeBinaryBuilder::with_capacity(capacity, 16)),
            PhysicalType::Text => Inner::Text(StringViewBuilder::with_capacity(capacity)),
            PhysicalType::Numeric | PhysicalType::Bytes | PhysicalType::List(_) => {
                Inner::Bytes(BinaryViewBuilder::with_capacity(capacity))
            }
        };
        ArrayBuilder { physical: physical.clone(), inner }
    }

    /// Appends a value.
    ///
    /// # Errors
    /// A defect if the value does not fit the physical type; `22008` for an interval whose time
    /// part is beyond 292 years.
    pub fn push(&mut self, datum: &Datum) -> Result<()> {
        match (&mut self.inner, datum) {
            (_, Datum::Null) => self.push_null(),
            (Inner::Bool(builder), Datum::Bool(value)) => builder.append_value(*value),
            (Inner::Int16(builder), Datum::Int16(value)) => builder.append_value(*value),
            (Inner::Int32(builder), Datum::Int32(value)) => builder.append_value(*value),
            (Inner::Int64(builder), Datum::Int64(value)) => builder.append_value(*value),
            (Inner::UInt32(builder), Datum::UInt32(value)) => builder.append_value(*value),
            (Inner::Float32(builder), Datum::Float32(value)) => builder.append_value(*value),
            (Inner::Float64(builder), Datum::Float64(value)) => builder.append_value(*value),
            (Inner::Date(builder), Datum::Int32(value)) => builder.append_value(*value),
            (Inner::Time(builder), Datum::Int64(value)) => builder.append_value(*value),
            (Inner::Timestamp(builder), Datum::Int64(value)) => builder.append_value(*value),
            (Inner::Interval(builder), Datum::Interval(value)) => {
                let nanos = value.micros.checked_mul(1000).ok_or_else(|| {
                    Error::new(oxi_base::SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
                })?;
                builder.append_value(IntervalMonthDayNano::new(value.months, value.days, nanos));
            }
            (Inner::Uuid(builder), Datum::Uuid(value)) => {
                builder.append_value(value).map_err(Error::bug)?;
            }
            (Inner::Text(builder), Datum::Text(value)) => builder.append_value(value),
            (Inner::Bytes(builder), Datum::Bytes(value)) => builder.append_value(value),
            (Inner::Bytes(builder), Datum::List(list)) => builder.append_value(encode_list(list)),
            _ => return Err(Error::bug(format!("{datum:?} in a column of {:?}", self.physical))),
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match &mut self.inner {
            Inner::Bool(builder) => builder.append_null(),
            Inner::Int16(builder) => builder.append_null(),
            Inner::Int32(builder) => builder.append_null(),
            Inner::Int64(builder) => builder.append_null(),
            Inner::UInt32(builder) => builder.append_null(),
            Inner::Float32(builder) => builder.append_null(),
            Inner::Float64(builder) => builder.append_null(),
            Inner::Date(builder) => builder.append_null(),
            Inner::Time(builder) => builder.append_null(),
            Inner::Timestamp(builder) => builder.append_null(),
            Inner::Interval(builder) => builder.append_null(),
            Inner::Uuid(builder) => builder.append_null(),
            Inner::Text(builder) => builder.append_null(),
            Inner::Bytes(builder) => builder.append_null(),
        }
    }

    /// The array of the values so far; the builder starts anew.
    pub fn finish(&mut self) -> ArrayRef {
        match &mut self.inner {
            Inner::Bool(builder) => Arc::new(builder.finish()),
            Inner::Int16(builder) => Arc::new(builder.finish()),
            Inner::Int32(builder) => Arc::new(builder.finish()),
            Inner::Int64(builder) => Arc::new(builder.finish()),
            Inner::UInt32(builder) => Arc::new(builder.finish()),
            Inner::Float32(builder) => Arc::new(builder.finish()),
            Inner::Float64(builder) => Arc::new(builder.finish()),
            Inner::Date(builder) => Arc::new(builder.finish()),
            Inner::Time(builder) => Arc::new(builder.finish()),
            Inner::Timestamp(builder) => Arc::new(builder.finish()),
            Inner::Interval(builder) => Arc::new(builder.finish()),
            Inner::Uuid(builder) => Arc::new(builder.finish()),
            Inner::Text(builder) => Arc::new(builder.finish()),
            Inner::Bytes(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Builds an array of one physical type from a list of values.
pub fn array_from_datums<'a>(
    physical: &PhysicalType,
    values: impl IntoIterator<Item = &'a Datum>,
) -> Result<ArrayRef> {
    let values = values.into_iter();
    let mut builder = ArrayBuilder::new(physical, values.size_hint().0);
    for value in values {
        builder.push(value)?;
    }
    Ok(builder.finish())
}

/// Encodes one value without its type: a presence byte, then the value (little endian; strings
/// length-prefixed). Rows of the log and elements of lists use it.
pub fn encode_datum(out: &mut Vec<u8>, datum: &Datum) {
    if datum.is_null() {
        out.push(0);
        return;
    }
    out.push(1);
    match datum {
        Datum::Null => {}
        Datum::Bool(value) => out.push(u8::from(*value)),
        Datum::Int16(value) => out.extend_from_slice(&value.to_le_bytes()),
        Datum::Int32(value) => out.extend_from_slice(&value.to_le_bytes()),
        Datum::Int64(value) => out.extend_from_slice(&value.to_le_bytes()),
        Datum::UInt32(value) => out.extend_from_slice(&value.to_le_bytes()),
        Datum::Float32(value) => out.extend_from_slice(&value.to_bits().to_le_bytes()),
        Datum::Float64(value) => out.extend_from_slice(&value.to_bits().to_le_bytes()),
        Datum::Interval(value) => {
            out.extend_from_slice(&value.months.to_le_bytes());
            out.extend_from_slice(&value.days.to_le_bytes());
            out.extend_from_slice(&value.micros.to_le_bytes());
        }
        Datum::Uuid(value) => out.extend_from_slice(value),
        Datum::Text(value) => codec::put_bytes(out, value.as_bytes()),
        Datum::Bytes(value) => codec::put_bytes(out, value),
        Datum::List(list) => codec::put_bytes(out, &encode_list(list)),
    }
}

/// Reads a value as [`encode_datum`] wrote it; `None` on malformed bytes.
pub fn decode_datum(reader: &mut codec::Reader<'_>, physical: &PhysicalType) -> Option<Datum> {
    match reader.u8()? {
        0 => return Some(Datum::Null),
        1 => {}
        _ => return None,
    }
    Some(match physical {
        PhysicalType::Bool => Datum::Bool(match reader.u8()? {
            0 => false,
            1 => true,
            _ => return None,
        }),
        PhysicalType::Int16 => Datum::Int16(i16::from_le_bytes(reader.array()?)),
        PhysicalType::Int32 | PhysicalType::Date => {
            Datum::Int32(i32::from_le_bytes(reader.array()?))
        }
        PhysicalType::Int64
        | PhysicalType::Time
        | PhysicalType::Timestamp
        | PhysicalType::TimestampTz => Datum::Int64(i64::from_le_bytes(reader.array()?)),
        PhysicalType::UInt32 => Datum::UInt32(reader.u32()?),
        PhysicalType::Float32 => Datum::Float32(f32::from_bits(reader.u32()?)),
        PhysicalType::Float64 => Datum::Float64(f64::from_bits(reader.u64()?)),
        PhysicalType::Interval => Datum::Interval(Interval {
            months: i32::from_le_bytes(reader.array()?),
            days: i32::from_le_bytes(reader.array()?),
            micros: i64::from_le_bytes(reader.array()?),
        }),
        PhysicalType::Uuid => Datum::Uuid(reader.array()?),
        PhysicalType::Text => Datum::text(std::str::from_utf8(reader.bytes()?).ok()?),
        PhysicalType::Numeric | PhysicalType::Bytes => Datum::bytes(reader.bytes()?),
        PhysicalType::List(element) => {
            Datum::List(Arc::new(decode_list(reader.bytes()?, element)?))
        }
    })
}

/// Passes over a value as [`encode_datum`] wrote it; `None` on bytes that are too short.
pub fn skip_datum(reader: &mut codec::Reader<'_>, physical: &PhysicalType) -> Option<()> {
    match reader.u8()? {
        0 => return Some(()),
        1 => {}
        _ => return None,
    }
    let length = match physical {
        PhysicalType::Bool => 1,
        PhysicalType::Int16 => 2,
        PhysicalType::Int32 | PhysicalType::Date | PhysicalType::UInt32 | PhysicalType::Float32 => {
            4
        }
        PhysicalType::Int64
        | PhysicalType::Time
        | PhysicalType::Timestamp
        | PhysicalType::TimestampTz
        | PhysicalType::Float64 => 8,
        PhysicalType::Interval | PhysicalType::Uuid => 16,
        PhysicalType::Text
        | PhysicalType::Numeric
        | PhysicalType::Bytes
        | PhysicalType::List(_) => usize::try_from(reader.varint()?).ok()?,
    };
    reader.take(length).map(|_| ())
}

/// Encodes an array value: dimension count, per dimension length and lower bound, the elements.
pub fn encode_list(list: &ListValue) -> Vec<u8> {
    let mut out = Vec::new();
    codec::put_varint(&mut out, list.dimensions.len() as u64);
    for (length, lower) in &list.dimensions {
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&lower.to_le_bytes());
    }
    codec::put_varint(&mut out, list.elements.len() as u64);
    for element in &list.elements {
        encode_datum(&mut out, element);
    }
    out
}

/// Reads an array value as [`encode_list`] wrote it; `None` on malformed bytes.
pub fn decode_list(bytes: &[u8], element: &PhysicalType) -> Option<ListValue> {
    let mut reader = codec::Reader::new(bytes);
    let dimension_count = reader.varint()?;
    if dimension_count > 6 {
        return None;
    }
    let mut dimensions = Vec::new();
    for _ in 0..dimension_count {
        let length = i32::from_le_bytes(reader.array()?);
        let lower = i32::from_le_bytes(reader.array()?);
        dimensions.push((length, lower));
    }
    let count = usize::try_from(reader.varint()?).ok()?;
    let mut elements = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        elements.push(decode_datum(&mut reader, element)?);
    }
    reader.is_empty().then_some(ListValue { dimensions, elements })
}

#[cfg(test)]
mod tests;
