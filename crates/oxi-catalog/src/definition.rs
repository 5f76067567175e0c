//! Definitions as SQL text, as PostgreSQL's `pg_get_…def` functions print them.

use oxi_model::descriptor::{
    ColumnDescriptor, ConstraintDescriptor, ConstraintKind, IndexColumn, ReferentialAction,
    RelationDescriptor, TableDescriptor, ViewDescriptor,
};

use crate::{catalog::Catalog, identifier};

/// `pg_get_constraintdef`: `PRIMARY KEY (id)`, `CHECK ((a > 0))`, `FOREIGN KEY (a) REFERENCES …`.
pub fn constraint_def(
    catalog: &Catalog,
    search_path: &[String],
    relation: &RelationDescriptor,
    constraint: &ConstraintDescriptor,
) -> String {
    let Some(table) = relation.as_table() else { return String::new() };
    let mut text = demand(catalog, search_path, table, constraint);
    if constraint.deferral.deferrable {
        text.push_str(" DEFERRABLE");
    }
    if constraint.deferral.initially_deferred {
        text.push_str(" INITIALLY DEFERRED");
    }
    text
}

/// What a constraint demands, without when.
fn demand(
    catalog: &Catalog,
    search_path: &[String],
    table: &TableDescriptor,
    constraint: &ConstraintDescriptor,
) -> String {
    match &constraint.kind {
        ConstraintKind::Check { expression } => format!("CHECK ({})", parenthesized(expression)),
        ConstraintKind::Unique { primary, index, columns } => {
            let distinct = catalog
                .relation(*index)
                .and_then(|relation| relation.as_index())
                .is_some_and(|index| index.nulls_not_distinct);
            let word = match (*primary, distinct) {
                (true, _) => "PRIMARY KEY",
                (false, true) => "UNIQUE NULLS NOT DISTINCT",
                (false, false) => "UNIQUE",
            };
            format!("{word} ({})", column_list(table, columns))
        }
        ConstraintKind::ForeignKey(key) => {
            let name = catalog.display_name(search_path, key.referenced_table).unwrap_or_default();
            let referenced = catalog
                .relation(key.referenced_table)
                .and_then(|relation| relation.as_table())
                .map_or_else(String::new, |table| column_list(table, &key.referenced_columns));
            let mut text = format!(
                "FOREIGN KEY ({}) REFERENCES {name}({referenced})",
                column_list(table, &key.columns)
            );
            if key.match_full {
                text.push_str(" MATCH FULL");
            }
            for (event, action) in [(" ON UPDATE ", key.on_update), (" ON DELETE ", key.on_delete)]
            {
                if let Some(word) = action_word(action) {
                    text.push_str(event);
                    text.push_str(word);
                }
            }
            text
        }
    }
}

/// `pg_get_indexdef(oid)`: `CREATE UNIQUE INDEX t_pkey ON public.t USING btree (id)`. With a
/// search path, the table's schema is left out where it finds the table.
pub fn index_def(
    catalog: &Catalog,
    relation: &RelationDescriptor,
    search_path: Option<&[String]>,
) -> Option<String> {
    let index = relation.as_index()?;
    let table_relation = catalog.relation(index.table)?;
    let table = table_relation.as_table()?;
    let name = match search_path {
        Some(path) => catalog.display_name(path, index.table)?,
        None => catalog.qualified_name(table_relation),
    };
    let keys: Vec<String> = index.columns.iter().map(|key| index_key(table, key)).collect();
    Some(format!(
        "CREATE {}INDEX {} ON {name} USING btree ({}){}",
        if index.unique { "UNIQUE " } else { "" },
        identifier::quote(&relation.name),
        keys.join(", "),
        if index.nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" },
    ))
}

/// `pg_get_indexdef(oid, position, …)`: one key column (from 1) without its order.
pub fn index_column_def(
    catalog: &Catalog,
    relation: &RelationDescriptor,
    position: usize,
) -> Option<String> {
    let index = relation.as_index()?;
    let table = catalog.relation(index.table)?.as_table()?;
    let key = index.columns.get(position.checked_sub(1)?)?;
    let (_, column) = table.column_by_id(key.column)?;
    Some(identifier::quote(&column.name).into_owned())
}

fn index_key(table: &TableDescriptor, key: &IndexColumn) -> String {
    let name = table.column_by_id(key.column).map_or("", |(_, column)| column.name.as_str());
    let mut text = identifier::quote(name).into_owned();
    if key.descending {
        text.push_str(" DESC");
    }
    match (key.descending, key.nulls_first) {
        (true, false) => text.push_str(" NULLS LAST"),
        (false, true) => text.push_str(" NULLS FIRST"),
        _ => {}
    }
    text
}

/// `pg_get_viewdef`: the query with a semicolon.
pub fn view_def(view: &ViewDescriptor) -> String {
    format!(" {};", view.query.trim().trim_end_matches(';'))
}

/// `pg_get_expr(adbin, adrelid)`: a column's default, or its generation expression.
pub fn default_text(column: &ColumnDescriptor) -> Option<String> {
    match &column.generated {
        Some(expression) => Some(parenthesized(expression)),
        None => column.default.clone(),
    }
}

/// `pg_get_serial_sequence`: the sequence that a column owns, with its schema.
pub fn serial_sequence(catalog: &Catalog, table: u32, column: u32) -> Option<String> {
    let sequences = catalog.owned_sequences(table, Some(column));
    sequences.first().map(|sequence| catalog.qualified_name(sequence))
}

/// SQL's words for an action; `None` for the default.
pub fn action_word(action: ReferentialAction) -> Option<&'static str> {
    match action {
        ReferentialAction::NoAction => None,
        ReferentialAction::Restrict => Some("RESTRICT"),
        ReferentialAction::Cascade => Some("CASCADE"),
        ReferentialAction::SetNull => Some("SET NULL"),
        ReferentialAction::SetDefault => Some("SET DEFAULT"),
    }
}

/// Column names in the order of their ids, as SQL lists them.
pub fn column_list(table: &TableDescriptor, ids: &[u32]) -> String {
    let names: Vec<String> = ids
        .iter()
        .filter_map(|id| table.column_by_id(*id))
        .map(|(_, column)| identifier::quote(&column.name).into_owned())
        .collect();
    names.join(", ")
}

/// The expression within exactly one pair of parentheses that enclose all of it.
fn parenthesized(expression: &str) -> String {
    let trimmed = expression.trim();
    if enclosed(trimmed) { trimmed.to_owned() } else { format!("({trimmed})") }
}

/// Whether the first character's parenthesis is closed by the last one.
fn enclosed(text: &str) -> bool {
    if !text.starts_with('(') || !text.ends_with(')') {
        return false;
    }
    let (mut depth, mut quote) = (0usize, None);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 && at + 1 < text.len() {
                    return false;
                }
            }
            _ => {}
        }
    }
    depth == 0
}

#[cfg(test)]
mod tests;
