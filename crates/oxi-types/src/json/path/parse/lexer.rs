//! The tokens of a path.

use oxi_base::{Error, Result, SqlState};

use super::syntax;

/// A token.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    Symbol(&'static str),
    /// A name or key word: as written, and in small letters.
    Word {
        text: String,
        lower: String,
    },
    String(String),
    Variable(String),
    Number(String),
    End,
}

impl Token {
    pub(super) fn text(&self) -> &str {
        match self {
            Token::Symbol(text) => text,
            Token::Word { text, .. }
            | Token::String(text)
            | Token::Variable(text)
            | Token::Number(text) => text,
            Token::End => "",
        }
    }
}

/// Longer ones first.
const SYMBOLS: &[&str] = &[
    "&&", "||", "**", "==", "!=", "<>", "<=", ">=", "!", "<", ">", "$", "@", "*", ".", "[", "]",
    "{", "}", "(", ")", "?", ",", "+", "-", "/", "%", ":", "|", "&", "=", "#",
];

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// Whether a character may stand in a bare name.
fn is_other(c: char) -> bool {
    !"?%$.[]{}()|&!=<>@#,*:-+/\\\"".contains(c) && !is_blank(c)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

fn bad(detail: &str) -> Error {
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type jsonpath")
        .with_detail(detail.to_owned())
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Lexer { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn next_char(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.next_char()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn all(mut self) -> Result<Vec<Token>> {
        let mut tokens = Vec::new();
        loop {
            self.skip()?;
            let Some(c) = self.next_char() else { break };
            let rest = self.rest();
            let after = rest[c.len_utf8()..].chars().next();
            let token = match c {
                '"' => {
                    self.at += 1;
                    Token::String(self.quoted()?)
                }
                '$' if after == Some('"') => {
                    self.at += 2;
                    Token::Variable(self.quoted()?)
                }
                '$' if after.is_some_and(|c| is_other(c) || c == '\\') => {
                    self.at += 1;
                    Token::Variable(self.bare()?)
                }
                '0'..='9' => self.number()?,
                '.' if after.is_some_and(|c| c.is_ascii_digit()) => self.number()?,
                c if is_other(c) || c == '\\' => {
                    let text = self.bare()?;
                    Token::Word { lower: text.to_ascii_lowercase(), text }
                }
                _ => {
                    let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
                    let Some(symbol) = symbol else {
                        return Err(syntax(format!(
                            "syntax error at or near \"{c}\" of jsonpath input"
                        )));
                    };
                    self.at += symbol.len();
                    Token::Symbol(symbol)
                }
            };
            tokens.push(token);
        }
        Ok(tokens)
    }

    fn skip(&mut self) -> Result<()> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(is_blank);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("/*") {
                return Ok(());
            }
            let Some(end) = trimmed.find("*/") else {
                return Err(syntax("unexpected end of comment at end of jsonpath input"));
            };
            self.at += end + 2;
        }
    }

    fn digits(&mut self) -> usize {
        let rest = self.rest();
        let count = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        self.at += count;
        count
    }

    fn number(&mut self) -> Result<Token> {
        let start = self.at;
        let junk = |at: usize, text: &str| {
            let shown = &text[start..at];
            syntax(format!(
                "trailing junk after numeric literal at or near \"{shown}\" of jsonpath input"
            ))
        };
        if self.rest().starts_with('0') {
            self.at += 1;
        } else {
            self.digits();
        }
        if self.rest().starts_with('.') {
            self.at += 1;
            self.digits();
        }
        if self.rest().starts_with(['e', 'E']) {
            let before = self.at;
            self.at += 1;
            if self.rest().starts_with(['+', '-']) {
                self.at += 1;
            }
            if self.digits() == 0 {
                // A name that begins with e follows the point of `1.e` at once: junk.
                self.at = before;
            }
        }
        if self.next_char().is_some_and(|c| is_other(c) || c == '\\') {
            let end = self.at + self.next_char().map_or(0, char::len_utf8);
            return Err(junk(end, self.text));
        }
        Ok(Token::Number(self.text[start..self.at].to_owned()))
    }

    fn bare(&mut self) -> Result<String> {
        let mut text = String::new();
        while let Some(c) = self.next_char() {
            if c == '\\' {
                self.at += 1;
                self.escape(&mut text)?;
            } else if is_other(c) {
                text.push(c);
                self.at += c.len_utf8();
            } else if self.rest().starts_with("/*") {
                self.skip()?;
                break;
            } else {
                break;
            }
        }
        Ok(text)
    }

    /// The rest of a quoted string.
    fn quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        loop {
            match self.take() {
                None => return Err(syntax("unterminated quoted string at end of jsonpath input")),
                Some('"') => return Ok(text),
                Some('\\') => self.escape(&mut text)?,
                Some(c) => text.push(c),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, out: &mut String) -> Result<()> {
        let Some(c) = self.take() else {
            return Err(syntax("unexpected end after backslash at end of jsonpath input"));
        };
        match c {
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            'x' => {
                let code = self.hex(2)?;
                push_code(code, out)?;
            }
            'u' => self.unicode(out)?,
            other => out.push(other),
        }
        Ok(())
    }

    fn hex(&mut self, digits: usize) -> Result<u32> {
        let end = self.at + digits;
        let code = self
            .text
            .get(self.at..end)
            .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|text| u32::from_str_radix(text, 16).ok());
        self.at = end.min(self.text.len());
        code.ok_or_else(|| {
            let what = if digits == 2 { "hexadecimal character" } else { "Unicode escape" };
            syntax(format!("invalid {what} sequence of jsonpath input"))
        })
    }

    fn unicode_code(&mut self) -> Result<u32> {
        if !self.rest().starts_with('{') {
            return self.hex(4);
        }
        let digits = self.rest()[1..].find('}').unwrap_or(0);
        if !(1..=6).contains(&digits) {
            return Err(syntax("invalid Unicode escape sequence of jsonpath input"));
        }
        self.at += 1;
        let code = self.hex(digits)?;
        self.at += 1;
        Ok(code)
    }

    fn unicode(&mut self, out: &mut String) -> Result<()> {
        let high = self.unicode_code()?;
        match high {
            0xD800..=0xDBFF => {
                if !self.rest().starts_with("\\u") {
                    return Err(bad("Unicode low surrogate must follow a high surrogate."));
                }
                self.at += 2;
                let low = self.unicode_code()?;
                match low {
                    0xDC00..=0xDFFF => {
                        let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                        push_code(code, out)
                    }
                    0xD800..=0xDBFF => {
                        Err(bad("Unicode high surrogate must not follow a high surrogate."))
                    }
                    _ => Err(bad("Unicode low surrogate must follow a high surrogate.")),
                }
            }
            0xDC00..=0xDFFF => Err(bad("Unicode low surrogate must follow a high surrogate.")),
            code => push_code(code, out),
        }
    }
}

fn push_code(code: u32, out: &mut String) -> Result<()> {
    if code == 0 {
        return Err(Error::new(
            SqlState::UNTRANSLATABLE_CHARACTER,
            "unsupported Unicode escape sequence",
        )
        .with_detail("\\u0000 cannot be converted to text."));
    }
    let c = char::from_u32(code)
        .ok_or_else(|| syntax("invalid Unicode escape sequence of jsonpath input"))?;
    out.push(c);
    Ok(())
}
