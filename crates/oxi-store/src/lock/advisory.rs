//! Advisory locks: of transactions, and of sessions whatever becomes of their transactions.

use std::sync::Arc;

use oxi_base::Result;
use oxi_model::{
    engine::{TableLock, Wait},
    lock::{AdvisoryKey, LockInfo, LockObject, SessionLocks},
};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::queue::LockQueue;
use crate::{engine::Core, undo::TxnState};

const SHARDS: usize = 16;

/// All advisory keys that somebody holds or wants.
#[derive(Default)]
pub(crate) struct Advisory {
    shards: [Mutex<FxHashMap<AdvisoryKey, Arc<LockQueue>>>; SHARDS],
}

impl Advisory {
    fn shard(&self, key: AdvisoryKey) -> &Mutex<FxHashMap<AdvisoryKey, Arc<LockQueue>>> {
        let (class, object, _) = key.parts();
        &self.shards[(class ^ object) as usize % SHARDS]
    }

    /// The line before a key.
    pub(crate) fn queue(&self, key: AdvisoryKey) -> Arc<LockQueue> {
        let mut shard = self.shard(key).lock();
        Arc::clone(shard.entry(key).or_insert_with(LockQueue::of_key))
    }

    /// Gives a lock back.
    pub(crate) fn release(&self, key: AdvisoryKey, lock: TableLock, holder: &Arc<TxnState>) {
        self.queue(key).release(holder, lock.into());
        let mut shard = self.shard(key).lock();
        // Who waits for the key keeps its line; others get it under this latch.
        if shard.get(&key).is_some_and(|queue| Arc::strong_count(queue) == 1 && queue.is_idle()) {
            shard.remove(&key);
        }
    }

    /// What is held, for monitoring.
    pub(crate) fn list(&self, into: &mut Vec<LockInfo>) {
        for shard in &self.shards {
            for (key, queue) in &*shard.lock() {
                queue.list(LockObject::Advisory(*key), into);
            }
        }
    }
}

/// Takes a lock for a holder; what to wait for if somebody is in the way.
pub(crate) fn acquire(
    core: &Core,
    holder: &Arc<TxnState>,
    key: AdvisoryKey,
    lock: TableLock,
) -> Option<Wait> {
    let queue = core.advisory.queue(key);
    if queue.acquire(holder, lock) {
        return None;
    }
    Some(queue.wait(&core.waits, holder, LockObject::Advisory(key), lock))
}

/// The advisory locks of one session.
pub(crate) struct SessionHolder {
    core: Arc<Core>,
    /// Holds them; it ends with the session.
    state: Arc<TxnState>,
    /// How often each was taken.
    held: Mutex<FxHashMap<(AdvisoryKey, TableLock), u32>>,
}

impl SessionHolder {
    pub(crate) fn new(core: Arc<Core>, session: u32) -> Self {
        let state = TxnState::new();
        state.belong_to(session);
        SessionHolder { core, state, held: Mutex::default() }
    }
}

impl SessionLocks for SessionHolder {
    fn lock(&self, key: AdvisoryKey, lock: TableLock) -> Result<Option<Wait>> {
        self.core.check_usable()?;
        let mut held = self.held.lock();
        if let Some(times) = held.get_mut(&(key, lock)) {
            *times += 1;
            return Ok(None);
        }
        let wait = acquire(&self.core, &self.state, key, lock);
        if wait.is_none() {
            held.insert((key, lock), 1);
        }
        Ok(wait)
    }

    fn unlock(&self, key: AdvisoryKey, lock: TableLock) -> bool {
        let mut held = self.held.lock();
        let Some(times) = held.get_mut(&(key, lock)) else { return false };
        *times -= 1;
        if *times == 0 {
            held.remove(&(key, lock));
            self.core.advisory.release(key, lock, &self.state);
        }
        true
    }

    fn unlock_all(&self) {
        for ((key, lock), _) in self.held.lock().drain() {
            self.core.advisory.release(key, lock, &self.state);
        }
    }
}

impl Drop for SessionHolder {
    fn drop(&mut self) {
        self.state.abort();
        self.unlock_all();
    }
}
