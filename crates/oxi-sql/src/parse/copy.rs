//! COPY.

use oxi_base::{Error, Result, SqlState};

use super::cursor::Parser;
use super::lexer::TokenKind;
use crate::ast::*;

impl Parser<'_> {
    pub(super) fn copy(&mut self) -> Result<Copy> {
        let start = self.start();
        self.expect("copy")?;
        let mut options = Vec::new();
        if self.is("binary") {
            options.push(self.format_option("binary"));
        }
        let source = if self.eat_sym("(") {
            let statement = self.nested(Self::row_statement)?;
            self.expect_sym(")")?;
            CopySource::Query(Box::new(statement))
        } else {
            let name = self.object_name()?;
            CopySource::Table { name, columns: self.optional_columns()? }
        };
        let from = if matches!(source, CopySource::Query(_)) {
            self.expect("to")?;
            false
        } else {
            self.expect_any(&["from", "to"])? == "from"
        };
        let endpoint = self.copy_endpoint()?;
        self.old_delimiter(&mut options)?;
        self.eat("with");
        if self.sym("(") {
            options.extend(self.utility_options()?);
        } else {
            self.old_options(&mut options)?;
        }
        let where_at = self.start();
        let filter = self.optional_where()?;
        if filter.is_some() && !from {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "WHERE clause not allowed with COPY TO",
            )
            .at(where_at as usize));
        }
        Ok(Copy { source, from, endpoint, options, filter, span: self.since(start) })
    }

    fn copy_endpoint(&mut self) -> Result<CopyEndpoint> {
        if self.eat("stdin") || self.eat("stdout") {
            return Ok(CopyEndpoint::Client);
        }
        if self.eat("program") {
            return Ok(CopyEndpoint::Program(self.string()?));
        }
        Ok(CopyEndpoint::File(self.string()?))
    }

    fn format_option(&mut self, format: &str) -> NamedOption {
        let mut option = self.word_option("format");
        option.value = Some(OptionValue::Word(format.to_owned()));
        option
    }

    fn old_delimiter(&mut self, options: &mut Vec<NamedOption>) -> Result<()> {
        if self.is("delimiters") || (self.is("using") && self.is_at(1, "delimiters")) {
            self.eat("using");
            let mut option = self.word_option("delimiter");
            option.value = Some(OptionValue::String(self.string()?));
            options.push(option);
        }
        Ok(())
    }

    /// The options without parentheses.
    fn old_options(&mut self, options: &mut Vec<NamedOption>) -> Result<()> {
        loop {
            let word = if self.kind() == TokenKind::Word {
                self.token().text.clone()
            } else {
                return Ok(());
            };
            let option = match word.as_str() {
                "binary" | "csv" => self.format_option(&word),
                "freeze" | "header" => {
                    let mut option = self.word_option(&word);
                    option.value = Some(OptionValue::Word("true".to_owned()));
                    option
                }
                "delimiter" | "null" | "quote" | "escape" | "encoding" => {
                    let mut option = self.word_option(&word);
                    if word != "encoding" {
                        self.eat("as");
                    }
                    option.value = Some(OptionValue::String(self.string()?));
                    option
                }
                "force" => self.force_option()?,
                _ => return Ok(()),
            };
            options.push(option);
        }
    }

    fn force_option(&mut self) -> Result<NamedOption> {
        let mut option = self.word_option("force_quote");
        if self.eat("quote") {
            if self.eat_sym("*") {
                option.value = Some(OptionValue::Star);
                return Ok(option);
            }
        } else {
            let not = self.eat("not");
            self.expect("null")?;
            let name = if not { "force_not_null" } else { "force_null" };
            name.clone_into(&mut option.name);
        }
        let columns = self.list(Self::col_id)?;
        option.value =
            Some(OptionValue::List(columns.into_iter().map(|column| column.value).collect()));
        Ok(option)
    }
}
