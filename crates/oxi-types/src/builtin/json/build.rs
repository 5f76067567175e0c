//! Making json and jsonb out of SQL values.

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};

use crate::{
    builtin::args::{arg, scalar},
    context::EvalContext,
    io,
    json::{Json, datum_to_json, put_json_datum, quote},
    oid, pg_type,
};

fn type_at(types: &[TypeRef], at: usize) -> TypeRef {
    types.get(at).copied().unwrap_or(TypeRef::plain(oid::TEXT))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn whole(context: &EvalContext, types: &[TypeRef], args: &[Datum], pretty: bool) -> Result<Datum> {
    let mut out = String::new();
    put_json_datum(context, type_at(types, 0), arg(args, 0)?, pretty, &mut out)?;
    Ok(Datum::text(out))
}

fn wants_lines(args: &[Datum]) -> bool {
    matches!(args.get(1), Some(Datum::Bool(true)))
}

/// `to_json`.
pub fn to_json(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    whole(context, types, args, false)
}

/// `array_to_json`.
pub fn array_to_json(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    whole(context, types, args, false)
}

/// `array_to_json(…, pretty)`.
pub fn array_to_json_pretty(
    context: &EvalContext,
    types: &[TypeRef],
    args: &[Datum],
) -> Result<Datum> {
    whole(context, types, args, wants_lines(args))
}

/// `row_to_json`.
pub fn row_to_json(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    whole(context, types, args, false)
}

/// `row_to_json(…, pretty)`.
pub fn row_to_json_pretty(
    context: &EvalContext,
    types: &[TypeRef],
    args: &[Datum],
) -> Result<Datum> {
    whole(context, types, args, wants_lines(args))
}

/// `to_jsonb`.
pub fn to_jsonb(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    Ok(datum_to_json(context, type_at(types, 0), arg(args, 0)?)?.to_datum())
}

/// `json_build_array`.
pub fn json_build_array(context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let mut out = "[".to_owned();
    for (at, value) in args.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        put_json_datum(context, type_at(types, at), value, false, &mut out)?;
    }
    out.push(']');
    Ok(Datum::text(out))
}

/// The text of an object's key.
pub(crate) fn key_text(context: &EvalContext, reference: TypeRef, value: &Datum) -> Result<String> {
    let composite = matches!(reference.oid, oid::JSON | oid::JSONB | oid::RECORD)
        || pg_type::by_oid(reference.oid).is_some_and(pg_type::PgType::is_array);
    if composite {
        return Err(invalid("key value must be scalar, not array, composite, or json"));
    }
    io::to_text(context, reference, value)
}

fn odd_arguments(function: &str) -> Error {
    invalid("argument list must have even number of elements").with_hint(format!(
        "The arguments of {function}() must consist of alternating keys and values."
    ))
}

/// `json_build_object`.
pub fn json_build_object(
    context: &EvalContext,
    types: &[TypeRef],
    args: &[Datum],
) -> Result<Datum> {
    if !args.len().is_multiple_of(2) {
        return Err(odd_arguments("json_build_object"));
    }
    let mut out = "{".to_owned();
    for at in (0..args.len()).step_by(2) {
        if at > 0 {
            out.push_str(", ");
        }
        if args[at].is_null() {
            return Err(invalid(format!("argument {} cannot be null", at + 1))
                .with_hint("Object keys should be text."));
        }
        if bool_key(&args[at], &mut out) {
        } else {
            quote(&key_text(context, type_at(types, at), &args[at])?, &mut out);
        }
        out.push_str(" : ");
        put_json_datum(context, type_at(types, at + 1), &args[at + 1], false, &mut out)?;
    }
    out.push('}');
    Ok(Datum::text(out))
}

/// Boolean keys are words.
fn bool_key(value: &Datum, out: &mut String) -> bool {
    if let Datum::Bool(value) = value {
        out.push_str(if *value { "\"true\"" } else { "\"false\"" });
        return true;
    }
    false
}

