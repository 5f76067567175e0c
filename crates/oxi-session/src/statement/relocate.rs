//! ALTER … RENAME, SET SCHEMA, OWNER TO.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::alter;
use oxi_model::{
    descriptor::{RelationDescriptor, TableDescriptor},
    engine::TableLock,
};
use oxi_sql::ast::{ObjectKind, ObjectName, OwnerTo, Rename, SetObjectSchema};

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        definition::{begin_change, finish_change, if_exists},
        lock, schema,
    },
};

fn tag(kind: ObjectKind) -> CommandTag {
    CommandTag::plain(match kind {
        ObjectKind::Index => "ALTER INDEX",
        ObjectKind::View => "ALTER VIEW",
        ObjectKind::Sequence => "ALTER SEQUENCE",
        ObjectKind::Schema => "ALTER SCHEMA",
        _ => "ALTER TABLE",
    })
}

/// The relation by name, locked if it is a table; `None` if it is not there and that is fine.
async fn find(
    session: &mut Session,
    name: &ObjectName,
    is_optional: bool,
) -> Result<Option<Arc<RelationDescriptor>>> {
    loop {
        let catalog = session.catalog()?;
        let found = catalog
            .resolve_relation(&session.search_path(), &name.texts())
            .map_err(|error| error.at(name.span.position()));
        let Some(relation) = if_exists(session, found, is_optional)? else { return Ok(None) };
        let Some(storage) = relation.as_table().map(TableDescriptor::storage) else {
            return Ok(Some(relation));
        };
        lock::acquire(session, storage, TableLock::AccessExclusive).await?;
        if session.catalog()?.relation(relation.oid) == Some(&relation) {
            return Ok(Some(relation));
        }
    }
}

async fn replace_all(session: &mut Session, changed: Vec<RelationDescriptor>) -> Result<()> {
    let mut change = begin_change(session)?;
    for relation in changed {
        change.replace_relation(relation, &[]).await?;
    }
    finish_change(session, change);
    Ok(())
}

/// RENAME of a relation, a column, a constraint or a schema.
pub(crate) async fn rename(session: &mut Session, rename: &Rename) -> Result<CommandTag> {
    let new = rename.new_name.value.as_str();
    if rename.kind == ObjectKind::Schema {
        schema::rename(session, rename.name.last(), new).await?;
        return Ok(tag(rename.kind));
    }
    let relation_kind = match rename.kind {
        ObjectKind::Column | ObjectKind::Constraint => rename.relation_kind,
        kind => kind,
    };
    if matches!(
        relation_kind,
        ObjectKind::Table | ObjectKind::View | ObjectKind::Index | ObjectKind::Sequence
    ) {
        let Some(relation) = find(session, &rename.name, rename.if_exists).await? else {
            return Ok(tag(relation_kind));
        };
        let catalog = session.catalog()?;
        let part = rename.part.as_ref().map(|part| part.value.as_str()).unwrap_or_default();
        let changed = match rename.kind {
            ObjectKind::Column => alter::rename_column(&catalog, &relation, part, new)?,
            ObjectKind::Constraint => alter::rename_constraint(&catalog, &relation, part, new)?,
            _ => alter::rename_relation(&catalog, &relation, new)?,
        };
        replace_all(session, changed).await?;
        return Ok(tag(relation_kind));
    }
    Err(Error::unsupported(format!(
        "ALTER {} RENAME is not supported",
        rename.kind.name().to_uppercase()
    )))
}

/// SET SCHEMA.
pub(crate) async fn set_schema(session: &mut Session, set: &SetObjectSchema) -> Result<CommandTag> {
    let Some(relation) = find(session, &set.name, set.if_exists).await? else {
        return Ok(tag(set.kind));
    };
    let catalog = session.catalog()?;
    let schema = catalog
        .resolve_schema(&set.schema.value)
        .map_err(|error| error.at(set.schema.span.position()))?;
    let changed = alter::set_schema(&catalog, &relation, schema.oid)?;
    replace_all(session, changed).await?;
    Ok(tag(set.kind))
}

/// OWNER TO: every object belongs to the one user there is.
pub(crate) fn owner_to(session: &mut Session, owner: &OwnerTo) -> Result<CommandTag> {
    let known = [session.options.user.as_str(), "current_user", "session_user", "current_role"];
    if !known.contains(&owner.owner.as_str()) {
        return Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("role \"{}\" does not exist", owner.owner.value),
        )
        .at(owner.owner.span.position()));
    }
    Ok(tag(owner.kind))
}
