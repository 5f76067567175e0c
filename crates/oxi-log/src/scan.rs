//! Reading one file frame by frame, and telling a torn tail from damage.

use std::sync::Arc;

use oxi_base::{Lsn, Result, Ts, TxnId};
use oxi_world::{Disk, File, OpenMode, disk};

use crate::flip::flipped;
use crate::frame::{self, FLUSH_START, Frame, FrameKind, HEADER_BYTES, OVERHEAD_BYTES};
use crate::segment::{FILE_HEADER_BYTES, FileHeader};

/// How much is read at once.
const READ_BYTES: usize = 256 << 10;

/// Bytes behind the payload.
const CHECKSUM_BYTES: usize = OVERHEAD_BYTES - HEADER_BYTES;

/// What is at a position.
pub(crate) enum Step {
    /// A sound frame.
    Frame(Frame),
    /// Zeros or the end of the file.
    End,
    /// Bytes that are no frame.
    Bad(&'static str),
}

/// The same without the payload, which is not copied.
enum Sound {
    Frame(Head),
    End,
    Bad(&'static str),
}

/// What a sound frame says in front of its payload.
struct Head {
    lsn: Lsn,
    kind: FrameKind,
    txn: TxnId,
    commit_ts: Ts,
    payload_bytes: usize,
    /// Whether a flush began with it.
    flush_start: bool,
}

/// A position within one file.
pub(crate) struct Scanner {
    file: Arc<dyn File>,
    pub(crate) header: FileHeader,
    pub(crate) lsn: Lsn,
    previous: u32,
    /// Bytes read ahead; those before `used` are done with.
    buffer: Vec<u8>,
    used: usize,
}

impl Scanner {
    /// Starts at the first frame of a file.
    pub(crate) fn open(disk: &dyn Disk, dir: &str, header: FileHeader) -> Result<Scanner> {
        let file = disk.open(&disk::join(dir, &header.name()), OpenMode::Read)?;
        Ok(Scanner {
            file,
            header,
            lsn: header.first_lsn,
            previous: header.chain_start(),
            buffer: Vec::new(),
            used: 0,
        })
    }

    /// The byte of the file where the position is.
    pub(crate) fn offset(&self) -> u64 {
        self.header.offset_of(self.lsn)
    }

