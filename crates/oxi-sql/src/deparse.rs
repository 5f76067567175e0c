//! From the syntax tree back to SQL text, in the style of PostgreSQL's own `pg_get_expr` and
//! `pg_get_viewdef`: operators in parentheses, clauses on lines of their own.
//!
//! The text parses to the same tree, apart from spans.

mod query;
mod types;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use oxi_base::{Error, Result};

use crate::ast::*;
use crate::bind::Stars;
use crate::parse::quote_identifier;

/// An expression as text.
pub fn expression(expr: &Expr) -> Result<String> {
    let mut writer = Writer::default();
    writer.expr(expr)?;
    Ok(writer.out)
}

/// A query as text, with its lines as `pg_get_viewdef` has them (without the semicolon).
pub fn query(query: &Query) -> Result<String> {
    let mut writer = Writer::default();
    writer.out.push(' ');
    writer.query(query)?;
    Ok(writer.out)
}

/// A type name as text, with the SQL spelling of PostgreSQL's own types.
pub fn type_name(name: &TypeName) -> Result<String> {
    let mut writer = Writer::default();
    writer.type_name(name)?;
    Ok(writer.out)
}

/// A string as an SQL constant.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// Says by which name, already as SQL writes it, a relation of a query is found; `None` leaves
/// the name as it is.
pub type Names<'a> = &'a dyn Fn(&ObjectName) -> Option<String>;

/// A query as text that does not change with its tables: its stars are spread.
pub fn stored_query(query: &Query, stars: &Stars) -> Result<String> {
    let mut writer = Writer { stars: Some(stars), ..Writer::default() };
    writer.out.push(' ');
    writer.query(query)?;
    Ok(writer.out)
}

/// A query as text, its relations called as `names` says. Names of its WITH stay.
pub fn query_with_names(query: &Query, names: Names<'_>) -> Result<String> {
    let mut writer = Writer { names: Some(names), ..Writer::default() };
    writer.out.push(' ');
    writer.query(query)?;
    Ok(writer.out)
}

