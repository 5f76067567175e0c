//! Archiving: every complete file of the log is copied away before it may be removed.
//!
//! An archive is a place that has the files of one log under their names, each complete or not at
//! all, and the histories of timelines. Nothing in it is ever changed.

use std::fmt;
use std::sync::Arc;

use oxi_base::{Error, Lsn, Result, SqlState, Ts};
use oxi_world::disk::{WholeFile, copy_whole};
use oxi_world::{Disk, File, OpenMode, disk};
use parking_lot::Mutex;

use crate::log::Log;
use crate::scan;
use crate::segment::{FILE_HEADER_BYTES, FileHeader};
use crate::timeline::is_history;

/// How much of the end of a file is compared.
const TAIL_BYTES: u64 = 64 << 10;

/// How archiving goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ArchiverStatistics {
    /// Files archived since the database was opened.
    pub archived: u64,
    /// The last of them, and when (Unix microseconds).
    pub last_archived: Option<(String, i64)>,
    /// Attempts that failed.
    pub failed: u64,
    /// The file of the last of them, and when.
    pub last_failed: Option<(String, i64)>,
    /// Since when is counted.
    pub since_us: i64,
}

/// Copies the complete files of a log to an archive, and keeps the log until it has.
pub struct Archiver {
    log: Log,
    archive: Arc<dyn Disk>,
    statistics: Mutex<ArchiverStatistics>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    histories: bool,
    /// Files that begin before this position are archived.
    up_to: Lsn,
}

impl Archiver {
    /// From now on, files of the log are removed only when they are archived.
    pub fn new(log: &Log, archive: Arc<dyn Disk>) -> Self {
        let since_us = log.shared.world.clock.now_unix_us();
        log.set_archived(Lsn(0));
        Archiver {
            log: log.clone(),
            archive,
            statistics: Mutex::new(ArchiverStatistics {
                since_us,
                ..ArchiverStatistics::default()
            }),
            progress: Mutex::default(),
        }
    }

    /// What the archive is called in messages.
    pub fn place(&self) -> String {
        self.archive.describe()
    }

    /// How archiving goes.
    pub fn statistics(&self) -> ArchiverStatistics {
        self.statistics.lock().clone()
    }

    /// Whether there is anything to archive.
    pub fn is_behind(&self) -> bool {
        let up_to = self.progress.lock().up_to;
        self.log.completed().last().is_some_and(|(header, _)| header.first_lsn >= up_to)
    }

    /// Where the newest complete file ends.
    pub fn completed_end(&self) -> Lsn {
        self.log.completed().last().map_or(Lsn(0), |(_, end)| *end)
    }

    /// Archives every complete file that is not archived yet; returns how many. At the first one
    /// that cannot be, it stops; the next call begins with that.
    pub fn step(&self) -> Result<u64> {
        self.archive_all(&self.log.completed())
    }

    /// As [`Self::step`] with the file written last as well, when the log is closed: nothing is
    /// written to it any more, the next opening begins another one.
    pub fn finish(&self) -> Result<u64> {
        let mut files = self.log.completed();
        let last = self.log.shared.files.lock().last().copied();
        let end = self.log.durable_lsn();
        files.extend(last.filter(|header| header.first_lsn < end).map(|header| (header, end)));
        self.archive_all(&files)
    }

    fn archive_all(&self, files: &[(FileHeader, Lsn)]) -> Result<u64> {
        let mut progress = self.progress.lock();
        if !progress.histories {
            self.histories()?;
            progress.histories = true;
        }
        let mut count = 0;
        for &(header, end) in files {
            if header.first_lsn < progress.up_to {
                continue;
            }
            let name = header.name();
            let archived = self.archive_file(header, end);
            count += u64::from(self.note(&name, archived)?);
            progress.up_to = end;
            self.log.set_archived(end);
        }
        Ok(count)
    }

    /// Remembers what came of an attempt: whether there was anything to copy.
    fn note(&self, name: &str, outcome: Result<bool>) -> Result<bool> {
        let now = self.log.shared.world.clock.now_unix_us();
        let mut statistics = self.statistics.lock();
        match &outcome {
            Ok(false) => {}
            Ok(true) => {
                statistics.archived += 1;
                statistics.last_archived = Some((name.to_owned(), now));
            }
            Err(_) => {
                statistics.failed += 1;
                statistics.last_failed = Some((name.to_owned(), now));
            }
        }
        outcome
    }

    /// The histories of the log's timelines.
    fn histories(&self) -> Result<()> {
        let shared = &*self.log.shared;
        for name in shared.world.disk.list(&shared.options.dir)? {
            if is_history(&name) {
                let archived = self.archive_history(&name);
                self.note(&name, archived)?;
            }
        }
        Ok(())
    }

    fn archive_history(&self, name: &str) -> Result<bool> {
        let shared = &*self.log.shared;
        let bytes = shared.world.disk.read(&disk::join(&shared.options.dir, name))?;
        if !self.archive.exists(name)? {
            let mut file = WholeFile::begin(&*self.archive, name)?;
            file.append(&bytes)?;
            return file.finish().map(|()| true);
        }
        if self.archive.read(name)? == bytes { Ok(false) } else { Err(self.differs(name)) }
    }

    /// Copies a file unless it is there; an error when another file has its name.
    fn archive_file(&self, header: FileHeader, end: Lsn) -> Result<bool> {
        let shared = &*self.log.shared;
        let (disk, dir, name) = (&*shared.world.disk, &shared.options.dir, header.name());
        let file = disk.open(&disk::join(dir, &name), OpenMode::Read)?;
        let length = header.offset_of(end);
        if !self.archive.exists(&name)? {
            // What is damaged is found now, while there may still be something to be done about it.
            scan::commits(disk, dir, header, end, Ts(u64::MAX))?;
            return copy_whole(&*file, length, &*self.archive, &name).map(|()| true);
        }
        let archived = self.archive.open(&name, OpenMode::Read)?;
        // A file in which this timeline branched off may be longer where it was left.
        let is_old = header.timeline < self.log.timeline();
        let is_long_enough = archived.len()? == length || (is_old && archived.len()? > length);
        if is_long_enough && is_same(&*file, &*archived, length)? {
            return Ok(false);
        }
        Err(self.differs(&name))
    }

    fn differs(&self, name: &str) -> Error {
        let place = self.archive.describe();
        let message = format!("archive \"{place}\" has another file of the name \"{name}\"");
        Error::new(SqlState::DUPLICATE_FILE, message)
            .with_detail("Files of an archive are never written over.")
            .with_hint("Each database needs an archive of its own.")
    }
}

/// Whether the log up to `length` is the same in two files. Their headers have random salts, and
/// each checksum continues the one before it: equal ends behind equal headers are equal files.
fn is_same(one: &dyn File, other: &dyn File, length: u64) -> Result<bool> {
    let tail = length.saturating_sub(TAIL_BYTES).max(FILE_HEADER_BYTES);
    for (from, to) in [(0, FILE_HEADER_BYTES), (tail, length)] {
        let mut bytes = [vec![0; (to - from) as usize], vec![0; (to - from) as usize]];
        one.read_exact_at(&mut bytes[0], from)?;
        other.read_exact_at(&mut bytes[1], from)?;
        if bytes[0] != bytes[1] {
            return Ok(false);
        }
    }
    Ok(true)
}

impl fmt::Debug for Archiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archiver").field("place", &self.place()).finish_non_exhaustive()
    }
}
