//! Saving an index with a checkpoint: blocks of the base that hold stay where they are, the others
//! are written anew with exactly the entries of rows that the checkpoint sees.

use std::{collections::BTreeSet, sync::Arc};

use oxi_base::{Error, Result, RowId};

use super::{
    Entries, Index, IndexUse,
    base::{self, BaseBlock, Place, Shelf},
    key::{Key, KeyKind},
    tree::{Piece, Tree, TreeKey},
};
use crate::{
    image::Extent,
    manifest::{BaseEntry, IndexManifest},
    table::Table,
    undo::Sight,
};

/// Where new blocks go.
pub(crate) trait BlockSink {
    /// Writes the bytes of a block with so many entries.
    fn put(&mut self, bytes: &[u8], count: u32) -> Result<Place>;
}

/// What a checkpoint has made of an index: current once it has succeeded.
#[derive(Default)]
pub(crate) struct Saved {
    /// Blocks with their places then.
    blocks: Vec<(Arc<BaseBlock>, Place)>,
}

impl Saved {
    pub(crate) fn install(&self) {
        for (block, place) in &self.blocks {
            block.install(*place);
        }
    }
}

/// What an index is saved with.
pub(crate) struct Saving<'a> {
    pub(crate) table: &'a Table,
    /// The index with the places of its columns.
    pub(crate) entry: &'a IndexUse,
    pub(crate) sight: Sight<'a>,
    /// Which states the rows' images hold.
    pub(crate) extent: Extent,
    /// Files whose blocks are to be moved.
    pub(crate) sparse: &'a BTreeSet<u64>,
}

impl Saving<'_> {
    /// Writes what has changed; the manifest and what is to be installed.
    pub(crate) fn run(&self, sink: &mut dyn BlockSink) -> Result<(IndexManifest, Saved)> {
        let index = &self.entry.index;
        let mut saved = Saved::default();
        let nulls = self.section(&index.nulls, &|()| Key::Null, sink, &mut saved)?;
        let entries = match &index.entries {
            Entries::U64(tree) => self.section(tree, &|key| Key::U64(*key), sink, &mut saved)?,
            Entries::U128(tree) => self.section(tree, &|key| Key::U128(*key), sink, &mut saved)?,
            Entries::Bytes(tree) => {
                self.section(tree, &|key| Key::Bytes(key.clone()), sink, &mut saved)?
            }
        };
        Ok((IndexManifest { nulls, entries }, saved))
    }

    fn section<K: TreeKey>(
        &self,
        tree: &Tree<K>,
        wrap: &dyn Fn(&K) -> Key,
        sink: &mut dyn BlockSink,
        saved: &mut Saved,
    ) -> Result<Vec<BaseEntry>> {
        let mut out = Vec::new();
        let mut from = None;
        loop {
            let (pieces, next) = tree.gather(from.as_ref())?;
            for piece in pieces {
                let (block, place) = match piece {
                    Piece::Kept(block) => {
                        let place = self.keep(&block, sink)?;
                        (block, place)
                    }
                    Piece::Changed(block, entries) => {
                        let count = entries.len();
                        let entries = self.exact(&block, entries, wrap)?;
                        let Some((first, row)) = entries.first() else { continue };
                        let place = sink.put(&base::encode(&entries), entries.len() as u32)?;
                        let mut key = Vec::new();
                        first.put(&mut key);
                        block.written((key.into_boxed_slice(), *row), place);
                        if entries.len() < count {
                            // The leaves have more: they are to be written again.
                            block.change();
                        }
                        (block, place)
                    }
                };
                let (key, row) = block.first();
                out.push(BaseEntry { key, row, place });
                saved.blocks.push((block, place));
            }
            self.table.home.storage.relieve()?;
            from = next;
            if from.is_none() {
                return Ok(out);
            }
        }
    }

    /// The place of a block that holds, after moving it if its file is to go.
    fn keep(&self, block: &BaseBlock, sink: &mut dyn BlockSink) -> Result<Place> {
        let place = block.place();
        if !self.sparse.contains(&place.file) {
            return Ok(place);
        }
        sink.put(&self.entry.index.shelf.bytes(&place)?, place.count)
    }

    /// The entries of rows as the checkpoint sees them. Others are of versions that came later, may
    /// still be rolled back, or are only seen by older snapshots: after a restart nobody would
    /// remove them.
    fn exact<K: TreeKey>(
        &self,
        block: &BaseBlock,
        entries: Vec<(K, u64)>,
        wrap: &dyn Fn(&K) -> Key,
    ) -> Result<Vec<(K, u64)>> {
        let mut plain = PlainBlocks::new(self.table);
        let mut doubtful = Vec::with_capacity(entries.len());
        doubtful.extend(entries.iter().map(|(_, row)| !plain.has(RowId(*row))));
        // What was removed since the entries were taken is not found in the rows' history any more.
        let has_changed = block.has_changed();
        let mut out = Vec::with_capacity(entries.len());
        for (entry, is_doubtful) in entries.into_iter().zip(doubtful) {
            if !(is_doubtful || has_changed) || self.is_seen(&wrap(&entry.0), RowId(entry.1))? {
                out.push(entry);
            }
        }
        Ok(out)
    }

    /// Whether the checkpoint's images hold a state of the row with this key.
    fn is_seen(&self, key: &Key, row: RowId) -> Result<bool> {
        let Some((block, slot)) = self.table.locate(row) else { return Ok(false) };
        let rows = block.read()?;
        let mut found = false;
        rows.each_image_state(slot, &self.sight, self.extent, |overlay| {
            let of_state = |position| rows.value(slot, position, Some(overlay));
            found = found || self.entry.key(of_state).0 == *key;
        });
        Ok(found)
    }
}

