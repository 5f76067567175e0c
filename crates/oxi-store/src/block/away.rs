//! A block whose values are not in memory: in its image, or in the temporary file.
//!
//! What stays in memory is who created which slots. Everything else comes back with the values, so
//! whoever looks at rows goes through [`Block::read`] or [`Block::write`].

use std::sync::{Arc, atomic::Ordering};

use oxi_base::{
    ColumnId, Error, Result, SqlState, TableId,
    codec::{Reader, put_varint},
};
use oxi_model::{
    array::{decode_datum, encode_datum},
    engine::TableLayout,
};
use oxi_world::{File, OpenMode};
use parking_lot::{Mutex, RwLockReadGuard, RwLockWriteGuard};
use rustc_hash::FxHashMap;

use super::{Bits, Block, ImageRef, Rows, SLOTS, column::Column};
use crate::{
    image,
    redo::{put_physical, read_bool, read_physical, read_u32},
    spill::Extent,
    storage::Storage,
    undo::{Before, TxnState, Version},
};

/// Where values are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Away {
    /// Where [`Block::image`] says.
    Image,
    /// In the temporary file.
    Spilled,
}

/// Values in the temporary file, with the transactions that the versions among them belong to.
struct Spilled {
    extent: Extent,
    /// The home's when it was written.
    generation: u64,
    txns: Vec<Arc<TxnState>>,
}

/// What a block's latch protects besides the rows.
#[derive(Default)]
pub(crate) struct Cold {
    away: Option<Away>,
    /// Kept after the values came back, until they change.
    spilled: Option<Spilled>,
    /// Bytes in the account of memory.
    charged: usize,
}

impl Cold {
    /// What was written to the temporary file does not hold any more.
    pub(crate) fn changed(&mut self) {
        self.spilled = None;
    }
}

/// Where the blocks of a table come back from.
pub(crate) struct Home {
    pub(crate) storage: Arc<Storage>,
    table: TableId,
    files: Mutex<FxHashMap<u64, Arc<dyn File>>>,
    expected: Mutex<Expected>,
}

/// The columns that values are brought back with.
struct Expected {
    layout: TableLayout,
    /// Grows with each change of the layout.
    generation: u64,
    /// Since when there are the columns of the layout, and those that it lacks but may have again
    /// when its change is undone. What was written before has nothing of such a column, even if it
    /// has one of the same number.
    since: FxHashMap<ColumnId, u64>,
}

impl Home {
    pub(crate) fn new(storage: &Arc<Storage>, table: TableId, layout: TableLayout) -> Arc<Home> {
        let since = layout.columns.iter().map(|column| (column.id, 0)).collect();
        let expected = Mutex::new(Expected { layout, generation: 0, since });
        Arc::new(Home { storage: Arc::clone(storage), table, files: Mutex::default(), expected })
    }

    /// Changes what values are brought back with.
    /// Columns of `kept` may be wanted again.
    pub(crate) fn expect(&self, layout: &TableLayout, kept: &[ColumnId]) {
        let mut expected = self.expected.lock();
        expected.generation += 1;
        let generation = expected.generation;
        let is_wanted = |id: &ColumnId| layout.columns.iter().any(|column| column.id == *id);
        expected.since.retain(|id, _| is_wanted(id) || kept.contains(id));
        for column in &layout.columns {
            expected.since.entry(column.id).or_insert(generation);
        }
        expected.layout = layout.clone();
    }

    /// Nothing can be undone any more.
    pub(crate) fn forget_kept(&self) {
        let expected = &mut *self.expected.lock();
        let layout = &expected.layout;
        expected.since.retain(|id, _| layout.columns.iter().any(|column| column.id == *id));
    }

    /// The number of the layout that values are written with now.
    pub(crate) fn generation(&self) -> u64 {
        self.expected.lock().generation
    }

    /// Closes files other than these.
    pub(crate) fn keep_files(&self, is_kept: impl Fn(u64) -> bool) {
        self.files.lock().retain(|number, _| is_kept(*number));
    }

    /// Where an image is, for messages.
    fn place(&self, image: &ImageRef) -> String {
        let path = self.storage.paths.image(self.table, image.file);
        format!("file \"{path}\" at byte {}", image.offset)
    }

