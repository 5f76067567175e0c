//! One immutable state of the catalog: descriptors by number and by name, and who depends on whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use oxi_model::descriptor::{
    ConstraintDescriptor, ConstraintKind, ForeignKey, RelationDescriptor, RelationKind,
    SchemaDescriptor,
};

use crate::tables;

/// Oid of the schema `pg_catalog`.
pub const PG_CATALOG: u32 = 11;
/// Oid of the schema `public`.
pub const PUBLIC: u32 = 2200;
/// Oid of the schema `information_schema`.
pub const INFORMATION_SCHEMA: u32 = 13220;
/// Oid of the schema `oxi`, which holds the system tables.
pub const OXI: u32 = 13000;
/// The first oid that users' objects have.
pub const FIRST_USER_OID: u32 = 16384;

/// One state of the catalog. Cloning copies a few pointers; changing a clone copies only the maps
/// that change.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    schemas: Arc<BTreeMap<u32, Arc<SchemaDescriptor>>>,
    schema_names: Arc<BTreeMap<String, u32>>,
    relations: Arc<BTreeMap<u32, Arc<RelationDescriptor>>>,
    /// Relation names per schema.
    names: Arc<BTreeMap<u32, Arc<BTreeMap<String, u32>>>>,
    /// For each relation, the relations whose descriptors refer to it.
    referrers: Arc<BTreeMap<u32, BTreeSet<u32>>>,
    /// Settings that outlive sessions.
    settings: Arc<BTreeMap<String, String>>,
}

/// A foreign key that refers to a table, seen from that table.
#[derive(Clone, Debug)]
pub struct IncomingForeignKey {
    /// The referencing table.
    pub table: Arc<RelationDescriptor>,
    /// Position of the constraint among the referencing table's constraints.
    pub constraint: usize,
}

impl IncomingForeignKey {
    /// The constraint.
    pub fn descriptor(&self) -> Option<&ConstraintDescriptor> {
        self.table.as_table()?.constraints.get(self.constraint)
    }

    /// The constraint's foreign key.
    pub fn foreign_key(&self) -> Option<&ForeignKey> {
        match &self.descriptor()?.kind {
            ConstraintKind::ForeignKey(key) => Some(key),
            _ => None,
        }
    }
}

impl Catalog {
    /// The catalog that every database has: the built-in schemas and the system tables.
    pub fn builtin() -> Self {
        let mut catalog = Catalog::default();
        for (oid, name) in
            [(PG_CATALOG, "pg_catalog"), (INFORMATION_SCHEMA, "information_schema"), (OXI, "oxi")]
        {
            catalog.put_schema(Arc::new(SchemaDescriptor { oid, name: name.to_owned() }));
        }
        for relation in tables::descriptors() {
            catalog.put_relation(Arc::new(relation));
        }
        catalog
    }

    /// All schemas by oid.
    pub fn schemas(&self) -> impl Iterator<Item = &Arc<SchemaDescriptor>> {
        self.schemas.values()
    }

    /// A schema by oid.
    pub fn schema(&self, oid: u32) -> Option<&Arc<SchemaDescriptor>> {
        self.schemas.get(&oid)
    }

    /// A schema by name.
    pub fn schema_by_name(&self, name: &str) -> Option<&Arc<SchemaDescriptor>> {
        self.schemas.get(self.schema_names.get(name)?)
    }

    /// A schema's name; empty if there is no such schema.
    pub fn schema_name(&self, oid: u32) -> &str {
        self.schemas.get(&oid).map_or("", |schema| schema.name.as_str())
    }

