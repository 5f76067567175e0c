//! Definitions as SQL text.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::catalog::{Catalog, Column, Owner, Relation, Sequence, Table, View};

/// Settings under which the dump restores, whatever those of the session are.
pub(super) const HEADER: &str = "\
--
-- Oxibase database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

";

/// The end, by which one sees that nothing is missing.
pub(super) const FOOTER: &str = "\
--
-- Oxibase database dump complete
--

";

/// The comment that PostgreSQL itself gives to `public`.
const USUAL_COMMENT: &str = "standard public schema";

/// Schemas, sequences, tables: all that has to be there before the rows.
pub(super) fn before_data(
    catalog: &Catalog,
    is_partial: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(schemas(catalog, is_partial).as_bytes())?;
    for sequence in catalog.sequences.iter().filter(|sequence| !is_identity(sequence)) {
        out.write_all(title(&sequence.relation, "SEQUENCE").as_bytes())?;
        let name = &sequence.relation.display;
        let mut text = format!("CREATE SEQUENCE {name}\n");
        if sequence.data_type != "bigint" {
            let _ = writeln!(text, "    AS {}", sequence.data_type);
        }
        text.push_str(&sequence_options(sequence));
        text.push_str(";\n\n\n");
        text.push_str(&comment("SEQUENCE", &sequence.relation));
        out.write_all(text.as_bytes())?;
    }
    for table in &catalog.tables {
        out.write_all(title(&table.relation, "TABLE").as_bytes())?;
        out.write_all(create_table(table).as_bytes())?;
        for sequence in &catalog.sequences {
            if let Some(owner) = &sequence.owner
                && owner.table == table.relation.oid
            {
                out.write_all(owned(table, sequence, owner).as_bytes())?;
            }
        }
        out.write_all(table_comments(table).as_bytes())?;
    }
    Ok(())
}

/// Constraints, indexes, foreign keys, views: all that is better made when the rows are there.
pub(super) fn after_data(catalog: &Catalog, out: &mut impl Write) -> io::Result<()> {
    let is_foreign = |kind: &str| kind == "f";
    for table in &catalog.tables {
        constraints(
            table,
            |kind, is_validated| !is_foreign(kind) && !inline(kind, is_validated),
            out,
        )?;
    }
    for table in &catalog.tables {
        for index in &table.indexes {
            let name = &index.display;
            out.write_all(header(&index.plain, "INDEX", &table.relation.schema).as_bytes())?;
            write!(out, "{};\n\n\n", index.definition)?;
            if let Some(comment) = &index.comment {
                write!(out, "COMMENT ON INDEX {name} IS {};\n\n\n", literal(comment))?;
            }
        }
    }
    for table in &catalog.tables {
        constraints(table, |kind, _| is_foreign(kind), out)?;
    }
    for view in &catalog.views {
        out.write_all(title(&view.relation, "VIEW").as_bytes())?;
        out.write_all(create_view(view).as_bytes())?;
    }
    Ok(())
}

fn schemas(catalog: &Catalog, is_partial: bool) -> String {
    let mut text = String::new();
    for schema in &catalog.schemas {
        let name = &schema.display;
        let usual = schema.comment.as_deref() == Some(USUAL_COMMENT) && schema.name == "public";
        let comment = schema.comment.as_ref().filter(|_| !usual);
        if schema.name == "public" && comment.is_none() {
            continue;
        }
        let _ = write!(text, "--\n-- Name: {}; Type: SCHEMA\n--\n\n", in_comment(&schema.name));
        if schema.name != "public" {
            let _ = write!(text, "CREATE SCHEMA {name};\n\n\n");
        }
        if let Some(comment) = comment {
            let _ = write!(text, "COMMENT ON SCHEMA {name} IS {};\n\n\n", literal(comment));
        }
    }
    // Every new database has this schema, until someone drops it.
    if !is_partial && !catalog.schemas.iter().any(|schema| schema.name == "public") {
        text.push_str("--\n-- Name: public; Type: SCHEMA\n--\n\nDROP SCHEMA public;\n\n\n");
    }
    text
}

fn is_identity(sequence: &Sequence) -> bool {
    sequence.owner.as_ref().is_some_and(|owner| owner.is_identity)
}

/// Whether a constraint stands in CREATE TABLE: a check, unless rows may violate it.
fn inline(kind: &str, is_validated: bool) -> bool {
    kind == "c" && is_validated
}

fn create_table(table: &Table) -> String {
    let mut lines: Vec<String> = table.columns.iter().map(column).collect();
    lines.extend(
        table
            .constraints
            .iter()
            .filter(|found| inline(&found.kind, found.is_validated))
            .map(|found| format!("    CONSTRAINT {} {}", found.name, found.definition)),
    );
    let name = &table.relation.display;
    let body = if lines.is_empty() { String::new() } else { format!("{}\n", lines.join(",\n")) };
    format!("CREATE TABLE {name} (\n{body});\n\n\n")
}

fn column(column: &Column) -> String {
    let mut text = format!("    {} {}", column.name, column.data_type);
    if let Some(expression) = &column.expression {
        if column.is_generated {
            let _ = write!(text, " GENERATED ALWAYS AS ({expression}) STORED");
        } else {
            let _ = write!(text, " DEFAULT {expression}");
        }
    }
    if column.is_not_null {
        text.push_str(" NOT NULL");
    }
    text
}