#[derive(Default)]
struct Writer<'a> {
    out: String,
    /// The columns by which the lines of the query being written are moved right.
    indent: usize,
    /// What stars stand for, if they are to be spread.
    stars: Option<&'a Stars>,
    /// How relations are called, if not as written.
    names: Option<Names<'a>>,
    /// The names of WITH that hide relations here.
    ctes: Vec<String>,
}

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn name(&mut self, name: &str) {
        self.out.push_str(&quote_identifier(name));
    }

    /// Parts joined by dots.
    fn dotted(&mut self, parts: &[Ident]) {
        for (n, part) in parts.iter().enumerate() {
            if n > 0 {
                self.push(".");
            }
            self.name(&part.value);
        }
    }

    fn list<T>(
        &mut self,
        items: &[T],
        mut write: impl FnMut(&mut Self, &T) -> Result<()>,
    ) -> Result<()> {
        for (n, item) in items.iter().enumerate() {
            if n > 0 {
                self.push(", ");
            }
            write(self, item)?;
        }
        Ok(())
    }

    fn names(&mut self, names: &[Ident]) {
        self.push("(");
        for (n, name) in names.iter().enumerate() {
            if n > 0 {
                self.push(", ");
            }
            self.name(&name.value);
        }
        self.push(")");
    }

    fn exprs(&mut self, exprs: &[Expr]) -> Result<()> {
        self.list(exprs, Self::expr)
    }

    fn expr(&mut self, expr: &Expr) -> Result<()> {
        stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || self.expr_kind(&expr.kind))
    }

    /// An expression before `::`, `[`, `.` or COLLATE: in parentheses unless it is a name or the like.
    fn operand(&mut self, expr: &Expr) -> Result<()> {
        let bare = match &expr.kind {
            ExprKind::Column(_)
            | ExprKind::Parameter(_)
            | ExprKind::Subscript { .. }
            | ExprKind::Array(_)
            | ExprKind::Call(_)
            | ExprKind::Literal(Literal::String(_) | Literal::Null | Literal::Bool(_)) => true,
            ExprKind::Literal(Literal::Int4(value)) => *value >= 0,
            _ => is_parenthesised(expr),
        };
        if bare {
            return self.expr(expr);
        }
        self.push("(");
        self.expr(expr)?;
        self.push(")");
        Ok(())
    }

    fn operator(&mut self, op: &OperatorName) {
        if op.schema.is_empty() {
            self.push(&op.name);
        } else {
            self.push("OPERATOR(");
            self.dotted(&op.schema);
            let _ = write!(self.out, ".{})", op.name);
        }
    }

    fn expr_kind(&mut self, kind: &ExprKind) -> Result<()> {
        match kind {
            ExprKind::Literal(literal) => self.literal(literal),
            ExprKind::Parameter(number) => {
                let _ = write!(self.out, "${number}");
            }
            ExprKind::Column(parts) => self.dotted(parts),
            ExprKind::Star(parts) => {
                self.dotted(parts);
                self.push(if parts.is_empty() { "*" } else { ".*" });
            }
            ExprKind::Call(call) => return self.call(call),
            ExprKind::Coalesce(list) => return self.word_call("COALESCE", list),
            ExprKind::Greatest(list) => return self.word_call("GREATEST", list),
            ExprKind::Least(list) => return self.word_call("LEAST", list),
            ExprKind::Grouping(list) => return self.word_call("GROUPING", list),
            ExprKind::NullIf(a, b) => {
                self.push("NULLIF(");
                self.expr(a)?;
                self.push(", ");
                self.expr(b)?;
                self.push(")");
            }
            ExprKind::SqlValue { function, precision } => self.sql_value(*function, *precision),
            ExprKind::Case { operand, branches, otherwise } => {
                return self.case(operand.as_deref(), branches, otherwise.as_deref());
            }
            ExprKind::Row { fields, .. } => return self.word_call("ROW", fields),
            ExprKind::Array(elements) => {
                self.push("ARRAY[");
                self.exprs(elements)?;
                self.push("]");
            }
            ExprKind::ArraySubquery(query) => {
                self.push("ARRAY");
                return self.subquery(query);
            }
            ExprKind::Subquery(query) => return self.subquery(query),
            ExprKind::Subscript { base, subscripts } => {
                return self.subscripted(base, subscripts);
            }
            ExprKind::Field { base, field } => {
                self.in_parens(base)?;
                self.push(".");
                self.name(&field.value);
            }
            ExprKind::FieldStar(base) => {
                self.in_parens(base)?;
                self.push(".*");
            }
            ExprKind::Cast { operand, target, .. } => {
                self.operand(operand)?;
                self.push("::");
                return self.type_name(target);
            }
            ExprKind::Default => self.push("DEFAULT"),
            ExprKind::CurrentOf(cursor) => {
                self.push("CURRENT OF ");
                self.name(&cursor.value);
            }
            _ => {
                self.push("(");
                self.operation(kind)?;
                self.push(")");
            }
        }
        Ok(())
    }

    fn sql_value(&mut self, function: SqlValue, precision: Option<i32>) {
        self.push(&function.name().to_ascii_uppercase());
        if let Some(precision) = precision {
            let _ = write!(self.out, "({precision})");
        }
    }

    fn subscripted(&mut self, base: &Expr, subscripts: &[Subscript]) -> Result<()> {
        if matches!(base.kind, ExprKind::Column(_) | ExprKind::Parameter(_)) {
            self.expr(base)?;
        } else {
            self.in_parens(base)?;
        }
        subscripts.iter().try_for_each(|subscript| self.subscript(subscript))
    }

    fn in_parens(&mut self, expr: &Expr) -> Result<()> {
        self.push("(");
        self.expr(expr)?;
        self.push(")");
        Ok(())
    }

    /// What stands in parentheses.
    fn operation(&mut self, kind: &ExprKind) -> Result<()> {
        match kind {
            ExprKind::Unary { op, operand } => {
                self.operator(op);
                self.push(" ");
                self.expr(operand)
            }
            ExprKind::Binary { left, op, right } => {
                self.expr(left)?;
                self.push(" ");
                self.operator(op);
                self.push(" ");
                self.expr(right)
            }
            ExprKind::And(list) => self.junction(list, " AND "),
            ExprKind::Or(list) => self.junction(list, " OR "),
            ExprKind::Not(operand) => {
                self.push("NOT ");
                self.expr(operand)
            }
            ExprKind::IsNull { operand, negated } => {
                self.expr(operand)?;
                self.push(if *negated { " IS NOT NULL" } else { " IS NULL" });
                Ok(())
            }
            ExprKind::IsBool { operand, test, negated } => {
                self.expr(operand)?;
                self.push(if *negated { " IS NOT " } else { " IS " });
                self.push(match test {
                    BoolTest::True => "TRUE",
                    BoolTest::False => "FALSE",
                    BoolTest::Unknown => "UNKNOWN",
                });
                Ok(())
            }
            ExprKind::IsDistinct { left, right, negated, .. } => {
                self.expr(left)?;
                self.push(if *negated { " IS NOT DISTINCT FROM " } else { " IS DISTINCT FROM " });
                self.expr(right)
            }
            ExprKind::Like { operand, pattern, escape, kind, negated, .. } => {
                self.expr(operand)?;
                self.push(if *negated { " NOT" } else { "" });
                self.push(match kind {
                    LikeKind::Like => " LIKE ",
                    LikeKind::ILike => " ILIKE ",
                    LikeKind::SimilarTo => " SIMILAR TO ",
                });
                self.expr(pattern)?;
                if let Some(escape) = escape {
                    self.push(" ESCAPE ");
                    self.expr(escape)?;
                }
                Ok(())
            }
            _ => self.membership(kind),
        }
    }

    fn membership(&mut self, kind: &ExprKind) -> Result<()> {
        match kind {
            ExprKind::Between { operand, low, high, symmetric, negated, .. } => {
                self.expr(operand)?;
                self.push(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
                self.push(if *symmetric { "SYMMETRIC " } else { "" });
                self.operand(low)?;
                self.push(" AND ");
                self.operand(high)
            }
            ExprKind::InList { operand, list, negated, .. } => {
                self.expr(operand)?;
                self.push(if *negated { " NOT IN (" } else { " IN (" });
                self.exprs(list)?;
                self.push(")");
                Ok(())
            }
            ExprKind::InSubquery { operand, query, negated, .. } => {
                self.expr(operand)?;
                self.push(if *negated { " NOT IN " } else { " IN " });
                self.subquery(query)
            }
            ExprKind::Quantified { left, op, all, right } => {
                self.expr(left)?;
                self.push(" ");
                self.operator(op);
                self.push(if *all { " ALL " } else { " ANY " });
                match right {
                    QuantifiedRight::Array(array) => self.in_parens(array),
                    QuantifiedRight::Subquery(query) => self.subquery(query),
                }
            }
            ExprKind::Exists(query) => {
                self.push("EXISTS ");
                self.subquery(query)
            }
            ExprKind::Collate { operand, collation } => {
                self.operand(operand)?;
                self.push(" COLLATE ");
                self.dotted(&collation.parts);
                Ok(())
            }
            other => Err(Error::bug(format!("an expression without a text: {other:?}"))),
        }
    }

    fn junction(&mut self, list: &[Expr], word: &str) -> Result<()> {
        for (n, expr) in list.iter().enumerate() {
            if n > 0 {
                self.push(word);
            }
            self.expr(expr)?;
        }
        Ok(())
    }

    fn word_call(&mut self, word: &str, args: &[Expr]) -> Result<()> {
        self.push(word);
        self.push("(");
        self.exprs(args)?;
        self.push(")");
        Ok(())
    }

    fn literal(&mut self, literal: &Literal) {
        let text = match literal {
            Literal::Null => "NULL".to_owned(),
            Literal::Bool(value) => value.to_string(),
            Literal::Int4(value) => value.to_string(),
            Literal::Int8(value) => value.to_string(),
            Literal::Numeric(text) => text.clone(),
            Literal::String(text) => quote_literal(text),
            Literal::BitString(text) => format!("B{}", quote_literal(text)),
            Literal::HexString(text) => format!("X{}", quote_literal(text)),
        };
        if is_negative(literal) {
            let _ = write!(self.out, "({text})");
        } else {
            self.push(&text);
        }
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[CaseBranch],
        otherwise: Option<&Expr>,
    ) -> Result<()> {
        self.push("CASE");
        if let Some(operand) = operand {
            self.push(" ");
            self.expr(operand)?;
        }
        for branch in branches {
            self.push(" WHEN ");
            self.expr(&branch.condition)?;
            self.push(" THEN ");
            self.expr(&branch.result)?;
        }
        if let Some(otherwise) = otherwise {
            self.push(" ELSE ");
            self.expr(otherwise)?;
        }
        self.push(" END");
        Ok(())
    }

    fn subscript(&mut self, subscript: &Subscript) -> Result<()> {
        self.push("[");
        match subscript {
            Subscript::Index(index) => self.expr(index)?,
            Subscript::Slice { lower, upper } => {
                if let Some(lower) = lower {
                    self.expr(lower)?;
                }
                self.push(":");
                if let Some(upper) = upper {
                    self.expr(upper)?;
                }
            }
        }
        self.push("]");
        Ok(())
    }

    /// A call; the special syntaxes of SQL where PostgreSQL shows them.
    fn call(&mut self, call: &FunctionCall) -> Result<()> {
        if call.syntax == CallSyntax::Sql && self.sql_call(call)? {
            return Ok(());
        }
        self.dotted(&call.name.parts);
        self.push("(");
        self.push(if call.distinct { "DISTINCT " } else { "" });
        self.push(if call.star { "*" } else { "" });
        let last = call.args.len().saturating_sub(1);
        for (n, argument) in call.args.iter().enumerate() {
            self.push(if n > 0 { ", " } else { "" });
            self.push(if call.variadic && n == last { "VARIADIC " } else { "" });
            if let Some(name) = &argument.name {
                self.name(&name.value);
                self.push(" => ");
            }
            self.expr(&argument.value)?;
        }
        if !call.order_by.is_empty() {
            self.push(if call.within_group { ") WITHIN GROUP (ORDER BY " } else { " ORDER BY " });
            self.order_items(&call.order_by)?;
        }
        self.push(")");
        if let Some(filter) = &call.filter {
            self.push(" FILTER (WHERE ");
            self.expr(filter)?;
            self.push(")");
        }
        match &call.over {
            None => {}
            Some(Over::Name(name)) => {
                self.push(" OVER ");
                self.name(&name.value);
            }
            Some(Over::Window(window)) => {
                self.push(" OVER ");
                self.window(window)?;
            }
        }
        Ok(())
    }

    /// `EXTRACT(… FROM …)` and its like; false when the ordinary form will do.
    fn sql_call(&mut self, call: &FunctionCall) -> Result<bool> {
        let args: Vec<&Expr> = call.args.iter().map(|argument| &argument.value).collect();
        match (call.name.last(), args.as_slice()) {
            ("extract", [Expr { kind: ExprKind::Literal(Literal::String(field)), .. }, value]) => {
                self.push("EXTRACT(");
                self.name(field);
                self.push(" FROM ");
                self.expr(value)?;
            }
            ("timezone", [zone, value]) => {
                self.push("(");
                self.expr(value)?;
                self.push(" AT TIME ZONE ");
                self.expr(zone)?;
            }
            ("overlaps", [a, b, c, d]) => {
                self.push("((");
                self.expr(a)?;
                self.push(", ");
                self.expr(b)?;
                self.push(") OVERLAPS (");
                self.expr(c)?;
                self.push(", ");
                self.expr(d)?;
                self.push(")");
            }
            ("position", [whole, part]) => {
                self.push("POSITION(");
                self.in_parens(part)?;
                self.push(" IN ");
                self.in_parens(whole)?;
            }
            ("pg_collation_for", [operand]) => {
                self.push("COLLATION FOR (");
                self.expr(operand)?;
            }
            _ => return Ok(false),
        }
        self.push(")");
        Ok(true)
    }
}

/// The expression's own text is in parentheses.
fn is_parenthesised(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::Unary { .. }
            | ExprKind::Binary { .. }
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Not(_)
            | ExprKind::IsNull { .. }
            | ExprKind::IsBool { .. }
            | ExprKind::IsDistinct { .. }
            | ExprKind::Like { .. }
            | ExprKind::Between { .. }
            | ExprKind::InList { .. }
            | ExprKind::InSubquery { .. }
            | ExprKind::Quantified { .. }
            | ExprKind::Exists(_)
            | ExprKind::Subquery(_)
            | ExprKind::Collate { .. }
    ) || matches!(&expr.kind, ExprKind::Literal(literal) if is_negative(literal))
}

fn is_negative(literal: &Literal) -> bool {
    match literal {
        Literal::Int4(value) => *value < 0,
        Literal::Int8(value) => *value < 0,
        Literal::Numeric(text) => text.starts_with('-'),
        _ => false,
    }
}
