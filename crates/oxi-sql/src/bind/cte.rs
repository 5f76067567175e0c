//! WITH: named queries, recursive ones included.

use std::sync::Arc;

use arrow_schema::{Field, Schema};
use datafusion::{
    catalog::cte_worktable::CteWorkTable, common::TableReference, datasource::provider_as_source,
    logical_expr::LogicalPlanBuilder,
};
use oxi_base::{Error, Result, SqlState};
use oxi_model::array::arrow_type;

use crate::{
    ast::{Cte, Query, QueryBody, SetOperator, StatementKind, TableAlias, With},
    bind::{
        Binder,
        coerce::type_name,
        from::FromItem,
        query::{BoundPlan, Output, project},
        scope::Scope,
    },
    function::{error::from_datafusion, value::physical_of},
};

/// A named query in reach.
#[derive(Clone, Debug)]
pub(crate) struct CteEntry {
    pub(crate) name: String,
    pub(crate) bound: BoundPlan,
}

impl Binder<'_> {
    /// Binds the named queries; the caller forgets them at the end of the query.
    pub(crate) fn with(&mut self, with: &With, parent: &Scope<'_>) -> Result<()> {
        for (index, cte) in with.ctes.iter().enumerate() {
            if with.ctes[..index].iter().any(|other| other.name.value == cte.name.value) {
                return Err(Error::new(
                    SqlState::DUPLICATE_ALIAS,
                    format!("WITH query name \"{}\" specified more than once", cte.name.value),
                )
                .at(cte.name.span.position()));
            }
            let StatementKind::Query(query) = &cte.statement.kind else {
                return Err(Error::unsupported(
                    "data-modifying statements in WITH are not supported",
                )
                .at(cte.span.position()));
            };
            let mut bound = match recursive_parts(query) {
                Some((left, right, all)) if with.recursive && mentions(right, &cte.name.value) => {
                    self.recursive(cte, query, left, right, all, parent)?
                }
                _ => self.query(query, parent, &[])?,
            };
            rename_outputs(&mut bound.outputs, cte)?;
            self.ctes.push(CteEntry { name: cte.name.value.clone(), bound });
        }
        Ok(())
    }

    /// A reference to a named query.
    pub(crate) fn cte_item(
        &mut self,
        index: usize,
        alias: Option<&TableAlias>,
    ) -> Result<FromItem> {
        let entry = self.ctes[index].clone();
        let default = TableAlias {
            name: Some(crate::ast::Ident::new(entry.name.clone())),
            columns: Vec::new(),
            span: crate::ast::Span::default(),
        };
        self.subquery_item(entry.bound, Some(alias.unwrap_or(&default)))
    }

    fn recursive(
        &mut self,
        cte: &Cte,
        query: &Query,
        left: &Query,
        right: &Query,
        all: bool,
        parent: &Scope<'_>,
    ) -> Result<BoundPlan> {
        if !query.order_by.is_empty() || query.limit.is_some() || query.offset.is_some() {
            return Err(Error::unsupported(
                "ORDER BY and LIMIT in a recursive query are not implemented",
            )
            .at(query.span.position()));
        }
        let first = self.query(left, parent, &[])?;
        let mut outputs = first.outputs.clone();
        for output in &mut outputs {
            output.origin = None;
        }
        let mut named = outputs.clone();
        rename_outputs(&mut named, cte)?;
        let name = self.fresh_qualifier(&format!("__recursive_{}", cte.name.value));
        let fields = outputs
            .iter()
            .map(|o| Field::new(&o.column, arrow_type(&physical_of(o.ty.oid)), true))
            .collect::<Vec<_>>();
        let table = CteWorkTable::new(&name, Arc::new(Schema::new(fields)));
        let scan = LogicalPlanBuilder::scan(
            TableReference::bare(name.as_str()),
            provider_as_source(Arc::new(table)),
            None,
        )
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
        let reference = TableReference::bare(name.as_str());
        let columns = outputs
            .iter()
            .map(|o| crate::bind::typed::column(&reference, &o.column).alias(&o.column))
            .collect();
        let work = BoundPlan { plan: project(scan, columns)?, outputs: named };
        self.ctes.push(CteEntry { name: cte.name.value.clone(), bound: work });
        let hints = outputs.iter().map(|o| Some(o.ty.oid)).collect::<Vec<_>>();
        let step = self.query(right, parent, &hints);
        self.ctes.pop();
        let step = step?;
        if step.outputs.len() != outputs.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "each UNION query must have the same number of columns",
            )
            .at(right.span.position()));
        }
        for (index, (base, next)) in outputs.iter().zip(&step.outputs).enumerate() {
            if base.ty.oid != next.ty.oid {
                return Err(Error::new(
                    SqlState::DATATYPE_MISMATCH,
                    format!(
                        "recursive query \"{}\" column {} has type {} in non-recursive term but type {} overall",
                        cte.name.value,
                        index + 1,
                        type_name(base.ty.oid),
                        type_name(next.ty.oid)
                    ),
                )
                .with_hint("Cast the output of the non-recursive term to the correct type.")
                .at(left.span.position()));
            }
        }
        let columns = step
            .outputs
            .iter()
            .zip(&outputs)
            .map(|(own, wanted)| own.expr().alias(&wanted.column))
            .collect();
        let step_plan = project(step.plan, columns)?;
        let plan = LogicalPlanBuilder::from(first.plan)
            .to_recursive_query(name, step_plan, !all)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        Ok(BoundPlan { plan, outputs })
    }
}

fn rename_outputs(outputs: &mut [Output], cte: &Cte) -> Result<()> {
    if cte.columns.len() > outputs.len() {
        return Err(Error::new(
            SqlState::INVALID_COLUMN_REFERENCE,
            format!(
                "WITH query \"{}\" has {} columns available but {} columns specified",
                cte.name.value,
                outputs.len(),
                cte.columns.len()
            ),
        )
        .at(cte.span.position()));
    }
    for (output, name) in outputs.iter_mut().zip(&cte.columns) {
        output.name.clone_from(&name.value);
    }
    Ok(())
}

fn recursive_parts(query: &Query) -> Option<(&Query, &Query, bool)> {
    match &query.body {
        QueryBody::Set { op: SetOperator::Union, all, left, right, .. } => {
            Some((left, right, *all))
        }
        _ => None,
    }
}

/// Whether a query mentions a table of the name anywhere: its printed form is enough to tell.
fn mentions(query: &Query, name: &str) -> bool {
    format!("{query:?}").contains(&format!("value: {name:?}"))
}
