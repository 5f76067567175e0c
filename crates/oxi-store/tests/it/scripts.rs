//! Scripts in `tests/scripts`: sessions are prefixes (`a:`), each command is one statement.
//!
//! A command that must wait says so and stays pending; `a: go` looks whether it may go on.

use std::{collections::BTreeMap, error::Error, fmt::Write as _, sync::Arc};

use goldenscript::{Command, Context, Runner};
use oxi_base::{RowId, Ts};
use oxi_model::{
    Datum,
    engine::*,
    lock::{AdvisoryKey, SessionLocks},
};
use oxi_store::{Store, StoreOptions};
use oxi_world::{SimControl, World};

use crate::support::*;

struct Session {
    txn: Arc<dyn Txn>,
    savepoints: BTreeMap<String, SavepointId>,
    statement: Option<Arc<dyn Snapshot>>,
    pending: Option<(Action, Wait)>,
    committing: Option<BoxFuture<oxi_base::Result<()>>>,
    last: Option<RowId>,
    advisory: Arc<dyn SessionLocks>,
}

#[derive(Clone)]
enum Action {
    Insert(Vec<Datum>),
    Update(RowId, WriteTarget, Vec<(usize, Datum)>),
    Delete(RowId, WriteTarget),
    LockRow(RowId, WriteTarget, RowLock),
    LockTable(TableLock),
    Advisory(AdvisoryKey, TableLock),
    SessionAdvisory(AdvisoryKey, TableLock),
}

struct Scripts {
    world: World,
    control: SimControl,
    store: Option<Arc<Store>>,
    sessions: BTreeMap<String, Session>,
    advisory: BTreeMap<String, Arc<dyn SessionLocks>>,
    /// Commits by the names they were given.
    moments: BTreeMap<String, Ts>,
}

type Output = Result<String, Box<dyn Error>>;

impl Scripts {
    fn new() -> Self {
        let (world, control) = World::simulated(1);
        let store = open(&world, StoreOptions::default()).unwrap();
        create(&store);
        let (sessions, advisory) = (BTreeMap::new(), BTreeMap::new());
        let moments = BTreeMap::new();
        Scripts { world, control, store: Some(store), sessions, advisory, moments }
    }

    fn store(&self) -> &Arc<Store> {
        self.store.as_ref().unwrap()
    }

    fn global(&mut self, command: &Command) -> Output {
        match command.name.as_str() {
            "collect" => self.store().collect(),
            "check" => {
                let report = self.store().check()?;
                return Ok(format!(
                    "rows {} entries {} images {} garbage {}",
                    report.rows, report.entries, report.images, report.garbage
                ));
            }
            "prepared" => {
                let prepared = self.store().prepared();
                let names: Vec<_> = prepared.into_iter().map(|found| found.gid).collect();
                return Ok(names.join(" "));
            }
            "commit_prepared" | "rollback_prepared" => {
                let gid = command.consume_args().next_pos().ok_or("gid missing")?.to_owned();
                let end = match command.name.as_str() {
                    "commit_prepared" => PreparedEnd::Commit,
                    _ => PreparedEnd::Rollback,
                };
                return Ok(match self.store().finish_prepared(&gid, end) {
                    Ok(mut future) => match poll(&mut future) {
                        Some(outcome) => outcome.map(|()| "done".to_owned()).map_err(show)?,
                        None => "waits".to_owned(),
                    },
                    Err(error) => format!("ERROR {error}"),
                });
            }
            "rows" => return Ok(format!("{}", self.store().statistics(TABLE).rows)),
            "checkpoint" => {
                let report = self.store().checkpoint()?;
                return Ok(format!("rows written {}", report.rows_written));
            }
            "crash" | "reopen" => {
                self.sessions.clear();
                self.advisory.clear();
                let store = self.store.take().unwrap();
                if command.name == "reopen" {
                    store.close()?;
                    drop(store);
                } else {
                    // The process is gone first; what it still wants to write is lost.
                    self.control.crash_losing_all_unsynced();
                    drop(store);
                }
                let store = open(&self.world, StoreOptions::default())?;
                let report = store.recovery_report();
                self.store = Some(store);
                return Ok(format!(
                    "image rows {} transactions {} discarded {}{}",
                    report.image_rows,
                    report.transactions,
                    report.discarded,
                    if report.prepared > 0 {
                        format!(" prepared {}", report.prepared)
                    } else {
                        String::new()
                    }
                ));
            }
            "locks" => return Ok(self.locks()),
            "keep" | "advance" | "note" | "at" => return self.history(command),
            "failsync" => self.control.fail_sync("wal", 0),
            name => return Err(format!("unknown command {name}").into()),
        }
        Ok(String::new())
    }
}

