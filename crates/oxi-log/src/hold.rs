//! Keeping files that somebody still reads, or that are not archived yet.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use oxi_base::Lsn;

use crate::log::{Log, Shared};

/// From where on the log is needed, and by whom.
#[derive(Default)]
pub(crate) struct Holds {
    next: u64,
    held: BTreeMap<u64, Lsn>,
    /// Where the archive ends; `None` when there is none to wait for.
    archived: Option<Lsn>,
}

impl Holds {
    /// Up to where files may go of which nobody needs what is before `wanted`.
    pub(crate) fn bound(&self, wanted: Lsn) -> Lsn {
        self.held.values().chain(&self.archived).copied().fold(wanted, Lsn::min)
    }
}

/// Keeps the log from a position on until it is dropped.
pub struct LogHold {
    shared: Arc<Shared>,
    number: u64,
    from: Lsn,
}

impl LogHold {
    /// The position from which on nothing is removed.
    pub fn first_lsn(&self) -> Lsn {
        self.from
    }
}

impl Drop for LogHold {
    fn drop(&mut self) {
        self.shared.holds.lock().held.remove(&self.number);
    }
}

impl fmt::Debug for LogHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogHold").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Log {
    /// Keeps files from a position on, which must still be there.
    pub fn hold(&self, from: Lsn) -> LogHold {
        let mut holds = self.shared.holds.lock();
        let number = holds.next;
        holds.next += 1;
        holds.held.insert(number, from);
        LogHold { shared: Arc::clone(&self.shared), number, from }
    }

    /// Keeps everything from a position on until the archive says that it has more.
    pub(crate) fn set_archived(&self, up_to: Lsn) {
        self.shared.holds.lock().archived = Some(up_to);
    }
}
