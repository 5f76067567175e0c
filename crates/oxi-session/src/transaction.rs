//! The session's transaction: implicit or a block, its savepoints, and what a rollback restores
//! besides rows (settings, the catalog as this transaction has changed it).

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::Catalog;
use oxi_exec::dml::deferred::{Deferred, Mark};
use oxi_model::engine::{Isolation, SavepointId, Txn};

use crate::settings::{Settings, SettingsPair};

/// What the client is told at each `ReadyForQuery`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransactionStatus {
    /// No block is open.
    Idle,
    /// In a block.
    InTransaction,
    /// In a block that an error has doomed.
    Failed,
}

/// Modes of a transaction, as BEGIN and SET TRANSACTION give them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Modes {
    pub(crate) isolation: Isolation,
    pub(crate) read_only: bool,
    /// Every snapshot of a read-only SERIALIZABLE transaction is as good as a deferred one, so
    /// nothing is ever waited for.
    pub(crate) deferrable: bool,
}

impl Modes {
    /// The isolation that storage keeps: who only reads under SERIALIZABLE takes effect at its
    /// snapshot, and nobody needs to know what was read.
    pub(crate) fn storage_isolation(self) -> Isolation {
        match self.isolation {
            Isolation::Serializable if self.read_only => Isolation::RepeatableRead,
            other => other,
        }
    }

    /// The isolation's name.
    pub(crate) fn isolation_name(self) -> &'static str {
        match self.isolation {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        }
    }
}

/// The catalog as this transaction has changed it.
#[derive(Clone)]
pub(crate) struct OwnCatalog {
    pub(crate) catalog: Arc<Catalog>,
    /// The committed catalog it was derived from.
    pub(crate) base_version: u64,
}

/// A running transaction.
pub(crate) struct Transaction {
    pub(crate) txn: Arc<dyn Txn>,
    pub(crate) modes: Modes,
    /// Opened by BEGIN, rather than around a single statement or pipeline.
    pub(crate) explicit: bool,
    /// An error has doomed it; only ROLLBACK (TO) and COMMIT are heard.
    pub(crate) failed: bool,
    /// A query has run, so the isolation is fixed.
    pub(crate) has_queried: bool,
    pub(crate) own_catalog: Option<OwnCatalog>,
    /// `now()`: Unix microseconds.
    pub(crate) started_us: i64,
    /// DECLARE … WITH HOLD was among its statements.
    pub(crate) has_held_cursor: bool,
    /// Constraint checks put off until the end.
    pub(crate) deferred: Arc<Deferred>,
    settings_at_start: Settings,
    savepoints: Vec<Savepoint>,
}

struct Savepoint {
    name: String,
    id: SavepointId,
    effective: Settings,
    lasting: Settings,
    own_catalog: Option<OwnCatalog>,
    deferred: Mark,
}

impl Transaction {
    pub(crate) fn new(
        txn: Arc<dyn Txn>,
        modes: Modes,
        explicit: bool,
        started_us: i64,
        settings: &SettingsPair,
    ) -> Self {
        Transaction {
            txn,
            modes,
            explicit,
            failed: false,
            has_queried: false,
            own_catalog: None,
            started_us,
            has_held_cursor: false,
            deferred: Arc::default(),
            settings_at_start: settings.lasting.clone(),
            savepoints: Vec::new(),
        }
    }

    /// SAVEPOINT name.
    pub(crate) fn savepoint(&mut self, name: &str, settings: &SettingsPair) {
        self.savepoints.push(Savepoint {
            name: name.to_owned(),
            id: self.txn.savepoint(),
            effective: settings.effective.clone(),
            lasting: settings.lasting.clone(),
            own_catalog: self.own_catalog.clone(),
            deferred: self.deferred.mark(),
        });
    }

    /// Whether it is implicit and its end has checks to make, which may have to wait.
    pub(crate) fn owes_checks(&self) -> bool {
        !self.explicit && !self.deferred.is_empty()
    }

    /// Whether it runs within a savepoint.
    pub(crate) fn is_nested(&self) -> bool {
        !self.savepoints.is_empty()
    }

    fn find_savepoint(&self, name: &str) -> Result<usize> {
        self.savepoints.iter().rposition(|savepoint| savepoint.name == name).ok_or_else(|| {
            Error::new(
                SqlState::INVALID_SAVEPOINT_SPECIFICATION,
                format!("savepoint \"{name}\" does not exist"),
            )
        })
    }

    /// ROLLBACK TO SAVEPOINT name: the savepoint stays, those after it go.
    pub(crate) fn rollback_to(&mut self, name: &str, settings: &mut SettingsPair) -> Result<()> {
        let index = self.find_savepoint(name)?;
        self.savepoints.truncate(index + 1);
        self.restore(index, settings)?;
        self.failed = false;
        Ok(())
    }

    fn restore(&mut self, index: usize, settings: &mut SettingsPair) -> Result<()> {
        let savepoint = &self.savepoints[index];
        self.txn.rollback_to(savepoint.id)?;
        settings.effective = savepoint.effective.clone();
        settings.lasting = savepoint.lasting.clone();
        self.own_catalog.clone_from(&savepoint.own_catalog);
        self.deferred.reset(&savepoint.deferred);
        Ok(())
    }

    /// RELEASE SAVEPOINT name.
    pub(crate) fn release(&mut self, name: &str) -> Result<()> {
        let index = self.find_savepoint(name)?;
        self.txn.release(self.savepoints[index].id);
        self.savepoints.truncate(index);
        Ok(())
    }

    /// An error dooms the block: its work since the last savepoint is undone and its locks are
    /// free at once; the client learns of it with every statement until it rolls back.
    pub(crate) fn fail(&mut self, settings: &mut SettingsPair) {
        if self.failed {
            return;
        }
        self.failed = true;
        let undone = match self.savepoints.len() {
            0 => None,
            count => Some(self.restore(count - 1, settings)),
        };
        if !matches!(undone, Some(Ok(()))) {
            self.savepoints.clear();
            self.txn.rollback();
            self.own_catalog = None;
            self.deferred.reset(&Mark::default());
            self.restore_settings(settings);
        }
    }

    /// The settings as they were when the transaction began.
    pub(crate) fn restore_settings(&self, settings: &mut SettingsPair) {
        settings.lasting = self.settings_at_start.clone();
        settings.effective = self.settings_at_start.clone();
    }
}

/// Refuses what a read-only transaction may not do.
pub(crate) fn require_writable(modes: Modes, command: &str) -> Result<()> {
    if modes.read_only {
        return Err(Error::new(
            SqlState::READ_ONLY_SQL_TRANSACTION,
            format!("cannot execute {command} in a read-only transaction"),
        ));
    }
    Ok(())
}
