//! Tables as the binder and the planner see them.
//!
//! A provider describes a table and makes physical nodes for it; it holds no snapshot.

use std::{fmt, sync::Arc};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{Constraint, Constraints, Statistics, stats::Precision, tree_node::TreeNode},
    datasource::provider_as_source,
    error::Result as DfResult,
    logical_expr::{Expr, TableProviderFilterPushDown, TableSource, TableType},
    physical_plan::ExecutionPlan,
};
use oxi_base::{ColumnId, Result, TableId};
use oxi_catalog::{Catalog, SystemRelation};
use oxi_model::{
    PhysicalType,
    array::arrow_type,
    descriptor::{ColumnDescriptor, ConstraintKind, RelationDescriptor, TableDescriptor},
    engine::Engine,
};
use oxi_sql::{bind::Relations, plan::modify::ROW_ID};

use crate::{
    dml::target::table_of,
    error::to_datafusion,
    provider::{
        access::{IndexInfo, Ways},
        predicate::Wanted,
    },
    scan::{ScanExec, ScanTarget, index::IndexScanExec},
};

pub mod access;
pub mod predicate;
pub mod system;

/// Tables with fewer rows than this are scanned on one task.
const PARALLEL_ROWS: u64 = 20_000;

/// Gives the binder its tables.
pub struct ExecRelations {
    /// The storage, for statistics.
    pub engine: Arc<dyn Engine>,
    /// The catalog as of the statement, for indexes.
    pub catalog: Arc<Catalog>,
}

impl Relations for ExecRelations {
    fn table(
        &self,
        relation: &Arc<RelationDescriptor>,
        with_row_id: bool,
    ) -> Result<Arc<dyn TableSource>> {
        let provider =
            OxiTable::new(Arc::clone(&self.engine), &self.catalog, relation, with_row_id)?;
        Ok(provider_as_source(Arc::new(provider)))
    }

    fn table_as_of(
        &self,
        relation: &Arc<RelationDescriptor>,
        moment: usize,
    ) -> Result<Arc<dyn TableSource>> {
        let mut provider = OxiTable::new(Arc::clone(&self.engine), &self.catalog, relation, false)?;
        provider.make_past(moment);
        Ok(provider_as_source(Arc::new(provider)))
    }

    fn system(&self, relation: &'static SystemRelation) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(system::SystemTable::new(relation))))
    }
}

/// A stored table.
pub struct OxiTable {
    engine: Arc<dyn Engine>,
    relation: Arc<RelationDescriptor>,
    schema: SchemaRef,
    physical: Arc<[PhysicalType]>,
    indexes: Arc<[IndexInfo]>,
    constraints: Constraints,
    /// The number of the moment as of which it is read; `None` is now.
    as_of: Option<usize>,
}

impl fmt::Debug for OxiTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OxiTable({})", self.relation.name)
    }
}

impl OxiTable {
    /// The storage id of the column at a position.
    pub fn column_id(&self, position: usize) -> Option<ColumnId> {
        self.relation.as_table()?.columns.get(position).map(ColumnDescriptor::id)
    }

    /// A table with its columns in layout order and, if asked for, the row id after them.
    ///
    /// # Errors
    /// A defect if the relation is not a table.
    pub fn new(
        engine: Arc<dyn Engine>,
        catalog: &Catalog,
        relation: &Arc<RelationDescriptor>,
        with_row_id: bool,
    ) -> Result<Self> {
        let table = table_of(relation)?;
        let mut fields: Vec<Field> = table
            .columns
            .iter()
            .map(|column| Field::new(&column.name, arrow_type(&column.physical), !column.not_null))
            .collect();
        if with_row_id {
            fields.push(Field::new(ROW_ID, DataType::UInt64, false));
        }
        let mut constraints = Vec::new();
        for constraint in &table.constraints {
            // Keys of a deferrable constraint may meet for a while.
            if constraint.deferral.deferrable {
                continue;
            }
            if let ConstraintKind::Unique { primary, columns, .. } = &constraint.kind {
                let places: Option<Vec<usize>> = columns
                    .iter()
                    .map(|id| table.column_by_id(*id).map(|(place, _)| place))
                    .collect();
                let Some(places) = places else { continue };
                constraints.push(if *primary {
                    Constraint::PrimaryKey(places)
                } else {
                    Constraint::Unique(places)
                });
            }
        }
        let indexes = catalog
            .indexes_of(relation.oid)
            .iter()
            .filter_map(|index| IndexInfo::new(table, index))
            .collect();
        Ok(OxiTable {
            engine,
            relation: Arc::clone(relation),
            schema: Arc::new(Schema::new(fields)),
            physical: table.columns.iter().map(|column| column.physical.clone()).collect(),
            indexes,
            constraints: Constraints::new_unverified(constraints),
            as_of: None,
        })
    }

