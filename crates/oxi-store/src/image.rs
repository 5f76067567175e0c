//! Block images: what a checkpoint writes of a block, as rows see it at one timestamp.
//!
//! Byte map: `docs/dev/formats/block-image.md`.

use oxi_base::{
    ColumnId, Error, Result,
    codec::{Reader, put_varint},
};
use oxi_model::{Datum, array::encode_datum};

use crate::{
    block::{Rows, SLOTS, Seen, column::Column},
    redo::{put_physical, read_physical, read_u32},
    undo::Sight,
};

/// First bytes of an image file.
pub(crate) const MAGIC: &[u8; 8] = b"OXIHOT\x01\0";

/// An encoded and compressed block.
pub(crate) struct Image {
    pub(crate) bytes: Vec<u8>,
    pub(crate) crc: u32,
    pub(crate) rows: u32,
}

/// What is to become an image.
pub(crate) struct Plain {
    bytes: Vec<u8>,
    rows: u32,
}

impl Plain {
    /// Needs no latch any more.
    pub(crate) fn compress(self) -> Image {
        let bytes = lz4_flex::compress_prepend_size(&self.bytes);
        let crc = crc32c::crc32c(&bytes);
        Image { bytes, crc, rows: self.rows }
    }
}

/// Encodes what `sight` sees of a block; `None` if that is nothing.
pub(crate) fn encode(number: u64, rows: &Rows, sight: &Sight<'_>) -> Option<Plain> {
    let mut present = vec![0u8; rows.len.div_ceil(8)];
    let mut slots = Vec::new();
    for slot in 0..rows.len as u16 {
        let seen = rows.see(slot, sight);
        if !matches!(seen, Seen::No) {
            present[usize::from(slot) / 8] |= 1 << (slot % 8);
            slots.push((slot, seen));
        }
    }
    if slots.is_empty() {
        return None;
    }
    let mut out = Vec::with_capacity(64 << 10);
    put_varint(&mut out, number);
    put_varint(&mut out, rows.len as u64);
    out.extend_from_slice(&present);
    put_varint(&mut out, (rows.columns.len() + rows.dropped.len()) as u64);
    for column in rows.columns.iter().chain(&rows.dropped) {
        put_varint(&mut out, column.id.0.into());
        put_physical(&mut out, &column.physical);
        for (slot, seen) in &slots {
            let older = match seen {
                Seen::Older(overlay) => overlay.iter().find(|(id, _)| *id == column.id),
                _ => None,
            };
            match older {
                Some((_, datum)) => encode_datum(&mut out, datum),
                None => column.write((*slot).into(), &mut out),
            }
        }
    }
    Some(Plain { bytes: out, rows: slots.len() as u32 })
}

/// Longest uncompressed image that is believed, and how much longer it is than the compressed one.
const BYTES_MAX: usize = 1 << 31;
const RATIO_MAX: usize = 256;

/// A decoded image: the block's number, length and slots, and its columns.
pub(crate) struct Decoded {
    pub(crate) number: u64,
    pub(crate) len: usize,
    pub(crate) slots: Vec<u16>,
    pub(crate) columns: Vec<Column>,
}

/// Checks that bytes are the ones that were written.
pub(crate) fn verify(bytes: &[u8], crc: u32) -> Result<()> {
    if crc32c::crc32c(bytes) == crc {
        return Ok(());
    }
    Err(Error::corrupt("block image fails its checksum"))
}

/// Checks and decodes an image.
pub(crate) fn decode(bytes: &[u8], crc: u32) -> Result<Decoded> {
    verify(bytes, crc)?;
    let size = Reader::new(bytes).u32().map_or(0, |size| size as usize);
    let is_possible = size <= BYTES_MAX && size / RATIO_MAX <= bytes.len();
    let plain = is_possible.then(|| lz4_flex::decompress_size_prepended(bytes).ok()).flatten();
    plain
        .and_then(|plain| decode_plain(&plain))
        .ok_or_else(|| Error::corrupt("malformed block image"))
}

/// Decodes what was encoded, before it was compressed.
pub(crate) fn decode_plain(plain: &[u8]) -> Option<Decoded> {
    let mut reader = Reader::new(plain);
    let number = reader.varint()?;
    let len = usize::try_from(reader.varint()?).ok().filter(|len| *len <= SLOTS)?;
    let present = reader.take(len.div_ceil(8))?;
    let is_present = |slot: usize| present[slot / 8] >> (slot % 8) & 1 == 1;
    let slots: Vec<u16> = (0..len as u16).filter(|slot| is_present((*slot).into())).collect();
    let mut columns = Vec::new();
    for _ in 0..reader.varint()? {
        let id = ColumnId(read_u32(&mut reader)?);
        let mut column = Column::new(id, read_physical(&mut reader, 0)?);
        for slot in 0..len {
            if is_present(slot) {
                column.read(slot, &mut reader)?;
            } else {
                column.put(slot, &Datum::Null);
            }
        }
        if len == SLOTS {
            column.shrink();
        }
        columns.push(column);
    }
    reader.is_empty().then_some(Decoded { number, len, slots, columns })
}
