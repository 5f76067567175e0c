//! Group commit: one write and one sync for everything appended since the last.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use oxi_base::{Error, Lsn, Result};
use oxi_world::{File, OpenMode, World, disk};

use crate::append::Chunk;
use crate::log::{Log, Shared};
use crate::options::LogOptions;
use crate::segment::{FILE_HEADER_BYTES, FileHeader};

/// Buffers larger than this are given back rather than kept for the next flush.
const SPARE_BYTES_MAX: usize = 4 << 20;

/// The file being written.
pub(crate) struct Active {
    pub(crate) header: FileHeader,
    file: Arc<dyn File>,
    /// Where content ends.
    end: u64,
    /// Where the zeros behind the content end, which is the file's length.
    filled: u64,
}

impl Active {
    /// Creates the file of `header`, durable in content and name.
    pub(crate) fn create(world: &World, options: &LogOptions, header: FileHeader) -> Result<Self> {
        let path = disk::join(&options.dir, &header.name());
        let file = world.disk.open(&path, OpenMode::Create)?;
        let filled = options.fill_bytes.min(options.segment_bytes).max(FILE_HEADER_BYTES);
        let mut bytes = header.encode().to_vec();
        bytes.resize(filled as usize, 0);
        file.write_at(&bytes, 0)?;
        file.sync_data()?;
        world.disk.sync_dir(&options.dir)?;
        Ok(Active { header, file, end: FILE_HEADER_BYTES, filled })
    }

    /// Gives back the zeros behind the content. Not synced: after a crash they are merely back.
    fn trim(&self) {
        if self.filled > self.end {
            // The zeros harm nobody, and the content is durable: a failure changes nothing.
            let _ = self.file.set_len(self.end);
        }
    }

    fn write(&mut self, chunk: &Chunk, options: &LogOptions) -> Result<()> {
        debug_assert_eq!(chunk.header, self.header, "chunks go to the file they were made for");
        debug_assert_eq!(self.header.offset_of(chunk.first_lsn), self.end, "no gaps");
        self.file.write_at(&chunk.bytes, self.end)?;
        self.end += chunk.bytes.len() as u64;
        if self.end > self.filled {
            self.filled = self.end;
            let ahead = (self.end + options.fill_bytes).min(options.segment_bytes);
            // Zeros only save later syncs a change of size: no space for them is no failure.
            if ahead > self.end
                && self.file.write_at(&vec![0; (ahead - self.end) as usize], self.end).is_ok()
            {
                self.filled = ahead;
            }
        }
        self.file.sync_data()
    }
}

impl Shared {
    fn write_chunks(&self, active: &mut Active, chunks: &[Chunk]) -> Result<()> {
        for chunk in chunks {
            if chunk.starts_file {
                // The old file's last frames were synced with their chunk: the new header, which
                // declares the old file's end, never becomes durable before them.
                let next = Active::create(&self.world, &self.options, chunk.header)?;
                active.trim();
                *active = next;
                self.files.lock().push(chunk.header);
            }
            if !chunk.bytes.is_empty() {
                active.write(chunk, &self.options)?;
            }
        }
        Ok(())
    }

    pub(crate) fn flush(&self) -> Result<Lsn> {
        let mut active = self.active.lock();
        self.check()?;
        let (mut chunks, end) = {
            let mut queue = self.queue.lock();
            (std::mem::take(&mut queue.chunks), queue.next_lsn)
        };
        if chunks.is_empty() {
            return Ok(self.durable());
        }
        let unwinding = FailOnUnwind { shared: self };
        let written = self.write_chunks(&mut active, &chunks);
        if written.is_ok() && end > self.durable() {
            self.publish(end);
        }
        std::mem::forget(unwinding);
        if let Err(cause) = written {
            return Err(self.fail(&cause));
        }
        if let Some(Chunk { mut bytes, .. }) = chunks.pop()
            && bytes.capacity() <= SPARE_BYTES_MAX
        {
            bytes.clear();
            self.queue.lock().spare = bytes;
        }
        Ok(end)
    }
}

/// Fails the log when a flush ends by a panic: what reached the disk is then unknown.
struct FailOnUnwind<'a> {
    shared: &'a Shared,
}

impl Drop for FailOnUnwind<'_> {
    fn drop(&mut self) {
        self.shared.fail(&Error::bug("a flush of the log panicked"));
    }
}

impl Log {
    /// Writes and syncs everything appended so far and returns the durable position. On an error
    /// the log has failed for ever.
    pub fn flush(&self) -> Result<Lsn> {
        self.shared.flush()
    }

    /// Flushes whenever something was appended, until [`Self::close`] or a failure: the body of
    /// the writer thread. In a simulated world, where the simulator decides when to flush, it
    /// flushes once and returns.
    pub fn run_writer(&self) {
        let shared = &*self.shared;
        if shared.world.tasks.is_simulated() {
            // A failure is kept for everyone who asks.
            let _ = shared.flush();
            return;
        }
        shared.writers.fetch_add(1, Ordering::AcqRel);
        loop {
            let mut queue = shared.queue.lock();
            while queue.chunks.is_empty() && !queue.closed && shared.check().is_ok() {
                shared.queue_changed.wait(&mut queue);
            }
            let ended = queue.closed && queue.chunks.is_empty();
            drop(queue);
            if ended || shared.flush().is_err() {
                break;
            }
        }
        shared.writers.fetch_sub(1, Ordering::AcqRel);
    }

    /// Flushes what was appended and refuses more; the writer thread ends.
    pub fn close(&self) -> Result<()> {
        self.shared.queue.lock().closed = true;
        self.shared.queue_changed.notify_all();
        self.flush().map(|_| ())
    }
}
