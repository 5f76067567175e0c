//! The stored form of jsonb: a tag, then for strings and numbers a length and the text, for
//! containers a count and the members.

use oxi_base::{Error, Result, codec};

use super::value::Json;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const STRING: u8 = 4;
const ARRAY: u8 = 5;
const OBJECT: u8 = 6;

/// The stored bytes of a value.
pub fn encode(value: &Json) -> Vec<u8> {
    let mut out = Vec::new();
    put(value, &mut out);
    out
}

fn put(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.push(NULL),
        Json::Bool(false) => out.push(FALSE),
        Json::Bool(true) => out.push(TRUE),
        Json::Number(text) => {
            out.push(NUMBER);
            codec::put_bytes(out, text.as_bytes());
        }
        Json::String(text) => {
            out.push(STRING);
            codec::put_bytes(out, text.as_bytes());
        }
        Json::Array(items) => {
            out.push(ARRAY);
            codec::put_varint(out, items.len() as u64);
            for item in items {
                put(item, out);
            }
        }
        Json::Object(members) => {
            out.push(OBJECT);
            codec::put_varint(out, members.len() as u64);
            for (key, value) in members {
                codec::put_bytes(out, key.as_bytes());
                put(value, out);
            }
        }
    }
}

/// The value of stored bytes.
pub fn decode(bytes: &[u8]) -> Result<Json> {
    let mut reader = codec::Reader::new(bytes);
    take(&mut reader, 0)
        .filter(|_| reader.is_empty())
        .ok_or_else(|| Error::corrupt("malformed jsonb value"))
}

fn text(reader: &mut codec::Reader<'_>) -> Option<String> {
    String::from_utf8(reader.bytes()?.to_vec()).ok()
}

fn take(reader: &mut codec::Reader<'_>, depth: usize) -> Option<Json> {
    if depth > 3100 {
        return None;
    }
    Some(match reader.u8()? {
        NULL => Json::Null,
        FALSE => Json::Bool(false),
        TRUE => Json::Bool(true),
        NUMBER => Json::Number(text(reader)?),
        STRING => Json::String(text(reader)?),
        ARRAY => {
            let count = reader.varint()?;
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(take(reader, depth + 1)?);
            }
            Json::Array(items)
        }
        OBJECT => {
            let count = reader.varint()?;
            let mut members = Vec::new();
            for _ in 0..count {
                members.push((text(reader)?, take(reader, depth + 1)?));
            }
            Json::Object(members)
        }
        _ => return None,
    })
}
