//! One value as storage sees it, and the physical types it can have.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How values of a column lie in memory. Several SQL types share one physical type; what a value
/// means is the business of `oxi-types`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum PhysicalType {
    /// boolean
    Bool,
    /// int2
    Int16,
    /// int4
    Int32,
    /// int8
    Int64,
    /// oid, regclass and friends
    UInt32,
    /// float4
    Float32,
    /// float8
    Float64,
    /// date: days since 1970-01-01; `i32::MIN`/`MAX` are -infinity/infinity
    Date,
    /// time: microseconds since midnight
    Time,
    /// timestamp: microseconds since 1970-01-01; `i64::MIN`/`MAX` are -infinity/infinity
    Timestamp,
    /// timestamptz: microseconds since 1970-01-01 UTC, infinities as in [`PhysicalType::Timestamp`]
    TimestampTz,
    /// interval
    Interval,
    /// uuid
    Uuid,
    /// numeric: the memcomparable encoding of `oxi_types::numeric`
    Numeric,
    /// text, varchar, bpchar, name, "char", json: UTF-8
    Text,
    /// bytea, jsonb and other byte strings
    Bytes,
    /// arrays
    List(Box<PhysicalType>),
}

/// PostgreSQL's interval: three parts that do not mix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Interval {
    /// Whole months.
    pub months: i32,
    /// Whole days.
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
}

/// One value. `PartialEq` is identity of representation, not SQL's `=` (see `oxi-types`).
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Datum {
    /// SQL NULL of any type.
    #[default]
    Null,
    /// See [`PhysicalType::Bool`].
    Bool(bool),
    /// See [`PhysicalType::Int16`].
    Int16(i16),
    /// See [`PhysicalType::Int32`] and [`PhysicalType::Date`].
    Int32(i32),
    /// See [`PhysicalType::Int64`], [`PhysicalType::Time`], [`PhysicalType::Timestamp`] and
    /// [`PhysicalType::TimestampTz`].
    Int64(i64),
    /// See [`PhysicalType::UInt32`].
    UInt32(u32),
    /// See [`PhysicalType::Float32`].
    Float32(f32),
    /// See [`PhysicalType::Float64`].
    Float64(f64),
    /// See [`PhysicalType::Interval`].
    Interval(Interval),
    /// See [`PhysicalType::Uuid`].
    Uuid([u8; 16]),
    /// See [`PhysicalType::Text`].
    Text(Box<str>),
    /// See [`PhysicalType::Bytes`] and [`PhysicalType::Numeric`].
    Bytes(Box<[u8]>),
    /// See [`PhysicalType::List`].
    List(Arc<ListValue>),
}

/// An array value: PostgreSQL arrays carry their dimensions and lower bounds.
#[derive(Clone, PartialEq, Debug)]
pub struct ListValue {
    /// `(length, lower bound)` per dimension; empty for the empty array.
    pub dimensions: Vec<(i32, i32)>,
    /// The elements in row-major order.
    pub elements: Vec<Datum>,
}

/// A row of values in the order of its columns.
pub type Row = Vec<Datum>;

impl Datum {
    /// A text value.
    pub fn text(value: impl Into<Box<str>>) -> Self {
        Datum::Text(value.into())
    }

    /// A byte string.
    pub fn bytes(value: impl Into<Box<[u8]>>) -> Self {
        Datum::Bytes(value.into())
    }

    /// Whether this is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Datum::Null)
    }

    /// Whether the value can stand in a column of this physical type.
    pub fn fits(&self, physical: &PhysicalType) -> bool {
        use PhysicalType as P;
        match (self, physical) {
            (Datum::Null, _)
            | (Datum::Bool(_), P::Bool)
            | (Datum::Int16(_), P::Int16)
            | (Datum::Int32(_), P::Int32 | P::Date)
            | (Datum::Int64(_), P::Int64 | P::Time | P::Timestamp | P::TimestampTz)
            | (Datum::UInt32(_), P::UInt32)
            | (Datum::Float32(_), P::Float32)
            | (Datum::Float64(_), P::Float64)
            | (Datum::Interval(_), P::Interval)
            | (Datum::Uuid(_), P::Uuid)
            | (Datum::Text(_), P::Text)
            | (Datum::Bytes(_), P::Bytes | P::Numeric) => true,
            (Datum::List(list), P::List(element)) => list.elements.iter().all(|e| e.fits(element)),
            _ => false,
        }
    }
}
