//! Collection: versions, index entries, slots and blocks that no snapshot can see any more.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use oxi_base::{Result, Ts};

use crate::{
    block::{Block, Overlay, Rows, SLOTS, row_id},
    engine::Core,
    index::{IndexUse, key::Key},
    reads::{Author, Written},
    table::{Shape, Table},
    txn::UndoEntry,
    undo::{Before, Sight, Version},
};

/// What committed transactions left behind, in commit order.
#[derive(Default)]
pub(crate) struct Garbage {
    queue: VecDeque<(Ts, Undo)>,
}

/// The undo entries of a transaction that has ended: its own until somebody validates against
/// them.
pub(crate) enum Undo {
    Own(Vec<UndoEntry>),
    Shared(Arc<Vec<UndoEntry>>),
}

impl Undo {
    pub(crate) fn entries(&self) -> &[UndoEntry] {
        match self {
            Undo::Own(entries) => entries,
            Undo::Shared(entries) => entries,
        }
    }

    /// The entries, for one more reader.
    pub(crate) fn share(&mut self) -> Arc<Vec<UndoEntry>> {
        let shared = match self {
            Undo::Own(entries) => Arc::new(std::mem::take(entries)),
            Undo::Shared(entries) => return entries.clone(),
        };
        *self = Undo::Shared(shared.clone());
        shared
    }
}

impl Garbage {
    pub(crate) fn push(&mut self, ts: Ts, undo: Undo) {
        if !undo.entries().is_empty() {
            // Transactions that only locked rows come with an older timestamp now and then.
            let ts = self.queue.back().map_or(ts, |(last, _)| ts.max(*last));
            self.queue.push_back((ts, undo));
        }
    }

