//! Restoring a backup, and the log that was archived since, up to a moment.
//!
//! The log is copied and read first: whether the moment can be reached is known before anything
//! large is moved. Until everything is there, a file says that it is not.

use std::collections::BTreeSet;

use oxi_base::{Error, Lsn, Result, SqlState, Ts};
use oxi_log::branch::{self, Commits};
use oxi_log::segment::{self, FILE_HEADER_BYTES, FileHeader};
use oxi_log::timeline::{self, Archive, ArchivedFile, Continuation, Ending};
use oxi_model::backup::{Backup, BackupFile, BackupPoint};
use oxi_world::disk::{self, copy_whole};
use oxi_world::{Disk, OpenMode, World, time};

use crate::{
    backup::{FILES_DIR, each_piece, is_empty, read_manifest},
    manifest::Paths,
};

/// What is to be restored of a backup's history.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RestoreOptions {
    /// Everything that was committed up to this moment (Unix microseconds), and nothing else;
    /// `None`: everything there is.
    pub to_us: Option<i64>,
    /// The timeline to follow; `None`: the newest that goes on from the backup.
    pub timeline: Option<u32>,
}

/// What was restored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RestoreReport {
    /// Files of the backup.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Log files of the archive.
    pub archived: u64,
    /// Where the log ends now.
    pub end: Lsn,
    /// The timestamp of the last commit in the log; `None` when all are in the checkpoint.
    pub last_commit: Option<Ts>,
    /// The timeline that begins there.
    pub timeline: u32,
}

/// The error of a directory in which a restore did not finish.
pub(crate) fn unfinished(place: &str) -> Error {
    let message = format!("a restore into \"{place}\" did not finish");
    Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .with_hint("Remove the directory and restore again.")
}

/// Restores a backup into the root of a world's disk, which must be empty.
///
/// # Errors
/// `55000` when it is not, or when the backup is not complete; `22023` for a moment before the
/// backup's or after the end of the log; `58P01` when the archive lacks a part of the log; `XX001`,
/// with file and place, for damage.
pub fn restore(
    world: &World,
    backup: &dyn Disk,
    archive: Option<&dyn Disk>,
    options: &RestoreOptions,
) -> Result<RestoreReport> {
    let manifest = read_manifest(backup)?;
    let Some(end) = manifest.end else {
        return Err(Error::corrupt("the manifest of the backup names no end of the log"));
    };
    let until = options.to_us.map_or(Ts(u64::MAX), last_of);
    refuse_earlier(until, manifest.begin)?;
    let paths = Paths::new("");
    refuse_used(world, &paths)?;
    let work = Work { world, backup, paths: &paths, manifest: &manifest };
    let found = match archive {
        Some(archive) => Some(continuation(archive, &manifest, end, options.timeline)?),
        None => None,
    };
    world.disk.replace(&paths.restoring(), b"a restore has begun\n")?;
    let mut report = RestoreReport::default();
    work.copy_files(&mut report, true)?;
    let mut commits = Commits::default();
    for header in branch::headers(world, &paths.log())? {
        work.look_at(header, until, &mut commits, &mut report)?;
    }
    for file in found.iter().flat_map(|found| &found.files) {
        if let (Some(archive), None) = (archive, commits.beyond) {
            work.copy_archived(archive, file)?;
            work.look_at(file.header, until, &mut commits, &mut report)?;
            report.archived += 1;
        }
    }
    report.last_commit = commits.last;
    if let Some(to_us) = options.to_us {
        refuse_unreached(to_us, commits, manifest.begin)?;
    }
    work.copy_files(&mut report, false)?;
    let (parent, newest, mut history) = match found {
        Some(found) => (found.timeline, found.newest, found.history),
        None => (manifest.timeline, manifest.timeline, Vec::new()),
    };
    if history.is_empty() {
        history = timeline::read_history(&*world.disk, &paths.log(), parent)?;
    }
    report.timeline = newest.max(parent).max(manifest.timeline) + 1;
    branch::begin(world, &paths.log(), report.end, report.timeline, history)?;
    world.disk.remove(&paths.restoring())?;
    world.disk.sync_dir(paths.dir())?;
    Ok(report)
}

/// The last timestamp of a microsecond.
fn last_of(unix_us: i64) -> Ts {
    Ts(Ts::from_unix_us(unix_us.saturating_add(1)).0.saturating_sub(1))
}

fn refuse_earlier(until: Ts, begin: BackupPoint) -> Result<()> {
    if until >= begin.ts {
        return Ok(());
    }
    let message = "requested recovery stop point is before consistent recovery point";
    Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
        .with_detail(format!("The backup begins at {}.", time::rfc3339(begin.ts.unix_us())))
        .with_hint("Use an earlier backup."))
}

