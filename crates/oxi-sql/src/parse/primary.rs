//! Operands: constants, columns, calls, and what begins with a word of its own.

use oxi_base::{Error, Result, SqlState};

use super::cursor::Parser;
use super::expr::{Paren, number, string_expr, system_call};
use super::lexer::TokenKind;
use crate::ast::*;

impl Parser<'_> {
    /// An operand without operators.
    pub(super) fn primary(&mut self) -> Result<Expr> {
        let start = self.start();
        let token = self.token();
        let span = token.span;
        let literal = match token.kind {
            TokenKind::Integer | TokenKind::Decimal => number(&token.text),
            TokenKind::String => Literal::String(token.text.clone()),
            TokenKind::Bit => Literal::BitString(token.text.clone()),
            TokenKind::Hex => Literal::HexString(token.text.clone()),
            TokenKind::Parameter => {
                let Ok(number) = token.text.parse() else {
                    return Err(Error::new(SqlState::SYNTAX_ERROR, "parameter number too large")
                        .at(start as usize));
                };
                self.advance();
                let base = Expr::new(ExprKind::Parameter(number), span);
                return self.indirection(base, start);
            }
            TokenKind::Symbol if token.text == "(" => {
                let inner = self.paren()?;
                return self.paren_operand(inner, start);
            }
            TokenKind::Word => return self.word_operand(start),
            TokenKind::Quoted => return self.name_operand(start),
            _ => return Err(self.syntax_error()),
        };
        self.advance();
        Ok(Expr::new(ExprKind::Literal(literal), span))
    }

    fn word_operand(&mut self, start: u32) -> Result<Expr> {
        let word = self.token().text.clone();
        let span = self.token().span;
        let kind = match word.as_str() {
            "true" | "false" => {
                self.advance();
                ExprKind::Literal(Literal::Bool(word == "true"))
            }
            "null" => {
                self.advance();
                ExprKind::Literal(Literal::Null)
            }
            "default" => {
                self.advance();
                ExprKind::Default
            }
            "case" => self.case()?,
            "cast" => self.cast_call()?,
            "array" => self.array()?,
            "row" if self.sym_at(1, "(") => {
                self.advance();
                self.advance();
                let fields = if self.sym(")") { Vec::new() } else { self.list(Self::expr)? };
                self.expect_sym(")")?;
                ExprKind::Row { fields, explicit: true }
            }
            "exists" if self.sym_at(1, "(") => {
                self.advance();
                ExprKind::Exists(self.query_in_parens()?)
            }
            "coalesce" if self.sym_at(1, "(") => ExprKind::Coalesce(self.call_args()?),
            "greatest" if self.sym_at(1, "(") => ExprKind::Greatest(self.call_args()?),
            "least" if self.sym_at(1, "(") => ExprKind::Least(self.call_args()?),
            "grouping" if self.sym_at(1, "(") => ExprKind::Grouping(self.call_args()?),
            "nullif" if self.sym_at(1, "(") => self.null_if()?,
            "extract" | "substring" | "trim" | "position" | "overlay" | "normalize"
                if self.sym_at(1, "(") =>
            {
                self.special_call(&word, span)?
            }
            "collation" if self.is_at(1, "for") => {
                self.expect_all(&["collation", "for"])?;
                self.expect_sym("(")?;
                let operand = self.expr()?;
                self.expect_sym(")")?;
                system_call("pg_collation_for", vec![operand], span)
            }
            "treat" if self.sym_at(1, "(") => return Err(self.unsupported("TREAT")),
            "xmlconcat" | "xmlelement" | "xmlexists" | "xmlforest" | "xmlparse" | "xmlpi"
            | "xmlroot" | "xmlserialize"
                if self.sym_at(1, "(") =>
            {
                return Err(self.unsupported(&word.to_ascii_uppercase()));
            }
            _ => match sql_value(&word) {
                Some(function) if !self.sym_at(1, "(") || function.1 => {
                    self.advance();
                    let precision = if function.1 { self.precision()? } else { None };
                    ExprKind::SqlValue { function: function.0, precision }
                }
                _ => return self.typed_literal_or_name(start),
            },
        };
        Ok(Expr::new(kind, self.since(start)))
    }

    fn cast_call(&mut self) -> Result<ExprKind> {
        self.advance();
        self.expect_sym("(")?;
        let operand = Box::new(self.expr()?);
        self.expect("as")?;
        let target = Box::new(self.type_name()?);
        self.expect_sym(")")?;
        Ok(ExprKind::Cast { operand, target, syntax: CastSyntax::Cast })
    }

    fn null_if(&mut self) -> Result<ExprKind> {
        self.advance();
        self.advance();
        let first = Box::new(self.expr()?);
        self.expect_sym(",")?;
        let second = Box::new(self.expr()?);
        self.expect_sym(")")?;
        Ok(ExprKind::NullIf(first, second))
    }

    fn precision(&mut self) -> Result<Option<i32>> {
        if !self.eat_sym("(") {
            return Ok(None);
        }
        let value = self.integer()?;
        self.expect_sym(")")?;
        Ok(Some(value))
    }

    /// `(a, …)` after the next word.
    fn call_args(&mut self) -> Result<Vec<Expr>> {
        self.advance();
        self.in_parens(Self::expr)
    }

    fn case(&mut self) -> Result<ExprKind> {
        self.advance();
        let operand = if self.is("when") { None } else { Some(Box::new(self.expr()?)) };
        let mut branches = Vec::new();
        loop {
            let start = self.start();
            if !self.eat("when") {
                break;
            }
            let condition = self.expr()?;
            self.expect("then")?;
            let result = self.expr()?;
            branches.push(CaseBranch { condition, result, span: self.since(start) });
        }
        if branches.is_empty() {
            return Err(self.syntax_error());
        }
        let otherwise = if self.eat("else") { Some(Box::new(self.expr()?)) } else { None };
        self.expect("end")?;
        Ok(ExprKind::Case { operand, branches, otherwise })
    }

    fn array(&mut self) -> Result<ExprKind> {
        self.advance();
        if self.sym("(") {
            return Ok(ExprKind::ArraySubquery(self.query_in_parens()?));
        }
        self.array_elements()
    }

    /// `[a, …]` or `[[a, …], …]`.
    fn array_elements(&mut self) -> Result<ExprKind> {
        self.expect_sym("[")?;
        let elements = if self.sym("]") {
            Vec::new()
        } else if self.sym("[") {
            self.list(|p| {
                p.nested(|p| {
                    let start = p.start();
                    let kind = p.array_elements()?;
                    Ok(Expr::new(kind, p.since(start)))
                })
            })?
        } else {
            self.list(Self::expr)?
        };
        self.expect_sym("]")?;
        Ok(ExprKind::Array(elements))
    }

    /// A query in parentheses, perhaps several.
    pub(super) fn query_in_parens(&mut self) -> Result<Box<Query>> {
        if !self.sym("(") {
            return Err(self.syntax_error());
        }
        match self.paren()? {
            Paren::Query(query) => Ok(query),
            Paren::Exprs(_) => {
                self.at -= 1;
                Err(self.syntax_error())
            }
        }
    }

    /// A name, unless a type of the grammar and a string make a constant.
    fn typed_literal_or_name(&mut self, start: u32) -> Result<Expr> {
        if !self.is_type_word() {
            return self.name_operand(start);
        }
        let at = self.at;
        if let Ok(mut target) = self.constant_type()
            && self.kind() == TokenKind::String
        {
            let operand = Box::new(string_expr(&self.token().text, self.token().span));
            self.advance();
            if target.name.last() == "interval" && target.modifiers.is_empty() {
                self.interval_fields(&mut target)?;
            }
            let kind = ExprKind::Cast {
                operand,
                target: Box::new(target),
                syntax: CastSyntax::TypedLiteral,
            };
            return Ok(Expr::new(kind, self.since(start)));
        }
        let furthest = self.at;
        self.at = at;
        if self.ahead(1).kind == TokenKind::Symbol && self.sym_at(1, "(") {
            // It cannot be a name: the mistake is after the type.
            self.at = furthest;
            return Err(self.syntax_error());
        }
        self.name_operand(start)
    }

    /// A column, a call, or a constant of a named type.
    fn name_operand(&mut self, start: u32) -> Result<Expr> {
        let column = self.is_col_id(0);
        let function = self.is_function_name(0);
        if !column && !function {
            return Err(self.syntax_error());
        }
        let mut parts = vec![self.take_ident()];
        while column && self.sym(".") {
            self.advance();
            if self.eat_sym("*") {
                return Ok(Expr::new(ExprKind::Star(parts), self.since(start)));
            }
            parts.push(self.col_label()?);
        }
        let function = function || parts.len() > 1;
        let span = self.since(start);
        if function && self.sym("(") {
            let name = ObjectName { parts, span };
            return self.call(name, start);
        }
        if function && self.kind() == TokenKind::String {
            let target = named_type(ObjectName { parts, span }, Vec::new());
            return Ok(self.literal_of(target, start));
        }
        if !column {
            return Err(self.syntax_error());
        }
        let base = Expr::new(ExprKind::Column(parts), span);
        self.indirection(base, start)
    }

    /// The string at the next token as a constant of a type.
    fn literal_of(&mut self, target: TypeName, start: u32) -> Expr {
        let operand = Box::new(string_expr(&self.token().text, self.token().span));
        self.advance();
        let kind =
            ExprKind::Cast { operand, target: Box::new(target), syntax: CastSyntax::TypedLiteral };
        Expr::new(kind, self.since(start))
    }

    /// The fields and subscripts after an operand.
    pub(super) fn indirection(&mut self, mut base: Expr, start: u32) -> Result<Expr> {
        loop {
            let kind = if self.eat_sym(".") {
                if self.eat_sym("*") {
                    ExprKind::FieldStar(Box::new(base))
                } else {
                    let field = self.col_label()?;
                    ExprKind::Field { base: Box::new(base), field }
                }
            } else if self.sym("[") {
                let mut subscripts = Vec::new();
                while self.sym("[") {
                    subscripts.push(self.subscript()?);
                }
                ExprKind::Subscript { base: Box::new(base), subscripts }
            } else {
                return Ok(base);
            };
            self.grow()?;
            base = Expr::new(kind, self.since(start));
        }
    }

    /// `[i]` or `[l:u]`.
    pub(super) fn subscript(&mut self) -> Result<Subscript> {
        self.expect_sym("[")?;
        let lower = if self.sym(":") { None } else { Some(self.expr()?) };
        if self.eat_sym(":") {
            let upper = if self.sym("]") { None } else { Some(self.expr()?) };
            self.expect_sym("]")?;
            return Ok(Subscript::Slice { lower, upper });
        }
        self.expect_sym("]")?;
        lower.map(Subscript::Index).ok_or_else(|| self.syntax_error())
    }

    /// A call; the cursor is at the parenthesis.
    fn call(&mut self, name: ObjectName, start: u32) -> Result<Expr> {
        let call = self.call_of(name, start)?;
        if self.kind() == TokenKind::String && is_plain(&call) {
            let modifiers = call.args.into_iter().map(|argument| argument.value).collect();
            let target = named_type(call.name, modifiers);
            return Ok(self.literal_of(target, start));
        }
        let span = call.span;
        Ok(Expr::new(ExprKind::Call(Box::new(call)), span))
    }

    /// The arguments of a call and the clauses after it.
    pub(super) fn call_of(&mut self, name: ObjectName, start: u32) -> Result<FunctionCall> {
        let mut call = FunctionCall {
            name,
            args: Vec::new(),
            star: false,
            variadic: false,
            distinct: false,
            order_by: Vec::new(),
            within_group: false,
            filter: None,
            over: None,
            syntax: CallSyntax::Call,
            span: Span::default(),
        };
        self.expect_sym("(")?;
        if self.sym("*") && self.sym_at(1, ")") {
            self.advance();
            call.star = true;
        } else if !self.sym(")") {
            call.distinct = self.eat("distinct");
            if !call.distinct {
                self.eat("all");
            }
            loop {
                call.variadic = self.eat("variadic");
                call.args.push(self.argument()?);
                if call.variadic || !self.eat_sym(",") {
                    break;
                }
            }
            call.order_by = self.optional_order_by()?;
        }
        self.expect_sym(")")?;
        self.call_clauses(&mut call)?;
        call.span = self.since(start);
        Ok(call)
    }

    fn call_clauses(&mut self, call: &mut FunctionCall) -> Result<()> {
        if self.is("within") && self.is_at(1, "group") {
            let at = self.start();
            self.expect_all(&["within", "group"])?;
            self.expect_sym("(")?;
            let message = match call {
                _ if !call.order_by.is_empty() => {
                    Some("cannot use multiple ORDER BY clauses with WITHIN GROUP")
                }
                _ if call.distinct => Some("cannot use DISTINCT with WITHIN GROUP"),
                _ if call.variadic => Some("cannot use VARIADIC with WITHIN GROUP"),
                _ => None,
            };
            if let Some(message) = message {
                return Err(Self::grammar(message, at));
            }
            if !self.is("order") {
                return Err(self.syntax_error());
            }
            call.order_by = self.optional_order_by()?;
            call.within_group = true;
            self.expect_sym(")")?;
        }
        if self.is("filter") && self.sym_at(1, "(") {
            self.advance();
            self.advance();
            self.expect("where")?;
            call.filter = Some(Box::new(self.expr()?));
            self.expect_sym(")")?;
        }
        if self.is("over") && (self.sym_at(1, "(") || self.is_col_id(1)) {
            self.advance();
            call.over = Some(if self.sym("(") {
                Over::Window(Box::new(self.window()?))
            } else {
                Over::Name(self.col_id()?)
            });
        }
        Ok(())
    }

    /// An argument, perhaps with a name.
    pub(super) fn argument(&mut self) -> Result<Argument> {
        let named = self.sym_at(1, "=>") || self.sym_at(1, ":=");
        let name = if named && self.is_function_name(0) {
            let name = self.take_ident();
            self.advance();
            Some(name)
        } else {
            None
        };
        Ok(Argument { name, value: self.expr()? })
    }
}

