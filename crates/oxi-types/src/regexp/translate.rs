//! From PostgreSQL's advanced regular expressions to the `regex` crate's syntax.

use oxi_base::{Error, Result, SqlState};
use regex::{Regex, RegexBuilder};

use super::Flags;

fn invalid(reason: &str) -> Error {
    Error::new(
        SqlState::INVALID_REGULAR_EXPRESSION,
        format!("invalid regular expression: {reason}"),
    )
}

/// Compiles a pattern.
pub(super) fn compile(pattern: &str, flags: Flags) -> Result<Regex> {
    let mut flags = flags;
    let mut body = pattern;
    if let Some(rest) = body.strip_prefix("***=") {
        flags.literal = true;
        body = rest;
    } else if let Some(rest) = body.strip_prefix("***:") {
        body = rest;
    }
    // Embedded options at the very start.
    if !flags.literal
        && let Some(rest) = body.strip_prefix("(?")
        && let Some((letters, tail)) = rest.split_once(')')
        && !letters.is_empty()
        && letters.chars().all(|c| "bceimnpqstwx".contains(c))
    {
        for letter in letters.chars() {
            flags.set(letter)?;
        }
        body = tail;
    }
    let translated = if flags.literal {
        regex::escape(body)
    } else {
        Translator { rest: body, out: String::new(), flags }.run()?
    };
    RegexBuilder::new(&translated)
        .case_insensitive(flags.ignore_case)
        .dot_matches_new_line(!flags.stop_at_newline)
        .multi_line(flags.anchors_at_newline)
        .size_limit(64 << 20)
        .build()
        .map_err(|error| invalid(reason(&error)))
}

fn reason(error: &regex::Error) -> &'static str {
    let text = error.to_string();
    let has = |part: &str| text.contains(part);
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        "regular expression is too complex"
    } else if has("unclosed group") || has("unopened group") {
        "parentheses () not balanced"
    } else if has("unclosed character class") {
        "brackets [] not balanced"
    } else if has("repetition operator missing")
        || has("repetition quantifier expects a valid decimal")
    {
        "quantifier operand invalid"
    } else if has("invalid repetition count") || has("repetition") || has("counted") {
        "invalid repetition count(s)"
    } else if has("character class range") {
        "invalid character range"
    } else if has("escape") {
        "invalid escape \\ sequence"
    } else {
        "invalid regular expression"
    }
}

