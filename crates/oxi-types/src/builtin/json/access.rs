//! Reading out of json and jsonb.

use oxi_base::{Error, Result, SqlState};
use oxi_model::Datum;

use crate::{
    builtin::args::{arg, list, scalar},
    context::EvalContext,
    json::{Json, Node, NodeKind, parse},
};

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn node_text(text: &str, node: &Node) -> Option<String> {
    match &node.kind {
        NodeKind::Null => None,
        NodeKind::String(value) => Some(value.clone()),
        _ => Some(text[node.start..node.end].to_owned()),
    }
}

fn node_member<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    match &node.kind {
        // Of equal keys the last one counts.
        NodeKind::Object(members) => {
            members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
        }
        _ => None,
    }
}

fn node_element(node: &Node, index: i64) -> Option<&Node> {
    match &node.kind {
        NodeKind::Array(items) => {
            let place = if index < 0 { items.len() as i64 + index } else { index };
            usize::try_from(place).ok().and_then(|place| items.get(place))
        }
        _ => None,
    }
}

fn raw(text: &str, node: Option<&Node>) -> Datum {
    node.map_or(Datum::Null, |node| Datum::text(&text[node.start..node.end]))
}

fn bare(text: &str, node: Option<&Node>) -> Datum {
    node.and_then(|node| node_text(text, node)).map_or(Datum::Null, Datum::text)
}

/// Path arguments, given one by one or as an array.
pub(super) fn path_of(args: &[Datum]) -> Option<Vec<String>> {
    let items: &[Datum] = match args {
        [Datum::List(items)] => &items.elements,
        items => items,
    };
    items
        .iter()
        .map(|item| match item {
            Datum::Text(text) => Some(text.to_string()),
            _ => None,
        })
        .collect()
}

fn index_of(step: &str) -> Option<i64> {
    step.trim().parse::<i32>().ok().map(i64::from)
}

fn walk_node<'a>(node: &'a Node, path: &[String]) -> Option<&'a Node> {
    let mut node = node;
    for step in path {
        node = match &node.kind {
            NodeKind::Object(_) => node_member(node, step)?,
            NodeKind::Array(_) => node_element(node, index_of(step)?)?,
            _ => return None,
        };
    }
    Some(node)
}

fn walk<'a>(value: &'a Json, path: &[String]) -> Option<&'a Json> {
    let mut value = value;
    for step in path {
        value = match value {
            Json::Object(_) => value.get(step)?,
            Json::Array(_) => value.at(index_of(step)?)?,
            _ => return None,
        };
    }
    Some(value)
}

macro_rules! json_path {
    ($($name:ident $show:ident;)*) => {$(
        #[doc = concat!("`", stringify!($name), "` of `pg_proc.prosrc`.")]
        pub fn $name(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
            let text: &str = arg(args, 0)?;
            let Some(path) = path_of(&args[1..]) else { return Ok(Datum::Null) };
            let node = parse(text, "json")?;
            Ok($show(text, walk_node(&node, &path)))
        }
    )*};
}

json_path! {
    json_extract_path raw;
    json_extract_path_text bare;
}

// table: json_extract_path json_extract_path_text

/// `jsonb_extract_path`, `#>`.
pub fn jsonb_extract_path(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let value: &Datum = arg(args, 0)?;
    let Some(path) = path_of(&args[1..]) else { return Ok(Datum::Null) };
    Ok(walk(&Json::from_datum(value)?, &path).map_or(Datum::Null, Json::to_datum))
}

/// `jsonb_extract_path_text`, `#>>`.
pub fn jsonb_extract_path_text(_: &EvalContext, args: &[Datum]) -> Result<Datum> {
    let value: &Datum = arg(args, 0)?;
    let Some(path) = path_of(&args[1..]) else { return Ok(Datum::Null) };
    let value = Json::from_datum(value)?;
    Ok(walk(&value, &path).and_then(Json::as_text).map_or(Datum::Null, Datum::text))
}

fn array_items<'a>(node: &'a Node, function: &str) -> Result<&'a [Node]> {
    match &node.kind {
        NodeKind::Array(items) => Ok(items),
        NodeKind::Object(_) if function == "json_array_length" => {
            Err(invalid("cannot get array length of a non-array"))
        }
        _ if function == "json_array_length" => Err(invalid("cannot get array length of a scalar")),
        NodeKind::Object(_) => Err(invalid(format!("cannot call {function} on a non-array"))),
        _ => Err(invalid(format!("cannot call {function} on a scalar"))),
    }
}

