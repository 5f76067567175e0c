//! A table: its current shape, the directory of its blocks, and where the next row goes.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use oxi_base::{ColumnId, Error, IndexId, Result, RowId, SqlState, TableId, Ts};
use oxi_model::{Datum, engine::TableLayout};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::{
    block::{Block, SLOTS, away::Home, column::Column, place},
    history::History,
    index::{Index, IndexUse},
    lock::queue::LockQueue,
    storage::Storage,
    undo::TxnState,
};

/// Blocks that accept rows at the same time, so that sessions do not queue for one latch.
const OPEN: usize = 4;

pub(crate) struct Table {
    pub(crate) id: TableId,
    /// Who created it.
    pub(crate) created: Arc<TxnState>,
    /// Where blocks that are not in memory come back from.
    pub(crate) home: Arc<Home>,
    pub(crate) locks: Arc<LockQueue>,
    shape: RwLock<Arc<Shape>>,
    /// All layouts since the last checkpoint with who introduced them, oldest first.
    pub(crate) layouts: Mutex<Vec<(Arc<TxnState>, TableLayout)>>,
    directory: RwLock<Directory>,
    open: [Mutex<Option<Arc<Block>>>; OPEN],
    pub(crate) rows: AtomicUsize,
    pub(crate) history: History,
    /// The commit that dropped it, 0 if it is there.
    pub(crate) dropped_at: AtomicU64,
    /// Number of the next image file.
    pub(crate) next_file: AtomicU64,
}

/// What the hot path needs to know about a table.
#[derive(Clone)]
pub(crate) struct Shape {
    pub(crate) layout: TableLayout,
    /// All indexes, also those whose column an uncommitted change of layout has dropped.
    pub(crate) all: Vec<Arc<Index>>,
    /// The indexes to maintain.
    pub(crate) indexes: Vec<IndexUse>,
    /// Per position: part of some unique index.
    pub(crate) key: Vec<bool>,
}

#[derive(Default)]
struct Directory {
    /// Number of `blocks[0]`.
    first: u64,
    blocks: Vec<Option<Arc<Block>>>,
}

impl Shape {
    pub(crate) fn new(layout: TableLayout, all: Vec<Arc<Index>>) -> Self {
        let indexes: Vec<IndexUse> =
            all.iter().filter_map(|index| IndexUse::new(index.clone(), &layout)).collect();
        let mut key = vec![false; layout.columns.len()];
        for entry in indexes.iter().filter(|entry| entry.index.may_be_unique()) {
            for position in &entry.positions {
                key[*position] = true;
            }
        }
        Shape { layout, all, indexes, key }
    }

    /// An index to maintain.
    pub(crate) fn index(&self, id: IndexId) -> Option<&IndexUse> {
        self.indexes.iter().find(|entry| entry.index.id == id)
    }

    /// Refuses rows that are not of this shape.
    pub(crate) fn check_row(&self, row: &[Datum]) -> Result<()> {
        if row.len() != self.layout.columns.len() {
            return Err(Error::bug(format!(
                "row of {} values for {} columns",
                row.len(),
                self.layout.columns.len()
            )));
        }
        for (position, datum) in row.iter().enumerate() {
            self.check_value(position, datum)?;
        }
        Ok(())
    }

    pub(crate) fn check_value(&self, position: usize, datum: &Datum) -> Result<()> {
        let column = self
            .layout
            .columns
            .get(position)
            .ok_or_else(|| Error::bug(format!("no column at position {position}")))?;
        if !datum.fits(&column.physical) {
            return Err(Error::bug(format!("{datum:?} in a column of {:?}", column.physical)));
        }
        Ok(())
    }

    pub(crate) fn position(&self, id: ColumnId) -> Option<usize> {
        self.layout.columns.iter().position(|column| column.id == id)
    }
}

