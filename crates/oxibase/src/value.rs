//! Between Rust's types and SQL's.

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};
use oxi_types::{EvalContext, io, oid, pg_type};

/// A value of any type, for programs that do not know the types beforehand.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// NULL
    Null,
    /// boolean
    Bool(bool),
    /// smallint, integer, bigint, oid
    Integer(i64),
    /// real, double precision
    Float(f64),
    /// text and its like
    Text(String),
    /// bytea
    Bytes(Vec<u8>),
    /// Any other type, as SQL writes it.
    Other(String),
}

/// What can be a parameter.
pub trait ToSql {
    /// The value for a parameter of the given type.
    ///
    /// # Errors
    /// `42804` if it cannot be of that type, `22003` if it does not fit.
    fn to_sql(&self, type_oid: u32, context: &EvalContext) -> Result<Datum>;
}

/// What a column's value can become.
pub trait FromSql: Sized {
    /// The Rust value.
    ///
    /// # Errors
    /// `42804` for a value of another type, `22002` for NULL where there is no place for it.
    fn from_sql(type_oid: u32, value: &Datum) -> Result<Self>;
}

fn mismatch(what: &str, type_oid: u32) -> Error {
    let name = pg_type::format_type(TypeRef::plain(type_oid));
    Error::new(SqlState::DATATYPE_MISMATCH, format!("{what} does not go with type {name}"))
}

fn out_of_range(type_oid: u32) -> Error {
    let name = pg_type::format_type(TypeRef::plain(type_oid));
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range"))
}

fn from_text(text: &str, type_oid: u32, context: &EvalContext) -> Result<Datum> {
    io::text_in(context, TypeRef::plain(type_oid), text)
}

fn integer(value: i64, type_oid: u32, context: &EvalContext) -> Result<Datum> {
    let range = |_| out_of_range(type_oid);
    Ok(match type_oid {
        oid::INT2 => Datum::Int16(value.try_into().map_err(range)?),
        oid::INT4 => Datum::Int32(value.try_into().map_err(range)?),
        oid::INT8 => Datum::Int64(value),
        oid::OID => Datum::UInt32(value.try_into().map_err(range)?),
        oid::FLOAT4 => Datum::Float32(value as f32),
        oid::FLOAT8 => Datum::Float64(value as f64),
        _ => return from_text(&value.to_string(), type_oid, context),
    })
}

macro_rules! integers {
    ($($rust:ty),*) => {$(
        impl ToSql for $rust {
            fn to_sql(&self, type_oid: u32, context: &EvalContext) -> Result<Datum> {
                integer(i64::from(*self), type_oid, context)
            }
        }

        impl FromSql for $rust {
            fn from_sql(type_oid: u32, value: &Datum) -> Result<Self> {
                let wide = match value {
                    Datum::Int16(value) => i64::from(*value),
                    Datum::Int32(value) if type_oid != oid::DATE => i64::from(*value),
                    Datum::Int64(value) if type_oid == oid::INT8 => *value,
                    Datum::UInt32(value) => i64::from(*value),
                    other => return Err(unexpected(other, type_oid)),
                };
                wide.try_into().map_err(|_| out_of_range(type_oid))
            }
        }
    )*};
}

integers!(i16, i32, i64, u32);

fn unexpected(value: &Datum, type_oid: u32) -> Error {
    if value.is_null() {
        return Error::new(
            SqlState::NULL_VALUE_NO_INDICATOR_PARAMETER,
            "the value is NULL; use an Option",
        );
    }
    mismatch("the Rust type asked for", type_oid)
}

impl ToSql for bool {
    fn to_sql(&self, type_oid: u32, context: &EvalContext) -> Result<Datum> {
        match type_oid {
            oid::BOOL => Ok(Datum::Bool(*self)),
            _ => from_text(if *self { "true" } else { "false" }, type_oid, context),
        }
    }
}

impl FromSql for bool {
    fn from_sql(type_oid: u32, value: &Datum) -> Result<Self> {
        match value {
            Datum::Bool(value) => Ok(*value),
            other => Err(unexpected(other, type_oid)),
        }
    }
}

impl ToSql for f64 {
    fn to_sql(&self, type_oid: u32, context: &EvalContext) -> Result<Datum> {
        match type_oid {
            oid::FLOAT4 => Ok(Datum::Float32(*self as f32)),
            oid::FLOAT8 => Ok(Datum::Float64(*self)),
            _ => from_text(&self.to_string(), type_oid, context),
        }
    }
}

