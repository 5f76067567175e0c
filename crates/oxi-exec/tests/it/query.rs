//! Queries.

use oxi_model::Datum;

use crate::support::{Db, Route, Table};

async fn people() -> Db {
    let db = Db::new();
    db.create(Table {
        name: "p",
        columns: &[
            ("id", "int4", true, None),
            ("name", "text", false, None),
            ("boss", "int4", false, None),
        ],
        primary: &[0],
        unique: &[],
        checks: &[],
    })
    .await;
    let inserted =
        db.run("INSERT INTO p VALUES (1, 'ann', NULL), (2, 'bob', 1), (3, 'cid', 1)").await;
    assert_eq!(inserted.unwrap().count, 3);
    db
}

#[tokio::test]
async fn scans_filters_joins_and_aggregates() {
    let db = people().await;
    assert_eq!(db.rows("SELECT * FROM p ORDER BY id").await, ["1|ann|NULL", "2|bob|1", "3|cid|1"]);
    assert_eq!(db.rows("SELECT count(*) FROM p").await, ["3"]);
    assert_eq!(db.rows("SELECT name FROM p WHERE id = 2").await, ["bob"]);
    assert_eq!(db.rows("SELECT name FROM p WHERE id > 1 AND id < 3").await, ["bob"]);
    assert_eq!(db.rows("SELECT id FROM p WHERE id IN (3, 1, 9) ORDER BY id").await, ["1", "3"]);
    assert_eq!(
        db.rows("SELECT e.name, b.name FROM p e JOIN p b ON e.boss = b.id ORDER BY 1").await,
        ["bob|ann", "cid|ann"]
    );
    assert_eq!(
        db.rows("SELECT boss, count(*) FROM p GROUP BY boss ORDER BY boss NULLS FIRST").await,
        ["NULL|1", "1|2"]
    );
    assert_eq!(db.rows("SELECT id FROM p ORDER BY id DESC LIMIT 1").await, ["3"]);
}

#[tokio::test]
async fn point_queries_agree_on_both_routes() {
    let db = people().await;
    let queries = [
        "SELECT * FROM p WHERE id = 2",
        "SELECT name, id + 1 FROM p WHERE id = 2 AND name = 'bob'",
        "SELECT name FROM p WHERE id = 2 AND name <> 'bob'",
        "SELECT name FROM p WHERE id = 99",
        "SELECT name FROM p WHERE id = 99999999999",
        "SELECT q.name FROM p q WHERE 3 = q.id",
        "SELECT name FROM p WHERE id = 1 + 1",
        "SELECT name FROM p WHERE id = NULL",
        "SELECT 1, 'x'",
    ];
    for sql in queries {
        let plan = db.run_on(sql, Route::Plan).await.unwrap();
        let fast = db.run_on(sql, Route::Fast).await.unwrap();
        assert_eq!(plan, fast, "{sql}");
    }
}

#[tokio::test]
async fn parameters() {
    let db = people().await;
    let txn = db.begin();
    for route in [Route::Plan, Route::Fast] {
        let sql = "SELECT name FROM p WHERE id = $1";
        let outcome = db.run_in(&txn, sql, &[Datum::Int32(3)], route).await.unwrap();
        assert_eq!(outcome.rows, ["cid"]);
    }
}

#[tokio::test]
async fn system_relations() {
    let db = people().await;
    let sql = "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog'";
    assert_eq!(db.rows(sql).await, ["pg_catalog"]);
}

#[tokio::test]
async fn keys_of_types_that_compare_by_key() {
    let db = Db::new();
    db.create(Table {
        name: "k",
        columns: &[("id", "numeric", true, None), ("f", "float8", true, None)],
        primary: &[0],
        unique: &[&[1]],
        checks: &[],
    })
    .await;
    db.run("INSERT INTO k VALUES (1.50, 0), (2, 'NaN'), (-3.1, 7.5)").await.unwrap();
    for (sql, expected) in [
        ("SELECT id FROM k WHERE id = 1.5", vec!["1.50"]),
        ("SELECT id FROM k WHERE id = 2.00", vec!["2"]),
        ("SELECT id FROM k WHERE f = '-0'", vec!["1.50"]),
        ("SELECT id FROM k WHERE f = 'NaN'", vec!["2"]),
        ("SELECT id FROM k WHERE f = 7.25", vec![]),
    ] {
        for route in [Route::Plan, Route::Fast] {
            assert_eq!(db.run_on(sql, route).await.unwrap().rows, expected, "{sql} {route:?}");
        }
    }
    let error = db.error("INSERT INTO k VALUES (1.500, 1)", Route::Fast).await;
    assert!(error.starts_with("23505"), "{error}");
}

#[tokio::test]
async fn explain_names_the_access() {
    let db = people().await;
    let explain = |sql: &'static str| {
        let db = &db;
        async move { db.explain(sql).await.join("\n") }
    };
    assert!(explain("SELECT * FROM p WHERE id = 1").await.contains("Index Scan using p_pkey on p"));
    assert!(explain("SELECT * FROM p WHERE name = 'x'").await.contains("Seq Scan on p"));
    assert!(explain("UPDATE p SET name = 'x'").await.starts_with("Update on p"));
}

#[tokio::test]
async fn cancelled_statements_stop() {
    let db = people().await;
    let txn = db.begin();
    let statement = db.statement(&txn);
    statement.cancel.cancel(oxi_exec::context::CancelReason::User);
    let bound = db.bind("SELECT * FROM p").unwrap();
    let error = db.executor.execute(&bound.plan, statement).await.unwrap_err();
    assert_eq!(error.code().as_str(), "57014");
}
