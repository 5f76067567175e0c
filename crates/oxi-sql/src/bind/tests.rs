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
    check(
        "SELECT 1 + 1, 'a' || 'b', 1.5 + 2, 7 / 2, NULL, 'x' AS y",
        expect![[r#"
        ?column?|?column?|?column?|?column?|?column?|y
        2|ab|3.5|3|~|x"#]],
    );
    check("SELECT 2147483647 + 1", expect!["22003 integer out of range"]);
    check("SELECT 1 / 0", expect!["22012 division by zero"]);
    check("SELECT 1 + 'x'", expect![[r#"22P02 invalid input syntax for type integer: "x" @11"#]]);
    check(
        "SELECT 1 + true",
        expect![[r#"
        42883 operator does not exist: integer + boolean @9
        hint: No operator matches the given name and argument types. You might need to add explicit type casts."#]],
    );
    check(
        "SELECT '2024-02-29'::date + 1, 'abc'::varchar(2), 1::int8, '5'::numeric(4,2)",
        expect![[r#"
        ?column?|varchar|int8|numeric
        2024-03-01|ab|1|5.00"#]],
    );
    check(
        "SELECT CASE WHEN true THEN 1 ELSE 2.5 END, coalesce(NULL, 3), nullif(1, 1), greatest(1, 3.5)",
        expect![[r#"
        case|coalesce|nullif|greatest
        1|3|~|3.5"#]],
    );
    check(
        "SELECT 1 IN (1, 2), 3 NOT IN (1, NULL), 2 BETWEEN 1 AND 3, (1, 2) < (1, 3)",
        expect![[r#"
        ?column?|?column?|?column?|?column?
        t|~|t|t"#]],
    );
    check(
        "SELECT ARRAY[1,2,3], (ARRAY[1,2,3])[2], 2 = ANY('{1,2}'::int[]), ARRAY[[1],[2]]",
        expect![[r#"
        array|array|?column?|array
        {1,2,3}|2|t|{{1},{2}}"#]],
    );
    check(
        "SELECT upper('x'), length('abc'), abs(-1), foo(1)",
        expect![[r#"
        42883 function foo(integer) does not exist @43
        hint: No function matches the given name and argument types. You might need to add explicit type casts."#]],
    );
    check(
        "SELECT foo(1)",
        expect![[r#"
        42883 function foo(integer) does not exist @7
        hint: No function matches the given name and argument types. You might need to add explicit type casts."#]],
    );
}

#[test]
fn selects() {
    check(
        "SELECT * FROM t ORDER BY id",
        expect![[r#"
        id|name|amount|state
        1|ann|10.50|new
        2|bob|2.00|old
        3|cid|10.50|~
        4|~|~|old"#]],
    );
    check(
        "SELECT id, amount FROM t WHERE amount = 10.5 ORDER BY 1 DESC",
        expect![[r#"
        id|amount
        3|10.50
        1|10.50"#]],
    );
    check(
        "SELECT name FROM t ORDER BY name DESC LIMIT 2",
        expect![[r#"
        name
        ~
        cid"#]],
    );
    check(
        "SELECT t.id, u.id FROM t JOIN u ON t.id = u.t_id ORDER BY 1, 2",
        expect![[r#"
        id|id
        1|1
        1|2
        2|3"#]],
    );
    check(
        "SELECT id, t_id FROM t LEFT JOIN u USING (id) ORDER BY id",
        expect![[r#"
        id|t_id
        1|1
        2|1
        3|2
        4|9"#]],
    );
    check(
        "SELECT * FROM v ORDER BY twice NULLS FIRST, id",
        expect![[r#"
        id|twice
        4|~
        2|4.00
        1|21.00
        3|21.00"#]],
    );
    check(
        "SELECT id FROM t WHERE id IN (SELECT t_id FROM u) ORDER BY id",
        expect![[r#"
        id
        1
        2"#]],
    );
    check(
        "SELECT id, (SELECT count(*) FROM u WHERE u.t_id = t.id) FROM t ORDER BY id",
        expect![[r#"
        id|count
        1|2
        2|1
        3|0
        4|0"#]],
    );
    check(
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.t_id = t.id) ORDER BY id",
        expect![[r#"
        id
        1
        2"#]],
    );
    check(
        "SELECT (SELECT id FROM t)",
        expect!["21000 more than one row returned by a subquery used as an expression"],
    );
    check(
        "SELECT DISTINCT amount FROM t ORDER BY amount",
        expect![[r#"
        amount
        2.00
        10.50
        ~"#]],
    );
    check(
        "SELECT DISTINCT ON (t_id) t_id, id FROM u ORDER BY t_id, id DESC",
        expect![[r#"
        t_id|id
        1|2
        2|3
        9|4"#]],
    );
}

#[test]
fn groups() {
    check(
        "SELECT amount, count(*) FROM t GROUP BY amount ORDER BY amount",
        expect![[r#"
        amount|count
        2.00|1
        10.50|2
        ~|1"#]],
    );
    check(
        "SELECT sum(id), avg(id), min(name), max(amount), sum(amount), count(name) FROM t",
        expect![[r#"
        sum|avg|min|max|sum|count
        10|2.5000000000000000|ann|10.50|23.00|3"#]],
    );
    check(
        "SELECT state, sum(id) FROM t GROUP BY 1 HAVING sum(id) > 1 ORDER BY 2",
        expect![[r#"
        state|sum
        ~|3
        old|6"#]],
    );
    check(
        "SELECT id, name FROM t GROUP BY id ORDER BY id",
        expect![[r#"
        id|name
        1|ann
        2|bob
        3|cid
        4|~"#]],
    );
    check(
        "SELECT name, state FROM t GROUP BY state",
        expect![[
            r#"42803 column "t.name" must appear in the GROUP BY clause or be used in an aggregate function @7"#
        ]],
    );
    check(
        "SELECT state, amount, count(*), grouping(state) FROM t GROUP BY ROLLUP (state, amount) ORDER BY 1, 2, 3",
        expect![[r#"
        state|amount|count|grouping
        new|10.50|1|0
        new|~|1|0
        old|2.00|1|0
        old|~|1|0
        old|~|2|0
        ~|10.50|1|0
        ~|~|1|0
        ~|~|4|1"#]],
    );
    check(
        "SELECT array_agg(id ORDER BY id DESC), string_agg(name, ',' ORDER BY name) FROM t",
        expect![[r#"
        array_agg|string_agg
        {4,3,2,1}|ann,bob,cid"#]],
    );
    check(
        "SELECT count(DISTINCT amount), array_agg(DISTINCT state) FROM t",
        expect![[r#"
        count|array_agg
        2|{new,old,NULL}"#]],
    );
    check(
        "SELECT upper(name), count(*) FILTER (WHERE id > 1) FROM t GROUP BY upper(name) ORDER BY 1",
        expect![[r#"
        upper|count
        ANN|0
        BOB|1
        CID|1
        ~|1"#]],
    );
    check(
        "SELECT count(*) FROM t WHERE count(*) > 1",
        expect!["42803 aggregate functions are not allowed in WHERE @29"],
    );
}

#[test]
fn windows_and_sets() {
    check(
        "SELECT id, row_number() OVER (ORDER BY amount DESC, id), sum(id) OVER (ORDER BY id) FROM t ORDER BY id",
        expect![[r#"
        id|row_number|sum
        1|2|1
        2|4|3
        3|3|6
        4|1|10"#]],
    );
    check(
        "SELECT id, lag(name) OVER w, rank() OVER w FROM t WINDOW w AS (ORDER BY state, amount) ORDER BY id",
        expect![[r#"
        id|lag|rank
        1|~|1
        2|ann|2
        3|~|4
        4|bob|3"#]],
    );
    check(
        "SELECT id, sum(amount) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t ORDER BY id",
        expect![[r#"
        id|sum
        1|10.50
        2|12.50
        3|12.50
        4|10.50"#]],
    );
    check(
        "SELECT 1 UNION SELECT 1.0 UNION ALL SELECT 2 ORDER BY 1",
        expect![[r#"
        ?column?
        1
        2"#]],
    );
    check(
        "SELECT id FROM t INTERSECT SELECT t_id FROM u ORDER BY 1",
        expect![[r#"
        id
        1
        2"#]],
    );
    check(
        "SELECT amount FROM t EXCEPT ALL SELECT 10.5 ORDER BY 1",
        expect![[r#"
        amount
        2.00
        10.50
        ~"#]],
    );
    check(
        "VALUES (1, 'a'), (2, NULL)",
        expect![[r#"
        column1|column2
        1|a
        2|~"#]],
    );
    check(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT i FROM n ORDER BY i",
        expect![[r#"
        i
        1
        2
        3
        4"#]],
    );
    check(
        "WITH x AS (SELECT id FROM t) SELECT count(*) FROM x a, x b",
        expect![[r#"
        count
        16"#]],
    );
    check(
        "SELECT * FROM generate_series(1, 3) AS g(n)",
        expect![[r#"
        n
        1
        2
        3"#]],
    );
    check(
        "SELECT id, unnest(tags) FROM u ORDER BY id",
        expect![[r#"
        42883 function unnest(text[]) does not exist @11
        hint: No function matches the given name and argument types. You might need to add explicit type casts."#]],
    );
    check(
        "SELECT u.id, x, n FROM u, unnest(tags) WITH ORDINALITY AS y(x, n) ORDER BY 1, 3",
        expect![[r#"
        42883 function unnest(text[]) does not exist @26
        hint: No function matches the given name and argument types. You might need to add explicit type casts."#]],
    );
    check(
        "SELECT u.id, x FROM u LEFT JOIN LATERAL unnest(tags) AS y(x) ON true ORDER BY 1, 2",
        expect![[r#"
        42883 function unnest(text[]) does not exist @40
        hint: No function matches the given name and argument types. You might need to add explicit type casts."#]],
    );
    check(
        "SELECT t.id, z.m FROM t, LATERAL (SELECT max(u.id) AS m FROM u WHERE u.t_id = t.id) z ORDER BY 1",
        expect![[r#"
        id|m
        1|2
        2|3
        3|~
        4|~"#]],
    );
    check(
        "SELECT ARRAY(SELECT id FROM t ORDER BY id DESC)",
        expect![[r#"
        array
        {4,3,2,1}"#]],
    );
}

#[test]
fn errors() {
    for (sql, expected) in [
        (
            "SELECT idd FROM t",
            expect![[r#"
            42703 column "idd" does not exist @7
            hint: Perhaps you meant to reference the column "t.id"."#]],
        ),
        (
            "SELECT t.nam FROM t",
            expect![[r#"
            42703 column t.nam does not exist @7
            hint: Perhaps you meant to reference the column "t.name"."#]],
        ),
        (
            "SELECT * FROM tt",
            expect![[r#"
            42P01 relation "tt" does not exist @14
            hint: Perhaps you meant the relation "t"."#]],
        ),
        ("SELECT id FROM t, u", expect![[r#"42702 column reference "id" is ambiguous @7"#]]),
        ("SELECT x.id FROM t", expect![[r#"42P01 missing FROM-clause entry for table "x" @7"#]]),
        (
            "SELECT 1 WHERE 'x'",
            expect![[r#"22P02 invalid input syntax for type boolean: "x" @15"#]],
        ),
        (
            "SELECT 1 WHERE 1",
            expect!["42804 argument of WHERE must be type boolean, not type integer @15"],
        ),
        (
            "SELECT $1",
            expect![
                "XX000 Execution error: Placeholder '$1' was not provided a value for execution. (at crates/oxi-sql/src/function/error.rs:38)"
            ],
        ),
        ("SELECT $2 + 1", expect!["42P18 could not determine data type of parameter $1"]),
        ("SELECT 'x'::int", expect![[r#"22P02 invalid input syntax for type integer: "x" @7"#]]),
        (
            "SELECT 1 UNION SELECT true",
            expect!["42804 UNION types integer and boolean cannot be matched @15"],
        ),
        (
            "SELECT id FROM t ORDER BY 2",
            expect!["42P10 ORDER BY position 2 is not in select list @26"],
        ),
        ("SELECT '1'::int::date", expect!["42846 cannot cast type integer to date @7"]),
        (
            "INSERT INTO t (id, nope) VALUES (1, 2)",
            expect![[r#"42703 column "nope" of relation "t" does not exist @19"#]],
        ),
        (
            "INSERT INTO t (id) VALUES (true)",
            expect![[r#"
            42804 column "id" is of type integer but expression is of type boolean @27
            hint: You will need to rewrite or cast the expression."#]],
        ),
        (
            "INSERT INTO t (id) VALUES (1, 2)",
            expect!["42601 INSERT has more expressions than target columns @26"],
        ),
    ] {
        expected.assert_eq(&result(sql));
    }
}

#[test]
fn modifications() {
    for (sql, expected) in [
        (
            "INSERT INTO t (id, name, amount) VALUES (1, 'x', 1.005), (2, DEFAULT, '3')",
            expect![[r#"
            Insert: t check t_check: t.id > Int32(0)
              Projection: __given_0 AS id, __given_1 AS name, __given_2 AS amount, Utf8View("new") AS state
                Values: (Int32(1), Utf8View("x"), BinaryView("64,128,0,1,2,2,0,0,2")), (Int32(2), Utf8View(NULL), BinaryView("64,128,0,1,4,0,0,2"))"#]],
        ),
        (
            "INSERT INTO t SELECT id, 'x' FROM u RETURNING id, upper(name)",
            expect![[r#"
            Insert: t check t_check: t.id > Int32(0) returning t.id AS returning_0, upper(t.name) AS returning_1
              Projection: __given_0 AS id, __given_1 AS name, BinaryView(NULL) AS amount, Utf8View("new") AS state
                Projection: id AS __given_0, ?column? AS __given_1
                  Projection: u.id AS id, Utf8View("x") AS ?column?
                    TableScan: u"#]],
        ),
        (
            "INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name, amount = t.amount + 1 WHERE t.id > 1",
            expect![[r#"
            Insert: t on conflict update #1 = excluded.name, #2 = numeric(10,2)(numeric_add(t.amount, BinaryView("64,128,0,1,2,0,0,0"))) where t.id > Int32(1) check t_check: t.id > Int32(0)
              Projection: __given_0 AS id, __given_1 AS name, BinaryView(NULL) AS amount, Utf8View("new") AS state
                Projection: $1 AS __given_0, $2 AS __given_1
                  EmptyRelation: rows=1"#]],
        ),
        (
            "UPDATE t SET name = upper(name), amount = (SELECT max(ratio) FROM u) WHERE id = $1 RETURNING *",
            expect![[r#"
            Update: t set #1 = upper(t.name), #2 = numeric(10,2)(numeric(__value_2)) recheck t.id = $1 check t_check: t.id > Int32(0) returning t.id AS returning_0, t.name AS returning_1, t.amount AS returning_2, t.state AS returning_3
              Projection: t.__row_id, t.id, t.name, t.amount, t.state, __value_2
                Projection: t.id, t.name, t.amount, t.state, t.__row_id, (<subquery>) AS __value_2
                  Subquery:
                    Projection: __agg_1 AS max
                      Projection: __agg_1
                        Aggregate: groupBy=[[]], aggr=[[max(u.ratio) AS __agg_1]]
                          TableScan: u
                  Filter: t.id = $1
                    TableScan: t"#]],
        ),
        (
            "UPDATE t x SET name = u.day FROM u WHERE u.t_id = x.id",
            expect![[r#"
            Update: t set #1 = text(u.day) recheck u.t_id = CAST(x.id AS Int64) check t_check: x.id > Int32(0)
              Projection: x.__row_id, x.id, x.name, x.amount, x.state, u.id, u.t_id, u.day, u.ratio, u.tags
                Filter: u.t_id = CAST(x.id AS Int64)
                  Cross Join:
                    TableScan: x
                    TableScan: u"#]],
        ),
        (
            "DELETE FROM t USING u WHERE t.id = u.t_id AND t.id IN (SELECT 1)",
            expect![[r#"
            Delete: t recheck CAST(t.id AS Int64) = u.t_id
              Projection: t.__row_id, t.id, t.name, t.amount, t.state, u.id, u.t_id, u.day, u.ratio, u.tags
                Filter: CAST(t.id AS Int64) = u.t_id AND t.id IN (<subquery>)
                  Subquery:
                    Projection: Int32(1) AS ?column?
                      EmptyRelation: rows=1
                  Cross Join:
                    TableScan: t
                    TableScan: u"#]],
        ),
    ] {
        expected.assert_eq(&plan(sql));
    }
}

#[test]
fn more_queries() {
    check(
        "SELECT count(*), state FROM t GROUP BY state ORDER BY count(*) DESC, state LIMIT 1 + 1",
        expect![[r#"
        count|state
        2|old
        1|new"#]],
    );
    check(
        "SELECT ratio, count(*) FROM u GROUP BY ratio ORDER BY ratio",
        expect![[r#"
        ratio|count
        -0|2
        0.5|1
        1.5|1"#]],
    );
    check(
        "SELECT id FROM t WHERE amount IN (10.5, 3) AND name LIKE 'a%'",
        expect![[r#"
        id
        1"#]],
    );
    check(
        "SELECT id FROM t x WHERE amount = (SELECT max(amount) FROM t y WHERE y.state = x.state)",
        expect![[r#"
        id
        1
        2"#]],
    );
    check(
        "SELECT id FROM t WHERE id NOT IN (SELECT t_id FROM u) ORDER BY id",
        expect![[r#"
        id
        3
        4"#]],
    );
    check(
        "SELECT id FROM t WHERE id > ALL (SELECT t_id FROM u WHERE t_id < 3)",
        expect![[r#"
        id
        3
        4"#]],
    );
    check(
        "SELECT (SELECT name FROM t WHERE t.id = u.t_id) FROM u ORDER BY u.id",
        expect![[r#"
        name
        ann
        ann
        bob
        ~"#]],
    );
    check(
        "SELECT u.t_id, (SELECT max(name) FROM t WHERE t.id = u.t_id) FROM u GROUP BY u.t_id ORDER BY 1",
        expect![[r#"
        t_id|max
        1|ann
        2|bob
        9|~"#]],
    );
    check(
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS q(n, s) WHERE n > 1",
        expect![[r#"
        n|s
        2|b"#]],
    );
    check(
        "SELECT tags, tags[1] FROM u ORDER BY tags",
        expect![[r#"42702 ORDER BY "tags" is ambiguous @37"#]],
    );
    check(
        "SELECT 'a' LIKE 'A', 'a' ILIKE 'A', 'abc' ~ '^a', NOT NULL IS NULL",
        expect![[r#"
        ?column?|?column?|?column?|?column?
        f|t|t|f"#]],
    );
    check(
        "SELECT sum(x) FROM (SELECT 1 AS x UNION ALL SELECT NULL) q",
        expect![[r#"
        sum
        1"#]],
    );
    check(
        "SELECT id, name FROM t WHERE name IS DISTINCT FROM 'ann' AND amount IS NOT NULL ORDER BY id DESC",
        expect![[r#"
        id|name
        3|cid
        2|bob"#]],
    );
    check(
        "SELECT extract(year FROM day), day + 1, day - '2024-01-01'::date FROM u WHERE day IS NOT NULL ORDER BY day",
        expect![[r#"
        extract|?column?|?column?
        2020|2020-01-02|-1461
        2024|2024-03-01|59
        2024|2024-03-02|60"#]],
    );
    check(
        "SELECT now() = now(), current_date, now()::date",
        expect![[r#"
        ?column?|current_date|now
        t|2023-11-14|2023-11-14"#]],
    );
    check(
        "SELECT a.id FROM t a FULL JOIN u b ON a.id = b.t_id AND a.amount > 5 ORDER BY a.id NULLS FIRST, b.id",
        expect![[r#"
        id
        ~
        ~
        1
        1
        2
        3
        4"#]],
    );
    check(
        "SELECT max(amount) OVER (), ntile(2) OVER (ORDER BY id) FROM t ORDER BY id",
        expect![[r#"
        max|ntile
        10.50|1
        10.50|1
        10.50|2
        10.50|2"#]],
    );
    check(
        "SELECT generate_series(1, 2), generate_series(1, 3)",
        expect![[r#"
        generate_series|generate_series
        1|1
        2|2
        ~|3"#]],
    );
    check(
        "SELECT x FROM generate_series(1, 2) x, generate_series(1, x) y ORDER BY 1",
        expect![[r#"
        x
        1
        2
        2"#]],
    );
    check(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ratio), bool_or(id > 3), avg(ratio) FROM u",
        expect![[r#"
        percentile_cont|bool_or|avg
        0.25|t|0.5"#]],
    );
    check(
        "SELECT id FROM t UNION SELECT id FROM u EXCEPT SELECT 1 ORDER BY id LIMIT 2 OFFSET 1",
        expect![[r#"
        id
        3
        4"#]],
    );
    check(
        "SELECT DISTINCT state, upper(state) FROM t ORDER BY upper(state)",
        expect![[r#"
        state|upper
        new|NEW
        old|OLD
        ~|~"#]],
    );
    check("SELECT name FROM t GROUP BY name HAVING count(*) > 1", expect!["name"]);
    check(
        "SELECT sum(sum(id)) OVER (ORDER BY state) FROM t GROUP BY state ORDER BY 1",
        expect![[r#"
        sum
        1
        7
        10"#]],
    );
    check(
        "SELECT avg(amount), stddev(id), sum(id::int8) FROM t",
        expect![[r#"
        avg|stddev|sum
        7.6666666666666667|1.2909944487358056|10"#]],
    );
    check(
        "SELECT id FROM t NATURAL JOIN (SELECT id FROM u WHERE id < 3) z ORDER BY 1",
        expect![[r#"
        id
        1
        2"#]],
    );
    check(
        "SELECT t.* FROM t WHERE (id, name) IN (SELECT 1, 'ann')",
        expect![[r#"
        id|name|amount|state
        1|ann|10.50|new"#]],
    );
    check(
        "SELECT CASE WHEN id = 1 THEN 'one' END FROM t ORDER BY 1",
        expect![[r#"
        case
        one
        ~
        ~
        ~"#]],
    );
    check("SELECT 1 FROM t LIMIT -1", expect!["2201W LIMIT must not be negative"]);
}

#[test]
fn parameters_reach_everywhere() {
    let query =
        bound("UPDATE t SET name = $1 WHERE id = $2 AND id IN (SELECT $3::int)").expect("binds");
    assert_eq!(query.parameters, vec![oid::TEXT, oid::INT4, oid::INT4]);
    let values = [Datum::text("x"), Datum::Int32(1), Datum::Int32(2)];
    let plan =
        crate::plan::substitute(query.plan, &values, &query.parameters).expect("substitutes");
    assert!(!format!("{plan}").contains('$'), "{plan}");
    let node = ModifyNode::of(&plan).expect("a modification");
    let left = node
        .any_row_expression(&mut |expr| {
            matches!(expr, datafusion::logical_expr::Expr::Placeholder(_))
        })
        .expect("walks");
    assert!(!left);
    let _ = PhysicalType::Bool;
}
