//! Text forms of arrays and of the two vector types.

use std::fmt::Write as _;

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, datum::ListValue, descriptor::TypeRef};

use super::{text_in, text_out};
use crate::{context::EvalContext, oid, pg_type::PgType};

fn malformed(text: &str, detail: &str) -> Error {
    let error = Error::new(
        SqlState::INVALID_TEXT_REPRESENTATION,
        format!("malformed array literal: \"{text}\""),
    );
    if detail.is_empty() { error } else { error.with_detail(detail) }
}

const MAX_DIMENSIONS: usize = 6;

struct Reader<'a> {
    context: &'a EvalContext,
    element: TypeRef,
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    lengths: Vec<Option<i32>>,
    elements: Vec<Datum>,
}

impl Reader<'_> {
    fn error(&self, detail: &str) -> Error {
        malformed(self.source, detail)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 11 | 12))
        {
            self.at += 1;
        }
    }

    /// One brace level; `depth` counts from 0.
    fn level(&mut self, depth: usize) -> Result<()> {
        if depth >= MAX_DIMENSIONS {
            return Err(Error::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!(
                    "number of array dimensions ({}) exceeds the maximum allowed ({MAX_DIMENSIONS})",
                    depth + 1
                ),
            ));
        }
        self.at += 1;
        let mut count = 0;
        self.skip_space();
        if self.peek() == Some(b'}') && depth == 0 {
            self.at += 1;
            return Ok(());
        }
        if self.lengths.len() <= depth {
            self.lengths.push(None);
        }
        loop {
            self.skip_space();
            match self.peek() {
                None => return Err(self.error("Unexpected end of input.")),
                Some(b'{') => {
                    if self.lengths.len() == depth + 1 && !self.elements.is_empty() {
                        return Err(self.ragged());
                    }
                    self.level(depth + 1)?;
                }
                Some(b'}') => {
                    return Err(self.error("Unexpected \"}\" character."));
                }
                Some(b',') => return Err(self.error("Unexpected \",\" character.")),
                Some(_) => {
                    if self.lengths.len() != depth + 1 {
                        return Err(self.ragged());
                    }
                    let item = self.item()?;
                    self.elements.push(item);
                }
            }
            count += 1;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                None => return Err(self.error("Unexpected end of input.")),
                Some(_) => return Err(self.error("Unexpected array element.")),
            }
        }
        match self.lengths[depth] {
            None => self.lengths[depth] = Some(count),
            Some(length) if length == count => {}
            Some(_) => return Err(self.ragged()),
        }
        Ok(())
    }

    fn ragged(&self) -> Error {
        self.error("Multidimensional arrays must have sub-arrays with matching dimensions.")
    }

    fn item(&mut self) -> Result<Datum> {
        let mut text: Vec<u8> = Vec::new();
        let mut kept = 0;
        let mut quoted = false;
        let mut escaped = false;
        let mut in_quotes = false;
        loop {
            let Some(byte) = self.peek() else {
                return Err(self.error("Unexpected end of input."));
            };
            match byte {
                b'"' => {
                    if !in_quotes && (quoted || !text.is_empty()) {
                        return Err(self.error("Unexpected array element."));
                    }
                    in_quotes = !in_quotes;
                    quoted = true;
                    self.at += 1;
                }
                b'\\' => {
                    let Some(next) = self.bytes.get(self.at + 1) else {
                        return Err(self.error("Unexpected end of input."));
                    };
                    if quoted && !in_quotes {
                        return Err(self.error("Unexpected array element."));
                    }
                    text.push(*next);
                    kept = text.len();
                    escaped = true;
                    self.at += 2;
                }
                b',' | b'}' if !in_quotes => break,
                b'{' if !in_quotes => {
                    return Err(self.error("Unexpected \"{\" character."));
                }
                _ => {
                    let space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 11 | 12);
                    if quoted && !in_quotes && !space {
                        return Err(self.error("Unexpected array element."));
                    }
                    if !quoted || in_quotes {
                        text.push(byte);
                        if in_quotes || !space {
                            kept = text.len();
                        }
                    }
                    self.at += 1;
                }
            }
        }
        text.truncate(kept);
        let text = String::from_utf8(text).map_err(|_| self.error(""))?;
        if !quoted && !escaped && text.eq_ignore_ascii_case("null") {
            return Ok(Datum::Null);
        }
        text_in(self.context, self.element, &text)
    }
}

/// Reads `[l:u]…=` before the braces.
fn bounds<'t>(source: &str, text: &'t str) -> Result<(Vec<(i32, i32)>, &'t str)> {
    let mut dimensions = Vec::new();
    let mut rest = text;
    while let Some(inner) = rest.strip_prefix('[') {
        let (spec, after) = inner
            .split_once(']')
            .ok_or_else(|| malformed(source, "Missing \"]\" after array dimensions."))?;
        let (lower, upper) = match spec.split_once(':') {
            Some((lower, upper)) => (lower.trim().parse::<i32>(), upper.trim().parse::<i32>()),
            None => (Ok(1), spec.trim().parse::<i32>()),
        };
        let (Ok(lower), Ok(upper)) = (lower, upper) else {
            return Err(malformed(
                source,
                "\"[\" must introduce explicitly-specified array dimensions.",
            ));
        };
        if upper < lower {
            return Err(Error::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "upper bound cannot be less than lower bound",
            ));
        }
        dimensions.push((upper - lower + 1, lower));
        rest = after.trim_start();
    }
    if dimensions.is_empty() {
        return Ok((dimensions, rest));
    }
    let rest = rest
        .strip_prefix('=')
        .ok_or_else(|| malformed(source, "Missing \"=\" after array dimensions."))?;
    Ok((dimensions, rest.trim_start()))
}

