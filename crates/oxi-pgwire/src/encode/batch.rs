//! Rows of Arrow batches on the wire, without a detour over single values where it matters.

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_schema::{DataType, TimeUnit};
use oxi_base::{Error, Result};
use oxi_model::PhysicalType;
use oxi_model::array::datum_at;
use oxi_types::EvalContext;

use super::try_message;
use super::value::{self, Column, Encoder};

/// A batch with its columns resolved to their array types.
pub(crate) struct BatchRows<'a> {
    readers: Vec<Reader<'a>>,
    columns: &'a [Column],
}

enum Reader<'a> {
    Bool(&'a BooleanArray),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Oid(&'a UInt32Array),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMicrosecondArray),
    Text(&'a StringViewArray),
    Uuid(&'a FixedSizeBinaryArray),
    Other(&'a ArrayRef, PhysicalType),
}

impl<'a> BatchRows<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, columns: &'a [Column]) -> Result<Self> {
        if batch.num_columns() != columns.len() {
            return Err(Error::bug("a batch with another number of columns than described"));
        }
        let readers =
            batch.columns().iter().zip(columns).map(|(array, column)| reader(array, column));
        Ok(BatchRows { readers: readers.collect(), columns })
    }

    /// Writes the row at `index` as a `DataRow`.
    pub(crate) fn data_row(
        &self,
        out: &mut Vec<u8>,
        context: Option<&EvalContext>,
        index: usize,
        scratch: &mut String,
    ) -> Result<()> {
        try_message(out, b'D', |out| {
            out.extend_from_slice(&(self.columns.len() as u16).to_be_bytes());
            for (reader, column) in self.readers.iter().zip(self.columns) {
                field(out, context, reader, column, index, scratch)?;
            }
            Ok(())
        })
    }
}

fn reader<'a>(array: &'a ArrayRef, column: &Column) -> Reader<'a> {
    match (column.encoder, array.data_type()) {
        (Encoder::Bool, DataType::Boolean) => Reader::Bool(array.as_boolean()),
        (Encoder::Int16, DataType::Int16) => Reader::Int16(array.as_primitive::<Int16Type>()),
        (Encoder::Int32, DataType::Int32) => Reader::Int32(array.as_primitive::<Int32Type>()),
        (Encoder::Int64, DataType::Int64) => Reader::Int64(array.as_primitive::<Int64Type>()),
        (Encoder::Oid, DataType::UInt32) => Reader::Oid(array.as_primitive::<UInt32Type>()),
        (Encoder::Float32, DataType::Float32) => {
            Reader::Float32(array.as_primitive::<Float32Type>())
        }
        (Encoder::Float64, DataType::Float64) => {
            Reader::Float64(array.as_primitive::<Float64Type>())
        }
        (Encoder::Date, DataType::Date32) => Reader::Date(array.as_primitive::<Date32Type>()),
        (Encoder::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, _)) => {
            Reader::Timestamp(array.as_primitive::<TimestampMicrosecondType>())
        }
        (Encoder::Text, DataType::Utf8View) => Reader::Text(array.as_string_view()),
        (Encoder::Uuid, DataType::FixedSizeBinary(16)) => {
            Reader::Uuid(array.as_fixed_size_binary())
        }
        _ => Reader::Other(array, column.physical()),
    }
}

fn field(
    out: &mut Vec<u8>,
    context: Option<&EvalContext>,
    reader: &Reader<'_>,
    column: &Column,
    index: usize,
    scratch: &mut String,
) -> Result<()> {
    macro_rules! write_value {
        ($array:expr, $value:ident => $write:expr) => {
            if $array.is_null(index) {
                value::null(out);
            } else {
                let $value = $array.value(index);
                $write;
            }
        };
    }
    let binary = column.binary;
    match reader {
        Reader::Bool(array) => write_value!(array, v => value::boolean(out, v, binary)),
        Reader::Int16(array) => write_value!(array, v => value::int16(out, v, binary)),
        Reader::Int32(array) => write_value!(array, v => value::int32(out, v, binary)),
        Reader::Int64(array) => write_value!(array, v => value::int64(out, v, binary)),
        Reader::Oid(array) => write_value!(array, v => value::uint32(out, v, binary)),
        Reader::Float32(array) => write_value!(array, v => value::bytes(out, &v.to_be_bytes())),
        Reader::Float64(array) => write_value!(array, v => value::bytes(out, &v.to_be_bytes())),
        Reader::Date(array) => write_value!(array, v => value::date(out, v)),
        Reader::Timestamp(array) => write_value!(array, v => value::timestamp(out, v)),
        Reader::Text(array) => write_value!(array, v => value::bytes(out, v.as_bytes())),
        Reader::Uuid(array) => write_value!(array, v => value::bytes(out, v)),
        Reader::Other(array, physical) => {
            if array.is_null(index) {
                value::null(out);
            } else {
                let datum = datum_at(array, physical, index)?;
                value::datum_field(out, context, column, &datum, scratch)?;
            }
        }
    }
    Ok(())
}
