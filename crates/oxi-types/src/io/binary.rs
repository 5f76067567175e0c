//! PostgreSQL's wire formats.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, Interval, datum::ListValue, descriptor::TypeRef};

use super::mismatch;
use crate::{json, numeric, oid, pg_type};

/// Days from 1970-01-01 to 2000-01-01, the wire's epoch.
const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| {
        invalid(if bytes.len() < N {
            "insufficient data left in message"
        } else {
            "incorrect binary data format"
        })
    })
}

fn micros_from_wire(micros: i64) -> i64 {
    if micros == i64::MIN || micros == i64::MAX {
        micros
    } else {
        micros.saturating_add(EPOCH_MICROS)
    }
}

fn micros_to_wire(micros: i64) -> i64 {
    if micros == i64::MIN || micros == i64::MAX {
        micros
    } else {
        micros.saturating_sub(EPOCH_MICROS)
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let shown: Vec<String> = bytes[at..bytes.len().min(at + error.error_len().unwrap_or(1))]
            .iter()
            .map(|byte| format!("0x{byte:02x}"))
            .collect();
        Error::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
        )
    })?;
    if text.contains('\0') {
        return Err(Error::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\": 0x00",
        ));
    }
    Ok(text)
}

/// Reads a value in its type's wire format.
pub fn binary_in(reference: TypeRef, bytes: &[u8]) -> Result<Datum> {
    let value = match reference.oid {
        oid::BOOL => Datum::Bool(fixed::<1>(bytes)? != [0]),
        oid::INT2 => Datum::Int16(i16::from_be_bytes(fixed(bytes)?)),
        oid::INT4 => Datum::Int32(i32::from_be_bytes(fixed(bytes)?)),
        oid::INT8 | oid::XID8 | oid::PG_LSN | oid::MONEY | oid::TIME => {
            Datum::Int64(i64::from_be_bytes(fixed(bytes)?))
        }
        oid::FLOAT4 => Datum::Float32(f32::from_be_bytes(fixed(bytes)?)),
        oid::FLOAT8 => Datum::Float64(f64::from_be_bytes(fixed(bytes)?)),
        oid::DATE => {
            let days = i32::from_be_bytes(fixed(bytes)?);
            Datum::Int32(if days == i32::MIN || days == i32::MAX {
                days
            } else {
                days.saturating_add(EPOCH_DAYS)
            })
        }
        oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            Datum::Int64(micros_from_wire(i64::from_be_bytes(fixed(bytes)?)))
        }
        oid::INTERVAL => interval_in(bytes)?,
        oid::TIMETZ => timetz_in(bytes)?,
        oid::NUMERIC => numeric::binary_in(bytes)?.to_datum()?,
        oid::BYTEA => Datum::bytes(bytes),
        oid::UUID => Datum::Uuid(fixed(bytes)?),
        oid::JSON => {
            let text = utf8(bytes)?;
            json::validate(text)?;
            Datum::text(text)
        }
        oid::JSONB => json::jsonb_in(versioned(bytes, "jsonb")?)?,
        oid::JSONPATH => json::path::path_in(versioned(bytes, "jsonpath")?)?,
        oid::TID => {
            let raw: [u8; 6] = fixed(bytes)?;
            let block = i64::from(u32::from_be_bytes(fixed(&raw[..4])?));
            Datum::Int64(block << 16 | i64::from(u16::from_be_bytes(fixed(&raw[4..])?)))
        }
        oid::BIT | oid::VARBIT => Datum::text(bits_in(bytes)?),
        other => by_storage_in(other, bytes)?,
    };
    if reference.typmod < 0 { Ok(value) } else { super::apply_typmod(reference, value, false) }
}

fn interval_in(bytes: &[u8]) -> Result<Datum> {
    let raw: [u8; 16] = fixed(bytes)?;
    let (micros, rest) = raw.split_at(8);
    let (days, months) = rest.split_at(4);
    Ok(Datum::Interval(Interval {
        months: i32::from_be_bytes(fixed(months)?),
        days: i32::from_be_bytes(fixed(days)?),
        micros: i64::from_be_bytes(fixed(micros)?),
    }))
}

