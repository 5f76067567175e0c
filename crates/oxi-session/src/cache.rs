//! A cache of what is known about statements, by their text and what else decides their meaning.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;

/// What makes two statements the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StatementKey {
    pub(crate) text: String,
    pub(crate) types: Vec<u32>,
    pub(crate) path: Vec<String>,
    /// Whether plans may take the point path.
    pub(crate) fast: bool,
}

/// What sessions know of statements, shared among them; the least recently used goes first.
pub(crate) struct StatementCache<T> {
    entries: Mutex<BTreeMap<StatementKey, (u64, T)>>,
    clock: AtomicU64,
}

impl<T> Default for StatementCache<T> {
    fn default() -> Self {
        StatementCache { entries: Mutex::default(), clock: AtomicU64::new(0) }
    }
}

/// How many statements are kept.
const CACHED_MAX: usize = 1024;
/// Longer texts are not kept.
const CACHED_TEXT_MAX: usize = 16 * 1024;

impl<T: Clone> StatementCache<T> {
    pub(crate) fn get(&self, key: &StatementKey) -> Option<T> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries.lock();
        let (used, known) = entries.get_mut(key)?;
        *used = now;
        Some(known.clone())
    }

    pub(crate) fn put(&self, key: StatementKey, known: T) {
        if key.text.len() > CACHED_TEXT_MAX {
            return;
        }
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries.lock();
        if entries.len() >= CACHED_MAX {
            // Half goes at once, so that the search for the oldest is rare.
            let mut uses: Vec<u64> = entries.values().map(|(used, _)| *used).collect();
            let (_, middle, _) = uses.select_nth_unstable(CACHED_MAX / 2);
            let middle = *middle;
            entries.retain(|_, (used, _)| *used > middle);
        }
        entries.insert(key, (now, known));
    }
}
