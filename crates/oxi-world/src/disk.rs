//! Files: the operations that crash safety can be built from, and nothing more.
//!
//! Paths are relative to the disk's root, with `/` between their parts; the root itself is `""`.
//! Written bytes survive a crash after [`File::sync_data`], names after [`Disk::sync_dir`].

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};

#[cfg(feature = "objects")]
pub mod object;
pub mod place;
pub mod real;
mod whole;

pub use whole::{PIECE_BYTES, WholeFile, copy_whole};

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// For reading; must exist.
    Read,
    /// For reading and writing; must exist.
    ReadWrite,
    /// For reading and writing; must not exist.
    Create,
    /// For reading and writing; created when missing.
    CreateOrOpen,
}

/// A tree of files.
pub trait Disk: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn File>>;
    /// The names of files and directories in `dir`, sorted.
    fn list(&self, dir: &str) -> Result<Vec<String>>;
    /// Renames a file, replacing `to` atomically when it exists.
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Removes a file; handles on it stay usable.
    fn remove(&self, path: &str) -> Result<()>;
    /// Creates a directory and the missing ones above it, and makes them durable.
    fn create_dir_all(&self, path: &str) -> Result<()>;
    /// Makes creations, renames and removals in `path` durable.
    fn sync_dir(&self, path: &str) -> Result<()>;
    /// Whether a file or directory of this name exists.
    fn exists(&self, path: &str) -> Result<bool>;
    /// Takes the exclusive lock that the file `path` stands for (created when missing), or fails
    /// with `55006` when someone holds it.
    fn lock(&self, path: &str) -> Result<DiskLock>;
    /// Keeps others from taking the lock `path`, without creating or changing the file; `None` when
    /// there is no such file, `55006` when someone holds the lock.
    fn hold(&self, path: &str) -> Result<Option<DiskLock>>;
    /// A few words for messages: the root directory, or that it is simulated.
    fn describe(&self) -> String;

    /// Whether a file that is created appears under its name only once it is complete and synced.
    fn appears_whole(&self) -> bool {
        false
    }

    /// The whole content of a file.
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let file = self.open(path, OpenMode::Read)?;
        let mut bytes = vec![0; file.len()? as usize];
        let length = file.read_at(&mut bytes, 0)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Gives a file new content such that a crash leaves either the old or the new one.
    fn replace(&self, path: &str, content: &[u8]) -> Result<()> {
        let temporary = format!("{path}.tmp");
        let file = self.open(&temporary, OpenMode::CreateOrOpen)?;
        file.set_len(0)?;
        file.write_at(content, 0)?;
        file.sync_data()?;
        self.rename(&temporary, path)?;
        self.sync_dir(parent_of(path))
    }
}

/// An open file; positions are given with each call, so handles can be shared.
pub trait File: Send + Sync {
    /// Fills `out` from `offset`; fewer bytes than asked for mean the file ends there.
    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize>;
    /// Writes all of `bytes` at `offset`, growing the file as needed. After an error any part may
    /// have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Cuts or zero-extends the file.
    fn set_len(&self, length: u64) -> Result<()>;
    /// The file's length.
    fn len(&self) -> Result<u64>;
    /// Makes content and length durable. After an error the unsynced bytes may be gone even when a
    /// later call succeeds: never retry.
    fn sync_data(&self) -> Result<()>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills all of `out` from `offset`, or fails with `XX001` when the file is too short.
    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        let wanted = out.len();
        let got = self.read_at(out, offset)?;
        if got == wanted {
            return Ok(());
        }
        Err(Error::corrupt(format!("file ends early: read only {got} of {wanted} bytes"))
            .with_detail(format!("The read began at byte {offset}.")))
    }
}

/// An exclusive lock, held until dropped.
pub struct DiskLock {
    _held: Box<dyn Any + Send + Sync>,
}

impl DiskLock {
    pub(crate) fn new(held: impl Any + Send + Sync) -> Self {
        DiskLock { _held: Box::new(held) }
    }
}

impl fmt::Debug for DiskLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiskLock")
    }
}

/// The directory part of a path; `""` when it is in the root.
pub fn parent_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Joins a directory (perhaps the root, `""`) and a name.
pub fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// An operating system error in PostgreSQL's words: `could not open file "x": No such file …`.
pub(crate) fn io_error(action: &str, path: &str, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::NotFound => SqlState::UNDEFINED_FILE,
        io::ErrorKind::AlreadyExists => SqlState::DUPLICATE_FILE,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SqlState::DISK_FULL,
        io::ErrorKind::PermissionDenied => SqlState::INSUFFICIENT_PRIVILEGE,
        _ => SqlState::IO_ERROR,
    };
    Error::new(code, format!("could not {action} \"{path}\": {error}"))
}

/// The error of a lock that is taken.
pub(crate) fn lock_taken(path: &str, holder: &str) -> Error {
    Error::new(SqlState::OBJECT_IN_USE, format!("lock file \"{path}\" is already locked"))
        .with_detail(holder.to_owned())
        .with_hint("Is another Oxibase using this directory?")
}

/// Refuses paths that could leave the root.
pub(crate) fn check_path(path: &str) -> Result<()> {
    let fine = path.is_empty()
        || path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'));
    if fine {
        Ok(())
    } else {
        Err(Error::bug(format!("path \"{path}\" is not a plain relative path")))
    }
}

#[cfg(test)]
mod tests;
