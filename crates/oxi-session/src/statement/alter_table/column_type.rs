//! Actions that touch every row: ALTER COLUMN … TYPE, and new columns whose values differ by row.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{CatalogTxn, alter, identifier};
use oxi_model::{
    Datum, Row,
    descriptor::{ConstraintKind, RelationDescriptor, TableDescriptor},
    engine::InsertOutcome,
};
use oxi_sql::ast::{Expr, Ident, TypeName};
use oxi_types::pg_type;

use super::{constant_default, current};
use crate::{
    binding::assignable,
    session::Session,
    statement::{
        column::NewColumn,
        constraint,
        definition::{internal_rows, qualified, table_mut},
    },
};

/// What rows that are there already get in a new column.
pub(super) enum Fill {
    /// The same value in all: nothing is rewritten.
    Constant(Datum),
    /// A value of its own in each: the table is rewritten.
    PerRow,
}

impl Fill {
    pub(super) fn of(session: &mut Session, new: &NewColumn) -> Result<Self> {
        if new.generated.is_some() || new.sequence.is_some() {
            return Ok(Fill::PerRow);
        }
        Ok(constant_default(session, new)?.map_or(Fill::PerRow, Fill::Constant))
    }
}

/// `23502` if the table has rows, which would lack a value in a new NOT NULL column.
pub(super) async fn refuse_rows(
    session: &mut Session,
    change: &CatalogTxn,
    relation: &RelationDescriptor,
    column: &str,
) -> Result<()> {
    let sql = format!("SELECT 1 FROM {} LIMIT 1", qualified(change.catalog(), relation));
    if internal_rows(session, &sql).await?.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        SqlState::NOT_NULL_VIOLATION,
        format!("column \"{column}\" of relation \"{}\" contains null values", relation.name),
    ))
}

/// Computes a new column's value in each row, by its default, identity or generation expression.
pub(super) async fn fill_per_row(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    column: u32,
) -> Result<()> {
    let relation = current(change, table)?;
    let descriptor = alter::table(&relation)?;
    let items: Vec<String> = descriptor
        .columns
        .iter()
        .map(|found| {
            if found.id != column {
                return Ok(identifier::quote(&found.name).into_owned());
            }
            let expression = match (&found.identity, &found.generated, &found.default) {
                (Some(identity), ..) => {
                    let sequence = change
                        .catalog()
                        .relation(identity.sequence)
                        .ok_or_else(|| Error::bug("the identity's sequence is gone"))?;
                    let name = qualified(change.catalog(), sequence);
                    format!("nextval({}::regclass)", identifier::literal(&name))
                }
                (_, Some(text), _) | (_, _, Some(text)) => text.clone(),
                _ => "NULL".to_owned(),
            };
            Ok(format!("({expression})::{}", pg_type::format_type(found.data_type)))
        })
        .collect::<Result<_>>()?;
    let rows = select_rows(session, change, &relation, &items).await?;
    rewrite(session, change, table, rows).await
}

async fn select_rows(
    session: &mut Session,
    change: &CatalogTxn,
    relation: &RelationDescriptor,
    items: &[String],
) -> Result<Vec<Row>> {
    let from = qualified(change.catalog(), relation);
    internal_rows(session, &format!("SELECT {} FROM {from}", items.join(", "))).await
}

/// Gives the table new storage with these rows.
async fn rewrite(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    rows: Vec<Row>,
) -> Result<()> {
    let engine = Arc::clone(&session.shared.engine);
    change.renew_storage(&*engine, table).await?;
    let relation = current(change, table)?;
    let storage = relation.as_table().map(TableDescriptor::storage).unwrap_or_default();
    let txn = Arc::clone(&session.ensure_transaction().txn);
    for row in rows {
        refuse_null(&relation, &row)?;
        match txn.insert(storage, &row)? {
            InsertOutcome::Done(_) => {}
            InsertOutcome::Wait(_) => return Err(Error::bug("new storage has another writer")),
            InsertOutcome::Duplicate(duplicate) => {
                let index = change
                    .catalog()
                    .relations()
                    .find(|r| r.as_index().is_some_and(|index| index.storage() == duplicate.index));
                let name = index.map_or("", |index| index.name.as_str());
                return Err(Error::new(
                    SqlState::UNIQUE_VIOLATION,
                    format!("could not create unique index \"{name}\""),
                )
                .with_detail("Key is duplicated."));
            }
        }
    }
    session.set_catalog(change.catalog().clone());
    for index in change.catalog().indexes_of(table) {
        let Some(descriptor) = index.as_index().filter(|index| index.deferrable) else { continue };
        let ids: Vec<u32> = descriptor.columns.iter().map(|key| key.column).collect();
        let nulls_not_distinct = descriptor.nulls_not_distinct;
        let key = constraint::UniqueKey { primary: false, nulls_not_distinct };
        let name = &index.name;
        constraint::refuse_equal_keys(session, change, &relation, name, &ids, key).await?;
    }
    Ok(())
}

