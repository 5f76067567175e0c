//! Manifests: which files a checkpoint consists of. Byte map: `docs/dev/formats/manifest.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use oxi_base::{
    Error, IndexId, Lsn, Result, SqlState, TableId, Ts, TxnId,
    codec::{Reader, put_bytes, put_varint},
};
use oxi_log::Log;
use oxi_model::engine::{IndexLayout, TableLayout};
use oxi_world::{File, OpenMode, World, disk};

use crate::{
    block::ImageRef,
    index::base::Place,
    redo::{
        Marks, put_index_layout, put_layout, read_bool, read_index_layout, read_layout, read_u32,
    },
};

const ROOT_MAGIC: &[u8; 8] = b"OXIROOT\0";
const TABLE_MAGIC: &[u8; 8] = b"OXITABL\0";
const INDEX_MAGIC: &[u8; 8] = b"OXIINDX\0";
/// Version of the format of roots; 1 knew no commits.
const ROOT_VERSION: u32 = 2;
/// Version of the format of index manifests.
const VERSION: u32 = 1;
/// Version of the format of table manifests; 1 knew no base of indexes, 2 no history.
const TABLE_VERSION: u32 = 3;

/// The root of a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Root {
    pub(crate) number: u64,
    pub(crate) database: [u8; 16],
    /// Everything committed up to here is in the images.
    pub(crate) ts: u64,
    /// Commits from here on are to be replayed.
    pub(crate) from: Lsn,
    /// Reading starts here: earlier chunks of transactions that were open.
    pub(crate) redo: Lsn,
    pub(crate) last_txn: u64,
    pub(crate) marks: Marks,
    pub(crate) sequences: Vec<(u32, i64, bool)>,
    /// The number and checksum of each table's manifest.
    pub(crate) tables: BTreeMap<TableId, (u64, u32)>,
    /// What the database keeps of its past.
    pub(crate) kept: Kept,
    /// Transactions that changed tables with a history, in the order of their commits.
    pub(crate) commits: Vec<(Ts, TxnId)>,
}

/// What a database keeps of its past, unless it is told otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Kept {
    /// How long tables keep older versions that say nothing else, in microseconds.
    pub(crate) history_us: u64,
    /// How many checkpoints besides the newest.
    pub(crate) checkpoints: u64,
}

/// The files of one table.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct TableManifest {
    pub(crate) layout: TableLayout,
    pub(crate) indexes: BTreeMap<IndexId, SavedIndex>,
    /// Row ids of earlier blocks are used up.
    pub(crate) next_block: u64,
    pub(crate) next_file: u64,
    /// The commit from which on the images hold all versions; `None` in older formats.
    pub(crate) history_from: Option<u64>,
    /// The commit that dropped the table, 0 if it is there.
    pub(crate) dropped_at: u64,
    pub(crate) blocks: Vec<(u64, ImageRef)>,
}

/// An index of a table.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct SavedIndex {
    pub(crate) layout: IndexLayout,
    /// The number and checksum of its manifest; without one, entries are made from the rows.
    pub(crate) base: Option<(u64, u32)>,
}

/// The blocks of one index, in the order of entries.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct IndexManifest {
    /// Entries whose key is NULL, of indexes that keep them apart.
    pub(crate) nulls: Vec<BaseEntry>,
    pub(crate) entries: Vec<BaseEntry>,
}

/// A block of an index: its first entry, and where it lies.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct BaseEntry {
    pub(crate) key: Box<[u8]>,
    pub(crate) row: u64,
    pub(crate) place: Place,
}

/// Adds the checksum.
pub(crate) fn seal(mut out: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// Whether a manifest's bytes are as they were written.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    bytes
        .split_last_chunk::<4>()
        .is_some_and(|(covered, crc)| crc32c::crc32c(covered) == u32::from_le_bytes(*crc))
}

/// A manifest's content and version, which is at most `newest`.
fn open<'a>(bytes: &'a [u8], magic: [u8; 8], newest: u32, path: &str) -> Result<(Reader<'a>, u32)> {
    let damaged =
        |what| Error::corrupt(format!("manifest \"{path}\" is damaged at byte 0: {what}"));
    let (covered, _) = bytes.split_last_chunk::<4>().ok_or_else(|| damaged("it is too short"))?;
    if !is_sealed(bytes) {
        return Err(damaged("it fails its checksum"));
    }
    let mut reader = Reader::new(covered);
    if reader.array() != Some(magic) {
        return Err(damaged("it does not begin as such a manifest does"));
    }
    match reader.u32() {
        Some(version) if (1..=newest).contains(&version) => Ok((reader, version)),
        Some(version) => Err(Error::unsupported(format!(
            "manifest \"{path}\" has format version {version}, which this version of Oxibase does \
             not read"
        ))),
        None => Err(damaged("it is too short")),
    }
}

