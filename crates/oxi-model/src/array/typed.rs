//! A typed view of an array: its values one by one, without looking the type up each time.

use arrow_array::{
    Array, BinaryViewArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, StringViewArray,
    types::*,
};
use oxi_base::{Error, Result, codec};

use super::{arrow_type, decode_list};
use crate::datum::{Datum, Interval, PhysicalType};

/// An array that carries a physical type (see [`arrow_type`]).
pub struct TypedArray<'a> {
    array: &'a dyn Array,
    physical: &'a PhysicalType,
    values: Values<'a>,
}

/// The array behind a [`TypedArray`], for loops over one type.
#[allow(missing_docs, reason = "Arrow's types")]
#[derive(Clone, Copy)]
pub enum Values<'a> {
    Bool(&'a BooleanArray),
    Int16(&'a [i16]),
    /// Int32 and Date.
    Int32(&'a [i32]),
    /// Int64, Time, Timestamp and TimestampTz.
    Int64(&'a [i64]),
    UInt32(&'a [u32]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Interval(&'a [IntervalMonthDayNano]),
    Uuid(&'a FixedSizeBinaryArray),
    Text(&'a StringViewArray),
    /// Bytes, Numeric, and encoded lists.
    Bytes(&'a BinaryViewArray),
}

fn primitive<T: ArrowPrimitiveType>(array: &dyn Array) -> Option<&[T::Native]> {
    array.as_any().downcast_ref::<PrimitiveArray<T>>().map(|array| &**array.values())
}

fn concrete<T: 'static>(array: &dyn Array) -> Option<&T> {
    array.as_any().downcast_ref()
}

impl<'a> TypedArray<'a> {
    /// The view of an array.
    ///
    /// # Errors
    /// A defect if the array's Arrow type is not [`arrow_type`] of `physical`.
    pub fn new(array: &'a dyn Array, physical: &'a PhysicalType) -> Result<Self> {
        let values = match physical {
            PhysicalType::Bool => concrete(array).map(Values::Bool),
            PhysicalType::Int16 => primitive::<Int16Type>(array).map(Values::Int16),
            PhysicalType::Int32 => primitive::<Int32Type>(array).map(Values::Int32),
            PhysicalType::Date => primitive::<Date32Type>(array).map(Values::Int32),
            PhysicalType::Int64 => primitive::<Int64Type>(array).map(Values::Int64),
            PhysicalType::Time => primitive::<Time64MicrosecondType>(array).map(Values::Int64),
            PhysicalType::Timestamp | PhysicalType::TimestampTz => {
                primitive::<TimestampMicrosecondType>(array).map(Values::Int64)
            }
            PhysicalType::UInt32 => primitive::<UInt32Type>(array).map(Values::UInt32),
            PhysicalType::Float32 => primitive::<Float32Type>(array).map(Values::Float32),
            PhysicalType::Float64 => primitive::<Float64Type>(array).map(Values::Float64),
            PhysicalType::Interval => {
                primitive::<IntervalMonthDayNanoType>(array).map(Values::Interval)
            }
            PhysicalType::Uuid => concrete(array)
                .filter(|array: &&FixedSizeBinaryArray| array.value_length() == 16)
                .map(Values::Uuid),
            PhysicalType::Text => concrete(array).map(Values::Text),
            PhysicalType::Numeric | PhysicalType::Bytes | PhysicalType::List(_) => {
                concrete(array).map(Values::Bytes)
            }
        };
        let values = values.ok_or_else(|| {
            let (found, wanted) = (array.data_type(), arrow_type(physical));
            Error::bug(format!("array of {found} read as {physical:?}, which is {wanted}"))
        })?;
        Ok(TypedArray { array, physical, values })
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.array.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.array.is_empty()
    }

    /// Whether any value is NULL.
    pub fn has_nulls(&self) -> bool {
        self.array.null_count() > 0
    }

    /// Whether the value at `index` is NULL.
    pub fn is_null(&self, index: usize) -> bool {
        self.array.is_null(index)
    }

    /// The values in their own type; what stands at NULLs means nothing.
    pub fn values(&self) -> Values<'a> {
        self.values
    }

    /// The value at `index`.
    ///
    /// # Errors
    /// `XX001` for a malformed list.
    pub fn datum(&self, index: usize) -> Result<Datum> {
        if self.array.is_null(index) {
            return Ok(Datum::Null);
        }
        Ok(match self.values {
            Values::Bool(array) => Datum::Bool(array.value(index)),
            Values::Int16(values) => Datum::Int16(values[index]),
            Values::Int32(values) => Datum::Int32(values[index]),
            Values::Int64(values) => Datum::Int64(values[index]),
            Values::UInt32(values) => Datum::UInt32(values[index]),
            Values::Float32(values) => Datum::Float32(values[index]),
            Values::Float64(values) => Datum::Float64(values[index]),
            Values::Interval(values) => Datum::Interval(interval(values[index])),
            Values::Uuid(array) => Datum::Uuid(uuid(array, index)),
            Values::Text(array) => Datum::text(array.value(index)),
            Values::Bytes(array) => match self.physical {
                PhysicalType::List(element) => {
                    let list = decode_list(array.value(index), element)
                        .ok_or_else(|| Error::corrupt("malformed array value"))?;
                    Datum::List(list.into())
                }
                _ => Datum::bytes(array.value(index)),
            },
        })
    }

    /// Encodes the value at `index` as [`super::encode_datum`] would.
    pub fn encode(&self, index: usize, out: &mut Vec<u8>) {
        if self.array.is_null(index) {
            out.push(0);
            return;
        }
        out.push(1);
        match self.values {
            Values::Bool(array) => out.push(u8::from(array.value(index))),
            Values::Int16(values) => out.extend_from_slice(&values[index].to_le_bytes()),
            Values::Int32(values) => out.extend_from_slice(&values[index].to_le_bytes()),
            Values::Int64(values) => out.extend_from_slice(&values[index].to_le_bytes()),
            Values::UInt32(values) => out.extend_from_slice(&values[index].to_le_bytes()),
            Values::Float32(values) => {
                out.extend_from_slice(&values[index].to_bits().to_le_bytes());
            }
            Values::Float64(values) => {
                out.extend_from_slice(&values[index].to_bits().to_le_bytes());
            }
            Values::Interval(values) => {
                let value = interval(values[index]);
                out.extend_from_slice(&value.months.to_le_bytes());
                out.extend_from_slice(&value.days.to_le_bytes());
                out.extend_from_slice(&value.micros.to_le_bytes());
            }
            Values::Uuid(array) => out.extend_from_slice(array.value(index)),
            Values::Text(array) => codec::put_bytes(out, array.value(index).as_bytes()),
            Values::Bytes(array) => codec::put_bytes(out, array.value(index)),
        }
    }
}

/// The interval that Arrow holds with nanoseconds.
pub fn interval(value: IntervalMonthDayNano) -> Interval {
    Interval { months: value.months, days: value.days, micros: value.nanoseconds / 1000 }
}

/// The sixteen bytes of a uuid; [`TypedArray::new`] has seen to the width.
pub fn uuid(array: &FixedSizeBinaryArray, index: usize) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(array.value(index));
    bytes
}
