//! Tests of binding, run through DataFusion over small tables in memory.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use datafusion::{
    datasource::{MemTable, provider_as_source},
    execution::{SessionStateBuilder, context::SessionContext},
    logical_expr::TableSource,
    prelude::SessionConfig,
};
use expect_test::{Expect, expect};
use oxi_base::{Error, Result};
use oxi_catalog::{Catalog, SystemRelation};
use oxi_model::{
    Datum, PhysicalType,
    array::{array_from_datums, arrow_type, datum_at},
    descriptor::*,
};
use oxi_types::{EvalContext, io, oid};

use crate::{
    bind::{BindContext, Binder, Bound, BoundQuery, Relations},
    function::{EvalExtension, error::from_datafusion, value::physical_of},
    plan::ModifyNode,
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
                },
                ConstraintDescriptor {
                    oid: oid + 3,
                    name: format!("{name}_check"),
                    kind: ConstraintKind::Check { expression: "id > 0".to_owned() },
                },
            ],
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

    fn system(&self, _: &'static SystemRelation) -> Result<Arc<dyn TableSource>> {
        Err(Error::unsupported("system relations"))
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

fn bound(sql: &str) -> Result<BoundQuery> {
    match bind(sql)? {
        Bound::Query(query) | Bound::Modify(query) => Ok(query),
        Bound::Utility(_) => Err(Error::bug("utility")),
    }
}

fn describe(error: &Error) -> String {
    let mut text = format!("{} {}", error.code(), error.message());
    if let Some(position) = error.position() {
        text += &format!(" @{position}");
    }
    if let Some(hint) = error.hint() {
        text += &format!("\nhint: {hint}");
    }
    text
}

async fn run(plan: datafusion::logical_expr::LogicalPlan) -> datafusion::common::Result<Vec<RecordBatch>> {
    let mut config = SessionConfig::new().with_target_partitions(2);
    config
        .options_mut()
        .extensions
        .insert(EvalExtension(Arc::new(eval())));
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
fn result(sql: &str) -> String {
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

fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&result(sql));
}

fn plan(sql: &str) -> String {
    match bound(sql) {
        Ok(query) => format!("{}", query.plan.display_indent()),
        Err(error) => describe(&error),
    }
}

#[test]
fn literals_and_operators() {
    check("SELECT 1 + 1, 'a' || 'b', 1.5 + 2, 7 / 2, NULL, 'x' AS y", expect![[""]]);
    check("SELECT 2147483647 + 1", expect![[""]]);
    check("SELECT 1 / 0", expect![[""]]);
    check("SELECT 1 + 'x'", expect![[""]]);
    check("SELECT 1 + true", expect![[""]]);
    check("SELECT '2024-02-29'::date + 1, 'abc'::varchar(2), 1::int8, '5'::numeric(4,2)", expect![[""]]);
    check("SELECT CASE WHEN true THEN 1 ELSE 2.5 END, coalesce(NULL, 3), nullif(1, 1), greatest(1, 3.5)", expect![[""]]);
    check("SELECT 1 IN (1, 2), 3 NOT IN (1, NULL), 2 BETWEEN 1 AND 3, (1, 2) < (1, 3)", expect![[""]]);
    check("SELECT ARRAY[1,2,3], (ARRAY[1,2,3])[2], 2 = ANY('{1,2}'::int[]), ARRAY[[1],[2]]", expect![[""]]);
    check("SELECT upper('x'), length('abc'), abs(-1), foo(1)", expect![[""]]);
    check("SELECT foo(1)", expect![[""]]);
}

#[test]
fn selects() {
    check("SELECT * FROM t ORDER BY id", expect![[""]]);
    check("SELECT id, amount FROM t WHERE amount = 10.5 ORDER BY 1 DESC", expect![[""]]);
    check("SELECT name FROM t ORDER BY name DESC LIMIT 2", expect![[""]]);
    check("SELECT t.id, u.id FROM t JOIN u ON t.id = u.t_id ORDER BY 1, 2", expect![[""]]);
    check("SELECT id, t_id FROM t LEFT JOIN u USING (id) ORDER BY id", expect![[""]]);
    check("SELECT * FROM v ORDER BY twice NULLS FIRST, id", expect![[""]]);
    check("SELECT id FROM t WHERE id IN (SELECT t_id FROM u) ORDER BY id", expect![[""]]);
    check("SELECT id, (SELECT count(*) FROM u WHERE u.t_id = t.id) FROM t ORDER BY id", expect![[""]]);
    check("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.t_id = t.id) ORDER BY id", expect![[""]]);
    check("SELECT (SELECT id FROM t)", expect![[""]]);
    check("SELECT DISTINCT amount FROM t ORDER BY amount", expect![[""]]);
    check("SELECT DISTINCT ON (t_id) t_id, id FROM u ORDER BY t_id, id DESC", expect![[""]]);
}

#[test]
fn groups() {
    check("SELECT amount, count(*) FROM t GROUP BY amount ORDER BY amount", expect![[""]]);
    check("SELECT sum(id), avg(id), min(name), max(amount), sum(amount), count(name) FROM t", expect![[""]]);
    check("SELECT state, sum(id) FROM t GROUP BY 1 HAVING sum(id) > 1 ORDER BY 2", expect![[""]]);
    check("SELECT id, name FROM t GROUP BY id ORDER BY id", expect![[""]]);
    check("SELECT name, state FROM t GROUP BY state", expect![[""]]);
    check("SELECT state, amount, count(*), grouping(state) FROM t GROUP BY ROLLUP (state, amount) ORDER BY 1, 2, 3", expect![[""]]);
    check("SELECT array_agg(id ORDER BY id DESC), string_agg(name, ',' ORDER BY name) FROM t", expect![[""]]);
    check("SELECT count(DISTINCT amount), array_agg(DISTINCT state) FROM t", expect![[""]]);
    check("SELECT upper(name), count(*) FILTER (WHERE id > 1) FROM t GROUP BY upper(name) ORDER BY 1", expect![[""]]);
    check("SELECT count(*) FROM t WHERE count(*) > 1", expect![[""]]);
}

#[test]
fn windows_and_sets() {
    check("SELECT id, row_number() OVER (ORDER BY amount DESC, id), sum(id) OVER (ORDER BY id) FROM t ORDER BY id", expect![[""]]);
    check("SELECT id, lag(name) OVER w, rank() OVER w FROM t WINDOW w AS (ORDER BY state, amount) ORDER BY id", expect![[""]]);
    check("SELECT id, sum(amount) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t ORDER BY id", expect![[""]]);
    check("SELECT 1 UNION SELECT 1.0 UNION ALL SELECT 2 ORDER BY 1", expect![[""]]);
    check("SELECT id FROM t INTERSECT SELECT t_id FROM u ORDER BY 1", expect![[""]]);
    check("SELECT amount FROM t EXCEPT ALL SELECT 10.5 ORDER BY 1", expect![[""]]);
    check("VALUES (1, 'a'), (2, NULL)", expect![[""]]);
    check("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT i FROM n ORDER BY i", expect![[""]]);
    check("WITH x AS (SELECT id FROM t) SELECT count(*) FROM x a, x b", expect![[""]]);
    check("SELECT * FROM generate_series(1, 3) AS g(n)", expect![[""]]);
    check("SELECT id, unnest(tags) FROM u ORDER BY id", expect![[""]]);
    check("SELECT u.id, x, n FROM u, unnest(tags) WITH ORDINALITY AS y(x, n) ORDER BY 1, 3", expect![[""]]);
    check("SELECT u.id, x FROM u LEFT JOIN LATERAL unnest(tags) AS y(x) ON true ORDER BY 1, 2", expect![[""]]);
    check("SELECT t.id, z.m FROM t, LATERAL (SELECT max(u.id) AS m FROM u WHERE u.t_id = t.id) z ORDER BY 1", expect![[""]]);
    check("SELECT ARRAY(SELECT id FROM t ORDER BY id DESC)", expect![[""]]);
}

#[test]
fn errors() {
    for (sql, expected) in [
        ("SELECT idd FROM t", expect![[""]]),
        ("SELECT t.nam FROM t", expect![[""]]),
        ("SELECT * FROM tt", expect![[""]]),
        ("SELECT id FROM t, u", expect![[""]]),
        ("SELECT x.id FROM t", expect![[""]]),
        ("SELECT 1 WHERE 'x'", expect![[""]]),
        ("SELECT 1 WHERE 1", expect![[""]]),
        ("SELECT $1", expect![[""]]),
        ("SELECT $2 + 1", expect![[""]]),
        ("SELECT 'x'::int", expect![[""]]),
        ("SELECT 1 UNION SELECT true", expect![[""]]),
        ("SELECT id FROM t ORDER BY 2", expect![[""]]),
        ("SELECT '1'::int::date", expect![[""]]),
        ("INSERT INTO t (id, nope) VALUES (1, 2)", expect![[""]]),
        ("INSERT INTO t (id) VALUES (true)", expect![[""]]),
        ("INSERT INTO t (id) VALUES (1, 2)", expect![[""]]),
    ] {
        expected.assert_eq(&result(sql));
    }
}

#[test]
fn modifications() {
    for (sql, expected) in [
        ("INSERT INTO t (id, name, amount) VALUES (1, 'x', 1.005), (2, DEFAULT, '3')", expect![[""]]),
        ("INSERT INTO t SELECT id, 'x' FROM u RETURNING id, upper(name)", expect![[""]]),
        ("INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name, amount = t.amount + 1 WHERE t.id > 1", expect![[""]]),
        ("UPDATE t SET name = upper(name), amount = (SELECT max(ratio) FROM u) WHERE id = $1 RETURNING *", expect![[""]]),
        ("UPDATE t x SET name = u.day FROM u WHERE u.t_id = x.id", expect![[""]]),
        ("DELETE FROM t USING u WHERE t.id = u.t_id AND t.id IN (SELECT 1)", expect![[""]]),
    ] {
        expected.assert_eq(&plan(sql));
    }
}

#[test]
fn parameters_reach_everywhere() {
    let query = bound("UPDATE t SET name = $1 WHERE id = $2 AND id IN (SELECT $3::int)").expect("binds");
    assert_eq!(query.parameters, vec![oid::TEXT, oid::INT4, oid::INT4]);
    let values = [Datum::text("x"), Datum::Int32(1), Datum::Int32(2)];
    let plan = crate::plan::substitute(query.plan, &values, &query.parameters).expect("substitutes");
    assert!(!format!("{plan}").contains('$'), "{plan}");
    let node = ModifyNode::of(&plan).expect("a modification");
    let left = node
        .any_row_expression(&mut |expr| matches!(expr, datafusion::logical_expr::Expr::Placeholder(_)))
        .expect("walks");
    assert!(!left);
    let _ = PhysicalType::Bool;
}