struct Translator<'a> {
    rest: &'a str,
    out: String,
    flags: Flags,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn literal(&mut self, c: char) {
        self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn run(mut self) -> Result<String> {
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escape()?,
                '[' => self.bracket()?,
                '(' => self.group()?,
                '{' => self.brace()?,
                '#' if self.flags.expanded => while self.next().is_some_and(|c| c != '\n') {},
                c if self.flags.expanded && c.is_whitespace() => {}
                '.' | '^' | '$' | '*' | '+' | '?' | '|' | ')' => self.out.push(c),
                c => self.literal(c),
            }
        }
        Ok(self.out)
    }

    fn group(&mut self) -> Result<()> {
        if let Some(rest) = self.rest.strip_prefix("?:") {
            self.rest = rest;
            self.out.push_str("(?:");
        } else if let Some(rest) = self.rest.strip_prefix("?#") {
            let end = rest.find(')').ok_or_else(|| invalid("parentheses () not balanced"))?;
            self.rest = &rest[end + 1..];
        } else if ["?=", "?!", "?<=", "?<!"].iter().any(|mark| self.rest.starts_with(mark)) {
            return Err(Error::unsupported("lookaround in regular expressions is not supported"));
        } else {
            if self.rest.starts_with(['?', '*', '+']) {
                return Err(invalid("quantifier operand invalid"));
            }
            self.out.push('(');
        }
        Ok(())
    }

    fn brace(&mut self) -> Result<()> {
        if !self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            self.out.push_str("\\{");
            return Ok(());
        }
        let end = self.rest.find('}').ok_or_else(|| invalid("braces {} not balanced"))?;
        let bounds = &self.rest[..end];
        let mut parts = bounds.split(',');
        let low: u32 = parts
            .next()
            .and_then(|low| low.parse().ok())
            .ok_or_else(|| invalid("invalid repetition count(s)"))?;
        let high = match parts.next() {
            None => Some(low),
            Some("") => None,
            Some(high) => Some(high.parse().map_err(|_| invalid("invalid repetition count(s)"))?),
        };
        if low > 255 || high.is_some_and(|high| high > 255 || high < low) {
            return Err(invalid("invalid repetition count(s)"));
        }
        self.out.push('{');
        self.out.push_str(bounds);
        self.out.push('}');
        self.rest = &self.rest[end + 1..];
        Ok(())
    }

    fn hex(&mut self, digits: usize) -> Result<char> {
        let written =
            self.rest.get(..digits).ok_or_else(|| invalid("invalid escape \\ sequence"))?;
        let code = u32::from_str_radix(written, 16)
            .ok()
            .and_then(char::from_u32)
            .ok_or_else(|| invalid("invalid escape \\ sequence"))?;
        self.rest = &self.rest[digits..];
        Ok(code)
    }

    /// The character that an escape of one character stands for, `None` for classes and the like.
    fn escaped_character(&mut self, letter: char) -> Result<Option<char>> {
        Ok(Some(match letter {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'B' => '\\',
            'e' => '\u{1b}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'c' => {
                let control = self.next().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
                char::from((control as u32 & 0x1f) as u8)
            }
            'u' => self.hex(4)?,
            'U' => self.hex(8)?,
            'x' => {
                let count = self.rest.bytes().take_while(u8::is_ascii_hexdigit).count();
                if count == 0 {
                    return Err(invalid("invalid escape \\ sequence"));
                }
                self.hex(count.min(8))?
            }
            '0' => {
                let count = self.rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                let code = u32::from_str_radix(&self.rest[..count], 8).unwrap_or(0);
                self.rest = &self.rest[count..];
                char::from_u32(code).unwrap_or('\0')
            }
            c if !c.is_alphanumeric() => c,
            _ => return Ok(None),
        }))
    }

    fn escape(&mut self) -> Result<()> {
        let letter = self.next().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
        match letter {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                self.out.push('\\');
                self.out.push(letter);
            }
            'A' => self.out.push_str("\\A"),
            'Z' => self.out.push_str("\\z"),
            'm' => self.out.push_str("\\b{start}"),
            'M' => self.out.push_str("\\b{end}"),
            'y' => self.out.push_str("\\b"),
            'Y' => self.out.push_str("\\B"),
            '1'..='9' => {
                return Err(Error::unsupported(
                    "back references in regular expressions are not supported",
                ));
            }
            letter => match self.escaped_character(letter)? {
                Some(c) => self.literal(c),
                None => return Err(invalid("invalid escape \\ sequence")),
            },
        }
        Ok(())
    }

    fn class_literal(&mut self, c: char) {
        if c.is_ascii_punctuation() {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    fn bracket(&mut self) -> Result<()> {
        let unbalanced = || invalid("brackets [] not balanced");
        match self.rest {
            rest if rest.starts_with("[:<:]]") => {
                self.rest = &rest[6..];
                self.out.push_str("\\b{start}");
                return Ok(());
            }
            rest if rest.starts_with("[:>:]]") => {
                self.rest = &rest[6..];
                self.out.push_str("\\b{end}");
                return Ok(());
            }
            _ => {}
        }
        self.out.push('[');
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest;
            self.out.push('^');
            if self.flags.stop_at_newline {
                self.out.push_str("\\n");
            }
        }
        let mut first = true;
        loop {
            let c = self.next().ok_or_else(unbalanced)?;
            match c {
                ']' if !first => break,
                '[' if self.rest.starts_with(':') => {
                    let end = self.rest.find(":]").ok_or_else(unbalanced)?;
                    let class = named_class(&self.rest[1..end])?;
                    self.out.push_str(class);
                    self.rest = &self.rest[end + 2..];
                }
                '[' if self.rest.starts_with(['.', '=']) => {
                    let mark = self.next().unwrap_or('.');
                    let close: String = [mark, ']'].iter().collect();
                    let end = self.rest.find(&close).ok_or_else(unbalanced)?;
                    let inner = self.rest[..end].to_owned();
                    let mut chars = inner.chars();
                    match (chars.next(), chars.next()) {
                        (Some(c), None) => self.class_literal(c),
                        _ => return Err(invalid("invalid collating element")),
                    }
                    self.rest = &self.rest[end + 2..];
                }
                '\\' => self.bracket_escape()?,
                '-' if !first && !self.rest.starts_with(']') => self.out.push('-'),
                c => self.class_literal(c),
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// What a backslash within brackets stands for.
    fn bracket_escape(&mut self) -> Result<()> {
        let letter = self.next().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
        if matches!(letter, 'd' | 'D' | 's' | 'S' | 'w' | 'W') {
            self.out.push('\\');
            self.out.push(letter);
            return Ok(());
        }
        match self.escaped_character(letter)? {
            Some(c) => self.class_literal(c),
            None => return Err(invalid("invalid escape \\ sequence")),
        }
        Ok(())
    }
}

/// `[:name:]` as the engine writes it within brackets.
fn named_class(name: &str) -> Result<&'static str> {
    Ok(match name {
        "alpha" => "\\p{Alphabetic}",
        "digit" => "\\d",
        "alnum" => "\\p{Alphabetic}\\d",
        "upper" => "\\p{Uppercase}",
        "lower" => "\\p{Lowercase}",
        "space" => "\\s",
        "word" => "\\w",
        "punct" => "[[:punct:]]",
        "blank" => "[[:blank:]]",
        "cntrl" => "[[:cntrl:]]",
        "graph" => "[[:graph:]]",
        "print" => "[[:print:]]",
        "xdigit" => "[[:xdigit:]]",
        "ascii" => "[[:ascii:]]",
        _ => return Err(invalid("invalid character class")),
    })
}
