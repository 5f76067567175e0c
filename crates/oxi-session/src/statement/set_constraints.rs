//! SET CONSTRAINTS, and the checks that a transaction has put off.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::Catalog;
use oxi_exec::dml::deferred::Due;
use oxi_model::descriptor::{ConstraintDescriptor, RelationDescriptor};
use oxi_sql::ast::{ObjectName, SetConstraints};

use crate::{outcome::CommandTag, session::Session, statement::query};

/// SET CONSTRAINTS.
pub(crate) async fn run(session: &mut Session, set: &SetConstraints) -> Result<CommandTag> {
    const TAG: CommandTag = CommandTag::plain("SET CONSTRAINTS");
    if !session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
        session.warning(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            "SET CONSTRAINTS can only be used in transaction blocks",
        );
    }
    let mut single = Vec::new();
    for name in set.names.iter().flatten() {
        single.extend(named(session, name, set.deferred)?);
    }
    let deferred = Arc::clone(&session.ensure_transaction().deferred);
    if set.names.is_none() {
        deferred.set_all(Some(set.deferred));
    }
    for constraint in single {
        deferred.set(constraint, Some(set.deferred));
    }
    if !set.deferred {
        settle(session, Due::Immediate).await?;
    }
    Ok(TAG)
}

/// The deferrable constraints of a name, all of them in the first schema that has one.
fn named(session: &mut Session, name: &ObjectName, is_deferred: bool) -> Result<Vec<u32>> {
    let catalog = session.catalog()?;
    let parts = name.texts();
    let (schemas, wanted) = match parts.as_slice() {
        [plain] => (session.search_path(), plain),
        [schema, plain] => {
            let schema =
                catalog.resolve_schema(schema).map_err(|error| error.at(name.span.position()))?;
            (vec![schema.name.clone()], plain)
        }
        _ => {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("improper qualified name (too many dotted names): {}", parts.join(".")),
            ));
        }
    };
    for schema in &schemas {
        let mut found = constraints_in(&catalog, schema, wanted).peekable();
        if found.peek().is_none() {
            continue;
        }
        let mut deferrable = Vec::new();
        for constraint in found {
            if constraint.deferral.deferrable {
                deferrable.push(constraint.oid);
            } else if is_deferred {
                return Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("constraint \"{wanted}\" is not deferrable"),
                ));
            }
        }
        return Ok(deferrable);
    }
    Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("constraint \"{wanted}\" does not exist")))
}

fn constraints_in<'a>(
    catalog: &'a Catalog,
    schema: &str,
    name: &'a str,
) -> impl Iterator<Item = &'a ConstraintDescriptor> {
    let oid = catalog.schema_by_name(schema).map_or(0, |schema| schema.oid);
    catalog
        .relations_in(oid)
        .filter_map(|relation| relation.as_table())
        .flat_map(|table| &table.constraints)
        .filter(move |constraint| constraint.name == name)
}

/// Makes the checks that are due.
pub(crate) async fn settle(session: &mut Session, due: Due) -> Result<()> {
    let deferred = match &session.transaction {
        Some(transaction) if !transaction.deferred.is_empty() => Arc::clone(&transaction.deferred),
        _ => return Ok(()),
    };
    let catalog = session.catalog()?;
    let statement = query::statement_context(session, &catalog);
    Box::pin(deferred.settle(&statement, due)).await
}

/// `55006` if checks are owed for rows of a table whose definition is to change.
pub(crate) fn refuse_pending(
    session: &Session,
    relation: &RelationDescriptor,
    command: &str,
) -> Result<()> {
    let owes = |oid| session.transaction.as_ref().is_some_and(|txn| txn.deferred.owes(oid));
    if !owes(relation.oid) {
        return Ok(());
    }
    Err(Error::new(
        SqlState::OBJECT_IN_USE,
        format!("cannot {command} \"{}\" because it has pending trigger events", relation.name),
    ))
}
