//! Reading as of earlier moments, against a model that remembers every commit; with collections,
//! checkpoints, restarts and crashes between the commits.

use std::{collections::BTreeMap, sync::Arc};

use oxi_base::{ColumnId, IndexId, SqlState, Ts, TxnId};
use oxi_model::{Datum, PhysicalType, engine::*};
use oxi_store::{Store, StoreOptions};
use oxi_world::{SimControl, World};
use proptest::prelude::*;

use crate::support::*;

const DAY_US: u64 = 86_400_000_000;

type State = BTreeMap<i64, String>;

#[derive(Clone, Debug)]
enum Step {
    /// One transaction: key and value, or a deletion.
    Commit(Vec<(i64, Option<u8>)>),
    /// The same, rolled back.
    Rollback(Vec<(i64, Option<u8>)>),
    Collect,
    Checkpoint,
    Reopen,
    Crash,
    /// A new index, in place of the one there was.
    Reindex,
}

fn changes() -> impl Strategy<Value = Vec<(i64, Option<u8>)>> {
    prop::collection::vec((0..12i64, prop::option::weighted(0.7, 0..5u8)), 1..6)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => changes().prop_map(Step::Commit),
        1 => changes().prop_map(Step::Rollback),
        2 => Just(Step::Collect),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
        1 => Just(Step::Reindex),
    ]
}

struct Travel {
    world: World,
    control: SimControl,
    options: StoreOptions,
    store: Option<Arc<Store>>,
    now: State,
    commits: Vec<(Ts, Option<TxnId>, State)>,
    index: IndexId,
}

fn keeping(history_us: u64) -> TableLayout {
    TableLayout { history_us: Some(history_us), ..layout() }
}

impl Travel {
    fn new(options: StoreOptions) -> Self {
        let (world, control) = World::simulated(1);
        let store = open(&world, options.clone()).unwrap();
        let txn = store.begin(Isolation::ReadCommitted);
        txn.create_table(TABLE, keeping(DAY_US)).unwrap();
        txn.create_index(BY_KEY, index(0, true)).unwrap();
        txn.create_index(BY_VALUE, index(1, false)).unwrap();
        now(txn.commit().unwrap()).unwrap();
        let mut travel = Travel {
            world,
            control,
            options,
            store: Some(store),
            now: State::new(),
            commits: Vec::new(),
            index: BY_VALUE,
        };
        travel.note(None);
        travel
    }

    fn store(&self) -> &Arc<Store> {
        self.store.as_ref().unwrap()
    }

    fn note(&mut self, txn: Option<TxnId>) {
        let ts = self.store().begin(Isolation::ReadCommitted).begin_statement().ts();
        self.commits.push((ts, txn, self.now.clone()));
    }

    fn change(&mut self, changes: &[(i64, Option<u8>)]) -> Arc<dyn Txn> {
        let txn = self.store().begin(Isolation::ReadCommitted);
        for (k, change) in changes {
            let snapshot = txn.begin_statement();
            let value = change.map(|n| format!("value {n}, some with more bytes than fit inline"));
            match (find(&*snapshot, *k), value) {
                (None, None) => {}
                (None, Some(value)) => {
                    assert!(matches!(
                        txn.insert(TABLE, &row(*k, &value)),
                        Ok(InsertOutcome::Done(_))
                    ));
                    self.now.insert(*k, value);
                }
                (Some((at, _)), None) => {
                    txn.delete(&*snapshot, TABLE, at, WriteTarget::Snapshot).unwrap();
                    self.now.remove(k);
                }
                (Some((at, _)), Some(value)) => {
                    let change = [(1, Datum::text(value.as_str()))];
                    txn.update(&*snapshot, TABLE, at, WriteTarget::Snapshot, &change).unwrap();
                    self.now.insert(*k, value);
                }
            }
        }
        txn
    }

    fn reopen(&mut self) {
        let store = open(&self.world, self.options.clone()).unwrap();
        self.store = Some(store);
    }

