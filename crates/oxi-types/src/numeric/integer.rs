//! Integers of any size with a fast path: `i128` until it overflows, a big integer beyond.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_traits::{Signed, ToPrimitive, Zero};

/// An integer. `Big` holds only what `Small` cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Int {
    /// Fits 128 bits.
    Small(i128),
    /// Does not.
    Big(BigInt),
}

use Int::{Big, Small};

const POWERS: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut index = 1;
    while index < 39 {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// `10^exponent`.
pub(crate) fn power_of_ten(exponent: u32) -> Int {
    match POWERS.get(exponent as usize) {
        Some(power) => Small(*power),
        None => Big(num_traits::pow(BigInt::from(10), exponent as usize)),
    }
}

impl Int {
    /// From a big integer, made small if it fits.
    pub fn from_big(value: BigInt) -> Self {
        match value.to_i128() {
            Some(small) => Small(small),
            None => Big(value),
        }
    }

    /// As a big integer.
    pub fn to_big(&self) -> BigInt {
        match self {
            Small(value) => BigInt::from(*value),
            Big(value) => value.clone(),
        }
    }

    /// Whether this is zero.
    pub fn is_zero(&self) -> bool {
        matches!(self, Small(0))
    }

    /// Whether this is below zero.
    pub fn is_negative(&self) -> bool {
        match self {
            Small(value) => *value < 0,
            Big(value) => value.is_negative(),
        }
    }

    /// The sum.
    pub fn add(&self, other: &Self) -> Self {
        if let (Small(a), Small(b)) = (self, other)
            && let Some(sum) = a.checked_add(*b)
        {
            return Small(sum);
        }
        Self::from_big(self.to_big() + other.to_big())
    }

    /// The negated value.
    pub fn neg(&self) -> Self {
        match self {
            Small(value) => match value.checked_neg() {
                Some(value) => Small(value),
                None => Big(-BigInt::from(*value)),
            },
            Big(value) => Self::from_big(-value.clone()),
        }
    }

    /// The absolute value.
    pub fn abs(&self) -> Self {
        if self.is_negative() { self.neg() } else { self.clone() }
    }

    /// The product.
    pub fn mul(&self, other: &Self) -> Self {
        if let (Small(a), Small(b)) = (self, other)
            && let Some(product) = a.checked_mul(*b)
        {
            return Small(product);
        }
        Self::from_big(self.to_big() * other.to_big())
    }

    /// Times `10^exponent`.
    pub fn shift10(&self, exponent: u32) -> Self {
        if exponent == 0 || self.is_zero() {
            self.clone()
        } else {
            self.mul(&power_of_ten(exponent))
        }
    }

    /// Quotient and remainder, truncating. The divisor is not zero.
    pub fn div_rem(&self, other: &Self) -> (Self, Self) {
        if let (Small(a), Small(b)) = (self, other)
            && let (Some(q), Some(r)) = (a.checked_div(*b), a.checked_rem(*b))
        {
            return (Small(q), Small(r));
        }
        let divisor = other.to_big();
        if divisor.is_zero() {
            return (Small(0), Small(0));
        }
        let (q, r) = self.to_big().div_rem(&divisor);
        (Self::from_big(q), Self::from_big(r))
    }

    /// The quotient rounded half away from zero. The divisor is not zero.
    pub fn div_round(&self, other: &Self) -> Self {
        let (quotient, remainder) = self.div_rem(other);
        let doubled = remainder.abs().mul(&Small(2));
        if doubled.cmp(&other.abs()) == Ordering::Less {
            return quotient;
        }
        let step = if self.is_negative() == other.is_negative() { 1 } else { -1 };
        quotient.add(&Small(step))
    }

    /// Divided by `10^exponent`, rounded half away from zero.
    pub fn unshift10_round(&self, exponent: u32) -> Self {
        self.div_round(&power_of_ten(exponent))
    }

    /// Divided by `10^exponent`, truncated.
    pub fn unshift10_trunc(&self, exponent: u32) -> Self {
        self.div_rem(&power_of_ten(exponent)).0
    }

    /// The decimal digits of the absolute value.
    pub fn abs_digits(&self) -> String {
        match self {
            Small(value) => value.unsigned_abs().to_string(),
            Big(value) => value.magnitude().to_string(),
        }
    }

    /// How many decimal digits the absolute value has (1 for zero).
    pub fn digit_count(&self) -> i64 {
        match self {
            Small(0) => 1,
            Small(value) => i64::from(value.unsigned_abs().ilog10()) + 1,
            Big(value) => value.magnitude().to_string().len() as i64,
        }
    }

    /// How many zeros end the decimal digits (0 for zero).
    pub fn trailing_zeros(&self) -> i64 {
        match self {
            Small(0) => 0,
            Small(value) => {
                let mut value = *value;
                let mut count = 0;
                while value % 10 == 0 {
                    value /= 10;
                    count += 1;
                }
                count
            }
            Big(_) => {
                let digits = self.abs_digits();
                (digits.len() - digits.trim_end_matches('0').len()) as i64
            }
        }
    }

    /// From decimal digits without sign.
    pub fn from_digits(digits: &str) -> Option<Self> {
        if digits.len() <= 38 {
            return digits.parse().ok().map(Small);
        }
        BigInt::parse_bytes(digits.as_bytes(), 10).map(Self::from_big)
    }

    /// The greatest common divisor.
    pub fn gcd(&self, other: &Self) -> Self {
        Self::from_big(self.to_big().gcd(&other.to_big()))
    }

    /// The integer square root of a value that is not negative.
    pub fn sqrt(&self) -> Self {
        let big = self.to_big();
        if big.sign() == Sign::Minus { Small(0) } else { Self::from_big(big.sqrt()) }
    }
}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Int {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Small(a), Small(b)) => a.cmp(b),
            _ => self.to_big().cmp(&other.to_big()),
        }
    }
}
