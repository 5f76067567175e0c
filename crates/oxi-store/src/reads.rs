//! SERIALIZABLE: what a transaction has read, and whether somebody has changed it since.
//!
//! Reads are remembered as conditions on rows: whole keys, ranges of keys, row ids, predicates of
//! scans, or the whole table. When a transaction that wrote commits, the rows that others have
//! written and committed since its snapshot, before and after, are held against them. None may
//! meet any: then everything it read is still so at the moment of its commit, and transactions
//! take effect in the order of their commits. One that wrote nothing took effect at its snapshot.
//!
//! What others have written is read from their undo entries and the rows' chains, which the
//! snapshot of the transaction itself keeps from being collected.

use std::sync::Arc;

use oxi_base::{Error, IndexId, Result, RowId, SqlState, TableId, Ts};
use oxi_model::{Datum, Row, engine::Predicate};
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    block::{Block, Overlay, Rows, row_id},
    collect::lay_over,
    commit::{Sequencer, Validation},
    engine::Core,
    index::{IndexUse, key::Key, span::Span},
    table::{Shape, Table},
    txn::UndoEntry,
    undo::{Before, Status, TxnState, Version},
};

/// Keys and rows of one table that are remembered one by one; beyond, it is the whole table.
const KEYS_MAX: usize = 8192;
/// The same for ranges, each of which every written row is held against.
const RANGES_MAX: usize = 256;
/// The same for predicates, which are computed for every written row.
const PREDICATES_MAX: usize = 64;
/// So few writes are validated while commits are held up.
const FEW: usize = 256;

/// What one transaction has read.
#[derive(Default)]
pub(crate) struct Reads {
    tables: Mutex<FxHashMap<TableId, TableReads>>,
}

/// What was read of one table.
struct TableReads {
    /// The table's shape then; positions and indexes speak of it.
    shape: Arc<Shape>,
    /// Everything; the rest is empty then.
    whole: bool,
    keys: FxHashSet<(IndexId, Key)>,
    rows: FxHashSet<RowId>,
    ranges: Vec<(IndexId, Span)>,
    predicates: Vec<Arc<dyn Predicate>>,
}

/// One thing that was read.
pub(crate) enum Read {
    Whole,
    Key(IndexId, Key),
    Row(RowId),
    Range(IndexId, Span),
    Predicate(Arc<dyn Predicate>),
}

/// What a transaction wrote that has committed, or is about to and cannot fail.
pub(crate) struct Written {
    pub(crate) ts: Ts,
    pub(crate) by: Author,
    pub(crate) undo: Arc<Vec<UndoEntry>>,
}

/// How versions of that transaction are known.
pub(crate) enum Author {
    /// It is visible already.
    Committed,
    /// It waits for the log.
    Pending(Arc<TxnState>),
}

/// A row before and after a transaction.
struct Images {
    before: Option<Row>,
    after: Option<Row>,
}

impl Reads {
    /// Remembers something that was read.
    pub(crate) fn note(&self, table: &Table, read: Read) {
        let mut tables = self.tables.lock();
        let reads = tables.entry(table.id).or_insert_with(|| TableReads::new(table.shape()));
        // Definitions are guarded by locks, not by predicates.
        if !reads.whole && !reads.shape.layout.catalog {
            reads.add(read);
        }
    }

