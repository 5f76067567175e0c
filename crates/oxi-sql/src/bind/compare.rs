//! Comparisons: natively where Arrow's order is SQL's, through keys where a key makes it so, and
//! row by row for the rest.

use datafusion::logical_expr::{BinaryExpr, Expr, Operator as DfOperator};
use oxi_base::Result;
use oxi_types::{
    builtin::{Operator, OperatorKind},
    oid,
};

use crate::{
    ast::Span,
    bind::{Binder, typed::Typed},
    function::{
        key::{key, key_orders},
        value::physical_of,
    },
};
use oxi_model::PhysicalType;

/// DataFusion's operator of a kind of comparison.
pub(crate) fn native_operator(kind: OperatorKind) -> Option<DfOperator> {
    Some(match kind {
        OperatorKind::Eq => DfOperator::Eq,
        OperatorKind::NotEq => DfOperator::NotEq,
        OperatorKind::Lt => DfOperator::Lt,
        OperatorKind::LtEq => DfOperator::LtEq,
        OperatorKind::Gt => DfOperator::Gt,
        OperatorKind::GtEq => DfOperator::GtEq,
        _ => return None,
    })
}

/// The one type as which both operands compare natively, if there is one.
fn common_native(left: u32, right: u32) -> Option<u32> {
    use PhysicalType::{Float32, Float64, Int16, Int32, Int64};
    if left == right {
        return Some(left);
    }
    let (left_physical, right_physical) = (physical_of(left), physical_of(right));
    match (&left_physical, &right_physical) {
        (Int16 | Int32, Int32) | (Int32, Int16) => Some(oid::INT4),
        (Int16 | Int32, Int64) | (Int64, Int16 | Int32)
            if [left, right].iter().all(|t| matches!(*t, oid::INT2 | oid::INT4 | oid::INT8)) =>
        {
            Some(oid::INT8)
        }
        (Float32 | Float64, Float32 | Float64) => Some(oid::FLOAT8),
        (PhysicalType::Text, PhysicalType::Text)
            if ![left, right].iter().any(|t| matches!(*t, oid::BPCHAR)) =>
        {
            Some(oid::TEXT)
        }
        (PhysicalType::UInt32, PhysicalType::UInt32) => Some(oid::OID),
        _ => None,
    }
}

impl Binder<'_> {
    /// Both operands made ready for a native comparison, or `None`.
    pub(crate) fn comparable(
        &mut self,
        kind: OperatorKind,
        left: &Typed,
        right: &Typed,
    ) -> Result<Option<(Expr, Expr)>> {
        let Some(common) = common_native(left.ty.oid, right.ty.oid) else {
            return Ok(None);
        };
        let equality = matches!(kind, OperatorKind::Eq | OperatorKind::NotEq);
        if !equality && !key_orders(common) {
            return Ok(None);
        }
        let mut side = |value: &Typed| -> Result<Expr> {
            let same_physical = physical_of(value.ty.oid) == physical_of(common);
            let expr = if same_physical {
                value.expr.clone()
            } else {
                self.coerce_to(value.clone(), common)?.expr
            };
            Ok(key(expr, common))
        };
        Ok(Some((side(left)?, side(right)?)))
    }

    /// The comparison an operator row means.
    pub(crate) fn comparison(
        &mut self,
        operator: &'static Operator,
        left: &Typed,
        right: &Typed,
    ) -> Result<Option<Expr>> {
        let Some(native) = native_operator(operator.kind) else {
            return Ok(None);
        };
        if operator.result != oid::BOOL {
            return Ok(None);
        }
        Ok(self.comparable(operator.kind, left, right)?.map(|(left, right)| {
            Expr::BinaryExpr(BinaryExpr::new(Box::new(left), native, Box::new(right)))
        }))
    }

    /// `left = right` for two values already bound.
    pub(crate) fn equals(&mut self, left: Typed, right: Typed, span: Span) -> Result<Typed> {
        self.binary("=", left, right, span)
    }
}
