//! ALTER TABLE.

mod column_type;
mod identity;

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{
    CatalogTxn, alter,
    removal::{self, Behavior, Target},
};
use oxi_model::{
    Datum,
    descriptor::{ColumnDescriptor, RelationDescriptor},
    engine::TableLock,
};
use oxi_sql::ast::{
    AlterAction, AlterActionKind as Kind, AlterTable, ColumnDef, Expr, Ident, ObjectKind,
    TableConstraintKind,
};

use crate::{
    binding::{Environment, StoredUse},
    outcome::CommandTag,
    session::Session,
    statement::{
        column, constraint,
        constraint::NewConstraint,
        definition::{
            begin_change, constant_value, finish_change, if_exists, locked_table, not_a_table,
            stored_expression, table_mut,
        },
        drop, past,
        set_constraints::refuse_pending,
    },
};

/// ALTER TABLE and its like for other relations.
pub(crate) async fn run(session: &mut Session, alter: &AlterTable) -> Result<CommandTag> {
    let tag = CommandTag::plain(match alter.kind {
        ObjectKind::Index => "ALTER INDEX",
        ObjectKind::View => "ALTER VIEW",
        ObjectKind::Sequence => "ALTER SEQUENCE",
        _ => "ALTER TABLE",
    });
    let lock = alter.actions.iter().map(lock_of).max().unwrap_or(TableLock::AccessExclusive);
    let found = locked_table(session, &alter.name, lock).await;
    let Some(relation) = if_exists(session, found, alter.if_exists)? else { return Ok(tag) };
    refuse_pending(session, &relation, tag.verb())?;
    let mut change = begin_change(session)?;
    for action in &alter.actions {
        apply(session, &mut change, relation.oid, action).await?;
        session.set_catalog(change.catalog().clone());
    }
    finish_change(session, change);
    Ok(tag)
}

/// How strongly an action locks the table.
fn lock_of(action: &AlterAction) -> TableLock {
    match &action.kind {
        Kind::ValidateConstraint(_)
        | Kind::SetStatistics { .. }
        | Kind::ClusterOn(_)
        | Kind::SetWithoutCluster => TableLock::ShareUpdateExclusive,
        // The storage is given another layout.
        Kind::SetOptions(options)
            if options.iter().any(|option| option.name == past::RETENTION) =>
        {
            TableLock::AccessExclusive
        }
        Kind::ResetOptions(names) if names.iter().any(|name| name == past::RETENTION) => {
            TableLock::AccessExclusive
        }
        Kind::SetOptions(_) | Kind::ResetOptions(_) => TableLock::ShareUpdateExclusive,
        Kind::AddConstraint(added)
            if matches!(added.kind, TableConstraintKind::ForeignKey { .. }) =>
        {
            TableLock::ShareRowExclusive
        }
        Kind::Trigger { .. } => TableLock::ShareRowExclusive,
        _ => TableLock::AccessExclusive,
    }
}

/// The table as the actions so far have left it.
fn current(change: &CatalogTxn, table: u32) -> Result<Arc<RelationDescriptor>> {
    change.catalog().relation(table).cloned().ok_or_else(|| Error::bug("the table is gone"))
}

