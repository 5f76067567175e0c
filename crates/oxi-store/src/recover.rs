//! Opening a database: the newest manifest, its images, the log after it, the indexes.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use oxi_base::{Error, IndexId, Result, TableId, Ts};
use oxi_log::{Log, LogOptions};
use oxi_model::engine::{FIRST_FREE_STORAGE, IndexLayout};
use oxi_world::{TaskHandle, World};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;

use crate::{
    block::{Block, ImageRef},
    checkpoint::{
        CheckpointState, checkpoint,
        retained::{self, Checkpoint},
    },
    collect::Garbage,
    commit::Sequencer,
    engine::{Core, Store},
    history::{Histories, keeps_history, longest_us},
    image,
    index::{Index, build::build},
    lock::{advisory::Advisory, row::SharedRows, wait::Waits},
    manifest::{IndexManifest, Kept, Paths, Root, TableManifest, is_trusted, read_newest},
    options::{Flush, RecoveryProgress, StoreOptions},
    redo::Marks,
    replay::Replay,
    sequence::SequenceState,
    snapshot::Registry,
    storage::Storage,
    table::Table,
    undo::{Sight, TxnState},
};

/// What opening found and did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecoveryReport {
    /// Number of the manifest that was opened, 0 if there was none.
    pub manifest: u64,
    /// Rows read from block images.
    pub image_rows: u64,
    /// Log frames read.
    pub frames: u64,
    /// Committed transactions applied.
    pub transactions: u64,
    /// Operations of these.
    pub operations: u64,
    /// Transactions found without an end.
    pub discarded: u64,
    /// Transactions found prepared for two-phase commit.
    pub prepared: u64,
    /// Bytes of an unfinished write behind the log's end.
    pub torn_bytes: u64,
    /// Microseconds from the beginning to the end of opening.
    pub elapsed_us: u64,
    /// Threads that applied row changes.
    pub lanes: u64,
}

impl fmt::Display for RecoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.manifest == 0 && self.frames == 0 {
            f.write_str("opened a database without content")?;
        } else if self.manifest == 0 {
            f.write_str("recovered from the log alone, there was no checkpoint yet")?;
        } else {
            write!(
                f,
                "opened checkpoint {} with {}",
                self.manifest,
                count(self.image_rows, "row")
            )?;
        }
        if self.frames > 0 {
            write!(
                f,
                "; replayed {} ({}) from {}",
                count(self.transactions, "transaction"),
                count(self.operations, "change"),
                count(self.frames, "log record")
            )?;
        }
        if self.discarded > 0 {
            write!(f, "; {} had not committed", count(self.discarded, "transaction"))?;
        }
        if self.prepared > 0 {
            write!(f, "; {} prepared for two-phase commit", count(self.prepared, "transaction"))?;
        }
        if self.torn_bytes > 0 {
            let bytes = count(self.torn_bytes, "byte");
            write!(f, "; cut off {bytes} of a write that the end of the last run interrupted")?;
        }
        if self.frames > 0 {
            write!(f, "; took {:.2} s", self.elapsed_us as f64 / 1e6)?;
        }
        Ok(())
    }
}

/// A number with its noun.
fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The first object number handed out, as in PostgreSQL.
const FIRST_OID: u32 = 16384;
/// The first table and index number.
const FIRST_ID: u32 = 1;

