//! Values of system rows, and the types that system columns have.

use std::sync::Arc;

use oxi_model::{Datum, PhysicalType, datum::ListValue};

/// Physical types in a form that a constant can hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Bool,
    Int16,
    Int32,
    Int64,
    UInt32,
    Float32,
    Float64,
    TimestampTz,
    Interval,
    Numeric,
    Text,
    Bytes,
    BoolList,
    Int16List,
    UInt32List,
    Float32List,
    Float64List,
    TextList,
}

impl Shape {
    pub(super) fn physical(self) -> PhysicalType {
        let list = |element| PhysicalType::List(Box::new(element));
        match self {
            Shape::Bool => PhysicalType::Bool,
            Shape::Int16 => PhysicalType::Int16,
            Shape::Int32 => PhysicalType::Int32,
            Shape::Int64 => PhysicalType::Int64,
            Shape::UInt32 => PhysicalType::UInt32,
            Shape::Float32 => PhysicalType::Float32,
            Shape::Float64 => PhysicalType::Float64,
            Shape::TimestampTz => PhysicalType::TimestampTz,
            Shape::Interval => PhysicalType::Interval,
            Shape::Numeric => PhysicalType::Numeric,
            Shape::Text => PhysicalType::Text,
            Shape::Bytes => PhysicalType::Bytes,
            Shape::BoolList => list(PhysicalType::Bool),
            Shape::Int16List => list(PhysicalType::Int16),
            Shape::UInt32List => list(PhysicalType::UInt32),
            Shape::Float32List => list(PhysicalType::Float32),
            Shape::Float64List => list(PhysicalType::Float64),
            Shape::TextList => list(PhysicalType::Text),
        }
    }
}

/// Names in `relations.txt`, the type's oid, and how values lie in memory. Types that only system
/// relations of features not offered use (statistics, access rights, log positions) are text.
pub(super) const TYPES: &[(&str, u32, Shape)] = &[
    ("bool", 16, Shape::Bool),
    ("bytea", 17, Shape::Bytes),
    ("char", 18, Shape::Text),
    ("name", 19, Shape::Text),
    ("int8", 20, Shape::Int64),
    ("int2", 21, Shape::Int16),
    ("int2vector", 22, Shape::Int16List),
    ("int4", 23, Shape::Int32),
    ("regproc", 24, Shape::UInt32),
    ("text", 25, Shape::Text),
    ("oid", 26, Shape::UInt32),
    ("xid", 28, Shape::UInt32),
    ("oidvector", 30, Shape::UInt32List),
    ("pg_node_tree", 194, Shape::Text),
    ("pg_lsn", 25, Shape::Text),
    ("inet", 25, Shape::Text),
    ("pg_ndistinct", 25, Shape::Text),
    ("pg_dependencies", 25, Shape::Text),
    ("pg_mcv_list", 25, Shape::Text),
    ("anyarray", 25, Shape::Text),
    ("_pg_statistic", 25, Shape::Text),
    ("float4", 700, Shape::Float32),
    ("float8", 701, Shape::Float64),
    ("_bool", 1000, Shape::BoolList),
    ("_char", 1002, Shape::TextList),
    ("_name", 1003, Shape::TextList),
    ("_int2", 1005, Shape::Int16List),
    ("_text", 1009, Shape::TextList),
    ("_aclitem", 1034, Shape::TextList),
    ("_float4", 1021, Shape::Float32List),
    ("_float8", 1022, Shape::Float64List),
    ("_oid", 1028, Shape::UInt32List),
    ("varchar", 1043, Shape::Text),
    ("timestamptz", 1184, Shape::TimestampTz),
    ("interval", 1186, Shape::Interval),
    ("numeric", 1700, Shape::Numeric),
    ("regtype", 2206, Shape::UInt32),
    ("_regtype", 2211, Shape::UInt32List),
];

pub(super) const NULL: Datum = Datum::Null;
pub(super) const TRUE: Datum = Datum::Bool(true);
pub(super) const FALSE: Datum = Datum::Bool(false);
/// Oid of the one role, which owns everything.
pub(crate) const OWNER: u32 = 10;

pub(super) fn oid(value: u32) -> Datum {
    Datum::UInt32(value)
}

pub(super) fn text(value: &str) -> Datum {
    Datum::text(value)
}

pub(super) fn optional(value: Option<&str>) -> Datum {
    value.map_or(Datum::Null, Datum::text)
}

pub(super) fn bool(value: bool) -> Datum {
    Datum::Bool(value)
}

pub(super) fn yes_no(value: bool) -> Datum {
    Datum::text(if value { "YES" } else { "NO" })
}

pub(super) fn int2(value: i16) -> Datum {
    Datum::Int16(value)
}

pub(super) fn int4(value: i32) -> Datum {
    Datum::Int32(value)
}

pub(super) fn int8(value: i64) -> Datum {
    Datum::Int64(value)
}

/// A one-dimensional array that begins at 1; the vector types begin at 0.
pub(super) fn list(elements: Vec<Datum>) -> Datum {
    bounded(elements, 1)
}

pub(super) fn vector(elements: Vec<Datum>) -> Datum {
    bounded(elements, 0)
}

fn bounded(elements: Vec<Datum>, lower: i32) -> Datum {
    let dimensions =
        if elements.is_empty() { Vec::new() } else { vec![(elements.len() as i32, lower)] };
    Datum::List(Arc::new(ListValue { dimensions, elements }))
}
