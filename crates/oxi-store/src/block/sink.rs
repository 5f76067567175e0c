//! Where a scan gathers one output column: ranges copied from blocks, or single values.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryViewArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, StringViewArray,
    types::*,
};
use arrow_buffer::{
    BooleanBuffer, Buffer, MutableBuffer, NullBuffer, NullBufferBuilder, ScalarBuffer,
};
use arrow_schema::TimeUnit;
use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, Interval, PhysicalType, array};

use super::column::{Column, Data, INLINE, Views, view_len};

/// One output column being filled.
pub(crate) struct Sink {
    physical: PhysicalType,
    nulls: NullBufferBuilder,
    data: SinkData,
}

enum SinkData {
    Bool(Vec<bool>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    UInt32(Vec<u32>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Interval(Vec<Interval>),
    Uuid(MutableBuffer),
    View { views: Vec<u128>, chunks: Vec<Buffer>, own: Vec<u8>, own_number: Option<usize> },
}

impl Sink {
    pub(crate) fn new(physical: &PhysicalType, capacity: usize) -> Self {
        let data = match physical {
            PhysicalType::Bool => SinkData::Bool(Vec::with_capacity(capacity)),
            PhysicalType::Int16 => SinkData::Int16(Vec::with_capacity(capacity)),
            PhysicalType::Int32 | PhysicalType::Date => {
                SinkData::Int32(Vec::with_capacity(capacity))
            }
            PhysicalType::Int64
            | PhysicalType::Time
            | PhysicalType::Timestamp
            | PhysicalType::TimestampTz => SinkData::Int64(Vec::with_capacity(capacity)),
            PhysicalType::UInt32 => SinkData::UInt32(Vec::with_capacity(capacity)),
            PhysicalType::Float32 => SinkData::Float32(Vec::with_capacity(capacity)),
            PhysicalType::Float64 => SinkData::Float64(Vec::with_capacity(capacity)),
            PhysicalType::Interval => SinkData::Interval(Vec::with_capacity(capacity)),
            PhysicalType::Uuid => SinkData::Uuid(MutableBuffer::with_capacity(capacity * 16)),
            PhysicalType::Text
            | PhysicalType::Numeric
            | PhysicalType::Bytes
            | PhysicalType::List(_) => SinkData::View {
                views: Vec::with_capacity(capacity),
                chunks: Vec::new(),
                own: Vec::new(),
                own_number: None,
            },
        };
        Sink { physical: physical.clone(), nulls: NullBufferBuilder::new(capacity), data }
    }

    /// Appends the slots `start..end` of a block's column.
    pub(crate) fn append(&mut self, column: &Column, start: usize, end: usize) {
        if let Data::Constant(value) = &column.data {
            for _ in start..end {
                self.push(value);
            }
            return;
        }
        match &column.validity {
            None => self.nulls.append_n_non_nulls(end - start),
            Some(_) => {
                for slot in start..end {
                    self.nulls.append(!column.is_null(slot));
                }
            }
        }
        match (&mut self.data, &column.data) {
            (SinkData::Bool(out), Data::Bool(values)) => out.extend_from_slice(&values[start..end]),
            (SinkData::Int16(out), Data::Int16(values)) => {
                out.extend_from_slice(&values[start..end]);
            }
            (SinkData::Int32(out), Data::Int32(values)) => {
                out.extend_from_slice(&values[start..end]);
            }
            (SinkData::Int64(out), Data::Int64(values)) => {
                out.extend_from_slice(&values[start..end]);
            }
            (SinkData::UInt32(out), Data::UInt32(values)) => {
                out.extend_from_slice(&values[start..end]);
            }
            (SinkData::Float32(out), Data::Float32(values)) => {
                out.extend_from_slice(&values[start..end]);
            }
            (SinkData::Float64(out), Data::Float64(values)) => {
                out.extend_from_slice(&values[start..end]);
            }
            (SinkData::Interval(out), Data::Interval(values)) => {
                out.extend_from_slice(&values[start..end]);
            }
            (SinkData::Uuid(out), Data::Uuid(values)) => {
                out.extend_from_slice(values[start..end].as_flattened());
            }
            (SinkData::View { views, chunks, own, own_number }, Data::View(from)) => {
                append_views(views, chunks, own, own_number, from, start, end);
            }
            // Layout changes convert every block under its latch, so types agree.
            _ => {}
        }
    }

    /// Appends one value (of the physical type; another one reads as NULL).
    pub(crate) fn push(&mut self, datum: &Datum) {
        let mut valid = true;
        match (&mut self.data, datum) {
            (SinkData::Bool(out), Datum::Bool(value)) => out.push(*value),
            (SinkData::Int16(out), Datum::Int16(value)) => out.push(*value),
            (SinkData::Int32(out), Datum::Int32(value)) => out.push(*value),
            (SinkData::Int64(out), Datum::Int64(value)) => out.push(*value),
            (SinkData::UInt32(out), Datum::UInt32(value)) => out.push(*value),
            (SinkData::Float32(out), Datum::Float32(value)) => out.push(*value),
            (SinkData::Float64(out), Datum::Float64(value)) => out.push(*value),
            (SinkData::Interval(out), Datum::Interval(value)) => out.push(*value),
            (SinkData::Uuid(out), Datum::Uuid(value)) => out.extend_from_slice(value),
            (SinkData::View { views, chunks, own, own_number }, datum) => {
                let encoded;
                let bytes: &[u8] = match datum {
                    Datum::Text(text) => text.as_bytes(),
                    Datum::Bytes(bytes) => bytes,
                    Datum::List(list) => {
                        encoded = array::encode_list(list);
                        &encoded
                    }
                    _ => {
                        valid = false;
                        &[]
                    }
                };
                views.push(own_view(chunks, own, own_number, bytes));
            }
            (data, _) => {
                valid = false;
                match data {
                    SinkData::Bool(out) => out.push(false),
                    SinkData::Int16(out) => out.push(0),
                    SinkData::Int32(out) => out.push(0),
                    SinkData::Int64(out) => out.push(0),
                    SinkData::UInt32(out) => out.push(0),
                    SinkData::Float32(out) => out.push(0.0),
                    SinkData::Float64(out) => out.push(0.0),
                    SinkData::Interval(out) => out.push(Interval::default()),
                    SinkData::Uuid(out) => out.extend_from_slice(&[0u8; 16]),
                    SinkData::View { views, .. } => views.push(0),
                }
            }
        }
        self.nulls.append(valid);
    }

    /// The array of what was gathered.
    pub(crate) fn finish(mut self) -> Result<ArrayRef> {
        let nulls = self.nulls.finish();
        Ok(match self.data {
            SinkData::Bool(out) => Arc::new(BooleanArray::new(BooleanBuffer::from(out), nulls)),
            SinkData::Int16(out) => primitive::<Int16Type>(out, nulls),
            SinkData::Int32(out) if self.physical == PhysicalType::Date => {
                primitive::<Date32Type>(out, nulls)
            }
            SinkData::Int32(out) => primitive::<Int32Type>(out, nulls),
            SinkData::Int64(out) => match self.physical {
                PhysicalType::Time => primitive::<Time64MicrosecondType>(out, nulls),
                PhysicalType::Timestamp => primitive::<TimestampMicrosecondType>(out, nulls),
                PhysicalType::TimestampTz => Arc::new(
                    PrimitiveArray::<TimestampMicrosecondType>::new(ScalarBuffer::from(out), nulls)
                        .with_data_type(arrow_schema::DataType::Timestamp(
                            TimeUnit::Microsecond,
                            Some("UTC".into()),
                        )),
                ),
                _ => primitive::<Int64Type>(out, nulls),
            },
            SinkData::UInt32(out) => primitive::<UInt32Type>(out, nulls),
            SinkData::Float32(out) => primitive::<Float32Type>(out, nulls),
            SinkData::Float64(out) => primitive::<Float64Type>(out, nulls),
            SinkData::Interval(out) => {
                let values = out.iter().map(arrow_interval).collect::<Result<Vec<_>>>()?;
                primitive::<IntervalMonthDayNanoType>(values, nulls)
            }
            SinkData::Uuid(out) => Arc::new(
                FixedSizeBinaryArray::try_new(16, Buffer::from(out), nulls).map_err(Error::bug)?,
            ),
            SinkData::View { views, mut chunks, own, own_number } => {
                if let Some(number) = own_number {
                    chunks[number] = Buffer::from_vec(own);
                }
                let views = ScalarBuffer::from(views);
                match self.physical {
                    PhysicalType::Text => Arc::new(
                        StringViewArray::try_new(views, chunks, nulls)
                            .map_err(|e| Error::corrupt(format!("malformed text column: {e}")))?,
                    ),
                    _ => Arc::new(
                        BinaryViewArray::try_new(views, chunks, nulls)
                            .map_err(|e| Error::corrupt(format!("malformed bytes column: {e}")))?,
                    ),
                }
            }
        })
    }
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls))
}

