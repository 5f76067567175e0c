//! Reads what the store shows and finds the prefix of commits that explains it.

use std::{cmp::Ordering, collections::BTreeMap, ops::Bound, sync::Arc};

use oxi_base::{Result as StoreResult, RowId, SqlState, TableId};
use oxi_model::{
    Datum, Row,
    array::datum_at,
    engine::{IndexLayout, KeyRange, ScanRequest, Snapshot, TableLayout},
};
use oxi_world::rng::Prng;

use crate::{
    damage,
    model::{Model, State, TableState},
    schema::{BASE, base_layout},
};

pub(crate) type Rows = BTreeMap<RowId, Row>;

/// The base tables as one snapshot shows them; `None` for a table that is not there.
pub(crate) type Content = BTreeMap<TableId, Option<Rows>>;

/// A snapshot kept for a while, and what it showed at first.
pub(crate) struct Held {
    pub(crate) snapshot: Arc<dyn Snapshot>,
    pub(crate) content: Content,
}

impl Held {
    /// The snapshot must show what it showed.
    pub(crate) fn verify(&self, prng: &mut Prng) -> Result<(), String> {
        let now = base_content(&*self.snapshot, prng)?;
        if now == self.content {
            return Ok(());
        }
        Err(format!("a snapshot changed: {}", first_difference(&self.content, &now)))
    }
}

pub(crate) fn base_content(snapshot: &dyn Snapshot, prng: &mut Prng) -> Result<Content, String> {
    let mut content = Content::new();
    for table in BASE {
        content.insert(table, read_table(snapshot, table, &base_layout(table), prng)?);
    }
    Ok(content)
}

fn read_table(
    snapshot: &dyn Snapshot,
    table: TableId,
    layout: &TableLayout,
    prng: &mut Prng,
) -> Result<Option<Rows>, String> {
    match try_read(snapshot, table, layout, 1 + prng.below(3) as usize) {
        Ok((_, Some(row))) => Err(format!("table {table}: a scan yields row {row} twice")),
        Ok((rows, None)) => Ok(Some(rows)),
        Err(error) if error.code() == SqlState::UNDEFINED_TABLE => Ok(None),
        Err(error) => Err(format!("table {table} cannot be read: {error}")),
    }
}

pub(crate) fn try_read(
    snapshot: &dyn Snapshot,
    table: TableId,
    layout: &TableLayout,
    partitions: usize,
) -> StoreResult<(Rows, Option<RowId>)> {
    let columns = (0..layout.columns.len()).collect();
    let request = ScanRequest { columns, row_id: true, partitions, in_order: false };
    let mut rows = Rows::new();
    for mut scan in snapshot.scan(table, &request)? {
        while let Some(batch) = scan.next_batch()? {
            let ids = batch.columns().last().cloned();
            let ids = ids
                .and_then(|ids| ids.as_any().downcast_ref::<arrow_array::UInt64Array>().cloned())
                .ok_or_else(|| oxi_base::Error::bug("a scan gave no row ids"))?;
            for number in 0..batch.num_rows() {
                let mut row = Row::with_capacity(layout.columns.len());
                for (column, array) in layout.columns.iter().zip(batch.columns()) {
                    row.push(datum_at(&**array, &column.physical, number)?);
                }
                let id = RowId(ids.value(number));
                if rows.insert(id, row).is_some() {
                    return Ok((rows, Some(id)));
                }
            }
        }
    }
    Ok((rows, None))
}

fn first_difference(wanted: &Content, found: &Content) -> String {
    for (table, wanted) in wanted {
        let found = found.get(table).and_then(Option::as_ref);
        if let Some(text) = difference(*table, wanted.as_ref(), found) {
            return text;
        }
    }
    "no difference".to_owned()
}