    /// Makes up to `wanted` bytes available from the position and tells how many there are.
    fn ensure(&mut self, wanted: usize, bound: Option<Lsn>) -> Result<usize> {
        let available = self.buffer.len() - self.used;
        let room = bound.map_or(usize::MAX, |bound| (bound.0 - self.lsn.0) as usize);
        if available >= wanted.min(room) {
            return Ok(available.min(room));
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        let length = wanted.max(READ_BYTES).min(room);
        let offset = self.offset() + available as u64;
        // The claimed length may be garbage: never make room for more than the file has.
        let rest = self.file.len()?.saturating_sub(offset) as usize;
        self.buffer.resize(available + (length - available).min(rest), 0);
        let got = self.file.read_at(&mut self.buffer[available..], offset)?;
        self.buffer.truncate(available + got);
        Ok(self.buffer.len().min(room))
    }

    /// Reads the frame at the position; nothing at or behind `bound` is looked at.
    pub(crate) fn next(&mut self, bound: Option<Lsn>) -> Result<Step> {
        Ok(match self.advance(bound)? {
            Sound::Frame(found) => {
                let end = self.used - CHECKSUM_BYTES;
                let payload = &self.buffer[end - found.payload_bytes..end];
                Step::Frame(Frame {
                    lsn: found.lsn,
                    end_lsn: self.lsn,
                    kind: found.kind,
                    txn: found.txn,
                    commit_ts: found.commit_ts,
                    payload: payload.to_vec(),
                })
            }
            Sound::End => Step::End,
            Sound::Bad(reason) => Step::Bad(reason),
        })
    }

    /// Passes over the frame at the position, having checked it. Its payload ends in front of the
    /// checksum that was read last.
    fn advance(&mut self, bound: Option<Lsn>) -> Result<Sound> {
        let available = self.ensure(HEADER_BYTES, bound)?;
        let head = &self.buffer[self.used..self.used + available.min(HEADER_BYTES)];
        if head.iter().all(|&byte| byte == 0) {
            return Ok(Sound::End);
        }
        let Some(length) = frame::claimed_length(head) else {
            return Ok(Sound::Bad("impossible frame length"));
        };
        if self.ensure(length, bound)? < length {
            return Ok(Sound::Bad("frame is cut short"));
        }
        let bytes = &self.buffer[self.used..self.used + length];
        let Some(decoded) = frame::decode(bytes, self.previous, self.lsn) else {
            return Ok(Sound::Bad("checksum does not match"));
        };
        let found = Head {
            lsn: self.lsn,
            kind: decoded.parts.kind,
            txn: decoded.parts.txn,
            commit_ts: decoded.parts.commit_ts,
            payload_bytes: decoded.parts.payload.len(),
            flush_start: decoded.parts.flags & FLUSH_START != 0,
        };
        self.previous = decoded.crc;
        self.lsn = Lsn(self.lsn.0 + length as u64);
        self.used += length;
        Ok(Sound::Frame(found))
    }

    /// Looks at what is behind the last sound frame.
    pub(crate) fn tail(&self) -> Result<Tail> {
        let offset = self.offset();
        let mut bytes = vec![0; self.file.len()?.saturating_sub(offset) as usize];
        let got = self.file.read_at(&mut bytes, offset)?;
        bytes.truncate(got);
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        // A frame's checksum may end in zeros.
        bytes.extend_from_slice(&[0; 4]);
        let later = (OVERHEAD_BYTES..bytes.len()).find(|&at| begins_flush(&bytes, at, self.lsn));
        let damage = self.damage(&bytes);
        Ok(Tail { torn_bytes: bytes.len() as u64 - 4, later_flush: later.is_some(), damage })
    }

    /// What shows that the bytes here are no torn tail: where in the file it is, and what it is.
    fn damage(&self, bytes: &[u8]) -> Option<(u64, &'static str)> {
        let offset = self.offset();
        let frame = frame::claimed_length(bytes).and_then(|length| bytes.get(..length));
        if frame.is_some_and(|frame| frame::decode(frame, self.previous, self.lsn).is_some()) {
            return Some((offset, "two readings of it differ"));
        }
        let at = flipped(bytes, self.previous, self.lsn, offset)?;
        Some((offset + at as u64, "one bit of a log record is not as it was written"))
    }
}

/// What is behind the last sound frame of a file.
pub(crate) struct Tail {
    /// Bytes up to the last that is not zero.
    pub(crate) torn_bytes: u64,
    /// Whether a later flush left a sound frame: then what precedes it was durable once.
    pub(crate) later_flush: bool,
    /// Where there is damage for other reasons, and what it is.
    pub(crate) damage: Option<(u64, &'static str)>,
}

/// Whether a sound frame that began a flush is at `at` of `bytes`, which begin at `start`.
fn begins_flush(bytes: &[u8], at: usize, start: Lsn) -> bool {
    if bytes.get(at + 5) != Some(&FLUSH_START) {
        return false;
    }
    let Some(length) = frame::claimed_length(&bytes[at..]) else { return false };
    let (Some(bytes_of_frame), Some(previous)) =
        (bytes.get(at..at + length), bytes[..at].last_chunk::<4>())
    else {
        return false;
    };
    let lsn = Lsn(start.0 + at as u64);
    frame::decode(bytes_of_frame, u32::from_le_bytes(*previous), lsn).is_some()
}

/// Commits of a file, up to the first that comes after a timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Commits {
    /// The timestamp of the last commit that counts.
    pub last: Option<Ts>,
    /// Where the first frame of a later commit begins; nothing behind it was looked at.
    pub beyond: Option<Lsn>,
}

/// Reads a file that is complete and ends at `end`, up to the first commit after a timestamp.
///
/// # Errors
/// `XX001`, with name and place, when a frame is not sound.
pub(crate) fn commits(
    disk: &dyn Disk,
    dir: &str,
    header: FileHeader,
    end: Lsn,
    until: Ts,
) -> Result<Commits> {
    let mut scanner = Scanner::open(disk, dir, header)?;
    let mut found = Commits::default();
    while scanner.lsn < end {
        let reason = match scanner.advance(Some(end))? {
            Sound::Frame(head) => {
                if matches!(head.kind, FrameKind::Commit | FrameKind::CommitPrepared) {
                    if head.commit_ts > until {
                        found.beyond = Some(head.lsn);
                        break;
                    }
                    found.last = Some(head.commit_ts);
                }
                continue;
            }
            Sound::End => "frames are missing",
            Sound::Bad(reason) => reason,
        };
        let path = disk::join(dir, &header.name());
        return Err(crate::segment::corrupt(&path, scanner.offset(), scanner.lsn, reason));
    }
    Ok(found)
}

/// Where the last file ends.
pub(crate) struct FileEnd {
    /// The position behind the last sound frame.
    pub(crate) lsn: Lsn,
    /// The position where the last flush began; `None` when there is no frame.
    pub(crate) last_flush: Option<Lsn>,
    /// The checksum of what that flush wrote.
    pub(crate) flush_crc: u32,
    /// Bytes behind the end that are not zero.
    pub(crate) torn_bytes: u64,
}

/// Finds the end of the last file, or the damage in it.
pub(crate) fn find_end(disk: &dyn Disk, dir: &str, header: FileHeader) -> Result<FileEnd> {
    let mut scanner = Scanner::open(disk, dir, header)?;
    let (mut last_flush, mut flush_crc) = (None, 0);
    let reason = loop {
        match scanner.advance(None)? {
            Sound::Frame(found) => {
                if found.flush_start {
                    (last_flush, flush_crc) = (Some(found.lsn), 0);
                }
                let frame = OVERHEAD_BYTES + found.payload_bytes;
                let bytes = &scanner.buffer[scanner.used - frame..scanner.used];
                flush_crc = crc32c::crc32c_append(flush_crc, bytes);
            }
            Sound::End => break "zeros before a later frame",
            Sound::Bad(reason) => break reason,
        }
    };
    let tail = scanner.tail()?;
    if tail.later_flush {
        let (name, offset) = (header.name(), scanner.offset());
        return Err(crate::segment::corrupt(&name, offset, scanner.lsn, reason));
    }
    if let Some((offset, what)) = tail.damage {
        return Err(crate::segment::corrupt(&header.name(), offset, scanner.lsn, what));
    }
    Ok(FileEnd { lsn: scanner.lsn, last_flush, flush_crc, torn_bytes: tail.torn_bytes })
}

/// Whether a file has nothing but zeros behind its header.
pub(crate) fn is_blank(disk: &dyn Disk, path: &str) -> Result<bool> {
    let file = disk.open(path, OpenMode::Read)?;
    let mut offset = FILE_HEADER_BYTES;
    let mut bytes = vec![0; READ_BYTES];
    loop {
        let got = file.read_at(&mut bytes, offset)?;
        if bytes[..got].iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        if got < bytes.len() {
            return Ok(true);
        }
        offset += got as u64;
    }
}
