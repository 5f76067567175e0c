//! What doors hand in: parsed statements, prepared statements, parameters.

use std::sync::Arc;

use oxi_base::{Error, Result};
use oxi_model::Datum;
use oxi_sql::{ast::Statement, parse};

use crate::prepared::Prepared;

/// One parsed statement; cheap to clone.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub(crate) statement: Arc<Statement>,
    /// The whole text the statement's spans point into.
    pub(crate) text: Arc<str>,
}

impl Parsed {
    /// Parses a string of statements; an empty vector if there are none.
    ///
    /// # Errors
    /// `42601` at the first syntax error, whatever comes before it; `54001` for text nested too
    /// deeply.
    pub fn parse_all(text: &str) -> Result<Vec<Parsed>> {
        let shared: Arc<str> = text.into();
        Ok(parse::parse(text)?
            .into_iter()
            .map(|statement| Parsed { statement: Arc::new(statement), text: Arc::clone(&shared) })
            .collect())
    }

    /// The statement's own text.
    pub fn text(&self) -> &str {
        let span = self.statement.span;
        self.text.get(span.start as usize..span.end as usize).unwrap_or(&self.text)
    }

    /// The syntax tree.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

/// A statement to execute.
pub enum Request {
    /// A parsed statement without parameters.
    Simple {
        /// The statement.
        parsed: Parsed,
        /// It stands in a string of several, which together form one implicit transaction that
        /// [`crate::Session::sync`] ends. Otherwise it commits by itself.
        implicit_block: bool,
    },
    /// A prepared statement with its parameters.
    Prepared {
        /// The statement.
        prepared: Arc<Prepared>,
        /// One value per parameter, each of the parameter's type.
        params: Vec<Datum>,
        /// As in [`Request::Simple`]: part of a pipeline that [`crate::Session::sync`] ends.
        implicit_block: bool,
    },
}

impl Request {
    /// The text of the string it stands in; `None` for an empty one.
    pub(crate) fn text(&self) -> Option<Arc<str>> {
        match self {
            Request::Simple { parsed, .. } => Some(Arc::clone(&parsed.text)),
            Request::Prepared { prepared, .. } => {
                prepared.parsed().map(|parsed| Arc::clone(&parsed.text))
            }
        }
    }

    /// Whether the statement ends its implicit transaction by itself.
    pub(crate) fn commits(&self) -> bool {
        match self {
            Request::Simple { implicit_block, .. } | Request::Prepared { implicit_block, .. } => {
                !implicit_block
            }
        }
    }
}

/// Exactly one statement, as Parse and PREPARE want; `None` for an empty text.
pub(crate) fn parse_one(text: &str) -> Result<Option<Parsed>> {
    let mut all = Parsed::parse_all(text)?;
    if all.len() > 1 {
        return Err(Error::new(
            oxi_base::SqlState::SYNTAX_ERROR,
            "cannot insert multiple commands into a prepared statement",
        ));
    }
    Ok(all.pop())
}
