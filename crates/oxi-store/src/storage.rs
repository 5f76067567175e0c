//! What all tables of a store share: the disk, and the account of memory with the right to send
//! away what was not used lately.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use oxi_base::{Result, TableId};
use oxi_world::World;
use parking_lot::Mutex;

use crate::{manifest::Paths, spill::Spill, table::Table};

/// Rounds over everything before it is taken that no more can be sent away: the first one only
/// finds what has been used since.
const ROUNDS: usize = 3;

pub(crate) struct Storage {
    pub(crate) world: World,
    pub(crate) paths: Paths,
    pub(crate) spill: Arc<Spill>,
    /// Bytes that may be used.
    limit: usize,
    /// Bytes in use, as far as they are accounted for.
    used: AtomicUsize,
    /// Where it is time to look for what can go: above the limit when the last look found nothing.
    threshold: AtomicUsize,
    tables: Mutex<BTreeMap<TableId, Weak<Table>>>,
    /// Where the last look ended: table and block.
    hand: Mutex<(TableId, u64)>,
}

impl Storage {
    pub(crate) fn new(world: &World, paths: Paths, limit: Option<u64>) -> Arc<Storage> {
        // The other half is for what nobody counts: directories, buffers of the log, and the gaps
        // that the allocator is left with when blocks and leaves of all sizes come and go.
        let limit = limit.map_or(usize::MAX, |limit| (limit / 2) as usize);
        Arc::new(Storage {
            world: world.clone(),
            spill: Spill::new(world, paths.temporary()),
            paths,
            limit,
            used: AtomicUsize::new(0),
            threshold: AtomicUsize::new(limit),
            tables: Mutex::default(),
            hand: Mutex::default(),
        })
    }

    /// Whether memory is to be kept account of.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit != usize::MAX
    }

    /// Lets a table's blocks be sent away.
    pub(crate) fn register(&self, table: &Arc<Table>) {
        if self.is_limited() {
            self.tables.lock().insert(table.id, Arc::downgrade(table));
        }
    }

    /// Replaces a sum in the account by another.
    pub(crate) fn recharge(&self, before: usize, now: usize) {
        if now >= before {
            self.used.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.used.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    /// Bytes accounted for.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Sends away what was not used lately, when too much is in memory. To be called without
    /// latches.
    pub(crate) fn relieve(&self) -> Result<()> {
        if self.used() <= self.threshold.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.relieve_now()
    }

    #[cold]
    fn relieve_now(&self) -> Result<()> {
        // Far above the limit everybody waits for the one who makes room.
        let mut hand = if self.used() > self.limit.saturating_add(self.limit / 8) {
            self.hand.lock()
        } else {
            let Some(hand) = self.hand.try_lock() else { return Ok(()) };
            hand
        };
        let target = self.limit - self.limit / 16;
        for _ in 0..ROUNDS {
            if self.sweep(&mut hand, target)? {
                break;
            }
        }
        let threshold = (self.used() + self.limit / 32).max(self.limit);
        self.threshold.store(threshold, Ordering::Relaxed);
        Ok(())
    }

    /// Goes once around; true when the target is reached.
    fn sweep(&self, hand: &mut (TableId, u64), target: usize) -> Result<bool> {
        let tables: Vec<Arc<Table>> = {
            let mut tables = self.tables.lock();
            tables.retain(|_, table| table.strong_count() > 0);
            let after = tables.range(hand.0..).chain(tables.range(..hand.0));
            after.filter_map(|(_, table)| table.upgrade()).collect()
        };
        for (number, table) in tables.iter().enumerate() {
            let from = if number == 0 && table.id == hand.0 { hand.1 } else { 0 };
            for block in table.blocks() {
                if block.number < from {
                    continue;
                }
                if self.used() <= target {
                    *hand = (table.id, block.number);
                    return Ok(true);
                }
                block.send_away()?;
            }
            for index in &table.shape().all {
                index.send_away(&|| self.used() <= target)?;
            }
            if self.used() <= target {
                *hand = (table.id, u64::MAX);
                return Ok(true);
            }
        }
        *hand = (TableId(0), 0);
        Ok(self.used() <= target)
    }
}
