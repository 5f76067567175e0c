//! SHARE and KEY SHARE locks of rows, which several transactions may hold together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use oxi_base::{RowId, TableId};
use oxi_model::engine::RowLock;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::undo::TxnState;

const SHARDS: usize = 16;

/// Who holds a row, and how strongly.
type Holders = SmallVec<[(Arc<TxnState>, RowLock); 1]>;

/// The shared locks of all rows.
#[derive(Default)]
pub(crate) struct SharedRows {
    /// All locks, so that writers skip the table when there are none.
    count: AtomicUsize,
    shards: [Mutex<FxHashMap<(TableId, RowId), Holders>>; SHARDS],
}

/// A step of a transaction: a row it holds now, and how it held it before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Taken {
    pub(crate) table: TableId,
    pub(crate) row: RowId,
    before: Option<RowLock>,
}

impl SharedRows {
    fn shard(&self, row: RowId) -> &Mutex<FxHashMap<(TableId, RowId), Holders>> {
        &self.shards[row.0 as usize % SHARDS]
    }

    /// Adds or strengthens a lock; `None` if the transaction holds the row so already. The caller
    /// holds the row's block latch.
    pub(crate) fn add(
        &self,
        table: TableId,
        row: RowId,
        txn: &Arc<TxnState>,
        lock: RowLock,
    ) -> Option<Taken> {
        let mut shard = self.shard(row).lock();
        let holders = shard.entry((table, row)).or_default();
        if let Some((_, held)) = holders.iter_mut().find(|(holder, _)| Arc::ptr_eq(holder, txn)) {
            let before = *held;
            *held = before.max(lock);
            return (before < lock).then_some(Taken { table, row, before: Some(before) });
        }
        holders.push((txn.clone(), lock));
        self.count.fetch_add(1, Ordering::AcqRel);
        Some(Taken { table, row, before: None })
    }

    /// Another transaction whose shared lock does not let the row be held this strongly.
    pub(crate) fn holder(
        &self,
        table: TableId,
        row: RowId,
        but: &Arc<TxnState>,
        lock: RowLock,
    ) -> Option<Arc<TxnState>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let shard = self.shard(row).lock();
        let holders = shard.get(&(table, row))?;
        let in_the_way = holders.iter().find(|(holder, held)| {
            held.conflicts(lock) && !Arc::ptr_eq(holder, but) && holder.is_active()
        });
        in_the_way.map(|(holder, _)| holder.clone())
    }

    /// How strongly a transaction holds a row by a shared lock.
    pub(crate) fn held(&self, table: TableId, row: RowId, txn: &Arc<TxnState>) -> Option<RowLock> {
        let shard = self.shard(row).lock();
        let holders = shard.get(&(table, row))?;
        holders.iter().find(|(holder, _)| Arc::ptr_eq(holder, txn)).map(|(_, held)| *held)
    }

    /// Takes a step back.
    pub(crate) fn undo(&self, taken: Taken, txn: &Arc<TxnState>) {
        let mut shard = self.shard(taken.row).lock();
        let Some(holders) = shard.get_mut(&(taken.table, taken.row)) else { return };
        let Some(at) = holders.iter().position(|(holder, _)| Arc::ptr_eq(holder, txn)) else {
            return;
        };
        if let Some(before) = taken.before {
            holders[at].1 = before;
        } else {
            holders.swap_remove(at);
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
        if holders.is_empty() {
            shard.remove(&(taken.table, taken.row));
        }
    }
}

#[cfg(test)]
mod tests;
