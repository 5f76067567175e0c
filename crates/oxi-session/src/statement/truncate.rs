//! TRUNCATE: tables get new, empty storage; the old one goes at commit.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::{RelationDescriptor, TableDescriptor};
use oxi_sql::ast::Truncate;

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        definition::{begin_change, finish_change, table_for_change},
        set_constraints::refuse_pending,
    },
    transaction::require_writable,
};

/// TRUNCATE.
pub(crate) async fn run(session: &mut Session, truncate: &Truncate) -> Result<CommandTag> {
    let transaction = session.ensure_transaction();
    require_writable(transaction.modes, "TRUNCATE TABLE")?;
    transaction.has_queried = true;
    let mut tables: Vec<Arc<RelationDescriptor>> = Vec::new();
    for (name, _) in &truncate.tables {
        let relation = table_for_change(session, name).await?;
        if !tables.iter().any(|table| table.oid == relation.oid) {
            tables.push(relation);
        }
    }
    add_referencing(session, &mut tables, truncate.cascade).await?;
    for table in &tables {
        refuse_pending(session, table, "TRUNCATE")?;
    }
    let engine = Arc::clone(&session.shared.engine);
    let mut change = begin_change(session)?;
    for table in &tables {
        change.renew_storage(&*engine, table.oid).await?;
    }
    if truncate.restart_identity {
        let txn = Arc::clone(&session.ensure_transaction().txn);
        for table in &tables {
            for sequence in change.catalog().owned_sequences(table.oid, None) {
                if let Some(descriptor) = sequence.as_sequence() {
                    txn.sequence_set(descriptor.storage, descriptor.start, false)?;
                }
            }
        }
    }
    finish_change(session, change);
    Ok(CommandTag::plain("TRUNCATE TABLE"))
}

/// Tables with foreign keys to those truncated go along (CASCADE) or stand in the way.
async fn add_referencing(
    session: &mut Session,
    tables: &mut Vec<Arc<RelationDescriptor>>,
    cascade: bool,
) -> Result<()> {
    let mut next = 0;
    while next < tables.len() {
        let oid = tables[next].oid;
        next += 1;
        for incoming in session.catalog()?.foreign_keys_to(oid) {
            if tables.iter().any(|table| table.oid == incoming.table.oid) {
                continue;
            }
            if !cascade {
                return Err(Error::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "cannot truncate a table referenced in a foreign key constraint",
                )
                .with_detail(format!(
                    "Table \"{}\" references \"{}\".",
                    incoming.table.name,
                    tables[next - 1].name
                ))
                .with_hint(format!(
                    "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                    incoming.table.name
                )));
            }
            let message = format!("truncate cascades to table \"{}\"", incoming.table.name);
            session.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            let storage =
                incoming.table.as_table().map(TableDescriptor::storage).unwrap_or_default();
            super::lock::acquire(session, storage, oxi_model::engine::TableLock::AccessExclusive)
                .await?;
            tables.push(incoming.table);
        }
    }
    Ok(())
}