impl FromSql for f64 {
    fn from_sql(type_oid: u32, value: &Datum) -> Result<Self> {
        match value {
            Datum::Float64(value) => Ok(*value),
            Datum::Float32(value) => Ok(f64::from(*value)),
            other => Err(unexpected(other, type_oid)),
        }
    }
}

impl ToSql for f32 {
    fn to_sql(&self, type_oid: u32, context: &EvalContext) -> Result<Datum> {
        f64::from(*self).to_sql(type_oid, context)
    }
}

impl ToSql for str {
    fn to_sql(&self, type_oid: u32, context: &EvalContext) -> Result<Datum> {
        match type_oid {
            oid::TEXT | oid::VARCHAR if !self.contains('\0') => Ok(Datum::text(self)),
            _ => from_text(self, type_oid, context),
        }
    }
}

impl ToSql for String {
    fn to_sql(&self, type_oid: u32, context: &EvalContext) -> Result<Datum> {
        self.as_str().to_sql(type_oid, context)
    }
}

impl FromSql for String {
    fn from_sql(type_oid: u32, value: &Datum) -> Result<Self> {
        match value {
            Datum::Text(value) => Ok(value.to_string()),
            Datum::Null => Err(unexpected(value, type_oid)),
            other => {
                let mut text = String::new();
                let context = EvalContext::fixed(0);
                io::text_out(&context, TypeRef::plain(type_oid), other, &mut text)?;
                Ok(text)
            }
        }
    }
}

impl ToSql for [u8] {
    fn to_sql(&self, type_oid: u32, _context: &EvalContext) -> Result<Datum> {
        match type_oid {
            oid::BYTEA => Ok(Datum::bytes(self)),
            _ => Err(mismatch("a byte string", type_oid)),
        }
    }
}

impl ToSql for Vec<u8> {
    fn to_sql(&self, type_oid: u32, context: &EvalContext) -> Result<Datum> {
        self.as_slice().to_sql(type_oid, context)
    }
}

impl FromSql for Vec<u8> {
    fn from_sql(type_oid: u32, value: &Datum) -> Result<Self> {
        match value {
            Datum::Bytes(value) if type_oid == oid::BYTEA => Ok(value.to_vec()),
            other => Err(unexpected(other, type_oid)),
        }
    }
}

impl<T: ToSql> ToSql for Option<T> {
    fn to_sql(&self, type_oid: u32, context: &EvalContext) -> Result<Datum> {
        match self {
            Some(value) => value.to_sql(type_oid, context),
            None => Ok(Datum::Null),
        }
    }
}

impl<T: FromSql> FromSql for Option<T> {
    fn from_sql(type_oid: u32, value: &Datum) -> Result<Self> {
        if value.is_null() { Ok(None) } else { T::from_sql(type_oid, value).map(Some) }
    }
}

impl<T: ToSql + ?Sized> ToSql for &T {
    fn to_sql(&self, type_oid: u32, context: &EvalContext) -> Result<Datum> {
        (**self).to_sql(type_oid, context)
    }
}

impl ToSql for Value {
    fn to_sql(&self, type_oid: u32, context: &EvalContext) -> Result<Datum> {
        match self {
            Value::Null => Ok(Datum::Null),
            Value::Bool(value) => value.to_sql(type_oid, context),
            Value::Integer(value) => value.to_sql(type_oid, context),
            Value::Float(value) => value.to_sql(type_oid, context),
            Value::Text(value) | Value::Other(value) => value.to_sql(type_oid, context),
            Value::Bytes(value) => value.to_sql(type_oid, context),
        }
    }
}

impl FromSql for Value {
    fn from_sql(type_oid: u32, value: &Datum) -> Result<Self> {
        Ok(match (value, type_oid) {
            (Datum::Null, _) => Value::Null,
            (Datum::Bool(value), _) => Value::Bool(*value),
            (_, oid::INT2 | oid::INT4 | oid::INT8 | oid::OID) => {
                Value::Integer(i64::from_sql(type_oid, value)?)
            }
            (_, oid::FLOAT4 | oid::FLOAT8) => Value::Float(f64::from_sql(type_oid, value)?),
            (Datum::Text(value), _) => Value::Text(value.to_string()),
            (Datum::Bytes(value), oid::BYTEA) => Value::Bytes(value.to_vec()),
            (other, _) => Value::Other(String::from_sql(type_oid, other)?),
        })
    }
}
