//! A database with every kind of file, to be damaged: what its files are, and what is in it.

use std::{
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use oxi_base::{IndexId, Result, RowId, SqlState, TableId};
use oxi_model::{
    Datum, Interval, PhysicalType, Row,
    datum::ListValue,
    engine::{
        Engine, IndexLayout, InsertOutcome, Isolation, KeyRange, SequenceStep, Snapshot,
        TableLayout, Txn, WriteTarget,
    },
};
use oxi_store::{Flush, Store, StoreOptions};
use oxi_world::{OpenMode, SimControl, World, disk::parent_of, rng::Prng};

use crate::{
    audit::{Rows, try_read},
    damage,
    executor::now,
    schema::{column, index},
};

/// One row of each type, and NULLs.
const KINDS: TableId = TableId(1);
/// More rows than a block has.
const MANY: TableId = TableId(2);
/// Made behind the checkpoint.
const LATE: TableId = TableId(3);
const TABLES: [TableId; 3] = [KINDS, MANY, LATE];
const ROWS: i64 = 2_600;

/// What a reader finds.
#[derive(PartialEq, Debug)]
struct Content {
    tables: Vec<Option<Rows>>,
    indexes: Vec<Option<Vec<RowId>>>,
    /// Whether the sequence was used. Its value may be one that was logged ahead.
    sequence: bool,
}

/// The database.
pub(crate) struct Sample {
    /// Its files.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// What was in it after the checkpoint and after each commit since.
    contents: Vec<Content>,
}

/// What became of damage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// An error names the file and the byte.
    Reported,
    /// All answers are as they were.
    Harmless,
    /// The newest commits are missing, as if they had not reached the disk.
    Shorter,
}

fn options() -> StoreOptions {
    StoreOptions {
        dir: "db".to_owned(),
        flush: Flush::Caller,
        log_segment_bytes: 8_192,
        chunk_bytes: 2_000,
        ..StoreOptions::default()
    }
}

fn layout(table: TableId) -> TableLayout {
    use PhysicalType::*;
    let physical = match table {
        KINDS => vec![
            Int64,
            Bool,
            Int16,
            Int32,
            UInt32,
            Float32,
            Float64,
            Date,
            Time,
            Timestamp,
            TimestampTz,
            Interval,
            Uuid,
            Numeric,
            Text,
            Bytes,
            List(Box::new(Int32)),
        ],
        MANY => vec![Int64, Text, Int32],
        _ => vec![Int64, Text],
    };
    let columns = (0..).zip(physical).map(|(id, physical)| column(id, physical)).collect();
    TableLayout { columns, catalog: table == LATE, history_us: None }
}

fn indexes() -> Vec<(IndexId, IndexLayout)> {
    vec![
        (IndexId(1), index(KINDS, true, &[(0, false, false)])),
        (IndexId(2), index(KINDS, false, &[(12, false, false)])),
        (IndexId(3), index(MANY, true, &[(0, false, false)])),
        (IndexId(4), index(MANY, false, &[(1, false, false), (2, true, true)])),
        (IndexId(5), index(MANY, false, &[(2, false, true)])),
        (IndexId(6), index(LATE, false, &[(1, false, false)])),
    ]
}

fn kinds(k: i64) -> Row {
    let n = k as u8;
    let list =
        ListValue { dimensions: vec![(2, 1)], elements: vec![Datum::Int32(k as i32), Datum::Null] };
    let mut row = vec![
        Datum::Int64(k),
        Datum::Bool(k % 2 == 0),
        Datum::Int16(-3),
        Datum::Int32(1 << 20),
        Datum::UInt32(u32::MAX),
        Datum::Float32(0.5),
        Datum::Float64(-0.1),
        Datum::Int32(10_000),
        Datum::Int64(86_399_999_999),
        Datum::Int64(i64::MAX),
        Datum::Int64(1_700_000_000_000_000),
        Datum::Interval(Interval { months: 1, days: -2, micros: 3 }),
        Datum::Uuid([n; 16]),
        Datum::bytes(vec![n, 7, 1, 0, 2]),
        Datum::text(format!("text {k}")),
        Datum::bytes(vec![0xff; k as usize % 50]),
        Datum::List(Arc::new(list)),
    ];
    if k % 4 == 1 {
        row[1..].fill(Datum::Null);
    }
    row
}

