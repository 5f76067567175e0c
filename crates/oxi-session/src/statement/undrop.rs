//! UNDROP TABLE: the newest dropped table of a name comes back, with its rows, indexes,
//! constraints and the sequences of its columns.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState, Ts};
use oxi_catalog::{Catalog, CatalogTxn, mutation};
use oxi_model::{
    descriptor::{ConstraintDescriptor, ConstraintKind, RelationDescriptor, TableDescriptor},
    engine::{Moment, TableLock},
};
use oxi_sql::ast::{ObjectName, Undrop};

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        constraint,
        definition::{begin_change, finish_change, table_mut},
        lock,
    },
};

/// A table as it was when it was dropped.
struct Found {
    table: Arc<RelationDescriptor>,
    /// The catalog just before.
    then: Catalog,
}

/// UNDROP TABLE.
pub(crate) async fn run(session: &mut Session, undrop: &Undrop) -> Result<CommandTag> {
    let position = undrop.name.span.position();
    let found = find(session, &undrop.name).await?;
    let Found { table, then } = found.ok_or_else(|| nothing(&undrop.name).at(position))?;
    let name = undrop.rename.as_ref().map_or(table.name.as_str(), |name| name.value.as_str());
    if session.catalog()?.relation_by_name(table.schema, name).is_some() {
        return Err(mutation::duplicate_relation(name)
            .with_hint("Use UNDROP TABLE … RENAME TO to bring it back under another name.")
            .at(position));
    }
    let engine = Arc::clone(&session.shared.engine);
    let mut change = begin_change(session)?;
    for sequence in then.owned_sequences(table.oid, None) {
        change.undrop_relation(&*engine, RelationDescriptor::clone(&sequence)).await?;
    }
    let mut back = RelationDescriptor::clone(&table);
    name.clone_into(&mut back.name);
    let keys = take_foreign_keys(&mut back)?;
    change.undrop_relation(&*engine, back).await?;
    for index in then.indexes_of(table.oid) {
        change.undrop_relation(&*engine, RelationDescriptor::clone(&index)).await?;
    }
    session.set_catalog(change.catalog().clone());
    for key in keys {
        bring_back_key(session, &mut change, table.oid, key).await?;
    }
    finish_change(session, change);
    Ok(CommandTag::plain("UNDROP TABLE"))
}

fn nothing(name: &ObjectName) -> Error {
    let message = format!("there is no dropped table \"{}\" to bring back", name.last());
    Error::new(SqlState::UNDEFINED_TABLE, message)
        .with_detail("Dropped tables are kept as long as their history_retention says.")
}

/// The newest dropped table of the name.
async fn find(session: &mut Session, name: &ObjectName) -> Result<Option<Found>> {
    let parts = name.texts();
    let (schemas, plain): (Vec<String>, &str) = match parts.as_slice() {
        [.., schema, plain] => (vec![(*schema).to_owned()], *plain),
        [plain] => (session.search_path(), *plain),
        [] => return Ok(None),
    };
    let now = session.catalog()?;
    let txn = Arc::clone(&session.ensure_transaction().txn);
    for (storage, dropped) in session.shared.engine.dropped_tables() {
        let before = Moment::Commit(Ts(dropped.0.saturating_sub(1)));
        let then = match mutation::load(&*txn.snapshot_at(before).await?) {
            Ok(then) => then,
            Err(error) if error.code() == SqlState::SNAPSHOT_TOO_OLD => continue,
            Err(error) => return Err(error),
        };
        let is_wanted = |relation: &&Arc<RelationDescriptor>| {
            relation.as_table().map(TableDescriptor::storage) == Some(storage)
                && relation.name == plain
                && schemas.iter().any(|schema| schema == then.schema_name(relation.schema))
                // TRUNCATE gives tables another storage and drops what they had.
                && now.relation(relation.oid).is_none()
        };
        let table = then.relations().find(is_wanted).cloned();
        if let Some(table) = table {
            return Ok(Some(Found { table, then }));
        }
    }
    Ok(None)
}

fn take_foreign_keys(table: &mut RelationDescriptor) -> Result<Vec<ConstraintDescriptor>> {
    let constraints = &mut table_mut(table)?.constraints;
    let is_key = |one: &ConstraintDescriptor| matches!(one.kind, ConstraintKind::ForeignKey(_));
    let keys = constraints.iter().filter(|one| is_key(one)).cloned().collect();
    constraints.retain(|one| !is_key(one));
    Ok(keys)
}

/// Gives the table back a foreign key, unless what it refers to is not there (any more).
async fn bring_back_key(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    key: ConstraintDescriptor,
) -> Result<()> {
    let child = session.catalog()?.relation(table).cloned();
    let child = child.ok_or_else(|| Error::bug("the table that came back is gone"))?;
    let outcome = validate(session, &child, &key).await;
    if let Err(error) = outcome {
        if error.code() != SqlState::FOREIGN_KEY_VIOLATION {
            return Err(error);
        }
        let message = format!(
            "foreign key constraint \"{}\" of table \"{}\" was left out: {}",
            key.name,
            child.name,
            error.detail().unwrap_or(error.message())
        );
        session.warning(SqlState::WARNING, message);
        return Ok(());
    }
    let mut changed = RelationDescriptor::clone(&child);
    table_mut(&mut changed)?.constraints.push(key);
    change.replace_relation(changed, &[]).await?;
    session.set_catalog(change.catalog().clone());
    Ok(())
}

/// `23503` if a foreign key does not hold.
async fn validate(
    session: &mut Session,
    child: &RelationDescriptor,
    key: &ConstraintDescriptor,
) -> Result<()> {
    let ConstraintKind::ForeignKey(descriptor) = &key.kind else { return Ok(()) };
    let gone = || {
        let message = "what it refers to was dropped or changed";
        Error::new(SqlState::FOREIGN_KEY_VIOLATION, message)
    };
    let catalog = session.catalog()?;
    let parent = catalog.relation(descriptor.referenced_table).cloned().ok_or_else(gone)?;
    let referenced = parent.as_table().ok_or_else(gone)?;
    lock::acquire(session, referenced.storage(), TableLock::ShareRowExclusive).await?;
    let index = catalog.relation(descriptor.referenced_index);
    let columns = index.and_then(|index| index.as_index()).map(|index| &index.columns);
    let has_columns = columns.is_some_and(|columns| {
        descriptor.referenced_columns.iter().all(|id| {
            referenced.column_by_id(*id).is_some() && columns.iter().any(|key| key.column == *id)
        })
    });
    if !has_columns {
        return Err(gone());
    }
    constraint::validate_foreign_key(session, &catalog, child, &key.name, &parent, descriptor).await
}
