//! The user's files: scripts, results, and what \copy moves.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_world::World;
use oxi_world::disk::{File, OpenMode};

/// How much is read from a file at once.
const PIECE: usize = 64 * 1024;

/// Splits a path into a directory that exists, for a world's root, and the path within.
fn locate(path: &str) -> Result<(World, String)> {
    let mut root = PathBuf::new();
    let mut inner = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => inner.push(name.to_string_lossy()),
            Component::CurDir => {}
            other if inner.is_empty() => root.push(other),
            _ => {
                inner.pop();
            }
        }
    }
    if root.as_os_str().is_empty() {
        root.push(".");
    }
    if inner.is_empty() {
        let message = format!("\"{path}\" is not the name of a file");
        return Err(Error::new(SqlState::UNDEFINED_FILE, message));
    }
    Ok((World::real(root)?, inner.join("/")))
}

/// The whole text of a file.
pub(crate) fn read_text(path: &str) -> Result<String> {
    let (world, name) = locate(path)?;
    let bytes = world.disk.read(&name)?;
    String::from_utf8(bytes).map_err(|_| {
        Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, format!("{path}: not UTF-8"))
    })
}

/// The whole content of a file.
pub(crate) fn read_bytes(path: &str) -> Result<Vec<u8>> {
    let (world, name) = locate(path)?;
    world.disk.read(&name)
}

/// A file that is read piece by piece.
pub(crate) struct Reader {
    file: Arc<dyn File>,
    at: u64,
}

impl Reader {
    pub(crate) fn open(path: &str) -> Result<Self> {
        let (world, name) = locate(path)?;
        Ok(Reader { file: world.disk.open(&name, OpenMode::Read)?, at: 0 })
    }

    /// The next piece; empty at the end.
    pub(crate) fn piece(&mut self) -> Result<Vec<u8>> {
        let mut buffer = vec![0; PIECE];
        let count = self.file.read_at(&mut buffer, self.at)?;
        self.at += count as u64;
        buffer.truncate(count);
        Ok(buffer)
    }
}

/// A file that is written from its beginning.
pub(crate) struct Writer {
    file: Arc<dyn File>,
    at: u64,
}

impl Writer {
    pub(crate) fn create(path: &str) -> Result<Self> {
        let (world, name) = locate(path)?;
        let file = world.disk.open(&name, OpenMode::CreateOrOpen)?;
        file.set_len(0)?;
        Ok(Writer { file, at: 0 })
    }
}

impl std::io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file
            .write_at(bytes, self.at)
            .map_err(|error| std::io::Error::other(error.message().to_owned()))?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
