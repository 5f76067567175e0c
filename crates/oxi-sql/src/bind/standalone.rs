//! Expressions outside statements: CHECK and DEFAULT being defined, COPY … WHERE, EXECUTE's
//! arguments.

use std::sync::Arc;

use datafusion::{
    common::{DFSchemaRef, TableReference},
    logical_expr::Expr,
};
use oxi_base::Result;
use oxi_model::descriptor::{RelationDescriptor, TypeRef};
use oxi_types::builtin::CastContext;

use crate::{
    ast,
    bind::{
        Binder,
        expr::Cx,
        modify::{Target, refuse_subqueries, scope_of, table_scope},
        scope::Scope,
    },
    function::error::from_datafusion,
    plan::{Assignment, Check, modify::row_schema},
};

/// An expression over a table's row.
#[derive(Clone, Debug)]
pub struct BoundRowExpr {
    /// The expression.
    pub expr: Expr,
    /// Its type.
    pub ty: TypeRef,
    /// The names in it: the table's columns in layout order (empty without a table).
    pub schema: DFSchemaRef,
}

/// What a row that is loaded into a table (COPY) must go through.
#[derive(Clone, Debug)]
pub struct RowRules {
    /// Values for columns not given, by position; over no columns.
    pub defaults: Vec<Assignment>,
    /// Generated columns, over the row.
    pub generated: Vec<Assignment>,
    /// CHECK constraints, over the row.
    pub checks: Vec<Check>,
    /// The names in them.
    pub schema: DFSchemaRef,
}

impl Binder<'_> {
    /// Binds an expression over the row of a table, or over nothing; converted to a type if one
    /// is wanted, as an assignment.
    pub fn row_expression(
        mut self,
        expr: &ast::Expr,
        table: Option<&Arc<RelationDescriptor>>,
        clause: &'static str,
        wanted: Option<TypeRef>,
    ) -> Result<BoundRowExpr> {
        let (scope, schema) = match table {
            Some(relation) => {
                let qualifier = TableReference::bare(relation.name.as_str());
                let schema = row_schema(relation, &qualifier).map_err(from_datafusion)?;
                (scope_of(table_scope(relation, &relation.name, &qualifier)), schema)
            }
            None => (Scope::default(), datafusion::common::DFSchema::empty()),
        };
        let mut cx = Cx::plain(&scope, clause);
        let value = self.expr(expr, &mut cx)?;
        let value = match wanted {
            Some(wanted) if wanted.oid == oxi_types::oid::BOOL => {
                self.coerce_bool(value, clause)?
            }
            Some(wanted) => self.coerce(value, wanted, CastContext::Assignment)?,
            None => self.resolve_unknown(value)?,
        };
        refuse_subqueries(&value.expr, clause, value.span)?;
        Ok(BoundRowExpr { expr: value.expr, ty: value.ty, schema: Arc::new(schema) })
    }

    /// What rows loaded into a table must go through, `given` being the positions loaded.
    pub fn row_rules(
        mut self,
        relation: &Arc<RelationDescriptor>,
        given: &[usize],
    ) -> Result<RowRules> {
        let qualifier = TableReference::bare(relation.name.as_str());
        let schema = row_schema(relation, &qualifier).map_err(from_datafusion)?;
        let target =
            Target { relation: Arc::clone(relation), alias: relation.name.clone(), qualifier };
        let mut defaults = Vec::new();
        let table = target.table()?.clone();
        for (position, column) in table.columns.iter().enumerate() {
            if !given.contains(&position) && column.generated.is_none() {
                let value = self.default_value(column, ast::Span::default())?;
                defaults.push(Assignment { column: position, value: value.expr });
            }
        }
        let generated = self.generated(&target)?;
        let checks = self.checks(&target)?;
        Ok(RowRules { defaults, generated, checks, schema: Arc::new(schema) })
    }
}
