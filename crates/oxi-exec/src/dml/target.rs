//! The table a statement writes to, with everything that must hold of its rows.

use std::sync::Arc;

use oxi_base::{Error, IndexId, Result, TableId};
use oxi_catalog::{Catalog, catalog::IncomingForeignKey};
use oxi_model::{
    descriptor::{
        ColumnDescriptor, ConstraintDescriptor, ConstraintKind, Deferral, ForeignKey,
        ReferentialAction, RelationDescriptor, TableDescriptor,
    },
    engine::RowLock,
};

/// A table as writing sees it: columns by position, constraints resolved.
#[derive(Debug)]
pub struct Target {
    /// The table.
    pub relation: Arc<RelationDescriptor>,
    /// The name of its schema, for error fields.
    pub schema: String,
    /// Where its rows are.
    pub table: TableId,
    /// Positions of the NOT NULL columns.
    pub not_null: Vec<usize>,
    /// Its unique indexes.
    pub unique: Vec<UniqueKey>,
    /// Its foreign keys.
    pub outgoing: Vec<OutgoingKey>,
    /// The foreign keys of tables (itself included) that refer to it.
    pub incoming: Vec<IncomingKey>,
}

/// A constraint and when it is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timing {
    /// Its oid; 0 for a unique index without constraint.
    pub constraint: u32,
    /// When it is checked.
    pub deferral: Deferral,
}

impl Timing {
    fn of(constraint: &ConstraintDescriptor) -> Self {
        Timing { constraint: constraint.oid, deferral: constraint.deferral }
    }
}

/// A unique index of the target.
#[derive(Debug)]
pub struct UniqueKey {
    /// Its storage.
    pub index: IndexId,
    /// Its relation oid.
    pub oid: u32,
    /// Its name, which is the constraint's name if there is one.
    pub name: String,
    /// Positions of the key columns.
    pub columns: Vec<usize>,
    /// NULL equals NULL.
    pub nulls_not_distinct: bool,
    /// Its constraint, if it has one.
    pub timing: Timing,
}

/// A foreign key, seen from the referencing table.
#[derive(Debug)]
pub struct OutgoingKey {
    /// The constraint's name.
    pub name: String,
    /// Positions in the referencing table, in the order of the referenced index's key.
    pub columns: Vec<usize>,
    /// The same in the order of declaration, for messages.
    pub declared: Vec<usize>,
    /// The referenced table.
    pub parent: Arc<RelationDescriptor>,
    /// Where its rows are.
    pub parent_table: TableId,
    /// The referenced table's positions, in the order of the index's key.
    pub parent_columns: Vec<usize>,
    /// The unique index that is probed.
    pub parent_index: IndexId,
    /// MATCH FULL.
    pub match_full: bool,
    /// When the reference is checked.
    pub timing: Timing,
}

/// A foreign key, seen from the referenced table.
#[derive(Debug)]
pub struct IncomingKey {
    /// The constraint's name.
    pub name: String,
    /// The referencing table.
    pub child: Arc<RelationDescriptor>,
    /// Where its rows are.
    pub child_table: TableId,
    /// Positions of the key in the referencing table, in the order of `child_index` if there is
    /// one, else of declaration.
    pub child_columns: Vec<usize>,
    /// Positions in the target, in the order of `child_columns`.
    pub columns: Vec<usize>,
    /// Positions in the target in the order of declaration, for messages.
    pub declared: Vec<usize>,
    /// An index of the referencing table that begins with the key.
    pub child_index: Option<IndexId>,
    /// The target's unique index and the order of its columns as places in `columns`.
    pub parent_index: (IndexId, Vec<usize>),
    /// ON DELETE.
    pub on_delete: ReferentialAction,
    /// ON UPDATE.
    pub on_update: ReferentialAction,
    /// When NO ACTION is checked.
    pub timing: Timing,
}

