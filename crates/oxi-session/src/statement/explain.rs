//! EXPLAIN [ANALYZE].

use std::{fmt::Write, sync::Arc};

use oxi_base::{Error, Result, SqlState};
use oxi_exec::executor::ExplainOptions;
use oxi_model::{Datum, descriptor::TypeRef};
use oxi_sql::{
    ast::{Explain, NamedOption, StatementKind},
    plan,
};
use oxi_types::oid;

use crate::{
    outcome::{Cursor, Outcome, OutputField, computed},
    prepared::Plan,
    request::Parsed,
    session::Session,
    statement::{
        past,
        query::{self, Collect},
    },
};

/// The one column of EXPLAIN.
pub(crate) fn fields() -> Arc<[OutputField]> {
    Arc::new([computed("QUERY PLAN", TypeRef::plain(oid::TEXT))])
}

/// EXPLAIN.
pub(crate) async fn run(
    session: &mut Session,
    parsed: &Parsed,
    explain: &Explain,
    commits: bool,
) -> Result<Outcome> {
    let options = options(explain)?;
    let text = Arc::clone(&parsed.text);
    let lines = match &explain.statement.kind {
        StatementKind::Execute(execute) => {
            let prepared = session.prepared(execute.name.as_str())?;
            let params = super::prepare::parameters(session, &prepared, execute)?;
            let plan = prepared.plan(session)?;
            let types = prepared.parameter_types().to_vec();
            explain_plan(session, &plan, &params, &types, options).await?
        }
        StatementKind::CreateTableAs(create) => {
            let statement = Arc::new((*create.statement).clone());
            let plan = query::plan(session, &Parsed { statement, text }, Vec::new())?;
            explain_plan(session, &plan, &[], &[], options).await?
        }
        kind if query::is_planned(kind) => {
            let statement = Arc::new(explain.statement.clone());
            let plan = query::plan(session, &Parsed { statement, text }, Vec::new())?;
            explain_plan(session, &plan, &[], &[], options).await?
        }
        _ => {
            return Err(Error::unsupported("EXPLAIN of this statement is not supported")
                .at(explain.statement.span.position()));
        }
    };
    let rows = lines.into_iter().map(|line| vec![Datum::text(line)]).collect();
    Ok(Outcome::Rows(Cursor::of_rows("EXPLAIN", fields(), rows, commits)))
}

async fn explain_plan(
    session: &mut Session,
    plan: &Plan,
    params: &[Datum],
    types: &[u32],
    options: ExplainOptions,
) -> Result<Vec<String>> {
    let statement = query::statement_context(session, &plan.catalog);
    if let Some(fast) = &plan.fast {
        let mut lines = fast.explain();
        if options.analyze {
            let clock = Arc::clone(&session.shared.world.clock);
            let started = clock.monotonic_us();
            let mut rows = Vec::new();
            let affected = fast.run(&statement, params, &mut Collect(&mut rows)).await?;
            let took = clock.monotonic_us().saturating_sub(started) as f64 / 1000.0;
            if let Some(first) = lines.first_mut() {
                let count = affected.max(rows.len() as u64);
                let _ = write!(first, " (actual time={took:.3} rows={count})");
            }
        }
        return Ok(lines);
    }
    let shared = Arc::clone(&session.shared);
    let statement = past::look_back(&shared, statement, plan, params, types).await?;
    let logical = plan::substitute(plan.bound.plan().clone(), params, types)?;
    session.shared.executor.explain(&logical, statement, options).await
}

fn options(explain: &Explain) -> Result<ExplainOptions> {
    let mut options = ExplainOptions::default();
    for option in &explain.options {
        let on = is_on(option)?;
        match option.name.as_str() {
            "analyze" => options.analyze = on,
            "verbose" => options.verbose = on,
            "costs" | "buffers" | "timing" | "summary" | "settings" | "wal" => {}
            "format" => {
                let format = option.value.as_ref().and_then(|value| value.text());
                if format.is_none_or(|format| !format.eq_ignore_ascii_case("text")) {
                    return Err(Error::unsupported("only EXPLAIN (FORMAT TEXT) is supported")
                        .at(option.span.position()));
                }
            }
            other => {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    format!("unrecognized EXPLAIN option \"{other}\""),
                )
                .at(option.span.position()));
            }
        }
    }
    Ok(options)
}

fn is_on(option: &NamedOption) -> Result<bool> {
    match option.value.as_ref().and_then(|value| value.text()) {
        None => Ok(true),
        Some(_) if option.name == "format" => Ok(true),
        Some(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "1" => Ok(true),
            "false" | "off" | "0" => Ok(false),
            _ => Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("{} requires a Boolean value", option.name),
            )
            .at(option.span.position())),
        },
    }
}
