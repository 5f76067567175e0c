//! What a transaction writes into the log: operations, one after the other.
//!
//! A commit frame's payload is `varint keep` followed by operations. Large transactions send
//! chunks of the same form ahead; `keep` says how many bytes of what came before still count (less
//! than all after a rollback to a savepoint). Byte map: `docs/dev/formats/redo.md`.

use oxi_base::{
    ColumnId, IndexId, RowId, TableId,
    codec::{Reader, put_varint},
};
use oxi_model::{
    Datum, PhysicalType,
    array::{TypedArray, decode_datum, encode_datum, skip_datum},
    engine::{ColumnLayout, IndexColumnLayout, IndexLayout, TableLayout},
};
use smallvec::SmallVec;

const CREATE_TABLE: u8 = 1;
const ALTER_TABLE: u8 = 2;
const DROP_TABLE: u8 = 3;
const CREATE_INDEX: u8 = 4;
const DROP_INDEX: u8 = 5;
const INSERT: u8 = 6;
const UPDATE: u8 = 7;
const DELETE: u8 = 8;
const SEQUENCE: u8 = 9;
const MARKS: u8 = 10;
const UNDROP_TABLE: u8 = 11;

/// Numbers that were never used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) table: u32,
    pub(crate) index: u32,
    pub(crate) oid: u32,
}

/// A decoded operation that is not a row's.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Op {
    CreateTable(TableId, TableLayout),
    AlterTable(TableId, TableLayout),
    DropTable(TableId),
    UndropTable(TableId),
    CreateIndex(IndexId, IndexLayout),
    DropIndex(IndexId),
    Sequence(u32, i64, bool),
    Marks(Marks),
}

pub(crate) fn put_insert<'a>(
    out: &mut Vec<u8>,
    table: TableId,
    row: RowId,
    values: impl ExactSizeIterator<Item = &'a Datum>,
) {
    put_insert_head(out, table, row, values.len());
    for value in values {
        encode_datum(out, value);
    }
}

fn put_insert_head(out: &mut Vec<u8>, table: TableId, row: RowId, values: usize) {
    out.push(INSERT);
    put_varint(out, table.0.into());
    put_varint(out, row.0);
    put_varint(out, values as u64);
}

/// As [`put_insert`] for row `index` of arrays.
pub(crate) fn put_insert_at(
    out: &mut Vec<u8>,
    table: TableId,
    row: RowId,
    arrays: &[TypedArray<'_>],
    index: usize,
) {
    put_insert_head(out, table, row, arrays.len());
    for array in arrays {
        array.encode(index, out);
    }
}

pub(crate) fn put_update(
    out: &mut Vec<u8>,
    table: TableId,
    row: RowId,
    changes: &[(usize, Datum)],
) {
    out.push(UPDATE);
    put_varint(out, table.0.into());
    put_varint(out, row.0);
    put_varint(out, changes.len() as u64);
    for (position, value) in changes {
        put_varint(out, *position as u64);
        encode_datum(out, value);
    }
}

pub(crate) fn put_delete(out: &mut Vec<u8>, table: TableId, row: RowId) {
    out.push(DELETE);
    put_varint(out, table.0.into());
    put_varint(out, row.0);
}

pub(crate) fn put_create_table(out: &mut Vec<u8>, table: TableId, layout: &TableLayout) {
    out.push(CREATE_TABLE);
    put_varint(out, table.0.into());
    put_layout(out, layout);
}

pub(crate) fn put_alter_table(out: &mut Vec<u8>, table: TableId, layout: &TableLayout) {
    out.push(ALTER_TABLE);
    put_varint(out, table.0.into());
    put_layout(out, layout);
}

pub(crate) fn put_drop_table(out: &mut Vec<u8>, table: TableId) {
    out.push(DROP_TABLE);
    put_varint(out, table.0.into());
}

pub(crate) fn put_undrop_table(out: &mut Vec<u8>, table: TableId) {
    out.push(UNDROP_TABLE);
    put_varint(out, table.0.into());
}

pub(crate) fn put_create_index(out: &mut Vec<u8>, index: IndexId, layout: &IndexLayout) {
    out.push(CREATE_INDEX);
    put_varint(out, index.0.into());
    put_index_layout(out, layout);
}

pub(crate) fn put_drop_index(out: &mut Vec<u8>, index: IndexId) {
    out.push(DROP_INDEX);
    put_varint(out, index.0.into());
}

pub(crate) fn put_sequence(out: &mut Vec<u8>, sequence: u32, value: i64, is_called: bool) {
    out.push(SEQUENCE);
    put_varint(out, sequence.into());
    out.extend_from_slice(&value.to_le_bytes());
    out.push(u8::from(is_called));
}

pub(crate) fn put_marks(out: &mut Vec<u8>, marks: Marks) {
    out.push(MARKS);
    put_varint(out, marks.table.into());
    put_varint(out, marks.index.into());
    put_varint(out, marks.oid.into());
}

/// Encodes a table layout.
pub(crate) fn put_layout(out: &mut Vec<u8>, layout: &TableLayout) {
    out.push(u8::from(layout.catalog) | u8::from(layout.history_us.is_some()) << 1);
    if let Some(us) = layout.history_us {
        put_varint(out, us);
    }
    put_varint(out, layout.columns.len() as u64);
    for column in &layout.columns {
        put_varint(out, column.id.0.into());
        put_physical(out, &column.physical);
        encode_datum(out, &column.missing);
    }
}

/// Decodes a table layout.
pub(crate) fn read_layout(reader: &mut Reader<'_>) -> Option<TableLayout> {
    let flags = reader.u8().filter(|flags| *flags < 4)?;
    let history_us = if flags & 2 != 0 { Some(reader.varint()?) } else { None };
    let count = reader.varint()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        let id = ColumnId(read_u32(reader)?);
        let physical = read_physical(reader, 0)?;
        let missing = decode_datum(reader, &physical)?;
        columns.push(ColumnLayout { id, physical, missing });
    }
    Some(TableLayout { columns, catalog: flags & 1 != 0, history_us })
}

