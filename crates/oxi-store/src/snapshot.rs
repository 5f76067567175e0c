//! Snapshots: what a statement sees, registered so that collection leaves it alone.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use oxi_base::{Error, IndexId, Result, RowId, SqlState, TableId, Ts};
use oxi_model::{
    Datum, Row,
    engine::{KeyRange, Predicate, RowVisitor, Scan, ScanRequest, Snapshot},
};
use parking_lot::Mutex;

use crate::{
    block::Seen,
    engine::Core,
    index::{Index, IndexUse, key::Key},
    reads::{Read, Reads},
    scan::table_scans,
    table::Table,
    undo::{Sight, TxnState},
};

const SLOTS: usize = 256;
const FREE: u64 = 0;
/// Somebody is about to register; collection counts it as "from the beginning".
const RESERVED: u64 = 1;

/// The active snapshots.
pub(crate) struct Registry {
    slots: Vec<AtomicU64>,
    hint: AtomicUsize,
    /// Snapshots that found no slot: timestamp by number.
    overflow: Mutex<Vec<(u64, u64)>>,
    overflow_next: AtomicU64,
}

/// A registered snapshot, until dropped.
pub(crate) struct Registration {
    core: Arc<Core>,
    pub(crate) ts: Ts,
    place: Place,
}

enum Place {
    Slot(usize),
    Overflow(u64),
}

impl Default for Registry {
    fn default() -> Self {
        Registry {
            slots: (0..SLOTS).map(|_| AtomicU64::new(FREE)).collect(),
            hint: AtomicUsize::new(0),
            overflow: Mutex::default(),
            overflow_next: AtomicU64::new(0),
        }
    }
}

impl Registry {
    /// The oldest timestamp that a registered snapshot sees, at most `visible` (read before).
    pub(crate) fn oldest(&self, visible: Ts) -> Ts {
        let slots = self.slots.iter().map(|slot| slot.load(Ordering::SeqCst));
        let taken = slots.filter(|ts| *ts != FREE).min().unwrap_or(u64::MAX);
        let overflow = self.overflow.lock().iter().map(|(_, ts)| *ts).min().unwrap_or(u64::MAX);
        Ts(visible.0.min(taken).min(overflow))
    }
}

impl Registry {
    /// How many snapshots are registered.
    pub(crate) fn count(&self) -> usize {
        let taken = self.slots.iter().filter(|slot| slot.load(Ordering::SeqCst) != FREE).count();
        taken + self.overflow.lock().len()
    }
}

/// Registers a snapshot of what is visible now, or of `ts` (which another registration protects).
pub(crate) fn register(core: &Arc<Core>, at: Option<Ts>) -> Registration {
    let registry = &core.snapshots;
    let start = registry.hint.load(Ordering::Relaxed);
    for step in 0..SLOTS {
        let number = (start + step) % SLOTS;
        let slot = &registry.slots[number];
        if slot.load(Ordering::Relaxed) == FREE
            && slot.compare_exchange(FREE, RESERVED, Ordering::SeqCst, Ordering::Relaxed).is_ok()
        {
            if step > 0 {
                registry.hint.store(number, Ordering::Relaxed);
            }
            // Read after reserving: a collection that missed the reservation cannot have used a
            // later timestamp than this one.
            let ts = at.unwrap_or_else(|| core.visible_ts());
            slot.store(ts.0, Ordering::SeqCst);
            return Registration { core: core.clone(), ts, place: Place::Slot(number) };
        }
    }
    let number = registry.overflow_next.fetch_add(1, Ordering::Relaxed);
    let mut overflow = registry.overflow.lock();
    let ts = at.unwrap_or_else(|| core.visible_ts());
    overflow.push((number, ts.0));
    drop(overflow);
    Registration { core: core.clone(), ts, place: Place::Overflow(number) }
}

impl Drop for Registration {
    fn drop(&mut self) {
        match self.place {
            Place::Slot(number) => {
                self.core.snapshots.slots[number].store(FREE, Ordering::SeqCst);
            }
            Place::Overflow(number) => {
                self.core.snapshots.overflow.lock().retain(|(known, _)| *known != number);
            }
        }
    }
}

/// A statement's view; see [`Snapshot`].
pub(crate) struct StoreSnapshot {
    pub(crate) registration: Arc<Registration>,
    pub(crate) own: Arc<TxnState>,
    pub(crate) command: u32,
    /// Where a SERIALIZABLE transaction remembers what it reads.
    pub(crate) reads: Option<Arc<Reads>>,
    /// It sees an earlier moment, and nothing of its transaction.
    pub(crate) past: bool,
}

impl StoreSnapshot {
    /// A table to be read.
    fn table(&self, id: TableId) -> Result<Arc<Table>> {
        let table = self.core().table(id)?;
        self.check(&table)?;
        Ok(table)
    }

    fn check(&self, table: &Table) -> Result<()> {
        if self.past {
            return self.core().check_history(table, self.registration.ts);
        }
        Ok(())
    }

    pub(crate) fn sight(&self) -> Sight<'_> {
        Sight { ts: self.registration.ts, own: Some(&self.own), command: self.command }
    }

    fn core(&self) -> &Arc<Core> {
        &self.registration.core
    }

    fn note(&self, table: &Table, read: impl FnOnce() -> Read) {
        if let Some(reads) = &self.reads {
            reads.note(table, read());
        }
    }

    /// Remembers a range of keys, as far as its reader went.
    fn note_range(&self, index: &Index, table: &Table, range: &KeyRange, last: Option<&Key>) {
        if let Some(key) = index.point(range) {
            return self.note(table, || Read::Key(index.id, key));
        }
        let Some(mut span) = index.span(range) else { return };
        if let Some(last) = last {
            span.end_at(last, range.reverse);
        }
        self.note(table, || Read::Range(index.id, span));
    }
}

