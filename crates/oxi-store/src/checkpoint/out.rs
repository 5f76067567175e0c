//! A file that a checkpoint writes, from its beginning to its end.

use std::sync::Arc;

use oxi_base::Result;
use oxi_world::{File, World};

use crate::manifest::create_new;

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;

pub(super) struct OutFile {
    pub(super) number: u64,
    file: Arc<dyn File>,
    length: u64,
    buffer: Vec<u8>,
}

impl OutFile {
    pub(super) fn create(world: &World, path: &str, number: u64, magic: &[u8]) -> Result<Self> {
        let file = create_new(world, path)?;
        Ok(OutFile { number, file, length: 0, buffer: magic.to_vec() })
    }

    /// Adds bytes; where they begin.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<u64> {
        let offset = self.length + self.buffer.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.write()?;
        }
        Ok(offset)
    }

    fn write(&mut self) -> Result<()> {
        self.file.write_at(&self.buffer, self.length)?;
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the file durable; its length.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.write()?;
        self.file.sync_data()?;
        Ok(self.length)
    }
}
