//! Timelines: where a database was restored and went on differently, so that the log it wrote before
//! and the one it writes since are never mixed.
//!
//! The first timeline is 1. One that began as a branch of another has a file
//! `<timeline>.history` beside the log files: a line `<parent> <position>` for each branch since the
//! first timeline, oldest first, then `checksum <crc32c>` of all that.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use oxi_base::{Error, Lsn, Result, SqlState};
use oxi_world::{Disk, OpenMode, disk};

use crate::segment::{self, FILE_HEADER_BYTES, FileHeader, HeaderFault};

/// A step from one timeline to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Branch {
    /// The timeline that was left.
    pub parent: u32,
    /// Where.
    pub at: Lsn,
}

/// The branches that lead to a timeline, oldest first.
pub type History = Vec<Branch>;

/// The name of a timeline's history file.
pub fn history_name(timeline: u32) -> String {
    format!("{timeline:08}.history")
}

/// The timeline of a history file's name.
fn parse_history_name(name: &str) -> Option<u32> {
    let timeline = name.strip_suffix(".history")?.parse().ok()?;
    (history_name(timeline) == name).then_some(timeline)
}

/// Whether a file of the log's directory says how a timeline began.
pub fn is_history(name: &str) -> bool {
    parse_history_name(name).is_some()
}

/// The bytes of a history file.
pub fn encode_history(history: &[Branch]) -> Vec<u8> {
    let mut text = String::new();
    for Branch { parent, at } in history {
        let _ = writeln!(text, "{parent} {at}");
    }
    let checksum = crc32c::crc32c(text.as_bytes());
    let _ = writeln!(text, "checksum {checksum:08x}");
    text.into_bytes()
}

fn decode_history(bytes: &[u8]) -> Option<History> {
    let text = str::from_utf8(bytes).ok()?;
    let (lines, checksum) = text.split_at_checked(text.rfind("checksum ")?)?;
    if checksum != format!("checksum {:08x}\n", crc32c::crc32c(lines.as_bytes())) {
        return None;
    }
    let line = |line: &str| {
        let (parent, at) = line.split_once(' ')?;
        Some(Branch { parent: parent.parse().ok()?, at: Lsn(at.parse().ok()?) })
    };
    lines.lines().map(line).collect()
}

/// The branches that lead to a timeline, as the directory of its log has them; none for the first.
pub fn read_history(disk: &dyn Disk, dir: &str, timeline: u32) -> Result<History> {
    let path = disk::join(dir, &history_name(timeline));
    if !disk.exists(&path)? {
        return Ok(History::new());
    }
    decode_history(&disk.read(&path)?)
        .ok_or_else(|| Error::corrupt(format!("timeline history file \"{path}\" is damaged")))
}

/// A file of an archive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArchivedFile {
    /// Its name.
    pub name: String,
    /// Its header.
    pub header: FileHeader,
    /// Up to where its frames count: its end, or where its timeline was left.
    pub end: Lsn,
}

/// Where a log that is to be continued ends.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// The database it belongs to.
    pub database: [u8; 16],
    /// The timeline of its last file.
    pub timeline: u32,
    /// The number of its last file.
    pub sequence: u64,
    /// Its end.
    pub lsn: Lsn,
}

/// What an archive has behind a log's end.
#[derive(Clone, Debug)]
pub struct Continuation {
    /// The files, oldest first.
    pub files: Vec<ArchivedFile>,
    /// The branches that lead to the timeline of the last file.
    pub history: History,
    /// The timeline of the last file.
    pub timeline: u32,
    /// The newest timeline of which the archive has anything.
    pub newest: u32,
}

/// An archive whose names were read.
pub struct Archive<'a> {
    disk: &'a dyn Disk,
    dir: String,
    /// Numbers of log files by timeline, ascending.
    files: BTreeMap<u32, Vec<u64>>,
    histories: BTreeMap<u32, History>,
}

impl<'a> Archive<'a> {
    /// Reads names and histories of an archive in `dir`.
    pub fn open(disk: &'a dyn Disk, dir: &str) -> Result<Self> {
        let mut archive = Archive {
            disk,
            dir: dir.to_owned(),
            files: BTreeMap::new(),
            histories: BTreeMap::new(),
        };
        for name in disk.list(dir)? {
            if let Some((timeline, sequence)) = segment::parse_name(&name) {
                archive.files.entry(timeline).or_default().push(sequence);
            } else if let Some(timeline) = parse_history_name(&name) {
                archive.histories.insert(timeline, read_history(disk, dir, timeline)?);
            }
        }
        Ok(archive)
    }

    /// The newest timeline of which there is anything.
    fn newest(&self) -> u32 {
        let files = self.files.keys().next_back();
        files.max(self.histories.keys().next_back()).copied().unwrap_or(0)
    }