fn many(k: i64) -> Row {
    let text = if k % 3 == 0 { format!("{k}") } else { format!("row {k}, of some length") };
    let number = if k % 5 == 0 { Datum::Null } else { Datum::Int32(k as i32 % 17) };
    vec![Datum::Int64(k), Datum::text(text), number]
}

impl Sample {
    /// Makes the database, as it is when its process is killed.
    pub(crate) fn build() -> std::result::Result<Sample, String> {
        let (world, _) = World::simulated(1);
        let described = |error: oxi_base::Error| error.to_string();
        let mut sample = Sample { files: Vec::new(), contents: Vec::new() };
        let store = Store::open(world.clone(), options()).map_err(described)?;
        before_checkpoint(&store).map_err(described)?;
        store.checkpoint().map_err(described)?;
        let mut prng = Prng::new(5);
        update_many(&store, &mut prng).map_err(described)?;
        store.checkpoint().map_err(described)?;
        sample.note(&store).map_err(described)?;
        for step in 0..8 {
            after_checkpoint(&store, step).map_err(described)?;
            sample.note(&store).map_err(described)?;
        }
        for (path, _) in damage::files(&*world.disk, "db").map_err(described)? {
            let bytes = world.disk.read(&path).map_err(described)?;
            sample.files.push((path, bytes));
        }
        Ok(sample)
    }

    fn note(&mut self, store: &Store) -> Result<()> {
        self.contents.push(read(store)?);
        Ok(())
    }

    /// A new machine with the files on its disk.
    pub(crate) fn place(&self, seed: u64) -> Result<(World, SimControl)> {
        let (world, control) = World::simulated(seed);
        for (path, bytes) in &self.files {
            world.disk.create_dir_all(parent_of(path))?;
            world.disk.open(path, OpenMode::Create)?.write_at(bytes, 0)?;
        }
        Ok((world, control))
    }

    /// Opens the database and reads everything; what is not one of the verdicts is an error.
    pub(crate) fn judge(&self, world: &World) -> std::result::Result<Verdict, String> {
        let looked = || {
            let store = Store::open(world.clone(), options())?;
            let content = read(&store)?;
            store.check()?;
            Ok(content)
        };
        let content = match catch_unwind(AssertUnwindSafe(looked)) {
            Ok(Ok(content)) => content,
            Ok(Err(error)) if damage::is_reported(&error) => return Ok(Verdict::Reported),
            Ok(Err(error)) => return Err(format!("it is reported as: {error}")),
            Err(_) => return Err("panic".to_owned()),
        };
        match self.contents.iter().rposition(|known| *known == content) {
            Some(at) if at + 1 == self.contents.len() => Ok(Verdict::Harmless),
            Some(_) => Ok(Verdict::Shorter),
            None => Err("wrong answers".to_owned()),
        }
    }
}

/// The payloads of the log's commits, for a database that is made the same way.
pub(crate) fn payloads() -> Result<Vec<Vec<u8>>> {
    let (world, _) = World::simulated(2);
    let whole = StoreOptions { chunk_bytes: 1 << 20, ..options() };
    let store = Store::open(world.clone(), whole)?;
    before_checkpoint(&store)?;
    for step in 0..8 {
        after_checkpoint(&store, step)?;
    }
    let mut found = Vec::new();
    let mut log = oxi_log::inspect::Inspection::look(&world, "db/wal", None)?;
    log.read(&mut |frame| {
        if frame.kind == oxi_log::FrameKind::Commit {
            found.push(frame.payload.clone());
        }
    });
    Ok(found)
}

fn commit(txn: &Arc<dyn Txn>) -> Result<()> {
    let committed = txn.commit()?;
    now(committed).unwrap_or_else(|| Err(oxi_base::Error::bug("a commit waits for nobody")))
}

