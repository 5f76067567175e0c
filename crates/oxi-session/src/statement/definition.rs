//! What all statements of data definition share: the catalog writer, expressions that are stored
//! as text, statements run on the session's own behalf.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{Catalog, CatalogTxn, Resolved, catalog::FIRST_USER_OID, removal};
use oxi_model::{
    Datum, Row,
    descriptor::{ColumnDescriptor, RelationDescriptor, RelationKind, TableDescriptor, TypeRef},
    engine::{TableLock, Wait},
};
use oxi_sql::ast::{Expr, ExprKind, Literal, ObjectName};

use crate::{
    binding::{Environment, StoredUse},
    request::Parsed,
    session::Session,
    statement::{lock, query},
};

/// A change of the catalog within the session's transaction.
pub(crate) fn begin_change(session: &mut Session) -> Result<CatalogTxn> {
    let catalog = session.catalog()?;
    let txn = Arc::clone(&session.ensure_transaction().txn);
    let cancel = Arc::clone(&session.cancel);
    let patience = move |wait| -> Wait {
        let cancel = Arc::clone(&cancel);
        Box::pin(async move { cancel.wait_for_lock(wait).await? })
    };
    Ok(CatalogTxn::new(txn, &catalog).with_patience(Box::new(patience)))
}

/// What IF EXISTS makes of an object that is not there: a notice, and `None`.
pub(crate) fn if_exists<T>(
    session: &mut Session,
    found: Result<T>,
    is_allowed: bool,
) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) => match removal::missing_notice(&error).filter(|_| is_allowed) {
            Some(notice) => {
                session.notice(SqlState::SUCCESSFUL_COMPLETION, notice);
                Ok(None)
            }
            None => Err(error),
        },
    }
}

/// The changed catalog is what the transaction's next statements see.
pub(crate) fn finish_change(session: &mut Session, change: CatalogTxn) {
    session.set_catalog(change.finish());
}

/// A table by name, locked against everybody else until the transaction ends.
pub(crate) async fn table_for_change(
    session: &mut Session,
    name: &ObjectName,
) -> Result<Arc<RelationDescriptor>> {
    locked_table(session, name, TableLock::AccessExclusive).await
}

/// A table by name, locked until the transaction ends.
pub(crate) async fn locked_table(
    session: &mut Session,
    name: &ObjectName,
    lock: TableLock,
) -> Result<Arc<RelationDescriptor>> {
    let mut found = find_table(session, name)?;
    loop {
        let storage = found.as_table().map(TableDescriptor::storage).unwrap_or_default();
        lock::acquire(session, storage, lock).await?;
        // Whoever held the lock may have changed what the name stands for.
        let again = find_table(session, name)?;
        if again.as_table().map(TableDescriptor::storage) == Some(storage) {
            return Ok(again);
        }
        found = again;
    }
}

/// A table by name, with no lock.
pub(crate) fn find_table(
    session: &mut Session,
    name: &ObjectName,
) -> Result<Arc<RelationDescriptor>> {
    let catalog = session.catalog()?;
    let relation = catalog
        .resolve_relation(&session.search_path(), &name.texts())
        .map_err(|error| error.at(name.span.position()))?;
    if relation.oid < FIRST_USER_OID {
        return Err(Error::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied: \"{}\" is a system catalog", relation.name),
        ));
    }
    if relation.as_table().is_none() {
        return Err(not_a_table(&relation));
    }
    Ok(relation)
}

/// `42809` for a relation of another kind.
pub(crate) fn not_a_table(relation: &RelationDescriptor) -> Error {
    Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a table", relation.name))
}

/// The table within a relation descriptor that is about to change.
pub(crate) fn table_mut(relation: &mut RelationDescriptor) -> Result<&mut TableDescriptor> {
    match &mut relation.kind {
        RelationKind::Table(table) => Ok(table),
        _ => Err(Error::bug("a table was expected")),
    }
}

/// Checks an expression that is to be stored (DEFAULT, CHECK, GENERATED) against the columns it
/// may use, and returns the text to store.
pub(crate) fn stored_expression(
    session: &mut Session,
    columns: &[ColumnDescriptor],
    relation: &str,
    expr: &Expr,
    usage: StoredUse,
) -> Result<String> {
    let catalog = session.catalog()?;
    let table = TableDescriptor {
        storage: 0,
        columns: columns.to_vec(),
        next_column_id: 0,
        constraints: Vec::new(),
        history_us: None,
    };
    let row = Arc::new(RelationDescriptor {
        oid: 0,
        schema: 0,
        name: relation.to_owned(),
        comment: None,
        kind: RelationKind::Table(table),
    });
    let over = (!matches!(usage, StoredUse::Default(_))).then_some(&row);
    Environment::new(session, &catalog).check_stored(expr, over, usage)?;
    let search_path = session.search_path();
    let text = with_found_sequences(&catalog, &search_path, oxi_sql::deparse::expression(expr)?);
    Ok(match (usage, &expr.kind) {
        // A bare string says nothing of its type; stored, it does.
        (StoredUse::Default(data_type), ExprKind::Literal(Literal::String(_))) => {
            let plain = TypeRef::plain(data_type.oid);
            format!("{text}::{}", oxi_types::pg_type::format_type(plain))
        }
        _ => text,
    })
}

/// The text with the schemas of the sequences that it draws from: they are those that the search
/// path finds now, whatever it is when a row draws.
fn with_found_sequences(catalog: &Catalog, search_path: &[String], text: String) -> String {
    let mut found_text = text;
    for parts in oxi_catalog::expression::sequence_names(&found_text) {
        let Ok(Some(Resolved::Relation(sequence))) = catalog.try_resolve(search_path, &parts)
        else {
            continue;
        };
        let old = (catalog.schema_name(sequence.schema), sequence.name.as_str());
        let new = catalog.qualified_name(&sequence);
        found_text = oxi_catalog::expression::rename_sequence(&found_text, old, &new);
    }
    found_text
}

/// The value of an expression without columns, converted to a type as an assignment.
pub(crate) fn constant_value(session: &mut Session, expr: &Expr, target: TypeRef) -> Result<Datum> {
    let catalog = session.catalog()?;
    Environment::new(session, &catalog).evaluate(expr, target)
}

/// Rows of a query that the session runs on its own behalf, within the running transaction.
pub(crate) async fn internal_rows(session: &mut Session, sql: &str) -> Result<Vec<Row>> {
    let parsed = Parsed::parse_all(sql)?
        .pop()
        .ok_or_else(|| Error::bug("an internal statement is empty"))?;
    query::collect(session, &parsed).await.map_err(Error::without_position)
}

/// `schema.name` as SQL.
pub(crate) fn qualified(catalog: &Catalog, relation: &RelationDescriptor) -> String {
    catalog.qualified_name(relation)
}

/// Column names, quoted and joined by commas.
pub(crate) fn column_list(table: &TableDescriptor, ids: &[u32], qualifier: &str) -> String {
    let names: Vec<String> = ids
        .iter()
        .filter_map(|id| table.column_by_id(*id))
        .map(|(_, column)| format!("{qualifier}{}", oxi_catalog::identifier::quote(&column.name)))
        .collect();
    names.join(", ")
}

/// `42703` for a column that a definition names and the table lacks.
pub(crate) fn no_such_column(column: &str, relation: &str) -> Error {
    Error::new(
        SqlState::UNDEFINED_COLUMN,
        format!("column \"{column}\" of relation \"{relation}\" does not exist"),
    )
}
