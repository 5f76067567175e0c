//! `oxibase backup`: the files of a database, of a server that goes on or of a directory that
//! nobody has open.

use std::io::Write as _;

use oxi_base::{Error, Result, SqlState};
use oxi_world::disk::PIECE_BYTES;
use oxibase::backup::{self, Backup, BackupFile, Made, Writer};

use crate::args::BackupArguments;
use crate::client::Refusal;
use crate::connect::{self, Connector, Target};
use crate::dump::source::{Failure, Source};
use crate::shell::say;
use crate::{FAILED, NO_CONNECTION, diagnose, fail};

/// Settings under which a server says exactly what is needed, however long it takes.
const SETTINGS: &[&str] = &["SET statement_timeout = 0", "SET bytea_output = 'hex'"];

/// Makes the backup; the result is the exit status.
pub(crate) async fn run(arguments: &BackupArguments) -> u8 {
    let target = match connect::parse(&arguments.source) {
        Ok((target, _)) => target,
        Err(error) => return fail(&error),
    };
    let made = match target {
        Target::Memory => Err(Failure::Other(Error::unsupported(
            "a database in memory that nobody has open has nothing to back up",
        ))),
        Target::Directory(path) => backup::backup(&path, &arguments.target)
            .map_err(|error| Failure::Other(with_hint_of_server(error))),
        Target::Server(_) => match connected(arguments).await {
            Ok(made) => made,
            Err(status) => return status,
        },
    };
    match made {
        Ok(made) => {
            let mut out = std::io::stdout().lock();
            for line in &made.lines {
                let _ = writeln!(out, "{line}");
            }
            0
        }
        Err(failure) => report(&failure),
    }
}

/// Says how to back up what a server has open.
fn with_hint_of_server(error: Error) -> Error {
    if error.code() == SqlState::OBJECT_IN_USE {
        return error
            .with_hint("Back up a database that is served through its server: postgres://…");
    }
    error
}

async fn connected(arguments: &BackupArguments) -> Result<Result<Made, Failure>, u8> {
    let connector = Connector::open(&arguments.source).map_err(|error| fail(&error))?;
    match connector.connect().await {
        Ok(client) => {
            let mut source = Source::new(client);
            let made = copy(&mut source, &arguments.target).await;
            source.close().await;
            Ok(made)
        }
        Err(Refusal::Server(error)) => {
            say(&format!("oxibase: {}", diagnose::describe(&error, "", "")));
            Err(NO_CONNECTION)
        }
        Err(Refusal::Broken(error)) => {
            fail(&error);
            Err(NO_CONNECTION)
        }
    }
}

/// Copies what a server has to a place that must be empty, and reads the copy back.
async fn copy(source: &mut Source, target: &str) -> Result<Made, Failure> {
    let mut writer = backup::writer(target)?;
    for sql in SETTINGS {
        source.rows(sql).await?;
    }
    let begin = described(source, "SELECT oxi_backup_start()").await?;
    for file in &begin.files {
        copy_file(source, file, &mut writer).await?;
    }
    let end = described(source, "SELECT oxi_backup_finish()").await?;
    for file in &end.files {
        copy_file(source, file, &mut writer).await?;
    }
    source.rows("SELECT oxi_backup_stop()").await?;
    writer.finish(&end)?;
    Ok(backup::verified(target)?)
}

async fn described(source: &mut Source, sql: &str) -> Result<Backup, Failure> {
    let rows = source.rows(sql).await?;
    let text = rows.first().map(|row| row.text(0)).unwrap_or_default();
    Ok(text.parse()?)
}

async fn copy_file(
    source: &mut Source,
    file: &BackupFile,
    writer: &mut Writer,
) -> Result<(), Failure> {
    writer.start_file(file)?;
    let path = file.path.replace('\'', "''");
    let mut offset = 0;
    while offset < file.bytes {
        let length = (PIECE_BYTES as u64).min(file.bytes - offset);
        // The binary form is the bytes themselves, with a little around them.
        let sql = format!(
            "COPY (SELECT oxi_backup_read('{path}', {offset}, {length})) TO STDOUT (FORMAT binary)"
        );
        let mut bytes = Vec::with_capacity(length as usize + 64);
        source
            .each_piece(&sql, |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })
            .await?;
        writer.piece(value_of(&bytes, length as usize)?)?;
        offset += length;
    }
    Ok(writer.end_file()?)
}

/// The one value of a binary COPY of one row: behind the signature, flags, and extension come the
/// number of values and the value's length.
fn value_of(stream: &[u8], length: usize) -> Result<&[u8]> {
    const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
    let found = || {
        let rest = stream.strip_prefix(SIGNATURE)?.get(4..)?;
        let (extension, rest) = rest.split_first_chunk::<4>()?;
        let row = rest.get(u32::from_be_bytes(*extension) as usize..)?;
        let value = row.strip_prefix(&[0, 1])?;
        let (bytes, value) = value.split_first_chunk::<4>()?;
        (u32::from_be_bytes(*bytes) as usize == length).then(|| value.get(..length))?
    };
    found().ok_or_else(|| {
        Error::new(SqlState::PROTOCOL_VIOLATION, "the server sent something else than a file")
    })
}

/// Says why there is no backup.
fn report(failure: &Failure) -> u8 {
    match failure {
        Failure::Server(error, sql) => {
            say(&format!("oxibase: {}", diagnose::describe(error, sql, "")));
            if error.severity == "FATAL" { NO_CONNECTION } else { FAILED }
        }
        Failure::Lost(error) | Failure::Output(error) => {
            say(&format!("oxibase: error: connection to the server lost: {error}\n"));
            NO_CONNECTION
        }
        Failure::Other(error) => fail(error),
    }
}

#[cfg(test)]
mod tests;
