//! LIKE, and the rewriting of LIKE and SIMILAR TO patterns.

use oxi_base::{Error, Result, SqlState};

fn ends_with_escape() -> Error {
    Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "LIKE pattern must not end with escape character")
}

fn bad_escape() -> Error {
    Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
        .with_hint("Escape string must be empty or one character.")
}

/// Whether a text matches a LIKE pattern with backslash as the escape.
pub fn like(text: &str, pattern: &str) -> Result<bool> {
    matches(text.as_bytes(), pattern.as_bytes(), true)
}

/// LIKE of bytes: `_` is one byte.
pub fn like_bytes(text: &[u8], pattern: &[u8]) -> Result<bool> {
    matches(text, pattern, false)
}

fn matches(text: &[u8], pattern: &[u8], characters: bool) -> Result<bool> {
    let width = |at: usize| {
        if !characters {
            return 1;
        }
        match text[at] {
            0..0x80 => 1,
            0x80..0xe0 => 2,
            0xe0..0xf0 => 3,
            _ => 4,
        }
    };
    let (mut t, mut p) = (0, 0);
    // Where to go on after the last `%` if the rest fails.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some(b'%') => {
                p += 1;
                retry = Some((t, p));
                if p == pattern.len() {
                    return Ok(true);
                }
                continue;
            }
            Some(b'_') if t < text.len() => {
                t += width(t);
                p += 1;
                continue;
            }
            Some(b'\\') => match pattern.get(p + 1) {
                None => return Err(ends_with_escape()),
                Some(literal) if text.get(t) == Some(literal) => 2,
                Some(_) => 0,
            },
            Some(literal) if *literal != b'_' && text.get(t) == Some(literal) => 1,
            None if t == text.len() => return Ok(true),
            _ => 0,
        };
        if step > 0 {
            t += 1;
            p += step;
            continue;
        }
        match retry {
            Some((from, after)) if from < text.len() => {
                t = from + width(from);
                p = after;
                retry = Some((t, after));
            }
            _ => return Ok(false),
        }
    }
}

/// A LIKE pattern with another escape character rewritten to backslash.
pub fn like_escape(pattern: &str, escape: &str) -> Result<String> {
    let mut chars = escape.chars();
    let (escape, None) = (chars.next(), chars.next()) else { return Err(bad_escape()) };
    let mut out = String::with_capacity(pattern.len());
    let mut after_escape = false;
    for c in pattern.chars() {
        if Some(c) == escape && !after_escape {
            out.push('\\');
            after_escape = true;
        } else if c == '\\' {
            out.push('\\');
            if !after_escape {
                out.push('\\');
            }
            after_escape = false;
        } else {
            out.push(c);
            after_escape = false;
        }
    }
    Ok(out)
}

/// A SIMILAR TO pattern as an advanced regular expression.
pub fn similar_escape(pattern: &str, escape: Option<&str>) -> Result<String> {
    let escape = escape_character(escape)?;
    let mut out = "^(?:".to_owned();
    let mut after_escape = false;
    let mut in_bracket = false;
    let mut quotes = 0;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if after_escape {
            if c == '"' && !in_bracket {
                out.push_str(separator(quotes)?);
                quotes += 1;
            } else if !c.is_alphanumeric() || escape == Some('\\') {
                out.push('\\');
                out.push(c);
            } else {
                out.push(c);
            }
            after_escape = false;
        } else if Some(c) == escape {
            after_escape = true;
        } else if in_bracket {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
            if c == ']' {
                in_bracket = false;
            }
        } else {
            match c {
                '[' => {
                    out.push('[');
                    in_bracket = true;
                    if chars.peek() == Some(&'^') {
                        out.push('^');
                        chars.next();
                    }
                    if chars.peek() == Some(&']') {
                        out.push(']');
                        chars.next();
                    }
                }
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '(' => out.push_str("(?:"),
                '\\' | '.' | '^' | '$' => {
                    out.push('\\');
                    out.push(c);
                }
                c => out.push(c),
            }
        }
    }
    out.push_str(")$");
    Ok(out)
}

/// The escape character: backslash unless another is given; none for the empty string.
fn escape_character(escape: Option<&str>) -> Result<Option<char>> {
    let Some(text) = escape else { return Ok(Some('\\')) };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (first, None) => Ok(first),
        _ => Err(bad_escape()),
    }
}

/// The marks around what `substring(… similar …)` gives.
fn separator(number: usize) -> Result<&'static str> {
    match number {
        0 => Ok("){1,1}?("),
        1 => Ok("){1,1}(?:"),
        _ => Err(Error::new(
            SqlState::INVALID_ESCAPE_SEQUENCE,
            "SQL regular expression may not contain more than two escape-double-quote separators",
        )),
    }
}