impl Store {
    /// Opens the database in `options.dir`, creating it when nothing is there, and brings back
    /// everything that was committed.
    pub fn open(world: World, options: StoreOptions) -> Result<Arc<Store>> {
        let started_us = world.clock.monotonic_us();
        let paths = Paths::new(&options.dir);
        world.disk.create_dir_all(paths.dir())?;
        let lock = world.disk.lock(&paths.lock())?;
        if world.disk.exists(&paths.restoring())? {
            return Err(crate::restore::unfinished(&world.disk.describe()));
        }
        let root = read_newest(&world, &paths)?;
        let (log, torn_bytes) = open_log(&world, &options, &paths, root.as_ref())?;
        let root = if is_trusted(&world, &paths, &log)? { root } else { None };
        let mut report = RecoveryReport { torn_bytes, ..RecoveryReport::default() };
        let storage = Storage::new(&world, paths.clone(), options.memory_limit);
        storage.spill.clear()?;
        let kept = kept(&options, root.as_ref());
        let mut replay = Replay::new(&storage, kept.history_us);
        let mut state = CheckpointState::default();
        if let Some(root) = &root {
            load_root(&world, &paths, root, &mut replay, &mut state, &mut report)?;
            if kept.checkpoints > 0 {
                state.retained = retained::older_roots(&world, &paths, root.number)?;
            }
        }
        let observing = Observing::new(&world, &options);
        read_log(&log, root.as_ref(), &mut replay, &mut report, observing)?;
        let prepared = replay.take_prepared();
        report.prepared = prepared.len() as u64;
        let mut core = assemble(world, options, log, replay, state, kept, storage)?;
        report.elapsed_us = core.world.clock.monotonic_us().saturating_sub(started_us);
        let core = Arc::new_cyclic(|this| {
            core.this = this.clone();
            core
        });
        core.recover_prepared(prepared)?;
        let weak = Arc::downgrade(&core);
        core.log.on_durable(move |lsn| {
            if let Some(core) = weak.upgrade() {
                core.publish(lsn);
            }
        });
        let writer = start_writer(&core)?;
        let (writer, archiver) = (Mutex::new(writer), OnceLock::new());
        let store = Arc::new(Store { core, report, writer, archiver, _lock: lock });
        if kept != root.map(|root| root.kept).unwrap_or_default() {
            // Whoever opens the database next, after a crash or without saying it, knows it too.
            checkpoint(&store.core)?;
        }
        Ok(store)
    }
}

impl Store {
    /// Opens a checkpoint that is kept ([`StoreOptions::retained_checkpoints`]), for reading:
    /// nothing of the log is applied. What a log of its own needs goes to `scratch`.
    ///
    /// # Errors
    /// `42704` if there is no such checkpoint, `55006` if somebody has the database open.
    pub fn open_checkpoint(
        world: World,
        scratch: World,
        options: StoreOptions,
        number: u64,
    ) -> Result<Arc<Store>> {
        let paths = Paths::new(&options.dir);
        let lock = world.disk.lock(&paths.lock())?;
        let root = retained::root(&world, &paths, number)?;
        let log_options = LogOptions { database: Some(root.database), ..LogOptions::new("wal") };
        let (log, _) = Log::create(scratch, log_options)?;
        let storage = Storage::new(&world, paths.clone(), options.memory_limit);
        storage.spill.clear()?;
        let kept = kept(&options, Some(&root));
        let mut replay = Replay::new(&storage, kept.history_us);
        let (mut state, mut report) = (CheckpointState::default(), RecoveryReport::default());
        load_root(&world, &paths, &root, &mut replay, &mut state, &mut report)?;
        let options = StoreOptions { flush: Flush::Caller, ..options };
        let mut core = assemble(world, options, log, replay, state, kept, storage)?;
        core.read_only = true;
        let core = Arc::new_cyclic(|this| {
            core.this = this.clone();
            core
        });
        let (writer, archiver) = (Mutex::new(None), OnceLock::new());
        Ok(Arc::new(Store { core, report, writer, archiver, _lock: lock }))
    }

    /// The checkpoints in `dir` that can be opened, oldest first; the last is the newest of all.
    ///
    /// # Errors
    /// What the disk says.
    pub fn checkpoints(world: &World, dir: &str) -> Result<Vec<Checkpoint>> {
        retained::list(world, &Paths::new(dir))
    }
}

/// What the database keeps of its past: as it is told now, or as it was told before.
fn kept(options: &StoreOptions, root: Option<&Root>) -> Kept {
    let before = root.map(|root| root.kept).unwrap_or_default();
    Kept {
        history_us: options.history_retention_us.unwrap_or(before.history_us),
        checkpoints: options.retained_checkpoints.unwrap_or(before.checkpoints),
    }
}

fn open_log(
    world: &World,
    options: &StoreOptions,
    paths: &Paths,
    root: Option<&Root>,
) -> Result<(Log, u64)> {
    let log_options = LogOptions {
        segment_bytes: options.log_segment_bytes,
        database: root.map(|root| root.database),
        ..LogOptions::new(paths.log())
    };
    if Log::exists(world, &paths.log())? {
        let (log, recovered) = Log::open(world.clone(), log_options)?;
        return Ok((log, recovered.torn_bytes));
    }
    if root.is_some() {
        return Err(Error::corrupt(format!("directory \"{}\" holds no log", paths.log()))
            .with_detail("There is a checkpoint, which a log must continue."));
    }
    Ok((Log::create(world.clone(), log_options)?.0, 0))
}

