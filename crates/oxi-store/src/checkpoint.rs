//! Checkpoint: a read at one timestamp becomes files, then one rename makes them the database.
//!
//! Writers go on; they wait only while the position is fixed. Blocks that did not change since
//! their image was taken keep it, so a checkpoint writes what changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use oxi_base::{IndexId, Lsn, Result, TableId, Ts, TxnId};
use oxi_log::FrameKind;
use oxi_model::engine::{CheckpointReport, IndexLayout};
use oxi_world::{OpenMode, World};
use smallvec::SmallVec;

use crate::{
    backup::Pins,
    block::{Block, ImageRef, Overlay, Rows, row_id},
    engine::Core,
    image::{self, Extent},
    index::{Index, key::Key, save::Saved},
    manifest::{
        IndexManifest, Paths, Root, TableManifest, base_name, image_name, index_manifest_name,
        root_name, table_manifest_name, write_new,
    },
    snapshot::{Registration, register},
    table::{Shape, Table},
    undo::Sight,
};

mod indexes;
mod out;
pub(crate) mod retained;

use indexes::Indexes;
use out::OutFile;
use retained::Files;

/// What the newest checkpoint consists of.
#[derive(Default)]
pub(crate) struct CheckpointState {
    pub(crate) number: u64,
    /// The manifest of each table: its number and its bytes.
    pub(crate) tables: BTreeMap<TableId, (u64, Vec<u8>)>,
    /// The same of each index that has a base.
    pub(crate) indexes: BTreeMap<IndexId, (u64, IndexManifest)>,
    /// Files of earlier ones that backups still read.
    pub(crate) pins: Arc<Pins>,
    /// Its root.
    pub(crate) current: Option<Root>,
    /// Roots of older checkpoints that are kept, oldest first.
    pub(crate) retained: Vec<Root>,
}

/// The position of a checkpoint, and everything that was there at it.
struct Position {
    registration: Registration,
    root: Root,
    tables: Vec<Arc<Table>>,
    indexes: Vec<Arc<Index>>,
}

/// Blocks whose image is new: dirty again unless the checkpoint succeeds.
#[derive(Default)]
pub(crate) struct Fresh {
    blocks: Vec<(Arc<Block>, Option<ImageRef>)>,
    /// Indexes that were written: as changed as before unless the checkpoint succeeds.
    indexes: Vec<Saved>,
}

impl Drop for Fresh {
    fn drop(&mut self) {
        for (block, _) in &self.blocks {
            block.touch();
        }
    }
}

impl Fresh {
    fn install(mut self) {
        for (block, image) in self.blocks.drain(..) {
            block.install(image);
        }
        for saved in &self.indexes {
            saved.install();
        }
    }
}

/// Makes a checkpoint.
pub(crate) fn checkpoint(core: &Core) -> Result<CheckpointReport> {
    core.check_usable()?;
    let mut state = core.checkpoint.lock();
    core.collect();
    let paths = Paths::new(&core.options.dir);
    let mut report = CheckpointReport::default();
    // A number of its own even if the one before failed: what that left may be current after all.
    state.number += 1;
    let position = fix_position(core, state.number)?;
    let ts = position.registration.ts;
    let disk = &core.world.disk;
    disk.create_dir_all(&paths.manifests())?;
    let mut root = position.root;
    let mut fresh = Fresh::default();
    let mut written = BTreeMap::new();
    let mut bases = BTreeMap::new();
    for table in &position.tables {
        let Some(layout) = table.layout_at(ts).filter(|_| table.created.committed_by(ts)) else {
            continue;
        };
        let extent = core.extent(table);
        let blocks = write_images(core, &paths, table, (ts, extent), &mut fresh, &mut report)?;
        let layouts = indexes_at(&position.indexes, table.id, ts);
        let saving = Indexes { core, paths: &paths, table, ts, extent, number: root.number };
        let indexes = saving.save(layouts, &state.indexes, &mut bases, &mut fresh, &mut report)?;
        let manifest = TableManifest {
            layout,
            indexes,
            next_block: table.next_block(),
            next_file: table.next_file.load(Ordering::Relaxed),
            history_from: Some(core.history_in_images(table, ts).0),
            dropped_at: table.dropped_by(ts),
            blocks,
        };
        let bytes = manifest.encode();
        let number = match state.tables.get(&table.id) {
            Some((number, known)) if *known == bytes => *number,
            _ => {
                write_new(&core.world, &paths.table_manifest(table.id, root.number), &bytes)?;
                root.number
            }
        };
        root.tables.insert(table.id, (number, crc32c::crc32c(&bytes)));
        written.insert(table.id, (number, bytes));
    }
    switch(&core.world, &paths, &root)?;
    // From here on the new files are the database, whatever fails afterwards.
    fresh.install();
    state.succeed(&root, core.kept.checkpoints);
    state.tables = written;
    state.indexes = bases;
    for table in &position.tables {
        forget_layouts(table, ts);
    }
    close_files(&position.tables, &state)?;
    remove_unreferenced(&core.world, &paths, &root, &state)?;
    core.log
        .append(FrameKind::Checkpoint, TxnId(0), Ts(0), &root.number.to_le_bytes())
        .and_then(|_| core.log.rotate())
        .map_err(|error| core.fail(error))?;
    report.log_bytes_retired = core.log.retire(root.redo)?;
    Ok(report)
}

