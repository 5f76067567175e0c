//! CHECKPOINT, VACUUM, ANALYZE.

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::resolve::Resolved;
use oxi_model::engine::TableLock;
use oxi_sql::ast::Vacuum;

use crate::{outcome::CommandTag, session::Session, statement::lock};

/// CHECKPOINT: everything committed goes to image files, the log is cut.
pub(crate) fn checkpoint(session: &mut Session) -> Result<CommandTag> {
    session.shared.engine.checkpoint()?;
    Ok(CommandTag::plain("CHECKPOINT"))
}

/// VACUUM and ANALYZE are hints: versions are collected and statistics kept without them.
pub(crate) async fn vacuum(session: &mut Session, vacuum: &Vacuum) -> Result<CommandTag> {
    let verb = if vacuum.vacuum { "VACUUM" } else { "ANALYZE" };
    let in_block = session.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
    if vacuum.vacuum && in_block {
        return Err(Error::new(
            SqlState::ACTIVE_SQL_TRANSACTION,
            "VACUUM cannot run inside a transaction block",
        ));
    }
    let catalog = session.catalog()?;
    let search_path = session.search_path();
    for (name, _) in &vacuum.tables {
        let found = catalog
            .resolve(&search_path, &name.texts())
            .map_err(|error| error.at(name.span.position()))?;
        if let Resolved::Relation(relation) = found
            && let Some(table) = relation.as_table()
        {
            lock::acquire(session, table.storage(), TableLock::ShareUpdateExclusive).await?;
        }
    }
    if vacuum.vacuum {
        session.shared.engine.collect();
    }
    Ok(CommandTag::plain(verb))
}
