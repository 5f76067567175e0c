//! Hot blocks: 2048 row slots, columns in vectors, newest version in place, older ones in chains.
//!
//! A block has one latch. What a reader needs to know about a slot: whether it is live (in its
//! newest state), who created it (until everyone may see it), and its chain of older versions
//! (until nobody needs them). A block with no chains, no creators and no dead slots is copied.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use oxi_base::{ColumnId, RowId, codec::Reader};
use oxi_model::{
    Datum,
    array::TypedArray,
    engine::{RowLock, TableLayout},
};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::undo::{Before, Sight, Status, TxnState, Version};

pub(crate) mod away;
pub(crate) mod column;
mod past;
pub(crate) mod sink;

use away::{Cold, Home};
use column::Column;

/// Slots of a block; row id = block number * SLOTS + slot.
pub(crate) const SLOTS: usize = 2048;
const SHIFT: u32 = 11;
/// About what a version takes.
pub(crate) const VERSION_BYTES: usize = 160;

/// The block number and slot of a row.
pub(crate) fn place(row: RowId) -> (u64, u16) {
    (row.0 >> SHIFT, (row.0 & (SLOTS as u64 - 1)) as u16)
}

/// The row id of a slot.
pub(crate) fn row_id(block: u64, slot: u16) -> RowId {
    RowId(block << SHIFT | u64::from(slot))
}

/// A block and its latch.
pub(crate) struct Block {
    pub(crate) number: u64,
    /// Something was written since the image was taken.
    pub(crate) dirty: AtomicBool,
    /// Where the newest checkpoint has this block.
    pub(crate) image: Mutex<Option<ImageRef>>,
    /// Looked at since the last look for what can be sent away.
    used: AtomicBool,
    home: Arc<Home>,
    /// To be looked at through [`Block::read`] and [`Block::write`].
    rows: RwLock<Rows>,
}

/// Where a block image lies.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ImageRef {
    /// Number of the image file of the table.
    pub(crate) file: u64,
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) crc: u32,
    pub(crate) rows: u32,
    /// The oldest commit that versions or creators in it are of; 0 without.
    pub(crate) history: u64,
    /// Of the table's layout when it was written by this process, 0 for earlier ones; not part of
    /// the manifest.
    pub(crate) generation: u64,
}

/// Slots inserted by one command of one transaction.
pub(crate) struct Run {
    pub(crate) start: u16,
    /// Exclusive.
    pub(crate) end: u16,
    pub(crate) command: u32,
    pub(crate) txn: Arc<TxnState>,
}

/// What the latch protects.
#[derive(Default)]
pub(crate) struct Rows {
    /// Slots handed out.
    pub(crate) len: usize,
    /// In layout order.
    pub(crate) columns: Vec<Column>,
    /// Dropped by a transaction that has not committed yet.
    pub(crate) dropped: Vec<Column>,
    live: Bits,
    /// Slots that nobody will ever see again.
    pub(crate) dead: usize,
    /// Ordered by slot.
    pub(crate) created: Vec<Run>,
    chains: FxHashMap<u16, Box<Version>>,
    cold: Cold,
}

struct Bits([u64; SLOTS / 64]);

impl Default for Bits {
    fn default() -> Self {
        Bits([0; SLOTS / 64])
    }
}

impl Bits {
    fn get(&self, slot: usize) -> bool {
        self.0[slot / 64] >> (slot % 64) & 1 == 1
    }
    fn set(&mut self, slot: usize, value: bool) {
        if value {
            self.0[slot / 64] |= 1 << (slot % 64);
        } else {
            self.0[slot / 64] &= !(1 << (slot % 64));
        }
    }
}

/// A slot as one statement sees it.
pub(crate) enum Seen<'a> {
    /// Not there.
    No,
    /// The values in place.
    InPlace,
    /// The values in place except for these.
    Older(Overlay<'a>),
}

/// Older values by column.
pub(crate) type Overlay<'a> = SmallVec<[(ColumnId, &'a Datum); 4]>;

/// Whether a write may go ahead.
pub(crate) enum Access {
    Free,
    Wait(Arc<TxnState>),
    /// A newer version was committed.
    Changed,
    /// A deletion was committed after the snapshot.
    Deleted,
    /// Deleted before, or touched by this very statement.
    Gone,
}

impl Block {
    pub(crate) fn new(number: u64, columns: Vec<Column>, home: &Arc<Home>) -> Arc<Self> {
        Arc::new(Block {
            number,
            dirty: AtomicBool::new(true),
            image: Mutex::new(None),
            used: AtomicBool::new(true),
            home: Arc::clone(home),
            rows: RwLock::new(Rows { columns, ..Rows::default() }),
        })
    }