/// The error of a manifest whose bytes are as they were written, but make no sense from where the
/// reader has come.
fn malformed(path: &str, bytes: &[u8], reader: &Reader<'_>) -> Error {
    let offset = bytes.len().saturating_sub(4 + reader.rest().len());
    Error::corrupt(format!("manifest \"{path}\" is damaged at byte {offset}: it is malformed"))
}

impl Root {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = ROOT_MAGIC.to_vec();
        out.extend_from_slice(&ROOT_VERSION.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.database);
        for word in [self.ts, self.from.0, self.redo.0, self.last_txn] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        for word in [self.marks.table, self.marks.index, self.marks.oid] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        put_varint(&mut out, self.sequences.len() as u64);
        for (id, value, is_called) in &self.sequences {
            put_varint(&mut out, (*id).into());
            out.extend_from_slice(&value.to_le_bytes());
            out.push(u8::from(*is_called));
        }
        put_varint(&mut out, self.tables.len() as u64);
        for (table, (number, crc)) in &self.tables {
            put_varint(&mut out, table.0.into());
            put_varint(&mut out, *number);
            out.extend_from_slice(&crc.to_le_bytes());
        }
        put_varint(&mut out, self.kept.history_us);
        put_varint(&mut out, self.kept.checkpoints);
        put_varint(&mut out, self.commits.len() as u64);
        let mut before = Ts(0);
        for (ts, txn) in &self.commits {
            put_varint(&mut out, ts.0 - before.0);
            put_varint(&mut out, txn.0);
            before = *ts;
        }
        seal(out)
    }

    pub(crate) fn decode(bytes: &[u8], path: &str) -> Result<Root> {
        let (mut reader, version) = open(bytes, *ROOT_MAGIC, ROOT_VERSION, path)?;
        Self::decode_body(&mut reader, version).ok_or_else(|| malformed(path, bytes, &reader))
    }

    fn decode_body(reader: &mut Reader<'_>, version: u32) -> Option<Root> {
        let mut root = Root {
            number: reader.u64()?,
            database: reader.array()?,
            ts: reader.u64()?,
            from: Lsn(reader.u64()?),
            redo: Lsn(reader.u64()?),
            last_txn: reader.u64()?,
            marks: Marks { table: reader.u32()?, index: reader.u32()?, oid: reader.u32()? },
            ..Root::default()
        };
        for _ in 0..reader.varint()? {
            let id = read_u32(reader)?;
            let value = i64::from_le_bytes(reader.array()?);
            root.sequences.push((id, value, read_bool(reader)?));
        }
        for _ in 0..reader.varint()? {
            let table = TableId(read_u32(reader)?);
            let number = reader.varint()?;
            root.tables.insert(table, (number, reader.u32()?));
        }
        if version == 1 {
            return reader.is_empty().then_some(root);
        }
        root.kept = Kept { history_us: reader.varint()?, checkpoints: reader.varint()? };
        let commits = reader.varint()?;
        let mut ts = Ts(0);
        for _ in 0..commits {
            ts = Ts(ts.0.checked_add(reader.varint()?)?);
            root.commits.push((ts, TxnId(reader.varint()?)));
        }
        reader.is_empty().then_some(root)
    }
}

