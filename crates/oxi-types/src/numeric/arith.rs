//! Arithmetic with PostgreSQL's choice of result scales.

use oxi_base::{Error, Result, SqlState};

use super::{
    Int, MAX_DISPLAY_SCALE, MAX_RESULT_SCALE, MIN_SIGNIFICANT_DIGITS, Numeric, division_by_zero,
};
use Numeric::{Finite, Infinity, NaN, NegInfinity};

fn infinite(negative: bool) -> Numeric {
    if negative { NegInfinity } else { Infinity }
}

impl Numeric {
    /// The sum, with the larger scale.
    pub fn add(&self, other: &Self) -> Self {
        match (self, other) {
            (NaN, _) | (_, NaN) | (Infinity, NegInfinity) | (NegInfinity, Infinity) => NaN,
            (Infinity, _) | (_, Infinity) => Infinity,
            (NegInfinity, _) | (_, NegInfinity) => NegInfinity,
            (Finite(a, sa), Finite(b, sb)) => {
                let scale = *sa.max(sb);
                let a = a.shift10((scale - sa) as u32);
                let b = b.shift10((scale - sb) as u32);
                Finite(a.add(&b), scale)
            }
        }
    }

    /// The difference, with the larger scale.
    pub fn sub(&self, other: &Self) -> Self {
        self.add(&other.neg())
    }

    /// The negated value.
    pub fn neg(&self) -> Self {
        match self {
            NaN => NaN,
            Infinity => NegInfinity,
            NegInfinity => Infinity,
            Finite(mantissa, scale) => Finite(mantissa.neg(), *scale),
        }
    }

    /// The absolute value.
    pub fn abs(&self) -> Self {
        if self.is_negative() { self.neg() } else { self.clone() }
    }

    /// The product, with the sum of the scales.
    pub fn mul(&self, other: &Self) -> Self {
        match (self, other) {
            (NaN, _) | (_, NaN) => NaN,
            (Finite(a, sa), Finite(b, sb)) => {
                let scale = sa + sb;
                let product = Finite(a.mul(b), scale);
                if scale > MAX_DISPLAY_SCALE { product.round(MAX_DISPLAY_SCALE) } else { product }
            }
            _ if self.is_zero() || other.is_zero() => NaN,
            _ => infinite(self.is_negative() != other.is_negative()),
        }
    }

    /// The product rounded to a scale.
    pub fn mul_scale(&self, other: &Self, scale: i32) -> Self {
        match (self, other) {
            (Finite(a, sa), Finite(b, sb)) => Finite(a.mul(b), sa + sb).round(scale),
            _ => self.mul(other),
        }
    }

    /// Weight and value of the first group of four decimal digits, as PostgreSQL stores them.
    pub(crate) fn first_group(&self) -> (i64, i64) {
        let Finite(mantissa, scale) = self else { return (0, 0) };
        if mantissa.is_zero() {
            return (0, 0);
        }
        let digits = mantissa.abs_digits();
        let exponent = digits.len() as i64 - i64::from(*scale) - 1;
        let weight = exponent.div_euclid(4);
        let wanted = (exponent.rem_euclid(4) + 1) as usize;
        let mut group = 0i64;
        for index in 0..wanted {
            let digit = digits.as_bytes().get(index).map_or(0, |byte| byte - b'0');
            group = group * 10 + i64::from(digit);
        }
        (weight, group)
    }

    /// The scale that `/` chooses: at least 16 significant digits and both operands' scales.
    pub fn div_result_scale(&self, other: &Self) -> i32 {
        let (weight1, first1) = self.first_group();
        let (weight2, first2) = other.first_group();
        let mut weight = weight1 - weight2;
        if first1 <= first2 {
            weight -= 1;
        }
        let scale = i64::from(MIN_SIGNIFICANT_DIGITS) - weight * 4;
        let scale = scale.clamp(0, i64::from(MAX_RESULT_SCALE)) as i32;
        scale.max(self.scale()).max(other.scale()).min(MAX_RESULT_SCALE)
    }

    /// The quotient.
    pub fn div(&self, other: &Self) -> Result<Self> {
        if let Some(special) = self.div_special(other)? {
            return Ok(special);
        }
        self.div_scale(other, self.div_result_scale(other))
    }

    fn div_special(&self, other: &Self) -> Result<Option<Self>> {
        Ok(match (self, other) {
            (NaN, _) | (_, NaN) => Some(NaN),
            (Infinity | NegInfinity, Infinity | NegInfinity) => Some(NaN),
            (Infinity | NegInfinity, Finite(divisor, _)) => {
                if divisor.is_zero() {
                    return Err(division_by_zero());
                }
                Some(infinite(self.is_negative() != other.is_negative()))
            }
            (Finite(..), Infinity | NegInfinity) => Some(Self::ZERO),
            (Finite(..), Finite(divisor, _)) => {
                if divisor.is_zero() {
                    return Err(division_by_zero());
                }
                None
            }
        })
    }