/// Whether the log says what held at the moment: it has a commit after it, or one just then.
fn refuse_unreached(to_us: i64, commits: Commits, begin: BackupPoint) -> Result<()> {
    let last = commits.last.unwrap_or(begin.ts);
    if commits.beyond.is_some() || last.unix_us() == to_us {
        return Ok(());
    }
    let message = "recovery ended before configured recovery target was reached";
    Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
        .with_detail(format!("The last commit in the log is of {}.", time::rfc3339(last.unix_us())))
        .with_hint("Without a moment, everything up to the end of the log is restored."))
}

fn refuse_used(world: &World, paths: &Paths) -> Result<()> {
    if is_empty(&*world.disk)? {
        return Ok(());
    }
    let place = world.disk.describe();
    if world.disk.exists(&paths.restoring())? {
        return Err(unfinished(&place));
    }
    let message = format!("directory \"{place}\" exists but is not empty");
    Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .with_hint("Restore into a directory that is empty or does not exist."))
}

/// What an archive has behind the end of a backup.
fn continuation(
    archive: &dyn Disk,
    manifest: &Backup,
    end: BackupPoint,
    timeline: Option<u32>,
) -> Result<Continuation> {
    let names = manifest.files.iter().filter_map(|file| file.path.rsplit('/').next());
    let sequences = names.filter_map(segment::parse_name).map(|(_, sequence)| sequence);
    let ending = Ending {
        database: manifest.database,
        timeline: manifest.timeline,
        sequence: sequences.max().unwrap_or(0),
        lsn: end.lsn,
    };
    Archive::open(archive, "")?.continuation(&ending, timeline)
}

struct Work<'a> {
    world: &'a World,
    backup: &'a dyn Disk,
    paths: &'a Paths,
    manifest: &'a Backup,
}

impl Work<'_> {
    /// Copies the files of the log, or all others.
    fn copy_files(&self, report: &mut RestoreReport, of_log: bool) -> Result<()> {
        let log = self.paths.log();
        let mut dirs = BTreeSet::from([self.paths.manifests(), self.paths.data(), log.clone()]);
        for dir in &dirs {
            self.world.disk.create_dir_all(dir)?;
        }
        for file in &self.manifest.files {
            let dir = disk::parent_of(&file.path);
            if (dir == log) != of_log {
                continue;
            }
            if dirs.insert(dir.to_owned()) {
                self.world.disk.create_dir_all(dir)?;
            }
            self.copy_file(file)?;
            report.files += 1;
            report.bytes += file.bytes;
        }
        dirs.into_iter().try_for_each(|dir| self.world.disk.sync_dir(&dir))
    }

    fn copy_file(&self, file: &BackupFile) -> Result<()> {
        let copy = self.world.disk.open(&file.path, OpenMode::Create)?;
        let copied = each_piece(self.backup, file, &mut |piece, at| copy.write_at(piece, at));
        copied.map_err(|(offset, error)| damaged(&file.path, offset, error))?;
        copy.sync_data()
    }

    fn copy_archived(&self, archive: &dyn Disk, file: &ArchivedFile) -> Result<()> {
        let from = archive.open(&file.name, OpenMode::Read)?;
        let length = FILE_HEADER_BYTES + (file.end.0 - file.header.first_lsn.0);
        let path = disk::join(&self.paths.log(), &file.name);
        copy_whole(&*from, length, &*self.world.disk, &path)
    }

    /// Reads the next file of the log, unless the first commit after a timestamp, before which it
    /// is to end, is found already.
    fn look_at(
        &self,
        header: FileHeader,
        until: Ts,
        all: &mut Commits,
        report: &mut RestoreReport,
    ) -> Result<()> {
        if all.beyond.is_some() {
            return Ok(());
        }
        let (disk, log) = (&*self.world.disk, self.paths.log());
        let commits = branch::commits(disk, &log, header, until)?;
        all.last = commits.last.or(all.last);
        all.beyond = commits.beyond;
        report.end = match commits.beyond {
            Some(beyond) => beyond,
            None => branch::end_of(disk, &log, &header)?,
        };
        Ok(())
    }
}

/// The error of a file of the backup.
fn damaged(path: &str, offset: Option<u64>, error: Error) -> Error {
    if error.code() != SqlState::DATA_CORRUPTED {
        return error;
    }
    let place = offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
    let path = disk::join(FILES_DIR, path);
    let message = format!("file \"{path}\" of the backup is damaged{place}: {}", error.message());
    Error::corrupt(message).with_hint("`oxibase check` tells all that is wrong with a backup.")
}
