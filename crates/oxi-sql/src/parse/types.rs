//! Type names.

use oxi_base::{Error, Result, SqlState};

use super::cursor::Parser;
use super::lexer::TokenKind;
use super::primary::named_type;
use crate::ast::*;

/// The words that begin a type with grammar of its own.
const TYPE_WORDS: &[&str] = &[
    "bigint",
    "bit",
    "boolean",
    "char",
    "character",
    "dec",
    "decimal",
    "double",
    "float",
    "int",
    "integer",
    "interval",
    "national",
    "nchar",
    "numeric",
    "real",
    "smallint",
    "time",
    "timestamp",
    "varchar",
];

impl Parser<'_> {
    pub(super) fn is_type_word(&self) -> bool {
        self.is_any(TYPE_WORDS)
    }

    /// A type with its array bounds.
    pub(crate) fn type_name(&mut self) -> Result<TypeName> {
        let start = self.start();
        let set_of = self.eat("setof");
        let mut found = if self.is_type_word() {
            let mut found = self.grammar_type(false)?;
            if found.name.last() == "interval" && found.modifiers.is_empty() {
                self.interval_fields(&mut found)?;
            }
            found
        } else {
            self.named_type_with_modifiers()?
        };
        found.set_of = set_of;
        if self.eat("array") {
            let bound = if self.sym("[") { self.array_bound()? } else { None };
            found.array_bounds.push(bound);
        } else {
            while self.sym("[") {
                let bound = self.array_bound()?;
                found.array_bounds.push(bound);
            }
        }
        found.span = self.since(start);
        Ok(found)
    }

    fn array_bound(&mut self) -> Result<Option<i32>> {
        self.expect_sym("[")?;
        let bound = if self.sym("]") { None } else { Some(self.integer()?) };
        self.expect_sym("]")?;
        Ok(bound)
    }

    fn named_type_with_modifiers(&mut self) -> Result<TypeName> {
        let start = self.start();
        if !(self.is_function_name(0) || self.is_col_id(0) && self.sym_at(1, ".")) {
            return Err(self.syntax_error());
        }
        let mut parts = vec![self.take_ident()];
        while self.sym(".") {
            self.advance();
            parts.push(self.col_label()?);
        }
        let name = ObjectName { parts, span: self.since(start) };
        if self.sym("%") && self.is_at(1, "type") {
            return Err(self.unsupported("%TYPE"));
        }
        let modifiers = if self.sym("(") { self.in_parens(Self::expr)? } else { Vec::new() };
        Ok(named_type(name, modifiers))
    }

    /// The type of a constant: without lengths that the grammar would add.
    pub(super) fn constant_type(&mut self) -> Result<TypeName> {
        self.grammar_type(true)
    }

    fn grammar_type(&mut self, constant: bool) -> Result<TypeName> {
        let start = self.start();
        let word = self.token().text.clone();
        self.advance();
        let (name, modifiers) = match word.as_str() {
            "int" | "integer" => ("int4", Vec::new()),
            "smallint" => ("int2", Vec::new()),
            "bigint" => ("int8", Vec::new()),
            "real" => ("float4", Vec::new()),
            "boolean" => ("bool", Vec::new()),
            "double" => {
                self.expect("precision")?;
                ("float8", Vec::new())
            }
            "float" => (self.float_precision()?, Vec::new()),
            "dec" | "decimal" | "numeric" => ("numeric", self.modifiers()?),
            "bit" => {
                let name = if self.eat("varying") { "varbit" } else { "bit" };
                (name, self.length_or_one(name == "bit" && !constant)?)
            }
            "varchar" => ("varchar", self.length_or_one(false)?),
            "char" | "character" | "nchar" | "national" => {
                if word == "national" {
                    self.expect_any(&["char", "character"])?;
                }
                let name = if self.eat("varying") { "varchar" } else { "bpchar" };
                (name, self.length_or_one(name == "bpchar" && !constant)?)
            }
            "time" | "timestamp" => self.time_type(&word)?,
            _ => ("interval", self.time_precision()?),
        };
        let span = self.since(start);
        Ok(named_type(ObjectName::system(name, span), modifiers))
    }

    fn float_precision(&mut self) -> Result<&'static str> {
        if !self.eat_sym("(") {
            return Ok("float8");
        }
        let at = self.start();
        let bits = self.integer()?;
        self.expect_sym(")")?;
        let message = match bits {
            ..1 => "precision for type float must be at least 1 bit",
            1..=24 => return Ok("float4"),
            25..=53 => return Ok("float8"),
            54.. => "precision for type float must be less than 54 bits",
        };
        Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).at(at as usize))
    }

    fn modifiers(&mut self) -> Result<Vec<Expr>> {
        if self.sym("(") { self.in_parens(Self::expr) } else { Ok(Vec::new()) }
    }

    /// `(n)`, or 1 when the type without a length means that.
    fn length_or_one(&mut self, one: bool) -> Result<Vec<Expr>> {
        let span = self.token().span;
        if self.sym("(") {
            self.modifiers()
        } else if one {
            Ok(vec![Expr::new(
                ExprKind::Literal(Literal::Int4(1)),
                Span { start: span.start, end: span.start },
            )])
        } else {
            Ok(Vec::new())
        }
    }

    fn time_precision(&mut self) -> Result<Vec<Expr>> {
        if !self.sym("(") {
            return Ok(Vec::new());
        }
        self.advance();
        let span = self.token().span;
        let value = self.integer()?;
        self.expect_sym(")")?;
        Ok(vec![Expr::new(ExprKind::Literal(Literal::Int4(value)), span)])
    }

    fn time_type(&mut self, word: &str) -> Result<(&'static str, Vec<Expr>)> {
        let modifiers = self.time_precision()?;
        let with = self.eat_all(&["with", "time", "zone"]);
        if !with {
            self.eat_all(&["without", "time", "zone"]);
        }
        let name = match (word, with) {
            ("time", false) => "time",
            ("time", true) => "timetz",
            (_, false) => "timestamp",
            (_, true) => "timestamptz",
        };
        Ok((name, modifiers))
    }

    /// The fields after `interval` or an interval constant.
    pub(super) fn interval_fields(&mut self, target: &mut TypeName) -> Result<()> {
        use IntervalFields::*;
        let first = self.token().text.clone();
        if self.kind() != TokenKind::Word
            || !self.is_any(&["year", "month", "day", "hour", "minute", "second"])
        {
            return Ok(());
        }
        self.advance();
        let mut second = String::new();
        if self.is("to") {
            let allowed: &[&str] = match first.as_str() {
                "year" => &["month"],
                "day" => &["hour", "minute", "second"],
                "hour" => &["minute", "second"],
                "minute" => &["second"],
                _ => return Err(self.syntax_error()),
            };
            self.advance();
            self.expect_any(allowed)?.clone_into(&mut second);
        }
        let fields = match (first.as_str(), second.as_str()) {
            ("year", "") => Year,
            ("year", _) => YearToMonth,
            ("month", _) => Month,
            ("day", "") => Day,
            ("day", "hour") => DayToHour,
            ("day", "minute") => DayToMinute,
            ("day", _) => DayToSecond,
            ("hour", "") => Hour,
            ("hour", "minute") => HourToMinute,
            ("hour", _) => HourToSecond,
            ("minute", "") => Minute,
            ("minute", _) => MinuteToSecond,
            _ => Second,
        };
        if matches!(fields, Second | DayToSecond | HourToSecond | MinuteToSecond) {
            target.modifiers = self.time_precision()?;
        }
        target.interval = Some(fields);
        Ok(())
    }
}