/// Stops commits for the moment in which everything before the position is published and nothing
/// after it has begun.
fn fix_position(core: &Core, number: u64) -> Result<Position> {
    // Most of what waits goes to the disk before commits have to wait for it.
    core.log.flush().map_err(|error| core.fail(error))?;
    let _gate = core.gate.write();
    core.log.flush().map_err(|error| core.fail(error))?;
    let sequences = core.sequences.lock();
    let from = core.log.next_lsn();
    let registration = register(&core.self_arc()?, None);
    let sequencer = core.sequencer.lock();
    let redo = sequencer.streaming.values().copied().min().unwrap_or(from);
    let mut states: Vec<_> = sequences
        .iter()
        .map(|(id, state)| {
            let (value, is_called) = state.logged();
            (*id, value, is_called)
        })
        .collect();
    states.sort_unstable();
    let root = Root {
        number,
        database: core.log.database(),
        ts: registration.ts.0,
        from,
        redo: Lsn(redo.0.min(from.0)),
        last_txn: core.next_txn.load(Ordering::Acquire),
        marks: core.marks(),
        sequences: states,
        tables: BTreeMap::new(),
        kept: core.kept,
        commits: core.commits_by(registration.ts),
    };
    let mut tables = core.all_tables();
    tables.sort_unstable_by_key(|table| table.id);
    let mut indexes: Vec<_> = core.indexes.read().values().cloned().collect();
    for table in tables.iter().filter(|table| table.dropped_by(registration.ts) > 0) {
        indexes.extend(table.shape().all.iter().cloned());
    }
    Ok(Position { registration, root, tables, indexes })
}

fn indexes_at(indexes: &[Arc<Index>], table: TableId, ts: Ts) -> BTreeMap<IndexId, IndexLayout> {
    indexes
        .iter()
        .filter(|index| index.table == table && index.created.committed_by(ts))
        .map(|index| (index.id, index.layout_at(ts)))
        .collect()
}

/// Writing the images of one table.
struct Writing<'a> {
    core: &'a Core,
    paths: &'a Paths,
    table: &'a Table,
    shape: Arc<Shape>,
    sight: Sight<'a>,
    extent: Extent,
    out: Option<OutFile>,
}

/// Writes the images of the blocks that changed; returns those of all blocks.
fn write_images(
    core: &Core,
    paths: &Paths,
    table: &Table,
    (ts, extent): (Ts, Extent),
    fresh: &mut Fresh,
    report: &mut CheckpointReport,
) -> Result<Vec<(u64, ImageRef)>> {
    let blocks = table.blocks();
    let sparse = sparse_files(core, paths, table, &blocks);
    let (shape, sight) = (table.shape(), Sight::committed(ts));
    let mut writing = Writing { core, paths, table, shape, sight, extent, out: None };
    let mut images = Vec::with_capacity(blocks.len());
    for block in blocks {
        core.storage.relieve()?;
        let number = block.number;
        let reference = match block.look() {
            (true, _) => writing.encode(block, fresh, report)?,
            (false, Some(image)) if sparse.contains(&image.file) => {
                Some(writing.copy(block, &image, fresh)?)
            }
            (false, image) => image,
        };
        images.extend(reference.map(|reference| (number, reference)));
    }
    if let Some(file) = writing.out {
        report.bytes_written += file.finish()?;
        core.world.disk.sync_dir(&paths.table(table.id))?;
    }
    Ok(images)
}

