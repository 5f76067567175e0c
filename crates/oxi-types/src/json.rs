//! json and jsonb: reading, the stored form of jsonb, comparison, output.
//!
//! json values are their text. jsonb values are stored as a tagged tree ([`encode`]): object keys
//! in PostgreSQL's order (length, then bytes), numbers as the text that numeric gives them.

mod binary;
mod datum;
mod parse;
pub mod path;
mod value;

use std::cmp::Ordering;

use oxi_base::Result;
use oxi_model::Datum;

pub use binary::{decode, encode};
pub use datum::{datum_to_json, json_category_text, put_json_datum};
pub use parse::{Node, NodeKind, parse};
pub use value::{Json, quote};

/// Checks that a text is JSON.
pub fn validate(text: &str) -> Result<()> {
    parse(text, "json").map(|_| ())
}

/// Reads jsonb from text.
pub fn jsonb_in(text: &str) -> Result<Datum> {
    Json::parse(text).map(|value| value.to_datum())
}

/// Writes jsonb as text.
pub fn jsonb_out(bytes: &[u8], out: &mut String) -> Result<()> {
    decode(bytes)?.write(out);
    Ok(())
}

/// SQL's order of jsonb values.
pub fn jsonb_compare(a: &[u8], b: &[u8]) -> Ordering {
    match (decode(a), decode(b)) {
        (Ok(a), Ok(b)) => {
            // A bare scalar counts as an array of one, so the empty array comes before it.
            let empty = |value: &Json| matches!(value, Json::Array(items) if items.is_empty());
            let scalar = |value: &Json| !matches!(value, Json::Array(_) | Json::Object(_));
            if empty(&a) && scalar(&b) {
                Ordering::Less
            } else if scalar(&a) && empty(&b) {
                Ordering::Greater
            } else {
                a.compare(&b)
            }
        }
        _ => a.cmp(b),
    }
}

/// Bytes that are the same for equal values.
pub fn jsonb_key(bytes: &[u8]) -> Vec<u8> {
    match decode(bytes) {
        Ok(value) => encode(&value.normalized()),
        Err(_) => bytes.to_vec(),
    }
}

/// The text form of an array with the elements of a JSON array. Other text stays as it is.
///
/// # Errors
/// `22P02` if the text begins like an array and is none.
pub fn array_literal(text: &str) -> Result<String> {
    if !text.trim_start().starts_with('[') {
        return Ok(text.to_owned());
    }
    let mut out = String::new();
    put_array(&Json::parse(text)?, &mut out);
    Ok(out)
}

fn put_array(value: &Json, out: &mut String) {
    match value {
        Json::Array(items) => {
            out.push('{');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                put_array(item, out);
            }
            out.push('}');
        }
        Json::Null => out.push_str("NULL"),
        other => {
            let text = other.as_text().unwrap_or_default();
            out.push('"');
            for c in text.chars() {
                if matches!(c, '"' | '\\') {
                    out.push('\\');
                }
                out.push(c);
            }
            out.push('"');
        }
    }
}

#[cfg(test)]
mod tests;