/// Reads an array's text form.
pub(super) fn array_in(context: &EvalContext, reference: TypeRef, text: &str) -> Result<Datum> {
    let Some(element) = crate::pg_type::by_oid(reference.oid).and_then(PgType::element) else {
        return Err(Error::bug(format!("type {} is no array", reference.oid)));
    };
    let (given, body) = bounds(text, text.trim_start())?;
    if !body.starts_with('{') {
        let detail = if given.is_empty() {
            "Array value must start with \"{\" or dimension information."
        } else {
            "Array contents must start with \"{\"."
        };
        return Err(malformed(text, detail));
    }
    let mut reader = Reader {
        context,
        element: TypeRef { oid: element.oid, typmod: reference.typmod },
        source: text,
        bytes: body.as_bytes(),
        at: 0,
        lengths: Vec::new(),
        elements: Vec::new(),
    };
    reader.level(0)?;
    reader.skip_space();
    if reader.peek().is_some() {
        return Err(malformed(text, "Junk after closing right brace."));
    }
    let lengths: Vec<i32> = reader.lengths.iter().map(|length| length.unwrap_or(0)).collect();
    let dimensions = if given.is_empty() {
        lengths.iter().map(|length| (*length, 1)).collect()
    } else {
        if given.len() != lengths.len()
            || given.iter().zip(&lengths).any(|((given, _), actual)| given != actual)
        {
            return Err(malformed(text, "Specified array dimensions do not match array contents."));
        }
        given
    };
    let dimensions = if reader.elements.is_empty() { Vec::new() } else { dimensions };
    Ok(Datum::List(Arc::new(ListValue { dimensions, elements: reader.elements })))
}

/// Appends an array's text form.
/// An array from the packed form in which batches hold it.
pub(super) fn unpacked(row: &PgType, bytes: &[u8]) -> Result<ListValue> {
    let element = crate::pg_type::by_oid(row.element_oid).map(|row| &row.physical);
    element
        .and_then(|element| oxi_model::array::decode_list(bytes, element))
        .ok_or_else(|| Error::bug("a packed array that is none"))
}

pub(super) fn array_out(
    context: &EvalContext,
    row: &PgType,
    list: &ListValue,
    out: &mut String,
) -> Result<()> {
    let element = TypeRef::plain(row.element_oid);
    if list.elements.is_empty() || list.dimensions.is_empty() {
        out.push_str("{}");
        return Ok(());
    }
    if list.dimensions.iter().any(|(_, lower)| *lower != 1) {
        for (length, lower) in &list.dimensions {
            let _ = write!(out, "[{lower}:{}]", lower + length - 1);
        }
        out.push('=');
    }
    let mut texts = Vec::with_capacity(list.elements.len());
    for value in &list.elements {
        texts.push(if value.is_null() {
            "NULL".to_owned()
        } else {
            let mut text = String::new();
            text_out(context, element, value, &mut text)?;
            quote_element(text)
        });
    }
    let mut next = 0;
    nest(&list.dimensions, &texts, &mut next, out);
    Ok(())
}

fn nest(dimensions: &[(i32, i32)], texts: &[String], next: &mut usize, out: &mut String) {
    let Some(((length, _), inner)) = dimensions.split_first() else { return };
    out.push('{');
    for index in 0..*length {
        if index > 0 {
            out.push(',');
        }
        if inner.is_empty() {
            out.push_str(texts.get(*next).map_or("", String::as_str));
            *next += 1;
        } else {
            nest(inner, texts, next, out);
        }
    }
    out.push('}');
}

fn quote_element(text: String) -> String {
    let special = |c: char| {
        matches!(c, '{' | '}' | ',' | '"' | '\\' | ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
    };
    if !text.is_empty() && !text.eq_ignore_ascii_case("null") && !text.contains(special) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// Reads `int2vector` and `oidvector`: numbers between spaces, subscripts from 0.
pub(super) fn vector_in(context: &EvalContext, reference: TypeRef, text: &str) -> Result<Datum> {
    let element = if reference.oid == oid::INT2VECTOR { oid::INT2 } else { oid::OID };
    let elements = text
        .split_ascii_whitespace()
        .map(|word| text_in(context, TypeRef::plain(element), word))
        .collect::<Result<Vec<_>>>()?;
    let dimensions = vec![(elements.len() as i32, 0)];
    Ok(Datum::List(Arc::new(ListValue { dimensions, elements })))
}

/// Appends the text form of `int2vector` and `oidvector`.
pub(super) fn vector_out(list: &ListValue, out: &mut String) {
    for (index, value) in list.elements.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        match value {
            Datum::Int16(value) => out.push_str(&value.to_string()),
            Datum::UInt32(value) => out.push_str(&value.to_string()),
            _ => {}
        }
    }
}
