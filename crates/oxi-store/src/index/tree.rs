//! An ordered set of (key, row id): a two-level directory of sorted leaves, each with its latch.
//!
//! Lookups and most changes hold the directory for reading and one leaf; only a split or the
//! removal of an empty leaf takes the directory for writing. Ascending insertion leaves full
//! leaves behind.

use oxi_base::RowId;
use parking_lot::RwLock;
use smallvec::SmallVec;

/// Entries of a leaf.
const LEAF: usize = 128;
/// Leaves of a chunk of the directory.
const CHUNK: usize = 512;

/// What can be a key.
pub(crate) trait TreeKey: Ord + Clone + Send + Sync {
    /// Where among `count` keys from `first` to `last` this one lies if they are evenly spread.
    fn guess(&self, _first: &Self, _last: &Self, _count: usize) -> Option<usize> {
        None
    }
}

impl TreeKey for u64 {
    fn guess(&self, first: &u64, last: &u64, count: usize) -> Option<usize> {
        let (span, from) = (last.checked_sub(*first)?, self.checked_sub(*first)?);
        // Exact for spans below 2^53 / count; beyond, a neighbour is guessed.
        let place = from as f64 * (count - 1) as f64 / span.max(1) as f64;
        Some((place as usize).min(count - 1))
    }
}

impl TreeKey for () {}
impl TreeKey for u128 {}
impl TreeKey for Box<[u8]> {}

/// An end of a range of entries.
pub(crate) enum End<K> {
    Open,
    /// Including the entry.
    At(K, u64),
    /// Excluding the entry.
    Beyond(K, u64),
}

pub(crate) struct Tree<K> {
    /// Chunks are never empty; there is always one leaf.
    directory: RwLock<Vec<Vec<Leaf<K>>>>,
}

struct Leaf<K> {
    /// Entries below this one are in leaves before; ignored for the first leaf.
    low: Option<(K, u64)>,
    entries: RwLock<Vec<(K, u64)>>,
}

impl<K: TreeKey> Leaf<K> {
    fn new(low: Option<(K, u64)>, entries: Vec<(K, u64)>) -> Self {
        Leaf { low, entries: RwLock::new(entries) }
    }

