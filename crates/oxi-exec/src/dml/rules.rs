//! What must be computed and checked for each row of a table, compiled.

use std::sync::Arc;

use datafusion::{
    common::{DFSchema, config::ConfigOptions},
    logical_expr::execution_props::ExecutionProps,
};
use oxi_base::Result;
use oxi_model::{Datum, Row, descriptor::RelationDescriptor, engine::RowLock};
use oxi_sql::{
    bind::{BindContext, Binder},
    function::EvalExtension,
};
use oxi_types::EvalContext;

use crate::{
    context::StatementContext,
    dml::{target::Target, violation},
    provider::ExecRelations,
    row::{Compiler, RowExpr, Scope, into_physical},
};

/// Gives the rules of a table that a statement did not name, for actions of foreign keys.
pub trait RuleSource: Send + Sync {
    /// The rules of a table.
    fn rules(
        &self,
        statement: &StatementContext,
        relation: &Arc<RelationDescriptor>,
    ) -> Result<Arc<Rules>>;
}

/// Binds the rules from the catalog's texts.
pub struct BoundRules;

impl RuleSource for BoundRules {
    fn rules(
        &self,
        statement: &StatementContext,
        relation: &Arc<RelationDescriptor>,
    ) -> Result<Arc<Rules>> {
        let relations = ExecRelations {
            engine: Arc::clone(&statement.engine),
            catalog: Arc::clone(&statement.catalog),
        };
        let binder = Binder::new(BindContext {
            catalog: Arc::clone(&statement.catalog),
            search_path: statement.eval.search_path.clone(),
            relations: &relations,
            eval: &statement.eval,
            param_types: Vec::new(),
        });
        let bound = binder.row_rules(relation, &[])?;
        let mut options = ConfigOptions::new();
        options.extensions.insert(EvalExtension(Arc::clone(&statement.eval)));
        let mut props = ExecutionProps::new();
        props.config_options = Some(Arc::new(options));
        let over_row = Compiler { schema: &bound.schema, offset: 0, props: Some(&props) };
        let empty = DFSchema::empty();
        let over_nothing = Compiler { schema: &empty, offset: 0, props: Some(&props) };
        let mut rules = Rules::default();
        for check in &bound.checks {
            rules.checks.push((check.name.clone(), over_row.require(&check.expression)?));
        }
        rules.checks.sort_by(|left, right| left.0.cmp(&right.0));
        for generated in &bound.generated {
            rules.generated.push((generated.column, over_row.require(&generated.value)?));
        }
        let width = relation.as_table().map_or(0, |table| table.columns.len());
        rules.defaults.resize(width, None);
        for default in &bound.defaults {
            rules.defaults[default.column] = Some(over_nothing.require(&default.value)?);
        }
        Ok(Arc::new(rules))
    }
}

/// Expressions over a table's row (columns in layout order).
#[derive(Debug, Default)]
pub struct Rules {
    /// CHECK constraints in the order of their names.
    pub checks: Vec<(String, RowExpr)>,
    /// Generated columns: position and expression.
    pub generated: Vec<(usize, RowExpr)>,
    /// Default values by position; `None` is NULL. Only asked for by SET DEFAULT.
    pub defaults: Vec<Option<RowExpr>>,
}

impl Rules {
    /// Checks NOT NULL and CHECK of a row.
    ///
    /// # Errors
    /// `23502`, `23514`, or what a CHECK raises.
    pub fn check(
        &self,
        eval: &EvalContext,
        target: &Target,
        row: &[Datum],
        params: &[Datum],
    ) -> Result<()> {
        violation::require_not_null(eval, target, row)?;
        match self.violated(eval, row, params)? {
            Some(name) => Err(violation::check(eval, target, name, row)),
            None => Ok(()),
        }
    }

    /// The name of the first CHECK that a row violates.
    ///
    /// # Errors
    /// What a CHECK raises.
    pub fn violated(
        &self,
        eval: &EvalContext,
        row: &[Datum],
        params: &[Datum],
    ) -> Result<Option<&str>> {
        for (name, expression) in &self.checks {
            if expression.fails(eval, Scope::of(row, params))? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

/// New values for columns of a row.
#[derive(Debug, Default)]
pub struct Assignments {
    /// Position and value.
    pub set: Vec<(usize, RowExpr)>,
    /// Generated columns, over the new row.
    pub generated: Vec<(usize, RowExpr)>,
}

impl Assignments {
    /// How strongly the assignments lock a row.
    pub fn row_lock(&self, target: &Target) -> RowLock {
        target.row_lock(self.set.iter().chain(&self.generated).map(|(column, _)| *column))
    }

    /// The new row that comes from `old`, and the list of changes for storage.
    pub fn apply(
        &self,
        eval: &EvalContext,
        target: &Target,
        old: &[Datum],
        scope: Scope<'_>,
    ) -> Result<(Row, Vec<(usize, Datum)>)> {
        let mut row = old.to_vec();
        let mut changes = Vec::with_capacity(self.set.len() + self.generated.len());
        for (column, expression) in &self.set {
            let value = expression.eval(eval, scope)?.into_owned();
            let value = match target.columns().get(*column) {
                Some(descriptor) => into_physical(value, &descriptor.physical)?,
                None => value,
            };
            row[*column] = value.clone();
            changes.push((*column, value));
        }
        for (column, expression) in &self.generated {
            let value = expression.eval(eval, Scope::of(&row, scope.params))?.into_owned();
            row[*column] = value.clone();
            changes.push((*column, value));
        }
        Ok((row, changes))
    }
}
