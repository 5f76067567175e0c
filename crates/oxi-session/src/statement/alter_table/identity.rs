//! ALTER COLUMN … ADD/SET/DROP IDENTITY, DROP EXPRESSION.

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{CatalogTxn, alter};
use oxi_model::descriptor::RelationDescriptor;
use oxi_sql::ast::{AlterActionKind as Kind, Ident, SequenceOption};

use super::{change_column, current};
use crate::{
    session::Session,
    statement::{
        column::{self, NewColumn},
        definition::table_mut,
        sequence,
    },
};

/// Carries out one of the actions of this file.
pub(super) async fn apply(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    action: &Kind,
) -> Result<()> {
    match action {
        Kind::AddIdentity { column, always, options } => {
            add(session, change, table, column, *always, options).await
        }
        Kind::SetIdentity { column, always, options } => {
            let relation = current(change, table)?;
            let (_, found) = alter::column(&relation, &column.value)?;
            let identity = found.identity.ok_or_else(|| not_identity(&relation, column))?;
            sequence::change_options(session, change, identity.sequence, options).await?;
            let always = always.unwrap_or(identity.always);
            change_column(change, table, column, |column| {
                column.identity = Some(oxi_model::descriptor::Identity { always, ..identity });
            })
            .await
        }
        Kind::DropIdentity { column, if_exists } => {
            drop(session, change, table, column, *if_exists).await
        }
        Kind::DropExpression { column, if_exists } => {
            let relation = current(change, table)?;
            let (_, found) = alter::column(&relation, &column.value)?;
            if found.generated.is_none() {
                let message = format!(
                    "column \"{}\" of relation \"{}\" is not a stored generated column",
                    column.value, relation.name
                );
                if *if_exists {
                    session.notice(
                        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                        format!("{message}, skipping"),
                    );
                    return Ok(());
                }
                return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
            }
            change_column(change, table, column, |column| column.generated = None).await
        }
        _ => Err(Error::bug("not an identity action")),
    }
}

fn not_identity(relation: &RelationDescriptor, column: &Ident) -> Error {
    Error::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!(
            "column \"{}\" of relation \"{}\" is not an identity column",
            column.value, relation.name
        ),
    )
}

async fn add(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    name: &Ident,
    always: bool,
    options: &[SequenceOption],
) -> Result<()> {
    let relation = current(change, table)?;
    let (position, found) = alter::column(&relation, &name.value)?;
    let refuse = |what: &str| {
        Err(Error::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("column \"{}\" of relation \"{}\" {what}", found.name, relation.name),
        ))
    };
    if !found.not_null {
        return refuse("must be declared NOT NULL before identity can be added");
    }
    if found.identity.is_some() {
        return refuse("is already an identity column");
    }
    if found.default.is_some() {
        return refuse("already has a default value");
    }
    let mut new = NewColumn {
        descriptor: found.clone(),
        default: None,
        generated: None,
        constraints: Vec::new(),
        sequence: None,
    };
    column::identity(session, &mut new, always, options)?;
    let mut changed = RelationDescriptor::clone(&relation);
    if let Some(made) = new.sequence.take() {
        let (schema, table_name) = (relation.schema, relation.name.as_str());
        let descriptor = &mut new.descriptor;
        let oid =
            column::create_sequence(session, change, schema, table_name, descriptor, &made).await?;
        sequence::set_owner(change, oid, Some((table, found.id))).await?;
    }
    table_mut(&mut changed)?.columns[position] = new.descriptor;
    change.replace_relation(changed, &[]).await
}

async fn drop(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    name: &Ident,
    if_exists: bool,
) -> Result<()> {
    let relation = current(change, table)?;
    let (_, found) = alter::column(&relation, &name.value)?;
    let Some(identity) = found.identity else {
        let error = not_identity(&relation, name);
        if if_exists {
            let message = format!("{}, skipping", error.message());
            session.notice(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message);
            return Ok(());
        }
        return Err(error);
    };
    change_column(change, table, name, |column| column.identity = None).await?;
    change.drop_relation(identity.sequence).await
}
