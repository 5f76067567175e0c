//! ON CONFLICT.

use datafusion::common::TableReference;
use oxi_base::{Error, IndexId, Result, SqlState};
use oxi_model::descriptor::{ConstraintKind, IndexDescriptor};

use crate::{
    ast::{self, ConflictTarget, ExprKind, Span},
    bind::{
        Binder,
        expr::Cx,
        modify::{Target, refuse_subqueries, table_scope, undefined_target},
        scope::Scope,
    },
    plan::{Assignment, ConflictAction, OnConflict, modify::EXCLUDED},
};

impl Binder<'_> {
    pub(super) fn on_conflict(
        &mut self,
        conflict: &ast::OnConflict,
        target: &Target,
    ) -> Result<OnConflict> {
        let arbiters = match &conflict.target {
            Some(wanted) => self.arbiters(wanted, target)?,
            None => Vec::new(),
        };
        let action = match &conflict.action {
            ast::ConflictAction::Nothing => ConflictAction::Nothing,
            ast::ConflictAction::Update { assignments, filter } => {
                if conflict.target.is_none() {
                    return Err(Error::new(
                        SqlState::SYNTAX_ERROR,
                        "ON CONFLICT DO UPDATE requires inference specification or constraint name",
                    )
                    .with_hint("For example, ON CONFLICT (column_name).")
                    .at(conflict.span.position()));
                }
                self.conflict_update(assignments, filter.as_deref(), target)?
            }
        };
        Ok(OnConflict { arbiters, action })
    }

    fn conflict_update(
        &mut self,
        assignments: &[ast::Assignment],
        filter: Option<&ast::Expr>,
        target: &Target,
    ) -> Result<ConflictAction> {
        let existing = table_scope(&target.relation, &target.alias, &target.qualifier);
        let excluded = table_scope(&target.relation, EXCLUDED, &TableReference::bare(EXCLUDED));
        // A plain name is the existing row's; `excluded` must be named.
        let scope = Scope {
            columns: existing.columns.clone(),
            relations: vec![existing, excluded],
            parent: None,
        };
        let mut cx = Cx::plain(&scope, "ON CONFLICT DO UPDATE");
        let sets = self.assignments(assignments, target, &mut cx)?;
        let mut set = Vec::with_capacity(sets.len());
        for item in sets {
            refuse_subqueries(&item.value.expr, "ON CONFLICT DO UPDATE", item.value.span)?;
            set.push(Assignment { column: item.column, value: item.value.expr });
        }
        let predicate = match filter {
            Some(filter) => {
                let condition = self.condition(filter, "WHERE", &mut cx)?;
                refuse_subqueries(&condition, "ON CONFLICT DO UPDATE", filter.span)?;
                Some(condition)
            }
            None => None,
        };
        let generated = self.generated(target)?;
        Ok(ConflictAction::Update { set, generated, predicate })
    }

    fn arbiters(&mut self, wanted: &ConflictTarget, target: &Target) -> Result<Vec<IndexId>> {
        let relation = &target.relation;
        let table = target.table()?;
        match wanted {
            ConflictTarget::Constraint(name) => {
                let index = table
                    .constraints
                    .iter()
                    .filter(|constraint| constraint.name == name.value)
                    .find_map(|constraint| match &constraint.kind {
                        ConstraintKind::Unique { index, .. } => Some(*index),
                        _ => None,
                    })
                    .and_then(|oid| self.context.catalog.relation(oid))
                    .and_then(|index| index.as_index().map(IndexDescriptor::storage));
                index.map(|index| vec![index]).ok_or_else(|| {
                    Error::new(
                        SqlState::UNDEFINED_OBJECT,
                        format!(
                            "constraint \"{}\" for table \"{}\" does not exist",
                            name.value, relation.name
                        ),
                    )
                    .at(name.span.position())
                })
            }
            ConflictTarget::Index { elements, filter, span } => {
                if filter.is_some() {
                    return Err(no_arbiter(*span));
                }
                let mut ids = Vec::with_capacity(elements.len());
                for element in elements {
                    let name = match &element.expr.kind {
                        ExprKind::Column(parts) if parts.len() == 1 => &parts[0],
                        _ => return Err(no_arbiter(*span)),
                    };
                    let (_, column) = table
                        .column_by_name(&name.value)
                        .ok_or_else(|| undefined_target(&name.value, &relation.name, name.span))?;
                    if !ids.contains(&column.id) {
                        ids.push(column.id);
                    }
                }
                let found = self
                    .context
                    .catalog
                    .indexes_of(relation.oid)
                    .iter()
                    .filter_map(|index| index.as_index())
                    .filter(|index| {
                        index.unique
                            && !index.invalid
                            && index.columns.len() == ids.len()
                            && index.columns.iter().all(|column| ids.contains(&column.column))
                    })
                    .map(IndexDescriptor::storage)
                    .collect::<Vec<_>>();
                if found.is_empty() { Err(no_arbiter(*span)) } else { Ok(found) }
            }
        }
    }
}

fn no_arbiter(span: Span) -> Error {
    Error::new(
        SqlState::INVALID_COLUMN_REFERENCE,
        "there is no unique or exclusion constraint matching the ON CONFLICT specification",
    )
    .at(span.position())
}
