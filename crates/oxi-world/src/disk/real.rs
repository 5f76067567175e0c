//! The operating system's files below one root directory.

use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oxi_base::Result;
use rustix::fs::{FlockOperation, flock};

use super::{Disk, DiskLock, File, OpenMode, check_path, io_error, lock_taken};

/// A directory of the operating system as a disk.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// Uses `root`, created (with the directories above it) when missing.
    pub fn open(root: &Path) -> Result<Self> {
        let shown = root.display().to_string();
        create_durably(root).map_err(|e| io_error("create directory", &shown, &e))?;
        Ok(RealDisk { root: root.to_owned() })
    }

    fn resolve(&self, path: &str) -> Result<PathBuf> {
        check_path(path)?;
        Ok(if path.is_empty() { self.root.clone() } else { self.root.join(path) })
    }
}

/// Creates a directory and those above it, syncing each parent that got a new entry.
fn create_durably(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_durably(parent)?;
    }
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        other => other?,
    }
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

impl Disk for RealDisk {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::ReadWrite => options.write(true),
            OpenMode::Create => options.write(true).create_new(true),
            OpenMode::CreateOrOpen => options.write(true).create(true).truncate(false),
        };
        let action = if mode == OpenMode::Create { "create file" } else { "open file" };
        let file = options.open(self.resolve(path)?).map_err(|e| io_error(action, path, &e))?;
        Ok(Arc::new(RealFile { file, path: path.to_owned() }))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let failed = |e: io::Error| io_error("read directory", dir, &e);
        let mut names = Vec::new();
        for entry in fs::read_dir(self.resolve(dir)?).map_err(failed)? {
            // Names that are not UTF-8 are none of ours.
            if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.resolve(from)?, self.resolve(to)?)
            .map_err(|e| io_error("rename file", from, &e))
    }

    fn remove(&self, path: &str) -> Result<()> {
        fs::remove_file(self.resolve(path)?).map_err(|e| io_error("remove file", path, &e))
    }

    fn create_dir_all(&self, path: &str) -> Result<()> {
        create_durably(&self.resolve(path)?).map_err(|e| io_error("create directory", path, &e))
    }

    fn sync_dir(&self, path: &str) -> Result<()> {
        fs::File::open(self.resolve(path)?)
            .and_then(|dir| dir.sync_all())
            .map_err(|e| io_error("fsync directory", path, &e))
    }

    fn exists(&self, path: &str) -> Result<bool> {
        self.resolve(path)?.try_exists().map_err(|e| io_error("stat file", path, &e))
    }

    fn lock(&self, path: &str) -> Result<DiskLock> {
        let failed = |e: io::Error| io_error("lock file", path, &e);
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.resolve(path)?)
            .map_err(failed)?;
        take(&mut file, path, FlockOperation::NonBlockingLockExclusive)?;
        // The number is only for the message above; the lock itself is the kernel's.
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(DiskLock::new(file))
    }

    fn hold(&self, path: &str) -> Result<Option<DiskLock>> {
        let mut file = match fs::File::open(self.resolve(path)?) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("lock file", path, &error)),
        };
        take(&mut file, path, FlockOperation::NonBlockingLockShared)?;
        Ok(Some(DiskLock::new(file)))
    }

    fn describe(&self) -> String {
        self.root.display().to_string()
    }
}

/// Takes the kernel's lock on a file, or says who has it.
fn take(file: &mut fs::File, path: &str, how: FlockOperation) -> Result<()> {
    match flock(&*file, how) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            let holder = match file.read_to_string(&mut holder) {
                Ok(_) if !holder.trim().is_empty() => {
                    format!("Process {} holds the lock.", holder.trim())
                }
                _ => "Another process holds the lock.".to_owned(),
            };
            Err(lock_taken(path, &holder))
        }
        Err(error) => Err(io_error("lock file", path, &error.into())),
    }
}

struct RealFile {
    file: fs::File,
    path: String,
}

impl File for RealFile {
    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while done < out.len() {
            match self.file.read_at(&mut out[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(length) => done += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io_error("read file", &self.path, &error)),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_all_at(bytes, offset).map_err(|e| io_error("write to file", &self.path, &e))
    }

    fn set_len(&self, length: u64) -> Result<()> {
        self.file.set_len(length).map_err(|e| io_error("truncate file", &self.path, &e))
    }

    fn len(&self) -> Result<u64> {
        self.file
            .metadata()
            .map(|metadata| metadata.len())
            .map_err(|e| io_error("stat file", &self.path, &e))
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| io_error("fsync file", &self.path, &e))
    }
}
