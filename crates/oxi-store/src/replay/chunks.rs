//! The changes of a transaction whose end was not read yet: in memory, or in the temporary file when
//! they are many and memory is limited.

use std::{borrow::Cow, sync::Arc};

use oxi_base::Result;

use crate::{spill::Extent, storage::Storage};

/// Chunks of at least this size go to the temporary file.
const SPILL_BYTES: usize = 64 << 10;

/// What a transaction sent ahead so far. A chunk ends where an operation ends.
#[derive(Default)]
pub(super) struct Chunks {
    chunks: Vec<Chunk>,
    /// Bytes in all.
    length: usize,
}

pub(super) struct Chunk {
    /// How many of its bytes count.
    length: usize,
    place: Place,
}

enum Place {
    Memory(Vec<u8>),
    Spilled(Extent),
}

impl Chunks {
    /// Adds the bytes of a frame.
    pub(super) fn push(&mut self, bytes: &[u8], storage: &Arc<Storage>) -> Result<()> {
        let place = if storage.is_limited() && bytes.len() >= SPILL_BYTES {
            Place::Spilled(storage.spill.put(bytes)?)
        } else {
            Place::Memory(bytes.to_vec())
        };
        self.length += bytes.len();
        self.chunks.push(Chunk { length: bytes.len(), place });
        Ok(())
    }

    /// Forgets what comes after the first `keep` bytes.
    pub(super) fn truncate(&mut self, keep: usize) {
        while self.length > keep {
            let Some(last) = self.chunks.last_mut() else { break };
            let less = last.length.min(self.length - keep);
            last.length -= less;
            self.length -= less;
            if last.length == 0 {
                self.chunks.pop();
            }
        }
    }

    /// Everything in one piece.
    pub(super) fn all_bytes(self) -> Result<Vec<u8>> {
        let mut all = Vec::with_capacity(self.length);
        for chunk in self.into_chunks() {
            all.extend_from_slice(&chunk.bytes()?);
        }
        Ok(all)
    }

    pub(super) fn into_chunks(self) -> impl Iterator<Item = Chunk> {
        self.chunks.into_iter()
    }
}

impl Chunk {
    pub(super) fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        Ok(match &self.place {
            Place::Memory(bytes) => Cow::Borrowed(&bytes[..self.length]),
            Place::Spilled(extent) => {
                let mut bytes = extent.read()?;
                bytes.truncate(self.length);
                Cow::Owned(bytes)
            }
        })
    }
}
