//! jsonb values in memory.

use std::fmt::Write as _;

use std::cmp::Ordering;

use oxi_base::Result;
use oxi_model::Datum;

use super::{
    binary::encode,
    parse::{Node, NodeKind, parse},
};
use crate::numeric::Numeric;

/// A jsonb value. Objects are sorted by key (length, then bytes) without duplicates.
#[derive(Clone, PartialEq, Debug)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number, as numeric writes it.
    Number(String),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

/// Appends a JSON string literal.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn key_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

impl Json {
    /// Reads jsonb's text form.
    pub fn parse(text: &str) -> Result<Json> {
        Self::from_node(text, &parse(text, "json")?)
    }

    fn from_node(text: &str, node: &Node) -> Result<Json> {
        Ok(match &node.kind {
            NodeKind::Null => Json::Null,
            NodeKind::Bool(value) => Json::Bool(*value),
            NodeKind::Number => {
                Json::Number(Numeric::parse(&text[node.start..node.end])?.to_string())
            }
            NodeKind::String(value) => {
                if value.contains('\0') {
                    return Err(oxi_base::Error::new(
                        oxi_base::SqlState::UNTRANSLATABLE_CHARACTER,
                        "unsupported Unicode escape sequence",
                    )
                    .with_detail("\\u0000 cannot be converted to text."));
                }
                Json::String(value.clone())
            }
            NodeKind::Array(items) => Json::Array(
                items.iter().map(|item| Self::from_node(text, item)).collect::<Result<_>>()?,
            ),
            NodeKind::Object(members) => Json::object(
                members
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), Self::from_node(text, value)?)))
                    .collect::<Result<_>>()?,
            ),
        })
    }

    /// An object of members in any order; of equal keys the last one counts.
    pub fn object(mut members: Vec<(String, Json)>) -> Json {
        members.sort_by(|a, b| key_order(&a.0, &b.0));
        let mut kept: Vec<(String, Json)> = Vec::with_capacity(members.len());
        for member in members {
            match kept.last_mut() {
                Some(last) if last.0 == member.0 => *last = member,
                _ => kept.push(member),
            }
        }
        Json::Object(kept)
    }

    /// The value behind a jsonb datum.
    pub fn from_datum(datum: &Datum) -> Result<Json> {
        match datum {
            Datum::Bytes(bytes) => super::decode(bytes),
            other => Err(oxi_base::Error::bug(format!("{other:?} read as jsonb"))),
        }
    }

    /// The jsonb datum.
    pub fn to_datum(&self) -> Datum {
        Datum::bytes(encode(self))
    }

    /// A member of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members
                .binary_search_by(|(name, _)| key_order(name, key))
                .ok()
                .map(|at| &members[at].1),
            _ => None,
        }
    }

    /// An element of an array; negative places count from the end.
    pub fn at(&self, index: i64) -> Option<&Json> {
        match self {
            Json::Array(items) => {
                let place = if index < 0 { items.len() as i64 + index } else { index };
                usize::try_from(place).ok().and_then(|place| items.get(place))
            }
            _ => None,
        }
    }

    /// The text that `->>` gives: strings bare, `null` as NULL.
    pub fn as_text(&self) -> Option<String> {
        match self {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// `jsonb_typeof`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    /// Appends the text form.
    pub fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) => out.push_str(text),
            Json::String(text) => quote(text, out),
            Json::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    quote(key, out);
                    out.push_str(": ");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Appends the text form over several lines (`jsonb_pretty`).
    pub fn write_pretty(&self, depth: usize, out: &mut String) {
        let line = |depth: usize, out: &mut String| {
            out.push('\n');
            for _ in 0..depth {
                out.push_str("    ");
            }
        };
        match self {
            Json::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    line(depth + 1, out);
                    item.write_pretty(depth + 1, out);
                }
                line(depth, out);
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    line(depth + 1, out);
                    quote(key, out);
                    out.push_str(": ");
                    value.write_pretty(depth + 1, out);
                }
                line(depth, out);
                out.push('}');
            }
            other => other.write(out),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Json::Null => 0,
            Json::String(_) => 1,
            Json::Number(_) => 2,
            Json::Bool(_) => 3,
            Json::Array(_) => 4,
            Json::Object(_) => 5,
        }
    }

    /// PostgreSQL's order: objects over arrays over booleans over numbers over strings over null,
    /// larger containers over smaller ones.
    pub fn compare(&self, other: &Json) -> Ordering {
        match (self, other) {
            (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
            (Json::Number(a), Json::Number(b)) => match (Numeric::parse(a), Numeric::parse(b)) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                _ => a.cmp(b),
            },
            (Json::String(a), Json::String(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Json::Array(a), Json::Array(b)) => a.len().cmp(&b.len()).then_with(|| {
                a.iter()
                    .zip(b)
                    .map(|(x, y)| x.compare(y))
                    .find(|order| order.is_ne())
                    .unwrap_or(Ordering::Equal)
            }),
            (Json::Object(a), Json::Object(b)) => a.len().cmp(&b.len()).then_with(|| {
                a.iter()
                    .zip(b)
                    .map(|((k1, v1), (k2, v2))| {
                        k1.as_bytes().cmp(k2.as_bytes()).then_with(|| v1.compare(v2))
                    })
                    .find(|order| order.is_ne())
                    .unwrap_or(Ordering::Equal)
            }),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    /// With numbers in one form, so that equal values are identical.
    pub fn normalized(&self) -> Json {
        match self {
            Json::Number(text) => Json::Number(match Numeric::parse(text) {
                Ok(value) => value.trim_scale().to_string(),
                Err(_) => text.clone(),
            }),
            Json::Array(items) => Json::Array(items.iter().map(Json::normalized).collect()),
            Json::Object(members) => Json::Object(
                members.iter().map(|(key, value)| (key.clone(), value.normalized())).collect(),
            ),
            other => other.clone(),
        }
    }

    /// `@>`: whether all of `other` is somewhere in here.
    pub fn contains(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Object(_), Json::Object(wanted)) => wanted.iter().all(|(key, value)| {
                self.get(key).is_some_and(|found| match (found, value) {
                    (Json::Object(_), Json::Object(_)) | (Json::Array(_), Json::Array(_)) => {
                        found.contains(value)
                    }
                    _ => found.compare(value).is_eq(),
                })
            }),
            (Json::Array(items), Json::Array(wanted)) => wanted.iter().all(|value| {
                items.iter().any(|item| match (item, value) {
                    (Json::Object(_), Json::Object(_)) | (Json::Array(_), Json::Array(_)) => {
                        item.contains(value)
                    }
                    _ => item.compare(value).is_eq(),
                })
            }),
            // A bare scalar may stand for an array of it.
            (Json::Array(items), scalar) if !matches!(scalar, Json::Object(_)) => {
                items.iter().any(|item| item.compare(scalar).is_eq())
            }
            _ => self.compare(other).is_eq(),
        }
    }
}

impl std::fmt::Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}