fn difference(table: TableId, wanted: Option<&Rows>, found: Option<&Rows>) -> Option<String> {
    let (wanted, found) = match (wanted, found) {
        (None, None) => return None,
        (Some(wanted), Some(found)) => (wanted, found),
        (Some(_), None) => return Some(format!("table {table} is missing")),
        (None, Some(_)) => return Some(format!("table {table} should not be there")),
    };
    for (row, value) in wanted {
        match found.get(row) {
            None => return Some(format!("table {table}: row {row} {value:?} is missing")),
            Some(other) if other != value => {
                return Some(format!("table {table}: row {row} is {other:?}, not {value:?}"));
            }
            Some(_) => {}
        }
    }
    let extra = found.iter().find(|(row, _)| !wanted.contains_key(row));
    extra.map(|(row, value)| format!("table {table}: row {row} {value:?} should not be there"))
}

/// Whether the base tables of a state are as read.
fn base_matches(state: &State, content: &Content) -> Result<(), String> {
    for (table, found) in content {
        if state.rows(*table) != found.as_ref() {
            let text = difference(*table, state.rows(*table), found.as_ref());
            return Err(text.unwrap_or_default());
        }
    }
    Ok(())
}

/// Whether a reading failed because of the disk: rows and indexes are read when they are needed.
pub(crate) fn is_of_the_disk(reason: &str) -> bool {
    ["58030", "53100"].iter().any(|code| reason.contains(&format!("(SQLSTATE {code})")))
}

/// Finds how many commits a fresh snapshot shows. In a live database tables that somebody holds
/// exclusively are left out: their shape may be ahead of what is visible.
pub(crate) fn explain(
    snapshot: &dyn Snapshot,
    model: &Model,
    prng: &mut Prng,
    only_head: bool,
) -> Result<(u64, Content), String> {
    let content = base_content(snapshot, prng)?;
    let mut reasons: Option<String> = None;
    let mut failed = |count: u64, reason: String| {
        // What could not be read explains more than what differs.
        if reasons.is_none() || is_of_the_disk(&reason) || damage::is_report(&reason) {
            reasons = Some(format!("with {count} commits: {reason}"));
        }
    };
    if only_head {
        let count = model.settled_count + model.pending.len() as u64;
        base_matches(&model.head, &content)?;
        rest_matches(&model.head, snapshot, model, prng)?;
        return Ok((count, content));
    }
    let mut count = model.settled_count;
    match base_matches(&model.settled, &content)
        .and_then(|()| rest_matches(&model.settled, snapshot, model, prng))
    {
        Ok(()) => return Ok((count, content)),
        Err(reason) => failed(count, reason),
    }
    let mut state = if model.pending.is_empty() { State::default() } else { model.settled.clone() };
    for commit in &model.pending {
        state.apply(commit)?;
        count += 1;
        match base_matches(&state, &content)
            .and_then(|()| rest_matches(&state, snapshot, model, prng))
        {
            Ok(()) => return Ok((count, content)),
            Err(reason) => failed(count, reason),
        }
    }
    let doubt = model.pending.len();
    let settled = model.settled_count;
    Err(format!(
        "no prefix of the commits explains what is there ({settled} acknowledged, {doubt} in \
         doubt); {}",
        reasons.unwrap_or_default()
    ))
}

/// Compares everything but the rows of the base tables, which were compared already.
fn rest_matches(
    state: &State,
    snapshot: &dyn Snapshot,
    model: &Model,
    prng: &mut Prng,
) -> Result<(), String> {
    for (id, table) in &state.tables {
        if model.exclusive.contains_key(id) {
            continue;
        }
        if !BASE.contains(id) {
            let found = read_table(snapshot, *id, &table.layout, prng)?;
            if let Some(text) = difference(*id, Some(&table.rows), found.as_ref()) {
                return Err(text);
            }
        }
        for (index, layout) in &table.indexes {
            index_matches(snapshot, table, *index, layout, prng)
                .map_err(|reason| format!("table {id} index {index}: {reason}"))?;
        }
    }
    // A table that is not part of this state is not there.
    for id in model.head.tables.keys().chain(model.settled.tables.keys()) {
        if !state.tables.contains_key(id)
            && !model.exclusive.contains_key(id)
            && try_read(
                snapshot,
                *id,
                &TableLayout { columns: Vec::new(), catalog: false, history_us: None },
                1,
            )
            .is_ok_and(|(rows, _)| !rows.is_empty())
        {
            return Err(format!("table {id} should not be there"));
        }
    }
    Ok(())
}

