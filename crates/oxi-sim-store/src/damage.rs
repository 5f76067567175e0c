//! Damage to the files of a database, and what may come of it: an error that names the file and
//! the byte, or nothing at all.

use oxi_base::{Error, SqlState};
use oxi_world::{Disk, SimControl, World, disk::join, rng::Prng};

/// A file of the database, and its length.
pub(crate) type Found = (String, u64);

/// All files below a directory that have bytes.
pub(crate) fn files(disk: &dyn Disk, dir: &str) -> oxi_base::Result<Vec<Found>> {
    let mut found = Vec::new();
    for name in disk.list(dir)? {
        let path = join(dir, &name);
        if disk.list(&path).is_ok() {
            found.extend(files(disk, &path)?);
            continue;
        }
        let length = disk.read(&path)?.len() as u64;
        if length > 0 {
            found.push((path, length));
        }
    }
    Ok(found)
}

/// Whether an error speaks of damage as it should: it names the file and the byte.
pub(crate) fn is_reported(error: &Error) -> bool {
    error.code() == SqlState::DATA_CORRUPTED && names_place(error.message())
}

/// The same of a text that an error was made part of.
pub(crate) fn is_report(text: &str) -> bool {
    text.contains("(SQLSTATE XX001)") && names_place(text)
}

fn names_place(text: &str) -> bool {
    let number = text.split("at byte ").nth(1).and_then(|rest| rest.chars().next());
    text.contains('"') && number.is_some_and(|digit| digit.is_ascii_digit())
}

/// A bit that was turned over.
#[derive(Clone, Debug)]
pub(crate) struct Flip {
    pub(crate) path: String,
    pub(crate) at: u64,
    pub(crate) bit: u32,
    /// The byte with the bit turned over.
    flipped: u8,
}

/// Turns over a random bit of a random file.
pub(crate) fn flip(
    world: &World,
    control: &SimControl,
    dir: &str,
    prng: &mut Prng,
) -> oxi_base::Result<Option<Flip>> {
    let found = files(&*world.disk, dir)?;
    if found.is_empty() {
        return Ok(None);
    }
    let (path, length) = &found[prng.below(found.len() as u64) as usize];
    let (at, bit) = (prng.below(*length), prng.below(8) as u32);
    control.flip_bit(path, at, bit)?;
    let flipped = world.disk.read(path)?[at as usize];
    Ok(Some(Flip { path: path.clone(), at, bit, flipped }))
}

impl Flip {
    /// Turns the bit back, unless the file has been written there since.
    pub(crate) fn mend(&self, world: &World, control: &SimControl) -> oxi_base::Result<()> {
        if !world.disk.exists(&self.path)? {
            return Ok(());
        }
        let bytes = world.disk.read(&self.path)?;
        if bytes.get(self.at as usize) == Some(&self.flipped) {
            control.flip_bit(&self.path, self.at, self.bit)?;
        }
        Ok(())
    }
}
