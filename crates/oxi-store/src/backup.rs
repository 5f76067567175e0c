//! Backups: the immutable files of one checkpoint and the log behind it, copied while the database
//! is in use (or while nobody has it open). Format: `docs/dev/formats/backup.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oxi_base::{Error, Result, SqlState, Ts};
use oxi_log::LogHold;
use oxi_model::backup::{Backup, BackupFile, BackupPoint, RunningBackup};
use oxi_model::engine::Engine as _;
use oxi_world::{Disk, OpenMode, World, disk};
use parking_lot::Mutex;

use crate::{
    engine::{Core, Store},
    manifest::{Paths, Root, read_newest, root_name},
};

mod manifest;
mod offline;
mod verify;
mod writer;

pub use manifest::{FILES_DIR, MANIFEST_NAME, read_manifest};
pub(crate) use verify::each_piece;
pub use verify::{Verification, verify};
pub use writer::{BackupWriter, copy_running};

/// Files that no checkpoint removes because a backup still reads them.
#[derive(Default)]
pub(crate) struct Pins(Mutex<BTreeMap<u64, BTreeSet<String>>>);

impl Pins {
    /// Whether a backup reads a file.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.lock().values().any(|paths| paths.contains(path))
    }

    fn add(&self, paths: BTreeSet<String>) -> u64 {
        let mut pins = self.0.lock();
        let number = pins.keys().next_back().map_or(0, |last| last + 1);
        pins.insert(number, paths);
        number
    }
}

/// A backup of an open database.
struct Running {
    core: Arc<Core>,
    /// Paths in the database's directory and on the world's disk.
    begin: Backup,
    current: Vec<u8>,
    hold: LogHold,
    pins: Arc<Pins>,
    pin: u64,
    /// The log's files that may be read, with their lengths.
    log: Mutex<BTreeMap<String, u64>>,
}

impl Store {
    pub(crate) fn running_backup(&self) -> Result<Box<dyn RunningBackup>> {
        self.checkpoint()?;
        let core = Arc::clone(&self.core);
        // No checkpoint removes anything as long as the lock is held.
        let state = core.checkpoint.lock();
        let paths = Paths::new(&core.options.dir);
        let root = read_newest(&core.world, &paths)?
            .ok_or_else(|| Error::bug("there is no checkpoint after a checkpoint"))?;
        let mut begin = description(&root, core.log.timeline());
        begin.files.extend(immutable_files(&core.world, &paths)?);
        let pinned = begin.files.iter().map(|file| disk::join(paths.dir(), &file.path)).collect();
        let (pins, hold) = (Arc::clone(&state.pins), core.log.hold(root.redo));
        let pin = pins.add(pinned);
        drop(state);
        let current = current_of(&root);
        Ok(Box::new(Running { core, begin, current, hold, pins, pin, log: Mutex::default() }))
    }
}

/// What CURRENT says when a checkpoint is the newest.
fn current_of(root: &Root) -> Vec<u8> {
    format!("{}\n", root_name(root.number)).into_bytes()
}

/// The beginning of a backup of a checkpoint, with CURRENT as its only file.
fn description(root: &Root, timeline: u32) -> Backup {
    let current = BackupFile {
        path: "CURRENT".to_owned(),
        bytes: current_of(root).len() as u64,
        ..BackupFile::default()
    };
    Backup {
        database: root.database,
        timeline,
        checkpoint: root.number,
        begin: BackupPoint { lsn: root.from, ts: Ts(root.ts) },
        end: None,
        files: vec![current],
    }
}

/// All files that checkpoints have written, by their paths in the database's directory.
fn immutable_files(world: &World, paths: &Paths) -> Result<Vec<BackupFile>> {
    let inner = Paths::new("");
    let mut dirs = vec![inner.manifests()];
    if world.disk.exists(&paths.data())? {
        let tables = world.disk.list(&paths.data())?;
        dirs.extend(tables.iter().map(|name| disk::join(&inner.data(), name)));
    }
    let mut files = Vec::new();
    for dir in dirs {
        let names = world.disk.list(&disk::join(paths.dir(), &dir))?;
        for name in names.iter().filter(|name| name.strip_suffix(".tmp").is_none()) {
            let path = disk::join(&dir, name);
            let file = world.disk.open(&disk::join(paths.dir(), &path), OpenMode::Read)?;
            files.push(BackupFile { path, bytes: file.len()?, checksums: Vec::new() });
        }
    }
    Ok(files)
}

/// The histories of the log's timelines.
fn history_files(world: &World, paths: &Paths) -> Result<Vec<BackupFile>> {
    let mut files = Vec::new();
    for name in world.disk.list(&paths.log())? {
        if oxi_log::timeline::is_history(&name) {
            let file = world.disk.open(&disk::join(&paths.log(), &name), OpenMode::Read)?;
            let path = disk::join(&Paths::new("").log(), &name);
            files.push(BackupFile { path, bytes: file.len()?, checksums: Vec::new() });
        }
    }
    Ok(files)
}

impl RunningBackup for Running {
    fn begin(&self) -> &Backup {
        &self.begin
    }

    fn finish(&self) -> Result<Backup> {
        let core = &self.core;
        core.check_usable()?;
        let lsn = core.log.rotate().map_err(|error| core.fail(error))?;
        let paths = Paths::new(&core.options.dir);
        let mut backup = Backup {
            timeline: core.log.timeline(),
            end: Some(BackupPoint { lsn, ts: core.visible_ts() }),
            files: history_files(&core.world, &paths)?,
            ..self.begin.clone()
        };
        let mut known = self.log.lock();
        known.extend(backup.files.iter().map(|file| (file.path.clone(), file.bytes)));
        for (header, end) in core.log.completed() {
            if end > self.hold.first_lsn() && header.first_lsn < lsn {
                let path = disk::join(&Paths::new("").log(), &header.name());
                let bytes = oxi_log::segment::FILE_HEADER_BYTES + (end.0 - header.first_lsn.0);
                known.insert(path.clone(), bytes);
                backup.files.push(BackupFile { path, bytes, checksums: Vec::new() });
            }
        }
        drop(known);
        Ok(backup)
    }

    fn read(&self, path: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
        let known = self.begin.files.iter().find(|file| file.path == path).map(|file| file.bytes);
        let Some(bytes) = known.or_else(|| self.log.lock().get(path).copied()) else {
            let message = format!("file \"{path}\" is not part of the backup");
            return Err(Error::new(SqlState::UNDEFINED_FILE, message));
        };
        if offset.checked_add(length as u64).is_none_or(|end| end > bytes) {
            let message = format!("file \"{path}\" has {bytes} bytes only");
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        if path == "CURRENT" {
            return Ok(self.current[offset as usize..][..length].to_vec());
        }
        let place = disk::join(&self.core.options.dir, path);
        let file = self.core.world.disk.open(&place, OpenMode::Read)?;
        let mut out = vec![0; length];
        file.read_exact_at(&mut out, offset)?;
        Ok(out)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The next checkpoint removes what is no longer needed.
        self.pins.0.lock().remove(&self.pin);
    }
}

/// Whether a place has no files.
pub(crate) fn is_empty(disk: &dyn Disk) -> Result<bool> {
    Ok(disk.list("")?.is_empty())
}