    fn run(&mut self, step: &Step) {
        self.control.advance_us(1_000);
        match step {
            Step::Commit(changes) => {
                let txn = self.change(changes);
                let id = txn.id();
                now(txn.commit().unwrap()).unwrap();
                self.note(id);
            }
            Step::Rollback(changes) => {
                let before = self.now.clone();
                self.change(changes).rollback();
                self.now = before;
            }
            Step::Collect => self.store().collect(),
            Step::Checkpoint => {
                self.store().checkpoint().unwrap();
            }
            Step::Reopen => {
                self.store.take().unwrap().close().unwrap();
                self.reopen();
            }
            Step::Crash => {
                self.control.crash_losing_all_unsynced();
                drop(self.store.take());
                self.reopen();
            }
            Step::Reindex => {
                let txn = self.store().begin(Isolation::ReadCommitted);
                assert!(txn.lock_table(TABLE, TableLock::AccessExclusive).unwrap().is_none());
                txn.drop_index(self.index).unwrap();
                self.index = self.store().allocate_index_id();
                txn.create_index(self.index, index(1, false)).unwrap();
                now(txn.commit().unwrap()).unwrap();
            }
        }
    }

    fn snapshot(&self, moment: Moment) -> Arc<dyn Snapshot> {
        let txn = self.store().begin(Isolation::ReadCommitted);
        now(txn.snapshot_at(moment)).unwrap()
    }

    /// Every commit is readable as it was.
    fn check(&self) {
        for (ts, txn, state) in &self.commits {
            self.check_as(Moment::Commit(*ts), state);
            if let Some(txn) = txn.filter(|_| !state.is_empty()) {
                self.check_as(Moment::Transaction(txn), state);
            }
        }
        self.store().check().unwrap();
    }

