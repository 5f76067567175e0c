//! Expressions: operators by precedence. Primaries are in `primary`.

use oxi_base::Result;

use super::cursor::Parser;
use super::lexer::TokenKind;
use crate::ast::*;

/// How tight operators bind; the order of PostgreSQL's grammar.
mod level {
    pub(super) const OR: u8 = 1;
    pub(super) const AND: u8 = 2;
    pub(super) const NOT: u8 = 3;
    pub(super) const IS: u8 = 4;
    pub(super) const COMPARE: u8 = 5;
    pub(super) const LIKE: u8 = 6;
    pub(super) const OPERATOR: u8 = 8;
    pub(super) const ADD: u8 = 9;
    pub(super) const MULTIPLY: u8 = 10;
    pub(super) const POWER: u8 = 11;
    pub(super) const AT: u8 = 12;
    pub(super) const COLLATE: u8 = 13;
    pub(super) const SIGN: u8 = 14;
    pub(super) const CAST: u8 = 17;
}

/// What stands after an operand.
#[derive(Clone, Copy, PartialEq)]
enum Infix {
    And,
    Or,
    Is,
    IsNull,
    NotNull,
    Symbol,
    Operator,
    Between,
    In,
    Like,
    Overlaps,
    AtTimeZone,
    Collate,
    Cast,
}

