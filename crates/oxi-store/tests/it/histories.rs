//! Random histories of several transactions against a model.

use std::{collections::BTreeMap, sync::Arc};

use oxi_model::{Datum, engine::*};
use oxi_store::{Store, StoreOptions};
use oxi_world::{SimControl, World};
use proptest::prelude::*;

use crate::support::*;

#[derive(Clone, Debug)]
enum Step {
    Insert(usize, i64),
    Update(usize, i64),
    Rekey(usize, i64, i64),
    Delete(usize, i64),
    Savepoint(usize),
    RollbackTo(usize),
    Commit(usize),
    Rollback(usize),
    Read(usize),
    Collect,
    Checkpoint,
    Crash,
}

const SESSIONS: usize = 3;
const KEYS: i64 = 12;

fn step() -> impl Strategy<Value = Step> {
    let s = || 0..SESSIONS;
    let k = || 0..KEYS;
    prop_oneof![
        6 => (s(), k()).prop_map(|(s, k)| Step::Insert(s, k)),
        6 => (s(), k()).prop_map(|(s, k)| Step::Update(s, k)),
        3 => (s(), k(), k()).prop_map(|(s, a, b)| Step::Rekey(s, a, b)),
        4 => (s(), k()).prop_map(|(s, k)| Step::Delete(s, k)),
        2 => s().prop_map(Step::Savepoint),
        2 => s().prop_map(Step::RollbackTo),
        4 => s().prop_map(Step::Commit),
        2 => s().prop_map(Step::Rollback),
        4 => s().prop_map(Step::Read),
        2 => Just(Step::Collect),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Crash),
    ]
}

type Model = BTreeMap<i64, String>;

/// A running transaction and what it should see: its start state under its own changes.
struct Session {
    txn: Arc<dyn Txn>,
    /// What it changed: `None` is deleted.
    own: BTreeMap<i64, Option<String>>,
    savepoints: Vec<(SavepointId, BTreeMap<i64, Option<String>>)>,
    /// REPEATABLE READ: what was committed when it began to read.
    fixed: Option<Model>,
}

struct World3 {
    world: World,
    control: SimControl,
    options: StoreOptions,
    store: Arc<Store>,
    committed: Model,
    sessions: Vec<Option<Session>>,
    counter: u32,
}

/// Half of the histories send everything away whenever they can.
fn options(seed: u64) -> StoreOptions {
    let memory_limit = seed.is_multiple_of(2).then_some(1);
    StoreOptions { chunk_bytes: 100, collect_every: 5, memory_limit, ..StoreOptions::default() }
}

impl World3 {
    fn new(seed: u64) -> Self {
        let (world, control) = World::simulated(seed);
        let options = options(seed);
        let store = open(&world, options.clone()).unwrap();
        create(&store);
        let sessions = (0..SESSIONS).map(|_| None).collect();
        World3 { world, options, control, store, committed: Model::new(), sessions, counter: 0 }
    }

    fn session(&mut self, number: usize) -> &mut Session {
        let strict = number == 0;
        let store = &self.store;
        let committed = &self.committed;
        self.sessions[number].get_or_insert_with(|| {
            let isolation =
                if strict { Isolation::RepeatableRead } else { Isolation::ReadCommitted };
            let txn = store.begin(isolation);
            txn.begin_statement();
            Session {
                txn,
                own: BTreeMap::new(),
                savepoints: Vec::new(),
                fixed: strict.then(|| committed.clone()),
            }
        })
    }

    fn expected(&self, number: usize) -> Model {
        let session = self.sessions[number].as_ref().unwrap();
        let mut model = session.fixed.clone().unwrap_or_else(|| self.committed.clone());
        for (k, v) in &session.own {
            match v {
                Some(v) => model.insert(*k, v.clone()),
                None => model.remove(k),
            };
        }
        model
    }

    fn read(&mut self, number: usize) {
        self.session(number);
        let session = self.sessions[number].as_ref().unwrap();
        let snapshot = session.txn.begin_statement();
        let rows: Vec<(i64, String)> =
            scan(&*snapshot).into_iter().map(|(k, v, _)| (k, v)).collect();
        let expected = self.expected(number);
        assert_eq!(rows, expected.into_iter().collect::<Vec<_>>());
        let by_index: Vec<_> =
            scan_index(&*snapshot, false).into_iter().map(|(k, v, _)| (k, v)).collect();
        assert_eq!(rows, by_index);
        for k in 0..KEYS {
            let known = rows.iter().find(|(key, _)| *key == k).map(|(_, v)| v.clone());
            assert_eq!(find(&*snapshot, k).map(|(_, v)| v), known);
        }
    }

    /// Whether a session still sees a row of a key that others have taken away since. As in
    /// PostgreSQL it may then insert the key, and sees two rows of it: the model has no place for
    /// that.
    fn sees_lost_key(&mut self, number: usize, k: i64) -> bool {
        let committed = self.committed.contains_key(&k);
        let session = self.session(number);
        let fixed = session.fixed.as_ref().is_some_and(|fixed| fixed.contains_key(&k));
        fixed && !committed && !session.own.contains_key(&k)
    }

