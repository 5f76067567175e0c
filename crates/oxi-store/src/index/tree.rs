//! An ordered set of (key, row id): a two-level directory of sorted leaves, each with its latch.
//!
//! Lookups and most changes hold the directory for reading and one leaf; only a split or the
//! removal of an empty leaf takes the directory for writing. Ascending insertion leaves full
//! leaves behind.
//!
//! The entries of a leaf may be elsewhere: in a block of the base, or in the temporary file. They
//! come back when somebody looks at them.

use std::{
    iter::Peekable,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    vec::IntoIter,
};

use oxi_base::{Error, Result, RowId};
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use smallvec::SmallVec;

use super::base::{self, BaseBlock, Shelf};
use crate::spill::Extent;

mod away;
mod gather;

pub(crate) use gather::Piece;

/// Entries of a leaf.
const LEAF: usize = 128;
/// Leaves of a chunk of the directory.
const CHUNK: usize = 512;

/// What can be a key.
pub(crate) trait TreeKey: Ord + Clone + Send + Sync {
    /// Appends the key as bytes that sort like it.
    fn put(&self, out: &mut Vec<u8>);

    /// The key of such bytes.
    fn take(bytes: &[u8]) -> Option<Self>;

    /// Bytes it takes beside the entry.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// Where among `count` keys from `first` to `last` this one lies if they are evenly spread.
    fn guess(&self, _first: &Self, _last: &Self, _count: usize) -> Option<usize> {
        None
    }
}

impl TreeKey for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(u64::from_be_bytes).ok()
    }

    fn guess(&self, first: &u64, last: &u64, count: usize) -> Option<usize> {
        let (span, from) = (last.checked_sub(*first)?, self.checked_sub(*first)?);
        // Exact for spans below 2^53 / count; beyond, a neighbour is guessed.
        let place = from as f64 * (count - 1) as f64 / span.max(1) as f64;
        Some((place as usize).min(count - 1))
    }
}

impl TreeKey for () {
    fn put(&self, _: &mut Vec<u8>) {}

    fn take(bytes: &[u8]) -> Option<Self> {
        bytes.is_empty().then_some(())
    }
}

impl TreeKey for u128 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(u128::from_be_bytes).ok()
    }
}

impl TreeKey for Box<[u8]> {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        Some(bytes.into())
    }

    fn heap_bytes(&self) -> usize {
        self.len() + 16
    }
}

/// An end of a range of entries.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum End<K> {
    Open,
    /// Including the entry.
    At(K, u64),
    /// Excluding the entry.
    Beyond(K, u64),
}

impl<K: TreeKey> End<K> {
    /// Whether some entry of `key` lies above this lower end.
    pub(crate) fn is_below(&self, key: &K) -> bool {
        match self {
            End::Open => true,
            End::At(end, _) => end <= key,
            End::Beyond(end, row) => (end, *row) < (key, u64::MAX),
        }
    }

    /// Whether some entry of `key` lies below this upper end.
    pub(crate) fn is_above(&self, key: &K) -> bool {
        match self {
            End::Open => true,
            End::At(end, _) => end >= key,
            End::Beyond(end, row) => (end, *row) > (key, 0),
        }
    }
}

/// An entry as the end of a range.
type Mark<K> = Option<(K, u64)>;

pub(crate) struct Tree<K: TreeKey> {
    /// Chunks are never empty; there is always one leaf.
    directory: RwLock<Vec<Vec<Leaf<K>>>>,
    shelf: Arc<Shelf>,
    /// Where the last look for what can be sent away ended.
    hand: Mutex<Mark<K>>,
}

struct Leaf<K> {
    /// Entries below this one are in leaves before; ignored for the first leaf.
    low: Mark<K>,
    /// Looked at since the last look for what can be sent away.
    used: AtomicBool,
    /// To be looked at through [`Leaf::read`] and [`Leaf::write`].
    body: RwLock<Body<K>>,
}

struct Body<K> {
    entries: Vec<(K, u64)>,
    /// The block of the base that has these entries, perhaps with those of neighbours.
    base: Option<Arc<BaseBlock>>,
    away: Option<Away>,
    /// Bytes in the account of memory.
    charged: usize,
}

