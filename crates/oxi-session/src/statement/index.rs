//! CREATE INDEX.

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{CatalogTxn, alter, identifier::Generated};
use oxi_model::{
    descriptor::{IndexColumn, IndexDescriptor, RelationDescriptor, RelationKind},
    engine::TableLock,
};
use oxi_sql::ast::{CreateIndex, ExprKind, IndexElement};

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        concurrent_index,
        definition::{begin_change, finish_change, locked_table},
    },
};

/// CREATE INDEX.
pub(crate) async fn create(session: &mut Session, create: &CreateIndex) -> Result<CommandTag> {
    const TAG: CommandTag = CommandTag::plain("CREATE INDEX");
    refuse_unsupported(create)?;
    if create.concurrently {
        return concurrent_index::create(session, create).await;
    }
    let relation = locked_table(session, &create.table, TableLock::Share).await?;
    let mut change = begin_change(session)?;
    let Some(created) = describe(session, &change, &relation, create)? else { return Ok(TAG) };
    let name = created.name.clone();
    change.create_relation(created).await.map_err(|error| named(&error, &name).unwrap_or(error))?;
    finish_change(session, change);
    Ok(TAG)
}

/// The error of equal keys with the index's name: storage knows the key, this knows the name.
pub(crate) fn named(error: &Error, name: &str) -> Option<Error> {
    if error.code() != SqlState::UNIQUE_VIOLATION {
        return None;
    }
    let message = format!("could not create unique index \"{name}\"");
    let named = Error::new(SqlState::UNIQUE_VIOLATION, message);
    Some(match error.detail() {
        Some(detail) => named.with_detail(detail),
        None => named,
    })
}

/// The index that a statement asks for; `None` if there is one of its name and that is fine.
pub(crate) fn describe(
    session: &mut Session,
    change: &CatalogTxn,
    relation: &RelationDescriptor,
    create: &CreateIndex,
) -> Result<Option<RelationDescriptor>> {
    let columns: Vec<IndexColumn> = create
        .elements
        .iter()
        .map(|element| index_column(relation, element))
        .collect::<Result<_>>()?;
    let name = if let Some(name) = &create.name {
        let taken = change.catalog().relation_by_name(relation.schema, &name.value).is_some();
        if taken && create.if_not_exists {
            let message = format!("relation \"{}\" already exists, skipping", name.value);
            session.notice(SqlState::DUPLICATE_TABLE, message);
            return Ok(None);
        }
        name.value.clone()
    } else {
        let table = alter::table(relation)?;
        let names: Vec<&str> = columns
            .iter()
            .filter_map(|key| table.column_by_id(key.column))
            .map(|(_, column)| column.name.as_str())
            .collect();
        let (schema, table) = (relation.schema, relation.name.as_str());
        change.catalog().generate_name(schema, Generated::Index, table, &names, &[])
    };
    let index = IndexDescriptor {
        table: relation.oid,
        storage: session.shared.engine.allocate_index_id().0,
        unique: create.unique,
        nulls_not_distinct: create.nulls_not_distinct,
        deferrable: false,
        invalid: false,
        columns,
    };
    Ok(Some(RelationDescriptor {
        oid: session.shared.engine.allocate_oid(),
        schema: relation.schema,
        name,
        comment: None,
        kind: RelationKind::Index(index),
    }))
}

fn refuse_unsupported(create: &CreateIndex) -> Result<()> {
    let at = create.span.position();
    if let Some(method) = &create.method
        && !matches!(method.as_str(), "btree" | "hash")
    {
        let message = match method.as_str() {
            "gin" | "gist" | "spgist" | "brin" => {
                format!("index access method {} is not supported", method.value)
            }
            _ => {
                return Err(Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("access method \"{}\" does not exist", method.value),
                )
                .at(method.span.position()));
            }
        };
        return Err(Error::unsupported(message).at(method.span.position()));
    }
    if create.filter.is_some() {
        return Err(Error::unsupported("partial indexes are not supported").at(at));
    }
    if !create.include.is_empty() {
        return Err(Error::unsupported("INCLUDE columns are not supported").at(at));
    }
    Ok(())
}

fn index_column(relation: &RelationDescriptor, element: &IndexElement) -> Result<IndexColumn> {
    let at = element.span.position();
    let ExprKind::Column(parts) = &element.expr.kind else {
        return Err(Error::unsupported("indexes on expressions are not supported").at(at));
    };
    let [name] = parts.as_slice() else {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "an index column has a plain name").at(at));
    };
    let (_, column) = alter::column(relation, &name.value).map_err(|error| error.at(at))?;
    let descending = element.descending.unwrap_or(false);
    let nulls_first = element.nulls_first.unwrap_or(descending);
    Ok(IndexColumn { column: column.id, descending, nulls_first })
}