    pub(crate) fn touch(&self) {
        self.dirty.store(true, Ordering::Release);
    }

    /// Forgets that `txn` created anything here (it rolled back).
    pub(crate) fn forget_creator(&self, txn: &Arc<TxnState>) {
        self.rows.write().created.retain(|run| !Arc::ptr_eq(&run.txn, txn));
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.rows.read().memory()
    }

    /// Counts live and dead rows after recovery: how many are live, and whether the block is full
    /// of dead ones.
    pub(crate) fn settle(&self) -> (usize, bool) {
        let mut rows = self.rows.write();
        if rows.is_away() {
            let rows = self.image.lock().as_ref().map_or(0, |image| image.rows as usize);
            return (rows, false);
        }
        let live = rows.live_count();
        rows.count_dead();
        (live, rows.dead == SLOTS)
    }

    /// Gives the block the columns of a layout. Others are kept aside, except those of `undone`.
    pub(crate) fn convert(&self, layout: &TableLayout, undone: Option<&TableLayout>) {
        let mut rows = self.rows.write();
        if rows.is_away() {
            // It comes back as its home expects it.
            return;
        }
        let mut old = std::mem::take(&mut rows.columns);
        old.append(&mut rows.dropped);
        let (columns, mut rest) = away::arrange(old, layout, rows.len);
        if let Some(undone) = undone {
            rest.retain(|column| !undone.columns.iter().any(|c| c.id == column.id));
        }
        rows.columns = columns;
        rows.dropped = rest;
        rows.cold.changed();
    }

    /// Frees the columns kept aside.
    pub(crate) fn forget_dropped(&self) {
        let mut rows = self.rows.write();
        if !rows.dropped.is_empty() {
            rows.dropped = Vec::new();
            rows.cold.changed();
        }
    }
}

impl Rows {
    pub(crate) fn is_live(&self, slot: u16) -> bool {
        usize::from(slot) < self.len && self.live.get(slot.into())
    }

