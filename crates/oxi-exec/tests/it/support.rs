//! A database of a few tables, without sessions.

use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use oxi_base::{ColumnId, IndexId, Result, TableId};
use oxi_catalog::{
    Catalog,
    catalog::PUBLIC,
    system::{ServerState, SessionInfo, SettingInfo},
};
use oxi_exec::{
    context::{CancelFlag, StatementContext},
    dml::{apply::RowSink, rules::BoundRules},
    executor::{Executor, ExecutorOptions},
    fast::FastPlan,
    provider::ExecRelations,
};
use oxi_model::{
    Datum, Row,
    array::datum_at,
    descriptor::*,
    engine::{
        ColumnLayout, Engine, IndexColumnLayout, IndexLayout, Isolation, TableLayout,
        TableStatistics, Txn,
    },
};
use oxi_sql::bind::{BindContext, Binder, Bound, BoundQuery};
use oxi_store::{Flush, Store, StoreOptions};
use oxi_types::{EvalContext, io, pg_type};
use oxi_world::World;

pub(crate) struct Db {
    pub(crate) store: Arc<Store>,
    catalog: Mutex<Arc<Catalog>>,
    pub(crate) executor: Executor,
}

struct NoServer;

impl ServerState for NoServer {
    fn statistics(&self, _: TableId) -> TableStatistics {
        TableStatistics::default()
    }
    fn sequence_state(&self, _: u32) -> Option<(i64, bool)> {
        None
    }
    fn settings(&self) -> Vec<SettingInfo> {
        Vec::new()
    }
    fn prepared_transactions(&self) -> Vec<oxi_model::engine::PreparedTransaction> {
        Vec::new()
    }
    fn sessions(&self) -> Vec<SessionInfo> {
        Vec::new()
    }
}

/// Which way a statement takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    Plan,
    Fast,
}

/// What a statement gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<String>,
    pub(crate) count: u64,
}

/// Column in words: `name type [!] [= default]`.
pub(crate) struct Table<'a> {
    pub(crate) name: &'a str,
    pub(crate) columns: &'a [(&'a str, &'a str, bool, Option<&'a str>)],
    pub(crate) primary: &'a [u32],
    pub(crate) unique: &'a [&'a [u32]],
    pub(crate) checks: &'a [(&'a str, &'a str)],
}

