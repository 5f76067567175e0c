//! Changes, constraints and concurrency, each on both routes where both apply.

use oxi_model::{
    descriptor::ReferentialAction as A,
    engine::{Engine, Isolation},
};

use crate::support::{Db, Route, Table};

const ROUTES: [Route; 2] = [Route::Plan, Route::Fast];

async fn database() -> Db {
    let db = Db::new();
    db.create(Table {
        name: "t",
        columns: &[
            ("id", "int4", true, None),
            ("a", "text", true, Some("'none'")),
            ("n", "int4", false, None),
        ],
        primary: &[0],
        unique: &[&[2]],
        checks: &[("t_n_check", "n > 0")],
    })
    .await;
    db
}

#[tokio::test]
async fn insert_update_delete_returning() {
    for route in ROUTES {
        let db = database().await;
        let sql = "INSERT INTO t VALUES (1, 'x', 10) RETURNING id, a, n * 2";
        assert_eq!(db.run_on(sql, route).await.unwrap().rows, ["1|x|20"]);
        let sql = "INSERT INTO t (id) VALUES (2), (3)";
        assert_eq!(db.run_on(sql, route).await.unwrap().count, 2);
        let sql = "UPDATE t SET n = coalesce(n, 0) + 5, a = a || '!' WHERE id = 1 RETURNING *";
        assert_eq!(db.run_on(sql, route).await.unwrap().rows, ["1|x!|15"]);
        let sql = "DELETE FROM t WHERE id = 2 RETURNING a";
        assert_eq!(db.run_on(sql, route).await.unwrap().rows, ["none"]);
        let sql = "UPDATE t SET a = 'y' WHERE id = 77";
        assert_eq!(db.run_on(sql, route).await.unwrap().count, 0);
        assert_eq!(db.rows("SELECT * FROM t ORDER BY id").await, ["1|x!|15", "3|none|NULL"]);
    }
}

#[tokio::test]
async fn constraints() {
    for route in ROUTES {
        let db = database().await;
        db.run("INSERT INTO t VALUES (1, 'x', 10)").await.unwrap();
        assert_eq!(
            db.error("INSERT INTO t VALUES (1, 'y', 11)", route).await,
            "23505 duplicate key value violates unique constraint \"t_pkey\" | Key (id)=(1) already exists."
        );
        assert_eq!(
            db.error("INSERT INTO t VALUES (2, 'y', 10)", route).await,
            "23505 duplicate key value violates unique constraint \"t_key0\" | Key (n)=(10) already exists."
        );
        assert_eq!(
            db.error("INSERT INTO t VALUES (2, NULL, 3)", route).await,
            "23502 null value in column \"a\" of relation \"t\" violates not-null constraint | Failing row contains (2, null, 3)."
        );
        assert_eq!(
            db.error("INSERT INTO t VALUES (2, 'z', -3)", route).await,
            "23514 new row for relation \"t\" violates check constraint \"t_n_check\" | Failing row contains (2, z, -3)."
        );
        assert_eq!(
            db.error("UPDATE t SET n = 0 WHERE id = 1", route).await,
            "23514 new row for relation \"t\" violates check constraint \"t_n_check\" | Failing row contains (1, x, 0)."
        );
        // The first violation is the one reported.
        assert!(
            db.error("INSERT INTO t VALUES (1, 'y', 11), (2, NULL, 1)", route)
                .await
                .starts_with("23505")
        );
    }
}

#[tokio::test]
async fn on_conflict() {
    for route in ROUTES {
        let db = database().await;
        db.run("INSERT INTO t VALUES (1, 'x', 10)").await.unwrap();
        let sql = "INSERT INTO t VALUES (1, 'y', 11) ON CONFLICT DO NOTHING RETURNING id";
        assert_eq!(db.run_on(sql, route).await.unwrap().count, 0);
        let sql = "INSERT INTO t VALUES (1, 'y', 11) ON CONFLICT (id) DO UPDATE \
                   SET a = excluded.a || t.a WHERE t.n < excluded.n RETURNING *";
        assert_eq!(db.run_on(sql, route).await.unwrap().rows, ["1|yx|10"]);
        let sql = "INSERT INTO t VALUES (1, 'y', 5) ON CONFLICT (id) DO UPDATE \
                   SET a = 'no' WHERE t.n < excluded.n";
        assert_eq!(db.run_on(sql, route).await.unwrap().count, 0);
        let sql = "INSERT INTO t VALUES (5, 'a', 50), (5, 'b', 51) \
                   ON CONFLICT (id) DO UPDATE SET a = excluded.a";
        assert_eq!(
            db.error(sql, route).await,
            "21000 ON CONFLICT DO UPDATE command cannot affect row a second time"
        );
    }
}

