//! Text input of numerics.

use oxi_base::{Error, Result, SqlState};

use super::{Int, MAX_DISPLAY_SCALE, MAX_INTEGER_DIGITS, Numeric, overflow};

fn invalid(text: &str) -> Error {
    Error::new(
        SqlState::INVALID_TEXT_REPRESENTATION,
        format!("invalid input syntax for type numeric: \"{text}\""),
    )
}

impl Numeric {
    /// Reads PostgreSQL's input syntax: digits with point and exponent, `NaN`, `Infinity`.
    pub fn parse(text: &str) -> Result<Numeric> {
        let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
        let (negative, body) = match trimmed.as_bytes().first() {
            Some(b'-') => (true, &trimmed[1..]),
            Some(b'+') => (false, &trimmed[1..]),
            _ => (false, trimmed),
        };
        match body.as_bytes().first() {
            Some(first) if first.is_ascii_digit() || *first == b'.' => {}
            _ => return Self::parse_special(text, trimmed, negative, body),
        }
        let (digits, exponent) = match body.find(['e', 'E']) {
            Some(at) => (&body[..at], Some(&body[at + 1..])),
            None => (body, None),
        };
        let exponent = match exponent {
            None => 0,
            Some(written) => parse_exponent(written).ok_or_else(|| invalid(text))?,
        };
        if exponent.abs() >= i64::from(i32::MAX / 2) {
            return Err(overflow());
        }
        let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !(all_digits(integer) && all_digits(fraction)) || integer.len() + fraction.len() == 0 {
            return Err(invalid(text));
        }
        let joined = format!("{integer}{fraction}");
        let significant = joined.trim_start_matches('0');
        let mut scale = fraction.len() as i64 - exponent;
        if !significant.is_empty() && significant.len() as i64 - scale > MAX_INTEGER_DIGITS {
            return Err(overflow());
        }
        let mut mantissa = if significant.is_empty() {
            Int::Small(0)
        } else {
            Int::from_digits(significant).ok_or_else(|| invalid(text))?
        };
        if scale < 0 {
            mantissa = mantissa.shift10(scale.unsigned_abs() as u32);
            scale = 0;
        }
        if scale > i64::from(MAX_DISPLAY_SCALE) {
            let excess = scale - i64::from(MAX_DISPLAY_SCALE);
            mantissa = if excess > mantissa.digit_count() + 1 {
                Int::Small(0)
            } else {
                mantissa.unshift10_round(excess as u32)
            };
            scale = i64::from(MAX_DISPLAY_SCALE);
        }
        Ok(Numeric::Finite(if negative { mantissa.neg() } else { mantissa }, scale as i32))
    }

    fn parse_special(text: &str, trimmed: &str, negative: bool, body: &str) -> Result<Numeric> {
        if trimmed.eq_ignore_ascii_case("nan") {
            return Ok(Numeric::NaN);
        }
        if body.eq_ignore_ascii_case("infinity") || body.eq_ignore_ascii_case("inf") {
            return Ok(if negative { Numeric::NegInfinity } else { Numeric::Infinity });
        }
        Err(invalid(text))
    }
}

fn parse_exponent(written: &str) -> Option<i64> {
    let (negative, digits) = match written.as_bytes().first()? {
        b'-' => (true, &written[1..]),
        b'+' => (false, &written[1..]),
        _ => (false, written),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = digits.trim_start_matches('0');
    let value = if value.is_empty() { 0 } else { value.parse::<i64>().unwrap_or(i64::MAX / 4) };
    Some(if negative { -value } else { value })
}