/// `jsonb_build_array`.
pub fn jsonb_build_array(
    context: &EvalContext,
    types: &[TypeRef],
    args: &[Datum],
) -> Result<Datum> {
    let items = args
        .iter()
        .enumerate()
        .map(|(at, value)| datum_to_json(context, type_at(types, at), value))
        .collect::<Result<Vec<_>>>()?;
    Ok(Json::Array(items).to_datum())
}

/// `jsonb_build_object`.
pub fn jsonb_build_object(
    context: &EvalContext,
    types: &[TypeRef],
    args: &[Datum],
) -> Result<Datum> {
    if !args.len().is_multiple_of(2) {
        return Err(odd_arguments("jsonb_build_object"));
    }
    let mut members = Vec::new();
    for at in (0..args.len()).step_by(2) {
        let key = match &args[at] {
            Datum::Null => {
                return Err(invalid(format!("argument {}: key must not be null", at + 1)));
            }
            Datum::Bool(value) => value.to_string(),
            value => key_text(context, type_at(types, at), value)?,
        };
        members.push((key, datum_to_json(context, type_at(types, at + 1), &args[at + 1])?));
    }
    Ok(Json::object(members).to_datum())
}

/// Keys and values of `json_object(text[])`, from pairs or a two-column array.
fn pairs_of(datum: &Datum) -> Result<Vec<(String, Option<String>)>> {
    let Datum::List(items) = datum else { return Ok(Vec::new()) };
    let subscript = |message: &str| Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message);
    match items.dimensions.as_slice() {
        [] => {}
        [(length, _)] if length % 2 == 0 => {}
        [_] => return Err(subscript("array must have even number of elements")),
        [_, (2, _)] => {}
        [_, _] => return Err(subscript("array must have two columns")),
        _ => return Err(subscript("wrong number of array subscripts")),
    }
    items
        .elements
        .chunks(2)
        .map(|pair| {
            let key: Option<&str> = arg(pair, 0)?;
            let value: Option<&str> = arg(pair, 1)?;
            Ok((key.ok_or_else(null_key)?.to_owned(), value.map(str::to_owned)))
        })
        .collect()
}

fn null_key() -> Error {
    Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key")
}

fn two_lists(keys: &Datum, values: &Datum) -> Result<Vec<(String, Option<String>)>> {
    let (Datum::List(keys), Datum::List(values)) = (keys, values) else { return Ok(Vec::new()) };
    if keys.dimensions.len() > 1 || values.dimensions.len() > 1 {
        return Err(Error::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            "wrong number of array subscripts",
        ));
    }
    if keys.elements.len() != values.elements.len() {
        return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "mismatched array dimensions"));
    }
    (0..keys.elements.len())
        .map(|at| {
            let key: Option<&str> = arg(&keys.elements, at)?;
            let value: Option<&str> = arg(&values.elements, at)?;
            Ok((key.ok_or_else(null_key)?.to_owned(), value.map(str::to_owned)))
        })
        .collect()
}

fn text_object(pairs: Vec<(String, Option<String>)>) -> String {
    let mut out = "{".to_owned();
    for (at, (key, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        quote(key, &mut out);
        out.push_str(" : ");
        match value {
            Some(value) => quote(value, &mut out),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    out
}

fn binary_object(pairs: Vec<(String, Option<String>)>) -> Datum {
    let members =
        pairs.into_iter().map(|(key, value)| (key, value.map_or(Json::Null, Json::String)));
    Json::object(members.collect()).to_datum()
}

scalar! {
    fn json_build_array_noargs() -> &'static str { "[]" }
    fn json_build_object_noargs() -> &'static str { "{}" }
    fn jsonb_build_array_noargs() -> Datum { Json::Array(Vec::new()).to_datum() }
    fn jsonb_build_object_noargs() -> Datum { Json::Object(Vec::new()).to_datum() }
    fn json_object(a: &Datum) -> String { text_object(pairs_of(a)?) }
    fn json_object_two_arg(keys: &Datum, values: &Datum) -> String {
        text_object(two_lists(keys, values)?)
    }
    fn jsonb_object(a: &Datum) -> Datum { binary_object(pairs_of(a)?) }
    fn jsonb_object_two_arg(keys: &Datum, values: &Datum) -> Datum {
        binary_object(two_lists(keys, values)?)
    }
}