    fn check_as(&self, moment: Moment, state: &State) {
        let snapshot = self.snapshot(moment);
        let expected: Vec<_> = state.iter().map(|(k, v)| (*k, v.clone())).collect();
        let plain =
            |found: Vec<Found>| -> Vec<_> { found.into_iter().map(|(k, v, _)| (k, v)).collect() };
        assert_eq!(plain(scan(&*snapshot)), expected, "{moment:?}");
        assert_eq!(plain(scan_index(&*snapshot, false)), expected, "{moment:?}");
        for (k, v) in state {
            let mut found = Vec::new();
            let mut visit = |_, values: &mut Vec<Datum>| {
                found.push(values[0].clone());
                Ok(true)
            };
            snapshot.index_get(self.index, &[Datum::text(v.as_str())], &[0], &mut visit).unwrap();
            assert!(found.contains(&Datum::Int64(*k)), "{k} by its value at {moment:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_commit_stays_readable(
        steps in prop::collection::vec(step(), 1..30),
        is_limited in any::<bool>(),
    ) {
        let memory_limit = is_limited.then_some(1 << 14);
        let options = StoreOptions { collect_every: 3, memory_limit, ..StoreOptions::default() };
        let mut travel = Travel::new(options);
        for step in &steps {
            travel.run(step);
            if !matches!(step, Step::Commit(_) | Step::Rollback(_)) {
                travel.check();
            }
        }
        travel.run(&Step::Reopen);
        travel.check();
        let found = Store::inspect(&travel.world, "");
        drop(travel.store.take());
        prop_assert!(found.is_err(), "it is open");
        let found = Store::inspect(&travel.world, "").unwrap();
        prop_assert_eq!(found.problems, vec![]);
    }
}

fn code_of(store: &Store, ts: Ts) -> Option<SqlState> {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = now(txn.snapshot_at(Moment::Commit(ts))).unwrap();
    let request = ScanRequest { columns: vec![0], row_id: false, partitions: 1, in_order: false };
    snapshot.scan(TABLE, &request).err().map(|error| error.code())
}

#[test]
fn history_ends_where_its_time_does() {
    let mut travel = Travel::new(StoreOptions::default());
    travel.run(&Step::Commit(vec![(1, Some(1)), (2, Some(1))]));
    travel.run(&Step::Commit(vec![(1, Some(2)), (2, None)]));
    let (first, second) = (travel.commits[1].0, travel.commits[2].0);
    travel.control.advance_us(DAY_US / 2);
    travel.run(&Step::Commit(vec![(1, Some(3))]));
    travel.run(&Step::Reopen);
    travel.check();
    travel.control.advance_us(DAY_US * 2 / 3);
    travel.store().collect();
    assert_eq!(code_of(travel.store(), first), Some(SqlState::SNAPSHOT_TOO_OLD));
    assert_eq!(code_of(travel.store(), second), Some(SqlState::SNAPSHOT_TOO_OLD));
    let third = travel.commits[3].clone();
    travel.check_as(Moment::Commit(third.0), &third.2);
    travel.run(&Step::Reopen);
    assert_eq!(code_of(travel.store(), first), Some(SqlState::SNAPSHOT_TOO_OLD));
    travel.check_as(Moment::Commit(third.0), &third.2);
    let report = travel.store().check().unwrap();
    assert_eq!((report.rows, report.entries), (1, 2 + 1), "what one older version still has");
}

#[test]
fn a_reader_of_the_past_keeps_it() {
    let mut travel = Travel::new(StoreOptions::default());
    travel.run(&Step::Commit(vec![(1, Some(1))]));
    travel.run(&Step::Commit(vec![(1, Some(2))]));
    let snapshot = travel.snapshot(Moment::Commit(travel.commits[1].0));
    travel.control.advance_us(DAY_US * 3);
    travel.store().collect();
    assert!(scan(&*snapshot)[0].1.starts_with("value 1"));
    drop(snapshot);
    travel.store().collect();
    assert_eq!(code_of(travel.store(), travel.commits[1].0), Some(SqlState::SNAPSHOT_TOO_OLD));
}

#[test]
fn moments_that_cannot_be_read_are_refused() {
    let mut travel = Travel::new(StoreOptions::default());
    travel.run(&Step::Commit(vec![(1, Some(1))]));
    let code = |moment| {
        let txn = travel.store().begin(Isolation::ReadCommitted);
        now(txn.snapshot_at(moment)).err().map(|error| error.code())
    };
    let clock = travel.world.clock.now_unix_us();
    assert_eq!(code(Moment::Time(clock)), None);
    assert_eq!(code(Moment::Time(clock + 1)), Some(SqlState::INVALID_PARAMETER_VALUE));
    assert_eq!(code(Moment::Transaction(TxnId(99))), Some(SqlState::SNAPSHOT_TOO_OLD));
    assert_eq!(code_of(travel.store(), Ts(5000)), Some(SqlState::SNAPSHOT_TOO_OLD));
}

/// Gives the table another layout.
fn alter(store: &Store, layout: TableLayout) {
    let txn = store.begin(Isolation::ReadCommitted);
    assert!(txn.lock_table(TABLE, TableLock::AccessExclusive).unwrap().is_none());
    txn.alter_table(TABLE, layout).unwrap();
    now(txn.commit().unwrap()).unwrap();
}

#[test]
fn the_past_is_read_with_the_columns_of_now() {
    let mut travel = Travel::new(StoreOptions::default());
    travel.run(&Step::Commit(vec![(1, Some(1))]));
    let then = travel.commits[1].0;
    let mut wider = keeping(DAY_US);
    wider.columns.push(ColumnLayout {
        id: ColumnId(7),
        physical: PhysicalType::Int32,
        missing: Datum::Int32(5),
    });
    alter(travel.store(), wider);
    travel.run(&Step::Commit(vec![(1, Some(2))]));
    for step in [Step::Collect, Step::Crash, Step::Reopen] {
        travel.run(&step);
        let snapshot = travel.snapshot(Moment::Commit(then));
        let mut found = Vec::new();
        let range = KeyRange::equal(vec![Datum::Int64(1)]);
        let mut visit = |_, values: &[Datum]| {
            found.push(values.to_vec());
            Ok(true)
        };
        snapshot.index_scan(BY_KEY, &range, &[1, 2], &mut visit).unwrap();
        assert_eq!(found.len(), 1, "after {step:?}");
        assert_eq!(found[0][1], Datum::Int32(5));
        assert!(matches!(&found[0][0], Datum::Text(v) if v.starts_with("value 1")));
    }
}

#[test]
fn history_begins_where_it_is_asked_for() {
    let mut travel = Travel::new(StoreOptions::default());
    travel.run(&Step::Commit(vec![(1, Some(1))]));
    let first = travel.commits[1].0;
    alter(travel.store(), keeping(0));
    travel.run(&Step::Commit(vec![(1, Some(2))]));
    assert_eq!(code_of(travel.store(), travel.commits[2].0), Some(SqlState::SNAPSHOT_TOO_OLD));
    travel.store().collect();
    alter(travel.store(), keeping(DAY_US));
    assert_eq!(code_of(travel.store(), first), Some(SqlState::SNAPSHOT_TOO_OLD));
    travel.run(&Step::Commit(vec![(1, Some(3))]));
    let (ts, _, state) = travel.commits[3].clone();
    travel.run(&Step::Commit(vec![(1, Some(4))]));
    for step in [Step::Collect, Step::Crash, Step::Reopen] {
        travel.run(&step);
        travel.check_as(Moment::Commit(ts), &state);
        // What the log still has may be there again after a crash.
        match code_of(travel.store(), first) {
            None => travel.check_as(Moment::Commit(first), &travel.commits[1].2),
            Some(code) => assert_eq!(code, SqlState::SNAPSHOT_TOO_OLD),
        }
    }
}

fn drop_table(store: &Store) {
    let txn = store.begin(Isolation::ReadCommitted);
    assert!(txn.lock_table(TABLE, TableLock::AccessExclusive).unwrap().is_none());
    txn.drop_table(TABLE).unwrap();
    now(txn.commit().unwrap()).unwrap();
}

#[test]
fn a_dropped_table_comes_back_with_its_history() {
    for restart in [None, Some(Step::Reopen), Some(Step::Crash)] {
        let mut travel = Travel::new(StoreOptions::default());
        travel.run(&Step::Commit(vec![(1, Some(1)), (2, Some(1))]));
        travel.run(&Step::Commit(vec![(1, Some(2)), (2, None)]));
        drop_table(travel.store());
        if let Some(step) = &restart {
            travel.run(step);
        }
        let dropped = travel.store().dropped_tables();
        assert_eq!(dropped.iter().map(|(table, _)| *table).collect::<Vec<_>>(), [TABLE]);
        let missing = code_of(travel.store(), travel.commits[1].0);
        assert_eq!(missing, Some(SqlState::UNDEFINED_TABLE));
        let txn = travel.store().begin(Isolation::ReadCommitted);
        txn.undrop_table(TABLE).unwrap();
        travel.store().checkpoint().unwrap();
        txn.rollback();
        assert_eq!(travel.store().dropped_tables().len(), 1);
        let txn = travel.store().begin(Isolation::ReadCommitted);
        txn.undrop_table(TABLE).unwrap();
        now(txn.commit().unwrap()).unwrap();
        assert_eq!(travel.store().dropped_tables(), []);
        travel.check();
        for step in [Step::Commit(vec![(2, Some(3))]), Step::Crash, Step::Reopen] {
            travel.run(&step);
            travel.check();
        }
    }
}

#[test]
fn a_dropped_table_goes_when_its_time_is_over() {
    let mut travel = Travel::new(StoreOptions::default());
    travel.run(&Step::Commit(vec![(1, Some(1))]));
    drop_table(travel.store());
    travel.run(&Step::Checkpoint);
    assert!(travel.world.disk.exists(&format!("data/{TABLE}")).unwrap());
    travel.control.advance_us(DAY_US + 1);
    travel.run(&Step::Checkpoint);
    assert_eq!(travel.store().dropped_tables(), []);
    let left = travel.world.disk.list(&format!("data/{TABLE}")).unwrap_or_default();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn differences_are_what_has_changed() {
    let mut travel = Travel::new(StoreOptions::default());
    travel.run(&Step::Commit(vec![(1, Some(1)), (2, Some(1)), (3, Some(1))]));
    let then = travel.snapshot(Moment::Commit(travel.commits[1].0));
    travel.run(&Step::Commit(vec![(1, Some(2)), (2, None), (4, Some(1))]));
    travel.run(&Step::Crash);
    drop(then);
    let then = travel.snapshot(Moment::Commit(travel.commits[1].0));
    let txn = travel.change(&[(5, Some(0))]);
    let mut found = Vec::new();
    let key = |row: &Option<Vec<Datum>>| row.as_ref().map(|row| row[0].clone());
    let mut visit = |difference: Difference| {
        found.push((key(&difference.then), key(&difference.now)));
        Ok(())
    };
    txn.differences(&*then, TABLE, &mut visit).unwrap();
    let k = |k| Some(Datum::Int64(k));
    assert_eq!(found, [(k(1), k(1)), (k(2), None), (None, k(4)), (None, k(5))]);
}

#[test]
fn what_the_database_keeps_is_remembered() {
    let (world, control) = World::simulated(1);
    let options = StoreOptions { history_retention_us: Some(DAY_US), ..StoreOptions::default() };
    let store = open(&world, options).unwrap();
    create(&store);
    let insert = |store: &Store, k| {
        let txn = store.begin(Isolation::ReadCommitted);
        txn.insert(TABLE, &row(k, "kept")).unwrap();
        now(txn.commit().unwrap()).unwrap();
        store.begin(Isolation::ReadCommitted).begin_statement().ts()
    };
    let then = insert(&store, 1);
    insert(&store, 2);
    control.crash_losing_all_unsynced();
    drop(store);
    let store = open(&world, StoreOptions::default()).unwrap();
    assert_eq!(store.history_retention_us(), DAY_US);
    let txn = store.begin(Isolation::ReadCommitted);
    let found = scan(&*now(txn.snapshot_at(Moment::Commit(then))).unwrap());
    assert_eq!(found.iter().map(|(k, ..)| *k).collect::<Vec<_>>(), [1]);
    drop((txn, store));
    let options = StoreOptions { history_retention_us: Some(0), ..StoreOptions::default() };
    let store = open(&world, options).unwrap();
    assert_eq!(code_of(&store, then), Some(SqlState::SNAPSHOT_TOO_OLD));
}

#[test]
fn columns_that_were_added_keep_their_missing_value() {
    let (world, control) = World::simulated(1);
    let store = open(&world, StoreOptions::default()).unwrap();
    create(&store);
    let txn = store.begin(Isolation::ReadCommitted);
    txn.insert(TABLE, &row(1, "one")).unwrap();
    now(txn.commit().unwrap()).unwrap();
    store.checkpoint().unwrap();
    let added = |id, missing| ColumnLayout {
        id: ColumnId(id),
        physical: PhysicalType::Int32,
        missing: Datum::Int32(missing),
    };
    let mut wider = layout();
    wider.columns.push(added(7, 5));
    alter(&store, wider.clone());
    control.crash_losing_all_unsynced();
    drop(store);
    let store = open(&world, StoreOptions::default()).unwrap();
    // What the second change says of the first one's column does not count.
    wider.columns[2].missing = Datum::Null;
    wider.columns.push(added(8, 6));
    alter(&store, wider);
    let snapshot = store.begin(Isolation::ReadCommitted).begin_statement();
    let mut found = Vec::new();
    let range = KeyRange::equal(vec![Datum::Int64(1)]);
    let mut visit = |_, values: &[Datum]| {
        found.push(values.to_vec());
        Ok(true)
    };
    snapshot.index_scan(BY_KEY, &range, &[2, 3], &mut visit).unwrap();
    assert_eq!(found, [[Datum::Int32(5), Datum::Int32(6)]]);
}
