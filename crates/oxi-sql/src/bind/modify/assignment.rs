//! SET of UPDATE and of ON CONFLICT.

use oxi_base::{Error, Result, SqlState};
use oxi_types::{builtin::CastContext, oid};

use crate::{
    ast::{self, AssignTarget, AssignmentKind, ExprKind, Span},
    bind::{
        Binder,
        array::set_element,
        expr::Cx,
        modify::{Target, is_default, undefined_target},
        subquery::scalar_of,
        typed::Typed,
    },
};

/// A column and its new value.
pub(super) struct Set {
    pub(super) column: usize,
    pub(super) value: Typed,
}

impl Binder<'_> {
    pub(super) fn assignments(
        &mut self,
        list: &[ast::Assignment],
        target: &Target,
        cx: &mut Cx<'_>,
    ) -> Result<Vec<Set>> {
        let mut sets: Vec<Set> = Vec::with_capacity(list.len());
        for assignment in list {
            match &assignment.kind {
                AssignmentKind::Single { target: column, value } => {
                    let set = self.assignment(column, value, target, cx)?;
                    push(&mut sets, set, column)?;
                }
                AssignmentKind::Multiple { targets, value } => {
                    self.multiple(targets, value, target, &mut sets, cx)?;
                }
            }
        }
        Ok(sets)
    }

    fn multiple(
        &mut self,
        targets: &[AssignTarget],
        value: &ast::Expr,
        target: &Target,
        sets: &mut Vec<Set>,
        cx: &mut Cx<'_>,
    ) -> Result<()> {
        match &value.kind {
            ExprKind::Row { fields, .. } => {
                if fields.len() != targets.len() {
                    return Err(Error::new(
                        SqlState::SYNTAX_ERROR,
                        "number of columns does not match number of values",
                    )
                    .at(value.span.position()));
                }
                for (column, value) in targets.iter().zip(fields) {
                    let set = self.assignment(column, value, target, cx)?;
                    push(sets, set, column)?;
                }
                Ok(())
            }
            ExprKind::Subquery(query) => {
                // One subquery for each column: each picks its own output.
                for (index, column) in targets.iter().enumerate() {
                    let bound = self.query(query, cx.scope, &[])?;
                    if bound.outputs.len() != targets.len() {
                        return Err(Error::new(
                            SqlState::SYNTAX_ERROR,
                            "number of columns does not match number of values",
                        )
                        .at(value.span.position()));
                    }
                    let picked = pick_output(bound, index, value.span, cx.scope)?;
                    let set = self.assigned(column, picked, target)?;
                    push(sets, set, column)?;
                }
                Ok(())
            }
            _ if targets.len() == 1 => {
                let set = self.assignment(&targets[0], value, target, cx)?;
                push(sets, set, &targets[0])
            }
            _ => Err(Error::unsupported(
                "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
            )
            .at(value.span.position())),
        }
    }

    fn assignment(
        &mut self,
        column: &AssignTarget,
        value: &ast::Expr,
        target: &Target,
        cx: &mut Cx<'_>,
    ) -> Result<Set> {
        if is_default(value) {
            let (position, descriptor) = assigned_column(column, target)?;
            if descriptor.generated.is_some() {
                return Ok(Set {
                    column: position,
                    value: Typed::plain(
                        crate::bind::typed::boolean(false),
                        oid::UNKNOWN,
                        value.span,
                    ),
                });
            }
            let value = self.default_value(&descriptor, value.span)?;
            return Ok(Set { column: position, value });
        }
        let value = self.expr(value, cx)?;
        if !column.path.is_empty() {
            return self.assign_part(column, value, target, cx);
        }
        self.assigned(column, value, target)
    }

    fn assigned(&mut self, column: &AssignTarget, value: Typed, target: &Target) -> Result<Set> {
        let (position, descriptor) = assigned_column(column, target)?;
        let refuse = |detail: String| {
            Error::new(
                SqlState::GENERATED_ALWAYS,
                format!("column \"{}\" can only be updated to DEFAULT", descriptor.name),
            )
            .with_detail(detail)
            .at(column.span.position())
        };
        if descriptor.generated.is_some() {
            return Err(refuse(format!("Column \"{}\" is a generated column.", descriptor.name)));
        }
        if descriptor.identity.is_some_and(|identity| identity.always) {
            return Err(refuse(format!(
                "Column \"{}\" is an identity column defined as GENERATED ALWAYS.",
                descriptor.name
            )));
        }
        let value = self.assign(value, &descriptor)?;
        Ok(Set { column: position, value })
    }

    /// `a[i] = v`.
    fn assign_part(
        &mut self,
        column: &AssignTarget,
        value: Typed,
        target: &Target,
        cx: &mut Cx<'_>,
    ) -> Result<Set> {
        let (position, descriptor) = assigned_column(column, target)?;
        let span = column.span;
        let (Some(element), [ast::AssignStep::Subscript(ast::Subscript::Index(index))]) =
            (crate::bind::coerce::element_of(descriptor.data_type.oid), column.path.as_slice())
        else {
            return Err(Error::unsupported(
                "this assignment to a part of a column is not supported",
            )
            .at(span.position()));
        };
        let index = self.expr(index, cx)?;
        let index = self.coerce(
            index,
            oxi_model::descriptor::TypeRef::plain(oid::INT4),
            CastContext::Assignment,
        )?;
        let value = self.coerce(
            value,
            oxi_model::descriptor::TypeRef::plain(element),
            CastContext::Assignment,
        )?;
        let old = crate::bind::typed::column(&target.qualifier, &descriptor.name);
        let old = Typed::new(old, descriptor.data_type, span);
        let value = set_element(old, index, value, span);
        Ok(Set { column: position, value })
    }
}

fn pick_output(
    bound: crate::bind::query::BoundPlan,
    index: usize,
    span: Span,
    scope: &crate::bind::scope::Scope<'_>,
) -> Result<Typed> {
    let output = bound.outputs[index].clone();
    let plan = crate::bind::query::project(bound.plan, vec![output.expr()])?;
    scalar_of(plan, output.ty, &output.column, span, scope)
}

fn assigned_column(
    column: &AssignTarget,
    target: &Target,
) -> Result<(usize, oxi_model::descriptor::ColumnDescriptor)> {
    let name = &column.column.value;
    let (position, descriptor) = target
        .table()?
        .column_by_name(name)
        .ok_or_else(|| undefined_target(name, &target.relation.name, column.span))?;
    Ok((position, descriptor.clone()))
}

fn push(sets: &mut Vec<Set>, set: Set, column: &AssignTarget) -> Result<()> {
    if sets.iter().any(|known| known.column == set.column) {
        return Err(Error::new(
            SqlState::SYNTAX_ERROR,
            format!("multiple assignments to same column \"{}\"", column.column.value),
        )
        .at(column.span.position()));
    }
    // DEFAULT of a generated column says nothing new.
    if set.value.ty.oid != oid::UNKNOWN {
        sets.push(set);
    }
    Ok(())
}
