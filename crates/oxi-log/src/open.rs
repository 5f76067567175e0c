//! Creating a log, and opening one after whatever ended the last run.

use oxi_base::{Error, Lsn, Result, SqlState};
use oxi_world::{OpenMode, World, disk};

use crate::group::Active;
use crate::log::{Log, Shared};
use crate::options::LogOptions;
use crate::scan::{self, FileEnd};
use crate::segment::{self, FILE_HEADER_BYTES, FileHeader, HeaderFault};

/// What opening found.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The oldest position that can be read.
    pub first_lsn: Lsn,
    /// The end of the log: where the next frame goes. Everything before it is durable.
    pub next_lsn: Lsn,
    /// The database the log belongs to.
    pub database: [u8; 16],
    /// The timeline of the newest file.
    pub timeline: u32,
    /// Bytes of an unfinished write that were found behind the end and left out.
    pub torn_bytes: u64,
}

impl Log {
    /// Whether `dir` holds log files.
    pub fn exists(world: &World, dir: &str) -> Result<bool> {
        Ok(world.disk.exists(dir)? && !file_names(world, dir)?.is_empty())
    }

    /// Starts a new log at position 0. Left-overs of a creation that never finished are replaced;
    /// anything else in the directory is an error.
    pub fn create(world: World, options: LogOptions) -> Result<(Log, Recovered)> {
        world.disk.create_dir_all(&options.dir)?;
        let found = Found::look(&world, &options)?;
        if !found.files.is_empty() {
            let message = format!("directory \"{}\" already holds a log", options.dir);
            return Err(Error::new(SqlState::DUPLICATE_FILE, message));
        }
        found.create_first(world, options)
    }

    /// Opens the log, deciding where it ends: at the first frame of the last file that did not
    /// reach the disk completely. Damage before that is an error (`XX001`).
    pub fn open(world: World, options: LogOptions) -> Result<(Log, Recovered)> {
        let found = Found::look(&world, &options)?;
        match found.files.last() {
            Some(&last) => found.resume(world, options, last),
            // The creation had not finished, so nothing was ever durable in it.
            None if found.sequence_max > 0 => found.create_first(world, options),
            None => {
                let message = format!("directory \"{}\" holds no log", options.dir);
                Err(Error::new(SqlState::UNDEFINED_FILE, message))
            }
        }
    }
}

/// The log files of a directory, oldest first.
pub(crate) fn file_names(world: &World, dir: &str) -> Result<Vec<String>> {
    let mut names = world.disk.list(dir)?;
    names.retain(|name| segment::parse_name(name).is_some());
    Ok(names)
}

/// The sound files of the directory.
struct Found {
    files: Vec<FileHeader>,
    /// The largest sequence number in any name, so that none is used twice.
    sequence_max: u64,
}

impl Found {
    fn look(world: &World, options: &LogOptions) -> Result<Found> {
        let names = file_names(world, &options.dir)?;
        let sequences = names.iter().filter_map(|name| segment::parse_name(name));
        let sequence_max = sequences.map(|(_, sequence)| sequence).max().unwrap_or(0);
        let mut files = Vec::with_capacity(names.len());
        let mut unfinished: Vec<String> = Vec::new();
        for name in &names {
            match segment::read_header(&*world.disk, &options.dir, name)? {
                Ok(header) => {
                    if let Some(earlier) = unfinished.first() {
                        return Err(damaged_header(earlier));
                    }
                    check_follows(name, files.last(), &header, options)?;
                    files.push(header);
                }
                Err(HeaderFault::Version(version)) => {
                    return Err(Error::unsupported(format!(
                        "log file \"{name}\" has format version {version}, which this version of \
                         Oxibase does not read"
                    )));
                }
                Err(HeaderFault::Invalid) => unfinished.push(name.clone()),
            }
        }
        for name in &unfinished {
            let path = disk::join(&options.dir, name);
            // Frames are only written behind a durable header: where there are some, the header
            // was damaged later.
            if !scan::is_blank(&*world.disk, &path)? {
                return Err(damaged_header(name));
            }
            world.disk.remove(&path)?;
        }
        if !unfinished.is_empty() {
            // Else a removed file could come back before one that is created next.
            world.disk.sync_dir(&options.dir)?;
        }
        Ok(Found { files, sequence_max })
    }

