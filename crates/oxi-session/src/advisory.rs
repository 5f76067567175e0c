//! The session's advisory locks.

use std::sync::{Arc, OnceLock};

use oxi_base::Result;
use oxi_model::{
    engine::{Engine, Txn, Wait},
    lock::SessionLocks,
};
use oxi_types::context::{AdvisoryLock, AdvisoryScope};

/// Those that outlive transactions; made when the first is wanted.
pub(crate) struct Advisory {
    engine: Arc<dyn Engine>,
    session: u32,
    locks: OnceLock<Arc<dyn SessionLocks>>,
}

impl Advisory {
    pub(crate) fn new(engine: Arc<dyn Engine>, session: u32) -> Self {
        Advisory { engine, session, locks: OnceLock::new() }
    }

    /// Takes a lock; what to wait for if somebody is in the way.
    pub(crate) fn take(&self, txn: &dyn Txn, lock: AdvisoryLock) -> Result<Option<Wait>> {
        match lock.scope {
            AdvisoryScope::Transaction => txn.lock_advisory(lock.key, lock.lock),
            AdvisoryScope::Session => {
                let locks = self.locks.get_or_init(|| self.engine.session_locks(self.session));
                locks.lock(lock.key, lock.lock)
            }
        }
    }

    /// Gives a lock back; false if the session does not hold it.
    pub(crate) fn give_back(&self, lock: AdvisoryLock) -> bool {
        self.locks.get().is_some_and(|locks| locks.unlock(lock.key, lock.lock))
    }

    pub(crate) fn give_all_back(&self) {
        if let Some(locks) = self.locks.get() {
            locks.unlock_all();
        }
    }
}