    fn starts_by(&self, key: &K, row: u64) -> bool {
        self.low.as_ref().is_none_or(|(low, low_row)| (low, *low_row) <= (key, row))
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
    pub(crate) fn new() -> Self {
        Tree { directory: RwLock::new(vec![vec![Leaf::new(None, Vec::new())]]) }
    }

    /// A tree of sorted, distinct entries.
    pub(crate) fn from_sorted(sorted: Vec<(K, u64)>) -> Self {
        let tree = Tree::new();
        let mut leaves = Vec::new();
        let mut rest = sorted.into_iter().peekable();
        while rest.peek().is_some() {
            let entries: Vec<_> = rest.by_ref().take(LEAF).collect();
            let low = if leaves.is_empty() { None } else { entries.first().cloned() };
            leaves.push(Leaf::new(low, entries));
        }
        if !leaves.is_empty() {
            let mut chunks = Vec::new();
            let mut leaves = leaves.into_iter().peekable();
            while leaves.peek().is_some() {
                chunks.push(leaves.by_ref().take(CHUNK).collect());
            }
            *tree.directory.write() = chunks;
        }
        tree
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let directory = self.directory.read();
        directory.iter().flatten().map(|leaf| leaf.entries.read().len()).sum()
    }

    /// Inserts an entry; false if it is there.
    pub(crate) fn insert(&self, key: &K, row: u64) -> bool {
        {
            let directory = self.directory.read();
            let (chunk, leaf) = find(&directory, key, row);
            let mut entries = directory[chunk][leaf].entries.write();
            match search(&entries, key, row) {
                Ok(_) => return false,
                Err(place) if entries.len() < LEAF => {
                    entries.insert(place, (key.clone(), row));
                    return true;
                }
                Err(_) => {}
            }
        }
        let mut directory = self.directory.write();
        let (chunk, leaf) = find(&directory, key, row);
        let last = chunk + 1 == directory.len() && leaf + 1 == directory[chunk].len();
        let entries = directory[chunk][leaf].entries.get_mut();
        let Err(place) = search(entries, key, row) else { return false };
        if entries.len() < LEAF {
            entries.insert(place, (key.clone(), row));
            return true;
        }
        let new = if last && place == entries.len() {
            vec![(key.clone(), row)]
        } else {
            entries.insert(place, (key.clone(), row));
            let upper = entries.split_off(entries.len() / 2);
            entries.shrink_to_fit();
            upper
        };
        let low = new.first().cloned();
        directory[chunk].insert(leaf + 1, Leaf::new(low, new));
        if directory[chunk].len() > CHUNK {
            let at = if last { CHUNK } else { CHUNK / 2 };
            let upper = directory[chunk].split_off(at);
            directory.insert(chunk + 1, upper);
        }
        true
    }

    pub(crate) fn contains(&self, key: &K, row: u64) -> bool {
        let directory = self.directory.read();
        let (chunk, leaf) = find(&directory, key, row);
        let entries = directory[chunk][leaf].entries.read();
        search(&entries, key, row).is_ok()
    }

    /// The rows of all entries with exactly this key.
    pub(crate) fn rows_of(&self, key: &K) -> SmallVec<[RowId; 4]> {
        let mut rows = SmallVec::new();
        let directory = self.directory.read();
        let (mut chunk, mut leaf) = find(&directory, key, 0);
        while let Some(leaves) = directory.get(chunk) {
            while let Some(place) = leaves.get(leaf) {
                let entries = place.entries.read();
                let start = first_of(&entries, key);
                for (found, row) in &entries[start..] {
                    if found != key {
                        return rows;
                    }
                    rows.push(RowId(*row));
                }
                leaf += 1;
            }
            chunk += 1;
            leaf = 0;
        }
        rows
    }

    /// Removes an entry; false if it is not there.
    pub(crate) fn remove(&self, key: &K, row: u64) -> bool {
        let emptied = {
            let directory = self.directory.read();
            let (chunk, leaf) = find(&directory, key, row);
            let mut entries = directory[chunk][leaf].entries.write();
            let Ok(place) = search(&entries, key, row) else { return false };
            entries.remove(place);
            entries.is_empty()
        };
        if emptied {
            self.remove_empty_leaf(key, row);
        }
        true
    }

    fn remove_empty_leaf(&self, key: &K, row: u64) {
        let mut directory = self.directory.write();
        let (chunk, leaf) = find(&directory, key, row);
        let alone = directory.len() == 1 && directory[chunk].len() == 1;
        if alone || !directory[chunk][leaf].entries.get_mut().is_empty() {
            return;
        }
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
    ) -> bool {
        let directory = self.directory.read();
        let (mut chunk, mut leaf) = match lower {
            End::Open => (0, 0),
            End::At(key, row) | End::Beyond(key, row) => find(&directory, key, *row),
        };
        while let Some(leaves) = directory.get(chunk) {
            while let Some(place) = leaves.get(leaf) {
                let entries = place.entries.read();
                let start = match lower {
                    End::Open => 0,
                    End::At(key, row) => search(&entries, key, *row).unwrap_or_else(|at| at),
                    End::Beyond(key, row) => {
                        search(&entries, key, *row).map_or_else(|at| at, |at| at + 1)
                    }
                };
                for (key, row) in &entries[start.min(entries.len())..] {
                    let inside = match upper {
                        End::Open => true,
                        End::At(end, end_row) => (key, *row) <= (end, *end_row),
                        End::Beyond(end, end_row) => (key, *row) < (end, *end_row),
                    };
                    if !inside {
                        return true;
                    }
                    if out.len() >= limit {
                        return false;
                    }
                    out.push((key.clone(), *row));
                }
                leaf += 1;
            }
            chunk += 1;
            leaf = 0;
        }
        true
    }

    /// The same from the upper end, descending.
    pub(crate) fn descend(
        &self,
        lower: &End<K>,
        upper: &End<K>,
        limit: usize,
        out: &mut Vec<(K, u64)>,
    ) -> bool {
        let directory = self.directory.read();
        let (mut chunk, mut leaf) = match upper {
            End::Open => (directory.len() - 1, directory[directory.len() - 1].len() - 1),
            End::At(key, row) | End::Beyond(key, row) => find(&directory, key, *row),
        };
        loop {
            let entries = directory[chunk][leaf].entries.read();
            let end = match upper {
                End::Open => entries.len(),
                End::At(key, row) => search(&entries, key, *row).map_or_else(|at| at, |at| at + 1),
                End::Beyond(key, row) => search(&entries, key, *row).unwrap_or_else(|at| at),
            };
            for (key, row) in entries[..end].iter().rev() {
                let inside = match lower {
                    End::Open => true,
                    End::At(start, start_row) => (key, *row) >= (start, *start_row),
                    End::Beyond(start, start_row) => (key, *row) > (start, *start_row),
                };
                if !inside {
                    return true;
                }
                if out.len() >= limit {
                    return false;
                }
                out.push((key.clone(), *row));
            }
            if leaf > 0 {
                leaf -= 1;
            } else if chunk > 0 {
                chunk -= 1;
                leaf = directory[chunk].len() - 1;
            } else {
                return true;
            }
        }
    }
}