fn object_members<'a>(node: &'a Node, function: &str) -> Result<&'a [(String, Node)]> {
    match &node.kind {
        NodeKind::Object(members) => Ok(members),
        NodeKind::Array(_) if function == "json_object_keys" => {
            Err(invalid(format!("cannot call {function} on an array")))
        }
        NodeKind::Array(_) => Err(invalid("cannot deconstruct an array as an object")),
        _ if function == "json_object_keys" => {
            Err(invalid(format!("cannot call {function} on a scalar")))
        }
        _ => Err(invalid("cannot deconstruct a scalar")),
    }
}

fn jsonb_items(value: Json, function: &str) -> Result<Vec<Json>> {
    match value {
        Json::Array(items) => Ok(items),
        Json::Object(_) if function == "jsonb_array_length" => {
            Err(invalid("cannot get array length of a non-array"))
        }
        _ if function == "jsonb_array_length" => {
            Err(invalid("cannot get array length of a scalar"))
        }
        Json::Object(_) => Err(invalid("cannot extract elements from an object")),
        _ => Err(invalid("cannot extract elements from a scalar")),
    }
}

fn jsonb_members(value: Json, function: &str) -> Result<Vec<(String, Json)>> {
    match value {
        Json::Object(members) => Ok(members),
        Json::Array(_) if function == "jsonb_object_keys" => {
            Err(invalid(format!("cannot call {function} on an array")))
        }
        _ if function == "jsonb_object_keys" => {
            Err(invalid(format!("cannot call {function} on a scalar")))
        }
        _ => Err(invalid(format!("cannot call {function} on a non-object"))),
    }
}

fn pair(key: &str, value: Datum) -> Datum {
    list(vec![Datum::text(key), value])
}

