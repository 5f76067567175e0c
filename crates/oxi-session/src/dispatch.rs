//! The only `match` over statement kinds: from a request to the file that carries it out.

use oxi_base::{Error, Result, SqlState};
use oxi_sql::ast::{StatementKind as Kind, Transaction as Control};

use crate::{
    outcome::Outcome,
    request::{Parsed, Request},
    session::Session,
    statement,
    transaction::require_writable,
};

/// Carries out a request.
pub(crate) async fn dispatch(session: &mut Session, request: Request) -> Result<Outcome> {
    let commits = request.commits();
    match request {
        // Boxed, here and below: a future as large as all statements together would be copied
        // around for the smallest of them.
        Request::Simple { parsed, .. } => Box::pin(statement_of(session, &parsed, commits)).await,
        Request::Prepared { prepared, params, .. } => {
            let Some(parsed) = prepared.parsed() else { return Ok(Outcome::Empty) };
            refuse_in_failed_block(session, parsed)?;
            if prepared.is_planned() {
                statement::query::run_prepared(session, &prepared, params, commits).await
            } else {
                Box::pin(statement_of(session, parsed, commits)).await
            }
        }
    }
}

fn refuse_in_failed_block(session: &Session, parsed: &Parsed) -> Result<()> {
    let failed = session.transaction.as_ref().is_some_and(|txn| txn.failed);
    let ends_it = matches!(
        &parsed.statement.kind,
        Kind::Transaction(
            Control::Commit { .. }
                | Control::Rollback { .. }
                | Control::RollbackTo(_)
                | Control::Prepare(_)
        )
    );
    if failed && !ends_it {
        return Err(Error::new(
            SqlState::IN_FAILED_SQL_TRANSACTION,
            "current transaction is aborted, commands ignored until end of transaction block",
        ));
    }
    Ok(())
}

async fn statement_of(session: &mut Session, parsed: &Parsed, commits: bool) -> Result<Outcome> {
    refuse_in_failed_block(session, parsed)?;
    let kind = &parsed.statement.kind;
    match kind {
        Kind::Query(_) | Kind::Insert(_) | Kind::Update(_) | Kind::Delete(_) | Kind::Merge(_) => {
            statement::query::run(session, parsed, commits).await
        }
        Kind::Copy(copy) => statement::copy::run(session, parsed, copy, commits).await,
        Kind::Explain(explain) => statement::explain::run(session, parsed, explain, commits).await,
        Kind::Execute(execute) => {
            statement::prepare::execute(session, parsed, execute, commits).await
        }
        Kind::Fetch(fetch) => statement::cursor::fetch(session, fetch, commits).await,
        Kind::Show(show) => statement::settings::show(session, show, commits),
        Kind::Transaction(control) => statement::transaction::run(session, control).await,
        _ => {
            if is_definition(kind) {
                let transaction = session.ensure_transaction();
                require_writable(transaction.modes, verb(kind))?;
                transaction.has_queried = true;
                return definition(session, parsed).await;
            }
            utility(session, parsed).await
        }
    }
}

/// Statements that neither return rows nor change definitions.
async fn utility(session: &mut Session, parsed: &Parsed) -> Result<Outcome> {
    let tag = match &parsed.statement.kind {
        Kind::Set(set) => statement::settings::set(session, set)?,
        Kind::Discard(what) => statement::settings::discard(session, *what)?,
        Kind::SetConstraints(set) => statement::set_constraints::run(session, set).await?,
        Kind::Prepare(prepare) => statement::prepare::prepare(session, parsed, prepare)?,
        Kind::Deallocate(what) => statement::prepare::deallocate(session, what)?,
        Kind::DeclareCursor(declare) => {
            statement::cursor::declare(session, parsed, declare).await?
        }
        Kind::CloseCursor(close) => statement::cursor::close(session, close)?,
        Kind::Checkpoint => statement::maintenance::checkpoint(session)?,
        Kind::Vacuum(vacuum) => statement::maintenance::vacuum(session, vacuum).await?,
        Kind::LockTable(lock) => statement::lock::run(session, lock).await?,
        Kind::Reindex(reindex) => statement::reindex::run(session, reindex).await?,
        Kind::Truncate(truncate) => statement::truncate::run(session, truncate).await?,
        other => return Err(Error::unsupported(format!("{} is not supported", verb(other)))),
    };
    Ok(Outcome::Done(tag))
}

fn is_definition(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::CreateTable(_)
            | Kind::CreateTableAs(_)
            | Kind::AlterTable(_)
            | Kind::Rename(_)
            | Kind::SetObjectSchema(_)
            | Kind::OwnerTo(_)
            | Kind::CreateIndex(_)
            | Kind::CreateView(_)
            | Kind::CreateSchema(_)
            | Kind::CreateSequence(_)
            | Kind::AlterSequence(_)
            | Kind::Drop(_)
            | Kind::Flashback(_)
            | Kind::Undrop(_)
            | Kind::Comment(_)
    )
}