impl Scripts {
    /// Commands about earlier moments.
    fn history(&mut self, command: &Command) -> Output {
        let mut args = command.consume_args();
        let argument = args.next_pos().ok_or("argument missing")?.to_owned();
        match command.name.as_str() {
            "keep" => {
                let history_us = Some(argument.parse()?);
                let txn = self.store().begin(Isolation::ReadCommitted);
                txn.alter_table(TABLE, TableLayout { history_us, ..layout() })?;
                now(txn.commit()?)?;
            }
            "advance" => self.control.advance_us(argument.parse()?),
            "note" => {
                let ts = self.store().begin(Isolation::ReadCommitted).begin_statement().ts();
                self.moments.insert(argument, ts);
            }
            _ => {
                let ts = *self.moments.get(&argument).ok_or("no such moment")?;
                let txn = self.store().begin(Isolation::ReadCommitted);
                let then = now(txn.snapshot_at(Moment::Commit(ts)))?;
                let request =
                    ScanRequest { columns: vec![0], row_id: false, partitions: 1, in_order: false };
                if let Err(error) = then.scan(TABLE, &request) {
                    return Ok(error.message().to_owned());
                }
                return Ok(list(&scan(&*then)));
            }
        }
        Ok(String::new())
    }
}

/// Sessions are numbered by their letters.
fn number_of(session: &str) -> u32 {
    u32::from(session.as_bytes()[0] - b'a' + 1)
}

impl Scripts {
    fn locks(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for lock in self.store().locks() {
            let session = char::from(b'a' - 1 + lock.session as u8);
            let state = match (lock.granted, lock.fast_path) {
                (true, true) => "granted fast",
                (true, false) => "granted",
                (false, _) => "waits",
            };
            lines.push(format!("{session} {:?} {} {state}", lock.object, lock.lock.name()));
        }
        for name in self.sessions.keys() {
            let blockers = self.store().blockers(number_of(name));
            if !blockers.is_empty() {
                lines.push(format!("{name} is blocked by {blockers:?}"));
            }
        }
        lines.sort();
        lines.join("\n")
    }
}

impl Session {
    fn statement(&mut self) -> Arc<dyn Snapshot> {
        let snapshot = self.txn.begin_statement();
        self.statement = Some(snapshot.clone());
        snapshot
    }

    fn attempt(&mut self, action: Action) -> Output {
        let snapshot = self.statement.clone().unwrap_or_else(|| self.statement());
        let written = |outcome: WriteOutcome| match outcome {
            WriteOutcome::Done => Ok("done"),
            WriteOutcome::Changed => Ok("changed"),
            WriteOutcome::Gone => Ok("gone"),
            WriteOutcome::Duplicate(_) => Ok("duplicate"),
            WriteOutcome::Wait(wait) => Err(wait),
        };
        let outcome = match &action {
            Action::Insert(row) => match self.txn.insert(TABLE, row)? {
                InsertOutcome::Done(_) => Ok("done"),
                InsertOutcome::Duplicate(_) => Ok("duplicate"),
                InsertOutcome::Wait(wait) => Err(wait),
            },
            Action::Update(row, target, changes) => {
                written(self.txn.update(&*snapshot, TABLE, *row, *target, changes)?)
            }
            Action::Delete(row, target) => {
                written(self.txn.delete(&*snapshot, TABLE, *row, *target)?)
            }
            Action::LockRow(row, target, lock) => {
                written(self.txn.lock_row(&*snapshot, TABLE, *row, *target, *lock)?)
            }
            Action::LockTable(lock) => match self.txn.lock_table(TABLE, *lock)? {
                None => Ok("done"),
                Some(wait) => Err(wait),
            },
            Action::Advisory(key, lock) => {
                self.txn.lock_advisory(*key, *lock)?.map_or(Ok("done"), Err)
            }
            Action::SessionAdvisory(key, lock) => {
                self.advisory.lock(*key, *lock)?.map_or(Ok("done"), Err)
            }
        };
        match outcome {
            Ok(text) => Ok(text.to_owned()),
            Err(mut wait) => {
                if let Some(outcome) = poll(&mut wait) {
                    outcome.map_err(show)?;
                    return self.attempt(action);
                }
                self.pending = Some((action, wait));
                Ok("waits".to_owned())
            }
        }
    }

