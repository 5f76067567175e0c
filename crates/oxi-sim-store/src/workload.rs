//! What clients do: transfers, and everything that might disturb them.

use std::rc::Rc;

use oxi_base::{RowId, TableId};
use oxi_model::{
    Datum, Row,
    engine::{Isolation, RowLock, SequenceStep, TableLock},
};
use oxi_world::rng::Prng;

use crate::{
    executor::pause,
    schema::{self, ACCOUNTS, EVENTS, ITEMS, KEY_DOMAIN, TOKENS},
    shared::{Shared, Stop, one_in},
    tx::Tx,
};

mod ddl;

/// A client: transactions until told to stop.
pub(crate) async fn client(shared: Rc<Shared>, mut prng: Prng) {
    while !shared.stopping.get() {
        match transaction(&shared, &mut prng).await {
            Ok(()) => {}
            Err(Stop::Retry) => shared.statistics.borrow_mut().conflicts += 1,
            Err(Stop::Down) => {
                shared.down.set(true);
                return;
            }
            Err(Stop::Violation(message)) => {
                shared.violate(message);
                return;
            }
        }
        pause().await;
    }
}

async fn transaction(shared: &Rc<Shared>, prng: &mut Prng) -> Result<(), Stop> {
    let isolation =
        if one_in(prng, 3) { Isolation::RepeatableRead } else { Isolation::ReadCommitted };
    let mut tx = Tx::begin(shared, isolation);
    if one_in(prng, 12) {
        ddl::change(&mut tx, prng).await?;
    } else {
        for _ in 0..=prng.below(3) {
            step(&mut tx, prng).await?;
            tx.check_own()?;
        }
        if !one_in(prng, 4) {
            token(&mut tx, None).await?;
        }
    }
    if one_in(prng, 8) {
        tx.rollback();
        shared.statistics.borrow_mut().rolled_back += 1;
        return Ok(());
    }
    let patience = if one_in(prng, 2) { prng.below(6) } else { 0 };
    tx.commit(patience).await
}

/// One operation, now and then inside a savepoint that may be rolled back.
async fn step(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    if !one_in(prng, 3) {
        return operation(tx, prng).await;
    }
    let savepoint = tx.savepoint();
    let mut outcome = operation(tx, prng).await;
    if outcome.is_ok() && one_in(prng, 3) {
        let inner = tx.savepoint();
        outcome = operation(tx, prng).await;
        if outcome.is_ok() && one_in(prng, 2) {
            tx.rollback_to(inner)?;
        } else if outcome.is_ok() {
            tx.release(inner);
        }
    }
    match outcome {
        Ok(()) if one_in(prng, 2) => tx.release(savepoint),
        Ok(()) | Err(Stop::Retry) => {
            tx.rollback_to(savepoint)?;
            if one_in(prng, 2) {
                tx.release(savepoint);
            }
        }
        Err(stop) => return Err(stop),
    }
    pause().await;
    Ok(())
}

async fn operation(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    if one_in(prng, 2) {
        pause().await;
    }
    match prng.below(16) {
        0..=4 => transfer(tx, prng).await,
        5..=6 => insert_item(tx, prng).await,
        7..=8 => update_item(tx, prng).await,
        9 => delete_item(tx, prng).await,
        10 => child(tx, prng).await,
        11 => sequence(tx, prng),
        12 => accounts_come_and_go(tx, prng).await,
        13 => bulk(tx, prng).await,
        _ => ddl::use_table(tx, prng).await,
    }
}

fn pick(prng: &mut Prng, rows: &[RowId]) -> Option<RowId> {
    (!rows.is_empty()).then(|| rows[prng.below(rows.len() as u64) as usize])
}

/// Rows that were there a moment ago.
pub(crate) fn known_rows(tx: &Tx, table: TableId) -> Vec<RowId> {
    let model = tx.shared.model.borrow();
    model.head.rows(table).into_iter().flatten().map(|(row, _)| *row).collect()
}

