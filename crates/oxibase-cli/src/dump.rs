//! `oxibase dump`: a database as SQL that builds it again.
//!
//! Everything is read in one transaction and through the catalog's relations, so that a directory
//! and a server give the same text. What is written restores into Oxibase and, as far as both have
//! it, into PostgreSQL: definitions without constraints, data, constraints, indexes, foreign keys,
//! views.

mod catalog;
mod data;
mod definition;
mod pattern;
mod progress;
pub(crate) mod source;

use std::io::{self, Write as _};

use oxi_base::{Error, SqlState};

use crate::args::DumpArguments;
use crate::client::Refusal;
use crate::connect::Connector;
use crate::shell::say;
use crate::{FAILED, NO_CONNECTION, diagnose, fail, files};

use catalog::Catalog;
use pattern::Pattern;
use progress::Progress;
use source::{Failure, Source};

/// How much is gathered before it is written.
const BUFFER: usize = 256 * 1024;

/// Writes the dump; the result is the exit status.
pub(crate) async fn run(arguments: &DumpArguments) -> u8 {
    let patterns = arguments.tables.iter().map(|text| Pattern::parse(text)).collect();
    let connector = match Connector::open_existing(&arguments.target) {
        Ok(connector) => connector,
        Err(error) => return fail(&error),
    };
    let status = match connector.connect().await {
        Ok(client) => {
            let mut source = Source::new(client);
            let outcome = dump(&mut source, arguments, patterns).await;
            source.close().await;
            outcome.map_or_else(|failure| report(&failure), |()| 0)
        }
        Err(Refusal::Server(error)) => {
            say(&format!("oxibase: {}", diagnose::describe(&error, "", "")));
            NO_CONNECTION
        }
        Err(Refusal::Broken(error)) => {
            fail(&error);
            NO_CONNECTION
        }
    };
    match connector.close().await {
        Ok(()) => status,
        Err(error) => fail(&error),
    }
}

/// Says why there is no whole dump.
fn report(failure: &Failure) -> u8 {
    match failure {
        Failure::Server(error, sql) => {
            say(&format!("oxibase: {}", diagnose::describe(error, sql, "")));
            if error.severity == "FATAL" { NO_CONNECTION } else { FAILED }
        }
        Failure::Lost(error) => {
            say(&format!("oxibase: error: connection to the server lost: {error}\n"));
            NO_CONNECTION
        }
        // The reader of our output has gone, as `head` does: that is no failure worth a word.
        Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => FAILED,
        Failure::Output(error) => {
            say(&format!("oxibase: error: could not write the dump: {error}\n"));
            FAILED
        }
        Failure::Other(error) => fail(error),
    }
}

/// Where the SQL goes.
pub(super) type Out = io::BufWriter<Box<dyn io::Write + Send>>;

async fn dump(
    source: &mut Source,
    arguments: &DumpArguments,
    patterns: Vec<Pattern>,
) -> Result<(), Failure> {
    let is_partial = !patterns.is_empty();
    source.begin().await?;
    let catalog = Catalog::read(source, &patterns).await?;
    if is_partial && catalog.is_empty() {
        let message = "no matching tables were found";
        return Err(Failure::Other(Error::new(SqlState::UNDEFINED_TABLE, message)));
    }
    if !is_partial && !arguments.data_only {
        warn_of_the_rest(source).await?;
    }
    // The file is made only now, so that a wrong name of a database leaves an older dump alone.
    let target: Box<dyn io::Write + Send> = match arguments.output.as_deref() {
        None | Some("-") => Box::new(io::stdout()),
        Some(path) => Box::new(files::Writer::create(path)?),
    };
    let mut out = io::BufWriter::with_capacity(BUFFER, target);
    out.write_all(definition::HEADER.as_bytes())?;
    if !arguments.data_only {
        definition::before_data(&catalog, is_partial, &mut out)?;
    }
    if !arguments.schema_only {
        let mut progress = Progress::new(catalog.tables.len());
        data::write(source, &catalog, arguments.inserts, &mut progress, &mut out).await?;
    }
    if !arguments.data_only {
        definition::after_data(&catalog, &mut out)?;
    }
    out.write_all(definition::FOOTER.as_bytes())?;
    out.flush()?;
    source.end().await
}

/// Says which kinds of objects the database has that a dump does not hold.
async fn warn_of_the_rest(source: &mut Source) -> Result<(), Failure> {
    for row in source.rows(catalog::NOT_DUMPED).await? {
        let (kind, count) = (row.text(0), row.text(1));
        if count != "0" {
            say(&format!("oxibase: warning: {kind} are not part of the dump ({count} found)\n"));
        }
    }
    Ok(())
}
