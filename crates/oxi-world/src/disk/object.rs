//! Immutable files in an object store: the backups and the archived log that are not on this
//! machine.
//!
//! A file is written once, from its beginning, and is there when it has been synced. Directories are
//! prefixes of names: they need no creation. Nothing can be locked or changed.

use std::future::Future;
use std::sync::{Arc, mpsc};

use object_store::path::Path;
use object_store::{GetOptions, GetRange, MultipartUpload, ObjectStore, PutMode, PutOptions};
use object_store::{ObjectStoreExt as _, PutPayload, memory::InMemory};
use oxi_base::{Error, Result, SqlState};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

use super::{Disk, DiskLock, File, OpenMode, check_path, join};

/// What is gathered before a part of a large file is sent. All parts but the last have this size.
const PART_BYTES: usize = 8 << 20;

/// An object store, or what is below a prefix of one, as a disk.
pub struct ObjectDisk {
    shared: Arc<Shared>,
}

/// What the disk and its open files share.
struct Shared {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    /// How messages call the place.
    address: String,
    /// Runs the store's requests; callers wait for them on their own threads, which may be those of
    /// another runtime. `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl ObjectDisk {
    /// Opens the place of an address. `memory://` is a new, empty one.
    ///
    /// # Errors
    /// `22023` for an address that is none, `0A000` for one of a kind that is not known.
    pub fn open(address: &str) -> Result<Self> {
        match address.split_once("://") {
            Some(("memory", _)) => Self::new(Arc::new(InMemory::new()), "", address),
            Some(("s3", place)) => {
                let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
                Self::new(s3(bucket, address)?, prefix.trim_end_matches('/'), address)
            }
            Some((kind, _)) => {
                let message = format!("addresses of kind \"{kind}://\" are not supported");
                Err(Error::unsupported(message).with_hint("Use a directory, file:// or s3://."))
            }
            None => {
                let message = format!("\"{address}\" is not an address");
                Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message))
            }
        }
    }

    /// Uses what is below `prefix` in a store; messages call it `address`.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str, address: &str) -> Result<Self> {
        check_path(prefix)?;
        let built = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("oxi-objects")
            .enable_all()
            .build();
        let runtime = built.map_err(|error| {
            let message = format!("could not start the runtime of \"{address}\": {error}");
            Error::new(SqlState::INSUFFICIENT_RESOURCES, message)
        })?;
        let (prefix, address) = (prefix.to_owned(), address.to_owned());
        Ok(ObjectDisk {
            shared: Arc::new(Shared { store, prefix, address, runtime: Some(runtime) }),
        })
    }
}

#[cfg(feature = "s3")]
fn s3(bucket: &str, address: &str) -> Result<Arc<dyn ObjectStore>> {
    let built = object_store::aws::AmazonS3Builder::from_env().with_bucket_name(bucket).build();
    let store = built.map_err(|error| {
        let message = format!("could not use \"{address}\": {error}");
        Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
    })?;
    Ok(Arc::new(store))
}

#[cfg(not(feature = "s3"))]
fn s3(_bucket: &str, address: &str) -> Result<Arc<dyn ObjectStore>> {
    Err(Error::unsupported(format!("\"{address}\": this build has no client of S3")))
}

impl Shared {
    fn location(&self, path: &str) -> Result<Path> {
        check_path(path)?;
        Ok(Path::from(match (self.prefix.as_str(), path) {
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => join(prefix, path),
        }))
    }

