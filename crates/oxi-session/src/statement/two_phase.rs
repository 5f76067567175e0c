//! PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED.

use oxi_base::{Error, Result, SqlState};
use oxi_exec::dml::deferred::Due;
use oxi_model::engine::{PrepareAs, PreparedEnd};

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        set_constraints,
        transaction::{no_transaction, session_failed},
    },
};

/// Longest identifier, in bytes.
const GID_BYTES_MAX: usize = 199;
/// The most prepared transactions there may be, which `max_prepared_transactions` shows.
const PREPARED_MAX: usize = 64;

/// PREPARE TRANSACTION. Whatever goes wrong, the session's transaction is over.
pub(crate) async fn prepare(session: &mut Session, gid: &str) -> Result<CommandTag> {
    if !session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
        no_transaction(session);
        session.rollback();
        return Ok(CommandTag::plain("ROLLBACK"));
    }
    if session_failed(session) {
        session.rollback();
        return Ok(CommandTag::plain("ROLLBACK"));
    }
    let prepared = prepare_open(session, gid).await;
    if prepared.is_err() {
        session.rollback();
    }
    prepared.map(|()| CommandTag::plain("PREPARE TRANSACTION"))
}

async fn prepare_open(session: &mut Session, gid: &str) -> Result<()> {
    if gid.len() > GID_BYTES_MAX {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("transaction identifier \"{gid}\" is too long"),
        ));
    }
    if session.ensure_transaction().has_held_cursor {
        return Err(Error::unsupported(
            "cannot PREPARE a transaction that has created a cursor WITH HOLD",
        ));
    }
    set_constraints::settle(session, Due::All).await?;
    let name =
        PrepareAs { gid: gid.to_owned(), owner: session.options.user.clone(), limit: PREPARED_MAX };
    let durable = session.ensure_transaction().txn.prepare(&name)?;
    session.end_prepared();
    durable.await
}

/// COMMIT PREPARED and ROLLBACK PREPARED.
pub(crate) async fn finish(
    session: &mut Session,
    gid: &str,
    end: PreparedEnd,
) -> Result<CommandTag> {
    let tag = CommandTag::plain(match end {
        PreparedEnd::Commit => "COMMIT PREPARED",
        PreparedEnd::Rollback => "ROLLBACK PREPARED",
    });
    if session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
        return Err(Error::new(
            SqlState::ACTIVE_SQL_TRANSACTION,
            format!("{} cannot run inside a transaction block", tag.verb()),
        ));
    }
    session.shared.engine.finish_prepared(gid, end)?.await?;
    Ok(tag)
}
