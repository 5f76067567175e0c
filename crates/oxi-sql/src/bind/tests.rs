//! Tests of binding, run through DataFusion over small tables in memory.

mod harness;

use expect_test::expect;
use oxi_model::Datum;
use oxi_types::oid;

use crate::plan::ModifyNode;
use harness::{bound, check, plan, result};

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
        "WITH x AS NOT MATERIALIZED (SELECT id FROM t) SELECT count(*) FROM x a, x b",
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
            id|unnest
            1|a
            1|b
            4|c"#]],
    );
    check(
        "SELECT u.id, x, n FROM u, unnest(tags) WITH ORDINALITY AS y(x, n) ORDER BY 1, 3",
        expect![[r#"
            id|x|n
            1|a|1
            1|b|2
            4|c|1"#]],
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
    check(
        "SELECT id, (SELECT name FROM t WHERE t.id = u.t_id AND u.id > 1) FROM u ORDER BY id",
        expect![[r#"
        id|name
        1|~
        2|ann
        3|bob
        4|~"#]],
    );
    check("SELECT 1 FROM t LIMIT -1", expect!["2201W LIMIT must not be negative"]);
}

#[test]
fn catalog_queries_of_clients() {
    for sql in [
        r#"SELECT n.nspname as "Schema", c.relname as "Name",
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'i' THEN 'index' END as "Type",
  pg_catalog.pg_get_userbyid(c.relowner) as "Owner"
FROM pg_catalog.pg_class c
     LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
WHERE c.relkind IN ('r','p','v','m','S','f','')
      AND n.nspname <> 'pg_catalog'
      AND n.nspname !~ '^pg_toast'
      AND n.nspname <> 'information_schema'
  AND pg_catalog.pg_table_is_visible(c.oid)
ORDER BY 1,2"#,
        r#"SELECT c.oid, n.nspname, c.relname
FROM pg_catalog.pg_class c
     LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname OPERATOR(pg_catalog.~) '^(t)$' COLLATE pg_catalog.default
  AND pg_catalog.pg_table_is_visible(c.oid)
ORDER BY 2, 3"#,
        r#"SELECT c.relchecks, c.relkind, c.relhasindex, c.relhasrules, c.relhastriggers, c.relrowsecurity, c.relforcerowsecurity, false AS relhasoids, c.relispartition, '', c.reltablespace, CASE WHEN c.reloftype = 0 THEN '' ELSE c.reloftype::pg_catalog.regtype::pg_catalog.text END, c.relpersistence, c.relreplident, am.amname
FROM pg_catalog.pg_class c
 LEFT JOIN pg_catalog.pg_class tc ON (c.reltoastrelid = tc.oid)
LEFT JOIN pg_catalog.pg_am am ON (c.relam = am.oid)
WHERE c.oid = '16384'"#,
        r#"SELECT a.attname,
  pg_catalog.format_type(a.atttypid, a.atttypmod),
  (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true)
   FROM pg_catalog.pg_attrdef d
   WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef),
  a.attnotnull,
  a.attidentity, a.attgenerated
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = '16384' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum"#,
        r#"SELECT c2.relname, i.indisprimary, i.indisunique, i.indisclustered, i.indisvalid, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true),
  pg_catalog.pg_get_constraintdef(con.oid, true), contype, condeferrable, condeferred, i.indisreplident, c2.reltablespace
FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i
  LEFT JOIN pg_catalog.pg_constraint con ON (conrelid = i.indrelid AND conindid = i.indexrelid AND contype IN ('p','u','x'))
WHERE c.oid = '16384' AND c.oid = i.indrelid AND i.indexrelid = c2.oid
ORDER BY i.indisprimary DESC, c2.relname"#,
        r#"SELECT t.oid, t.typname, t.typsend, t.typreceive, t.typoutput, t.typinput, coalesce(d.typelem, t.typelem), coalesce(r.rngsubtype, 0),
ARRAY (SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
FROM pg_type AS t LEFT JOIN pg_type AS d ON t.typbasetype = d.oid LEFT JOIN pg_range AS r ON r.rngtypid = t.oid
WHERE t.oid > 10"#,
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = ANY (current_schemas(false)) ORDER BY ordinal_position",
    ] {
        let text = result(sql);
        let failed = text.split(' ').next().is_some_and(|code| {
            code.len() == 5 && code.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
        });
        assert!(!failed, "{text}\n{sql}");
    }
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
}
