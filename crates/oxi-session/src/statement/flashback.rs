//! FLASHBACK TABLE: tables get back the rows they had at a moment, by ordinary changes of the
//! rows that are different now.

use std::sync::Arc;

use oxi_base::{Error, IndexId, Result, RowId, SqlState, TableId};
use oxi_catalog::Catalog;
use oxi_exec::context::CancelFlag;
use oxi_model::{
    Datum, Row,
    descriptor::{ConstraintKind, RelationDescriptor, TableDescriptor, TypeRef},
    engine::{
        Difference, InsertOutcome, Snapshot, TableLock, Txn, Wait, WriteOutcome, WriteTarget,
    },
};
use oxi_sql::ast::{Flashback, MomentKind};
use oxi_types::oid;

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        constraint,
        definition::{constant_value, internal_rows, qualified, table_for_change},
        lock,
        past::moment_of,
    },
};

/// FLASHBACK TABLE … TO TIMESTAMP or TRANSACTION.
pub(crate) async fn run(session: &mut Session, flashback: &Flashback) -> Result<CommandTag> {
    let mut tables: Vec<Arc<RelationDescriptor>> = Vec::new();
    for name in &flashback.tables {
        let table = table_for_change(session, name).await?;
        if !tables.iter().any(|known| known.oid == table.oid) {
            tables.push(table);
        }
    }
    let wanted = match flashback.to.kind {
        MomentKind::Timestamp => oid::TIMESTAMPTZ,
        MomentKind::Transaction => oid::INT8,
    };
    let value = constant_value(session, &flashback.to.expr, TypeRef::plain(wanted))?;
    let moment = moment_of(flashback.to.kind, &value)?;
    let txn = Arc::clone(&session.ensure_transaction().txn);
    let then = txn.snapshot_at(moment).await?;
    for table in &tables {
        restore(session, &txn, &*then, table).await?;
    }
    for table in &tables {
        check_constraints(session, table).await?;
        check_foreign_keys(session, table).await?;
    }
    Ok(CommandTag::plain("FLASHBACK TABLE"))
}

/// What is to be done to a table's rows.
#[derive(Default)]
struct Steps {
    deleted: Vec<RowId>,
    changed: Vec<Changed>,
    inserted: Vec<Row>,
}

/// A row that is another one now.
struct Changed {
    row: RowId,
    /// The whole row as it was.
    then: Row,
    /// The columns that differ, as they were.
    columns: Vec<(usize, Datum)>,
}

/// A table whose rows are being changed.
struct Target<'a> {
    cancel: Arc<CancelFlag>,
    catalog: Arc<Catalog>,
    txn: &'a Arc<dyn Txn>,
    relation: &'a RelationDescriptor,
    storage: TableId,
}

async fn restore(
    session: &mut Session,
    txn: &Arc<dyn Txn>,
    then: &dyn Snapshot,
    relation: &RelationDescriptor,
) -> Result<()> {
    let Some(table) = relation.as_table() else { return Ok(()) };
    let mut steps = Steps::default();
    let mut visit = |difference: Difference| steps.take(relation, difference);
    txn.differences(then, table.storage(), &mut visit)
        .map_err(|error| told(error, &relation.name))?;
    let (cancel, catalog) = (Arc::clone(&session.cancel), session.catalog()?);
    let target = Target { cancel, catalog, txn, relation, storage: table.storage() };
    for row in steps.deleted {
        target.delete(row).await?;
    }
    for Changed { row, then, columns } in steps.changed {
        // A key may be in the way that another row is about to give back.
        if !target.update(row, &columns).await? {
            target.delete(row).await?;
            steps.inserted.push(then);
        }
    }
    for row in steps.inserted {
        target.insert(&row).await?;
    }
    Ok(())
}

impl Steps {
    fn take(&mut self, relation: &RelationDescriptor, difference: Difference) -> Result<()> {
        let Difference { row, then, now } = difference;
        let Some(then) = then else {
            self.deleted.push(row);
            return Ok(());
        };
        refuse_null(relation, &then)?;
        let Some(now) = now else {
            self.inserted.push(then);
            return Ok(());
        };
        let changes = then.iter().zip(&now).enumerate().filter(|(_, (then, now))| then != now);
        let changes = changes.map(|(position, (then, _))| (position, then.clone())).collect();
        self.changed.push(Changed { row, then, columns: changes });
        Ok(())
    }
}

/// A column may have become NOT NULL since.
fn refuse_null(relation: &RelationDescriptor, row: &[Datum]) -> Result<()> {
    let columns = relation.as_table().map(|table| table.columns.as_slice()).unwrap_or_default();
    let violated =
        columns.iter().zip(row).find(|(column, value)| column.not_null && value.is_null());
    let Some((column, _)) = violated else { return Ok(()) };
    Err(Error::new(
        SqlState::NOT_NULL_VIOLATION,
        format!(
            "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
            column.name, relation.name
        ),
    )
    .with_detail("A row of that moment has it."))
}

