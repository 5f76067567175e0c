//! SELECT statements of PostgreSQL's regression tests: each in a fresh session, compared by rows,
//! column names and types, or by SQLSTATE; and the list of those that are known to answer otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use libtest_mimic::{Failed, Trial};
use oxi_types::{json::Json, pg_type};

use super::{block_on, connect, read, served, text_rows};

/// How many trials the statements are dealt out to.
const PARTS: usize = 4;

/// What a statement may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The trials.
pub(crate) fn trials(root: &Path) -> Vec<Trial> {
    let root = root.join("postgresql");
    let part = |part: usize, root: PathBuf| {
        Trial::test(format!("postgresql::{part}"), move || block_on(run(root, part)))
    };
    (0..PARTS).map(|number| part(number, root.clone())).collect()
}

struct Case {
    sql: String,
    expected: Expected,
}

enum Expected {
    Rows { columns: Vec<String>, types: Vec<String>, rows: Vec<Vec<Option<String>>> },
    Error(String),
}

async fn run(root: PathBuf, part: usize) -> Result<(), Failed> {
    let listed = deviations(&read(&root.join("deviations.txt"))?)?;
    let text = read(&root.join("expressions.jsonl"))?;
    let (_database, address) = served().await?;
    let mut failures = Vec::new();
    let mut seen = BTreeSet::new();
    for line in text.lines().skip(part).step_by(PARTS) {
        let case = case(line)?;
        let outcome = tokio::time::timeout(PATIENCE, check(&address, &case)).await;
        let outcome = outcome.unwrap_or_else(|_| Err("takes too long".to_owned()));
        seen.insert(case.sql.clone());
        match (outcome, listed.get(&case.sql)) {
            (Ok(()), Some(reason)) => {
                failures
                    .push(format!("- {}\n  passes, though listed: {reason}", quoted(&case.sql)));
            }
            (Err(problem), None) => {
                failures.push(format!("+ {}\n  {problem}", quoted(&case.sql)));
            }
            _ => {}
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

async fn check(address: &str, case: &Case) -> Result<(), String> {
    let client = connect(address).await.map_err(|_| "no connection".to_owned())?;
    client.batch_execute("set timezone = 'UTC'").await.map_err(|error| error.to_string())?;
    let failure = |error: &tokio_postgres::Error| match error.as_db_error() {
        Some(db) => (db.code().code().to_owned(), db.message().to_owned()),
        None => ("08006".to_owned(), error.to_string()),
    };
    let found = text_rows(&client, &case.sql).await;
    match (&case.expected, found) {
        (Expected::Error(code), Err(error)) => {
            let (found, message) = failure(&error);
            if found == *code { Ok(()) } else { Err(format!("{found} {message}, not {code}")) }
        }
        (Expected::Error(code), Ok(_)) => Err(format!("no error, not {code}")),
        (Expected::Rows { .. }, Err(error)) => {
            let (code, message) = failure(&error);
            Err(format!("{code} {message}"))
        }
        (Expected::Rows { columns, types, rows }, Ok(found)) => {
            if found != *rows {
                return Err(format!("rows {found:?}, not {rows:?}"));
            }
            let prepared = client.prepare(&case.sql).await.map_err(|e| failure(&e).1)?;
            let names: Vec<&str> =
                prepared.columns().iter().map(tokio_postgres::Column::name).collect();
            if names != *columns {
                return Err(format!("columns {names:?}, not {columns:?}"));
            }
            let oids = prepared.columns().iter().map(|column| column.type_().oid());
            let found: Vec<String> = oids.map(type_name).collect();
            if found == *types { Ok(()) } else { Err(format!("types {found:?}, not {types:?}")) }
        }
    }
}

/// The name as the recording spells it: an array by its element, a type unknown to it by oid.
fn type_name(oid: u32) -> String {
    let named = pg_type::by_oid(oid);
    let named = match named {
        Some(row) if row.is_array() && row.len == -1 => pg_type::by_oid(row.element_oid).or(named),
        named => named,
    };
    match named {
        Some(row) if row.name == "char" => "\"char\"".to_owned(),
        Some(row) if matches!(row.name, "void" | "unknown") => row.oid.to_string(),
        Some(row) => row.name.to_owned(),
        None => oid.to_string(),
    }
}

fn case(line: &str) -> Result<Case, Failed> {
    let json = Json::parse(line).map_err(|error| error.to_string())?;
    let text = |key: &str| json.get(key).and_then(Json::as_text);
    let sql = text("sql").ok_or("a line without statement")?;
    if let Some(code) = text("error") {
        return Ok(Case { sql, expected: Expected::Error(code) });
    }
    let list = |value: Option<&Json>| match value {
        Some(Json::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let texts = |key: &str| list(json.get(key)).iter().filter_map(Json::as_text).collect();
    let rows = list(json.get("rows"))
        .iter()
        .map(|row| list(Some(row)).iter().map(Json::as_text).collect())
        .collect();
    let expected = Expected::Rows { columns: texts("columns"), types: texts("types"), rows };
    Ok(Case { sql, expected })
}

/// The statements listed, each with the reason above it.
fn deviations(text: &str) -> Result<BTreeMap<String, String>, Failed> {
    let mut listed = BTreeMap::new();
    let mut reason = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(heading) = line.strip_prefix("== ") {
            heading.clone_into(&mut reason);
        } else if line.starts_with('"') {
            let sql = Json::parse(line).map_err(|error| error.to_string())?;
            listed.insert(sql.as_text().unwrap_or_default(), reason.clone());
        }
    }
    Ok(listed)
}

fn quoted(sql: &str) -> String {
    let mut out = String::new();
    oxi_types::json::quote(sql, &mut out);
    out
}