/// Where entries are that are not here.
enum Away {
    /// All entries of the block [`Body::base`].
    Base,
    /// In the temporary file, so many.
    Spilled(Box<Extent>, usize),
}

/// Where a look at up to so many leaves from `leaf` on ends, without parting those of one block of
/// the base.
fn look_end<K: TreeKey>(leaves: &[Leaf<K>], leaf: usize, most: usize) -> usize {
    let mut end = (leaf + most).min(leaves.len());
    while end < leaves.len() {
        let (last, next) = (leaves[end - 1].body.read(), leaves[end].body.read());
        let is_same = match (&last.base, &next.base) {
            (Some(last), Some(next)) => Arc::ptr_eq(last, next),
            _ => false,
        };
        if !is_same {
            break;
        }
        end += 1;
    }
    end
}

impl<K: TreeKey> Body<K> {
    /// The entries are about to change.
    fn change(&mut self) {
        if let Some(base) = self.base.take() {
            base.change();
        }
    }

    /// Brings entries back that are elsewhere.
    fn bring_back(&mut self, shelf: &Shelf) -> Result<()> {
        let entries = match &self.away {
            None => return Ok(()),
            Some(_) => self.look_up(shelf)?,
        };
        self.entries = entries;
        self.away = None;
        self.recharge(shelf);
        Ok(())
    }

    /// The entries, wherever they are.
    fn look_up(&self, shelf: &Shelf) -> Result<Vec<(K, u64)>> {
        match (&self.away, &self.base) {
            (None, _) => Ok(self.entries.clone()),
            (Some(Away::Base), Some(block)) => shelf.entries(block),
            (Some(Away::Base), None) => Err(Error::bug("a leaf is nowhere")),
            (Some(Away::Spilled(extent, _)), _) => base::decode(&extent.read()?)
                .ok_or_else(|| Error::corrupt("malformed leaf in the temporary file")),
        }
    }

    /// Brings the account of memory up to date.
    fn recharge(&mut self, shelf: &Shelf) {
        if shelf.storage.is_limited() {
            let heap: usize = self.entries.iter().map(|(key, _)| key.heap_bytes()).sum();
            let now = self.entries.capacity() * size_of::<(K, u64)>() + heap;
            shelf.storage.recharge(self.charged, now);
            self.charged = now;
        }
    }
}

impl<K: TreeKey> Leaf<K> {
    fn new(low: Mark<K>, entries: Vec<(K, u64)>, shelf: &Shelf) -> Self {
        let mut body = Body { entries, base: None, away: None, charged: 0 };
        body.recharge(shelf);
        Leaf { low, used: AtomicBool::new(true), body: RwLock::new(body) }
    }

    /// A leaf whose entries are elsewhere.
    fn cold(low: Mark<K>, base: Option<Arc<BaseBlock>>, away: Away) -> Self {
        let body = Body { entries: Vec::new(), base, away: Some(away), charged: 0 };
        Leaf { low, used: AtomicBool::new(false), body: RwLock::new(body) }
    }

    fn starts_by(&self, key: &K, row: u64) -> bool {
        self.low.as_ref().is_none_or(|(low, low_row)| (low, *low_row) <= (key, row))
    }

    fn note_use(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    fn read(&self, shelf: &Shelf) -> Result<RwLockReadGuard<'_, Body<K>>> {
        self.note_use();
        let body = self.body.read();
        if body.away.is_none() {
            return Ok(body);
        }
        drop(body);
        self.write(shelf).map(RwLockWriteGuard::downgrade)
    }

    fn write(&self, shelf: &Shelf) -> Result<RwLockWriteGuard<'_, Body<K>>> {
        self.note_use();
        let mut body = self.body.write();
        body.bring_back(shelf)?;
        Ok(body)
    }

    /// The body of a leaf that nobody else can be at.
    fn own(&mut self, shelf: &Shelf) -> Result<&mut Body<K>> {
        let body = self.body.get_mut();
        body.bring_back(shelf)?;
        Ok(body)
    }
}

impl<K: TreeKey> Drop for Tree<K> {
    fn drop(&mut self) {
        if self.shelf.storage.is_limited() {
            let leaves = self.directory.get_mut().iter_mut().flatten();
            let charged = leaves.map(|leaf| leaf.body.get_mut().charged).sum();
            self.shelf.storage.recharge(charged, 0);
        }
    }
}