/// A function without parentheses, and whether it takes a precision.
fn sql_value(word: &str) -> Option<(SqlValue, bool)> {
    Some(match word {
        "current_date" => (SqlValue::CurrentDate, false),
        "current_time" => (SqlValue::CurrentTime, true),
        "current_timestamp" => (SqlValue::CurrentTimestamp, true),
        "localtime" => (SqlValue::LocalTime, true),
        "localtimestamp" => (SqlValue::LocalTimestamp, true),
        "current_role" => (SqlValue::CurrentRole, false),
        "current_user" => (SqlValue::CurrentUser, false),
        "user" => (SqlValue::User, false),
        "session_user" => (SqlValue::SessionUser, false),
        "current_catalog" => (SqlValue::CurrentCatalog, false),
        "current_schema" => (SqlValue::CurrentSchema, false),
        _ => return None,
    })
}

/// The call could be a type with modifiers.
fn is_plain(call: &FunctionCall) -> bool {
    !call.star
        && !call.variadic
        && !call.distinct
        && call.order_by.is_empty()
        && call.filter.is_none()
        && call.over.is_none()
        && !call.args.is_empty()
        && call.args.iter().all(|argument| argument.name.is_none())
}

/// A type without array bounds.
pub(super) fn named_type(name: ObjectName, modifiers: Vec<Expr>) -> TypeName {
    let span = name.span;
    TypeName {
        name,
        modifiers,
        interval: None,
        array_bounds: Vec::new(),
        set_of: false,
        percent_type: false,
        span,
    }
}