    /// Whether some of the writes concern what was read.
    fn concern(&self, others: &[Written]) -> Result<bool> {
        let tables = self.tables.lock();
        let mut looks: FxHashMap<TableId, Look<'_>> = FxHashMap::default();
        for other in others {
            for entry in &*other.undo {
                let Some((table, block)) = entry.place() else { continue };
                let Some(reads) = tables.get(&table.id) else { continue };
                let look = looks.entry(table.id).or_insert_with(|| Look::new(reads, table));
                if look.is_concerned(block, entry, other)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl TableReads {
    fn new(shape: Arc<Shape>) -> Self {
        TableReads {
            shape,
            whole: false,
            keys: FxHashSet::default(),
            rows: FxHashSet::default(),
            ranges: Vec::new(),
            predicates: Vec::new(),
        }
    }

    fn add(&mut self, read: Read) {
        match read {
            Read::Whole => self.widen(),
            Read::Key(index, key) => {
                self.keys.insert((index, key));
            }
            Read::Row(row) => {
                self.rows.insert(row);
            }
            Read::Range(index, span) => {
                if !self.ranges.iter().any(|(known, same)| *known == index && *same == span) {
                    self.ranges.push((index, span));
                }
            }
            Read::Predicate(predicate) => self.predicates.push(predicate),
        }
        if self.keys.len() + self.rows.len() > KEYS_MAX
            || self.ranges.len() > RANGES_MAX
            || self.predicates.len() > PREDICATES_MAX
        {
            self.widen();
        }
    }

    fn widen(&mut self) {
        *self = TableReads { whole: true, ..TableReads::new(self.shape.clone()) };
    }

    /// Which columns are looked at.
    fn columns(&self, shape: &Shape) -> Vec<bool> {
        let mut used = vec![false; shape.layout.columns.len()];
        if !self.keys.is_empty() || !self.ranges.is_empty() {
            for position in shape.indexes.iter().flat_map(|entry| &entry.positions) {
                used[*position] = true;
            }
        }
        for position in self.predicates.iter().flat_map(|predicate| predicate.columns()) {
            if let Some(used) = used.get_mut(*position) {
                *used = true;
            }
        }
        used
    }

    fn met_by(&self, shape: &Shape, row: &[Datum]) -> bool {
        let key_of = |entry: &IndexUse| entry.key(|position| &row[position]).0;
        if !self.keys.is_empty() || !self.ranges.is_empty() {
            for entry in &shape.indexes {
                let index = entry.index.id;
                let key = key_of(entry);
                if self.ranges.iter().any(|(known, span)| *known == index && span.contains(&key))
                    || self.keys.contains(&(index, key))
                {
                    return true;
                }
            }
            // What was read by an index that is gone cannot be told from the rest.
            let is_there =
                |index: &IndexId| shape.indexes.iter().any(|entry| entry.index.id == *index);
            if !self.ranges.iter().all(|(index, _)| is_there(index))
                || !self.keys.iter().all(|(index, _)| is_there(index))
            {
                return true;
            }
        }
        self.predicates.iter().any(|predicate| predicate.holds(row))
    }
}

/// What was read of a table, ready to be held against rows.
struct Look<'a> {
    reads: &'a TableReads,
    shape: Arc<Shape>,
    whole: bool,
    /// The columns that are looked at.
    used: Vec<bool>,
}

impl<'a> Look<'a> {
    fn new(reads: &'a TableReads, table: &Table) -> Self {
        let shape = table.shape();
        // Only the transaction itself can have changed the layout since: others needed its locks,
        // unless it has given them back at a savepoint.
        let is_as_read = Arc::ptr_eq(&shape, &reads.shape) || shape.layout == reads.shape.layout;
        let whole = reads.whole || !is_as_read;
        let used = if whole { Vec::new() } else { reads.columns(&shape) };
        Look { reads, shape, whole, used }
    }

    fn is_concerned(&self, block: &Block, entry: &UndoEntry, other: &Written) -> Result<bool> {
        let slots = match entry {
            UndoEntry::Insert { start, end, .. } => *start..*end,
            UndoEntry::Change { slot, .. } => *slot..*slot + 1,
            _ => return Ok(false),
        };
        for slot in slots {
            // The latch is given back before predicates are computed.
            let images = images(&*block.read()?, slot, other, &self.used);
            let Some(Images { before, after }) = images else { continue };
            let is_met = |row: &Option<Row>| {
                row.as_ref().is_some_and(|row| self.reads.met_by(&self.shape, row))
            };
            if self.whole
                || self.reads.rows.contains(&row_id(block.number, slot))
                || is_met(&before)
                || is_met(&after)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Author {
    fn wrote(&self, txn: &Arc<TxnState>, ts: Ts) -> bool {
        match self {
            Author::Committed => txn.status() == Status::Committed(ts),
            Author::Pending(state) => Arc::ptr_eq(state, txn),
        }
    }
}

/// A row as it was before and after a transaction, with the columns used; `None` if that
/// transaction did not write it, but only locked it.
fn images(rows: &Rows, slot: u16, other: &Written, used: &[bool]) -> Option<Images> {
    let wrote = |txn: &Arc<TxnState>| other.by.wrote(txn, other.ts);
    let is_change = |step: &Version| !matches!(step.before, Before::Locked(_));
    let mut state = State { live: rows.is_live(slot), overlay: Overlay::new() };
    let mut version = rows.chain(slot);
    // Down to the transaction's last change.
    while let Some(step) = version.filter(|step| !(is_change(step) && wrote(&step.txn))) {
        state.undo(step);
        version = step.next.as_deref();
    }
    let created = rows.created_by(slot).is_some_and(wrote);
    if version.is_none() && !created {
        return None;
    }
    let after = state.row(rows, slot, used);
    while let Some(step) = version.filter(|step| !is_change(step) || wrote(&step.txn)) {
        state.undo(step);
        version = step.next.as_deref();
    }
    let before = if version.is_none() && created { None } else { state.row(rows, slot, used) };
    Some(Images { before, after })
}

/// A row on the way back through its chain.
struct State<'a> {
    live: bool,
    overlay: Overlay<'a>,
}

impl<'a> State<'a> {
    fn undo(&mut self, step: &'a Version) {
        lay_over(&mut self.overlay, &step.before);
        self.live |= matches!(step.before, Before::Live);
    }

    fn row(&self, rows: &Rows, slot: u16, used: &[bool]) -> Option<Row> {
        let value = |(position, used): (usize, &bool)| {
            if *used { rows.value(slot, position, Some(&self.overlay)) } else { Datum::Null }
        };
        self.live.then(|| used.iter().enumerate().map(value).collect())
    }
}

impl Core {
    /// What others have committed, or are about to, after a moment; in that order.
    fn written_since(&self, from: Ts) -> Vec<Written> {
        let mut sequencer = self.sequencer.lock();
        let mut written = self.garbage.lock().since(from);
        written.extend(sequencer.pending_since(from));
        written
    }

    /// Holds what was committed since a moment against the reads of a transaction; until when that
    /// was done. Commits go on meanwhile, so a little may be left.
    ///
    /// `40001` if the transaction may not commit.
    pub(crate) fn validate(&self, reads: &Reads, from: Ts, during: &str) -> Result<Ts> {
        let mut from = from;
        loop {
            let written = self.written_since(from);
            let Some(last) = written.last() else { return Ok(from) };
            from = last.ts;
            if reads.concern(&written)? {
                return Err(unserializable(during));
            }
            if written.iter().map(|written| written.undo.len()).sum::<usize>() <= FEW {
                return Ok(from);
            }
        }
    }

    /// The same for the little that is left, within the critical section of commits.
    pub(crate) fn validate_rest(
        &self,
        sequencer: &mut Sequencer,
        validation: &Validation<'_>,
    ) -> Result<()> {
        for (reads, from) in validation {
            let mut written = self.garbage.lock().since(*from);
            written.extend(sequencer.pending_since(*from));
            if reads.concern(&written)? {
                return Err(unserializable("commit attempt"));
            }
        }
        Ok(())
    }
}

fn unserializable(during: &str) -> Error {
    Error::new(
        SqlState::SERIALIZATION_FAILURE,
        "could not serialize access due to read/write dependencies among transactions",
    )
    .with_detail(format!(
        "Reason code: Canceled on conflict out to a committed transaction, during {during}."
    ))
    .with_hint("The transaction might succeed if retried.")
}
