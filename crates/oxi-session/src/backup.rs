//! The copy of the database's files that a session makes: what `oxi_backup_…` functions work on.

use std::fmt;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{backup::RunningBackup, engine::Engine};
use parking_lot::Mutex;

/// How much one call may read.
const READ_BYTES_MAX: i32 = 16 << 20;

/// The copy in the making, which ends with the session at the latest.
#[derive(Default)]
pub(crate) struct SessionBackup(Mutex<Option<Box<dyn RunningBackup>>>);

impl SessionBackup {
    /// Begins a copy; its description.
    pub(crate) fn start(&self, engine: &dyn Engine) -> Result<String> {
        let mut running = self.0.lock();
        if running.is_some() {
            return Err(Error::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                "a backup is already in progress in this session",
            ));
        }
        let begun = engine.begin_backup()?;
        let description = begun.begin().to_string();
        *running = Some(begun);
        Ok(description)
    }

    /// The log up to now.
    pub(crate) fn finish(&self) -> Result<String> {
        let running = self.0.lock();
        let running = running.as_ref().ok_or_else(not_in_progress)?;
        Ok(running.finish()?.to_string())
    }

    /// A part of a file.
    pub(crate) fn read(&self, path: &str, offset: i64, length: i32) -> Result<Vec<u8>> {
        let running = self.0.lock();
        let running = running.as_ref().ok_or_else(not_in_progress)?;
        let invalid = |what: &str| Error::new(SqlState::INVALID_PARAMETER_VALUE, what);
        let offset = u64::try_from(offset).map_err(|_| invalid("offset cannot be negative"))?;
        if !(0..=READ_BYTES_MAX).contains(&length) {
            return Err(invalid("requested length is negative or too large"));
        }
        running.read(path, offset, length as usize)
    }

    /// Ends it; false if there was none.
    pub(crate) fn stop(&self) -> bool {
        self.0.lock().take().is_some()
    }
}

fn not_in_progress() -> Error {
    let message = "backup is not in progress";
    Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .with_hint("Did you call oxi_backup_start()?")
}

impl fmt::Debug for SessionBackup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionBackup").field(&self.0.lock().is_some()).finish()
    }
}