    fn go(&mut self) -> Output {
        if let Some(mut commit) = self.committing.take() {
            if let Some(outcome) = poll(&mut commit) {
                return outcome.map(|()| "committed".to_owned()).map_err(show);
            }
            self.committing = Some(commit);
            return Ok("still waits".to_owned());
        }
        let Some((action, mut wait)) = self.pending.take() else {
            return Err("nothing is pending".into());
        };
        match poll(&mut wait) {
            None => {
                self.pending = Some((action, wait));
                Ok("still waits".to_owned())
            }
            Some(outcome) => {
                outcome.map_err(show)?;
                drop(wait);
                self.attempt(action).map_err(|e| e.to_string().into())
            }
        }
    }

    fn command(&mut self, command: &Command) -> Output {
        let mut args = command.consume_args();
        let mut number = || -> Result<i64, Box<dyn Error>> {
            Ok(args.next_pos().ok_or("key missing")?.parse()?)
        };
        let target = |word: Option<&str>| match word {
            Some("newest") => WriteTarget::Newest,
            _ => WriteTarget::Snapshot,
        };
        Ok(match command.name.as_str() {
            "insert" => {
                self.statement();
                let k = number()?;
                let v = args.next_pos().unwrap_or("").to_owned();
                return self.attempt(Action::Insert(row(k, &v)));
            }
            name @ ("update" | "rekey" | "delete" | "lock" | "lock_no_key" | "share"
            | "share_key") => {
                let k = number()?;
                let value = match name {
                    "update" => {
                        vec![(1, Datum::text(args.next_pos().ok_or("value missing")?))]
                    }
                    "rekey" => {
                        vec![(0, Datum::Int64(args.next_pos().ok_or("key missing")?.parse()?))]
                    }
                    _ => vec![],
                };
                let word = args.next_pos();
                let again = word == Some("newest") || word == Some("again");
                let row = if again {
                    self.last.ok_or("no row")?
                } else {
                    let snapshot = self.statement();
                    let Some((row, _)) = find(&*snapshot, k) else { return Ok("none".into()) };
                    row
                };
                self.last = Some(row);
                let target = target(word);
                return self.attempt(match name {
                    "delete" => Action::Delete(row, target),
                    "lock" => Action::LockRow(row, target, RowLock::Update),
                    "lock_no_key" => Action::LockRow(row, target, RowLock::NoKeyUpdate),
                    "share" => Action::LockRow(row, target, RowLock::Share),
                    "share_key" => Action::LockRow(row, target, RowLock::KeyShare),
                    _ => Action::Update(row, target, value),
                });
            }
            "table" => {
                let name = args.next_pos().unwrap_or("RowExclusive");
                let lock = TableLock::ALL.into_iter().find(|lock| format!("{lock:?}") == name);
                let lock = lock.ok_or("no such mode")?;
                return self.attempt(Action::LockTable(lock));
            }
            name @ ("advisory" | "advisory_xact" | "unadvisory") => {
                let key = AdvisoryKey::One(number()?);
                let lock = match args.next_pos() {
                    Some("shared") => TableLock::Share,
                    _ => TableLock::Exclusive,
                };
                return match name {
                    "advisory" => self.attempt(Action::SessionAdvisory(key, lock)),
                    "advisory_xact" => self.attempt(Action::Advisory(key, lock)),
                    _ => Ok(format!("{}", self.advisory.unlock(key, lock))),
                };
            }
            "get" => {
                let k = number()?;
                find(&*self.statement(), k).map_or("none".into(), |(_, v)| v)
            }
            "range" => {
                let (from, to) = (number()?, number()?);
                let limit = args.next_pos().map_or(Ok(usize::MAX), str::parse)?;
                list(&range(&*self.statement(), from, to, limit))
            }
            "filter" => {
                let (from, to) = (number()?, number()?);
                list(&scan_between(&*self.statement(), from, to))
            }
            "newest" => match self.txn.newest(TABLE, self.last.ok_or("no row")?)? {
                Some(row) => format!("{row:?}"),
                None => "none".into(),
            },
            "scan" => {
                let snapshot = self.statement();
                let rows = scan(&*snapshot);
                assert_eq!(rows, scan_index(&*snapshot, false));
                let mut reversed = scan_index(&*snapshot, true);
                reversed.reverse();
                assert_eq!(rows, reversed);
                list(&rows)
            }
            "rescan" => list(&scan(&**self.statement.as_ref().ok_or("no statement")?)),
            "current" => list(&scan(&*self.txn.current_snapshot())),
            "savepoint" => {
                let name = args.next_pos().ok_or("name missing")?.to_owned();
                self.savepoints.insert(name, self.txn.savepoint());
                String::new()
            }
            "rollback_to" => {
                let name = args.next_pos().ok_or("name missing")?;
                self.txn.rollback_to(self.savepoints[name])?;
                String::new()
            }
            "release" => {
                let name = args.next_pos().ok_or("name missing")?;
                self.txn.release(self.savepoints[name]);
                String::new()
            }
            "commit" => {
                self.statement = None;
                self.committing = Some(self.txn.commit().map_err(show)?);
                return self.go();
            }
            "prepare" => {
                let gid = args.next_pos().ok_or("gid missing")?.to_owned();
                self.statement = None;
                let name = PrepareAs { gid, owner: "me".to_owned(), limit: 3 };
                self.committing = Some(self.txn.prepare(&name).map_err(show)?);
                return self.go().map(|text| text.replace("committed", "prepared"));
            }
            "check_unique" => {
                let key = Datum::text(args.next_pos().ok_or("value missing")?);
                match self.txn.check_unique(BY_VALUE, &[key])? {
                    KeyCheck::Unique => "unique".into(),
                    KeyCheck::Twice => "twice".into(),
                    KeyCheck::Wait(_) => "waits".into(),
                }
            }
            "prepare_commit" => {
                self.committing = Some(self.txn.commit().map_err(show)?);
                String::new()
            }
            "rollback" => {
                self.pending = None;
                self.statement = None;
                self.txn.rollback();
                String::new()
            }
            "go" => return self.go(),
            "cancel" => {
                self.pending = None;
                String::new()
            }
            "next" => {
                let step = SequenceStep { start: 1, increment: 1, min: 1, max: 100, cycle: false };
                format!("{}", self.txn.sequence_next(7, &step)?)
            }
            "setval" => {
                self.txn.sequence_set(7, number()?, true)?;
                String::new()
            }
            name => return Err(format!("unknown command {name}").into()),
        })
    }
}

