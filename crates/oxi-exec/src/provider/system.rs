//! The computed relations of `pg_catalog` and `information_schema`.

use std::sync::Arc;

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::{Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    error::Result as DfResult,
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{Expr, TableType},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execution_plan::EmissionType,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::stream;
use oxi_base::{Error, Result};
use oxi_catalog::system::{SystemContext, SystemRelation};
use oxi_model::array::{ArrayBuilder, arrow_type};

use crate::{
    context::StatementContext,
    error::{convert_arrow, to_datafusion},
    node::{bounded, leaf_methods},
};

/// A computed relation as a table.
#[derive(Debug)]
pub struct SystemTable {
    relation: &'static SystemRelation,
    schema: SchemaRef,
}

impl SystemTable {
    /// The table.
    pub fn new(relation: &'static SystemRelation) -> Self {
        let fields: Vec<Field> = relation
            .columns
            .iter()
            .map(|column| Field::new(column.name, arrow_type(&column.physical), true))
            .collect();
        SystemTable { relation, schema: Arc::new(Schema::new(fields)) }
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let columns = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.relation.columns.len()).collect(),
        };
        let schema = Arc::new(self.schema.project(&columns)?);
        Ok(Arc::new(SystemExec::new(self.relation, columns, schema)))
    }
}

/// Computes the rows of a system relation when it is executed.
#[derive(Debug)]
struct SystemExec {
    relation: &'static SystemRelation,
    columns: Vec<usize>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl SystemExec {
    fn new(relation: &'static SystemRelation, columns: Vec<usize>, schema: SchemaRef) -> Self {
        let properties = bounded(&schema, 1, EmissionType::Incremental);
        SystemExec { relation, columns, schema, properties }
    }

    fn batch(&self, statement: &StatementContext) -> Result<RecordBatch> {
        let context = SystemContext {
            catalog: Arc::clone(&statement.catalog),
            database: statement.eval.database.clone(),
            user: statement.eval.user.clone(),
            server: Arc::clone(&statement.server),
        };
        let rows = self.relation.rows(&context);
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let physical = &self.relation.columns[*column].physical;
            let mut builder = ArrayBuilder::new(physical, rows.len());
            for row in &rows {
                let value = row.get(*column);
                builder.push(value.ok_or_else(|| Error::bug("a short row"))?)?;
            }
            arrays.push(builder.finish());
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| convert_arrow(&error))
    }
}

impl DisplayAs for SystemExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "System Scan on {}.{}", self.relation.schema, self.relation.name)
    }
}

impl ExecutionPlan for SystemExec {
    leaf_methods!("SystemExec");

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let statement = StatementContext::of(&context)?;
        let batch = self.batch(&statement).map_err(to_datafusion)?;
        let batches = (batch.num_rows() > 0).then_some(Ok(batch));
        let schema = Arc::clone(&self.schema);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches))))
    }
}