    /// A write that met an obstacle: nothing may have changed; half of the time give up.
    fn write(&mut self, number: usize, step: &Step) {
        if let Step::Insert(_, k) | Step::Rekey(_, _, k) = step
            && self.sees_lost_key(number, *k)
        {
            return;
        }
        self.counter += 1;
        let value = format!("value number {} of a step", self.counter);
        let session = self.session(number);
        let snapshot = session.txn.begin_statement();
        let outcome = match step {
            Step::Insert(_, k) => match session.txn.insert(TABLE, &row(*k, &value)) {
                Ok(InsertOutcome::Done(_)) => {
                    session.own.insert(*k, Some(value));
                    Ok(())
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            },
            Step::Update(_, k) => self
                .change(number, &snapshot, *k, |txn, row| {
                    txn.update(
                        &*snapshot,
                        TABLE,
                        row,
                        WriteTarget::Snapshot,
                        &[(1, Datum::text(&*value))],
                    )
                })
                .map(|done| {
                    if done {
                        self.session(number).own.insert(*k, Some(value.clone()));
                    }
                }),
            Step::Rekey(_, k, to) => {
                let old = find(&*snapshot, *k).map(|(_, v)| v);
                self.change(number, &snapshot, *k, |txn, row| {
                    txn.update(
                        &*snapshot,
                        TABLE,
                        row,
                        WriteTarget::Snapshot,
                        &[(0, Datum::Int64(*to))],
                    )
                })
                .map(|done| {
                    if done {
                        let own = &mut self.session(number).own;
                        own.insert(*k, None);
                        own.insert(*to, old);
                    }
                })
            }
            Step::Delete(_, k) => self
                .change(number, &snapshot, *k, |txn, row| {
                    txn.delete(&*snapshot, TABLE, row, WriteTarget::Snapshot)
                })
                .map(|done| {
                    if done {
                        self.session(number).own.insert(*k, None);
                    }
                }),
            _ => Ok(()),
        };
        if let Err(error) = outcome {
            assert_eq!(error.code().as_str(), "40001", "{error}");
            self.sessions[number] = None;
        }
    }

    fn change(
        &self,
        number: usize,
        snapshot: &Arc<dyn Snapshot>,
        k: i64,
        write: impl FnOnce(&dyn Txn, oxi_base::RowId) -> oxi_base::Result<WriteOutcome>,
    ) -> oxi_base::Result<bool> {
        let session = self.sessions[number].as_ref().unwrap();
        let Some((row, _)) = find(&**snapshot, k) else { return Ok(false) };
        Ok(matches!(write(&*session.txn, row)?, WriteOutcome::Done))
    }

    fn crash(&mut self) {
        self.sessions = (0..SESSIONS).map(|_| None).collect();
        self.control.crash();
        let (fresh, _) = World::simulated(9);
        let dead = std::mem::replace(&mut self.store, open(&fresh, options(1)).unwrap());
        drop(dead);
        self.store = open(&self.world, self.options.clone()).unwrap();
        self.store.check().unwrap();
        self.read(1);
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Insert(s, _) | Step::Update(s, _) | Step::Rekey(s, _, _) | Step::Delete(s, _) => {
                self.write(*s, step);
            }
            Step::Savepoint(s) => {
                let session = self.session(*s);
                let id = session.txn.savepoint();
                session.savepoints.push((id, session.own.clone()));
            }
            Step::RollbackTo(s) => {
                let session = self.session(*s);
                if let Some((id, own)) = session.savepoints.last().cloned() {
                    session.txn.rollback_to(id).unwrap();
                    session.own = own;
                    if session.savepoints.len() > 1 {
                        session.txn.release(id);
                        session.savepoints.pop();
                    }
                }
            }
            Step::Commit(s) => {
                if let Some(session) = self.sessions[*s].take() {
                    now(session.txn.commit().unwrap()).unwrap();
                    for (k, v) in session.own {
                        match v {
                            Some(v) => self.committed.insert(k, v),
                            None => self.committed.remove(&k),
                        };
                    }
                }
            }
            Step::Rollback(s) => {
                if let Some(session) = self.sessions[*s].take() {
                    session.txn.rollback();
                }
            }
            Step::Read(s) => self.read(*s),
            Step::Collect => self.store.collect(),
            Step::Checkpoint => {
                self.store.checkpoint().unwrap();
            }
            Step::Crash => self.crash(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn histories_agree_with_the_model(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World3::new(seed);
        for step in &steps {
            world.run(step);
        }
        for number in 0..SESSIONS {
            world.read(number);
        }
        world.store.check().unwrap();
        world.sessions.clear();
        world.store.collect();
        let report = world.store.check().unwrap();
        prop_assert_eq!(report.rows, world.committed.len() as u64);
        prop_assert_eq!(report.entries, 2 * report.rows);
        prop_assert_eq!(report.garbage, 0);
        prop_assert_eq!(world.store.statistics(TABLE).rows, report.rows);
    }
}
