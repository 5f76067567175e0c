//! The parser's place in the tokens: looking ahead, taking words and names, errors, and the limit of
//! nesting.

use oxi_base::{Error, Result, SqlState};

use super::keyword::{self, Category};
use super::lexer::{self, Token, TokenKind};
use crate::ast::{Ident, ObjectName, Span};

/// How deep trees and nesting may be: all who walk a tree may recurse this far.
pub(crate) const MAX_DEPTH: u32 = 2_000;

/// Below this much stack the next piece is taken.
const RED_ZONE: usize = 256 * 1024;
/// The size of a piece of stack.
const STACK_PIECE: usize = 2 * 1024 * 1024;

/// Reads one text.
pub(crate) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    /// The token that the statement being read began with.
    pub(super) statement_start: usize,
    lex_error: Option<Error>,
    /// The error being reported is one whatever a more lenient parser may say.
    pub(super) certain: bool,
    depth: u32,
    /// The height of the tree built since the innermost `nested` began.
    pub(super) height: u32,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let tokens = lexer::tokenize(text);
        Parser {
            text,
            tokens: tokens.list,
            at: 0,
            statement_start: 0,
            lex_error: tokens.error,
            certain: false,
            depth: 0,
            height: 0,
        }
    }

    /// Runs a part of the grammar that may contain itself.
    pub(super) fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.depth += 1;
        let around = std::mem::take(&mut self.height);
        let result = stacker::maybe_grow(RED_ZONE, STACK_PIECE, || part(self));
        self.depth -= 1;
        self.height = around.max(self.height + 1);
        result
    }

    /// Notes that the tree grew by one around what was read.
    pub(super) fn grow(&mut self) -> Result<()> {
        self.height += 1;
        if self.height > MAX_DEPTH { Err(too_deep()) } else { Ok(()) }
    }

    pub(super) fn token(&self) -> &Token {
        self.ahead(0)
    }

    /// The token `n` after the next; the last token repeats.
    pub(super) fn ahead(&self, n: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + n).min(last)]
    }

    pub(super) fn kind(&self) -> TokenKind {
        self.token().kind
    }

    pub(super) fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    /// The next token's offset.
    pub(super) fn start(&self) -> u32 {
        self.token().span.start
    }

    /// From an offset to the end of the last token taken.
    pub(super) fn since(&self, start: u32) -> Span {
        let end = self
            .at
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .map_or(start, |token| token.span.end);
        Span { start, end: end.max(start) }
    }

    /// The next token is this word, without quotes.
    pub(super) fn is(&self, word: &str) -> bool {
        self.is_at(0, word)
    }

    pub(super) fn is_at(&self, n: usize, word: &str) -> bool {
        let token = self.ahead(n);
        token.kind == TokenKind::Word && token.text == word
    }

    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        let token = self.token();
        token.kind == TokenKind::Word && words.contains(&token.text.as_str())
    }

    /// The next tokens are these words.
    pub(super) fn are(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(n, word)| self.is_at(n, word))
    }

    pub(super) fn sym(&self, symbol: &str) -> bool {
        self.sym_at(0, symbol)
    }

    pub(super) fn sym_at(&self, n: usize, symbol: &str) -> bool {
        let token = self.ahead(n);
        token.kind == TokenKind::Symbol && token.text == symbol
    }

    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.is(word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes all the words or none.
    pub(super) fn eat_all(&mut self, words: &[&str]) -> bool {
        let found = self.are(words);
        if found {
            for _ in words {
                self.advance();
            }
        }
        found
    }

    pub(super) fn eat_sym(&mut self, symbol: &str) -> bool {
        let found = self.sym(symbol);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<()> {
        if self.eat(word) { Ok(()) } else { Err(self.syntax_error()) }
    }

    pub(super) fn expect_all(&mut self, words: &[&str]) -> Result<()> {
        words.iter().try_for_each(|word| self.expect(word))
    }

    pub(super) fn expect_sym(&mut self, symbol: &str) -> Result<()> {
        if self.eat_sym(symbol) { Ok(()) } else { Err(self.syntax_error()) }
    }

    /// The word or one of the alternatives; which is returned.
    pub(super) fn expect_any<'w>(&mut self, words: &[&'w str]) -> Result<&'w str> {
        for word in words {
            if self.eat(word) {
                return Ok(word);
            }
        }
        Err(self.syntax_error())
    }

    /// `syntax error at or near …` at the next token, or what the lexer found there.
    pub(super) fn syntax_error(&self) -> Error {
        let token = self.token();
        match token.kind {
            TokenKind::Error => self
                .lex_error
                .clone()
                .unwrap_or_else(|| Error::bug("an error token without an error")),
            TokenKind::End => Error::new(SqlState::SYNTAX_ERROR, "syntax error at end of input")
                .at(self.text.len()),
            _ => lexer::near(
                "syntax error",
                self.text,
                token.span.start as usize,
                token.span.end as usize,
            ),
        }
    }

    /// `what is not supported`, at the next token.
    pub(super) fn unsupported(&self, what: &str) -> Error {
        Error::unsupported(format!("{what} is not supported")).at(self.start() as usize)
    }

    /// Another error of grammar, with a message of its own.
    pub(super) fn grammar(message: impl Into<String>, at: u32) -> Error {
        Error::new(SqlState::SYNTAX_ERROR, message).at(at as usize)
    }

    /// The next token can be a name under these rules.
    fn names(&self, n: usize, allowed: impl Fn(Category) -> bool) -> bool {
        let token = self.ahead(n);
        match token.kind {
            TokenKind::Quoted => true,
            TokenKind::Word => {
                keyword::lookup(&token.text).is_none_or(|(category, _)| allowed(category))
            }
            _ => false,
        }
    }

    /// The token can name a column or table.
    pub(super) fn is_col_id(&self, n: usize) -> bool {
        self.names(n, |category| matches!(category, Category::Unreserved | Category::ColumnName))
    }

    /// The token can name a function or type.
    pub(super) fn is_function_name(&self, n: usize) -> bool {
        self.names(n, |category| {
            matches!(category, Category::Unreserved | Category::TypeOrFunction)
        })
    }

    /// The token can be a label without AS.
    pub(super) fn is_bare_label(&self) -> bool {
        let token = self.token();
        match token.kind {
            TokenKind::Quoted => true,
            TokenKind::Word => keyword::lookup(&token.text).is_none_or(|(_, bare)| bare),
            _ => false,
        }
    }

    /// Takes the next token as a name, whatever word it is.
    pub(super) fn take_ident(&mut self) -> Ident {
        let token = self.token();
        let ident = Ident {
            value: token.text.clone(),
            quoted: token.kind == TokenKind::Quoted,
            span: token.span,
        };
        self.advance();
        ident
    }

    /// A column, table or other object.
    pub(super) fn col_id(&mut self) -> Result<Ident> {
        if self.is_col_id(0) { Ok(self.take_ident()) } else { Err(self.syntax_error()) }
    }

    /// Any word: after AS or a dot.
    pub(super) fn col_label(&mut self) -> Result<Ident> {
        if matches!(self.kind(), TokenKind::Word | TokenKind::Quoted) {
            Ok(self.take_ident())
        } else {
            Err(self.syntax_error())
        }
    }

    /// A word that is no reserved keyword.
    pub(super) fn non_reserved(&mut self) -> Result<Ident> {
        if self.names(0, |category| category != Category::Reserved) {
            Ok(self.take_ident())
        } else {
            Err(self.syntax_error())
        }
    }

    /// A dotted name.
    pub(super) fn object_name(&mut self) -> Result<ObjectName> {
        let mut parts = vec![self.col_id()?];
        while self.eat_sym(".") {
            parts.push(self.col_label()?);
        }
        let span = self.since(parts[0].span.start);
        if parts.len() > 3 {
            let texts: Vec<&str> = parts.iter().map(Ident::as_str).collect();
            return Err(Self::grammar(
                format!("improper qualified name (too many dotted names): {}", texts.join(".")),
                span.start,
            ));
        }
        Ok(ObjectName { parts, span })
    }

    /// Items between commas.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_sym(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Items between commas, in parentheses.
    pub(super) fn in_parens<T>(
        &mut self,
        item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect_sym("(")?;
        let items = self.list(item)?;
        self.expect_sym(")")?;
        Ok(items)
    }

    /// Column names in parentheses, or nothing.
    pub(super) fn optional_columns(&mut self) -> Result<Vec<Ident>> {
        if self.sym("(") { self.in_parens(Self::col_id) } else { Ok(Vec::new()) }
    }

    /// A string constant.
    pub(super) fn string(&mut self) -> Result<String> {
        if self.kind() != TokenKind::String {
            return Err(self.syntax_error());
        }
        let text = self.token().text.clone();
        self.advance();
        Ok(text)
    }

    /// A whole number that fits int4.
    pub(super) fn integer(&mut self) -> Result<i32> {
        let value =
            if self.kind() == TokenKind::Integer { self.token().text.parse().ok() } else { None };
        let value = value.ok_or_else(|| self.syntax_error())?;
        self.advance();
        Ok(value)
    }

    /// A number with an optional sign, as written.
    pub(super) fn signed_number(&mut self) -> Result<String> {
        let minus = if self.eat_sym("-") {
            true
        } else {
            self.eat_sym("+");
            false
        };
        if !matches!(self.kind(), TokenKind::Integer | TokenKind::Decimal) {
            return Err(self.syntax_error());
        }
        let text = format!("{}{}", if minus { "-" } else { "" }, self.token().text);
        self.advance();
        Ok(text)
    }

    /// `IF EXISTS`.
    pub(super) fn if_exists(&mut self) -> bool {
        self.eat_all(&["if", "exists"])
    }

    /// `IF NOT EXISTS`.
    pub(super) fn if_not_exists(&mut self) -> bool {
        self.eat_all(&["if", "not", "exists"])
    }

    /// `CASCADE` or `RESTRICT` or nothing.
    pub(super) fn cascade(&mut self) -> bool {
        let cascade = self.eat("cascade");
        if !cascade {
            self.eat("restrict");
        }
        cascade
    }
}

/// The error for trees that are too deep.
pub(super) fn too_deep() -> Error {
    Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").with_hint(
        "Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring \
         the platform's stack depth limit is adequate.",
    )
}
