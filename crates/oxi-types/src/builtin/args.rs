//! Between datums and the Rust types that implementations are written in, and the form of record
//! values.

mod record;

use std::sync::Arc;

use oxi_base::{Error, Result};
use oxi_model::{Datum, Interval, datum::ListValue};

use crate::numeric::Numeric;

pub use record::{
    RecordField, record_binary, record_compare, record_decode, record_encode, record_out,
};

/// A Rust type that reads a datum.
pub trait FromDatum<'a>: Sized {
    /// The value, if the datum is of this type.
    fn from_datum(datum: &'a Datum) -> Result<Self>;
}

#[cold]
#[track_caller]
fn wrong(datum: &Datum, wanted: &str) -> Error {
    Error::bug(format!("{datum:?} read as {wanted}"))
}

macro_rules! from_datum {
    ($($variant:ident $rust:ty;)*) => {$(
        impl<'a> FromDatum<'a> for $rust {
            fn from_datum(datum: &'a Datum) -> Result<Self> {
                match datum {
                    Datum::$variant(value) => Ok(*value),
                    other => Err(wrong(other, stringify!($rust))),
                }
            }
        }
        impl IntoDatum for $rust {
            fn into_datum(self) -> Result<Datum> {
                Ok(Datum::$variant(self))
            }
        }
    )*};
}

from_datum! {
    Bool bool;
    Int16 i16;
    Int32 i32;
    Int64 i64;
    UInt32 u32;
    Float32 f32;
    Float64 f64;
    Interval Interval;
    Uuid [u8; 16];
}

impl<'a> FromDatum<'a> for &'a str {
    fn from_datum(datum: &'a Datum) -> Result<Self> {
        match datum {
            Datum::Text(value) => Ok(value),
            other => Err(wrong(other, "text")),
        }
    }
}

impl<'a> FromDatum<'a> for &'a [u8] {
    fn from_datum(datum: &'a Datum) -> Result<Self> {
        match datum {
            Datum::Bytes(value) => Ok(value),
            other => Err(wrong(other, "bytes")),
        }
    }
}

impl<'a> FromDatum<'a> for &'a Arc<ListValue> {
    fn from_datum(datum: &'a Datum) -> Result<Self> {
        match datum {
            Datum::List(value) => Ok(value),
            other => Err(wrong(other, "array")),
        }
    }
}

impl<'a> FromDatum<'a> for &'a Datum {
    fn from_datum(datum: &'a Datum) -> Result<Self> {
        Ok(datum)
    }
}

impl<'a> FromDatum<'a> for Numeric {
    fn from_datum(datum: &'a Datum) -> Result<Self> {
        Numeric::from_datum(datum)
    }
}

impl<'a, T: FromDatum<'a>> FromDatum<'a> for Option<T> {
    fn from_datum(datum: &'a Datum) -> Result<Self> {
        if datum.is_null() { Ok(None) } else { T::from_datum(datum).map(Some) }
    }
}

static NULL: Datum = Datum::Null;

/// The argument at a place; one that is missing reads as NULL.
pub fn arg<'a, T: FromDatum<'a>>(args: &'a [Datum], at: usize) -> Result<T> {
    T::from_datum(args.get(at).unwrap_or(&NULL))
}

/// A Rust type that makes a datum.
pub trait IntoDatum {
    /// The datum.
    fn into_datum(self) -> Result<Datum>;
}

impl IntoDatum for Datum {
    fn into_datum(self) -> Result<Datum> {
        Ok(self)
    }
}

impl IntoDatum for String {
    fn into_datum(self) -> Result<Datum> {
        Ok(Datum::text(self))
    }
}

impl IntoDatum for &str {
    fn into_datum(self) -> Result<Datum> {
        Ok(Datum::text(self))
    }
}

impl IntoDatum for Vec<u8> {
    fn into_datum(self) -> Result<Datum> {
        Ok(Datum::bytes(self))
    }
}

impl IntoDatum for Numeric {
    fn into_datum(self) -> Result<Datum> {
        self.to_datum()
    }
}

impl<T: IntoDatum> IntoDatum for Option<T> {
    fn into_datum(self) -> Result<Datum> {
        self.map_or(Ok(Datum::Null), IntoDatum::into_datum)
    }
}

impl<T: IntoDatum> IntoDatum for Vec<T> {
    fn into_datum(self) -> Result<Datum> {
        let elements = self.into_iter().map(IntoDatum::into_datum).collect::<Result<Vec<_>>>()?;
        Ok(list(elements))
    }
}

/// A one-dimensional array.
pub fn list(elements: Vec<Datum>) -> Datum {
    let dimensions =
        if elements.is_empty() { Vec::new() } else { vec![(elements.len() as i32, 1)] };
    Datum::List(Arc::new(ListValue { dimensions, elements }))
}

/// Defines implementations in terms of Rust types: `fn name(a: i32, b: &str) -> String { … }`, with
/// `?` for errors; `fn name[context](…)` where the context is needed.
macro_rules! scalar {
    ($(fn $name:ident $([$context:ident])? ($($arg:ident : $type:ty),* $(,)?) -> $returns:ty $body:block)*) => {$(
        #[doc = concat!("`", stringify!($name), "` of `pg_proc.prosrc`.")]
        #[allow(unused_mut, unused_variables, unused_assignments, non_snake_case, clippy::redundant_closure_call,
            reason = "the macro covers functions with and without arguments")]
        pub fn $name(
            context: &$crate::context::EvalContext,
            args: &[oxi_model::Datum],
        ) -> oxi_base::Result<oxi_model::Datum> {
            $(let $context = context;)?
            let mut place = 0;
            $(
                let $arg: $type = $crate::builtin::args::arg(args, place)?;
                place += 1;
            )*
            let run = || -> oxi_base::Result<$returns> { Ok($body) };
            $crate::builtin::args::IntoDatum::into_datum(run()?)
        }
    )*};
}

pub(crate) use scalar;
