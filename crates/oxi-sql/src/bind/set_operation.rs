//! UNION, INTERSECT and EXCEPT.

use datafusion::{
    common::{Column, JoinType, NullEquality, TableReference},
    logical_expr::{LogicalPlan, LogicalPlanBuilder},
};
use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::TypeRef;
use oxi_types::{builtin::CastContext, oid};

use crate::{
    ast::{Query, SetOperator, Span},
    bind::{
        Binder,
        coerce::common_type,
        distinct::row_number,
        query::{BoundPlan, Hints, Output, project},
        scope::Scope,
        typed::column,
    },
    function::{error::from_datafusion, key::key},
};

impl Binder<'_> {
    #[allow(clippy::too_many_arguments, reason = "the parts of one syntax node")]
    pub(crate) fn set_operation(
        &mut self,
        op: SetOperator,
        all: bool,
        left: &Query,
        right: &Query,
        op_span: Span,
        parent: &Scope<'_>,
        hints: Hints<'_>,
    ) -> Result<BoundPlan> {
        let word = match op {
            SetOperator::Union => "UNION",
            SetOperator::Intersect => "INTERSECT",
            SetOperator::Except => "EXCEPT",
        };
        // Unknown columns are kept open on the first look, for the other side to decide.
        let open = |hints: Hints<'_>, width: usize| {
            (0..width.max(hints.len()))
                .map(|i| hints.get(i).copied().flatten().or(Some(oid::UNKNOWN)))
                .collect::<Vec<_>>()
        };
        let wide = open(hints, 1664);
        let left_bound = self.query(left, parent, &wide)?;
        let right_bound = self.query(right, parent, &wide)?;
        if left_bound.outputs.len() != right_bound.outputs.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("each {word} query must have the same number of columns"),
            )
            .at(right.span.position()));
        }
        let mut types = Vec::with_capacity(left_bound.outputs.len());
        for (index, (l, r)) in left_bound.outputs.iter().zip(&right_bound.outputs).enumerate() {
            let pair = [l.ty.oid, r.ty.oid];
            let both_open = pair == [oid::UNKNOWN, oid::UNKNOWN];
            // Still open inside a larger set operation.
            let common = if both_open && hints.get(index) == Some(&Some(oid::UNKNOWN)) {
                oid::UNKNOWN
            } else {
                common_type(&pair, word, &[left.span.position(), right.span.position()])?
            };
            let typmod = if l.ty == r.ty { l.ty.typmod } else { -1 };
            types.push(TypeRef { oid: common, typmod });
        }
        let decided = types.iter().map(|ty| Some(ty.oid)).collect::<Vec<_>>();
        let mut settle = |bound: BoundPlan, query: &Query| -> Result<BoundPlan> {
            let reopen = bound
                .outputs
                .iter()
                .zip(&types)
                .any(|(output, ty)| output.ty.oid == oid::UNKNOWN && ty.oid != oid::UNKNOWN);
            let bound = if reopen { self.query(query, parent, &decided)? } else { bound };
            self.coerce_outputs(bound, &types, CastContext::Implicit, query.span)
        };
        let left_bound = settle(left_bound, left)?;
        let right_bound = settle(right_bound, right)?;
        let outputs = left_bound
            .outputs
            .iter()
            .zip(&types)
            .map(|(output, ty)| Output { ty: *ty, origin: None, ..output.clone() })
            .collect::<Vec<_>>();
        let plan = match op {
            SetOperator::Union => {
                let renamed = rename(&right_bound, &outputs)?;
                let plan = LogicalPlanBuilder::from(left_bound.plan)
                    .union(renamed)
                    .and_then(LogicalPlanBuilder::build)
                    .map_err(from_datafusion)?;
                if all { plan } else { self.distinct(plan, &outputs)? }
            }
            SetOperator::Intersect | SetOperator::Except => {
                let join = if op == SetOperator::Intersect {
                    JoinType::LeftSemi
                } else {
                    JoinType::LeftAnti
                };
                self.semi(left_bound, &right_bound, &outputs, all, join)?
            }
        };
        let _ = op_span;
        Ok(BoundPlan { plan, outputs })
    }

    fn semi(
        &mut self,
        left: BoundPlan,
        right: &BoundPlan,
        outputs: &[Output],
        all: bool,
        join: JoinType,
    ) -> Result<LogicalPlan> {
        let left_plan = if all { left.plan } else { self.distinct(left.plan, outputs)? };
        let left_plan = keyed(left_plan, outputs, all)?;
        let right_plan = keyed(rename(right, outputs)?, outputs, all)?;
        let (left_name, right_name) = (self.fresh_qualifier("left"), self.fresh_qualifier("right"));
        let count = outputs.len() + usize::from(all);
        let side = |name: &str| {
            let reference = TableReference::bare(name);
            (0..count)
                .map(|i| Column::new(Some(reference.clone()), format!("__key_{i}")))
                .collect::<Vec<_>>()
        };
        let keys = (side(&left_name), side(&right_name));
        let right_plan = LogicalPlanBuilder::from(right_plan)
            .alias(TableReference::bare(right_name.as_str()))
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let plan = LogicalPlanBuilder::from(left_plan)
            .alias(TableReference::bare(left_name.as_str()))
            .and_then(|builder| {
                builder.join_detailed(right_plan, join, keys, None, NullEquality::NullEqualsNull)
            })
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let reference = TableReference::bare(left_name.as_str());
        let exprs = outputs
            .iter()
            .map(|output| column(&reference, &output.column).alias(&output.column))
            .collect();
        project(plan, exprs)
    }
}

/// The outputs and their keys; with ALL also the number of the occurrence.
fn keyed(plan: LogicalPlan, outputs: &[Output], all: bool) -> Result<LogicalPlan> {
    let mut exprs = outputs.iter().map(Output::expr).collect::<Vec<_>>();
    let keys = outputs.iter().map(|o| key(o.expr(), o.ty.oid)).collect::<Vec<_>>();
    exprs.extend(keys.iter().enumerate().map(|(i, k)| k.clone().alias(format!("__key_{i}"))));
    if !all {
        return project(plan, exprs);
    }
    let number = row_number(keys, Vec::new());
    let name = number.schema_name().to_string();
    let plan = LogicalPlanBuilder::from(plan)
        .window(vec![number])
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    exprs.push(crate::bind::typed::bare_column(&name).alias(format!("__key_{}", outputs.len())));
    project(plan, exprs)
}

/// The plan under the column names of other outputs.
fn rename(bound: &BoundPlan, outputs: &[Output]) -> Result<LogicalPlan> {
    let exprs = bound
        .outputs
        .iter()
        .zip(outputs)
        .map(|(own, wanted)| own.expr().alias(&wanted.column))
        .collect();
    project(bound.plan.clone(), exprs)
}
