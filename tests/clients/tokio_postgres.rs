//! tokio-postgres: parameters, binary results, COPY, transactions, cancel.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a client program, outside of the server's world"
)]

use std::{env, error::Error, time::Duration};

use bytes::Bytes;
use futures::{SinkExt, TryStreamExt, pin_mut};
use tokio_postgres::{Client, NoTls, error::SqlState};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let host = env::var("PGHOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let port = env::var("PGPORT").unwrap_or_else(|_| "5433".to_owned());
    let config = format!("host={host} port={port} user=tester dbname=oxibase");
    let (mut client, connection) = tokio_postgres::connect(&config, NoTls).await?;
    tokio::spawn(connection);
    parameters(&client).await?;
    transactions(&mut client).await?;
    copy(&client).await?;
    cancel(&client).await?;
    println!("tokio-postgres: ok");
    Ok(())
}

async fn parameters(client: &Client) -> Outcome {
    client.batch_execute("DROP TABLE IF EXISTS rust_item").await?;
    client
        .batch_execute("CREATE TABLE rust_item (id int8 PRIMARY KEY, name text, score float8)")
        .await?;
    let insert = client.prepare("INSERT INTO rust_item VALUES ($1, $2, $3)").await?;
    for id in 0..100i64 {
        let name = (id % 3 != 0).then(|| format!("item {id}"));
        assert_eq!(client.execute(&insert, &[&id, &name, &(id as f64 / 4.0)]).await?, 1);
    }
    let row = client.query_one("SELECT name, score FROM rust_item WHERE id = $1", &[&7i64]).await?;
    assert_eq!(row.get::<_, &str>(0), "item 7");
    assert!((row.get::<_, f64>(1) - 1.75).abs() < f64::EPSILON);
    let rows = client
        .query("SELECT id, name FROM rust_item WHERE id < $1 ORDER BY id DESC", &[&4i64])
        .await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(ids, [3, 2, 1, 0]);
    assert_eq!(rows[0].get::<_, Option<&str>>(1), None);
    Ok(())
}

async fn transactions(client: &mut Client) -> Outcome {
    let transaction = client.transaction().await?;
    transaction.execute("DELETE FROM rust_item", &[]).await?;
    transaction.rollback().await?;
    let count: i64 = client.query_one("SELECT count(*) FROM rust_item", &[]).await?.get(0);
    assert_eq!(count, 100);

    let transaction = client.transaction().await?;
    let error = transaction
        .execute("INSERT INTO rust_item VALUES (1, 'again', 0)", &[])
        .await
        .err()
        .ok_or("a duplicate key was taken")?;
    assert_eq!(error.code(), Some(&SqlState::UNIQUE_VIOLATION));
    let error = transaction.query("SELECT 1", &[]).await.err().ok_or("the block went on")?;
    assert_eq!(error.code(), Some(&SqlState::IN_FAILED_SQL_TRANSACTION));
    transaction.rollback().await?;
    Ok(())
}

async fn copy(client: &Client) -> Outcome {
    let sink = client.copy_in("COPY rust_item FROM STDIN (FORMAT csv)").await?;
    pin_mut!(sink);
    sink.send(Bytes::from_static(b"1000,\"quoted, \"\"text\"\"\",1\n1001,,2\n")).await?;
    assert_eq!(sink.finish().await?, 2);
    let stream = client.copy_out("COPY rust_item TO STDOUT (FORMAT csv)").await?;
    let chunks: Vec<Bytes> = stream.try_collect().await?;
    let text = String::from_utf8(chunks.concat())?;
    assert_eq!(text.lines().count(), 102);
    assert!(text.contains("1000,\"quoted, \"\"text\"\"\",1\n"), "{text}");
    Ok(())
}

async fn cancel(client: &Client) -> Outcome {
    let token = client.cancel_token();
    let sleeping = client.query("SELECT pg_sleep(30)", &[]);
    let cancelling = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel_query(NoTls).await
    };
    let (slept, cancelled) = futures::future::join(sleeping, cancelling).await;
    cancelled?;
    let error = slept.err().ok_or("the query ran to its end")?;
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
    client.query_one("SELECT 1", &[]).await?;
    Ok(())
}