    /// All relations by oid.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<RelationDescriptor>> {
        self.relations.values()
    }

    /// The relations of one schema by name.
    pub fn relations_in(&self, schema: u32) -> impl Iterator<Item = &Arc<RelationDescriptor>> {
        self.names
            .get(&schema)
            .into_iter()
            .flat_map(|names| names.values())
            .filter_map(|oid| self.relations.get(oid))
    }

    /// A relation by oid.
    pub fn relation(&self, oid: u32) -> Option<&Arc<RelationDescriptor>> {
        self.relations.get(&oid)
    }

    /// A relation by schema oid and name.
    pub fn relation_by_name(&self, schema: u32, name: &str) -> Option<&Arc<RelationDescriptor>> {
        self.relations.get(self.names.get(&schema)?.get(name)?)
    }

    /// The indexes of a table, by oid.
    pub fn indexes_of(&self, table: u32) -> Vec<Arc<RelationDescriptor>> {
        self.referrers_of(table)
            .filter(|relation| relation.as_index().is_some_and(|index| index.table == table))
            .cloned()
            .collect()
    }

    /// The sequences that a column of the table owns (all columns if `column` is `None`).
    pub fn owned_sequences(&self, table: u32, column: Option<u32>) -> Vec<Arc<RelationDescriptor>> {
        self.referrers_of(table)
            .filter(|relation| {
                relation.as_sequence().and_then(|sequence| sequence.owned_by).is_some_and(
                    |(owner, id)| owner == table && column.is_none_or(|column| column == id),
                )
            })
            .cloned()
            .collect()
    }

    /// The views that read a relation.
    pub fn views_on(&self, relation: u32) -> Vec<Arc<RelationDescriptor>> {
        self.referrers_of(relation)
            .filter(|referrer| {
                referrer.as_view().is_some_and(|view| view.depends_on.contains(&relation))
            })
            .cloned()
            .collect()
    }

    /// The foreign keys that refer to a table (its own included), by table oid and position.
    pub fn foreign_keys_to(&self, table: u32) -> Vec<IncomingForeignKey> {
        let mut keys = Vec::new();
        for relation in self.referrers_of(table) {
            let Some(descriptor) = relation.as_table() else { continue };
            for (position, constraint) in descriptor.constraints.iter().enumerate() {
                if matches!(&constraint.kind, ConstraintKind::ForeignKey(key) if key.referenced_table == table)
                {
                    keys.push(IncomingForeignKey {
                        table: Arc::clone(relation),
                        constraint: position,
                    });
                }
            }
        }
        keys
    }

    /// The relations whose descriptors refer to this one: its indexes, owned sequences, views on
    /// it, tables with a foreign key to it (itself included).
    pub fn referrers_of(&self, oid: u32) -> impl Iterator<Item = &Arc<RelationDescriptor>> {
        self.referrers
            .get(&oid)
            .into_iter()
            .flatten()
            .filter_map(|referrer| self.relations.get(referrer))
    }

    /// A constraint of a table by name.
    pub fn constraint_by_name(
        &self,
        table: u32,
        name: &str,
    ) -> Option<(Arc<RelationDescriptor>, usize)> {
        let relation = self.relation(table)?;
        let position =
            relation.as_table()?.constraints.iter().position(|found| found.name == name)?;
        Some((Arc::clone(relation), position))
    }

    /// A constraint by oid, with its table.
    pub fn constraint(&self, oid: u32) -> Option<(Arc<RelationDescriptor>, usize)> {
        self.relations.values().find_map(|relation| {
            let position =
                relation.as_table()?.constraints.iter().position(|found| found.oid == oid)?;
            Some((Arc::clone(relation), position))
        })
    }

    /// The PRIMARY KEY or UNIQUE constraint that an index enforces, if any.
    pub fn constraint_of_index(&self, index: u32) -> Option<(Arc<RelationDescriptor>, usize)> {
        let table = self.relation(index)?.as_index()?.table;
        let relation = self.relation(table)?;
        let position = relation.as_table()?.constraints.iter().position(|constraint| {
            matches!(constraint.kind, ConstraintKind::Unique { index: found, .. } if found == index)
        })?;
        Some((Arc::clone(relation), position))
    }

    /// The name as SQL would write it, always with its schema.
    pub fn qualified_name(&self, relation: &RelationDescriptor) -> String {
        crate::identifier::qualified(self.schema_name(relation.schema), &relation.name)
    }

    /// The settings that are stored with the database, by name.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A setting that is stored with the database.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// Sets or removes a stored setting.
    pub fn put_setting(&mut self, name: &str, value: Option<&str>) {
        let settings = Arc::make_mut(&mut self.settings);
        match value {
            Some(value) => settings.insert(name.to_owned(), value.to_owned()),
            None => settings.remove(name),
        };
    }

    /// Adds or replaces a schema.
    pub fn put_schema(&mut self, schema: Arc<SchemaDescriptor>) {
        let names = Arc::make_mut(&mut self.schema_names);
        if let Some(old) = self.schemas.get(&schema.oid) {
            names.remove(&old.name);
        }
        names.insert(schema.name.clone(), schema.oid);
        Arc::make_mut(&mut self.schemas).insert(schema.oid, schema);
    }

    /// Removes a schema.
    pub fn remove_schema(&mut self, oid: u32) {
        if let Some(old) = Arc::make_mut(&mut self.schemas).remove(&oid) {
            Arc::make_mut(&mut self.schema_names).remove(&old.name);
            Arc::make_mut(&mut self.names).remove(&oid);
        }
    }

    /// Adds or replaces a relation.
    pub fn put_relation(&mut self, relation: Arc<RelationDescriptor>) {
        self.remove_relation(relation.oid);
        let schema = Arc::make_mut(&mut self.names).entry(relation.schema).or_default();
        Arc::make_mut(schema).insert(relation.name.clone(), relation.oid);
        let referrers = Arc::make_mut(&mut self.referrers);
        for target in references(&relation) {
            referrers.entry(target).or_default().insert(relation.oid);
        }
        Arc::make_mut(&mut self.relations).insert(relation.oid, relation);
    }

    /// Removes a relation.
    pub fn remove_relation(&mut self, oid: u32) {
        let Some(old) = Arc::make_mut(&mut self.relations).remove(&oid) else { return };
        if let Some(schema) = Arc::make_mut(&mut self.names).get_mut(&old.schema)
            && schema.get(&old.name) == Some(&oid)
        {
            Arc::make_mut(schema).remove(&old.name);
        }
        let referrers = Arc::make_mut(&mut self.referrers);
        for target in references(&old) {
            if let Some(set) = referrers.get_mut(&target) {
                set.remove(&oid);
                if set.is_empty() {
                    referrers.remove(&target);
                }
            }
        }
    }
}

/// The relations that a descriptor refers to.
fn references(relation: &RelationDescriptor) -> BTreeSet<u32> {
    match &relation.kind {
        RelationKind::Table(table) => table
            .constraints
            .iter()
            .filter_map(|constraint| match &constraint.kind {
                ConstraintKind::ForeignKey(key) => Some(key.referenced_table),
                _ => None,
            })
            .collect(),
        RelationKind::Index(index) => BTreeSet::from([index.table]),
        RelationKind::View(view) => view.depends_on.iter().copied().collect(),
        RelationKind::Sequence(sequence) => {
            sequence.owned_by.iter().map(|(table, _)| *table).collect()
        }
    }
}

#[cfg(test)]
mod tests;
