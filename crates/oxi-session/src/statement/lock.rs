//! Table locks: LOCK TABLE, and what statements take by themselves.

use oxi_base::{Error, Result, SqlState, TableId};
use oxi_model::engine::TableLock;
use oxi_sql::ast::{LockMode, LockTable};

use crate::{outcome::CommandTag, session::Session, statement::transaction::require_block};

/// LOCK TABLE.
pub(crate) async fn run(session: &mut Session, lock: &LockTable) -> Result<CommandTag> {
    require_block(session, "LOCK TABLE")?;
    let mode = match lock.mode {
        LockMode::AccessShare | LockMode::RowShare | LockMode::RowExclusive => TableLock::Shared,
        // The stronger modes exclude writers, which the exclusive lock does, and more.
        _ => TableLock::Exclusive,
    };
    for (name, _) in &lock.tables {
        let catalog = session.catalog()?;
        let relation = catalog
            .resolve_relation(&session.search_path(), &name.texts())
            .map_err(|error| error.at(name.span.position()))?;
        let Some(table) = relation.as_table() else {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a table", relation.name),
            ));
        };
        if lock.no_wait {
            let waits = session.ensure_transaction().txn.lock_table(table.storage(), mode)?;
            if waits.is_some() {
                return Err(Error::new(
                    SqlState::LOCK_NOT_AVAILABLE,
                    format!("could not obtain lock on relation \"{}\"", relation.name),
                ));
            }
        } else {
            acquire(session, table.storage(), mode).await?;
        }
    }
    Ok(CommandTag::plain("LOCK TABLE"))
}

/// Takes a table lock, waiting as long as it needs (or until the statement is cancelled).
pub(crate) async fn acquire(session: &mut Session, table: TableId, lock: TableLock) -> Result<()> {
    while let Some(wait) = session.ensure_transaction().txn.lock_table(table, lock)? {
        session.cancel.wait_for_lock(wait).await??;
    }
    Ok(())
}
