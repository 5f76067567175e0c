//! Statements that neither read tables nor define objects.

use oxi_base::Result;
use oxi_model::engine::TableLock;

use super::cursor::Parser;
use super::lexer::TokenKind;
use crate::ast::*;

impl Parser<'_> {
    /// The statement that begins with this word.
    pub(super) fn utility(&mut self, word: &str) -> Result<StatementKind> {
        Ok(match word {
            "reset" => StatementKind::Set(self.reset()?),
            "show" => StatementKind::Show(self.show()?),
            "explain" => StatementKind::Explain(Box::new(self.explain()?)),
            "prepare" => StatementKind::Prepare(Box::new(self.prepare()?)),
            "execute" => StatementKind::Execute(self.execute()?),
            "deallocate" => {
                self.advance();
                self.eat("prepare");
                let name = if self.eat("all") { None } else { Some(self.col_id()?) };
                StatementKind::Deallocate(Deallocate { name })
            }
            "declare" => StatementKind::DeclareCursor(Box::new(self.declare()?)),
            "fetch" | "move" => StatementKind::Fetch(self.fetch(word == "move")?),
            "close" => {
                self.advance();
                let name = if self.eat("all") { None } else { Some(self.col_id()?) };
                StatementKind::CloseCursor(CloseCursor { name })
            }
            "discard" => StatementKind::Discard(self.discard()?),
            "checkpoint" => {
                self.advance();
                StatementKind::Checkpoint
            }
            "vacuum" | "analyze" | "analyse" => {
                StatementKind::Vacuum(self.vacuum(word == "vacuum")?)
            }
            "reindex" => StatementKind::Reindex(self.reindex()?),
            "cluster" => StatementKind::Cluster(self.cluster()?),
            "lock" => StatementKind::LockTable(self.lock()?),
            "call" => {
                let start = self.start();
                self.advance();
                let name = self.object_name()?;
                let call = self.call_of(name, start)?;
                StatementKind::Call(Box::new(Call { call }))
            }
            "do" => StatementKind::Do(self.do_block()?),
            "grant" | "revoke" => StatementKind::Grant(self.grant(word == "grant")?),
            "listen" => {
                self.advance();
                StatementKind::Listen(self.col_id()?)
            }
            "unlisten" => {
                self.advance();
                StatementKind::Unlisten(if self.eat_sym("*") { None } else { Some(self.col_id()?) })
            }
            "notify" => {
                self.advance();
                let channel = self.col_id()?;
                let payload = if self.eat_sym(",") { Some(self.string()?) } else { None };
                StatementKind::Notify(Notify { channel, payload })
            }
            "flashback" => self.flashback()?,
            "undrop" => {
                self.expect_all(&["undrop", "table"])?;
                let name = self.object_name()?;
                StatementKind::Undrop(Undrop { name, rename: self.optional_rename()? })
            }
            "refresh" => StatementKind::RefreshMaterializedView(self.refresh()?),
            _ => return Err(self.syntax_error()),
        })
    }

    /// `FLASHBACK TABLE … TO …`.
    fn flashback(&mut self) -> Result<StatementKind> {
        self.expect_all(&["flashback", "table"])?;
        let name = self.object_name()?;
        let mut tables = vec![name];
        while self.eat_sym(",") {
            tables.push(self.object_name()?);
        }
        self.expect("to")?;
        if self.are(&["before", "drop"]) && tables.len() == 1 {
            self.expect_all(&["before", "drop"])?;
            let name = tables.remove(0);
            return Ok(StatementKind::Undrop(Undrop { name, rename: self.optional_rename()? }));
        }
        let to = self.moment()?;
        Ok(StatementKind::Flashback(Box::new(Flashback { tables, to })))
    }

    fn optional_rename(&mut self) -> Result<Option<Ident>> {
        if !self.eat_all(&["rename", "to"]) {
            return Ok(None);
        }
        self.col_id().map(Some)
    }

    fn discard(&mut self) -> Result<Discard> {
        self.advance();
        let words = ["all", "plans", "sequences", "temp", "temporary"];
        Ok(match self.expect_any(&words)? {
            "all" => Discard::All,
            "plans" => Discard::Plans,
            "sequences" => Discard::Sequences,
            _ => Discard::Temp,
        })
    }

    fn refresh(&mut self) -> Result<RefreshMaterializedView> {
        self.expect_all(&["refresh", "materialized", "view"])?;
        let concurrently = self.eat("concurrently");
        let name = self.object_name()?;
        let with_data = self.with_data()?;
        Ok(RefreshMaterializedView { name, concurrently, with_data })
    }

    fn explain(&mut self) -> Result<Explain> {
        self.expect("explain")?;
        let mut options = Vec::new();
        if self.sym("(") && !self.leads_to_query() {
            options = self.utility_options()?;
        } else {
            if self.is_any(&["analyze", "analyse"]) {
                options.push(self.word_option("analyze"));
            }
            if self.is("verbose") {
                options.push(self.word_option("verbose"));
            }
        }
        let explainable = [
            "select", "values", "table", "with", "insert", "update", "delete", "merge", "declare",
            "create", "execute", "refresh",
        ];
        if !self.sym("(") && !self.is_any(&explainable) {
            return Err(self.syntax_error());
        }
        Ok(Explain { options, statement: self.statement()? })
    }

    fn prepare(&mut self) -> Result<Prepare> {
        self.expect("prepare")?;
        let name = self.col_id()?;
        let types = if self.sym("(") { self.in_parens(Self::type_name)? } else { Vec::new() };
        self.expect("as")?;
        Ok(Prepare { name, types, statement: self.nested(Self::row_statement)? })
    }

    pub(super) fn execute(&mut self) -> Result<Execute> {
        self.expect("execute")?;
        let name = self.col_id()?;
        let args = if self.sym("(") { self.in_parens(Self::expr)? } else { Vec::new() };
        Ok(Execute { name, args })
    }

    fn declare(&mut self) -> Result<DeclareCursor> {
        self.expect("declare")?;
        let name = self.col_id()?;
        let (mut binary, mut scroll, mut insensitive) = (false, None, None);
        loop {
            if self.eat("binary") {
                binary = true;
            } else if self.eat("scroll") {
                scroll = Some(true);
            } else if self.eat("insensitive") {
                insensitive = Some(true);
            } else if self.eat("asensitive") {
                insensitive = Some(false);
            } else if self.eat("no") {
                self.expect("scroll")?;
                scroll = Some(false);
            } else {
                break;
            }
        }
        self.expect("cursor")?;
        let hold = self.eat("with");
        if hold || self.eat("without") {
            self.expect("hold")?;
        }
        self.expect("for")?;
        Ok(DeclareCursor {
            name,
            binary,
            scroll,
            insensitive,
            hold,
            query: Box::new(self.query()?),
        })
    }

    fn fetch(&mut self, moves: bool) -> Result<Fetch> {
        use FetchDirection::*;
        self.advance();
        let number = matches!(self.kind(), TokenKind::Integer) || self.sym("-") || self.sym("+");
        // A cursor may have the name of a direction: then nothing follows it.
        let alone = self.ahead(1).kind == TokenKind::End || self.sym_at(1, ";");
        let direction = if number {
            Forward(self.count()?)
        } else if alone || self.eat("next") {
            Forward(1)
        } else if self.eat("prior") {
            Backward(1)
        } else if self.eat("first") {
            Absolute(1)
        } else if self.eat("last") {
            Absolute(-1)
        } else if self.eat("absolute") {
            Absolute(self.count()?)
        } else if self.eat("relative") {
            Relative(self.count()?)
        } else if self.eat("all") {
            ForwardAll
        } else if self.is_any(&["forward", "backward"]) {
            let forward = self.is("forward");
            self.advance();
            let all = self.eat("all");
            let count = if all || self.is_any(&["from", "in"]) || self.is_col_id(0) {
                1
            } else {
                self.count()?
            };
            match (forward, all) {
                (true, true) => ForwardAll,
                (true, false) => Forward(count),
                (false, true) => BackwardAll,
                (false, false) => Backward(count),
            }
        } else {
            Forward(1)
        };
        if !self.eat("from") {
            self.eat("in");
        }
        Ok(Fetch { moves, direction, cursor: self.col_id()? })
    }

    fn count(&mut self) -> Result<i64> {
        let at = self.at;
        if let Ok(count) = self.signed_number()?.parse() {
            Ok(count)
        } else {
            self.at = at;
            Err(self.syntax_error())
        }
    }

    fn vacuum(&mut self, vacuum: bool) -> Result<Vacuum> {
        self.advance();
        let mut options = Vec::new();
        if self.sym("(") {
            options = self.utility_options()?;
        } else {
            for word in ["full", "freeze", "verbose", "analyze", "analyse"] {
                if self.is(word) && (vacuum || word == "verbose") {
                    options.push(self.word_option(if word == "analyse" {
                        "analyze"
                    } else {
                        word
                    }));
                }
            }
        }
        let mut tables = Vec::new();
        if self.is_col_id(0) {
            tables = self.list(|p| Ok((p.object_name()?, p.optional_columns()?)))?;
        }
        Ok(Vacuum { vacuum, options, tables })
    }

    fn reindex(&mut self) -> Result<Reindex> {
        self.expect("reindex")?;
        let options = if self.sym("(") { self.utility_options()? } else { Vec::new() };
        let kind = match self.expect_any(&["index", "table", "schema", "database", "system"])? {
            "index" => ObjectKind::Index,
            "table" => ObjectKind::Table,
            "schema" => ObjectKind::Schema,
            "database" => ObjectKind::Database,
            _ => ObjectKind::Other,
        };
        let concurrently = self.eat("concurrently");
        let optional = matches!(kind, ObjectKind::Database | ObjectKind::Other);
        let name = if optional && !self.is_col_id(0) { None } else { Some(self.object_name()?) };
        Ok(Reindex { options, kind, concurrently, name })
    }

    fn cluster(&mut self) -> Result<Cluster> {
        self.expect("cluster")?;
        let mut options = Vec::new();
        if self.sym("(") {
            options = self.utility_options()?;
        } else if self.is("verbose") {
            options.push(self.word_option("verbose"));
        }
        let mut table = if self.is_col_id(0) { Some(self.object_name()?) } else { None };
        let mut index = None;
        if table.is_some() && self.eat("using") {
            index = Some(self.col_id()?);
        } else if self.eat("on") {
            let name = table.take();
            index = name.and_then(|mut name| name.parts.pop());
            table = Some(self.object_name()?);
        }
        Ok(Cluster { options, table, index })
    }

    fn lock(&mut self) -> Result<LockTable> {
        self.expect("lock")?;
        self.eat("table");
        let tables = self.list(Self::relation)?;
        let mut mode = TableLock::AccessExclusive;
        if self.eat("in") {
            mode = self.lock_mode()?;
            self.expect("mode")?;
        }
        Ok(LockTable { tables, mode, no_wait: self.eat("nowait") })
    }

    fn lock_mode(&mut self) -> Result<TableLock> {
        Ok(match self.expect_any(&["access", "row", "share", "exclusive"])? {
            "access" if self.expect_any(&["share", "exclusive"])? == "share" => {
                TableLock::AccessShare
            }
            "access" => TableLock::AccessExclusive,
            "row" if self.expect_any(&["share", "exclusive"])? == "share" => TableLock::RowShare,
            "row" => TableLock::RowExclusive,
            "exclusive" => TableLock::Exclusive,
            _ if self.eat("update") => {
                self.expect("exclusive")?;
                TableLock::ShareUpdateExclusive
            }
            _ if self.eat("row") => {
                self.expect("exclusive")?;
                TableLock::ShareRowExclusive
            }
            _ => TableLock::Share,
        })
    }

    fn do_block(&mut self) -> Result<Do> {
        self.expect("do")?;
        let mut language = None;
        let mut code = None;
        while language.is_none() || code.is_none() {
            if language.is_none() && self.eat("language") {
                language = Some(self.non_reserved()?);
            } else if code.is_none() && self.kind() == TokenKind::String {
                code = Some(self.string()?);
            } else {
                break;
            }
        }
        Ok(Do { language, code: code.ok_or_else(|| self.syntax_error())? })
    }

    fn grant(&mut self, grant: bool) -> Result<Grant> {
        let start = self.start();
        self.advance();
        let mut option = false;
        if !grant && self.is_any(&["grant", "admin"]) && self.is_at(1, "option") {
            self.advance();
            self.expect_all(&["option", "for"])?;
            option = true;
        }
        let privileges = self.privileges()?;
        let mut found = Grant {
            grant,
            roles: !self.eat("on"),
            privileges,
            kind: ObjectKind::Table,
            objects: Vec::new(),
            all_in_schema: false,
            grantees: Vec::new(),
            option,
            cascade: false,
            span: Span::default(),
        };
        if found.roles {
            found.kind = ObjectKind::Role;
        } else {
            self.grant_objects(&mut found)?;
        }
        self.expect(if grant { "to" } else { "from" })?;
        found.grantees = self.list(|p| {
            p.eat("group");
            p.role()
        })?;
        if grant && self.eat("with") {
            self.expect_any(&["grant", "admin"])?;
            self.expect("option")?;
            found.option = true;
        }
        if self.eat("granted") {
            self.expect("by")?;
            self.role()?;
        }
        found.cascade = !grant && self.cascade();
        found.span = self.since(start);
        Ok(found)
    }

    fn privileges(&mut self) -> Result<Vec<(String, Vec<Ident>)>> {
        if self.eat("all") {
            self.eat("privileges");
            return Ok(vec![("all".to_owned(), self.optional_columns()?)]);
        }
        self.list(|p| Ok((p.col_label()?.value, p.optional_columns()?)))
    }

    fn grant_objects(&mut self, found: &mut Grant) -> Result<()> {
        if self.eat("all") {
            found.kind = match self.expect_any(&[
                "tables",
                "sequences",
                "functions",
                "procedures",
                "routines",
            ])? {
                "tables" => ObjectKind::Table,
                "sequences" => ObjectKind::Sequence,
                _ => ObjectKind::Function,
            };
            self.expect_all(&["in", "schema"])?;
            found.all_in_schema = true;
        } else if self.is_any(&[
            "function",
            "procedure",
            "routine",
            "language",
            "large",
            "parameter",
            "tablespace",
            "foreign",
        ]) {
            return Err(
                self.unsupported(&format!("GRANT ON {}", self.token().text.to_ascii_uppercase()))
            );
        } else if let Some(kind) = self.object_kind() {
            found.kind = kind;
        }
        found.objects = self.list(Self::object_name)?;
        Ok(())
    }
}
