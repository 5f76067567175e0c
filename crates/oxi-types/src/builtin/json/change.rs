//! Changing json and jsonb.

use oxi_base::{Error, Result, SqlState};
use oxi_model::Datum;

use super::access::{path_of, texts};
use crate::{
    builtin::args::scalar,
    json::{Json, Node, NodeKind, parse, quote},
};

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// What to do where a path leads.
#[derive(Clone, Copy)]
enum Change<'a> {
    Set { value: &'a Json, create: bool },
    Insert { value: &'a Json, after: bool },
    Delete,
}

fn element_index(step: &str, position: usize) -> Result<i64> {
    step.trim().parse::<i32>().map(i64::from).map_err(|_| {
        Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("path element at position {position} is not an integer: \"{step}\""),
        )
    })
}

fn change(value: Json, path: &[String], depth: usize, what: Change<'_>) -> Result<Json> {
    let Some((step, rest)) = path.split_first() else { return Ok(value) };
    match value {
        Json::Object(members) => change_member(members, step, rest, depth, what),
        Json::Array(items) => change_element(items, step, rest, depth, what),
        other => Ok(other),
    }
}

fn change_member(
    mut members: Vec<(String, Json)>,
    step: &str,
    rest: &[String],
    depth: usize,
    what: Change<'_>,
) -> Result<Json> {
    let found = members.iter().position(|(key, _)| key == step);
    if !rest.is_empty() {
        if let Some(at) = found {
            let inner = std::mem::replace(&mut members[at].1, Json::Null);
            members[at].1 = change(inner, rest, depth + 1, what)?;
        }
        return Ok(Json::Object(members));
    }
    match (what, found) {
        (Change::Delete, Some(at)) => {
            members.remove(at);
        }
        (Change::Set { value, .. }, Some(at)) => members[at].1 = value.clone(),
        (Change::Set { value, create: true } | Change::Insert { value, .. }, None) => {
            members.push((step.to_owned(), value.clone()));
        }
        (Change::Insert { .. }, Some(_)) => {
            return Err(invalid("cannot replace existing key")
                .with_hint("Try using the function jsonb_set to replace key value."));
        }
        _ => {}
    }
    Ok(Json::object(members))
}

fn change_element(
    mut items: Vec<Json>,
    step: &str,
    rest: &[String],
    depth: usize,
    what: Change<'_>,
) -> Result<Json> {
    if items.is_empty() && matches!(what, Change::Delete) {
        return Ok(Json::Array(items));
    }
    let index = element_index(step, depth + 1)?;
    let count = items.len() as i64;
    let place = if index < 0 { count + index } else { index };
    let found = usize::try_from(place).ok().filter(|at| *at < items.len());
    if !rest.is_empty() {
        if let Some(at) = found {
            let inner = std::mem::replace(&mut items[at], Json::Null);
            items[at] = change(inner, rest, depth + 1, what)?;
        }
        return Ok(Json::Array(items));
    }
    match (what, found) {
        (Change::Delete, Some(at)) => {
            items.remove(at);
        }
        (Change::Set { value, .. }, Some(at)) => items[at] = value.clone(),
        (Change::Insert { value, after }, Some(at)) => {
            items.insert(at + usize::from(after), value.clone());
        }
        (Change::Set { value, create: true } | Change::Insert { value, .. }, None) => {
            if place < 0 {
                items.insert(0, value.clone());
            } else {
                items.push(value.clone());
            }
        }
        _ => {}
    }
    Ok(Json::Array(items))
}

fn path_argument(path: &Datum) -> Result<Vec<String>> {
    if let Datum::List(items) = path
        && items.dimensions.len() > 1
    {
        return Err(Error::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            "wrong number of array subscripts",
        ));
    }
    if let Datum::List(items) = path
        && let Some(at) = items.elements.iter().position(Datum::is_null)
    {
        return Err(Error::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            format!("path element at position {} is null", at + 1),
        ));
    }
    Ok(path_of(std::slice::from_ref(path)).unwrap_or_default())
}

fn set(target: &Datum, path: &Datum, value: &Datum, create: bool) -> Result<Datum> {
    let current = Json::from_datum(target)?;
    if !matches!(current, Json::Array(_) | Json::Object(_)) {
        return Err(invalid("cannot set path in scalar"));
    }
    let value = Json::from_datum(value)?;
    let what = Change::Set { value: &value, create };
    Ok(change(current, &path_argument(path)?, 0, what)?.to_datum())
}

fn concat(a: Json, b: Json) -> Result<Json> {
    Ok(match (a, b) {
        (Json::Object(mut a), Json::Object(b)) => {
            a.extend(b);
            Json::object(a)
        }
        (Json::Array(mut a), Json::Array(b)) => {
            a.extend(b);
            Json::Array(a)
        }
        (Json::Array(mut a), b) => {
            a.push(b);
            Json::Array(a)
        }
        (a, Json::Array(mut b)) => {
            b.insert(0, a);
            Json::Array(b)
        }
        (a, b) if !matches!(a, Json::Object(_)) && !matches!(b, Json::Object(_)) => {
            Json::Array(vec![a, b])
        }
        (a, b) => Json::Array(vec![a, b]),
    })
}

