//! Writing a backup piece by piece, whoever brings the pieces.

use std::collections::BTreeSet;
use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::backup::{Backup, BackupFile, RunningBackup};
use oxi_world::disk::{self, PIECE_BYTES};
use oxi_world::{Disk, File, OpenMode};

use super::manifest::{FILES_DIR, MANIFEST_NAME, checksum, write_manifest};

/// A backup that is being written. It is complete when [`Self::finish`] has succeeded.
pub struct BackupWriter {
    target: Arc<dyn Disk>,
    dirs: BTreeSet<String>,
    done: Vec<BackupFile>,
    open: Option<Open>,
}

/// The file that is being written.
struct Open {
    entry: BackupFile,
    file: Arc<dyn File>,
    length: u64,
}

impl BackupWriter {
    /// Begins a backup in a place that must be empty.
    ///
    /// # Errors
    /// `55000` when it is not.
    pub fn begin(target: Arc<dyn Disk>) -> Result<Self> {
        if !super::is_empty(&*target)? {
            let place = target.describe();
            let message = format!("\"{place}\" exists but is not empty");
            let hint = if target.exists(MANIFEST_NAME)? {
                "There is a backup in it. Each backup needs a place of its own."
            } else if target.exists(FILES_DIR)? {
                "There is a backup in it that was not completed: remove it first."
            } else {
                "Give the name of a directory that is empty or does not exist."
            };
            let error = Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message);
            return Err(error.with_hint(hint));
        }
        Ok(BackupWriter { target, dirs: BTreeSet::new(), done: Vec::new(), open: None })
    }

    /// Begins a file.
    pub fn start_file(&mut self, file: &BackupFile) -> Result<()> {
        let path = disk::join(FILES_DIR, &file.path);
        let dir = disk::parent_of(&path).to_owned();
        if !self.dirs.contains(&dir) {
            self.target.create_dir_all(&dir)?;
            self.dirs.insert(dir);
        }
        let entry = BackupFile { checksums: Vec::new(), ..file.clone() };
        let file = self.target.open(&path, OpenMode::Create)?;
        self.open = Some(Open { entry, file, length: 0 });
        Ok(())
    }

    /// Adds a piece to the file: a MiB, or what is left of it.
    pub fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        let open = self.open.as_mut().ok_or_else(|| Error::bug("a piece of no file"))?;
        let expected = PIECE_BYTES.min((open.entry.bytes - open.length) as usize);
        if bytes.len() != expected {
            let (path, got) = (&open.entry.path, bytes.len());
            let message = format!("got {got} bytes of file \"{path}\" rather than {expected}");
            return Err(Error::new(SqlState::PROTOCOL_VIOLATION, message));
        }
        open.file.write_at(bytes, open.length)?;
        open.length += bytes.len() as u64;
        open.entry.checksums.push(checksum(bytes));
        Ok(())
    }

    /// Ends the file, which has come completely, and makes it durable.
    pub fn end_file(&mut self) -> Result<()> {
        let open = self.open.take().ok_or_else(|| Error::bug("an end of no file"))?;
        if open.length != open.entry.bytes {
            return Err(Error::bug(format!("file \"{}\" is not complete", open.entry.path)));
        }
        open.file.sync_data()?;
        self.done.push(open.entry);
        Ok(())
    }

    /// Makes the backup a complete one: the manifest is written. `end` describes its end.
    pub fn finish(self, end: &Backup) -> Result<Backup> {
        let mut dirs = self.dirs;
        let parents: Vec<String> = dirs.iter().map(|dir| disk::parent_of(dir).to_owned()).collect();
        dirs.extend(parents);
        dirs.insert(FILES_DIR.to_owned());
        for dir in dirs {
            self.target.sync_dir(&dir)?;
        }
        let backup = Backup { files: self.done, ..end.clone() };
        write_manifest(&*self.target, &backup)?;
        Ok(backup)
    }

    /// Copies a file whose parts `read` gives, by offset and length.
    pub fn copy(
        &mut self,
        file: &BackupFile,
        read: &mut dyn FnMut(u64, usize) -> Result<Vec<u8>>,
    ) -> Result<()> {
        self.start_file(file)?;
        let mut offset = 0;
        while offset < file.bytes {
            let length = PIECE_BYTES.min((file.bytes - offset) as usize);
            self.piece(&read(offset, length)?)?;
            offset += length as u64;
        }
        self.end_file()
    }
}

/// Copies an open database to a place that must be empty.
pub fn copy_running(running: &dyn RunningBackup, target: Arc<dyn Disk>) -> Result<Backup> {
    let mut writer = BackupWriter::begin(target)?;
    for file in &running.begin().files {
        writer.copy(file, &mut |offset, length| running.read(&file.path, offset, length))?;
    }
    let end = running.finish()?;
    for file in &end.files {
        writer.copy(file, &mut |offset, length| running.read(&file.path, offset, length))?;
    }
    writer.finish(&end)
}