fn find<K: TreeKey>(directory: &[Vec<Leaf<K>>], key: &K, row: u64) -> (usize, usize) {
    let chunk = directory.partition_point(|leaves| leaves[0].starts_by(key, row)).saturating_sub(1);
    (chunk, leaf_of(&directory[chunk], key, row))
}

/// The last leaf that starts by an entry, or the first.
fn leaf_of<K: TreeKey>(leaves: &[Leaf<K>], key: &K, row: u64) -> usize {
    // Ascending insertion leaves leaves of the same width: then the first look hits, where a
    // search would look at as many places in memory as it has steps.
    if let [_, second, .., last] = leaves
        && let (Some((second, _)), Some((last, _))) = (&second.low, &last.low)
        && let Some(place) = key.guess(second, last, leaves.len() - 1)
        && leaves[place + 1].starts_by(key, row)
        && leaves.get(place + 2).is_none_or(|next| !next.starts_by(key, row))
    {
        return place + 1;
    }
    leaves.partition_point(|leaf| leaf.starts_by(key, row)).saturating_sub(1)
}

fn search<K: TreeKey>(entries: &[(K, u64)], key: &K, row: u64) -> Result<usize, usize> {
    // Ascending keys are common: look at the end first.
    match entries.last() {
        None => return Err(0),
        Some((last, last_row)) if (last, *last_row) < (key, row) => return Err(entries.len()),
        Some(_) => {}
    }
    // Numbers without gaps are common too: then the first probe hits.
    if let (Some((first, _)), Some((last, _))) = (entries.first(), entries.last())
        && let Some(place) = key.guess(first, last, entries.len())
        && (&entries[place].0, entries[place].1) == (key, row)
    {
        return Ok(place);
    }
    entries.binary_search_by(|(k, r)| k.cmp(key).then(r.cmp(&row)))
}

/// The place of the first entry of a key, or where it would be.
fn first_of<K: TreeKey>(entries: &[(K, u64)], key: &K) -> usize {
    if let (Some((first, _)), Some((last, _))) = (entries.first(), entries.last())
        && let Some(place) = key.guess(first, last, entries.len())
        && entries[place].0 == *key
        && place.checked_sub(1).is_none_or(|before| entries[before].0 < *key)
    {
        return place;
    }
    entries.partition_point(|(found, _)| found < key)
}

impl<K: TreeKey> Tree<K> {
    pub(crate) fn new(shelf: &Arc<Shelf>) -> Self {
        let leaf = Leaf::new(None, Vec::new(), shelf);
        Tree::of_chunks(vec![vec![leaf]], shelf)
    }

    /// A tree of sorted, distinct entries.
    pub(crate) fn from_sorted(sorted: Vec<(K, u64)>, shelf: &Arc<Shelf>) -> Self {
        let mut leaves = Vec::new();
        let mut rest = sorted.into_iter().peekable();
        while rest.peek().is_some() {
            let entries: Vec<_> = rest.by_ref().take(LEAF).collect();
            let low = if leaves.is_empty() { None } else { entries.first().cloned() };
            leaves.push(Leaf::new(low, entries, shelf));
        }
        Tree::of_leaves(leaves, shelf)
    }

    /// A tree whose entries are in blocks of the base, in order; `None` if a block's first entry is
    /// not a key.
    pub(crate) fn from_base(blocks: Vec<Arc<BaseBlock>>, shelf: &Arc<Shelf>) -> Option<Self> {
        let mut leaves: Vec<Leaf<K>> = Vec::with_capacity(blocks.len());
        for block in blocks {
            let (key, row) = block.first();
            let low = (K::take(&key)?, row);
            if leaves.last().and_then(|leaf| leaf.low.as_ref()).is_some_and(|last| *last >= low) {
                return None;
            }
            let low = if leaves.is_empty() { None } else { Some(low) };
            leaves.push(Leaf::cold(low, Some(block), Away::Base));
        }
        Some(Tree::of_leaves(leaves, shelf))
    }

