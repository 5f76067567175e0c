//! Sessions at work: each appends to lists and reads them, through every way that SQL offers.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use oxi_base::{Error, SqlState};
use oxi_model::{Datum, Row, engine::Isolation};
use oxi_session::{Chunk, Outcome, Request, Session, outcome::row_at};
use oxi_world::rng::Prng;

use super::history::{Key, Op, Transaction, Value};
use oxi_sim_store::{
    executor::{now, pause},
    shared::{Stop, one_in},
};

/// Lists that are appended to at the same time.
const KEYS_OPEN: u64 = 8;
/// Transactions after which a new list takes the place of the oldest open one.
const KEY_LIFE: u64 = 60;
/// Neighbouring lists are a group.
const GROUP: u32 = 4;

/// What the sessions of a round share.
pub(super) struct Round {
    isolation: Isolation,
    transactions: u64,
    begun: AtomicU64,
    next_value: AtomicU32,
    history: Mutex<Vec<Transaction>>,
    violation: Mutex<Option<String>>,
}

/// What a panicking session leaves behind is not worth looking at.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no session panics while it holds this")
}

impl Round {
    pub(super) fn new(isolation: Isolation, transactions: u64) -> Self {
        Round {
            isolation,
            transactions,
            begun: AtomicU64::new(0),
            next_value: AtomicU32::new(1),
            history: Mutex::default(),
            violation: Mutex::default(),
        }
    }

    /// Takes one of the transactions that are left.
    fn begin(&self) -> bool {
        locked(&self.violation).is_none()
            && self.begun.fetch_add(1, Ordering::Relaxed) < self.transactions
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed).min(self.transactions)
    }

    fn key(&self, prng: &mut Prng) -> Key {
        (self.begun() / KEY_LIFE + prng.below(KEYS_OPEN)) as Key
    }

    fn value(&self) -> Value {
        self.next_value.fetch_add(1, Ordering::Relaxed)
    }

    fn note(&self, transaction: Transaction) {
        locked(&self.history).push(transaction);
    }

    fn violated(&self, reason: String) {
        locked(&self.violation).get_or_insert(reason);
    }

    /// What went on, or why it ended early.
    pub(super) fn outcome(&self) -> Result<Vec<Transaction>, String> {
        match locked(&self.violation).take() {
            Some(reason) => Err(reason),
            None => Ok(std::mem::take(&mut *locked(&self.history))),
        }
    }
}

/// Runs transactions until none are left.
pub(super) async fn work(session: Session, round: Arc<Round>, prng: Prng) {
    let mut client = Client { session, round, prng, ops: Vec::new() };
    while client.round.begin() {
        if let Err(Stop::Violation(reason)) = client.transaction().await {
            client.round.violated(reason);
        }
        pause().await;
    }
}

/// Reads every list, for the end of a history.
pub(super) async fn read_all(session: Session, round: Arc<Round>, prng: Prng) {
    let mut client = Client { session, round, prng, ops: Vec::new() };
    let keys = client.round.begun() / KEY_LIFE + KEYS_OPEN;
    let read = client.read("SELECT k, v FROM lists", vec![], 0..keys as Key).await;
    match read {
        Ok(()) => client.round.note(Transaction::committed(client.ops)),
        Err(reason) => client.round.violated(format!("{reason:?}")),
    }
}

struct Client {
    session: Session,
    round: Arc<Round>,
    prng: Prng,
    /// What the transaction has done so far.
    ops: Vec<Op>,
}

fn int(value: u32) -> Datum {
    Datum::Int32(value.cast_signed())
}

fn stop(error: Error) -> Stop {
    match error.code() {
        SqlState::SERIALIZATION_FAILURE | SqlState::DEADLOCK_DETECTED => Stop::Retry,
        _ => Stop::Violation(format!("a statement failed: {error}")),
    }
}

impl Client {
    /// One transaction, from its beginning to whatever end.
    async fn transaction(&mut self) -> Result<(), Stop> {
        let begin = match self.round.isolation {
            Isolation::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Isolation::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        };
        self.ops.clear();
        self.run(begin, vec![]).await?;
        let worked = self.steps().await;
        let ended = match worked {
            Ok(()) if one_in(&mut self.prng, 12) => {
                self.run("ROLLBACK", vec![]).await.map(|_| false)
            }
            Ok(()) => self.run("COMMIT", vec![]).await.map(|_| true),
            Err(stop) => {
                self.run("ROLLBACK", vec![]).await?;
                Err(stop)
            }
        };
        let ops = std::mem::take(&mut self.ops);
        self.round.note(Transaction { ops, committed: matches!(ended, Ok(true)) });
        ended.map(|_| ())
    }

    async fn steps(&mut self) -> Result<(), Stop> {
        for _ in 0..=self.prng.below(4) {
            pause().await;
            match self.prng.below(20) {
                0..9 => self.append().await?,
                9 => self.append_in_savepoint().await?,
                _ => self.read_some().await?,
            }
        }
        pause().await;
        Ok(())
    }

    async fn read_some(&mut self) -> Result<(), Stop> {
        let key = self.round.key(&mut self.prng);
        match self.prng.below(10) {
            0 => {
                let params = vec![int(key), int(key + 2)];
                self.read("SELECT k, v FROM lists WHERE k BETWEEN $1 AND $2", params, key..key + 3)
                    .await
            }
            1 => {
                let first = key / GROUP * GROUP;
                let params = vec![int(key / GROUP)];
                self.read("SELECT k, v FROM lists WHERE g = $1", params, first..first + GROUP).await
            }
            _ => {
                let params = vec![int(key)];
                self.read("SELECT k, v FROM lists WHERE k = $1", params, key..key + 1).await
            }
        }
    }

