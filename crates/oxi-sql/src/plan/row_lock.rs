//! The logical node of SELECT … FOR UPDATE and its kin.

use std::{cmp::Ordering, fmt, sync::Arc};

use datafusion::{
    common::{DFSchemaRef, DataFusionError, Result},
    logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore},
};
use oxi_base::TableId;

/// Locks the rows that its input yields, then yields them without the columns of row ids.
///
/// The last `tables.len()` columns of the input are UInt64 row ids (NULL where an outer join has no
/// row); the node's schema is the input's without them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowLockNode {
    /// The query.
    pub input: Arc<LogicalPlan>,
    /// The tables whose rows are locked, one for each row id column, in order.
    pub tables: Vec<LockedTable>,
    /// What the node yields.
    pub schema: DFSchemaRef,
}

/// A table whose rows are locked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LockedTable {
    /// The relation's oid.
    pub relation: u32,
    /// Its storage.
    pub storage: TableId,
    /// Its name, for messages.
    pub name: String,
    /// How strongly.
    pub strength: LockStrength,
    /// What to do when another transaction holds a row.
    pub wait: LockWait,
}

/// The four strengths of SQL, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockStrength {
    /// FOR UPDATE
    Update,
    /// FOR NO KEY UPDATE
    NoKeyUpdate,
    /// FOR SHARE
    Share,
    /// FOR KEY SHARE
    KeyShare,
}

/// What to do when another transaction holds a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockWait {
    /// Wait for it.
    Block,
    /// NOWAIT: fail with `55P03`.
    NoWait,
    /// SKIP LOCKED: leave the row out.
    SkipLocked,
}

impl RowLockNode {
    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl PartialOrd for RowLockNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for RowLockNode {
    fn name(&self) -> &'static str {
        "RowLock"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowLock:")?;
        for (place, table) in self.tables.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma} {:?} of {} {:?}", table.strength, table.name, table.wait)?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [input] = <[LogicalPlan; 1]>::try_from(inputs)
            .map_err(|_| DataFusionError::Internal("RowLock has one input".to_owned()))?;
        Ok(RowLockNode { input: Arc::new(input), ..self.clone() })
    }
}
