//! SELECT, VALUES, INSERT, UPDATE, DELETE: bound, planned and run, by key straight on the store or
//! through the query engine.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::Catalog;
use oxi_exec::{context::StatementContext, dml::apply::RowSink, fast::FastPlan};
use oxi_model::{Datum, Row};
use oxi_sql::{
    ast::{Query, Statement, StatementKind},
    plan,
};

use oxi_types::EvalContext;

use crate::{
    binding::Environment,
    outcome::{CommandTag, Cursor, CursorSource, Outcome},
    prepared::{Plan, Prepared},
    request::{Parsed, Request},
    session::Session,
    statement::{lock, past},
    system::SessionServer,
    transaction::require_writable,
};

/// Whether statements of this kind are bound and planned (rather than carried out from the tree).
pub(crate) fn is_planned(kind: &StatementKind) -> bool {
    matches!(
        kind,
        StatementKind::Query(_)
            | StatementKind::Insert(_)
            | StatementKind::Update(_)
            | StatementKind::Delete(_)
            | StatementKind::Merge(_)
    )
}

/// What binding needs to know of the session.
pub(crate) fn environment(session: &mut Session, catalog: &Arc<Catalog>) -> Environment {
    Environment::new(session, catalog)
}

/// Binds a statement and chooses the way it runs.
pub(crate) fn plan(
    session: &mut Session,
    parsed: &Parsed,
    types: Vec<Option<u32>>,
) -> Result<Plan> {
    let version = session.shared.engine.catalog_version();
    let catalog = session.catalog()?;
    let is_known = !session.has_own_catalog() && session.shared.engine.catalog_version() == version;
    let version = is_known.then_some(version);
    let bound = environment(session, &catalog).bind(&parsed.statement, types)?;
    let is_fast = session.settings.lock().effective.is_on("oxi.fast_path");
    let fast = if is_fast { FastPlan::recognize(bound.plan(), &catalog)? } else { None };
    let tables = bound.tables(&catalog);
    let fields = bound.fields().into();
    let search_path = session.search_path();
    Ok(Plan { bound, fast, fields, tables, version, catalog, search_path })
}

/// Keeps the rows of the point path.
pub(crate) struct Collect<'a>(pub(crate) &'a mut Vec<Row>);

impl RowSink for Collect<'_> {
    fn row(&mut self, values: &mut Row) -> Result<()> {
        self.0.push(std::mem::take(values));
        Ok(())
    }
}