impl TableManifest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = TABLE_MAGIC.to_vec();
        out.extend_from_slice(&TABLE_VERSION.to_le_bytes());
        put_layout(&mut out, &self.layout);
        put_varint(&mut out, self.indexes.len() as u64);
        for (id, index) in &self.indexes {
            put_varint(&mut out, id.0.into());
            put_index_layout(&mut out, &index.layout);
            out.push(u8::from(index.base.is_some()));
            if let Some((number, crc)) = index.base {
                put_varint(&mut out, number);
                out.extend_from_slice(&crc.to_le_bytes());
            }
        }
        put_varint(&mut out, self.next_block);
        put_varint(&mut out, self.next_file);
        put_varint(&mut out, self.history_from.unwrap_or(0));
        put_varint(&mut out, self.dropped_at);
        put_varint(&mut out, self.blocks.len() as u64);
        for (number, image) in &self.blocks {
            put_varint(&mut out, *number);
            put_varint(&mut out, image.file);
            put_varint(&mut out, image.offset);
            put_varint(&mut out, image.length.into());
            put_varint(&mut out, image.rows.into());
            out.extend_from_slice(&image.crc.to_le_bytes());
            put_varint(&mut out, image.history);
        }
        seal(out)
    }

    pub(crate) fn decode(bytes: &[u8], path: &str) -> Result<TableManifest> {
        let (mut reader, version) = open(bytes, *TABLE_MAGIC, TABLE_VERSION, path)?;
        Self::decode_body(&mut reader, version).ok_or_else(|| malformed(path, bytes, &reader))
    }

    fn decode_body(reader: &mut Reader<'_>, version: u32) -> Option<TableManifest> {
        let layout = read_layout(reader)?;
        let mut indexes = BTreeMap::new();
        for _ in 0..reader.varint()? {
            let id = IndexId(read_u32(reader)?);
            let layout = read_index_layout(reader)?;
            let base = if version > 1 && read_bool(reader)? {
                Some((reader.varint()?, reader.u32()?))
            } else {
                None
            };
            indexes.insert(id, SavedIndex { layout, base });
        }
        let next_block = reader.varint()?;
        let next_file = reader.varint()?;
        let knows_history = version > 2;
        let history_from = if knows_history { Some(reader.varint()?) } else { None };
        let dropped_at = if knows_history { reader.varint()? } else { 0 };
        let mut blocks = Vec::new();
        for _ in 0..reader.varint()? {
            let number = reader.varint()?;
            let file = reader.varint()?;
            let offset = reader.varint()?;
            let length = read_u32(reader)?;
            let rows = read_u32(reader)?;
            let crc = reader.u32()?;
            let history = if knows_history { reader.varint()? } else { 0 };
            let generation = 0;
            let image = ImageRef { file, offset, length, crc, rows, history, generation };
            blocks.push((number, image));
        }
        reader.is_empty().then_some(TableManifest {
            layout,
            indexes,
            next_block,
            next_file,
            history_from,
            dropped_at,
            blocks,
        })
    }
}

impl IndexManifest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = INDEX_MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        for section in [&self.nulls, &self.entries] {
            put_varint(&mut out, section.len() as u64);
            for BaseEntry { key, row, place } in section {
                put_bytes(&mut out, key);
                put_varint(&mut out, *row);
                put_varint(&mut out, place.file);
                put_varint(&mut out, place.offset);
                put_varint(&mut out, place.length.into());
                put_varint(&mut out, place.count.into());
                out.extend_from_slice(&place.crc.to_le_bytes());
            }
        }
        seal(out)
    }

    pub(crate) fn decode(bytes: &[u8], path: &str) -> Result<IndexManifest> {
        let (mut reader, _) = open(bytes, *INDEX_MAGIC, VERSION, path)?;
        let sections = Self::decode_section(&mut reader)
            .and_then(|nulls| Some((nulls, Self::decode_section(&mut reader)?)))
            .filter(|_| reader.is_empty());
        let (nulls, entries) = sections.ok_or_else(|| malformed(path, bytes, &reader))?;
        Ok(IndexManifest { nulls, entries })
    }

    fn decode_section(reader: &mut Reader<'_>) -> Option<Vec<BaseEntry>> {
        let mut section = Vec::new();
        for _ in 0..reader.varint()? {
            let key = reader.bytes()?.into();
            let row = reader.varint()?;
            let (file, offset) = (reader.varint()?, reader.varint()?);
            let (length, count) = (read_u32(reader)?, read_u32(reader)?);
            let place = Place { file, offset, length, count, crc: reader.u32()? };
            section.push(BaseEntry { key, row, place });
        }
        Some(section)
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.nulls.iter().chain(&self.entries).map(|entry| &entry.place)
    }

    /// The files that blocks are in.
    pub(crate) fn files(&self) -> BTreeSet<u64> {
        self.places().map(|place| place.file).collect()
    }

    /// Bytes of blocks by file.
    pub(crate) fn bytes_by_file(&self) -> BTreeMap<u64, u64> {
        let mut bytes = BTreeMap::new();
        for place in self.places() {
            *bytes.entry(place.file).or_default() += u64::from(place.length);
        }
        bytes
    }
}

/// The names of a database's files.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    dir: String,
}

