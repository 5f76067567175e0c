//! The manifest of a backup: written last, so that a backup without one is not complete.

use std::fmt::Write as _;

use oxi_base::{Error, Result, SqlState};
use oxi_model::backup::Backup;
use oxi_world::Disk;
use oxi_world::disk::WholeFile;

/// The manifest's name in a backup.
pub const MANIFEST_NAME: &str = "backup.manifest";
/// The directory of a backup that has the database's files.
pub const FILES_DIR: &str = "files";

/// The first line, with the version of the format.
const HEADING: &str = "oxibase backup 1\n";

pub(super) fn encode(backup: &Backup) -> String {
    let mut text = format!("{HEADING}{backup}");
    let checksum = checksum(text.as_bytes());
    let _ = writeln!(text, "checksum {checksum:016x}");
    text
}

/// The checksum of bytes of a backup. Not that of the database's own files: many of these end in
/// it, which makes it the same for all of them.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

pub(super) fn decode(bytes: &[u8], place: &str) -> Result<Backup> {
    let damaged = |offset: usize, what: &str| {
        let path = oxi_world::disk::join(place, MANIFEST_NAME);
        Error::corrupt(format!("backup manifest \"{path}\" is damaged at byte {offset}: {what}"))
    };
    let text =
        str::from_utf8(bytes).map_err(|error| damaged(error.valid_up_to(), "it is not text"))?;
    let at = text.rfind("checksum ").ok_or_else(|| damaged(bytes.len(), "it is cut short"))?;
    let (covered, last) = text.split_at(at);
    if last != format!("checksum {:016x}\n", checksum(covered.as_bytes())) {
        return Err(damaged(0, &format!("the checksum of its {at} bytes does not match")));
    }
    let Some(body) = covered.strip_prefix(HEADING) else {
        let first = covered.lines().next().unwrap_or_default();
        return Err(Error::unsupported(format!(
            "backup manifest of format \"{first}\", which this version of Oxibase does not read"
        )));
    };
    body.parse()
}

/// The manifest of the backup in a place.
///
/// # Errors
/// `58P01` when there is no backup, `55000` when one is not complete, `XX001` when the manifest is
/// damaged.
pub fn read_manifest(backup: &dyn Disk) -> Result<Backup> {
    let place = backup.describe();
    if !backup.exists(MANIFEST_NAME)? {
        if backup.exists(FILES_DIR)? {
            let message = format!("the backup in \"{place}\" is not complete");
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                .with_detail("Its manifest, which is written last, is missing.")
                .with_hint("Remove it, and make another one."));
        }
        let message = format!("there is no backup in \"{place}\"");
        return Err(Error::new(SqlState::UNDEFINED_FILE, message));
    }
    decode(&backup.read(MANIFEST_NAME)?, &place)
}

pub(super) fn write_manifest(target: &dyn Disk, backup: &Backup) -> Result<()> {
    let mut file = WholeFile::begin(target, MANIFEST_NAME)?;
    file.append(encode(backup).as_bytes())?;
    file.finish()
}

#[cfg(test)]
mod tests;
