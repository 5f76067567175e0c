//! Reading a backup back: every byte of every file, and what the files say.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::backup::{Backup, BackupFile};
use oxi_world::disk::{self, PIECE_BYTES};
use oxi_world::{Disk, OpenMode, World};

use crate::{
    engine::Store,
    inspect::{Inspection, Problem},
};

use super::manifest::{FILES_DIR, checksum, read_manifest};

/// What was found in a backup.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// What it says of itself.
    pub backup: Backup,
    /// Bytes of its files.
    pub bytes: u64,
    /// What a database made of these files is found to be; only looked at when asked for, and when
    /// every checksum is right.
    pub inspection: Option<Inspection>,
    /// All that is wrong.
    pub problems: Vec<Problem>,
}

/// Reads every file of a backup and compares it with its checksums.
///
/// # Errors
/// `58P01`, `55000` or `XX001` when there is no whole manifest; what is wrong with files is in the
/// answer.
pub fn verify(backup: &dyn Disk) -> Result<Verification> {
    let manifest = read_manifest(backup)?;
    let mut found = Verification::default();
    for file in &manifest.files {
        found.bytes += file.bytes;
        let path = disk::join(FILES_DIR, &file.path);
        if let Err((offset, error)) = each_piece(backup, file, &mut |_, _| Ok(())) {
            let what = match error.code() {
                SqlState::UNDEFINED_FILE => "the file is missing".to_owned(),
                _ => error.message().to_owned(),
            };
            found.problems.push(Problem { place: path, offset, what });
        }
    }
    found.backup = manifest;
    Ok(found)
}

/// As [`verify`]; then its files are checked as those of a database are.
pub(crate) fn check(world: &World, backup: Arc<dyn Disk>) -> Result<Verification> {
    let mut found = verify(&*backup)?;
    if found.problems.is_empty() {
        let world = World { disk: backup, ..world.clone() };
        let (inspection, _) = Store::inspect_held(&world, FILES_DIR)?;
        found.problems.clone_from(&inspection.problems);
        found.inspection = Some(inspection);
    }
    Ok(found)
}

impl Store {
    /// Verifies a backup: checksums first, then everything that [`Store::inspect`] looks at.
    ///
    /// # Errors
    /// As [`verify`].
    pub fn inspect_backup(world: &World, backup: Arc<dyn Disk>) -> Result<Verification> {
        check(world, backup)
    }
}

/// Where a file is damaged, and how.
pub(crate) type Fault = (Option<u64>, Error);

/// Reads a file of a backup, piece by piece; each that is sound is given to `take`, with its place.
pub(crate) fn each_piece(
    backup: &dyn Disk,
    file: &BackupFile,
    take: &mut dyn FnMut(&[u8], u64) -> Result<()>,
) -> Result<(), Fault> {
    let path = disk::join(FILES_DIR, &file.path);
    let opened = backup.open(&path, OpenMode::Read).map_err(|error| (None, error))?;
    let length = opened.len().map_err(|error| (None, error))?;
    if length != file.bytes {
        let message = format!("it has {length} bytes rather than {}", file.bytes);
        return Err((Some(length.min(file.bytes)), Error::corrupt(message)));
    }
    let mut bytes = vec![0; PIECE_BYTES.min(file.bytes as usize)];
    let mut offset = 0;
    for expected in &file.checksums {
        let wanted = PIECE_BYTES.min((file.bytes - offset) as usize);
        let piece = &mut bytes[..wanted];
        opened.read_exact_at(piece, offset).map_err(|error| (Some(offset), error))?;
        if checksum(piece) != *expected {
            let message = format!("the checksum of {wanted} bytes does not match");
            return Err((Some(offset), Error::corrupt(message)));
        }
        take(piece, offset).map_err(|error| (None, error))?;
        offset += wanted as u64;
    }
    if offset != file.bytes {
        return Err((None, Error::corrupt("the manifest lacks checksums of it")));
    }
    Ok(())
}