    pub(crate) fn live_count(&self) -> usize {
        self.live.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Counts the slots that nobody will see again.
    fn count_dead(&mut self) {
        let is_dead = |slot: &u16| !self.is_live(*slot) && self.chain(*slot).is_none();
        self.dead = (0..self.len as u16).filter(is_dead).count();
    }

    pub(crate) fn set_live(&mut self, slot: u16, live: bool) {
        self.live.set(slot.into(), live);
    }

    pub(crate) fn chain(&self, slot: u16) -> Option<&Version> {
        if self.chains.is_empty() {
            return None;
        }
        self.chains.get(&slot).map(AsRef::as_ref)
    }

    /// Slots that have older versions.
    pub(crate) fn changed_slots(&self) -> impl Iterator<Item = u16> {
        self.chains.keys().copied()
    }

    fn creator(&self, slot: u16) -> Option<&Run> {
        if self.created.is_empty() {
            return None;
        }
        let after = self.created.partition_point(|run| run.start <= slot);
        let run = self.created.get(after.checked_sub(1)?)?;
        (slot < run.end).then_some(run)
    }

    /// Who created a slot, unless everyone may see it.
    pub(crate) fn created_by(&self, slot: u16) -> Option<&Arc<TxnState>> {
        self.creator(slot).map(|run| &run.txn)
    }

    /// Whether all live slots are seen in place, so that the live bits say it all.
    pub(crate) fn all_seen(&self, sight: &Sight<'_>) -> bool {
        self.chains.is_empty() && self.created.iter().all(|run| sight.sees(&run.txn, run.command))
    }

    /// Whether everything in the block is committed by `sight` (a checkpoint asks).
    pub(crate) fn all_settled(&self, sight: &Sight<'_>) -> bool {
        self.created.iter().all(|run| sight.sees(&run.txn, run.command))
            && self.chains.values().all(|version| {
                matches!(version.before, Before::Locked(_))
                    || sight.sees(&version.txn, version.command)
            })
    }

    /// What `sight` sees of a slot.
    pub(crate) fn see(&self, slot: u16, sight: &Sight<'_>) -> Seen<'_> {
        if usize::from(slot) >= self.len {
            return Seen::No;
        }
        let mut live = self.live.get(slot.into());
        let mut version = self.chain(slot);
        if version.is_none() && !live {
            return Seen::No;
        }
        let mut overlay = Overlay::new();
        loop {
            let Some(step) = version else {
                if let Some(run) = self.creator(slot)
                    && !sight.sees(&run.txn, run.command)
                {
                    return Seen::No;
                }
                break;
            };
            if sight.sees(&step.txn, step.command) && !matches!(step.before, Before::Locked(_)) {
                break;
            }
            match &step.before {
                Before::Columns { values, .. } => {
                    for (id, datum) in values {
                        match overlay.iter_mut().find(|(known, _)| known == id) {
                            Some(entry) => entry.1 = datum,
                            None => overlay.push((*id, datum)),
                        }
                    }
                }
                Before::Live => live = true,
                Before::Locked(_) => {}
            }
            version = step.next.as_deref();
        }
        match (live, overlay.is_empty()) {
            (false, _) => Seen::No,
            (true, true) => Seen::InPlace,
            (true, false) => Seen::Older(overlay),
        }
    }

    /// The value of a column position under an overlay.
    pub(crate) fn value(&self, slot: u16, position: usize, overlay: Option<&Overlay<'_>>) -> Datum {
        let Some(column) = self.columns.get(position) else { return Datum::Null };
        if let Some(overlay) = overlay
            && let Some((_, datum)) = overlay.iter().find(|(id, _)| *id == column.id)
        {
            return (*datum).clone();
        }
        column.get(slot.into())
    }

    /// Whether `sight`'s transaction may have a slot this strongly now, as far as the slot itself
    /// says. With `newest`, a newer committed version is what the caller wants.
    pub(crate) fn access(
        &self,
        slot: u16,
        sight: &Sight<'_>,
        newest: bool,
        lock: RowLock,
    ) -> Access {
        if usize::from(slot) >= self.len {
            return Access::Gone;
        }
        let live = self.live.get(slot.into());
        let mut version = self.chain(slot);
        while let Some(step) = version {
            let over = matches!(step.before, Before::Locked(_))
                && (sight.is_own(&step.txn) || !step.txn.is_active());
            if over || !step.before.row_lock().conflicts(lock) {
                version = step.next.as_deref();
                continue;
            }
            return decide(sight, &step.txn, step.command, live, newest);
        }
        match self.creator(slot) {
            Some(run) => decide(sight, &run.txn, run.command, live, newest),
            None if live => Access::Free,
            None => Access::Gone,
        }
    }

    /// The transaction whose uncommitted change or creation is the slot's newest state, and
    /// whether that state is live; locks do not count.
    pub(crate) fn newest_owner(&self, slot: u16) -> (Option<&Arc<TxnState>>, bool) {
        let live = self.is_live(slot);
        let mut version = self.chain(slot);
        while let Some(step) = version {
            if !matches!(step.before, Before::Locked(_)) {
                return (step.txn.is_active().then_some(&step.txn), live);
            }
            version = step.next.as_deref();
        }
        (self.creator(slot).map(|run| &run.txn).filter(|txn| txn.is_active()), live)
    }

    /// Takes the next slot for a row; `None` when the block is full.
    pub(crate) fn append<'a>(
        &mut self,
        values: impl Iterator<Item = &'a Datum>,
        txn: &Arc<TxnState>,
        command: u32,
    ) -> Option<u16> {
        if self.len >= SLOTS {
            return None;
        }
        let slot = self.len as u16;
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.put(slot.into(), value);
        }
        for column in &mut self.dropped {
            column.put(slot.into(), &Datum::Null);
        }
        self.finish_append(slot, 1, txn, command);
        Some(slot)
    }