    /// What was committed after a moment.
    pub(crate) fn since(&mut self, from: Ts) -> Vec<Written> {
        let first = self.queue.partition_point(|(ts, _)| *ts <= from);
        let written = |(ts, undo): &mut (Ts, Undo)| Written {
            ts: *ts,
            by: Author::Committed,
            undo: undo.share(),
        };
        self.queue.range_mut(first..).map(written).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

impl Core {
    /// Collects when enough was committed since the last time and nobody else is at it.
    pub(crate) fn maybe_collect(&self) {
        let since = self.since_collect.fetch_add(1, Ordering::Relaxed);
        if since >= self.options.collect_every
            && let Some(_running) = self.collecting.try_lock()
        {
            self.since_collect.store(0, Ordering::Relaxed);
            self.collect_below_horizon();
        }
    }

    /// Collects all that can be.
    pub(crate) fn collect(&self) {
        if self.read_only {
            // What the checkpoint has of earlier moments stays readable.
            return;
        }
        let _running = self.collecting.lock();
        self.collect_below_horizon();
    }

    fn collect_below_horizon(&self) {
        if self.histories.is_used() {
            self.measure_histories();
        }
        let visible = self.visible_ts();
        let horizon = Sight::committed(self.snapshots.oldest(visible));
        self.histories.begin_collection(horizon.ts);
        loop {
            let next = self.garbage.lock().queue.pop_front_if(|(ts, _)| *ts <= horizon.ts);
            let Some((ts, undo)) = next else { break };
            if let Err(error) = self.collect_transaction(ts, &undo, &horizon) {
                // What was left would stay for ever.
                self.fail(error);
                return;
            }
        }
        if self.histories.is_used()
            && let Err(error) = self.collect_histories(visible)
        {
            self.fail(error);
        }
    }

    fn collect_transaction(&self, ts: Ts, undo: &Undo, horizon: &Sight<'_>) -> Result<()> {
        let mut last: Option<(Arc<Table>, Arc<Shape>, u64)> = None;
        for entry in undo.entries() {
            let Some((table, block)) = entry.place() else { continue };
            let (shape, history_us) = match &last {
                Some((known, shape, us)) if Arc::ptr_eq(known, table) => (shape.clone(), *us),
                _ => {
                    let shape = table.shape();
                    let us = self.history_us(&shape.layout);
                    last = Some((table.clone(), shape.clone(), us));
                    (shape, us)
                }
            };
            if history_us == 0 {
                collect_entry(entry, table, &shape, block, horizon)?;
                continue;
            }
            if let UndoEntry::Change { slot, .. } = entry {
                block.write()?.forget_locks(*slot);
            }
            table.history.keep(block.number, ts, history_us);
        }
        Ok(())
    }
}

fn collect_entry(
    entry: &UndoEntry,
    table: &Table,
    shape: &Shape,
    block: &Block,
    horizon: &Sight<'_>,
) -> Result<()> {
    let mut rows = block.write()?;
    match entry {
        UndoEntry::Insert { .. } => rows.forget_creators(horizon),
        UndoEntry::Change { slot, .. } => {
            if let Some(cut) = rows.truncate(*slot, horizon) {
                drop_versions(&mut rows, shape, block.number, *slot, *cut)?;
            }
        }
        _ => return Ok(()),
    }
    if rows.len == SLOTS && rows.dead == SLOTS {
        drop(rows);
        table.drop_block(block.number);
    }
    Ok(())
}

/// Removes what only the cut-off versions needed.
pub(crate) fn drop_versions(
    rows: &mut Rows,
    shape: &Shape,
    block: u64,
    slot: u16,
    cut: Version,
) -> Result<()> {
    let gone = rows.chain(slot).is_none() && !rows.is_live(slot);
    let row = row_id(block, slot);
    for entry in &shape.indexes {
        if !gone && !touches(entry, &cut) {
            continue;
        }
        // Keys of the cut-off states: each lies between what is still there and the next older.
        for key in cut_keys(rows, entry, slot, &cut, gone) {
            if gone || !has_key(rows, entry, slot, &key) {
                entry.index.remove(&key, row)?;
            }
        }
    }
    if gone {
        rows.clear_values(slot);
        rows.dead += 1;
    }
    Ok(())
}

/// Whether some version changed a column of the index.
fn touches(entry: &IndexUse, cut: &Version) -> bool {
    let mut version = Some(cut);
    while let Some(step) = version {
        if let Before::Columns { values, .. } = &step.before
            && values
                .iter()
                .any(|(id, _)| entry.index.layout.columns.iter().any(|c| c.column == *id))
        {
            return true;
        }
        version = step.next.as_deref();
    }
    false
}

/// The keys of the states that the versions of `cut` lead back to; with `in_place`, also that of
/// the state in place.
fn cut_keys(rows: &Rows, entry: &IndexUse, slot: u16, cut: &Version, in_place: bool) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut overlay = Overlay::new();
    // States that remain are older-than-place too: start from the last of them.
    let mut version = rows.chain(slot);
    while let Some(step) = version {
        lay_over(&mut overlay, &step.before);
        version = step.next.as_deref();
    }
    if in_place {
        keys.push(entry.key(|position| rows.value(slot, position, Some(&overlay))).0);
    }
    let mut version = Some(cut);
    while let Some(step) = version {
        if lay_over(&mut overlay, &step.before) {
            keys.push(entry.key(|position| rows.value(slot, position, Some(&overlay))).0);
        }
        version = step.next.as_deref();
    }
    keys
}

pub(crate) fn lay_over<'a>(overlay: &mut Overlay<'a>, before: &'a Before) -> bool {
    let Before::Columns { values, .. } = before else { return false };
    for (id, datum) in values {
        match overlay.iter_mut().find(|(known, _)| known == id) {
            Some(entry) => entry.1 = datum,
            None => overlay.push((*id, datum)),
        }
    }
    true
}

/// Whether some state that the slot still has carries this key.
pub(crate) fn has_key(rows: &Rows, entry: &IndexUse, slot: u16, key: &Key) -> bool {
    let mut found = false;
    rows.each_state(slot, |overlay| {
        found = found || entry.key(|position| rows.value(slot, position, Some(overlay))).0 == *key;
    });
    found
}
