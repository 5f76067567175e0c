//! COPY into tables.

use oxi_exec::copy::{CopyFormat, CopyLoad, CopyOptions};

use crate::support::{Db, Table};

async fn database() -> Db {
    let db = Db::new();
    db.create(Table {
        name: "t",
        columns: &[
            ("id", "int4", true, None),
            ("a", "text", false, Some("'none'")),
            ("x", "numeric", false, None),
        ],
        primary: &[0],
        unique: &[],
        checks: &[("t_id_check", "id <> 13")],
    })
    .await;
    db
}

async fn copy(db: &Db, columns: &[usize], stream: &str) -> Result<u64, String> {
    let txn = db.begin();
    let options = CopyOptions::new(CopyFormat::Csv);
    let run = async {
        let mut load = CopyLoad::new(db.statement(&txn), &db.relation("t"), columns, options)?;
        for piece in stream.as_bytes().chunks(7) {
            load.push(piece).await?;
        }
        load.finish().await
    };
    let count = run.await.map_err(|error| {
        format!("{} {} @ {}", error.code(), error.message(), error.context().unwrap_or_default())
    })?;
    db.commit(&txn).await;
    Ok(count)
}

#[tokio::test]
async fn loads_rows_with_defaults() {
    let db = database().await;
    assert_eq!(copy(&db, &[2, 0], "1.50,1\n,2\n").await, Ok(2));
    assert_eq!(db.rows("SELECT * FROM t ORDER BY id").await, ["1|none|1.50", "2|none|NULL"]);
    let many = (100..20_100).map(|n| format!("{n},v{n},{n}.25\n")).collect::<Vec<_>>().concat();
    assert_eq!(copy(&db, &[0, 1, 2], &many).await, Ok(20_000));
    assert_eq!(db.rows("SELECT a FROM t WHERE id = 12345").await, ["v12345"]);
    // A range that holds most of the table goes over to scanning it.
    assert_eq!(db.rows("SELECT count(*) FROM t WHERE id > 0 AND id < 99999").await, ["20002"]);
    assert_eq!(
        db.rows("SELECT count(*), sum(x) FROM t WHERE id BETWEEN 100 AND 101").await,
        ["2|201.50"]
    );
}

#[tokio::test]
async fn violations_name_the_line() {
    let db = database().await;
    assert_eq!(
        copy(&db, &[0], "1\n2\n1\n").await,
        Err("23505 duplicate key value violates unique constraint \"t_pkey\" @ COPY t, line 3"
            .into())
    );
    assert_eq!(
        copy(&db, &[0], "1\n13\n").await,
        Err("23514 new row for relation \"t\" violates check constraint \"t_id_check\" @ COPY t, line 2".into())
    );
    assert_eq!(
        copy(&db, &[0, 1], "1,x\n2\n").await,
        Err("22P04 missing data for column \"a\" @ COPY t, line 2: \"2\"".into())
    );
    assert_eq!(db.rows("SELECT count(*) FROM t").await, ["0"]);
}
