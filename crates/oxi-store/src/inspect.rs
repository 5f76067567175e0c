//! Looking at a database that nobody has open: every file is read, none is changed, and all that
//! is wrong is told, not only the first of it.

use std::collections::BTreeSet;
use std::fmt;

use oxi_base::{Error, Result, SqlState, TableId, Ts};
use oxi_log::inspect::{FileFigures, Inspection as LogInspection};
use oxi_log::segment::FileHeader;
use oxi_world::{World, disk};

use crate::{
    block::{Block, ImageRef},
    check::{CheckReport, check_table},
    checkpoint::retained,
    engine::Store,
    index::Index,
    manifest::{self, IndexManifest, Paths, Root, TableManifest},
    recover::{ImageFiles, build_indexes, check_magic, load_history, load_index},
    replay::Replay,
    sequence::SequenceState,
    storage::Storage,
    table::Table,
    undo::{Sight, TxnState},
};

/// Something that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file, or the table whose rows it is about.
    pub place: String,
    /// Where in the file, if it is one byte more than another.
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "{} at byte {offset}: {}", self.place, self.what),
            None => write!(f, "{}: {}", self.place, self.what),
        }
    }
}

/// The root manifest of the newest checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointFigures {
    /// Its file.
    pub path: String,
    /// Its number.
    pub number: u64,
    /// Tables it has manifests of.
    pub tables: u64,
}

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// The newest checkpoint; `None` when there was none yet.
    pub checkpoint: Option<CheckpointFigures>,
    /// Sound block images.
    pub images: u64,
    /// Files they are in.
    pub image_files: u64,
    /// Bytes of them.
    pub image_bytes: u64,
    /// Rows in them.
    pub image_rows: u64,
    /// Sound blocks of index entries.
    pub index_blocks: u64,
    /// The log's files, oldest first.
    pub log: Vec<FileFigures>,
    /// The header of the newest of them.
    pub log_header: Option<FileHeader>,
    /// Log files whose creation a crash interrupted.
    pub log_unfinished: Vec<String>,
    /// The timestamp of the last commit; meaningless when there are problems.
    pub last_commit: Ts,
    /// Committed transactions in the log that the checkpoint does not have.
    pub transactions: u64,
    /// Transactions in the log that did not commit.
    pub unfinished: u64,
    /// Sequences.
    pub sequences: u64,
    /// Rows and indexes as the next start will have them; `None` when there are problems.
    pub content: Option<CheckReport>,
    /// Indexes that were built to compare them with the rows.
    pub indexes: u64,
    /// Files that nothing refers to: left by a checkpoint that failed, removed by the next one.
    pub leftovers: Vec<String>,
    /// All that is wrong.
    pub problems: Vec<Problem>,
}

impl Store {
    /// Verifies the database in `dir` of a world's disk, which nobody may have open, without
    /// changing anything.
    ///
    /// # Errors
    /// `55006` if somebody has it open, and what the disk says about directories. What is wrong
    /// with files is in the answer.
    pub fn inspect(world: &World, dir: &str) -> Result<Inspection> {
        let _held = world.disk.hold(&Paths::new(dir).lock())?;
        Self::inspect_held(world, dir).map(|(found, _)| found)
    }

    /// As [`Self::inspect`] where the caller keeps others away; with the root that counts.
    pub(crate) fn inspect_held(world: &World, dir: &str) -> Result<(Inspection, Option<Root>)> {
        let paths = Paths::new(dir);
        if world.disk.exists(&paths.restoring())? {
            return Err(crate::restore::unfinished(&world.disk.describe()));
        }
        let mut inspector = Inspector {
            world,
            paths,
            replay: Replay::new(&Storage::new(world, Paths::new(dir), None), 0),
            referred: BTreeSet::new(),
            found: Inspection::default(),
        };
        let root = inspector.run()?;
        Ok((inspector.found, root))
    }
}

struct Inspector<'a> {
    world: &'a World,
    paths: Paths,
    replay: Replay,
    /// Files that the checkpoint consists of.
    referred: BTreeSet<String>,
    found: Inspection,
}

