//! CREATE SCHEMA.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::SchemaDescriptor;
use oxi_sql::ast::CreateSchema;

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::definition::{begin_change, finish_change},
};

/// CREATE SCHEMA.
pub(crate) async fn create(session: &mut Session, create: &CreateSchema) -> Result<CommandTag> {
    const TAG: CommandTag = CommandTag::plain("CREATE SCHEMA");
    if !create.elements.is_empty() {
        return Err(Error::unsupported("schema elements in CREATE SCHEMA are not supported"));
    }
    let name = create.name.as_ref().or(create.owner.as_ref());
    let name = name.map_or_else(|| session.options.user.clone(), |name| name.value.clone());
    if name.starts_with("pg_") {
        return Err(Error::new(
            SqlState::RESERVED_NAME,
            format!("unacceptable schema name \"{name}\""),
        )
        .with_detail("The prefix \"pg_\" is reserved for system schemas."));
    }
    let mut change = begin_change(session)?;
    if create.if_not_exists && change.catalog().schema_by_name(&name).is_some() {
        let message = format!("schema \"{name}\" already exists, skipping");
        session.notice(SqlState::DUPLICATE_SCHEMA, message);
        return Ok(TAG);
    }
    let oid = session.shared.engine.allocate_oid();
    change.create_schema(SchemaDescriptor { oid, name }).await?;
    finish_change(session, change);
    Ok(TAG)
}

/// The schema with its new name.
pub(crate) async fn rename(session: &mut Session, old: &str, new: &str) -> Result<()> {
    let mut change = begin_change(session)?;
    let schema = change.catalog().resolve_schema(old)?;
    if schema.oid < oxi_catalog::catalog::FIRST_USER_OID
        && schema.oid != oxi_catalog::catalog::PUBLIC
    {
        return Err(Error::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied for schema {old}"),
        ));
    }
    let mut descriptor = SchemaDescriptor::clone(&Arc::clone(&schema));
    new.clone_into(&mut descriptor.name);
    change.replace_schema(descriptor).await?;
    finish_change(session, change);
    Ok(())
}
