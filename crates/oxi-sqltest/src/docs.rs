//! The SQL of the documentation: what a reader may copy has to run.
//!
//! Of each Markdown file, in its order and in one database: `sql` blocks, and in `sh` blocks what
//! is given to psql as a here-document (`<<'SQL'`) or to `oxibase` with `-c`.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use oxibase::Database;

/// A piece of SQL and the line it begins in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Example {
    /// Line of the file, from 1.
    pub line: usize,
    /// Statements.
    pub sql: String,
}

/// The trials for Markdown files; those without SQL have none.
///
/// # Errors
/// None; what reading a file says is in its trial.
pub fn doc_trials(root: &Path, files: &[(PathBuf, String)]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (file, text) in files {
        let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
        let examples = examples(text);
        if !examples.is_empty() {
            let trial = format!("docs::{name}");
            trials.push(Trial::test(trial, move || run(&name, &examples)));
        }
    }
    trials
}

fn run(name: &str, examples: &[Example]) -> Result<(), Failed> {
    let database = Database::memory().map_err(|error| error.to_string())?;
    let mut connection = database.connect().map_err(|error| error.to_string())?;
    for example in examples {
        connection.execute_batch(&example.sql).map_err(|error| {
            let before = &example.sql[..error.position().unwrap_or(0).min(example.sql.len())];
            let line = example.line + before.matches('\n').count();
            Failed::from(format!("{name}:{line}: {error}\n{}", example.sql))
        })?;
    }
    Ok(())
}

/// The SQL of a Markdown text.
pub fn examples(text: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else { continue };
        let mut block = Vec::new();
        for (at, line) in lines.by_ref() {
            if line.trim_start().starts_with("```") {
                break;
            }
            block.push((at + 1, line));
        }
        match language.trim() {
            "sql" => found.extend(joined(&block)),
            "sh" | "bash" | "console" => found.extend(of_shell(&block)),
            _ => {}
        }
    }
    found
}

fn joined(lines: &[(usize, &str)]) -> Option<Example> {
    let sql: String = lines.iter().flat_map(|(_, line)| [*line, "\n"]).collect();
    let (line, _) = *lines.first()?;
    (!sql.trim().is_empty()).then_some(Example { line, sql })
}

fn of_shell(block: &[(usize, &str)]) -> Vec<Example> {
    let mut found = Vec::new();
    let mut rest = block;
    while let Some(((line, command), after)) = rest.split_first() {
        rest = after;
        if command.contains("<<'SQL'") {
            let end = after.iter().position(|(_, line)| line.trim() == "SQL");
            let (body, behind) = after.split_at(end.unwrap_or(after.len()));
            found.extend(joined(body));
            rest = behind;
        } else if command.trim_start().starts_with("oxibase")
            && let Some((_, argument)) = command.split_once(" -c ")
            && let Some(quote) = argument.chars().next().filter(|c| matches!(c, '"' | '\''))
            && let Some(sql) = argument[1..].split(quote).next()
            && !sql.starts_with('\\')
        {
            found.push(Example { line: *line, sql: sql.to_owned() });
        }
    }
    found
}

#[cfg(test)]
mod tests;
