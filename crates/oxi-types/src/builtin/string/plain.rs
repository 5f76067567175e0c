//! Functions on text.

use oxi_base::{Error, Result, SqlState};
use unicode_normalization::UnicodeNormalization;

use crate::{
    builtin::args::scalar,
    io,
    text::{self, Side},
};

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

scalar! {
    fn textlen(a: &str) -> i32 { a.chars().count() as i32 }
    fn bpcharlen(a: &str) -> i32 { a.trim_end_matches(' ').chars().count() as i32 }
    fn textoctetlen(a: &str) -> i32 { a.len() as i32 }
    fn bpcharoctetlen(a: &str) -> i32 { a.len() as i32 }
    fn lower(a: &str) -> String { text::lower(a) }
    fn upper(a: &str) -> String { text::upper(a) }
    fn initcap(a: &str) -> String { text::initcap(a) }
    fn textcat(a: &str, b: &str) -> String { format!("{a}{b}") }
    fn text_substr(a: &str, start: i32, length: i32) -> String {
        text::substring(a, start, Some(length))?.to_owned()
    }
    fn text_substr_no_len(a: &str, start: i32) -> String {
        text::substring(a, start, None)?.to_owned()
    }
    fn textpos(a: &str, b: &str) -> i32 { text::position(a, b) }
    fn btrim(a: &str, set: &str) -> String { text::trim(a, set, Side::Both).to_owned() }
    fn btrim1(a: &str) -> String { text::trim(a, " ", Side::Both).to_owned() }
    fn ltrim(a: &str, set: &str) -> String { text::trim(a, set, Side::Left).to_owned() }
    fn ltrim1(a: &str) -> String { text::trim(a, " ", Side::Left).to_owned() }
    fn rtrim(a: &str, set: &str) -> String { text::trim(a, set, Side::Right).to_owned() }
    fn rtrim1(a: &str) -> String { text::trim(a, " ", Side::Right).to_owned() }
    fn lpad(a: &str, length: i32, fill: &str) -> String { text::pad(a, length, fill, true)? }
    fn rpad(a: &str, length: i32, fill: &str) -> String { text::pad(a, length, fill, false)? }
    fn sql_lpad(a: &str, length: i32) -> String { text::pad(a, length, " ", true)? }
    fn sql_rpad(a: &str, length: i32) -> String { text::pad(a, length, " ", false)? }
    fn text_left(a: &str, count: i32) -> String { left(a, count).to_owned() }
    fn text_right(a: &str, count: i32) -> String { right(a, count).to_owned() }
    fn text_reverse(a: &str) -> String { a.chars().rev().collect() }
    fn repeat(a: &str, count: i32) -> String {
        let count = count.max(0) as usize;
        text::check_length(a.len().saturating_mul(count))?;
        a.repeat(count)
    }
    fn replace_text(a: &str, from: &str, to: &str) -> String {
        if from.is_empty() { a.to_owned() } else { a.replace(from, to) }
    }
    fn translate(a: &str, from: &str, to: &str) -> String { text::translate(a, from, to) }
    fn split_part(a: &str, delimiter: &str, field: i32) -> String {
        text::split_part(a, delimiter, field)?.to_owned()
    }
    fn text_starts_with(a: &str, prefix: &str) -> bool { a.starts_with(prefix) }
    fn ascii(a: &str) -> i32 { a.chars().next().map_or(0, |c| c as i32) }
    fn chr(code: i32) -> String { character(code)?.to_string() }
    fn textoverlay(a: &str, b: &str, start: i32, length: i32) -> String {
        overlay(a, b, start, length)?
    }
    fn textoverlay_no_len(a: &str, b: &str, start: i32) -> String {
        overlay(a, b, start, b.chars().count() as i32)?
    }
    fn quote_ident(a: &str) -> String { io::quote_ident(a) }
    fn quote_literal(a: &str) -> String { text::quote_literal(a) }
    fn quote_nullable(a: Option<&str>) -> String {
        a.map_or_else(|| "NULL".to_owned(), text::quote_literal)
    }
    fn unicode_normalize_func(a: &str, form: &str) -> String { normalize(a, form)? }
    fn unicode_is_normalized(a: &str, form: &str) -> bool { normalize(a, form)? == a }
    fn unistr(a: &str) -> String { unescape_unicode(a)? }
    fn sql_bit_length(a: &oxi_model::Datum) -> i32 {
        let bytes = match a {
            oxi_model::Datum::Text(text) => text.len(),
            oxi_model::Datum::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        bytes as i32 * 8
    }
    fn text_to_array(a: Option<&str>, delimiter: Option<&str>) -> Option<oxi_model::Datum> {
        a.map(|a| split(a, delimiter, None))
    }
    fn text_to_array_null(a: Option<&str>, delimiter: Option<&str>, null: Option<&str>) -> Option<oxi_model::Datum> {
        a.map(|a| split(a, delimiter, null))
    }
    fn text_to_table(a: Option<&str>, delimiter: Option<&str>) -> Option<oxi_model::Datum> {
        a.map(|a| split(a, delimiter, None))
    }
    fn text_to_table_null(a: Option<&str>, delimiter: Option<&str>, null: Option<&str>) -> Option<oxi_model::Datum> {
        a.map(|a| split(a, delimiter, null))
    }
    fn parse_ident(a: &str, strict: bool) -> Vec<String> { identifier_parts(a, strict)? }
    fn nameconcatoid(a: &str, b: u32) -> String { format!("{a}_{b}") }
}

fn split(text: &str, delimiter: Option<&str>, null: Option<&str>) -> oxi_model::Datum {
    let piece = |part: &str| {
        if Some(part) == null { oxi_model::Datum::Null } else { oxi_model::Datum::text(part) }
    };
    let parts = match delimiter {
        _ if text.is_empty() => Vec::new(),
        None => text.chars().map(|c| piece(c.encode_utf8(&mut [0; 4]))).collect(),
        Some("") => vec![piece(text)],
        Some(delimiter) => text.split(delimiter).map(piece).collect(),
    };
    crate::builtin::args::list(parts)
}

fn left(text: &str, count: i32) -> &str {
    let count =
        if count >= 0 { i64::from(count) } else { text.chars().count() as i64 + i64::from(count) };
    &text[..text::offset_of(text, count.max(0) as usize)]
}

fn right(text: &str, count: i32) -> &str {
    let skip =
        if count >= 0 { text.chars().count() as i64 - i64::from(count) } else { -i64::from(count) };
    &text[text::offset_of(text, skip.max(0) as usize)..]
}

fn character(code: i32) -> Result<char> {
    if code < 0 {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "character number must be positive",
        ));
    }
    if code == 0 {
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "null character not permitted"));
    }
    if code > 0x0010_ffff {
        return Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("requested character too large for encoding: {code}"),
        ));
    }
    char::from_u32(code.cast_unsigned()).ok_or_else(|| {
        Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("requested character not valid for encoding: {code}"),
        )
    })
}

