//! Where a statement ends, without parsing it: quotes, comments, parentheses and semicolons.

#[cfg(test)]
mod tests;

/// What a text ends within.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Nothing: only blanks and comments so far.
    Empty,
    /// A statement without its semicolon.
    Statement,
    /// A string, with the quote that ends it.
    Quoted(char),
    /// A dollar-quoted string, with its tag.
    Dollar(String),
    /// A comment within comments.
    Comment,
}

/// A piece of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pieces {
    /// Whole statements with their semicolons.
    pub(crate) statements: Vec<String>,
    /// What comes after the last of them.
    pub(crate) rest: String,
    /// What that ends within.
    pub(crate) state: State,
}

/// Cuts a text into statements.
pub(crate) fn split(text: &str) -> Pieces {
    let mut scanner = Scanner { text, at: 0, depth: 0, routine: 0 };
    let mut statements = Vec::new();
    let mut start = 0;
    loop {
        match scanner.statement() {
            None => {
                statements.push(text[start..scanner.at].trim_start().to_owned());
                start = scanner.at;
            }
            Some(state) => return Pieces { statements, rest: text[start..].to_owned(), state },
        }
    }
}

/// A statement that ends in `\g` or `\gx` without that, and whether it was `\gx`.
pub(crate) fn without_go(statement: &str) -> Option<(&str, bool)> {
    let trimmed = statement.trim_end();
    let plain = trimmed.strip_suffix("\\g").map(|sql| (sql, false));
    plain.or_else(|| trimmed.strip_suffix("\\gx").map(|sql| (sql, true)))
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// How many BEGIN ATOMIC … END bodies and CASEs within them are open.
    routine: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn looking_at(&self, text: &str) -> bool {
        self.text[self.at..].starts_with(text)
    }

    /// Moves past the end of the next statement (`None`), or says what the text ends within.
    fn statement(&mut self) -> Option<State> {
        let mut state = State::Empty;
        self.depth = 0;
        self.routine = 0;
        let mut previous = String::new();
        while let Some(c) = self.peek() {
            if self.looking_at("--") {
                let end = self.text[self.at..].find('\n');
                self.at = end.map_or(self.text.len(), |end| self.at + end + 1);
                continue;
            }
            if self.looking_at("/*") {
                if !self.comment() {
                    return Some(State::Comment);
                }
                continue;
            }
            if c.is_whitespace() {
                self.at += c.len_utf8();
                continue;
            }
            state = State::Statement;
            match c {
                '\'' | '"' => {
                    let escapes = c == '\'' && previous.eq_ignore_ascii_case("e");
                    self.at += 1;
                    if !self.quoted(c, escapes) {
                        return Some(State::Quoted(c));
                    }
                    previous.clear();
                    continue;
                }
                '$' => {
                    if let Some(tag) = self.dollar_tag() {
                        self.at += tag.len();
                        match self.text[self.at..].find(&tag) {
                            Some(end) => self.at += end + tag.len(),
                            None => return Some(State::Dollar(tag)),
                        }
                        continue;
                    }
                }
                '(' | '[' => self.depth += 1,
                ')' | ']' => self.depth = self.depth.saturating_sub(1),
                ';' if self.depth == 0 && self.routine == 0 => {
                    self.at += 1;
                    return None;
                }
                '\\' if self.go() => return None,
                c if c.is_alphanumeric() || c == '_' => {
                    let word = self.word();
                    self.block_word(&previous, &word);
                    previous = word;
                    continue;
                }
                _ => {}
            }
            previous.clear();
            self.at += c.len_utf8();
        }
        Some(state)
    }

    /// Moves past a `\g` or `\gx`; false if there is none.
    fn go(&mut self) -> bool {
        let rest = &self.text[self.at + 1..];
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let found = matches!(&rest[..end], "g" | "gx");
        if found {
            self.at += 1 + end;
        }
        found
    }

    /// Keeps account of `BEGIN ATOMIC … END`, whose semicolons do not end the statement.
    fn block_word(&mut self, previous: &str, word: &str) {
        if word.eq_ignore_ascii_case("atomic") && previous.eq_ignore_ascii_case("begin") {
            self.routine += 1;
        } else if self.routine > 0 {
            if word.eq_ignore_ascii_case("case") {
                self.routine += 1;
            } else if word.eq_ignore_ascii_case("end") {
                self.routine -= 1;
            }
        }
    }

    fn word(&mut self) -> String {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(rest.len());
        self.at += end;
        rest[..end].to_owned()
    }

    /// The `$tag$` that starts here.
    fn dollar_tag(&self) -> Option<String> {
        let rest = &self.text[self.at + 1..];
        let end = rest.find('$')?;
        let name = &rest[..end];
        let starts_well = !name.starts_with(|c: char| c.is_ascii_digit());
        let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        (starts_well && is_name).then(|| format!("${name}$"))
    }

    /// Moves past the end of a string; false if there is none.
    fn quoted(&mut self, quote: char, escapes: bool) -> bool {
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            if escapes && c == '\\' {
                self.at += self.peek().map_or(0, char::len_utf8);
            } else if c == quote {
                if self.peek() != Some(quote) {
                    return true;
                }
                self.at += 1;
            }
        }
        false
    }

    /// Moves past a comment with those within it; false if it does not end.
    fn comment(&mut self) -> bool {
        let mut depth = 0;
        while let Some(c) = self.peek() {
            if self.looking_at("/*") {
                depth += 1;
                self.at += 2;
            } else if self.looking_at("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return true;
                }
            } else {
                self.at += c.len_utf8();
            }
        }
        false
    }
}
