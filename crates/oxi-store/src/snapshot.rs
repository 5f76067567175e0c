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
    engine::{KeyRange, Scan, ScanRequest, Snapshot},
};
use parking_lot::Mutex;

use crate::{
    block::Seen,
    engine::Core,
    index::{Index, key::Key},
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
        let fetch = Fetch::new(self, index, columns)?;
        let mut values: Row = Vec::with_capacity(columns.len());
        fetch.index.visit(range, |key, row| {
            if fetch.row(key, row, &mut values) { visit(row, &values) } else { Ok(true) }
        })
    }

    fn index_get(
        &self,
        index: IndexId,
        key: &[Datum],
        columns: &[usize],
        visit: &mut dyn FnMut(RowId, &[Datum]) -> Result<bool>,
    ) -> Result<()> {
        let fetch = Fetch::new(self, index, columns)?;
        if key.len() != fetch.index.layout.columns.len() {
            return Err(Error::bug("a lookup by a part of a key"));
        }
        let (key, _) = fetch.index.key(|number| &key[number]);
        let mut values: Row = Vec::with_capacity(columns.len());
        for row in fetch.index.rows_of(&key) {
            if fetch.row(&key, row, &mut values) && !visit(row, &values)? {
                break;
            }
        }
        Ok(())
    }
}

/// Fetching rows that an index names.
struct Fetch<'a> {
    index: Arc<Index>,
    table: Arc<Table>,
    shape: Arc<Shape>,
    /// The index's place among the shape's.
    place: usize,
    sight: Sight<'a>,
    columns: &'a [usize],
}

impl<'a> Fetch<'a> {
    fn new(snapshot: &'a StoreSnapshot, id: IndexId, columns: &'a [usize]) -> Result<Self> {
        let index = snapshot.core().index(id)?;
        let table = snapshot.core().table(index.table)?;
        let shape = table.shape();
        let place = shape.indexes.iter().position(|entry| entry.index.id == id);
        let place = place.ok_or_else(|| missing_index(id))?;
        Ok(Fetch { index, table, shape, place, sight: snapshot.sight(), columns })
    }

    /// Reads the columns of a row, unless it is not seen or what is seen has another key.
    fn row(&self, key: &Key, row: RowId, values: &mut Row) -> bool {
        let Some((block, slot)) = self.table.locate(row) else { return false };
        let entry = &self.shape.indexes[self.place];
        let rows = block.rows.read();
        values.clear();
        let overlay = match rows.see(slot, &self.sight) {
            Seen::No => return false,
            Seen::InPlace => None,
            Seen::Older(overlay) => Some(overlay),
        };
        let overlay = overlay.as_ref();
        // Without history the entry is exact; with it the key may be a newer or an older one than
        // the row's.
        if (overlay.is_some() || rows.chain(slot).is_some())
            && entry.key(|position| rows.value(slot, position, overlay)).0 != *key
        {
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
