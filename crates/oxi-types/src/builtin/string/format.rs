//! Functions that write values of any type into text.

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};

use crate::{builtin::args::arg, context::EvalContext, io, oid, text};

fn type_at(types: &[TypeRef], at: usize) -> TypeRef {
    types.get(at).copied().unwrap_or(TypeRef::plain(oid::TEXT))
}

/// The text of an argument, `None` for NULL.
pub(crate) fn text_of(
    context: &EvalContext,
    types: &[TypeRef],
    args: &[Datum],
    at: usize,
) -> Result<Option<String>> {
    match args.get(at) {
        None | Some(Datum::Null) => Ok(None),
        Some(value) => io::to_text(context, type_at(types, at), value).map(Some),
    }
}

/// `concat`.
pub fn text_concat(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let mut out = String::new();
    for at in 0..args.len() {
        out.push_str(&text_of(context, types, args, at)?.unwrap_or_default());
    }
    Ok(Datum::text(out))
}

/// `concat_ws`.
pub fn text_concat_ws(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let Some(separator) = arg::<Option<&str>>(args, 0)? else { return Ok(Datum::Null) };
    let mut parts = Vec::new();
    for at in 1..args.len() {
        parts.extend(text_of(context, types, args, at)?);
    }
    Ok(Datum::text(parts.join(separator)))
}

/// `text || anynonarray`.
pub fn sql_textanycat(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    text_concat(context, types, args)
}

/// `anynonarray || text`.
pub fn sql_anytextcat(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    text_concat(context, types, args)
}

/// `quote_literal(anyelement)`.
pub fn sql_quote_literal(
    context: &EvalContext,
    types: &[TypeRef],
    args: &[Datum],
) -> Result<Datum> {
    let value = text_of(context, types, args, 0)?;
    Ok(value.map_or(Datum::Null, |value| Datum::text(text::quote_literal(&value))))
}

/// `quote_nullable(anyelement)`.
pub fn sql_quote_nullable(
    context: &EvalContext,
    types: &[TypeRef],
    args: &[Datum],
) -> Result<Datum> {
    let value = text_of(context, types, args, 0)?;
    Ok(Datum::text(value.map_or_else(|| "NULL".to_owned(), |value| text::quote_literal(&value))))
}

fn invalid(message: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// What stands between `%` and the conversion letter.
#[derive(Default)]
struct Directive {
    position: Option<usize>,
    left: bool,
    width: Option<i64>,
    #[allow(clippy::option_option, reason = "`*` may name its argument or take the next one")]
    width_from: Option<Option<usize>>,
}

fn digits(rest: &mut &str) -> Result<Option<i64>> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    if end == 0 {
        return Ok(None);
    }
    let value = rest[..end]
        .parse::<i32>()
        .map_err(|_| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range"))?;
    *rest = &rest[end..];
    Ok(Some(i64::from(value)))
}

fn directive(rest: &mut &str) -> Result<Directive> {
    let unterminated = || {
        invalid("unterminated format() type specifier").with_hint("For a single \"%\" use \"%%\".")
    };
    let mut found = Directive::default();
    let before = *rest;
    if let Some(number) = digits(rest)? {
        if let Some(after) = rest.strip_prefix('$') {
            if number == 0 {
                return Err(invalid(
                    "format specifies argument 0, but arguments are numbered from 1",
                ));
            }
            found.position = Some(number as usize);
            *rest = after;
        } else {
            *rest = before;
        }
    }
    while let Some(after) = rest.strip_prefix('-') {
        found.left = true;
        *rest = after;
    }
    if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        let before = *rest;
        let number = digits(rest)?;
        match (number, rest.strip_prefix('$')) {
            (Some(0), Some(_)) => {
                return Err(invalid(
                    "format specifies argument 0, but arguments are numbered from 1",
                ));
            }
            (Some(number), Some(after)) => {
                found.width_from = Some(Some(number as usize));
                *rest = after;
            }
            (Some(_), None) => {
                return Err(invalid("width argument position must be ended by \"$\""));
            }
            (None, _) => {
                found.width_from = Some(None);
                *rest = before;
            }
        }
    } else {
        found.width = digits(rest)?;
    }
    if rest.is_empty() { Err(unterminated()) } else { Ok(found) }
}

/// `format`.
pub fn text_format(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let Some(pattern) = arg::<Option<&str>>(args, 0)? else { return Ok(Datum::Null) };
    let mut out = String::new();
    let mut next = 1;
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let mut spec = directive(&mut rest)?;
        let too_few = || invalid("too few arguments for format()");
        if let Some(source) = spec.width_from {
            let place = source.unwrap_or(next);
            next = place + 1;
            let Some(value) = args.get(place) else { return Err(too_few()) };
            spec.width = Some(match value {
                Datum::Null => 0,
                other => {
                    let text = io::to_text(context, type_at(types, place), other)?;
                    io::int_in::<i32>(&text, "integer").map(i64::from)?
                }
            });
            if spec.width.is_some_and(|width| width < 0) {
                spec.left = true;
                spec.width = spec.width.map(i64::abs);
            }
        }
        let letter = rest.chars().next().unwrap_or(' ');
        rest = &rest[letter.len_utf8()..];
        if !matches!(letter, 's' | 'I' | 'L') {
            return Err(invalid(&format!("unrecognized format() type specifier \"{letter}\""))
                .with_hint("For a single \"%\" use \"%%\"."));
        }
        let place = spec.position.unwrap_or(next);
        next = place + 1;
        if place >= args.len() {
            return Err(too_few());
        }
        let value = text_of(context, types, args, place)?;
        let piece = match (letter, value) {
            ('s', value) => value.unwrap_or_default(),
            ('I', Some(value)) => io::quote_ident(&value),
            ('I', None) => {
                return Err(Error::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    "null values cannot be formatted as an SQL identifier",
                ));
            }
            (_, Some(value)) => text::quote_literal(&value),
            (_, None) => "NULL".to_owned(),
        };
        let missing = spec.width.unwrap_or(0) - piece.chars().count() as i64;
        let padding = " ".repeat(missing.max(0) as usize);
        if spec.left {
            out.push_str(&piece);
            out.push_str(&padding);
        } else {
            out.push_str(&padding);
            out.push_str(&piece);
        }
    }
    out.push_str(rest);
    Ok(Datum::text(out))
}

/// `format` of a pattern alone.
pub fn text_format_nv(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    text_format(context, types, args)
}
