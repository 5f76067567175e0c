//! The point path: statements that touch rows by key, without the query engine.
//!
//! A bound plan of a known shape is compiled once; running it costs an index probe, the evaluation
//! of a few row expressions and, for changes, the same writing code the general route uses. Nothing
//! is asynchronous except waiting for other transactions.

pub mod recognize;

mod run;

use std::sync::{Arc, OnceLock};

use oxi_base::{ColumnId, IndexId, TableId};
use oxi_model::{PhysicalType, engine::KeyAccess};

use crate::{
    dml::{apply::RowPlan, row_lock::Locks},
    row::RowExpr,
};

pub use crate::dml::apply::RowSink;

/// A statement on the point path.
#[derive(Debug)]
pub struct FastPlan {
    kind: Kind,
    parameters: usize,
}

#[derive(Debug)]
enum Kind {
    /// Rows by key, some columns or expressions of them.
    Select { lookup: Lookup, output: Output, limit: usize },
    /// As `Select`, and the rows are locked. The columns are all of the table's.
    Lock { lookup: Lookup, output: Vec<RowExpr>, recheck: Vec<RowExpr>, locks: Locks },
    /// Expressions without a table.
    Constant { output: Vec<RowExpr> },
    /// Rows from expressions.
    Insert { rows: Vec<Vec<RowExpr>>, plan: Arc<RowPlan> },
    /// Rows by key are updated or deleted.
    Change { lookup: Lookup, plan: Arc<RowPlan> },
}

/// Finding rows by equality with the whole key of an index.
#[derive(Debug)]
struct Lookup {
    /// For EXPLAIN.
    table_name: String,
    index_name: String,
    condition: String,
    filter: Option<String>,
    table: TableId,
    index: IndexId,
    unique: bool,
    /// One for each key column.
    key: Vec<KeyPart>,
    /// Columns to read; `residual` and the output speak of places in this list.
    columns: Vec<usize>,
    /// The ids of those columns.
    ids: Vec<ColumnId>,
    residual: Vec<RowExpr>,
    /// The engine's way to the rows, for reads outside of transactions.
    access: OnceLock<KeyAccess>,
}

/// What a query makes of the columns read.
#[derive(Debug)]
enum Output {
    /// The columns as they are.
    AsRead,
    /// Expressions of them.
    Computed(Vec<RowExpr>),
}

/// A key column's value.
#[derive(Debug)]
struct KeyPart {
    value: RowExpr,
    /// The column's type when the value is of a wider one: a value beyond it matches nothing.
    narrow: Option<PhysicalType>,
}

impl FastPlan {
    /// The lines of EXPLAIN.
    pub fn explain(&self) -> Vec<String> {
        match &self.kind {
            Kind::Select { lookup, .. } => lookup.explain(""),
            Kind::Lock { lookup, .. } => {
                let mut lines = vec!["LockRows".to_owned()];
                lines.extend(lookup.explain("  ->  "));
                lines
            }
            Kind::Constant { .. } => vec!["Result".to_owned()],
            Kind::Insert { plan, .. } => {
                let name = &plan.target.relation.name;
                vec![format!("Insert on {name}"), "  ->  Values".to_owned()]
            }
            Kind::Change { lookup, plan } => {
                let verb = match &plan.action {
                    crate::dml::apply::RowAction::Delete(_) => "Delete",
                    _ => "Update",
                };
                let mut lines = vec![format!("{verb} on {}", plan.target.relation.name)];
                lines.extend(lookup.explain("  ->  "));
                lines
            }
        }
    }

    /// How many parameters running it needs at least.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Whether it changes or locks rows.
    pub fn writes(&self) -> bool {
        matches!(self.kind, Kind::Insert { .. } | Kind::Change { .. } | Kind::Lock { .. })
    }
}

impl Lookup {
    fn explain(&self, prefix: &str) -> Vec<String> {
        let what = if self.unique { "Index Point Lookup" } else { "Index Lookup" };
        let indent = " ".repeat(prefix.chars().count() + 2);
        let mut lines = vec![
            format!("{prefix}{what} on {} using {}", self.table_name, self.index_name),
            format!("{indent}Index Cond: ({})", self.condition),
        ];
        if let Some(filter) = &self.filter {
            lines.push(format!("{indent}Filter: ({filter})"));
        }
        lines
    }
}
