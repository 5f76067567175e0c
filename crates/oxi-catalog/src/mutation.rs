//! Changes of the catalog: rows of the system tables, storage, and the changed [`Catalog`].

use std::sync::Arc;

use oxi_base::{Error, IndexId, Result, RowId, SqlState, TableId};
use oxi_model::{
    Datum,
    datum::PhysicalType,
    descriptor::{RelationDescriptor, RelationKind, SchemaDescriptor},
    engine::{
        Engine, InsertOutcome, KeyRange, RowLock, ScanRequest, Snapshot, Txn, Wait, WriteOutcome,
        WriteTarget,
    },
};

use crate::{
    catalog::{Catalog, PUBLIC},
    layout,
    removal::RemovalPlan,
    tables,
};

/// Creates the system tables and the schema `public` in a new database.
///
/// # Errors
/// What storage says.
pub async fn bootstrap(txn: &Arc<dyn Txn>) -> Result<Catalog> {
    for (table, shape, indexes) in tables::layouts() {
        txn.create_table(table, shape)?;
        for (index, shape) in indexes {
            txn.create_index(index, shape)?;
        }
    }
    let mut writer = CatalogTxn::new(Arc::clone(txn), &Catalog::builtin());
    writer.create_schema(SchemaDescriptor { oid: PUBLIC, name: "public".to_owned() }).await?;
    writer.set_setting(tables::FORMAT_SETTING, Some(tables::FORMAT)).await?;
    Ok(writer.finish())
}

/// Whether a database has its system tables already.
///
/// # Errors
/// What storage says.
pub fn is_bootstrapped(snapshot: &dyn Snapshot) -> Result<bool> {
    let request =
        ScanRequest { columns: Vec::new(), row_id: false, partitions: 1, in_order: false };
    match snapshot.scan(tables::SETTINGS, &request) {
        Ok(_) => Ok(true),
        Err(error) if error.code() == SqlState::UNDEFINED_TABLE => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads the catalog that a snapshot sees.
///
/// # Errors
/// `XX001` if a row is not what [`CatalogTxn`] writes; what storage says.
pub fn load(snapshot: &dyn Snapshot) -> Result<Catalog> {
    let mut catalog = Catalog::builtin();
    scan_text(snapshot, tables::SETTINGS, &[0, 1], &mut |row| {
        let [name, value] = row else { return Err(Error::bug("settings row of other width")) };
        catalog.put_setting(name, Some(value));
        Ok(())
    })?;
    match catalog.setting(tables::FORMAT_SETTING) {
        Some(tables::FORMAT) => {}
        Some(other) => {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("the catalog has format {other}, this version reads {}", tables::FORMAT),
            ));
        }
        None => return Err(Error::corrupt("the catalog does not name its format")),
    }
    scan_text(snapshot, tables::SCHEMAS, &[2], &mut |row| {
        catalog.put_schema(Arc::new(parse("schema", row)?));
        Ok(())
    })?;
    scan_text(snapshot, tables::RELATIONS, &[3], &mut |row| {
        catalog.put_relation(Arc::new(parse("relation", row)?));
        Ok(())
    })?;
    Ok(catalog)
}

fn parse<T: serde::de::DeserializeOwned>(what: &str, row: &[&str]) -> Result<T> {
    let text = row.first().copied().unwrap_or_default();
    serde_json::from_str(text)
        .map_err(|error| Error::corrupt(format!("unreadable {what} descriptor: {error}")))
}

/// Visits text columns of all visible rows of a system table.
fn scan_text(
    snapshot: &dyn Snapshot,
    table: TableId,
    columns: &[usize],
    visit: &mut dyn FnMut(&[&str]) -> Result<()>,
) -> Result<()> {
    let request =
        ScanRequest { columns: columns.to_vec(), row_id: false, partitions: 1, in_order: false };
    for mut scan in snapshot.scan(table, &request)? {
        while let Some(batch) = scan.next_batch()? {
            for row in 0..batch.num_rows() {
                let values = (0..columns.len())
                    .map(|column| {
                        let array = batch.column(column).as_ref();
                        match oxi_model::array::datum_at(array, &PhysicalType::Text, row)? {
                            Datum::Text(text) => Ok(text),
                            _ => Err(Error::corrupt("a system table has NULL for its text")),
                        }
                    })
                    .collect::<Result<Vec<Box<str>>>>()?;
                let texts: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
                visit(&texts)?;
            }
        }
    }
    Ok(())
}

/// Whether an index may be read by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Validity {
    /// Its storage, attached before, is complete.
    Built,
    /// It may not.
    Invalid,
}

