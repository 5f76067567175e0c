//! WITH: named queries, recursive ones included.

use std::sync::Arc;

use arrow_schema::{Field, Schema};
use datafusion::{
    catalog::cte_worktable::CteWorkTable,
    common::TableReference,
    datasource::provider_as_source,
    logical_expr::{LogicalPlan, LogicalPlanBuilder},
};
use oxi_base::{Error, Result, SqlState};
use oxi_model::array::arrow_type;
use oxi_types::builtin::Volatility;

use crate::{
    ast::{Cte, Query, QueryBody, SetOperator, StatementKind, TableAlias, With},
    bind::{
        Binder,
        coerce::type_name,
        from::FromItem,
        implied::widened,
        query::{BoundPlan, Output, project},
        scope::Scope,
        typed::column,
    },
    function::{error::from_datafusion, value::physical_of},
    plan::{
        ModifyNode, SharedNode, WithNode,
        shared::{WORK_TABLE, can_share, inline_single},
    },
};

/// A named query in reach.
#[derive(Clone, Debug)]
pub(crate) struct CteEntry {
    pub(crate) name: String,
    pub(crate) bound: BoundPlan,
    /// The id of its [`SharedNode`].
    pub(crate) shared: Option<usize>,
}

impl CteEntry {
    fn is_change(&self) -> bool {
        SharedNode::of(&self.bound.plan).is_some_and(|node| ModifyNode::of(&node.input).is_some())
    }
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
                let entry = self.changing(cte, parent)?;
                self.ctes.push(entry);
                continue;
            };
            let around = std::mem::replace(&mut self.volatility, Volatility::Immutable);
            let bound = match recursive_parts(query) {
                Some((left, right, all)) if with.recursive && mentions(right, &cte.name.value) => {
                    self.recursive(cte, query, left, right, all, parent)
                }
                _ => self.query(query, parent, &[]).map_err(|error| malformed(error, cte, with)),
            };
            let once = self.volatility == Volatility::Volatile || !query.locking.is_empty();
            self.note_volatility(around);
            let mut bound = bound?;
            rename_outputs(&mut bound.outputs, cte)?;
            let entry = self.shared(cte, bound, once)?;
            self.ctes.push(entry);
        }
        Ok(())
    }

    /// A named query whose rows are computed once if it is read several times. One that must be
    /// computed `once` in any case never becomes part of its reader.
    fn shared(&mut self, cte: &Cte, bound: BoundPlan, once: bool) -> Result<CteEntry> {
        let name = cte.name.value.clone();
        let bound = BoundPlan { plan: widened(bound.plan)?, outputs: bound.outputs };
        let inline = cte.materialized == Some(false) && !once;
        if inline || !can_share(&bound.plan).map_err(from_datafusion)? {
            return Ok(CteEntry { name, bound, shared: None });
        }
        self.counter += 1;
        let id = self.counter;
        if !once && cte.materialized != Some(true) {
            self.readings.insert(id, 0);
        }
        let plan = SharedNode { id, input: Arc::new(bound.plan) }.into_plan();
        let bound = BoundPlan { plan, outputs: bound.outputs };
        Ok(CteEntry { name, bound, shared: Some(id) })
    }

    /// A change under a name: what it returns can be read.
    fn changing(&mut self, cte: &Cte, parent: &Scope<'_>) -> Result<CteEntry> {
        let position = cte.span.position();
        if parent.parent.is_some() || self.depth > 1 || self.view_depth > 0 {
            return Err(Error::unsupported(
                "WITH clause containing a data-modifying statement must be at the top level",
            )
            .at(position));
        }
        let Some(changed) = self.change(&cte.statement)? else {
            return Err(Error::bug("no change in WITH").at(position));
        };
        self.written = Some(changed.relation);
        // Its effects are not constant, whatever functions it calls.
        self.note_volatility(Volatility::Volatile);
        let mut outputs = changed
            .fields
            .iter()
            .enumerate()
            .map(|(index, field)| Output {
                name: field.name.clone(),
                ty: field.data_type,
                column: format!("returning_{index}"),
                origin: None,
            })
            .collect::<Vec<_>>();
        rename_outputs(&mut outputs, cte)?;
        self.counter += 1;
        let id = self.counter;
        let plan = SharedNode { id, input: Arc::new(changed.plan) }.into_plan();
        self.changes.push(plan.clone());
        let bound = BoundPlan { plan, outputs };
        Ok(CteEntry { name: cte.name.value.clone(), bound, shared: Some(id) })
    }

    /// What WITH asks for once the statement is bound as a whole.
    pub(crate) fn finish_with(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let changes = std::mem::take(&mut self.changes);
        let plan = if changes.is_empty() { plan } else { WithNode::new(plan, changes).into_plan() };
        if self.readings.values().any(|count| *count <= 1) {
            return inline_single(plan, &self.readings).map_err(from_datafusion);
        }
        Ok(plan)
    }

    /// A reference to a named query.
    pub(crate) fn cte_item(
        &mut self,
        index: usize,
        alias: Option<&TableAlias>,
    ) -> Result<FromItem> {
        let entry = self.ctes[index].clone();
        if entry.bound.outputs.is_empty() && entry.is_change() {
            return Err(Error::unsupported(format!(
                "WITH query \"{}\" does not have a RETURNING clause",
                entry.name
            )));
        }
        if let Some(count) = entry.shared.and_then(|id| self.readings.get_mut(&id)) {
            *count += 1;
        }
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
        check_clauses(query, right)?;
        let first =
            self.query(left, parent, &[]).map_err(|error| in_first_term(error, cte, left))?;
        let mut outputs = first.outputs.clone();
        for output in &mut outputs {
            output.origin = None;
        }
        let mut named = outputs.clone();
        rename_outputs(&mut named, cte)?;
        let name = self.fresh_qualifier(&format!("{WORK_TABLE}{}", cte.name.value));
        let work = BoundPlan { plan: work_table(&name, &outputs)?, outputs: named };
        self.ctes.push(CteEntry { name: cte.name.value.clone(), bound: work, shared: None });
        let hints = outputs.iter().map(|o| Some(o.ty.oid)).collect::<Vec<_>>();
        let step = self.query(right, parent, &hints);
        self.ctes.pop();
        let step = step?;
        check_step(cte, (left, &outputs), (right, &step.outputs))?;
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

/// Refuses the clauses that a recursive query cannot have.
fn check_clauses(query: &Query, right: &Query) -> Result<()> {
    let refused = if !query.order_by.is_empty() || query.limit.is_some() || query.offset.is_some() {
        "ORDER BY and LIMIT in a recursive query are not implemented"
    } else if !right.locking.is_empty() || !query.locking.is_empty() {
        "FOR UPDATE/SHARE in a recursive query is not implemented"
    } else {
        return Ok(());
    };
    Err(Error::unsupported(refused).at(query.span.position()))
}

/// An error of the term that must not read the query itself.
fn in_first_term(error: Error, cte: &Cte, left: &Query) -> Error {
    if !names_itself(&error, cte) {
        return error;
    }
    let message = format!(
        "recursive reference to query \"{}\" must not appear within its non-recursive term",
        cte.name.value
    );
    Error::new(SqlState::INVALID_RECURSION, message).at(left.span.position())
}

/// Whether an error is that the query's own name means nothing where it stands.
fn names_itself(error: &Error, cte: &Cte) -> bool {
    error.code() == SqlState::UNDEFINED_TABLE
        && error.message() == format!("relation \"{}\" does not exist", cte.name.value)
}

/// A query of WITH RECURSIVE that reads itself, but is no UNION.
fn malformed(error: Error, cte: &Cte, with: &With) -> Error {
    if !with.recursive || !names_itself(&error, cte) {
        return error;
    }
    let message = format!(
        "recursive query \"{}\" does not have the form non-recursive-term UNION [ALL] recursive-term",
        cte.name.value
    );
    Error::new(SqlState::INVALID_RECURSION, message).at(cte.span.position())
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
        QueryBody::Set { op: SetOperator::Union, all, left, right } => Some((left, right, *all)),
        _ => None,
    }
}

