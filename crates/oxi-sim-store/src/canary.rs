//! Disks that lie. A simulator that finds nothing proves nothing, unless it finds these.

use std::sync::Arc;

use oxi_base::Result;
use oxi_world::{Disk, DiskLock, File, OpenMode};

/// What is wrong on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lie {
    /// Nothing.
    None,
    /// Syncs of log files succeed and do nothing.
    LogSync,
    /// Syncs of checkpoint images and manifests succeed and do nothing.
    ImageSync,
    /// Syncs of directories succeed and do nothing.
    DirSync,
    /// Commits become visible and are acknowledged before they are durable.
    EarlyVisibility,
}

impl Lie {
    /// All lies there are.
    pub const ALL: [Lie; 4] = [Lie::LogSync, Lie::ImageSync, Lie::DirSync, Lie::EarlyVisibility];
}

/// A disk with one lie in it.
pub(crate) struct LyingDisk {
    inner: Arc<dyn Disk>,
    lie: Lie,
}

impl LyingDisk {
    pub(crate) fn new(inner: Arc<dyn Disk>, lie: Lie) -> Self {
        LyingDisk { inner, lie }
    }
}

impl Disk for LyingDisk {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn File>> {
        let inner = self.inner.open(path, mode)?;
        let log = path.contains("/wal/");
        let lies = match self.lie {
            Lie::LogSync => log,
            Lie::ImageSync => !log,
            _ => false,
        };
        Ok(if lies { Arc::new(LyingFile { inner }) } else { inner })
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.inner.remove(path)
    }

    fn create_dir_all(&self, path: &str) -> Result<()> {
        self.inner.create_dir_all(path)
    }

    fn sync_dir(&self, path: &str) -> Result<()> {
        if self.lie == Lie::DirSync { Ok(()) } else { self.inner.sync_dir(path) }
    }

    fn exists(&self, path: &str) -> Result<bool> {
        self.inner.exists(path)
    }

    fn lock(&self, path: &str) -> Result<DiskLock> {
        self.inner.lock(path)
    }

    fn hold(&self, path: &str) -> Result<Option<DiskLock>> {
        self.inner.hold(path)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

struct LyingFile {
    inner: Arc<dyn File>,
}

impl File for LyingFile {
    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        self.inner.read_at(out, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.inner.write_at(bytes, offset)
    }

    fn set_len(&self, length: u64) -> Result<()> {
        self.inner.set_len(length)
    }

    fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }
}
