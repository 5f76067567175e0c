//! A small storage in memory for the tests: real transactions, waiting and unique indexes, no
//! durability and no speed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    task::{Poll, Waker},
};

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use oxi_base::{ColumnId, Error, IndexId, Result, RowId, TableId, Ts, TxnId};
use oxi_model::{
    Datum, Row, array,
    engine::{
        BoxFuture, CheckpointReport, Duplicate, Engine, IndexLayout, InsertOutcome, Isolation,
        KeyAccess, KeyCheck, KeyRange, PrepareAs, PreparedEnd, PreparedTransaction, RowLock,
        RowVisitor, SavepointId, Scan, ScanRequest, SequenceStep, Snapshot, TableLayout, TableLock,
        TableNamer, TableStatistics, Txn, Wait, WriteOutcome, WriteTarget,
    },
    lock::{AdvisoryKey, LockInfo, SessionLocks},
};
use parking_lot::Mutex;

/// Runs a future on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[derive(Default)]
struct State {
    layouts: BTreeMap<u32, TableLayout>,
    indexes: BTreeMap<u32, IndexLayout>,
    tables: BTreeMap<u32, BTreeMap<u64, Slot>>,
    running: BTreeSet<u64>,
    wakers: Vec<Waker>,
    next: u64,
    version: u64,
    ts: u64,
    dropped: Vec<String>,
}

#[derive(Clone, Default)]
struct Slot {
    committed: Option<Row>,
    /// Who holds the row, and what it will be.
    pending: Option<(u64, Option<Row>)>,
}