/// Runs a parsed statement without parameters.
pub(crate) async fn run(session: &mut Session, parsed: &Parsed, commits: bool) -> Result<Outcome> {
    loop {
        let plan = plan(session, parsed, Vec::new())?;
        if !plan.bound.parameters().is_empty() {
            return Err(Error::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        if let Some(outcome) = run_plan(session, &plan, &[], &[], commits).await? {
            return Ok(outcome);
        }
    }
}

/// Runs a prepared statement.
pub(crate) async fn run_prepared(
    session: &mut Session,
    prepared: &Prepared,
    params: Vec<Datum>,
    commits: bool,
) -> Result<Outcome> {
    let expected = prepared.parameter_types();
    if params.len() != expected.len() {
        return Err(Error::new(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "bind message supplies {} parameters, but prepared statement requires {}",
                params.len(),
                expected.len()
            ),
        ));
    }
    loop {
        let plan = prepared.plan(session)?;
        if let Some(outcome) = run_plan(session, &plan, &params, expected, commits).await? {
            return Ok(outcome);
        }
    }
}

/// Runs a plan; `None` if the catalog has moved since it was made, before its tables were locked.
async fn run_plan(
    session: &mut Session,
    plan: &Plan,
    params: &[Datum],
    types: &[u32],
    commits: bool,
) -> Result<Option<Outcome>> {
    if let Some(cursor) = read_at_once(session, plan, params, commits)? {
        return Ok(Some(Outcome::Rows(cursor)));
    }
    if !lock_tables(session, plan).await? {
        return Ok(None);
    }
    let cursor = start(session, plan, params, types, commits).await?;
    if plan.bound.returns_rows() {
        return Ok(Some(Outcome::Rows(cursor)));
    }
    let rows = cursor.count().await?;
    session.sleep_off().await?;
    Ok(Some(Outcome::Done(CommandTag::counted(plan.bound.verb(), rows))))
}

/// The shortest way: a query by key that is a transaction of its own needs none, and waits for
/// nothing.
pub(crate) fn read_committed(session: &mut Session, request: &Request) -> Result<Option<Cursor>> {
    let Request::Prepared { prepared, params, .. } = request else { return Ok(None) };
    let Some(plan) = prepared.last_plan() else { return Ok(None) };
    let engine = &*session.shared.engine;
    let is_current = plan.version == Some(engine.catalog_version());
    let Some(fast) = plan.fast.as_ref().filter(|_| is_current && plan.bound.is_immutable()) else {
        return Ok(None);
    };
    if params.len() != prepared.parameter_types().len() {
        return Ok(None);
    }
    let Some(eval) = session.committed_reader(&plan.search_path) else { return Ok(None) };
    let mut rows: Vec<Row> = Vec::with_capacity(1);
    let read = fast.read_committed(engine, eval, params, &mut Collect(&mut rows))?;
    if read.is_none() {
        return Ok(None);
    }
    let (fields, source) = (Arc::clone(&plan.fields), CursorSource::Rows(rows.into_iter()));
    let (verb, commits) = (plan.bound.verb(), request.commits());
    Ok(Some(Cursor { fields, source, verb, rows: 0, commits, ended: false }))
}

/// A statement that reads rows by key and waits for nobody.
fn read_at_once(
    session: &mut Session,
    plan: &Plan,
    params: &[Datum],
    commits: bool,
) -> Result<Option<Cursor>> {
    let Some(fast) = plan.fast.as_ref().filter(|fast| !fast.writes()) else { return Ok(None) };
    if !plan.bound.is_immutable() {
        return Ok(None);
    }
    for (table, lock) in &plan.tables {
        if session.ensure_transaction().txn.lock_table(*table, *lock)?.is_some() {
            return Ok(None);
        }
    }
    if !is_current(session, plan)? {
        return Ok(None);
    }
    let eval = session.immutable_eval_context(&plan.catalog);
    let transaction = session.ensure_transaction();
    transaction.has_queried = true;
    let snapshot = transaction.txn.begin_statement();
    let mut rows: Vec<Row> = Vec::new();
    fast.read(&eval, snapshot.as_ref(), params, &mut Collect(&mut rows))?;
    let (fields, source) = (Arc::clone(&plan.fields), CursorSource::Rows(rows.into_iter()));
    Ok(Some(Cursor { fields, source, verb: plan.bound.verb(), rows: 0, commits, ended: false }))
}

/// Starts a bound statement, whose tables are locked; a change without RETURNING has one row, the
/// number of rows.
async fn start(
    session: &mut Session,
    plan: &Plan,
    params: &[Datum],
    types: &[u32],
    commits: bool,
) -> Result<Cursor> {
    let eval = if plan.bound.is_immutable() {
        session.immutable_eval_context(&plan.catalog)
    } else {
        session.eval_context(&plan.catalog)
    };
    let mut statement = statement_with(session, &plan.catalog, eval);
    if plan.bound.moments().plan.is_some() {
        let shared = Arc::clone(&session.shared);
        statement = Box::pin(past::look_back(&shared, statement, plan, params, types)).await?;
    }
    let verb = plan.bound.verb();
    let fields = Arc::clone(&plan.fields);
    if let Some(fast) = &plan.fast {
        let mut rows: Vec<Row> = Vec::new();
        let affected = Box::pin(fast.run(&statement, params, &mut Collect(&mut rows))).await?;
        let source = CursorSource::Rows(rows.into_iter());
        let rows = if plan.bound.returns_rows() { 0 } else { affected };
        return Ok(Cursor { fields, source, verb, rows, commits, ended: false });
    }
    let bound = plan.bound.plan();
    let substituted;
    let logical = if params.is_empty() {
        bound
    } else {
        substituted = plan::substitute(bound.clone(), params, types)?;
        &substituted
    };
    let rows = Box::pin(session.shared.executor.execute(logical, statement)).await?;
    let source = CursorSource::Stream(Box::new(rows));
    Ok(Cursor { fields, source, verb, rows: 0, commits, ended: false })
}

/// Holds the tables of a statement against changes of their definition; false if the catalog has
/// moved since the plan was made.
async fn lock_tables(session: &mut Session, plan: &Plan) -> Result<bool> {
    if plan.bound.writes() {
        require_writable(session.ensure_transaction().modes, plan.bound.verb())?;
    }
    for (table, lock) in &plan.tables {
        match lock::acquire(session, *table, *lock).await {
            // Dropped or given another storage while the plan was made or the lock waited for.
            Err(error) if error.code() == SqlState::UNDEFINED_TABLE => {
                return if is_current(session, plan)? { Err(error) } else { Ok(false) };
            }
            other => other?,
        }
    }
    is_current(session, plan)
}

/// Whether a plan was made for the catalog as it is.
fn is_current(session: &mut Session, plan: &Plan) -> Result<bool> {
    let version = session.shared.engine.catalog_version();
    if plan.version == Some(version) && !session.has_own_catalog() {
        return Ok(true);
    }
    Ok(Arc::ptr_eq(&session.catalog()?, &plan.catalog))
}

/// Binds a statement and locks its tables.
async fn locked_plan(session: &mut Session, parsed: &Parsed) -> Result<Plan> {
    loop {
        let plan = plan(session, parsed, Vec::new())?;
        if lock_tables(session, &plan).await? {
            return Ok(plan);
        }
    }
}

/// What the running statement has at hand; its snapshot is taken now.
pub(crate) fn statement_context(
    session: &mut Session,
    catalog: &Arc<Catalog>,
) -> Arc<StatementContext> {
    let eval = session.eval_context(catalog);
    statement_with(session, catalog, eval)
}

fn statement_with(
    session: &mut Session,
    catalog: &Arc<Catalog>,
    eval: Arc<EvalContext>,
) -> Arc<StatementContext> {
    let settings = session.settings.lock().effective.clone();
    let shared = Arc::clone(&session.shared);
    let cancel = Arc::clone(&session.cancel);
    let transaction = session.ensure_transaction();
    transaction.has_queried = true;
    let txn = Arc::clone(&transaction.txn);
    let deferred = Arc::clone(&transaction.deferred);
    let snapshot = txn.begin_statement();
    Arc::new(StatementContext {
        engine: Arc::clone(&shared.engine),
        txn,
        snapshot,
        eval,
        catalog: Arc::clone(catalog),
        cancel,
        server: Arc::new(SessionServer { shared: Arc::clone(&shared), settings }),
        rules: Arc::clone(&shared.rules),
        shared: Arc::default(),
        deferred,
        moments: Vec::new(),
    })
}

/// Starts a query that stands within another statement (DECLARE, COPY).
pub(crate) async fn run_query(
    session: &mut Session,
    parsed: &Parsed,
    query: &Query,
    commits: bool,
) -> Result<Cursor> {
    let kind = StatementKind::Query(Box::new(query.clone()));
    let inner = Statement { kind, span: query.span };
    let text = Arc::clone(&parsed.text);
    let parsed = Parsed { statement: Arc::new(inner), text };
    let plan = locked_plan(session, &parsed).await?;
    start(session, &plan, &[], &[], commits).await
}

/// Starts a statement that stands within another (CREATE TABLE AS, COPY): a query, a change with
/// RETURNING, or EXECUTE.
pub(crate) async fn run_inner(
    session: &mut Session,
    parsed: &Parsed,
    inner: &Statement,
) -> Result<Cursor> {
    if let StatementKind::Execute(execute) = &inner.kind {
        return match Box::pin(super::prepare::execute(session, parsed, execute, false)).await? {
            Outcome::Rows(cursor) => Ok(cursor),
            _ => Err(Error::new(SqlState::WRONG_OBJECT_TYPE, "prepared statement is not a SELECT")),
        };
    }
    let text = Arc::clone(&parsed.text);
    let parsed = Parsed { statement: Arc::new(inner.clone()), text };
    let plan = locked_plan(session, &parsed).await?;
    if !plan.bound.returns_rows() {
        return Err(Error::unsupported("a statement without rows cannot stand here"));
    }
    start(session, &plan, &[], &[], false).await
}

/// All rows of a statement that the session runs on its own behalf.
pub(crate) async fn collect(session: &mut Session, parsed: &Parsed) -> Result<Vec<Row>> {
    let plan = locked_plan(session, parsed).await?;
    let mut cursor = start(session, &plan, &[], &[], false).await?;
    let mut rows = Vec::new();
    while let Some(row) = cursor.pull_row().await? {
        rows.push(row);
    }
    Ok(rows)
}
