//! CREATE TABLE: columns and constraints.

use oxi_base::Result;

use super::cursor::Parser;
use crate::ast::*;

impl Parser<'_> {
    /// The rest of CREATE TABLE, after the word TABLE.
    pub(super) fn create_table(
        &mut self,
        persistence: Persistence,
        start: u32,
    ) -> Result<StatementKind> {
        let if_not_exists = self.if_not_exists();
        let name = self.object_name()?;
        if self.is("partition") {
            return Err(self.unsupported("PARTITION OF"));
        }
        if self.is("of") {
            return Err(self.unsupported("a typed table"));
        }
        if self.is_create_table_as() {
            return self.create_table_as(name, if_not_exists, persistence, false, start);
        }
        self.expect_sym("(")?;
        let elements = if self.sym(")") { Vec::new() } else { self.list(Self::table_element)? };
        self.expect_sym(")")?;
        let inherits =
            if self.eat("inherits") { self.in_parens(Self::object_name)? } else { Vec::new() };
        if self.is("partition") {
            return Err(self.unsupported("PARTITION BY"));
        }
        let access_method = if self.eat("using") { Some(self.col_id()?) } else { None };
        let options = self.table_options()?;
        let on_commit = self.on_commit()?;
        let tablespace = if self.eat("tablespace") { Some(self.col_id()?) } else { None };
        Ok(StatementKind::CreateTable(Box::new(CreateTable {
            name,
            if_not_exists,
            persistence,
            elements,
            inherits,
            access_method,
            options,
            on_commit,
            tablespace,
            span: self.since(start),
        })))
    }

    /// What follows the name makes it CREATE TABLE AS: a list of bare names, or no list.
    fn is_create_table_as(&self) -> bool {
        if !self.sym("(") {
            return true;
        }
        let mut n = 1;
        while self.is_col_id(n) && self.sym_at(n + 1, ",") {
            n += 2;
        }
        self.is_col_id(n) && self.sym_at(n + 1, ")")
    }

    /// The rest of CREATE TABLE AS and CREATE MATERIALIZED VIEW, after the name.
    pub(super) fn create_table_as(
        &mut self,
        name: ObjectName,
        if_not_exists: bool,
        persistence: Persistence,
        materialized_view: bool,
        start: u32,
    ) -> Result<StatementKind> {
        let columns = self.optional_columns()?;
        let access_method = if self.eat("using") { Some(self.col_id()?) } else { None };
        let options = self.table_options()?;
        let on_commit = if materialized_view { None } else { self.on_commit()? };
        let tablespace = if self.eat("tablespace") { Some(self.col_id()?) } else { None };
        self.expect("as")?;
        let statement_start = self.start();
        let kind = if self.is("execute") && !materialized_view {
            StatementKind::Execute(self.execute()?)
        } else {
            StatementKind::Query(Box::new(self.query()?))
        };
        let statement = Box::new(Statement { kind, span: self.since(statement_start) });
        let with_data = self.with_data()?;
        Ok(StatementKind::CreateTableAs(Box::new(CreateTableAs {
            name,
            materialized_view,
            select_into: false,
            if_not_exists,
            persistence,
            columns,
            access_method,
            options,
            on_commit,
            tablespace,
            statement,
            with_data,
            span: self.since(start),
        })))
    }

    /// `WITH [NO] DATA` or nothing.
    pub(super) fn with_data(&mut self) -> Result<bool> {
        if !self.eat("with") {
            return Ok(true);
        }
        let no = self.eat("no");
        self.expect("data")?;
        Ok(!no)
    }

    fn table_options(&mut self) -> Result<Vec<NamedOption>> {
        if self.eat("without") {
            self.expect("oids")?;
            return Ok(Vec::new());
        }
        self.optional_with_options()
    }

    fn on_commit(&mut self) -> Result<Option<OnCommit>> {
        if !self.eat("on") {
            return Ok(None);
        }
        self.expect("commit")?;
        let action = match self.expect_any(&["drop", "delete", "preserve"])? {
            "drop" => return Ok(Some(OnCommit::Drop)),
            "delete" => OnCommit::DeleteRows,
            _ => OnCommit::PreserveRows,
        };
        self.expect("rows")?;
        Ok(Some(action))
    }

    fn table_element(&mut self) -> Result<TableElement> {
        if self.is("like") {
            return self.like_clause().map(TableElement::Like);
        }
        if self.is_table_constraint() {
            return Ok(TableElement::Constraint(Box::new(self.table_constraint()?)));
        }
        Ok(TableElement::Column(Box::new(self.column_def()?)))
    }

    pub(super) fn is_table_constraint(&self) -> bool {
        self.is_any(&["constraint", "check", "unique", "primary", "foreign"])
            || (self.is("exclude") && (self.sym_at(1, "(") || self.is_at(1, "using")))
    }

    fn like_clause(&mut self) -> Result<LikeClause> {
        let start = self.start();
        self.expect("like")?;
        let table = self.object_name()?;
        let mut options = Vec::new();
        while self.is_any(&["including", "excluding"]) {
            let including = self.expect_any(&["including", "excluding"])? == "including";
            let names = [
                ("all", LikeOption::All),
                ("comments", LikeOption::Comments),
                ("compression", LikeOption::Compression),
                ("constraints", LikeOption::Constraints),
                ("defaults", LikeOption::Defaults),
                ("generated", LikeOption::Generated),
                ("identity", LikeOption::Identity),
                ("indexes", LikeOption::Indexes),
                ("statistics", LikeOption::Statistics),
                ("storage", LikeOption::Storage),
            ];
            let found = names.iter().find(|(name, _)| self.is(name)).map(|(_, option)| *option);
            let option = found.ok_or_else(|| self.syntax_error())?;
            self.advance();
            options.push((including, option));
        }
        Ok(LikeClause { table, options, span: self.since(start) })
    }

    /// A column with its type and constraints.
    pub(super) fn column_def(&mut self) -> Result<ColumnDef> {
        let start = self.start();
        let name = self.col_id()?;
        let data_type = self.type_name()?;
        let mut column = ColumnDef {
            name,
            data_type,
            collation: None,
            storage: None,
            compression: None,
            constraints: Vec::new(),
            span: Span::default(),
        };
        if self.eat("storage") {
            column.storage = Some(self.col_label()?);
        }
        if self.eat("compression") {
            column.compression = Some(self.col_label()?);
        }
        if self.is("options") {
            return Err(self.unsupported("OPTIONS of a column"));
        }
        self.column_constraints(&mut column.constraints, &mut column.collation)?;
        column.span = self.since(start);
        Ok(column)
    }

    /// The constraints of a column or domain, with COLLATE among them.
    pub(super) fn column_constraints(
        &mut self,
        constraints: &mut Vec<ColumnConstraint>,
        collation: &mut Option<ObjectName>,
    ) -> Result<()> {
        loop {
            let start = self.start();
            if self.eat("collate") {
                if collation.is_some() {
                    return Err(Self::grammar("multiple COLLATE clauses not allowed", start));
                }
                *collation = Some(self.object_name()?);
                continue;
            }
            let name = if self.eat("constraint") { Some(self.col_id()?) } else { None };
            let Some(kind) = self.column_constraint_kind()? else {
                return if name.is_some() { Err(self.syntax_error()) } else { Ok(()) };
            };
            let (deferral, _) = self.deferral(false)?;
            constraints.push(ColumnConstraint { name, kind, deferral, span: self.since(start) });
        }
    }

    fn column_constraint_kind(&mut self) -> Result<Option<ColumnConstraintKind>> {
        let kind = if self.eat("null") {
            ColumnConstraintKind::Null
        } else if self.are(&["not", "null"]) {
            self.expect_all(&["not", "null"])?;
            ColumnConstraintKind::NotNull
        } else if self.eat("default") {
            ColumnConstraintKind::Default(self.restricted_expr()?)
        } else if self.is("check") {
            let (expr, no_inherit) = self.check()?;
            ColumnConstraintKind::Check { expr, no_inherit }
        } else if self.eat("primary") {
            self.expect("key")?;
            ColumnConstraintKind::PrimaryKey(self.index_parameters()?)
        } else if self.eat("unique") {
            let nulls_not_distinct = self.nulls_not_distinct()?;
            ColumnConstraintKind::Unique {
                nulls_not_distinct,
                parameters: self.index_parameters()?,
            }
        } else if self.is("references") {
            ColumnConstraintKind::References(self.foreign_key()?)
        } else if self.eat("generated") {
            self.generated()?
        } else {
            return Ok(None);
        };
        Ok(Some(kind))
    }

    fn generated(&mut self) -> Result<ColumnConstraintKind> {
        let at = self.start();
        let always = self.generated_when()?;
        self.expect("as")?;
        if self.eat("identity") {
            let mut options = Vec::new();
            if self.eat_sym("(") {
                options = self.sequence_options()?;
                self.expect_sym(")")?;
            }
            return Ok(ColumnConstraintKind::Identity { always, options });
        }
        self.expect_sym("(")?;
        let expr = self.expr()?;
        self.expect_sym(")")?;
        self.expect("stored")?;
        if !always {
            return Err(Self::grammar(
                "for a generated column, GENERATED ALWAYS must be specified",
                at,
            ));
        }
        Ok(ColumnConstraintKind::Generated { expr, stored: true })
    }

    /// `ALWAYS` is true, `BY DEFAULT` false.
    pub(super) fn generated_when(&mut self) -> Result<bool> {
        if self.eat("by") {
            self.expect("default")?;
            return Ok(false);
        }
        self.expect("always")?;
        Ok(true)
    }

    fn check(&mut self) -> Result<(Expr, bool)> {
        self.expect("check")?;
        self.expect_sym("(")?;
        let expr = self.expr()?;
        self.expect_sym(")")?;
        Ok((expr, self.eat_all(&["no", "inherit"])))
    }

    pub(super) fn nulls_not_distinct(&mut self) -> Result<bool> {
        if !self.is("nulls") || !(self.is_at(1, "distinct") || self.is_at(1, "not")) {
            return Ok(false);
        }
        self.advance();
        let not = self.eat("not");
        self.expect("distinct")?;
        Ok(not)
    }

    fn index_parameters(&mut self) -> Result<IndexParameters> {
        let mut parameters = IndexParameters::default();
        if self.eat("include") {
            parameters.include = self.in_parens(Self::col_id)?;
        }
        parameters.options = self.optional_with_options()?;
        if self.is("using") && self.is_at(1, "index") {
            self.expect_all(&["using", "index", "tablespace"])?;
            parameters.tablespace = Some(self.col_id()?);
        }
        Ok(parameters)
    }

    fn foreign_key(&mut self) -> Result<ForeignKey> {
        self.expect("references")?;
        let table = self.object_name()?;
        let columns = self.optional_columns()?;
        let mut matching = MatchType::Simple;
        if self.eat("match") {
            matching = match self.expect_any(&["full", "partial", "simple"])? {
                "full" => MatchType::Full,
                "partial" => return Err(self.unsupported("MATCH PARTIAL")),
                _ => MatchType::Simple,
            };
        }
        let mut key = ForeignKey {
            table,
            columns,
            matching,
            on_delete: ReferentialAction::NoAction,
            on_delete_columns: Vec::new(),
            on_update: ReferentialAction::NoAction,
        };
        let (mut deletes, mut updates) = (false, false);
        while self.is("on") {
            let delete = self.is_at(1, "delete");
            if (delete && deletes) || (!delete && updates) {
                self.advance();
                return Err(self.syntax_error());
            }
            self.advance();
            self.expect_any(&["delete", "update"])?;
            let (action, columns) = self.referential_action(delete)?;
            if delete {
                (key.on_delete, key.on_delete_columns, deletes) = (action, columns, true);
            } else {
                (key.on_update, updates) = (action, true);
            }
        }
        Ok(key)
    }

    fn referential_action(&mut self, delete: bool) -> Result<(ReferentialAction, Vec<Ident>)> {
        let action = match self.expect_any(&["no", "restrict", "cascade", "set"])? {
            "no" => {
                self.expect("action")?;
                ReferentialAction::NoAction
            }
            "restrict" => ReferentialAction::Restrict,
            "cascade" => ReferentialAction::Cascade,
            _ => {
                let null = self.expect_any(&["null", "default"])? == "null";
                let action =
                    if null { ReferentialAction::SetNull } else { ReferentialAction::SetDefault };
                let at = self.start();
                let columns = self.optional_columns()?;
                if !delete && !columns.is_empty() {
                    let what = if null { "SET NULL" } else { "SET DEFAULT" };
                    let message = format!(
                        "a column list with {what} is only supported for ON DELETE actions"
                    );
                    return Err(oxi_base::Error::unsupported(message).at(at as usize));
                }
                return Ok((action, columns));
            }
        };
        Ok((action, Vec::new()))
    }

    /// `DEFERRABLE` and its like; with `table` also NOT VALID, which the second value tells.
    pub(super) fn deferral(&mut self, table: bool) -> Result<(Deferral, bool)> {
        let start = self.start();
        let (mut deferrable, mut deferred, mut not_valid) = (None, None, false);
        loop {
            let at = self.start();
            if self.eat("deferrable") {
                conflict(&mut deferrable, true, at)?;
            } else if self.are(&["not", "deferrable"]) {
                self.expect_all(&["not", "deferrable"])?;
                conflict(&mut deferrable, false, at)?;
            } else if self.eat("initially") {
                let value = self.expect_any(&["deferred", "immediate"])? == "deferred";
                conflict(&mut deferred, value, at)?;
            } else if table && self.are(&["not", "valid"]) {
                self.expect_all(&["not", "valid"])?;
                not_valid = true;
            } else {
                break;
            }
        }
        let initially_deferred = deferred == Some(true);
        if initially_deferred && deferrable == Some(false) {
            let message = "constraint declared INITIALLY DEFERRED must be DEFERRABLE";
            return Err(Self::grammar(message, start));
        }
        Ok((
            Deferral { deferrable: deferrable.unwrap_or(initially_deferred), initially_deferred },
            not_valid,
        ))
    }

    /// A constraint of a table.
    pub(super) fn table_constraint(&mut self) -> Result<TableConstraint> {
        let start = self.start();
        let name = if self.eat("constraint") { Some(self.col_id()?) } else { None };
        let kind = if self.is("check") {
            let (expr, no_inherit) = self.check()?;
            TableConstraintKind::Check { expr, no_inherit }
        } else if self.eat("primary") {
            self.expect("key")?;
            self.key_constraint(true)?
        } else if self.eat("unique") {
            self.key_constraint(false)?
        } else if self.eat("foreign") {
            self.expect("key")?;
            let columns = self.in_parens(Self::col_id)?;
            TableConstraintKind::ForeignKey { columns, references: self.foreign_key()? }
        } else if self.eat("exclude") {
            self.exclude()?
        } else {
            return Err(self.syntax_error());
        };
        let (deferral, not_valid) = self.deferral(true)?;
        let mut kind = kind;
        if let TableConstraintKind::Check { no_inherit, .. } = &mut kind {
            *no_inherit |= self.eat_all(&["no", "inherit"]);
        }
        Ok(TableConstraint { name, kind, deferral, not_valid, span: self.since(start) })
    }

    fn key_constraint(&mut self, primary: bool) -> Result<TableConstraintKind> {
        if self.are(&["using", "index"]) {
            self.expect_all(&["using", "index"])?;
            return Ok(TableConstraintKind::UsingIndex { primary, index: self.col_id()? });
        }
        let nulls_not_distinct = !primary && self.nulls_not_distinct()?;
        let columns = self.in_parens(Self::col_id)?;
        let parameters = self.index_parameters()?;
        Ok(if primary {
            TableConstraintKind::PrimaryKey { columns, parameters }
        } else {
            TableConstraintKind::Unique { columns, nulls_not_distinct, parameters }
        })
    }

    fn exclude(&mut self) -> Result<TableConstraintKind> {
        let method = if self.eat("using") { Some(self.col_id()?) } else { None };
        let elements = self.in_parens(|p| {
            let mut element = p.index_element()?;
            p.expect("with")?;
            element.exclude_with = Some(p.any_operator()?);
            Ok(element)
        })?;
        let parameters = self.index_parameters()?;
        let mut filter = None;
        if self.eat("where") {
            self.expect_sym("(")?;
            filter = Some(self.expr()?);
            self.expect_sym(")")?;
        }
        Ok(TableConstraintKind::Exclude { method, elements, parameters, filter })
    }
}

fn conflict(slot: &mut Option<bool>, value: bool, at: u32) -> Result<()> {
    if slot.is_some() {
        return Err(Parser::grammar("conflicting constraint properties", at));
    }
    *slot = Some(value);
    Ok(())
}