fn cannot_cast(value: &Json, target: &str) -> Error {
    let what = match value {
        Json::Null => "null",
        Json::String(_) => "string",
        Json::Number(_) => "numeric",
        Json::Bool(_) => "boolean",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    invalid(format!("cannot cast jsonb {what} to type {target}"))
}

fn number(datum: &Datum, target: &str) -> Result<crate::Numeric> {
    match Json::from_datum(datum)? {
        Json::Number(text) => crate::Numeric::parse(&text),
        other => Err(cannot_cast(&other, target)),
    }
}

scalar! {
    fn json_object_field(a: &str, key: &str) -> Datum {
        raw(a, node_member(&parse(a, "json")?, key))
    }
    fn json_object_field_text(a: &str, key: &str) -> Datum {
        bare(a, node_member(&parse(a, "json")?, key))
    }
    fn json_array_element(a: &str, index: i32) -> Datum {
        raw(a, node_element(&parse(a, "json")?, i64::from(index)))
    }
    fn json_array_element_text(a: &str, index: i32) -> Datum {
        bare(a, node_element(&parse(a, "json")?, i64::from(index)))
    }
    fn jsonb_object_field(a: &Datum, key: &str) -> Option<Datum> {
        Json::from_datum(a)?.get(key).map(Json::to_datum)
    }
    fn jsonb_object_field_text(a: &Datum, key: &str) -> Option<String> {
        Json::from_datum(a)?.get(key).and_then(Json::as_text)
    }
    fn jsonb_array_element(a: &Datum, index: i32) -> Option<Datum> {
        element(&Json::from_datum(a)?, index).map(Json::to_datum)
    }
    fn jsonb_array_element_text(a: &Datum, index: i32) -> Option<String> {
        element(&Json::from_datum(a)?, index).and_then(Json::as_text)
    }
    fn json_typeof(a: &str) -> &'static str {
        match parse(a, "json")?.kind {
            NodeKind::Null => "null",
            NodeKind::Bool(_) => "boolean",
            NodeKind::Number => "number",
            NodeKind::String(_) => "string",
            NodeKind::Array(_) => "array",
            NodeKind::Object(_) => "object",
        }
    }
    fn jsonb_typeof(a: &Datum) -> &'static str { Json::from_datum(a)?.type_name() }
    fn json_array_length(a: &str) -> i32 {
        array_items(&parse(a, "json")?, "json_array_length")?.len() as i32
    }
    fn jsonb_array_length(a: &Datum) -> i32 {
        jsonb_items(Json::from_datum(a)?, "jsonb_array_length")?.len() as i32
    }
    fn json_array_elements(a: &str) -> Vec<Datum> {
        let node = parse(a, "json")?;
        let items = array_items(&node, "json_array_elements")?;
        items.iter().map(|item| raw(a, Some(item))).collect::<Vec<_>>()
    }
    fn json_array_elements_text(a: &str) -> Vec<Datum> {
        let node = parse(a, "json")?;
        let items = array_items(&node, "json_array_elements_text")?;
        items.iter().map(|item| bare(a, Some(item))).collect::<Vec<_>>()
    }
    fn jsonb_array_elements(a: &Datum) -> Vec<Datum> {
        let items = jsonb_items(Json::from_datum(a)?, "jsonb_array_elements")?;
        items.iter().map(Json::to_datum).collect::<Vec<_>>()
    }
    fn jsonb_array_elements_text(a: &Datum) -> Vec<Option<String>> {
        let items = jsonb_items(Json::from_datum(a)?, "jsonb_array_elements_text")?;
        items.iter().map(Json::as_text).collect::<Vec<_>>()
    }
    fn json_object_keys(a: &str) -> Vec<String> {
        let node = parse(a, "json")?;
        let members = object_members(&node, "json_object_keys")?;
        members.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>()
    }
    fn jsonb_object_keys(a: &Datum) -> Vec<String> {
        let members = jsonb_members(Json::from_datum(a)?, "jsonb_object_keys")?;
        members.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    }
    fn json_each(a: &str) -> Vec<Datum> {
        let node = parse(a, "json")?;
        let members = object_members(&node, "json_each")?;
        members.iter().map(|(key, value)| pair(key, raw(a, Some(value)))).collect::<Vec<_>>()
    }
    fn json_each_text(a: &str) -> Vec<Datum> {
        let node = parse(a, "json")?;
        let members = object_members(&node, "json_each_text")?;
        members.iter().map(|(key, value)| pair(key, bare(a, Some(value)))).collect::<Vec<_>>()
    }
    fn jsonb_each(a: &Datum) -> Vec<Datum> {
        let members = jsonb_members(Json::from_datum(a)?, "jsonb_each")?;
        members.iter().map(|(key, value)| pair(key, value.to_datum())).collect::<Vec<_>>()
    }
    fn jsonb_each_text(a: &Datum) -> Vec<Datum> {
        let members = jsonb_members(Json::from_datum(a)?, "jsonb_each_text")?;
        let text = |value: &Json| value.as_text().map_or(Datum::Null, Datum::text);
        members.iter().map(|(key, value)| pair(key, text(value))).collect::<Vec<_>>()
    }
    fn jsonb_contains(a: &Datum, b: &Datum) -> bool {
        Json::from_datum(a)?.contains(&Json::from_datum(b)?)
    }
    fn jsonb_contained(a: &Datum, b: &Datum) -> bool {
        Json::from_datum(b)?.contains(&Json::from_datum(a)?)
    }
    fn jsonb_exists(a: &Datum, key: &str) -> bool { exists(&Json::from_datum(a)?, key) }
    fn jsonb_exists_any(a: &Datum, keys: &Datum) -> bool {
        let value = Json::from_datum(a)?;
        texts(keys).iter().any(|key| exists(&value, key))
    }
    fn jsonb_exists_all(a: &Datum, keys: &Datum) -> bool {
        let value = Json::from_datum(a)?;
        texts(keys).iter().all(|key| exists(&value, key))
    }
    fn jsonb_bool(a: &Datum) -> bool {
        match Json::from_datum(a)? {
            Json::Bool(value) => value,
            other => return Err(cannot_cast(&other, "boolean")),
        }
    }
    fn jsonb_numeric(a: &Datum) -> crate::Numeric { number(a, "numeric")? }
    fn jsonb_int2(a: &Datum) -> i16 { number(a, "smallint")?.to_integer("smallint")? }
    fn jsonb_int4(a: &Datum) -> i32 { number(a, "integer")?.to_integer("integer")? }
    fn jsonb_int8(a: &Datum) -> i64 { number(a, "bigint")?.to_integer("bigint")? }
    fn jsonb_float4(a: &Datum) -> f32 { crate::float::float4_in(&number(a, "real")?.to_string())? }
    fn jsonb_float8(a: &Datum) -> f64 {
        crate::float::float8_in(&number(a, "double precision")?.to_string())?
    }
}

/// The texts of a text array that are not NULL.
pub(super) fn texts(datum: &Datum) -> Vec<String> {
    match datum {
        Datum::List(items) => items
            .elements
            .iter()
            .filter_map(|item| match item {
                Datum::Text(text) => Some(text.to_string()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// An element by place; a bare scalar counts as an array of one.
fn element(value: &Json, index: i32) -> Option<&Json> {
    match value {
        Json::Object(_) => None,
        Json::Array(_) => value.at(i64::from(index)),
        scalar => matches!(index, 0 | -1).then_some(scalar),
    }
}

fn exists(value: &Json, key: &str) -> bool {
    match value {
        Json::Object(_) => value.get(key).is_some(),
        Json::Array(items) => {
            items.iter().any(|item| matches!(item, Json::String(text) if text == key))
        }
        Json::String(text) => text == key,
        _ => false,
    }
}
