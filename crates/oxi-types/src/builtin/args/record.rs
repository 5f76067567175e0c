//! Record values describe themselves: a count, then each field's name, type and value.

use std::cmp::Ordering;

use oxi_base::{Error, Result, codec};
use oxi_model::{Datum, descriptor::TypeRef};

use crate::{compare, context::EvalContext, io, pg_type};

/// A field of a record value.
#[derive(Clone, PartialEq, Debug)]
pub struct RecordField {
    /// Its name (`f1`, `f2`, … for row constructors).
    pub name: String,
    /// Its type.
    pub reference: TypeRef,
    /// Its value.
    pub value: Datum,
}

/// The stored form of a record.
pub fn record_encode(fields: &[RecordField]) -> Result<Datum> {
    let mut out = Vec::new();
    codec::put_varint(&mut out, fields.len() as u64);
    for field in fields {
        codec::put_bytes(&mut out, field.name.as_bytes());
        codec::put_varint(&mut out, u64::from(field.reference.oid));
        if field.value.is_null() {
            out.push(0);
            continue;
        }
        out.push(1);
        let mut value = Vec::new();
        io::binary_out(field.reference, &field.value, &mut value)?;
        codec::put_bytes(&mut out, &value);
    }
    Ok(Datum::bytes(out))
}

/// The fields of a stored record.
pub fn record_decode(bytes: &[u8]) -> Result<Vec<RecordField>> {
    let corrupt = || Error::corrupt("malformed record value");
    let mut reader = codec::Reader::new(bytes);
    let count = reader.varint().ok_or_else(corrupt)?;
    let mut fields = Vec::new();
    for _ in 0..count {
        let name = String::from_utf8_lossy(reader.bytes().ok_or_else(corrupt)?).into_owned();
        let oid = reader.varint().and_then(|oid| u32::try_from(oid).ok()).ok_or_else(corrupt)?;
        let reference = TypeRef::plain(oid);
        let value = match reader.u8().ok_or_else(corrupt)? {
            0 => Datum::Null,
            _ => io::binary_in(reference, reader.bytes().ok_or_else(corrupt)?)?,
        };
        fields.push(RecordField { name, reference, value });
    }
    Ok(fields)
}

/// Appends `(a,b,…)`.
pub fn record_out(context: &EvalContext, bytes: &[u8], out: &mut String) -> Result<()> {
    out.push('(');
    for (index, field) in record_decode(bytes)?.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if field.value.is_null() {
            continue;
        }
        let text = io::to_text(context, field.reference, &field.value)?;
        let special =
            |c: char| matches!(c, '"' | '\\' | '(' | ')' | ',') || c.is_ascii_whitespace();
        if !text.is_empty() && !text.contains(special) {
            out.push_str(&text);
            continue;
        }
        out.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                out.push(c);
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push(')');
    Ok(())
}

/// Appends the wire form.
pub fn record_binary(bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let fields = record_decode(bytes)?;
    out.extend_from_slice(&(fields.len() as i32).to_be_bytes());
    for field in fields {
        out.extend_from_slice(&field.reference.oid.to_be_bytes());
        if field.value.is_null() {
            out.extend_from_slice(&(-1i32).to_be_bytes());
            continue;
        }
        let mut value = Vec::new();
        io::binary_out(field.reference, &field.value, &mut value)?;
        out.extend_from_slice(&(value.len() as i32).to_be_bytes());
        out.extend_from_slice(&value);
    }
    Ok(())
}

/// SQL's order of records, field by field.
pub fn record_compare(a: &[u8], b: &[u8]) -> Ordering {
    let (Ok(left), Ok(right)) = (record_decode(a), record_decode(b)) else { return a.cmp(b) };
    for (x, y) in left.iter().zip(&right) {
        let order = compare::compare(common(x.reference.oid), &x.value, &y.value);
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

fn common(oid: u32) -> u32 {
    if pg_type::by_oid(oid).is_some() { oid } else { 0 }
}
