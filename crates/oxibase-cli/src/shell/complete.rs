//! Completion, and when a line is a whole statement.

use reedline::{Completer, Span, Suggestion, ValidationResult, Validator};

use super::meta::COMMANDS;
use super::split;

/// Words that begin or divide statements.
const KEYWORDS: &[&str] = &[
    "ABORT",
    "ALTER",
    "ANALYZE",
    "AND",
    "AS",
    "ASC",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CASCADE",
    "CASE",
    "CAST",
    "CHECK",
    "CHECKPOINT",
    "COLUMN",
    "COMMENT",
    "COMMIT",
    "CONFLICT",
    "CONSTRAINT",
    "COPY",
    "CREATE",
    "CROSS",
    "CURRENT_TIMESTAMP",
    "DATABASE",
    "DEFAULT",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DO",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXECUTE",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FETCH",
    "FILTER",
    "FOREIGN",
    "FROM",
    "FULL",
    "FUNCTION",
    "GENERATED",
    "GRANT",
    "GROUP",
    "HAVING",
    "IF",
    "ILIKE",
    "IN",
    "INDEX",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCK",
    "MATERIALIZED",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PREPARE",
    "PRIMARY",
    "REFERENCES",
    "RELEASE",
    "RESET",
    "RETURNING",
    "RIGHT",
    "ROLLBACK",
    "SAVEPOINT",
    "SCHEMA",
    "SELECT",
    "SEQUENCE",
    "SET",
    "SHOW",
    "TABLE",
    "TEMPORARY",
    "THEN",
    "TO",
    "TRANSACTION",
    "TRUE",
    "TRUNCATE",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USING",
    "VACUUM",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// Offers keywords, the names of the database, and \commands.
pub(super) struct NameCompleter {
    /// Names of relations and their columns.
    pub(super) names: Vec<String>,
}

impl Completer for NameCompleter {
    fn complete(&mut self, line: &str, position: usize) -> Vec<Suggestion> {
        let before = line.get(..position).unwrap_or(line);
        let start = before
            .rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '\\' | '?')))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        if word.is_empty() {
            return Vec::new();
        }
        let suggestion = |value: String| Suggestion {
            value,
            span: Span::new(start, position),
            append_whitespace: true,
            ..Suggestion::default()
        };
        if word.starts_with('\\') {
            let names = COMMANDS.iter().flat_map(|(usage, _)| usage.split(' '));
            let names = names.map(|name| name.trim_end_matches("[+]"));
            let fitting = names.filter(|name| name.starts_with(word));
            return fitting.map(|name| suggestion(name.to_owned())).collect();
        }
        let folded = word.to_lowercase();
        let names = self.names.iter().filter(|name| name.to_lowercase().starts_with(&folded));
        let mut found: Vec<Suggestion> = names.map(|name| suggestion(name.clone())).collect();
        // Keywords follow the case of what is typed.
        let upper = word.chars().any(char::is_uppercase);
        for keyword in KEYWORDS.iter().filter(|k| k.starts_with(&word.to_uppercase())) {
            found.push(suggestion(if upper {
                (*keyword).to_owned()
            } else {
                keyword.to_lowercase()
            }));
        }
        found
    }
}

/// Keeps the editor open until the statement has its semicolon.
pub(super) struct StatementValidator;

impl Validator for StatementValidator {
    fn validate(&self, line: &str) -> ValidationResult {
        let complete = line.trim_start().starts_with('\\')
            || matches!(line.trim(), "quit" | "exit" | "help")
            || split::split(line).state == split::State::Empty;
        if complete { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}