    fn file(&self, number: u64) -> Result<Arc<dyn File>> {
        if let Some(file) = self.files.lock().get(&number) {
            return Ok(Arc::clone(file));
        }
        let path = self.storage.paths.image(self.table, number);
        let file = self.storage.world.disk.open(&path, OpenMode::Read)?;
        crate::recover::check_magic(&*file)?;
        self.files.lock().insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// The bytes of an image, checked.
    pub(crate) fn image_bytes(&self, number: u64, image: &ImageRef) -> Result<Vec<u8>> {
        let read = || {
            let mut bytes = vec![0; image.length as usize];
            self.file(image.file)?.read_exact_at(&mut bytes, image.offset)?;
            image::verify(&bytes, image.crc)?;
            Ok(bytes)
        };
        read().map_err(|error: Error| self.damaged(error, number, image))
    }

    fn image(&self, number: u64, image: &ImageRef) -> Result<image::Decoded> {
        let bytes = self.image_bytes(number, image)?;
        let decoded = image::decode(&bytes, image.crc).and_then(|decoded| {
            if decoded.number == number && decoded.slots.len() == image.rows as usize {
                return Ok(decoded);
            }
            Err(Error::corrupt("block image is not the one referred to"))
        });
        decoded.map_err(|error| self.damaged(error, number, image))
    }

    fn damaged(&self, error: Error, number: u64, image: &ImageRef) -> Error {
        let place = self.place(image);
        if error.code() == SqlState::UNDEFINED_FILE {
            return Error::corrupt(format!("{place}, with block {number}, is missing"));
        }
        let what = format!("block {number} in {place}: {}", error.message());
        Error::new(error.code(), what)
    }
}

impl Block {
    /// A block whose values are in an image.
    pub(crate) fn cold(number: u64, image: ImageRef, home: &Arc<Home>) -> Arc<Block> {
        let block = Block::new(number, Vec::new(), home);
        block.dirty.store(false, Ordering::Relaxed);
        *block.image.lock() = Some(image);
        block.rows.write().cold.away = Some(Away::Image);
        block
    }

    /// The rows, for reading.
    pub(crate) fn read(&self) -> Result<RwLockReadGuard<'_, Rows>> {
        let rows = self.rows.read();
        if rows.cold.away.is_none() {
            self.note_use();
            return Ok(rows);
        }
        drop(rows);
        let mut rows = self.rows.write();
        self.bring_back(&mut rows)?;
        self.note_use();
        Ok(RwLockWriteGuard::downgrade(rows))
    }

