//! CASE, COALESCE and NULLIF.

use std::sync::Arc;

use datafusion::logical_expr::{Case, Expr, Volatility as DfVolatility};
use oxi_base::Result;
use oxi_model::Datum;

use crate::{
    ast::{self, CaseBranch, Span},
    bind::{Binder, array::closure_call, expr::Cx, typed::Typed},
};

impl Binder<'_> {
    pub(super) fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        branches: &[CaseBranch],
        otherwise: Option<&ast::Expr>,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let operand = match operand {
            Some(operand) => {
                let operand = self.expr(operand, cx)?;
                Some(self.resolve_unknown(operand)?)
            }
            None => None,
        };
        let mut conditions = Vec::with_capacity(branches.len());
        let mut results = Vec::with_capacity(branches.len() + 1);
        for branch in branches {
            let condition = if let Some(operand) = &operand {
                let value = self.expr(&branch.condition, cx)?;
                self.equals(operand.clone(), value, branch.condition.span)?
            } else {
                let condition = self.expr(&branch.condition, cx)?;
                self.coerce_bool(condition, "CASE/WHEN")?
            };
            conditions.push(condition.expr);
            results.push(self.expr(&branch.result, cx)?);
        }
        // PostgreSQL looks at ELSE first when it chooses the common type.
        let has_else = otherwise.is_some();
        if let Some(otherwise) = otherwise {
            results.insert(0, self.expr(otherwise, cx)?);
        }
        let (mut results, ty) = self.unify(results, "CASE")?;
        let otherwise = has_else.then(|| Box::new(results.remove(0).expr));
        let pairs = conditions
            .into_iter()
            .zip(results)
            .map(|(when, then)| (Box::new(when), Box::new(then.expr)))
            .collect();
        Ok(Typed::new(Expr::Case(Case::new(None, pairs, otherwise)), ty, span))
    }

    pub(super) fn coalesce(
        &mut self,
        items: &[ast::Expr],
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let values = items.iter().map(|item| self.expr(item, cx)).collect::<Result<Vec<_>>>()?;
        let (mut values, ty) = self.unify(values, "COALESCE")?;
        if values.iter().any(|value| value.expr.is_volatile()) {
            // A CASE would compute a volatile argument twice.
            let expr = closure_call(
                "coalesce",
                format!("coalesce({})", ty.oid),
                values,
                ty.oid,
                false,
                DfVolatility::Volatile,
                Arc::new(|_, args| {
                    Ok(args.iter().find(|arg| !arg.is_null()).cloned().unwrap_or(Datum::Null))
                }),
            );
            return Ok(Typed::new(expr, ty, span));
        }
        let Some(last) = values.pop() else {
            return Err(oxi_base::Error::bug("COALESCE of nothing"));
        };
        if values.is_empty() {
            return Ok(Typed { ty, span, ..last });
        }
        let pairs = values
            .into_iter()
            .map(|value| {
                let when = Expr::IsNotNull(Box::new(value.expr.clone()));
                (Box::new(when), Box::new(value.expr))
            })
            .collect();
        let case = Case::new(None, pairs, Some(Box::new(last.expr)));
        Ok(Typed::new(Expr::Case(case), ty, span))
    }

    pub(super) fn null_if(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Typed> {
        let left = self.expr(left, cx)?;
        let right = self.expr(right, cx)?;
        let left = if left.is_unknown() && right.is_unknown() {
            self.resolve_unknown(left)?
        } else if left.is_unknown() {
            let target = right.ty.oid;
            self.coerce_to(left, target)?
        } else {
            left
        };
        let equal = self.equals(left.clone(), right, span)?;
        let null = self.coerce_to(crate::bind::typed::unknown_literal(None, span), left.ty.oid)?;
        let case = Case::new(
            None,
            vec![(Box::new(equal.expr), Box::new(null.expr))],
            Some(Box::new(left.expr)),
        );
        Ok(Typed::new(Expr::Case(case), left.ty, span))
    }
}
