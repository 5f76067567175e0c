//! Roots, exponentials and logarithms with PostgreSQL's choice of result scales.

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};
use oxi_base::{Error, Result, SqlState};

use super::{Int, MAX_RESULT_SCALE, MIN_SIGNIFICANT_DIGITS, Numeric, division_by_zero, overflow};
use Numeric::{Finite, Infinity, NaN, NegInfinity};

const LOG10_E: f64 = std::f64::consts::LOG10_E;

fn power_error(message: &str) -> Error {
    Error::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

fn log_error(message: &str) -> Error {
    Error::new(SqlState::INVALID_ARGUMENT_FOR_LOGARITHM, message)
}

/// Fixed-point numbers: a big integer over `10^digits`.
struct Fixed {
    digits: u32,
    one: BigInt,
}

impl Fixed {
    fn new(digits: u32) -> Self {
        Fixed { digits, one: num_traits::pow(BigInt::from(10), digits as usize) }
    }

    fn from(&self, value: &Numeric) -> BigInt {
        match value.round(self.digits as i32) {
            Finite(mantissa, _) => mantissa.to_big(),
            _ => BigInt::zero(),
        }
    }

    fn to_numeric(&self, value: BigInt) -> Numeric {
        Finite(Int::from_big(value), self.digits as i32)
    }

    fn mul(&self, a: &BigInt, b: &BigInt) -> BigInt {
        a * b / &self.one
    }

    fn div(&self, a: &BigInt, b: &BigInt) -> BigInt {
        a * &self.one / b
    }

    /// `e^x` by halving the argument until the series is short.
    fn exp(&self, x: &BigInt) -> BigInt {
        let mut halvings = 0;
        let limit = &self.one / 100;
        let mut reduced = x.clone();
        while reduced.abs() > limit {
            reduced /= 2;
            halvings += 1;
        }
        let mut sum = self.one.clone();
        let mut term = self.one.clone();
        let mut n = 1;
        loop {
            term = self.mul(&term, &reduced) / n;
            if term.is_zero() {
                break;
            }
            sum += &term;
            n += 1;
        }
        for _ in 0..halvings {
            sum = self.mul(&sum, &sum);
        }
        sum
    }

    /// `ln x` by square roots until the argument is near 1, then the series of atanh.
    fn ln(&self, x: &BigInt) -> BigInt {
        let mut roots = 0u32;
        let near = &self.one / 100;
        let mut reduced = x.clone();
        while (&reduced - &self.one).abs() > near {
            reduced = (&reduced * &self.one).sqrt();
            roots += 1;
        }
        let z = self.div(&(&reduced - &self.one), &(&reduced + &self.one));
        let square = self.mul(&z, &z);
        let mut term = z.clone();
        let mut sum = z;
        let mut n = 3;
        loop {
            term = self.mul(&term, &square);
            let part: BigInt = &term / n;
            if part.is_zero() {
                break;
            }
            sum += part;
            n += 2;
        }
        sum << (roots + 1)
    }
}

impl Numeric {
    /// The decimal exponent of the first digit (0 for zero).
    fn decimal_weight(&self) -> i64 {
        match self {
            Finite(mantissa, scale) if !mantissa.is_zero() => {
                mantissa.digit_count() - 1 - i64::from(*scale)
            }
            _ => 0,
        }
    }

    /// `sqrt()`.
    pub fn sqrt(&self) -> Result<Self> {
        let (mantissa, scale) = match self {
            NaN => return Ok(NaN),
            Infinity => return Ok(Infinity),
            NegInfinity => return Err(power_error("cannot take square root of a negative number")),
            Finite(mantissa, scale) => (mantissa, *scale),
        };
        if mantissa.is_negative() {
            return Err(power_error("cannot take square root of a negative number"));
        }
        let (weight, _) = self.first_group();
        let sweight = (weight + 1) * 2 - 1;
        let result_scale = (i64::from(MIN_SIGNIFICANT_DIGITS) - sweight)
            .max(i64::from(scale))
            .clamp(0, i64::from(MAX_RESULT_SCALE)) as i32;
        self.sqrt_scale(result_scale)
    }

    /// The square root with so many digits after the point.
    pub fn sqrt_scale(&self, result_scale: i32) -> Result<Self> {
        let (mantissa, scale) = match self {
            Finite(mantissa, scale) if !mantissa.is_negative() => (mantissa, *scale),
            _ => return self.sqrt(),
        };
        // One digit more than asked, then round.
        let shift = 2 * (result_scale + 1) - scale;
        let scaled = if shift >= 0 {
            mantissa.shift10(shift as u32)
        } else {
            mantissa.unshift10_trunc(shift.unsigned_abs())
        };
        Ok(Finite(scaled.sqrt(), result_scale + 1).round(result_scale))
    }

    /// `exp()`.
    pub fn exp(&self) -> Result<Self> {
        match self {
            NaN => return Ok(NaN),
            Infinity => return Ok(Infinity),
            NegInfinity => return Ok(Self::ZERO),
            Finite(..) => {}
        }
        let approximate = self.to_f64().unwrap_or(f64::INFINITY);
        let limit = f64::from(MAX_RESULT_SCALE);
        let weight = (approximate * LOG10_E).clamp(-limit * 2.0, limit * 2.0);
        let scale = (i64::from(MIN_SIGNIFICANT_DIGITS) - weight as i64)
            .max(i64::from(self.scale()))
            .clamp(0, i64::from(MAX_RESULT_SCALE)) as i32;
        self.exp_scale(scale)
    }

    fn exp_scale(&self, scale: i32) -> Result<Self> {
        let approximate = self.to_f64().unwrap_or(f64::INFINITY);
        if approximate.abs() >= f64::from(MAX_RESULT_SCALE) * 6.0 {
            return if approximate > 0.0 { Err(overflow()) } else { Ok(Self::ZERO.round(scale)) };
        }
        let weight = (approximate * LOG10_E).ceil().max(0.0) as u32;
        let fixed = Fixed::new(scale as u32 + weight + 24);
        let negative = self.is_negative();
        let power = fixed.exp(&fixed.from(&self.abs()));
        let power = if negative { fixed.div(&fixed.one, &power) } else { power };
        Ok(fixed.to_numeric(power).round(scale))
    }

    /// About the decimal weight of the natural logarithm.
    fn ln_weight(&self) -> i32 {
        if self.is_negative() || self.is_zero() {
            return 0;
        }
        let near_low = Finite(Int::Small(9), 1);
        let near_high = Finite(Int::Small(11), 1);
        if *self >= near_low && *self <= near_high {
            // ln(1 + x) is about x.
            let x = self.sub(&Self::ONE);
            if x.is_zero() {
                return 0;
            }
            return x.decimal_weight() as i32;
        }
        let Finite(mantissa, scale) = self else { return 0 };
        let digits = mantissa.abs_digits();
        let head: String = digits.chars().take(17).collect();
        let leading: f64 = head.parse().unwrap_or(1.0);
        let exponent = digits.len() as f64 - head.len() as f64 - f64::from(*scale);
        let ln = leading.ln() + exponent * std::f64::consts::LN_10;
        ln.abs().log10() as i32
    }

    fn check_logarithm(&self) -> Result<Option<Self>> {
        match self {
            NaN => return Ok(Some(NaN)),
            _ if self.is_negative() => {
                return Err(log_error("cannot take logarithm of a negative number"));
            }
            _ if self.is_zero() => return Err(log_error("cannot take logarithm of zero")),
            Infinity => return Ok(Some(Infinity)),
            _ => {}
        }
        Ok(None)
    }

    /// `ln()`.
    pub fn ln(&self) -> Result<Self> {
        if let Some(special) = self.check_logarithm()? {
            return Ok(special);
        }
        let scale = (MIN_SIGNIFICANT_DIGITS - self.ln_weight())
            .max(self.scale())
            .clamp(0, MAX_RESULT_SCALE);
        Ok(self.ln_scale(scale))
    }

    fn ln_scale(&self, scale: i32) -> Self {
        // Small arguments need their own digits kept; roots of large ones lose a few.
        let weight = self.decimal_weight();
        let guard = 30 + weight.unsigned_abs() as u32;
        let fixed = Fixed::new(scale.max(self.scale()).max(0) as u32 + guard);
        let value = fixed.from(self);
        if !value.is_positive() {
            return Self::ZERO.round(scale);
        }
        fixed.to_numeric(fixed.ln(&value)).round(scale)
    }

    /// `log(base, self)`.
    pub fn log(&self, base: &Self) -> Result<Self> {
        if base.is_nan() || self.is_nan() {
            return Ok(NaN);
        }
        let special_base = base.check_logarithm()?;
        let special = self.check_logarithm()?;
        match (special_base, special) {
            (Some(_), Some(_)) => return Ok(NaN),
            (Some(_), None) => return Ok(Self::ZERO),
            (None, Some(_)) => return Ok(Infinity),
            (None, None) => {}
        }
        let (base_weight, value_weight) = (base.ln_weight(), self.ln_weight());
        let scale = (MIN_SIGNIFICANT_DIGITS - (value_weight - base_weight))
            .max(base.scale())
            .max(self.scale())
            .clamp(0, MAX_RESULT_SCALE);
        let inner = scale + value_weight.abs() + base_weight.abs() + 24;
        let denominator = base.ln_scale(inner);
        if denominator.is_zero() {
            return Err(division_by_zero());
        }
        self.ln_scale(inner).div_scale(&denominator, scale)
    }

    /// `power(self, exponent)`.
    pub fn power(&self, exponent: &Self) -> Result<Self> {
        if let Some(special) = self.power_special(exponent)? {
            return Ok(special);
        }
        let integral = exponent.trunc(0) == *exponent;
        if integral
            && let Some(n) = exponent.to_i128()
            && let Ok(n) = i32::try_from(n)
        {
            return self.power_integer(n);
        }
        if self.is_zero() {
            return Ok(Self::ZERO.round(MIN_SIGNIFICANT_DIGITS));
        }
        let odd = integral && !exponent.rem(&Self::from_i128(2))?.is_zero();
        let (base, negate) =
            if self.is_negative() { (self.abs(), odd) } else { (self.clone(), false) };
        let local = (8 - base.ln_weight()).max(0);
        let estimate = base.ln_scale(local).mul(exponent).to_f64().unwrap_or(f64::INFINITY);
        if estimate.abs() > f64::from(MAX_RESULT_SCALE) * 3.01 {
            return if estimate > 0.0 {
                Err(overflow())
            } else {
                Ok(Self::ZERO.round(MAX_RESULT_SCALE))
            };
        }
        let scale = (MIN_SIGNIFICANT_DIGITS - (estimate * LOG10_E) as i32)
            .max(base.scale())
            .max(exponent.scale())
            .clamp(0, MAX_RESULT_SCALE);
        let extra = (estimate.abs() * LOG10_E).ceil() as i32 + 24;
        let exponent_digits = exponent.decimal_weight().max(0) as i32;
        let ln = base.ln_scale(scale + extra + exponent_digits);
        let result = ln.mul(exponent).exp_scale(scale)?;
        Ok(if negate { result.neg() } else { result })
    }

    fn power_special(&self, exponent: &Self) -> Result<Option<Self>> {
        let one = |value: &Self| *value == Self::ONE;
        if self.is_nan() {
            return Ok(Some(if exponent.is_zero() { Self::ONE } else { NaN }));
        }
        if exponent.is_nan() {
            return Ok(Some(if one(self) { Self::ONE } else { NaN }));
        }
        if self.is_zero() && exponent.is_negative() {
            return Err(power_error("zero raised to a negative power is undefined"));
        }
        let integral = exponent.is_finite() && exponent.trunc(0) == *exponent;
        if self.is_negative() && exponent.is_finite() && !integral {
            return Err(power_error(
                "a negative number raised to a non-integer power yields a complex result",
            ));
        }
        if self.is_finite() && exponent.is_finite() {
            return Ok(None);
        }
        if one(self) || exponent.is_zero() {
            return Ok(Some(Self::ONE));
        }
        if !exponent.is_finite() {
            let magnitude = self.abs();
            if one(&magnitude) {
                return Ok(Some(Self::ONE));
            }
            let grows = (magnitude > Self::ONE) == (*exponent == Infinity);
            return Ok(Some(if grows { Infinity } else { Self::ZERO }));
        }
        if exponent.is_negative() {
            return Ok(Some(Self::ZERO));
        }
        let odd = !exponent.rem(&Self::from_i128(2))?.is_zero();
        Ok(Some(if *self == NegInfinity && odd { NegInfinity } else { Infinity }))
    }

    fn power_integer(&self, n: i32) -> Result<Self> {
        let Finite(mantissa, scale) = self else { return Ok(NaN) };
        if n != 0 && mantissa.is_zero() {
            let scale = MIN_SIGNIFICANT_DIGITS.max(*scale);
            return Ok(Self::ZERO.round(scale));
        }
        let digits = mantissa.abs_digits();
        let head: String = digits.chars().take(17).collect();
        let leading: f64 = head.parse().unwrap_or(1.0);
        let shift = digits.len() as f64 - head.len() as f64 - f64::from(*scale);
        let weight =
            if mantissa.is_zero() { 0.0 } else { f64::from(n) * (leading.log10() + shift) };
        if weight > 131_072.0 {
            return Err(overflow());
        }
        if weight + 1.0 < -f64::from(MAX_RESULT_SCALE) {
            return Ok(Self::ZERO.round(MAX_RESULT_SCALE));
        }
        let result_scale = MIN_SIGNIFICANT_DIGITS.max(*scale).min(MAX_RESULT_SCALE);
        let times = n.unsigned_abs();
        // Exact while it is small, else with enough digits for the rounded result.
        let exact_digits = digits.len() as u64 * u64::from(times);
        let power = if exact_digits <= 20_000 {
            Finite(
                Int::from_big(num_traits::pow(mantissa.to_big(), times as usize)),
                scale.saturating_mul(times as i32),
            )
        } else {
            self.power_rounded(times, weight.abs() as i32 + result_scale + 40)
        };
        if n >= 0 {
            return Ok(power.round(result_scale));
        }
        Self::ONE.div_scale(&power, result_scale)
    }

    /// Square and multiply, keeping about `significant` digits.
    fn power_rounded(&self, times: u32, significant: i32) -> Self {
        let keep = |value: Self| {
            let weight = value.decimal_weight() as i32;
            let scale = significant - weight;
            if scale < value.scale() { value.round_keep(scale) } else { value }
        };
        let mut result = Self::ONE;
        let mut base = self.clone();
        let mut rest = times;
        while rest > 0 {
            if rest & 1 == 1 {
                result = keep(result.mul_exact(&base));
            }
            rest >>= 1;
            if rest > 0 {
                base = keep(base.mul_exact(&base));
            }
        }
        result
    }

    fn mul_exact(&self, other: &Self) -> Self {
        match (self, other) {
            (Finite(a, sa), Finite(b, sb)) => Finite(a.mul(b), sa + sb),
            _ => self.mul(other),
        }
    }

    /// Rounds to a scale that may be negative without writing the zeros out.
    fn round_keep(&self, scale: i32) -> Self {
        match self {
            Finite(mantissa, current) if scale < *current => {
                Finite(mantissa.unshift10_round((current - scale) as u32), scale)
            }
            _ => self.clone(),
        }
    }

    /// As an `f64` for estimates: overflow becomes infinity.
    pub fn approximate(&self) -> f64 {
        match self {
            Finite(Int::Small(value), scale) => *value as f64 / 10f64.powi(*scale),
            Finite(Int::Big(value), 0) => value.to_f64().unwrap_or(f64::INFINITY),
            _ => self.to_f64().unwrap_or(f64::INFINITY),
        }
    }
}
