//! Results as text, in the formats that `--format` names.

mod table;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use crate::args::Format;
use crate::client::Field;

/// A row as it came over the wire.
pub(crate) type Row = Vec<Option<String>>;

/// Writes one result after another in one format.
pub(crate) struct Renderer {
    pub(crate) format: Format,
    /// One value a line, for wide rows (`\x`).
    pub(crate) expanded: bool,
    /// Rows only: no names of columns, no number of rows (`\t`).
    pub(crate) tuples_only: bool,
    /// What stands for NULL, except in JSON.
    pub(crate) null: String,
    fields: Vec<Field>,
    /// Rows of formats that must see them all before the first is written.
    kept: Vec<Row>,
    count: u64,
}

impl Renderer {
    pub(crate) fn new(format: Format) -> Self {
        Renderer {
            format,
            expanded: false,
            tuples_only: false,
            null: String::new(),
            fields: Vec::new(),
            kept: Vec::new(),
            count: 0,
        }
    }

    fn keeps(&self) -> bool {
        self.format == Format::Box && !self.expanded
    }

    /// Starts a result.
    pub(crate) fn start(&mut self, fields: Vec<Field>, out: &mut dyn Write) -> io::Result<()> {
        self.fields = fields;
        self.kept.clear();
        self.count = 0;
        let names = self.fields.iter().map(|field| field.name.as_str());
        match self.format {
            Format::Csv | Format::Plain if self.tuples_only => Ok(()),
            Format::Csv => csv_line(out, names.map(Some)),
            Format::Plain => plain_line(out, names.map(Some)),
            Format::Markdown => {
                markdown_line(out, names.map(Some))?;
                let rules = self
                    .fields
                    .iter()
                    .map(|field| if is_number(field.type_oid) { " ---: |" } else { " --- |" });
                writeln!(out, "|{}", rules.collect::<String>())
            }
            Format::Json => write!(out, "["),
            _ => Ok(()),
        }
    }

    /// Takes a row.
    pub(crate) fn row(&mut self, mut row: Row, out: &mut dyn Write) -> io::Result<()> {
        self.count += 1;
        if !self.null.is_empty() && !matches!(self.format, Format::Json | Format::Jsonl) {
            for value in &mut row {
                value.get_or_insert_with(|| self.null.clone());
            }
        }
        if self.keeps() {
            self.kept.push(row);
            return Ok(());
        }
        let values = row.iter().map(Option::as_deref);
        match self.format {
            Format::Csv => csv_line(out, values),
            Format::Plain => plain_line(out, values),
            Format::Markdown => markdown_line(out, values),
            Format::Json => {
                writeln!(out, "{}", if self.count > 1 { "," } else { "" })?;
                write!(out, "  ")?;
                json_object(out, &self.fields, &row)
            }
            Format::Jsonl => {
                json_object(out, &self.fields, &row)?;
                writeln!(out)
            }
            Format::Line => {
                if self.count > 1 {
                    writeln!(out)?;
                }
                line(out, &self.fields, &row)
            }
            Format::Box => {
                if !self.tuples_only {
                    writeln!(out, "-[ RECORD {} ]{}", self.count, "-".repeat(20))?;
                }
                table::record(out, &self.fields, &row)
            }
        }
    }

    /// Gives a result up: an error came. What was shown stays.
    pub(crate) fn abandon(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.format == Format::Box && self.count == 0 { Ok(()) } else { self.end(false, out) }
    }

    /// Ends a result. `footer`: say how many rows there were.
    pub(crate) fn end(&mut self, footer: bool, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            Format::Json if self.count == 0 => writeln!(out, "]"),
            Format::Json => writeln!(out, "\n]"),
            Format::Box => {
                if self.keeps() {
                    table::boxed(out, &self.fields, &self.kept, !self.tuples_only)?;
                    self.kept = Vec::new();
                }
                if footer && !self.tuples_only {
                    let plural = if self.count == 1 { "" } else { "s" };
                    writeln!(out, "({} row{plural})", self.count)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Whether a type's values are numbers: they stand at the right and go bare into JSON.
fn is_number(type_oid: u32) -> bool {
    // int8, int2, int4, oid, float4, float8, money, numeric
    matches!(type_oid, 20 | 21 | 23 | 26 | 700 | 701 | 790 | 1700)
}

fn csv_line<'a>(
    out: &mut dyn Write,
    values: impl Iterator<Item = Option<&'a str>>,
) -> io::Result<()> {
    for (at, value) in values.enumerate() {
        if at > 0 {
            write!(out, ",")?;
        }
        match value {
            None => {}
            // Quoted, so that it differs from NULL.
            Some("") => write!(out, "\"\"")?,
            Some(text) if text.contains([',', '"', '\n', '\r']) => {
                write!(out, "\"{}\"", text.replace('"', "\"\""))?;
            }
            Some(text) => write!(out, "{text}")?,
        }
    }
    writeln!(out)
}

fn plain_line<'a>(
    out: &mut dyn Write,
    values: impl Iterator<Item = Option<&'a str>>,
) -> io::Result<()> {
    for (at, value) in values.enumerate() {
        write!(out, "{}{}", if at > 0 { "|" } else { "" }, value.unwrap_or(""))?;
    }
    writeln!(out)
}

fn markdown_line<'a>(
    out: &mut dyn Write,
    values: impl Iterator<Item = Option<&'a str>>,
) -> io::Result<()> {
    write!(out, "|")?;
    for value in values {
        let text = value.unwrap_or("").replace('|', "\\|").replace('\n', "<br>");
        write!(out, " {text} |")?;
    }
    writeln!(out)
}

fn line(out: &mut dyn Write, fields: &[Field], row: &Row) -> io::Result<()> {
    let width = fields.iter().map(|field| table::width(&field.name)).max().unwrap_or(0);
    for (field, value) in fields.iter().zip(row) {
        let pad = " ".repeat(width - table::width(&field.name));
        writeln!(out, "{pad}{} = {}", field.name, value.as_deref().unwrap_or(""))?;
    }
    Ok(())
}

fn json_object(out: &mut dyn Write, fields: &[Field], row: &Row) -> io::Result<()> {
    write!(out, "{{")?;
    for (at, (field, value)) in fields.iter().zip(row).enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        write!(out, "{comma}{}: ", serde_json::Value::from(field.name.as_str()))?;
        match value {
            None => write!(out, "null")?,
            Some(text) => json_value(out, field.type_oid, text)?,
        }
    }
    write!(out, "}}")
}

fn json_value(out: &mut dyn Write, type_oid: u32, text: &str) -> io::Result<()> {
    match (type_oid, text) {
        (16, "t") => write!(out, "true"),
        (16, "f") => write!(out, "false"),
        // json and jsonb are JSON already; on one line for jsonl.
        (114 | 3802, text) if !text.contains('\n') => write!(out, "{text}"),
        (oid, text) if is_number(oid) && text.parse::<serde_json::Number>().is_ok() => {
            write!(out, "{text}")
        }
        (_, text) => write!(out, "{}", serde_json::Value::from(text)),
    }
}
