//! The built-in types: names, categories, physical forms, modifiers.

mod table;

use std::sync::LazyLock;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{PhysicalType, descriptor::TypeRef};
use rustc_hash::FxHashMap;

use crate::oid;

/// A row of `pg_type`.
#[derive(Clone, Debug)]
pub struct PgType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// `typname`.
    pub name: &'static str,
    /// `typarray`: the array type over this one, or 0.
    pub array_oid: u32,
    /// `typelem`: the element type, or 0.
    pub element_oid: u32,
    /// `typcategory`.
    pub category: char,
    /// `typispreferred`.
    pub preferred: bool,
    /// `typlen`.
    pub len: i16,
    /// `typbyval`.
    pub by_val: bool,
    /// `typtype`: `b` base or `p` pseudo.
    pub kind: char,
    /// The SQL spelling, as `format_type` gives it.
    pub display: &'static str,
    /// How values lie in memory.
    pub physical: PhysicalType,
}

impl PgType {
    /// Whether this is an array type (`int2vector` and `oidvector` included).
    pub fn is_array(&self) -> bool {
        self.category == 'A'
    }

    /// The element type of an array type.
    pub fn element(&self) -> Option<&'static PgType> {
        if self.is_array() { by_oid(self.element_oid) } else { None }
    }

    /// Whether this is a pseudo-type.
    pub fn is_pseudo(&self) -> bool {
        self.kind == 'p'
    }
}

static TYPES: LazyLock<Vec<PgType>> = LazyLock::new(table::rows);
static BY_NAME: LazyLock<FxHashMap<&'static str, &'static PgType>> =
    LazyLock::new(|| TYPES.iter().map(|row| (row.name, row)).collect());

/// All built-in types in the order of oids.
pub fn all() -> &'static [PgType] {
    &TYPES
}

/// The built-in type of an oid.
pub fn by_oid(oid: u32) -> Option<&'static PgType> {
    let types = &*TYPES;
    types.binary_search_by_key(&oid, |row| row.oid).ok().map(|index| &types[index])
}

/// SQL spellings whose names in `pg_type` differ.
const ALIASES: &[(&str, &str)] = &[
    ("int", "int4"),
    ("integer", "int4"),
    ("smallint", "int2"),
    ("bigint", "int8"),
    ("real", "float4"),
    ("float", "float8"),
    ("double precision", "float8"),
    ("decimal", "numeric"),
    ("dec", "numeric"),
    ("boolean", "bool"),
    ("character varying", "varchar"),
    ("char varying", "varchar"),
    ("national character varying", "varchar"),
    ("nchar varying", "varchar"),
    ("string", "text"),
    ("character", "bpchar"),
    ("char", "bpchar"),
    ("nchar", "bpchar"),
    ("national character", "bpchar"),
    ("\"char\"", "char"),
    ("bit varying", "varbit"),
    ("timestamp without time zone", "timestamp"),
    ("timestamp with time zone", "timestamptz"),
    ("time without time zone", "time"),
    ("time with time zone", "timetz"),
];

/// The built-in type of a name: a name of `pg_type` or an SQL spelling (`integer`, `double
/// precision`), lower case, with `[]` for arrays. `char` is SQL's `character`.
pub fn by_name(name: &str) -> Option<&'static PgType> {
    let name = name.trim();
    if let Some(element) = name.strip_suffix("[]") {
        return by_name(element.trim_end_matches("[]")).and_then(|row| by_oid(row.array_oid));
    }
    if let Some((_, canonical)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return BY_NAME.get(canonical).copied();
    }
    BY_NAME.get(name).copied()
}

/// The built-in type whose `typname` is exactly this.
pub fn by_typname(name: &str) -> Option<&'static PgType> {
    BY_NAME.get(name).copied()
}

/// The SQL spelling of a type with its modifier, as `format_type(oid, typmod)` gives it.
pub fn format_type(reference: TypeRef) -> String {
    let Some(row) = by_oid(reference.oid) else {
        return if reference.oid == 0 { "-".to_owned() } else { "???".to_owned() };
    };
    if row.is_array() && row.oid != oid::INT2VECTOR && row.oid != oid::OIDVECTOR {
        let element = TypeRef { oid: row.element_oid, typmod: reference.typmod };
        return format!("{}[]", format_type(element));
    }
    let typmod = reference.typmod;
    match row.oid {
        oid::BPCHAR if typmod < 0 => "bpchar".to_owned(),
        oid::BPCHAR | oid::VARCHAR if typmod >= 4 => format!("{}({})", row.display, typmod - 4),
        oid::BIT | oid::VARBIT if typmod >= 0 => format!("{}({typmod})", row.display),
        oid::NUMERIC if typmod >= 4 => {
            let (precision, scale) = numeric_typmod(typmod);
            format!("numeric({precision},{scale})")
        }
        oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ if typmod >= 0 => {
            let (word, rest) = row.display.split_once(' ').unwrap_or((row.display, ""));
            format!("{word}({typmod}) {rest}")
        }
        oid::INTERVAL if typmod >= 0 => format_interval_typmod(typmod),
        _ => row.display.to_owned(),
    }
}

