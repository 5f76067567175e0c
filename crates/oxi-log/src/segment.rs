//! One file of the log: its name, its header, and the list of files.
//!
//! ```text
//! 0   8  magic "OXIBLOG\n"
//! 8   4  format version
//! 12  4  timeline
//! 16  16 database
//! 32  8  position of the first frame
//! 40  8  sequence number, as in the file's name
//! 48  8  salt: random
//! 56  4  flags, zero
//! 60  4  checksum: crc32c of bytes 0..60; the `previous` of the first frame
//! ```

use oxi_base::codec::Reader;
use oxi_base::{Error, Lsn, Result};
use oxi_world::{Disk, OpenMode, disk};

/// Bytes before the first frame.
pub const FILE_HEADER_BYTES: u64 = 64;
/// The version this code reads and writes.
pub const FORMAT_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"OXIBLOG\n";

/// The header of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileHeader {
    /// The history the file belongs to.
    pub timeline: u32,
    /// The database the file belongs to.
    pub database: [u8; 16],
    /// The position of its first frame, and the end of its predecessor.
    pub first_lsn: Lsn,
    /// The file's number.
    pub sequence: u64,
    /// What makes its checksums unlike any other file's.
    pub salt: u64,
}

/// Why bytes are not a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderFault {
    /// Not written completely, or damaged.
    Invalid,
    /// Sound, but of a format this code does not know.
    Version(u32),
}

impl FileHeader {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; FILE_HEADER_BYTES as usize] {
        let mut out = Vec::with_capacity(FILE_HEADER_BYTES as usize);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&self.timeline.to_le_bytes());
        out.extend_from_slice(&self.database);
        out.extend_from_slice(&self.first_lsn.0.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.salt.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.try_into().expect("the fields fill the header")
    }

    /// Checks and reads a header.
    pub fn decode(bytes: &[u8]) -> Result<FileHeader, HeaderFault> {
        Self::parse(bytes).ok_or(HeaderFault::Invalid)?
    }

    fn parse(bytes: &[u8]) -> Option<Result<FileHeader, HeaderFault>> {
        let covered = bytes.get(..FILE_HEADER_BYTES as usize - 4)?;
        let mut reader = Reader::new(bytes);
        if reader.array::<8>()? != *MAGIC {
            return None;
        }
        let version = reader.u32()?;
        let header = FileHeader {
            timeline: reader.u32()?,
            database: reader.array()?,
            first_lsn: Lsn(reader.u64()?),
            sequence: reader.u64()?,
            salt: reader.u64()?,
        };
        let flags = reader.u32()?;
        if reader.u32()? != crc32c::crc32c(covered) {
            return None;
        }
        if version != FORMAT_VERSION || flags != 0 {
            return Some(Err(HeaderFault::Version(version)));
        }
        Some(Ok(header))
    }

    /// The checksum that the first frame's continues.
    pub(crate) fn chain_start(&self) -> u32 {
        let bytes = self.encode();
        let crc = bytes.last_chunk::<4>().expect("a header is longer than its checksum");
        u32::from_le_bytes(*crc)
    }

    /// The file's name.
    pub fn name(&self) -> String {
        file_name(self.timeline, self.sequence)
    }

    /// The byte of the file where position `lsn` is.
    pub(crate) fn offset_of(&self, lsn: Lsn) -> u64 {
        FILE_HEADER_BYTES + (lsn.0 - self.first_lsn.0)
    }
}

/// The name of a file: timeline and number, so that names sort as files follow each other.
pub(crate) fn file_name(timeline: u32, sequence: u64) -> String {
    format!("{timeline:08}-{sequence:012}.wal")
}

/// Timeline and number of a file's name; `None` when it is not a log file's.
pub fn parse_name(name: &str) -> Option<(u32, u64)> {
    let (timeline, sequence) = name.strip_suffix(".wal")?.split_once('-')?;
    let parsed = (timeline.parse().ok()?, sequence.parse().ok()?);
    (file_name(parsed.0, parsed.1) == name).then_some(parsed)
}

/// Reads and checks the header of the file `dir/name`.
pub(crate) fn read_header(
    disk: &dyn Disk,
    dir: &str,
    name: &str,
) -> Result<Result<FileHeader, HeaderFault>> {
    let file = disk.open(&disk::join(dir, name), OpenMode::Read)?;
    let mut bytes = [0; FILE_HEADER_BYTES as usize];
    let length = file.read_at(&mut bytes, 0)?;
    Ok(FileHeader::decode(&bytes[..length]))
}

/// The error of damaged bytes in a log file.
pub(crate) fn corrupt(name: &str, offset: u64, lsn: Lsn, what: &str) -> Error {
    Error::corrupt(format!("log file \"{name}\" is damaged at byte {offset}: {what}"))
        .with_detail(format!("The log position is {lsn}."))
        .with_hint("Restore from a backup; do not remove log files.")
}

#[cfg(test)]
mod tests;