impl Table {
    pub(crate) fn new(
        id: TableId,
        layout: TableLayout,
        created: Arc<TxnState>,
        storage: &Arc<Storage>,
    ) -> Arc<Self> {
        let table = Arc::new(Table {
            id,
            home: Home::new(storage, id, layout.clone()),
            locks: LockQueue::of_table(),
            layouts: Mutex::new(vec![(created.clone(), layout.clone())]),
            created,
            shape: RwLock::new(Arc::new(Shape::new(layout, Vec::new()))),
            directory: RwLock::default(),
            open: Default::default(),
            rows: AtomicUsize::new(0),
            history: History::default(),
            dropped_at: AtomicU64::new(0),
            next_file: AtomicU64::new(1),
        });
        storage.register(&table);
        table
    }

    pub(crate) fn shape(&self) -> Arc<Shape> {
        self.shape.read().clone()
    }

    /// The shape, kept as it is until the guard is dropped.
    pub(crate) fn fixed_shape(&self) -> RwLockReadGuard<'_, Arc<Shape>> {
        self.shape.read()
    }

    /// Replaces indexes of the shape.
    pub(crate) fn set_indexes(&self, indexes: Vec<Arc<Index>>) {
        self.change_indexes(|all| *all = indexes);
    }

    /// Changes the indexes of the shape; several transactions may do so at the same time.
    pub(crate) fn change_indexes(&self, change: impl FnOnce(&mut Vec<Arc<Index>>)) {
        let mut shape = self.shape.write();
        let mut all = shape.all.clone();
        change(&mut all);
        *shape = Arc::new(Shape::new(shape.layout.clone(), all));
    }

    /// Switches to another layout, converting every block. Columns that the new layout lacks are
    /// kept aside until [`Table::forget_dropped`], so that the change can be undone.
    pub(crate) fn set_layout(&self, layout: TableLayout, by: &Arc<TxnState>) {
        self.layouts.lock().push((by.clone(), layout.clone()));
        self.convert(layout, None);
    }

    /// Undoes [`Table::set_layout`].
    pub(crate) fn undo_layout(&self, layout: TableLayout) {
        let undone = self.layouts.lock().pop();
        self.convert(layout, undone.map(|(_, undone)| undone).as_ref());
    }

    /// Columns of `undone` that the layout lacks are gone for good.
    fn convert(&self, layout: TableLayout, undone: Option<&TableLayout>) {
        // Held throughout: whoever reads under the shape's latch meets no half-converted table.
        let mut shape = self.shape.write();
        let before = self.layouts.lock();
        let ids = before.iter().flat_map(|(_, layout)| &layout.columns).map(|column| column.id);
        let kept = ids.filter(|id| !layout.columns.iter().any(|column| column.id == *id));
        self.home.expect(&layout, &kept.collect::<Vec<_>>());
        drop(before);
        for block in self.blocks() {
            block.convert(&layout, undone);
        }
        *shape = Arc::new(Shape::new(layout, shape.all.clone()));
    }

    /// Frees dropped columns once the drop is committed.
    pub(crate) fn forget_dropped(&self) {
        self.home.forget_kept();
        for block in self.blocks() {
            block.forget_dropped();
        }
    }

    /// The commit that dropped the table, if that was by then; else 0.
    pub(crate) fn dropped_by(&self, ts: Ts) -> u64 {
        match self.dropped_at.load(Ordering::SeqCst) {
            dropped if dropped <= ts.0 => dropped,
            _ => 0,
        }
    }

    /// The layout as of a commit.
    pub(crate) fn layout_at(&self, ts: Ts) -> Option<TableLayout> {
        let layouts = self.layouts.lock();
        layouts.iter().rev().find(|(by, _)| by.committed_by(ts)).map(|(_, layout)| layout.clone())
    }

    pub(crate) fn block(&self, number: u64) -> Option<Arc<Block>> {
        let directory = self.directory.read();
        let at = number.checked_sub(directory.first)?;
        directory.blocks.get(usize::try_from(at).ok()?)?.clone()
    }

    /// The block of a row, with the slot.
    pub(crate) fn locate(&self, row: RowId) -> Option<(Arc<Block>, u16)> {
        let (number, slot) = place(row);
        Some((self.block(number)?, slot))
    }

    pub(crate) fn blocks(&self) -> Vec<Arc<Block>> {
        self.directory.read().blocks.iter().flatten().cloned().collect()
    }

    /// The number the next block gets.
    pub(crate) fn next_block(&self) -> u64 {
        let directory = self.directory.read();
        directory.first + directory.blocks.len() as u64
    }

    fn new_columns(&self) -> Vec<Column> {
        let shape = self.shape.read();
        let columns = shape.layout.columns.iter();
        columns.map(|column| Column::new(column.id, column.physical.clone())).collect()
    }

    fn push_block(&self) -> Arc<Block> {
        let columns = self.new_columns();
        let mut directory = self.directory.write();
        let block =
            Block::new(directory.first + directory.blocks.len() as u64, columns, &self.home);
        directory.blocks.push(Some(block.clone()));
        block
    }

    /// Runs `insert` on a block that has room; it returns `None` when the block turns out full.
    pub(crate) fn with_open_block<T>(
        &self,
        mut insert: impl FnMut(&Arc<Block>) -> Result<Option<T>>,
    ) -> Result<T> {
        let mut guard =
            self.open.iter().find_map(Mutex::try_lock).unwrap_or_else(|| self.open[0].lock());
        loop {
            let block = guard.get_or_insert_with(|| self.push_block());
            if let Some(done) = insert(block)? {
                return Ok(done);
            }
            *guard = None;
        }
    }

    /// The block of that number, made when missing: for recovery.
    pub(crate) fn restore_block(&self, number: u64) -> Arc<Block> {
        if let Some(block) = self.block(number) {
            return block;
        }
        let columns = self.new_columns();
        let mut directory = self.directory.write();
        if directory.blocks.is_empty() {
            directory.first = number;
        }
        while number < directory.first {
            directory.blocks.insert(0, None);
            directory.first -= 1;
        }
        let at = (number - directory.first) as usize;
        while directory.blocks.len() <= at {
            directory.blocks.push(None);
        }
        directory.blocks[at].get_or_insert_with(|| Block::new(number, columns, &self.home)).clone()
    }

    /// Puts a block with its columns in place: for recovery from an image.
    pub(crate) fn adopt(&self, block: Arc<Block>) {
        let number = block.number;
        self.restore_block(number);
        let mut directory = self.directory.write();
        let at = (number - directory.first) as usize;
        directory.blocks[at] = Some(block);
    }

    /// Sets the number of the first block of an empty table, so that row ids are not used again.
    pub(crate) fn start_at(&self, number: u64) {
        let mut directory = self.directory.write();
        let end = directory.first + directory.blocks.len() as u64;
        if directory.blocks.is_empty() {
            directory.first = number;
        } else if end < number {
            let missing = (number - end) as usize;
            directory.blocks.extend(std::iter::repeat_n(None, missing));
        }
    }

    /// Lets inserts go on in the last block, if it has room: after recovery.
    pub(crate) fn reopen_last(&self) -> Result<()> {
        let last = self.directory.read().blocks.last().cloned().flatten();
        if let Some(block) = last
            && block.read()?.len < SLOTS
        {
            *self.open[0].lock() = Some(block);
        }
        Ok(())
    }

    /// Drops a full block of which every slot is dead.
    pub(crate) fn drop_block(&self, number: u64) {
        let mut directory = self.directory.write();
        let Some(at) = number.checked_sub(directory.first).map(|at| at as usize) else { return };
        if let Some(place) = directory.blocks.get_mut(at) {
            *place = None;
        }
        let gone = directory.blocks.iter().take_while(|block| block.is_none()).count();
        // One stays so that the next number is known.
        let gone = gone.min(directory.blocks.len().saturating_sub(1));
        directory.blocks.drain(..gone);
        directory.first += gone as u64;
    }

    /// The position error of a table that is not there.
    pub(crate) fn missing(id: TableId) -> Error {
        Error::new(SqlState::UNDEFINED_TABLE, format!("table storage {id} does not exist"))
    }

    pub(crate) fn memory(&self) -> usize {
        self.blocks().iter().map(|block| block.memory()).sum()
    }

    pub(crate) fn count_rows(&self, by: isize) {
        if by >= 0 {
            self.rows.fetch_add(by.unsigned_abs(), Ordering::Relaxed);
        } else {
            let less = by.unsigned_abs();
            let _ = self.rows.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                Some(n.saturating_sub(less))
            });
        }
    }
}
