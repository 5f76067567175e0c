//! The past of a block's rows: the states that images hold of it, and what replay adds to it.

use std::sync::Arc;

use oxi_base::{Ts, codec::Reader};
use oxi_model::array::decode_datum;

use super::{Overlay, Rows, Run, Seen};
use crate::{
    image::Extent,
    undo::{Before, Sight, Status, TxnState},
};

impl Rows {
    /// Calls `visit` with an overlay for the state that `sight` sees of a slot and for each older
    /// one that its chain holds, newest first.
    pub(crate) fn each_seen_state(
        &self,
        slot: u16,
        sight: &Sight<'_>,
        mut visit: impl FnMut(&Overlay<'_>),
    ) {
        if self.creator(slot).is_some_and(|run| !sight.sees(&run.txn, run.command)) {
            return;
        }
        let mut overlay = Overlay::new();
        let mut is_live = self.is_live(slot);
        let mut is_seen = false;
        let mut version = self.chain(slot);
        while let Some(step) = version {
            let is_lock = matches!(step.before, Before::Locked(_));
            if !is_seen && !is_lock && sight.sees(&step.txn, step.command) {
                is_seen = true;
                if is_live {
                    visit(&overlay);
                }
            }
            is_live |= matches!(step.before, Before::Live);
            crate::collect::lay_over(&mut overlay, &step.before);
            if is_seen && !is_lock {
                visit(&overlay);
            }
            version = step.next.as_deref();
        }
        if !is_seen && is_live {
            visit(&overlay);
        }
    }

    /// Calls `visit` for the states of a slot that an image of this extent holds.
    pub(crate) fn each_image_state(
        &self,
        slot: u16,
        sight: &Sight<'_>,
        extent: Extent,
        mut visit: impl FnMut(&Overlay<'_>),
    ) {
        if extent == Extent::History {
            return self.each_seen_state(slot, sight, visit);
        }
        match self.see(slot, sight) {
            Seen::No => {}
            Seen::InPlace => visit(&Overlay::new()),
            Seen::Older(overlay) => visit(&overlay),
        }
    }

    /// The oldest commit that some version or creator is of.
    pub(crate) fn oldest_commit(&self) -> Option<Ts> {
        let committed = |txn: &Arc<TxnState>| match txn.status() {
            Status::Committed(ts) => Some(ts),
            Status::Active | Status::Aborted => None,
        };
        let mut oldest = self.created.iter().filter_map(|run| committed(&run.txn)).min();
        for version in self.chains.values() {
            let mut version = Some(&**version);
            while let Some(step) = version {
                if !matches!(step.before, Before::Locked(_))
                    && let Some(ts) = committed(&step.txn)
                {
                    oldest = Some(oldest.map_or(ts, |oldest| oldest.min(ts)));
                }
                version = step.next.as_deref();
            }
        }
        oldest
    }

    /// Forgets the locks of a slot whose transactions have ended.
    pub(crate) fn forget_locks(&mut self, slot: u16) {
        let mut left = self.chains.remove(&slot);
        let mut kept = Vec::new();
        while let Some(mut version) = left {
            left = version.next.take();
            if !matches!(version.before, Before::Locked(_)) || version.txn.is_active() {
                kept.push(version);
            }
        }
        let mut chain = None;
        for mut version in kept.into_iter().rev() {
            version.next = chain;
            chain = Some(version);
        }
        if let Some(chain) = chain {
            self.chains.insert(slot, chain);
        }
    }

    /// Says who created a slot that recovery has filled.
    pub(crate) fn note_creator(&mut self, slot: u16, txn: &Arc<TxnState>) {
        let at = self.created.partition_point(|run| run.start <= slot);
        if let Some(run) = at.checked_sub(1).and_then(|before| self.created.get_mut(before))
            && run.end == slot
            && Arc::ptr_eq(&run.txn, txn)
        {
            run.end += 1;
            return;
        }
        self.created.insert(at, Run { start: slot, end: slot + 1, command: 0, txn: txn.clone() });
    }

    /// Changes values of a slot, for recovery, and remembers what they were. `None` on malformed
    /// bytes, or when there is no such row.
    pub(crate) fn restore_kept_change(
        &mut self,
        slot: u16,
        changes: &mut Reader<'_>,
        txn: &Arc<TxnState>,
    ) -> Option<()> {
        if !self.is_live(slot) {
            return None;
        }
        let mut decoded = Vec::new();
        for _ in 0..changes.varint()? {
            let position = usize::try_from(changes.varint()?).ok()?;
            let physical = &self.columns.get(position)?.physical;
            decoded.push((position, decode_datum(changes, physical)?));
        }
        self.update(slot, txn, 0, &decoded, false);
        Some(())
    }
}