fn integer(row: &Row, position: usize) -> i64 {
    if let Datum::Int64(value) = row[position] { value } else { 0 }
}

fn text(prng: &mut Prng) -> Datum {
    const WORDS: [&str; 6] = ["", "a", "lorem ipsum", "dolor sit amet, consectetur", "zz", "Ω"];
    match prng.below(8) {
        0 => Datum::Null,
        1 => Datum::text("x".repeat(prng.below(700) as usize)),
        _ => Datum::text(WORDS[prng.below(6) as usize]),
    }
}

/// A row that says the transaction was here.
async fn token(tx: &mut Tx, item: Option<i64>) -> Result<(), Stop> {
    tx.lock(TOKENS, TableLock::RowExclusive).await?;
    let number = tx.shared.next_token.get();
    tx.shared.next_token.set(number + 1);
    let item = item.map_or(Datum::Null, Datum::Int64);
    match tx.insert(TOKENS, vec![Datum::Int64(number), item]).await? {
        Some(_) => Ok(()),
        None => tx.violation(format!("token {number} is taken")),
    }
}

async fn transfer(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    tx.lock(ACCOUNTS, TableLock::RowExclusive).await?;
    let rows = known_rows(tx, ACCOUNTS);
    let (Some(from), Some(to)) = (pick(prng, &rows), pick(prng, &rows)) else { return Ok(()) };
    let amount = 1 + prng.below(20) as i64;
    let locks_first = one_in(prng, 5);
    let note = one_in(prng, 6).then(|| text(prng));
    if locks_first && !tx.lock_row(ACCOUNTS, from, RowLock::Update).await? {
        return Ok(());
    }
    // Both or neither: a statement that finds no row changes nothing, as in SQL.
    let savepoint = tx.savepoint();
    let take = |row: &Row| Some(vec![(1, Datum::Int64(integer(row, 1) - amount))]);
    if !tx.update(ACCOUNTS, from, take).await? {
        return Ok(());
    }
    if one_in(prng, 2) {
        pause().await;
    }
    let give = |row: &Row| {
        let mut changes = vec![(1, Datum::Int64(integer(row, 1) + amount))];
        changes.extend(note.clone().map(|note| (2, note)));
        Some(changes)
    };
    if !tx.update(ACCOUNTS, to, give).await? {
        tx.rollback_to(savepoint)?;
    }
    tx.release(savepoint);
    Ok(())
}

/// Empty accounts are opened and closed.
async fn accounts_come_and_go(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    tx.lock(ACCOUNTS, TableLock::RowExclusive).await?;
    let rows = known_rows(tx, ACCOUNTS);
    if rows.len() < 12 {
        let id = prng.below(20) as i64;
        tx.insert(ACCOUNTS, vec![Datum::Int64(id), Datum::Int64(0), text(prng)]).await?;
        return Ok(());
    }
    let Some(row) = pick(prng, &rows) else { return Ok(()) };
    tx.delete(ACCOUNTS, row, |row| integer(row, 1) == 0).await?;
    Ok(())
}

fn item(prng: &mut Prng, key: i64) -> Row {
    let n = if one_in(prng, 4) { Datum::Null } else { Datum::Int32(prng.below(5) as i32) };
    vec![Datum::Int64(key), n, text(prng)]
}

async fn insert_item(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    tx.lock(ITEMS, TableLock::RowExclusive).await?;
    let key = prng.below(KEY_DOMAIN as u64) as i64;
    let row = item(prng, key);
    tx.insert(ITEMS, row).await?;
    Ok(())
}

