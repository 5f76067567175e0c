//! Text forms of bytea.

use std::fmt::Write as _;

use oxi_base::{Error, Result, SqlState};

use crate::context::ByteaOutput;

/// Reads the hex or the escape form.
pub fn bytea_in(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(hex) => decode_hex(hex),
        None => decode_escape(text.as_bytes()).ok_or_else(|| {
            Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea")
        }),
    }
}

/// Hex digits, white space between pairs allowed.
pub fn decode_hex(hex: &str) -> Result<Vec<u8>> {
    let invalid = |message: String| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    let mut out = Vec::with_capacity(hex.len() / 2);
    let mut chars = hex.chars();
    while let Some(first) = chars.next() {
        if matches!(first, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let Some(high) = first.to_digit(16) else {
            return invalid(format!("invalid hexadecimal digit: \"{first}\""));
        };
        let Some(second) = chars.next() else {
            return invalid("invalid hexadecimal data: odd number of digits".to_owned());
        };
        let Some(low) = second.to_digit(16) else {
            return invalid(format!("invalid hexadecimal digit: \"{second}\""));
        };
        out.push((high << 4 | low) as u8);
    }
    Ok(out)
}

/// `\\` and `\ooo` escapes.
pub fn decode_escape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'\\' {
            out.push(first);
            rest = tail;
            continue;
        }
        match tail {
            [b'\\', after @ ..] => {
                out.push(b'\\');
                rest = after;
            }
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => return None,
        }
    }
    Some(out)
}

/// Writes the form the setting asks for.
pub fn bytea_out(bytes: &[u8], style: ByteaOutput, out: &mut String) {
    match style {
        ByteaOutput::Hex => {
            out.push_str("\\x");
            encode_hex(bytes, out);
        }
        ByteaOutput::Escape => encode_escape(bytes, false, out),
    }
}

/// Lower-case hex digits.
pub fn encode_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Octal escapes for bytes that do not print (`high_only`: for zero and high bytes only, as
/// `encode(…, 'escape')` does).
pub fn encode_escape(bytes: &[u8], high_only: bool, out: &mut String) {
    for &byte in bytes {
        let escape =
            if high_only { byte == 0 || byte >= 0x80 } else { !(0x20..=0x7e).contains(&byte) };
        if byte == b'\\' {
            out.push_str("\\\\");
        } else if escape {
            let _ = write!(out, "\\{byte:03o}");
        } else {
            out.push(char::from(byte));
        }
    }
}