impl Target {
    /// Resolves a table's constraints.
    ///
    /// # Errors
    /// A defect if the relation is not a table or the catalog contradicts itself.
    pub fn new(catalog: &Catalog, relation: &Arc<RelationDescriptor>) -> Result<Target> {
        let table = table_of(relation)?;
        let not_null = positions(table, |column| column.not_null);
        let mut unique = Vec::new();
        for index in catalog.indexes_of(relation.oid) {
            let Some(descriptor) = index.as_index().filter(|index| index.unique) else { continue };
            let columns = descriptor
                .columns
                .iter()
                .map(|column| position(table, column.column))
                .collect::<Result<_>>()?;
            let constraint = table.constraints.iter().find(|constraint| {
                matches!(constraint.kind, ConstraintKind::Unique { index: of, .. } if of == index.oid)
            });
            unique.push(UniqueKey {
                index: descriptor.storage(),
                oid: index.oid,
                name: index.name.clone(),
                columns,
                nulls_not_distinct: descriptor.nulls_not_distinct,
                timing: constraint.map(Timing::of).unwrap_or_default(),
            });
        }
        let mut outgoing = Vec::new();
        for constraint in &table.constraints {
            if let ConstraintKind::ForeignKey(key) = &constraint.kind {
                outgoing.push(OutgoingKey::new(catalog, table, constraint, key)?);
            }
        }
        let mut incoming = Vec::new();
        for key in catalog.foreign_keys_to(relation.oid) {
            incoming.push(IncomingKey::new(catalog, table, &key)?);
        }
        Ok(Target {
            relation: Arc::clone(relation),
            schema: catalog.schema_name(relation.schema).to_owned(),
            table: table.storage(),
            not_null,
            unique,
            outgoing,
            incoming,
        })
    }

    /// The table's columns.
    pub fn columns(&self) -> &[ColumnDescriptor] {
        self.relation.as_table().map_or(&[], |table| &table.columns)
    }

    /// The unique index with this storage.
    pub fn unique_key(&self, index: IndexId) -> Option<&UniqueKey> {
        self.unique.iter().find(|key| key.index == index)
    }

    /// The unique keys that storage does not keep: each has the number it has in `unique`.
    pub fn deferrable(&self) -> impl Iterator<Item = (usize, &UniqueKey)> {
        self.unique.iter().enumerate().filter(|(_, key)| key.timing.deferral.deferrable)
    }

    /// Whether an inserted row leaves something to check at the end of the statement.
    pub fn owes_for_inserts(&self) -> bool {
        !self.outgoing.is_empty() || self.deferrable().next().is_some()
    }

    /// How strongly changing the columns at these positions locks a row.
    pub fn row_lock(&self, mut changed: impl Iterator<Item = usize>) -> RowLock {
        let is_key = |column| self.unique.iter().any(|key| key.columns.contains(&column));
        if changed.any(is_key) { RowLock::Update } else { RowLock::NoKeyUpdate }
    }

    /// Whether a change of the column at this position leaves something to check at the end of the
    /// statement.
    pub fn watches(&self, position: usize) -> bool {
        self.outgoing.iter().any(|key| key.columns.contains(&position))
            || self.incoming.iter().any(|key| key.columns.contains(&position))
            || self.deferrable().any(|(_, key)| key.columns.contains(&position))
    }
}

impl OutgoingKey {
    fn new(
        catalog: &Catalog,
        table: &TableDescriptor,
        constraint: &ConstraintDescriptor,
        key: &ForeignKey,
    ) -> Result<Self> {
        let parent = relation(catalog, key.referenced_table)?;
        let parent_descriptor = table_of(&parent)?;
        let index = relation(catalog, key.referenced_index)?;
        let index = index.as_index().ok_or_else(|| Error::bug("foreign key without index"))?;
        let mut columns = Vec::new();
        let mut parent_columns = Vec::new();
        for column in &index.columns {
            let place = place_of(&key.referenced_columns, column.column)?;
            columns.push(position(table, key.columns[place])?);
            parent_columns.push(position(parent_descriptor, column.column)?);
        }
        Ok(OutgoingKey {
            name: constraint.name.clone(),
            timing: Timing::of(constraint),
            columns,
            declared: key.columns.iter().map(|id| position(table, *id)).collect::<Result<_>>()?,
            parent_table: parent_descriptor.storage(),
            parent_columns,
            parent_index: index.storage(),
            match_full: key.match_full,
            parent,
        })
    }

