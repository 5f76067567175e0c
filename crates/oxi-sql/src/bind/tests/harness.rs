//! Small tables in memory, and DataFusion over them.

use std::{fmt::Write, sync::Arc};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use datafusion::{
    datasource::{MemTable, provider_as_source},
    execution::{SessionStateBuilder, context::SessionContext},
    logical_expr::TableSource,
    prelude::SessionConfig,
};
use expect_test::Expect;
use oxi_base::{Error, Result};
use oxi_catalog::{Catalog, SystemRelation};
use oxi_model::{
    Datum,
    array::{array_from_datums, arrow_type, datum_at},
    descriptor::*,
};
use oxi_types::{EvalContext, io, oid};

use crate::{
    bind::{BindContext, Binder, Bound, BoundQuery, Relations},
    function::{EvalExtension, error::from_datafusion, value::physical_of},
};

struct Tables;

fn column(id: u32, name: &str, type_oid: u32) -> ColumnDescriptor {
    ColumnDescriptor {
        id,
        name: name.to_owned(),
        data_type: TypeRef::plain(type_oid),
        physical: physical_of(type_oid),
        not_null: id == 0,
        default: None,
        generated: None,
        identity: None,
        comment: None,
    }
}

fn table(oid: u32, name: &str, columns: Vec<ColumnDescriptor>) -> RelationDescriptor {
    RelationDescriptor {
        oid,
        schema: 2200,
        name: name.to_owned(),
        comment: None,
        kind: RelationKind::Table(TableDescriptor {
            storage: oid,
            next_column_id: columns.len() as u32,
            columns,
            constraints: vec![
                ConstraintDescriptor {
                    oid: oid + 1,
                    name: format!("{name}_pkey"),
                    kind: ConstraintKind::Unique {
                        primary: true,
                        index: oid + 2,
                        columns: vec![0],
                    },
                    deferral: Deferral::NONE,
                },
                ConstraintDescriptor {
                    oid: oid + 3,
                    name: format!("{name}_check"),
                    kind: ConstraintKind::Check { expression: "id > 0".to_owned() },
                    deferral: Deferral::NONE,
                },
            ],
            history_us: None,
        }),
    }
}

fn index(table: u32, name: &str) -> RelationDescriptor {
    RelationDescriptor {
        oid: table + 2,
        schema: 2200,
        name: name.to_owned(),
        comment: None,
        kind: RelationKind::Index(IndexDescriptor {
            table,
            storage: table + 2,
            unique: true,
            nulls_not_distinct: false,
            deferrable: false,
            invalid: false,
            columns: vec![IndexColumn { column: 0, descending: false, nulls_first: false }],
        }),
    }
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::builtin();
    catalog.put_schema(Arc::new(SchemaDescriptor { oid: 2200, name: "public".to_owned() }));
    let mut amount = column(2, "amount", oid::NUMERIC);
    amount.data_type.typmod = ((10 << 16) | 2) + 4;
    let mut state = column(3, "state", oid::TEXT);
    state.default = Some("'new'".to_owned());
    catalog.put_relation(Arc::new(table(
        20000,
        "t",
        vec![column(0, "id", oid::INT4), column(1, "name", oid::TEXT), amount, state],
    )));
    catalog.put_relation(Arc::new(index(20000, "t_pkey")));
    catalog.put_relation(Arc::new(table(
        20010,
        "u",
        vec![
            column(0, "id", oid::INT4),
            column(1, "t_id", oid::INT8),
            column(2, "day", oid::DATE),
            column(3, "ratio", oid::FLOAT8),
            column(4, "tags", oid::_TEXT),
        ],
    )));
    catalog.put_relation(Arc::new(index(20010, "u_pkey")));
    catalog.put_relation(Arc::new(RelationDescriptor {
        oid: 20030,
        schema: 2200,
        name: "v".to_owned(),
        comment: None,
        kind: RelationKind::View(ViewDescriptor {
            query: "SELECT id, amount * 2 AS twice FROM t".to_owned(),
            columns: vec![
                ViewColumn { name: "id".to_owned(), data_type: TypeRef::plain(oid::INT4) },
                ViewColumn { name: "twice".to_owned(), data_type: TypeRef::plain(oid::NUMERIC) },
            ],
            depends_on: vec![20000],
            search_path: vec!["public".to_owned()],
        }),
    }));
    catalog
}

const T: &[&[Option<&str>]] = &[
    &[Some("1"), Some("ann"), Some("10.50"), Some("new")],
    &[Some("2"), Some("bob"), Some("2.00"), Some("old")],
    &[Some("3"), Some("cid"), Some("10.5"), None],
    &[Some("4"), None, None, Some("old")],
];

const U: &[&[Option<&str>]] = &[
    &[Some("1"), Some("1"), Some("2024-02-29"), Some("0.5"), Some("{a,b}")],
    &[Some("2"), Some("1"), Some("2024-03-01"), Some("1.5"), Some("{}")],
    &[Some("3"), Some("2"), None, Some("-0"), None],
    &[Some("4"), Some("9"), Some("2020-01-01"), Some("0"), Some("{c}")],
];