impl Db {
    pub(crate) fn new() -> Db {
        let (world, _) = World::simulated(1);
        let options = StoreOptions { flush: Flush::Caller, ..StoreOptions::default() };
        let store = Store::open(world, options).unwrap();
        let catalog = Mutex::new(Arc::new(Catalog::builtin()));
        let mut catalog_with_public = (**catalog.lock().unwrap()).clone();
        if catalog_with_public.schema(PUBLIC).is_none() {
            catalog_with_public
                .put_schema(Arc::new(SchemaDescriptor { oid: PUBLIC, name: "public".to_owned() }));
        }
        *catalog.lock().unwrap() = Arc::new(catalog_with_public);
        let options = ExecutorOptions { target_partitions: 2, ..ExecutorOptions::default() };
        Db { store, catalog, executor: Executor::new(options).unwrap() }
    }

    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.catalog.lock().unwrap().clone()
    }

    pub(crate) fn relation(&self, name: &str) -> Arc<RelationDescriptor> {
        self.catalog().relation_by_name(PUBLIC, name).unwrap().clone()
    }

    pub(crate) async fn create(&self, wanted: Table<'_>) {
        let mut catalog = (*self.catalog()).clone();
        let oid = self.store.allocate_oid();
        let storage = self.store.allocate_table_id();
        let columns: Vec<ColumnDescriptor> = wanted
            .columns
            .iter()
            .enumerate()
            .map(|(id, (name, type_name, not_null, default))| {
                let found = pg_type::by_name(type_name).unwrap();
                ColumnDescriptor {
                    id: id as u32,
                    name: (*name).to_owned(),
                    data_type: TypeRef::plain(found.oid),
                    physical: found.physical.clone(),
                    not_null: *not_null,
                    default: default.map(str::to_owned),
                    generated: None,
                    identity: None,
                    comment: None,
                }
            })
            .collect();
        let txn = self.begin();
        let layout = TableLayout {
            columns: columns
                .iter()
                .map(|column| ColumnLayout {
                    id: ColumnId(column.id),
                    physical: column.physical.clone(),
                    missing: Datum::Null,
                })
                .collect(),
            catalog: false,
            history_us: None,
        };
        txn.create_table(storage, layout).unwrap();
        let mut constraints = Vec::new();
        let mut keys: Vec<(&[u32], String, bool)> = Vec::new();
        if !wanted.primary.is_empty() {
            keys.push((wanted.primary, format!("{}_pkey", wanted.name), true));
        }
        for (number, unique) in wanted.unique.iter().enumerate() {
            keys.push((unique, format!("{}_key{number}", wanted.name), false));
        }
        let mut indexes = Vec::new();
        for (key, name, primary) in keys {
            let index = self.index(&txn, oid, storage, key, &name, true);
            constraints.push(ConstraintDescriptor {
                oid: self.store.allocate_oid(),
                name,
                kind: ConstraintKind::Unique { primary, index: index.oid, columns: key.to_vec() },
                deferral: Deferral::NONE,
            });
            indexes.push(index);
        }
        for (name, expression) in wanted.checks {
            constraints.push(ConstraintDescriptor {
                oid: self.store.allocate_oid(),
                name: (*name).to_owned(),
                kind: ConstraintKind::Check { expression: (*expression).to_owned() },
                deferral: Deferral::NONE,
            });
        }
        commit(&txn).await;
        catalog.put_relation(Arc::new(RelationDescriptor {
            oid,
            schema: PUBLIC,
            name: wanted.name.to_owned(),
            comment: None,
            kind: RelationKind::Table(TableDescriptor {
                storage: storage.0,
                next_column_id: columns.len() as u32,
                columns,
                constraints,
                history_us: None,
            }),
        }));
        for index in indexes {
            catalog.put_relation(Arc::new(index));
        }
        *self.catalog.lock().unwrap() = Arc::new(catalog);
    }

    fn index(
        &self,
        txn: &Arc<dyn Txn>,
        table_oid: u32,
        table: TableId,
        key: &[u32],
        name: &str,
        unique: bool,
    ) -> RelationDescriptor {
        let storage: IndexId = self.store.allocate_index_id();
        let layout = IndexLayout {
            table,
            columns: key
                .iter()
                .map(|id| IndexColumnLayout {
                    column: ColumnId(*id),
                    descending: false,
                    nulls_first: false,
                })
                .collect(),
            unique,
            nulls_not_distinct: false,
        };
        txn.create_index(storage, layout).unwrap();
        RelationDescriptor {
            oid: self.store.allocate_oid(),
            schema: PUBLIC,
            name: name.to_owned(),
            comment: None,
            kind: RelationKind::Index(IndexDescriptor {
                table: table_oid,
                storage: storage.0,
                unique,
                nulls_not_distinct: false,
                deferrable: false,
                invalid: false,
                columns: key
                    .iter()
                    .map(|id| IndexColumn { column: *id, descending: false, nulls_first: false })
                    .collect(),
            }),
        }
    }

    /// Adds a foreign key from a column of one table to the primary key of another.
    pub(crate) fn reference(
        &self,
        child: &str,
        column: u32,
        parent: &str,
        on_delete: ReferentialAction,
        on_update: ReferentialAction,
    ) {
        let mut catalog = (*self.catalog()).clone();
        let parent = self.relation(parent);
        let index = parent
            .as_table()
            .unwrap()
            .constraints
            .iter()
            .find_map(|constraint| match &constraint.kind {
                ConstraintKind::Unique { primary: true, index, .. } => Some(*index),
                _ => None,
            })
            .unwrap();
        let mut relation = (*self.relation(child)).clone();
        let RelationKind::Table(table) = &mut relation.kind else { panic!("not a table") };
        table.constraints.push(ConstraintDescriptor {
            oid: self.store.allocate_oid(),
            name: format!("{child}_fkey"),
            deferral: Deferral::NONE,
            kind: ConstraintKind::ForeignKey(ForeignKey {
                columns: vec![column],
                referenced_table: parent.oid,
                referenced_columns: vec![0],
                referenced_index: index,
                on_delete,
                on_update,
                match_full: false,
            }),
        });
        catalog.put_relation(Arc::new(relation));
        *self.catalog.lock().unwrap() = Arc::new(catalog);
    }

    pub(crate) fn begin(&self) -> Arc<dyn Txn> {
        self.store.begin(Isolation::ReadCommitted)
    }

    pub(crate) async fn commit(&self, txn: &Arc<dyn Txn>) {
        commit(txn).await;
    }

    pub(crate) fn statement(&self, txn: &Arc<dyn Txn>) -> Arc<StatementContext> {
        Arc::new(StatementContext {
            shared: Arc::default(),
            deferred: Arc::default(),
            engine: self.store.clone(),
            txn: txn.clone(),
            snapshot: txn.begin_statement(),
            eval: Arc::new(EvalContext::fixed(0)),
            catalog: self.catalog(),
            cancel: Arc::new(CancelFlag::default()),
            server: Arc::new(NoServer),
            rules: Arc::new(BoundRules),
            moments: Vec::new(),
        })
    }

    pub(crate) fn bind(&self, sql: &str) -> Result<BoundQuery> {
        let statement = oxi_sql::parse::parse(sql)?.remove(0);
        let relations = ExecRelations { engine: self.store.clone(), catalog: self.catalog() };
        let eval = EvalContext::fixed(0);
        let binder = Binder::new(BindContext {
            catalog: self.catalog(),
            search_path: vec!["public".to_owned()],
            relations: &relations,
            eval: &eval,
            param_types: Vec::new(),
        });
        match binder.bind(&statement)? {
            Bound::Query(query) | Bound::Modify(query) => Ok(query),
            Bound::Utility(_) => panic!("{sql} is a utility"),
        }
    }

    /// Runs a statement in a transaction on one route.
    pub(crate) async fn run_in(
        &self,
        txn: &Arc<dyn Txn>,
        sql: &str,
        params: &[Datum],
        route: Route,
    ) -> Result<Outcome> {
        let bound = self.bind(sql)?;
        let statement = self.statement(txn);
        if route == Route::Fast {
            let plan = FastPlan::recognize(&bound.plan, &self.catalog())?
                .unwrap_or_else(|| panic!("not for the point path: {sql}\n{}", bound.plan));
            let mut sink = Texts { bound: &bound, rows: Vec::new() };
            let count = plan.run(&statement, params, &mut sink).await?;
            return Ok(Outcome { rows: sink.rows, count });
        }
        let plan = oxi_sql::plan::substitute(bound.plan.clone(), params, &bound.parameters)?;
        let mut rows = self.executor.execute(&plan, statement).await?;
        if bound.fields.is_empty() {
            return Ok(Outcome { rows: Vec::new(), count: rows.count().await? });
        }
        let mut texts = Vec::new();
        while let Some(batch) = rows.next().await {
            texts.extend(texts_of(&bound, &batch?)?);
        }
        let count = texts.len() as u64;
        Ok(Outcome { rows: texts, count })
    }

    /// Runs a statement in a transaction of its own on the general route.
    pub(crate) async fn run(&self, sql: &str) -> Result<Outcome> {
        self.run_on(sql, Route::Plan).await
    }

    pub(crate) async fn run_on(&self, sql: &str, route: Route) -> Result<Outcome> {
        let txn = self.begin();
        let outcome = self.run_in(&txn, sql, &[], route).await?;
        self.commit(&txn).await;
        Ok(outcome)
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        self.run(sql).await.unwrap().rows
    }

    pub(crate) async fn explain(&self, sql: &str) -> Vec<String> {
        let txn = self.begin();
        let bound = self.bind(sql).unwrap();
        let options = oxi_exec::executor::ExplainOptions::default();
        self.executor.explain(&bound.plan, self.statement(&txn), options).await.unwrap()
    }

    /// The error a statement ends in: `SQLSTATE message | detail`.
    pub(crate) async fn error(&self, sql: &str, route: Route) -> String {
        let error = self.run_on(sql, route).await.unwrap_err();
        let detail = error.detail().map(|detail| format!(" | {detail}")).unwrap_or_default();
        format!("{} {}{detail}", error.code(), error.message())
    }
}

