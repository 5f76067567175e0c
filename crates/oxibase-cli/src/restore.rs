//! `oxibase restore`: a database from a backup, as it was at a moment.

use std::io::Write as _;

use oxi_base::Result;
use oxibase::backup::{self, Restore};

use crate::args::RestoreArguments;

/// Restores, and says what was done.
pub(crate) fn run(arguments: &RestoreArguments) -> Result<u8> {
    let options = Restore {
        archive: arguments.archive.clone(),
        to_us: arguments.to.as_deref().map(backup::moment).transpose()?,
        timeline: arguments.timeline,
    };
    let lines = backup::restore(&arguments.backup, &arguments.data, &options)?;
    let mut out = std::io::stdout().lock();
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    Ok(0)
}
