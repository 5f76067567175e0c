//! The fields of a date or time as it is written, one by one.

use super::{Parsed, Refusal};
use crate::datetime::{words, zone};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Number,
    Date,
    Time,
    Word,
    Offset,
    Zone,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

fn run(text: &str, from: usize, accept: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() && accept(bytes[at]) {
        at += 1;
    }
    at
}

/// Splits an input into its fields.
pub(super) fn tokens(text: &str) -> Parsed<Vec<Token<'_>>> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let byte = bytes[at];
        let kind;
        (kind, at) = if byte.is_ascii_digit() {
            numeral(text, start)
        } else if byte.is_ascii_alphabetic() {
            letters(text, start)
        } else if matches!(byte, b'+' | b'-') {
            signed(text, start)?
        } else if byte.is_ascii_whitespace() || matches!(byte, b',' | b'@' | b'(' | b')') {
            (None, start + 1)
        } else {
            return Err(Refusal::Syntax);
        };
        if let Some(kind) = kind {
            out.push(Token { kind, text: &text[start..at] });
        }
    }
    Ok(out)
}

/// What begins with a digit, and where it ends.
fn numeral(text: &str, start: usize) -> (Option<Kind>, usize) {
    let bytes = text.as_bytes();
    let at = run(text, start, |b| b.is_ascii_digit());
    match bytes.get(at).copied() {
        Some(b':') => {
            let end = run(text, at, |b| b.is_ascii_digit() || b == b':' || b == b'.');
            (Some(Kind::Time), end)
        }
        Some(delimiter @ (b'-' | b'/' | b'.')) => {
            let mut end = run(text, at + 1, |b| b.is_ascii_digit());
            if end == at + 1 && delimiter != b'.' {
                end = run(text, at + 1, |b| b.is_ascii_alphabetic());
            }
            if bytes.get(end) == Some(&delimiter) && end > at + 1 {
                (Some(Kind::Date), run(text, end + 1, |b| b.is_ascii_digit()))
            } else if delimiter == b'.' {
                (Some(Kind::Number), end)
            } else {
                (Some(Kind::Date), end)
            }
        }
        _ => (Some(Kind::Number), at),
    }
}

/// What begins with a letter, and where it ends; nothing for the `T` in front of a time.
fn letters(text: &str, start: usize) -> (Option<Kind>, usize) {
    let bytes = text.as_bytes();
    let byte = bytes[start];
    let at = run(text, start, |b| b.is_ascii_alphabetic());
    let next = bytes.get(at).copied();
    let is_single = at == start + 1;
    let before_digit = next.is_some_and(|b| b.is_ascii_digit());
    let after_digit = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    if is_single && matches!(byte, b'T' | b't') && before_digit {
        return (None, at);
    }
    if matches!(next, Some(b'/' | b'_')) {
        let end =
            run(text, at, |b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'+' | b'-'));
        return (Some(Kind::Zone), end);
    }
    let word = &text[start..at];
    if matches!(next, Some(b'-' | b'.')) && after_digit && words::month(word).is_some() {
        let end = run(text, at, |b| b.is_ascii_digit() || matches!(b, b'-' | b'.'));
        return (Some(Kind::Date), end);
    }
    if matches!(byte, b'J' | b'j') && is_single && before_digit {
        return (Some(Kind::Word), run(text, at, |b| b.is_ascii_digit()));
    }
    let is_abbreviation = word.len() >= 3 && zone::abbreviation(word).is_some();
    if matches!(next, Some(b'+' | b'-')) && after_digit && is_abbreviation {
        let end = run(text, at, |b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b':'));
        return (Some(Kind::Zone), end);
    }
    (Some(Kind::Word), at)
}

/// What begins with a sign, and where it ends.
fn signed(text: &str, start: usize) -> Parsed<(Option<Kind>, usize)> {
    let bytes = text.as_bytes();
    let at = run(text, start + 1, |b| b.is_ascii_whitespace());
    if bytes.get(at).is_some_and(u8::is_ascii_digit) {
        let end = run(text, at, |b| b.is_ascii_digit() || matches!(b, b':' | b'.'));
        Ok((Some(Kind::Offset), end))
    } else if bytes.get(at).is_some_and(u8::is_ascii_alphabetic) {
        Ok((Some(Kind::Word), run(text, at, |b| b.is_ascii_alphabetic())))
    } else {
        Err(Refusal::Syntax)
    }
}
