//! Snapshots: what a statement sees, registered so that collection leaves it alone.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use oxi_base::{ColumnId, Error, IndexId, Result, RowId, SqlState, TableId, Ts};
use oxi_model::{
    Datum, Row,
    engine::{KeyRange, KeyRead, RowVisitor, Scan, ScanRequest, Snapshot},
};
use parking_lot::Mutex;

use crate::{
    block::Seen,
    engine::Core,
    index::{Index, IndexUse, key::Key},
    scan::table_scans,
    table::{Shape, Table},
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
}

impl StoreSnapshot {
    pub(crate) fn sight(&self) -> Sight<'_> {
        Sight { ts: self.registration.ts, own: Some(&self.own), command: self.command }
    }

    fn core(&self) -> &Arc<Core> {
        &self.registration.core
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
        let table = self.core().table(table)?;
        table_scans(&table, self, request)
    }

    fn get(&self, table: TableId, row: RowId, columns: &[usize], out: &mut Row) -> Result<bool> {
        out.clear();
        let table = self.core().table(table)?;
        let Some((block, slot)) = table.locate(row) else { return Ok(false) };
        let rows = block.rows.read();
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
        let (index, table) = self.core().index_with_table(index)?;
        let shape = table.shape();
        let fetch = Fetch::new(&index, &table, &shape, self.sight(), columns)?;
        let mut values: Row = Vec::with_capacity(columns.len());
        index.visit(range, |key, row| {
            if fetch.row(key, row, &mut values) { visit(row, &values) } else { Ok(true) }
        })
    }

    fn index_get(
        &self,
        index: IndexId,
        key: &[Datum],
        columns: &[usize],
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        let (index, table) = self.core().index_with_table(index)?;
        let shape = table.shape();
        Fetch::new(&index, &table, &shape, self.sight(), columns)?.all_of(key, visit)
    }
}

/// See [`oxi_model::engine::Engine::read_key`].
pub(crate) fn read_key(
    core: &Arc<Core>,
    read: &KeyRead<'_>,
    visit: &mut RowVisitor<'_>,
) -> Result<bool> {
    let Ok((index, table)) = core.index_with_table(read.index) else { return Ok(false) };
    if table.locks.is_exclusive() {
        return Ok(false);
    }
    let shape = table.fixed_shape();
    let columns = &shape.layout.columns;
    let is_expected = |(position, id): (&usize, &ColumnId)| {
        columns.get(*position).is_some_and(|column| column.id == *id)
    };
    if !read.columns.iter().zip(read.expected).all(is_expected) {
        return Ok(false);
    }
    let registration = register(core, None);
    let sight = Sight::committed(registration.ts);
    let Ok(fetch) = Fetch::new(&index, &table, &shape, sight, read.columns) else {
        return Ok(false);
    };
    fetch.all_of(read.key, visit)?;
    Ok(true)
}

/// Fetching rows that an index names.
struct Fetch<'a> {
    index: &'a Index,
    table: &'a Table,
    /// The index with the places of its columns.
    entry: &'a IndexUse,
    sight: Sight<'a>,
    columns: &'a [usize],
    /// [`Index::removals`] before the first entry was read.
    removals: u64,
}

impl<'a> Fetch<'a> {
    fn new(
        index: &'a Index,
        table: &'a Table,
        shape: &'a Shape,
        sight: Sight<'a>,
        columns: &'a [usize],
    ) -> Result<Self> {
        let entry = shape.indexes.iter().find(|entry| entry.index.id == index.id);
        let entry = entry.ok_or_else(|| missing_index(index.id))?;
        Ok(Fetch { index, table, entry, sight, columns, removals: index.removals() })
    }

    /// Visits the rows of one whole key.
    fn all_of(&self, key: &[Datum], visit: &mut RowVisitor<'_>) -> Result<()> {
        if key.len() != self.index.layout.columns.len() {
            return Err(Error::bug("a lookup by a part of a key"));
        }
        let (key, _) = self.index.key(|number| &key[number]);
        let mut values: Row = Vec::with_capacity(self.columns.len());
        for row in self.index.rows_of(&key) {
            if self.row(&key, row, &mut values) && !visit(row, &mut values)? {
                break;
            }
        }
        Ok(())
    }

    /// Reads the columns of a row, unless it is not seen or what is seen has another key.
    fn row(&self, key: &Key, row: RowId, values: &mut Row) -> bool {
        let Some((block, slot)) = self.table.locate(row) else { return false };
        let rows = block.rows.read();
        values.clear();
        let overlay = match rows.see(slot, &self.sight) {
            Seen::No => return false,
            Seen::InPlace => None,
            Seen::Older(overlay) => Some(overlay),
        };
        let overlay = overlay.as_ref();
        // Without history the entry is exact, unless it was taken out since it was read; with it
        // the key may be a newer or an older one than the row's.
        let is_exact = overlay.is_none()
            && rows.chain(slot).is_none()
            && self.index.removals() == self.removals;
        if !is_exact && self.entry.key(|position| rows.value(slot, position, overlay)).0 != *key {
            return false;
        }
        values.extend(self.columns.iter().map(|position| rows.value(slot, *position, overlay)));
        true
    }
}

/// The error of an index that is not there.
pub(crate) fn missing_index(index: IndexId) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("index storage {index} does not exist"))
}
