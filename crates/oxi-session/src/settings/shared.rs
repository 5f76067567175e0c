//! The settings of a session, shared with the functions that read and set them.

use std::{
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::{Mutex, MutexGuard};

use super::Settings;

/// The session's settings: what holds now, and what will hold after the transaction commits.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingsPair {
    pub(crate) effective: Settings,
    pub(crate) lasting: Settings,
}

/// A pair behind a lock, with a number that tells whether it may have changed.
#[derive(Debug, Default)]
pub(crate) struct SharedSettings {
    pair: Mutex<SettingsPair>,
    version: AtomicU64,
}

impl SharedSettings {
    pub(crate) fn new(settings: Settings) -> Self {
        let pair = SettingsPair { effective: settings.clone(), lasting: settings };
        SharedSettings { pair: Mutex::new(pair), version: AtomicU64::new(0) }
    }

    pub(crate) fn lock(&self) -> SettingsGuard<'_> {
        SettingsGuard { pair: self.pair.lock(), version: &self.version }
    }

    /// Moves with every change.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

/// The settings while they are locked.
pub(crate) struct SettingsGuard<'a> {
    pair: MutexGuard<'a, SettingsPair>,
    version: &'a AtomicU64,
}

impl Deref for SettingsGuard<'_> {
    type Target = SettingsPair;

    fn deref(&self) -> &SettingsPair {
        &self.pair
    }
}

impl DerefMut for SettingsGuard<'_> {
    fn deref_mut(&mut self) -> &mut SettingsPair {
        self.version.fetch_add(1, Ordering::Release);
        &mut self.pair
    }
}
