//! `oxibase checkpoints`: which states of a directory can be opened by themselves.

use std::io::Write as _;

use oxi_base::{Error, Result, SqlState};
use oxibase::Database;

use crate::args::CheckpointsArguments;

/// Lists them, oldest first.
pub(crate) fn run(arguments: &CheckpointsArguments) -> Result<()> {
    if !Database::exists(&arguments.data) {
        let message = format!("there is no database in \"{}\"", arguments.data);
        return Err(Error::new(SqlState::UNDEFINED_FILE, message));
    }
    let checkpoints = Database::checkpoints(&arguments.data)?;
    let mut out = std::io::stdout().lock();
    if checkpoints.is_empty() {
        let _ = writeln!(out, "no checkpoint was made yet");
    }
    for checkpoint in checkpoints {
        let _ = writeln!(out, "{:>8}  {}", checkpoint.number, checkpoint.committed_at);
    }
    Ok(())
}
