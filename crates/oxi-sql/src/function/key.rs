//! Keys: for types whose Arrow order or equality is not SQL's, a function whose results order and
//! compare as SQL does. Comparison, grouping, sorting and joining go through it.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, builder::BinaryViewBuilder, cast::AsArray};
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility};
use oxi_model::{Datum, PhysicalType};
use oxi_types::{compare, oid};

use crate::function::{
    udf::{BuiltinUdf, Definition, Implementation},
    value::physical_of,
};

/// Whether keys of the type order as SQL does; keys of the others only tell equal from unequal.
pub fn key_orders(oid: u32) -> bool {
    !matches!(physical_of(oid), PhysicalType::List(_))
        && !matches!(oid, oid::TIMETZ | oid::PG_LSN | oid::RECORD)
}

/// Whether values of the type must be compared through keys.
pub fn needs_key(oid: u32) -> bool {
    compare::needs_key(oid)
}

/// The key of one value.
pub(crate) fn value(oid: u32, datum: &Datum) -> Datum {
    if needs_key(oid) && !datum.is_null() { compare::key(oid, datum) } else { datum.clone() }
}

/// The expression to compare, group, sort or join by.
pub fn key(expr: Expr, oid: u32) -> Expr {
    if !needs_key(oid) {
        return expr;
    }
    let physical = physical_of(oid);
    let returns = physical.clone();
    let name = if physical == PhysicalType::Numeric { "numeric_key" } else { "sort_key" };
    BuiltinUdf::new(Definition {
        name: name.to_owned(),
        identity: format!("key({oid})"),
        args: vec![physical],
        returns,
        strict: true,
        volatility: Volatility::Immutable,
        implementation: Implementation::Closure(Arc::new(move |_, args| {
            Ok(args.first().map_or(Datum::Null, |datum| compare::key(oid, datum)))
        })),
    })
    .call_expr(vec![expr])
}

/// The kernel for numerics: the encoding without the display scale in its last two bytes.
pub(crate) fn numeric_key(args: &[ColumnarValue], _rows: usize) -> Option<ColumnarValue> {
    let [ColumnarValue::Array(array)] = args else { return None };
    let values = array.as_binary_view_opt()?;
    let mut builder = BinaryViewBuilder::with_capacity(values.len());
    for value in values {
        match value {
            Some(bytes) => builder.append_value(bytes.get(..bytes.len().checked_sub(2)?)?),
            None => builder.append_null(),
        }
    }
    let array: ArrayRef = Arc::new(builder.finish());
    Some(ColumnarValue::Array(array))
}

/// A byte string that orders values as SQL does, for the types whose keys do not.
pub fn order_key(expr: Expr, oid: u32) -> Expr {
    BuiltinUdf::new(Definition {
        name: "order_key".to_owned(),
        identity: format!("order_key({oid})"),
        args: vec![physical_of(oid)],
        returns: PhysicalType::Bytes,
        strict: true,
        volatility: Volatility::Immutable,
        implementation: Implementation::Closure(Arc::new(move |_, args| {
            let mut out = Vec::new();
            put_ordered(&mut out, oid, args.first().unwrap_or(&Datum::Null));
            Ok(Datum::bytes(out))
        })),
    })
    .call_expr(vec![expr])
}

/// Appends bytes that compare as the value does; NULL comes last.
fn put_ordered(out: &mut Vec<u8>, type_oid: u32, datum: &Datum) {
    let escaped = |out: &mut Vec<u8>, bytes: &[u8]| {
        for byte in bytes {
            out.push(*byte);
            if *byte == 0 {
                out.push(0xff);
            }
        }
        out.extend_from_slice(&[0, 0]);
    };
    let sign = |value: i64| (value.cast_unsigned() ^ (1 << 63)).to_be_bytes();
    match value(type_oid, datum) {
        Datum::Null => return out.push(3),
        _ => out.push(2),
    }
    match value(type_oid, datum) {
        Datum::Null => {}
        Datum::Bool(v) => out.push(u8::from(v)),
        Datum::Int16(v) => out.extend(sign(i64::from(v))),
        Datum::Int32(v) => out.extend(sign(i64::from(v))),
        Datum::Int64(v) if type_oid == oid::PG_LSN => out.extend(v.cast_unsigned().to_be_bytes()),
        Datum::Int64(v) => out.extend(sign(v)),
        Datum::UInt32(v) => out.extend(v.to_be_bytes()),
        Datum::Float32(v) => out.extend(float_bits(f64::from(v))),
        Datum::Float64(v) => out.extend(float_bits(v)),
        Datum::Interval(v) if type_oid == oid::TIMETZ => {
            out.extend(sign(v.micros - i64::from(v.months) * 1_000_000));
            out.extend(sign(-i64::from(v.months)));
        }
        Datum::Interval(v) => {
            out.extend(sign(i64::from(v.months)));
            out.extend(sign(i64::from(v.days)));
            out.extend(sign(v.micros));
        }
        Datum::Uuid(v) => out.extend(v),
        Datum::Text(v) => escaped(out, v.as_bytes()),
        Datum::Bytes(v) => escaped(out, &v),
        Datum::List(list) => {
            let element =
                oxi_types::pg_type::by_oid(type_oid).map_or(oid::TEXT, |row| row.element_oid);
            for item in &list.elements {
                put_ordered(out, element, item);
            }
            out.push(0);
            out.extend((list.dimensions.len() as u64).to_be_bytes());
            for (length, lower) in &list.dimensions {
                out.extend(sign(i64::from(*length)));
                out.extend(sign(i64::from(*lower)));
            }
        }
    }
}

fn float_bits(value: f64) -> [u8; 8] {
    let bits = value.to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | (1 << 63) };
    ordered.to_be_bytes()
}
