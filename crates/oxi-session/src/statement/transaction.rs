//! BEGIN, COMMIT, ROLLBACK, savepoints.

use oxi_base::{Error, Result, SqlState};
use oxi_model::engine::{Isolation, PreparedEnd};
use oxi_sql::ast::{IsolationLevel, Transaction as Control, TransactionModes};

use crate::{
    outcome::{CommandTag, Outcome},
    session::Session,
    statement::two_phase,
    transaction::{Modes, Transaction},
};

/// Carries out a transaction statement.
pub(crate) async fn run(session: &mut Session, control: &Control) -> Result<Outcome> {
    let tag = match control {
        Control::Begin { start, modes } => {
            begin(session, *modes)?;
            CommandTag::plain(if *start { "START TRANSACTION" } else { "BEGIN" })
        }
        Control::Commit { chain } => commit(session, *chain).await?,
        Control::Rollback { chain } => rollback(session, *chain)?,
        Control::Savepoint(name) => {
            require_block(session, "SAVEPOINT")?;
            let settings = session.settings.lock().clone();
            session.ensure_transaction().savepoint(name.as_str(), &settings);
            CommandTag::plain("SAVEPOINT")
        }
        Control::Release(name) => {
            require_block(session, "RELEASE SAVEPOINT")?;
            session.ensure_transaction().release(name.as_str())?;
            CommandTag::plain("RELEASE")
        }
        Control::RollbackTo(name) => {
            require_block(session, "ROLLBACK TO SAVEPOINT")?;
            session.rollback_to_savepoint(name.as_str())?;
            CommandTag::plain("ROLLBACK")
        }
        Control::Prepare(gid) => two_phase::prepare(session, gid).await?,
        Control::CommitPrepared(gid) => {
            two_phase::finish(session, gid, PreparedEnd::Commit).await?
        }
        Control::RollbackPrepared(gid) => {
            two_phase::finish(session, gid, PreparedEnd::Rollback).await?
        }
    };
    Ok(Outcome::Done(tag))
}

fn begin(session: &mut Session, modes: TransactionModes) -> Result<()> {
    if session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
        session.warning(
            SqlState::ACTIVE_SQL_TRANSACTION,
            "there is already a transaction in progress",
        );
        return set_modes(session, modes);
    }
    let Some(transaction) = &mut session.transaction else {
        let modes = merged(session.default_modes(), modes);
        session.open_transaction(modes, true);
        return publish_modes(session, modes);
    };
    // Within a string of statements: what came before becomes part of the block.
    transaction.explicit = true;
    set_modes(session, modes)
}

/// SET TRANSACTION, also as BEGIN says it within a transaction.
pub(crate) fn set_modes(session: &mut Session, named: TransactionModes) -> Result<()> {
    let transaction = session.ensure_transaction();
    let before = transaction.modes;
    let modes = merged(before, named);
    refuse_late_modes(transaction, modes)?;
    if !transaction.has_queried {
        transaction.txn.set_isolation(modes.storage_isolation())?;
    }
    transaction.modes = modes;
    publish_modes(session, modes)
}

/// What cannot be changed any more once something has run, or within a savepoint.
fn refuse_late_modes(transaction: &Transaction, modes: Modes) -> Result<()> {
    let refuse = |message: &str| Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
    let before = transaction.modes;
    if modes.isolation != before.isolation {
        if transaction.has_queried {
            return refuse("SET TRANSACTION ISOLATION LEVEL must be called before any query");
        }
        if transaction.is_nested() {
            return refuse(
                "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction",
            );
        }
    }
    if before.read_only && !modes.read_only {
        if transaction.is_nested() {
            return refuse("cannot set transaction read-write mode inside a read-only transaction");
        }
        if transaction.has_queried {
            return refuse("transaction read-write mode must be set before any query");
        }
    }
    if modes.deferrable != before.deferrable {
        if transaction.is_nested() {
            return refuse(
                "SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction",
            );
        }
        if transaction.has_queried {
            return refuse("SET TRANSACTION [NOT] DEFERRABLE must be called before any query");
        }
    }
    Ok(())
}

/// The modes in force, changed by those a statement names.
fn merged(mut modes: Modes, named: TransactionModes) -> Modes {
    if let Some(level) = named.isolation {
        modes.isolation = match level {
            IsolationLevel::ReadUncommitted | IsolationLevel::ReadCommitted => {
                Isolation::ReadCommitted
            }
            IsolationLevel::RepeatableRead => Isolation::RepeatableRead,
            IsolationLevel::Serializable => Isolation::Serializable,
        };
    }
    modes.read_only = named.read_only.unwrap_or(modes.read_only);
    modes.deferrable = named.deferrable.unwrap_or(modes.deferrable);
    modes
}

/// Lets SHOW tell the modes of the running transaction.
fn publish_modes(session: &mut Session, modes: Modes) -> Result<()> {
    let mut settings = session.settings.lock();
    settings.effective.set("transaction_isolation", Some(modes.isolation_name()))?;
    settings.effective.set("transaction_read_only", Some(on_or_off(modes.read_only)))?;
    settings.effective.set("transaction_deferrable", Some(on_or_off(modes.deferrable)))?;
    Ok(())
}

/// A mode as settings spell it.
pub(crate) fn on_or_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

async fn commit(session: &mut Session, chain: bool) -> Result<CommandTag> {
    let Some(transaction) = &session.transaction else {
        no_transaction(session);
        return Ok(CommandTag::plain("COMMIT"));
    };
    if !transaction.explicit {
        no_transaction(session);
    }
    let (modes, failed) = (session_modes(session), session_failed(session));
    if failed {
        session.rollback();
    } else {
        session.commit().await?;
    }
    if chain {
        session.open_transaction(modes, true);
        publish_modes(session, modes)?;
    }
    Ok(CommandTag::plain(if failed { "ROLLBACK" } else { "COMMIT" }))
}

fn rollback(session: &mut Session, chain: bool) -> Result<CommandTag> {
    if !session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
        no_transaction(session);
    }
    let modes = session_modes(session);
    session.rollback();
    if chain {
        session.open_transaction(modes, true);
        publish_modes(session, modes)?;
    }
    Ok(CommandTag::plain("ROLLBACK"))
}

/// The modes of the running transaction, or of the next one.
pub(crate) fn session_modes(session: &mut Session) -> Modes {
    match &session.transaction {
        Some(transaction) => transaction.modes,
        None => session.default_modes(),
    }
}

pub(crate) fn session_failed(session: &Session) -> bool {
    session.transaction.as_ref().is_some_and(|transaction| transaction.failed)
}

pub(crate) fn no_transaction(session: &mut Session) {
    session.warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
}

/// `25P01` outside of a transaction block.
pub(crate) fn require_block(session: &Session, what: &str) -> Result<()> {
    if session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
        return Ok(());
    }
    Err(Error::new(
        SqlState::NO_ACTIVE_SQL_TRANSACTION,
        format!("{what} can only be used in transaction blocks"),
    ))
}