fn timetz_in(bytes: &[u8]) -> Result<Datum> {
    let raw: [u8; 12] = fixed(bytes)?;
    Ok(Datum::Interval(Interval {
        months: -i32::from_be_bytes(fixed(&raw[8..])?),
        days: 0,
        micros: i64::from_be_bytes(fixed(&raw[..8])?),
    }))
}

/// Arrays, numbers of objects, and what is text in storage.
fn by_storage_in(type_oid: u32, bytes: &[u8]) -> Result<Datum> {
    let Some(row) = pg_type::by_oid(type_oid) else { return Ok(Datum::text(utf8(bytes)?)) };
    if row.is_array() {
        return array_in(row, bytes);
    }
    match row.physical {
        oxi_model::PhysicalType::UInt32 => Ok(Datum::UInt32(u32::from_be_bytes(fixed(bytes)?))),
        oxi_model::PhysicalType::Text => Ok(Datum::text(utf8(bytes)?)),
        _ => Err(Error::unsupported(format!(
            "no binary input function available for type {}",
            row.display
        ))),
    }
}

fn bits_in(bytes: &[u8]) -> Result<String> {
    let Some((length, data)) = bytes.split_first_chunk::<4>() else {
        return Err(invalid("insufficient data left in message"));
    };
    let length = u32::from_be_bytes(*length) as usize;
    if data.len() != length.div_ceil(8) {
        return Err(invalid("invalid length in external bit string"));
    }
    Ok((0..length)
        .map(|at| if data[at / 8] >> (7 - at % 8) & 1 == 1 { '1' } else { '0' })
        .collect())
}

fn word(rest: &mut &[u8]) -> Result<i32> {
    let (head, tail) = rest
        .split_first_chunk::<4>()
        .ok_or_else(|| invalid("insufficient data left in message"))?;
    *rest = tail;
    Ok(i32::from_be_bytes(*head))
}

fn array_in(row: &pg_type::PgType, bytes: &[u8]) -> Result<Datum> {
    let mut rest = bytes;
    let count = word(&mut rest)?;
    if !(0..=6).contains(&count) {
        return Err(invalid(format!("invalid number of dimensions: {count}")));
    }
    word(&mut rest)?;
    let element = word(&mut rest)?.cast_unsigned();
    if element != row.element_oid {
        return Err(Error::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "binary data has array element type {element} ({}) instead of expected {} ({})",
                pg_type::format_type(TypeRef::plain(element)),
                row.element_oid,
                pg_type::format_type(TypeRef::plain(row.element_oid)),
            ),
        ));
    }
    let mut dimensions = Vec::new();
    let mut total = 1usize;
    for _ in 0..count {
        let (length, lower) = (word(&mut rest)?, word(&mut rest)?);
        if length < 0 || lower.checked_add(length).is_none() {
            return Err(invalid("invalid array size"));
        }
        total = total.saturating_mul(length as usize);
        dimensions.push((length, lower));
    }
    if count == 0 || total == 0 {
        total = 0;
        dimensions.clear();
    }
    if total > bytes.len() {
        return Err(invalid("insufficient data left in message"));
    }
    let mut elements = Vec::with_capacity(total);
    for _ in 0..total {
        let length = word(&mut rest)?;
        if length == -1 {
            elements.push(Datum::Null);
            continue;
        }
        let length = usize::try_from(length).map_err(|_| invalid("invalid array element"))?;
        if rest.len() < length {
            return Err(invalid("insufficient data left in message"));
        }
        let (item, tail) = rest.split_at(length);
        elements.push(binary_in(TypeRef::plain(element), item)?);
        rest = tail;
    }
    Ok(Datum::List(Arc::new(ListValue { dimensions, elements })))
}

