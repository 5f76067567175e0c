//! BEGIN, COMMIT, ROLLBACK, savepoints.

use oxi_base::{Error, Result, SqlState};
use oxi_model::engine::{Isolation, PreparedEnd};
use oxi_sql::ast::{IsolationLevel, Transaction as Control, TransactionModes};

use crate::{
    outcome::{CommandTag, Outcome},
    session::Session,
    statement::two_phase,
    transaction::Modes,
};

/// Carries out a transaction statement.
pub(crate) async fn run(session: &mut Session, control: &Control) -> Result<Outcome> {
    let tag = match control {
        Control::Begin { start, modes } => {
            begin(session, *modes)?;
            CommandTag::plain(if *start { "START TRANSACTION" } else { "BEGIN" })
        }
        Control::Commit { chain } => commit(session, *chain).await?,
        Control::Rollback { chain } => rollback(session, *chain),
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
        return Ok(());
    }
    let modes = merged(session.default_modes(), modes)?;
    match &mut session.transaction {
        // Within a string of statements: what came before becomes part of the block.
        Some(transaction) => transaction.explicit = true,
        None => session.open_transaction(modes, true),
    }
    publish_modes(session, modes)
}

/// The modes in force, changed by those a statement names.
pub(crate) fn merged(mut modes: Modes, named: TransactionModes) -> Result<Modes> {
    if let Some(level) = named.isolation {
        modes.isolation = match level {
            IsolationLevel::ReadUncommitted | IsolationLevel::ReadCommitted => {
                Isolation::ReadCommitted
            }
            IsolationLevel::RepeatableRead => Isolation::RepeatableRead,
            IsolationLevel::Serializable => {
                return Err(Error::unsupported("isolation level SERIALIZABLE is not supported")
                    .with_hint("REPEATABLE READ is the strongest level there is."));
            }
        };
    }
    if let Some(read_only) = named.read_only {
        modes.read_only = read_only;
    }
    Ok(modes)
}

/// Lets SHOW tell the modes of the running transaction.
pub(crate) fn publish_modes(session: &mut Session, modes: Modes) -> Result<()> {
    let isolation = match modes.isolation {
        Isolation::ReadCommitted => "read committed",
        Isolation::RepeatableRead => "repeatable read",
    };
    let mut settings = session.settings.lock();
    settings.effective.set("transaction_isolation", Some(isolation))?;
    let read_only = if modes.read_only { "on" } else { "off" };
    settings.effective.set("transaction_read_only", Some(read_only))?;
    Ok(())
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
    }
    Ok(CommandTag::plain(if failed { "ROLLBACK" } else { "COMMIT" }))
}

fn rollback(session: &mut Session, chain: bool) -> CommandTag {
    if !session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
        no_transaction(session);
    }
    let modes = session_modes(session);
    session.rollback();
    if chain {
        session.open_transaction(modes, true);
    }
    CommandTag::plain("ROLLBACK")
}

fn session_modes(session: &mut Session) -> Modes {
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
