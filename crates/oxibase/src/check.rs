//! What the files of a database hold and whether they are sound, in words.

use std::{fmt::Write, path::Path};

use oxi_base::{Error, Result, SqlState};
use oxi_model::engine::CheckpointReport;
use oxi_store::{Inspection, RecoveryProgress, Store};
use oxi_world::World;

use crate::database::Database;

/// What an offline verification found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Findings {
    /// One line for each thing that is wrong, with its file and place.
    pub problems: Vec<String>,
    /// One line for each thing that was looked at, with its numbers.
    pub lines: Vec<String>,
}

/// Verifies every checksum and invariant of the database in a directory, which nobody may have
/// open, or of a backup. Nothing is changed.
///
/// # Errors
/// `58P01` if there is neither, `55006` if somebody has the database open, `55000` if the backup is
/// not complete.
pub fn check(directory: impl AsRef<Path>) -> Result<Findings> {
    let directory = directory.as_ref();
    if let Some(text) = directory.to_str()
        && !Database::exists(directory)
        && crate::backup::is_backup(text)
    {
        return crate::backup::check_backup(text);
    }
    if !Database::exists(directory) {
        return Err(Error::new(
            SqlState::UNDEFINED_FILE,
            format!("there is no database in \"{}\"", directory.display()),
        ));
    }
    let found = Store::inspect(&World::real(directory)?, "")?;
    Ok(Findings {
        problems: found.problems.iter().map(ToString::to_string).collect(),
        lines: inspection_lines(&found),
    })
}

/// What was looked at in a database's files.
pub(crate) fn inspection_lines(found: &Inspection) -> Vec<String> {
    let mut lines = checkpoint_lines(found);
    lines.extend(log_lines(found));
    lines.extend(content_lines(found));
    lines
}

fn checkpoint_lines(found: &Inspection) -> Vec<String> {
    let Some(checkpoint) = &found.checkpoint else {
        return vec!["checkpoint  none".to_owned()];
    };
    let mut lines = vec![
        format!(
            "checkpoint  {}: number {}, {}",
            checkpoint.path,
            checkpoint.number,
            count(checkpoint.tables, "table manifest")
        ),
        format!(
            "images      {} in {}: {}, {}",
            count(found.images, "block image"),
            count(found.image_files, "file"),
            count(found.image_rows, "row"),
            count(found.image_bytes, "byte")
        ),
    ];
    lines.extend(
        found.leftovers.iter().map(|path| {
            format!("left over   {path}: part of no checkpoint, the next one removes it")
        }),
    );
    lines
}

fn log_lines(found: &Inspection) -> Vec<String> {
    let mut lines = Vec::new();
    for file in &found.log {
        let bytes = file.end_lsn.0 - file.first_lsn.0;
        let mut line = format!(
            "log         {}: {}, {}",
            file.name,
            count(file.frames, "record"),
            count(bytes, "byte")
        );
        if file.torn_bytes > 0 {
            let _ = write!(
                line,
                "; {} of an unfinished write at its end, as a crash leaves them, are not part of it",
                count(file.torn_bytes, "byte")
            );
        }
        lines.push(line);
    }
    lines.extend(found.log_unfinished.iter().map(|name| {
        format!("log         {name}: its creation did not finish, as a crash leaves it")
    }));
    lines
}

fn content_lines(found: &Inspection) -> Vec<String> {
    let Some(content) = &found.content else {
        return vec![
            "rows        not looked at, because of what is wrong with the files".to_owned(),
        ];
    };
    let mut replay = format!(
        "replay      {} of the log after the checkpoint",
        count(found.transactions, "transaction")
    );
    if found.unfinished > 0 {
        let _ = write!(replay, "; {} more had not committed", found.unfinished);
    }
    vec![
        replay,
        format!("rows        {} in {}", count(content.rows, "row"), count(content.tables, "table")),
        format!(
            "indexes     {} in {}",
            count(content.entries, "entry").replace("entrys", "entries"),
            count(found.indexes, "index").replace("indexs", "indexes")
        ),
        format!("sequences   {}", found.sequences),
    ]
}

/// A checkpoint, for the server's log.
pub(crate) fn checkpoint_line(report: &CheckpointReport) -> String {
    format!(
        "checkpoint: wrote {} ({}), removed {} of log",
        count(report.rows_written, "row"),
        count(report.bytes_written, "byte"),
        count(report.log_bytes_retired, "byte")
    )
}

/// How far opening has come, for the server's log.
pub(crate) fn progress_line(progress: &RecoveryProgress) -> String {
    format!(
        "recovery: {} % of {} of log read, {}",
        progress.log_bytes * 100 / progress.log_bytes_total.max(1),
        count(progress.log_bytes_total, "byte"),
        count(progress.operations, "change")
    )
}

/// A number with its noun.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
