//! The stored form (memcomparable) and PostgreSQL's wire form of numerics.
//!
//! Stored: a class byte (`-Infinity` < negatives < zero < positives < `Infinity` < `NaN`), for
//! numbers a biased exponent to base 100 (3 bytes), the digits to base 100 each plus one, and a
//! zero byte; negatives have these complemented. The display scale follows in the last two bytes.

use std::fmt::Write as _;

use oxi_base::{Error, Result, SqlState};

use super::{Int, MAX_DISPLAY_SCALE, Numeric};

const CLASS_NEG_INFINITY: u8 = 0x10;
const CLASS_NEGATIVE: u8 = 0x20;
const CLASS_ZERO: u8 = 0x30;
const CLASS_POSITIVE: u8 = 0x40;
const CLASS_INFINITY: u8 = 0x50;
const CLASS_NAN: u8 = 0x60;
const BIAS: i64 = 1 << 23;

/// The stored bytes of a value.
pub fn encode(value: &Numeric) -> Vec<u8> {
    let (mantissa, scale) = match value {
        Numeric::NegInfinity => return vec![CLASS_NEG_INFINITY, 0, 0],
        Numeric::Infinity => return vec![CLASS_INFINITY, 0, 0],
        Numeric::NaN => return vec![CLASS_NAN, 0, 0],
        Numeric::Finite(mantissa, scale) => (mantissa, *scale),
    };
    let display = (scale.clamp(0, MAX_DISPLAY_SCALE) as u16).to_be_bytes();
    if mantissa.is_zero() {
        return vec![CLASS_ZERO, display[0], display[1]];
    }
    let digits = mantissa.abs_digits();
    // The value is 0.DDDD… × 10^exponent; base 100 wants an even exponent.
    let exponent = digits.len() as i64 - i64::from(scale);
    let significant = digits.trim_end_matches('0').as_bytes();
    let odd = exponent.rem_euclid(2) == 1;
    let hundreds = i64::midpoint(exponent, i64::from(odd));
    let negative = mantissa.is_negative();
    let mut out = Vec::with_capacity(8 + significant.len() / 2);
    out.push(if negative { CLASS_NEGATIVE } else { CLASS_POSITIVE });
    let body = out.len();
    out.extend_from_slice(&((hundreds + BIAS) as u32).to_be_bytes()[1..]);
    let mut rest = significant;
    if odd && let Some((first, tail)) = rest.split_first() {
        out.push(first - b'0' + 1);
        rest = tail;
    }
    for pair in rest.chunks(2) {
        let ones = pair.get(1).map_or(0, |digit| digit - b'0');
        out.push((pair[0] - b'0') * 10 + ones + 1);
    }
    out.push(0);
    if negative {
        for byte in &mut out[body..] {
            *byte = !*byte;
        }
    }
    out.extend_from_slice(&display);
    out
}

/// The value of stored bytes.
pub fn decode(bytes: &[u8]) -> Option<Numeric> {
    let (scale, body) = {
        let at = bytes.len().checked_sub(2)?;
        (i32::from(u16::from_be_bytes([bytes[at], bytes[at + 1]])), &bytes[..at])
    };
    let (class, body) = body.split_first()?;
    let flip = match *class {
        CLASS_NEG_INFINITY => return Some(Numeric::NegInfinity),
        CLASS_INFINITY => return Some(Numeric::Infinity),
        CLASS_NAN => return Some(Numeric::NaN),
        CLASS_ZERO => return Some(Numeric::Finite(Int::Small(0), scale)),
        CLASS_NEGATIVE => 0xff,
        CLASS_POSITIVE => 0,
        _ => return None,
    };
    let (head, digits) = body.split_first_chunk::<3>()?;
    let hundreds =
        i64::from(u32::from_be_bytes([0, head[0] ^ flip, head[1] ^ flip, head[2] ^ flip])) - BIAS;
    let (_, digits) = digits.split_last()?;
    // mantissa × 10^-scale with mantissa = digits as base 100, times 100^(hundreds - count).
    let shift = (hundreds - digits.len() as i64) * 2 + i64::from(scale);
    let mut mantissa = if digits.len() <= 18 {
        let mut value = 0i128;
        for byte in digits {
            value = value * 100 + i128::from((byte ^ flip).checked_sub(1)?);
        }
        Int::Small(value)
    } else {
        let mut text = String::with_capacity(digits.len() * 2);
        for byte in digits {
            let pair = (byte ^ flip).checked_sub(1).filter(|pair| *pair < 100)?;
            text.push(char::from(b'0' + pair / 10));
            text.push(char::from(b'0' + pair % 10));
        }
        Int::from_digits(text.trim_start_matches('0'))?
    };
    mantissa = if shift >= 0 {
        mantissa.shift10(u32::try_from(shift).ok()?)
    } else {
        mantissa.unshift10_trunc(u32::try_from(-shift).ok()?)
    };
    Some(Numeric::Finite(if flip == 0 { mantissa } else { mantissa.neg() }, scale))
}