fn start_writer(core: &Arc<Core>) -> Result<Option<TaskHandle>> {
    if core.options.flush == Flush::Caller {
        return Ok(None);
    }
    let log = core.log.clone();
    let body = Box::new(move || log.run_writer());
    core.world.tasks.spawn_thread("oxi-log-writer", body).map(Some)
}

fn load_root(
    world: &World,
    paths: &Paths,
    root: &Root,
    replay: &mut Replay,
    state: &mut CheckpointState,
    report: &mut RecoveryReport,
) -> Result<()> {
    report.manifest = root.number;
    replay.last_ts = root.ts;
    replay.last_txn = root.last_txn;
    replay.marks = root.marks;
    replay.commits = root.commits.iter().copied().collect();
    for (id, value, is_called) in &root.sequences {
        replay.sequences.insert(*id, SequenceState::new(*value, *is_called));
    }
    state.number = root.number;
    state.current = Some(root.clone());
    for (id, (number, crc)) in &root.tables {
        let path = paths.table_manifest(*id, *number);
        let bytes = world.disk.read(&path)?;
        if crc32c::crc32c(&bytes) != *crc {
            return Err(not_referred(&path));
        }
        let manifest = TableManifest::decode(&bytes, &path)?;
        let layout = manifest.layout.clone();
        let table = Table::new(*id, layout, TxnState::ancient(), &replay.storage);
        table.next_file.store(manifest.next_file, Ordering::Relaxed);
        load_history(&table, &manifest, Ts(root.ts));
        for (number, image) in &manifest.blocks {
            report.image_rows += u64::from(image.rows);
            table.adopt(Block::cold(*number, image.clone(), &table.home));
        }
        table.start_at(manifest.next_block);
        load_indexes(paths, &table, &manifest, replay, state)?;
        replay.tables.insert(*id, table);
        state.tables.insert(*id, (*number, bytes));
    }
    Ok(())
}

/// The error of a manifest that is not what the root, or the table's manifest, says it is.
pub(crate) fn not_referred(path: &str) -> Error {
    Error::corrupt(format!(
        "manifest \"{path}\" is damaged at byte 0: it is not the one that is referred to"
    ))
}

/// What a table keeps of earlier moments, and whether it is there now.
pub(crate) fn load_history(table: &Table, manifest: &TableManifest, ts: Ts) {
    table.history.begins_at(manifest.history_from.map_or(ts, Ts));
    table.dropped_at.store(manifest.dropped_at, Ordering::Relaxed);
    for (number, image) in &manifest.blocks {
        if image.history > 0 {
            table.history.schedule(*number, Ts(image.history));
        }
    }
}

/// Gives a table the indexes that have a base; the others are built from the rows at the end.
fn load_indexes(
    paths: &Paths,
    table: &Table,
    manifest: &TableManifest,
    replay: &mut Replay,
    state: &mut CheckpointState,
) -> Result<()> {
    let mut loaded = Vec::new();
    for (id, saved) in &manifest.indexes {
        let Some((number, crc)) = saved.base else {
            replay.indexes.insert(*id, saved.layout.clone());
            continue;
        };
        let path = paths.index_manifest(*id, number);
        let bytes = replay.storage.world.disk.read(&path)?;
        if crc32c::crc32c(&bytes) != crc {
            return Err(not_referred(&path));
        }
        let base = IndexManifest::decode(&bytes, &path)?;
        let index = load_index(*id, &saved.layout, &base, table);
        loaded.push(index.map_err(|error| {
            let what = error.message();
            Error::corrupt(format!("manifest \"{path}\" is damaged at byte 0: {what}"))
        })?);
        state.indexes.insert(*id, (number, base));
    }
    table.set_indexes(loaded);
    Ok(())
}

/// An index whose entries are in a base.
pub(crate) fn load_index(
    id: IndexId,
    layout: &IndexLayout,
    base: &IndexManifest,
    table: &Table,
) -> Result<Arc<Index>> {
    let shape = table.shape();
    let (created, storage) = (TxnState::ancient(), &table.home.storage);
    let index = Index::new(id, layout.clone(), &shape.layout, created, storage);
    let mut index =
        index.ok_or_else(|| Error::corrupt(format!("index storage {id} has unknown columns")))?;
    let adopted = index.adopt(base);
    adopted.ok_or_else(|| Error::corrupt(format!("index storage {id} has a malformed base")))?;
    Ok(Arc::new(index))
}

