//! Sending leaves away that were not used lately.

use std::sync::{Arc, atomic::Ordering};

use oxi_base::Result;

use super::{Away, Leaf, Tree, TreeKey, find, look_end};
use crate::index::base::{self, BaseBlock};

/// Leaves looked at while the directory is held.
const LOOK: usize = 64;
/// About the bytes of entries that leave together: a block's worth when encoded.
pub(super) const GROUP_BYTES: usize = 32 << 10;

impl<K: TreeKey> Tree<K> {
    /// Goes on through the leaves from where it stopped the last time, until `is_enough`, at most
    /// to the end.
    pub(crate) fn send_away(&self, is_enough: &dyn Fn() -> bool) -> Result<()> {
        let mut hand = self.hand.lock();
        let from = &mut *hand;
        loop {
            if is_enough() {
                return Ok(());
            }
            let mut directory = self.directory.write();
            let (chunk, leaf) = match from {
                None => (0, 0),
                Some((key, row)) => find(&directory, key, *row),
            };
            let end = look_end(&directory[chunk], leaf, LOOK);
            let next = match directory[chunk].get(end) {
                Some(leaf) => leaf.low.clone(),
                None => directory.get(chunk + 1).and_then(|leaves| leaves[0].low.clone()),
            };
            let tail = directory[chunk].split_off(end);
            let looked_at = directory[chunk].split_off(leaf);
            let packed = self.pack(looked_at, &mut directory[chunk]);
            directory[chunk].extend(tail);
            *from = next;
            packed?;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    /// Moves leaves to `out`, those that can go as cold ones. None is lost when that fails.
    fn pack(&self, leaves: Vec<Leaf<K>>, out: &mut Vec<Leaf<K>>) -> Result<()> {
        let mut rest = leaves.into_iter().peekable();
        let mut outcome = Ok(());
        while let Some(mut leaf) = rest.next() {
            let is_used = leaf.used.swap(false, Ordering::Relaxed);
            if is_used || outcome.is_err() || leaf.body.get_mut().away.is_some() {
                out.push(leaf);
                continue;
            }
            let mut group = vec![leaf];
            let mut bytes = group[0].bytes();
            while let Some(next) = rest.peek_mut() {
                let more = next.bytes();
                let is_used = next.used.load(Ordering::Relaxed);
                if is_used || next.body.get_mut().away.is_some() || !group[0].has_same_base(next) {
                    break;
                }
                // Those of one block belong together, whatever their size.
                if bytes + more > GROUP_BYTES && next.body.get_mut().base.is_none() {
                    break;
                }
                bytes += more;
                group.extend(rest.next());
            }
            outcome = outcome.and(self.pack_group(group, out));
        }
        outcome
    }

    /// Makes one cold leaf of several neighbours.
    fn pack_group(&self, mut group: Vec<Leaf<K>>, out: &mut Vec<Leaf<K>>) -> Result<()> {
        let count: usize = group.iter_mut().map(|leaf| leaf.body.get_mut().entries.len()).sum();
        if count == 0 {
            out.extend(group);
            return Ok(());
        }
        let base = group[0].body.get_mut().base.clone();
        let is_held =
            |block: &Arc<BaseBlock>| block.holds() && block.place().count as usize == count;
        let away = if base.as_ref().is_some_and(is_held) {
            Away::Base
        } else {
            let mut entries = Vec::with_capacity(count);
            for leaf in &mut group {
                entries.extend_from_slice(&leaf.body.get_mut().entries);
            }
            match self.shelf.storage.spill.put(&base::encode(&entries)) {
                Ok(extent) => Away::Spilled(Box::new(extent), count),
                Err(error) => {
                    out.extend(group);
                    return Err(error);
                }
            }
        };
        let charged = group.iter_mut().map(|leaf| leaf.body.get_mut().charged).sum();
        self.shelf.storage.recharge(charged, 0);
        out.push(Leaf::cold(group[0].low.clone(), base, away));
        Ok(())
    }
}

impl<K: TreeKey> Leaf<K> {
    fn bytes(&mut self) -> usize {
        let body = self.body.get_mut();
        let heap: usize = body.entries.iter().map(|(key, _)| key.heap_bytes()).sum();
        body.entries.len() * size_of::<(K, u64)>() + heap
    }

    /// Whether both are of one block of the base, or both of none.
    fn has_same_base(&mut self, other: &mut Leaf<K>) -> bool {
        match (&self.body.get_mut().base, &other.body.get_mut().base) {
            (Some(mine), Some(other)) => Arc::ptr_eq(mine, other),
            (None, None) => true,
            _ => false,
        }
    }
}
