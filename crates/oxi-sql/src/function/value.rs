//! Between single values and DataFusion's scalars, literals and columns.

use std::sync::Arc;

use arrow_array::Array;
use datafusion::{
    common::{Result as DfResult, ScalarValue},
    logical_expr::{ColumnarValue, Expr},
};
use oxi_base::Result;
use oxi_model::{
    Datum, PhysicalType,
    array::{ArrayBuilder, arrow_type, datum_at},
};
use oxi_types::pg_type;

use crate::function::error::{from_datafusion, to_datafusion};

/// How values of a SQL type lie in memory.
pub fn physical_of(oid: u32) -> PhysicalType {
    pg_type::by_oid(oid).map_or(PhysicalType::Text, |t| t.physical.clone())
}

/// The scalar of a value.
pub fn to_scalar(datum: &Datum, physical: &PhysicalType) -> Result<ScalarValue> {
    Ok(match (datum, physical) {
        (Datum::Null, _) => return null_scalar(physical),
        (Datum::Bool(value), PhysicalType::Bool) => ScalarValue::Boolean(Some(*value)),
        (Datum::Int16(value), PhysicalType::Int16) => ScalarValue::Int16(Some(*value)),
        (Datum::Int32(value), PhysicalType::Int32) => ScalarValue::Int32(Some(*value)),
        (Datum::Int64(value), PhysicalType::Int64) => ScalarValue::Int64(Some(*value)),
        (Datum::Float64(value), PhysicalType::Float64) => ScalarValue::Float64(Some(*value)),
        (Datum::Text(value), PhysicalType::Text) => ScalarValue::Utf8View(Some(value.to_string())),
        (Datum::Bytes(value), PhysicalType::Bytes | PhysicalType::Numeric) => {
            ScalarValue::BinaryView(Some(value.to_vec()))
        }
        _ => {
            let mut builder = ArrayBuilder::new(physical, 1);
            builder.push(datum)?;
            ScalarValue::try_from_array(&builder.finish(), 0).map_err(from_datafusion)?
        }
    })
}

/// NULL of a physical type.
pub fn null_scalar(physical: &PhysicalType) -> Result<ScalarValue> {
    ScalarValue::try_from(&arrow_type(physical)).map_err(from_datafusion)
}

/// The value of a scalar.
pub fn from_scalar(scalar: &ScalarValue, physical: &PhysicalType) -> Result<Datum> {
    Ok(match (scalar, physical) {
        (scalar, _) if scalar.is_null() => Datum::Null,
        (ScalarValue::Boolean(Some(value)), PhysicalType::Bool) => Datum::Bool(*value),
        (ScalarValue::Int16(Some(value)), PhysicalType::Int16) => Datum::Int16(*value),
        (ScalarValue::Int32(Some(value)), PhysicalType::Int32) => Datum::Int32(*value),
        (ScalarValue::Int64(Some(value)), PhysicalType::Int64) => Datum::Int64(*value),
        (ScalarValue::Float64(Some(value)), PhysicalType::Float64) => Datum::Float64(*value),
        (ScalarValue::Utf8View(Some(value)), PhysicalType::Text) => Datum::text(value.as_str()),
        (ScalarValue::BinaryView(Some(value)), PhysicalType::Bytes | PhysicalType::Numeric) => {
            Datum::bytes(value.as_slice())
        }
        _ => {
            let array = scalar.to_array_of_size(1).map_err(from_datafusion)?;
            datum_at(array.as_ref(), physical, 0)?
        }
    })
}

/// A literal of a SQL type.
pub fn literal_of(datum: &Datum, oid: u32) -> Result<Expr> {
    Ok(Expr::Literal(to_scalar(datum, &physical_of(oid))?, None))
}

/// The value of a literal expression of a SQL type, if it is one.
pub fn datum_of_literal(expr: &Expr, oid: u32) -> Option<Datum> {
    match expr {
        Expr::Literal(scalar, _) => from_scalar(scalar, &physical_of(oid)).ok(),
        _ => None,
    }
}

/// An argument column with its physical type, read row by row.
pub(crate) enum Argument<'a> {
    /// The same in each row.
    Scalar(Datum),
    /// One per row.
    Array(&'a Arc<dyn Array>, &'a PhysicalType),
}

impl<'a> Argument<'a> {
    pub(crate) fn new(value: &'a ColumnarValue, physical: &'a PhysicalType) -> DfResult<Self> {
        Ok(match value {
            ColumnarValue::Scalar(scalar) => {
                Argument::Scalar(from_scalar(scalar, physical).map_err(to_datafusion)?)
            }
            ColumnarValue::Array(array) => Argument::Array(array, physical),
        })
    }

    pub(crate) fn get(&self, row: usize) -> Result<Datum> {
        match self {
            Argument::Scalar(datum) => Ok(datum.clone()),
            Argument::Array(array, physical) => datum_at(array.as_ref(), physical, row),
        }
    }
}
