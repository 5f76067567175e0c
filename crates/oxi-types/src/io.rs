//! Text and wire formats of values by type.

mod array;
mod binary;
mod bytes;
mod reg;
mod scalar;
mod typmod;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};

pub use binary::{binary_in, binary_out};
pub use bytes::{bytea_in, bytea_out, decode_escape, decode_hex, encode_escape, encode_hex};
pub use reg::{parse_name, quote_ident, reg_find, reg_in, reg_out};
pub use scalar::{bool_in, int_in, uuid_in, uuid_out};
pub use typmod::apply_typmod;

use crate::{context::EvalContext, datetime, float, json, numeric::Numeric, oid, pg_type};

/// `invalid input syntax for type …: "…"`
pub fn invalid_syntax(type_name: &str, text: &str) -> Error {
    Error::new(
        SqlState::INVALID_TEXT_REPRESENTATION,
        format!("invalid input syntax for type {type_name}: \"{text}\""),
    )
}

/// A datum whose physical type is not what its SQL type has.
#[track_caller]
pub(crate) fn mismatch(type_oid: u32, value: &Datum) -> Error {
    Error::bug(format!("{value:?} is no value of type {type_oid}"))
}

/// Reads a value from its text form and applies the type's modifier as an assignment would.
pub fn text_in(context: &EvalContext, reference: TypeRef, text: &str) -> Result<Datum> {
    let value = text_in_plain(context, reference, text)?;
    if reference.typmod < 0 { Ok(value) } else { apply_typmod(reference, value, false) }
}

fn text_in_plain(context: &EvalContext, reference: TypeRef, text: &str) -> Result<Datum> {
    Ok(match reference.oid {
        oid::TEXT
        | oid::VARCHAR
        | oid::BPCHAR
        | oid::UNKNOWN
        | oid::CSTRING
        | oid::REFCURSOR
        | oid::XML
        | oid::PG_NODE_TREE
        | oid::ACLITEM => Datum::text(text),
        oid::NAME => Datum::text(scalar::truncate_name(text)),
        oid::CHAR => Datum::text(scalar::char_in(text)),
        oid::BOOL => Datum::Bool(bool_in(text)?),
        oid::INT2 => Datum::Int16(int_in(text, "smallint")?),
        oid::INT4 => Datum::Int32(int_in(text, "integer")?),
        oid::INT8 => Datum::Int64(int_in(text, "bigint")?),
        oid::XID8 => Datum::Int64(int_in(text, "xid8")?),
        oid::OID => Datum::UInt32(scalar::oid_in(text, "oid")?),
        oid::XID => Datum::UInt32(scalar::oid_in(text, "xid")?),
        oid::CID => Datum::UInt32(scalar::oid_in(text, "cid")?),
        oid::FLOAT4 => Datum::Float32(float::float4_in(text)?),
        oid::FLOAT8 => Datum::Float64(float::float8_in(text)?),
        oid::NUMERIC => Numeric::parse(text)?.to_datum()?,
        oid::BYTEA => Datum::bytes(bytea_in(text)?),
        oid::UUID => Datum::Uuid(uuid_in(text)?),
        oid::DATE => Datum::Int32(datetime::date_in(context, text)?),
        oid::TIME => Datum::Int64(datetime::time_in(context, text)?),
        oid::TIMETZ => Datum::Interval(datetime::timetz_in(context, text)?),
        oid::TIMESTAMP => Datum::Int64(datetime::timestamp_in(context, text)?),
        oid::TIMESTAMPTZ => Datum::Int64(datetime::timestamptz_in(context, text)?),
        oid::INTERVAL => Datum::Interval(datetime::interval_in(context, text, reference.typmod)?),
        oid::JSON => {
            json::validate(text)?;
            Datum::text(text)
        }
        oid::JSONB => json::jsonb_in(text)?,
        oid::JSONPATH => json::path::path_in(text)?,
        oid::TID => Datum::Int64(scalar::tid_in(text)?),
        oid::PG_LSN => Datum::Int64(scalar::lsn_in(text)?),
        oid::MONEY => Datum::Int64(scalar::money_in(text)?),
        oid::BIT | oid::VARBIT => Datum::text(scalar::bit_in(text)?),
        oid::VOID => Datum::text(""),
        oid::INT2VECTOR | oid::OIDVECTOR => array::vector_in(context, reference, text)?,
        oid::REGCLASS
        | oid::REGTYPE
        | oid::REGPROC
        | oid::REGPROCEDURE
        | oid::REGOPER
        | oid::REGOPERATOR
        | oid::REGNAMESPACE
        | oid::REGROLE
        | oid::REGCOLLATION => Datum::UInt32(reg_in(context, reference.oid, text)?),
        other => match pg_type::by_oid(other) {
            Some(row) if row.is_array() => array::array_in(context, reference, text)?,
            Some(row) if row.is_pseudo() => {
                return Err(Error::unsupported(format!(
                    "cannot accept a value of type {}",
                    row.display
                )));
            }
            Some(row) => {
                return Err(Error::unsupported(format!("type {} is not supported", row.display)));
            }
            None => context.session.type_in(reference, text)?,
        },
    })
}

