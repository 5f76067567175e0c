//! Oxibase inside a program: `cargo run --example embedded`.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use oxibase::{Database, Result};

fn main() -> Result<()> {
    let database = Database::memory()?;
    let mut connection = database.connect()?;
    connection.execute_batch(
        "CREATE TABLE account (id int PRIMARY KEY, owner text NOT NULL, balance numeric(12, 2));
         INSERT INTO account VALUES (1, 'Ada', 100), (2, 'Grace', 250.50)",
    )?;

    // All or nothing: an error rolls both updates back.
    connection.transaction(|txn| {
        txn.execute("UPDATE account SET balance = balance - $1 WHERE id = $2", &[&25, &2])?;
        txn.execute("UPDATE account SET balance = balance + $1 WHERE id = $2", &[&25, &1])
    })?;

    for row in connection.query("SELECT owner, balance FROM account ORDER BY id", &[])? {
        let (owner, balance): (String, String) = (row.get(0)?, row.get(1)?);
        println!("{owner}: {balance}");
    }

    let mut appender = connection.appender("account")?;
    for id in 3..1000 {
        appender.append(&[&id, &format!("client {id}"), &0])?;
    }
    println!("{} accounts added", appender.finish()?);

    let batches = connection.query_arrow("SELECT count(*), sum(balance) FROM account", &[])?;
    println!("{} batch, {} columns", batches.len(), batches[0].num_columns());
    database.close()
}