fn positions(table: &TableState, index: &IndexLayout) -> Vec<usize> {
    let at = |id| table.layout.columns.iter().position(|column| column.id == id);
    index.columns.iter().filter_map(|column| at(column.column)).collect()
}

/// An index scan shows the rows of the table, in order, and finds each by its key.
fn index_matches(
    snapshot: &dyn Snapshot,
    table: &TableState,
    id: oxi_base::IndexId,
    layout: &IndexLayout,
    prng: &mut Prng,
) -> Result<(), String> {
    let keys = positions(table, layout);
    let reverse = prng.below(3) == 0;
    let range = KeyRange { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse };
    let mut problem = None;
    let mut seen = 0;
    let mut before: Option<Row> = None;
    let scanned = snapshot.index_scan(id, &range, &keys, &mut |row, values| {
        seen += 1;
        let Some(expected) = table.rows.get(&row) else {
            problem = Some(format!("shows row {row}, which is not there"));
            return Ok(false);
        };
        if !keys.iter().zip(values).all(|(at, value)| expected[*at] == *value) {
            problem = Some(format!("shows row {row} as {values:?}, not {expected:?}"));
        }
        if let Some(before) = &before {
            let order = compare(layout, before, values);
            let order = if reverse { order.reverse() } else { order };
            let distinct = layout.unique && !values.iter().any(Datum::is_null);
            if order == Ordering::Greater || distinct && order == Ordering::Equal {
                problem = Some(format!("shows {before:?} before {values:?}"));
            }
        }
        before = Some(values.to_vec());
        Ok(problem.is_none())
    });
    scanned.map_err(|error| error.to_string())?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    if seen != table.rows.len() {
        return Err(format!("shows {seen} rows of {}", table.rows.len()));
    }
    let number = prng.below(table.rows.len().max(1) as u64) as usize;
    let Some((wanted, row)) = table.rows.iter().nth(number) else { return Ok(()) };
    let key: Row = keys.iter().map(|at| row[*at].clone()).collect();
    if key.iter().any(Datum::is_null) {
        return Ok(());
    }
    let mut found = false;
    let looked_up = snapshot.index_scan(id, &KeyRange::equal(key), &[], &mut |row, _| {
        found |= row == *wanted;
        Ok(!found)
    });
    looked_up.map_err(|error| error.to_string())?;
    if found { Ok(()) } else { Err(format!("does not find row {wanted} by its key")) }
}

/// The order of an index.
fn compare(layout: &IndexLayout, left: &[Datum], right: &[Datum]) -> Ordering {
    for ((column, left), right) in layout.columns.iter().zip(left).zip(right) {
        let order = match (left, right) {
            (Datum::Null, Datum::Null) => Ordering::Equal,
            (Datum::Null, _) if column.nulls_first => Ordering::Less,
            (Datum::Null, _) => Ordering::Greater,
            (_, Datum::Null) if column.nulls_first => Ordering::Greater,
            (_, Datum::Null) => Ordering::Less,
            _ if column.descending => values(right, left),
            _ => values(left, right),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

fn values(left: &Datum, right: &Datum) -> Ordering {
    match (left, right) {
        (Datum::Int64(left), Datum::Int64(right)) => left.cmp(right),
        (Datum::Int32(left), Datum::Int32(right)) => left.cmp(right),
        (Datum::Bool(left), Datum::Bool(right)) => left.cmp(right),
        (Datum::Text(left), Datum::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
        _ => Ordering::Equal,
    }
}