fn arrow_interval(value: &Interval) -> Result<IntervalMonthDayNano> {
    let nanos = value
        .micros
        .checked_mul(1000)
        .ok_or_else(|| Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
    Ok(IntervalMonthDayNano::new(value.months, value.days, nanos))
}

fn own_view(
    chunks: &mut Vec<Buffer>,
    own: &mut Vec<u8>,
    own_number: &mut Option<usize>,
    bytes: &[u8],
) -> u128 {
    if bytes.len() <= INLINE {
        let mut raw = [0u8; 16];
        raw[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        raw[4..4 + bytes.len()].copy_from_slice(bytes);
        return u128::from_le_bytes(raw);
    }
    // Offsets are 32 bits wide and read as signed by Arrow.
    if own.len() + bytes.len() > i32::MAX as usize
        && let Some(full) = own_number.take()
    {
        chunks[full] = Buffer::from_vec(std::mem::take(own));
    }
    let number = *own_number.get_or_insert_with(|| {
        chunks.push(Buffer::from_vec(Vec::<u8>::new()));
        chunks.len() - 1
    });
    let view = super::column::far_view(bytes, number, own.len());
    own.extend_from_slice(bytes);
    view
}

/// Shares the sealed chunks when most of the block is wanted, copies the bytes otherwise.
fn append_views(
    views: &mut Vec<u128>,
    chunks: &mut Vec<Buffer>,
    own: &mut Vec<u8>,
    own_number: &mut Option<usize>,
    from: &Views,
    start: usize,
    end: usize,
) {
    let share = (end - start) * 2 >= from.entries.len();
    let base = chunks.len();
    if share {
        chunks.extend(from.sealed.iter().cloned());
        if !from.tail.is_empty() {
            chunks.push(Buffer::from_slice_ref(from.tail.as_slice()));
        }
    }
    for view in &from.entries[start..end] {
        views.push(if view_len(*view) <= INLINE {
            *view
        } else if share {
            *view + ((base as u128) << 64)
        } else {
            own_view(chunks, own, own_number, from.bytes_of(view, &mut [0; 16]))
        });
    }
}
