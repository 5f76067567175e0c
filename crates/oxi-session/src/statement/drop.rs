//! DROP TABLE, VIEW, INDEX, SEQUENCE, SCHEMA.

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{
    CatalogTxn, Resolved,
    removal::{self, Behavior, RemovalPlan, Target},
    resolve::kind_word,
};
use oxi_model::{descriptor::RelationKind, engine::TableLock};
use oxi_sql::ast::{Drop, ObjectKind, ObjectName};

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        definition::{begin_change, finish_change},
        lock,
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
    let plan = removal::plan(&*session.catalog()?, &targets, behavior)?;
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
                catalog.relation(index.table)?.as_table().map(|table| table.storage())
            }
            _ => None,
        })
        .chain(plan.changed.iter().filter_map(|r| r.as_table().map(|table| table.storage())))
        .collect();
    // One order for everybody keeps two DROPs from deadlocking.
    storages.sort_unstable();
    storages.dedup();
    for storage in storages {
        lock::acquire(session, storage, TableLock::Exclusive).await?;
    }
    Ok(())
}

/// What a name means; `None` if there is no such thing and that is fine.
fn target(session: &mut Session, drop: &Drop, name: &ObjectName) -> Result<Option<Target>> {
    let catalog = session.catalog()?;
    let at = name.span.position();
    let kind = drop.kind.name();
    if drop.kind == ObjectKind::Schema {
        return match catalog.schema_by_name(name.last()) {
            Some(schema) => Ok(Some(Target::Schema(schema.oid))),
            None => missing(session, drop, SqlState::INVALID_SCHEMA_NAME, name.last()),
        };
    }
    match catalog.try_resolve(&session.search_path(), &name.texts())? {
        None => {
            if let (true, Some(schema)) = (drop.if_exists, name.schema())
                && catalog.schema_by_name(schema).is_none()
            {
                let message = format!("schema \"{schema}\" does not exist, skipping");
                session.notice(SqlState::INVALID_SCHEMA_NAME, message);
                return Ok(None);
            }
            missing(session, drop, SqlState::UNDEFINED_TABLE, &name.texts().join("."))
        }
        Some(Resolved::System(system)) => Err(Error::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied: \"{}\" is a system catalog", system.name),
        )),
        Some(Resolved::Relation(relation)) if kind_word(&relation) != kind => {
            let article = if kind == "index" { "an" } else { "a" };
            let actual = kind_word(&relation);
            Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not {article} {kind}", relation.name),
            )
            .with_hint(format!(
                "Use DROP {} to remove {} {actual}.",
                actual.to_uppercase(),
                if actual == "index" { "an" } else { "a" }
            ))
            .at(at))
        }
        Some(Resolved::Relation(relation)) => Ok(Some(Target::Relation(relation.oid))),
    }
}

fn missing(
    session: &mut Session,
    drop: &Drop,
    code: SqlState,
    name: &str,
) -> Result<Option<Target>> {
    let message = format!("{} \"{name}\" does not exist", drop.kind.name());
    if drop.if_exists {
        session.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
        return Ok(None);
    }
    Err(Error::new(
        if drop.kind == ObjectKind::Index { SqlState::UNDEFINED_OBJECT } else { code },
        message,
    ))
}
