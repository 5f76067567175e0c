//! CREATE, DROP and COMMENT. CREATE TABLE is in `create_table`.

use oxi_base::Result;

use super::cursor::Parser;
use super::lexer::TokenKind;
use crate::ast::*;

impl Parser<'_> {
    pub(super) fn create(&mut self) -> Result<StatementKind> {
        let start = self.start();
        self.expect("create")?;
        let or_replace = self.eat_all(&["or", "replace"]);
        let persistence = self.persistence();
        if self.eat("recursive") {
            self.expect("view")?;
            return self.create_view(or_replace, persistence, true, start);
        }
        if self.eat("view") {
            return self.create_view(or_replace, persistence, false, start);
        }
        if or_replace {
            return Err(self.unsupported_create());
        }
        if self.eat("table") {
            return self.create_table(persistence, start);
        }
        if self.eat("sequence") {
            let if_not_exists = self.if_not_exists();
            let name = self.object_name()?;
            let options = self.sequence_options()?;
            return Ok(StatementKind::CreateSequence(CreateSequence {
                name,
                if_not_exists,
                persistence,
                options,
            }));
        }
        if self.are(&["materialized", "view"]) && persistence != Persistence::Temporary {
            self.expect_all(&["materialized", "view"])?;
            let if_not_exists = self.if_not_exists();
            let name = self.object_name()?;
            return self.create_table_as(name, if_not_exists, persistence, true, start);
        }
        if persistence != Persistence::Permanent {
            return Err(self.syntax_error());
        }
        if self.is("index") || self.are(&["unique", "index"]) {
            return self.create_index(start);
        }
        match self.token().text.clone().as_str() {
            "schema" => self.create_schema(),
            "type" => self.create_type(),
            "domain" => self.create_domain(),
            "extension" => self.create_extension(),
            "database" => self.create_database(),
            "role" | "user" | "group" if !self.is_at(1, "mapping") => self.create_role(),
            _ => Err(self.unsupported_create()),
        }
    }

    fn unsupported_create(&self) -> oxi_base::Error {
        const KNOWN: &[&str] = &[
            "function",
            "procedure",
            "trigger",
            "rule",
            "aggregate",
            "operator",
            "cast",
            "collation",
            "conversion",
            "language",
            "trusted",
            "procedural",
            "publication",
            "subscription",
            "server",
            "foreign",
            "policy",
            "statistics",
            "tablespace",
            "text",
            "transform",
            "event",
            "access",
            "constraint",
            "user",
        ];
        if self.is_any(KNOWN) {
            let second =
                if self.is_any(&["foreign", "text", "event", "access", "constraint", "user"]) {
                    format!(" {}", self.ahead(1).text.to_ascii_uppercase())
                } else {
                    String::new()
                };
            return self.unsupported(&format!(
                "CREATE {}{second}",
                self.token().text.to_ascii_uppercase()
            ));
        }
        self.syntax_error()
    }

    fn create_view(
        &mut self,
        or_replace: bool,
        persistence: Persistence,
        recursive: bool,
        start: u32,
    ) -> Result<StatementKind> {
        let name = self.object_name()?;
        let columns = self.optional_columns()?;
        if recursive && columns.is_empty() {
            return Err(self.syntax_error());
        }
        let options = self.optional_with_options()?;
        self.expect("as")?;
        let query = Box::new(self.query()?);
        let mut check_option = None;
        if self.eat("with") {
            check_option = Some(if self.eat("local") {
                CheckOption::Local
            } else {
                self.eat("cascaded");
                CheckOption::Cascaded
            });
            self.expect_all(&["check", "option"])?;
        }
        Ok(StatementKind::CreateView(Box::new(CreateView {
            or_replace,
            persistence,
            recursive,
            name,
            columns,
            options,
            query,
            check_option,
            span: self.since(start),
        })))
    }

    fn create_index(&mut self, start: u32) -> Result<StatementKind> {
        let unique = self.eat("unique");
        self.expect("index")?;
        let concurrently = self.eat("concurrently");
        let if_not_exists = self.if_not_exists();
        let name = if self.is("on") { None } else { Some(self.col_id()?) };
        if name.is_none() && if_not_exists {
            return Err(self.syntax_error());
        }
        self.expect("on")?;
        let (table, only) = self.relation()?;
        let method = if self.eat("using") { Some(self.col_id()?) } else { None };
        let elements = self.in_parens(Self::index_element)?;
        let include = if self.eat("include") { self.in_parens(Self::col_id)? } else { Vec::new() };
        let nulls_not_distinct = self.nulls_not_distinct()?;
        let options = self.optional_with_options()?;
        let tablespace = if self.eat("tablespace") { Some(self.col_id()?) } else { None };
        let filter = self.optional_where()?;
        Ok(StatementKind::CreateIndex(Box::new(CreateIndex {
            unique,
            concurrently,
            if_not_exists,
            name,
            table,
            only,
            method,
            elements,
            include,
            nulls_not_distinct,
            options,
            tablespace,
            filter,
            span: self.since(start),
        })))
    }

    fn create_schema(&mut self) -> Result<StatementKind> {
        self.expect("schema")?;
        let if_not_exists = self.if_not_exists();
        let mut name = None;
        let mut owner = None;
        if !self.is("authorization") {
            name = Some(self.col_id()?);
        }
        if self.eat("authorization") {
            owner = Some(self.role()?);
        }
        let mut elements = Vec::new();
        while self.is_any(&["create", "grant"]) {
            elements.push(self.statement()?);
        }
        Ok(StatementKind::CreateSchema(CreateSchema { name, if_not_exists, owner, elements }))
    }

    /// A role: also `CURRENT_USER` and its like, as words.
    pub(super) fn role(&mut self) -> Result<Ident> {
        if self.is_any(&["current_user", "current_role", "session_user"]) {
            return Ok(self.take_ident());
        }
        self.non_reserved()
    }

    /// The options of a sequence, as far as they go.
    pub(super) fn sequence_options(&mut self) -> Result<Vec<SequenceOption>> {
        let mut options = Vec::new();
        loop {
            let start = self.start();
            let Some(kind) = self.sequence_option()? else { return Ok(options) };
            options.push(SequenceOption { kind, span: self.since(start) });
        }
    }

    fn sequence_option(&mut self) -> Result<Option<SequenceOptionKind>> {
        use SequenceOptionKind::*;
        let kind = if self.eat("as") {
            DataType(self.type_name()?)
        } else if self.eat("increment") {
            self.eat("by");
            Increment(self.signed_number()?)
        } else if self.eat("minvalue") {
            MinValue(Some(self.signed_number()?))
        } else if self.eat("maxvalue") {
            MaxValue(Some(self.signed_number()?))
        } else if self.eat("no") {
            match self.expect_any(&["minvalue", "maxvalue", "cycle"])? {
                "minvalue" => MinValue(None),
                "maxvalue" => MaxValue(None),
                _ => Cycle(false),
            }
        } else if self.eat("start") {
            self.eat("with");
            Start(self.signed_number()?)
        } else if self.eat("restart") {
            let with = self.eat("with");
            let number = matches!(self.kind(), TokenKind::Integer | TokenKind::Decimal)
                || self.sym("-")
                || self.sym("+");
            Restart(if with || number { Some(self.signed_number()?) } else { None })
        } else if self.eat("cache") {
            Cache(self.signed_number()?)
        } else if self.eat("cycle") {
            Cycle(true)
        } else if self.eat("owned") {
            self.expect("by")?;
            let name = self.object_name()?;
            OwnedBy(if name.parts.len() == 1 && name.last() == "none" { None } else { Some(name) })
        } else if self.eat_all(&["sequence", "name"]) {
            SequenceName(self.object_name()?)
        } else if self.eat("logged") {
            Logged(true)
        } else if self.eat("unlogged") {
            Logged(false)
        } else {
            return Ok(None);
        };
        Ok(Some(kind))
    }

    fn create_type(&mut self) -> Result<StatementKind> {
        self.expect("type")?;
        let name = self.object_name()?;
        if !self.is("as") {
            return Err(self.unsupported("CREATE TYPE of a base type"));
        }
        self.expect("as")?;
        if self.is("range") {
            return Err(self.unsupported("CREATE TYPE AS RANGE"));
        }
        let kind = if self.eat("enum") {
            self.expect_sym("(")?;
            let mut labels = Vec::new();
            if !self.sym(")") {
                labels = self.list(|p| {
                    let span = p.token().span;
                    Ok((p.string()?, span))
                })?;
            }
            self.expect_sym(")")?;
            CreateTypeKind::Enum(labels)
        } else {
            self.expect_sym("(")?;
            let columns =
                if self.sym(")") { Vec::new() } else { self.list(Self::column_definition)? };
            self.expect_sym(")")?;
            CreateTypeKind::Composite(columns)
        };
        Ok(StatementKind::CreateType(CreateType { name, kind }))
    }

    fn create_domain(&mut self) -> Result<StatementKind> {
        self.expect("domain")?;
        let name = self.object_name()?;
        self.eat("as");
        let data_type = self.type_name()?;
        let mut domain = CreateDomain { name, data_type, collation: None, constraints: Vec::new() };
        self.column_constraints(&mut domain.constraints, &mut domain.collation)?;
        Ok(StatementKind::CreateDomain(Box::new(domain)))
    }

    fn create_extension(&mut self) -> Result<StatementKind> {
        self.expect("extension")?;
        let if_not_exists = self.if_not_exists();
        let name = self.col_id()?;
        let mut extension =
            CreateExtension { name, if_not_exists, schema: None, version: None, cascade: false };
        self.eat("with");
        loop {
            if self.eat("schema") {
                extension.schema = Some(self.col_id()?);
            } else if self.eat("version") {
                extension.version = Some(if self.kind() == TokenKind::String {
                    self.string()?
                } else {
                    self.non_reserved()?.value
                });
            } else if self.eat("cascade") {
                extension.cascade = true;
            } else {
                return Ok(StatementKind::CreateExtension(extension));
            }
        }
    }

    fn create_database(&mut self) -> Result<StatementKind> {
        self.expect("database")?;
        let name = self.col_id()?;
        self.eat("with");
        let mut options = Vec::new();
        while matches!(self.kind(), TokenKind::Word) {
            let start = self.start();
            let mut option = self.take_ident().value;
            if option == "connection" {
                self.expect("limit")?;
                option.push_str("_limit");
            }
            self.eat_sym("=");
            let value = Some(match self.kind() {
                TokenKind::String => OptionValue::String(self.string()?),
                TokenKind::Word | TokenKind::Quoted => OptionValue::Word(self.take_ident().value),
                _ => OptionValue::Number(self.signed_number()?),
            });
            options.push(NamedOption { name: option, value, span: self.since(start) });
        }
        Ok(StatementKind::CreateDatabase(CreateDatabase { name, options }))
    }

    fn create_role(&mut self) -> Result<StatementKind> {
        let login = self.is("user");
        self.advance();
        let name = self.non_reserved()?;
        self.eat("with");
        Ok(StatementKind::CreateRole(CreateRole { name, login, options: self.role_options()? }))
    }

    pub(super) fn role_options(&mut self) -> Result<Vec<NamedOption>> {
        let mut options = Vec::new();
        while self.kind() == TokenKind::Word {
            let start = self.start();
            let word = self.take_ident().value;
            let (name, value) = match word.as_str() {
                "password" if self.eat("null") => ("password", None),
                "password" => ("password", Some(OptionValue::String(self.string()?))),
                "encrypted" => {
                    self.expect("password")?;
                    ("password", Some(OptionValue::String(self.string()?)))
                }
                "connection" => {
                    self.expect("limit")?;
                    ("connection_limit", Some(OptionValue::Number(self.signed_number()?)))
                }
                "valid" => {
                    self.expect("until")?;
                    ("valid_until", Some(OptionValue::String(self.string()?)))
                }
                "sysid" => ("sysid", Some(OptionValue::Number(self.signed_number()?))),
                "in" | "role" | "user" | "admin" | "group" => {
                    let mut name = word.clone();
                    if word == "in" {
                        self.expect_any(&["role", "group"])?;
                        "in_role".clone_into(&mut name);
                    }
                    let roles = self.list(Self::role)?.into_iter().map(|role| role.value).collect();
                    let value = Some(OptionValue::List(roles));
                    options.push(NamedOption { name, value, span: self.since(start) });
                    continue;
                }
                _ => {
                    let name = word.strip_prefix("no").filter(|_| word != "no").unwrap_or(&word);
                    let known = [
                        "superuser",
                        "createdb",
                        "createrole",
                        "inherit",
                        "login",
                        "replication",
                        "bypassrls",
                    ];
                    let Some(known) = known.iter().find(|known| **known == name) else {
                        self.at -= 1;
                        return Err(self.syntax_error());
                    };
                    (*known, Some(OptionValue::Word((name == word).to_string())))
                }
            };
            options.push(NamedOption { name: name.to_owned(), value, span: self.since(start) });
        }
        Ok(options)
    }

    /// The kind of object after CREATE's counterpart words; takes the words.
    pub(super) fn object_kind(&mut self) -> Option<ObjectKind> {
        if self.eat_all(&["materialized", "view"]) {
            return Some(ObjectKind::MaterializedView);
        }
        let kind = match self.token().text.as_str() {
            _ if self.kind() != TokenKind::Word => return None,
            "table" => ObjectKind::Table,
            "index" => ObjectKind::Index,
            "view" => ObjectKind::View,
            "sequence" => ObjectKind::Sequence,
            "schema" => ObjectKind::Schema,
            "database" => ObjectKind::Database,
            "type" => ObjectKind::Type,
            "domain" => ObjectKind::Domain,
            "extension" => ObjectKind::Extension,
            "role" | "user" | "group" if !self.is_at(1, "mapping") => ObjectKind::Role,
            _ => return None,
        };
        self.advance();
        Some(kind)
    }

    pub(super) fn drop_objects(&mut self) -> Result<StatementKind> {
        self.expect("drop")?;
        let Some(kind) = self.object_kind() else { return Err(self.unsupported_word("DROP")) };
        let concurrently = kind == ObjectKind::Index && self.eat("concurrently");
        let if_exists = self.if_exists();
        let names = self.list(|p| match kind {
            ObjectKind::Role => p.role().map(ObjectName::unqualified),
            _ => p.object_name(),
        })?;
        if kind == ObjectKind::Database && (self.is("with") || self.sym("(")) {
            return Err(self.unsupported("DROP DATABASE WITH options"));
        }
        let cascade = self.cascade();
        Ok(StatementKind::Drop(Drop { kind, names, if_exists, cascade, concurrently }))
    }

    /// The word after CREATE, DROP or ALTER is of something that is not supported, or wrong.
    pub(super) fn unsupported_word(&self, verb: &str) -> oxi_base::Error {
        match self.unsupported_create() {
            error if error.code() == oxi_base::SqlState::FEATURE_NOT_SUPPORTED => {
                self.unsupported(&format!("{verb} {}", self.token().text.to_ascii_uppercase()))
            }
            error => error,
        }
    }

    pub(super) fn comment(&mut self) -> Result<Comment> {
        self.expect_all(&["comment", "on"])?;
        let mut part = None;
        let (kind, name) = if self.eat("column") {
            (ObjectKind::Column, self.object_name_of(4)?)
        } else if self.eat("constraint") {
            part = Some(self.col_id()?);
            self.expect("on")?;
            if self.is("domain") {
                return Err(self.unsupported("COMMENT ON CONSTRAINT ON DOMAIN"));
            }
            (ObjectKind::Constraint, self.object_name()?)
        } else {
            let Some(kind) = self.object_kind() else {
                return Err(self.unsupported_word("COMMENT ON"));
            };
            (kind, self.object_name()?)
        };
        self.expect("is")?;
        let text = if self.eat("null") { None } else { Some(self.string()?) };
        Ok(Comment { kind, name, part, text })
    }

    /// A name of up to `most` parts.
    fn object_name_of(&mut self, most: usize) -> Result<ObjectName> {
        let mut parts = vec![self.col_id()?];
        while parts.len() < most && self.eat_sym(".") {
            parts.push(self.col_label()?);
        }
        let span = self.since(parts[0].span.start);
        Ok(ObjectName { parts, span })
    }
}
