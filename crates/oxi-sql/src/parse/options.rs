//! Lists of named options.

use oxi_base::Result;

use super::cursor::Parser;
use super::lexer::TokenKind;
use crate::ast::*;

impl Parser<'_> {
    /// `(name value, …)`: the options of COPY, EXPLAIN, VACUUM and their like.
    pub(super) fn utility_options(&mut self) -> Result<Vec<NamedOption>> {
        self.in_parens(|p| {
            let start = p.start();
            let mut name = p.col_label()?.value;
            if name == "analyse" {
                "analyze".clone_into(&mut name);
            }
            let value = if p.sym(",") || p.sym(")") { None } else { Some(p.option_value()?) };
            Ok(NamedOption { name, value, span: p.since(start) })
        })
    }

    /// `WITH (name = value, …)`, after the word.
    pub(super) fn storage_options(&mut self) -> Result<Vec<NamedOption>> {
        self.in_parens(|p| {
            let start = p.start();
            let mut name = p.col_label()?.value;
            if p.eat_sym(".") {
                name = format!("{name}.{}", p.col_label()?.value);
            }
            let value = if p.eat_sym("=") { Some(p.option_value()?) } else { None };
            Ok(NamedOption { name, value, span: p.since(start) })
        })
    }

    /// `WITH (…)` or nothing.
    pub(super) fn optional_with_options(&mut self) -> Result<Vec<NamedOption>> {
        if self.is("with") && self.sym_at(1, "(") {
            self.advance();
            return self.storage_options();
        }
        Ok(Vec::new())
    }

    fn option_value(&mut self) -> Result<OptionValue> {
        let token = self.token();
        Ok(match token.kind {
            TokenKind::String => OptionValue::String(self.string()?),
            TokenKind::Symbol if token.text == "*" => {
                self.advance();
                OptionValue::Star
            }
            TokenKind::Symbol if token.text == "(" => {
                OptionValue::List(self.in_parens(|p| match p.kind() {
                    TokenKind::String => p.string(),
                    _ => p.col_label().map(|name| name.value),
                })?)
            }
            TokenKind::Word | TokenKind::Quoted => OptionValue::Word(self.take_ident().value),
            _ => OptionValue::Number(self.signed_number()?),
        })
    }

    /// An option that an older syntax gives by a word.
    pub(super) fn word_option(&mut self, name: &str) -> NamedOption {
        let span = self.token().span;
        self.advance();
        NamedOption { name: name.to_owned(), value: None, span }
    }
}