#[tokio::test]
async fn set_statements_see_the_state_before() {
    let db = database().await;
    db.run("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)").await.unwrap();
    let sql = "INSERT INTO t SELECT id + 10, a, n + 10 FROM t";
    assert_eq!(db.run(sql).await.unwrap().count, 2);
    let sql = "UPDATE t SET n = t.n + 100 FROM t AS s WHERE s.id = t.id + 10 RETURNING t.id, s.id";
    let mut rows = db.rows(sql).await;
    rows.sort();
    assert_eq!(rows, ["1|11", "2|12"]);
    assert_eq!(db.run("DELETE FROM t WHERE id IN (SELECT id - 10 FROM t)").await.unwrap().count, 2);
    assert_eq!(db.rows("SELECT id FROM t ORDER BY 1").await, ["11", "12"]);
}

#[tokio::test]
async fn rows_are_inserted_in_the_order_of_the_query() {
    let db = database().await;
    let sql = "INSERT INTO t SELECT n, 'x', NULL FROM (VALUES (2), (9), (4), (7)) v(n) \
               ORDER BY n DESC RETURNING id";
    assert_eq!(db.rows(sql).await, ["9", "7", "4", "2"]);
}

async fn family(on_delete: A, on_update: A) -> Db {
    let db = Db::new();
    for (name, default) in [("parent", None), ("child", Some("0"))] {
        db.create(Table {
            name,
            columns: &[("id", "int4", true, None), ("p", "int4", false, default)],
            primary: &[0],
            unique: &[],
            checks: &[],
        })
        .await;
    }
    db.reference("child", 1, "parent", on_delete, on_update);
    db.run("INSERT INTO parent VALUES (0), (1), (2)").await.unwrap();
    db.run("INSERT INTO child VALUES (10, 1), (11, 1), (12, 2), (13, NULL)").await.unwrap();
    db
}

#[tokio::test]
async fn foreign_keys_refuse() {
    for route in ROUTES {
        let db = family(A::NoAction, A::NoAction).await;
        assert_eq!(
            db.error("INSERT INTO child VALUES (20, 9)", route).await,
            "23503 insert or update on table \"child\" violates foreign key constraint \"child_fkey\" | Key (p)=(9) is not present in table \"parent\"."
        );
        assert_eq!(
            db.error("UPDATE child SET p = 9 WHERE id = 10", route).await,
            "23503 insert or update on table \"child\" violates foreign key constraint \"child_fkey\" | Key (p)=(9) is not present in table \"parent\"."
        );
        assert_eq!(
            db.error("DELETE FROM parent WHERE id = 1", route).await,
            "23503 update or delete on table \"parent\" violates foreign key constraint \"child_fkey\" on table \"child\" | Key (id)=(1) is still referenced from table \"child\"."
        );
        assert_eq!(db.run_on("DELETE FROM parent WHERE id = 0", route).await.unwrap().count, 1);
    }
}

#[tokio::test]
async fn foreign_keys_act() {
    let children = "SELECT id, p FROM child ORDER BY id";
    for route in ROUTES {
        let db = family(A::Cascade, A::Cascade).await;
        db.run_on("UPDATE parent SET id = 7 WHERE id = 1", route).await.unwrap();
        assert_eq!(db.rows(children).await, ["10|7", "11|7", "12|2", "13|NULL"]);
        db.run_on("DELETE FROM parent WHERE id = 7", route).await.unwrap();
        assert_eq!(db.rows(children).await, ["12|2", "13|NULL"]);

        let db = family(A::SetNull, A::SetDefault).await;
        db.run_on("DELETE FROM parent WHERE id = 1", route).await.unwrap();
        assert_eq!(db.rows(children).await, ["10|NULL", "11|NULL", "12|2", "13|NULL"]);
        db.run_on("UPDATE parent SET id = 8 WHERE id = 2", route).await.unwrap();
        assert_eq!(db.rows(children).await, ["10|NULL", "11|NULL", "12|0", "13|NULL"]);
    }
}

#[tokio::test]
async fn self_references_are_checked_at_the_end() {
    let db = Db::new();
    db.create(Table {
        name: "node",
        columns: &[("id", "int4", true, None), ("up", "int4", false, None)],
        primary: &[0],
        unique: &[],
        checks: &[],
    })
    .await;
    db.reference("node", 1, "node", A::Cascade, A::NoAction);
    for route in ROUTES {
        db.run_on("INSERT INTO node VALUES (1, 2), (2, 3), (3, NULL)", route).await.unwrap();
        db.run_on("DELETE FROM node WHERE id = 3", route).await.unwrap();
        assert_eq!(db.rows("SELECT count(*) FROM node").await, ["0"]);
    }
}

#[tokio::test]
async fn read_committed_evaluates_again() {
    for route in ROUTES {
        let db = database().await;
        db.run("INSERT INTO t VALUES (1, 'x', 10), (2, 'y', 20)").await.unwrap();
        let first = db.begin();
        let change = "UPDATE t SET n = n + 1 WHERE id = 1 AND n < 15";
        db.run_in(&first, change, &[], route).await.unwrap();
        let second = db.begin();
        // The other one waits for the row, then computes from the newest version.
        let waiting = db.run_in(&second, change, &[], route);
        let finishing = async {
            tokio::task::yield_now().await;
            db.commit(&first).await;
        };
        let (outcome, ()) = tokio::join!(waiting, finishing);
        assert_eq!(outcome.unwrap().count, 1);
        db.commit(&second).await;
        assert_eq!(db.rows("SELECT n FROM t WHERE id = 1").await, ["12"]);

        let first = db.begin();
        db.run_in(&first, "UPDATE t SET n = 100 WHERE id = 1", &[], route).await.unwrap();
        let second = db.begin();
        let waiting = db.run_in(&second, change, &[], route);
        let finishing = async {
            tokio::task::yield_now().await;
            db.commit(&first).await;
        };
        let (outcome, ()) = tokio::join!(waiting, finishing);
        assert_eq!(outcome.unwrap().count, 0);
        db.commit(&second).await;
        assert_eq!(db.rows("SELECT n FROM t WHERE id = 1").await, ["100"]);
    }
}

