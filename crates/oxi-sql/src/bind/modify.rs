//! INSERT, UPDATE and DELETE.

mod assignment;
mod conflict;
mod delete;
mod insert;
mod update;

use std::sync::Arc;

use datafusion::{
    common::{TableReference, tree_node::TreeNode},
    logical_expr::{EmptyRelation, Expr, LogicalPlan},
};
use oxi_base::{Error, Result, SqlState};
use oxi_catalog::Resolved;
use oxi_model::descriptor::{
    ColumnDescriptor, ConstraintKind, RelationDescriptor, RelationKind, TableDescriptor,
};
use oxi_types::builtin::CastContext;

use crate::{
    ast::{Expr as AstExpr, ObjectName, SelectItem, Span},
    bind::{
        Binder, Command, OutputField,
        expr::{Cx, constant},
        query::{all_columns, filter, project},
        scope::{Scope, ScopeColumn, ScopeRelation},
        typed::{Typed, column},
    },
    plan::Check,
};

/// A bound change.
pub(crate) struct Changed {
    pub(crate) plan: LogicalPlan,
    /// The columns of RETURNING.
    pub(crate) fields: Vec<OutputField>,
    pub(crate) command: Command,
    /// The relation written.
    pub(crate) relation: u32,
}

/// A table that is written.
pub(super) struct Target {
    pub(super) relation: Arc<RelationDescriptor>,
    pub(super) alias: String,
    pub(super) qualifier: TableReference,
}

impl Target {
    pub(super) fn table(&self) -> Result<&TableDescriptor> {
        self.relation.as_table().ok_or_else(|| Error::bug("the target is no table"))
    }
}

/// The columns of a table as a relation of a scope.
pub(super) fn table_scope(
    relation: &Arc<RelationDescriptor>,
    alias: &str,
    qualifier: &TableReference,
) -> ScopeRelation {
    let columns = relation
        .as_table()
        .map(|table| table.columns.as_slice())
        .unwrap_or_default()
        .iter()
        .map(|c| ScopeColumn {
            name: c.name.clone(),
            ty: c.data_type,
            expr: column(qualifier, &c.name),
            origin: Some((relation.oid, (c.id + 1) as i16)),
            hidden: false,
        })
        .collect();
    ScopeRelation {
        alias: alias.to_owned(),
        schema: None,
        columns,
        table: Some(Arc::clone(relation)),
        hidden: false,
    }
}

/// A scope of one relation.
pub(super) fn scope_of(relation: ScopeRelation) -> Scope<'static> {
    Scope { columns: relation.columns.clone(), relations: vec![relation], parent: None }
}