/// Encodes an index layout.
pub(crate) fn put_index_layout(out: &mut Vec<u8>, layout: &IndexLayout) {
    put_varint(out, layout.table.0.into());
    out.push(u8::from(layout.unique) | u8::from(layout.nulls_not_distinct) << 1);
    put_varint(out, layout.columns.len() as u64);
    for column in &layout.columns {
        put_varint(out, column.column.0.into());
        out.push(u8::from(column.descending) | u8::from(column.nulls_first) << 1);
    }
}

/// Decodes an index layout.
pub(crate) fn read_index_layout(reader: &mut Reader<'_>) -> Option<IndexLayout> {
    let table = TableId(read_u32(reader)?);
    let flags = reader.u8()?;
    let count = reader.varint()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        let column = ColumnId(read_u32(reader)?);
        let flags = reader.u8()?;
        columns.push(IndexColumnLayout {
            column,
            descending: flags & 1 != 0,
            nulls_first: flags & 2 != 0,
        });
    }
    let (unique, nulls_not_distinct) = (flags & 1 != 0, flags & 2 != 0);
    Some(IndexLayout { table, columns, unique, nulls_not_distinct })
}

const SIMPLE: [PhysicalType; 16] = [
    PhysicalType::Bool,
    PhysicalType::Int16,
    PhysicalType::Int32,
    PhysicalType::Int64,
    PhysicalType::UInt32,
    PhysicalType::Float32,
    PhysicalType::Float64,
    PhysicalType::Date,
    PhysicalType::Time,
    PhysicalType::Timestamp,
    PhysicalType::TimestampTz,
    PhysicalType::Interval,
    PhysicalType::Uuid,
    PhysicalType::Numeric,
    PhysicalType::Text,
    PhysicalType::Bytes,
];
const LIST: u8 = 64;

/// Encodes a physical type: 1 + its place in the list above, or 64 and the element type.
pub(crate) fn put_physical(out: &mut Vec<u8>, physical: &PhysicalType) {
    if let PhysicalType::List(element) = physical {
        out.push(LIST);
        put_physical(out, element);
    } else if let Some(place) = SIMPLE.iter().position(|simple| simple == physical) {
        out.push(place as u8 + 1);
    }
}

/// Decodes a physical type.
pub(crate) fn read_physical(reader: &mut Reader<'_>, depth: u32) -> Option<PhysicalType> {
    match reader.u8()? {
        LIST if depth < 8 => Some(PhysicalType::List(Box::new(read_physical(reader, depth + 1)?))),
        tag => SIMPLE.get(usize::from(tag).checked_sub(1)?).cloned(),
    }
}