#[tokio::test]
async fn locked_rows() {
    let db = database().await;
    db.run("INSERT INTO t VALUES (1, 'x', 10), (2, 'y', 20), (3, 'z', 30)").await.unwrap();
    let first = db.begin();
    let one = "SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED";
    assert_eq!(db.run_in(&first, one, &[], Route::Plan).await.unwrap().rows, ["1"]);
    let second = db.begin();
    assert_eq!(db.run_in(&second, one, &[], Route::Plan).await.unwrap().rows, ["2"]);
    for route in ROUTES {
        let third = db.begin();
        let now = "SELECT id FROM t WHERE id = 1 FOR UPDATE NOWAIT";
        let error = db.run_in(&third, now, &[], route).await.unwrap_err();
        assert_eq!(error.code().as_str(), "55P03");
        let skip = "SELECT id FROM t WHERE id = 1 FOR UPDATE SKIP LOCKED";
        assert_eq!(db.run_in(&third, skip, &[], route).await.unwrap().count, 0);
    }
    first.rollback();
    second.rollback();

    for route in ROUTES {
        let first = db.begin();
        db.run_in(&first, "UPDATE t SET n = n + 1 WHERE id = 3", &[], route).await.unwrap();
        let second = db.begin();
        let sql = "SELECT n FROM t WHERE id = 3 FOR UPDATE";
        let before = db.rows("SELECT n FROM t WHERE id = 3").await[0].parse::<i32>().unwrap();
        let waiting = db.run_in(&second, sql, &[], route);
        let finishing = async {
            tokio::task::yield_now().await;
            db.commit(&first).await;
        };
        let (outcome, ()) = tokio::join!(waiting, finishing);
        assert_eq!(outcome.unwrap().rows, [(before + 1).to_string()]);
    }
}

#[tokio::test]
async fn repeatable_read_finds_newer_references() {
    for route in ROUTES {
        let db = family(A::NoAction, A::NoAction).await;
        let txn = db.store.begin(Isolation::RepeatableRead);
        db.run_in(&txn, "SELECT count(*) FROM child", &[], Route::Plan).await.unwrap();
        db.run("INSERT INTO child VALUES (50, 0)").await.unwrap();
        let sql = "DELETE FROM parent WHERE id = 0";
        let error = db.run_in(&txn, sql, &[], route).await.unwrap_err();
        assert_eq!(error.code().as_str(), "23503", "{error}");
        txn.rollback();

        let txn = db.store.begin(Isolation::RepeatableRead);
        db.run_in(&txn, "SELECT count(*) FROM child", &[], Route::Plan).await.unwrap();
        db.run("UPDATE child SET p = 2 WHERE id = 50").await.unwrap();
        let sql = "UPDATE child SET p = 1 WHERE id = 50";
        let error = db.run_in(&txn, sql, &[], route).await.unwrap_err();
        assert_eq!(error.code().as_str(), "40001");
    }
}

#[tokio::test]
async fn concurrent_children_keep_the_parent() {
    for route in ROUTES {
        let db = family(A::NoAction, A::NoAction).await;
        let first = db.begin();
        db.run_in(&first, "INSERT INTO child VALUES (50, 0)", &[], route).await.unwrap();
        let second = db.begin();
        let waiting = db.run_in(&second, "DELETE FROM parent WHERE id = 0", &[], route);
        let finishing = async {
            tokio::task::yield_now().await;
            db.commit(&first).await;
        };
        let (outcome, ()) = tokio::join!(waiting, finishing);
        assert_eq!(outcome.unwrap_err().code().as_str(), "23503");
    }
}

#[tokio::test]
async fn concurrent_inserts_of_one_key() {
    for route in ROUTES {
        let db = database().await;
        let upsert = "INSERT INTO t VALUES (1, 'x', 10) ON CONFLICT (id) DO UPDATE \
                      SET a = t.a || excluded.a";
        let first = db.begin();
        db.run_in(&first, upsert, &[], route).await.unwrap();
        let second = db.begin();
        let waiting = db.run_in(&second, upsert, &[], route);
        let finishing = async {
            tokio::task::yield_now().await;
            db.commit(&first).await;
        };
        let (outcome, ()) = tokio::join!(waiting, finishing);
        assert_eq!(outcome.unwrap().count, 1);
        db.commit(&second).await;
        assert_eq!(db.rows("SELECT * FROM t").await, ["1|xx|10"]);
    }
}
