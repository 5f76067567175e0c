//! Where a request to stop reaches the query engine's joins.
//!
//! A statement is stopped between the polls of its rows. A join that compares many rows and keeps
//! few stays within one poll for as long as that takes, and so does whoever counts the rows of a
//! join: the condition of a join looks for the request itself, and joins give way every so often.

use std::{fmt, sync::Arc};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Schema},
};
use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    error::Result as DfResult,
    logical_expr::ColumnarValue,
    physical_expr::PhysicalExpr,
    physical_plan::{
        ExecutionPlan,
        coop::CooperativeExec,
        joins::{
            CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder,
            utils::JoinFilter,
        },
    },
};

use crate::{context::CancelFlag, error::to_datafusion};

/// A plan whose joins can be stopped.
pub(crate) fn interruptible(
    plan: Arc<dyn ExecutionPlan>,
    cancel: &Arc<CancelFlag>,
) -> DfResult<Arc<dyn ExecutionPlan>> {
    let changed = plan.transform_up(|node| {
        let join: Arc<dyn ExecutionPlan> = if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            match join.filter() {
                None => node,
                Some(filter) => {
                    join.builder().with_filter(Some(checked(filter, cancel))).build_exec()?
                }
            }
        } else if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
            match join.filter() {
                None => node,
                Some(filter) => {
                    let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
                    let join = NestedLoopJoinExecBuilder::new(left, right, *join.join_type())
                        .with_projection_ref(join.projection().clone())
                        .with_filter(Some(checked(filter, cancel)))
                        .build()?;
                    Arc::new(join)
                }
            }
        } else if node.is::<CrossJoinExec>() {
            node
        } else {
            return Ok(Transformed::no(node));
        };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(join)) as Arc<dyn ExecutionPlan>))
    })?;
    Ok(changed.data)
}

fn checked(filter: &JoinFilter, cancel: &Arc<CancelFlag>) -> JoinFilter {
    let inner = Arc::clone(filter.expression());
    let expression = Arc::new(Checked { inner, cancel: Arc::clone(cancel) });
    JoinFilter::new(expression, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
}

/// A condition that fails once the statement is to stop.
#[derive(Debug)]
struct Checked {
    inner: Arc<dyn PhysicalExpr>,
    cancel: Arc<CancelFlag>,
}

impl PartialEq for Checked {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Checked {}

impl std::hash::Hash for Checked {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Checked {
    fn data_type(&self, schema: &Schema) -> DfResult<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> DfResult<bool> {
        self.inner.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DfResult<ColumnarValue> {
        self.cancel.check().map_err(to_datafusion)?;
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> DfResult<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().unwrap_or_else(|| Arc::clone(&self.inner));
        Ok(Arc::new(Checked { inner, cancel: Arc::clone(&self.cancel) }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