/// The image files of one table; the one read last stays open.
pub(crate) struct ImageFiles<'a> {
    world: &'a World,
    paths: &'a Paths,
    table: TableId,
    open: Option<(u64, Arc<dyn oxi_world::File>)>,
}

impl<'a> ImageFiles<'a> {
    pub(crate) fn new(world: &'a World, paths: &'a Paths, table: TableId) -> Self {
        ImageFiles { world, paths, table, open: None }
    }

    /// An error of reading an image, with where it is.
    pub(crate) fn damaged(&self, number: u64, image: &ImageRef, error: &Error) -> Error {
        let path = self.paths.image(self.table, image.file);
        let (offset, what) = (image.offset, error.message());
        let text = format!("block {number} in file \"{path}\" at byte {offset}: {what}");
        Error::new(error.code(), text)
    }

    /// Reads the image of a block and checks that it is the one referred to.
    pub(crate) fn read(&mut self, number: u64, image: &ImageRef) -> Result<image::Decoded> {
        let file = match &self.open {
            Some((known, file)) if *known == image.file => Arc::clone(file),
            _ => {
                let path = self.paths.image(self.table, image.file);
                let file = self.world.disk.open(&path, oxi_world::OpenMode::Read)?;
                check_magic(&*file)?;
                self.open = Some((image.file, Arc::clone(&file)));
                file
            }
        };
        let mut bytes = vec![0; image.length as usize];
        file.read_exact_at(&mut bytes, image.offset)?;
        let decoded = image::decode(&bytes, image.crc)?;
        if decoded.number != number || decoded.slots.len() != image.rows as usize {
            return Err(Error::corrupt("block image is not the one referred to"));
        }
        Ok(decoded)
    }
}

/// Whether a file begins as a file of block images does, of the version that is known here.
pub(crate) fn check_magic(file: &dyn oxi_world::File) -> Result<()> {
    let mut head = [0; image::MAGIC.len()];
    let length = file.read_at(&mut head, 0)?;
    if [image::MAGIC, image::MAGIC_1].contains(&&head) && length == head.len() {
        return Ok(());
    }
    Err(Error::corrupt("it does not begin as a file of block images of version 1 or 2 does"))
}

/// Tells the observer how far reading the log has come.
struct Observing<'a> {
    world: &'a World,
    options: &'a StoreOptions,
    told_us: u64,
}

/// Frames between two looks at the clock.
const LOOK_FRAMES: u64 = 1024;
const TELL_EVERY_US: u64 = 1_000_000;

impl<'a> Observing<'a> {
    fn new(world: &'a World, options: &'a StoreOptions) -> Self {
        Observing { world, options, told_us: world.clock.monotonic_us() }
    }

    fn frame(&mut self, number: u64, progress: impl FnOnce() -> RecoveryProgress) {
        if !number.is_multiple_of(LOOK_FRAMES) {
            return;
        }
        let now = self.world.clock.monotonic_us();
        if now.saturating_sub(self.told_us) >= TELL_EVERY_US {
            self.told_us = now;
            self.options.observer.tell(progress());
        }
    }
}

fn read_log(
    log: &Log,
    root: Option<&Root>,
    replay: &mut Replay,
    report: &mut RecoveryReport,
    mut observing: Observing<'_>,
) -> Result<()> {
    let oldest = log.oldest_lsn();
    let (redo, from) = root.map_or((oldest, oldest), |root| (root.redo, root.from));
    if root.is_none() && oldest.0 > 0 {
        return Err(Error::corrupt("the log begins after a checkpoint that is not there"));
    }
    if oldest > redo {
        return Err(Error::corrupt("the log begins after the checkpoint it must continue"));
    }
    let log_bytes_total = log.durable_lsn().0.saturating_sub(redo.0);
    replay.start_lanes(observing.world)?;
    report.lanes = replay.lanes() as u64;
    for frame in log.read(redo) {
        let frame = frame?;
        replay.apply(&frame, from)?;
        report.frames += 1;
        observing.frame(report.frames, || RecoveryProgress {
            log_bytes: frame.end_lsn.0.saturating_sub(redo.0),
            log_bytes_total,
            operations: replay.operations,
        });
    }
    replay.finish()?;
    report.transactions = replay.transactions;
    report.operations = replay.operations;
    report.discarded = replay.unfinished();
    Ok(())
}

