//! Reading a path.

mod lexer;

use oxi_base::{Error, Result, SqlState};

use self::lexer::{Lexer, Token};
use super::{Node, Path, Step};
use crate::numeric::Numeric;

/// How deep a path may nest.
const MAX_DEPTH: usize = 300;

/// Reads a path.
///
/// # Errors
/// `42601` for bad syntax, `22P02` for bad strings.
pub fn parse(text: &str) -> Result<Path> {
    path(text, Check::Nothing)
}

/// As [`parse`], and checks regular expressions.
pub(super) fn parse_checked(text: &str) -> Result<Path> {
    path(text, Check::Patterns)
}

/// What is checked beyond the syntax.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    Patterns,
}

fn path(text: &str, check: Check) -> Result<Path> {
    let tokens = Lexer::new(text).all()?;
    let mut parser = Parser { tokens, at: 0, depth: 0, filters: 0, subscripts: 0, check };
    let lax = match parser.word() {
        Some("strict") => {
            parser.at += 1;
            false
        }
        Some("lax") => {
            parser.at += 1;
            true
        }
        _ => true,
    };
    let root = parser.or()?;
    match parser.peek() {
        Token::End => Ok(Path { lax, root }),
        _ => Err(parser.unexpected()),
    }
}

fn syntax(message: impl Into<String>) -> Error {
    Error::new(SqlState::SYNTAX_ERROR, message)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Filters around the current place, where `@` has a meaning.
    filters: usize,
    /// Subscripts around the current place, where `last` has a meaning.
    subscripts: usize,
    check: Check,
}

