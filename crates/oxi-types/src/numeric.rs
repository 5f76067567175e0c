//! PostgreSQL's `numeric`: exact decimals with a display scale, NaN and infinities.
//!
//! A value is `mantissa / 10^scale`. Mantissas that fit 128 bits are computed natively, larger ones
//! as big integers.

mod arith;
mod encode;
mod integer;
mod parse;
mod transcendental;

use std::cmp::Ordering;

use oxi_base::{Error, Result, SqlState};
use oxi_model::Datum;

pub use encode::{binary_in, binary_out, decode, display_scale, encode, key};
pub use integer::Int;

/// The largest display scale a value can have.
pub const MAX_DISPLAY_SCALE: i32 = 16383;
/// The largest scale that division and the transcendental functions choose.
pub const MAX_RESULT_SCALE: i32 = 1000;
/// Significant digits that division and the transcendental functions give at least.
pub const MIN_SIGNIFICANT_DIGITS: i32 = 16;
/// Decimal digits before the point a value can have.
pub const MAX_INTEGER_DIGITS: i64 = 131_072;

/// A numeric value. `PartialEq` is SQL's `=`: display scales do not count.
#[derive(Clone, Debug)]
pub enum Numeric {
    /// `-Infinity`
    NegInfinity,
    /// `mantissa / 10^scale`
    Finite(Int, i32),
    /// `Infinity`
    Infinity,
    /// `NaN`, greater than everything and equal to itself.
    NaN,
}

use Numeric::{Finite, Infinity, NaN, NegInfinity};

impl Numeric {
    /// Zero.
    pub const ZERO: Numeric = Finite(Int::Small(0), 0);
    /// One.
    pub const ONE: Numeric = Finite(Int::Small(1), 0);

    /// The value of an integer.
    pub fn from_i128(value: i128) -> Self {
        Finite(Int::Small(value), 0)
    }

    /// The value behind a datum.
    pub fn from_datum(datum: &Datum) -> Result<Self> {
        match datum {
            Datum::Bytes(bytes) => {
                decode(bytes).ok_or_else(|| Error::corrupt("malformed numeric value"))
            }
            other => Err(Error::bug(format!("{other:?} read as numeric"))),
        }
    }

    /// The datum of this value; an error if the value is out of numeric's range.
    pub fn to_datum(&self) -> Result<Datum> {
        if let Finite(mantissa, scale) = self
            && mantissa.digit_count() - i64::from(*scale) > MAX_INTEGER_DIGITS
        {
            return Err(overflow());
        }
        Ok(Datum::bytes(encode(self)))
    }

    /// Whether this is NaN.
    pub fn is_nan(&self) -> bool {
        matches!(self, NaN)
    }

    /// Whether this is neither NaN nor infinite.
    pub fn is_finite(&self) -> bool {
        matches!(self, Finite(..))
    }

    /// Whether this is zero.
    pub fn is_zero(&self) -> bool {
        matches!(self, Finite(mantissa, _) if mantissa.is_zero())
    }

    /// Whether this is below zero.
    pub fn is_negative(&self) -> bool {
        match self {
            NegInfinity => true,
            Finite(mantissa, _) => mantissa.is_negative(),
            _ => false,
        }
    }

    /// -1, 0 or 1 (1 for NaN).
    pub fn signum(&self) -> i32 {
        if self.is_zero() {
            0
        } else if self.is_negative() {
            -1
        } else {
            1
        }
    }

    /// The display scale (0 for the special values).
    pub fn scale(&self) -> i32 {
        match self {
            Finite(_, scale) => *scale,
            _ => 0,
        }
    }

    /// The fewest digits after the point that hold the value.
    pub fn min_scale(&self) -> i32 {
        match self {
            Finite(mantissa, scale) => {
                let zeros = mantissa.trailing_zeros();
                if mantissa.is_zero() { 0 } else { (i64::from(*scale) - zeros).max(0) as i32 }
            }
            _ => 0,
        }
    }

    /// The value of an integral numeric, rounding half away from zero; `None` outside `i128`.
    pub fn to_i128(&self) -> Option<i128> {
        match self.round(0) {
            Finite(Int::Small(value), 0) => Some(value),
            _ => None,
        }
    }