fn eval() -> EvalContext {
    EvalContext::fixed(1_700_000_000_000_000)
}

impl Relations for Tables {
    fn table(
        &self,
        relation: &Arc<RelationDescriptor>,
        with_row_id: bool,
    ) -> Result<Arc<dyn TableSource>> {
        let rows = if relation.name == "t" { T } else { U };
        let descriptor = relation.as_table().ok_or_else(|| Error::bug("no table"))?;
        let mut fields = Vec::new();
        let mut arrays = Vec::new();
        for (index, column) in descriptor.columns.iter().enumerate() {
            let values = rows
                .iter()
                .map(|row| match row[index] {
                    Some(text) => io::text_in(&eval(), column.data_type, text),
                    None => Ok(Datum::Null),
                })
                .collect::<Result<Vec<_>>>()?;
            fields.push(Field::new(&column.name, arrow_type(&column.physical), true));
            arrays.push(array_from_datums(&column.physical, &values)?);
        }
        if with_row_id {
            fields.push(Field::new("__row_id", DataType::UInt64, true));
            arrays.push(Arc::new(arrow_array::UInt64Array::from_iter_values(
                100..100 + rows.len() as u64,
            )));
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(Error::bug)?;
        let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(from_datafusion)?;
        Ok(provider_as_source(Arc::new(table)))
    }

    fn system(&self, relation: &'static SystemRelation) -> Result<Arc<dyn TableSource>> {
        let fields = relation.columns.iter();
        let fields =
            fields.map(|c| Field::new(c.name, arrow_type(&c.physical), true)).collect::<Vec<_>>();
        let table = MemTable::try_new(Arc::new(Schema::new(fields)), vec![vec![]]);
        Ok(provider_as_source(Arc::new(table.map_err(from_datafusion)?)))
    }
}

fn bind(sql: &str) -> Result<Bound> {
    let statements = crate::parse::parse(sql)?;
    let eval = eval();
    Binder::new(BindContext {
        catalog: Arc::new(catalog()),
        search_path: vec!["public".to_owned()],
        relations: &Tables,
        eval: &eval,
        param_types: Vec::new(),
    })
    .bind(&statements[0])
}

pub(super) fn bound(sql: &str) -> Result<BoundQuery> {
    match bind(sql)? {
        Bound::Query(query) | Bound::Modify(query) => Ok(query),
        Bound::Utility(_) => Err(Error::bug("utility")),
    }
}

pub(super) fn describe(error: &Error) -> String {
    let mut text = format!("{} {}", error.code(), error.message());
    if let Some(position) = error.position() {
        let _ = write!(text, " @{position}");
    }
    if let Some(hint) = error.hint() {
        let _ = write!(text, "\nhint: {hint}");
    }
    text
}

async fn run(
    plan: datafusion::logical_expr::LogicalPlan,
) -> datafusion::common::Result<Vec<RecordBatch>> {
    let mut config = SessionConfig::new().with_target_partitions(2);
    config.options_mut().extensions.insert(EvalExtension(Arc::new(eval())));
    let state = SessionStateBuilder::new().with_config(config).with_default_features().build();
    let context = SessionContext::new_with_state(state);
    // Nothing may be left for type coercion to do.
    let analyzed = datafusion::optimizer::analyzer::type_coercion::TypeCoercion::new();
    let options = context.copied_config().options().clone();
    let coerced = datafusion::optimizer::AnalyzerRule::analyze(&analyzed, plan.clone(), &options)?;
    let (before, after) = (format!("{plan}"), format!("{coerced}"));
    if before != after {
        return Err(datafusion::common::DataFusionError::Plan(format!(
            "type coercion changed\n{before}\nto\n{after}"
        )));
    }
    context.execute_logical_plan(plan).await?.collect().await
}

/// Binds and runs a query; its result as text.
pub(super) fn result(sql: &str) -> String {
    let query = match bound(sql) {
        Ok(query) => query,
        Err(error) => return describe(&error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let batches = match runtime {
        Ok(runtime) => runtime.block_on(run(query.plan)),
        Err(error) => return error.to_string(),
    };
    let batches = match batches.map_err(from_datafusion) {
        Ok(batches) => batches,
        Err(error) => return describe(&error),
    };
    let names = query.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>();
    let mut text = names.join("|");
    for batch in batches {
        for row in 0..batch.num_rows() {
            text.push('\n');
            for (index, field) in query.fields.iter().enumerate() {
                if index > 0 {
                    text.push('|');
                }
                let array = batch.column(index);
                match datum_at(array.as_ref(), &physical_of(field.data_type.oid), row) {
                    Ok(Datum::Null) => text.push('~'),
                    Ok(value) => {
                        let out = io::text_out(&eval(), field.data_type, &value, &mut text);
                        if let Err(error) = out {
                            text += &describe(&error);
                        }
                    }
                    Err(error) => text += &describe(&error),
                }
            }
        }
    }
    text
}

pub(super) fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&result(sql));
}

pub(super) fn plan(sql: &str) -> String {
    match bound(sql) {
        Ok(query) => format!("{}", query.plan.display_indent()),
        Err(error) => describe(&error),
    }
}
