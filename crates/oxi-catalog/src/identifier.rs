//! Identifiers as SQL writes them, and the names that PostgreSQL gives to unnamed objects.

use std::borrow::Cow;

use crate::catalog::Catalog;

/// Most bytes of an identifier.
pub const LENGTH_MAX: usize = 63;

/// PostgreSQL 15's keywords that cannot be written as plain identifiers everywhere, sorted.
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

/// The identifier as SQL must write it: quoted if it is not a plain lower-case name.
pub fn quote(name: &str) -> Cow<'_, str> {
    let mut bytes = name.bytes();
    let plain = bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && KEYWORDS.binary_search(&name).is_err();
    if plain {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
    }
}

/// `schema.name`, each quoted as needed.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote(schema), quote(name))
}

/// A string literal.
pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// The longest prefix of at most `bytes` bytes that ends between characters.
pub fn clip(name: &str, bytes: usize) -> &str {
    &name[..name.floor_char_boundary(bytes)]
}

/// `first[_second][_label]`, the longer of the first two shortened until it all fits.
pub fn object_name(first: &str, second: Option<&str>, label: &str) -> String {
    let mut overhead = 0;
    if second.is_some() {
        overhead += 1;
    }
    if !label.is_empty() {
        overhead += label.len() + 1;
    }
    let room = LENGTH_MAX.saturating_sub(overhead);
    let (mut first_length, mut second_length) = (first.len(), second.map_or(0, str::len));
    while first_length + second_length > room {
        if first_length > second_length {
            first_length -= 1;
        } else {
            second_length -= 1;
        }
    }
    let mut name = clip(first, first_length).to_owned();
    if let Some(second) = second {
        name.push('_');
        name.push_str(clip(second, second_length));
    }
    if !label.is_empty() {
        name.push('_');
        name.push_str(label);
    }
    name
}

/// The first of `first_second_label`, `…label1`, `…label2` … that is not taken.
pub fn choose(
    first: &str,
    second: Option<&str>,
    label: &str,
    taken: impl Fn(&str) -> bool,
) -> String {
    let mut name = object_name(first, second, label);
    let mut pass = 0u32;
    while taken(&name) {
        pass += 1;
        name = object_name(first, second, &format!("{label}{pass}"));
    }
    name
}

/// Column names joined with `_`, as they enter generated names.
pub fn joined_columns<'a>(columns: impl IntoIterator<Item = &'a str>) -> String {
    let mut joined = String::new();
    for column in columns {
        if !joined.is_empty() {
            joined.push('_');
        }
        joined.push_str(column);
        if joined.len() > LENGTH_MAX {
            break;
        }
    }
    clip(&joined, LENGTH_MAX).to_owned()
}

/// What a generated name is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Generated {
    /// `t_pkey`
    PrimaryKey,
    /// `t_a_b_key`
    Unique,
    /// `t_a_idx`
    Index,
    /// `t_a_fkey`
    ForeignKey,
    /// `t_a_check`, or `t_check` if not about exactly one column
    Check,
    /// `t_a_seq`
    Sequence,
}

impl Catalog {
    /// The name PostgreSQL would give: from the table's name and the columns, unlike every
    /// relation and constraint of the schema and every name in `pending` (those the same statement
    /// is about to create).
    pub fn generate_name(
        &self,
        schema: u32,
        what: Generated,
        table: &str,
        columns: &[&str],
        pending: &[String],
    ) -> String {
        let joined = joined_columns(columns.iter().copied());
        let columns = match what {
            Generated::PrimaryKey => None,
            Generated::Check => (columns.len() == 1).then_some(joined.as_str()),
            _ => Some(joined.as_str()),
        };
        let label = match what {
            Generated::PrimaryKey => "pkey",
            Generated::Unique => "key",
            Generated::Index => "idx",
            Generated::ForeignKey => "fkey",
            Generated::Check => "check",
            Generated::Sequence => "seq",
        };
        let relations = !matches!(what, Generated::ForeignKey | Generated::Check);
        let constraints = !matches!(what, Generated::Index | Generated::Sequence);
        choose(table, columns, label, |name| {
            pending.iter().any(|taken| taken == name)
                || (relations && self.relation_by_name(schema, name).is_some())
                || (constraints && self.constraint_name_taken(schema, name))
        })
    }

    fn constraint_name_taken(&self, schema: u32, name: &str) -> bool {
        self.relations_in(schema)
            .filter_map(|relation| relation.as_table())
            .any(|table| table.constraints.iter().any(|constraint| constraint.name == name))
    }
}

#[cfg(test)]
mod tests;