async fn commit(txn: &Arc<dyn Txn>) {
    txn.commit().unwrap().await.unwrap();
}

struct Texts<'a> {
    bound: &'a BoundQuery,
    rows: Vec<String>,
}

impl RowSink for Texts<'_> {
    fn row(&mut self, values: &mut Row) -> Result<()> {
        self.rows.push(text_of(self.bound, values)?);
        Ok(())
    }
}

fn text_of(bound: &BoundQuery, values: &[Datum]) -> Result<String> {
    let eval = EvalContext::fixed(0);
    let mut out = String::new();
    for (value, field) in values.iter().zip(&bound.fields) {
        if !out.is_empty() {
            out.push('|');
        }
        if value.is_null() {
            out.push_str("NULL");
        } else {
            io::text_out(&eval, field.data_type, value, &mut out)?;
        }
    }
    Ok(out)
}

fn texts_of(bound: &BoundQuery, batch: &RecordBatch) -> Result<Vec<String>> {
    (0..batch.num_rows())
        .map(|row| {
            let values = bound
                .fields
                .iter()
                .enumerate()
                .map(|(place, field)| {
                    let physical = pg_type::physical(field.data_type.oid).unwrap();
                    datum_at(batch.column(place).as_ref(), physical, row)
                })
                .collect::<Result<Vec<_>>>()?;
            text_of(bound, &values)
        })
        .collect()
}
