//! One frame: its kinds, its bytes, its chained checksum.
//!
//! ```text
//! 0   4  length of the whole frame, header to checksum
//! 4   1  kind
//! 5   1  flags: bit 0 = first frame of a flush
//! 6   2  reserved, zero
//! 8   8  transaction
//! 16  8  commit timestamp
//! 24  n  payload
//! 24+n 4 checksum: crc32c of (position, bytes 0..24+n), begun with the previous frame's checksum
//! ```

use oxi_base::codec::Reader;
use oxi_base::{Lsn, Ts, TxnId};

/// Bytes before the payload.
pub const HEADER_BYTES: usize = 24;
/// Bytes around the payload.
pub const OVERHEAD_BYTES: usize = HEADER_BYTES + 4;
/// The longest payload.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 30;
/// Flag of the first frame that a flush writes into a file.
pub(crate) const FLUSH_START: u8 = 1;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $byte:literal,)*) => {
        /// What a frame says; the payload's meaning is the store's.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum FrameKind {
            $($(#[$doc])* $name = $byte,)*
        }

        impl FrameKind {
            /// All kinds.
            pub const ALL: &'static [FrameKind] = &[$(FrameKind::$name,)*];

            /// The kind of a byte.
            pub fn from_byte(byte: u8) -> Option<FrameKind> {
                match byte {
                    $($byte => Some(FrameKind::$name),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// A whole transaction, or the end of one whose first parts went ahead as [`Self::Chunk`].
    Commit = 1,
    /// A part of a large transaction that has not committed yet.
    Chunk = 2,
    /// The transaction of earlier chunks did not commit.
    Abort = 3,
    /// A transaction prepared for two-phase commit.
    Prepare = 4,
    /// A prepared transaction commits.
    CommitPrepared = 5,
    /// A prepared transaction does not commit.
    AbortPrepared = 6,
    /// A checkpoint was made.
    Checkpoint = 7,
    /// A sequence moved, outside of any transaction.
    Sequence = 8,
    /// A logical message, outside of any transaction.
    Message = 9,
    /// Nothing: keeps positions moving.
    Noop = 10,
}

/// A frame as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Where it begins.
    pub lsn: Lsn,
    /// Where the next one begins: what `append` returned.
    pub end_lsn: Lsn,
    /// What it says.
    pub kind: FrameKind,
    /// The transaction it belongs to.
    pub txn: TxnId,
    /// Its commit timestamp.
    pub commit_ts: Ts,
    /// The store's bytes.
    pub payload: Vec<u8>,
}

/// The parts of a frame that are to be encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) kind: FrameKind,
    pub(crate) flags: u8,
    pub(crate) txn: TxnId,
    pub(crate) commit_ts: Ts,
    pub(crate) payload: &'a [u8],
}

impl Parts<'_> {
    /// The encoded length.
    pub(crate) fn encoded_bytes(&self) -> usize {
        OVERHEAD_BYTES + self.payload.len()
    }
}

/// The checksum of a frame's bytes at a position, continuing the chain.
///
/// The position takes part so that a copy of log bytes within a payload never passes for a frame.
pub(crate) fn checksum(previous: u32, lsn: Lsn, bytes: &[u8]) -> u32 {
    let positioned = crc32c::crc32c_append(previous, &lsn.0.to_le_bytes());
    crc32c::crc32c_append(positioned, bytes)
}

/// Appends a frame to `out` and returns its checksum, the next frame's `previous`.
pub(crate) fn encode(out: &mut Vec<u8>, previous: u32, lsn: Lsn, parts: &Parts<'_>) -> u32 {
    let start = out.len();
    let length = parts.encoded_bytes();
    debug_assert!(parts.payload.len() <= PAYLOAD_BYTES_MAX);
    out.reserve(length);
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.extend_from_slice(&[parts.kind as u8, parts.flags, 0, 0]);
    out.extend_from_slice(&parts.txn.0.to_le_bytes());
    out.extend_from_slice(&parts.commit_ts.0.to_le_bytes());
    out.extend_from_slice(parts.payload);
    let crc = checksum(previous, lsn, &out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
    crc
}

/// The length that a frame header claims, when it is possible at all.
pub(crate) fn claimed_length(bytes: &[u8]) -> Option<usize> {
    let length = Reader::new(bytes).u32()? as usize;
    (OVERHEAD_BYTES..=OVERHEAD_BYTES + PAYLOAD_BYTES_MAX).contains(&length).then_some(length)
}

/// A checked frame, borrowing its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded<'a> {
    pub(crate) parts: Parts<'a>,
    pub(crate) crc: u32,
}

/// Checks and takes apart the frame that fills `bytes`.
pub(crate) fn decode(bytes: &[u8], previous: u32, lsn: Lsn) -> Option<Decoded<'_>> {
    if claimed_length(bytes)? != bytes.len() {
        return None;
    }
    let (covered, crc) = bytes.split_last_chunk::<4>()?;
    let crc = u32::from_le_bytes(*crc);
    let mut reader = Reader::new(covered);
    reader.u32()?;
    let kind = FrameKind::from_byte(reader.u8()?)?;
    let flags = reader.u8()?;
    if flags & !FLUSH_START != 0 || reader.u16()? != 0 {
        return None;
    }
    let txn = TxnId(reader.u64()?);
    let commit_ts = Ts(reader.u64()?);
    if checksum(previous, lsn, covered) != crc {
        return None;
    }
    let parts = Parts { kind, flags, txn, commit_ts, payload: reader.rest() };
    Some(Decoded { parts, crc })
}

#[cfg(test)]
mod tests;