impl Parser<'_> {
    /// Any expression.
    pub(crate) fn expr(&mut self) -> Result<Expr> {
        self.climb_from(0, false)
    }

    /// An expression without the boolean operators, as in `BETWEEN x AND`.
    pub(super) fn restricted_expr(&mut self) -> Result<Expr> {
        self.climb_from(0, true)
    }

    fn climb_from(&mut self, min: u8, restricted: bool) -> Result<Expr> {
        self.nested(|p| {
            let start = p.start();
            let left = p.prefix(restricted)?;
            p.climb(left, start, min, restricted)
        })
    }

    /// The infix operators after `left` that bind at least as tight as `min`.
    pub(super) fn climb(
        &mut self,
        mut left: Expr,
        start: u32,
        min: u8,
        restricted: bool,
    ) -> Result<Expr> {
        // The level of a non-associative operator just built: it may not follow itself.
        let mut blocked = 0;
        while let Some((infix, level)) = self.infix(restricted) {
            if level < min {
                break;
            }
            if level == blocked {
                self.certain = true;
                return Err(self.syntax_error());
            }
            let height = self.height;
            self.height = 0;
            let mut ends_open = false;
            left = self.infix_expr(left, start, infix, level, restricted, &mut ends_open)?;
            // Flat lists of AND and OR do not grow with each operand.
            if matches!(infix, Infix::And | Infix::Or) {
                self.height = self.height.max(height);
            } else {
                self.height = self.height.max(height + 1);
            }
            if self.height > super::cursor::MAX_DEPTH {
                return Err(super::cursor::too_deep());
            }
            blocked = if ends_open && matches!(level, level::IS | level::COMPARE | level::LIKE) {
                level
            } else {
                0
            };
        }
        Ok(left)
    }

    /// The operator at the next token.
    fn infix(&self, restricted: bool) -> Option<(Infix, u8)> {
        let token = self.token();
        match token.kind {
            TokenKind::Symbol => {
                let level = match token.text.as_str() {
                    "::" => return Some((Infix::Cast, level::CAST)),
                    "+" | "-" => level::ADD,
                    "*" | "/" | "%" => level::MULTIPLY,
                    "^" => level::POWER,
                    "<" | ">" | "=" | "<=" | ">=" | "<>" => level::COMPARE,
                    "=>" | ":=" | ".." | ":" | "." | "," | ";" | "(" | ")" | "[" | "]" => {
                        return None;
                    }
                    _ => level::OPERATOR,
                };
                Some((Infix::Symbol, level))
            }
            TokenKind::Word => {
                let found = match token.text.as_str() {
                    "operator" if self.sym_at(1, "(") => (Infix::Operator, level::OPERATOR),
                    "is" if !restricted => (Infix::Is, level::IS),
                    "is" if self.is_at(1, "distinct")
                        || (self.is_at(1, "not") && self.is_at(2, "distinct")) =>
                    {
                        (Infix::Is, level::IS)
                    }
                    _ if restricted => return None,
                    "and" => (Infix::And, level::AND),
                    "or" => (Infix::Or, level::OR),
                    "isnull" => (Infix::IsNull, level::IS),
                    "notnull" => (Infix::NotNull, level::IS),
                    "between" => (Infix::Between, level::LIKE),
                    "in" => (Infix::In, level::LIKE),
                    "like" | "ilike" => (Infix::Like, level::LIKE),
                    "similar" if self.is_at(1, "to") => (Infix::Like, level::LIKE),
                    "not" => match self.ahead(1).text.as_str() {
                        _ if self.ahead(1).kind != TokenKind::Word => return None,
                        "between" => (Infix::Between, level::LIKE),
                        "in" => (Infix::In, level::LIKE),
                        "like" | "ilike" | "similar" => (Infix::Like, level::LIKE),
                        _ => return None,
                    },
                    "overlaps" => (Infix::Overlaps, level::LIKE),
                    "at" if self.is_at(1, "time") => (Infix::AtTimeZone, level::AT),
                    "collate" => (Infix::Collate, level::COLLATE),
                    _ => return None,
                };
                Some(found)
            }
            _ => None,
        }
    }

    /// Builds the expression of an infix operator; the cursor is at the operator. `ends_open` becomes
    /// true when the last part is an operand, so that a following operator competes for it.
    fn infix_expr(
        &mut self,
        left: Expr,
        start: u32,
        infix: Infix,
        level: u8,
        restricted: bool,
        ends_open: &mut bool,
    ) -> Result<Expr> {
        let operator_start = self.start();
        let kind = match infix {
            Infix::And | Infix::Or => {
                self.advance();
                let right = self.climb_from(level + 1, false)?;
                return Ok(self.junction(left, right, infix == Infix::And, start));
            }
            Infix::Symbol | Infix::Operator => {
                let op = self.any_operator()?;
                if self.is_any(&["any", "some", "all"]) && !restricted {
                    self.quantified(left, op)?
                } else {
                    *ends_open = true;
                    let right = Box::new(self.climb_from(level + 1, restricted)?);
                    ExprKind::Binary { left: Box::new(left), op, right }
                }
            }
            Infix::IsNull | Infix::NotNull => {
                self.advance();
                ExprKind::IsNull { operand: Box::new(left), negated: infix == Infix::NotNull }
            }
            Infix::Is => self.is_test(left, restricted, ends_open)?,
            Infix::Between => {
                *ends_open = true;
                self.between(left)?
            }
            Infix::In => self.in_list(left)?,
            Infix::Like => self.like(left, ends_open)?,
            Infix::Overlaps => self.overlaps(left, operator_start)?,
            Infix::AtTimeZone => {
                self.advance();
                self.expect_all(&["time", "zone"])?;
                let zone = self.climb_from(level + 1, false)?;
                system_call(
                    "timezone",
                    vec![zone, left],
                    Span { start: operator_start, end: operator_start },
                )
            }
            Infix::Collate => {
                self.advance();
                let collation = self.object_name()?;
                ExprKind::Collate { operand: Box::new(left), collation }
            }
            Infix::Cast => {
                self.advance();
                let target = Box::new(self.type_name()?);
                ExprKind::Cast { operand: Box::new(left), target, syntax: CastSyntax::Colons }
            }
        };
        Ok(Expr::new(kind, self.since(start)))
    }

    /// `left AND right`, into the list that `left` already is.
    fn junction(&self, left: Expr, right: Expr, and: bool, start: u32) -> Expr {
        let span = self.since(start);
        let kind = match (left.kind, and) {
            (ExprKind::And(mut list), true) => {
                list.push(right);
                ExprKind::And(list)
            }
            (ExprKind::Or(mut list), false) => {
                list.push(right);
                ExprKind::Or(list)
            }
            (kind, true) => ExprKind::And(vec![Expr::new(kind, left.span), right]),
            (kind, false) => ExprKind::Or(vec![Expr::new(kind, left.span), right]),
        };
        Expr::new(kind, span)
    }

    /// An operator symbol or `OPERATOR(schema.symbol)`.
    pub(super) fn any_operator(&mut self) -> Result<OperatorName> {
        let start = self.start();
        if self.eat("operator") {
            self.expect_sym("(")?;
            let mut schema = Vec::new();
            while !matches!(self.kind(), TokenKind::Symbol) {
                schema.push(self.col_id()?);
                self.expect_sym(".")?;
            }
            let name = self.operator_symbol()?;
            self.expect_sym(")")?;
            return Ok(OperatorName { schema, name, span: self.since(start) });
        }
        let name = self.operator_symbol()?;
        Ok(OperatorName { schema: Vec::new(), name, span: self.since(start) })
    }

    fn operator_symbol(&mut self) -> Result<String> {
        let token = self.token();
        let punctuation = ["=>", ":=", "..", ":", "::", ".", ",", ";", "(", ")", "[", "]"];
        if token.kind != TokenKind::Symbol || punctuation.contains(&token.text.as_str()) {
            return Err(self.syntax_error());
        }
        let name = token.text.clone();
        self.advance();
        Ok(name)
    }

    /// `ANY (…)` after an operator.
    fn quantified(&mut self, left: Expr, op: OperatorName) -> Result<ExprKind> {
        let all = self.expect_any(&["any", "some", "all"])? == "all";
        let right = match self.paren()? {
            Paren::Query(query) => QuantifiedRight::Subquery(query),
            Paren::Exprs(mut list) if list.len() == 1 => {
                QuantifiedRight::Array(Box::new(list.remove(0)))
            }
            Paren::Exprs(_) => {
                self.at -= 1;
                return Err(self.syntax_error());
            }
        };
        Ok(ExprKind::Quantified { left: Box::new(left), op, all, right })
    }

    fn is_test(&mut self, left: Expr, restricted: bool, ends_open: &mut bool) -> Result<ExprKind> {
        let span = self.token().span;
        self.advance();
        let negated = self.eat("not");
        let operand = Box::new(left);
        if self.eat_all(&["distinct", "from"]) {
            *ends_open = true;
            let right = Box::new(self.climb_from(level::IS + 1, restricted)?);
            let op = OperatorName { schema: Vec::new(), name: "=".to_owned(), span };
            return Ok(ExprKind::IsDistinct { left: operand, right, negated, op });
        }
        let token = self.token();
        if token.kind != TokenKind::Word {
            return Err(self.syntax_error());
        }
        let test = match token.text.as_str() {
            "null" => {
                self.advance();
                return Ok(ExprKind::IsNull { operand, negated });
            }
            "true" => BoolTest::True,
            "false" => BoolTest::False,
            "unknown" => BoolTest::Unknown,
            "normalized" | "nfc" | "nfd" | "nfkc" | "nfkd" => {
                return self.is_normalized(*operand, negated, span);
            }
            "document" => return Err(self.unsupported("IS DOCUMENT")),
            _ => return Err(self.syntax_error()),
        };
        self.advance();
        Ok(ExprKind::IsBool { operand, test, negated })
    }

    fn is_normalized(&mut self, operand: Expr, negated: bool, span: Span) -> Result<ExprKind> {
        let mut args = vec![operand];
        if !self.is("normalized") {
            let form = self.take_ident();
            args.push(string_expr(&form.value.to_ascii_uppercase(), form.span));
        }
        self.expect("normalized")?;
        let call = system_call("is_normalized", args, span);
        Ok(if negated { ExprKind::Not(Box::new(Expr::new(call, span))) } else { call })
    }

    fn between(&mut self, left: Expr) -> Result<ExprKind> {
        let start = self.start();
        let negated = self.eat("not");
        self.expect("between")?;
        let op_span = self.since(start);
        let symmetric = self.eat("symmetric");
        if !symmetric {
            self.eat("asymmetric");
        }
        let low = Box::new(self.restricted_expr()?);
        self.expect("and")?;
        let high = Box::new(self.climb_from(level::LIKE + 1, false)?);
        Ok(ExprKind::Between { operand: Box::new(left), low, high, symmetric, negated, op_span })
    }

    fn in_list(&mut self, left: Expr) -> Result<ExprKind> {
        let start = self.start();
        let negated = self.eat("not");
        self.expect("in")?;
        let op_span = self.since(start);
        let operand = Box::new(left);
        if !self.sym("(") {
            return Err(self.syntax_error());
        }
        Ok(match self.paren()? {
            Paren::Query(query) => ExprKind::InSubquery { operand, query, negated, op_span },
            Paren::Exprs(list) => ExprKind::InList { operand, list, negated, op_span },
        })
    }

    fn like(&mut self, left: Expr, ends_open: &mut bool) -> Result<ExprKind> {
        let start = self.start();
        let negated = self.eat("not");
        let (kind, symbol) = match self.expect_any(&["like", "ilike", "similar"])? {
            "like" => (LikeKind::Like, "~~"),
            "ilike" => (LikeKind::ILike, "~~*"),
            _ => {
                self.expect("to")?;
                (LikeKind::SimilarTo, "~")
            }
        };
        let name = format!("{}{symbol}", if negated { "!" } else { "" });
        let op = OperatorName { schema: Vec::new(), name, span: self.since(start) };
        if kind != LikeKind::SimilarTo && self.is_any(&["any", "some", "all"]) {
            return self.quantified(left, op);
        }
        *ends_open = true;
        let pattern = Box::new(self.climb_from(level::LIKE + 1, false)?);
        let mut escape = None;
        if self.eat("escape") {
            escape = Some(Box::new(self.climb_from(level::LIKE + 1, false)?));
        }
        Ok(ExprKind::Like { operand: Box::new(left), pattern, escape, kind, negated, op })
    }

    fn overlaps(&mut self, left: Expr, at: u32) -> Result<ExprKind> {
        let ExprKind::Row { mut fields, .. } = left.kind else { return Err(self.syntax_error()) };
        self.advance();
        let right_start = self.start();
        let right = self.prefix(false)?;
        let ExprKind::Row { fields: more, .. } = right.kind else {
            return Err(self.syntax_error());
        };
        for (list, start, side) in
            [(&fields, left.span.start, "left"), (&more, right_start, "right")]
        {
            if list.len() != 2 {
                let message =
                    format!("wrong number of parameters on {side} side of OVERLAPS expression");
                return Err(Self::grammar(message, start));
            }
        }
        fields.extend(more);
        Ok(system_call("overlaps", fields, Span { start: at, end: at }))
    }

    /// The operators before an operand, and the operand.
    fn prefix(&mut self, restricted: bool) -> Result<Expr> {
        let start = self.start();
        let token = self.token();
        let level = match (token.kind, token.text.as_str()) {
            (TokenKind::Symbol, "+" | "-") => level::SIGN,
            (
                TokenKind::Symbol,
                "(" | ")" | "[" | "]" | "," | ";" | "." | ".." | ":" | "::" | ":=" | "=>",
            ) => 0,
            // Only generic operators may stand before an operand.
            (TokenKind::Symbol, "*" | "/" | "%" | "^" | "<" | ">" | "=" | "<=" | ">=" | "<>") => {
                return Err(self.syntax_error());
            }
            (TokenKind::Symbol, _) => level::OPERATOR,
            (TokenKind::Word, "operator") if self.sym_at(1, "(") => level::OPERATOR,
            (TokenKind::Word, "not") if !restricted => {
                self.advance();
                let operand = Box::new(self.climb_from(level::NOT, false)?);
                return Ok(Expr::new(ExprKind::Not(operand), self.since(start)));
            }
            _ => 0,
        };
        if level == 0 {
            return self.primary();
        }
        let op = self.any_operator()?;
        let operand = self.climb_from(level + 1, restricted)?;
        if op.name == "-"
            && op.schema.is_empty()
            && let ExprKind::Literal(literal) = &operand.kind
            && let Some(negated) = negate(literal)
        {
            return Ok(Expr::new(ExprKind::Literal(negated), self.since(start)));
        }
        Ok(Expr::new(ExprKind::Unary { op, operand: Box::new(operand) }, self.since(start)))
    }

    /// A parenthesis with a query or expressions in it; the cursor is before it.
    pub(super) fn paren(&mut self) -> Result<Paren> {
        self.nested(Self::paren_inside)
    }

    fn paren_inside(&mut self) -> Result<Paren> {
        self.expect_sym("(")?;
        let start = self.start();
        let mut list = Vec::new();
        if self.leads_to_query() {
            if !self.sym("(") {
                let query = self.query()?;
                self.expect_sym(")")?;
                return Ok(Paren::Query(Box::new(query)));
            }
            let operand = match self.paren()? {
                Paren::Query(query) if self.continues_query() => {
                    let query = self.query_after(*query, start)?;
                    self.expect_sym(")")?;
                    return Ok(Paren::Query(Box::new(query)));
                }
                inner => self.paren_operand(inner, start)?,
            };
            list.push(self.climb(operand, start, 0, false)?);
            if self.eat_sym(",") {
                list.extend(self.list(Self::expr)?);
            }
        } else {
            list.extend(self.list(Self::expr)?);
        }
        self.expect_sym(")")?;
        Ok(Paren::Exprs(list))
    }

    /// What a parenthesis is as an operand, with the fields and subscripts after it.
    pub(super) fn paren_operand(&mut self, inner: Paren, start: u32) -> Result<Expr> {
        match inner {
            Paren::Query(query) => {
                let base = Expr::new(ExprKind::Subquery(query), self.since(start));
                self.indirection(base, start)
            }
            Paren::Exprs(mut list) if list.len() == 1 => {
                let base = list.remove(0);
                self.indirection(base, start)
            }
            Paren::Exprs(fields) => {
                Ok(Expr::new(ExprKind::Row { fields, explicit: false }, self.since(start)))
            }
        }
    }

    /// The next tokens are opening parentheses and then a query.
    pub(super) fn leads_to_query(&self) -> bool {
        let limit = super::cursor::MAX_DEPTH as usize + 1;
        let n = (0..limit).find(|n| !self.sym_at(*n, "(")).unwrap_or(limit);
        self.is_at(n, "select")
            || self.is_at(n, "with")
            || self.is_at(n, "table")
            || (self.is_at(n, "values") && self.sym_at(n + 1, "("))
    }

    /// What follows a parenthesised query makes it part of a longer query (or closes it again).
    pub(super) fn continues_query(&self) -> bool {
        self.sym(")")
            || self.is_any(&[
                "union",
                "intersect",
                "except",
                "order",
                "limit",
                "offset",
                "fetch",
                "for",
            ])
    }
}

