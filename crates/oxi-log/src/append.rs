//! Appending: frames are encoded into the buffer of the next flush, in the order of calls.

use oxi_base::{Error, Lsn, Result, SqlState, Ts, TxnId};

use crate::frame::{self, FLUSH_START, FrameKind, PAYLOAD_BYTES_MAX, Parts};
use crate::log::{Log, Shared};
use crate::segment::{FILE_HEADER_BYTES, FileHeader};

/// Frames waiting for one file.
pub(crate) struct Chunk {
    /// The file they go to.
    pub(crate) header: FileHeader,
    /// Whether that file is to be created first.
    pub(crate) starts_file: bool,
    /// The position of the first byte.
    pub(crate) first_lsn: Lsn,
    pub(crate) bytes: Vec<u8>,
}

/// Everything appended and not yet taken by a flush.
pub(crate) struct Queue {
    /// The file that the next frame goes to; created when its chunk is flushed.
    pub(crate) header: FileHeader,
    pub(crate) next_lsn: Lsn,
    /// The checksum that the next frame's continues.
    previous: u32,
    pub(crate) chunks: Vec<Chunk>,
    /// The buffer of the last flush, to be used again.
    pub(crate) spare: Vec<u8>,
    pub(crate) closed: bool,
}

impl Queue {
    /// A queue that continues in the new, empty file `header`.
    pub(crate) fn new(header: FileHeader) -> Self {
        Queue {
            header,
            next_lsn: header.first_lsn,
            previous: header.chain_start(),
            chunks: Vec::new(),
            spare: Vec::new(),
            closed: false,
        }
    }

    /// Lets the next frame begin a new file.
    pub(crate) fn begin_file(&mut self, salt: u64) {
        self.header = FileHeader {
            first_lsn: self.next_lsn,
            sequence: self.header.sequence + 1,
            salt,
            ..self.header
        };
        self.previous = self.header.chain_start();
        self.push_chunk(true);
    }

    fn push_chunk(&mut self, starts_file: bool) {
        self.chunks.push(Chunk {
            header: self.header,
            starts_file,
            first_lsn: self.next_lsn,
            bytes: std::mem::take(&mut self.spare),
        });
    }

    fn push(&mut self, mut parts: Parts<'_>) -> Lsn {
        if self.chunks.is_empty() {
            self.push_chunk(false);
        }
        let chunk = self.chunks.last_mut().expect("a chunk was just made sure of");
        debug_assert_eq!(chunk.header.sequence, self.header.sequence);
        if chunk.bytes.is_empty() {
            parts.flags |= FLUSH_START;
        }
        self.previous = frame::encode(&mut chunk.bytes, self.previous, self.next_lsn, &parts);
        self.next_lsn.0 += parts.encoded_bytes() as u64;
        self.next_lsn
    }
}

impl Shared {
    fn append(&self, parts: Parts<'_>) -> Result<Lsn> {
        if parts.payload.len() > PAYLOAD_BYTES_MAX {
            let message = format!("log record of {} bytes is too large", parts.payload.len());
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        let mut queue = self.queue.lock();
        self.check()?;
        if queue.closed {
            return Err(Error::new(SqlState::ADMIN_SHUTDOWN, "the write-ahead log is closed"));
        }
        let used = queue.header.offset_of(queue.next_lsn);
        let full = used + parts.encoded_bytes() as u64 > self.options.segment_bytes;
        if full && used > FILE_HEADER_BYTES {
            queue.begin_file(self.world.rng.next_u64());
        }
        let end = queue.push(parts);
        drop(queue);
        self.queue_changed.notify_one();
        Ok(end)
    }
}

impl Log {
    /// Appends a frame and returns where it ends: durable once `durable_lsn` reaches that. Only
    /// buffers; the order of calls is the order in the log.
    pub fn append(
        &self,
        kind: FrameKind,
        txn: TxnId,
        commit_ts: Ts,
        payload: &[u8],
    ) -> Result<Lsn> {
        self.shared.append(Parts { kind, flags: 0, txn, commit_ts, payload })
    }

    /// Ends the current file (unless it is empty) and returns the position where the next begins,
    /// with everything before it durable.
    pub fn rotate(&self) -> Result<Lsn> {
        let boundary = {
            let mut queue = self.shared.queue.lock();
            self.shared.check()?;
            if queue.header.first_lsn < queue.next_lsn {
                queue.begin_file(self.shared.world.rng.next_u64());
            }
            queue.header.first_lsn
        };
        self.flush()?;
        Ok(boundary)
    }
}
