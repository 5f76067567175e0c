//! Single values on the wire.

use oxi_base::{Error, Result};
use oxi_model::descriptor::TypeRef;
use oxi_model::{Datum, PhysicalType};
use oxi_types::{EvalContext, io, oid, pg_type};

use super::try_message;

/// Microseconds from 1970-01-01 to 2000-01-01, where the wire's timestamps start.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// The same in days.
const EPOCH_DAYS: i32 = 10_957;

/// How a column is written. Types not named go through `oxi_types::io`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoder {
    Bool,
    Int16,
    Int32,
    Int64,
    Oid,
    Float32,
    Float64,
    Date,
    Timestamp,
    Text,
    Uuid,
    Other,
}

/// One column of a result: its type and the format the client wants.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(super) data_type: TypeRef,
    pub(super) encoder: Encoder,
    pub(super) binary: bool,
}

impl Column {
    pub(crate) fn new(data_type: TypeRef, binary: bool) -> Self {
        let encoder = match data_type.oid {
            oid::BOOL => Encoder::Bool,
            oid::INT2 => Encoder::Int16,
            oid::INT4 => Encoder::Int32,
            oid::INT8 => Encoder::Int64,
            oid::OID => Encoder::Oid,
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::JSON | oid::UNKNOWN => {
                Encoder::Text
            }
            oid::FLOAT4 if binary => Encoder::Float32,
            oid::FLOAT8 if binary => Encoder::Float64,
            oid::DATE if binary => Encoder::Date,
            oid::TIMESTAMP | oid::TIMESTAMPTZ if binary => Encoder::Timestamp,
            oid::UUID if binary => Encoder::Uuid,
            _ => Encoder::Other,
        };
        Column { data_type, encoder, binary }
    }

    pub(crate) fn binary(&self) -> bool {
        self.binary
    }

    /// Whether the settings of the session show in this column's text.
    pub(crate) fn needs_context(&self) -> bool {
        self.encoder == Encoder::Other && !self.binary
    }

    /// The physical type of this column's values.
    pub(super) fn physical(&self) -> PhysicalType {
        pg_type::by_oid(self.data_type.oid).map_or(PhysicalType::Text, |t| t.physical.clone())
    }
}

/// Writes a `DataRow` of single values.
pub(crate) fn data_row(
    out: &mut Vec<u8>,
    context: Option<&EvalContext>,
    columns: &[Column],
    row: &[Datum],
    scratch: &mut String,
) -> Result<()> {
    try_message(out, b'D', |out| {
        out.extend_from_slice(&(columns.len() as u16).to_be_bytes());
        for (column, datum) in columns.iter().zip(row) {
            datum_field(out, context, column, datum, scratch)?;
        }
        Ok(())
    })
}

/// Writes one value with its length, or the length that means NULL.
pub(super) fn datum_field(
    out: &mut Vec<u8>,
    context: Option<&EvalContext>,
    column: &Column,
    datum: &Datum,
    scratch: &mut String,
) -> Result<()> {
    let binary = column.binary;
    match (column.encoder, datum) {
        (_, Datum::Null) => null(out),
        (Encoder::Bool, Datum::Bool(value)) => boolean(out, *value, binary),
        (Encoder::Int16, Datum::Int16(value)) => int16(out, *value, binary),
        (Encoder::Int32, Datum::Int32(value)) => int32(out, *value, binary),
        (Encoder::Int64, Datum::Int64(value)) => int64(out, *value, binary),
        (Encoder::Oid, Datum::UInt32(value)) => uint32(out, *value, binary),
        (Encoder::Float32, Datum::Float32(value)) => bytes(out, &value.to_be_bytes()),
        (Encoder::Float64, Datum::Float64(value)) => bytes(out, &value.to_be_bytes()),
        (Encoder::Date, Datum::Int32(value)) => date(out, *value),
        (Encoder::Timestamp, Datum::Int64(value)) => timestamp(out, *value),
        (Encoder::Text, Datum::Text(value)) => bytes(out, value.as_bytes()),
        (Encoder::Uuid, Datum::Uuid(value)) => bytes(out, value),
        _ if binary => {
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            io::binary_out(column.data_type, datum, out)?;
            let length = (out.len() - at - 4) as u32;
            out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        }
        _ => {
            scratch.clear();
            let context = context.ok_or_else(|| Error::bug("text without a context"))?;
            io::text_out(context, column.data_type, datum, scratch)?;
            bytes(out, scratch.as_bytes());
        }
    }
    Ok(())
}

pub(super) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1i32).to_be_bytes());
}

pub(super) fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}

pub(super) fn boolean(out: &mut Vec<u8>, value: bool, binary: bool) {
    let byte = match (binary, value) {
        (true, value) => u8::from(value),
        (false, true) => b't',
        (false, false) => b'f',
    };
    bytes(out, &[byte]);
}

pub(super) fn int16(out: &mut Vec<u8>, value: i16, binary: bool) {
    if binary { bytes(out, &value.to_be_bytes()) } else { decimal(out, i64::from(value)) }
}

pub(super) fn int32(out: &mut Vec<u8>, value: i32, binary: bool) {
    if binary { bytes(out, &value.to_be_bytes()) } else { decimal(out, i64::from(value)) }
}

pub(super) fn int64(out: &mut Vec<u8>, value: i64, binary: bool) {
    if binary { bytes(out, &value.to_be_bytes()) } else { decimal(out, value) }
}

pub(super) fn uint32(out: &mut Vec<u8>, value: u32, binary: bool) {
    if binary { bytes(out, &value.to_be_bytes()) } else { decimal(out, i64::from(value)) }
}

pub(super) fn date(out: &mut Vec<u8>, days: i32) {
    let days = match days {
        i32::MIN | i32::MAX => days,
        days => days.wrapping_sub(EPOCH_DAYS),
    };
    bytes(out, &days.to_be_bytes());
}

pub(super) fn timestamp(out: &mut Vec<u8>, micros: i64) {
    let micros = match micros {
        i64::MIN | i64::MAX => micros,
        micros => micros.wrapping_sub(EPOCH_MICROS),
    };
    bytes(out, &micros.to_be_bytes());
}

/// A length and the digits of a number.
fn decimal(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    bytes(out, &digits[at..]);
}