/// Precision and scale of numeric's modifier (which must be at least 4).
pub fn numeric_typmod(typmod: i32) -> (i32, i32) {
    let raw = typmod - 4;
    (((raw >> 16) & 0xffff), (((raw & 0x7ff) ^ 1024) - 1024))
}

const INTERVAL_FIELDS: &[(i32, &str)] = &[
    (0x0004, " year"),
    (0x0002, " month"),
    (0x0008, " day"),
    (0x0400, " hour"),
    (0x0800, " minute"),
    (0x1000, " second"),
    (0x0006, " year to month"),
    (0x0408, " day to hour"),
    (0x0c08, " day to minute"),
    (0x1c08, " day to second"),
    (0x0c00, " hour to minute"),
    (0x1c00, " hour to second"),
    (0x1800, " minute to second"),
];

fn format_interval_typmod(typmod: i32) -> String {
    let fields = (typmod >> 16) & 0x7fff;
    let precision = typmod & 0xffff;
    let words = INTERVAL_FIELDS.iter().find(|(mask, _)| *mask == fields).map_or("", |(_, w)| w);
    if precision == 0xffff {
        format!("interval{words}")
    } else {
        format!("interval{words}({precision})")
    }
}

/// The modifier of an interval type's field words (`day to second`), with an optional precision.
pub fn interval_typmod(fields: Option<&str>, precision: Option<i32>) -> Result<i32> {
    let mask = match fields {
        None => 0x7fff,
        Some(words) => {
            let words = words.to_ascii_lowercase();
            INTERVAL_FIELDS
                .iter()
                .find(|(_, spelled)| spelled.trim() == words.trim())
                .map(|(mask, _)| *mask)
                .ok_or_else(|| {
                    Error::new(SqlState::INVALID_PARAMETER_VALUE, "invalid INTERVAL type modifier")
                })?
        }
    };
    if fields.is_none() && precision.is_none() {
        return Ok(-1);
    }
    Ok((mask << 16) | precision.map_or(0xffff, |digits| digits.clamp(0, 6)))
}

/// Encodes the modifiers written after a type's name, as `numeric(10,2)` or `varchar(3)`.
pub fn encode_typmod(type_oid: u32, modifiers: &[i32]) -> Result<i32> {
    let bad = |message: String| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    let row = by_oid(type_oid);
    let name = row.map_or("type", |row| row.name);
    let scalar = row.filter(|row| row.is_array()).map_or(type_oid, |row| row.element_oid);
    match (scalar, modifiers) {
        (_, []) => Ok(-1),
        (oid::BPCHAR | oid::VARCHAR, [length]) => {
            let label = if scalar == oid::BPCHAR { "char" } else { "varchar" };
            if *length < 1 {
                return bad(format!("length for type {label} must be at least 1"));
            }
            if *length > 10_485_760 {
                return bad(format!("length for type {label} cannot exceed 10485760"));
            }
            Ok(length + 4)
        }
        (oid::BIT | oid::VARBIT, [length]) => {
            if *length < 1 {
                return bad(format!("length for type {name} must be at least 1"));
            }
            Ok(*length)
        }
        (oid::NUMERIC, [precision] | [precision, _]) => {
            let scale = modifiers.get(1).copied().unwrap_or(0);
            if !(1..=1000).contains(precision) {
                return bad(format!("NUMERIC precision {precision} must be between 1 and 1000"));
            }
            if !(-1000..=1000).contains(&scale) {
                return bad(format!("NUMERIC scale {scale} must be between -1000 and 1000"));
            }
            Ok(((precision << 16) | (scale & 0x7ff)) + 4)
        }
        (oid::NUMERIC, _) => bad("invalid NUMERIC type modifier".to_owned()),
        (oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ, [precision]) => {
            if *precision < 0 {
                let spelled = row.map_or("", |row| row.display);
                let word = spelled.split(' ').next().unwrap_or("").to_uppercase();
                let zone = if spelled.ends_with("with time zone") { " WITH TIME ZONE" } else { "" };
                return bad(format!("{word}({precision}){zone} precision must not be negative"));
            }
            Ok((*precision).min(6))
        }
        (oid::INTERVAL, [precision]) => interval_typmod(None, Some(*precision)),
        _ => bad(format!("type modifier is not allowed for type \"{name}\"")),
    }
}

/// Decodes a modifier into the text of the parentheses after the type's name, empty if none.
pub fn decode_typmod(reference: TypeRef) -> String {
    let formatted = format_type(reference);
    match (formatted.find('('), formatted.find(')')) {
        (Some(open), Some(close)) if reference.typmod >= 0 => formatted[open..=close].to_owned(),
        _ => String::new(),
    }
}

/// The physical type of a built-in type.
pub fn physical(type_oid: u32) -> Option<&'static PhysicalType> {
    by_oid(type_oid).map(|row| &row.physical)
}

#[cfg(test)]
mod tests;