    /// The name of the referenced column at a place of the key.
    pub fn parent_column(&self, place: usize) -> Option<&ColumnDescriptor> {
        self.parent.as_table()?.columns.get(*self.parent_columns.get(place)?)
    }
}

impl IncomingKey {
    fn new(
        catalog: &Catalog,
        table: &TableDescriptor,
        incoming: &IncomingForeignKey,
    ) -> Result<Self> {
        let missing = || Error::bug("a foreign key that is not there");
        let constraint = incoming.descriptor().ok_or_else(missing)?;
        let key = incoming.foreign_key().ok_or_else(missing)?;
        let child = table_of(&incoming.table)?;
        // An index serves if its first columns are the key's, in whatever order.
        let serving = catalog.indexes_of(incoming.table.oid).into_iter().find_map(|index| {
            let index = index.as_index().filter(|index| !index.invalid)?;
            let head = index.columns.get(..key.columns.len())?;
            head.iter()
                .all(|column| key.columns.contains(&column.column))
                .then(|| (index.storage(), head.iter().map(|column| column.column).collect()))
        });
        let (child_index, order): (_, Vec<u32>) = match serving {
            Some((index, order)) => (Some(index), order),
            None => (None, key.columns.clone()),
        };
        let mut child_columns = Vec::new();
        let mut columns = Vec::new();
        for id in &order {
            let place = place_of(&key.columns, *id)?;
            child_columns.push(position(child, *id)?);
            columns.push(position(table, key.referenced_columns[place])?);
        }
        let index = relation(catalog, key.referenced_index)?;
        let index = index.as_index().ok_or_else(|| Error::bug("foreign key without index"))?;
        let mut index_order = Vec::new();
        for column in &index.columns {
            let wanted = position(table, column.column)?;
            let place = columns.iter().position(|found| *found == wanted).ok_or_else(missing)?;
            index_order.push(place);
        }
        Ok(IncomingKey {
            name: constraint.name.clone(),
            timing: Timing::of(constraint),
            child_table: child.storage(),
            child: Arc::clone(&incoming.table),
            child_columns,
            columns,
            declared: key
                .referenced_columns
                .iter()
                .map(|id| position(table, *id))
                .collect::<Result<_>>()?,
            child_index,
            parent_index: (index.storage(), index_order),
            on_delete: key.on_delete,
            on_update: key.on_update,
        })
    }
}

/// The description of a relation that must be a table.
///
/// # Errors
/// A defect if it is not.
pub fn table_of(relation: &RelationDescriptor) -> Result<&TableDescriptor> {
    relation.as_table().ok_or_else(|| Error::bug(format!("\"{}\" is not a table", relation.name)))
}

fn relation(catalog: &Catalog, oid: u32) -> Result<Arc<RelationDescriptor>> {
    let found = catalog.relation(oid).cloned();
    found.ok_or_else(|| Error::bug(format!("relation {oid} is not in the catalog")))
}

fn position(table: &TableDescriptor, id: u32) -> Result<usize> {
    let found = table.column_by_id(id).map(|(position, _)| position);
    found.ok_or_else(|| Error::bug(format!("column {id} is not in the table")))
}

fn positions(table: &TableDescriptor, wanted: impl Fn(&ColumnDescriptor) -> bool) -> Vec<usize> {
    (0..table.columns.len()).filter(|position| wanted(&table.columns[*position])).collect()
}

fn place_of(ids: &[u32], id: u32) -> Result<usize> {
    let found = ids.iter().position(|found| *found == id);
    found.ok_or_else(|| Error::bug(format!("column {id} is not in the key")))
}