impl Inspector<'_> {
    fn problem(&mut self, place: impl Into<String>, offset: Option<u64>, what: impl Into<String>) {
        self.found.problems.push(Problem { place: place.into(), offset, what: what.into() });
    }

    /// What an error says about a file that is read as a whole.
    fn file_problem(&mut self, path: &str, error: &Error) {
        if error.code() == SqlState::UNDEFINED_FILE {
            self.problem(path, None, "the file is missing");
        } else {
            self.problem(path, Some(0), error.message());
        }
    }

    fn run(&mut self) -> Result<Option<Root>> {
        let has_current = self.world.disk.exists(&self.paths.current())?;
        let mut root = if has_current {
            self.current_root()
        } else {
            manifest::newest_whole(self.world, &self.paths)?
        };
        let database = root.as_ref().map(|root| root.database);
        let mut log = LogInspection::look(self.world, &self.paths.log(), database)?;
        // Without CURRENT, the log decides whether there was a checkpoint (see `is_trusted`).
        let first = log.first_lsn().map_or(0, |lsn| lsn.0);
        if !has_current && first == 0 {
            root = None;
        }
        if let Some(root) = &root {
            self.checkpoint(root);
        }
        self.log(&mut log, root.as_ref(), has_current);
        if self.found.problems.is_empty() {
            self.leftovers(root.as_ref())?;
            self.content();
        }
        Ok(root)
    }

    /// The root that CURRENT names.
    fn current_root(&mut self) -> Option<Root> {
        let Ok(number) = manifest::current(self.world, &self.paths) else {
            self.problem(self.paths.current(), Some(0), "it names no manifest");
            return None;
        };
        let path = self.paths.root(number?);
        let bytes = self.whole(&path)?;
        match Root::decode(&bytes, &path) {
            Ok(root) => Some(root),
            Err(error) => {
                self.file_problem(&path, &error);
                None
            }
        }
    }

    /// The bytes of a manifest, if they are as they were written.
    fn whole(&mut self, path: &str) -> Option<Vec<u8>> {
        match self.world.disk.read(path) {
            Ok(bytes) if manifest::is_sealed(&bytes) => Some(bytes),
            Ok(bytes) => {
                let what = format!("the checksum of its {} bytes does not match", bytes.len());
                self.problem(path, Some(0), what);
                None
            }
            Err(error) => {
                self.file_problem(path, &error);
                None
            }
        }
    }

    fn checkpoint(&mut self, root: &Root) {
        self.found.checkpoint = Some(CheckpointFigures {
            path: self.paths.root(root.number),
            number: root.number,
            tables: root.tables.len() as u64,
        });
        self.replay.last_ts = root.ts;
        self.replay.history_us = root.kept.history_us;
        for (id, value, is_called) in &root.sequences {
            self.replay.sequences.insert(*id, SequenceState::new(*value, *is_called));
        }
        for (id, (number, crc)) in &root.tables {
            let path = self.paths.table_manifest(*id, *number);
            self.referred.insert(path.clone());
            let Some(bytes) = self.whole(&path) else { continue };
            if crc32c::crc32c(&bytes) != *crc {
                self.problem(&path, Some(0), "it is not the one that the root refers to");
                continue;
            }
            match TableManifest::decode(&bytes, &path) {
                Ok(manifest) => self.images(*id, &manifest),
                Err(error) => self.file_problem(&path, &error),
            }
        }
    }

    /// The images of a table's blocks.
    fn images(&mut self, id: TableId, manifest: &TableManifest) {
        let layout = manifest.layout.clone();
        let table = Table::new(id, layout, TxnState::ancient(), &self.replay.storage);
        load_history(&table, manifest, Ts(self.replay.last_ts));
        let (world, paths) = (self.world, self.paths.clone());
        let mut files = ImageFiles::new(world, &paths, id);
        let wanted: BTreeSet<u64> = manifest.blocks.iter().map(|(_, image)| image.file).collect();
        let mut unusable = BTreeSet::new();
        for file in wanted {
            let path = paths.image(id, file);
            self.referred.insert(path.clone());
            let opened = world.disk.open(&path, oxi_world::OpenMode::Read);
            match opened.and_then(|opened| check_magic(&*opened)) {
                Ok(()) => self.found.image_files += 1,
                Err(error) => {
                    self.file_problem(&path, &error);
                    unusable.insert(file);
                }
            }
        }
        for (number, image) in &manifest.blocks {
            if unusable.contains(&image.file) {
                continue;
            }
            match files.read(*number, image) {
                Ok(decoded) => {
                    self.found.images += 1;
                    self.found.image_bytes += u64::from(image.length);
                    self.found.image_rows += decoded.slots.len() as u64;
                    table.adopt(Block::cold(*number, image.clone(), &table.home));
                }
                Err(error) => {
                    self.image_problem(&paths.image(id, image.file), *number, image, &error);
                }
            }
        }
        table.start_at(manifest.next_block);
        self.bases(&table, manifest);
        self.replay.tables.insert(id, table);
    }

    /// The blocks of a table's indexes.
    fn bases(&mut self, table: &Table, manifest: &TableManifest) {
        let mut loaded = Vec::new();
        for (id, saved) in &manifest.indexes {
            let Some((number, crc)) = saved.base else {
                self.replay.indexes.insert(*id, saved.layout.clone());
                continue;
            };
            let path = self.paths.index_manifest(*id, number);
            self.referred.insert(path.clone());
            let Some(bytes) = self.whole(&path) else { continue };
            if crc32c::crc32c(&bytes) != crc {
                self.problem(
                    &path,
                    Some(0),
                    "it is not the one that the table's manifest refers to",
                );
                continue;
            }
            let base = IndexManifest::decode(&bytes, &path);
            let index =
                base.and_then(|base| Ok((load_index(*id, &saved.layout, &base, table)?, base)));
            match index {
                Ok((index, base)) => {
                    self.blocks(table.id, &index, &base);
                    loaded.push(index);
                }
                Err(error) => self.file_problem(&path, &error),
            }
        }
        table.set_indexes(loaded);
    }

    fn blocks(&mut self, table: TableId, index: &Index, base: &IndexManifest) {
        let mut unusable = BTreeSet::new();
        for file in base.files() {
            let path = self.paths.base(table, index.id, file);
            self.referred.insert(path.clone());
            if let Err(error) = index.check_file(file) {
                self.file_problem(&path, &error);
                unusable.insert(file);
            }
        }
        let mut problems = Vec::new();
        self.found.index_blocks += index.verify(base, &mut |place, error| {
            if !unusable.contains(&place.file) {
                problems.push((*place, error));
            }
        });
        for (place, error) in problems {
            let path = self.paths.base(table, index.id, place.file);
            self.problem(path, Some(place.offset), error.message());
        }
    }

    fn image_problem(&mut self, path: &str, number: u64, image: &ImageRef, error: &Error) {
        let what = format!("block {number}, {} bytes: {}", image.length, error.message());
        self.problem(path, Some(image.offset), what);
    }

    fn log(&mut self, log: &mut LogInspection, root: Option<&Root>, has_current: bool) {
        let dir = self.paths.log();
        let first = log.first_lsn();
        let from = root.map(|root| (root.redo, root.from));
        let (redo, from) = from.unwrap_or_else(|| {
            let first = first.unwrap_or_default();
            (first, first)
        });
        self.log_begin(log, root, has_current);
        // With problems so far the rows are incomplete, and replay would only repeat that.
        let mut replay = self.found.problems.is_empty().then_some(&mut self.replay);
        let mut refused = None;
        log.read(&mut |frame| {
            if let Some(replay) = &mut replay
                && refused.is_none()
                && frame.lsn >= redo
                && let Err(error) = replay.apply(frame, from)
            {
                refused = Some(error);
            }
        });
        for fault in log.faults.drain(..) {
            self.problem(disk::join(&dir, &fault.name), Some(fault.offset), fault.what);
        }
        if let Some(error) = refused {
            self.problem(&dir, None, error.message());
        }
        if let (Some(root), Some(end)) = (root, log.end_lsn())
            && end < root.from
        {
            let what = format!(
                "the log ends at position {end}, the checkpoint continues at {}: a log file is \
                 missing",
                root.from
            );
            self.problem(&dir, None, what);
        }
        self.found.transactions = self.replay.transactions;
        self.found.unfinished = self.replay.unfinished();
        self.found.sequences = self.replay.sequences.len() as u64;
        self.found.last_commit = Ts(self.replay.last_ts);
        self.found.log_header = log.last_header();
        self.found.log = std::mem::take(&mut log.files);
        for file in &mut self.found.log {
            file.name = disk::join(&dir, &file.name);
        }
        let unfinished = log.unfinished.iter().map(|name| disk::join(&dir, name));
        self.found.log_unfinished = unfinished.collect();
    }

    /// Whether the log begins where the checkpoint needs it to.
    fn log_begin(&mut self, log: &LogInspection, root: Option<&Root>, has_current: bool) {
        let dir = self.paths.log();
        match (log.first_lsn(), root) {
            (None, Some(_)) => {
                self.problem(dir, None, "the directory holds no log that continues the checkpoint");
            }
            (Some(first), Some(root)) if first > root.redo => {
                let what = format!(
                    "the log begins at position {first}, the checkpoint needs it from {}: a log \
                     file is missing",
                    root.redo
                );
                self.problem(dir, None, what);
            }
            (Some(first), None) if first.0 > 0 && !has_current => {
                let what = format!(
                    "the log begins at position {first}, behind a checkpoint that no file names"
                );
                self.problem(self.paths.current(), None, what);
            }
            // A database whose creation did not finish has neither log nor checkpoint.
            _ => {}
        }
    }

    /// Files that the root does not reach.
    fn leftovers(&mut self, root: Option<&Root>) -> Result<()> {
        let Some(root) = root else { return Ok(()) };
        self.retained(root)?;
        self.referred.insert(self.paths.root(root.number));
        let mut dirs = vec![self.paths.manifests()];
        if self.world.disk.exists(&self.paths.data())? {
            let tables = self.world.disk.list(&self.paths.data())?;
            dirs.extend(tables.iter().map(|name| disk::join(&self.paths.data(), name)));
        }
        for dir in dirs {
            for name in self.world.disk.list(&dir)? {
                let path = disk::join(&dir, &name);
                if !self.referred.contains(&path) {
                    self.found.leftovers.push(path);
                }
            }
        }
        Ok(())
    }

    /// The files of older checkpoints that are kept, and the images in them.
    fn retained(&mut self, root: &Root) -> Result<()> {
        for older in retained::older_roots(self.world, &self.paths, root.number)? {
            let mut files = retained::Files::default();
            files.add(self.world, &self.paths, &older)?;
            let manifests = self.paths.manifests();
            self.referred.extend(files.manifests.iter().map(|name| disk::join(&manifests, name)));
            for (table, names) in &files.tables {
                let dir = self.paths.table(*table);
                self.referred.extend(names.iter().map(|name| disk::join(&dir, name)));
            }
            for (table, (number, _)) in &older.tables {
                let path = self.paths.table_manifest(*table, *number);
                let manifest = TableManifest::decode(&self.world.disk.read(&path)?, &path)?;
                let (world, paths) = (self.world, self.paths.clone());
                let mut images = ImageFiles::new(world, &paths, *table);
                for (number, image) in &manifest.blocks {
                    if let Err(error) = images.read(*number, image) {
                        self.image_problem(
                            &paths.image(*table, image.file),
                            *number,
                            image,
                            &error,
                        );
                    }
                }
            }
        }
        Ok(())
    }

    /// Rows against indexes, when every file is sound.
    fn content(&mut self) {
        let layouts = std::mem::take(&mut self.replay.indexes);
        match build_indexes(&self.replay.tables, layouts) {
            Ok(indexes) => self.found.indexes = indexes.len() as u64,
            Err(error) => {
                let detail =
                    error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
                self.problem("rows", None, format!("{}{detail}", error.message()));
                return;
            }
        }
        let sight = Sight::committed(Ts(u64::MAX - 1));
        let mut report = CheckReport::default();
        let tables: Vec<_> = self.replay.tables.values().cloned().collect();
        for table in tables {
            if let Err(error) = check_table(&table, &sight, &mut report) {
                self.problem(format!("table storage {}", table.id), None, error.message());
            }
        }
        if self.found.problems.is_empty() {
            self.found.content = Some(report);
        }
    }
}
