//! The simulated disk as the traits see it: every call changes the cache and queues what a sync
//! would carry over.

use std::collections::BTreeSet;
use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use parking_lot::Mutex;

use super::{
    Change, NameChange, Node, SimDisk, State, halted, input_output, not_found, settle_name,
};
use crate::disk::{Disk, DiskLock, File, OpenMode, check_path, join, lock_taken, parent_of};

impl Disk for SimDisk {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn File>> {
        check_path(path)?;
        let mut state = self.state.lock();
        state.alive()?;
        let id = match (state.names.get(path).copied(), mode) {
            (Some(_), OpenMode::Create) => {
                let message = format!("could not create file \"{path}\": File exists");
                return Err(Error::new(SqlState::DUPLICATE_FILE, message));
            }
            (Some(id), _) => id,
            (None, OpenMode::Read | OpenMode::ReadWrite) => {
                return Err(not_found("open file", path));
            }
            (None, OpenMode::Create | OpenMode::CreateOrOpen) => {
                if !state.dirs.contains(parent_of(path)) {
                    return Err(not_found("create file", path));
                }
                let stopped = state.step();
                let id = state.next_node;
                state.next_node += 1;
                state.nodes.insert(id, Node { path: path.to_owned(), ..Node::default() });
                state.names.insert(path.to_owned(), id);
                state.pending_names.push(NameChange::Link { path: path.to_owned(), node: id });
                stopped?;
                id
            }
        };
        let run = state.run;
        state.node(run, id)?.handles += 1;
        Ok(Arc::new(SimFile { state: Arc::clone(&self.state), run, node: id }))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        check_path(dir)?;
        let state = self.state.lock();
        state.alive()?;
        if !state.dirs.contains(dir) {
            return Err(not_found("read directory", dir));
        }
        let entries = state.names.keys().chain(state.dirs.iter().filter(|path| !path.is_empty()));
        let names: BTreeSet<String> = entries
            .filter(|path| parent_of(path) == dir)
            .map(|path| path.rsplit('/').next().unwrap_or(path).to_owned())
            .collect();
        Ok(names.into_iter().collect())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        check_path(from)?;
        check_path(to)?;
        let mut state = self.state.lock();
        state.alive()?;
        let node = *state.names.get(from).ok_or_else(|| not_found("rename file", from))?;
        let stopped = state.step();
        state.names.remove(from);
        state.names.insert(to.to_owned(), node);
        if let Some(node) = state.nodes.get_mut(&node) {
            to.clone_into(&mut node.path);
        }
        let change = NameChange::Rename { from: from.to_owned(), to: to.to_owned(), node };
        state.pending_names.push(change);
        stopped
    }

    fn remove(&self, path: &str) -> Result<()> {
        check_path(path)?;
        let mut state = self.state.lock();
        state.alive()?;
        if !state.names.contains_key(path) {
            return Err(not_found("remove file", path));
        }
        let stopped = state.step();
        state.names.remove(path);
        state.pending_names.push(NameChange::Unlink { path: path.to_owned() });
        stopped
    }

    fn create_dir_all(&self, path: &str) -> Result<()> {
        check_path(path)?;
        let mut state = self.state.lock();
        state.step()?;
        let mut dir = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            dir = join(&dir, part);
            state.dirs.insert(dir.clone());
        }
        Ok(())
    }

    fn sync_dir(&self, path: &str) -> Result<()> {
        check_path(path)?;
        let mut state = self.state.lock();
        state.step()?;
        state.counts.dir_syncs += 1;
        if !state.dirs.contains(path) {
            return Err(not_found("fsync directory", path));
        }
        let struck = State::strikes(&mut state.faults.sync, path);
        let pending = std::mem::take(&mut state.pending_names);
        let (settled, waiting): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|change| change.touches(path));
        state.pending_names = waiting;
        if struck {
            return Err(input_output("fsync directory", path));
        }
        for change in settled {
            settle_name(&mut state.durable_names, change);
        }
        state.forget_removed();
        Ok(())
    }

    fn exists(&self, path: &str) -> Result<bool> {
        check_path(path)?;
        let state = self.state.lock();
        state.alive()?;
        Ok(state.names.contains_key(path) || state.dirs.contains(path))
    }

    fn lock(&self, path: &str) -> Result<DiskLock> {
        self.open(path, OpenMode::CreateOrOpen)?;
        let mut state = self.state.lock();
        if !state.locks.insert(path.to_owned()) {
            return Err(lock_taken(path, "This process holds the lock."));
        }
        let run = state.run;
        Ok(DiskLock::new(SimLock { state: Arc::clone(&self.state), run, path: path.to_owned() }))
    }

    fn hold(&self, path: &str) -> Result<Option<DiskLock>> {
        if !self.exists(path)? {
            return Ok(None);
        }
        self.lock(path).map(Some)
    }

    fn describe(&self) -> String {
        "simulated disk".to_owned()
    }
}

