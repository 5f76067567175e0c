//! Block images: what a checkpoint writes of a block, as rows see it at one timestamp, and for
//! tables that keep their history the older versions up to that timestamp.
//!
//! Byte map: `docs/dev/formats/block-image.md`.

use oxi_base::{
    ColumnId, Error, Result,
    codec::{Reader, put_varint},
};
use oxi_model::{Datum, array::encode_datum};

use crate::{
    block::{Rows, Run, SLOTS, Seen, column::Column},
    redo::{put_physical, read_physical, read_u32},
    undo::{Before, Sight, Version},
};

mod past;

use past::Past;

/// First bytes of an image file.
pub(crate) const MAGIC: &[u8; 8] = b"OXIHOT\x02\0";
/// The same of version 1, which knew no history.
pub(crate) const MAGIC_1: &[u8; 8] = b"OXIHOT\x01\0";

/// An encoded and compressed block.
pub(crate) struct Image {
    pub(crate) bytes: Vec<u8>,
    pub(crate) crc: u32,
    pub(crate) rows: u32,
    /// The oldest commit in it, 0 without history.
    pub(crate) history: u64,
}

/// What is to become an image.
pub(crate) struct Plain {
    bytes: Vec<u8>,
    rows: u32,
    history: u64,
}

/// What an image holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    /// The state at one moment.
    State,
    /// Also all older versions.
    History,
}

impl Plain {
    /// Needs no latch any more.
    pub(crate) fn compress(self) -> Image {
        let bytes = lz4_flex::compress_prepend_size(&self.bytes);
        let crc = crc32c::crc32c(&bytes);
        Image { bytes, crc, rows: self.rows, history: self.history }
    }
}

/// Encodes what `sight` sees of a block; `None` if that is nothing.
pub(crate) fn encode(number: u64, rows: &Rows, sight: &Sight<'_>, extent: Extent) -> Option<Plain> {
    let past = match extent {
        Extent::State => Past::default(),
        Extent::History => Past::of(rows, sight),
    };
    let mut present = vec![0u8; rows.len.div_ceil(8)];
    let mut slots = Vec::new();
    for slot in 0..rows.len as u16 {
        let seen = rows.see(slot, sight);
        if !matches!(seen, Seen::No) || past.is_gone(slot) {
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
    let live = slots.iter().filter(|(_, seen)| !matches!(seen, Seen::No)).count() as u32;
    let history = past.oldest();
    past.put(&mut out, rows);
    Some(Plain { bytes: out, rows: live, history })
}

/// Longest uncompressed image that is believed, and how much longer it is than the compressed one.
const BYTES_MAX: usize = 1 << 31;
const RATIO_MAX: usize = 256;

/// A decoded image: the block's number, length and live slots, its columns, and who created and
/// changed which rows.
pub(crate) struct Decoded {
    pub(crate) number: u64,
    pub(crate) len: usize,
    pub(crate) slots: Vec<u16>,
    pub(crate) columns: Vec<Column>,
    pub(crate) created: Vec<Run>,
    pub(crate) chains: Vec<(u16, Box<Version>)>,
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
    let mut slots: Vec<u16> = (0..len as u16).filter(|slot| is_present((*slot).into())).collect();
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
    let (mut created, mut chains) = Default::default();
    if !reader.is_empty() {
        (created, chains) = past::read(&mut reader, len)?;
        let is_gone = |slot: &u16| {
            let found = chains.binary_search_by_key(slot, |(slot, _)| *slot);
            found.is_ok_and(|at| matches!(chains[at].1.before, Before::Live))
        };
        slots.retain(|slot| !is_gone(slot));
    }
    reader.is_empty().then_some(Decoded { number, len, slots, columns, created, chains })
}
