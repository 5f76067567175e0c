//! UPDATE and DELETE of a row that others have changed since the snapshot, where the conditions or
//! the new values have subqueries.
//!
//! As PostgreSQL does it: the newest version of the row, with the rows of other relations that it
//! was joined with, goes once more through the statement; what subqueries read is still what the
//! statement's snapshot sees.

use std::{fmt, sync::Arc};

use datafusion::{
    arrow::{
        array::RecordBatch,
        datatypes::{DataType, FieldRef},
    },
    common::{
        DFSchema, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    execution::SessionState,
    logical_expr::{Expr, LogicalPlan, Values},
};
use futures::StreamExt;
use oxi_base::{Error, Result, RowId};
use oxi_model::{Datum, PhysicalType, array::ArrayBuilder};
use oxi_sql::plan::ModifyNode;

use crate::{apply, error::from_datafusion, row::physical_of};

/// How to compute the input of a modification again.
pub struct Recheck {
    /// See [`ModifyNode::again`].
    plan: Arc<LogicalPlan>,
    /// How to plan it, for the running statement.
    state: SessionState,
    /// Physical types of the input's columns after the row id.
    physical: Vec<PhysicalType>,
}

impl fmt::Debug for Recheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recheck({})", self.plan.display())
    }
}

impl Recheck {
    /// The way to do it, if the node needs one.
    ///
    /// # Errors
    /// A defect in the plan.
    pub fn of(node: &ModifyNode, state: &SessionState) -> Result<Option<Self>> {
        let Some(plan) = &node.again else { return Ok(None) };
        let table = node.table.as_table().map_or(&[][..], |table| &table.columns);
        let mut own = table.iter();
        let mut physical = Vec::new();
        for field in plan.schema().fields().iter().skip(1) {
            physical.push(match own.next() {
                Some(column) => column.physical.clone(),
                None => physical_of(field.data_type()).ok_or_else(|| {
                    Error::bug(format!("a column of {} beside the target", field.data_type()))
                })?,
            });
        }
        Ok(Some(Recheck { plan: Arc::clone(plan), state: state.clone(), physical }))
    }

    /// The input for a row, whose columns after the row id are given: the target's in their newest
    /// version, then the others'. `None` if it does not qualify any more.
    pub(crate) async fn input(&self, id: RowId, columns: &[Datum]) -> Result<Option<RecordBatch>> {
        let plan = self.plan.as_ref().clone();
        let plan = plan.transform_down(|node| match node {
            LogicalPlan::EmptyRelation(empty) if !empty.produce_one_row => {
                let row = self.literals(&empty.schema, id, columns);
                let values = vec![row.map_err(crate::error::to_datafusion)?];
                let values = Values { schema: empty.schema, values };
                Ok(Transformed::yes(LogicalPlan::Values(values)))
            }
            other => Ok(Transformed::no(other)),
        });
        let plan = plan.map_err(from_datafusion)?.data;
        let mut batches = apply::start(&self.state, &plan).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(from_datafusion)?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// The row as literals, in the order of the relations at the bottom of the plan.
    fn literals(&self, schema: &DFSchema, id: RowId, columns: &[Datum]) -> Result<Vec<Expr>> {
        let input = self.plan.schema();
        let literal = |(qualifier, field): (Option<_>, &FieldRef)| {
            let place = input
                .index_of_column_by_name(qualifier, field.name())
                .ok_or_else(|| Error::bug(format!("no column {} in the input", field.name())))?;
            let Some(place) = place.checked_sub(1) else {
                return Ok(Expr::Literal(ScalarValue::UInt64(Some(id.0)), None));
            };
            let value = columns.get(place).ok_or_else(|| Error::bug("a short row"))?;
            self.literal(place, value, field.data_type())
        };
        schema.iter().map(literal).collect()
    }

    fn literal(&self, place: usize, value: &Datum, data_type: &DataType) -> Result<Expr> {
        if value.is_null() {
            let null = ScalarValue::try_from(data_type).map_err(from_datafusion)?;
            return Ok(Expr::Literal(null, None));
        }
        let physical = self.physical.get(place).ok_or_else(|| Error::bug("a long row"))?;
        let mut array = ArrayBuilder::new(physical, 1);
        array.push(value)?;
        let scalar = ScalarValue::try_from_array(&array.finish(), 0).map_err(from_datafusion)?;
        Ok(Expr::Literal(scalar, None))
    }
}
