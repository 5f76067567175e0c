//! A JSON reader that keeps where each value stands in the text.

use oxi_base::{Error, Result, SqlState};

/// A value with its place in the text.
#[derive(Clone, Debug)]
pub struct Node {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it is.
    pub kind: NodeKind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number: its text is at the node's place.
    Number,
    /// A string, escapes resolved.
    String(String),
    /// An array.
    Array(Vec<Node>),
    /// An object, duplicates and order kept.
    Object(Vec<(String, Node)>),
}

/// What the smallest stack that runs statements has room for.
const MAX_DEPTH: usize = 1000;

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    type_name: &'static str,
}

/// Reads one JSON value that fills the text. `type_name` is for messages.
pub fn parse(text: &str, type_name: &'static str) -> Result<Node> {
    let mut parser = Parser { text, bytes: text.as_bytes(), at: 0, type_name };
    let node = parser.value(0)?;
    parser.skip_space();
    if parser.at < parser.bytes.len() {
        let found = parser.token();
        return Err(parser.error(format!("Expected end of input, but found \"{found}\".")));
    }
    Ok(node)
}

impl Parser<'_> {
    fn skip_space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The token at the current place, for messages.
    fn token(&mut self) -> String {
        let start = self.at;
        let rest = &self.bytes[start..];
        let length = match rest.first() {
            None => 0,
            Some(b'"') => rest[1..].iter().position(|b| *b == b'"').map_or(rest.len(), |n| n + 2),
            Some(b)
                if b.is_ascii_alphanumeric()
                    || matches!(b, b'_' | b'-' | b'+' | b'.')
                    || *b >= 0x80 =>
            {
                rest.iter()
                    .position(|b| {
                        !(b.is_ascii_alphanumeric()
                            || matches!(b, b'_' | b'-' | b'+' | b'.')
                            || *b >= 0x80)
                    })
                    .unwrap_or(rest.len())
            }
            Some(_) => 1,
        };
        self.at = start + length;
        self.text.get(start..self.at).unwrap_or("").to_owned()
    }

    /// An error at the current place (past the offending token).
    fn error(&self, detail: String) -> Error {
        let mut end = self.at.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        let before = &self.text[..end];
        let line = before.matches('\n').count() + 1;
        let from = before.rfind('\n').map_or(0, |at| at + 1);
        let shown = &before[from..];
        let (prefix, shown) = match shown.char_indices().rev().nth(49) {
            Some((at, _)) if at > 0 => ("...", &shown[at..]),
            _ => ("", shown),
        };
        let suffix = if end < self.text.len() { "..." } else { "" };
        Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type {}", self.type_name),
        )
        .with_detail(detail)
        .with_context(format!("JSON data, line {line}: {prefix}{shown}{suffix}"))
    }

    fn unexpected(&mut self, expected: &str) -> Error {
        self.skip_space();
        if self.at >= self.bytes.len() {
            return self.error("The input string ended unexpectedly.".to_owned());
        }
        let found = self.token();
        let word = found.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && !matches!(found.as_str(), "true" | "false" | "null");
        if word || found.starts_with(|c: char| !"{}[],:\"-0123456789tfn".contains(c)) {
            return self.error(format!("Token \"{found}\" is invalid."));
        }
        self.error(format!("Expected {expected}, but found \"{found}\"."))
    }

    fn value(&mut self, depth: usize) -> Result<Node> {
        if depth > MAX_DEPTH {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        self.skip_space();
        let start = self.at;
        let kind = match self.bytes.get(self.at) {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => NodeKind::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                NodeKind::Number
            }
            Some(b't') if self.word("true") => NodeKind::Bool(true),
            Some(b'f') if self.word("false") => NodeKind::Bool(false),
            Some(b'n') if self.word("null") => NodeKind::Null,
            _ => return Err(self.unexpected("JSON value")),
        };
        Ok(Node { start, end: self.at, kind })
    }

    fn word(&mut self, word: &str) -> bool {
        let rest = &self.bytes[self.at..];
        let ends = rest.get(word.len()).is_none_or(|b| !(b.is_ascii_alphanumeric() || *b == b'_'));
        let found = rest.starts_with(word.as_bytes()) && ends;
        if found {
            self.at += word.len();
        }
        found
    }

    fn number(&mut self) -> Result<()> {
        let start = self.at;
        let digits = |parser: &mut Self| {
            let from = parser.at;
            while parser.bytes.get(parser.at).is_some_and(u8::is_ascii_digit) {
                parser.at += 1;
            }
            parser.at > from
        };
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let mut fine = if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
            true
        } else {
            digits(self)
        };
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            fine &= digits(self);
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            fine &= digits(self);
        }
        let runs_on = self.bytes.get(self.at).is_some_and(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'+') || *b >= 0x80
        });
        if fine && !runs_on {
            return Ok(());
        }
        self.at = start;
        let found = self.token();
        Err(self.error(format!("Token \"{found}\" is invalid.")))
    }

    fn string(&mut self) -> Result<String> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let from = self.at;
            while self.bytes.get(self.at).is_some_and(|b| !matches!(b, b'"' | b'\\') && *b >= 0x20)
            {
                self.at += 1;
            }
            out.push_str(&self.text[from..self.at]);
            match self.bytes.get(self.at) {
                None => {
                    let token = self.text[start..].to_owned();
                    return Err(self.error(format!("Token \"{token}\" is invalid.")));
                }
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => self.escape(start, &mut out)?,
                Some(control) => {
                    return Err(self
                        .error(format!("Character with value 0x{control:02x} must be escaped.")));
                }
            }
        }
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        let value = digits
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match value {
            Some(value) => {
                self.at += 4;
                Ok(value)
            }
            None => {
                Err(self.error("\"\\u\" must be followed by four hexadecimal digits.".to_owned()))
            }
        }
    }

    fn escape(&mut self, start: usize, out: &mut String) -> Result<()> {
        self.at += 1;
        let Some(letter) = self.text[self.at..].chars().next() else {
            let token = self.text[start..].to_owned();
            return Err(self.error(format!("Token \"{token}\" is invalid.")));
        };
        self.at += letter.len_utf8();
        let plain = match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(out),
            other => {
                return Err(self.error(format!("Escape sequence \"\\{other}\" is invalid.")));
            }
        };
        out.push(plain);
        Ok(())
    }

    fn unicode(&mut self, out: &mut String) -> Result<()> {
        let code = self.hex()?;
        let joined = match code {
            0 if self.type_name == "json" => {
                out.push('\0');
                return Ok(());
            }
            0 => {
                return Err(Error::new(
                    SqlState::UNTRANSLATABLE_CHARACTER,
                    "unsupported Unicode escape sequence",
                )
                .with_detail("\\u0000 cannot be converted to text."));
            }
            0xd800..=0xdbff => {
                let low = if self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    self.hex()?
                } else {
                    0
                };
                if !(0xdc00..=0xdfff).contains(&low) {
                    return Err(self
                        .error("Unicode low surrogate must follow a high surrogate.".to_owned()));
                }
                0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff)
            }
            0xdc00..=0xdfff => {
                return Err(
                    self.error("Unicode low surrogate must follow a high surrogate.".to_owned())
                );
            }
            code => code,
        };
        out.push(char::from_u32(joined).unwrap_or('\u{fffd}'));
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<NodeKind> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.bytes.get(self.at) == Some(&b']') {
            self.at += 1;
            return Ok(NodeKind::Array(items));
        }
        if self.bytes.get(self.at).is_some_and(|b| matches!(b, b',' | b'}' | b':')) {
            return Err(self.unexpected("array element or \"]\""));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(NodeKind::Array(items));
                }
                _ => return Err(self.unexpected("\",\" or \"]\"")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<NodeKind> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.bytes.get(self.at) == Some(&b'}') {
            self.at += 1;
            return Ok(NodeKind::Object(members));
        }
        loop {
            self.skip_space();
            if self.bytes.get(self.at) != Some(&b'"') {
                let expected = if members.is_empty() { "string or \"}\"" } else { "string" };
                return Err(self.unexpected(expected));
            }
            let key = self.string()?;
            self.skip_space();
            if self.bytes.get(self.at) != Some(&b':') {
                return Err(self.unexpected("\":\""));
            }
            self.at += 1;
            members.push((key, self.value(depth + 1)?));
            self.skip_space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(NodeKind::Object(members));
                }
                _ => return Err(self.unexpected("\",\" or \"}\"")),
            }
        }
    }
}