    fn of_leaves(leaves: Vec<Leaf<K>>, shelf: &Arc<Shelf>) -> Self {
        if leaves.is_empty() {
            return Tree::new(shelf);
        }
        let mut chunks = Vec::new();
        let mut leaves: Peekable<IntoIter<Leaf<K>>> = leaves.into_iter().peekable();
        while leaves.peek().is_some() {
            chunks.push(leaves.by_ref().take(CHUNK).collect());
        }
        Tree::of_chunks(chunks, shelf)
    }

    fn of_chunks(chunks: Vec<Vec<Leaf<K>>>, shelf: &Arc<Shelf>) -> Self {
        let directory = RwLock::new(chunks);
        Tree { directory, shelf: Arc::clone(shelf), hand: Mutex::new(None) }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let directory = self.directory.read();
        let leaves = directory.iter().flatten();
        leaves.map(|leaf| leaf.read(&self.shelf).expect("readable").entries.len()).sum()
    }

    /// Inserts an entry; false if it is there.
    pub(crate) fn insert(&self, key: &K, row: u64) -> Result<bool> {
        {
            let directory = self.directory.read();
            let (chunk, leaf) = find(&directory, key, row);
            let mut body = directory[chunk][leaf].write(&self.shelf)?;
            match search(&body.entries, key, row) {
                Ok(_) => return Ok(false),
                Err(place) if body.entries.len() < LEAF => {
                    body.change();
                    let room = body.entries.capacity();
                    body.entries.insert(place, (key.clone(), row));
                    if body.entries.capacity() != room {
                        body.recharge(&self.shelf);
                    }
                    return Ok(true);
                }
                Err(_) => {}
            }
        }
        self.insert_splitting(key, row)
    }

    fn insert_splitting(&self, key: &K, row: u64) -> Result<bool> {
        let mut directory = self.directory.write();
        let (chunk, leaf) = find(&directory, key, row);
        let last = chunk + 1 == directory.len() && leaf + 1 == directory[chunk].len();
        let body = directory[chunk][leaf].own(&self.shelf)?;
        let Err(place) = search(&body.entries, key, row) else { return Ok(false) };
        body.change();
        if body.entries.len() < LEAF {
            body.entries.insert(place, (key.clone(), row));
            return Ok(true);
        }
        let new = if last && place == body.entries.len() {
            vec![(key.clone(), row)]
        } else {
            body.entries.insert(place, (key.clone(), row));
            let upper = body.entries.split_off(body.entries.len() / 2);
            body.entries.shrink_to_fit();
            upper
        };
        body.recharge(&self.shelf);
        let low = new.first().cloned();
        directory[chunk].insert(leaf + 1, Leaf::new(low, new, &self.shelf));
        if directory[chunk].len() > CHUNK {
            let at = if last { CHUNK } else { CHUNK / 2 };
            let upper = directory[chunk].split_off(at);
            directory.insert(chunk + 1, upper);
        }
        Ok(true)
    }

    pub(crate) fn contains(&self, key: &K, row: u64) -> Result<bool> {
        let directory = self.directory.read();
        let (chunk, leaf) = find(&directory, key, row);
        let body = directory[chunk][leaf].read(&self.shelf)?;
        Ok(search(&body.entries, key, row).is_ok())
    }

    /// The rows of all entries with exactly this key.
    pub(crate) fn rows_of(&self, key: &K) -> Result<SmallVec<[RowId; 4]>> {
        let mut rows = SmallVec::new();
        let directory = self.directory.read();
        let (mut chunk, mut leaf) = find(&directory, key, 0);
        while let Some(leaves) = directory.get(chunk) {
            while let Some(place) = leaves.get(leaf) {
                let body = place.read(&self.shelf)?;
                let start = first_of(&body.entries, key);
                for (found, row) in &body.entries[start..] {
                    if found != key {
                        return Ok(rows);
                    }
                    rows.push(RowId(*row));
                }
                leaf += 1;
                // Where the next leaf begins above the key, it need not be looked at.
                if leaves.get(leaf).is_some_and(|next| !next.starts_by(key, u64::MAX)) {
                    return Ok(rows);
                }
            }
            chunk += 1;
            leaf = 0;
        }
        Ok(rows)
    }