    /// The quotient of finite values rounded to a scale.
    pub fn div_scale(&self, other: &Self, scale: i32) -> Result<Self> {
        let (Finite(a, sa), Finite(b, sb)) = (self, other) else {
            return self.div(other);
        };
        if b.is_zero() {
            return Err(division_by_zero());
        }
        // a/10^sa ÷ b/10^sb × 10^scale
        let shift = scale + sb - sa;
        let quotient = if shift >= 0 {
            a.shift10(shift as u32).div_round(b)
        } else {
            a.div_round(&b.shift10(shift.unsigned_abs()))
        };
        Ok(Finite(quotient, scale))
    }

    /// `div()`: the quotient truncated to an integer.
    pub fn div_trunc(&self, other: &Self) -> Result<Self> {
        if let Some(special) = self.div_special(other)? {
            return Ok(special);
        }
        let (Finite(a, sa), Finite(b, sb)) = (self, other) else { return Ok(NaN) };
        let scale = *sa.max(sb);
        let (quotient, _) = a.shift10((scale - sa) as u32).div_rem(&b.shift10((scale - sb) as u32));
        Ok(Finite(quotient, 0))
    }

    /// The remainder of truncating division, with the dividend's sign.
    pub fn rem(&self, other: &Self) -> Result<Self> {
        match (self, other) {
            (NaN, _) | (_, NaN) => Ok(NaN),
            (_, Finite(divisor, _)) if divisor.is_zero() => Err(division_by_zero()),
            (Infinity | NegInfinity, _) => Ok(NaN),
            (_, Infinity | NegInfinity) => Ok(self.clone()),
            (Finite(a, sa), Finite(b, sb)) => {
                let scale = *sa.max(sb);
                let (_, remainder) =
                    a.shift10((scale - sa) as u32).div_rem(&b.shift10((scale - sb) as u32));
                Ok(Finite(remainder, scale))
            }
        }
    }

    /// Rounds half away from zero to a number of digits after the point; the result has that
    /// display scale (0 for negative ones).
    pub fn round(&self, scale: i32) -> Self {
        self.rescale(scale, Int::unshift10_round)
    }

    /// Truncates towards zero, as [`Numeric::round`] otherwise.
    pub fn trunc(&self, scale: i32) -> Self {
        self.rescale(scale, Int::unshift10_trunc)
    }

    fn rescale(&self, scale: i32, shrink: fn(&Int, u32) -> Int) -> Self {
        let Finite(mantissa, current) = self else { return self.clone() };
        let scale = scale.min(MAX_DISPLAY_SCALE);
        if scale >= *current {
            return Finite(mantissa.shift10((scale - current) as u32), scale);
        }
        let drop = i64::from(*current) - i64::from(scale);
        let kept = if drop > mantissa.digit_count() + 1 {
            Int::Small(0)
        } else {
            shrink(mantissa, drop as u32)
        };
        if scale >= 0 { Finite(kept, scale) } else { Finite(kept.shift10(scale.unsigned_abs()), 0) }
    }

    /// The largest integer not above.
    pub fn floor(&self) -> Self {
        let truncated = self.trunc(0);
        if self.is_finite() && self < &truncated { truncated.sub(&Self::ONE) } else { truncated }
    }

    /// The smallest integer not below.
    pub fn ceil(&self) -> Self {
        let truncated = self.trunc(0);
        if self.is_finite() && self > &truncated { truncated.add(&Self::ONE) } else { truncated }
    }

    /// Without trailing zeros after the point.
    pub fn trim_scale(&self) -> Self {
        self.round(self.min_scale())
    }

    /// `gcd()`.
    pub fn gcd(&self, other: &Self) -> Self {
        match (self, other) {
            (Finite(a, sa), Finite(b, sb)) => {
                let scale = *sa.max(sb);
                let a = a.shift10((scale - sa) as u32);
                Finite(a.gcd(&b.shift10((scale - sb) as u32)), scale)
            }
            _ => NaN,
        }
    }

    /// `lcm()`.
    pub fn lcm(&self, other: &Self) -> Result<Self> {
        if !(self.is_finite() && other.is_finite()) {
            return Ok(NaN);
        }
        let scale = self.scale().max(other.scale());
        if self.is_zero() || other.is_zero() {
            return Ok(Self::ZERO.round(scale));
        }
        let quotient = self.div_trunc(&self.gcd(other))?;
        Ok(quotient.mul(other).abs().round(scale))
    }

    /// `factorial()` and the old `!`.
    pub fn factorial(n: i64) -> Result<Self> {
        if n < 0 {
            return Err(Error::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                "factorial of a negative number is undefined",
            ));
        }
        if n > 32177 {
            return Err(super::overflow());
        }
        let mut product = Int::Small(1);
        for factor in 2..=n {
            product = product.mul(&Int::Small(i128::from(factor)));
        }
        Ok(Finite(product, 0))
    }
}
