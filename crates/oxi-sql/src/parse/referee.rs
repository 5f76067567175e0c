//! Whether a text that our grammar refuses is wrong or only not supported.

use oxi_base::{Error, SqlState};
use squawk_syntax::SourceFile;

use super::cursor::Parser;
use super::lexer::TokenKind;

/// Statements longer than this are not shown to the referee.
const MAX_TOKENS: usize = 4_000;
/// Nor those nested deeper.
const MAX_NESTING: usize = 200;
/// The stack the referee gets.
const STACK: usize = 32 * 1024 * 1024;

/// Turns a syntax error into 0A000 when the statement is valid PostgreSQL.
pub(super) fn judge(parser: &Parser<'_>, error: Error) -> Error {
    if parser.certain
        || error.code() != SqlState::SYNTAX_ERROR
        || !error.message().starts_with("syntax error")
    {
        return error;
    }
    let Some(at) = error.position() else { return error };
    let Some(statement) = statement_text(parser) else { return error };
    if !accepts(statement) {
        return error;
    }
    let token = parser.tokens.iter().find(|token| token.span.start as usize == at);
    let word =
        token.and_then(|token| parser.text.get(token.span.start as usize..token.span.end as usize));
    let first = parser.tokens.get(parser.statement_start).map_or("", |token| token.text.as_str());
    let what = match word {
        Some(word) if !word.is_empty() => {
            format!("this form of {} is not supported, at or near \"{word}\"", first.to_uppercase())
        }
        _ => format!("this form of {} is not supported", first.to_uppercase()),
    };
    Error::unsupported(what).at(at)
}

/// The text of the statement that was being read, when it is small enough.
fn statement_text<'a>(parser: &Parser<'a>) -> Option<&'a str> {
    let mut nesting = 0usize;
    let mut start = None;
    let mut end = 0;
    for (n, token) in parser.tokens.iter().skip(parser.statement_start).enumerate() {
        match token.kind {
            TokenKind::Error => return None,
            TokenKind::End => break,
            TokenKind::Symbol if token.text == ";" => break,
            TokenKind::Symbol if matches!(token.text.as_str(), "(" | "[") => nesting += 1,
            TokenKind::Symbol if matches!(token.text.as_str(), ")" | "]") => {
                nesting = nesting.saturating_sub(1);
            }
            TokenKind::Word if matches!(token.text.as_str(), "case" | "not") => nesting += 1,
            _ => {}
        }
        if n > MAX_TOKENS || nesting > MAX_NESTING {
            return None;
        }
        start.get_or_insert(token.span.start as usize);
        end = token.span.end as usize;
    }
    parser.text.get(start?..end)
}

/// The full grammar accepts the statement.
fn accepts(statement: &str) -> bool {
    // The referee is another's code: should it panic on a text, the text counts as wrong.
    stacker::grow(STACK, || {
        std::panic::catch_unwind(|| SourceFile::parse(statement).errors().is_empty())
    })
    .unwrap_or(false)
}