impl Writing<'_> {
    fn put(&mut self, bytes: &[u8], like: &ImageRef) -> Result<ImageRef> {
        let out = if let Some(out) = &mut self.out {
            out
        } else {
            let number = self.table.next_file.fetch_add(1, Ordering::Relaxed);
            let path = self.paths.image(self.table.id, number);
            self.core.world.disk.create_dir_all(&self.paths.table(self.table.id))?;
            let file = OutFile::create(&self.core.world, &path, number, image::MAGIC)?;
            self.out.insert(file)
        };
        let (file, offset) = (out.number, out.put(bytes)?);
        Ok(ImageRef { file, offset, length: bytes.len() as u32, ..like.clone() })
    }

    /// Moves the image of a block that has not changed to a new file.
    fn copy(&mut self, block: Arc<Block>, image: &ImageRef, fresh: &mut Fresh) -> Result<ImageRef> {
        let bytes = self.table.home.image_bytes(block.number, image)?;
        let reference = self.put(&bytes, image)?;
        fresh.blocks.push((block, Some(reference.clone())));
        Ok(reference)
    }

    /// Index blocks must not keep entries of states that only others than the checkpoint see: after
    /// a restart nobody would remove them.
    fn doubt_entries(&self, number: u64, rows: &Rows) {
        for slot in rows.changed_slots() {
            for entry in &self.shape.indexes {
                let key = |overlay: &Overlay<'_>| {
                    entry.key(|position| rows.value(slot, position, Some(overlay))).0
                };
                let mut wanted: SmallVec<[Key; 2]> = SmallVec::new();
                rows.each_image_state(slot, &self.sight, self.extent, |overlay| {
                    wanted.push(key(overlay));
                });
                rows.each_state(slot, |overlay| {
                    let found = key(overlay);
                    if !wanted.contains(&found) {
                        entry.index.doubt(&found, row_id(number, slot));
                    }
                });
            }
        }
    }

    /// Writes the image of a block that has changed; `None` when nothing is to be seen of it.
    fn encode(
        &mut self,
        block: Arc<Block>,
        fresh: &mut Fresh,
        report: &mut CheckpointReport,
    ) -> Result<Option<ImageRef>> {
        let was_away = block.is_away();
        let rows = block.read()?;
        let plain = image::encode(block.number, &rows, &self.sight, self.extent);
        self.doubt_entries(block.number, &rows);
        // Under the latch: whoever writes next marks it dirty again.
        let generation = self.table.home.generation();
        let is_settled = rows.all_settled(&self.sight) && block.begin_clean();
        drop(rows);
        if was_away {
            block.send_back();
        }
        let written = plain.map(|plain| {
            let image = plain.compress();
            report.rows_written += u64::from(image.rows);
            let (crc, rows, history) = (image.crc, image.rows, image.history);
            let like = ImageRef { crc, rows, history, generation, ..ImageRef::default() };
            self.put(&image.bytes, &like)
        });
        // Registered before the error of writing is looked at, so that it ends up dirty again.
        match written.transpose() {
            Err(error) => {
                block.touch();
                Err(error)
            }
            Ok(reference) => {
                if is_settled {
                    fresh.blocks.push((block, reference.clone()));
                }
                Ok(reference)
            }
        }
    }
}

/// Files of which less than half is still referred to: their blocks are written again.
fn sparse_files(core: &Core, paths: &Paths, table: &Table, blocks: &[Arc<Block>]) -> BTreeSet<u64> {
    let mut used: BTreeMap<u64, u64> = BTreeMap::new();
    for block in blocks {
        if !block.dirty.load(Ordering::Acquire)
            && let Some(image) = &*block.image.lock()
        {
            *used.entry(image.file).or_default() += u64::from(image.length);
        }
    }
    used.retain(|file, used| {
        let file = core.world.disk.open(&paths.image(table.id, *file), OpenMode::Read);
        file.and_then(|file| file.len()).is_ok_and(|length| *used * 2 < length)
    });
    used.into_keys().collect()
}

