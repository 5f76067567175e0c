//! What must be true of the database after each restart.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, Error};

use super::{ACCOUNTS, Ledger, OPENING_BALANCE, connect};

/// Creates the tables and the accounts.
pub(super) async fn create(port: u16) -> Result<(), String> {
    create_tables(port).await.map_err(|error| explain(&error))
}

fn explain(error: &Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
}

async fn create_tables(port: u16) -> Result<(), Error> {
    let client = connect(port).await?;
    for statement in [
        "CREATE TABLE account (id int8 PRIMARY KEY, balance int8 NOT NULL)",
        "CREATE TABLE token (token int8 PRIMARY KEY, client int4 NOT NULL)",
        "CREATE TABLE history (token int8 NOT NULL, source int8 NOT NULL, \
         target int8 NOT NULL, amount int8 NOT NULL)",
    ] {
        client.batch_execute(statement).await?;
    }
    for id in 0..ACCOUNTS {
        let insert = "INSERT INTO account (id, balance) VALUES ($1, $2)";
        client.execute(insert, &[&id, &OPENING_BALANCE]).await?;
    }
    Ok(())
}

/// Everything acknowledged is there, nothing refused is, and nothing is half there.
pub(super) async fn all(port: u16, ledger: &Ledger) -> Result<(), String> {
    let found = read(port).await.map_err(|error| explain(&error))?;
    let tokens: BTreeSet<i64> = found.tokens.iter().copied().collect();
    if tokens.len() != found.tokens.len() {
        return Err("a token is there twice".to_owned());
    }
    let (missing, back) = ledger.tell(|told| {
        let missing: Vec<i64> = told.acknowledged.difference(&tokens).copied().collect();
        let back: Vec<i64> = told.refused.intersection(&tokens).copied().collect();
        (missing, back)
    });
    if !missing.is_empty() {
        return Err(format!("{} acknowledged commits are lost: {missing:?}", missing.len()));
    }
    if !back.is_empty() {
        return Err(format!("transactions that were rolled back are there: {back:?}"));
    }
    let histories: BTreeSet<i64> = found.history.iter().map(|(token, ..)| *token).collect();
    if histories != tokens || histories.len() != found.history.len() {
        let halves: Vec<_> = histories.symmetric_difference(&tokens).collect();
        return Err(format!("transactions are half there, by token and history: {halves:?}"));
    }
    let mut wanted: BTreeMap<i64, i64> = (0..ACCOUNTS).map(|id| (id, OPENING_BALANCE)).collect();
    for (_, source, target, amount) in &found.history {
        *wanted.entry(*source).or_default() -= amount;
        *wanted.entry(*target).or_default() += amount;
    }
    if wanted != found.balances {
        return Err(format!("balances are {:?}, not {wanted:?}", found.balances));
    }
    let total = ACCOUNTS * OPENING_BALANCE;
    if found.sum != total.to_string() {
        return Err(format!("sum(balance) is {}, not {total}", found.sum));
    }
    if found.count != tokens.len() as i64 {
        return Err(format!("count(*) is {}, not {}", found.count, tokens.len()));
    }
    Ok(())
}

struct Found {
    tokens: Vec<i64>,
    history: Vec<(i64, i64, i64, i64)>,
    balances: BTreeMap<i64, i64>,
    sum: String,
    count: i64,
}

async fn read(port: u16) -> Result<Found, Error> {
    let client = connect(port).await?;
    let tokens = client.query("SELECT token FROM token", &[]).await?;
    let history = client.query("SELECT token, source, target, amount FROM history", &[]).await?;
    let balances = client.query("SELECT id, balance FROM account", &[]).await?;
    Ok(Found {
        tokens: tokens.iter().map(|row| row.get(0)).collect(),
        history: history
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
            .collect(),
        balances: balances.iter().map(|row| (row.get(0), row.get(1))).collect(),
        sum: one(&client, "SELECT sum(balance)::text FROM account").await?.get(0),
        count: one(&client, "SELECT count(*) FROM token").await?.get(0),
    })
}

async fn one(client: &Client, query: &str) -> Result<tokio_postgres::Row, Error> {
    client.query_one(query, &[]).await
}