impl Slot {
    fn seen_by(&self, txn: u64) -> Option<&Row> {
        match &self.pending {
            Some((owner, row)) if *owner == txn => row.as_ref(),
            _ => self.committed.as_ref(),
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
}

impl Fake {
    /// The layout of a table's storage.
    pub(crate) fn layout(&self, table: u32) -> Option<TableLayout> {
        self.state.lock().layouts.get(&table).cloned()
    }

    /// What was dropped, in order.
    pub(crate) fn dropped(&self) -> Vec<String> {
        self.state.lock().dropped.clone()
    }
}

struct FakeTxn {
    state: Arc<Mutex<State>>,
    id: u64,
}

struct FakeSnapshot {
    rows: BTreeMap<u32, BTreeMap<u64, Row>>,
    indexes: BTreeMap<u32, IndexLayout>,
    layouts: BTreeMap<u32, TableLayout>,
    ts: Ts,
}

impl Engine for Fake {
    fn begin(&self, _: Isolation) -> Arc<dyn Txn> {
        let mut state = self.state.lock();
        state.next += 1;
        let id = state.next;
        state.running.insert(id);
        Arc::new(FakeTxn { state: Arc::clone(&self.state), id })
    }
    fn catalog_version(&self) -> u64 {
        self.state.lock().version
    }
    fn key_access(&self, _: IndexId, _: &[usize], _: &[ColumnId]) -> Option<KeyAccess> {
        None
    }
    fn read_key(&self, _: &KeyAccess, _: &[Datum], _: &mut RowVisitor<'_>) -> Result<bool> {
        Ok(false)
    }
    fn allocate_table_id(&self) -> TableId {
        let mut state = self.state.lock();
        state.next += 1;
        TableId(state.next as u32 + 100)
    }
    fn allocate_index_id(&self) -> IndexId {
        IndexId(self.allocate_table_id().0)
    }
    fn allocate_oid(&self) -> u32 {
        self.allocate_table_id().0 + 16_384
    }
    fn fill_index(&self, _: IndexId) -> Result<()> {
        Ok(())
    }
    fn enforce_unique(&self, _: IndexId) -> Result<()> {
        Ok(())
    }
    fn verify_unique(&self, _: IndexId) -> Result<()> {
        Ok(())
    }
    fn prepared(&self) -> Vec<PreparedTransaction> {
        Vec::new()
    }
    fn finish_prepared(&self, _: &str, _: PreparedEnd) -> Result<BoxFuture<Result<()>>> {
        Err(Error::unsupported("prepared transactions"))
    }
    fn statistics(&self, _: TableId) -> TableStatistics {
        TableStatistics::default()
    }
    fn checkpoint(&self) -> Result<CheckpointReport> {
        Ok(CheckpointReport::default())
    }
    fn collect(&self) {}
    fn failure(&self) -> Option<Error> {
        None
    }
    fn session_locks(&self, _: u32) -> Arc<dyn SessionLocks> {
        Arc::new(NoLocks)
    }
    fn locks(&self) -> Vec<LockInfo> {
        Vec::new()
    }
    fn blockers(&self, _: u32) -> Vec<u32> {
        Vec::new()
    }
    fn name_tables(&self, _: TableNamer) {}
}

/// A session that holds no advisory locks.
struct NoLocks;

impl SessionLocks for NoLocks {
    fn lock(&self, _: AdvisoryKey, _: TableLock) -> Result<Option<Wait>> {
        Err(Error::unsupported("advisory locks"))
    }
    fn unlock(&self, _: AdvisoryKey, _: TableLock) -> bool {
        false
    }
    fn unlock_all(&self) {}
}

impl FakeTxn {
    fn wait_for(&self, other: u64) -> Wait {
        let state = Arc::clone(&self.state);
        Box::pin(std::future::poll_fn(move |context| {
            let mut state = state.lock();
            if state.running.contains(&other) {
                state.wakers.push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(Ok(()))
        }))
    }

    fn snapshot(&self) -> Arc<dyn Snapshot> {
        let state = self.state.lock();
        let rows = state
            .tables
            .iter()
            .map(|(table, slots)| {
                let seen = slots
                    .iter()
                    .filter_map(|(row, slot)| Some((*row, slot.seen_by(self.id)?.clone())))
                    .collect();
                (*table, seen)
            })
            .collect();
        Arc::new(FakeSnapshot {
            rows,
            indexes: state.indexes.clone(),
            layouts: state.layouts.clone(),
            ts: Ts(state.ts),
        })
    }

    /// Who else holds an equal unique key: `Err` to wait for, `Ok` the duplicate if any.
    fn clash(
        &self,
        state: &State,
        table: TableId,
        row: &[Datum],
        but: Option<u64>,
    ) -> std::result::Result<Option<Duplicate>, u64> {
        for (number, index) in &state.indexes {
            if index.table != table || !index.unique {
                continue;
            }
            let layout = &state.layouts[&table.0];
            let key = |row: &[Datum]| key_of(layout, index, row);
            for (other, slot) in &state.tables[&table.0] {
                if Some(*other) == but {
                    continue;
                }
                let equal = |found: &Option<Row>| {
                    found.as_ref().is_some_and(|found| key(found) == key(row))
                };
                if let Some((owner, pending)) = &slot.pending
                    && *owner != self.id
                    && (equal(pending) || equal(&slot.committed))
                {
                    return Err(*owner);
                }
                if slot.seen_by(self.id).is_some_and(|found| key(found) == key(row)) {
                    return Ok(Some(Duplicate { index: IndexId(*number), row: RowId(*other) }));
                }
            }
        }
        Ok(None)
    }

    fn write(
        &self,
        table: TableId,
        row: RowId,
        change: impl FnOnce(&Row) -> Option<Row>,
    ) -> WriteOutcome {
        let mut state = self.state.lock();
        let slot = state.tables[&table.0].get(&row.0).cloned().unwrap_or_default();
        if let Some((owner, _)) = slot.pending
            && owner != self.id
        {
            return WriteOutcome::Wait(self.wait_for(owner));
        }
        let Some(old) = slot.seen_by(self.id) else { return WriteOutcome::Gone };
        let new = change(old);
        if let Some(new) = &new {
            match self.clash(&state, table, new, Some(row.0)) {
                Err(owner) => return WriteOutcome::Wait(self.wait_for(owner)),
                Ok(Some(duplicate)) => return WriteOutcome::Duplicate(duplicate),
                Ok(None) => {}
            }
        }
        let slots = state.tables.entry(table.0).or_default();
        slots.entry(row.0).or_default().pending = Some((self.id, new));
        WriteOutcome::Done
    }

    fn end(&self, commit: bool) {
        let mut state = self.state.lock();
        if !state.running.remove(&self.id) {
            return;
        }
        let mut wrote = false;
        for slots in state.tables.values_mut() {
            slots.retain(|_, slot| {
                if let Some((owner, row)) = slot.pending.clone()
                    && owner == self.id
                {
                    slot.pending = None;
                    if commit {
                        slot.committed = row;
                        wrote = true;
                    }
                }
                slot.committed.is_some() || slot.pending.is_some()
            });
        }
        if wrote {
            state.ts += 1;
            state.version += 1;
        }
        for waker in std::mem::take(&mut state.wakers) {
            waker.wake();
        }
    }
}

fn key_of(layout: &TableLayout, index: &IndexLayout, row: &[Datum]) -> Vec<Datum> {
    index
        .columns
        .iter()
        .map(|key| {
            let at = layout.columns.iter().position(|column| column.id == key.column).unwrap();
            row[at].clone()
        })
        .collect()
}

impl Txn for FakeTxn {
    fn id(&self) -> Option<TxnId> {
        Some(TxnId(self.id))
    }
    fn assign_id(&self) -> TxnId {
        TxnId(self.id)
    }
    fn belong_to(&self, _: u32) {}
    fn lock_advisory(&self, _: AdvisoryKey, _: TableLock) -> Result<Option<Wait>> {
        Err(Error::unsupported("advisory locks"))
    }
    fn isolation(&self) -> Isolation {
        Isolation::ReadCommitted
    }
    fn begin_statement(&self) -> Arc<dyn Snapshot> {
        self.snapshot()
    }
    fn current_snapshot(&self) -> Arc<dyn Snapshot> {
        self.snapshot()
    }
    fn lock_table(&self, _: TableId, _: TableLock) -> Result<Option<Wait>> {
        Ok(None)
    }
    fn insert(&self, table: TableId, row: &[Datum]) -> Result<InsertOutcome> {
        let mut state = self.state.lock();
        match self.clash(&state, table, row, None) {
            Err(owner) => return Ok(InsertOutcome::Wait(self.wait_for(owner))),
            Ok(Some(duplicate)) => return Ok(InsertOutcome::Duplicate(duplicate)),
            Ok(None) => {}
        }
        state.next += 1;
        let number = state.next;
        let slot = Slot { committed: None, pending: Some((self.id, Some(row.to_vec()))) };
        state.tables.entry(table.0).or_default().insert(number, slot);
        Ok(InsertOutcome::Done(RowId(number)))
    }
    fn insert_batch(
        &self,
        _: TableId,
        _: &RecordBatch,
        _: usize,
    ) -> Result<(usize, Option<InsertOutcome>)> {
        Err(Error::unsupported("batches"))
    }
    fn check_unique(&self, _: IndexId, _: &[Datum]) -> Result<KeyCheck> {
        Ok(KeyCheck::Unique)
    }
    fn update(
        &self,
        _: &dyn Snapshot,
        table: TableId,
        row: RowId,
        _: WriteTarget,
        changes: &[(usize, Datum)],
    ) -> Result<WriteOutcome> {
        Ok(self.write(table, row, |old| {
            let mut new = old.clone();
            for (at, value) in changes {
                new[*at] = value.clone();
            }
            Some(new)
        }))
    }
    fn delete(
        &self,
        _: &dyn Snapshot,
        table: TableId,
        row: RowId,
        _: WriteTarget,
    ) -> Result<WriteOutcome> {
        Ok(self.write(table, row, |_| None))
    }
    fn lock_row(
        &self,
        _: &dyn Snapshot,
        table: TableId,
        row: RowId,
        _: WriteTarget,
        lock: RowLock,
    ) -> Result<WriteOutcome> {
        if lock == RowLock::KeyShare {
            let state = self.state.lock();
            let found = state.tables[&table.0].get(&row.0).and_then(|slot| slot.seen_by(self.id));
            return Ok(if found.is_some() { WriteOutcome::Done } else { WriteOutcome::Gone });
        }
        Ok(self.write(table, row, |old| Some(old.clone())))
    }
    fn newest(&self, table: TableId, row: RowId) -> Result<Option<Row>> {
        let state = self.state.lock();
        let slot = state.tables[&table.0].get(&row.0);
        Ok(slot.and_then(|slot| slot.seen_by(self.id)).cloned())
    }
    fn create_table(&self, table: TableId, layout: TableLayout) -> Result<()> {
        let mut state = self.state.lock();
        state.layouts.insert(table.0, layout);
        state.tables.entry(table.0).or_default();
        Ok(())
    }
    fn alter_table(&self, table: TableId, layout: TableLayout) -> Result<()> {
        self.state.lock().layouts.insert(table.0, layout);
        Ok(())
    }
    fn drop_table(&self, table: TableId) -> Result<()> {
        self.state.lock().dropped.push(format!("table {table}"));
        Ok(())
    }
    fn create_index(&self, index: IndexId, layout: IndexLayout) -> Result<()> {
        self.state.lock().indexes.insert(index.0, layout);
        Ok(())
    }
    fn attach_index(&self, index: IndexId, layout: IndexLayout) -> Result<()> {
        self.create_index(index, layout)
    }
    fn make_unique(&self, _: IndexId) -> Result<()> {
        Ok(())
    }
    fn others_ended(&self, _: TableId, _: TableLock) -> Result<Wait> {
        Ok(Box::pin(std::future::ready(Ok(()))))
    }
    fn drop_index(&self, index: IndexId) -> Result<()> {
        self.state.lock().dropped.push(format!("index {index}"));
        Ok(())
    }
    fn savepoint(&self) -> SavepointId {
        SavepointId(0)
    }
    fn rollback_to(&self, _: SavepointId) -> Result<()> {
        Err(Error::unsupported("savepoints"))
    }
    fn release(&self, _: SavepointId) {}
    fn commit(&self) -> Result<BoxFuture<Result<()>>> {
        self.end(true);
        Ok(Box::pin(std::future::ready(Ok(()))))
    }
    fn prepare(&self, _: &PrepareAs) -> Result<BoxFuture<Result<()>>> {
        Err(Error::unsupported("prepared transactions"))
    }
    fn rollback(&self) {
        self.end(false);
    }
    fn sequence_next(&self, _: u32, step: &SequenceStep) -> Result<i64> {
        Ok(step.start)
    }
    fn sequence_set(&self, _: u32, _: i64, _: bool) -> Result<()> {
        Ok(())
    }
    fn sequence_state(&self, _: u32) -> Option<(i64, bool)> {
        None
    }
}

impl Drop for FakeTxn {
    fn drop(&mut self) {
        self.end(false);
    }
}

impl Snapshot for FakeSnapshot {
    fn ts(&self) -> Ts {
        self.ts
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
    fn scan(&self, table: TableId, request: &ScanRequest) -> Result<Vec<Box<dyn Scan>>> {
        let Some(layout) = self.layouts.get(&table.0) else { return Ok(Vec::new()) };
        let rows: Vec<&Row> =
            self.rows.get(&table.0).into_iter().flat_map(|r| r.values()).collect();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut fields = Vec::new();
        let mut arrays = Vec::new();
        for at in &request.columns {
            let physical = &layout.columns[*at].physical;
            arrays.push(array::array_from_datums(physical, rows.iter().map(|row| &row[*at]))?);
            fields.push(Field::new(format!("c{at}"), array::arrow_type(physical), true));
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|error| Error::bug(error))?;
        Ok(vec![Box::new(Once(Some(batch)))])
    }
    fn get(&self, _: TableId, _: RowId, _: &[usize], _: &mut Row) -> Result<bool> {
        Err(Error::unsupported("get"))
    }
    fn index_get(
        &self,
        index: IndexId,
        key: &[Datum],
        columns: &[usize],
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        let range = KeyRange::equal(key.to_vec());
        self.index_scan(index, &range, columns, &mut |row, values| visit(row, &mut values.to_vec()))
    }
    fn index_scan(
        &self,
        index: IndexId,
        range: &KeyRange,
        columns: &[usize],
        visit: &mut dyn FnMut(RowId, &[Datum]) -> Result<bool>,
    ) -> Result<()> {
        let index = &self.indexes[&index.0];
        let layout = &self.layouts[&index.table.0];
        for (number, row) in self.rows.get(&index.table.0).into_iter().flatten() {
            if *range == KeyRange::equal(key_of(layout, index, row)) {
                let picked: Row = columns.iter().map(|at| row[*at].clone()).collect();
                if !visit(RowId(*number), &picked)? {
                    break;
                }
            }
        }
        Ok(())
    }
}

struct Once(Option<RecordBatch>);

impl Scan for Once {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.0.take())
    }
}
