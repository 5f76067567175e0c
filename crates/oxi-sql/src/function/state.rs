//! Partial aggregate states as bytes: values that carry their kind with them.

use oxi_base::codec;
use oxi_model::{
    Datum, PhysicalType,
    array::{decode_datum, encode_datum},
    datum::ListValue,
};
use std::sync::Arc;

/// Encodes a value with its kind.
pub(crate) fn encode_state(datum: &Datum) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, datum);
    out
}

/// Reads what [`encode_state`] wrote.
pub(crate) fn decode_state(bytes: &[u8]) -> Option<Datum> {
    get(&mut codec::Reader::new(bytes))
}

const LIST: u8 = 12;

fn put(out: &mut Vec<u8>, datum: &Datum) {
    let kind = match datum {
        Datum::Null => 0,
        Datum::Bool(_) => 1,
        Datum::Int16(_) => 2,
        Datum::Int32(_) => 3,
        Datum::Int64(_) => 4,
        Datum::UInt32(_) => 5,
        Datum::Float32(_) => 6,
        Datum::Float64(_) => 7,
        Datum::Interval(_) => 8,
        Datum::Uuid(_) => 9,
        Datum::Text(_) => 10,
        Datum::Bytes(_) => 11,
        Datum::List(_) => LIST,
    };
    out.push(kind);
    match datum {
        Datum::List(list) => {
            codec::put_varint(out, list.dimensions.len() as u64);
            for (length, lower) in &list.dimensions {
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(&lower.to_le_bytes());
            }
            codec::put_varint(out, list.elements.len() as u64);
            for element in &list.elements {
                put(out, element);
            }
        }
        Datum::Null => {}
        other => encode_datum(out, other),
    }
}

fn get(reader: &mut codec::Reader<'_>) -> Option<Datum> {
    let physical = match reader.u8()? {
        0 => return Some(Datum::Null),
        1 => PhysicalType::Bool,
        2 => PhysicalType::Int16,
        3 => PhysicalType::Int32,
        4 => PhysicalType::Int64,
        5 => PhysicalType::UInt32,
        6 => PhysicalType::Float32,
        7 => PhysicalType::Float64,
        8 => PhysicalType::Interval,
        9 => PhysicalType::Uuid,
        10 => PhysicalType::Text,
        11 => PhysicalType::Bytes,
        LIST => {
            let mut dimensions = Vec::new();
            for _ in 0..reader.varint()? {
                dimensions.push((
                    i32::from_le_bytes(reader.array()?),
                    i32::from_le_bytes(reader.array()?),
                ));
            }
            let mut elements = Vec::new();
            for _ in 0..reader.varint()? {
                elements.push(get(reader)?);
            }
            return Some(Datum::List(Arc::new(ListValue { dimensions, elements })));
        }
        _ => return None,
    };
    decode_datum(reader, &physical)
}
