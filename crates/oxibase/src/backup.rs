//! Backups and restoring them, by the names that users give to places: a directory, `file://`, or
//! `s3://bucket/prefix`.

use std::{path::Path, sync::Arc};

use oxi_base::{Error, Result, SqlState, Ts};
use oxi_store::{Flush, RestoreOptions, Store, StoreOptions, backup};
use oxi_types::{EvalContext, io, oid};
use oxi_world::{Disk, World, disk::place, time};

use crate::{
    check::{Findings, count, inspection_lines},
    database::Database,
};

pub use oxi_model::backup::{Backup, BackupFile};
pub use oxi_store::backup::BackupWriter as Writer;

/// A backup that was made and read back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    /// What it says of itself.
    pub backup: Backup,
    /// The same in words, a line for each kind of thing.
    pub lines: Vec<String>,
}

/// What to restore.
#[derive(Clone, Debug, Default)]
pub struct Restore {
    /// The place of archived log that goes on where the backup ends.
    pub archive: Option<String>,
    /// Everything committed up to this moment (Unix microseconds) and nothing else; `None`:
    /// everything.
    pub to_us: Option<i64>,
    /// The timeline to follow; `None`: the newest that goes on from the backup.
    pub timeline: Option<u32>,
}

/// Begins a backup whose files the caller brings, in a place that must be empty.
///
/// # Errors
/// `55000` when it is not.
pub fn writer(target: &str) -> Result<Writer> {
    Writer::begin(place::open(target)?)
}

/// Copies the database in a directory, which nobody may have open, to a place that must be empty,
/// and reads the copy back.
///
/// # Errors
/// `58P01` if there is no database, `55006` if somebody has it open, `55000` if the place is not
/// empty, `XX001` if the database is damaged.
pub fn backup(directory: impl AsRef<Path>, target: &str) -> Result<Made> {
    let directory = directory.as_ref();
    if !Database::exists(directory) {
        let message = format!("there is no database in \"{}\"", directory.display());
        return Err(Error::new(SqlState::UNDEFINED_FILE, message));
    }
    Store::backup_closed(&World::real(directory)?, "", place::open(target)?)?;
    verified(target)
}

impl Database {
    /// Copies the database to a place that must be empty, while others go on, and reads the copy
    /// back. It holds what is committed when all other files are copied.
    ///
    /// # Errors
    /// `55000` if the place is not empty, and what the disks say.
    pub fn backup(&self, target: &str) -> Result<Made> {
        let target_disk = place::open(target)?;
        let running = self.sessions().engine().begin_backup()?;
        backup::copy_running(&*running, Arc::clone(&target_disk))?;
        drop(running);
        verify(&*target_disk)
    }
}

/// Reads every byte of a backup back and compares it with its checksums.
///
/// # Errors
/// `XX001`, with file and place, if there is a difference.
pub fn verified(target: &str) -> Result<Made> {
    verify(&*place::open_existing(target)?)
}

fn verify(target: &dyn Disk) -> Result<Made> {
    let found = backup::verify(target)?;
    if let Some(problem) = found.problems.first() {
        let message = format!("the backup in \"{}\" is damaged: {problem}", target.describe());
        return Err(Error::corrupt(message));
    }
    let mut lines = description(&found.backup, found.bytes);
    lines.push("verified    every byte was read back, all checksums match".to_owned());
    Ok(Made { backup: found.backup, lines })
}

/// Whether a place is one where a backup was made, complete or not.
pub(crate) fn is_backup(text: &str) -> bool {
    let Some(path) = place::directory(text) else { return true };
    [backup::MANIFEST_NAME, backup::FILES_DIR]
        .iter()
        .any(|name| Path::new(path).join(name).exists())
}

/// Verifies a backup: every checksum, then all that is verified of a database.
pub(crate) fn check_backup(text: &str) -> Result<Findings> {
    let disk = place::open_existing(text)?;
    let world = World::in_memory()?;
    let found = Store::inspect_backup(&world, disk)?;
    let mut lines = description(&found.backup, found.bytes);
    lines.extend(found.inspection.iter().flat_map(inspection_lines));
    Ok(Findings { problems: found.problems.iter().map(ToString::to_string).collect(), lines })
}

fn description(backup: &Backup, bytes: u64) -> Vec<String> {
    let moment = |ts: Ts| time::rfc3339(ts.unix_us());
    let begin = backup.begin;
    let end = backup.end.unwrap_or(begin);
    let files = backup.files.len() as u64;
    vec![
        format!(
            "backup      checkpoint {}, timeline {}: {}, {}",
            backup.checkpoint,
            backup.timeline,
            count(files, "file"),
            count(bytes, "byte")
        ),
        format!("begin       log position {}, last commit {}", begin.lsn, moment(begin.ts)),
        format!("end         log position {}, last commit {}", end.lsn, moment(end.ts)),
    ]
}

/// Restores a backup into a directory, which must be empty or not exist, replays the log up to the
/// moment, and closes the database again. What was done, in words.
///
/// # Errors
/// `55000` if the directory is not empty or the backup not complete; `22023` for a moment that the
/// log does not reach, `58P01` if the archive lacks a part of it, `XX001` for damage.
pub fn restore(
    backup: &str,
    directory: impl AsRef<Path>,
    options: &Restore,
) -> Result<Vec<String>> {
    let backup = place::open_existing(backup)?;
    // Looked at before the directory is made.
    backup::read_manifest(&*backup)?;
    let archive = options.archive.as_deref().map(place::open_existing).transpose()?;
    let world = World::real(directory)?;
    let restoring = RestoreOptions { to_us: options.to_us, timeline: options.timeline };
    let report = oxi_store::restore(&world, &*backup, archive.as_deref(), &restoring)?;
    let mut lines = vec![format!(
        "restored    {}, {}",
        count(report.files, "file"),
        count(report.bytes, "byte")
    )];
    if archive.is_some() {
        lines.push(format!("archive     {}", count(report.archived, "log file")));
    }
    // Opened once, so that what cannot be replayed is found now.
    let store_options = StoreOptions { flush: Flush::Caller, ..StoreOptions::default() };
    let store = Store::open(world, store_options)?;
    lines.push(format!("replay      {}", store.recovery_report()));
    store.close()?;
    let last =
        report.last_commit.map(|ts| format!(", last commit {}", time::rfc3339(ts.unix_us())));
    lines.push(format!(
        "end         log position {}{}; timeline {} begins",
        report.end,
        last.unwrap_or_default(),
        report.timeline
    ));
    Ok(lines)
}

/// The moment that a text means, as a `timestamp with time zone` (UTC where it names no zone), in
/// Unix microseconds.
///
/// # Errors
/// `22007` or `22008` if it is none.
pub fn moment(text: &str) -> Result<i64> {
    let now = World::in_memory()?.clock.now_unix_us();
    let timestamptz = oxi_model::descriptor::TypeRef::plain(oid::TIMESTAMPTZ);
    match io::text_in(&EvalContext::fixed(now), timestamptz, text)? {
        oxi_model::Datum::Int64(unix_us) if unix_us != i64::MAX && unix_us != i64::MIN => {
            Ok(unix_us)
        }
        _ => {
            let message = format!("\"{text}\" is not a moment to restore to");
            Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}
