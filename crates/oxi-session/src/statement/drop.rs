//! DROP TABLE, VIEW, INDEX, SEQUENCE, SCHEMA.

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{
    CatalogTxn,
    removal::{self, Behavior, DropKind, RemovalPlan, Target},
};
use oxi_model::{
    descriptor::{RelationKind, TableDescriptor},
    engine::TableLock,
};
use oxi_sql::ast::{Drop, ObjectKind, ObjectName};

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        concurrent_index,
        definition::{begin_change, finish_change, if_exists},
        lock,
        set_constraints::refuse_pending,
    },
};

/// DROP.
pub(crate) async fn run(session: &mut Session, drop: &Drop) -> Result<CommandTag> {
    let tag = CommandTag::plain(match drop.kind {
        ObjectKind::Table => "DROP TABLE",
        ObjectKind::View => "DROP VIEW",
        ObjectKind::Index => "DROP INDEX",
        ObjectKind::Sequence => "DROP SEQUENCE",
        ObjectKind::Schema => "DROP SCHEMA",
        other => {
            return Err(Error::unsupported(format!(
                "DROP {} is not supported",
                other.name().to_uppercase()
            )));
        }
    });
    if drop.concurrently {
        return concurrent_index::drop(session, drop).await;
    }
    let mut targets = Vec::new();
    for name in &drop.names {
        if let Some(target) = target(session, drop, name)? {
            targets.push(target);
        }
    }
    let behavior = if drop.cascade { Behavior::Cascade } else { Behavior::Restrict };
    let plan = removal::plan(&*session.catalog()?, &targets, behavior)?;
    lock_tables(session, &plan).await?;
    // The catalog may have changed while the locks were waited for.
    let catalog = session.catalog()?;
    let plan = removal::plan(&catalog, &targets, behavior)?;
    for relation in plan.relations.iter().filter_map(|oid| catalog.relation(*oid)) {
        refuse_pending(session, relation, tag.verb())?;
    }
    let mut change = begin_change(session)?;
    carry_out(session, &mut change, &plan).await?;
    finish_change(session, change);
    Ok(tag)
}

/// Does what a plan says and tells the client of what went along.
pub(crate) async fn carry_out(
    session: &mut Session,
    change: &mut CatalogTxn,
    plan: &RemovalPlan,
) -> Result<()> {
    if let Some((message, detail)) = &plan.notice {
        let text = match detail {
            Some(detail) => format!("{message}\nDETAIL:  {detail}"),
            None => message.clone(),
        };
        session.notice(SqlState::SUCCESSFUL_COMPLETION, text);
    }
    change.remove(plan).await
}

async fn lock_tables(session: &mut Session, plan: &RemovalPlan) -> Result<()> {
    let catalog = session.catalog()?;
    let going = plan.relations.iter().filter_map(|oid| catalog.relation(*oid));
    let mut storages: Vec<_> = going
        .filter_map(|relation| match &relation.kind {
            RelationKind::Table(table) => Some(table.storage()),
            RelationKind::Index(index) => {
                catalog.relation(index.table)?.as_table().map(TableDescriptor::storage)
            }
            _ => None,
        })
        .chain(plan.changed.iter().filter_map(|r| r.as_table().map(TableDescriptor::storage)))
        .collect();
    // One order for everybody keeps two DROPs from deadlocking.
    storages.sort_unstable();
    storages.dedup();
    for storage in storages {
        lock::acquire(session, storage, TableLock::AccessExclusive).await?;
    }
    Ok(())
}

/// What a name means; `None` if there is no such thing and that is fine.
pub(crate) fn target(
    session: &mut Session,
    drop: &Drop,
    name: &ObjectName,
) -> Result<Option<Target>> {
    let catalog = session.catalog()?;
    let path = session.search_path();
    let kind = match drop.kind {
        ObjectKind::Table => Some(DropKind::Table),
        ObjectKind::View => Some(DropKind::View),
        ObjectKind::Index => Some(DropKind::Index),
        ObjectKind::Sequence => Some(DropKind::Sequence),
        _ => None,
    };
    let found = match kind {
        Some(kind) => removal::find(&catalog, &path, &name.texts(), kind).map(Target::Relation),
        None => catalog.resolve_schema(name.last()).map(|schema| Target::Schema(schema.oid)),
    };
    let found = found.map_err(|error| error.at(name.span.position()));
    if_exists(session, found, drop.if_exists)
}
