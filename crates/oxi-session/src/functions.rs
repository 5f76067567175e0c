//! What functions may ask of the session: sequences, settings, names and definitions of objects.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::{Catalog, functions::CatalogFunctions, layout, system::SystemContext};
use oxi_exec::context::{CancelFlag, CancelReason};
use oxi_model::{
    descriptor::{RelationDescriptor, ViewDescriptor},
    engine::Txn,
};
use oxi_sql::ast::{self, StatementKind};
use oxi_types::context::{AdvisoryLock, ObjectClass, ObjectName, SessionFunctions};
use parking_lot::Mutex;

use crate::{
    advisory::Advisory, backup::SessionBackup, database::Shared, settings::SharedSettings,
    system::SessionServer,
};

/// What `currval` and `lastval` remember.
#[derive(Clone, Debug, Default)]
pub(crate) struct SequenceMemory {
    values: BTreeMap<u32, i64>,
    last: Option<u32>,
}

/// The session as functions of one transaction see it.
pub(crate) struct StatementFunctions {
    pub(crate) shared: Arc<Shared>,
    pub(crate) txn: Arc<dyn Txn>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) settings: Arc<SharedSettings>,
    pub(crate) sequences: Arc<Mutex<SequenceMemory>>,
    pub(crate) cancel: Arc<CancelFlag>,
    pub(crate) sleep_us: Arc<AtomicU64>,
    pub(crate) backend_id: u32,
    /// Warnings for the client.
    pub(crate) raised: Arc<Mutex<Vec<(SqlState, String)>>>,
    pub(crate) advisory: Arc<Advisory>,
    pub(crate) backup: Arc<SessionBackup>,
    pub(crate) user: String,
}

impl StatementFunctions {
    fn warn(&self, message: String) {
        self.raised.lock().push((SqlState::WARNING, message));
    }

    fn sequence(&self, oid: u32) -> Result<&Arc<RelationDescriptor>> {
        let relation = self.catalog.relation(oid).ok_or_else(|| {
            Error::new(SqlState::UNDEFINED_TABLE, format!("could not open relation with OID {oid}"))
        })?;
        if relation.as_sequence().is_none() {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a sequence", relation.name),
            ));
        }
        Ok(relation)
    }

    /// Asks the catalog, as the statement sees it.
    fn ask<T>(&self, question: impl FnOnce(CatalogFunctions<'_>) -> T) -> T {
        let settings = self.settings.lock().effective.clone();
        let search_path = settings.search_path(&self.user);
        let context = SystemContext {
            catalog: Arc::clone(&self.catalog),
            database: self.shared.options.name.clone(),
            user: self.user.clone(),
            server: Arc::new(SessionServer { shared: Arc::clone(&self.shared), settings }),
        };
        question(CatalogFunctions { context: &context, search_path: &search_path })
    }
}

impl SessionFunctions for StatementFunctions {
    fn nextval(&self, sequence: u32) -> Result<i64> {
        let relation = self.sequence(sequence)?;
        let Some(descriptor) = relation.as_sequence() else { return Err(Error::bug("sequence")) };
        let step = layout::sequence_step(descriptor);
        let value = self.txn.sequence_next(descriptor.storage, &step).map_err(|error| {
            if error.code() != SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED {
                return error;
            }
            let (end, limit) = if descriptor.increment > 0 {
                ("maximum", descriptor.max)
            } else {
                ("minimum", descriptor.min)
            };
            Error::new(
                SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
                format!("nextval: reached {end} value of sequence \"{}\" ({limit})", relation.name),
            )
        })?;
        let mut memory = self.sequences.lock();
        memory.values.insert(sequence, value);
        memory.last = Some(sequence);
        Ok(value)
    }