impl Snapshot for StoreSnapshot {
    fn ts(&self) -> Ts {
        self.registration.ts
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn scan(&self, table: TableId, request: &ScanRequest) -> Result<Vec<Box<dyn Scan>>> {
        let table = self.table(table)?;
        self.note(&table, || Read::Whole);
        table_scans(&table, self, request)
    }

    fn scan_where(
        &self,
        table: TableId,
        request: &ScanRequest,
        predicate: Arc<dyn Predicate>,
    ) -> Result<Vec<Box<dyn Scan>>> {
        let table = self.table(table)?;
        self.note(&table, || Read::Predicate(predicate));
        table_scans(&table, self, request)
    }

    fn notes_reads(&self) -> bool {
        self.reads.is_some()
    }

    fn get(&self, table: TableId, row: RowId, columns: &[usize], out: &mut Row) -> Result<bool> {
        out.clear();
        let table = self.table(table)?;
        self.note(&table, || Read::Row(row));
        let Some((block, slot)) = table.locate(row) else { return Ok(false) };
        let rows = block.read()?;
        match rows.see(slot, &self.sight()) {
            Seen::No => return Ok(false),
            Seen::InPlace => {
                out.extend(columns.iter().map(|position| rows.value(slot, *position, None)));
            }
            Seen::Older(overlay) => {
                let overlay = Some(&overlay);
                out.extend(columns.iter().map(|position| rows.value(slot, *position, overlay)));
            }
        }
        Ok(true)
    }

    fn index_scan(
        &self,
        index: IndexId,
        range: &KeyRange,
        columns: &[usize],
        visit: &mut dyn FnMut(RowId, &[Datum]) -> Result<bool>,
    ) -> Result<()> {
        self.core().storage.relieve()?;
        let (index, table) = self.core().index_with_table(index)?;
        self.check(&table)?;
        let shape = table.shape();
        let entry = shape.index(index.id).ok_or_else(|| missing_index(index.id))?;
        let mut fetch = Fetch::new(&table, entry, self.sight(), columns);
        let mut values: Row = Vec::with_capacity(columns.len());
        let mut last = None;
        let visited = index.visit(range, |key, row| {
            let goes_on = !fetch.row(key, row, &mut values)? || visit(row, &values)?;
            if !goes_on && self.reads.is_some() {
                last = Some(key.clone());
            }
            Ok(goes_on)
        });
        if self.reads.is_some() {
            self.note_range(&index, &table, range, last.as_ref());
        }
        visited
    }

    fn index_get(
        &self,
        index: IndexId,
        key: &[Datum],
        columns: &[usize],
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        self.core().storage.relieve()?;
        let (index, table) = self.core().index_with_table(index)?;
        self.check(&table)?;
        let shape = table.shape();
        let entry = shape.index(index.id).ok_or_else(|| missing_index(index.id))?;
        let key = index.whole_key(key)?;
        self.note(&table, || Read::Key(index.id, key.clone()));
        Fetch::new(&table, entry, self.sight(), columns).all_of(&key, visit)
    }
}

/// Fetching rows that an index names.
pub(crate) struct Fetch<'a> {
    table: &'a Table,
    /// The index with the places of its columns.
    entry: &'a IndexUse,
    sight: Sight<'a>,
    columns: &'a [usize],
    scratch: Vec<u8>,
}

impl<'a> Fetch<'a> {
    pub(crate) fn new(
        table: &'a Table,
        entry: &'a IndexUse,
        sight: Sight<'a>,
        columns: &'a [usize],
    ) -> Self {
        Fetch { table, entry, sight, columns, scratch: Vec::new() }
    }

    /// Visits the rows of one whole key.
    pub(crate) fn all_of(mut self, key: &Key, visit: &mut RowVisitor<'_>) -> Result<()> {
        let mut values: Row = Vec::with_capacity(self.columns.len());
        for row in self.entry.index.rows_of(key)? {
            if self.row(key, row, &mut values)? && !visit(row, &mut values)? {
                break;
            }
        }
        Ok(())
    }

    /// Reads the columns of a row, unless it is not seen or what is seen has another key.
    pub(crate) fn row(&mut self, key: &Key, row: RowId, values: &mut Row) -> Result<bool> {
        let Some((block, slot)) = self.table.locate(row) else { return Ok(false) };
        let rows = block.read()?;
        values.clear();
        let overlay = match rows.see(slot, &self.sight) {
            Seen::No => return Ok(false),
            Seen::InPlace => None,
            Seen::Older(overlay) => Some(overlay),
        };
        let overlay = overlay.as_ref();
        // The key may be an older one than the row's even where no history is left: collection may
        // have come between the look into the index and this one.
        let value = |position: usize| rows.value(slot, position, overlay);
        if !self.entry.has_key(key, &mut self.scratch, value) {
            return Ok(false);
        }
        values.extend(self.columns.iter().map(|position| value(*position)));
        Ok(true)
    }
}

/// The error of an index that is not there.
pub(crate) fn missing_index(index: IndexId) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("index storage {index} does not exist"))
}

#[cfg(test)]
mod tests;
