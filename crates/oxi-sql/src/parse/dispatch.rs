//! Which statement a text begins.

use oxi_base::Result;

use super::cursor::Parser;
use super::lexer::TokenKind;
use crate::ast::*;

impl Parser<'_> {
    /// One statement.
    pub(super) fn statement(&mut self) -> Result<Statement> {
        self.nested(|p| {
            let start = p.start();
            let kind = p.statement_kind()?;
            Ok(Statement { kind, span: p.since(start) })
        })
    }

    fn statement_kind(&mut self) -> Result<StatementKind> {
        if self.sym("(") {
            return self.top_query();
        }
        if self.kind() != TokenKind::Word {
            return Err(self.syntax_error());
        }
        let word = self.token().text.clone();
        match word.as_str() {
            "select" | "values" | "table" => self.top_query(),
            "with" | "insert" | "update" | "delete" | "merge" => match self.row_statement()?.kind {
                StatementKind::Query(query) => split_into(query),
                kind => Ok(kind),
            },
            "truncate" => Ok(StatementKind::Truncate(self.truncate()?)),
            "copy" => Ok(StatementKind::Copy(Box::new(self.copy()?))),
            "create" => self.create(),
            "alter" => self.alter(),
            "drop" => self.drop_objects(),
            "comment" => Ok(StatementKind::Comment(self.comment()?)),
            "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint"
            | "release" => Ok(StatementKind::Transaction(self.transaction()?)),
            "prepare" if self.is_at(1, "transaction") => {
                Ok(StatementKind::Transaction(self.transaction()?))
            }
            "set" => self.set(),
            _ => self.utility(&word),
        }
    }

    fn top_query(&mut self) -> Result<StatementKind> {
        let query = self.query()?;
        split_into(Box::new(query))
    }
}

/// A query with INTO creates a table.
fn split_into(mut query: Box<Query>) -> Result<StatementKind> {
    let span = query.span;
    let Some(into) = take_into(&mut query) else { return Ok(StatementKind::Query(query)) };
    Ok(StatementKind::CreateTableAs(Box::new(CreateTableAs {
        name: into.name,
        materialized_view: false,
        select_into: true,
        if_not_exists: false,
        persistence: into.persistence,
        columns: Vec::new(),
        access_method: None,
        options: Vec::new(),
        on_commit: None,
        tablespace: None,
        statement: Box::new(Statement { kind: StatementKind::Query(query), span }),
        with_data: true,
        span,
    })))
}

/// The INTO of a query's first SELECT.
fn take_into(query: &mut Query) -> Option<SelectInto> {
    let mut body = &mut query.body;
    loop {
        match body {
            QueryBody::Select(select) => return select.into.take(),
            QueryBody::Values(_) => return None,
            QueryBody::Set { left, .. } => body = &mut left.body,
        }
    }
}
