//! A log that is not open: reading its commits, and ending it anywhere to go on differently.

use oxi_base::{Error, Lsn, Result, SqlState, Ts};
use oxi_world::{Disk, OpenMode, World, disk};

use crate::group::Active;
use crate::open::file_names;
use crate::options::LogOptions;
use crate::scan;
use crate::segment::{self, FILE_HEADER_BYTES, FileHeader, HeaderFault};
use crate::timeline::{Branch, History, encode_history, history_name};

pub use crate::scan::Commits;

/// The headers of the files in a directory, oldest first, all of which must be sound.
pub fn headers(world: &World, dir: &str) -> Result<Vec<FileHeader>> {
    let mut headers = Vec::new();
    for name in file_names(world, dir)? {
        match segment::read_header(&*world.disk, dir, &name)? {
            Ok(header) => headers.push(header),
            Err(HeaderFault::Invalid) => {
                let path = disk::join(dir, &name);
                return Err(segment::corrupt(&path, 0, Lsn(0), "its header is invalid"));
            }
            Err(HeaderFault::Version(version)) => {
                return Err(Error::unsupported(format!(
                    "log file \"{name}\" has format version {version}, which this version of \
                     Oxibase does not read"
                )));
            }
        }
    }
    Ok(headers)
}

/// Where a file ends that is complete: every byte of it is content.
pub fn end_of(disk: &dyn Disk, dir: &str, header: &FileHeader) -> Result<Lsn> {
    let length = disk.open(&disk::join(dir, &header.name()), OpenMode::Read)?.len()?;
    Ok(Lsn(header.first_lsn.0 + length.saturating_sub(FILE_HEADER_BYTES)))
}

/// The commits of a complete file, up to the first after `until`. Every frame up to there is
/// checked.
///
/// # Errors
/// `XX001`, with name and place, when a frame is not sound.
pub fn commits(disk: &dyn Disk, dir: &str, header: FileHeader, until: Ts) -> Result<Commits> {
    scan::commits(disk, dir, header, end_of(disk, dir, &header)?, until)
}

/// Ends the log of `dir` at a position where a frame begins, or at its end, and begins a new
/// timeline there: an empty file of it, and its history. What was behind the position is removed.
pub fn begin(world: &World, dir: &str, at: Lsn, timeline: u32, mut history: History) -> Result<()> {
    let headers = headers(world, dir)?;
    let (Some(first), Some(last)) = (headers.first(), headers.last()) else {
        let message = format!("directory \"{dir}\" holds no log");
        return Err(Error::new(SqlState::UNDEFINED_FILE, message));
    };
    if at < first.first_lsn || timeline <= last.timeline {
        return Err(Error::bug(format!("a timeline {timeline} that begins at {at}")));
    }
    let parent = headers.iter().rfind(|header| header.first_lsn <= at).unwrap_or(first).timeline;
    history.push(Branch { parent, at });
    world.disk.replace(&disk::join(dir, &history_name(timeline)), &encode_history(&history))?;
    for header in headers.iter().rev() {
        let path = disk::join(dir, &header.name());
        if header.first_lsn >= at {
            world.disk.remove(&path)?;
        } else {
            let file = world.disk.open(&path, OpenMode::ReadWrite)?;
            file.set_len(header.offset_of(at).min(file.len()?))?;
            file.sync_data()?;
            break;
        }
    }
    let header = FileHeader {
        timeline,
        first_lsn: at,
        sequence: last.sequence + 1,
        salt: world.rng.next_u64(),
        ..*last
    };
    // Creates the file and syncs it and its directory; nothing is written to it.
    let options = LogOptions { fill_bytes: 0, ..LogOptions::new(dir) };
    Active::create(world, &options, header).map(drop)
}
