//! PREPARE, EXECUTE, DEALLOCATE.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};
use oxi_sql::ast::{Deallocate, Execute, Prepare};

use crate::{
    outcome::{CommandTag, Outcome},
    prepared::Prepared,
    request::Parsed,
    session::Session,
    statement::{definition::constant_value, query},
};

/// PREPARE name (types) AS statement.
pub(crate) fn prepare(
    session: &mut Session,
    parsed: &Parsed,
    prepare: &Prepare,
) -> Result<CommandTag> {
    let name = prepare.name.as_str();
    if session.prepared.contains_key(name) {
        return Err(Error::new(
            SqlState::DUPLICATE_PREPARED_STATEMENT,
            format!("prepared statement \"{name}\" already exists"),
        ));
    }
    let types: Vec<u32> = prepare
        .types
        .iter()
        .map(|name| oxi_sql::bind::resolve_type(name).map(|found| found.oid))
        .collect::<Result<_>>()?;
    let inner =
        Parsed { statement: Arc::new(prepare.statement.clone()), text: Arc::clone(&parsed.text) };
    let prepared = session.prepare_parsed(Some(inner), &types)?;
    session.prepared.insert(name.to_owned(), Arc::new(prepared));
    Ok(CommandTag::plain("PREPARE"))
}

/// EXECUTE name (values).
pub(crate) async fn execute(
    session: &mut Session,
    _parsed: &Parsed,
    execute: &Execute,
    commits: bool,
) -> Result<Outcome> {
    let name = execute.name.as_str();
    let prepared = session.prepared(name).map_err(|e| e.at(execute.name.span.position()))?;
    let params = parameters(session, &prepared, execute)?;
    query::run_prepared(session, &prepared, params, commits).await
}

/// The values of EXECUTE's arguments.
pub(crate) fn parameters(
    session: &mut Session,
    prepared: &Prepared,
    execute: &Execute,
) -> Result<Vec<Datum>> {
    let types = prepared.parameter_types();
    if execute.args.len() != types.len() {
        return Err(Error::new(
            SqlState::SYNTAX_ERROR,
            format!(
                "wrong number of parameters for prepared statement \"{}\"",
                execute.name.as_str()
            ),
        )
        .with_detail(format!(
            "Expected {} parameters but got {}.",
            types.len(),
            execute.args.len()
        )));
    }
    execute
        .args
        .iter()
        .zip(types)
        .map(|(arg, oid)| constant_value(session, arg, TypeRef::plain(*oid)))
        .collect()
}

/// DEALLOCATE.
pub(crate) fn deallocate(session: &mut Session, what: &Deallocate) -> Result<CommandTag> {
    match &what.name {
        None => {
            session.prepared.clear();
            Ok(CommandTag::plain("DEALLOCATE ALL"))
        }
        Some(name) => {
            session.prepared(name.as_str())?;
            session.close_prepared(name.as_str());
            Ok(CommandTag::plain("DEALLOCATE"))
        }
    }
}
