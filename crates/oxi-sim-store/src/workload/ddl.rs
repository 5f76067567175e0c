//! Changes of the schema among the transactions.

use oxi_base::{ColumnId, TableId};
use oxi_model::{
    Datum, PhysicalType, Row,
    engine::{Engine, TableLayout, TableLock},
};
use oxi_world::rng::Prng;

use super::{event, known_rows, pick, text};
use crate::{
    executor::pause,
    schema::{FIRST_DYNAMIC, ITEMS, column, index},
    shared::{Stop, one_in},
    tx::Tx,
};

/// The tables that come and go, as of now.
fn dynamic(tx: &Tx) -> Vec<TableId> {
    let model = tx.shared.model.borrow();
    model.head.tables.keys().copied().filter(|id| id.0 >= FIRST_DYNAMIC).collect()
}

fn pick_table(tx: &Tx, prng: &mut Prng) -> Option<TableId> {
    let tables = dynamic(tx);
    (!tables.is_empty()).then(|| tables[prng.below(tables.len() as u64) as usize])
}

fn value(prng: &mut Prng, physical: &PhysicalType) -> Datum {
    match physical {
        _ if one_in(prng, 5) => Datum::Null,
        PhysicalType::Int64 => Datum::Int64(prng.below(1 << 40) as i64),
        PhysicalType::Bool => Datum::Bool(one_in(prng, 2)),
        PhysicalType::Float64 => Datum::Float64(prng.below(1000) as f64 / 8.0),
        PhysicalType::Bytes => Datum::bytes(vec![prng.below(256) as u8; prng.below(40) as usize]),
        _ => text(prng),
    }
}

fn row(prng: &mut Prng, layout: &TableLayout) -> Row {
    layout.columns.iter().map(|column| value(prng, &column.physical)).collect()
}

fn physical(prng: &mut Prng) -> PhysicalType {
    match prng.below(5) {
        0 => PhysicalType::Int64,
        1 => PhysicalType::Bool,
        2 => PhysicalType::Float64,
        3 => PhysicalType::Bytes,
        _ => PhysicalType::Text,
    }
}

/// Ordinary work on a table that comes and goes.
pub(super) async fn use_table(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    let Some(table) = pick_table(tx, prng) else { return Ok(()) };
    if !tx.lock(table, TableLock::RowExclusive).await? {
        return Ok(());
    }
    let Some(layout) = tx.layout(table) else { return Ok(()) };
    let known = pick(prng, &known_rows(tx, table));
    match (prng.below(4), known) {
        (0, Some(known)) => {
            let fresh = row(prng, &layout);
            let at = prng.below(fresh.len() as u64) as usize;
            tx.update(table, known, |_| Some(vec![(at, fresh[at].clone())])).await?;
        }
        (1, Some(known)) => {
            tx.delete(table, known, |_| true).await?;
        }
        _ => {
            for _ in 0..=prng.below(4) {
                let fresh = row(prng, &layout);
                tx.insert(table, fresh).await?;
            }
        }
    }
    Ok(())
}

/// One change of the schema, with its row in the catalog table.
pub(super) async fn change(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    match prng.below(7) {
        0 | 1 => create_table(tx, prng).await?,
        2 => drop_table(tx, prng).await?,
        3 => create_index(tx, prng).await?,
        4 => drop_index(tx, prng).await?,
        _ => alter_table(tx, prng).await?,
    }
    event(tx).await
}

async fn create_table(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    if dynamic(tx).len() > 4 {
        return drop_table(tx, prng).await;
    }
    let id = tx.shared.store.allocate_table_id();
    let mut columns = vec![column(0, PhysicalType::Int64)];
    for number in 0..prng.below(3) as u32 {
        columns.push(column(number + 1, physical(prng)));
    }
    let layout = TableLayout { columns, catalog: false, history_us: None };
    tx.create_table(id, layout.clone())?;
    tx.lock(id, TableLock::AccessExclusive).await?;
    if one_in(prng, 2) {
        let number = tx.shared.store.allocate_index_id();
        tx.create_index(number, index(id, one_in(prng, 2), &[(0, false, true)]))?;
    }
    let rows = if one_in(prng, 40) { 2_100 } else { prng.below(12) };
    for _ in 0..rows {
        let fresh = row(prng, &layout);
        tx.insert(id, fresh).await?;
    }
    pause().await;
    Ok(())
}

async fn drop_table(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    let Some(table) = pick_table(tx, prng) else { return Ok(()) };
    if tx.lock(table, TableLock::AccessExclusive).await? {
        tx.drop_table(table)?;
    }
    Ok(())
}

async fn create_index(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    let table = if one_in(prng, 3) { Some(ITEMS) } else { pick_table(tx, prng) };
    let Some(table) = table else { return Ok(()) };
    if !tx.lock(table, TableLock::Share).await? {
        return Ok(());
    }
    let Some(layout) = tx.layout(table) else { return Ok(()) };
    let there = tx.shared.model.borrow().head.tables.get(&table).map(|state| state.indexes.len());
    if there.is_some_and(|count| count > 4) {
        return Ok(());
    }
    let mut columns = Vec::new();
    for column in &layout.columns {
        let usable = matches!(
            column.physical,
            PhysicalType::Int64 | PhysicalType::Int32 | PhysicalType::Text | PhysicalType::Bool
        );
        if usable && one_in(prng, 2) {
            columns.push((column.id.0, one_in(prng, 2), one_in(prng, 2)));
        }
    }
    if columns.is_empty() {
        return Ok(());
    }
    let unique = one_in(prng, 3);
    let id = tx.shared.store.allocate_index_id();
    tx.create_index(id, index(table, unique, &columns))?;
    Ok(())
}

async fn drop_index(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    let table = if one_in(prng, 3) { Some(ITEMS) } else { pick_table(tx, prng) };
    let Some(table) = table else { return Ok(()) };
    if !tx.lock(table, TableLock::AccessExclusive).await? {
        return Ok(());
    }
    let found = {
        let model = tx.shared.model.borrow();
        let indexes = model.head.tables.get(&table).into_iter().flat_map(|t| t.indexes.keys());
        indexes.copied().find(|id| id.0 >= FIRST_DYNAMIC)
    };
    if let Some(found) = found {
        tx.drop_index(table, found)?;
    }
    Ok(())
}

async fn alter_table(tx: &mut Tx, prng: &mut Prng) -> Result<(), Stop> {
    let Some(table) = pick_table(tx, prng) else { return Ok(()) };
    if !tx.lock(table, TableLock::AccessExclusive).await? {
        return Ok(());
    }
    let Some(mut layout) = tx.layout(table) else { return Ok(()) };
    let (next, indexed) = {
        let model = tx.shared.model.borrow();
        let Some(state) = model.head.tables.get(&table) else { return Ok(()) };
        let columns = state.indexes.values().flat_map(|index| index.columns.iter());
        (state.next_column, columns.map(|column| column.column).collect::<Vec<ColumnId>>())
    };
    let droppable = layout.columns.iter().rposition(|column| !indexed.contains(&column.id));
    match droppable {
        Some(at) if layout.columns.len() > 1 && one_in(prng, 3) => {
            layout.columns.remove(at);
        }
        _ if layout.columns.len() < 7 => {
            let physical = physical(prng);
            let missing = value(prng, &physical);
            layout
                .columns
                .push(oxi_model::engine::ColumnLayout { missing, ..column(next, physical) });
        }
        _ => return Ok(()),
    }
    tx.alter_table(table, layout.clone())?;
    if one_in(prng, 2) {
        let fresh = row(prng, &layout);
        tx.insert(table, fresh).await?;
    }
    Ok(())
}
