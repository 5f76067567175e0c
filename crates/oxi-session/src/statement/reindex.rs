//! REINDEX: indexes built anew from their tables' rows.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState, TableId};
use oxi_catalog::catalog::FIRST_USER_OID;
use oxi_model::{
    descriptor::{RelationDescriptor, TableDescriptor},
    engine::TableLock,
};
use oxi_sql::ast::{ObjectKind, ObjectName, Reindex};

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        concurrent_index::{self, refuse_block},
        definition::{begin_change, find_table, finish_change, table_for_change},
        lock,
        set_constraints::refuse_pending,
    },
};

/// Whether writers are kept out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Exclusively,
    Concurrently,
}

/// REINDEX.
pub(crate) async fn run(session: &mut Session, reindex: &Reindex) -> Result<CommandTag> {
    const TAG: CommandTag = CommandTag::plain("REINDEX");
    if reindex.concurrently {
        refuse_block(session, "REINDEX CONCURRENTLY")?;
    }
    let how = if reindex.concurrently { Way::Concurrently } else { Way::Exclusively };
    match (reindex.kind, &reindex.name) {
        (ObjectKind::Index, Some(name)) => one_index(session, name, how).await?,
        (ObjectKind::Table, Some(name)) => {
            let table = match how {
                Way::Exclusively => table_for_change(session, name).await?,
                Way::Concurrently => find_table(session, name)?,
            };
            let indexes = all_of(session, table.oid)?;
            rebuild(session, &table, &indexes, how).await?;
        }
        (ObjectKind::Schema, Some(name)) => {
            let schema = session.catalog()?.resolve_schema(name.last()).map(|found| found.oid);
            let schema = schema.map_err(|error| error.at(name.span.position()))?;
            many(session, "REINDEX SCHEMA", how, |table| table.schema == schema).await?;
        }
        (ObjectKind::Database, name) => {
            if name.as_ref().is_some_and(|name| name.last() != session.shared.options.name) {
                return Err(Error::unsupported("can only reindex the currently open database"));
            }
            many(session, "REINDEX DATABASE", how, |_| true).await?;
        }
        _ => return Err(Error::unsupported("REINDEX SYSTEM is not supported")),
    }
    Ok(TAG)
}

async fn one_index(session: &mut Session, name: &ObjectName, how: Way) -> Result<()> {
    let path = session.search_path();
    let find = |session: &mut Session| {
        let catalog = session.catalog()?;
        let found = catalog
            .resolve_relation(&path, &name.texts())
            .map_err(|error| error.at(name.span.position()))?;
        let Some(index) = found.as_index() else {
            let message = format!("\"{}\" is not an index", found.name);
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
        };
        let table = catalog.relation(index.table);
        let table = table.ok_or_else(|| Error::bug("an index without table"))?;
        Ok::<_, Error>((found.oid, Arc::clone(table)))
    };
    let (oid, table) = find(session)?;
    if how == Way::Concurrently {
        return rebuild(session, &table, &[oid], how).await;
    }
    lock::acquire(session, storage_of(&table), TableLock::AccessExclusive).await?;
    // Whoever held the lock may have changed what the name stands for.
    let (oid, again) = find(session)?;
    if storage_of(&again) != storage_of(&table) {
        return Err(Error::new(
            SqlState::SERIALIZATION_FAILURE,
            "could not serialize access: the index was changed by another transaction",
        ));
    }
    rebuild(session, &again, &[oid], how).await
}

/// Every table there is, each in a transaction of its own.
async fn many(
    session: &mut Session,
    command: &str,
    how: Way,
    wanted: impl Fn(&RelationDescriptor) -> bool,
) -> Result<()> {
    refuse_block(session, command)?;
    let catalog = session.catalog()?;
    let tables: Vec<u32> = catalog
        .relations()
        .filter(|table| table.oid >= FIRST_USER_OID && table.as_table().is_some() && wanted(table))
        .map(|table| table.oid)
        .collect();
    for oid in tables {
        let Some(table) = session.catalog()?.relation(oid).cloned() else { continue };
        if how == Way::Exclusively {
            lock::acquire(session, storage_of(&table), TableLock::AccessExclusive).await?;
        }
        // It may have gone, or got other storage, while the lock was waited for.
        let again = session.catalog()?.relation(oid).cloned();
        if again.as_deref().map(storage_of) == Some(storage_of(&table)) {
            let indexes = all_of(session, oid)?;
            rebuild(session, &table, &indexes, how).await?;
        }
        session.commit().await?;
    }
    Ok(())
}

fn storage_of(table: &RelationDescriptor) -> TableId {
    table.as_table().map(TableDescriptor::storage).unwrap_or_default()
}

fn all_of(session: &mut Session, table: u32) -> Result<Vec<u32>> {
    Ok(session.catalog()?.indexes_of(table).iter().map(|index| index.oid).collect())
}

async fn rebuild(
    session: &mut Session,
    table: &RelationDescriptor,
    oids: &[u32],
    how: Way,
) -> Result<()> {
    if how == Way::Concurrently {
        for oid in oids {
            concurrent_index::rebuild(session, table, *oid).await?;
        }
        return Ok(());
    }
    refuse_pending(session, table, "REINDEX TABLE")?;
    let engine = Arc::clone(&session.shared.engine);
    let mut change = begin_change(session)?;
    for oid in oids {
        change.rebuild_index(&*engine, *oid).await?;
    }
    finish_change(session, change);
    Ok(())
}