    /// Takes slots for rows of the arrays, which are in the columns' order, from row `from` on;
    /// the first slot and how many, `None` when the block is full.
    pub(crate) fn append_rows(
        &mut self,
        arrays: &[TypedArray<'_>],
        from: usize,
        txn: &Arc<TxnState>,
        command: u32,
    ) -> Option<(u16, u16)> {
        let wanted = arrays.first().map_or(0, TypedArray::len).saturating_sub(from);
        let count = wanted.min(SLOTS - self.len);
        if count == 0 {
            return None;
        }
        let len = self.len;
        for (column, array) in self.columns.iter_mut().zip(arrays) {
            column.extend(len, array, from, count);
        }
        for column in &mut self.dropped {
            for slot in len..len + count {
                column.put(slot, &Datum::Null);
            }
        }
        let (slot, count) = (len as u16, count as u16);
        self.finish_append(slot, count, txn, command);
        Some((slot, count))
    }

    fn finish_append(&mut self, start: u16, count: u16, txn: &Arc<TxnState>, command: u32) {
        let end = start + count;
        self.len += usize::from(count);
        for slot in start..end {
            self.live.set(slot.into(), true);
        }
        match self.created.last_mut() {
            Some(run)
                if run.end == start && run.command == command && Arc::ptr_eq(&run.txn, txn) =>
            {
                run.end = end;
            }
            _ => self.created.push(Run { start, end, command, txn: txn.clone() }),
        }
        if self.len == SLOTS {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        for column in self.columns.iter_mut().chain(&mut self.dropped) {
            column.shrink();
        }
        self.created.shrink_to_fit();
    }

    /// Takes back a row that its transaction inserted. The last slot is handed out again.
    pub(crate) fn remove_inserted(&mut self, slot: u16) {
        self.live.set(slot.into(), false);
        if usize::from(slot) + 1 == self.len && self.len < SLOTS {
            self.len -= 1;
            let len = self.len;
            for column in self.columns.iter_mut().chain(&mut self.dropped) {
                column.resize(len);
            }
            if let Some(run) = self.created.last_mut() {
                run.end = run.end.min(slot);
                if run.start >= run.end {
                    self.created.pop();
                }
            }
        } else {
            self.clear_values(slot);
            self.dead += 1;
        }
    }

    /// Frees the bytes of a slot that nobody will see again.
    pub(crate) fn clear_values(&mut self, slot: u16) {
        let len = self.len;
        for column in &mut self.columns {
            if matches!(column.data, column::Data::View(_)) {
                column.replace(slot.into(), len, &Datum::Null);
            }
        }
    }

    /// Changes columns in place and remembers what they were.
    pub(crate) fn update(
        &mut self,
        slot: u16,
        txn: &Arc<TxnState>,
        command: u32,
        changes: &[(usize, Datum)],
        key: bool,
    ) {
        let len = self.len;
        let mut old = Vec::with_capacity(changes.len());
        for (position, value) in changes {
            let Some(column) = self.columns.get_mut(*position) else { continue };
            old.push((column.id, column.get(slot.into())));
            column.replace(slot.into(), len, value);
        }
        let values = old.into_boxed_slice();
        self.push_version(slot, txn, command, Before::Columns { values, key });
    }

    pub(crate) fn delete(&mut self, slot: u16, txn: &Arc<TxnState>, command: u32) {
        self.live.set(slot.into(), false);
        self.push_version(slot, txn, command, Before::Live);
    }

    pub(crate) fn lock(&mut self, slot: u16, txn: &Arc<TxnState>, command: u32, lock: RowLock) {
        self.push_version(slot, txn, command, Before::Locked(lock));
    }

    /// Whether the newest step of the slot's chain is this transaction's.
    fn held_by(&self, slot: u16, txn: &Arc<TxnState>) -> bool {
        self.chain(slot).is_some_and(|version| Arc::ptr_eq(&version.txn, txn))
    }

    /// Whether what this transaction has done to the row holds it this strongly already.
    pub(crate) fn holds(&self, slot: u16, txn: &Arc<TxnState>, lock: RowLock) -> bool {
        let mut version = self.chain(slot);
        while let Some(step) = version.filter(|step| Arc::ptr_eq(&step.txn, txn)) {
            if step.before.row_lock() >= lock {
                return true;
            }
            version = step.next.as_deref();
        }
        false
    }

    fn push_version(&mut self, slot: u16, txn: &Arc<TxnState>, command: u32, before: Before) {
        let next = self.chains.remove(&slot);
        self.chains.insert(slot, Box::new(Version { txn: txn.clone(), command, before, next }));
    }

    /// Undoes the newest step of a slot, which must be `txn`'s; false if it is not.
    pub(crate) fn undo(&mut self, slot: u16, txn: &Arc<TxnState>) -> bool {
        if !self.held_by(slot, txn) {
            return false;
        }
        let Some(version) = self.chains.remove(&slot) else { return false };
        let len = self.len;
        match &version.before {
            Before::Columns { values, .. } => {
                for (id, datum) in values {
                    let mut columns = self.columns.iter_mut().chain(&mut self.dropped);
                    if let Some(column) = columns.find(|column| column.id == *id) {
                        column.replace(slot.into(), len, datum);
                    }
                }
            }
            Before::Live => self.live.set(slot.into(), true),
            Before::Locked(_) => {}
        }
        if let Some(next) = version.next {
            self.chains.insert(slot, next);
        }
        true
    }

    /// Calls `visit` with an overlay for each state that the chain of a slot still holds, newest
    /// first; the first is the state in place.
    pub(crate) fn each_state(&self, slot: u16, mut visit: impl FnMut(&Overlay<'_>)) {
        let mut overlay = Overlay::new();
        visit(&overlay);
        let mut version = self.chain(slot);
        while let Some(step) = version {
            if let Before::Columns { values, .. } = &step.before {
                for (id, datum) in values {
                    match overlay.iter_mut().find(|(known, _)| known == id) {
                        Some(entry) => entry.1 = datum,
                        None => overlay.push((*id, datum)),
                    }
                }
                visit(&overlay);
            }
            version = step.next.as_deref();
        }
    }

    /// Cuts the chain of a slot below the first version that everyone sees. Returns the cut-off
    /// versions.
    pub(crate) fn truncate(&mut self, slot: u16, horizon: &Sight<'_>) -> Option<Box<Version>> {
        let mut place = self.chains.get_mut(&slot)?;
        if place.txn.committed_by(horizon.ts) {
            return self.chains.remove(&slot);
        }
        loop {
            let next = place.next.as_ref()?;
            if next.txn.committed_by(horizon.ts) {
                return place.next.take();
            }
            place = place.next.as_mut()?;
        }
    }

    /// Forgets who created the slots that everyone sees.
    pub(crate) fn forget_creators(&mut self, horizon: &Sight<'_>) {
        self.created.retain(|run| !horizon.sees(&run.txn, run.command));
        if self.created.is_empty() {
            self.created = Vec::new();
        }
    }

    /// Writes a slot directly, for recovery, from a row's encoded values: extends the block as
    /// needed. `None` on malformed bytes.
    pub(crate) fn restore(&mut self, slot: u16, values: &mut Reader<'_>) -> Option<()> {
        let at = usize::from(slot);
        while self.len < at {
            let next = self.len;
            for column in &mut self.columns {
                column.put(next, &Datum::Null);
            }
            self.len += 1;
        }
        for column in &mut self.columns {
            column.materialise(self.len);
            column.read(at, values)?;
        }
        self.len = self.len.max(at + 1);
        self.live.set(at, true);
        if at == SLOTS - 1 {
            self.shrink();
        }
        Some(())
    }

    /// Changes values of a slot directly, for recovery. `None` on malformed bytes, or when there
    /// is no such row.
    pub(crate) fn restore_change(&mut self, slot: u16, changes: &mut Reader<'_>) -> Option<()> {
        if !self.is_live(slot) {
            return None;
        }
        for _ in 0..changes.varint()? {
            let position = usize::try_from(changes.varint()?).ok()?;
            let column = self.columns.get_mut(position)?;
            column.materialise(self.len);
            column.read(slot.into(), changes)?;
        }
        Some(())
    }

    /// Puts an uncommitted row in its place again, for recovery; what lies before it and is not
    /// there yet nobody will ever see.
    pub(crate) fn restore_created(
        &mut self,
        slot: u16,
        values: &mut Reader<'_>,
        txn: &Arc<TxnState>,
        command: u32,
    ) -> Option<()> {
        let before = self.len;
        self.restore(slot, values)?;
        self.dead += self.len - before;
        self.dead -= 1;
        let at = self.created.partition_point(|run| run.start <= slot);
        let run = Run { start: slot, end: slot + 1, command, txn: txn.clone() };
        match at.checked_sub(1).map(|last| &mut self.created[last]) {
            Some(last)
                if last.end == slot && last.command == command && Arc::ptr_eq(&last.txn, txn) =>
            {
                last.end += 1;
            }
            _ => self.created.insert(at, run),
        }
        Some(())
    }

    /// Bytes of memory of the block.
    pub(crate) fn memory(&self) -> usize {
        self.columns.iter().map(Column::memory).sum::<usize>()
            + self.created.capacity() * size_of::<Run>()
            + self.chains.capacity() * 16
            + self.chains.len() * VERSION_BYTES
            + size_of::<Block>()
    }
}

fn decide(
    sight: &Sight<'_>,
    txn: &Arc<TxnState>,
    command: u32,
    live: bool,
    newest: bool,
) -> Access {
    if sight.is_own(txn) {
        return if live && command < sight.command { Access::Free } else { Access::Gone };
    }
    match txn.status() {
        Status::Active => Access::Wait(txn.clone()),
        Status::Committed(ts) if ts > sight.ts => match (live, newest) {
            (false, _) => Access::Deleted,
            (true, true) => Access::Free,
            (true, false) => Access::Changed,
        },
        Status::Committed(_) if live => Access::Free,
        Status::Committed(_) | Status::Aborted => Access::Gone,
    }
}

#[cfg(test)]
mod tests;