const METHODS: &[&str] = &["type", "size", "abs", "floor", "double", "ceiling", "keyvalue"];

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn word(&self) -> Option<&str> {
        self.word_at(0)
    }

    fn word_at(&self, ahead: usize) -> Option<&str> {
        match self.tokens.get(self.at + ahead) {
            Some(Token::Word { lower, .. }) => Some(lower),
            _ => None,
        }
    }

    fn is(&self, symbol: &str) -> bool {
        self.is_at(0, symbol)
    }

    fn is_at(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token::Symbol(found)) if *found == symbol)
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> Error {
        match self.peek() {
            Token::End => syntax("syntax error at end of jsonpath input"),
            token => {
                syntax(format!("syntax error at or near \"{}\" of jsonpath input", token.text()))
            }
        }
    }

    fn value(&self, node: Node) -> Result<Box<Node>> {
        if node.is_predicate() { Err(self.unexpected()) } else { Ok(Box::new(node)) }
    }

    fn predicate(&self, node: Node) -> Result<Box<Node>> {
        if node.is_predicate() { Ok(Box::new(node)) } else { Err(self.unexpected()) }
    }

    fn or(&mut self) -> Result<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let mut left = self.and()?;
        while self.eat("||") {
            let (first, right) = (self.predicate(left)?, self.and()?);
            left = Node::Or(first, self.predicate(right)?);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Node> {
        let mut left = self.not()?;
        while self.eat("&&") {
            let (first, right) = (self.predicate(left)?, self.not()?);
            left = Node::And(first, self.predicate(right)?);
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Node> {
        if !self.eat("!") {
            return self.comparison();
        }
        if !self.is("(") && self.word() != Some("exists") {
            return Err(self.unexpected());
        }
        let inner = self.primary_predicate()?;
        Ok(Node::Not(self.predicate(inner)?))
    }

    /// `(predicate)` or `exists (…)`.
    fn primary_predicate(&mut self) -> Result<Node> {
        if self.word() == Some("exists") && self.is_at(1, "(") {
            self.at += 2;
            let inner = self.or()?;
            let inner = self.value(inner)?;
            self.expect(")")?;
            return Ok(Node::Exists(inner));
        }
        self.expect("(")?;
        let inner = self.or()?;
        self.expect(")")?;
        Ok(inner)
    }

    fn comparison(&mut self) -> Result<Node> {
        if self.word() == Some("exists") && self.is_at(1, "(") {
            return self.primary_predicate();
        }
        let left = self.additive()?;
        let op = match self.peek() {
            Token::Symbol(op @ ("==" | "!=" | "<" | ">" | "<=" | ">=")) => Some(*op),
            Token::Symbol("<>") => Some("!="),
            _ => None,
        };
        if let Some(op) = op {
            self.at += 1;
            let (left, right) = (self.value(left)?, self.additive()?);
            return Ok(Node::Compare(op, left, self.value(right)?));
        }
        match (self.word(), self.word_at(1)) {
            (Some("starts"), Some("with")) => {
                self.at += 2;
                let left = self.value(left)?;
                let right = match self.peek().clone() {
                    Token::String(text) => Node::String(text),
                    Token::Variable(name) => Node::Variable(name),
                    _ => return Err(self.unexpected()),
                };
                self.at += 1;
                Ok(Node::StartsWith(left, Box::new(right)))
            }
            (Some("like_regex"), _) => {
                self.at += 1;
                let left = self.value(left)?;
                self.like_regex(left)
            }
            (Some("is"), Some("unknown")) => {
                self.at += 2;
                Ok(Node::IsUnknown(self.predicate(left)?))
            }
            _ => Ok(left),
        }
    }

    fn string(&mut self) -> Result<String> {
        let Token::String(text) = self.peek().clone() else { return Err(self.unexpected()) };
        self.at += 1;
        Ok(text)
    }

    fn like_regex(&mut self, left: Box<Node>) -> Result<Node> {
        let pattern = self.string()?;
        let given = if self.word() == Some("flag") {
            self.at += 1;
            self.string()?
        } else {
            String::new()
        };
        if let Some(other) = given.chars().find(|letter| !"ismxq".contains(*letter)) {
            return Err(syntax("invalid input syntax for type jsonpath").with_detail(format!(
                "Unrecognized flag character \"{other}\" in LIKE_REGEX predicate."
            )));
        }
        let flags: String = "ismxq".chars().filter(|letter| given.contains(*letter)).collect();
        if self.check == Check::Patterns {
            super::predicate::compile(&pattern, &flags)?;
        }
        Ok(Node::LikeRegex(left, pattern, flags))
    }

    fn additive(&mut self) -> Result<Node> {
        let mut left = self.multiplicative()?;
        loop {
            let op = match self.peek() {
                Token::Symbol("+") => '+',
                Token::Symbol("-") => '-',
                _ => return Ok(left),
            };
            self.at += 1;
            let (first, right) = (self.value(left)?, self.multiplicative()?);
            left = Node::Arithmetic(op, first, self.value(right)?);
        }
    }

    fn multiplicative(&mut self) -> Result<Node> {
        let mut left = self.unary()?;
        loop {
            let op = match self.peek() {
                Token::Symbol("*") => '*',
                Token::Symbol("/") => '/',
                Token::Symbol("%") => '%',
                _ => return Ok(left),
            };
            self.at += 1;
            let (first, right) = (self.value(left)?, self.unary()?);
            left = Node::Arithmetic(op, first, self.value(right)?);
        }
    }

    fn unary(&mut self) -> Result<Node> {
        let mut signs = Vec::new();
        while self.is("+") || self.is("-") {
            signs.push(if self.is("+") { '+' } else { '-' });
            self.at += 1;
        }
        if signs.len() > MAX_DEPTH {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let mut node = self.accessor()?;
        for sign in signs.into_iter().rev() {
            node = match (sign, node) {
                ('+', number @ Node::Number(_)) => number,
                ('-', Node::Number(text)) => Node::Number(Numeric::parse(&text)?.neg().to_string()),
                (sign, node) => Node::Sign(sign, self.value(node)?),
            };
        }
        Ok(node)
    }

    fn accessor(&mut self) -> Result<Node> {
        let (start, in_parens) = self.primary()?;
        let mut steps = Vec::new();
        while let Some(step) = self.step()? {
            steps.push(step);
        }
        Ok(match (steps.is_empty(), start) {
            (true, start) => start,
            (false, Node::Chain(inner, mut before)) if in_parens => {
                before.append(&mut steps);
                Node::Chain(inner, before)
            }
            (false, start) => Node::Chain(Box::new(start), steps),
        })
    }

    /// A start, and whether it stood in parentheses.
    fn primary(&mut self) -> Result<(Node, bool)> {
        let node = match self.peek().clone() {
            Token::Symbol("(") => {
                self.at += 1;
                let inner = self.or()?;
                self.expect(")")?;
                return Ok((inner, true));
            }
            Token::Symbol("$") => Node::Root,
            Token::Symbol("@") if self.filters == 0 => {
                return Err(syntax("@ is not allowed in root expressions"));
            }
            Token::Symbol("@") => Node::Current,
            Token::Variable(name) => Node::Variable(name),
            Token::String(text) => Node::String(text),
            Token::Number(text) => Node::Number(Numeric::parse(&text)?.to_string()),
            Token::Word { text, lower } => match (text.as_str(), lower.as_str()) {
                ("null", _) => Node::Null,
                ("true", _) => Node::Bool(true),
                ("false", _) => Node::Bool(false),
                (_, "last") if self.subscripts == 0 => {
                    return Err(syntax("LAST is allowed only in array subscripts"));
                }
                (_, "last") => Node::Last,
                _ => return Err(self.unexpected()),
            },
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok((node, false))
    }

    fn step(&mut self) -> Result<Option<Step>> {
        if self.eat(".") {
            return self.member().map(Some);
        }
        if self.eat("[") {
            return self.subscript().map(Some);
        }
        if self.eat("?") {
            self.expect("(")?;
            self.filters += 1;
            let inner = self.or()?;
            self.filters -= 1;
            let inner = self.predicate(inner)?;
            self.expect(")")?;
            return Ok(Some(Step::Filter(inner)));
        }
        Ok(None)
    }

    fn subscript(&mut self) -> Result<Step> {
        if self.is("*") && self.is_at(1, "]") {
            self.at += 2;
            return Ok(Step::AnyElement);
        }
        let mut ranges = Vec::new();
        self.subscripts += 1;
        loop {
            let from = self.additive()?;
            let from = *self.value(from)?;
            let to = if self.word() == Some("to") {
                self.at += 1;
                let to = self.additive()?;
                Some(*self.value(to)?)
            } else {
                None
            };
            ranges.push((from, to));
            if !self.eat(",") {
                break;
            }
        }
        self.subscripts -= 1;
        self.expect("]")?;
        Ok(Step::Elements(ranges))
    }

    fn member(&mut self) -> Result<Step> {
        if self.eat("**") {
            return self.deep();
        }
        if self.eat("*") {
            return Ok(Step::AnyMember);
        }
        let name = match self.peek().clone() {
            Token::String(text) => {
                self.at += 1;
                return Ok(Step::Member(text));
            }
            Token::Word { text, lower } => {
                self.at += 1;
                if !self.is("(") {
                    return Ok(Step::Member(text));
                }
                lower
            }
            _ => return Err(self.unexpected()),
        };
        if name == "datetime" {
            self.at += 1;
            let template = if self.is(")") { None } else { Some(self.string()?) };
            self.expect(")")?;
            return Ok(Step::Datetime(template));
        }
        let Some(method) = METHODS.iter().find(|method| **method == name) else {
            return Err(self.unexpected());
        };
        self.at += 1;
        self.expect(")")?;
        Ok(Step::Method(method))
    }

    fn deep(&mut self) -> Result<Step> {
        if !self.eat("{") {
            return Ok(Step::Deep(Some(0), None));
        }
        let from = self.level()?;
        let to = if self.word() == Some("to") {
            self.at += 1;
            self.level()?
        } else {
            from
        };
        self.expect("}")?;
        Ok(Step::Deep(from, to))
    }

    fn level(&mut self) -> Result<Option<u32>> {
        let level = match self.peek() {
            Token::Number(text) => match text.parse() {
                Ok(level) => Some(level),
                Err(_) => return Err(self.unexpected()),
            },
            Token::Word { lower, .. } if lower == "last" => None,
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(level)
    }
}
