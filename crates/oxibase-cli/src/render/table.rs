//! Tables with lines, and records with one value a line.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use super::{Row, is_number};
use crate::client::Field;

/// How many terminal columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// A value's lines, with what would disturb the terminal made visible.
fn lines(value: &str) -> impl Iterator<Item = String> {
    value.split('\n').map(|line| {
        let plain = !line.contains(|c: char| c.is_control());
        if plain {
            return line.to_owned();
        }
        line.chars().fold(String::new(), |mut text, c| {
            match c {
                '\t' => text.push_str("    "),
                c if c.is_control() => text.extend(c.escape_default()),
                c => text.push(c),
            }
            text
        })
    })
}

/// A table with lines around its cells. `header`: with the names of the columns.
pub(super) fn boxed(
    out: &mut dyn Write,
    fields: &[Field],
    rows: &[Row],
    header: bool,
) -> io::Result<()> {
    if fields.is_empty() {
        return Ok(());
    }
    let mut widths: Vec<usize> = fields.iter().map(|field| width(&field.name)).collect();
    for row in rows {
        for (column, value) in widths.iter_mut().zip(row) {
            let longest = lines(value.as_deref().unwrap_or("")).map(|line| width(&line)).max();
            *column = (*column).max(longest.unwrap_or(0));
        }
    }
    rule(out, &widths, ['┌', '┬', '┐'])?;
    let pad = |at: usize, pad: usize| {
        if is_number(fields[at].type_oid) { (pad, 0) } else { (0, pad) }
    };
    if header {
        let names: Vec<Vec<String>> = fields.iter().map(|f| lines(&f.name).collect()).collect();
        cells(out, &widths, &names, pad)?;
        rule(out, &widths, ['├', '┼', '┤'])?;
    }
    for row in rows {
        let values: Vec<Vec<String>> =
            row.iter().map(|value| lines(value.as_deref().unwrap_or("")).collect()).collect();
        cells(out, &widths, &values, pad)?;
    }
    rule(out, &widths, ['└', '┴', '┘'])
}

fn rule(out: &mut dyn Write, widths: &[usize], [left, middle, right]: [char; 3]) -> io::Result<()> {
    write!(out, "{left}")?;
    for (at, width) in widths.iter().enumerate() {
        if at > 0 {
            write!(out, "{middle}")?;
        }
        write!(out, "{}", "─".repeat(width + 2))?;
    }
    writeln!(out, "{right}")
}

/// One row of cells, as many lines high as its highest cell.
fn cells(
    out: &mut dyn Write,
    widths: &[usize],
    values: &[Vec<String>],
    pads: impl Fn(usize, usize) -> (usize, usize),
) -> io::Result<()> {
    let height = values.iter().map(Vec::len).max().unwrap_or(1);
    for level in 0..height {
        for (at, column) in widths.iter().enumerate() {
            let text = values.get(at).and_then(|lines| lines.get(level)).map_or("", String::as_str);
            let (before, after) = pads(at, column - width(text));
            write!(out, "│ {}{text}{} ", " ".repeat(before), " ".repeat(after))?;
        }
        writeln!(out, "│")?;
    }
    Ok(())
}

/// A row as a list of names and values.
pub(super) fn record(out: &mut dyn Write, fields: &[Field], row: &Row) -> io::Result<()> {
    let longest = fields.iter().map(|field| width(&field.name)).max().unwrap_or(0);
    for (field, value) in fields.iter().zip(row) {
        let pad = " ".repeat(longest - width(&field.name));
        for (at, line) in lines(value.as_deref().unwrap_or("")).enumerate() {
            if at == 0 {
                writeln!(out, "{}{pad} | {line}", field.name)?;
            } else {
                writeln!(out, "{} | {line}", " ".repeat(longest))?;
            }
        }
    }
    Ok(())
}
