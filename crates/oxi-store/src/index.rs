//! An index: key → row ids, unversioned. It never misses an entry of a version that somebody may
//! see, and may hold entries that no longer hold: the row decides.

use std::{
    borrow::Borrow,
    hash::Hasher,
    ops::Bound,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use oxi_base::{Error, IndexId, Result, RowId, TableId, Ts};
use oxi_model::{
    Datum, PhysicalType,
    engine::{IndexLayout, KeyRange, TableLayout},
};
use parking_lot::{Mutex, MutexGuard};
use rustc_hash::FxHasher;
use smallvec::SmallVec;

use crate::{storage::Storage, undo::TxnState};

pub(crate) mod base;
pub(crate) mod build;
pub(crate) mod key;
pub(crate) mod save;
pub(crate) mod span;
pub(crate) mod tree;

use base::Shelf;
use key::{Key, KeyColumn, KeyKind, fixed_u64, fixed_u128, put_column, successor};
use span::{FixedSpan, Span};
use tree::{End, Tree};

/// Entries fetched from the tree at a time.
const BATCH: usize = 512;
/// Mutexes that make "look for the key, then insert it" one step in unique indexes.
const STRIPES: usize = 64;

pub(crate) struct Index {
    pub(crate) id: IndexId,
    pub(crate) table: TableId,
    pub(crate) layout: IndexLayout,
    /// Who created it (checkpoints leave out what is not committed).
    pub(crate) created: Arc<TxnState>,
    columns: Vec<KeyColumn>,
    kind: KeyKind,
    entries: Entries,
    /// NULLs of fixed keys.
    nulls: Tree<()>,
    stripes: Vec<Mutex<()>>,
    /// Equal keys are refused: from the start, or once all entries are there.
    enforced: AtomicBool,
    /// Who made an index unique that was built beside its writers.
    unique_by: OnceLock<Arc<TxnState>>,
    /// It has the entries of all rows. What fills it is not in the log: a checkpoint leaves the
    /// entries of an incomplete index out, and a start makes them from the rows.
    complete: AtomicBool,
    shelf: Arc<Shelf>,
}

/// An end of a range of byte keys.
type BytesEnd = End<Box<[u8]>>;

enum Entries {
    U64(Tree<u64>),
    U128(Tree<u128>),
    Bytes(Tree<Box<[u8]>>),
}

/// An index with the places of its columns in the table's current layout.
#[derive(Clone)]
pub(crate) struct IndexUse {
    pub(crate) index: Arc<Index>,
    pub(crate) positions: SmallVec<[usize; 4]>,
}

impl IndexUse {
    pub(crate) fn new(index: Arc<Index>, layout: &TableLayout) -> Option<Self> {
        let positions = index
            .layout
            .columns
            .iter()
            .map(|c| layout.columns.iter().position(|column| column.id == c.column))
            .collect::<Option<_>>()?;
        Some(IndexUse { index, positions })
    }

    /// The key of a row whose values `value` gives by position, and whether it has a NULL.
    pub(crate) fn key<D: Borrow<Datum>>(&self, mut value: impl FnMut(usize) -> D) -> (Key, bool) {
        self.index.key(|number| value(self.positions[number]))
    }

    /// Whether a row whose values `value` gives by position has this key.
    pub(crate) fn has_key(
        &self,
        key: &Key,
        scratch: &mut Vec<u8>,
        mut value: impl FnMut(usize) -> Datum,
    ) -> bool {
        let Key::Bytes(bytes) = key else { return self.key(value).0 == *key };
        scratch.clear();
        for (position, column) in self.positions.iter().zip(&self.index.columns) {
            put_column(scratch, &value(*position), column);
        }
        **bytes == **scratch
    }
}

impl Index {
    pub(crate) fn new(
        id: IndexId,
        layout: IndexLayout,
        table: &TableLayout,
        created: Arc<TxnState>,
        storage: &Arc<Storage>,
    ) -> Option<Self> {
        let columns = key_columns(&layout, table)?;
        let kind = KeyKind::of(&columns);
        let shelf = Shelf::new(storage, layout.table, id);
        let entries = match kind {
            KeyKind::U64 => Entries::U64(Tree::new(&shelf)),
            KeyKind::U128 => Entries::U128(Tree::new(&shelf)),
            KeyKind::Bytes => Entries::Bytes(Tree::new(&shelf)),
        };
        let enforced = AtomicBool::new(layout.unique);
        let stripes = if layout.unique { STRIPES } else { 0 };
        Some(Index {
            id,
            table: layout.table,
            layout,
            created,
            columns,
            kind,
            entries,
            nulls: Tree::new(&shelf),
            stripes: (0..stripes).map(|_| Mutex::new(())).collect(),
            enforced,
            unique_by: OnceLock::new(),
            complete: AtomicBool::new(true),
            shelf,
        })
    }

    /// Makes it an index that is to be filled beside writers, and may come to refuse equal keys.
    pub(crate) fn attached(mut self) -> Self {
        self.stripes = (0..STRIPES).map(|_| Mutex::new(())).collect();
        self.complete = AtomicBool::new(false);
        self
    }

    /// Whether it has the entries of all rows.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// It has been filled.
    pub(crate) fn completed(&self) {
        self.complete.store(true, Ordering::Release);
    }

    /// Whether it refuses equal keys, or may come to do so.
    pub(crate) fn may_be_unique(&self) -> bool {
        !self.stripes.is_empty()
    }

    /// Whether it refuses equal keys now.
    pub(crate) fn is_enforced(&self) -> bool {
        self.enforced.load(Ordering::Acquire)
    }

    /// Begins or ends to refuse equal keys.
    pub(crate) fn enforce(&self, enforced: bool) {
        self.enforced.store(enforced, Ordering::SeqCst);
    }

    /// The transaction makes the index unique for good, once it commits.
    pub(crate) fn become_unique(&self, by: &Arc<TxnState>) -> bool {
        self.unique_by.set(by.clone()).is_ok()
    }

    /// The layout as of a commit.
    pub(crate) fn layout_at(&self, ts: Ts) -> IndexLayout {
        let became = self.unique_by.get().is_some_and(|by| by.committed_by(ts));
        IndexLayout { unique: self.layout.unique || became, ..self.layout.clone() }
    }

    /// Puts in all entries at once.
    pub(crate) fn fill(&mut self, entries: Vec<(Key, u64)>) {
        let mut nulls = Vec::new();
        let (mut small, mut wide, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        for (key, row) in entries {
            match key {
                Key::Null => nulls.push(((), row)),
                Key::U64(key) => small.push((key, row)),
                Key::U128(key) => wide.push((key, row)),
                Key::Bytes(key) => bytes.push((key, row)),
            }
        }
        fn sorted<K: tree::TreeKey>(mut entries: Vec<(K, u64)>, shelf: &Arc<Shelf>) -> Tree<K> {
            entries.sort_unstable();
            entries.dedup();
            Tree::from_sorted(entries, shelf)
        }
        self.nulls = sorted(nulls, &self.shelf);
        self.entries = match self.kind {
            KeyKind::U64 => Entries::U64(sorted(small, &self.shelf)),
            KeyKind::U128 => Entries::U128(sorted(wide, &self.shelf)),
            KeyKind::Bytes => Entries::Bytes(sorted(bytes, &self.shelf)),
        };
    }

    pub(crate) fn key<D: Borrow<Datum>>(&self, mut value: impl FnMut(usize) -> D) -> (Key, bool) {
        match self.kind {
            KeyKind::U64 => match fixed_u64(value(0).borrow(), self.columns[0].descending) {
                Some(key) => (Key::U64(key), false),
                None => (Key::Null, true),
            },
            KeyKind::U128 => match fixed_u128(value(0).borrow(), self.columns[0].descending) {
                Some(key) => (Key::U128(key), false),
                None => (Key::Null, true),
            },
            KeyKind::Bytes => {
                let mut out = Vec::with_capacity(32);
                let mut null = false;
                for (number, column) in self.columns.iter().enumerate() {
                    let datum = value(number);
                    let datum: &Datum = datum.borrow();
                    null |= datum.is_null();
                    put_column(&mut out, datum, column);
                }
                (Key::Bytes(out.into_boxed_slice()), null)
            }
        }
    }

    /// The key that has a value for each column.
    pub(crate) fn whole_key(&self, values: &[Datum]) -> Result<Key> {
        if values.len() != self.columns.len() {
            return Err(Error::bug("a lookup by a part of a key"));
        }
        Ok(self.key(|number| &values[number]).0)
    }

    /// Whether rows with this key must be unique.
    pub(crate) fn checks(&self, has_null: bool) -> bool {
        self.enforced.load(Ordering::Acquire) && (!has_null || self.layout.nulls_not_distinct)
    }

    /// Holds others with the same key off while the caller looks and inserts.
    pub(crate) fn stripe(&self, key: &Key) -> Option<MutexGuard<'_, ()>> {
        if self.stripes.is_empty() {
            return None;
        }
        let mut hasher = FxHasher::default();
        match key {
            Key::Null => {}
            Key::U64(key) => hasher.write_u64(*key),
            Key::U128(key) => hasher.write_u128(*key),
            Key::Bytes(key) => hasher.write(key),
        }
        // The high bits of this hash are the good ones.
        Some(self.stripes[(hasher.finish() >> 58) as usize % STRIPES].lock())
    }

    pub(crate) fn insert(&self, key: &Key, row: RowId) -> Result<bool> {
        match (&self.entries, key) {
            (_, Key::Null) => self.nulls.insert(&(), row.0),
            (Entries::U64(tree), Key::U64(key)) => tree.insert(key, row.0),
            (Entries::U128(tree), Key::U128(key)) => tree.insert(key, row.0),
            (Entries::Bytes(tree), Key::Bytes(key)) => tree.insert(key, row.0),
            // Keys come from this index's own `key`.
            _ => Ok(false),
        }
    }

    pub(crate) fn remove(&self, key: &Key, row: RowId) -> Result<bool> {
        match (&self.entries, key) {
            (_, Key::Null) => self.nulls.remove(&(), row.0),
            (Entries::U64(tree), Key::U64(key)) => tree.remove(key, row.0),
            (Entries::U128(tree), Key::U128(key)) => tree.remove(key, row.0),
            (Entries::Bytes(tree), Key::Bytes(key)) => tree.remove(key, row.0),
            _ => Ok(false),
        }
    }

    /// Whether an entry is there.
    pub(crate) fn contains(&self, key: &Key, row: RowId) -> Result<bool> {
        match (&self.entries, key) {
            (_, Key::Null) => self.nulls.contains(&(), row.0),
            (Entries::U64(tree), Key::U64(key)) => tree.contains(key, row.0),
            (Entries::U128(tree), Key::U128(key)) => tree.contains(key, row.0),
            (Entries::Bytes(tree), Key::Bytes(key)) => tree.contains(key, row.0),
            _ => Ok(false),
        }
    }

    /// The rows that have entries of exactly this key.
    pub(crate) fn rows_of(&self, key: &Key) -> Result<SmallVec<[RowId; 4]>> {
        match (&self.entries, key) {
            (_, Key::Null) => self.nulls.rows_of(&()),
            (Entries::U64(tree), Key::U64(key)) => tree.rows_of(key),
            (Entries::U128(tree), Key::U128(key)) => tree.rows_of(key),
            (Entries::Bytes(tree), Key::Bytes(key)) => tree.rows_of(key),
            _ => Ok(SmallVec::new()),
        }
    }

    /// Visits the entries of a range in the index's order (or reversed).
    pub(crate) fn visit(
        &self,
        range: &KeyRange,
        mut visit: impl FnMut(&Key, RowId) -> Result<bool>,
    ) -> Result<()> {
        if let Some(key) = self.point(range) {
            for row in self.rows_of(&key)? {
                if !visit(&key, row)? {
                    break;
                }
            }
            return Ok(());
        }
        match (&self.entries, self.span(range)) {
            (Entries::Bytes(tree), Some(Span::Bytes { low, high })) => {
                walk(tree, low, high, range.reverse, &mut |key, row| {
                    visit(&Key::Bytes(key.clone()), row)
                })?;
                Ok(())
            }
            (Entries::U64(tree), Some(Span::U64(span))) => {
                self.visit_fixed(tree, span, range.reverse, &Key::U64, &mut visit)
            }
            (Entries::U128(tree), Some(Span::U128(span))) => {
                self.visit_fixed(tree, span, range.reverse, &Key::U128, &mut visit)
            }
            // An empty range; spans are of this index's own kind.
            _ => Ok(()),
        }
    }

    /// The keys of a range; `None` if there cannot be any.
    pub(crate) fn span(&self, range: &KeyRange) -> Option<Span> {
        let column = &self.columns[0];
        Some(match self.kind {
            KeyKind::Bytes => {
                let (low, high) = self.bytes_ends(range)?;
                Span::Bytes { low, high }
            }
            KeyKind::U64 => Span::U64(FixedSpan::new(range, column.nulls_first, |datum| {
                fixed_u64(datum, column.descending)
            })),
            KeyKind::U128 => Span::U128(FixedSpan::new(range, column.nulls_first, |datum| {
                fixed_u128(datum, column.descending)
            })),
        })
    }

    /// The key of a range that is one whole key.
    pub(crate) fn point(&self, range: &KeyRange) -> Option<Key> {
        match (&range.lower, &range.upper) {
            (Bound::Included(lower), Bound::Included(upper))
                if lower.len() == self.columns.len() && lower == upper =>
            {
                Some(self.key(|number| &lower[number]).0)
            }
            _ => None,
        }
    }

    fn prefix(&self, values: &[Datum]) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        for (datum, column) in values.iter().zip(&self.columns) {
            put_column(&mut out, datum, column);
        }
        out
    }

    fn bytes_ends(&self, range: &KeyRange) -> Option<(BytesEnd, BytesEnd)> {
        let lower = match &range.lower {
            Bound::Unbounded => End::Open,
            Bound::Included(values) => End::At(self.prefix(values).into(), 0),
            Bound::Excluded(values) => End::At(successor(&self.prefix(values))?.into(), 0),
        };
        let upper = match &range.upper {
            Bound::Unbounded => End::Open,
            Bound::Included(values) => match successor(&self.prefix(values)) {
                Some(end) => End::Beyond(end.into(), 0),
                None => End::Open,
            },
            Bound::Excluded(values) => End::Beyond(self.prefix(values).into(), 0),
        };
        Some((lower, upper))
    }

    /// A fixed index is two sections, values and NULLs, in the order the layout asks for.
    fn visit_fixed<K: tree::TreeKey>(
        &self,
        tree: &Tree<K>,
        span: FixedSpan<K>,
        reverse: bool,
        wrap: &dyn Fn(K) -> Key,
        visit: &mut dyn FnMut(&Key, RowId) -> Result<bool>,
    ) -> Result<()> {
        let FixedSpan { nulls: nulls_in, values: values_in, low, high } = span;
        let nulls_first = self.columns[0].nulls_first;
        let nulls = |visit: &mut dyn FnMut(&Key, RowId) -> Result<bool>| {
            if !nulls_in {
                return Ok(true);
            }
            walk(&self.nulls, End::Open, End::Open, reverse, &mut |(), row| visit(&Key::Null, row))
        };
        if nulls_first != reverse && !nulls(visit)? {
            return Ok(());
        }
        if values_in
            && !walk(tree, low, high, reverse, &mut |key, row| visit(&wrap(key.clone()), row))?
        {
            return Ok(());
        }
        if nulls_first == reverse {
            nulls(visit)?;
        }
        Ok(())
    }
}