    /// Reads the table as of a moment of the statement. What holds of its rows now need not have
    /// held then.
    fn make_past(&mut self, moment: usize) {
        self.as_of = Some(moment);
        self.constraints = Constraints::default();
        let fields = self.schema.fields().iter();
        let fields = fields.map(|field| field.as_ref().clone().with_nullable(true));
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    }

    /// Whether it is read as of an earlier moment.
    pub fn is_past(&self) -> bool {
        self.as_of.is_some()
    }

    /// The table's descriptor.
    pub fn relation(&self) -> &Arc<RelationDescriptor> {
        &self.relation
    }

    /// The table's indexes.
    pub fn indexes(&self) -> &[IndexInfo] {
        &self.indexes
    }

    /// How many columns it has.
    pub fn width(&self) -> usize {
        self.physical.len()
    }

    /// The physical type of a column.
    pub fn physical(&self, position: usize) -> Option<&PhysicalType> {
        self.physical.get(position)
    }

    /// Where its rows are.
    pub fn storage(&self) -> TableId {
        self.relation.as_table().map(TableDescriptor::storage).unwrap_or_default()
    }

    fn target(&self, projection: Option<&Vec<usize>>, filters: &[Expr]) -> DfResult<ScanTarget> {
        let schema = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => Arc::clone(&self.schema),
        };
        let width = self.physical.len();
        let columns = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let table = table_of(&self.relation).map_err(to_datafusion)?.storage();
        let statistics = self.engine.statistics(table);
        Ok(ScanTarget {
            name: self.relation.name.clone(),
            table,
            columns: columns.into_iter().map(|place| (place < width).then_some(place)).collect(),
            schema,
            rows: statistics.rows,
            bytes: statistics.bytes,
            wanted: Wanted::default(),
            as_of: self.as_of,
            ways: Arc::new(Ways::new(&self.schema, &self.physical, &self.indexes, filters)),
        })
    }
}

/// Whether a filter speaks of nothing but a row, so that it says which rows a scan is after.
fn is_of_row(filter: &Expr) -> bool {
    let other = filter.exists(|expr| {
        Ok(matches!(
            expr,
            Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::ScalarSubquery(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
        ))
    });
    matches!(other, Ok(false))
}

#[async_trait]
impl TableProvider for OxiTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn constraints(&self) -> Option<&Constraints> {
        Some(&self.constraints)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        let table = self.relation.as_table()?.storage();
        let numbers = self.engine.statistics(table);
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Inexact(numbers.rows as usize);
        statistics.total_byte_size = Precision::Inexact(numbers.bytes as usize);
        Some(statistics)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| {
                // The filter stays in the plan: index entries are a way to the rows, not the
                // answer, and a predicate matters to nobody but SERIALIZABLE.
                if is_of_row(filter)
                    || self.indexes.iter().any(|index| index.helps(filter, &self.schema))
                {
                    TableProviderFilterPushDown::Inexact
                } else {
                    TableProviderFilterPushDown::Unsupported
                }
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let mut target = self.target(projection, filters)?;
        if self.as_of.is_none() {
            target.wanted = Wanted::by(state, &self.schema, filters)?;
        }
        if let Some(access) = target.ways.access() {
            return Ok(Arc::new(IndexScanExec::new(target, access, limit)));
        }
        let partitions = if target.rows < PARALLEL_ROWS || limit.is_some() {
            1
        } else {
            state.config().target_partitions()
        };
        Ok(Arc::new(ScanExec::new(target, limit, partitions)))
    }
}
