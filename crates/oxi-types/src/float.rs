//! Text forms of float4 and float8.

use oxi_base::{Error, Result, SqlState};

use crate::io::invalid_syntax;

fn out_of_range(text: &str, type_name: &str) -> Error {
    Error::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("\"{text}\" is out of range for type {type_name}"),
    )
}

fn special(word: &str) -> Option<f64> {
    let (negative, body) = match word.as_bytes().first()? {
        b'-' => (true, &word[1..]),
        b'+' => (false, &word[1..]),
        _ => (false, word),
    };
    if word.eq_ignore_ascii_case("nan") {
        Some(f64::NAN)
    } else if body.eq_ignore_ascii_case("infinity") || body.eq_ignore_ascii_case("inf") {
        Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY })
    } else {
        None
    }
}

fn number(word: &str) -> bool {
    let body = word.strip_prefix(['-', '+']).unwrap_or(word);
    let (digits, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    };
    let exponent_fine = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && exponent.bytes().all(|byte| byte.is_ascii_digit())
    });
    exponent_fine
        && digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1
}

/// Reads a float8.
pub fn float8_in(text: &str) -> Result<f64> {
    let word = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    if let Some(value) = special(word) {
        return Ok(value);
    }
    if !number(word) {
        return Err(invalid_syntax("double precision", text));
    }
    let value: f64 = word.parse().map_err(|_| invalid_syntax("double precision", text))?;
    if value.is_infinite() || (value == 0.0 && has_nonzero(word)) {
        return Err(out_of_range(word, "double precision"));
    }
    Ok(value)
}

/// Reads a float4.
pub fn float4_in(text: &str) -> Result<f32> {
    let word = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    if let Some(value) = special(word) {
        return Ok(value as f32);
    }
    if !number(word) {
        return Err(invalid_syntax("real", text));
    }
    let value: f32 = word.parse().map_err(|_| invalid_syntax("real", text))?;
    if value.is_infinite() || (value == 0.0 && has_nonzero(word)) {
        return Err(out_of_range(word, "real"));
    }
    Ok(value)
}

fn has_nonzero(word: &str) -> bool {
    let mantissa = word.split(['e', 'E']).next().unwrap_or("");
    mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// Writes significant digits and a decimal exponent (of the first digit) as C's `%g` would, with
/// exponents of at least two digits.
fn put_digits(negative: bool, digits: &str, exponent: i32, limit: i32, out: &mut String) {
    use std::fmt::Write;
    if negative {
        out.push('-');
    }
    if exponent < -4 || exponent >= limit {
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
    } else if exponent < 0 {
        out.push_str("0.");
        for _ in 0..(-exponent - 1) {
            out.push('0');
        }
        out.push_str(digits);
    } else {
        let integer = exponent as usize + 1;
        if digits.len() <= integer {
            out.push_str(digits);
            for _ in digits.len()..integer {
                out.push('0');
            }
        } else {
            out.push_str(&digits[..integer]);
            out.push('.');
            out.push_str(&digits[integer..]);
        }
    }
}

/// Splits Rust's `1.25e-7` into digits and exponent.
fn put_scientific(text: &str, limit: i32, out: &mut String) {
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let (mantissa, exponent) = body.split_once('e').unwrap_or((body, "0"));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let trimmed = digits.trim_end_matches('0');
    let digits = if trimmed.is_empty() { "0" } else { trimmed };
    put_digits(negative, digits, exponent.parse().unwrap_or(0), limit, out);
}

fn put_special(value: f64, out: &mut String) -> bool {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else if value == 0.0 {
        out.push_str(if value.is_sign_negative() { "-0" } else { "0" });
    } else {
        return false;
    }
    true
}

/// Writes a float8: shortest form if `extra` is positive, else 15 + `extra` digits.
pub fn float8_out(value: f64, extra: i32, out: &mut String) {
    if put_special(value, out) {
        return;
    }
    if extra > 0 {
        put_scientific(&format!("{value:e}"), 15, out);
    } else {
        let digits = (15 + extra).clamp(1, 17);
        put_scientific(&format!("{value:.*e}", digits as usize - 1), digits, out);
    }
}

/// Writes a float4: shortest form if `extra` is positive, else 6 + `extra` digits.
pub fn float4_out(value: f32, extra: i32, out: &mut String) {
    if put_special(f64::from(value), out) {
        return;
    }
    if extra > 0 {
        put_scientific(&format!("{value:e}"), 6, out);
    } else {
        let digits = (6 + extra).clamp(1, 9);
        put_scientific(&format!("{value:.*e}", digits as usize - 1), digits, out);
    }
}

/// C's `%.{digits}g`.
pub fn general(value: f64, digits: usize, out: &mut String) {
    if !put_special(value, out) {
        put_scientific(&format!("{value:.*e}", digits - 1), digits as i32, out);
    }
}

#[cfg(test)]
mod tests;