fn key_columns(layout: &IndexLayout, table: &TableLayout) -> Option<Vec<KeyColumn>> {
    let physical = |id| -> Option<PhysicalType> {
        Some(table.columns.iter().find(|column| column.id == id)?.physical.clone())
    };
    layout
        .columns
        .iter()
        .map(|column| {
            Some(KeyColumn {
                physical: physical(column.column)?,
                descending: column.descending,
                nulls_first: column.nulls_first,
            })
        })
        .collect()
}

/// Visits entries in batches, so that no latch is held while visiting; false if stopped.
fn walk<K: tree::TreeKey>(
    tree: &Tree<K>,
    mut lower: End<K>,
    mut upper: End<K>,
    reverse: bool,
    visit: &mut dyn FnMut(&K, RowId) -> Result<bool>,
) -> Result<bool> {
    let mut batch = Vec::new();
    let mut limit = 4;
    loop {
        batch.clear();
        let done = if reverse {
            tree.descend(&lower, &upper, limit, &mut batch)?
        } else {
            tree.ascend(&lower, &upper, limit, &mut batch)?
        };
        for (key, row) in &batch {
            if !visit(key, RowId(*row))? {
                return Ok(false);
            }
        }
        let Some((key, row)) = batch.pop().filter(|_| !done) else { return Ok(true) };
        if reverse {
            upper = End::Beyond(key, row);
        } else {
            lower = End::Beyond(key, row);
        }
        limit = (limit * 8).min(BATCH);
    }
}

#[cfg(test)]
mod tests;
