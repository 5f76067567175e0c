//! SQL values as JSON.

use oxi_base::Result;
use oxi_model::{Datum, datum::ListValue, descriptor::TypeRef};

use super::{Json, quote};
use crate::{
    builtin::args::record_decode,
    context::{DateFormat, EvalContext},
    io, oid, pg_type,
};

/// Whether a value's JSON text is its SQL text without quotes; `None` for values written
/// otherwise.
pub fn json_category_text(type_oid: u32, text: &str) -> bool {
    let number = matches!(
        type_oid,
        oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC
    );
    number && text.starts_with(|c: char| c.is_ascii_digit() || c == '-') && text != "-Infinity"
}

/// Appends a value as json text: `pretty` puts array elements and members on lines of their own.
pub fn put_json_datum(
    context: &EvalContext,
    reference: TypeRef,
    value: &Datum,
    pretty: bool,
    out: &mut String,
) -> Result<()> {
    match (reference.oid, value) {
        (_, Datum::Null) => out.push_str("null"),
        (_, Datum::Bool(value)) => out.push_str(if *value { "true" } else { "false" }),
        (oid::JSON, Datum::Text(text)) => out.push_str(text),
        (oid::JSONB, Datum::Bytes(bytes)) => super::jsonb_out(bytes, out)?,
        (oid::RECORD, Datum::Bytes(bytes)) => {
            out.push('{');
            for (index, field) in record_decode(bytes)?.iter().enumerate() {
                if index > 0 {
                    out.push_str(if pretty { ",\n " } else { "," });
                }
                quote(&field.name, out);
                out.push(':');
                put_json_datum(context, field.reference, &field.value, false, out)?;
            }
            out.push('}');
        }
        (type_oid, Datum::List(list)) => {
            let element = pg_type::by_oid(type_oid).map_or(oid::TEXT, |row| row.element_oid);
            put_list(context, TypeRef::plain(element), list, pretty, out)?;
        }
        (oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ, _) => {
            let mut iso = context.clone();
            iso.date_style.format = DateFormat::Iso;
            let text = io::to_text(&iso, reference, value)?;
            let mut text = text.replacen(' ', "T", 1).replace("TBC", " BC");
            if reference.oid == oid::TIMESTAMPTZ
                && text.len() > 3
                && text.as_bytes()[text.len() - 3..text.len() - 2]
                    .iter()
                    .all(|sign| matches!(sign, b'+' | b'-'))
            {
                text.push_str(":00");
            }
            quote(&text, out);
        }
        _ => {
            let text = io::to_text(context, reference, value)?;
            if json_category_text(reference.oid, &text) {
                out.push_str(&text);
            } else {
                quote(&text, out);
            }
        }
    }
    Ok(())
}

fn put_list(
    context: &EvalContext,
    element: TypeRef,
    list: &ListValue,
    pretty: bool,
    out: &mut String,
) -> Result<()> {
    let lengths: Vec<usize> = list.dimensions.iter().map(|(length, _)| *length as usize).collect();
    let mut next = 0;
    if lengths.is_empty() {
        out.push_str("[]");
        return Ok(());
    }
    nest(context, element, list, &lengths, &mut next, pretty, out)
}

fn nest(
    context: &EvalContext,
    element: TypeRef,
    list: &ListValue,
    lengths: &[usize],
    next: &mut usize,
    pretty: bool,
    out: &mut String,
) -> Result<()> {
    let Some((length, inner)) = lengths.split_first() else { return Ok(()) };
    out.push('[');
    for index in 0..*length {
        if index > 0 {
            out.push_str(if pretty { ",\n " } else { "," });
        }
        if inner.is_empty() {
            let value = list.elements.get(*next).unwrap_or(&Datum::Null);
            *next += 1;
            put_json_datum(context, element, value, false, out)?;
        } else {
            nest(context, element, list, inner, next, false, out)?;
        }
    }
    out.push(']');
    Ok(())
}

/// A value as jsonb.
pub fn datum_to_json(context: &EvalContext, reference: TypeRef, value: &Datum) -> Result<Json> {
    if reference.oid == oid::JSONB && !value.is_null() {
        return Json::from_datum(value);
    }
    let mut out = String::new();
    put_json_datum(context, reference, value, false, &mut out)?;
    Json::parse(&out)
}
