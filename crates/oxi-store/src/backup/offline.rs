//! The backup of a database that nobody has open. What is copied was read and checked before.

use std::collections::BTreeSet;
use std::sync::Arc;

use oxi_base::{Error, Lsn, Result, SqlState};
use oxi_model::backup::{Backup, BackupFile, BackupPoint};
use oxi_world::{Disk, OpenMode, World, disk};

use crate::{
    engine::Store,
    inspect::Inspection,
    manifest::{Paths, Root},
};

use super::{BackupWriter, current_of, description, history_files, immutable_files};

impl Store {
    /// Copies the database in `dir` of a world's disk, which nobody may have open and which is not
    /// changed, to a place that must be empty.
    ///
    /// # Errors
    /// `55006` if somebody has it open, `XX001` if it is damaged (the detail names the first
    /// problem), `55000` if the place is not empty.
    pub fn backup_closed(world: &World, dir: &str, target: Arc<dyn Disk>) -> Result<Backup> {
        let paths = Paths::new(dir);
        let writer = BackupWriter::begin(target)?;
        let _held = world.disk.hold(&paths.lock())?;
        let (found, root) = Store::inspect_held(world, dir)?;
        if let Some(problem) = found.problems.first() {
            let message = format!("the database in \"{}\" is damaged", world.disk.describe());
            return Err(Error::corrupt(message)
                .with_detail(problem.to_string())
                .with_hint("`oxibase check` tells all that is wrong."));
        }
        copy(world, &paths, &found, root.as_ref(), writer)
    }
}

fn copy(
    world: &World,
    paths: &Paths,
    found: &Inspection,
    root: Option<&Root>,
    mut writer: BackupWriter,
) -> Result<Backup> {
    let (Some(last), Some(first)) = (found.log_header, found.log.first()) else {
        let message = format!("there is no database in \"{}\"", world.disk.describe());
        return Err(Error::new(SqlState::UNDEFINED_FILE, message));
    };
    let mut backup = match root {
        Some(root) => description(root, last.timeline),
        None => Backup {
            database: last.database,
            timeline: last.timeline,
            begin: BackupPoint { lsn: first.first_lsn, ..BackupPoint::default() },
            ..Backup::default()
        },
    };
    if let Some(root) = root {
        let current = current_of(root);
        let read = |offset: u64, length| Ok(current[offset as usize..][..length].to_vec());
        writer.copy(&backup.files[0], &mut { read })?;
        let leftovers: BTreeSet<&str> = found.leftovers.iter().map(String::as_str).collect();
        for file in immutable_files(world, paths)? {
            let path = disk::join(paths.dir(), &file.path);
            if !leftovers.contains(path.as_str()) {
                copy_file(world, &path, &file, &mut writer)?;
            }
        }
    }
    let redo = root.map_or(Lsn(0), |root| root.redo);
    for file in history_files(world, paths)? {
        copy_file(world, &disk::join(paths.dir(), &file.path), &file, &mut writer)?;
    }
    let newest = found.log.last();
    for file in found.log.iter().filter(|file| file.end_lsn > redo || Some(*file) == newest) {
        let name = file.name.rsplit('/').next().unwrap_or(&file.name);
        let content = file.end_lsn.0 - file.first_lsn.0;
        let entry = BackupFile {
            path: disk::join(&Paths::new("").log(), name),
            bytes: oxi_log::segment::FILE_HEADER_BYTES + content,
            checksums: Vec::new(),
        };
        copy_file(world, &file.name, &entry, &mut writer)?;
    }
    let end = found.log.last().map_or(Lsn(0), |file| file.end_lsn);
    backup.end = Some(BackupPoint { lsn: end, ts: found.last_commit });
    writer.finish(&backup)
}

fn copy_file(
    world: &World,
    path: &str,
    entry: &BackupFile,
    writer: &mut BackupWriter,
) -> Result<()> {
    let file = world.disk.open(path, OpenMode::Read)?;
    writer.copy(entry, &mut |offset, length| {
        let mut out = vec![0; length];
        file.read_exact_at(&mut out, offset)?;
        Ok(out)
    })
}
