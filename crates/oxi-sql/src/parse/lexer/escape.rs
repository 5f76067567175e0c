//! Escapes in strings: `E'\n'` and `U&'\0041'`.

use oxi_base::{Error, SqlState};

use super::{Lexer, TokenKind};

fn invalid(message: &str, at: usize) -> Error {
    Error::new(SqlState::SYNTAX_ERROR, message).at(at)
}

impl Lexer<'_> {
    /// `E'…'`; the cursor is at the E.
    pub(super) fn escape_string(&mut self, start: usize) -> Result<(), Error> {
        self.at += 2;
        let mut out: Vec<u8> = Vec::new();
        loop {
            let Some(&byte) = self.bytes.get(self.at) else { return Err(self.unterminated(start)) };
            self.at += 1;
            match byte {
                b'\'' if self.byte(0) == b'\'' => {
                    out.push(b'\'');
                    self.at += 1;
                }
                b'\'' => {
                    if !self.continues()? {
                        break;
                    }
                }
                b'\\' => self.backslash(start, &mut out)?,
                _ => out.push(byte),
            }
        }
        if out.contains(&0) {
            return Err(bad_encoding(&[0], start));
        }
        let text = String::from_utf8(out).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            bad_encoding(bytes.get(at..(at + 1).min(bytes.len())).unwrap_or(&[]), start)
        })?;
        self.push(TokenKind::String, text, start);
        Ok(())
    }

    /// What stands after a backslash.
    fn backslash(&mut self, start: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        let Some(&byte) = self.bytes.get(self.at) else { return Err(self.unterminated(start)) };
        let escape_at = self.at - 1;
        self.at += 1;
        match byte {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(0x0b),
            b'0'..=b'7' => {
                self.at -= 1;
                out.push(self.radix(8, 3) as u8);
            }
            b'x' if self.byte(0).is_ascii_hexdigit() => out.push(self.radix(16, 2) as u8),
            b'u' | b'U' => {
                let length = if byte == b'u' { 4 } else { 8 };
                let mut code = self.code_point(length, escape_at)?;
                if (0xd800..0xdc00).contains(&code) {
                    if self.byte(0) != b'\\' || !matches!(self.byte(1), b'u' | b'U') {
                        return Err(invalid("invalid Unicode surrogate pair", escape_at));
                    }
                    let length = if self.byte(1) == b'u' { 4 } else { 8 };
                    self.at += 2;
                    let low = self.code_point(length, escape_at)?;
                    code = pair(code, low)
                        .ok_or_else(|| invalid("invalid Unicode surrogate pair", escape_at))?;
                }
                let decoded = scalar(code, escape_at)?;
                out.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => out.push(byte),
        }
        Ok(())
    }

    /// At most `length` digits as a number, of which only the low bits count.
    fn radix(&mut self, radix: u32, length: usize) -> u32 {
        let mut value = 0;
        for _ in 0..length {
            let Some(digit) = char::from(self.byte(0)).to_digit(radix) else { break };
            value = value * radix + digit;
            self.at += 1;
        }
        value
    }

    fn code_point(&mut self, length: usize, escape_at: usize) -> Result<u32, Error> {
        let from = self.at;
        let value = self.radix(16, length);
        if self.at - from == length {
            return Ok(value);
        }
        Err(Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid Unicode escape")
            .with_hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX.")
            .at(escape_at))
    }

    /// Decodes `U&` escapes of a text that began at `inner`, with the character of a following UESCAPE.
    pub(super) fn unicode_escapes(&mut self, text: &str, inner: usize) -> Result<String, Error> {
        let escape = self.uescape()?;
        let mut out = String::with_capacity(text.len());
        let mut high: Option<u32> = None;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != escape || rest.as_str().starts_with(escape) {
                if c == escape {
                    rest.next();
                }
                if high.is_some() {
                    return Err(invalid("invalid Unicode surrogate pair", inner));
                }
                out.push(c);
                continue;
            }
            let long = rest.as_str().starts_with('+');
            if long {
                rest.next();
            }
            let length = if long { 6 } else { 4 };
            let digits = rest
                .as_str()
                .get(..length)
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
                return Err(invalid("invalid Unicode escape", inner)
                    .with_hint("Unicode escapes must be \\XXXX or \\+XXXXXX."));
            };
            rest = rest.as_str().get(length..).unwrap_or("").chars();
            match high.take() {
                Some(first) => {
                    let code = pair(first, code)
                        .ok_or_else(|| invalid("invalid Unicode surrogate pair", inner))?;
                    out.push(scalar(code, inner)?);
                }
                None if (0xd800..0xdc00).contains(&code) => high = Some(code),
                None => out.push(scalar(code, inner)?),
            }
        }
        if high.is_some() {
            return Err(invalid("invalid Unicode surrogate pair", inner));
        }
        Ok(out)
    }

    /// The escape character: that of `UESCAPE 'c'` when it follows, else a backslash.
    fn uescape(&mut self) -> Result<char, Error> {
        let end = self.at;
        self.skip_space()?;
        let word = self.text.get(self.at..self.at + 7).unwrap_or("");
        if !word.eq_ignore_ascii_case("uescape") || super::is_ident(self.byte(7)) {
            self.at = end;
            return Ok('\\');
        }
        self.at += 7;
        self.skip_space()?;
        let start = self.at;
        if self.byte(0) != b'\'' {
            return Err(super::near(
                "UESCAPE must be followed by a simple string literal",
                self.text,
                start,
                self.text.len(),
            ));
        }
        self.at += 1;
        let text = self.until_quote(b'\'').ok_or_else(|| self.unterminated(start))?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None)
                if !c.is_ascii_hexdigit()
                    && !c.is_ascii_whitespace()
                    && !matches!(c, '+' | '\'' | '"') =>
            {
                Ok(c)
            }
            _ => Err(super::near("invalid Unicode escape character", self.text, start, self.at)),
        }
    }
}

fn pair(high: u32, low: u32) -> Option<u32> {
    (0xdc00..0xe000).contains(&low).then(|| 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
}

fn scalar(code: u32, at: usize) -> Result<char, Error> {
    match char::from_u32(code) {
        Some('\0') | None => Err(invalid("invalid Unicode escape value", at)),
        Some(c) => Ok(c),
    }
}

fn bad_encoding(bytes: &[u8], at: usize) -> Error {
    let shown: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    Error::new(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
    )
    .at(at)
}
