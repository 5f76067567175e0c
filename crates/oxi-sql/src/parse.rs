//! From SQL text to statements.
//!
//! The grammar is read by recursive descent with PostgreSQL's precedences, so that errors point at the
//! very token PostgreSQL's parser stops at. What is read here is the supported language; a text
//! that this grammar refuses is shown to a referee, a parser of the full language, which tells
//! whether it is wrong (42601) or merely not supported (0A000).

mod alter;
mod copy;
mod create;
mod create_table;
mod cursor;
mod dispatch;
mod dml;
mod expr;
mod from;
mod keyword;
mod lexer;
mod options;
mod primary;
mod referee;
mod select;
mod special;
mod template;
mod transaction;
mod types;
mod utility;
mod window;

#[cfg(test)]
mod tests;

use oxi_base::{Error, Result, SqlState};

use crate::ast::{Expr, Statement, TypeName};
use cursor::Parser;
use lexer::TokenKind;

pub use template::{Constant, Template, template};

/// The longest text that is read: offsets are 32 bits wide.
const MAX_TEXT: usize = 1 << 30;

/// The statements of a text, without the empty ones.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    let mut parser = parser(sql)?;
    statements(&mut parser).map_err(|error| referee::judge(&parser, error))
}

fn statements(parser: &mut Parser<'_>) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    loop {
        while parser.eat_sym(";") {}
        if parser.kind() == TokenKind::End {
            return Ok(statements);
        }
        parser.height = 0;
        parser.statement_start = parser.at;
        statements.push(parser.statement()?);
        if parser.kind() != TokenKind::End && !parser.sym(";") {
            return Err(parser.syntax_error());
        }
    }
}

/// One expression, as in stored defaults and checks.
pub fn parse_expression(text: &str) -> Result<Expr> {
    let mut parser = parser(text)?;
    let expr = parser.expr()?;
    end(&parser)?;
    Ok(expr)
}

/// One type name, as in `'int[]'::regtype`.
pub fn parse_type(text: &str) -> Result<TypeName> {
    let mut parser = parser(text)?;
    let name = parser.type_name()?;
    end(&parser)?;
    Ok(name)
}

fn end(parser: &Parser<'_>) -> Result<()> {
    if parser.kind() == TokenKind::End { Ok(()) } else { Err(parser.syntax_error()) }
}

fn parser(text: &str) -> Result<Parser<'_>> {
    if text.len() > MAX_TEXT {
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "statement is too long"));
    }
    Ok(Parser::new(text))
}

/// A name quoted where SQL needs it, as `quote_ident` does.
pub fn quote_identifier(name: &str) -> String {
    let plain = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && keyword::lookup(name)
            .is_none_or(|(category, _)| category == keyword::Category::Unreserved);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