    fn currval(&self, sequence: u32) -> Result<i64> {
        let relation = self.sequence(sequence)?;
        self.sequences.lock().values.get(&sequence).copied().ok_or_else(|| {
            Error::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!(
                    "currval of sequence \"{}\" is not yet defined in this session",
                    relation.name
                ),
            )
        })
    }

    fn lastval(&self) -> Result<i64> {
        let memory = self.sequences.lock();
        memory.last.and_then(|sequence| memory.values.get(&sequence).copied()).ok_or_else(|| {
            Error::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                "lastval is not yet defined in this session",
            )
        })
    }

    fn setval(&self, sequence: u32, value: i64, is_called: bool) -> Result<i64> {
        let relation = self.sequence(sequence)?;
        let Some(descriptor) = relation.as_sequence() else { return Err(Error::bug("sequence")) };
        if value < descriptor.min || value > descriptor.max {
            return Err(Error::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!(
                    "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                    relation.name, descriptor.min, descriptor.max
                ),
            ));
        }
        self.txn.sequence_set(descriptor.storage, value, is_called)?;
        if is_called {
            self.sequences.lock().values.insert(sequence, value);
        }
        Ok(value)
    }

    fn current_setting(&self, name: &str) -> Result<Option<String>> {
        let value = self.settings.lock().effective.lookup(name);
        Ok(value.map(|value| crate::statement::settings::display(name, &value)))
    }

    fn set_config(&self, name: &str, value: &str, local: bool) -> Result<String> {
        let mut settings = self.settings.lock();
        // Outside of a block, what is local ends with the statement.
        settings.effective.set(name, Some(value))?;
        if !local {
            settings.lasting.set(name, Some(value))?;
        }
        settings.effective.get(name)
    }

    fn random_bytes(&self, bytes: &mut [u8]) -> Result<()> {
        self.shared.world.rng.fill(bytes);
        Ok(())
    }

    fn transaction_id_if_assigned(&self) -> Result<Option<u64>> {
        Ok(self.txn.id().map(|id| id.0))
    }

    fn transaction_id(&self) -> Result<u64> {
        Ok(self.txn.assign_id().0)
    }

    fn backend_pid(&self) -> i32 {
        self.backend_id as i32
    }

    fn session_user(&self) -> Option<String> {
        Some(self.user.clone())
    }

    /// Only notes how long: the session waits before it hands out the statement's rows, where
    /// waiting holds up nobody else and can be cancelled.
    fn sleep(&self, micros: i64) -> Result<()> {
        self.sleep_us.fetch_add(micros.max(0).unsigned_abs(), Ordering::Relaxed);
        self.cancel.check()
    }

    fn signal_backend(&self, pid: i32, terminate: bool) -> Result<bool> {
        let sessions = self.shared.sessions.lock();
        let target = u32::try_from(pid).ok().and_then(|pid| sessions.get(&pid));
        match target {
            Some(target) if terminate => {
                target.cancel.terminate();
                target.activity.roll_back_idle();
            }
            Some(target) => target.cancel.cancel(CancelReason::User),
            None => self.warn(format!("PID {pid} is not a PostgreSQL backend process")),
        }
        Ok(target.is_some())
    }

    fn advisory_lock(&self, lock: AdvisoryLock) -> Result<()> {
        while let Some(wait) = self.advisory.take(&*self.txn, lock)? {
            oxi_world::net::wait_here(self.cancel.wait_for_lock(wait))???;
        }
        Ok(())
    }

    fn try_advisory_lock(&self, lock: AdvisoryLock) -> Result<bool> {
        Ok(self.advisory.take(&*self.txn, lock)?.is_none())
    }

    fn advisory_unlock(&self, lock: AdvisoryLock) -> Result<bool> {
        let had = self.advisory.give_back(lock);
        if !had {
            self.warn(format!("you don't own a lock of type {}", lock.lock.name()));
        }
        Ok(had)
    }

    fn advisory_unlock_all(&self) -> Result<()> {
        self.advisory.give_all_back();
        Ok(())
    }

    fn blocking_pids(&self, pid: i32) -> Result<Vec<i32>> {
        let blockers = u32::try_from(pid).map(|pid| self.shared.engine.blockers(pid));
        Ok(blockers.unwrap_or_default().into_iter().map(u32::cast_signed).collect())
    }

    fn backup_start(&self) -> Result<String> {
        self.backup.start(&*self.shared.engine)
    }

    fn backup_read(&self, path: &str, offset: i64, length: i32) -> Result<Vec<u8>> {
        self.backup.read(path, offset, length)
    }

    fn backup_finish(&self) -> Result<String> {
        self.backup.finish()
    }

    fn backup_stop(&self) -> Result<bool> {
        Ok(self.backup.stop())
    }

    fn lookup(&self, class: ObjectClass, name: &[String]) -> Result<Option<u32>> {
        self.ask(|catalog| catalog.lookup(class, name))
    }

    fn name_of(&self, class: ObjectClass, oid: u32) -> Result<Option<ObjectName>> {
        Ok(self.ask(|catalog| catalog.name_of(class, oid)))
    }

    fn description(&self, oid: u32, class: Option<&str>, sub: i32) -> Result<Option<String>> {
        Ok(self.ask(|catalog| catalog.description(oid, class, sub)))
    }

    fn get_constraintdef(&self, oid: u32, _pretty: bool) -> Result<Option<String>> {
        Ok(self.ask(|catalog| catalog.constraint_def(oid)))
    }

    fn get_indexdef(&self, oid: u32, column: i32, pretty: bool) -> Result<Option<String>> {
        Ok(self.ask(|catalog| catalog.index_def(oid, column, pretty)))
    }

    fn get_viewdef(&self, oid: u32, _pretty: bool) -> Result<Option<String>> {
        let relation = self.catalog.relation(oid);
        let Some(view) = relation.and_then(|relation| relation.as_view()) else { return Ok(None) };
        let search_path = self.settings.lock().effective.search_path(&self.user);
        view_definition(&self.catalog, view, &search_path).map(Some)
    }

    fn get_serial_sequence(&self, table: u32, column: &str) -> Result<Option<String>> {
        self.ask(|catalog| catalog.serial_sequence(table, column))
    }

    fn relation_size(&self, relation: u32, part: &str) -> Result<Option<i64>> {
        let size = self.ask(|catalog| catalog.relation_size(relation));
        // Indexes live in memory and are not estimated.
        Ok(size.map(|bytes| if part == "indexes" { 0 } else { bytes }))
    }

    fn database_size(&self, _database: u32) -> Result<i64> {
        Ok(self.ask(|catalog| catalog.database_size()))
    }

    fn start_time(&self) -> Option<i64> {
        Some(self.shared.started_us)
    }
}

/// A view's query as SQL that means the same under another search path: tables which that does
/// not find by their plain names are called with their schemas.
fn view_definition(
    catalog: &Catalog,
    view: &ViewDescriptor,
    search_path: &[String],
) -> Result<String> {
    let statements = oxi_sql::parse::parse(&view.query)?;
    let Some(StatementKind::Query(query)) = statements.first().map(|found| &found.kind) else {
        return Err(Error::bug("a view holds no query"));
    };
    let names = |name: &ast::ObjectName| {
        let found = catalog.try_resolve(&view.search_path, &name.texts()).ok()??;
        catalog.display_name(search_path, found.oid())
    };
    let text = oxi_sql::deparse::query_with_names(query, &names)?;
    Ok(format!("{text};"))
}
