//! Transaction statements and SET.

use oxi_base::Result;

use super::cursor::Parser;
use super::lexer::TokenKind;
use crate::ast::*;

impl Parser<'_> {
    pub(super) fn transaction(&mut self) -> Result<Transaction> {
        let word = self.take_ident().value;
        match word.as_str() {
            "start" => {
                self.expect("transaction")?;
                Ok(Transaction::Begin { start: true, modes: self.transaction_modes(true)? })
            }
            "begin" => {
                self.work();
                Ok(Transaction::Begin { start: false, modes: self.transaction_modes(true)? })
            }
            "commit" | "end" => {
                if word == "commit" && self.eat("prepared") {
                    return Ok(Transaction::CommitPrepared(self.string()?));
                }
                self.work();
                Ok(Transaction::Commit { chain: self.chain()? })
            }
            "rollback" | "abort" => self.rollback(&word),
            "savepoint" => Ok(Transaction::Savepoint(self.col_id()?)),
            "release" => {
                self.eat_savepoint();
                Ok(Transaction::Release(self.col_id()?))
            }
            _ => {
                self.expect("transaction")?;
                Ok(Transaction::Prepare(self.string()?))
            }
        }
    }

    fn rollback(&mut self, word: &str) -> Result<Transaction> {
        if word == "rollback" && self.eat("prepared") {
            return Ok(Transaction::RollbackPrepared(self.string()?));
        }
        self.work();
        if word == "rollback" && self.eat("to") {
            self.eat_savepoint();
            return Ok(Transaction::RollbackTo(self.col_id()?));
        }
        Ok(Transaction::Rollback { chain: self.chain()? })
    }

    fn work(&mut self) {
        if !self.eat("work") {
            self.eat("transaction");
        }
    }

    /// `SAVEPOINT` before a name, which may itself be that word.
    fn eat_savepoint(&mut self) {
        if self.is("savepoint") && self.is_col_id(1) {
            self.advance();
        }
    }

    fn chain(&mut self) -> Result<bool> {
        if !self.eat("and") {
            return Ok(false);
        }
        let no = self.eat("no");
        self.expect("chain")?;
        Ok(!no)
    }

    /// The modes, with or without commas between them.
    fn transaction_modes(&mut self, optional: bool) -> Result<TransactionModes> {
        let mut modes = TransactionModes::default();
        let mut first = true;
        loop {
            let comma = !first && self.eat_sym(",");
            let found = self.transaction_mode(&mut modes)?;
            if !found && (comma || (first && !optional)) {
                return Err(self.syntax_error());
            }
            if !found {
                return Ok(modes);
            }
            first = false;
        }
    }

    fn transaction_mode(&mut self, modes: &mut TransactionModes) -> Result<bool> {
        if self.eat("isolation") {
            self.expect("level")?;
            modes.isolation =
                Some(match self.expect_any(&["read", "repeatable", "serializable"])? {
                    "serializable" => IsolationLevel::Serializable,
                    "repeatable" => {
                        self.expect("read")?;
                        IsolationLevel::RepeatableRead
                    }
                    _ if self.expect_any(&["committed", "uncommitted"])? == "committed" => {
                        IsolationLevel::ReadCommitted
                    }
                    _ => IsolationLevel::ReadUncommitted,
                });
        } else if self.eat("read") {
            modes.read_only = Some(self.expect_any(&["only", "write"])? == "only");
        } else if self.eat("not") {
            self.expect("deferrable")?;
            modes.deferrable = Some(false);
        } else if self.eat("deferrable") {
            modes.deferrable = Some(true);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    pub(super) fn set(&mut self) -> Result<StatementKind> {
        self.expect("set")?;
        if self.is("constraints") {
            return self.set_constraints();
        }
        if self.eat("transaction") {
            if self.eat("snapshot") {
                return Ok(StatementKind::Set(Set::Snapshot(self.string()?)));
            }
            return Ok(StatementKind::Set(Set::Transaction(self.transaction_modes(false)?)));
        }
        let mut scope = SetScope::Session;
        if self.eat("local") {
            scope = SetScope::Local;
        } else if self.is("session")
            && !self.sym_at(1, "=")
            && !self.is_at(1, "to")
            && !self.sym_at(1, ".")
        {
            if self.is_at(1, "characteristics") {
                self.expect_all(&["session", "characteristics", "as", "transaction"])?;
                return Ok(StatementKind::Set(Set::SessionCharacteristics(
                    self.transaction_modes(false)?,
                )));
            }
            if !self.is_at(1, "authorization") {
                self.advance();
            }
        }
        self.set_variable(scope).map(StatementKind::Set)
    }

    fn set_constraints(&mut self) -> Result<StatementKind> {
        self.advance();
        let names = if self.eat("all") { None } else { Some(self.list(Self::object_name)?) };
        let deferred = self.expect_any(&["deferred", "immediate"])? == "deferred";
        Ok(StatementKind::SetConstraints(SetConstraints { names, deferred }))
    }

    fn set_variable(&mut self, scope: SetScope) -> Result<Set> {
        let name_start = self.start();
        let special = if self.eat_all(&["time", "zone"]) {
            "timezone"
        } else if self.eat_all(&["session", "authorization"]) {
            "session_authorization"
        } else if self.is("names") && !self.sym_at(1, "=") && !self.is_at(1, "to") {
            self.advance();
            "client_encoding"
        } else if self.is("role") && !self.sym_at(1, "=") && !self.is_at(1, "to") {
            self.advance();
            "role"
        } else if self.is("schema") && self.ahead(1).kind == TokenKind::String {
            self.advance();
            "search_path"
        } else if self.is("catalog") && self.ahead(1).kind == TokenKind::String {
            return Err(self.unsupported("SET CATALOG"));
        } else if self.eat_all(&["xml", "option"]) {
            "xmloption"
        } else {
            ""
        };
        if !special.is_empty() {
            let name_span = self.since(name_start);
            let values = self.special_value(special)?;
            return Ok(Set::Variable { scope, name: special.to_owned(), name_span, values });
        }
        let name = self.variable_name()?;
        let name_span = self.since(name_start);
        if self.eat("from") {
            return Err(self.unsupported("SET ... FROM CURRENT"));
        }
        if !self.eat_sym("=") {
            self.expect("to")?;
        }
        let values = if self.eat("default") { None } else { Some(self.list(Self::set_value)?) };
        Ok(Set::Variable { scope, name, name_span, values })
    }

    /// A setting's name, perhaps dotted.
    fn variable_name(&mut self) -> Result<String> {
        let mut name = self.col_id()?.value;
        while self.eat_sym(".") {
            name.push('.');
            name.push_str(&self.col_id()?.value);
        }
        Ok(name.to_ascii_lowercase())
    }

    /// The value of the settings with a syntax of their own.
    fn special_value(&mut self, setting: &str) -> Result<Option<Vec<SetValue>>> {
        let local = setting == "timezone" && self.eat("local");
        let none = setting == "client_encoding" && (self.kind() == TokenKind::End || self.sym(";"));
        if local || none || self.eat("default") {
            return Ok(None);
        }
        if setting == "timezone" && self.is("interval") {
            return Ok(Some(vec![SetValue::Interval(Box::new(self.primary()?))]));
        }
        Ok(Some(vec![self.set_value()?]))
    }

    fn set_value(&mut self) -> Result<SetValue> {
        let token = self.token();
        match token.kind {
            TokenKind::String => Ok(SetValue::String(self.string()?)),
            TokenKind::Integer | TokenKind::Decimal | TokenKind::Symbol => {
                Ok(SetValue::Number(self.signed_number()?))
            }
            TokenKind::Word if matches!(token.text.as_str(), "true" | "false" | "on") => {
                Ok(SetValue::Word(self.take_ident().value))
            }
            _ => Ok(SetValue::Word(self.non_reserved()?.value)),
        }
    }

    pub(super) fn reset(&mut self) -> Result<Set> {
        self.expect("reset")?;
        if self.eat("all") {
            return Ok(Set::ResetAll);
        }
        self.setting_name().map(Set::Reset)
    }

    pub(super) fn show(&mut self) -> Result<Show> {
        self.expect("show")?;
        if self.eat("all") {
            return Ok(Show::All);
        }
        self.setting_name().map(Show::Variable)
    }

    /// A setting's name in RESET and SHOW.
    fn setting_name(&mut self) -> Result<String> {
        if self.eat_all(&["time", "zone"]) {
            return Ok("timezone".to_owned());
        }
        if self.eat_all(&["transaction", "isolation", "level"]) {
            return Ok("transaction_isolation".to_owned());
        }
        if self.eat_all(&["session", "authorization"]) {
            return Ok("session_authorization".to_owned());
        }
        self.variable_name()
    }
}
