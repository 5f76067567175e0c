//! Index keys: integers for single integer-like columns, memcomparable bytes for the rest.

use oxi_base::codec;
use oxi_model::{Datum, PhysicalType};

/// A key of one index; all keys of an index are of the same kind (or NULL of a fixed one).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Key {
    /// The NULL of a fixed key; bytes encode their own.
    Null,
    U64(u64),
    U128(u128),
    Bytes(Box<[u8]>),
}

/// How the keys of an index are represented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyKind {
    U64,
    U128,
    Bytes,
}

/// One column of a key.
#[derive(Clone, Debug)]
pub(crate) struct KeyColumn {
    pub(crate) physical: PhysicalType,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

impl KeyKind {
    pub(crate) fn of(columns: &[KeyColumn]) -> Self {
        use PhysicalType as P;
        match columns {
            [column] => match column.physical {
                P::Bool
                | P::Int16
                | P::Int32
                | P::Int64
                | P::UInt32
                | P::Date
                | P::Time
                | P::Timestamp
                | P::TimestampTz => KeyKind::U64,
                P::Uuid => KeyKind::U128,
                _ => KeyKind::Bytes,
            },
            _ => KeyKind::Bytes,
        }
    }
}

/// The fixed key of a value; `None` for NULL (and for what cannot be in such a column).
pub(crate) fn fixed_u64(datum: &Datum, descending: bool) -> Option<u64> {
    let ascending = match datum {
        Datum::Bool(value) => i64::from(*value),
        Datum::Int16(value) => i64::from(*value),
        Datum::Int32(value) => i64::from(*value),
        Datum::Int64(value) => *value,
        Datum::UInt32(value) => i64::from(*value),
        _ => return None,
    };
    let key = ascending.cast_unsigned() ^ (1 << 63);
    Some(if descending { !key } else { key })
}

/// The same for uuid.
pub(crate) fn fixed_u128(datum: &Datum, descending: bool) -> Option<u128> {
    let Datum::Uuid(bytes) = datum else { return None };
    let key = u128::from_be_bytes(*bytes);
    Some(if descending { !key } else { key })
}

/// Appends a column of a bytes key.
pub(crate) fn put_column(out: &mut Vec<u8>, datum: &Datum, column: &KeyColumn) {
    if datum.is_null() {
        out.push(if column.nulls_first { 0 } else { 2 });
        return;
    }
    out.push(1);
    let start = out.len();
    put_value(out, datum, &column.physical);
    if column.descending {
        for byte in &mut out[start..] {
            *byte = !*byte;
        }
    }
}

const DAY_MICROS: i128 = 86_400_000_000;

fn put_value(out: &mut Vec<u8>, datum: &Datum, physical: &PhysicalType) {
    match datum {
        Datum::Null => {}
        Datum::Bool(value) => out.push(u8::from(*value)),
        Datum::Int16(value) => codec::put_key_i64(out, i64::from(*value)),
        Datum::Int32(value) => codec::put_key_i64(out, i64::from(*value)),
        Datum::Int64(value) => codec::put_key_i64(out, *value),
        Datum::UInt32(value) => codec::put_key_i64(out, i64::from(*value)),
        Datum::Float32(value) => codec::put_key_f64(out, f64::from(*value)),
        Datum::Float64(value) => codec::put_key_f64(out, *value),
        Datum::Interval(value) => {
            // A month counts as 30 days and a day as 24 hours, as PostgreSQL compares them.
            let days = i128::from(value.months) * 30 + i128::from(value.days);
            let micros = days * DAY_MICROS + i128::from(value.micros);
            out.extend_from_slice(&(micros.cast_unsigned() ^ (1 << 127)).to_be_bytes());
        }
        Datum::Uuid(value) => out.extend_from_slice(value),
        Datum::Text(value) => codec::put_key_bytes(out, value.as_bytes()),
        Datum::Bytes(value) => {
            // The display scale at the end of a numeric is not part of its value.
            let cut = if *physical == PhysicalType::Numeric { 2 } else { 0 };
            codec::put_key_bytes(out, &value[..value.len().saturating_sub(cut)]);
        }
        Datum::List(list) => {
            let PhysicalType::List(element) = physical else { return };
            for value in &list.elements {
                if value.is_null() {
                    out.push(2);
                } else {
                    out.push(1);
                    put_value(out, value, element);
                }
            }
            out.push(0);
            out.push(list.dimensions.len() as u8);
            for (length, lower) in &list.dimensions {
                codec::put_key_i64(out, i64::from(*length));
                codec::put_key_i64(out, i64::from(*lower));
            }
        }
    }
}

/// The least byte string above all that begin with `prefix`; `None` if there is none.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut out = prefix[..=keep].to_vec();
    out[keep] += 1;
    Some(out)
}
