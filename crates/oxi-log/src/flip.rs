//! Telling a frame with one bit turned over from one that was written in part: the end of the log
//! may be either, and only the second is no damage.

use oxi_base::Lsn;

use crate::frame::{self, OVERHEAD_BYTES};

/// What a disk writes whole or not at all, at least.
const SECTOR_BYTES: u64 = 512;

/// The checksum's polynomial, its bits in the order that the checksum uses.
const CASTAGNOLI: u32 = 0x82f6_3b78;

/// What a byte does to the checksum.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ CASTAGNOLI } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The byte that must differ in one bit for a sound frame to begin here, if there is one. Bytes at
/// `offset` of the file begin with `bytes`.
///
/// A sector that was not written reads as zeros: a bit that is missing there was never on the disk.
pub(crate) fn flipped(bytes: &[u8], previous: u32, lsn: Lsn, offset: u64) -> Option<usize> {
    let (at, length) = in_length(bytes, previous, lsn).or_else(|| in_rest(bytes, previous, lsn))?;
    let sector = (offset + at as u64) / SECTOR_BYTES * SECTOR_BYTES;
    let from = sector.saturating_sub(offset) as usize;
    let to = ((sector + SECTOR_BYTES - offset) as usize).min(length);
    bytes[from..to].iter().any(|byte| *byte != 0).then_some(at)
}

/// A bit of the frame's length: the byte it is in, and the length.
fn in_length(bytes: &[u8], previous: u32, lsn: Lsn) -> Option<(usize, usize)> {
    let claimed = u32::from_le_bytes(*bytes.first_chunk()?);
    (0..u32::BITS).find_map(|bit| {
        let length = claimed ^ 1 << bit;
        if (length as usize) < OVERHEAD_BYTES {
            return None;
        }
        let mut frame = bytes.get(..length as usize)?.to_vec();
        frame[..4].copy_from_slice(&length.to_le_bytes());
        frame::decode(&frame, previous, lsn)?;
        Some((bit as usize / 8, length as usize))
    })
}

/// A bit of what follows the length.
fn in_rest(bytes: &[u8], previous: u32, lsn: Lsn) -> Option<(usize, usize)> {
    let length = frame::claimed_length(bytes)?;
    let mut frame = bytes.get(..length)?.to_vec();
    let (covered, crc) = frame.split_last_chunk::<4>()?;
    let difference = frame::checksum(previous, lsn, covered) ^ u32::from_le_bytes(*crc);
    let (at, bit) = if difference.is_power_of_two() {
        let bit = difference.trailing_zeros() as usize;
        (covered.len() + bit / 8, bit % 8)
    } else {
        place_of(difference, covered.len())?
    };
    frame[at] ^= 1 << bit;
    frame::decode(&frame, previous, lsn)?;
    Some((at, length))
}

/// Where among `count` bytes a bit is whose turning over makes this difference to the checksum.
fn place_of(difference: u32, count: usize) -> Option<(usize, usize)> {
    // What each bit of the last byte does; of the byte before, the same with one byte behind it.
    let mut effects: [u32; 8] = std::array::from_fn(|bit| TABLE[1 << bit]);
    for at in (0..count).rev() {
        if let Some(bit) = effects.iter().position(|effect| *effect == difference) {
            return Some((at, bit));
        }
        for effect in &mut effects {
            *effect = *effect >> 8 ^ TABLE[(*effect & 0xff) as usize];
        }
    }
    None
}

#[cfg(test)]
mod tests;