pub(crate) fn read_u32(reader: &mut Reader<'_>) -> Option<u32> {
    u32::try_from(reader.varint()?).ok()
}

pub(crate) fn read_bool(reader: &mut Reader<'_>) -> Option<bool> {
    match reader.u8()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// What a row operation does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RowKind {
    Insert,
    Update,
    Delete,
}

/// The head of a row operation; what follows are an insert's or an update's values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RowHead {
    pub(crate) kind: RowKind,
    pub(crate) table: TableId,
    pub(crate) row: RowId,
}

/// Decodes the head of a row operation; `None` when another operation comes next.
pub(crate) fn peek_row(reader: &Reader<'_>) -> Option<(RowHead, usize)> {
    let mut ahead = *reader;
    let kind = match ahead.u8()? {
        INSERT => RowKind::Insert,
        UPDATE => RowKind::Update,
        DELETE => RowKind::Delete,
        _ => return None,
    };
    let table = TableId(read_u32(&mut ahead)?);
    let row = RowId(ahead.varint()?);
    Some((RowHead { kind, table, row }, reader.rest().len() - ahead.rest().len()))
}

/// Passes over the values that follow a row operation's head.
pub(crate) fn skip_values(
    reader: &mut Reader<'_>,
    kind: RowKind,
    layout: &TableLayout,
) -> Option<()> {
    match kind {
        RowKind::Delete => {}
        RowKind::Insert => {
            if reader.varint()? != layout.columns.len() as u64 {
                return None;
            }
            for column in &layout.columns {
                skip_datum(reader, &column.physical)?;
            }
        }
        RowKind::Update => {
            for _ in 0..reader.varint()? {
                let position = usize::try_from(reader.varint()?).ok()?;
                skip_datum(reader, &layout.columns.get(position)?.physical)?;
            }
        }
    }
    Some(())
}

/// The positions of the columns that an update changes, whose values come next.
pub(crate) fn positions(
    mut reader: Reader<'_>,
    layout: &TableLayout,
) -> Option<SmallVec<[usize; 8]>> {
    let mut positions = SmallVec::new();
    for _ in 0..reader.varint()? {
        let position = usize::try_from(reader.varint()?).ok()?;
        skip_datum(&mut reader, &layout.columns.get(position)?.physical)?;
        positions.push(position);
    }
    Some(positions)
}

/// Decodes the values of an insertion.
pub(crate) fn read_row(reader: &mut Reader<'_>, layout: &TableLayout) -> Option<Vec<Datum>> {
    if reader.varint()? != layout.columns.len() as u64 {
        return None;
    }
    layout.columns.iter().map(|column| decode_datum(reader, &column.physical)).collect()
}

/// Decodes the values of an update, with their positions.
pub(crate) fn read_changes(
    reader: &mut Reader<'_>,
    layout: &TableLayout,
) -> Option<Vec<(usize, Datum)>> {
    let mut changes = Vec::new();
    for _ in 0..reader.varint()? {
        let position = usize::try_from(reader.varint()?).ok()?;
        let physical = &layout.columns.get(position)?.physical;
        changes.push((position, decode_datum(reader, physical)?));
    }
    Some(changes)
}

/// Decodes one operation that is not a row's.
pub(crate) fn read_op(reader: &mut Reader<'_>) -> Option<Op> {
    Some(match reader.u8()? {
        CREATE_TABLE => Op::CreateTable(TableId(read_u32(reader)?), read_layout(reader)?),
        ALTER_TABLE => Op::AlterTable(TableId(read_u32(reader)?), read_layout(reader)?),
        DROP_TABLE => Op::DropTable(TableId(read_u32(reader)?)),
        UNDROP_TABLE => Op::UndropTable(TableId(read_u32(reader)?)),
        CREATE_INDEX => Op::CreateIndex(IndexId(read_u32(reader)?), read_index_layout(reader)?),
        DROP_INDEX => Op::DropIndex(IndexId(read_u32(reader)?)),
        SEQUENCE => {
            let sequence = read_u32(reader)?;
            let value = i64::from_le_bytes(reader.array()?);
            Op::Sequence(sequence, value, read_bool(reader)?)
        }
        MARKS => Op::Marks(Marks {
            table: read_u32(reader)?,
            index: read_u32(reader)?,
            oid: read_u32(reader)?,
        }),
        _ => return None,
    })
}