/// Appends a value that is not NULL in its type's wire format.
pub fn binary_out(reference: TypeRef, value: &Datum, out: &mut Vec<u8>) -> Result<()> {
    match (reference.oid, value) {
        (_, Datum::Null) => {}
        (_, Datum::Bool(value)) => out.push(u8::from(*value)),
        (_, Datum::Int16(value)) => out.extend_from_slice(&value.to_be_bytes()),
        (oid::DATE, Datum::Int32(days)) => {
            let days = if *days == i32::MIN || *days == i32::MAX {
                *days
            } else {
                days.saturating_sub(EPOCH_DAYS)
            };
            out.extend_from_slice(&days.to_be_bytes());
        }
        (_, Datum::Int32(value)) => out.extend_from_slice(&value.to_be_bytes()),
        (oid::TIMESTAMP | oid::TIMESTAMPTZ, Datum::Int64(micros)) => {
            out.extend_from_slice(&micros_to_wire(*micros).to_be_bytes());
        }
        (oid::TID, Datum::Int64(value)) => {
            out.extend_from_slice(&((value >> 16) as u32).to_be_bytes());
            out.extend_from_slice(&((value & 0xffff) as u16).to_be_bytes());
        }
        (_, Datum::Int64(value)) => out.extend_from_slice(&value.to_be_bytes()),
        (_, Datum::UInt32(value)) => out.extend_from_slice(&value.to_be_bytes()),
        (_, Datum::Float32(value)) => out.extend_from_slice(&value.to_be_bytes()),
        (_, Datum::Float64(value)) => out.extend_from_slice(&value.to_be_bytes()),
        (oid::TIMETZ, Datum::Interval(value)) => {
            out.extend_from_slice(&value.micros.to_be_bytes());
            out.extend_from_slice(&(-value.months).to_be_bytes());
        }
        (_, Datum::Interval(value)) => {
            out.extend_from_slice(&value.micros.to_be_bytes());
            out.extend_from_slice(&value.days.to_be_bytes());
            out.extend_from_slice(&value.months.to_be_bytes());
        }
        (_, Datum::Uuid(value)) => out.extend_from_slice(value),
        (oid::NUMERIC, value) => {
            numeric::binary_out(&numeric::Numeric::from_datum(value)?, out);
        }
        (oid::JSONB, Datum::Bytes(bytes)) => {
            let mut text = String::new();
            json::jsonb_out(bytes, &mut text)?;
            out.push(1);
            out.extend_from_slice(text.as_bytes());
        }
        (oid::BIT | oid::VARBIT, Datum::Text(bits)) => bits_out(bits, out),
        (oid::RECORD, Datum::Bytes(bytes)) => crate::builtin::args::record_binary(bytes, out)?,
        (type_oid, Datum::Bytes(bytes)) => match pg_type::by_oid(type_oid) {
            Some(row) if row.is_array() => {
                array_out(row, &super::array::unpacked(row, bytes)?, out)?;
            }
            _ => out.extend_from_slice(bytes),
        },
        (type_oid, Datum::Text(text)) => {
            out.extend((type_oid == oid::JSONPATH).then_some(1));
            out.extend_from_slice(text.as_bytes());
        }
        (type_oid, Datum::List(list)) => match pg_type::by_oid(type_oid) {
            Some(row) if row.is_array() => array_out(row, list, out)?,
            _ => return Err(mismatch(type_oid, value)),
        },
    }
    Ok(())
}

fn bits_out(bits: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(bits.len() as u32).to_be_bytes());
    for chunk in bits.as_bytes().chunks(8) {
        let byte = chunk
            .iter()
            .enumerate()
            .fold(0u8, |byte, (at, bit)| if *bit == b'1' { byte | 0x80 >> at } else { byte });
        out.push(byte);
    }
}

/// The text after a version byte.
fn versioned<'a>(bytes: &'a [u8], type_name: &str) -> Result<&'a str> {
    match bytes.split_first() {
        Some((1, text)) => utf8(text),
        Some((version, _)) => {
            Err(Error::bug(format!("unsupported {type_name} version number {version}")))
        }
        None => Err(invalid("insufficient data left in message")),
    }
}

fn array_out(row: &pg_type::PgType, list: &ListValue, out: &mut Vec<u8>) -> Result<()> {
    let has_null = list.elements.iter().any(Datum::is_null);
    out.extend_from_slice(&(list.dimensions.len() as i32).to_be_bytes());
    out.extend_from_slice(&i32::from(has_null).to_be_bytes());
    out.extend_from_slice(&row.element_oid.to_be_bytes());
    for (length, lower) in &list.dimensions {
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&lower.to_be_bytes());
    }
    for item in &list.elements {
        if item.is_null() {
            out.extend_from_slice(&(-1i32).to_be_bytes());
            continue;
        }
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        binary_out(TypeRef::plain(row.element_oid), item, out)?;
        let length = (out.len() - at - 4) as i32;
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}
