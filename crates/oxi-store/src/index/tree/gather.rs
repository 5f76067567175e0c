//! Taking the entries for a checkpoint: the blocks of the base that still hold, and what has to be
//! written anew.

use std::sync::Arc;

use oxi_base::Result;

use super::{Away, Body, Leaf, Mark, Tree, TreeKey, away::GROUP_BYTES, find, look_end};
use crate::index::base::BaseBlock;

/// Leaves taken while the directory is held.
const LOOK: usize = 64;

/// A part of an index, in the order of entries.
pub(crate) enum Piece<K> {
    /// A block that holds.
    Kept(Arc<BaseBlock>),
    /// Entries of neighbouring leaves, which are to become this block.
    Changed(Arc<BaseBlock>, Vec<(K, u64)>),
}

impl<K: TreeKey> Tree<K> {
    /// Lets the block that holds an entry, if any, be written again with the next checkpoint.
    pub(crate) fn doubt(&self, key: &K, row: u64) {
        let directory = self.directory.read();
        let (chunk, leaf) = find(&directory, key, row);
        if let Some(block) = &directory[chunk][leaf].body.read().base {
            block.change();
        }
    }

    /// The next pieces from an entry on, and where they end (`None` at the end of the index).
    /// Leaves whose entries are taken count as unchanged from then on, if their block comes to
    /// hold.
    pub(crate) fn gather(&self, from: Option<&(K, u64)>) -> Result<(Vec<Piece<K>>, Mark<K>)> {
        let directory = self.directory.read();
        let (chunk, leaf) = match from {
            None => (0, 0),
            Some((key, row)) => find(&directory, key, *row),
        };
        let leaves = &directory[chunk];
        let end = look_end(leaves, leaf, LOOK);
        let next = match leaves.get(end) {
            Some(leaf) => leaf.low.clone(),
            None => directory.get(chunk + 1).and_then(|leaves| leaves[0].low.clone()),
        };
        let mut pieces = Vec::new();
        let mut filling: Option<Filling<K>> = None;
        let mut at = leaf;
        while at < end {
            // A leaf that begins before the entry was taken in part.
            let is_whole = at > leaf || from.is_none() || leaves[at].low.as_ref() == from;
            if is_whole && let Some((block, count)) = held(&leaves[at..end]) {
                Filling::finish(filling.take(), &mut pieces);
                pieces.push(Piece::Kept(block));
                at += count;
                continue;
            }
            let mut body = leaves[at].body.write();
            if matches!(body.away, Some(Away::Base)) {
                // It is about to belong to another block.
                body.bring_back(&self.shelf)?;
            }
            let entries = body.look_up(&self.shelf)?;
            let entries = entries
                .into_iter()
                .filter(|entry| is_whole || from.is_none_or(|from| entry >= from));
            let group = match filling.take() {
                Some(group) if group.bytes < GROUP_BYTES => filling.insert(group),
                full => {
                    Filling::finish(full, &mut pieces);
                    filling.insert(Filling::new())
                }
            };
            group.take(&mut body, entries, is_whole);
            at += 1;
        }
        Filling::finish(filling, &mut pieces);
        Ok((pieces, next))
    }
}

/// The block that holds what the first of these leaves, with some after it, have; and how many they
/// are.
fn held<K: TreeKey>(leaves: &[Leaf<K>]) -> Option<(Arc<BaseBlock>, usize)> {
    let block = leaves[0].body.read().base.clone().filter(|block| block.holds())?;
    let wanted = block.place().count as usize;
    let mut found = 0;
    for (number, leaf) in leaves.iter().enumerate() {
        let body = leaf.body.read();
        if !body.base.as_ref().is_some_and(|other| Arc::ptr_eq(other, &block)) {
            return None;
        }
        found += match &body.away {
            None => body.entries.len(),
            Some(Away::Base) => wanted,
            Some(Away::Spilled(_, count)) => *count,
        };
        drop(body);
        if found >= wanted {
            // Asked again: what has changed since may be in no block.
            return (found == wanted && block.holds()).then_some((block, number + 1));
        }
    }
    None
}

/// Entries for one block.
struct Filling<K> {
    block: Arc<BaseBlock>,
    entries: Vec<(K, u64)>,
    bytes: usize,
}

impl<K: TreeKey> Filling<K> {
    fn new() -> Self {
        Filling { block: BaseBlock::coming(), entries: Vec::new(), bytes: 0 }
    }

    fn take(
        &mut self,
        body: &mut Body<K>,
        entries: impl Iterator<Item = (K, u64)>,
        is_whole: bool,
    ) {
        for entry in entries {
            self.bytes += size_of::<(K, u64)>() + entry.0.heap_bytes();
            self.entries.push(entry);
        }
        if let Some(before) = body.base.take() {
            before.change();
        }
        if is_whole {
            body.base = Some(Arc::clone(&self.block));
        }
    }

    fn finish(filling: Option<Self>, pieces: &mut Vec<Piece<K>>) {
        if let Some(Filling { block, entries, .. }) = filling
            && !entries.is_empty()
        {
            pieces.push(Piece::Changed(block, entries));
        }
    }
}
