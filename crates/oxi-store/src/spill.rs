//! The temporary file: what does not fit into memory and no checkpoint has. Nothing in it outlives
//! the process.

use std::{collections::BTreeMap, sync::Arc};

use oxi_base::{Error, Result};
use oxi_world::{File, OpenMode, World, disk};
use parking_lot::Mutex;

/// Extents begin and end at multiples of this.
const GRAIN: u64 = 4096;

/// The file, made when it is first needed.
pub(crate) struct Spill {
    world: World,
    dir: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<Arc<dyn File>>,
    /// Unused places before `end`: length by offset, neighbours joined.
    free: BTreeMap<u64, u64>,
    end: u64,
}

/// A part of the file, given back when dropped.
pub(crate) struct Extent {
    spill: Arc<Spill>,
    offset: u64,
    length: u32,
    crc: u32,
}

impl Spill {
    pub(crate) fn new(world: &World, dir: String) -> Arc<Spill> {
        Arc::new(Spill { world: world.clone(), dir, state: Mutex::default() })
    }

    fn path(&self) -> String {
        disk::join(&self.dir, "spill")
    }

    /// Removes what an earlier process left.
    pub(crate) fn clear(&self) -> Result<()> {
        if self.world.disk.exists(&self.path())? {
            self.world.disk.remove(&self.path())?;
        }
        Ok(())
    }

    /// Writes bytes; nothing is synced.
    pub(crate) fn put(self: &Arc<Self>, bytes: &[u8]) -> Result<Extent> {
        let room = room(bytes.len());
        let (file, offset) = {
            let mut state = self.state.lock();
            (self.file(&mut state)?, state.take(room))
        };
        let extent = Extent {
            spill: Arc::clone(self),
            offset,
            length: bytes.len() as u32,
            crc: crc32c::crc32c(bytes),
        };
        file.write_at(bytes, offset)?;
        Ok(extent)
    }

    fn file(&self, state: &mut State) -> Result<Arc<dyn File>> {
        if let Some(file) = &state.file {
            return Ok(Arc::clone(file));
        }
        self.world.disk.create_dir_all(&self.dir)?;
        self.clear()?;
        let file = self.world.disk.open(&self.path(), OpenMode::Create)?;
        Ok(Arc::clone(state.file.insert(file)))
    }

    /// Bytes of the file that are in use.
    #[cfg(test)]
    fn used(&self) -> u64 {
        let state = self.state.lock();
        state.end - state.free.values().sum::<u64>()
    }
}

/// The space that so many bytes take.
fn room(length: usize) -> u64 {
    (length as u64).max(1).next_multiple_of(GRAIN)
}

impl State {
    /// The first place that is large enough.
    fn take(&mut self, room: u64) -> u64 {
        let found = self.free.iter().find(|(_, length)| **length >= room);
        let Some((&offset, &length)) = found else {
            self.end += room;
            return self.end - room;
        };
        self.free.remove(&offset);
        if length > room {
            self.free.insert(offset + room, length - room);
        }
        offset
    }

    fn give_back(&mut self, mut offset: u64, mut length: u64) {
        if let Some((&before, &size)) = self.free.range(..offset).next_back()
            && before + size == offset
        {
            self.free.remove(&before);
            (offset, length) = (before, size + length);
        }
        if let Some(size) = self.free.remove(&(offset + length)) {
            length += size;
        }
        if offset + length < self.end {
            self.free.insert(offset, length);
            return;
        }
        self.end = offset;
        if let Some(file) = &self.file
            && self.end == 0
        {
            // Only space on the disk depends on it.
            let _ = file.set_len(0);
        }
    }
}

impl Extent {
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        let file = {
            let mut state = self.spill.state.lock();
            self.spill.file(&mut state)?
        };
        let mut bytes = vec![0; self.length as usize];
        let read = file.read_exact_at(&mut bytes, self.offset);
        if read.is_ok() && crc32c::crc32c(&bytes) == self.crc {
            return Ok(bytes);
        }
        let (path, offset) = (self.spill.path(), self.offset);
        let error = read.err().unwrap_or_else(|| Error::corrupt("it is not what was written"));
        let what = error.message();
        let text = format!("temporary file \"{path}\" is damaged at byte {offset}: {what}");
        Err(Error::new(error.code(), text))
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        self.spill.state.lock().give_back(self.offset, room(self.length as usize));
    }
}

#[cfg(test)]
mod tests;
