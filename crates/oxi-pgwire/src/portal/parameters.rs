//! Values of a Bind message.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::Datum;
use oxi_model::descriptor::TypeRef;
use oxi_session::Prepared;
use oxi_types::{EvalContext, io, oid};

use crate::encode;
use crate::frame::{Body, value_text};

/// Where the values come from, for errors, and how they are written.
pub(super) struct Source<'a> {
    pub(super) portal: &'a str,
    pub(super) statement: &'a str,
    pub(super) formats: &'a [i16],
}

/// Reads the values that the statement needs. The context is only made for types that need it.
pub(super) fn read(
    body: &mut Body<'_>,
    prepared: &Prepared,
    source: &Source<'_>,
    mut context: impl FnMut() -> Result<Arc<EvalContext>>,
) -> Result<Vec<Datum>> {
    let types = prepared.parameter_types();
    let count = body.count()?;
    let formats = source.formats;
    if formats.len() > 1 && formats.len() != count {
        return Err(Error::new(
            SqlState::PROTOCOL_VIOLATION,
            format!("bind message has {} parameter formats but {count} parameters", formats.len()),
        ));
    }
    if count != types.len() {
        return Err(Error::new(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "bind message supplies {count} parameters, but prepared statement \"{}\" \
                 requires {}",
                source.statement,
                types.len()
            ),
        ));
    }
    let mut values = Vec::with_capacity(count);
    for (at, type_oid) in types.iter().enumerate() {
        let length = body.i32()?;
        if length < 0 {
            values.push(Datum::Null);
            continue;
        }
        let bytes = body.bytes(length as usize)?;
        let code = match formats {
            [] => 0,
            [one] => *one,
            each => each[at],
        };
        let binary = encode::is_binary(code)?;
        let value = if binary {
            binary_value(*type_oid, bytes)
        } else {
            text(*type_oid, bytes, &mut context)
        };
        values.push(value.map_err(|error| error.with_context(place(source, at, binary)))?);
    }
    Ok(values)
}

fn place(source: &Source<'_>, at: usize, binary: bool) -> String {
    let portal = match source.portal {
        "" => "unnamed portal".to_owned(),
        name => format!("portal \"{name}\""),
    };
    // The value may be a secret, so it is not shown.
    let value = if binary { "" } else { " = '...'" };
    format!("{portal} parameter ${}{value}", at + 1)
}

fn binary_value(type_oid: u32, bytes: &[u8]) -> Result<Datum> {
    match (type_oid, bytes.len()) {
        (oid::INT4, 4) => {
            Ok(Datum::Int32(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))
        }
        (oid::INT8, 8) => {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            Ok(Datum::Int64(i64::from_be_bytes(word)))
        }
        (oid::TEXT | oid::VARCHAR, _) => value_text(bytes).map(Datum::text),
        _ => io::binary_in(TypeRef::plain(type_oid), bytes),
    }
}

fn text(
    type_oid: u32,
    bytes: &[u8],
    context: &mut impl FnMut() -> Result<Arc<EvalContext>>,
) -> Result<Datum> {
    let text = value_text(bytes)?;
    match type_oid {
        oid::INT4 => {
            if let Some(number) = digits(text).and_then(|number| i32::try_from(number).ok()) {
                return Ok(Datum::Int32(number));
            }
        }
        oid::INT8 => {
            if let Some(number) = digits(text) {
                return Ok(Datum::Int64(number));
            }
        }
        oid::TEXT | oid::VARCHAR => return Ok(Datum::text(text)),
        _ => {}
    }
    let context = context()?;
    io::text_in(&context, TypeRef::plain(type_oid), text)
}

/// Plain digits, the most frequent parameter; all else is left to the type's own reader.
fn digits(text: &str) -> Option<i64> {
    let plain = text.strip_prefix('-').unwrap_or(text);
    if plain.is_empty() || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