impl Paths {
    pub(crate) fn new(dir: &str) -> Self {
        Paths { dir: dir.to_owned() }
    }
    pub(crate) fn dir(&self) -> &str {
        &self.dir
    }
    pub(crate) fn lock(&self) -> String {
        disk::join(&self.dir, "LOCK")
    }
    pub(crate) fn current(&self) -> String {
        disk::join(&self.dir, "CURRENT")
    }
    /// The file that says that a restore is not complete.
    pub(crate) fn restoring(&self) -> String {
        disk::join(&self.dir, "RESTORING")
    }
    pub(crate) fn log(&self) -> String {
        disk::join(&self.dir, "wal")
    }
    /// The directory of what does not outlive the process.
    pub(crate) fn temporary(&self) -> String {
        disk::join(&self.dir, "tmp")
    }
    pub(crate) fn manifests(&self) -> String {
        disk::join(&self.dir, "manifest")
    }
    pub(crate) fn data(&self) -> String {
        disk::join(&self.dir, "data")
    }
    pub(crate) fn table(&self, table: TableId) -> String {
        disk::join(&self.data(), &table.to_string())
    }
    pub(crate) fn image(&self, table: TableId, file: u64) -> String {
        disk::join(&self.table(table), &image_name(file))
    }
    pub(crate) fn base(&self, table: TableId, index: IndexId, file: u64) -> String {
        disk::join(&self.table(table), &base_name(index, file))
    }
    pub(crate) fn index_manifest(&self, index: IndexId, number: u64) -> String {
        disk::join(&self.manifests(), &index_manifest_name(index, number))
    }
    pub(crate) fn root(&self, number: u64) -> String {
        disk::join(&self.manifests(), &root_name(number))
    }
    pub(crate) fn table_manifest(&self, table: TableId, number: u64) -> String {
        disk::join(&self.manifests(), &table_manifest_name(table, number))
    }
}

pub(crate) fn image_name(file: u64) -> String {
    format!("h-{file:08}.oxh")
}

pub(crate) fn base_name(index: IndexId, file: u64) -> String {
    format!("i-{index}-{file:08}.oxb")
}

pub(crate) fn index_manifest_name(index: IndexId, number: u64) -> String {
    format!("i-{index}-{number:08}")
}

pub(crate) fn root_name(number: u64) -> String {
    format!("manifest-{number:08}")
}

pub(crate) fn table_manifest_name(table: TableId, number: u64) -> String {
    format!("t-{table}-{number:08}")
}

/// The number of the root that CURRENT names, if there is that file.
pub(crate) fn current(world: &World, paths: &Paths) -> Result<Option<u64>> {
    if !world.disk.exists(&paths.current())? {
        return Ok(None);
    }
    let current = world.disk.read(&paths.current())?;
    let number = str::from_utf8(&current)
        .ok()
        .and_then(|text| text.trim_end().strip_prefix("manifest-"))
        .and_then(|number| number.parse().ok());
    number.map(Some).ok_or_else(|| misnamed(paths, "it names no manifest"))
}

fn misnamed(paths: &Paths, what: &str) -> Error {
    Error::corrupt(format!("file \"{}\" is damaged at byte 0: {what}", paths.current()))
}

/// Reads the newest root: the one that CURRENT names; without CURRENT, the newest that is whole.
pub(crate) fn read_newest(world: &World, paths: &Paths) -> Result<Option<Root>> {
    if let Some(number) = current(world, paths)? {
        let path = paths.root(number);
        let bytes = world.disk.read(&path).map_err(|error| match error.code() {
            SqlState::UNDEFINED_FILE => misnamed(paths, &format!("\"{path}\" is missing")),
            _ => error,
        })?;
        return Root::decode(&bytes, &path).map(Some);
    }
    newest_whole(world, paths)
}

/// The newest root that passes its checksum, for a directory without CURRENT.
pub(crate) fn newest_whole(world: &World, paths: &Paths) -> Result<Option<Root>> {
    if !world.disk.exists(&paths.manifests())? {
        return Ok(None);
    }
    let names = world.disk.list(&paths.manifests())?;
    for name in names.iter().rev().filter(|name| name.starts_with("manifest-")) {
        let path = disk::join(&paths.manifests(), name);
        if let Ok(root) = Root::decode(&world.disk.read(&path)?, &path) {
            return Ok(Some(root));
        }
    }
    Ok(None)
}

/// Whether a root may be used. Without CURRENT the first checkpoint may have failed half-way, with
/// parts of it not durable; the log still holds everything then.
pub(crate) fn is_trusted(world: &World, paths: &Paths, log: &Log) -> Result<bool> {
    Ok(log.oldest_lsn() > Lsn(0) || world.disk.exists(&paths.current())?)
}

/// Writes a file that does not exist yet (or is left over from a checkpoint that failed).
pub(crate) fn write_new(world: &World, path: &str, bytes: &[u8]) -> Result<()> {
    let file = create_new(world, path)?;
    file.write_at(bytes, 0)?;
    file.sync_data()
}

/// Creates a file, in place of one that a failed checkpoint left. That one is not used again: the
/// sync that was to make its name durable may have failed, and a later one would not try again.
pub(crate) fn create_new(world: &World, path: &str) -> Result<Arc<dyn File>> {
    if world.disk.exists(path)? {
        world.disk.remove(path)?;
    }
    world.disk.open(path, OpenMode::Create)
}