    /// The branches from one timeline to another, which begin at or behind a position.
    fn way(&self, from: &Ending, to: u32) -> Option<&[Branch]> {
        if from.timeline == to {
            return Some(&[]);
        }
        let history = self.histories.get(&to)?;
        let at = history.iter().position(|branch| branch.parent == from.timeline)?;
        (history[at].at >= from.lsn).then(|| &history[at..])
    }

    /// Finds the files that continue a log, on a timeline or on the newest that can be reached.
    ///
    /// # Errors
    /// `22023` when the timeline cannot be reached from the log's end, `58P01` when a file in
    /// between is missing, `XX001` when one is damaged.
    pub fn continuation(&self, from: &Ending, timeline: Option<u32>) -> Result<Continuation> {
        let newest = self.newest();
        let target = match timeline {
            Some(timeline) => timeline,
            None => (1..=newest)
                .rev()
                .find(|timeline| self.way(from, *timeline).is_some())
                .unwrap_or(from.timeline),
        };
        let way = self.way(from, target).ok_or_else(|| {
            let message = format!(
                "requested timeline {target} is not a child of timeline {}, on which the backup \
                 ends at log position {}",
                from.timeline, from.lsn
            );
            Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
        })?;
        let mut found = Found { archive: self, database: from.database, end: *from, files: vec![] };
        for branch in way {
            found.follow(branch.parent, Some(branch.at))?;
        }
        found.follow(target, None)?;
        let history = self.histories.get(&target).cloned().unwrap_or_default();
        Ok(Continuation { files: found.files, history, timeline: target, newest })
    }

    fn header(&self, name: &str) -> Result<(FileHeader, Lsn)> {
        let path = disk::join(&self.dir, name);
        let damaged = |what: &str| segment::corrupt(&path, 0, Lsn(0), what);
        let header = match segment::read_header(self.disk, &self.dir, name)? {
            Ok(header) => header,
            Err(HeaderFault::Invalid) => return Err(damaged("its header is invalid")),
            Err(HeaderFault::Version(version)) => {
                return Err(Error::unsupported(format!(
                    "log file \"{path}\" has format version {version}, which this version of \
                     Oxibase does not read"
                )));
            }
        };
        if header.name() != name {
            return Err(damaged("its header belongs to a file of another name"));
        }
        let length = self.disk.open(&path, OpenMode::Read)?.len()?;
        let content = length.saturating_sub(FILE_HEADER_BYTES);
        Ok((header, Lsn(header.first_lsn.0 + content)))
    }
}

/// Files found so far, and where they end.
struct Found<'a, 'd> {
    archive: &'a Archive<'d>,
    database: [u8; 16],
    end: Ending,
    files: Vec<ArchivedFile>,
}

impl Found<'_, '_> {
    /// Goes on along a timeline, to where it is left or to its end.
    fn follow(&mut self, timeline: u32, until: Option<Lsn>) -> Result<()> {
        let sequences = self.archive.files.get(&timeline).map_or(&[][..], Vec::as_slice);
        let after = self.end.sequence;
        for &sequence in sequences.iter().filter(|sequence| **sequence > after) {
            if until.is_some_and(|until| self.end.lsn >= until) {
                break;
            }
            let name = segment::file_name(timeline, sequence);
            let (header, end) = self.archive.header(&name)?;
            self.check(&name, &header)?;
            let end = until.map_or(end, |until| end.min(until));
            self.end = Ending { timeline, sequence, lsn: end, ..self.end };
            self.files.push(ArchivedFile { name, header, end });
        }
        match until {
            Some(until) if self.end.lsn < until => Err(missing(self.end.lsn, until)
                .with_detail(format!("Timeline {timeline} was left at that position."))),
            _ => {
                self.end.timeline = timeline;
                Ok(())
            }
        }
    }

    /// Whether a file goes on where the one before it ends.
    fn check(&self, name: &str, header: &FileHeader) -> Result<()> {
        let path = disk::join(&self.archive.dir, name);
        if header.database != self.database {
            let what = "it belongs to another database";
            return Err(segment::corrupt(&path, 0, header.first_lsn, what));
        }
        if header.first_lsn > self.end.lsn {
            return Err(missing(self.end.lsn, header.first_lsn)
                .with_detail(format!("File \"{name}\" begins at the latter position.")));
        }
        if header.first_lsn < self.end.lsn {
            let what = "it begins before the end of the file before it";
            return Err(segment::corrupt(&path, 0, header.first_lsn, what));
        }
        Ok(())
    }
}

fn missing(from: Lsn, to: Lsn) -> Error {
    let message = format!("the archive lacks the log from position {from} to {to}");
    Error::new(SqlState::UNDEFINED_FILE, message)
}

#[cfg(test)]
mod tests;