fn overlay(text: &str, new: &str, start: i32, length: i32) -> Result<String> {
    if start <= 0 {
        return Err(Error::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start
        .checked_add(length)
        .ok_or_else(|| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
    let before = text::substring(text, 1, Some(start - 1))?;
    let rest = text::substring(text, after, None)?;
    Ok(format!("{before}{new}{rest}"))
}

fn normalize(text: &str, form: &str) -> Result<String> {
    Ok(match form.to_ascii_uppercase().as_str() {
        "NFC" => text.nfc().collect(),
        "NFD" => text.nfd().collect(),
        "NFKC" => text.nfkc().collect(),
        "NFKD" => text.nfkd().collect(),
        _ => return Err(invalid(format!("invalid normalization form: {form}"))),
    })
}

/// `\XXXX`, `\+XXXXXX`, `\uXXXX`, `\UXXXXXXXX` and `\\`, with surrogate pairs.
fn unescape_unicode(text: &str) -> Result<String> {
    let broken = || {
        Error::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape")
            .with_hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
    };
    let mut out = String::with_capacity(text.len());
    let mut high: Option<u32> = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            if high.is_some() {
                return Err(Error::new(SqlState::SYNTAX_ERROR, "invalid Unicode surrogate pair"));
            }
            out.push(c);
            continue;
        }
        let (skip, digits) = match rest.chars().next() {
            Some('\\') => {
                out.push('\\');
                rest = &rest[1..];
                continue;
            }
            Some('+') => (1, 6),
            Some('u') => (1, 4),
            Some('U') => (1, 8),
            _ => (0, 4),
        };
        let hex = rest.get(skip..skip + digits).ok_or_else(broken)?;
        let code = u32::from_str_radix(hex, 16).map_err(|_| broken())?;
        rest = &rest[skip + digits..];
        match (high.take(), code) {
            (None, 0xd800..=0xdbff) => high = Some(code),
            (Some(high), 0xdc00..=0xdfff) => {
                let joined = 0x10000 + ((high & 0x3ff) << 10) + (code & 0x3ff);
                out.push(char::from_u32(joined).ok_or_else(broken)?);
            }
            (None, code) if !(0xdc00..=0xdfff).contains(&code) => {
                out.push(char::from_u32(code).filter(|c| *c != '\0').ok_or_else(|| {
                    Error::new(SqlState::SYNTAX_ERROR, "invalid Unicode code point")
                })?);
            }
            _ => {
                return Err(Error::new(SqlState::SYNTAX_ERROR, "invalid Unicode surrogate pair"));
            }
        }
    }
    if high.is_some() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "invalid Unicode surrogate pair"));
    }
    Ok(out)
}

fn identifier_parts(text: &str, strict: bool) -> Result<Vec<String>> {
    let error = |detail: &str| {
        let error = invalid(format!("string is not a valid identifier: \"{text}\""));
        if detail.is_empty() { error } else { error.with_detail(detail) }
    };
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut tail = quoted;
            loop {
                let at =
                    tail.find('"').ok_or_else(|| error("String has unclosed double quotes."))?;
                part.push_str(&tail[..at]);
                tail = &tail[at + 1..];
                match tail.strip_prefix('"') {
                    Some(after) => {
                        part.push('"');
                        tail = after;
                    }
                    None => break,
                }
            }
            if part.is_empty() {
                return Err(error("Quoted identifier must not be empty."));
            }
            parts.push(part);
            rest = tail;
        } else {
            let start = |c: char| c == '_' || c.is_alphabetic();
            let inner = |c: char| c == '_' || c == '$' || c.is_alphanumeric();
            if !rest.starts_with(start) {
                return Err(match (rest.starts_with('.'), parts.is_empty()) {
                    (true, _) => error("No valid identifier before \".\"."),
                    (false, false) => error("No valid identifier after \".\"."),
                    _ => error(""),
                });
            }
            let end = rest.find(|c: char| !inner(c)).unwrap_or(rest.len());
            parts.push(text::lower(&rest[..end]));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(tail) => rest = tail.trim_start(),
            None if rest.is_empty() || !strict => return Ok(parts),
            None => return Err(error("")),
        }
    }
}