fn show(error: oxi_base::Error) -> Box<dyn Error> {
    let mut text = error.to_string();
    if let Some(detail) = error.detail() {
        let _ = write!(text, "\n{detail}");
    }
    text.into()
}

fn list(rows: &[(i64, String, RowId)]) -> String {
    if rows.is_empty() {
        return "empty".into();
    }
    rows.iter().map(|(k, v, _)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
}

impl Runner for Scripts {
    type Command = Command;

    fn run(&mut self, command: &Command, context: &Context) -> Output {
        let Some(name) = &context.prefix else { return self.global(command) };
        if command.name == "begin" {
            let isolation = match command.consume_args().next_pos() {
                Some("rr") => Isolation::RepeatableRead,
                Some("ser") => Isolation::Serializable,
                _ => Isolation::ReadCommitted,
            };
            let txn = self.store().begin(isolation);
            txn.belong_to(number_of(name));
            let fresh = || self.store().session_locks(number_of(name));
            let advisory = self.advisory.get(name).cloned().unwrap_or_else(fresh);
            self.advisory.insert(name.clone(), advisory.clone());
            let session = Session {
                txn,
                savepoints: BTreeMap::new(),
                statement: None,
                pending: None,
                committing: None,
                last: None,
                advisory,
            };
            self.sessions.insert(name.clone(), session);
            return Ok(String::new());
        }
        let session = self.sessions.get_mut(name).ok_or("no such session")?;
        match session.command(command) {
            // Errors of the store are part of what a script expects.
            Err(error) => Ok(format!("ERROR {error}")),
            Ok(text) => Ok(text),
        }
    }
}

fn script(name: &str) {
    let path = format!("{}/tests/scripts/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    goldenscript::run(&mut Scripts::new(), path).unwrap();
}

macro_rules! scripts {
    ($($name:ident)*) => { $(#[test] fn $name() { script(stringify!($name)); })* };
}

scripts! {
    visibility waits read_committed repeatable_read savepoints unique deadlock locks collection
    recovery checkpoint sequences failure table_locks advisory serializable two_phase
    deferred_unique history
}
