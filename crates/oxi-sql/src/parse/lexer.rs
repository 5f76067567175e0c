//! From text to tokens, by PostgreSQL's lexical rules.
//!
//! An error ends the tokens with an `Error` token, so that an earlier mistake in the grammar is the one
//! reported.

use oxi_base::{Error, SqlState};

use crate::ast::Span;

/// The kinds of tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TokenKind {
    /// An identifier or keyword without quotes; the text is folded.
    Word,
    /// An identifier in double quotes; the text is unquoted.
    Quoted,
    /// A string of any quoting; the text is decoded.
    String,
    /// `B'…'`; the text is inside.
    Bit,
    /// `X'…'`; the text is inside.
    Hex,
    /// Digits.
    Integer,
    /// A number with a point or exponent.
    Decimal,
    /// `$n`; the text is n.
    Parameter,
    /// An operator or punctuation.
    Symbol,
    /// The text cannot be read further: see `Tokens::error`.
    Error,
    /// The end of the text.
    End,
}

/// A token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// The tokens of a text: the last is `Error` or `End`.
pub(crate) struct Tokens {
    pub(crate) list: Vec<Token>,
    pub(crate) error: Option<Error>,
}

/// Reads all tokens of a text.
pub(crate) fn tokenize(text: &str) -> Tokens {
    let mut lexer =
        Lexer { text, bytes: text.as_bytes(), at: 0, list: Vec::with_capacity(text.len() / 5 + 2) };
    let error = lexer.run().err();
    let kind = if error.is_some() { TokenKind::Error } else { TokenKind::End };
    let span = match (&error, error.as_ref().and_then(Error::position)) {
        (Some(_), Some(at)) => Span::new(at, text.len()),
        _ => Span::new(text.len(), text.len()),
    };
    lexer.list.push(Token { kind, text: String::new(), span });
    Tokens { list: lexer.list, error }
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    list: Vec<Token>,
}