    /// Removes an entry; false if it is not there.
    pub(crate) fn remove(&self, key: &K, row: u64) -> Result<bool> {
        let emptied = {
            let directory = self.directory.read();
            let (chunk, leaf) = find(&directory, key, row);
            let mut body = directory[chunk][leaf].write(&self.shelf)?;
            let Ok(place) = search(&body.entries, key, row) else { return Ok(false) };
            body.change();
            body.entries.remove(place);
            body.entries.is_empty()
        };
        if emptied {
            self.remove_empty_leaf(key, row);
        }
        Ok(true)
    }

    fn remove_empty_leaf(&self, key: &K, row: u64) {
        let mut directory = self.directory.write();
        let (chunk, leaf) = find(&directory, key, row);
        let alone = directory.len() == 1 && directory[chunk].len() == 1;
        let body = directory[chunk][leaf].body.get_mut();
        if alone || body.away.is_some() || !body.entries.is_empty() {
            return;
        }
        self.shelf.storage.recharge(body.charged, 0);
        directory[chunk].remove(leaf);
        if directory[chunk].is_empty() {
            directory.remove(chunk);
        }
        // The first leaf takes everything below.
        if let Some(first) = directory.first_mut().and_then(|leaves| leaves.first_mut()) {
            first.low = None;
        }
    }

    /// Appends up to about `limit` entries of a range, ascending, at whole leaves' grain; returns
    /// true when the range is exhausted.
    pub(crate) fn ascend(
        &self,
        lower: &End<K>,
        upper: &End<K>,
        limit: usize,
        out: &mut Vec<(K, u64)>,
    ) -> Result<bool> {
        let directory = self.directory.read();
        let (mut chunk, mut leaf) = match lower {
            End::Open => (0, 0),
            End::At(key, row) | End::Beyond(key, row) => find(&directory, key, *row),
        };
        while let Some(leaves) = directory.get(chunk) {
            while let Some(place) = leaves.get(leaf) {
                let entries = &place.read(&self.shelf)?.entries;
                let start = match lower {
                    End::Open => 0,
                    End::At(key, row) => search(entries, key, *row).unwrap_or_else(|at| at),
                    End::Beyond(key, row) => {
                        search(entries, key, *row).map_or_else(|at| at, |at| at + 1)
                    }
                };
                for (key, row) in &entries[start.min(entries.len())..] {
                    let inside = match upper {
                        End::Open => true,
                        End::At(end, end_row) => (key, *row) <= (end, *end_row),
                        End::Beyond(end, end_row) => (key, *row) < (end, *end_row),
                    };
                    if !inside {
                        return Ok(true);
                    }
                    if out.len() >= limit {
                        return Ok(false);
                    }
                    out.push((key.clone(), *row));
                }
                leaf += 1;
            }
            chunk += 1;
            leaf = 0;
        }
        Ok(true)
    }

    /// The same from the upper end, descending.
    pub(crate) fn descend(
        &self,
        lower: &End<K>,
        upper: &End<K>,
        limit: usize,
        out: &mut Vec<(K, u64)>,
    ) -> Result<bool> {
        let directory = self.directory.read();
        let (mut chunk, mut leaf) = match upper {
            End::Open => (directory.len() - 1, directory[directory.len() - 1].len() - 1),
            End::At(key, row) | End::Beyond(key, row) => find(&directory, key, *row),
        };
        loop {
            let entries = &directory[chunk][leaf].read(&self.shelf)?.entries;
            let end = match upper {
                End::Open => entries.len(),
                End::At(key, row) => search(entries, key, *row).map_or_else(|at| at, |at| at + 1),
                End::Beyond(key, row) => search(entries, key, *row).unwrap_or_else(|at| at),
            };
            for (key, row) in entries[..end].iter().rev() {
                let inside = match lower {
                    End::Open => true,
                    End::At(start, start_row) => (key, *row) >= (start, *start_row),
                    End::Beyond(start, start_row) => (key, *row) > (start, *start_row),
                };
                if !inside {
                    return Ok(true);
                }
                if out.len() >= limit {
                    return Ok(false);
                }
                out.push((key.clone(), *row));
            }
            if leaf > 0 {
                leaf -= 1;
            } else if chunk > 0 {
                chunk -= 1;
                leaf = directory[chunk].len() - 1;
            } else {
                return Ok(true);
            }
        }
    }
}