    fn create_first(&self, world: World, options: LogOptions) -> Result<(Log, Recovered)> {
        let database = options.database.unwrap_or_else(|| {
            let mut random = [0; 16];
            world.rng.fill(&mut random);
            random
        });
        let header = FileHeader {
            timeline: options.timeline,
            database,
            first_lsn: Lsn(0),
            sequence: self.sequence_max + 1,
            salt: world.rng.next_u64(),
        };
        let active = Active::create(&world, &options, header)?;
        let recovered = Recovered {
            first_lsn: header.first_lsn,
            next_lsn: header.first_lsn,
            database,
            timeline: header.timeline,
            torn_bytes: 0,
        };
        Ok((Log { shared: Shared::new(world, options, active, vec![header]) }, recovered))
    }

    fn resume(
        mut self,
        world: World,
        options: LogOptions,
        last: FileHeader,
    ) -> Result<(Log, Recovered)> {
        let end = scan::find_end(&*world.disk, &options.dir, last)?;
        secure(&world, &options, last, &end)?;
        let header = FileHeader {
            timeline: options.timeline.max(last.timeline),
            first_lsn: end.lsn,
            sequence: self.sequence_max + 1,
            salt: world.rng.next_u64(),
            ..last
        };
        let active = Active::create(&world, &options, header)?;
        if end.last_flush.is_none() {
            self.files.pop();
            world.disk.remove(&disk::join(&options.dir, &last.name()))?;
        }
        self.files.push(header);
        let recovered = Recovered {
            first_lsn: self.files[0].first_lsn,
            next_lsn: end.lsn,
            database: header.database,
            timeline: header.timeline,
            torn_bytes: end.torn_bytes,
        };
        Ok((Log { shared: Shared::new(world, options, active, self.files) }, recovered))
    }
}

/// Makes the recovered end of the last file durable, and cuts off what is behind it.
///
/// The bytes just read may be in the page cache only: written by a process that was killed before
/// its sync, or marked clean by a sync that failed. Writing the last flush once more makes them
/// dirty, so that this sync speaks for them; earlier flushes were followed by another one, which
/// proves them durable.
fn secure(world: &World, options: &LogOptions, last: FileHeader, end: &FileEnd) -> Result<()> {
    let path = disk::join(&options.dir, &last.name());
    let file = world.disk.open(&path, OpenMode::ReadWrite)?;
    let from = end.last_flush.map_or(0, |lsn| last.offset_of(lsn));
    let to = last.offset_of(end.lsn);
    debug_assert!(to >= FILE_HEADER_BYTES);
    let mut bytes = vec![0; (to - from) as usize];
    let got = file.read_at(&mut bytes, from)?;
    bytes.truncate(got);
    let is_short = from + (got as u64) < to;
    if is_short || (end.last_flush.is_some() && crc32c::crc32c(&bytes) != end.flush_crc) {
        let what = "two readings of it differ";
        return Err(segment::corrupt(&last.name(), from, end.lsn, what));
    }
    file.write_at(&bytes, from)?;
    file.set_len(to)?;
    file.sync_data()
}

fn damaged_header(name: &str) -> Error {
    segment::corrupt(name, 0, Lsn(0), "its header is invalid")
}

/// Checks that a file belongs behind another.
fn check_follows(
    name: &str,
    before: Option<&FileHeader>,
    header: &FileHeader,
    options: &LogOptions,
) -> Result<()> {
    match misplaced(name, before, header, options.database) {
        Some(what) => Err(segment::corrupt(name, 0, header.first_lsn, what)),
        None => Ok(()),
    }
}

/// Why a file does not belong behind another, if it does not.
pub(crate) fn misplaced(
    name: &str,
    before: Option<&FileHeader>,
    header: &FileHeader,
    database: Option<[u8; 16]>,
) -> Option<&'static str> {
    if header.name() != name {
        return Some("its header belongs to a file of another name");
    }
    if database.is_some_and(|database| database != header.database) {
        return Some("it belongs to another database");
    }
    let before = before?;
    if before.database != header.database {
        return Some("it belongs to another database than the file before it");
    }
    if before.first_lsn > header.first_lsn || before.sequence >= header.sequence {
        return Some("it does not follow the file before it");
    }
    None
}
