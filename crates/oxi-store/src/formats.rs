//! The readers of the persisted formats by themselves, for those who feed them with bytes that
//! nobody has written: past the checksums, which would refuse nearly all of them.

use oxi_base::{Error, Lsn, Result, Ts, TxnId};
use oxi_log::{Frame, FrameKind};
use oxi_world::World;

use crate::{
    image,
    index::base,
    manifest::{IndexManifest, Paths, Root, TableManifest, read_newest, seal},
    replay::Replay,
    storage::Storage,
};

/// A persisted format. Byte maps: `docs/dev/formats`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// The root manifest of a checkpoint.
    Root,
    /// The manifest of a table.
    TableManifest,
    /// The manifest of an index.
    IndexManifest,
    /// A block of rows, compressed.
    Image,
    /// The same, not compressed.
    ImageContent,
    /// A block of index entries.
    IndexBlock,
}

/// Reads bytes as one of the formats. Manifests are given without their checksum.
///
/// # Errors
/// `XX001` when they are not of that format.
pub fn read(format: Format, bytes: &[u8]) -> Result<()> {
    let path = "fuzzed";
    match format {
        Format::Root => Root::decode(&seal(bytes.to_vec()), path).map(|_| ()),
        Format::TableManifest => TableManifest::decode(&seal(bytes.to_vec()), path).map(|_| ()),
        Format::IndexManifest => IndexManifest::decode(&seal(bytes.to_vec()), path).map(|_| ()),
        Format::Image => image::decode(bytes, crc32c::crc32c(bytes)).map(|_| ()),
        Format::ImageContent => image::decode_plain(bytes)
            .map(|_| ())
            .ok_or_else(|| Error::corrupt("malformed block image")),
        Format::IndexBlock => {
            let known = base::decode::<()>(bytes).is_some()
                || base::decode::<u64>(bytes).is_some()
                || base::decode::<u128>(bytes).is_some()
                || base::decode::<Box<[u8]>>(bytes).is_some();
            known.then_some(()).ok_or_else(|| Error::corrupt("malformed index block"))
        }
    }
}

/// Applies the payloads of commit records, one transaction each, to an empty database.
///
/// # Errors
/// `XX001` for the first that makes no sense there.
pub fn replay<'a>(world: &World, payloads: impl Iterator<Item = &'a [u8]>) -> Result<()> {
    let storage = Storage::new(world, Paths::new("fuzzed"), None);
    let mut replay = Replay::new(&storage, 0);
    for (number, payload) in (1..).zip(payloads) {
        let frame = Frame {
            lsn: Lsn(number),
            end_lsn: Lsn(number + 1),
            kind: FrameKind::Commit,
            txn: TxnId(number),
            commit_ts: Ts(number),
            payload: payload.to_vec(),
        };
        replay.apply(&frame, Lsn(0))?;
    }
    replay.finish()
}

/// The pieces that the newest checkpoint of a database consists of, to begin from.
///
/// # Errors
/// What reading the files meets.
pub fn pieces(world: &World, dir: &str) -> Result<Vec<(Format, Vec<u8>)>> {
    let paths = Paths::new(dir);
    let mut found = Vec::new();
    let Some(root) = read_newest(world, &paths)? else { return Ok(found) };
    let read = |path: &str| world.disk.read(path);
    let unsealed = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() - 4);
        bytes
    };
    found.push((Format::Root, unsealed(read(&paths.root(root.number))?)));
    for (table, (number, _)) in &root.tables {
        let path = paths.table_manifest(*table, *number);
        let bytes = read(&path)?;
        let manifest = TableManifest::decode(&bytes, &path)?;
        found.push((Format::TableManifest, unsealed(bytes)));
        for (_, image) in &manifest.blocks {
            let file = read(&paths.image(*table, image.file))?;
            let start = image.offset as usize;
            let bytes = file[start..start + image.length as usize].to_vec();
            let plain = lz4_flex::decompress_size_prepended(&bytes);
            found.push((Format::Image, bytes));
            found.extend(plain.ok().map(|plain| (Format::ImageContent, plain)));
        }
        for (index, saved) in &manifest.indexes {
            let Some((number, _)) = saved.base else { continue };
            let path = paths.index_manifest(*index, number);
            let bytes = read(&path)?;
            let manifest = IndexManifest::decode(&bytes, &path)?;
            found.push((Format::IndexManifest, unsealed(bytes)));
            for entry in manifest.nulls.iter().chain(&manifest.entries) {
                let file = read(&paths.base(*table, *index, entry.place.file))?;
                let start = entry.place.offset as usize;
                let bytes = file[start..start + entry.place.length as usize].to_vec();
                found.push((Format::IndexBlock, bytes));
            }
        }
    }
    Ok(found)
}