    /// The rows, for changing.
    pub(crate) fn write(&self) -> Result<RwLockWriteGuard<'_, Rows>> {
        let mut rows = self.rows.write();
        if rows.cold.away.is_some() {
            self.bring_back(&mut rows)?;
        }
        rows.cold.spilled = None;
        self.note_use();
        Ok(rows)
    }

    fn note_use(&self) {
        // Read first: a line that all processors share stays shared.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the values are elsewhere.
    pub(crate) fn is_away(&self) -> bool {
        self.rows.read().cold.away.is_some()
    }

    /// Whether the block is in its image, or in the one being written, as it is, and has no
    /// history.
    pub(crate) fn is_plain(&self) -> bool {
        let rows = self.rows.read();
        let has_versions = rows.cold.spilled.as_ref().is_some_and(|s| !s.txns.is_empty());
        !self.dirty.load(Ordering::Acquire) && rows.chains.is_empty() && !has_versions
    }

    fn bring_back(&self, rows: &mut Rows) -> Result<()> {
        let generation = match rows.cold.away {
            None => return Ok(()),
            Some(Away::Image) => {
                let image = self.image.lock().clone();
                let image = image.ok_or_else(|| Error::bug("a block is nowhere"))?;
                let decoded = self.home.image(self.number, &image)?;
                rows.take_image(decoded);
                image.generation
            }
            Some(Away::Spilled) => {
                let spilled = rows.cold.spilled.take();
                let spilled = spilled.ok_or_else(|| Error::bug("a block is nowhere"))?;
                let read = spilled.extent.read().and_then(|bytes| {
                    decode(&bytes, rows, &spilled.txns)
                        .ok_or_else(|| Error::corrupt("malformed block in the temporary file"))
                });
                let generation = spilled.generation;
                rows.cold.spilled = Some(spilled);
                read?;
                generation
            }
        };
        let expected = self.home.expected.lock();
        let mut old = std::mem::take(&mut rows.columns);
        old.append(&mut rows.dropped);
        old.retain(|column| expected.since.get(&column.id).is_some_and(|at| *at <= generation));
        let (columns, rest) = arrange(old, &expected.layout, rows.len);
        drop(expected);
        rows.columns = columns;
        rows.dropped = rest;
        rows.cold.away = None;
        self.recharge(rows);
        Ok(())
    }

    /// Brings the account of memory up to date.
    pub(crate) fn recharge(&self, rows: &mut Rows) {
        if self.home.storage.is_limited() {
            let now = rows.memory();
            self.home.storage.recharge(rows.cold.charged, now);
            rows.cold.charged = now;
        }
    }

    /// Adds to the account what a change has taken, about.
    pub(crate) fn charge(&self, rows: &mut Rows, bytes: usize) {
        if self.home.storage.is_limited() {
            rows.cold.charged += bytes;
            self.home.storage.recharge(0, bytes);
        }
    }

    /// Sends the values away, unless they were used since the last look or somebody is at them.
    pub(crate) fn send_away(&self) -> Result<()> {
        if self.used.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let Some(mut rows) = self.rows.try_write() else { return Ok(()) };
        // A block whose rows are all dead is about to be dropped.
        let is_dead = rows.dead == SLOTS;
        if rows.cold.away.is_some() || is_dead || rows.len == 0 || rows.columns.is_empty() {
            return Ok(());
        }
        let is_clean = !self.dirty.load(Ordering::Acquire) && self.image.lock().is_some();
        if is_clean && rows.chains.is_empty() {
            rows.cold.spilled = None;
            rows.leave(Away::Image);
        } else {
            if rows.cold.spilled.is_none() {
                let (bytes, txns) = encode(&rows);
                let extent = self.home.storage.spill.put(&bytes)?;
                let generation = self.home.generation();
                rows.cold.spilled = Some(Spilled { extent, generation, txns });
            }
            if rows.can_spill_chains() {
                rows.chains = FxHashMap::default();
            }
            rows.leave(Away::Spilled);
        }
        self.recharge(&mut rows);
        Ok(())
    }

    /// Whether the block has changed since its image was taken, and that image: none if there is
    /// nothing to be seen of it.
    pub(crate) fn look(&self) -> (bool, Option<ImageRef>) {
        let _rows = self.rows.read();
        let image = self.image.lock().clone();
        (self.dirty.load(Ordering::Acquire), image)
    }

    /// Calls the block clean, to have another image soon. To be called under the latch.
    pub(crate) fn begin_clean(&self) -> bool {
        self.dirty.store(false, Ordering::Release);
        // The old image does not say what is in the block, the new one is not there yet.
        *self.image.lock() = None;
        true
    }

    /// Sends values away again that are still in the temporary file.
    pub(crate) fn send_back(&self) {
        let mut rows = self.rows.write();
        if rows.cold.spilled.is_some() && rows.cold.away.is_none() && rows.can_spill_chains() {
            rows.chains = FxHashMap::default();
            rows.leave(Away::Spilled);
            self.recharge(&mut rows);
        }
    }

    /// Makes an image the current one, in which the block is as it was when it became clean.
    pub(crate) fn install(&self, image: Option<ImageRef>) {
        let mut rows = self.rows.write();
        let is_settled = !self.dirty.load(Ordering::Acquire) && image.is_some();
        *self.image.lock() = image;
        let has_versions = rows.cold.spilled.as_ref().is_some_and(|s| !s.txns.is_empty());
        if is_settled
            && !has_versions
            && rows.chains.is_empty()
            && rows.cold.away == Some(Away::Spilled)
        {
            rows.cold.spilled = None;
            rows.cold.away = Some(Away::Image);
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let charged = self.rows.get_mut().cold.charged;
        if charged > 0 {
            self.home.storage.recharge(charged, 0);
        }
    }
}

/// Columns as a layout wants them, new ones reading their missing value; and the others.
pub(crate) fn arrange(
    mut old: Vec<Column>,
    layout: &TableLayout,
    len: usize,
) -> (Vec<Column>, Vec<Column>) {
    let mut columns = Vec::with_capacity(layout.columns.len());
    for column in &layout.columns {
        let known = old.iter().position(|c| c.id == column.id && c.physical == column.physical);
        columns.push(match known {
            Some(at) => old.swap_remove(at),
            None => Column::constant(column.id, column.physical.clone(), column.missing.clone()),
        });
    }
    for column in columns.iter_mut().chain(&mut old) {
        column.resize(len);
    }
    (columns, old)
}

impl Rows {
    pub(crate) fn is_away(&self) -> bool {
        self.cold.away.is_some()
    }

    fn leave(&mut self, away: Away) {
        self.columns = Vec::new();
        self.dropped = Vec::new();
        self.cold.away = Some(away);
    }

    /// Takes over what an image holds.
    fn take_image(&mut self, decoded: image::Decoded) {
        self.len = decoded.len;
        self.live = Bits::default();
        for slot in &decoded.slots {
            self.live.set((*slot).into(), true);
        }
        self.columns = decoded.columns;
        if self.created.is_empty() {
            self.created = decoded.created;
        }
        self.chains.extend(decoded.chains);
        self.count_dead();
    }

    /// Locks are held in memory, with the chains they are part of.
    fn can_spill_chains(&self) -> bool {
        let is_change =
            |version: &Version| matches!(version.before, Before::Columns { .. } | Before::Live);
        self.chains.values().all(|version| {
            let mut step = Some(&**version);
            while let Some(version) = step {
                if !is_change(version) {
                    return false;
                }
                step = version.next.as_deref();
            }
            true
        })
    }
}

const LIVE: u8 = 0;
const COLUMNS: u8 = 1;
const KEY_COLUMNS: u8 = 2;

/// All that [`Block::send_away`] takes out of memory. The bytes never outlive the process.
fn encode(rows: &Rows) -> (Vec<u8>, Vec<Arc<TxnState>>) {
    let mut out = Vec::with_capacity(64 << 10);
    put_varint(&mut out, (rows.columns.len() + rows.dropped.len()) as u64);
    for column in rows.columns.iter().chain(&rows.dropped) {
        put_varint(&mut out, column.id.0.into());
        put_physical(&mut out, &column.physical);
        for slot in 0..rows.len {
            column.write(slot, &mut out);
        }
    }
    let mut txns: Vec<Arc<TxnState>> = Vec::new();
    if rows.can_spill_chains() {
        put_varint(&mut out, rows.chains.len() as u64);
        for (slot, version) in &rows.chains {
            put_varint(&mut out, (*slot).into());
            put_chain(&mut out, version, rows, &mut txns);
        }
    } else {
        put_varint(&mut out, 0);
    }
    (lz4_flex::compress_prepend_size(&out), txns)
}

fn put_chain(out: &mut Vec<u8>, version: &Version, rows: &Rows, txns: &mut Vec<Arc<TxnState>>) {
    let mut next = Some(version);
    while let Some(step) = next {
        let known = txns.iter().position(|txn| Arc::ptr_eq(txn, &step.txn));
        let txn = known.unwrap_or_else(|| {
            txns.push(Arc::clone(&step.txn));
            txns.len() - 1
        });
        out.push(1);
        put_varint(out, txn as u64);
        put_varint(out, step.command.into());
        match &step.before {
            Before::Columns { values, key } => {
                out.push(if *key { KEY_COLUMNS } else { COLUMNS });
                let columns = || rows.columns.iter().chain(&rows.dropped);
                // A column that is gone for good has nobody to read its old values.
                let wanted = values.iter().filter_map(|(id, datum)| {
                    columns().find(|column| column.id == *id).map(|column| (column, datum))
                });
                put_varint(out, wanted.clone().count() as u64);
                for (column, datum) in wanted {
                    put_varint(out, column.id.0.into());
                    put_physical(out, &column.physical);
                    encode_datum(out, datum);
                }
            }
            _ => out.push(LIVE),
        }
        next = step.next.as_deref();
    }
    out.push(0);
}

fn decode(bytes: &[u8], rows: &mut Rows, txns: &[Arc<TxnState>]) -> Option<()> {
    let plain = lz4_flex::decompress_size_prepended(bytes).ok()?;
    let mut reader = Reader::new(&plain);
    let mut columns = Vec::new();
    for _ in 0..reader.varint()? {
        let id = ColumnId(read_u32(&mut reader)?);
        let physical = read_physical(&mut reader, 0)?;
        let mut column = Column::new(id, physical);
        for slot in 0..rows.len {
            column.read(slot, &mut reader)?;
        }
        if rows.len == SLOTS {
            column.shrink();
        }
        columns.push(column);
    }
    for _ in 0..reader.varint()? {
        let slot = u16::try_from(reader.varint()?).ok()?;
        let chain = read_chain(&mut reader, txns)??;
        rows.chains.insert(slot, chain);
    }
    rows.columns = columns;
    reader.is_empty().then_some(())
}

#[expect(clippy::option_option, reason = "malformed, the end, or a version")]
fn read_chain(reader: &mut Reader<'_>, txns: &[Arc<TxnState>]) -> Option<Option<Box<Version>>> {
    let mut versions = Vec::new();
    while read_bool(reader)? {
        let txn = txns.get(usize::try_from(reader.varint()?).ok()?)?.clone();
        let command = read_u32(reader)?;
        let kind = reader.u8()?;
        let before = if kind == LIVE {
            Before::Live
        } else {
            let mut values = Vec::new();
            for _ in 0..reader.varint()? {
                let id = ColumnId(read_u32(reader)?);
                let physical = read_physical(reader, 0)?;
                values.push((id, decode_datum(reader, &physical)?));
            }
            Before::Columns { values: values.into_boxed_slice(), key: kind == KEY_COLUMNS }
        };
        versions.push((txn, command, before));
    }
    let mut chain = None;
    for (txn, command, before) in versions.into_iter().rev() {
        chain = Some(Box::new(Version { txn, command, before, next: chain }));
    }
    Some(chain)
}
