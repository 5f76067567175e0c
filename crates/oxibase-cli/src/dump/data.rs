//! The data: rows as COPY or INSERT, and where sequences stand.

use std::io::Write as _;

use super::Out;
use super::catalog::{Catalog, Column, Table};
use super::definition::{literal, title};
use super::progress::Progress;
use super::source::{Failure, Row, Source};

/// Types whose values are numbers to SQL's grammar. Floats are not: it has no negative zero.
const NUMBERS: &[u32] = &[20, 21, 23, 26, 1700];
const BOOL: u32 = 16;
const BITS: &[u32] = &[1560, 1562];

/// With a limit, if only one beyond all rows, a table is read from its beginning to its end. Without
/// one, parts of a large table are read side by side and come as they may; then no two dumps are
/// the same.
const IN_ORDER: &str = "LIMIT 9223372036854775807";

/// Writes the rows of all tables, then the states of all sequences.
pub(super) async fn write(
    source: &mut Source,
    catalog: &Catalog,
    inserts: bool,
    progress: &mut Progress,
    out: &mut Out,
) -> Result<(), Failure> {
    for table in &catalog.tables {
        out.write_all(title(&table.relation, "TABLE DATA").as_bytes())?;
        progress.start(&table.relation.display);
        let columns: Vec<&Column> =
            table.columns.iter().filter(|column| !column.is_generated).collect();
        if columns.is_empty() {
            default_rows(source, table, out).await?;
        } else if inserts {
            insert_rows(source, table, &columns, progress, out).await?;
        } else {
            copy_rows(source, table, &columns, progress, out).await?;
        }
    }
    progress.end();
    for sequence in &catalog.sequences {
        let name = &sequence.relation.display;
        let state = source.rows(&format!("SELECT last_value, is_called FROM {name}")).await?;
        let Some(state) = state.first() else { continue };
        out.write_all(title(&sequence.relation, "SEQUENCE SET").as_bytes())?;
        let (last, is_called) = (state.text(0), state.is_true(1));
        writeln!(out, "SELECT pg_catalog.setval({}, {last}, {is_called});\n\n", literal(name))?;
    }
    Ok(())
}

fn names(columns: &[&Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    names.join(", ")
}

/// Rows without a value of their own: COPY has no form for them.
async fn default_rows(source: &mut Source, table: &Table, out: &mut Out) -> Result<(), Failure> {
    let name = &table.relation.display;
    let rows = source.rows(&format!("SELECT count(*) FROM ONLY {name}")).await?;
    let count: u64 = rows.first().and_then(|row| row.text(0).parse().ok()).unwrap_or(0);
    for _ in 0..count {
        writeln!(out, "INSERT INTO {name} DEFAULT VALUES;")?;
    }
    writeln!(out, "\n")?;
    Ok(())
}

async fn copy_rows(
    source: &mut Source,
    table: &Table,
    columns: &[&Column],
    progress: &mut Progress,
    out: &mut Out,
) -> Result<(), Failure> {
    let (name, names) = (&table.relation.display, names(columns));
    writeln!(out, "COPY {name} ({names}) FROM stdin;")?;
    let copy = format!("COPY (SELECT {names} FROM ONLY {name} {IN_ORDER}) TO STDOUT");
    source
        .each_piece(&copy, |piece| {
            out.write_all(piece)?;
            // The text format ends rows, and nothing else, with this byte.
            progress.add(piece.split(|byte| *byte == b'\n').count() as u64 - 1);
            Ok(())
        })
        .await?;
    writeln!(out, "\\.\n\n")?;
    Ok(())
}

async fn insert_rows(
    source: &mut Source,
    table: &Table,
    columns: &[&Column],
    progress: &mut Progress,
    out: &mut Out,
) -> Result<(), Failure> {
    let (name, names) = (&table.relation.display, names(columns));
    let overriding = if columns.iter().any(|column| column.identity == "a") {
        " OVERRIDING SYSTEM VALUE"
    } else {
        ""
    };
    let types: Vec<u32> = columns.iter().map(|column| column.type_oid).collect();
    let head = format!("INSERT INTO {name} ({names}){overriding} VALUES (");
    source
        .each_row(&format!("SELECT {names} FROM ONLY {name} {IN_ORDER}"), |row| {
            writeln!(out, "{head}{});", values(row, &types))?;
            progress.add(1);
            Ok(())
        })
        .await?;
    writeln!(out, "\n")?;
    Ok(())
}

fn values(row: &Row, types: &[u32]) -> String {
    let mut text = String::new();
    for (value, type_oid) in row.values().iter().zip(types) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        match value {
            None => text.push_str("NULL"),
            Some(value) => text.push_str(&constant(value, *type_oid)),
        }
    }
    text
}

/// A value as SQL writes it.
fn constant(value: &str, type_oid: u32) -> String {
    // NaN and infinities are words.
    let is_number = || value.bytes().all(|byte| b"0123456789+-eE.".contains(&byte));
    if type_oid == BOOL {
        return if value == "t" { "true" } else { "false" }.to_owned();
    }
    if NUMBERS.contains(&type_oid) && is_number() {
        return value.to_owned();
    }
    if BITS.contains(&type_oid) {
        return format!("B'{value}'");
    }
    literal(value)
}