/// An error of storage with the table's name, if it is about that.
fn told(error: Error, table: &str) -> Error {
    if error.code() != SqlState::SNAPSHOT_TOO_OLD {
        return error;
    }
    let mut told = Error::new(error.code(), format!("snapshot too old for table \"{table}\""));
    if let Some(detail) = error.detail() {
        told = told.with_detail(detail);
    }
    match error.hint() {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
}

impl Target<'_> {
    async fn wait(&self, wait: Wait) -> Result<()> {
        self.cancel.wait_for_lock(wait).await?
    }

    async fn delete(&self, row: RowId) -> Result<()> {
        loop {
            let snapshot = self.txn.current_snapshot();
            match self.txn.delete(&*snapshot, self.storage, row, WriteTarget::Newest)? {
                WriteOutcome::Done => return Ok(()),
                WriteOutcome::Wait(wait) => self.wait(wait).await?,
                _ => return Err(Error::bug("a row that is there cannot be deleted")),
            }
        }
    }

    /// Changes a row; false if another row has its key.
    async fn update(&self, row: RowId, changes: &[(usize, Datum)]) -> Result<bool> {
        loop {
            let snapshot = self.txn.current_snapshot();
            match self.txn.update(&*snapshot, self.storage, row, WriteTarget::Newest, changes)? {
                WriteOutcome::Done => return Ok(true),
                WriteOutcome::Duplicate(_) => return Ok(false),
                WriteOutcome::Wait(wait) => self.wait(wait).await?,
                _ => return Err(Error::bug("a row that is there cannot be changed")),
            }
        }
    }

    async fn insert(&self, row: &[Datum]) -> Result<()> {
        loop {
            match self.txn.insert(self.storage, row)? {
                InsertOutcome::Done(_) => return Ok(()),
                InsertOutcome::Wait(wait) => self.wait(wait).await?,
                InsertOutcome::Duplicate(duplicate) => return Err(self.not_unique(duplicate.index)),
            }
        }
    }

    fn not_unique(&self, index: IndexId) -> Error {
        let indexes = self.catalog.indexes_of(self.relation.oid);
        let of_storage = |one: &&Arc<RelationDescriptor>| {
            one.as_index().is_some_and(|descriptor| descriptor.storage() == index)
        };
        let name = indexes.iter().find(of_storage).map(|index| index.name.clone());
        let name = name.unwrap_or_default();
        Error::new(
            SqlState::UNIQUE_VIOLATION,
            format!("duplicate key value violates unique constraint \"{name}\""),
        )
        .with_detail("The rows of that moment do not meet it.")
    }
}

/// The rows of that moment met the constraints of that moment; there may be others now.
async fn check_constraints(session: &mut Session, table: &RelationDescriptor) -> Result<()> {
    let constraints = table.as_table().map(|t| t.constraints.as_slice()).unwrap_or_default();
    for constraint in constraints {
        let ConstraintKind::Check { expression } = &constraint.kind else { continue };
        let name = qualified(&*session.catalog()?, table);
        let sql = format!("SELECT 1 FROM {name} WHERE NOT ({expression}) LIMIT 1");
        if !internal_rows(session, &sql).await?.is_empty() {
            return Err(Error::new(
                SqlState::CHECK_VIOLATION,
                format!(
                    "check constraint \"{}\" of relation \"{}\" is violated by some row",
                    constraint.name, table.name
                ),
            ));
        }
    }
    Ok(())
}

/// Foreign keys of the table and to it.
async fn check_foreign_keys(session: &mut Session, table: &RelationDescriptor) -> Result<()> {
    let catalog = session.catalog()?;
    let own = table.as_table().map(|t| t.constraints.as_slice()).unwrap_or_default();
    for constraint in own {
        let ConstraintKind::ForeignKey(key) = &constraint.kind else { continue };
        let Some(parent) = catalog.relation(key.referenced_table).cloned() else { continue };
        hold(session, &parent).await?;
        let (name, child) = (&constraint.name, table);
        constraint::validate_foreign_key(session, &catalog, child, name, &parent, key).await?;
    }
    for incoming in catalog.foreign_keys_to(table.oid) {
        let (Some(key), Some(descriptor)) = (incoming.foreign_key(), incoming.descriptor()) else {
            continue;
        };
        let (name, child) = (&descriptor.name, &incoming.table);
        hold(session, child).await?;
        constraint::validate_foreign_key(session, &catalog, child, name, table, key).await?;
    }
    Ok(())
}

/// Keeps others from changing a table's rows.
async fn hold(session: &mut Session, table: &RelationDescriptor) -> Result<()> {
    let Some(storage) = table.as_table().map(TableDescriptor::storage) else { return Ok(()) };
    lock::acquire(session, storage, TableLock::ShareRowExclusive).await
}
