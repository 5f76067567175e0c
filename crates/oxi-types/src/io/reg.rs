//! Text forms of the types that name catalog objects (`regclass`, `regtype`, …).

use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::TypeRef;

use crate::{
    context::{EvalContext, ObjectClass},
    oid, pg_type,
};

fn class_of(type_oid: u32) -> ObjectClass {
    match type_oid {
        oid::REGCLASS => ObjectClass::Relation,
        oid::REGTYPE => ObjectClass::Type,
        oid::REGPROC | oid::REGPROCEDURE => ObjectClass::Function,
        oid::REGOPER | oid::REGOPERATOR => ObjectClass::Operator,
        oid::REGNAMESPACE => ObjectClass::Schema,
        oid::REGROLE => ObjectClass::Role,
        _ => ObjectClass::Collation,
    }
}

/// Splits a possibly qualified, possibly quoted name into its parts.
pub fn parse_name(text: &str) -> Result<Vec<String>> {
    let invalid = || Error::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut chars = quoted.char_indices();
            loop {
                match chars.next() {
                    None => return Err(invalid()),
                    Some((at, '"')) => {
                        if quoted[at + 1..].starts_with('"') {
                            part.push('"');
                            chars.next();
                        } else {
                            rest = &quoted[at + 1..];
                            break;
                        }
                    }
                    Some((_, c)) => part.push(c),
                }
            }
            parts.push(part);
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let word = rest[..end].trim();
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
            if word.is_empty() || !word.chars().all(plain) {
                return Err(invalid());
            }
            parts.push(word.to_lowercase());
            rest = &rest[end..];
        }
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(tail) => rest = tail.trim_start(),
            None if rest.is_empty() => return Ok(parts),
            None => return Err(invalid()),
        }
    }
}

/// Reads a number, `-`, or the name of an object.
pub fn reg_in(context: &EvalContext, type_oid: u32, text: &str) -> Result<u32> {
    reg_find(context, type_oid, text)?.ok_or_else(|| not_found(type_oid, text))
}

fn not_found(type_oid: u32, text: &str) -> Error {
    match type_oid {
        oid::REGCLASS => {
            Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{text}\" does not exist"))
        }
        oid::REGTYPE => {
            Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{text}\" does not exist"))
        }
        oid::REGPROC | oid::REGPROCEDURE => {
            Error::new(SqlState::UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist"))
        }
        oid::REGOPER | oid::REGOPERATOR => {
            Error::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {text}"))
        }
        oid::REGNAMESPACE => {
            Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{text}\" does not exist"))
        }
        oid::REGROLE => {
            Error::new(SqlState::UNDEFINED_OBJECT, format!("role \"{text}\" does not exist"))
        }
        _ => Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("collation \"{text}\" for encoding \"UTF8\" does not exist"),
        ),
    }
}

/// As [`reg_in`], `None` if there is no such object.
pub fn reg_find(context: &EvalContext, type_oid: u32, text: &str) -> Result<Option<u32>> {
    let trimmed = text.trim();
    if trimmed == "-" {
        return Ok(Some(0));
    }
    if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
        return super::scalar::oid_in(trimmed, "oid").map(Some);
    }
    if type_oid == oid::REGTYPE {
        return Ok(context.session.lookup_type(trimmed)?.map(|found| found.oid));
    }
    if type_oid == oid::REGPROCEDURE {
        return find_procedure(context, trimmed);
    }
    if matches!(type_oid, oid::REGOPER | oid::REGOPERATOR) {
        return context.session.lookup(ObjectClass::Operator, &[trimmed.to_owned()]);
    }
    let parts = parse_name(trimmed)?;
    if let Some(found) = context.session.lookup(class_of(type_oid), &parts)? {
        return Ok(Some(found));
    }
    if type_oid == oid::REGPROC {
        let name = parts.last().map_or("", String::as_str);
        return Ok(crate::builtin::FUNCTIONS
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.oid));
    }
    Ok(None)
}

fn find_procedure(context: &EvalContext, text: &str) -> Result<Option<u32>> {
    let Some((name, rest)) = text.split_once('(') else {
        return Err(Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            "expected a left parenthesis",
        ));
    };
    let Some(list) = rest.strip_suffix(')') else {
        return Err(Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            "expected a right parenthesis",
        ));
    };
    let mut types = Vec::new();
    for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match context.session.lookup_type(word)? {
            Some(found) => types.push(found.oid),
            None => return Err(not_found(oid::REGTYPE, word)),
        }
    }
    let parts = parse_name(name)?;
    let name = parts.last().map_or("", String::as_str);
    let builtin = crate::builtin::FUNCTIONS
        .iter()
        .find(|row| row.name == name && row.args == types.as_slice());
    if let Some(row) = builtin {
        return Ok(Some(row.oid));
    }
    match context.session.lookup(ObjectClass::Function, &parts)? {
        Some(found) if context.session.function_arguments(found)?.as_ref() == Some(&types) => {
            Ok(Some(found))
        }
        _ => Ok(None),
    }
}

/// Appends the object's name, qualified if the search path does not find it, or its number.
pub fn reg_out(context: &EvalContext, type_oid: u32, value: u32, out: &mut String) -> Result<()> {
    if value == 0 {
        out.push('-');
        return Ok(());
    }
    if type_oid == oid::REGTYPE {
        let reference = TypeRef::plain(value);
        if value == oid::BPCHAR {
            out.push_str("character");
        } else if pg_type::by_oid(value).is_some() {
            out.push_str(&pg_type::format_type(reference));
        } else {
            match context.session.format_type(reference)? {
                Some(name) => out.push_str(&name),
                None => out.push_str(&value.to_string()),
            }
        }
        return Ok(());
    }
    let class = class_of(type_oid);
    let mut name = context.session.name_of(class, value)?.map(|found| match found.schema {
        Some(schema) if !found.visible => {
            format!("{}.{}", quote_ident(&schema), quote_ident(&found.name))
        }
        _ => quote_ident(&found.name),
    });
    let mut arguments = None;
    if class == ObjectClass::Function {
        let row = crate::builtin::FUNCTIONS.iter().find(|row| row.oid == value);
        if name.is_none() {
            name = row.map(|row| quote_ident(row.name));
        }
        arguments = match row {
            Some(row) => Some(row.args.to_vec()),
            None => context.session.function_arguments(value)?,
        };
    }
    match name {
        None => out.push_str(&value.to_string()),
        Some(name) => {
            out.push_str(&name);
            if type_oid == oid::REGPROCEDURE {
                let arguments: Vec<String> = arguments
                    .unwrap_or_default()
                    .into_iter()
                    .map(|argument| pg_type::format_type(TypeRef::plain(argument)))
                    .collect();
                out.push('(');
                out.push_str(&arguments.join(","));
                out.push(')');
            }
        }
    }
    Ok(())
}

/// Words that `quote_ident` quotes although they look like plain identifiers: those the grammar
/// reserves or treats specially.
const KEYWORDS: &str = " all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast char character check coalesce collate collation column concurrently constraint create cross current_catalog current_date current_role current_schema current_time current_timestamp current_user dec decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull join lateral leading least left like limit localtime localtimestamp national natural nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real references returning right row select session_user setof similar smallint some substring symmetric table tablesample then time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable ";

/// Quotes an identifier if it needs quotes.
pub fn quote_ident(name: &str) -> String {
    let plain_start =
        name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let plain = plain_start
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain && !KEYWORDS.contains(&format!(" {name} ")) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}
