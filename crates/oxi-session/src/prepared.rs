//! Prepared statements: parsed and bound once, planned anew when the catalog has moved.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState, TableId};
use oxi_exec::fast::FastPlan;
use oxi_model::engine::TableLock;
use oxi_sql::ast::StatementKind;
use parking_lot::{RwLock, RwLockReadGuard};

use crate::{
    binding::BoundStatement,
    cache::StatementKey,
    outcome::OutputField,
    request::{Parsed, parse_one},
    session::Session,
    statement::query,
};

/// A statement ready to execute with parameters.
pub struct Prepared {
    parsed: Option<Parsed>,
    parameter_types: Arc<[u32]>,
    /// Its columns were told to nobody, so they may become others.
    pub(crate) fields_may_change: bool,
    /// `None` for statements that are carried out from their syntax tree.
    plan: Option<RwLock<Arc<Plan>>>,
    /// The columns of a statement without plan that returns rows all the same.
    utility_fields: Option<Arc<[OutputField]>>,
}

/// A bound statement and the way it runs.
pub(crate) struct Plan {
    pub(crate) bound: BoundStatement,
    /// The way past the query engine, if the statement has one.
    pub(crate) fast: Option<FastPlan>,
    pub(crate) fields: Arc<[OutputField]>,
    /// Storages of the tables it reads or writes, and how it locks them.
    pub(crate) tables: Vec<(TableId, TableLock)>,
    /// The number of the committed catalog it was bound against, if that is known.
    pub(crate) version: Option<u64>,
    /// The catalog it was bound against.
    pub(crate) catalog: Arc<oxi_catalog::Catalog>,
    pub(crate) search_path: Vec<String>,
}

impl Prepared {
    /// Types of `$1`, `$2`, …
    pub fn parameter_types(&self) -> &[u32] {
        &self.parameter_types
    }

    /// Names and types of the columns; `None` if the statement returns no rows.
    pub fn fields(&self) -> Option<Arc<[OutputField]>> {
        match &self.plan {
            Some(plan) => {
                let plan = plan.read();
                plan.bound.returns_rows().then(|| Arc::clone(&plan.fields))
            }
            None => self.utility_fields.clone(),
        }
    }

    pub(crate) fn parsed(&self) -> Option<&Parsed> {
        self.parsed.as_ref()
    }

    /// The plan as it was last made, which need not be current.
    pub(crate) fn last_plan(&self) -> Option<RwLockReadGuard<'_, Arc<Plan>>> {
        self.plan.as_ref().map(RwLock::read)
    }

    /// The plan, if it was made for the newest committed catalog.
    pub(crate) fn current_plan(&self, version: u64) -> Option<Arc<Plan>> {
        let plan = self.last_plan()?;
        (plan.version == Some(version)).then(|| Arc::clone(&plan))
    }

    pub(crate) fn is_planned(&self) -> bool {
        self.plan.is_some()
    }

    /// Whether it was bound against this very catalog.
    fn is_current(&self, catalog: &Arc<oxi_catalog::Catalog>) -> bool {
        self.plan.as_ref().is_some_and(|plan| Arc::ptr_eq(&plan.read().catalog, catalog))
    }

    /// The plan for the catalog as it is, bound anew if that has moved.
    pub(crate) fn plan(&self, session: &mut Session) -> Result<Arc<Plan>> {
        let (Some(slot), Some(parsed)) = (&self.plan, &self.parsed) else {
            return Err(Error::bug("a statement without plan"));
        };
        let catalog = session.catalog()?;
        let current = Arc::clone(&slot.read());
        if Arc::ptr_eq(&current.catalog, &catalog) && session.has_search_path(&current.search_path)
        {
            return Ok(current);
        }
        let types = self.parameter_types.iter().copied().map(Some).collect();
        let fresh = Arc::new(query::plan(session, parsed, types)?);
        let same =
            current.fields.len() == fresh.fields.len()
                && current.fields.iter().zip(&*fresh.fields).all(|(old, new)| {
                    old.name == new.name && old.data_type.oid == new.data_type.oid
                });
        if !same && !self.fields_may_change {
            return Err(Error::unsupported("cached plan must not change result type"));
        }
        *slot.write() = Arc::clone(&fresh);
        Ok(fresh)
    }
}