async fn update_item(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    tx.lock(ITEMS, TableLock::RowExclusive).await?;
    let Some(row) = pick(prng, &known_rows(tx, ITEMS)) else { return Ok(()) };
    let fresh_key = prng.below(KEY_DOMAIN as u64) as i64;
    let fresh = item(prng, fresh_key);
    let changed = 1 + prng.below(7);
    let changes = |_: &Row| {
        let chosen = (0..3).filter(|position| changed & (1 << position) != 0);
        Some(chosen.map(|position| (position, fresh[position].clone())).collect())
    };
    tx.update(ITEMS, row, changes).await?;
    Ok(())
}

async fn delete_item(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    tx.lock(ITEMS, TableLock::RowExclusive).await?;
    let rows = known_rows(tx, ITEMS);
    // Many when there are many, so that bulk loads go away again.
    let count = if rows.len() > 60 { rows.len() / 2 } else { 1 };
    let start = prng.below(rows.len().max(1) as u64) as usize;
    for row in rows.into_iter().skip(start).take(count) {
        tx.delete(ITEMS, row, |_| true).await?;
    }
    Ok(())
}

/// A row that refers to an item, which must stay while it does; some want more of it.
async fn child(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    tx.lock(ITEMS, TableLock::RowExclusive).await?;
    let Some(row) = pick(prng, &known_rows(tx, ITEMS)) else { return Ok(()) };
    let lock = match row.0 % 4 {
        0 => RowLock::Share,
        1 => RowLock::NoKeyUpdate,
        _ => RowLock::KeyShare,
    };
    if !tx.lock_row(ITEMS, row, lock).await? {
        return Ok(());
    }
    pause().await;
    let Some(found) = tx.expected(ITEMS, row) else {
        return tx.violation(format!("item row {row} was deleted under a {lock:?} lock"));
    };
    token(tx, Some(integer(&found, 0))).await
}

fn sequence(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    let sequence = 1 + prng.below(2) as u32;
    let increment = if sequence == 1 { 1 } else { 3 };
    let step = SequenceStep { start: 1, increment, min: 1, max: i64::MAX, cycle: false };
    let before = tx.txn.sequence_state(sequence);
    let value = tx.sequence(sequence, &step)?;
    let wanted = match before {
        None => 1,
        Some((last, false)) => last,
        Some((last, true)) => last + increment,
    };
    if value != wanted {
        return tx.violation(format!("sequence {sequence} went from {before:?} to {value}"));
    }
    Ok(())
}

/// A load large enough to be sent to the log in pieces.
async fn bulk(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    if !one_in(prng, 3) || known_rows(tx, ITEMS).len() > 150 {
        return insert_item(tx, prng).await;
    }
    tx.lock(ITEMS, TableLock::RowExclusive).await?;
    let base = 1_000 + prng.below(1 << 40) as i64;
    for number in 0..10 + prng.below(60) as i64 {
        let row = item(prng, base + number);
        tx.insert(ITEMS, row).await?;
        if number % 16 == 0 {
            pause().await;
        }
    }
    Ok(())
}

/// A row in the catalog table, which every change of the schema leaves.
async fn event(tx: &mut Tx) -> Result<(), Stop> {
    tx.lock(EVENTS, TableLock::RowExclusive).await?;
    let number = tx.shared.next_token.get();
    tx.shared.next_token.set(number + 1);
    tx.insert(EVENTS, vec![Datum::Int64(number)]).await?;
    Ok(())
}

/// Creates the base tables and the accounts.
pub(crate) async fn set_up(shared: &Rc<Shared>) -> Result<(), Stop> {
    let mut tx = Tx::begin(shared, Isolation::ReadCommitted);
    for table in schema::BASE {
        tx.create_table(table, schema::base_layout(table))?;
    }
    for (index, layout) in schema::base_indexes() {
        tx.create_index(index, layout)?;
    }
    for id in 0..schema::ACCOUNT_COUNT {
        let balance = Datum::Int64(schema::OPENING_BALANCE);
        tx.insert(ACCOUNTS, vec![Datum::Int64(id), balance, Datum::Null]).await?;
    }
    event(&mut tx).await?;
    tx.commit(0).await
}