async fn apply(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    action: &AlterAction,
) -> Result<()> {
    match &action.kind {
        Kind::AddColumn { column, if_not_exists } => {
            add_column(session, change, table, column, *if_not_exists).await
        }
        Kind::DropColumn { name, if_exists, cascade } => {
            drop_column(session, change, table, name, *if_exists, behavior(*cascade)).await
        }
        Kind::SetType { column, data_type, using, .. } => {
            column_type::set(session, change, table, column, data_type, using.as_ref()).await
        }
        Kind::SetDefault { column, expr } => {
            set_default(session, change, table, column, Some(expr)).await
        }
        Kind::DropDefault(column) => set_default(session, change, table, column, None).await,
        Kind::SetNotNull(column) => set_not_null(session, change, table, column).await,
        Kind::DropNotNull(name) => {
            let relation = current(change, table)?;
            alter::check_drop_not_null(&relation, &name.value)
                .map_err(|error| error.at(name.span.position()))?;
            change_column(change, table, name, |column| column.not_null = false).await
        }
        Kind::AddIdentity { .. }
        | Kind::SetIdentity { .. }
        | Kind::DropIdentity { .. }
        | Kind::DropExpression { .. } => {
            identity::apply(session, change, table, &action.kind).await
        }
        Kind::AddConstraint(added) => {
            let new = NewConstraint::from_ast(added)?;
            constraint::add(session, change, table, &new, true).await
        }
        Kind::DropConstraint { name, if_exists, cascade } => {
            drop_constraint(session, change, table, name, *if_exists, behavior(*cascade)).await
        }
        Kind::ValidateConstraint(name) => {
            alter::constraint(&*current(change, table)?, &name.value).map(|_| ())
        }
        Kind::OwnerTo(_) | Kind::SetStatistics { .. } | Kind::SetStorage { .. } => Ok(()),
        Kind::SetOptions(options) => {
            let catalog = session.catalog()?;
            let eval = session.eval_context(&catalog);
            match past::retention(&eval, options)? {
                Some(us) => set_history(change, table, Some(us)).await,
                None => Ok(()),
            }
        }
        Kind::ResetOptions(names) if names.iter().any(|name| name == past::RETENTION) => {
            set_history(change, table, None).await
        }
        Kind::ResetOptions(_) | Kind::SetLogged(_) => Ok(()),
        Kind::ClusterOn(_) | Kind::SetWithoutCluster => Ok(()),
        Kind::ReplicaIdentity(_) | Kind::ReplicaIdentityIndex(_) => Ok(()),
        Kind::AlterConstraint { name, deferral } => {
            let deferral = constraint::deferral_of(*deferral);
            let changed = alter::set_deferral(&*current(change, table)?, &name.value, deferral)?;
            change.replace_relation(changed, &[]).await
        }
        Kind::Trigger { .. } => Err(Error::unsupported("triggers are not supported")),
    }
    .map_err(|error| match error.code() {
        SqlState::FEATURE_NOT_SUPPORTED => error.at(action.span.position()),
        _ => error,
    })
}

/// Changes how long older versions of a table's rows stay readable.
async fn set_history(change: &mut CatalogTxn, table: u32, us: Option<u64>) -> Result<()> {
    let mut changed = RelationDescriptor::clone(&*current(change, table)?);
    if changed.as_table().is_none() {
        return Err(not_a_table(&changed));
    }
    table_mut(&mut changed)?.history_us = us;
    change.replace_relation(changed, &[]).await
}

fn behavior(cascade: bool) -> Behavior {
    if cascade { Behavior::Cascade } else { Behavior::Restrict }
}

/// Changes one column's descriptor.
async fn change_column(
    change: &mut CatalogTxn,
    table: u32,
    name: &Ident,
    edit: impl FnOnce(&mut ColumnDescriptor),
) -> Result<()> {
    let relation = current(change, table)?;
    let (position, _) = alter::column(&relation, &name.value)?;
    let mut changed = RelationDescriptor::clone(&relation);
    edit(&mut table_mut(&mut changed)?.columns[position]);
    change.replace_relation(changed, &[]).await
}

