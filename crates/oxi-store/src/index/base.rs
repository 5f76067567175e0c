//! The base of an index: immutable sorted blocks in files, written by checkpoints, of which only
//! the first entries are held in memory. Byte map: `docs/dev/formats/index-base.md`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use oxi_base::{
    Error, IndexId, Result, SqlState, TableId,
    codec::{Reader, put_varint},
};
use oxi_world::{File, OpenMode};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::tree::TreeKey;
use crate::storage::Storage;

/// First bytes of a file of blocks.
pub(crate) const MAGIC: &[u8; 8] = b"OXIIDX\x01\0";

/// Where a block lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Place {
    /// Number of the file among those of the table.
    pub(crate) file: u64,
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) crc: u32,
    /// Entries.
    pub(crate) count: u32,
}

/// Is being written, or its writing failed.
const UNSURE: u8 = 0;
/// Part of the newest checkpoint.
const CURRENT: u8 = 1;

/// A block of the base.
pub(crate) struct BaseBlock {
    /// Its first entry's key, as bytes, and row.
    first: Mutex<(Box<[u8]>, u64)>,
    place: Mutex<Place>,
    state: AtomicU8,
    /// Entries changed in memory since they were taken from here, or for here.
    changed: AtomicBool,
}

impl BaseBlock {
    /// A block that is about to be written.
    pub(crate) fn coming() -> Arc<Self> {
        Arc::new(BaseBlock {
            first: Mutex::default(),
            place: Mutex::default(),
            state: AtomicU8::new(UNSURE),
            changed: AtomicBool::new(false),
        })
    }

    /// A block of the newest checkpoint.
    pub(crate) fn current(first: (Box<[u8]>, u64), place: Place) -> Arc<Self> {
        Arc::new(BaseBlock {
            first: Mutex::new(first),
            place: Mutex::new(place),
            state: AtomicU8::new(CURRENT),
            changed: AtomicBool::new(false),
        })
    }

    pub(crate) fn written(&self, first: (Box<[u8]>, u64), place: Place) {
        *self.first.lock() = first;
        *self.place.lock() = place;
    }

    pub(crate) fn place(&self) -> Place {
        *self.place.lock()
    }

    pub(crate) fn first(&self) -> (Box<[u8]>, u64) {
        self.first.lock().clone()
    }

    /// Makes the block part of the newest checkpoint.
    pub(crate) fn install(&self, place: Place) {
        *self.place.lock() = place;
        self.state.store(CURRENT, Ordering::Release);
    }

    /// Whether what was taken from it is still as it says.
    pub(crate) fn holds(&self) -> bool {
        self.state.load(Ordering::Acquire) == CURRENT && !self.has_changed()
    }

    pub(crate) fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }

    pub(crate) fn change(&self) {
        self.changed.store(true, Ordering::Release);
    }
}

/// Encodes sorted entries.
pub(crate) fn encode<K: TreeKey>(entries: &[(K, u64)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 << 10);
    put_varint(&mut out, entries.len() as u64);
    let (mut last, mut key) = (Vec::new(), Vec::new());
    let mut last_row = 0u64;
    for (entry, row) in entries {
        key.clear();
        entry.put(&mut key);
        let shared = last.iter().zip(&key).take_while(|(a, b)| a == b).count();
        put_varint(&mut out, shared as u64);
        put_varint(&mut out, (key.len() - shared) as u64);
        out.extend_from_slice(&key[shared..]);
        let step = row.wrapping_sub(last_row).cast_signed();
        put_varint(&mut out, (step << 1 ^ step >> 63).cast_unsigned());
        last_row = *row;
        std::mem::swap(&mut last, &mut key);
    }
    out
}

