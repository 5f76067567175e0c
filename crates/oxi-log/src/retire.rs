//! Removing files whose frames nobody needs any more.

use oxi_base::{Lsn, Result};
use oxi_world::disk;

use crate::log::Log;

impl Log {
    /// Removes files that end at or before `before` and returns how many bytes of the stream they
    /// held. The newest file always stays, as do those that somebody holds or that are to be
    /// archived first.
    pub fn retire(&self, before: Lsn) -> Result<u64> {
        let shared = &*self.shared;
        let mut files = shared.files.lock();
        let before = shared.holds.lock().bound(before);
        let mut removed_bytes = 0;
        while let [first, second, ..] = files[..]
            && second.first_lsn <= before
        {
            shared.world.disk.remove(&disk::join(&shared.options.dir, &first.name()))?;
            removed_bytes += second.first_lsn.0 - first.first_lsn.0;
            files.remove(0);
            // Oldest first, each durably: a crash must not leave a hole in the middle.
            shared.world.disk.sync_dir(&shared.options.dir)?;
        }
        Ok(removed_bytes)
    }
}