fn insert(txn: &Arc<dyn Txn>, table: TableId, row: &Row) -> Result<()> {
    match txn.insert(table, row)? {
        InsertOutcome::Done(_) => Ok(()),
        _ => Err(oxi_base::Error::bug("something is in the way of a row")),
    }
}

fn before_checkpoint(store: &Store) -> Result<()> {
    let txn = store.begin(Isolation::ReadCommitted);
    for table in [KINDS, MANY] {
        txn.create_table(table, layout(table))?;
    }
    for (id, layout) in indexes().into_iter().filter(|(_, layout)| layout.table != LATE) {
        txn.create_index(id, layout)?;
    }
    for k in 0..40 {
        insert(&txn, KINDS, &kinds(k))?;
    }
    next_value(&txn)?;
    commit(&txn)?;
    let txn = store.begin(Isolation::ReadCommitted);
    for k in 0..ROWS {
        insert(&txn, MANY, &many(k))?;
    }
    commit(&txn)
}

fn next_value(txn: &Arc<dyn Txn>) -> Result<i64> {
    let step = SequenceStep { start: 5, increment: 2, min: 1, max: i64::MAX, cycle: false };
    txn.sequence_next(1, &step)
}

/// The row ids of a table, in their order.
fn row_ids(snapshot: &dyn Snapshot, table: TableId) -> Result<Vec<RowId>> {
    Ok(try_read(snapshot, table, &layout(table), 1)?.0.into_keys().collect())
}

fn update_many(store: &Store, prng: &mut Prng) -> Result<()> {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    let rows = row_ids(&*snapshot, MANY)?;
    for _ in 0..30 {
        let row = rows[prng.below(500) as usize];
        let change = [(1, Datum::text("changed")), (2, Datum::Int32(99))];
        txn.update(&*snapshot, MANY, row, WriteTarget::Newest, &change)?;
    }
    commit(&txn)
}

/// One commit, which the log alone has.
fn after_checkpoint(store: &Store, step: i64) -> Result<()> {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    match step {
        0 => {
            txn.create_table(LATE, layout(LATE))?;
            for (id, layout) in indexes().into_iter().filter(|(_, layout)| layout.table == LATE) {
                txn.create_index(id, layout)?;
            }
        }
        1 | 5 => {
            // More than a chunk.
            for k in 0..60 {
                insert(&txn, LATE, &vec![Datum::Int64(k), Datum::text("late ".repeat(12))])?;
            }
        }
        2 => {
            next_value(&txn)?;
            insert(&txn, KINDS, &kinds(100))?;
        }
        3 | 6 => {
            for row in row_ids(&*snapshot, MANY)?.into_iter().skip(step as usize * 7).take(9) {
                txn.delete(&*snapshot, MANY, row, WriteTarget::Snapshot)?;
            }
        }
        _ => {
            let row = row_ids(&*snapshot, MANY)?[step as usize * 300];
            let change = [(0, Datum::Int64(-step)), (1, Datum::Null)];
            txn.update(&*snapshot, MANY, row, WriteTarget::Snapshot, &change)?;
        }
    }
    commit(&txn)
}

fn read(store: &Store) -> Result<Content> {
    let txn = store.begin(Isolation::ReadCommitted);
    let snapshot = txn.begin_statement();
    let mut content = Content { tables: Vec::new(), indexes: Vec::new(), sequence: false };
    for table in TABLES {
        let rows = try_read(&*snapshot, table, &layout(table), 1).map(|(rows, _)| rows);
        content.tables.push(unless_missing(rows, SqlState::UNDEFINED_TABLE)?);
    }
    for (id, _) in indexes() {
        let mut rows = Vec::new();
        let all = KeyRange { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse: false };
        let scanned = snapshot.index_scan(id, &all, &[], &mut |row, _| {
            rows.push(row);
            Ok(true)
        });
        let rows = unless_missing(scanned.map(|()| rows), SqlState::UNDEFINED_OBJECT)?;
        content.indexes.push(rows);
    }
    content.sequence = txn.sequence_state(1).is_some();
    Ok(content)
}

fn unless_missing<T>(found: Result<T>, code: SqlState) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == code => Ok(None),
        Err(error) => Err(error),
    }
}
