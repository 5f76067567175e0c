//! From descriptors to the physical shapes that storage is told.

use oxi_base::{ColumnId, Error, Result, TableId};
use oxi_model::{
    Datum,
    descriptor::{IndexDescriptor, SequenceDescriptor, TableDescriptor},
    engine::{ColumnLayout, IndexColumnLayout, IndexLayout, SequenceStep, TableLayout},
};

use crate::catalog::Catalog;

/// The layout of a table whose columns were all there from the start.
pub fn layout_of(table: &TableDescriptor) -> TableLayout {
    layout_with_missing(table, &[])
}

/// The layout of a table; `missing` names what older rows read in columns that are new (NULL
/// where it says nothing; storage keeps what it knows of columns it has already).
pub fn layout_with_missing(table: &TableDescriptor, missing: &[(u32, Datum)]) -> TableLayout {
    TableLayout {
        columns: table
            .columns
            .iter()
            .map(|column| ColumnLayout {
                id: column.id(),
                physical: column.physical.clone(),
                missing: missing
                    .iter()
                    .find(|(id, _)| *id == column.id)
                    .map_or(Datum::Null, |(_, value)| value.clone()),
            })
            .collect(),
        catalog: false,
        history_us: table.history_us,
    }
}

/// The layout of an index over a table's storage.
pub fn index_layout(index: &IndexDescriptor, table: TableId) -> IndexLayout {
    IndexLayout {
        table,
        columns: index
            .columns
            .iter()
            .map(|column| IndexColumnLayout {
                column: ColumnId(column.column),
                descending: column.descending,
                nulls_first: column.nulls_first,
            })
            .collect(),
        // Equal keys of a deferrable constraint may meet for a while.
        unique: index.unique && !index.deferrable,
        nulls_not_distinct: index.nulls_not_distinct,
    }
}

/// The layout of an index, its table looked up in the catalog.
///
/// # Errors
/// A defect if the catalog has no such table.
pub fn index_layout_of(catalog: &Catalog, index: &IndexDescriptor) -> Result<IndexLayout> {
    let table = catalog
        .relation(index.table)
        .and_then(|relation| relation.as_table())
        .ok_or_else(|| Error::bug(format!("index of missing table {}", index.table)))?;
    Ok(index_layout(index, table.storage()))
}

/// How a sequence moves.
pub fn sequence_step(sequence: &SequenceDescriptor) -> SequenceStep {
    SequenceStep {
        start: sequence.start,
        increment: sequence.increment,
        min: sequence.min,
        max: sequence.max,
        cycle: sequence.cycle,
    }
}

/// Whether two states of a table differ in what storage must know.
pub fn same_layout(old: &TableDescriptor, new: &TableDescriptor) -> bool {
    old.history_us == new.history_us
        && old.columns.len() == new.columns.len()
        && old
            .columns
            .iter()
            .zip(&new.columns)
            .all(|(old, new)| old.id == new.id && old.physical == new.physical)
}
