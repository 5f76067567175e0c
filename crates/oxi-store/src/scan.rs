//! Table scans: blocks handed out from one queue, copied column by column.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use oxi_base::{Error, Result};
use oxi_model::{
    PhysicalType,
    array::arrow_type,
    engine::{Scan, ScanRequest},
};

use crate::{
    block::{Block, Rows, SLOTS, Seen, row_id, sink::Sink},
    snapshot::{Registration, StoreSnapshot},
    storage::Storage,
    table::Table,
    undo::{Sight, TxnState},
};

/// Most rows of a batch.
const BATCH: usize = 8192;

struct Shared {
    storage: Arc<Storage>,
    blocks: Vec<Arc<Block>>,
    next: AtomicUsize,
    columns: Vec<usize>,
    types: Vec<PhysicalType>,
    row_id: bool,
    schema: SchemaRef,
    registration: Arc<Registration>,
    own: Arc<TxnState>,
    command: u32,
}

struct TableScan {
    shared: Arc<Shared>,
}

/// Up to `request.partitions` scans over the blocks that are there now.
pub(crate) fn table_scans(
    table: &Table,
    snapshot: &StoreSnapshot,
    request: &ScanRequest,
) -> Result<Vec<Box<dyn Scan>>> {
    let shape = table.shape();
    let mut types = Vec::with_capacity(request.columns.len());
    let mut fields = Vec::with_capacity(request.columns.len() + 1);
    for position in &request.columns {
        let column = shape
            .layout
            .columns
            .get(*position)
            .ok_or_else(|| Error::bug(format!("no column at position {position}")))?;
        types.push(column.physical.clone());
        fields.push(Field::new(format!("c{position}"), arrow_type(&column.physical), true));
    }
    if request.row_id {
        fields.push(Field::new("__row_id", DataType::UInt64, false));
    }
    let blocks = table.blocks();
    let count = request.partitions.clamp(1, blocks.len().max(1));
    let shared = Arc::new(Shared {
        storage: Arc::clone(&table.home.storage),
        blocks,
        next: AtomicUsize::new(0),
        columns: request.columns.clone(),
        types,
        row_id: request.row_id,
        schema: Arc::new(Schema::new(fields)),
        registration: snapshot.registration.clone(),
        own: snapshot.own.clone(),
        command: snapshot.command,
    });
    Ok((0..count)
        .map(|_| -> Box<dyn Scan> { Box::new(TableScan { shared: shared.clone() }) })
        .collect())
}

/// Runs of slots, or single rows with older values, that a sight sees of a block.
pub(crate) fn each_seen(
    rows: &Rows,
    sight: &Sight<'_>,
    mut range: impl FnMut(usize, usize),
    mut older: impl FnMut(&Rows, u16, &crate::block::Overlay<'_>),
) {
    // The two callbacks are told in slot order; ranges are flushed before an older row.
    let simple = rows.all_seen(sight);
    let mut start = None;
    for slot in 0..rows.len {
        let number = slot as u16;
        let seen = if simple {
            if rows.is_live(number) { Seen::InPlace } else { Seen::No }
        } else {
            rows.see(number, sight)
        };
        match seen {
            Seen::InPlace => {
                start.get_or_insert(slot);
            }
            Seen::No => {
                if let Some(start) = start.take() {
                    range(start, slot);
                }
            }
            Seen::Older(overlay) => {
                if let Some(start) = start.take() {
                    range(start, slot);
                }
                older(rows, number, &overlay);
            }
        }
    }
    if let Some(start) = start {
        range(start, rows.len);
    }
}

/// What a scan gathers until a batch is full.
struct Gathered {
    sinks: Vec<Sink>,
    ids: Vec<u64>,
    rows: usize,
}

impl TableScan {
    fn gather(&self, block: &Block, out: &mut Gathered) -> Result<()> {
        let shared = &*self.shared;
        let sight =
            Sight { ts: shared.registration.ts, own: Some(&shared.own), command: shared.command };
        let rows = block.read()?;
        let gathered = std::cell::RefCell::new(out);
        each_seen(
            &rows,
            &sight,
            |start, end| {
                let out = &mut **gathered.borrow_mut();
                for (sink, position) in out.sinks.iter_mut().zip(&shared.columns) {
                    match rows.columns.get(*position) {
                        Some(column) => sink.append(column, start, end),
                        None => (start..end).for_each(|_| sink.push(&oxi_model::Datum::Null)),
                    }
                }
                if shared.row_id {
                    let first = row_id(block.number, start as u16).0;
                    out.ids.extend(first..first + (end - start) as u64);
                }
                out.rows += end - start;
            },
            |rows, slot, overlay| {
                let out = &mut **gathered.borrow_mut();
                for (sink, position) in out.sinks.iter_mut().zip(&shared.columns) {
                    sink.push(&rows.value(slot, *position, Some(overlay)));
                }
                if shared.row_id {
                    out.ids.push(row_id(block.number, slot).0);
                }
                out.rows += 1;
            },
        );
        Ok(())
    }
}

impl Scan for TableScan {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let shared = &*self.shared;
        let left = shared.blocks.len().saturating_sub(shared.next.load(Ordering::Relaxed));
        let capacity = (left * SLOTS).min(BATCH);
        let mut out: Option<Gathered> = None;
        while out.as_ref().is_none_or(|out| out.rows + SLOTS <= BATCH) {
            let number = shared.next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = shared.blocks.get(number) else { break };
            shared.storage.relieve()?;
            let capacity = if left == 1 { block.read()?.len } else { capacity };
            let out = out.get_or_insert_with(|| Gathered {
                sinks: shared.types.iter().map(|t| Sink::new(t, capacity)).collect(),
                ids: Vec::new(),
                rows: 0,
            });
            self.gather(block, out)?;
        }
        let Some(out) = out.filter(|out| out.rows > 0) else { return Ok(None) };
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(out.sinks.len() + 1);
        for sink in out.sinks {
            arrays.push(sink.finish()?);
        }
        if shared.row_id {
            arrays.push(Arc::new(UInt64Array::from(out.ids)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(out.rows));
        RecordBatch::try_new_with_options(shared.schema.clone(), arrays, &options)
            .map(Some)
            .map_err(Error::bug)
    }
}