/// Data definition.
async fn definition(session: &mut Session, parsed: &Parsed) -> Result<Outcome> {
    use statement::{
        alter_table, comment, create_table, drop, flashback, index, relocate, schema, sequence,
        undrop, view,
    };
    let tag = match &parsed.statement.kind {
        Kind::CreateTable(create) => create_table::run(session, create).await?,
        Kind::CreateTableAs(create) => create_table::run_as(session, parsed, create).await?,
        Kind::AlterTable(alter) => alter_table::run(session, alter).await?,
        Kind::Rename(rename) => relocate::rename(session, rename).await?,
        Kind::SetObjectSchema(set) => relocate::set_schema(session, set).await?,
        Kind::OwnerTo(owner) => relocate::owner_to(session, owner)?,
        Kind::CreateIndex(create) => index::create(session, create).await?,
        Kind::CreateView(create) => view::create(session, create).await?,
        Kind::CreateSchema(create) => schema::create(session, create).await?,
        Kind::CreateSequence(create) => sequence::create(session, create).await?,
        Kind::AlterSequence(alter) => sequence::alter(session, alter).await?,
        Kind::Drop(drop) => drop::run(session, drop).await?,
        Kind::Flashback(flashback) => flashback::run(session, flashback).await?,
        Kind::Undrop(undrop) => undrop::run(session, undrop).await?,
        Kind::Comment(comment) => comment::run(session, comment).await?,
        other => return Err(Error::unsupported(format!("{} is not supported", verb(other)))),
    };
    Ok(Outcome::Done(tag))
}

/// The command's words, for messages.
pub(crate) fn verb(kind: &Kind) -> &'static str {
    match kind {
        Kind::Query(_) => "SELECT",
        Kind::Insert(_) => "INSERT",
        Kind::Update(_) => "UPDATE",
        Kind::Delete(_) => "DELETE",
        Kind::Merge(_) => "MERGE",
        Kind::Truncate(_) => "TRUNCATE TABLE",
        Kind::Copy(_) => "COPY",
        Kind::CreateTable(_) => "CREATE TABLE",
        Kind::CreateTableAs(_) => "CREATE TABLE AS",
        Kind::AlterTable(_) | Kind::Rename(_) | Kind::SetObjectSchema(_) | Kind::OwnerTo(_) => {
            "ALTER TABLE"
        }
        Kind::CreateIndex(_) => "CREATE INDEX",
        Kind::CreateView(_) => "CREATE VIEW",
        Kind::RefreshMaterializedView(_) => "REFRESH MATERIALIZED VIEW",
        Kind::CreateSchema(_) => "CREATE SCHEMA",
        Kind::CreateSequence(_) => "CREATE SEQUENCE",
        Kind::AlterSequence(_) => "ALTER SEQUENCE",
        Kind::CreateType(_) => "CREATE TYPE",
        Kind::CreateDomain(_) => "CREATE DOMAIN",
        Kind::CreateExtension(_) => "CREATE EXTENSION",
        Kind::CreateDatabase(_) => "CREATE DATABASE",
        Kind::CreateRole(_) => "CREATE ROLE",
        Kind::AlterRole(_) => "ALTER ROLE",
        Kind::Drop(_) => "DROP",
        Kind::Flashback(_) => "FLASHBACK TABLE",
        Kind::Undrop(_) => "UNDROP TABLE",
        Kind::Comment(_) => "COMMENT",
        Kind::Transaction(_) => "transaction control",
        Kind::Set(_) => "SET",
        Kind::Show(_) => "SHOW",
        Kind::SetConstraints(_) => "SET CONSTRAINTS",
        Kind::Discard(_) => "DISCARD",
        Kind::Prepare(_) => "PREPARE",
        Kind::Execute(_) => "EXECUTE",
        Kind::Deallocate(_) => "DEALLOCATE",
        Kind::Explain(_) => "EXPLAIN",
        Kind::DeclareCursor(_) => "DECLARE CURSOR",
        Kind::Fetch(_) => "FETCH",
        Kind::CloseCursor(_) => "CLOSE CURSOR",
        Kind::Checkpoint => "CHECKPOINT",
        Kind::Vacuum(_) => "VACUUM",
        Kind::Reindex(_) => "REINDEX",
        Kind::Cluster(_) => "CLUSTER",
        Kind::LockTable(_) => "LOCK TABLE",
        Kind::Call(_) => "CALL",
        Kind::Do(_) => "DO",
        Kind::Grant(_) => "GRANT",
        Kind::Listen(_) => "LISTEN",
        Kind::Unlisten(_) => "UNLISTEN",
        Kind::Notify(_) => "NOTIFY",
    }
}