impl Session {
    /// Parses and binds a statement with parameters; the name `""` is overwritten freely.
    ///
    /// # Errors
    /// Syntax and binding errors; `42P05` if the name is taken; `42P18` for a parameter whose type
    /// nothing tells.
    pub fn prepare(
        &mut self,
        name: &str,
        sql: &str,
        parameter_types: &[u32],
    ) -> Result<Arc<Prepared>> {
        self.refuse_if_terminated()?;
        let made = self.prepare_unnamed(name, sql, parameter_types);
        if made.is_err() {
            self.statement_failed();
        }
        made
    }

    fn prepare_unnamed(
        &mut self,
        name: &str,
        sql: &str,
        parameter_types: &[u32],
    ) -> Result<Arc<Prepared>> {
        if !name.is_empty() && self.prepared.contains_key(name) {
            return Err(Error::new(
                SqlState::DUPLICATE_PREPARED_STATEMENT,
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        let prepared = self.prepare_text(sql, parameter_types)?;
        self.prepared.insert(name.to_owned(), Arc::clone(&prepared));
        Ok(prepared)
    }

    /// A prepared statement by name.
    ///
    /// # Errors
    /// `26000` if there is none.
    pub fn prepared(&self, name: &str) -> Result<Arc<Prepared>> {
        self.prepared.get(name).cloned().ok_or_else(|| {
            let message = if name.is_empty() {
                "unnamed prepared statement does not exist".to_owned()
            } else {
                format!("prepared statement \"{name}\" does not exist")
            };
            Error::new(SqlState::INVALID_SQL_STATEMENT_NAME, message)
        })
    }

    /// Forgets a prepared statement, if there is one of that name.
    pub fn close_prepared(&mut self, name: &str) {
        self.prepared.remove(name);
    }

    /// Parses and binds, through the cache that all sessions share.
    pub(crate) fn prepare_text(&mut self, sql: &str, types: &[u32]) -> Result<Arc<Prepared>> {
        let shareable = !self.has_own_catalog();
        let key = self.statement_key(sql.to_owned(), types.to_vec());
        if shareable
            && let Some(found) = self.shared.statements.get(&key)
            && found.is_current(&self.catalog()?)
        {
            return Ok(found);
        }
        let parsed = parse_one(sql)?;
        let prepared = Arc::new(self.prepare_parsed(parsed, types)?);
        if shareable && prepared.is_planned() {
            self.shared.statements.put(key, Arc::clone(&prepared));
        }
        Ok(prepared)
    }

    /// What makes two statements of this session the same.
    pub(crate) fn statement_key(&self, text: String, types: Vec<u32>) -> StatementKey {
        let settings = self.settings.lock();
        let path = settings.effective.search_path(&self.options.user);
        StatementKey { text, types, path, fast: settings.effective.is_on("oxi.fast_path") }
    }

    /// Binds a parsed statement.
    pub(crate) fn prepare_parsed(
        &mut self,
        parsed: Option<Parsed>,
        types: &[u32],
    ) -> Result<Prepared> {
        let planned = parsed.as_ref().is_some_and(|p| query::is_planned(&p.statement.kind));
        let (Some(statement), true) = (&parsed, planned) else {
            let kind = parsed.as_ref().map(|parsed| &parsed.statement.kind);
            let utility_fields = kind.and_then(|kind| self.utility_fields(kind));
            return Ok(Prepared {
                parsed,
                parameter_types: types.into(),
                fields_may_change: false,
                plan: None,
                utility_fields,
            });
        };
        if self.transaction.as_ref().is_some_and(|transaction| transaction.failed) {
            return Err(Error::new(
                SqlState::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        let known = types.iter().map(|oid| (*oid != 0).then_some(*oid)).collect();
        let plan = query::plan(self, statement, known)?;
        let parameter_types = plan.bound.parameters().into();
        let plan = Some(RwLock::new(Arc::new(plan)));
        Ok(Prepared {
            parsed,
            parameter_types,
            fields_may_change: false,
            plan,
            utility_fields: None,
        })
    }

    /// The columns of a statement that is carried out from its syntax tree. Those of EXECUTE and
    /// FETCH are of what they name now; a name that is not there is an error when they run.
    fn utility_fields(&self, kind: &StatementKind) -> Option<Arc<[OutputField]>> {
        match kind {
            StatementKind::Show(show) => Some(crate::statement::settings::show_fields(show)),
            StatementKind::Explain(_) => Some(crate::statement::explain::fields()),
            StatementKind::Execute(execute) => self.prepared(execute.name.as_str()).ok()?.fields(),
            StatementKind::Fetch(fetch) if !fetch.moves => {
                self.cursor_fields(fetch.cursor.as_str())
            }
            _ => None,
        }
    }
}