/// What a parenthesis holds.
pub(super) enum Paren {
    Query(Box<Query>),
    Exprs(Vec<Expr>),
}

/// A call of a function that the grammar itself names.
pub(super) fn system_call(name: &str, args: Vec<Expr>, span: Span) -> ExprKind {
    ExprKind::Call(Box::new(FunctionCall {
        name: ObjectName::system(name, span),
        args: args.into_iter().map(|value| Argument { name: None, value }).collect(),
        star: false,
        variadic: false,
        distinct: false,
        order_by: Vec::new(),
        within_group: false,
        filter: None,
        over: None,
        syntax: CallSyntax::Sql,
        span,
    }))
}

/// A string constant.
pub(super) fn string_expr(text: &str, span: Span) -> Expr {
    Expr::new(ExprKind::Literal(Literal::String(text.to_owned())), span)
}

/// A number's constant: the smallest of int4, int8 and numeric that holds it.
pub(super) fn number(text: &str) -> Literal {
    if let Ok(value) = text.parse::<i32>() {
        Literal::Int4(value)
    } else if let Ok(value) = text.parse::<i64>() {
        Literal::Int8(value)
    } else {
        Literal::Numeric(text.to_owned())
    }
}

fn negate(literal: &Literal) -> Option<Literal> {
    let text = match literal {
        Literal::Int4(value) => value.to_string(),
        Literal::Int8(value) => value.to_string(),
        Literal::Numeric(text) => text.clone(),
        _ => return None,
    };
    Some(match text.strip_prefix('-') {
        Some(positive) => number(positive),
        None => number(&format!("-{text}")),
    })
}
