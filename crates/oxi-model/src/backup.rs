//! Copying a database that is in use: what storage offers to whoever makes a backup, and how a
//! backup describes itself.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use oxi_base::{Error, Lsn, Result, SqlState, Ts};

/// A copy of the database's files in the making. While it exists, the files it names stay as they
/// are; nobody has to wait for it.
pub trait RunningBackup: Send + Sync {
    /// What is copied: the files of a checkpoint, which is its beginning.
    fn begin(&self) -> &Backup;

    /// Makes everything that was committed up to now part of the copy. The answer has the log's
    /// files, and where they end. Blocking; may be called again.
    fn finish(&self) -> Result<Backup>;

    /// A part of one of the files that were named.
    ///
    /// # Errors
    /// `58P01` for any other file, `22023` for what is not within the file.
    fn read(&self, path: &str, offset: u64, length: usize) -> Result<Vec<u8>>;
}

/// A point in a database's history.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BackupPoint {
    /// The position in the log.
    pub lsn: Lsn,
    /// The timestamp of the last commit before it.
    pub ts: Ts,
}

/// A file of a backup.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BackupFile {
    /// Its path in the database's directory, which is also its path below the backup's files.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// The checksum (XXH3, 64 bits) of each MiB of it, once it was copied.
    pub checksums: Vec<u64>,
}

/// What a backup says of itself. Its text is one `word value` a line, and `file <bytes> <path>`
/// with the checksums behind for each file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Backup {
    /// The database.
    pub database: [u8; 16],
    /// The timeline at the end.
    pub timeline: u32,
    /// The number of the checkpoint it contains; 0 when everything is in the log.
    pub checkpoint: u64,
    /// The checkpoint's position: from there on the log counts.
    pub begin: BackupPoint,
    /// Where the log ends; `None` as long as it is not part of the copy.
    pub end: Option<BackupPoint>,
    /// The files.
    pub files: Vec<BackupFile>,
}

impl fmt::Display for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("database ")?;
        for byte in self.database {
            write!(f, "{byte:02x}")?;
        }
        writeln!(f, "\ntimeline {}\ncheckpoint {}", self.timeline, self.checkpoint)?;
        writeln!(f, "begin {} {}", self.begin.lsn, self.begin.ts)?;
        if let Some(end) = self.end {
            writeln!(f, "end {} {}", end.lsn, end.ts)?;
        }
        for file in &self.files {
            write!(f, "file {} {}", file.bytes, file.path)?;
            for checksum in &file.checksums {
                write!(f, " {checksum:016x}")?;
            }
            f.write_char('\n')?;
        }
        Ok(())
    }
}

impl FromStr for Backup {
    type Err = Error;

    fn from_str(text: &str) -> Result<Backup> {
        let mut backup = Backup::default();
        for line in text.lines() {
            backup.take_line(line).ok_or_else(|| {
                let message = format!("description of a backup has a malformed line: \"{line}\"");
                Error::new(SqlState::DATA_CORRUPTED, message)
            })?;
        }
        Ok(backup)
    }
}

impl Backup {
    fn take_line(&mut self, line: &str) -> Option<()> {
        let (word, value) = line.split_once(' ')?;
        match word {
            "database" => {
                for (at, byte) in self.database.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(value.get(2 * at..2 * at + 2)?, 16).ok()?;
                }
                (value.len() == 32).then_some(())
            }
            "timeline" => value.parse().ok().map(|number| self.timeline = number),
            "checkpoint" => value.parse().ok().map(|number| self.checkpoint = number),
            "begin" => point(value).map(|point| self.begin = point),
            "end" => point(value).map(|point| self.end = Some(point)),
            "file" => file(value).map(|file| self.files.push(file)),
            _ => None,
        }
    }
}

fn point(text: &str) -> Option<BackupPoint> {
    let (lsn, ts) = text.split_once(' ')?;
    Some(BackupPoint { lsn: Lsn(lsn.parse().ok()?), ts: Ts(ts.parse().ok()?) })
}

fn file(text: &str) -> Option<BackupFile> {
    let mut words = text.split(' ');
    let bytes = words.next()?.parse().ok()?;
    let path = words.next()?.to_owned();
    let checksums = words.map(|word| u64::from_str_radix(word, 16).ok()).collect::<Option<_>>()?;
    Some(BackupFile { path, bytes, checksums })
}

/// How the archiving of the log goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ArchiverInfo {
    /// Files archived since the database was opened.
    pub archived: u64,
    /// The last of them, and when (Unix microseconds).
    pub last_archived: Option<(String, i64)>,
    /// Attempts that failed.
    pub failed: u64,
    /// The file of the last of them, and when.
    pub last_failed: Option<(String, i64)>,
    /// Since when is counted.
    pub since_us: i64,
}

#[cfg(test)]
mod tests;