/// Makes the files durable and the root the current one.
fn switch(world: &World, paths: &Paths, root: &Root) -> Result<()> {
    let path = paths.root(root.number);
    let temporary = format!("{path}.tmp");
    write_new(world, &temporary, &root.encode())?;
    world.disk.rename(&temporary, &path)?;
    world.disk.sync_dir(&paths.manifests())?;
    let current = format!("{}\n", root_name(root.number));
    world.disk.replace(&paths.current(), current.as_bytes())
}

fn forget_layouts(table: &Table, ts: Ts) {
    let mut layouts = table.layouts.lock();
    if let Some(newest) = layouts.iter().rposition(|(by, _)| by.committed_by(ts)) {
        layouts.drain(..newest);
    }
}

/// Closes the files that are about to be removed.
fn close_files(tables: &[Arc<Table>], state: &CheckpointState) -> Result<()> {
    for table in tables {
        let Some((_, bytes)) = state.tables.get(&table.id) else { continue };
        let manifest = TableManifest::decode(bytes, "of this checkpoint")?;
        let kept: BTreeSet<u64> = manifest.blocks.iter().map(|(_, image)| image.file).collect();
        table.home.keep_files(|file| kept.contains(&file));
        for index in &table.shape().all {
            if let Some((_, base)) = state.indexes.get(&index.id) {
                index.keep_files(base);
            }
        }
    }
    Ok(())
}

/// Removes the files that neither the new root nor those that are kept reach.
fn remove_unreferenced(
    world: &World,
    paths: &Paths,
    root: &Root,
    state: &CheckpointState,
) -> Result<()> {
    let mut kept = Files::default();
    kept.manifests.insert(root_name(root.number));
    for (table, (number, _)) in &root.tables {
        kept.manifests.insert(table_manifest_name(*table, *number));
    }
    for (index, (number, _)) in &state.indexes {
        kept.manifests.insert(index_manifest_name(*index, *number));
    }
    let pins = &state.pins;
    for (table, (_, bytes)) in &state.tables {
        let manifest = TableManifest::decode(bytes, "of this checkpoint")?;
        let files = kept.tables.entry(*table).or_default();
        files.extend(manifest.blocks.iter().map(|(_, image)| image_name(image.file)));
        for index in manifest.indexes.keys() {
            let base = state.indexes.get(index).map(|(_, base)| base.files());
            files.extend(base.into_iter().flatten().map(|file| base_name(*index, file)));
        }
    }
    for root in &state.retained {
        kept.add(world, paths, root)?;
    }
    // Roots go first: one that is there has its files.
    let is_root = |name: &str| name.starts_with("manifest-");
    let names = world.disk.list(&paths.manifests())?;
    for name in names.iter().filter(|name| is_root(name) && !kept.manifests.contains(*name)) {
        let path = oxi_world::disk::join(&paths.manifests(), name);
        if !pins.has(&path) {
            world.disk.remove(&path)?;
        }
    }
    world.disk.sync_dir(&paths.manifests())?;
    remove_others(world, &paths.manifests(), &kept.manifests, pins)?;
    if !world.disk.exists(&paths.data())? {
        return Ok(());
    }
    for name in world.disk.list(&paths.data())? {
        let Ok(table) = name.parse().map(TableId) else { continue };
        let kept = kept.tables.remove(&table).unwrap_or_default();
        remove_others(world, &paths.table(table), &kept, pins)?;
    }
    Ok(())
}

fn remove_others(world: &World, dir: &str, kept: &BTreeSet<String>, pins: &Pins) -> Result<()> {
    for name in world.disk.list(dir)? {
        let path = oxi_world::disk::join(dir, &name);
        if !kept.contains(&name) && !pins.has(&path) {
            world.disk.remove(&path)?;
        }
    }
    Ok(())
}
