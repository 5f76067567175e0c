//! What a scan is after, for SERIALIZABLE: the filters above it that speak of its rows alone.

use std::{fmt, sync::Arc};

use datafusion::{
    arrow::datatypes::SchemaRef, catalog::Session, common::DFSchema, error::Result as DfResult,
    logical_expr::Expr,
};
use oxi_base::{Result, TableId};
use oxi_model::{
    Datum,
    engine::{Predicate, Scan, ScanRequest, Snapshot},
};
use oxi_types::EvalContext;

use crate::{
    context::StatementContext,
    error::to_datafusion,
    row::{Compiler, RowExpr, Scope},
};

/// The rows a scan is after: all, or those of a predicate.
#[derive(Clone, Default)]
pub struct Wanted(Option<Arc<dyn Predicate>>);

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "some rows" } else { "all rows" })
    }
}

impl Wanted {
    /// What the filters leave, if the running statement's transaction cares.
    pub(crate) fn by(state: &dyn Session, schema: &SchemaRef, filters: &[Expr]) -> DfResult<Self> {
        let Some(statement) = state.config().get_extension::<StatementContext>() else {
            return Ok(Wanted::default());
        };
        if filters.is_empty() || !statement.snapshot.notes_reads() {
            return Ok(Wanted::default());
        }
        let schema = DFSchema::try_from(SchemaRef::clone(schema))?;
        let compiler = Compiler { schema: &schema, offset: 0, props: None };
        let mut conditions = Vec::new();
        for filter in filters {
            // What cannot be computed here only makes the predicate wider.
            conditions.extend(compiler.compile(filter).map_err(to_datafusion)?);
        }
        if conditions.is_empty() {
            return Ok(Wanted::default());
        }
        let mut used = vec![false; schema.fields().len()];
        for condition in &conditions {
            condition.mark_columns(&mut used);
        }
        let columns = (0..used.len()).filter(|column| used[*column]).collect();
        let eval = Arc::clone(&statement.eval);
        Ok(Wanted(Some(Arc::new(Filter { conditions, columns, eval }))))
    }

    /// Starts scans for these rows.
    pub(crate) fn scan(
        &self,
        snapshot: &dyn Snapshot,
        table: TableId,
        request: &ScanRequest,
    ) -> Result<Vec<Box<dyn Scan>>> {
        match &self.0 {
            None => snapshot.scan(table, request),
            Some(predicate) => snapshot.scan_where(table, request, Arc::clone(predicate)),
        }
    }
}

/// Conditions that must all hold.
struct Filter {
    conditions: Vec<RowExpr>,
    columns: Vec<usize>,
    eval: Arc<EvalContext>,
}

impl Predicate for Filter {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn holds(&self, row: &[Datum]) -> bool {
        let scope = Scope::of(row, &[]);
        self.conditions.iter().all(|condition| condition.holds(&self.eval, scope).unwrap_or(true))
    }
}
