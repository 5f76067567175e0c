//! Checkpoint: a read at one timestamp becomes files, then one rename makes them the database.
//!
//! Writers go on; they wait only while the position is fixed. Blocks that did not change since
//! their image was taken keep it, so a checkpoint writes what changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use oxi_base::{Error, IndexId, Lsn, Result, TableId, Ts, TxnId};
use oxi_log::FrameKind;
use oxi_model::engine::{CheckpointReport, IndexLayout};
use oxi_world::{File, OpenMode, World};

use crate::{
    block::{Block, ImageRef},
    engine::Core,
    image,
    index::Index,
    manifest::{
        Paths, Root, TableManifest, create_new, image_name, root_name, table_manifest_name,
        write_new,
    },
    snapshot::{Registration, register},
    table::Table,
    undo::Sight,
};

/// What the newest checkpoint consists of.
#[derive(Default)]
pub(crate) struct CheckpointState {
    pub(crate) number: u64,
    /// The manifest of each table: its number and its bytes.
    pub(crate) tables: BTreeMap<TableId, (u64, Vec<u8>)>,
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
struct Fresh {
    blocks: Vec<(Arc<Block>, Option<ImageRef>)>,
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
            *block.image.lock() = image;
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
    for table in &position.tables {
        let Some(layout) = table.layout_at(ts).filter(|_| table.created.committed_by(ts)) else {
            continue;
        };
        let blocks = write_images(core, &paths, table, ts, &mut fresh, &mut report)?;
        let manifest = TableManifest {
            layout,
            indexes: indexes_at(&position.indexes, table.id, ts),
            next_block: table.next_block(),
            next_file: table.next_file.load(Ordering::Relaxed),
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
    state.tables = written;
    for table in &position.tables {
        forget_layouts(table, ts);
    }
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
    };
    let mut tables: Vec<_> = core.tables.read().values().cloned().collect();
    tables.sort_unstable_by_key(|table| table.id);
    let indexes = core.indexes.read().values().cloned().collect();
    Ok(Position { registration, root, tables, indexes })
}

fn indexes_at(indexes: &[Arc<Index>], table: TableId, ts: Ts) -> BTreeMap<IndexId, IndexLayout> {
    indexes
        .iter()
        .filter(|index| index.table == table && index.created.committed_by(ts))
        .map(|index| (index.id, index.layout_at(ts)))
        .collect()
}

/// An image file being written.
struct ImageFile {
    number: u64,
    file: Arc<dyn File>,
    length: u64,
    buffer: Vec<u8>,
}

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;

impl ImageFile {
    fn create(world: &World, paths: &Paths, table: TableId, next: &AtomicU64) -> Result<Self> {
        let number = next.fetch_add(1, Ordering::Relaxed);
        world.disk.create_dir_all(&paths.table(table))?;
        let file = create_new(world, &paths.image(table, number))?;
        Ok(ImageFile { number, file, length: 0, buffer: image::MAGIC.to_vec() })
    }

    fn put(&mut self, image: &image::Image) -> Result<ImageRef> {
        let reference = ImageRef {
            file: self.number,
            offset: self.length + self.buffer.len() as u64,
            length: image.bytes.len() as u32,
            crc: image.crc,
            rows: image.rows,
        };
        self.buffer.extend_from_slice(&image.bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.write()?;
        }
        Ok(reference)
    }

    fn write(&mut self) -> Result<()> {
        self.file.write_at(&self.buffer, self.length)?;
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<u64> {
        self.write()?;
        self.file.sync_data()?;
        Ok(self.length)
    }
}

/// Writes the images of the blocks that changed; returns those of all blocks.
fn write_images(
    core: &Core,
    paths: &Paths,
    table: &Table,
    ts: Ts,
    fresh: &mut Fresh,
    report: &mut CheckpointReport,
) -> Result<Vec<(u64, ImageRef)>> {
    let blocks = table.blocks();
    let sparse = sparse_files(core, paths, table, &blocks);
    let sight = Sight::committed(ts);
    let mut out: Option<ImageFile> = None;
    let mut images = Vec::with_capacity(blocks.len());
    for block in blocks {
        let known = block.image.lock().clone();
        let rows = block.rows.read();
        if !block.dirty.load(Ordering::Acquire) {
            match known {
                Some(image) if !sparse.contains(&image.file) => {
                    images.push((block.number, image));
                    continue;
                }
                None => continue,
                Some(_) => {}
            }
        }
        let image = image::encode(block.number, &rows, &sight);
        let settled = rows.all_settled(&sight);
        if settled {
            // Under the latch: whoever writes next marks it dirty again.
            block.dirty.store(false, Ordering::Release);
        }
        drop(rows);
        let reference = image.map(|image| {
            report.rows_written += u64::from(image.rows);
            if out.is_none() {
                out = Some(ImageFile::create(&core.world, paths, table.id, &table.next_file)?);
            }
            out.as_mut().ok_or_else(|| Error::bug("no image file"))?.put(&image)
        });
        // Registered before the error of writing is looked at, so that it ends up dirty again.
        let reference = match reference {
            Some(Err(error)) => {
                block.touch();
                return Err(error);
            }
            Some(Ok(reference)) => Some(reference),
            None => None,
        };
        if let Some(reference) = &reference {
            images.push((block.number, reference.clone()));
        }
        if settled {
            fresh.blocks.push((block, reference));
        }
    }
    if let Some(file) = out {
        report.bytes_written += file.finish()?;
        core.world.disk.sync_dir(&paths.table(table.id))?;
    }
    Ok(images)
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

/// Removes the files that the new root does not reach.
fn remove_unreferenced(
    world: &World,
    paths: &Paths,
    root: &Root,
    state: &CheckpointState,
) -> Result<()> {
    let mut kept: BTreeSet<String> = BTreeSet::new();
    kept.insert(root_name(root.number));
    for (table, (number, _)) in &root.tables {
        kept.insert(table_manifest_name(*table, *number));
    }
    remove_others(world, &paths.manifests(), &kept)?;
    if !world.disk.exists(&paths.data())? {
        return Ok(());
    }
    for name in world.disk.list(&paths.data())? {
        let Ok(table) = name.parse().map(TableId) else { continue };
        let mut kept = BTreeSet::new();
        if let Some((_, bytes)) = state.tables.get(&table) {
            let manifest = TableManifest::decode(bytes, &name)?;
            kept.extend(manifest.blocks.iter().map(|(_, image)| image_name(image.file)));
        }
        remove_others(world, &paths.table(table), &kept)?;
    }
    Ok(())
}

fn remove_others(world: &World, dir: &str, kept: &BTreeSet<String>) -> Result<()> {
    for name in world.disk.list(dir)? {
        if !kept.contains(&name) {
            world.disk.remove(&oxi_world::disk::join(dir, &name))?;
        }
    }
    Ok(())
}