fn sequence_options(sequence: &Sequence) -> String {
    let bound = |word: &str, value: Option<i64>| match value {
        Some(value) => format!("    {word} {value}\n"),
        None => format!("    NO {word}\n"),
    };
    format!(
        "    START WITH {}\n    INCREMENT BY {}\n{}{}    CACHE {}{}",
        sequence.start,
        sequence.increment,
        bound("MINVALUE", sequence.min),
        bound("MAXVALUE", sequence.max),
        sequence.cache,
        if sequence.is_cycle { "\n    CYCLE" } else { "" },
    )
}

/// What ties a sequence to the column that it belongs to.
fn owned(table: &Table, sequence: &Sequence, owner: &Owner) -> String {
    let Some(column) = table.columns.iter().find(|column| column.number == owner.column) else {
        return String::new();
    };
    let (table, name) = (&table.relation.display, &sequence.relation.display);
    if !owner.is_identity {
        return format!("ALTER SEQUENCE {name} OWNED BY {table}.{};\n\n\n", column.name);
    }
    let when = if column.identity == "a" { "ALWAYS" } else { "BY DEFAULT" };
    let mut text = format!(
        "ALTER TABLE {table} ALTER COLUMN {} ADD GENERATED {when} AS IDENTITY (\n    \
         SEQUENCE NAME {name}\n{}\n);\n\n\n",
        column.name,
        sequence_options(sequence),
    );
    text.push_str(&comment("SEQUENCE", &sequence.relation));
    text
}

fn table_comments(table: &Table) -> String {
    let mut text = comment("TABLE", &table.relation);
    text.push_str(&column_comments(&table.relation, &table.columns));
    for constraint in table.constraints.iter().filter(|c| inline(&c.kind, c.is_validated)) {
        text.push_str(&constraint_comment(table, &constraint.name, constraint.comment.as_ref()));
    }
    text
}

fn column_comments(relation: &Relation, columns: &[Column]) -> String {
    let mut text = String::new();
    for column in columns {
        if let Some(comment) = &column.comment {
            let (table, name, comment) = (&relation.display, &column.name, literal(comment));
            let _ = write!(text, "COMMENT ON COLUMN {table}.{name} IS {comment};\n\n\n");
        }
    }
    text
}

fn constraint_comment(table: &Table, name: &str, comment: Option<&String>) -> String {
    let Some(comment) = comment else { return String::new() };
    let (table, comment) = (&table.relation.display, literal(comment));
    format!("COMMENT ON CONSTRAINT {name} ON {table} IS {comment};\n\n\n")
}

fn constraints(
    table: &Table,
    is_wanted: impl Fn(&str, bool) -> bool,
    out: &mut impl Write,
) -> io::Result<()> {
    for constraint in table.constraints.iter().filter(|c| is_wanted(&c.kind, c.is_validated)) {
        let kind = match constraint.kind.as_str() {
            "f" => "FK CONSTRAINT",
            "c" => "CHECK CONSTRAINT",
            _ => "CONSTRAINT",
        };
        let label = format!("{} {}", table.relation.name, constraint.plain);
        out.write_all(header(&label, kind, &table.relation.schema).as_bytes())?;
        let (name, definition) = (&constraint.name, &constraint.definition);
        let table_name = &table.relation.display;
        write!(
            out,
            "ALTER TABLE ONLY {table_name}\n    ADD CONSTRAINT {name} {definition};\n\n\n"
        )?;
        let comment = constraint_comment(table, name, constraint.comment.as_ref());
        out.write_all(comment.as_bytes())?;
        if let Some((index, comment)) = &constraint.index_comment {
            write!(out, "COMMENT ON INDEX {index} IS {};\n\n\n", literal(comment))?;
        }
    }
    Ok(())
}

fn create_view(view: &View) -> String {
    let relation = &view.relation;
    let names: Vec<&str> = view.columns.iter().map(|column| column.name.as_str()).collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let query = view.definition.trim_end().trim_end_matches(';');
    let mut text = format!("CREATE VIEW {}{names} AS\n{query};\n\n\n", relation.display);
    text.push_str(&comment("VIEW", relation));
    text.push_str(&column_comments(relation, &view.columns));
    text
}

fn comment(kind: &str, relation: &Relation) -> String {
    let Some(comment) = &relation.comment else { return String::new() };
    format!("COMMENT ON {kind} {} IS {};\n\n\n", relation.display, literal(comment))
}

/// The comment above an object of the dump.
pub(super) fn title(relation: &Relation, kind: &str) -> String {
    header(&relation.name, kind, &relation.schema)
}

fn header(name: &str, kind: &str, schema: &str) -> String {
    format!(
        "--\n-- Name: {}; Type: {kind}; Schema: {}\n--\n\n",
        in_comment(name),
        in_comment(schema)
    )
}

/// A name in a comment, which must not end before the name does.
fn in_comment(name: &str) -> String {
    name.replace(['\n', '\r'], " ")
}

/// A string as an SQL constant, where backslashes stand for themselves.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
