//! One connection that transfers money until the server dies.

use std::sync::Arc;

use oxi_world::rng::Prng;
use tokio_postgres::{Client, Error, Statement, error::SqlState};

use super::{ACCOUNTS, Ledger, connect};

struct Statements {
    take: Statement,
    give: Statement,
    token: Statement,
    history: Statement,
}

/// How a transaction ended, if the connection lives.
enum End {
    Committed,
    RolledBack,
}

/// Where a transaction was when it failed.
struct Failed {
    error: Error,
    commit_sent: bool,
}

/// Transfers until the connection is lost.
pub(super) async fn run(port: u16, number: i32, ledger: Arc<Ledger>, mut prng: Prng) {
    let Ok(client) = connect(port).await else { return };
    let Ok(statements) = prepare(&client).await else { return };
    loop {
        let token = ledger.token();
        match transfer(&client, &statements, number, token, &mut prng).await {
            Ok(End::Committed) => {
                ledger.tell(|told| told.acknowledged.insert(token));
            }
            Ok(End::RolledBack) => {
                ledger.tell(|told| told.refused.insert(token));
            }
            Err(failed) => {
                let code = failed.error.code().cloned();
                // The server refused it and lives, or it died before COMMIT was sent.
                if !failed.commit_sent || code.is_some() {
                    ledger.tell(|told| told.refused.insert(token));
                }
                match code {
                    None => return,
                    Some(SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED) => {
                        ledger.tell(|told| told.conflicts += 1);
                    }
                    Some(SqlState::ADMIN_SHUTDOWN) => return,
                    Some(code) => {
                        let problem = format!("unexpected error {}: {}", code.code(), failed.error);
                        ledger.tell(|told| told.problems.push(problem));
                        return;
                    }
                }
                if client.batch_execute("ROLLBACK").await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn prepare(client: &Client) -> Result<Statements, Error> {
    Ok(Statements {
        take: client.prepare("UPDATE account SET balance = balance - $1 WHERE id = $2").await?,
        give: client.prepare("UPDATE account SET balance = balance + $1 WHERE id = $2").await?,
        token: client.prepare("INSERT INTO token (token, client) VALUES ($1, $2)").await?,
        history: client
            .prepare("INSERT INTO history (token, source, target, amount) VALUES ($1, $2, $3, $4)")
            .await?,
    })
}

async fn transfer(
    client: &Client,
    statements: &Statements,
    number: i32,
    token: i64,
    prng: &mut Prng,
) -> Result<End, Failed> {
    let early = |error| Failed { error, commit_sent: false };
    let source = prng.below(ACCOUNTS as u64) as i64;
    let target = prng.below(ACCOUNTS as u64) as i64;
    let amount = 1 + prng.below(50) as i64;
    let begin = if prng.below(3) == 0 { "BEGIN ISOLATION LEVEL REPEATABLE READ" } else { "BEGIN" };
    client.batch_execute(begin).await.map_err(early)?;
    client.execute(&statements.take, &[&amount, &source]).await.map_err(early)?;
    client.execute(&statements.token, &[&token, &number]).await.map_err(early)?;
    client.execute(&statements.give, &[&amount, &target]).await.map_err(early)?;
    client
        .execute(&statements.history, &[&token, &source, &target, &amount])
        .await
        .map_err(early)?;
    if prng.below(10) == 0 {
        client.batch_execute("ROLLBACK").await.map_err(early)?;
        return Ok(End::RolledBack);
    }
    let late = |error| Failed { error, commit_sent: true };
    client.batch_execute("COMMIT").await.map_err(late)?;
    Ok(End::Committed)
}