/// Builds the indexes of replayed tables that have no base; all indexes there are.
pub(crate) fn build_indexes(
    tables: &FxHashMap<TableId, Arc<Table>>,
    layouts: BTreeMap<IndexId, IndexLayout>,
) -> Result<FxHashMap<IndexId, Arc<Index>>> {
    let ancient = TxnState::ancient();
    let sight = Sight::committed(Ts(u64::MAX - 1));
    for (id, layout) in layouts {
        let table = tables.get(&layout.table).ok_or_else(|| {
            Error::corrupt(format!("index storage {id} belongs to a table that is not there"))
        })?;
        let shape = table.shape();
        let storage = &table.home.storage;
        let index = Index::new(id, layout, &shape.layout, ancient.clone(), storage)
            .ok_or_else(|| Error::corrupt(format!("index storage {id} has unknown columns")))?;
        let index = build(table, index, &sight)
            .map_err(|e| Error::corrupt(e.message()).with_detail(e.detail().unwrap_or("")))?;
        let mut all = shape.all.clone();
        all.push(index.clone());
        table.set_indexes(all);
    }
    let mut indexes = FxHashMap::default();
    for table in tables.values() {
        indexes.extend(table.shape().all.iter().map(|index| (index.id, index.clone())));
    }
    Ok(indexes)
}

/// Counts the rows of a replayed table and gives back what is empty.
fn settle(table: &Table) -> Result<()> {
    let mut live = 0;
    for block in table.blocks() {
        let (here, is_empty) = block.settle();
        live += here;
        if is_empty {
            table.drop_block(block.number);
        }
    }
    table.rows.store(live, Ordering::Relaxed);
    table.reopen_last()
}

/// Builds the indexes and everything that lives only in memory.
fn assemble(
    world: World,
    options: StoreOptions,
    log: Log,
    replay: Replay,
    state: CheckpointState,
    kept: Kept,
    storage: Arc<Storage>,
) -> Result<Core> {
    let mut indexes = build_indexes(&replay.tables, replay.indexes)?;
    // Never 0 (active) nor 1 (recovered), so that a snapshot taken now sees what was recovered.
    let visible = replay.last_ts.max(2);
    let default_us = kept.history_us;
    for table in replay.tables.values() {
        settle(table)?;
        if !keeps_history(table, default_us) {
            table.history.begins_at(Ts(visible));
        }
    }
    let longest_us = longest_us(replay.tables.values(), default_us);
    let has_history = replay.tables.values().any(|table| table.history.is_there());
    let is_dropped = |table: &Arc<Table>| table.dropped_at.load(Ordering::Relaxed) > 0;
    let (dropped, tables): (FxHashMap<_, _>, FxHashMap<_, _>) =
        replay.tables.into_iter().partition(|(_, table)| is_dropped(table));
    indexes.retain(|_, index| tables.contains_key(&index.table));
    let marks = replay.marks;
    let logged = Marks {
        table: marks.table.max(FIRST_ID),
        index: marks.index.max(FIRST_ID),
        oid: marks.oid.max(FIRST_OID),
    };
    Ok(Core {
        this: Weak::new(),
        options,
        waits: Arc::new(Waits::new(Arc::clone(&world.clock))),
        world,
        log,
        storage,
        tables: RwLock::new(tables),
        dropped: RwLock::new(dropped),
        kept,
        histories: Histories::recovered(Ts(visible), replay.commits, longest_us, has_history),
        indexes: RwLock::new(indexes),
        sequences: Mutex::new(replay.sequences),
        snapshots: Registry::default(),
        advisory: Advisory::default(),
        shared_rows: SharedRows::default(),
        prepared: Mutex::default(),
        sequencer: Mutex::new(Sequencer::new(visible, logged)),
        gate: RwLock::new(()),
        visible: AtomicU64::new(visible),
        next_txn: AtomicU64::new(replay.last_txn + 1),
        next_table: AtomicU32::new(logged.table.max(FIRST_FREE_STORAGE)),
        next_index: AtomicU32::new(logged.index.max(FIRST_FREE_STORAGE)),
        next_oid: AtomicU32::new(logged.oid),
        catalog_version: AtomicU64::new(1),
        garbage: Mutex::new(Garbage::default()),
        since_collect: AtomicUsize::new(0),
        collecting: Mutex::new(()),
        checkpoint: Mutex::new(state),
        closed: AtomicBool::new(false),
        read_only: false,
    })
}
