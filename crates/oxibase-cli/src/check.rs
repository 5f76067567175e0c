//! `oxibase check`: every page and log record, read and verified.

use std::io::Write as _;

use oxi_base::Result;

use crate::FAILED;
use crate::args::CheckArguments;

/// Verifies a database's files without changing them; the status is 1 if something is wrong with
/// them.
pub(crate) fn run(arguments: &CheckArguments) -> Result<u8> {
    let findings = oxibase::check(&arguments.data)?;
    let mut out = std::io::stdout().lock();
    for line in &findings.lines {
        let _ = writeln!(out, "{line}");
    }
    for line in &findings.problems {
        let _ = writeln!(out, "problem     {line}");
    }
    let verdict = match findings.problems.len() {
        0 => "no problems found".to_owned(),
        1 => "1 problem found".to_owned(),
        several => format!("{several} problems found"),
    };
    let _ = writeln!(out, "{verdict}");
    Ok(if findings.problems.is_empty() { 0 } else { FAILED })
}
