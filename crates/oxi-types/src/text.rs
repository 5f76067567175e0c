//! String algorithms that functions share: slicing by characters, trimming, padding, encodings.

use oxi_base::{Error, Result, SqlState};

/// The longest prefix of whole characters within a number of bytes.
pub fn truncate_bytes(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The byte offset of a character; the text's length beyond the end.
pub fn offset_of(text: &str, characters: usize) -> usize {
    if text.is_ascii() {
        return characters.min(text.len());
    }
    text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
}

/// SQL's `substring(text from start for length)`, 1-based; `None` takes the rest.
pub fn substring(text: &str, start: i32, length: Option<i32>) -> Result<&str> {
    let begin = i64::from(start) - 1;
    let end = match length {
        None => i64::MAX,
        Some(length) if length < 0 => {
            return Err(Error::new(
                SqlState::SUBSTRING_ERROR,
                "negative substring length not allowed",
            ));
        }
        Some(length) => begin + i64::from(length),
    };
    let begin = begin.max(0);
    if end <= begin {
        return Ok("");
    }
    let from = offset_of(text, begin as usize);
    let rest = &text[from..];
    let to = if end == i64::MAX { rest.len() } else { offset_of(rest, (end - begin) as usize) };
    Ok(&rest[..to])
}

/// The 1-based character position of a needle, 0 if it is not there.
pub fn position(haystack: &str, needle: &str) -> i32 {
    haystack.find(needle).map_or(0, |at| haystack[..at].chars().count() as i32 + 1)
}

/// Which ends to trim.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The start.
    Left,
    /// The end.
    Right,
    /// Both.
    Both,
}

/// Trims characters of a set.
pub fn trim<'a>(text: &'a str, set: &str, side: Side) -> &'a str {
    let within = |c: char| set.contains(c);
    match side {
        Side::Left => text.trim_start_matches(within),
        Side::Right => text.trim_end_matches(within),
        Side::Both => text.trim_matches(within),
    }
}

/// Pads or cuts to a number of characters.
pub fn pad(text: &str, length: i32, fill: &str, left: bool) -> Result<String> {
    let length = length.max(0) as usize;
    let have = text.chars().count();
    if have >= length || fill.is_empty() {
        return Ok(text[..offset_of(text, length)].to_owned());
    }
    check_length(length * 4)?;
    let padding: String = fill.chars().cycle().take(length - have).collect();
    Ok(if left { padding + text } else { text.to_owned() + &padding })
}

/// Refuses results larger than a value may be.
pub fn check_length(bytes: usize) -> Result<()> {
    if bytes > 0x3fff_ffff {
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large"));
    }
    Ok(())
}

/// `initcap`: the first letter of each run of letters and digits upper, the rest lower.
pub fn initcap(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.push(simple_upper(c));
        }
        inside = c.is_alphanumeric();
    }
    out
}

/// One character in upper case, if that is one character.
fn simple_upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// `upper`: character by character.
pub fn upper(text: &str) -> String {
    if text.is_ascii() {
        text.to_ascii_uppercase()
    } else {
        text.chars().map(simple_upper).collect()
    }
}

/// `lower`: character by character.
pub fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars()
        .map(|c| {
            let mut lower = c.to_lowercase();
            match (lower.next(), lower.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        })
        .collect()
}

/// `translate`.
pub fn translate(text: &str, from: &str, to: &str) -> String {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    text.chars()
        .filter_map(|c| match from.iter().position(|f| *f == c) {
            None => Some(c),
            Some(at) => to.get(at).copied(),
        })
        .collect()
}

/// `split_part`.
pub fn split_part<'a>(text: &'a str, delimiter: &str, field: i32) -> Result<&'a str> {
    if field == 0 {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "field position must not be zero",
        ));
    }
    if text.is_empty() {
        return Ok("");
    }
    if delimiter.is_empty() {
        return Ok(if field == 1 || field == -1 { text } else { "" });
    }
    let place = field.unsigned_abs() as usize - 1;
    let found = if field > 0 {
        text.split(delimiter).nth(place)
    } else {
        let parts: Vec<&str> = text.split(delimiter).collect();
        parts.len().checked_sub(place + 1).map(|at| parts[at])
    };
    Ok(found.unwrap_or(""))
}

/// `quote_literal`.
pub fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with a line break after 76 characters.
pub fn base64_encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut line = 0;
    for chunk in bytes.chunks(3) {
        if line == 76 {
            out.push('\n');
            line = 0;
        }
        let group = chunk.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for at in 0..4 {
            if at <= chunk.len() {
                out.push(char::from(BASE64[(group >> (18 - 6 * at) & 63) as usize]));
            } else {
                out.push('=');
            }
        }
        line += 4;
    }
    out
}

/// Reads base64, white space ignored.
pub fn base64_decode(text: &str) -> Result<Vec<u8>> {
    let invalid = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut count, mut padding) = (0u32, 0, 0);
    for c in text.chars() {
        if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        let value = if c == '=' {
            if count < 2 {
                return Err(invalid("unexpected \"=\" while decoding base64 sequence".to_owned()));
            }
            padding += 1;
            0
        } else {
            let found = u8::try_from(c).ok().and_then(|c| BASE64.iter().position(|b| *b == c));
            found.filter(|_| padding == 0).ok_or_else(|| {
                invalid(format!("invalid symbol \"{c}\" found while decoding base64 sequence"))
            })? as u32
        };
        group = group << 6 | value;
        count += 1;
        if count == 4 {
            let bytes = group.to_be_bytes();
            out.extend_from_slice(&bytes[1..4 - padding.min(2)]);
            (group, count) = (0, 0);
        }
    }
    if count != 0 {
        return Err(invalid("invalid base64 end sequence".to_owned())
            .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(out)
}