fn delete_keys(value: Json, keys: &[String]) -> Result<Json> {
    Ok(match value {
        Json::Object(mut members) => {
            members.retain(|(key, _)| !keys.contains(key));
            Json::Object(members)
        }
        Json::Array(mut items) => {
            items.retain(|item| !matches!(item, Json::String(text) if keys.contains(text)));
            Json::Array(items)
        }
        _ => return Err(invalid("cannot delete from scalar")),
    })
}

fn strip(value: Json) -> Json {
    match value {
        Json::Object(members) => Json::Object(
            members
                .into_iter()
                .filter(|(_, value)| *value != Json::Null)
                .map(|(key, value)| (key, strip(value)))
                .collect(),
        ),
        Json::Array(items) => Json::Array(items.into_iter().map(strip).collect()),
        other => other,
    }
}

fn strip_text(text: &str, node: &Node, out: &mut String) {
    match &node.kind {
        NodeKind::Object(members) => {
            out.push('{');
            let mut first = true;
            for (key, value) in members {
                if matches!(value.kind, NodeKind::Null) {
                    continue;
                }
                if !first {
                    out.push(',');
                }
                first = false;
                quote(key, out);
                out.push(':');
                strip_text(text, value, out);
            }
            out.push('}');
        }
        NodeKind::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                strip_text(text, item, out);
            }
            out.push(']');
        }
        NodeKind::String(value) => quote(value, out),
        _ => out.push_str(&text[node.start..node.end]),
    }
}

scalar! {
    fn jsonb_set(target: &Datum, path: &Datum, value: &Datum, create: bool) -> Datum {
        set(target, path, value, create)?
    }
    fn jsonb_set_lax(target: Option<&Datum>, path: Option<&Datum>, value: Option<&Datum>, create: Option<bool>, treatment: Option<&str>) -> Option<Datum> {
        let (Some(target), Some(path), Some(create)) = (target, path, create) else {
            return Ok(None);
        };
        let treatment = treatment.ok_or_else(|| {
            invalid("null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
        })?;
        if let Some(value) = value {
            return Ok(Some(set(target, path, value, create)?));
        }
        Some(match treatment {
            "raise_exception" => {
                return Err(Error::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    "JSON value must not be null",
                )
                .with_detail("Exception was raised because null_value_treatment is \"raise_exception\".")
                .with_hint("To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed."));
            }
            "use_json_null" => set(target, path, &Json::Null.to_datum(), create)?,
            "delete_key" => {
                change(Json::from_datum(target)?, &path_argument(path)?, 0, Change::Delete)?.to_datum()
            }
            "return_target" => target.clone(),
            _ => {
                return Err(invalid("null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\""));
            }
        })
    }
    fn jsonb_insert(target: &Datum, path: &Datum, value: &Datum, after: bool) -> Datum {
        let current = Json::from_datum(target)?;
        if !matches!(current, Json::Array(_) | Json::Object(_)) {
            return Err(invalid("cannot set path in scalar"));
        }
        let value = Json::from_datum(value)?;
        change(current, &path_argument(path)?, 0, Change::Insert { value: &value, after })?.to_datum()
    }
    fn jsonb_concat(a: &Datum, b: &Datum) -> Datum {
        concat(Json::from_datum(a)?, Json::from_datum(b)?)?.to_datum()
    }
    fn jsonb_delete(a: &Datum, key: &str) -> Datum {
        delete_keys(Json::from_datum(a)?, &[key.to_owned()])?.to_datum()
    }
    fn jsonb_delete_array(a: &Datum, keys: &Datum) -> Datum {
        let keys = match keys {
            Datum::Text(key) => vec![key.to_string()],
            keys => texts(keys),
        };
        delete_keys(Json::from_datum(a)?, &keys)?.to_datum()
    }
    fn jsonb_delete_idx(a: &Datum, index: i32) -> Datum {
        match Json::from_datum(a)? {
            Json::Array(mut items) => {
                let place = if index < 0 { items.len() as i64 + i64::from(index) } else { i64::from(index) };
                if let Some(at) = usize::try_from(place).ok().filter(|at| *at < items.len()) {
                    items.remove(at);
                }
                Json::Array(items).to_datum()
            }
            Json::Object(_) => return Err(invalid("cannot delete from object using integer index")),
            _ => return Err(invalid("cannot delete from scalar")),
        }
    }
    fn jsonb_delete_path(a: &Datum, path: &Datum) -> Datum {
        let current = Json::from_datum(a)?;
        if !matches!(current, Json::Array(_) | Json::Object(_)) {
            return Err(invalid("cannot delete path in scalar"));
        }
        change(current, &path_argument(path)?, 0, Change::Delete)?.to_datum()
    }
    fn jsonb_pretty(a: &Datum) -> String {
        let mut out = String::new();
        Json::from_datum(a)?.write_pretty(0, &mut out);
        out
    }
    fn jsonb_strip_nulls(a: &Datum) -> Datum { strip(Json::from_datum(a)?).to_datum() }
    fn json_strip_nulls(a: &str) -> String {
        let node = parse(a, "json")?;
        let mut out = String::new();
        strip_text(a, &node, &mut out);
        out
    }
}
