//! The indexes of a table in a checkpoint.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
};

use oxi_base::{IndexId, Result, Ts};
use oxi_model::engine::{CheckpointReport, IndexLayout};
use oxi_world::OpenMode;

use super::{Fresh, out::OutFile};
use crate::{
    engine::Core,
    image::Extent,
    index::{
        base::{MAGIC, Place},
        save::{BlockSink, Saving},
    },
    manifest::{IndexManifest, Paths, SavedIndex, write_new},
    table::Table,
    undo::Sight,
};

/// What the indexes of one table are saved with.
pub(super) struct Indexes<'a> {
    pub(super) core: &'a Core,
    pub(super) paths: &'a Paths,
    pub(super) table: &'a Table,
    pub(super) ts: Ts,
    /// What the images of its blocks hold.
    pub(super) extent: Extent,
    /// Of the checkpoint.
    pub(super) number: u64,
}

/// Index manifests by index, each with its number.
type Bases = BTreeMap<IndexId, (u64, IndexManifest)>;

impl Indexes<'_> {
    /// Writes what changed of the indexes since the manifests `before`, and the new manifests.
    pub(super) fn save(
        &self,
        layouts: BTreeMap<IndexId, IndexLayout>,
        before: &Bases,
        bases: &mut Bases,
        fresh: &mut Fresh,
        report: &mut CheckpointReport,
    ) -> Result<BTreeMap<IndexId, SavedIndex>> {
        let shape = self.table.shape();
        let mut saved = BTreeMap::new();
        for (id, layout) in layouts {
            let Some(entry) = shape.index(id).filter(|entry| entry.index.is_complete()) else {
                // It is still being filled; or a column is about to be dropped, without which no
                // key can be compared.
                saved.insert(id, SavedIndex { layout, base: None });
                continue;
            };
            let known = before.get(&id);
            let sparse = self.sparse_files(id, known.map(|(_, base)| base))?;
            let mut sink = Sink { indexes: self, index: id, out: None };
            let sight = Sight::committed(self.ts);
            let (table, extent) = (self.table, self.extent);
            let saving = Saving { table, entry, sight, extent, sparse: &sparse };
            let (manifest, blocks) = saving.run(&mut sink)?;
            report.bytes_written += sink.finish()?;
            fresh.indexes.push(blocks);
            let bytes = manifest.encode();
            let number = match known {
                Some((number, known)) if *known == manifest => *number,
                _ => {
                    let path = self.paths.index_manifest(id, self.number);
                    write_new(&self.core.world, &path, &bytes)?;
                    self.number
                }
            };
            saved.insert(id, SavedIndex { layout, base: Some((number, crc32c::crc32c(&bytes))) });
            bases.insert(id, (number, manifest));
        }
        Ok(saved)
    }

    /// Files of which less than half is still referred to: their blocks move.
    fn sparse_files(&self, id: IndexId, known: Option<&IndexManifest>) -> Result<BTreeSet<u64>> {
        let mut sparse = BTreeSet::new();
        for (file, used) in known.map(IndexManifest::bytes_by_file).into_iter().flatten() {
            let path = self.paths.base(self.table.id, id, file);
            let file_length = self.core.world.disk.open(&path, OpenMode::Read)?.len()?;
            if used * 2 < file_length {
                sparse.insert(file);
            }
        }
        Ok(sparse)
    }
}

/// The file that new blocks of an index go to, made when there is one.
struct Sink<'a> {
    indexes: &'a Indexes<'a>,
    index: IndexId,
    out: Option<OutFile>,
}

impl BlockSink for Sink<'_> {
    fn put(&mut self, bytes: &[u8], count: u32) -> Result<Place> {
        let Indexes { core, paths, table, .. } = self.indexes;
        let out = if let Some(out) = &mut self.out {
            out
        } else {
            let number = table.next_file.fetch_add(1, Ordering::Relaxed);
            core.world.disk.create_dir_all(&paths.table(table.id))?;
            let path = paths.base(table.id, self.index, number);
            self.out.insert(OutFile::create(&core.world, &path, number, MAGIC)?)
        };
        let (file, offset) = (out.number, out.put(bytes)?);
        Ok(Place { file, offset, length: bytes.len() as u32, crc: crc32c::crc32c(bytes), count })
    }
}

impl Sink<'_> {
    /// Makes the blocks durable; how many bytes they are.
    fn finish(self) -> Result<u64> {
        let Some(out) = self.out else { return Ok(0) };
        let bytes = out.finish()?;
        let Indexes { core, paths, table, .. } = self.indexes;
        core.world.disk.sync_dir(&paths.table(table.id))?;
        Ok(bytes)
    }
}