struct SimLock {
    state: Arc<Mutex<State>>,
    run: u64,
    path: String,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        if state.run == self.run {
            state.locks.remove(&self.path);
        }
    }
}

struct SimFile {
    state: Arc<Mutex<State>>,
    run: u64,
    node: u64,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        if let Ok(node) = state.node(self.run, self.node) {
            node.handles -= 1;
        }
    }
}

impl File for SimFile {
    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize> {
        let mut state = self.state.lock();
        state.alive()?;
        state.counts.reads += 1;
        let path = &state.node(self.run, self.node)?.path.clone();
        if state.faults.reads.as_ref().is_some_and(|fragment| path.contains(fragment)) {
            return Err(input_output("read file", path));
        }
        state.dawdle();
        Ok(state.read(self.node, out, offset as usize))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut state = self.state.lock();
        let path = state.node(self.run, self.node)?.path.clone();
        state.alive()?;
        let stopped = state.step();
        state.counts.writes += 1;
        state.counts.written_bytes += bytes.len() as u64;
        let struck = State::strikes(&mut state.faults.write, &path);
        let offset = offset as usize;
        let mut end = state.reserve(self.node, offset + bytes.len());
        let full = end < offset + bytes.len();
        if struck {
            let most = bytes.len() as u64;
            end = end.min(offset + state.prng.below(most) as usize);
        }
        let written = &bytes[..end.saturating_sub(offset)];
        let node = state.node(self.run, self.node)?;
        if !written.is_empty() {
            node.write(offset, written);
        }
        stopped?;
        if struck {
            return Err(input_output("write to file", &path));
        }
        if full {
            let message = format!("could not write to file \"{path}\": No space left on device");
            return Err(Error::new(SqlState::DISK_FULL, message));
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<()> {
        let mut state = self.state.lock();
        state.alive()?;
        state.node(self.run, self.node)?;
        let stopped = state.step();
        let granted = state.reserve(self.node, length as usize);
        let node = state.node(self.run, self.node)?;
        if granted < length as usize {
            let message = format!("could not truncate file \"{}\": No space left", node.path);
            return Err(Error::new(SqlState::DISK_FULL, message));
        }
        node.content.resize(length as usize, 0);
        node.replaced = None;
        node.pending.push(Change::SetLen(length as usize));
        stopped
    }

    fn len(&self) -> Result<u64> {
        let mut state = self.state.lock();
        state.alive()?;
        Ok(state.node(self.run, self.node)?.content.len() as u64)
    }

    fn sync_data(&self) -> Result<()> {
        let mut state = self.state.lock();
        let path = state.node(self.run, self.node)?.path.clone();
        state.step()?;
        state.counts.syncs += 1;
        let struck = State::strikes(&mut state.faults.sync, &path);
        let State { nodes, prng, .. } = &mut *state;
        let node = nodes.get_mut(&self.node).ok_or_else(halted)?;
        if struck {
            // The kernel reports the loss once and marks the pages clean: some reached the medium.
            node.settle_some(|| prng.below(2) == 0);
            return Err(input_output("fsync file", &path));
        }
        node.settle();
        Ok(())
    }
}
