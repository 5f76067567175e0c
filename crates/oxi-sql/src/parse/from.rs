//! The items of FROM.

use oxi_base::Result;

use super::cursor::Parser;
use crate::ast::*;

/// What a parenthesis in FROM holds.
enum FromParen {
    Query(Box<Query>),
    Table(Box<TableExpr>),
}

impl Parser<'_> {
    /// An item of FROM with its joins.
    pub(super) fn table_expr(&mut self) -> Result<TableExpr> {
        self.nested(|p| {
            let start = p.start();
            let first = p.table_operand()?;
            p.joins(first, start)
        })
    }

    fn joins(&mut self, mut left: TableExpr, start: u32) -> Result<TableExpr> {
        loop {
            let natural = self.is("natural");
            if !natural && !self.is_any(&["cross", "join", "inner", "left", "right", "full"]) {
                return Ok(left);
            }
            if natural {
                self.advance();
            }
            let cross = !natural && self.eat("cross");
            let kind = if cross { JoinKind::Inner } else { self.join_kind() };
            self.expect("join")?;
            let height = self.height;
            let (right, condition) = if cross {
                (self.nested(Self::table_operand)?, JoinCondition::Cross)
            } else if natural {
                (self.nested(Self::table_operand)?, JoinCondition::Natural)
            } else {
                let right = self.table_expr()?;
                (right, self.join_condition()?)
            };
            self.height = self.height.max(height);
            self.grow()?;
            let kind = TableExprKind::Join {
                left: Box::new(left),
                right: Box::new(right),
                kind,
                condition,
                alias: None,
            };
            left = TableExpr { kind, span: self.since(start) };
        }
    }

    fn join_kind(&mut self) -> JoinKind {
        let kind = match () {
            () if self.eat("left") => JoinKind::Left,
            () if self.eat("right") => JoinKind::Right,
            () if self.eat("full") => JoinKind::Full,
            () => {
                self.eat("inner");
                return JoinKind::Inner;
            }
        };
        self.eat("outer");
        kind
    }

    fn join_condition(&mut self) -> Result<JoinCondition> {
        if self.eat("on") {
            return Ok(JoinCondition::On(Box::new(self.expr()?)));
        }
        self.expect("using")?;
        let columns = self.in_parens(Self::col_id)?;
        let alias = if self.eat("as") { Some(self.col_id()?) } else { None };
        Ok(JoinCondition::Using { columns, alias })
    }

    fn table_operand(&mut self) -> Result<TableExpr> {
        let start = self.start();
        let lateral = self.eat("lateral");
        if self.sym("(") {
            return match self.paren_item()? {
                FromParen::Query(query) => self.subquery(query, lateral, start),
                FromParen::Table(_) if lateral => {
                    self.at -= 1;
                    Err(self.syntax_error())
                }
                FromParen::Table(table) => self.aliased_join(*table, start),
            };
        }
        if self.are(&["rows", "from"]) && self.sym_at(2, "(") {
            return self.rows_from(lateral, start);
        }
        if self.is_any(&["xmltable", "json_table"]) && self.sym_at(1, "(") {
            return Err(self.unsupported(&self.token().text.to_ascii_uppercase()));
        }
        if self.is_function_in_from() {
            let call = self.nested(Self::primary)?;
            return self.function(call, lateral, start);
        }
        if lateral {
            return Err(self.syntax_error());
        }
        let (name, only) = self.relation()?;
        let as_of = self.optional_as_of()?;
        let alias = self.optional_table_alias()?;
        if self.is("tablesample") {
            return Err(self.unsupported("TABLESAMPLE"));
        }
        let kind = TableExprKind::Table { name, only, as_of, alias };
        Ok(TableExpr { kind, span: self.since(start) })
    }

    /// `AS OF TIMESTAMP …`, `AS OF TRANSACTION …`, `FOR SYSTEM_TIME AS OF …`.
    fn optional_as_of(&mut self) -> Result<Option<Box<AsOf>>> {
        // `AS of` alone is an alias.
        let is_moment =
            self.are(&["as", "of", "timestamp"]) || self.are(&["as", "of", "transaction"]);
        if self.are(&["for", "system_time"]) {
            self.expect_all(&["for", "system_time", "as", "of"])?;
            let kind = MomentKind::Timestamp;
            return Ok(Some(Box::new(AsOf { kind, expr: self.expr()? })));
        }
        if !is_moment {
            return Ok(None);
        }
        self.expect_all(&["as", "of"])?;
        self.moment().map(Box::new).map(Some)
    }

    /// `TIMESTAMP expression`, `TRANSACTION expression`.
    pub(super) fn moment(&mut self) -> Result<AsOf> {
        let kind = if self.eat("timestamp") {
            MomentKind::Timestamp
        } else {
            self.expect("transaction")?;
            MomentKind::Transaction
        };
        Ok(AsOf { kind, expr: self.expr()? })
    }

    /// `(query)`, `(a JOIN b …)`, with any number of parentheses.
    fn paren_item(&mut self) -> Result<FromParen> {
        self.nested(|p| {
            p.expect_sym("(")?;
            let start = p.start();
            if p.leads_to_query() {
                if !p.sym("(") {
                    let query = p.query()?;
                    p.expect_sym(")")?;
                    return Ok(FromParen::Query(Box::new(query)));
                }
                let first = match p.paren_item()? {
                    FromParen::Query(query) if p.continues_query() => {
                        let query = p.query_after(*query, start)?;
                        p.expect_sym(")")?;
                        return Ok(FromParen::Query(Box::new(query)));
                    }
                    FromParen::Query(query) => p.subquery(query, false, start)?,
                    FromParen::Table(table) => p.aliased_join(*table, start)?,
                };
                let table = p.joins(first, start)?;
                p.expect_sym(")")?;
                return Ok(FromParen::Table(Box::new(table)));
            }
            let table = p.table_expr()?;
            if !matches!(table.kind, TableExprKind::Join { .. }) {
                // Only joins may stand in parentheses.
                return Err(p.syntax_error());
            }
            p.expect_sym(")")?;
            Ok(FromParen::Table(Box::new(table)))
        })
    }

    fn aliased_join(&mut self, mut table: TableExpr, start: u32) -> Result<TableExpr> {
        let found = self.optional_table_alias()?;
        let TableExprKind::Join { alias, .. } = &mut table.kind else {
            return Err(self.syntax_error());
        };
        if found.is_some() {
            if alias.is_some() {
                return Err(self.syntax_error());
            }
            *alias = found;
        }
        table.span = self.since(start);
        Ok(table)
    }

    fn subquery(&mut self, query: Box<Query>, lateral: bool, start: u32) -> Result<TableExpr> {
        let alias = self.optional_table_alias()?;
        if alias.is_none() {
            let (what, example) = match query.body {
                QueryBody::Values(_) => ("VALUES", "VALUES ..."),
                _ => ("subquery", "SELECT ..."),
            };
            return Err(Self::grammar(format!("{what} in FROM must have an alias"), start)
                .with_hint(format!("For example, FROM ({example}) [AS] foo.")));
        }
        Ok(TableExpr {
            kind: TableExprKind::Subquery { query, lateral, alias },
            span: self.since(start),
        })
    }

    /// The next tokens are a call and not a relation.
    fn is_function_in_from(&self) -> bool {
        let special = [
            "coalesce",
            "greatest",
            "least",
            "nullif",
            "cast",
            "current_date",
            "current_time",
            "current_timestamp",
            "localtime",
            "localtimestamp",
            "current_role",
            "current_user",
            "user",
            "session_user",
            "current_catalog",
            "current_schema",
            "extract",
            "substring",
            "trim",
            "position",
            "overlay",
            "normalize",
            "collation",
        ];
        if self.is_any(&special) && !self.sym_at(1, ".") {
            return true;
        }
        let mut n = 0;
        while self.sym_at(n + 1, ".") {
            n += 2;
        }
        self.sym_at(n + 1, "(") && (n > 0 || self.is_function_name(0)) && !self.is("only")
    }

    fn function(&mut self, call: Expr, lateral: bool, start: u32) -> Result<TableExpr> {
        let ordinality = self.with_ordinality()?;
        let (alias, columns) = self.function_alias()?;
        let functions = vec![TableFunction { call, columns }];
        let kind =
            TableExprKind::Functions { functions, rows_from: false, lateral, ordinality, alias };
        Ok(TableExpr { kind, span: self.since(start) })
    }

    fn with_ordinality(&mut self) -> Result<bool> {
        if !self.is("with") || !self.is_at(1, "ordinality") {
            return Ok(false);
        }
        self.expect_all(&["with", "ordinality"])?;
        Ok(true)
    }

    fn rows_from(&mut self, lateral: bool, start: u32) -> Result<TableExpr> {
        self.expect_all(&["rows", "from"])?;
        let functions = self.in_parens(|p| {
            let call = p.nested(Self::primary)?;
            let columns =
                if p.eat("as") { p.in_parens(Self::column_definition)? } else { Vec::new() };
            Ok(TableFunction { call, columns })
        })?;
        let ordinality = self.with_ordinality()?;
        let (alias, columns) = self.function_alias()?;
        if let Some(first) = columns.first() {
            let message =
                "a column definition list is only allowed for functions returning \"record\"";
            return Err(Self::grammar(message, first.span.start));
        }
        let kind =
            TableExprKind::Functions { functions, rows_from: true, lateral, ordinality, alias };
        Ok(TableExpr { kind, span: self.since(start) })
    }

    /// The alias of a function: with column names, or with column definitions.
    fn function_alias(&mut self) -> Result<(Option<TableAlias>, Vec<ColumnDefinition>)> {
        let start = self.start();
        let word = self.eat("as");
        if word && self.sym("(") {
            return Ok((None, self.in_parens(Self::column_definition)?));
        }
        if !word && !self.is_col_id(0) {
            return Ok((None, Vec::new()));
        }
        let name = Some(self.col_id()?);
        let mut columns = Vec::new();
        let mut definitions = Vec::new();
        if self.sym("(") {
            if self.sym_at(2, ",") || self.sym_at(2, ")") {
                columns = self.in_parens(Self::col_id)?;
            } else {
                definitions = self.in_parens(Self::column_definition)?;
            }
        }
        Ok((Some(TableAlias { name, columns, span: self.since(start) }), definitions))
    }

    pub(super) fn column_definition(&mut self) -> Result<ColumnDefinition> {
        let start = self.start();
        let name = self.col_id()?;
        let data_type = self.type_name()?;
        let collation = if self.eat("collate") { Some(self.object_name()?) } else { None };
        Ok(ColumnDefinition { name, data_type, collation, span: self.since(start) })
    }

    fn optional_table_alias(&mut self) -> Result<Option<TableAlias>> {
        let start = self.start();
        if !self.eat("as") && !self.is_col_id(0) {
            return Ok(None);
        }
        let name = Some(self.col_id()?);
        let columns = self.optional_columns()?;
        Ok(Some(TableAlias { name, columns, span: self.since(start) }))
    }

    /// A relation, perhaps with ONLY or `*`; true is ONLY.
    pub(super) fn relation(&mut self) -> Result<(ObjectName, bool)> {
        if self.eat("only") {
            if self.eat_sym("(") {
                let name = self.object_name()?;
                self.expect_sym(")")?;
                return Ok((name, true));
            }
            return Ok((self.object_name()?, true));
        }
        let name = self.object_name()?;
        self.eat_sym("*");
        Ok((name, false))
    }
}