    /// Cast to an integer type: rounds; errors name the type.
    pub fn to_integer<T: TryFrom<i128>>(&self, type_name: &str) -> Result<T> {
        match self {
            NaN => Err(Error::unsupported(format!("cannot convert NaN to {type_name}"))),
            Infinity | NegInfinity => {
                Err(Error::unsupported(format!("cannot convert infinity to {type_name}")))
            }
            Finite(..) => {
                self.to_i128().and_then(|value| T::try_from(value).ok()).ok_or_else(|| {
                    Error::new(
                        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                        format!("{type_name} out of range"),
                    )
                })
            }
        }
    }

    /// The nearest float; `None` if it overflows.
    pub fn to_f64(&self) -> Option<f64> {
        match self {
            NaN => Some(f64::NAN),
            Infinity => Some(f64::INFINITY),
            NegInfinity => Some(f64::NEG_INFINITY),
            Finite(Int::Small(value), 0) if value.unsigned_abs() < 1 << 53 => Some(*value as f64),
            Finite(..) => self.to_string().parse::<f64>().ok().filter(|value| value.is_finite()),
        }
    }

    /// From a float8: 15 significant digits, as PostgreSQL's cast does.
    pub fn from_f64(value: f64) -> Self {
        Self::from_float(value, 14)
    }

    /// From a float4: 6 significant digits.
    pub fn from_f32(value: f32) -> Self {
        Self::from_float(f64::from(value), 5)
    }

    fn from_float(value: f64, digits: usize) -> Self {
        if value.is_nan() {
            NaN
        } else if value.is_infinite() {
            if value > 0.0 { Infinity } else { NegInfinity }
        } else {
            let text = format!("{value:.digits$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let mantissa = if mantissa.contains('.') {
                mantissa.trim_end_matches('0').trim_end_matches('.')
            } else {
                mantissa
            };
            Self::parse(&format!("{mantissa}e{exponent}")).unwrap_or(NaN)
        }
    }

    /// Applies the modifier of `numeric(precision, scale)`.
    pub fn apply_typmod(&self, typmod: i32) -> Result<Self> {
        if typmod < 4 {
            return Ok(self.clone());
        }
        let (precision, scale) = crate::pg_type::numeric_typmod(typmod);
        let rounded = match self {
            NaN => return Ok(NaN),
            Infinity | NegInfinity => {
                return Err(field_overflow().with_detail(format!(
                    "A field with precision {precision}, scale {scale} cannot hold an infinite value."
                )));
            }
            Finite(..) => self.round(scale),
        };
        if let Finite(mantissa, actual) = &rounded
            && !mantissa.is_zero()
            && mantissa.digit_count() - i64::from(*actual) > i64::from(precision - scale)
        {
            let limit = precision - scale;
            return Err(field_overflow().with_detail(format!(
                "A field with precision {precision}, scale {scale} must round to an absolute value less than {}{}.",
                if limit == 0 { "1".to_owned() } else { format!("10^{limit}") },
                ""
            )));
        }
        Ok(rounded)
    }
}

fn field_overflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow")
}

/// `value overflows numeric format`
pub fn overflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

/// `division by zero`
pub fn division_by_zero() -> Error {
    Error::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Numeric {
    fn cmp(&self, other: &Self) -> Ordering {
        fn rank(value: &Numeric) -> u8 {
            match value {
                NegInfinity => 0,
                Finite(..) => 1,
                Infinity => 2,
                NaN => 3,
            }
        }
        match (self, other) {
            (Finite(a, sa), Finite(b, sb)) => match sa.cmp(sb) {
                Ordering::Equal => a.cmp(b),
                Ordering::Less => a.shift10((sb - sa) as u32).cmp(b),
                Ordering::Greater => a.cmp(&b.shift10((sa - sb) as u32)),
            },
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl std::fmt::Display for Numeric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (mantissa, scale) = match self {
            NaN => return f.write_str("NaN"),
            Infinity => return f.write_str("Infinity"),
            NegInfinity => return f.write_str("-Infinity"),
            Finite(mantissa, scale) => (mantissa, *scale as usize),
        };
        let digits = mantissa.abs_digits();
        if mantissa.is_negative() {
            f.write_str("-")?;
        }
        if scale == 0 {
            return f.write_str(&digits);
        }
        if digits.len() > scale {
            let (integer, fraction) = digits.split_at(digits.len() - scale);
            write!(f, "{integer}.{fraction}")
        } else {
            write!(f, "0.{digits:0>scale$}")
        }
    }
}

#[cfg(test)]
mod tests;