/// An error that quotes the text from `start` on.
pub(crate) fn near(message: &str, text: &str, start: usize, end: usize) -> Error {
    let quoted = text.get(start..end).unwrap_or("");
    Error::new(SqlState::SYNTAX_ERROR, format!("{message} at or near \"{quoted}\"")).at(start)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_ident_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_ident(byte: u8) -> bool {
    is_ident_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

fn is_operator(byte: u8) -> bool {
    b"~!@#^&|`?+-*/%<>=".contains(&byte)
}

impl Lexer<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, kind: TokenKind, text: impl Into<String>, start: usize) {
        self.list.push(Token { kind, text: text.into(), span: Span::new(start, self.at) });
    }

    fn run(&mut self) -> Result<(), Error> {
        loop {
            self.skip_space()?;
            let start = self.at;
            let Some(&byte) = self.bytes.get(start) else { return Ok(()) };
            match byte {
                b'\'' => self.string(start)?,
                b'"' => self.quoted(start, false)?,
                b'e' | b'E' if self.byte(1) == b'\'' => self.escape_string(start)?,
                b'b' | b'B' if self.byte(1) == b'\'' => self.prefixed(start, TokenKind::Bit)?,
                b'x' | b'X' if self.byte(1) == b'\'' => self.prefixed(start, TokenKind::Hex)?,
                b'n' | b'N' if self.byte(1) == b'\'' => self.prefixed(start, TokenKind::String)?,
                b'u' | b'U' if self.byte(1) == b'&' && self.byte(2) == b'\'' => {
                    self.unicode_string(start)?;
                }
                b'u' | b'U' if self.byte(1) == b'&' && self.byte(2) == b'"' => {
                    self.quoted(start, true)?;
                }
                b'$' => self.dollar(start)?,
                b'0'..=b'9' => self.number(start)?,
                b'.' if self.byte(1).is_ascii_digit() => self.number(start)?,
                _ if is_ident_start(byte) => self.word(start),
                _ if is_operator(byte) => self.operator(start)?,
                _ => self.punctuation(start)?,
            }
        }
    }

    /// Skips white space and comments; tells whether a newline was among the white space.
    fn skip_space(&mut self) -> Result<bool, Error> {
        let mut newline = false;
        loop {
            let byte = self.byte(0);
            if self.at < self.bytes.len() && is_space(byte) {
                newline |= byte == b'\n' || byte == b'\r';
                self.at += 1;
            } else if byte == b'-' && self.byte(1) == b'-' {
                while self.at < self.bytes.len() && !matches!(self.byte(0), b'\n' | b'\r') {
                    self.at += 1;
                }
            } else if byte == b'/' && self.byte(1) == b'*' {
                self.block_comment()?;
            } else {
                return Ok(newline);
            }
        }
    }

    fn block_comment(&mut self) -> Result<(), Error> {
        let start = self.at;
        let mut depth = 0u32;
        while self.at < self.bytes.len() {
            if self.byte(0) == b'/' && self.byte(1) == b'*' {
                depth += 1;
                self.at += 2;
            } else if self.byte(0) == b'*' && self.byte(1) == b'/' {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else {
                self.at += 1;
            }
        }
        Err(near("unterminated /* comment", self.text, start, self.text.len()))
    }

    fn word(&mut self, start: usize) {
        while self.at < self.bytes.len() && is_ident(self.byte(0)) {
            self.at += 1;
        }
        let mut text = self.text.get(start..self.at).unwrap_or("").to_ascii_lowercase();
        truncate(&mut text);
        self.push(TokenKind::Word, text, start);
    }

    /// An identifier in quotes; the cursor is at the quote or at `U&`.
    fn quoted(&mut self, start: usize, unicode: bool) -> Result<(), Error> {
        self.at += if unicode { 3 } else { 1 };
        let inner = self.at;
        let mut text = self.until_quote(b'"').ok_or_else(|| {
            near("unterminated quoted identifier", self.text, start, self.text.len())
        })?;
        if text.is_empty() {
            return Err(near("zero-length delimited identifier", self.text, start, self.at));
        }
        if unicode {
            text = self.unicode_escapes(&text, inner)?;
        }
        truncate(&mut text);
        self.push(TokenKind::Quoted, text, start);
        Ok(())
    }

    /// The text up to a closing quote, doubled quotes made single; the cursor goes after the quote.
    fn until_quote(&mut self, quote: u8) -> Option<String> {
        let mut text = String::new();
        let mut from = self.at;
        loop {
            let length = self.bytes.get(self.at..)?.iter().position(|byte| *byte == quote)?;
            self.at += length + 1;
            if self.byte(0) == quote {
                text.push_str(self.text.get(from..self.at)?);
                self.at += 1;
                from = self.at;
            } else {
                text.push_str(self.text.get(from..self.at - 1)?);
                return Some(text);
            }
        }
    }

    fn unterminated(&self, start: usize) -> Error {
        near("unterminated quoted string", self.text, start, self.text.len())
    }

    /// Goes to the next part of a string that continues on another line.
    fn continues(&mut self) -> Result<bool, Error> {
        let end = self.at;
        // Comments between the parts are allowed by the standard, but only `--` ones by PostgreSQL.
        let newline = self.skip_space_and_line_comments();
        if newline && self.byte(0) == b'\'' {
            self.at += 1;
            return Ok(true);
        }
        self.at = end;
        Ok(false)
    }

    fn skip_space_and_line_comments(&mut self) -> bool {
        let mut newline = false;
        loop {
            let byte = self.byte(0);
            if self.at < self.bytes.len() && is_space(byte) {
                newline |= byte == b'\n' || byte == b'\r';
                self.at += 1;
            } else if byte == b'-' && self.byte(1) == b'-' {
                while self.at < self.bytes.len() && !matches!(self.byte(0), b'\n' | b'\r') {
                    self.at += 1;
                }
            } else {
                return newline;
            }
        }
    }

    fn plain_parts(&mut self, start: usize) -> Result<String, Error> {
        let mut text = String::new();
        loop {
            let part = self.until_quote(b'\'').ok_or_else(|| self.unterminated(start))?;
            text.push_str(&part);
            if !self.continues()? {
                return Ok(text);
            }
        }
    }

    fn string(&mut self, start: usize) -> Result<(), Error> {
        self.at += 1;
        let text = self.plain_parts(start)?;
        self.push(TokenKind::String, text, start);
        Ok(())
    }

    fn prefixed(&mut self, start: usize, kind: TokenKind) -> Result<(), Error> {
        self.at += 2;
        let text = self.plain_parts(start)?;
        self.push(kind, text, start);
        Ok(())
    }

    fn unicode_string(&mut self, start: usize) -> Result<(), Error> {
        self.at += 3;
        let inner = self.at;
        let text = self.plain_parts(start)?;
        let text = self.unicode_escapes(&text, inner)?;
        self.push(TokenKind::String, text, start);
        Ok(())
    }

    /// `$1`, `$$…$$`, `$tag$…$tag$`.
    fn dollar(&mut self, start: usize) -> Result<(), Error> {
        if self.byte(1).is_ascii_digit() {
            self.at += 1;
            let digits = self.at;
            while self.byte(0).is_ascii_digit() {
                self.at += 1;
            }
            let text = self.text.get(digits..self.at).unwrap_or("").to_owned();
            if is_ident_start(self.byte(0)) {
                self.skip_ident();
                return Err(near("trailing junk after parameter", self.text, start, self.at));
            }
            self.push(TokenKind::Parameter, text, start);
            return Ok(());
        }
        let mut end = start + 1;
        while self.bytes.get(end).is_some_and(|byte| is_ident(*byte) && *byte != b'$') {
            end += 1;
        }
        if self.bytes.get(end) != Some(&b'$') || self.byte(1).is_ascii_digit() {
            return Err(near("syntax error", self.text, start, start + 1));
        }
        let tag = self.text.get(start..=end).unwrap_or("$$");
        let body = self.text.get(end + 1..).unwrap_or("");
        let Some(length) = body.find(tag) else {
            return Err(near(
                "unterminated dollar-quoted string",
                self.text,
                start,
                self.text.len(),
            ));
        };
        self.at = end + 1 + length + tag.len();
        let text = body.get(..length).unwrap_or("").to_owned();
        self.push(TokenKind::String, text, start);
        Ok(())
    }

    fn skip_ident(&mut self) {
        while self.at < self.bytes.len() && is_ident(self.byte(0)) {
            self.at += 1;
        }
    }

    fn digits(&mut self) {
        while self.byte(0).is_ascii_digit() {
            self.at += 1;
        }
    }

    fn number(&mut self, start: usize) -> Result<(), Error> {
        let mut kind = TokenKind::Integer;
        self.digits();
        if self.byte(0) == b'.' && self.byte(1) != b'.' {
            kind = TokenKind::Decimal;
            self.at += 1;
            self.digits();
        }
        if matches!(self.byte(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(1), b'+' | b'-'));
            if self.byte(1 + sign).is_ascii_digit() {
                kind = TokenKind::Decimal;
                self.at += 1 + sign;
                self.digits();
            }
        }
        if is_ident_start(self.byte(0)) {
            self.skip_ident();
            return Err(near("trailing junk after numeric literal", self.text, start, self.at));
        }
        let text = self.text.get(start..self.at).unwrap_or("").to_owned();
        self.push(kind, text, start);
        Ok(())
    }

    /// An operator: the longest run of its characters, cut at a comment, and without a sign at its
    /// end unless it holds one of the characters that allow it.
    fn operator(&mut self, start: usize) -> Result<(), Error> {
        let mut end = start;
        while self.bytes.get(end).is_some_and(|byte| is_operator(*byte)) {
            let rest = self.bytes.get(end..end + 2).unwrap_or(b"");
            if end > start && (rest == b"--" || rest == b"/*") {
                break;
            }
            end += 1;
        }
        let run = self.bytes.get(start..end).unwrap_or(b"");
        if !run.iter().any(|byte| b"~!@#^&|`?%".contains(byte)) {
            while end - start > 1 && matches!(self.bytes.get(end - 1), Some(b'+' | b'-')) {
                end -= 1;
            }
        }
        self.at = end;
        let text = self.text.get(start..end).unwrap_or("");
        // `=>` is the arrow of named arguments only when it stands alone, as the run says.
        let text = if text == "!=" { "<>" } else { text };
        if text.len() >= 64 {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("operator too long at or near \"{text}\""),
            )
            .at(start));
        }
        let text = text.to_owned();
        self.push(TokenKind::Symbol, text, start);
        Ok(())
    }

    fn punctuation(&mut self, start: usize) -> Result<(), Error> {
        let two = self.bytes.get(start..start + 2).unwrap_or(b"");
        let text = match self.byte(0) {
            b':' if two == b"::" => "::",
            b':' if two == b":=" => ":=",
            b'.' if two == b".." => "..",
            b'(' => "(",
            b')' => ")",
            b'[' => "[",
            b']' => "]",
            b',' => ",",
            b';' => ";",
            b':' => ":",
            b'.' => ".",
            _ => {
                let width = self
                    .text
                    .get(start..)
                    .and_then(|rest| rest.chars().next())
                    .map_or(1, char::len_utf8);
                return Err(near("syntax error", self.text, start, start + width));
            }
        };
        self.at = start + text.len();
        self.push(TokenKind::Symbol, text, start);
        Ok(())
    }
}

/// Cuts a name to 63 bytes, at the border of a character.
fn truncate(name: &mut String) {
    if name.len() > 63 {
        let mut end = 63;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
}

mod escape;
