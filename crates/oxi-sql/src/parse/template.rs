//! Statements that differ only in their constants: the text with parameters instead, and the
//! constants.

use crate::parse::lexer::{TokenKind, tokenize};

/// A statement's text with `$1`, `$2`, … where it had constants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template {
    /// The text. It need not be a valid statement: `date '2000-01-01'` becomes `date $1`.
    pub text: String,
    /// What stood there.
    pub constants: Vec<Constant>,
}

/// A constant of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Constant {
    /// Digits.
    Integer(String),
    /// A number with a point or an exponent.
    Decimal(String),
    /// A string, decoded.
    Text(String),
}

/// Statements with more constants, or longer ones, are loads of data, of which no two are alike.
const CONSTANTS_MAX: usize = 64;
const TEXT_MAX: usize = 16 << 10;

/// The template of a text that is one query or change of rows; `None` for other texts, and for
/// those in which the value of a constant says what to do (`ORDER BY 1`).
pub fn template(sql: &str) -> Option<Template> {
    if sql.len() > TEXT_MAX {
        return None;
    }
    let tokens = tokenize(sql);
    let first = tokens.list.first().filter(|token| token.kind == TokenKind::Word)?;
    if !matches!(first.text.as_str(), "select" | "insert" | "update" | "delete") {
        return None;
    }
    let mut text = String::with_capacity(sql.len() + 16);
    let mut constants = Vec::new();
    let mut copied = 0;
    for (at, token) in tokens.list.iter().enumerate() {
        let constant = match token.kind {
            TokenKind::Integer => Constant::Integer,
            TokenKind::Decimal => Constant::Decimal,
            TokenKind::String => Constant::Text,
            TokenKind::Word if matches!(token.text.as_str(), "order" | "group") => return None,
            TokenKind::Parameter | TokenKind::Error => return None,
            // One statement; a semicolon may end it.
            TokenKind::Symbol if token.text == ";" && at + 2 != tokens.list.len() => return None,
            _ => continue,
        };
        if constants.len() == CONSTANTS_MAX {
            return None;
        }
        constants.push(constant(token.text.clone()));
        text.push_str(sql.get(copied..token.span.start as usize)?);
        for piece in [" $", &constants.len().to_string(), " "] {
            text.push_str(piece);
        }
        copied = token.span.end as usize;
    }
    text.push_str(sql.get(copied..)?);
    Some(Template { text, constants })
}

#[cfg(test)]
mod tests;