/// The catalog within a transaction that changes it. Each call writes rows (waiting for whoever
/// is in the way), tells storage, and changes the catalog; a failed call leaves a transaction that
/// must be rolled back (to a savepoint at least) and a catalog to throw away.
pub struct CatalogTxn {
    txn: Arc<dyn Txn>,
    catalog: Catalog,
    patience: Option<Patience>,
}

/// Makes of a wait for another transaction one that ends when the statement is cancelled.
pub type Patience = Box<dyn Fn(Wait) -> Wait + Send + Sync>;

impl CatalogTxn {
    /// Begins with the catalog as the transaction sees it now.
    pub fn new(txn: Arc<dyn Txn>, catalog: &Catalog) -> Self {
        CatalogTxn { txn, catalog: catalog.clone(), patience: None }
    }

    /// Waits for other transactions as `patience` says, rather than for ever.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = Some(patience);
        self
    }

    async fn wait(&self, wait: Wait) -> Result<()> {
        match &self.patience {
            Some(patience) => patience(wait).await,
            None => wait.await,
        }
    }

    /// The catalog with the changes so far.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The catalog with all changes.
    pub fn finish(self) -> Catalog {
        self.catalog
    }

    /// Adds a schema.
    ///
    /// # Errors
    /// `42P06` if the name is taken.
    pub async fn create_schema(&mut self, schema: SchemaDescriptor) -> Result<()> {
        let row = vec![
            Datum::UInt32(schema.oid),
            Datum::text(schema.name.as_str()),
            Datum::text(to_json(&schema)?),
        ];
        let name = schema.name.clone();
        self.insert(tables::SCHEMAS, row, || duplicate_schema(&name)).await?;
        self.catalog.put_schema(Arc::new(schema));
        Ok(())
    }

    /// Changes a schema (its name).
    ///
    /// # Errors
    /// `42P06` if the new name is taken; `40001` if another transaction changed it meanwhile.
    pub async fn replace_schema(&mut self, schema: SchemaDescriptor) -> Result<()> {
        let old = self
            .catalog
            .schema(schema.oid)
            .cloned()
            .ok_or_else(|| Error::bug(format!("no schema {} to replace", schema.oid)))?;
        let row = self
            .locked_row(tables::SCHEMAS, tables::SCHEMAS_OID, schema.oid, &to_json(&*old)?, 2)
            .await?;
        let changes = [(1, Datum::text(schema.name.as_str())), (2, Datum::text(to_json(&schema)?))];
        let name = schema.name.clone();
        self.update(tables::SCHEMAS, row, &changes, || duplicate_schema(&name)).await?;
        self.catalog.put_schema(Arc::new(schema));
        Ok(())
    }

    /// Removes a schema, which must be empty.
    ///
    /// # Errors
    /// `40001` if another transaction changed it meanwhile.
    pub async fn drop_schema(&mut self, oid: u32) -> Result<()> {
        let old = self
            .catalog
            .schema(oid)
            .cloned()
            .ok_or_else(|| Error::bug(format!("no schema {oid} to drop")))?;
        if self.catalog.relations_in(oid).next().is_some() {
            return Err(Error::bug(format!("schema {} is not empty", old.name)));
        }
        let row =
            self.locked_row(tables::SCHEMAS, tables::SCHEMAS_OID, oid, &to_json(&*old)?, 2).await?;
        self.delete(tables::SCHEMAS, row).await?;
        self.catalog.remove_schema(oid);
        Ok(())
    }

    /// Adds a relation and creates its storage (an index is filled from its table's rows, unless it
    /// is invalid: then its storage is only attached).
    ///
    /// # Errors
    /// `42P07` if the name is taken; `23505` if a unique index's table has equal keys.
    pub async fn create_relation(&mut self, relation: RelationDescriptor) -> Result<()> {
        self.insert_relation(&relation).await?;
        match &relation.kind {
            RelationKind::Table(table) => {
                self.txn.create_table(table.storage(), layout::layout_of(table))?;
            }
            RelationKind::Index(index) => {
                let shape = layout::index_layout_of(&self.catalog, index)?;
                if index.invalid {
                    self.txn.attach_index(index.storage(), shape)?;
                } else {
                    self.txn.create_index(index.storage(), shape)?;
                }
            }
            RelationKind::View(_) | RelationKind::Sequence(_) => {}
        }
        self.catalog.put_relation(Arc::new(relation));
        Ok(())
    }

    /// Brings back a relation that was dropped. A table's rows come back with their indexes'
    /// entries; an index is told of after its table.
    ///
    /// # Errors
    /// `42P07` if the name is taken, `3F000` if the schema is gone.
    pub async fn undrop_relation(
        &mut self,
        engine: &dyn Engine,
        relation: RelationDescriptor,
    ) -> Result<()> {
        self.insert_relation(&relation).await?;
        match &relation.kind {
            RelationKind::Table(table) => {
                self.txn.undrop_table(table.storage())?;
                // The transaction that dropped it may have changed it before.
                self.txn.alter_table(table.storage(), layout::layout_of(table))?;
            }
            RelationKind::Index(index)
                if engine.key_access(index.storage(), &[], &[]).is_none() =>
            {
                let shape = layout::index_layout_of(&self.catalog, index)?;
                self.txn.create_index(index.storage(), shape)?;
            }
            _ => {}
        }
        self.catalog.put_relation(Arc::new(relation));
        Ok(())
    }

    async fn insert_relation(&self, relation: &RelationDescriptor) -> Result<()> {
        let row = vec![
            Datum::UInt32(relation.oid),
            Datum::UInt32(relation.schema),
            Datum::text(relation.name.as_str()),
            Datum::text(to_json(relation)?),
        ];
        self.hold_schema(relation.schema).await?;
        let name = relation.name.clone();
        self.insert(tables::RELATIONS, row, || duplicate_relation(&name)).await
    }

    /// Changes a relation. If a table's columns changed, storage is told; `missing` names what
    /// older rows read in new columns (by column id).
    ///
    /// # Errors
    /// `42P07` if the new name is taken; `40001` if another transaction changed it meanwhile.
    pub async fn replace_relation(
        &mut self,
        relation: RelationDescriptor,
        missing: &[(u32, Datum)],
    ) -> Result<()> {
        let old = self.relation(relation.oid)?;
        let row = self
            .locked_row(tables::RELATIONS, tables::RELATIONS_OID, relation.oid, &to_json(&*old)?, 3)
            .await?;
        let changes = [
            (1, Datum::UInt32(relation.schema)),
            (2, Datum::text(relation.name.as_str())),
            (3, Datum::text(to_json(&relation)?)),
        ];
        if old.schema != relation.schema {
            self.hold_schema(relation.schema).await?;
        }
        let name = relation.name.clone();
        self.update(tables::RELATIONS, row, &changes, || duplicate_relation(&name)).await?;
        if let (Some(old), Some(new)) = (old.as_table(), relation.as_table())
            && old.storage == new.storage
            && !layout::same_layout(old, new)
        {
            self.txn.alter_table(new.storage(), layout::layout_with_missing(new, missing))?;
        }
        self.catalog.put_relation(Arc::new(relation));
        Ok(())
    }

    /// Removes one relation and its storage. What depends on it must be gone already.
    ///
    /// # Errors
    /// `40001` if another transaction changed it meanwhile.
    pub async fn drop_relation(&mut self, oid: u32) -> Result<()> {
        self.drop_one(oid, true).await
    }

    /// Carries out a removal.
    ///
    /// # Errors
    /// `40001` if another transaction changed one of the objects meanwhile.
    pub async fn remove(&mut self, plan: &RemovalPlan) -> Result<()> {
        for changed in &plan.changed {
            self.replace_relation(changed.clone(), &[]).await?;
        }
        for oid in &plan.relations {
            // A table takes its indexes' storage along.
            let with_table = self
                .catalog
                .relation(*oid)
                .and_then(|relation| relation.as_index())
                .is_some_and(|index| plan.relations.contains(&index.table));
            self.drop_one(*oid, !with_table).await?;
        }
        for oid in &plan.schemas {
            self.drop_schema(*oid).await?;
        }
        Ok(())
    }

    /// Gives a table and its indexes new, empty storage (TRUNCATE; the first half of a rewrite).
    /// The old storage goes at commit.
    ///
    /// # Errors
    /// `40001` if another transaction changed the table meanwhile.
    pub async fn renew_storage(&mut self, engine: &dyn Engine, table: u32) -> Result<()> {
        let mut relation = (*self.relation(table)?).clone();
        let RelationKind::Table(descriptor) = &mut relation.kind else {
            return Err(Error::bug(format!("relation {table} is no table")));
        };
        let old = descriptor.storage();
        descriptor.storage = engine.allocate_table_id().0;
        let (storage, shape) = (descriptor.storage(), layout::layout_of(descriptor));
        self.txn.create_table(storage, shape)?;
        self.replace_relation(relation, &[]).await?;
        for index in self.catalog.indexes_of(table) {
            let mut index = (*index).clone();
            let RelationKind::Index(descriptor) = &mut index.kind else { continue };
            descriptor.storage = engine.allocate_index_id().0;
            descriptor.invalid = false;
            let shape = layout::index_layout(descriptor, storage);
            self.txn.create_index(descriptor.storage(), shape)?;
            self.replace_relation(index, &[]).await?;
        }
        self.txn.drop_table(old)
    }

    /// Gives an index new storage, filled from its table's rows. The old storage goes at commit.
    ///
    /// # Errors
    /// `40001` if another transaction changed the index meanwhile; `23505` if keys are equal.
    pub async fn rebuild_index(&mut self, engine: &dyn Engine, oid: u32) -> Result<()> {
        let mut relation = (*self.relation(oid)?).clone();
        let RelationKind::Index(index) = &mut relation.kind else {
            return Err(Error::bug(format!("relation {oid} is no index")));
        };
        let old = index.storage();
        index.storage = engine.allocate_index_id().0;
        index.invalid = false;
        let shape = layout::index_layout_of(&self.catalog, index)?;
        self.txn.create_index(index.storage(), shape)?;
        self.replace_relation(relation, &[]).await?;
        self.txn.drop_index(old)
    }

    /// An index that was built beside its table's writers is complete, or is not to be read by any
    /// more.
    ///
    /// # Errors
    /// `40001` if another transaction changed the index meanwhile.
    pub async fn set_validity(&mut self, oid: u32, validity: Validity) -> Result<()> {
        let mut relation = (*self.relation(oid)?).clone();
        let RelationKind::Index(index) = &mut relation.kind else {
            return Err(Error::bug(format!("relation {oid} is no index")));
        };
        index.invalid = validity == Validity::Invalid;
        if validity == Validity::Built && index.unique && !index.deferrable {
            self.txn.make_unique(index.storage())?;
        }
        self.replace_relation(relation, &[]).await
    }

    /// Two indexes of one definition exchange their storage; the first becomes valid, the second,
    /// which brought the storage that was built, invalid.
    ///
    /// # Errors
    /// `40001` if another transaction changed one of them meanwhile.
    pub async fn exchange_storage(&mut self, valid: u32, built: u32) -> Result<()> {
        let (mut first, mut second) =
            ((*self.relation(valid)?).clone(), (*self.relation(built)?).clone());
        let (RelationKind::Index(kept), RelationKind::Index(new)) =
            (&mut first.kind, &mut second.kind)
        else {
            return Err(Error::bug("storage to exchange of what is no index"));
        };
        std::mem::swap(&mut kept.storage, &mut new.storage);
        (kept.invalid, new.invalid) = (false, true);
        if kept.unique && !kept.deferrable {
            self.txn.make_unique(kept.storage())?;
        }
        self.replace_relation(first, &[]).await?;
        self.replace_relation(second, &[]).await
    }

    /// Sets or (with `None`) removes a stored setting.
    ///
    /// # Errors
    /// What storage says.
    pub async fn set_setting(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let found = self.find(tables::SETTINGS_NAME, Datum::text(name))?;
        let clash = || serialization("a stored setting");
        match (found, value) {
            (Some(row), Some(value)) => {
                let changes = [(1, Datum::text(value))];
                self.update(tables::SETTINGS, row, &changes, clash).await?;
            }
            (Some(row), None) => self.delete(tables::SETTINGS, row).await?,
            (None, Some(value)) => {
                let row = vec![Datum::text(name), Datum::text(value)];
                self.insert(tables::SETTINGS, row, clash).await?;
            }
            (None, None) => {}
        }
        self.catalog.put_setting(name, value);
        Ok(())
    }

    fn relation(&self, oid: u32) -> Result<Arc<RelationDescriptor>> {
        self.catalog
            .relation(oid)
            .cloned()
            .ok_or_else(|| Error::bug(format!("no relation {oid} in the catalog")))
    }

    async fn drop_one(&mut self, oid: u32, storage: bool) -> Result<()> {
        let old = self.relation(oid)?;
        let row = self
            .locked_row(tables::RELATIONS, tables::RELATIONS_OID, oid, &to_json(&*old)?, 3)
            .await?;
        self.delete(tables::RELATIONS, row).await?;
        match &old.kind {
            RelationKind::Table(table) => self.txn.drop_table(table.storage())?,
            RelationKind::Index(index) if storage => self.txn.drop_index(index.storage())?,
            _ => {}
        }
        self.catalog.remove_relation(oid);
        Ok(())
    }

    async fn insert(
        &self,
        table: TableId,
        row: Vec<Datum>,
        duplicate: impl FnOnce() -> Error,
    ) -> Result<()> {
        loop {
            match self.txn.insert(table, &row)? {
                InsertOutcome::Done(_) => return Ok(()),
                InsertOutcome::Wait(wait) => self.wait(wait).await?,
                InsertOutcome::Duplicate(_) => return Err(duplicate()),
            }
        }
    }

    fn find(&self, index: IndexId, key: Datum) -> Result<Option<RowId>> {
        let mut found = None;
        let snapshot = self.txn.current_snapshot();
        snapshot.index_scan(index, &KeyRange::equal(vec![key]), &[], &mut |row, _| {
            found = Some(row);
            Ok(false)
        })?;
        Ok(found)
    }

    /// Keeps other transactions from dropping the schema that a new relation goes to.
    async fn hold_schema(&self, oid: u32) -> Result<()> {
        let missing = || {
            let name = self.catalog.schema_name(oid);
            Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
        };
        let row = self.find(tables::SCHEMAS_OID, Datum::UInt32(oid))?.ok_or_else(missing)?;
        loop {
            let snapshot = self.txn.current_snapshot();
            let (target, lock) = (WriteTarget::Newest, RowLock::KeyShare);
            match self.txn.lock_row(&*snapshot, tables::SCHEMAS, row, target, lock)? {
                WriteOutcome::Done => return Ok(()),
                WriteOutcome::Wait(wait) => self.wait(wait).await?,
                WriteOutcome::Changed => {}
                WriteOutcome::Gone => return Err(missing()),
                WriteOutcome::Duplicate(_) => return Err(Error::bug("a lock found a duplicate")),
            }
        }
    }

    /// Finds and locks the row of an object, and makes sure that it still holds the descriptor
    /// that this change started from.
    async fn locked_row(
        &self,
        table: TableId,
        index: IndexId,
        oid: u32,
        expected: &str,
        column: usize,
    ) -> Result<RowId> {
        let what = "the definition of an object";
        let row = self.find(index, Datum::UInt32(oid))?.ok_or_else(|| serialization(what))?;
        loop {
            let snapshot = self.txn.current_snapshot();
            let target = WriteTarget::Newest;
            match self.txn.lock_row(&*snapshot, table, row, target, RowLock::Update)? {
                WriteOutcome::Done => break,
                WriteOutcome::Wait(wait) => self.wait(wait).await?,
                WriteOutcome::Changed => {}
                WriteOutcome::Gone => return Err(serialization(what)),
                WriteOutcome::Duplicate(_) => return Err(Error::bug("a lock found a duplicate")),
            }
        }
        match self.txn.newest(table, row)?.as_deref().and_then(|values| values.get(column)) {
            Some(Datum::Text(text)) if **text == *expected => Ok(row),
            _ => Err(serialization(what)),
        }
    }

    async fn update(
        &self,
        table: TableId,
        row: RowId,
        changes: &[(usize, Datum)],
        duplicate: impl FnOnce() -> Error,
    ) -> Result<()> {
        loop {
            let snapshot = self.txn.current_snapshot();
            match self.txn.update(&*snapshot, table, row, WriteTarget::Newest, changes)? {
                WriteOutcome::Done => return Ok(()),
                WriteOutcome::Wait(wait) => self.wait(wait).await?,
                WriteOutcome::Changed => {}
                WriteOutcome::Gone => return Err(serialization("the catalog")),
                WriteOutcome::Duplicate(_) => return Err(duplicate()),
            }
        }
    }

    async fn delete(&self, table: TableId, row: RowId) -> Result<()> {
        loop {
            let snapshot = self.txn.current_snapshot();
            match self.txn.delete(&*snapshot, table, row, WriteTarget::Newest)? {
                WriteOutcome::Done => return Ok(()),
                WriteOutcome::Wait(wait) => self.wait(wait).await?,
                WriteOutcome::Changed => {}
                WriteOutcome::Gone => return Err(serialization("the catalog")),
                WriteOutcome::Duplicate(_) => return Err(Error::bug("a delete found a duplicate")),
            }
        }
    }
}

fn to_json<T: serde::Serialize>(descriptor: &T) -> Result<String> {
    serde_json::to_string(descriptor)
        .map_err(|error| Error::bug(format!("descriptor that does not serialize: {error}")))
}

fn duplicate_schema(name: &str) -> Error {
    Error::new(SqlState::DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists"))
}

/// `42P07` with PostgreSQL's wording.
pub fn duplicate_relation(name: &str) -> Error {
    Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists"))
}

fn serialization(what: &str) -> Error {
    Error::new(
        SqlState::SERIALIZATION_FAILURE,
        format!("could not serialize access: {what} was changed by another transaction"),
    )
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "who waits for another has a thread")]
mod tests;