/// Which blocks are in the checkpoint's images as they are in memory, without history: entries of
/// their rows are exact.
struct PlainBlocks<'a> {
    table: &'a Table,
    last: Option<(u64, bool)>,
}

impl<'a> PlainBlocks<'a> {
    fn new(table: &'a Table) -> Self {
        PlainBlocks { table, last: None }
    }

    fn has(&mut self, row: RowId) -> bool {
        let (number, _) = crate::block::place(row);
        match self.last {
            Some((last, is_plain)) if last == number => is_plain,
            _ => {
                let is_plain = self.table.block(number).is_some_and(|block| block.is_plain());
                self.last = Some((number, is_plain));
                is_plain
            }
        }
    }
}

impl Index {
    /// Takes over the base that a checkpoint wrote; `None` if it is not one of this index.
    pub(crate) fn adopt(&mut self, manifest: &IndexManifest) -> Option<()> {
        fn tree<K: TreeKey>(entries: &[BaseEntry], shelf: &Arc<Shelf>) -> Option<Tree<K>> {
            let block =
                |entry: &BaseEntry| BaseBlock::current((entry.key.clone(), entry.row), entry.place);
            Tree::from_base(entries.iter().map(block).collect(), shelf)
        }
        self.nulls = tree(&manifest.nulls, &self.shelf)?;
        self.entries = match self.kind {
            KeyKind::U64 => Entries::U64(tree(&manifest.entries, &self.shelf)?),
            KeyKind::U128 => Entries::U128(tree(&manifest.entries, &self.shelf)?),
            KeyKind::Bytes => Entries::Bytes(tree(&manifest.entries, &self.shelf)?),
        };
        Some(())
    }

    /// Whether a file of blocks is there and begins as one.
    pub(crate) fn check_file(&self, file: u64) -> Result<()> {
        self.shelf.file(file).map(|_| ())
    }

    /// The error of a damaged block.
    pub(crate) fn damaged(&self, place: &Place, error: &Error) -> Error {
        self.shelf.damaged(place, error)
    }

    /// Reads every block of a base, and tells what is wrong with which.
    pub(crate) fn verify(
        &self,
        manifest: &IndexManifest,
        tell: &mut dyn FnMut(&Place, Error),
    ) -> u64 {
        let mut sound = 0;
        let mut check = |entry: &BaseEntry, decoded: Result<(Vec<u8>, u64)>| {
            let is_first = |(key, row): &(Vec<u8>, u64)| **key == *entry.key && *row == entry.row;
            let outcome = decoded.and_then(|first| {
                let wrong = || Error::corrupt("index block is not the one referred to");
                is_first(&first).then_some(()).ok_or_else(wrong)
            });
            match outcome {
                Ok(()) => sound += 1,
                Err(error) => tell(&entry.place, error),
            }
        };
        for entry in &manifest.nulls {
            check(entry, first_of::<()>(&self.shelf, entry));
        }
        for entry in &manifest.entries {
            let first = match self.kind {
                KeyKind::U64 => first_of::<u64>(&self.shelf, entry),
                KeyKind::U128 => first_of::<u128>(&self.shelf, entry),
                KeyKind::Bytes => first_of::<Box<[u8]>>(&self.shelf, entry),
            };
            check(entry, first);
        }
        sound
    }

    /// Lets the block that holds an entry be written again: the entry is still needed, but not by
    /// who sees what the next checkpoint sees.
    pub(crate) fn doubt(&self, key: &Key, row: RowId) {
        match (&self.entries, key) {
            (_, Key::Null) => self.nulls.doubt(&(), row.0),
            (Entries::U64(tree), Key::U64(key)) => tree.doubt(key, row.0),
            (Entries::U128(tree), Key::U128(key)) => tree.doubt(key, row.0),
            (Entries::Bytes(tree), Key::Bytes(key)) => tree.doubt(key, row.0),
            // Keys come from this index's own `key`.
            _ => {}
        }
    }

    /// Closes the files that hold none of these blocks.
    pub(crate) fn keep_files(&self, manifest: &IndexManifest) {
        let files = manifest.files();
        self.shelf.keep_files(|file| files.contains(&file));
    }

    /// Sends leaves away that were not used lately, until `is_enough`.
    pub(crate) fn send_away(&self, is_enough: &dyn Fn() -> bool) -> Result<()> {
        self.nulls.send_away(is_enough)?;
        match &self.entries {
            Entries::U64(tree) => tree.send_away(is_enough),
            Entries::U128(tree) => tree.send_away(is_enough),
            Entries::Bytes(tree) => tree.send_away(is_enough),
        }
    }
}

/// The first entry of a block, read from its file.
fn first_of<K: TreeKey>(shelf: &Shelf, entry: &BaseEntry) -> Result<(Vec<u8>, u64)> {
    let entries = shelf.read::<K>(&entry.place)?;
    let (key, row) = entries.first().ok_or_else(|| Error::corrupt("index block is empty"))?;
    let mut bytes = Vec::new();
    key.put(&mut bytes);
    Ok((bytes, *row))
}
