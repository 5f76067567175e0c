//! The committed catalog, shared by all sessions and reloaded when it moved.

use std::sync::Arc;

use oxi_base::{Result, Ts};
use oxi_model::engine::{Engine, Isolation, Snapshot};
use parking_lot::Mutex;

use crate::{catalog::Catalog, mutation};

/// Holds the newest committed catalog that was asked for.
#[derive(Default)]
pub struct CatalogCache {
    loaded: Mutex<Option<Loaded>>,
}

#[derive(Clone)]
struct Loaded {
    version: u64,
    /// When the snapshot was taken that it was loaded through.
    ts: Ts,
    catalog: Arc<Catalog>,
}

/// How often a load is repeated that raced with a commit; then its result is used unshared.
const ATTEMPTS: u32 = 8;

impl CatalogCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// The newest committed catalog. PostgreSQL names objects in the newest state even under
    /// REPEATABLE READ, so this is what statements bind against (unless the transaction has
    /// changed the catalog itself: then it keeps its own).
    ///
    /// # Errors
    /// What loading says.
    pub fn latest(&self, engine: &dyn Engine) -> Result<Arc<Catalog>> {
        Ok(self.newest(engine)?.catalog)
    }

    /// The catalog exactly as a snapshot sees it, uncommitted changes of its own transaction
    /// excepted (whoever makes them keeps the catalog that `CatalogTxn::finish` gave).
    ///
    /// # Errors
    /// What loading says.
    pub fn at_snapshot(
        &self,
        engine: &dyn Engine,
        snapshot: &dyn Snapshot,
    ) -> Result<Arc<Catalog>> {
        let newest = self.newest(engine)?;
        // No catalog commit lies between the load and now, so a snapshot from after the load sees
        // the same.
        if snapshot.ts() >= newest.ts {
            return Ok(newest.catalog);
        }
        mutation::load(snapshot).map(Arc::new)
    }

    fn newest(&self, engine: &dyn Engine) -> Result<Loaded> {
        for _ in 0..ATTEMPTS {
            let version = engine.catalog_version();
            if let Some(loaded) = &*self.loaded.lock()
                && loaded.version == version
            {
                return Ok(loaded.clone());
            }
            let fresh = load_now(engine, version)?;
            if engine.catalog_version() == version {
                *self.loaded.lock() = Some(fresh.clone());
                return Ok(fresh);
            }
        }
        load_now(engine, engine.catalog_version())
    }
}

fn load_now(engine: &dyn Engine, version: u64) -> Result<Loaded> {
    let txn = engine.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    let catalog = Arc::new(mutation::load(&*snapshot)?);
    Ok(Loaded { version, ts: snapshot.ts(), catalog })
}

#[cfg(test)]
mod tests;
