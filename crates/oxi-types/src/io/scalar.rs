//! Text forms of the small types: boolean, integers, oid, uuid, tid, LSN, money, bit strings.

use std::fmt::Write as _;

use oxi_base::{Error, Result, SqlState};

use super::invalid_syntax;

fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}'))
}

/// Boolean input: unique prefixes of true, false, yes, no, on, off; 1 and 0.
pub fn bool_in(text: &str) -> Result<bool> {
    let word = trim(text).to_ascii_lowercase();
    let prefix = |full: &str, least: usize| word.len() >= least && full.starts_with(&word);
    if prefix("true", 1) || prefix("yes", 1) || word == "on" || word == "1" {
        Ok(true)
    } else if prefix("false", 1) || prefix("no", 1) || prefix("off", 2) || word == "0" {
        Ok(false)
    } else {
        Err(invalid_syntax("boolean", text))
    }
}

/// Integer input.
pub fn int_in<T: TryFrom<i128>>(text: &str, type_name: &str) -> Result<T> {
    let body = trim(text);
    let digits = body.strip_prefix(['-', '+']).unwrap_or(body);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid_syntax(type_name, text));
    }
    body.parse::<i128>().ok().and_then(|value| T::try_from(value).ok()).ok_or_else(|| {
        Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{text}\" is out of range for type {type_name}"),
        )
    })
}

/// Input of oid and its kin: 32 bits, negative numbers wrap.
pub(super) fn oid_in(text: &str, type_name: &str) -> Result<u32> {
    let value: i64 = int_in::<i64>(text, type_name)?;
    u32::try_from(value)
        .ok()
        .or_else(|| i32::try_from(value).ok().map(i32::cast_unsigned))
        .ok_or_else(|| {
            Error::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("value \"{text}\" is out of range for type {type_name}"),
            )
        })
}

/// A name is cut at 63 bytes.
pub(super) fn truncate_name(text: &str) -> &str {
    let mut end = text.len().min(63);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `"char"` keeps the first byte.
pub(super) fn char_in(text: &str) -> &str {
    text.chars().next().map_or("", |first| &text[..first.len_utf8()])
}

/// Input of uuid.
pub fn uuid_in(text: &str) -> Result<[u8; 16]> {
    let error = || invalid_syntax("uuid", text);
    let body = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').ok_or_else(error)?,
        None => text,
    };
    let mut bytes = [0u8; 16];
    let mut source = body.bytes().peekable();
    for (index, byte) in bytes.iter_mut().enumerate() {
        let mut pair = 0u8;
        for _ in 0..2 {
            let digit = source.next().and_then(|c| char::from(c).to_digit(16)).ok_or_else(error)?;
            pair = pair << 4 | digit as u8;
        }
        *byte = pair;
        if index % 2 == 1 && index < 15 {
            source.next_if_eq(&b'-');
        }
    }
    if source.next().is_some() { Err(error()) } else { Ok(bytes) }
}

/// Output of uuid.
pub fn uuid_out(bytes: &[u8; 16]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// Input of tid: `(block,offset)`.
pub(super) fn tid_in(text: &str) -> Result<i64> {
    let parse = || -> Option<i64> {
        let (block, offset) = text.trim().strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
        let offset: u16 = offset.trim().parse().ok()?;
        let block: i64 = block.trim().parse().ok()?;
        (0..1 << 47).contains(&block).then_some(block << 16 | i64::from(offset))
    };
    parse().ok_or_else(|| invalid_syntax("tid", text))
}

/// Input of `pg_lsn`.
pub(super) fn lsn_in(text: &str) -> Result<i64> {
    let parse = || -> Option<i64> {
        let (high, low) = text.split_once('/')?;
        let high = u32::from_str_radix(high, 16).ok()?;
        let low = u32::from_str_radix(low, 16).ok()?;
        Some((u64::from(high) << 32 | u64::from(low)).cast_signed())
    };
    parse().ok_or_else(|| invalid_syntax("pg_lsn", text))
}

/// Input of money: two digits after the point.
pub(super) fn money_in(text: &str) -> Result<i64> {
    let body = trim(text);
    let negative = body.contains('-') || (body.starts_with('(') && body.ends_with(')'));
    let digits: String =
        body.chars().filter(|c| !matches!(c, '$' | ',' | '-' | '+' | '(' | ')' | ' ')).collect();
    let value = crate::Numeric::parse(&digits).map_err(|_| invalid_syntax("money", text))?;
    let cents = value.mul(&crate::Numeric::from_i128(100)).to_i128();
    cents
        .map(|cents| if negative { -cents } else { cents })
        .and_then(|cents| i64::try_from(cents).ok())
        .ok_or_else(|| {
            Error::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("value \"{text}\" is out of range for type money"),
            )
        })
}

/// Output of money.
pub(super) fn money_out(value: i64) -> String {
    let cents = value.unsigned_abs();
    let units = (cents / 100).to_string();
    let mut grouped = String::new();
    for (index, digit) in units.chars().enumerate() {
        if index > 0 && (units.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{}${grouped}.{:02}", if value < 0 { "-" } else { "" }, cents % 100)
}

/// Input of bit strings: `b` or `x` prefix, or binary digits.
pub(super) fn bit_in(text: &str) -> Result<String> {
    let bad = |digit: char, base: &str| {
        Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("\"{digit}\" is not a valid {base} digit"),
        )
    };
    if let Some(hex) = text.strip_prefix(['x', 'X']) {
        let mut out = String::new();
        for digit in hex.chars() {
            let value = digit.to_digit(16).ok_or_else(|| bad(digit, "hexadecimal"))?;
            let _ = write!(out, "{value:04b}");
        }
        return Ok(out);
    }
    let body = text.strip_prefix(['b', 'B']).unwrap_or(text);
    match body.chars().find(|c| !matches!(c, '0' | '1')) {
        Some(digit) => Err(bad(digit, "binary")),
        None => Ok(body.to_owned()),
    }
}