/// The part of stored bytes that compares as SQL does.
pub fn key(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().saturating_sub(2)]
}

/// The display scale of stored bytes.
pub fn display_scale(bytes: &[u8]) -> u16 {
    match bytes.last_chunk::<2>() {
        Some(tail) => u16::from_be_bytes(*tail),
        None => 0,
    }
}

const WIRE_NEGATIVE: u16 = 0x4000;
const WIRE_NAN: u16 = 0xc000;
const WIRE_INFINITY: u16 = 0xd000;
const WIRE_NEG_INFINITY: u16 = 0xf000;

/// Appends PostgreSQL's wire form.
pub fn binary_out(value: &Numeric, out: &mut Vec<u8>) {
    let special = |sign: u16, out: &mut Vec<u8>| {
        out.extend_from_slice(&[0, 0, 0, 0]);
        out.extend_from_slice(&sign.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
    };
    let (mantissa, scale) = match value {
        Numeric::NaN => return special(WIRE_NAN, out),
        Numeric::Infinity => return special(WIRE_INFINITY, out),
        Numeric::NegInfinity => return special(WIRE_NEG_INFINITY, out),
        Numeric::Finite(mantissa, scale) => (mantissa, *scale),
    };
    let mut digits = mantissa.abs_digits();
    if mantissa.is_zero() {
        digits.clear();
    }
    // Align the point to groups of four digits.
    let integer_digits = digits.len() as i64 - i64::from(scale);
    let lead = (-integer_digits).rem_euclid(4) as usize;
    let mut text = "0".repeat(lead);
    text.push_str(&digits);
    while !text.len().is_multiple_of(4) {
        text.push('0');
    }
    let mut weight = (integer_digits + lead as i64) / 4 - 1;
    let mut groups: Vec<u16> = text
        .as_bytes()
        .chunks(4)
        .map(|group| group.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
        .collect();
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let zeros = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..zeros);
    weight -= zeros as i64;
    if groups.is_empty() {
        weight = 0;
    }
    out.extend_from_slice(&(groups.len() as u16).to_be_bytes());
    out.extend_from_slice(&(weight as i16).to_be_bytes());
    let sign = if mantissa.is_negative() { WIRE_NEGATIVE } else { 0 };
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&(scale as u16).to_be_bytes());
    for group in groups {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

/// Reads PostgreSQL's wire form.
pub fn binary_in(bytes: &[u8]) -> Result<Numeric> {
    let invalid = |what: &str| {
        Error::new(
            SqlState::INVALID_BINARY_REPRESENTATION,
            format!("invalid {what} in external \"numeric\" value"),
        )
    };
    let words: Vec<u16> =
        bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let &[count, weight, sign, scale, ref groups @ ..] = words.as_slice() else {
        return Err(invalid("length"));
    };
    match sign {
        WIRE_NAN => return Ok(Numeric::NaN),
        WIRE_INFINITY => return Ok(Numeric::Infinity),
        WIRE_NEG_INFINITY => return Ok(Numeric::NegInfinity),
        0 | WIRE_NEGATIVE => {}
        _ => return Err(invalid("sign")),
    }
    if i32::from(scale) > MAX_DISPLAY_SCALE {
        return Err(invalid("scale"));
    }
    if usize::from(count) != groups.len() || !bytes.len().is_multiple_of(2) {
        return Err(invalid("length"));
    }
    let mut text = String::with_capacity(groups.len() * 4 + 1);
    for group in groups {
        if *group > 9999 {
            return Err(invalid("digit"));
        }
        let _ = write!(text, "{group:04}");
    }
    let text = text.trim_start_matches('0');
    let mantissa = if text.is_empty() {
        Int::Small(0)
    } else {
        Int::from_digits(text).ok_or_else(|| invalid("digit"))?
    };
    let exponent = (i64::from(weight.cast_signed()) + 1 - groups.len() as i64) * 4;
    let shift = exponent + i64::from(scale);
    let mantissa = if shift >= 0 {
        mantissa.shift10(shift as u32)
    } else {
        mantissa.unshift10_trunc(shift.unsigned_abs() as u32)
    };
    let mantissa = if sign == WIRE_NEGATIVE { mantissa.neg() } else { mantissa };
    Ok(Numeric::Finite(mantissa, i32::from(scale)))
}