impl Binder<'_> {
    /// Finds the table a statement writes.
    pub(super) fn target_table(&mut self, name: &ObjectName) -> Result<Arc<RelationDescriptor>> {
        let position = name.span.position();
        let found = self
            .context
            .catalog
            .resolve(&self.context.search_path, &name.texts())
            .map_err(|error| error.at(position))?;
        let relation = match found {
            Resolved::Relation(relation) => relation,
            Resolved::System(system) => {
                return Err(Error::new(
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    format!("permission denied: \"{}\" is a system catalog", system.name),
                )
                .at(position));
            }
        };
        match &relation.kind {
            RelationKind::Table(_) => {
                self.relations.insert(relation.oid);
                self.changed.insert(relation.oid);
                Ok(relation)
            }
            RelationKind::View(_) => Err(Error::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("cannot change view \"{}\"", relation.name),
            )
            .with_detail("Views are not automatically updatable.")
            .at(position)),
            RelationKind::Sequence(_) => Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("cannot change sequence \"{}\"", relation.name),
            )
            .at(position)),
            RelationKind::Index(_) => Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("cannot change index \"{}\"", relation.name),
            )
            .at(position)),
        }
    }

    /// An expression of the catalog (DEFAULT, CHECK, GENERATED) over a scope.
    pub(super) fn catalog_expr(
        &mut self,
        text: &str,
        scope: &Scope<'_>,
        clause: &'static str,
    ) -> Result<Typed> {
        let parsed = crate::parse::parse_expression(text).map_err(Error::without_position)?;
        let mut cx = Cx::plain(scope, clause);
        self.expr(&parsed, &mut cx).map_err(Error::without_position)
    }

    /// The value of a column that is not given: its identity, its default, or NULL.
    pub(super) fn default_value(&mut self, column: &ColumnDescriptor, span: Span) -> Result<Typed> {
        let value = if let Some(identity) = &column.identity {
            let sequence = oxi_model::Datum::UInt32(identity.sequence);
            let sequence = constant(&sequence, oxi_types::oid::REGCLASS, span)?;
            self.builtin("nextval", vec![sequence], span)?
        } else if let Some(text) = &column.default {
            let scope = Scope::default();
            let value = self.catalog_expr(text, &scope, "DEFAULT expressions")?;
            Typed { span, ..value }
        } else {
            crate::bind::typed::unknown_literal(None, span)
        };
        self.assign(value, column)
    }

    /// Converts a value for assignment to a column.
    pub(super) fn assign(&mut self, value: Typed, column: &ColumnDescriptor) -> Result<Typed> {
        let (from, position) = (value.ty.oid, value.span.position());
        self.coerce(value, column.data_type, CastContext::Assignment).map_err(|error| {
            if error.code() != SqlState::DATATYPE_MISMATCH {
                return error;
            }
            Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "column \"{}\" is of type {} but expression is of type {}",
                    column.name,
                    oxi_types::pg_type::format_type(oxi_model::descriptor::TypeRef::plain(
                        column.data_type.oid
                    )),
                    crate::bind::coerce::type_name(from)
                ),
            )
            .with_hint("You will need to rewrite or cast the expression.")
            .at(position)
        })
    }

    /// The CHECK constraints over a row.
    pub(super) fn checks(&mut self, target: &Target) -> Result<Vec<Check>> {
        let scope =
            scope_of(table_scope(&target.relation, &target.relation.name, &target.qualifier));
        let mut checks = Vec::new();
        for constraint in &target.table()?.constraints {
            if let ConstraintKind::Check { expression } = &constraint.kind {
                let value = self.catalog_expr(expression, &scope, "check constraints")?;
                let value = self.coerce_bool(value, "CHECK")?;
                checks.push(Check { name: constraint.name.clone(), expression: value.expr });
            }
        }
        Ok(checks)
    }

    /// The generated columns over a row.
    pub(super) fn generated(&mut self, target: &Target) -> Result<Vec<crate::plan::Assignment>> {
        let scope =
            scope_of(table_scope(&target.relation, &target.relation.name, &target.qualifier));
        let mut list = Vec::new();
        for (position, column) in target.table()?.columns.iter().enumerate() {
            if let Some(text) = &column.generated {
                let value = self.catalog_expr(text, &scope, "column generation expressions")?;
                let value = self.assign(value, column)?;
                list.push(crate::plan::Assignment { column: position, value: value.expr });
            }
        }
        Ok(list)
    }

    /// RETURNING over a scope.
    pub(super) fn returning(
        &mut self,
        list: &[SelectItem],
        scope: &Scope<'_>,
    ) -> Result<(Option<Vec<Expr>>, Vec<OutputField>)> {
        if list.is_empty() {
            return Ok((None, Vec::new()));
        }
        let mut cx = Cx::plain(scope, "RETURNING");
        let items = self.select_items(list, &[], &mut cx)?;
        let mut exprs = Vec::with_capacity(items.len());
        let mut fields = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            refuse_subqueries(&item.value.expr, "RETURNING", item.value.span)?;
            exprs.push(item.value.expr.alias(format!("returning_{index}")));
            fields.push(OutputField {
                name: item.name,
                data_type: item.value.ty,
                table_oid: item.origin.map_or(0, |(table, _)| table),
                column_number: item.origin.map_or(0, |(_, column)| column),
            });
        }
        Ok((Some(exprs), fields))
    }

    /// The rows that WHERE leaves, and its condition.
    pub(super) fn target_filter(
        &mut self,
        plan: LogicalPlan,
        condition: Option<&AstExpr>,
        scope: &Scope<'_>,
    ) -> Result<(LogicalPlan, Option<Expr>)> {
        let Some(condition) = condition else { return Ok((plan, None)) };
        let condition = self.condition(condition, "WHERE", &mut Cx::plain(scope, "WHERE"))?;
        Ok((filter(plan, condition.clone())?, Some(condition)))
    }

    /// A plan of the target's rows with their ids first, joined with other relations.
    pub(super) fn target_rows(
        &mut self,
        relation: Arc<RelationDescriptor>,
        alias: Option<&crate::ast::Ident>,
        span: Span,
        from: &[crate::ast::TableExpr],
        parent: &Scope<'_>,
    ) -> Result<(Target, crate::bind::from::FromItem)> {
        let table_alias = alias.map(|alias| crate::ast::TableAlias {
            name: Some(alias.clone()),
            columns: Vec::new(),
            span,
        });
        let item = self.table_item(&relation, table_alias.as_ref(), true)?;
        let name = item.relations.first().map_or_else(String::new, |r| r.alias.clone());
        let qualifier = match item.columns.first().map(|c| &c.expr) {
            Some(Expr::Column(column)) => {
                column.relation.clone().unwrap_or_else(|| TableReference::bare(name.as_str()))
            }
            _ => TableReference::bare(name.as_str()),
        };
        let mut all = Some(item);
        for other in from {
            all = Some(self.add_from(all, other, parent)?);
        }
        let item = all.ok_or_else(|| Error::bug("no target"))?;
        Ok((Target { relation, alias: name, qualifier }, item))
    }
}