async fn add_column(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    def: &ColumnDef,
    if_not_exists: bool,
) -> Result<()> {
    let relation = current(change, table)?;
    let name = &def.name.value;
    if if_not_exists && alter::column(&relation, name).is_ok() {
        let message =
            format!("column \"{name}\" of relation \"{}\" already exists, skipping", relation.name);
        session.notice(SqlState::DUPLICATE_COLUMN, message);
        return Ok(());
    }
    alter::check_new_column(&relation, name).map_err(|e| e.at(def.name.span.position()))?;
    let id = relation.as_table().map(|t| t.next_column_id).unwrap_or_default();
    let mut new = column::define(session, def, id)?;
    let sequence = match new.sequence.take() {
        Some(sequence) => {
            let (schema, relation_name) = (relation.schema, relation.name.clone());
            let descriptor = &mut new.descriptor;
            let made = column::create_sequence(
                session,
                change,
                schema,
                &relation_name,
                descriptor,
                &sequence,
            );
            let oid = made.await?;
            new.sequence = Some(sequence);
            Some(oid)
        }
        None => None,
    };
    let fill = column_type::Fill::of(session, &new)?;
    let (mut changed, id) = alter::add_column(&relation, new.descriptor.clone())?;
    column::settle_expressions(
        session,
        &relation.name,
        &mut table_mut(&mut changed)?.columns,
        &new,
    )?;
    // What older rows read: the default if it is one value for all, else they are rewritten.
    let missing = match &fill {
        column_type::Fill::Constant(value) => value.clone(),
        column_type::Fill::PerRow => Datum::Null,
    };
    if new.descriptor.not_null
        && missing.is_null()
        && matches!(fill, column_type::Fill::Constant(_))
    {
        column_type::refuse_rows(session, change, &relation, name).await?;
    }
    change.replace_relation(changed, &[(id, missing)]).await?;
    if let Some(oid) = sequence {
        super::sequence::set_owner(change, oid, Some((table, id))).await?;
    }
    session.set_catalog(change.catalog().clone());
    if matches!(fill, column_type::Fill::PerRow) {
        column_type::fill_per_row(session, change, table, id).await?;
    }
    for added in &new.constraints {
        constraint::add(session, change, table, added, true).await?;
    }
    Ok(())
}

async fn drop_column(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    name: &Ident,
    if_exists_given: bool,
    behavior: Behavior,
) -> Result<()> {
    let relation = current(change, table)?;
    let found = alter::column(&relation, &name.value).map(|(_, column)| column.id);
    let Some(id) = if_exists(session, found, if_exists_given)? else { return Ok(()) };
    let plan = removal::plan(change.catalog(), &[Target::Column(table, id)], behavior)?;
    drop::carry_out(session, change, &plan).await
}

async fn drop_constraint(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    name: &Ident,
    if_exists_given: bool,
    behavior: Behavior,
) -> Result<()> {
    let relation = current(change, table)?;
    let found = alter::constraint(&relation, &name.value).map(|found| found.oid);
    let Some(oid) = if_exists(session, found, if_exists_given)? else { return Ok(()) };
    let plan = removal::plan(change.catalog(), &[Target::Constraint(table, oid)], behavior)?;
    drop::carry_out(session, change, &plan).await
}

async fn set_default(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    name: &Ident,
    expr: Option<&Expr>,
) -> Result<()> {
    let relation = current(change, table)?;
    let (_, found) = alter::column(&relation, &name.value)?;
    let refuse = |what: &str| {
        Err(Error::new(
            SqlState::SYNTAX_ERROR,
            format!("column \"{}\" of relation \"{}\" is {what}", found.name, relation.name),
        ))
    };
    if found.identity.is_some() {
        return refuse("an identity column");
    }
    if found.generated.is_some() {
        return refuse("a generated column");
    }
    let text = match expr {
        Some(expr) => {
            let usage = StoredUse::Default(found.data_type);
            Some(stored_expression(session, &[], &relation.name, expr, usage)?)
        }
        None => None,
    };
    change_column(change, table, name, |column| column.default = text).await
}

async fn set_not_null(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    name: &Ident,
) -> Result<()> {
    let relation = current(change, table)?;
    let (_, found) = alter::column(&relation, &name.value)?;
    let id = found.id;
    session.set_catalog(change.catalog().clone());
    constraint::refuse_nulls(session, change, &relation, &[id]).await?;
    change_column(change, table, name, |column| column.not_null = true).await
}

/// The value of a new column's default in rows that are there already, if one value serves all.
pub(super) fn constant_default(
    session: &mut Session,
    new: &column::NewColumn,
) -> Result<Option<Datum>> {
    let Some(expr) = &new.default else { return Ok(Some(Datum::Null)) };
    let catalog = session.catalog()?;
    if Environment::new(session, &catalog).is_volatile(expr, new.descriptor.data_type)? {
        return Ok(None);
    }
    constant_value(session, expr, new.descriptor.data_type).map(Some)
}
