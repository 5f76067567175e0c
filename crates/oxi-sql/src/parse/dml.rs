//! INSERT, UPDATE, DELETE, MERGE and TRUNCATE.

use oxi_base::Result;

use super::cursor::Parser;
use crate::ast::*;

impl Parser<'_> {
    /// A statement that may stand in WITH, EXPLAIN, PREPARE or COPY: a query or one that changes rows.
    pub(super) fn row_statement(&mut self) -> Result<Statement> {
        let start = self.start();
        let word = if self.is("with") { self.word_after_with() } else { self.token().text.clone() };
        let kind = match word.as_str() {
            "insert" => StatementKind::Insert(Box::new(self.insert()?)),
            "update" => StatementKind::Update(Box::new(self.update()?)),
            "delete" => StatementKind::Delete(Box::new(self.delete()?)),
            "merge" => StatementKind::Merge(Box::new(self.merge()?)),
            _ => StatementKind::Query(Box::new(self.query()?)),
        };
        Ok(Statement { kind, span: self.since(start) })
    }

    /// The word that begins the statement after WITH's queries.
    fn word_after_with(&self) -> String {
        let mut depth = 0usize;
        for token in self.tokens.iter().skip(self.at) {
            match token.text.as_str() {
                "(" if token.kind == super::lexer::TokenKind::Symbol => depth += 1,
                ")" if token.kind == super::lexer::TokenKind::Symbol => {
                    let Some(less) = depth.checked_sub(1) else { break };
                    depth = less;
                }
                word @ ("insert" | "update" | "delete" | "merge" | "select" | "values"
                | "table")
                    if depth == 0 && token.kind == super::lexer::TokenKind::Word =>
                {
                    return word.to_owned();
                }
                _ => {}
            }
        }
        String::new()
    }

    fn insert(&mut self) -> Result<Insert> {
        let start = self.start();
        let with = self.optional_with()?;
        self.expect_all(&["insert", "into"])?;
        let table = self.object_name()?;
        let alias = if self.eat("as") { Some(self.col_id()?) } else { None };
        let mut columns = Vec::new();
        if self.sym("(") && !self.leads_to_query() {
            columns = self.in_parens(Self::assign_target)?;
        }
        let overriding = self.overriding()?;
        let source = if columns.is_empty() && overriding.is_none() && self.eat("default") {
            self.expect("values")?;
            InsertSource::DefaultValues
        } else {
            InsertSource::Query(Box::new(self.query()?))
        };
        let on_conflict = self.optional_on_conflict()?;
        let returning = self.optional_returning()?;
        let span = self.since(start);
        Ok(Insert { with, table, alias, columns, overriding, source, on_conflict, returning, span })
    }

    fn overriding(&mut self) -> Result<Option<Overriding>> {
        if !self.eat("overriding") {
            return Ok(None);
        }
        let which = match self.expect_any(&["user", "system"])? {
            "user" => Overriding::User,
            _ => Overriding::System,
        };
        self.expect("value")?;
        Ok(Some(which))
    }

    fn optional_returning(&mut self) -> Result<Vec<SelectItem>> {
        if self.eat("returning") { self.select_items() } else { Ok(Vec::new()) }
    }

    /// `column.field[1]`.
    pub(super) fn assign_target(&mut self) -> Result<AssignTarget> {
        let start = self.start();
        let column = self.col_id()?;
        let mut path = Vec::new();
        loop {
            if self.eat_sym(".") {
                path.push(AssignStep::Field(self.col_label()?));
            } else if self.sym("[") {
                path.push(AssignStep::Subscript(self.subscript()?));
            } else {
                return Ok(AssignTarget { column, path, span: self.since(start) });
            }
        }
    }

    fn optional_on_conflict(&mut self) -> Result<Option<OnConflict>> {
        let start = self.start();
        if !self.are(&["on", "conflict"]) {
            return Ok(None);
        }
        self.expect_all(&["on", "conflict"])?;
        let mut target = None;
        let target_start = self.start();
        if self.sym("(") {
            let elements = self.in_parens(Self::index_element)?;
            let filter = self.optional_where()?.map(Box::new);
            target =
                Some(ConflictTarget::Index { elements, filter, span: self.since(target_start) });
        } else if self.eat("on") {
            self.expect("constraint")?;
            target = Some(ConflictTarget::Constraint(self.col_id()?));
        }
        self.expect("do")?;
        let action = if self.eat("nothing") {
            ConflictAction::Nothing
        } else {
            self.expect_all(&["update", "set"])?;
            let assignments = self.list(Self::assignment)?;
            ConflictAction::Update { assignments, filter: self.optional_where()?.map(Box::new) }
        };
        Ok(Some(OnConflict { target, action, span: self.since(start) }))
    }

    /// A key of an index: a column, a call, or an expression in parentheses.
    pub(super) fn index_element(&mut self) -> Result<IndexElement> {
        let start = self.start();
        let expr = if self.eat_sym("(") {
            let expr = self.expr()?;
            self.expect_sym(")")?;
            expr
        } else if self.is_col_id(0) && !self.sym_at(1, "(") && !self.sym_at(1, ".") {
            let name = self.take_ident();
            let span = name.span;
            Expr::new(ExprKind::Column(vec![name]), span)
        } else {
            self.nested(Self::primary)?
        };
        let collation = if self.eat("collate") { Some(self.object_name()?) } else { None };
        let mut operator_class = None;
        if self.is_col_id(0) && !self.is_any(&["nulls"]) {
            operator_class = Some(self.object_name()?);
            if self.sym("(") {
                return Err(self.unsupported("an operator class with parameters"));
            }
        }
        let descending = if self.eat("desc") {
            Some(true)
        } else if self.eat("asc") {
            Some(false)
        } else {
            None
        };
        let nulls_first = self.nulls_order()?;
        let span = self.since(start);
        Ok(IndexElement {
            expr,
            collation,
            operator_class,
            descending,
            nulls_first,
            exclude_with: None,
            span,
        })
    }

    /// One assignment of SET.
    pub(super) fn assignment(&mut self) -> Result<Assignment> {
        let start = self.start();
        let kind = if self.sym("(") {
            let targets = self.in_parens(Self::assign_target)?;
            self.expect_sym("=")?;
            AssignmentKind::Multiple { targets, value: self.expr()? }
        } else {
            let target = self.assign_target()?;
            self.expect_sym("=")?;
            AssignmentKind::Single { target, value: self.expr()? }
        };
        Ok(Assignment { kind, span: self.since(start) })
    }

    /// The table of UPDATE, DELETE or MERGE; `SET` cannot be an alias without AS.
    fn target_table(&mut self) -> Result<TargetTable> {
        let start = self.start();
        let (name, only) = self.relation()?;
        let alias = if self.eat("as") || (self.is_col_id(0) && !self.is("set")) {
            Some(self.col_id()?)
        } else {
            None
        };
        Ok(TargetTable { name, only, alias, span: self.since(start) })
    }

    /// `WHERE …`, `WHERE CURRENT OF cursor`.
    fn where_or_current(&mut self) -> Result<Option<Expr>> {
        if self.is("where") && self.is_at(1, "current") && self.is_at(2, "of") {
            self.advance();
            let start = self.start();
            self.expect_all(&["current", "of"])?;
            let cursor = self.col_id()?;
            return Ok(Some(Expr::new(ExprKind::CurrentOf(cursor), self.since(start))));
        }
        self.optional_where()
    }

    fn update(&mut self) -> Result<Update> {
        let start = self.start();
        let with = self.optional_with()?;
        self.expect("update")?;
        let table = self.target_table()?;
        self.expect("set")?;
        let assignments = self.list(Self::assignment)?;
        let from = if self.eat("from") { self.list(Self::table_expr)? } else { Vec::new() };
        let filter = self.where_or_current()?;
        let returning = self.optional_returning()?;
        Ok(Update { with, table, assignments, from, filter, returning, span: self.since(start) })
    }

    fn delete(&mut self) -> Result<Delete> {
        let start = self.start();
        let with = self.optional_with()?;
        self.expect_all(&["delete", "from"])?;
        let table = self.target_table()?;
        let using = if self.eat("using") { self.list(Self::table_expr)? } else { Vec::new() };
        let filter = self.where_or_current()?;
        let returning = self.optional_returning()?;
        Ok(Delete { with, table, using, filter, returning, span: self.since(start) })
    }

    fn merge(&mut self) -> Result<Merge> {
        let start = self.start();
        let with = self.optional_with()?;
        self.expect_all(&["merge", "into"])?;
        let table = self.target_table()?;
        self.expect("using")?;
        let source = self.table_expr()?;
        self.expect("on")?;
        let on = self.expr()?;
        let mut clauses = Vec::new();
        while self.is("when") {
            clauses.push(self.merge_clause()?);
        }
        if clauses.is_empty() {
            return Err(self.syntax_error());
        }
        Ok(Merge { with, table, source, on, clauses, span: self.since(start) })
    }

    fn merge_clause(&mut self) -> Result<MergeClause> {
        let start = self.start();
        self.expect("when")?;
        let matched = !self.eat("not");
        self.expect("matched")?;
        let condition = if self.eat("and") { Some(self.expr()?) } else { None };
        self.expect("then")?;
        let action = if self.eat("do") {
            self.expect("nothing")?;
            MergeAction::Nothing
        } else if matched && self.eat("delete") {
            MergeAction::Delete
        } else if matched {
            self.expect_all(&["update", "set"])?;
            MergeAction::Update(self.list(Self::assignment)?)
        } else {
            self.merge_insert()?
        };
        Ok(MergeClause { matched, condition, action, span: self.since(start) })
    }

    fn merge_insert(&mut self) -> Result<MergeAction> {
        self.expect("insert")?;
        let columns = if self.sym("(") { self.in_parens(Self::assign_target)? } else { Vec::new() };
        let overriding = self.overriding()?;
        if columns.is_empty() && overriding.is_none() && self.eat("default") {
            self.expect("values")?;
            return Ok(MergeAction::Insert { columns, overriding, values: None });
        }
        self.expect("values")?;
        let values = Some(self.in_parens(Self::expr)?);
        Ok(MergeAction::Insert { columns, overriding, values })
    }

    pub(super) fn truncate(&mut self) -> Result<Truncate> {
        self.expect("truncate")?;
        self.eat("table");
        let tables = self.list(Self::relation)?;
        let restart_identity = self.eat("restart");
        if restart_identity || self.eat("continue") {
            self.expect("identity")?;
        }
        Ok(Truncate { tables, restart_identity, cascade: self.cascade() })
    }
}