    /// Runs a request to its end, whatever runtime the calling thread belongs to.
    fn wait<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let runtime = self.runtime.as_ref().expect("a disk has its runtime until it is dropped");
        let (sender, receiver) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            // Nobody listens when the caller's thread has ended.
            let _ = sender.send(request.await);
        });
        receiver.recv().map_err(|_| Error::bug("a request to an object store panicked"))
    }

    fn error(&self, action: &str, path: &str, error: &object_store::Error) -> Error {
        use object_store::Error as Store;
        let code = match error {
            Store::NotFound { .. } => SqlState::UNDEFINED_FILE,
            Store::AlreadyExists { .. } | Store::Precondition { .. } => SqlState::DUPLICATE_FILE,
            Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => {
                SqlState::INSUFFICIENT_PRIVILEGE
            }
            _ => SqlState::IO_ERROR,
        };
        let place = join(self.address.trim_end_matches('/'), path);
        Error::new(code, format!("could not {action} \"{place}\": {error}"))
    }

    /// The length of a file; `None` when it is not there.
    fn length(&self, path: &str) -> Result<Option<u64>> {
        let (store, location) = (Arc::clone(&self.store), self.location(path)?);
        match self.wait(async move { store.head(&location).await })? {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error("stat file", path, &error)),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Disk for ObjectDisk {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn File>> {
        let shared = Arc::clone(&self.shared);
        let length = shared.length(path)?;
        match (mode, length) {
            (OpenMode::Read, Some(length)) => {
                let location = shared.location(path)?;
                Ok(Arc::new(Stored { shared, path: path.to_owned(), location, length }))
            }
            (OpenMode::Read, None) => {
                let message = format!("could not open file \"{path}\": there is no such object");
                Err(Error::new(SqlState::UNDEFINED_FILE, message))
            }
            (OpenMode::Create, Some(_)) => {
                let message = format!("could not create file \"{path}\": it exists");
                Err(Error::new(SqlState::DUPLICATE_FILE, message))
            }
            (OpenMode::Create, None) => {
                let location = shared.location(path)?;
                let state = Mutex::new(Sending::default());
                Ok(Arc::new(New { shared, path: path.to_owned(), location, state }))
            }
            (OpenMode::ReadWrite | OpenMode::CreateOrOpen, _) => Err(unchangeable(path)),
        }
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let (store, location) = (Arc::clone(&self.shared.store), self.shared.location(dir)?);
        let listed =
            self.shared.wait(async move { store.list_with_delimiter(Some(&location)).await })?;
        let listed = listed.map_err(|e| self.shared.error("read directory", dir, &e))?;
        let files = listed.objects.iter().map(|object| &object.location);
        let all = files.chain(&listed.common_prefixes);
        let mut names: Vec<String> = all.filter_map(|p| p.filename().map(str::to_owned)).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let store = Arc::clone(&self.shared.store);
        let (old, new) = (self.shared.location(from)?, self.shared.location(to)?);
        let renamed = self.shared.wait(async move { store.rename(&old, &new).await })?;
        renamed.map_err(|e| self.shared.error("rename file", from, &e))
    }

    fn remove(&self, path: &str) -> Result<()> {
        let (store, location) = (Arc::clone(&self.shared.store), self.shared.location(path)?);
        let removed = self.shared.wait(async move { store.delete(&location).await })?;
        removed.map_err(|e| self.shared.error("remove file", path, &e))
    }

    fn create_dir_all(&self, path: &str) -> Result<()> {
        check_path(path)
    }

    fn sync_dir(&self, path: &str) -> Result<()> {
        check_path(path)
    }

    fn exists(&self, path: &str) -> Result<bool> {
        if !path.is_empty() && self.shared.length(path)?.is_some() {
            return Ok(true);
        }
        Ok(!self.list(path)?.is_empty())
    }

    fn lock(&self, path: &str) -> Result<DiskLock> {
        Err(Error::unsupported(format!("\"{path}\" cannot be locked in an object store")))
    }

    /// Files that never change need nobody kept away.
    fn hold(&self, path: &str) -> Result<Option<DiskLock>> {
        check_path(path).map(|()| None)
    }

    fn describe(&self) -> String {
        self.shared.address.clone()
    }

    fn appears_whole(&self) -> bool {
        true
    }
}

fn unchangeable(path: &str) -> Error {
    Error::unsupported(format!("file \"{path}\" in an object store cannot be changed"))
}

/// A file that is there.
struct Stored {
    shared: Arc<Shared>,
    path: String,
    location: Path,
    length: u64,
}

impl File for Stored {
    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        let end = self.length.min(offset.saturating_add(out.len() as u64));
        if offset >= end {
            return Ok(0);
        }
        let (store, location) = (Arc::clone(&self.shared.store), self.location.clone());
        let read = async move {
            let range = Some(GetRange::Bounded(offset..end));
            store
                .get_opts(&location, GetOptions { range, ..GetOptions::default() })
                .await?
                .bytes()
                .await
        };
        let failed = |e| self.shared.error("read file", &self.path, &e);
        let bytes = self.shared.wait(read)?.map_err(failed)?;
        let length = bytes.len().min(out.len());
        out[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> Result<()> {
        Err(unchangeable(&self.path))
    }

    fn set_len(&self, _length: u64) -> Result<()> {
        Err(unchangeable(&self.path))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.length)
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }
}

/// A file that is being sent.
struct New {
    shared: Arc<Shared>,
    path: String,
    location: Path,
    state: Mutex<Sending>,
}

#[derive(Default)]
struct Sending {
    /// What was not sent yet.
    rest: Vec<u8>,
    length: u64,
    /// There is one once more has come than fits into one request.
    upload: Option<Box<dyn MultipartUpload>>,
    complete: bool,
}

impl New {
    /// Sends a part. An upload that failed is not tried again.
    fn send_part(&self, state: &mut Sending, part: Vec<u8>) -> Result<()> {
        let (store, location) = (Arc::clone(&self.shared.store), self.location.clone());
        let upload = state.upload.take();
        let sent = self.shared.wait(async move {
            let mut upload = match upload {
                Some(upload) => upload,
                None => store.put_multipart(&location).await?,
            };
            match upload.put_part(PutPayload::from(part)).await {
                Ok(()) => Ok(upload),
                Err(error) => {
                    // What was sent is of no use; a store that keeps it is told so by its owner.
                    let _ = upload.abort().await;
                    Err(error)
                }
            }
        })?;
        state.upload = Some(sent.map_err(|e| self.shared.error("write to file", &self.path, &e))?);
        Ok(())
    }
}

impl File for New {
    fn read_at(&self, _out: &mut [u8], _offset: u64) -> Result<usize> {
        Err(Error::unsupported(format!("file \"{}\" is still being written", self.path)))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut state = self.state.lock();
        if state.complete || offset != state.length {
            return Err(unchangeable(&self.path));
        }
        state.rest.extend_from_slice(bytes);
        state.length += bytes.len() as u64;
        while state.rest.len() > PART_BYTES {
            let rest = state.rest.split_off(PART_BYTES);
            let part = std::mem::replace(&mut state.rest, rest);
            self.send_part(&mut state, part)?;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<()> {
        if length == self.state.lock().length { Ok(()) } else { Err(unchangeable(&self.path)) }
    }

    fn len(&self) -> Result<u64> {
        Ok(self.state.lock().length)
    }

    fn sync_data(&self) -> Result<()> {
        let mut state = self.state.lock();
        if state.complete {
            return Ok(());
        }
        let rest = std::mem::take(&mut state.rest);
        let failed = |e| self.shared.error("write to file", &self.path, &e);
        if state.upload.is_some() {
            self.send_part(&mut state, rest)?;
            if let Some(mut upload) = state.upload.take() {
                self.shared.wait(async move { upload.complete().await })?.map_err(failed)?;
            }
        } else {
            let (store, location) = (Arc::clone(&self.shared.store), self.location.clone());
            let put = async move {
                let rest = PutPayload::from(rest);
                let created = PutOptions::from(PutMode::Create);
                match store.put_opts(&location, rest.clone(), created).await {
                    // A store without conditions; that nothing was there was looked at before.
                    Err(object_store::Error::NotImplemented { .. }) => {
                        store.put(&location, rest).await
                    }
                    put => put,
                }
            };
            self.shared.wait(put)?.map_err(failed)?;
        }
        state.complete = true;
        Ok(())
    }
}

impl Drop for New {
    fn drop(&mut self) {
        if let Some(mut upload) = self.state.get_mut().upload.take() {
            // The file was given up; what the store keeps of it nobody will see.
            let _ = self.shared.wait(async move { upload.abort().await.is_ok() });
        }
    }
}

#[cfg(test)]
mod tests;
