//! Tests: comparisons of values and rows, IS, LIKE, BETWEEN, IN, and AND/OR.

use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, Operator as DfOperator,
    expr::InList,
    utils::{conjunction, disjunction},
};
use oxi_base::{Error, Result, SqlState};
use oxi_types::{builtin::OperatorKind, oid};

use crate::{
    ast::{self, BoolTest, ExprKind, LikeKind, OperatorName, QuantifiedRight, Span},
    bind::{
        Binder,
        coerce::{can_coerce, common_type},
        expr::Cx,
        operator::pick_operator,
        row_value::row_is_null,
        typed::{Typed, boolean},
    },
};
use oxi_types::builtin::CastContext;

fn logical(span: Span, expr: Expr) -> Typed {
    Typed::plain(expr, oid::BOOL, span)
}

fn negate(expr: Expr, negated: bool) -> Expr {
    if negated { Expr::Not(Box::new(expr)) } else { expr }
}

/// The fields of a row constructor.
fn row_fields(expr: &ast::Expr) -> Option<&[ast::Expr]> {
    match &expr.kind {
        ExprKind::Row { fields, .. } => Some(fields),
        _ => None,
    }
}

impl Binder<'_> {
    pub(super) fn infix(
        &mut self,
        left: &ast::Expr,
        op: &OperatorName,
        right: &ast::Expr,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        if let (Some(left), Some(right)) = (row_fields(left), row_fields(right)) {
            return self.compare_rows(left, op, right, span, cx);
        }
        if let (Some(_), ExprKind::Subquery(query)) = (row_fields(left), &right.kind)
            && op.name == "="
        {
            return self.in_subquery(left, query, false, op.span, span, cx);
        }
        let left = self.expr(left, cx)?;
        let right = self.expr(right, cx)?;
        self.binary(&op.name, left, right, op.span).map(|value| Typed { span, ..value })
    }

    fn compare_rows(
        &mut self,
        left: &[ast::Expr],
        op: &OperatorName,
        right: &[ast::Expr],
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        if left.len() != right.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "unequal number of entries in row expressions",
            )
            .at(op.span.position()));
        }
        if left.is_empty() {
            return Err(
                Error::unsupported("cannot compare rows of zero length").at(op.span.position())
            );
        }
        let mut pairs = Vec::with_capacity(left.len());
        for (left, right) in left.iter().zip(right) {
            pairs.push((self.expr(left, cx)?, self.expr(right, cx)?));
        }
        let (strict, last) = match op.name.as_str() {
            "=" | "<>" => {
                let tests = pairs
                    .into_iter()
                    .map(|(l, r)| self.binary(&op.name, l, r, op.span).map(|v| v.expr))
                    .collect::<Result<Vec<_>>>()?;
                let all = if op.name == "=" { conjunction(tests) } else { disjunction(tests) };
                return Ok(logical(span, all.unwrap_or_else(|| boolean(true))));
            }
            "<" | "<=" => ("<", op.name.as_str()),
            ">" | ">=" => (">", op.name.as_str()),
            other => {
                return Err(Error::unsupported(format!(
                    "could not determine interpretation of row comparison operator {other}"
                ))
                .at(op.span.position()));
            }
        };
        // (a, b) < (c, d) is a < c or (a = c and b < d), from the last pair backwards.
        let mut result: Option<Expr> = None;
        for (l, r) in pairs.into_iter().rev() {
            result = Some(match result {
                None => self.binary(last, l, r, op.span)?.expr,
                Some(rest) => {
                    let before = self.binary(strict, l.clone(), r.clone(), op.span)?.expr;
                    let same = self.binary("=", l, r, op.span)?.expr;
                    before.or(same.and(rest))
                }
            });
        }
        Ok(logical(span, result.unwrap_or_else(|| boolean(true))))
    }

    pub(super) fn connective(
        &mut self,
        items: &[ast::Expr],
        and: bool,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let word = if and { "AND" } else { "OR" };
        let tests =
            items.iter().map(|item| self.condition(item, word, cx)).collect::<Result<Vec<_>>>()?;
        let joined = balanced(tests, if and { DfOperator::And } else { DfOperator::Or });
        Ok(logical(span, joined))
    }

    pub(super) fn is_null(
        &mut self,
        operand: &ast::Expr,
        negated: bool,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let test = |expr: Expr| {
            if negated { Expr::IsNotNull(Box::new(expr)) } else { Expr::IsNull(Box::new(expr)) }
        };
        if let Some(fields) = row_fields(operand) {
            let tests = fields
                .iter()
                .map(|field| {
                    let value = self.expr(field, cx)?;
                    Ok(test(self.resolve_unknown(value)?.expr))
                })
                .collect::<Result<Vec<_>>>()?;
            return Ok(logical(span, conjunction(tests).unwrap_or_else(|| boolean(true))));
        }
        let value = self.expr(operand, cx)?;
        let value = self.resolve_unknown(value)?;
        if value.ty.oid == oid::RECORD {
            return Ok(row_is_null(value, negated, span));
        }
        Ok(logical(span, test(value.expr)))
    }

    pub(super) fn is_bool(
        &mut self,
        operand: &ast::Expr,
        test: BoolTest,
        negated: bool,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let word = match (test, negated) {
            (BoolTest::True, false) => "IS TRUE",
            (BoolTest::True, true) => "IS NOT TRUE",
            (BoolTest::False, false) => "IS FALSE",
            (BoolTest::False, true) => "IS NOT FALSE",
            (BoolTest::Unknown, false) => "IS UNKNOWN",
            (BoolTest::Unknown, true) => "IS NOT UNKNOWN",
        };
        let value = Box::new(self.condition(operand, word, cx)?);
        let expr = match (test, negated) {
            (BoolTest::True, false) => Expr::IsTrue(value),
            (BoolTest::True, true) => Expr::IsNotTrue(value),
            (BoolTest::False, false) => Expr::IsFalse(value),
            (BoolTest::False, true) => Expr::IsNotFalse(value),
            (BoolTest::Unknown, false) => Expr::IsNull(value),
            (BoolTest::Unknown, true) => Expr::IsNotNull(value),
        };
        Ok(logical(span, expr))
    }

    pub(crate) fn is_distinct(
        &mut self,
        left: Typed,
        right: Typed,
        negated: bool,
        span: Span,
    ) -> Result<Typed> {
        if right.is_null_literal() || left.is_null_literal() {
            let value = if right.is_null_literal() { left } else { right };
            let value = self.resolve_unknown(value)?;
            let expr = if negated {
                Expr::IsNull(Box::new(value.expr))
            } else {
                Expr::IsNotNull(Box::new(value.expr))
            };
            return Ok(logical(span, expr));
        }
        let candidate = pick_operator("=", Some(left.ty.oid), right.ty.oid, span)?;
        let args = candidate.args.clone();
        let generic = crate::bind::coerce::Generic::resolve(&args, &[left.ty.oid, right.ty.oid])
            .unwrap_or_default();
        let left = self.coerce_argument(left, args[0], generic)?;
        let right = self.coerce_argument(right, args[1], generic)?;
        if let Some((left, right)) = self.comparable(OperatorKind::Eq, &left, &right)? {
            let op =
                if negated { DfOperator::IsNotDistinctFrom } else { DfOperator::IsDistinctFrom };
            let expr = Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)));
            return Ok(logical(span, expr));
        }
        let equal = self.apply_operator(&candidate, vec![left.clone(), right.clone()], span)?;
        let left_null = Expr::IsNull(Box::new(left.expr));
        let right_null = Expr::IsNull(Box::new(right.expr));
        let distinct = Case::new(
            None,
            vec![
                (Box::new(left_null.clone().and(right_null.clone())), Box::new(boolean(false))),
                (Box::new(left_null.or(right_null)), Box::new(boolean(true))),
            ],
            Some(Box::new(Expr::Not(Box::new(equal.expr)))),
        );
        Ok(logical(span, negate(Expr::Case(distinct), negated)))
    }

    pub(super) fn like(&mut self, expr: &ast::Expr, cx: &mut Cx<'_>) -> Result<Typed> {
        let ExprKind::Like { operand, pattern, escape, kind, op, .. } = &expr.kind else {
            return Err(Error::bug("not LIKE"));
        };
        let operand = self.expr(operand, cx)?;
        let pattern = self.expr(pattern, cx)?;
        let pattern = match (kind, escape) {
            (LikeKind::SimilarTo, escape) => {
                let mut args = vec![pattern];
                if let Some(escape) = escape {
                    args.push(self.expr(escape, cx)?);
                }
                self.builtin("similar_to_escape", args, op.span)?
            }
            (_, Some(escape)) => {
                let escape = self.expr(escape, cx)?;
                self.builtin("like_escape", vec![pattern, escape], op.span)?
            }
            (_, None) => pattern,
        };
        self.binary(&op.name, operand, pattern, op.span)
            .map(|value| Typed { span: expr.span, ..value })
    }

    pub(super) fn between(&mut self, expr: &ast::Expr, cx: &mut Cx<'_>) -> Result<Typed> {
        let ExprKind::Between { operand, low, high, symmetric, negated, op_span } = &expr.kind
        else {
            return Err(Error::bug("not BETWEEN"));
        };
        let operand = self.expr(operand, cx)?;
        let low = self.expr(low, cx)?;
        let high = self.expr(high, cx)?;
        let mut within = |low: &Typed, high: &Typed| -> Result<Expr> {
            let above = self.binary(">=", operand.clone(), low.clone(), *op_span)?.expr;
            let below = self.binary("<=", operand.clone(), high.clone(), *op_span)?.expr;
            Ok(above.and(below))
        };
        let mut test = within(&low, &high)?;
        if *symmetric {
            test = test.or(within(&high, &low)?);
        }
        Ok(logical(expr.span, negate(test, *negated)))
    }

    pub(super) fn in_list(
        &mut self,
        operand: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        op_span: Span,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        if let Some(fields) = row_fields(operand) {
            let op = OperatorName { schema: Vec::new(), name: "=".to_owned(), span: op_span };
            let mut tests = Vec::with_capacity(list.len());
            for item in list {
                let Some(row) = row_fields(item) else {
                    return Err(Error::unsupported("IN with rows wants rows on the right")
                        .at(item.span.position()));
                };
                tests.push(self.compare_rows(fields, &op, row, span, cx)?.expr);
            }
            let any = balanced(tests, DfOperator::Or);
            return Ok(logical(span, negate(any, negated)));
        }
        let operand = self.expr(operand, cx)?;
        let items = list.iter().map(|item| self.expr(item, cx)).collect::<Result<Vec<_>>>()?;
        let types = std::iter::once(operand.ty.oid)
            .chain(items.iter().map(|item| item.ty.oid))
            .collect::<Vec<_>>();
        let common = common_type(&types, "IN", &[]).ok().filter(|common| {
            types.iter().all(|from| can_coerce(*from, *common, CastContext::Implicit))
        });
        let mut keys = Vec::with_capacity(items.len());
        let mut subject = None;
        let mut native = true;
        let mut tests = Vec::with_capacity(items.len());
        for item in items {
            let item = match common {
                Some(common) => self.coerce_to(item, common)?,
                None => item,
            };
            let left = match common {
                Some(common) if operand.is_unknown() => self.coerce_to(operand.clone(), common)?,
                _ => operand.clone(),
            };
            if native && left.ty.oid == item.ty.oid {
                // `=` must exist even where the comparison is native.
                pick_operator("=", Some(left.ty.oid), item.ty.oid, op_span)?;
                if let Some((left, right)) = self.comparable(OperatorKind::Eq, &left, &item)? {
                    subject = Some(left);
                    keys.push(right);
                    tests.push(None);
                    continue;
                }
            }
            native = false;
            tests.push(Some((left, item)));
        }
        if native && let Some(subject) = subject.clone() {
            let expr = Expr::InList(InList::new(Box::new(subject), keys, negated));
            return Ok(logical(span, expr));
        }
        let mut keys = keys.into_iter();
        let mut equal = Vec::with_capacity(tests.len());
        for test in tests {
            equal.push(match (test, &subject) {
                (Some((left, right)), _) => self.equals(left, right, op_span)?.expr,
                (None, Some(subject)) => {
                    let key = keys.next().unwrap_or_default();
                    subject.clone().eq(key)
                }
                (None, None) => return Err(Error::bug("IN item without subject")),
            });
        }
        Ok(logical(span, negate(balanced(equal, DfOperator::Or), negated)))
    }

    pub(super) fn quantified(
        &mut self,
        left: &ast::Expr,
        op: &OperatorName,
        all: bool,
        right: &QuantifiedRight,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        match right {
            QuantifiedRight::Array(array) => {
                // `= ANY (ARRAY[…])` is IN.
                if let ExprKind::Array(items) = &array.kind
                    && !items.is_empty()
                    && !items.iter().any(|item| matches!(item.kind, ExprKind::Array(_)))
                    && ((op.name == "=" && !all) || (op.name == "<>" && all))
                {
                    return self.in_list(left, items, all, op.span, span, cx);
                }
                let left = self.expr(left, cx)?;
                let right = self.expr(array, cx)?;
                self.quantified_array(left, op, all, right, span)
            }
            QuantifiedRight::Subquery(query) => match (op.name.as_str(), all) {
                ("=", false) => self.in_subquery(left, query, false, op.span, span, cx),
                ("<>", true) => self.in_subquery(left, query, true, op.span, span, cx),
                _ => self.quantified_subquery(left, op, all, query, span, cx),
            },
        }
    }
}

/// Joins tests in a balanced tree, so that long lists stay shallow.
fn balanced(mut tests: Vec<Expr>, op: DfOperator) -> Expr {
    match tests.len() {
        0 => boolean(op == DfOperator::And),
        1 => tests.remove(0),
        count => {
            let right = tests.split_off(count / 2);
            Expr::BinaryExpr(BinaryExpr::new(
                Box::new(balanced(tests, op)),
                op,
                Box::new(balanced(right, op)),
            ))
        }
    }
}