    /// Reads the lists of a range of keys by a query that gives all of them that exist.
    async fn read(
        &mut self,
        sql: &str,
        params: Vec<Datum>,
        keys: std::ops::Range<Key>,
    ) -> Result<(), Stop> {
        let rows = self.run(sql, params).await?.0;
        for key in keys {
            let row = rows.iter().find(|row| row[0] == int(key));
            let values = row.map_or(Ok(Vec::new()), |row| list(&row[1]))?;
            self.ops.push(Op::Read(key, values));
        }
        Ok(())
    }

    async fn append(&mut self) -> Result<(), Stop> {
        let (key, value) = (self.round.key(&mut self.prng), self.round.value());
        // Before the attempt: if it fails, nobody may ever see the value.
        self.ops.push(Op::Append(key, value));
        let text = Datum::text(value.to_string());
        let update = match self.prng.below(8) {
            0..3 => "UPDATE lists SET v = v || ',' || $2 WHERE k = $1",
            3 => "UPDATE lists SET v = v || ',' || $2 WHERE k + 0 = $1",
            4 => return self.append_to_locked(key, value).await,
            _ => return self.insert(key, text).await,
        };
        let (_, affected) = self.run(update, vec![int(key), text.clone()]).await?;
        if affected > 0 {
            return Ok(());
        }
        // That there is no such list is something it has read.
        self.before_append(Op::Read(key, Vec::new()));
        self.insert(key, text).await
    }

    async fn insert(&mut self, key: Key, text: Datum) -> Result<(), Stop> {
        let sql = "INSERT INTO lists VALUES ($1, $2, $3) \
                   ON CONFLICT (k) DO UPDATE SET v = lists.v || ',' || excluded.v";
        self.run(sql, vec![int(key), int(key / GROUP), text]).await.map(|_| ())
    }

    /// Reads the list under a lock and writes it back.
    async fn append_to_locked(&mut self, key: Key, value: Value) -> Result<(), Stop> {
        let sql = "SELECT k, v FROM lists WHERE k = $1 FOR UPDATE";
        let rows = self.run(sql, vec![int(key)]).await?.0;
        let Some(row) = rows.first() else {
            self.before_append(Op::Read(key, Vec::new()));
            return self.insert(key, Datum::text(value.to_string())).await;
        };
        let mut values = list(&row[1])?;
        self.before_append(Op::Read(key, values.clone()));
        pause().await;
        values.push(value);
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        let params = vec![int(key), Datum::text(texts.join(","))];
        self.run("UPDATE lists SET v = $2 WHERE k = $1", params).await.map(|_| ())
    }

    /// Puts what was read on the way to an append in front of it.
    fn before_append(&mut self, read: Op) {
        let last = self.ops.len() - 1;
        self.ops.insert(last, read);
    }

    async fn append_in_savepoint(&mut self) -> Result<(), Stop> {
        self.run("SAVEPOINT s", vec![]).await?;
        let kept = self.ops.len();
        self.append().await?;
        if one_in(&mut self.prng, 2) {
            self.run("RELEASE SAVEPOINT s", vec![]).await?;
            return Ok(());
        }
        self.run("ROLLBACK TO SAVEPOINT s", vec![]).await?;
        // What was read was read all the same; what was appended is as if of another transaction.
        let undone = self.ops.split_off(kept);
        let (appends, reads): (Vec<Op>, Vec<Op>) =
            undone.into_iter().partition(|op| matches!(op, Op::Append(..)));
        self.round.note(Transaction::aborted(appends));
        self.ops.extend(reads);
        Ok(())
    }

    /// Runs a statement; its rows, and how many it has affected.
    async fn run(&mut self, sql: &str, params: Vec<Datum>) -> Result<(Vec<Row>, u64), Stop> {
        self.statement(sql, params).await.map_err(stop)
    }

    async fn statement(
        &mut self,
        sql: &str,
        params: Vec<Datum>,
    ) -> oxi_base::Result<(Vec<Row>, u64)> {
        let session = &mut self.session;
        let prepared = session.prepare("", sql, &[])?;
        let request = Request::Prepared { prepared, params, implicit_block: false };
        let mut rows = Vec::new();
        let mut cursor = match session.execute(request).await? {
            Outcome::Rows(cursor) => cursor,
            Outcome::Done(tag) => return Ok((rows, tag.rows().unwrap_or_default())),
            _ => return Err(Error::bug("neither rows nor a count")),
        };
        loop {
            match cursor.next(session).await? {
                Chunk::Row(row) => rows.push(row),
                Chunk::Batch(batch) => {
                    for row in 0..batch.num_rows() {
                        rows.push(row_at(cursor.fields(), &batch, row)?);
                    }
                }
                Chunk::End(_) => return Ok((rows, 0)),
            }
        }
    }
}

/// The values of a stored list.
fn list(datum: &Datum) -> Result<Vec<Value>, Stop> {
    let Datum::Text(text) = datum else {
        return Err(Stop::Violation(format!("a list that is {datum:?}")));
    };
    let values: Result<Vec<Value>, _> = text.split(',').map(str::parse).collect();
    values.map_err(|error| Stop::Violation(format!("the list {text:?}: {error}")))
}

/// Runs one statement that waits for nobody.
pub(super) fn set_up(session: &mut Session, sql: &str) -> Result<(), String> {
    let run = async {
        let prepared = session.prepare("", sql, &[])?;
        let request = Request::Prepared { prepared, params: Vec::new(), implicit_block: false };
        session.execute(request).await
    };
    match now(run) {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(format!("{sql} waits for somebody")),
    }
}
