//! From what the user calls a place for files to the disk behind it.

use std::path::Path;
use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};

use super::Disk;
use super::real::RealDisk;

/// Opens the place that a text names: a directory (also as `file:///path`), or a bucket of an
/// object store with a prefix, as `s3://bucket/prefix`.
///
/// # Errors
/// `22023` for an address that is none, `0A000` for one of a kind that is not known.
pub fn open(text: &str) -> Result<Arc<dyn Disk>> {
    if let Some(path) = directory(text) {
        return Ok(Arc::new(RealDisk::open(Path::new(path))?));
    }
    open_url(text)
}

/// The directory that a text names; `None` if it is an address of another kind.
pub fn directory(text: &str) -> Option<&str> {
    match text.split_once("://") {
        None => Some(text),
        Some(("file", path)) => Some(path),
        Some(_) => None,
    }
}

/// Opens a place that must be there already. Of object stores nothing is known before it is read.
///
/// # Errors
/// `58P01` for a directory that is not there, otherwise as [`open`].
pub fn open_existing(text: &str) -> Result<Arc<dyn Disk>> {
    if let Some(path) = directory(text)
        && !Path::new(path).is_dir()
    {
        let message = format!("directory \"{path}\" does not exist");
        return Err(Error::new(SqlState::UNDEFINED_FILE, message));
    }
    open(text)
}

#[cfg(feature = "objects")]
fn open_url(url: &str) -> Result<Arc<dyn Disk>> {
    Ok(Arc::new(super::object::ObjectDisk::open(url)?))
}

#[cfg(not(feature = "objects"))]
fn open_url(url: &str) -> Result<Arc<dyn Disk>> {
    Err(Error::unsupported(format!("\"{url}\": this build knows directories only")))
}