/// A condition split at its ANDs: the part that can be evaluated again for one row.
pub(super) fn recheck(condition: Option<&Expr>) -> Option<Expr> {
    let parts = datafusion::logical_expr::utils::split_conjunction(condition?);
    let kept = parts.into_iter().filter(|part| !has_subquery(part)).cloned();
    datafusion::logical_expr::utils::conjunction(kept)
}

/// Whether an expression holds a subquery.
pub(crate) fn has_subquery(expr: &Expr) -> bool {
    expr.exists(|inner| {
        Ok(matches!(
            inner,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
        ))
    })
    .unwrap_or(true)
}

/// Fails for subqueries where the executor evaluates expressions itself.
pub(super) fn refuse_subqueries(expr: &Expr, place: &str, span: Span) -> Result<()> {
    if has_subquery(expr) {
        return Err(Error::unsupported(format!("subqueries in {place} are not supported"))
            .at(span.position()));
    }
    Ok(())
}

/// `DEFAULT` as a value.
pub(super) fn is_default(expr: &AstExpr) -> bool {
    matches!(expr.kind, crate::ast::ExprKind::Default)
}

/// `42703` for a column a statement writes.
pub(super) fn undefined_target(name: &str, relation: &str, span: Span) -> Error {
    Error::new(
        SqlState::UNDEFINED_COLUMN,
        format!("column \"{name}\" of relation \"{relation}\" does not exist"),
    )
    .at(span.position())
}

/// In the place of the relations of a plan: one row of them, to be given later.
pub(super) fn one_row(plan: &LogicalPlan) -> LogicalPlan {
    let schema = Arc::clone(plan.schema());
    LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema })
}

/// A plan with values added to its rows.
pub(super) fn with_values(plan: LogicalPlan, values: &[Expr]) -> Result<LogicalPlan> {
    if values.is_empty() {
        return Ok(plan);
    }
    let mut exprs = all_columns(&plan);
    exprs.extend_from_slice(values);
    project(plan, exprs)
}

/// The input of UPDATE and DELETE for one row, with its condition and the values of SET that have
/// subqueries; `None` if nothing has any.
pub(super) fn computed_again(
    row: LogicalPlan,
    condition: Option<Expr>,
    values: &[Expr],
    target: &Target,
) -> Result<Option<LogicalPlan>> {
    if values.is_empty() && !condition.as_ref().is_some_and(has_subquery) {
        return Ok(None);
    }
    let plan = match condition {
        Some(condition) => filter(row, condition)?,
        None => row,
    };
    modify_input(with_values(plan, values)?, target).map(Some)
}

/// The input of UPDATE and DELETE: row id, the target's columns, then all others.
pub(super) fn modify_input(plan: LogicalPlan, target: &Target) -> Result<LogicalPlan> {
    let mut exprs = vec![column(&target.qualifier, crate::plan::modify::ROW_ID)];
    for c in &target.table()?.columns {
        exprs.push(column(&target.qualifier, &c.name));
    }
    let others =
        all_columns(&plan).into_iter().filter(|expr| !exprs.contains(expr)).collect::<Vec<_>>();
    exprs.extend(others);
    project(plan, exprs)
}
