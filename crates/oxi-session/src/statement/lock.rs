//! Table locks: LOCK TABLE, and what statements take by themselves.

use std::collections::BTreeSet;

use oxi_base::{Error, Result, SqlState, TableId};
use oxi_catalog::Catalog;
use oxi_model::{
    descriptor::{RelationDescriptor, RelationKind},
    engine::TableLock,
};
use oxi_sql::ast::{LockTable, ObjectName};

use crate::{outcome::CommandTag, session::Session, statement::transaction::require_block};

/// LOCK TABLE.
pub(crate) async fn run(session: &mut Session, lock: &LockTable) -> Result<CommandTag> {
    require_block(session, "LOCK TABLE")?;
    for (name, _) in &lock.tables {
        lock_named(session, name, lock).await?;
    }
    Ok(CommandTag::plain("LOCK TABLE"))
}

/// Locks a table, or the tables that a view reads, until the name stands for what is locked.
async fn lock_named(session: &mut Session, name: &ObjectName, lock: &LockTable) -> Result<()> {
    let mut tables = named(session, name)?;
    loop {
        for (table, relation) in &tables {
            if !lock.no_wait {
                acquire(session, *table, lock.mode).await?;
                continue;
            }
            let txn = &session.ensure_transaction().txn;
            if txn.lock_table(*table, lock.mode)?.is_some() {
                return Err(Error::new(
                    SqlState::LOCK_NOT_AVAILABLE,
                    format!("could not obtain lock on relation \"{relation}\""),
                ));
            }
        }
        let again = named(session, name)?;
        if again.iter().all(|table| tables.contains(table)) {
            return Ok(());
        }
        tables = again;
    }
}

/// The storages to lock for a name, with their tables' names.
fn named(session: &mut Session, name: &ObjectName) -> Result<Vec<(TableId, String)>> {
    let catalog = session.catalog()?;
    let relation = catalog
        .resolve_relation(&session.search_path(), &name.texts())
        .map_err(|error| error.at(name.span.position()))?;
    let mut tables = Vec::new();
    collect(&catalog, &relation, &mut BTreeSet::new(), &mut tables)?;
    Ok(tables)
}

fn collect(
    catalog: &Catalog,
    relation: &RelationDescriptor,
    seen: &mut BTreeSet<u32>,
    tables: &mut Vec<(TableId, String)>,
) -> Result<()> {
    if !seen.insert(relation.oid) {
        return Ok(());
    }
    match &relation.kind {
        RelationKind::Table(table) => {
            tables.push((table.storage(), relation.name.clone()));
            Ok(())
        }
        RelationKind::View(view) => {
            let read = view.depends_on.iter().filter_map(|oid| catalog.relation(*oid));
            for relation in read {
                collect(catalog, relation, seen, tables)?;
            }
            Ok(())
        }
        RelationKind::Index(_) => Err(not_lockable(relation, "indexes")),
        RelationKind::Sequence(_) => Err(not_lockable(relation, "sequences")),
    }
}

fn not_lockable(relation: &RelationDescriptor, kind: &str) -> Error {
    let message = format!("cannot lock relation \"{}\"", relation.name);
    Error::new(SqlState::WRONG_OBJECT_TYPE, message)
        .with_detail(format!("This operation is not supported for {kind}."))
}

/// Takes a table lock, waiting as long as it needs (or until the statement is cancelled).
pub(crate) async fn acquire(session: &mut Session, table: TableId, lock: TableLock) -> Result<()> {
    while let Some(wait) = session.ensure_transaction().txn.lock_table(table, lock)? {
        session.cancel.wait_for_lock(wait).await??;
    }
    Ok(())
}