fn refuse_null(relation: &RelationDescriptor, row: &[Datum]) -> Result<()> {
    let columns = relation.as_table().map(|table| table.columns.as_slice()).unwrap_or_default();
    let missing =
        columns.iter().zip(row).find(|(column, value)| column.not_null && value.is_null());
    match missing {
        None => Ok(()),
        Some((column, _)) => Err(Error::new(
            SqlState::NOT_NULL_VIOLATION,
            format!(
                "column \"{}\" of relation \"{}\" contains null values",
                column.name, relation.name
            ),
        )),
    }
}

/// ALTER COLUMN … TYPE … USING.
pub(super) async fn set(
    session: &mut Session,
    change: &mut CatalogTxn,
    table: u32,
    name: &Ident,
    type_name: &TypeName,
    using: Option<&Expr>,
) -> Result<()> {
    let relation = current(change, table)?;
    let (position, found) = alter::column(&relation, &name.value)?;
    let data_type = oxi_sql::bind::resolve_type(type_name)?;
    refuse_dependents(change, &relation, found.id)?;
    if using.is_none() && !assignable(found.data_type.oid, data_type.oid) {
        let target = pg_type::format_type(data_type);
        return Err(Error::new(
            SqlState::DATATYPE_MISMATCH,
            format!("column \"{}\" cannot be cast automatically to type {target}", found.name),
        )
        .with_hint(format!(
            "You might need to specify \"USING {}::{target}\".",
            identifier::quote(&found.name)
        )));
    }
    let columns = &alter::table(&relation)?.columns;
    let items: Vec<String> = columns
        .iter()
        .map(|column| {
            let quoted = identifier::quote(&column.name).into_owned();
            if column.id != found.id {
                return Ok(quoted);
            }
            let value = using.map_or(Ok(quoted), oxi_sql::deparse::expression)?;
            Ok(format!("({value})::{}", pg_type::format_type(data_type)))
        })
        .collect::<Result<_>>()?;
    let rows = select_rows(session, change, &relation, &items).await?;
    let mut changed = RelationDescriptor::clone(&relation);
    let column = &mut table_mut(&mut changed)?.columns[position];
    column.data_type = data_type;
    column.physical = pg_type::by_oid(data_type.oid)
        .map(|row| row.physical.clone())
        .ok_or_else(|| Error::bug("the type is gone"))?;
    change.replace_relation(changed, &[]).await?;
    session.set_catalog(change.catalog().clone());
    rewrite(session, change, table, rows).await
}

/// Views and foreign keys that rely on the column's type.
fn refuse_dependents(
    change: &CatalogTxn,
    relation: &RelationDescriptor,
    column: u32,
) -> Result<()> {
    let table = alter::table(relation)?;
    let name = table.column_by_id(column).map_or("", |(_, column)| column.name.as_str());
    let reads = |view: &Arc<RelationDescriptor>| {
        let query = view.as_view().map(|view| view.query.as_str()).unwrap_or_default();
        oxi_catalog::expression::mentions_or_star(query, name)
    };
    if let Some(view) = change.catalog().views_on(relation.oid).iter().find(|view| reads(view)) {
        return Err(Error::unsupported("cannot alter type of a column used by a view or rule")
            .with_detail(format!("view {} depends on column \"{name}\"", view.name)));
    }
    let keyed = table.constraints.iter().any(|constraint| match &constraint.kind {
        ConstraintKind::ForeignKey(key) => key.columns.contains(&column),
        _ => false,
    });
    let referenced = change.catalog().foreign_keys_to(relation.oid).iter().any(|incoming| {
        incoming.foreign_key().is_some_and(|key| key.referenced_columns.contains(&column))
    });
    if keyed || referenced {
        return Err(Error::unsupported(format!(
            "altering the type of column \"{name}\", which a foreign key uses, is not supported"
        )));
    }
    Ok(())
}
