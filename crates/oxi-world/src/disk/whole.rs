//! Files that are under their names complete or not at all: what archives and backups consist of.

use std::sync::Arc;

use oxi_base::Result;

use super::{Disk, File, OpenMode, parent_of};

/// How much is moved at once.
pub const PIECE_BYTES: usize = 1 << 20;

/// A file being written from its beginning, which nobody sees before [`Self::finish`].
pub struct WholeFile<'a> {
    disk: &'a dyn Disk,
    path: String,
    /// Another name, which it has until it is complete.
    temporary: Option<String>,
    file: Arc<dyn File>,
    length: u64,
}

impl<'a> WholeFile<'a> {
    /// Begins a file that must not exist; what an earlier attempt left of it is written over. Its
    /// directory must be there.
    pub fn begin(disk: &'a dyn Disk, path: &str) -> Result<Self> {
        let temporary = (!disk.appears_whole()).then(|| format!("{path}.tmp"));
        let file = match &temporary {
            Some(temporary) => {
                let file = disk.open(temporary, OpenMode::CreateOrOpen)?;
                file.set_len(0)?;
                file
            }
            None => disk.open(path, OpenMode::Create)?,
        };
        Ok(WholeFile { disk, path: path.to_owned(), temporary, file, length: 0 })
    }

    /// Adds bytes at the end.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_at(bytes, self.length)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Makes the content durable and gives the file its name.
    pub fn finish(self) -> Result<()> {
        self.file.sync_data()?;
        drop(self.file);
        if let Some(temporary) = &self.temporary {
            self.disk.rename(temporary, &self.path)?;
        }
        self.disk.sync_dir(parent_of(&self.path))
    }
}

/// Copies the first `length` bytes of an open file to a new one. An error when there are fewer.
pub fn copy_whole(from: &dyn File, length: u64, to: &dyn Disk, path: &str) -> Result<()> {
    let mut copy = WholeFile::begin(to, path)?;
    let mut piece = vec![0; PIECE_BYTES.min(length as usize)];
    let mut offset = 0;
    while offset < length {
        let wanted = piece.len().min((length - offset) as usize);
        from.read_exact_at(&mut piece[..wanted], offset)?;
        copy.append(&piece[..wanted])?;
        offset += wanted as u64;
    }
    copy.finish()
}