/// Appends the text form of a value that is not NULL.
pub fn text_out(
    context: &EvalContext,
    reference: TypeRef,
    value: &Datum,
    out: &mut String,
) -> Result<()> {
    use std::fmt::Write;
    match (reference.oid, value) {
        (_, Datum::Null) => {}
        (oid::BOOL, Datum::Bool(value)) => out.push(if *value { 't' } else { 'f' }),
        (_, Datum::Int16(value)) => {
            let _ = write!(out, "{value}");
        }
        (oid::DATE, Datum::Int32(days)) => datetime::date_out(context, *days, out),
        (oid::TIME, Datum::Int64(micros)) => datetime::time_out(*micros, out),
        (oid::TIMESTAMP, Datum::Int64(micros)) => datetime::timestamp_out(context, *micros, out),
        (oid::TIMESTAMPTZ, Datum::Int64(micros)) => {
            datetime::timestamptz_out(context, *micros, out);
        }
        (oid::INTERVAL, Datum::Interval(value)) => datetime::interval_out(context, *value, out),
        (oid::TIMETZ, Datum::Interval(value)) => datetime::timetz_out(*value, out),
        (oid::TID, Datum::Int64(value)) => {
            let _ = write!(out, "({},{})", value >> 16, value & 0xffff);
        }
        (oid::PG_LSN, Datum::Int64(value)) => {
            let _ = write!(out, "{:X}/{:X}", value.cast_unsigned() >> 32, value & 0xffff_ffff);
        }
        (oid::MONEY, Datum::Int64(value)) => out.push_str(&scalar::money_out(*value)),
        (oid::INT4 | oid::UNKNOWN, Datum::Int32(value)) => {
            let _ = write!(out, "{value}");
        }
        (oid::INT8 | oid::XID8, Datum::Int64(value)) => {
            let _ = write!(out, "{value}");
        }
        (oid::OID | oid::XID | oid::CID, Datum::UInt32(value)) => {
            let _ = write!(out, "{value}");
        }
        (oid::REGCONFIG | oid::REGDICTIONARY, Datum::UInt32(value)) => {
            let _ = write!(out, "{value}");
        }
        (_, Datum::UInt32(value)) => reg_out(context, reference.oid, *value, out)?,
        (_, Datum::Float32(value)) => float::float4_out(*value, context.extra_float_digits, out),
        (_, Datum::Float64(value)) => float::float8_out(*value, context.extra_float_digits, out),
        (oid::NUMERIC, value) => {
            let _ = write!(out, "{}", Numeric::from_datum(value)?);
        }
        (oid::BYTEA, Datum::Bytes(bytes)) => bytea_out(bytes, context.bytea_output, out),
        (oid::JSONB, Datum::Bytes(bytes)) => json::jsonb_out(bytes, out)?,
        (oid::RECORD, Datum::Bytes(bytes)) => {
            crate::builtin::args::record_out(context, bytes, out)?;
        }
        (_, Datum::Uuid(value)) => out.push_str(&uuid_out(value)),
        (oid::INT2VECTOR | oid::OIDVECTOR, Datum::List(list)) => array::vector_out(list, out),
        (type_oid, value) => match pg_type::by_oid(type_oid) {
            Some(row) if row.is_array() => match value {
                Datum::List(list) => array::array_out(context, row, list, out)?,
                Datum::Bytes(bytes) => {
                    array::array_out(context, row, &array::unpacked(row, bytes)?, out)?;
                }
                other => return Err(mismatch(type_oid, other)),
            },
            Some(_) => match value {
                Datum::Text(text) => out.push_str(text),
                other => return Err(mismatch(type_oid, other)),
            },
            None => context.session.type_out(reference, value, out)?,
        },
    }
    Ok(())
}

/// The text form of a value that is not NULL.
pub fn to_text(context: &EvalContext, reference: TypeRef, value: &Datum) -> Result<String> {
    let mut out = String::new();
    text_out(context, reference, value, &mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests;
