//! Errors and notices as the user sees them: the message, the line, and a caret under the word.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

use crate::client::ServerError;

/// How much of a long line is shown around the place.
const SHOWN: usize = 72;

/// An error or a notice about the statement `sql`. `place` names a script's file and line.
pub(crate) fn describe(error: &ServerError, sql: &str, place: &str) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{place}{}:  {}", error.severity, error.message);
    if let Some(position) = error.position {
        text.push_str(&pointer(sql, position));
    }
    for (label, value) in
        [("DETAIL", &error.detail), ("HINT", &error.hint), ("CONTEXT", &error.context)]
    {
        if let Some(value) = value {
            let _ = writeln!(text, "{label}:  {value}");
        }
    }
    if error.severity != "NOTICE" {
        let _ = writeln!(text, "SQLSTATE:  {}", error.code);
    }
    text
}

/// The line that holds the character at `position` (1-based), and a caret below it.
fn pointer(sql: &str, position: usize) -> String {
    let before: String = sql.chars().take(position.saturating_sub(1)).collect();
    let number = before.matches('\n').count() + 1;
    let Some(line) = sql.lines().nth(number - 1) else {
        return String::new();
    };
    let column = before.chars().rev().take_while(|c| *c != '\n').count();
    let chars: Vec<char> = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
    let start = if column > SHOWN * 2 / 3 && chars.len() > SHOWN { column - SHOWN / 2 } else { 0 };
    let end = (start + SHOWN).min(chars.len());
    let label = format!("LINE {number}: {}", if start > 0 { "..." } else { "" });
    let shown: String = chars[start..end].iter().collect();
    let rest = if end < chars.len() { "..." } else { "" };
    let width: usize =
        chars[start..column.min(chars.len())].iter().map(|c| c.width().unwrap_or(0)).sum();
    format!("{label}{shown}{rest}\n{}^\n", " ".repeat(label.len() + width))
}