/// Decodes what [`encode`] wrote; `None` on other bytes.
pub(crate) fn decode<K: TreeKey>(bytes: &[u8]) -> Option<Vec<(K, u64)>> {
    let mut reader = Reader::new(bytes);
    let count = usize::try_from(reader.varint()?).ok()?;
    let mut entries: Vec<(K, u64)> = Vec::with_capacity(count.min(bytes.len()));
    let mut key = Vec::new();
    let mut row = 0u64;
    for _ in 0..count {
        let shared = usize::try_from(reader.varint()?).ok()?;
        if shared > key.len() {
            return None;
        }
        key.truncate(shared);
        key.extend_from_slice(reader.bytes()?);
        let step = reader.varint()?;
        let step = (step >> 1).cast_signed() ^ -(step & 1).cast_signed();
        row = row.wrapping_add(step.cast_unsigned());
        let entry = (K::take(&key)?, row);
        if entries.last().is_some_and(|last| *last >= entry) {
            return None;
        }
        entries.push(entry);
    }
    reader.is_empty().then_some(entries)
}

/// Where the leaves of an index come back from.
pub(crate) struct Shelf {
    pub(crate) storage: Arc<Storage>,
    table: TableId,
    index: IndexId,
    files: Mutex<FxHashMap<u64, Arc<dyn File>>>,
}

impl Shelf {
    pub(crate) fn new(storage: &Arc<Storage>, table: TableId, index: IndexId) -> Arc<Shelf> {
        Arc::new(Shelf { storage: Arc::clone(storage), table, index, files: Mutex::default() })
    }

    /// The path of a file.
    pub(crate) fn path(&self, file: u64) -> String {
        self.storage.paths.base(self.table, self.index, file)
    }

    /// Closes files other than these.
    pub(crate) fn keep_files(&self, is_kept: impl Fn(u64) -> bool) {
        self.files.lock().retain(|number, _| is_kept(*number));
    }

    pub(super) fn file(&self, number: u64) -> Result<Arc<dyn File>> {
        if let Some(file) = self.files.lock().get(&number) {
            return Ok(Arc::clone(file));
        }
        let file = self.storage.world.disk.open(&self.path(number), OpenMode::Read)?;
        let mut head = [0; MAGIC.len()];
        let length = file.read_at(&mut head, 0)?;
        if &head[..length] != MAGIC {
            return Err(Error::corrupt("it does not begin as a file of index blocks does"));
        }
        self.files.lock().insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// The bytes of a block, checked; errors do not say where.
    fn read_bytes(&self, place: &Place) -> Result<Vec<u8>> {
        let mut bytes = vec![0; place.length as usize];
        self.file(place.file)?.read_exact_at(&mut bytes, place.offset)?;
        if crc32c::crc32c(&bytes) != place.crc {
            return Err(Error::corrupt("index block fails its checksum"));
        }
        Ok(bytes)
    }

    /// The bytes of a block, checked.
    pub(super) fn bytes(&self, place: &Place) -> Result<Vec<u8>> {
        self.read_bytes(place).map_err(|error| self.damaged(place, &error))
    }

    /// The entries at a place; errors do not say where.
    pub(super) fn read<K: TreeKey>(&self, place: &Place) -> Result<Vec<(K, u64)>> {
        let entries = decode::<K>(&self.read_bytes(place)?);
        entries
            .filter(|found| found.len() == place.count as usize)
            .ok_or_else(|| Error::corrupt("malformed index block"))
    }

    pub(super) fn damaged(&self, place: &Place, error: &Error) -> Error {
        let (path, offset) = (self.path(place.file), place.offset);
        if error.code() == SqlState::UNDEFINED_FILE {
            return Error::corrupt(format!("file \"{path}\" of index blocks is missing"));
        }
        let what = error.message();
        Error::new(error.code(), format!("file \"{path}\" is damaged at byte {offset}: {what}"))
    }

    /// The entries of a block.
    pub(crate) fn entries<K: TreeKey>(&self, block: &BaseBlock) -> Result<Vec<(K, u64)>> {
        let place = block.place();
        match self.read(&place) {
            // A checkpoint has moved it meanwhile.
            Err(_) if block.place() != place => self.entries(block),
            read => read.map_err(|error| self.damaged(&place, &error)),
        }
    }
}

#[cfg(test)]
mod tests;
