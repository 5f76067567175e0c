//! `oxibase check`: every page and log record, read and verified.

use std::io::Write as _;

use oxi_base::Result;

use crate::FAILED;
use crate::args::CheckArguments;

/// Verifies a database's files; the status is 1 if something is wrong with them.
pub(crate) fn run(arguments: &CheckArguments) -> Result<u8> {
    let findings = oxibase::check(&arguments.data)?;
    let mut out = std::io::stdout().lock();
    for line in &findings.problems {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "{}", findings.summary);
    Ok(if findings.problems.is_empty() { 0 } else { FAILED })
}