/// Whether a query mentions a table of the name anywhere: its printed form is enough to tell.
fn mentions(query: &Query, name: &str) -> bool {
    format!("{query:?}").contains(&format!("value: {name:?}"))
}

/// The rows of the step before, as a recursive term reads them.
fn work_table(name: &str, outputs: &[Output]) -> Result<LogicalPlan> {
    let fields = outputs
        .iter()
        .map(|o| Field::new(&o.column, arrow_type(&physical_of(o.ty.oid)), true))
        .collect::<Vec<_>>();
    let table = CteWorkTable::new(name, Arc::new(Schema::new(fields)));
    let reference = TableReference::bare(name);
    let scan =
        LogicalPlanBuilder::scan(reference.clone(), provider_as_source(Arc::new(table)), None)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
    let columns = outputs.iter().map(|o| column(&reference, &o.column).alias(&o.column)).collect();
    project(scan, columns)
}

/// The recursive term gives the columns that the other one has decided.
fn check_step(
    cte: &Cte,
    (left, outputs): (&Query, &[Output]),
    (right, step): (&Query, &[Output]),
) -> Result<()> {
    if step.len() != outputs.len() {
        return Err(Error::new(
            SqlState::SYNTAX_ERROR,
            "each UNION query must have the same number of columns",
        )
        .at(right.span.position()));
    }
    for (index, (base, next)) in outputs.iter().zip(step).enumerate() {
        if base.ty.oid != next.ty.oid {
            let message = format!(
                "recursive query \"{}\" column {} has type {} in non-recursive term but type {} overall",
                cte.name.value,
                index + 1,
                type_name(base.ty.oid),
                type_name(next.ty.oid)
            );
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("Cast the output of the non-recursive term to the correct type.")
                .at(left.span.position()));
        }
    }
    Ok(())
}
