//! A disk with a page cache that forgets: the worst that POSIX allows, from one seed.
//!
//! Each file has a *content* (what reads see) and a *durable* image (what a crash leaves). Writes
//! change the content and queue up; a sync carries the queue over to the durable image; a crash
//! carries over a random part of it, cut at 512-byte sectors, so that writes tear and overtake each
//! other. Names work the same way, with `sync_dir` as their sync.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use parking_lot::Mutex;

use super::SimClock;
use crate::disk::parent_of;
use crate::rng::Prng;

mod files;

/// What hardware writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// How often the disk was asked for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DiskCounts {
    /// Calls that wrote bytes.
    pub writes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Syncs of files.
    pub syncs: u64,
    /// Syncs of directories.
    pub dir_syncs: u64,
    /// Calls that read bytes.
    pub reads: u64,
}

/// The simulated disk.
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct Node {
    path: String,
    content: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// What the newest write replaced, for reads that do not see it.
    replaced: Option<Replaced>,
    /// Open handles; a removed file lives as long as it has some.
    handles: usize,
}

/// Bytes as they were before a write.
struct Replaced {
    offset: usize,
    bytes: Vec<u8>,
    /// The file's length before.
    length: usize,
}

enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

enum NameChange {
    Link { path: String, node: u64 },
    Unlink { path: String },
    Rename { from: String, to: String, node: u64 },
}

impl NameChange {
    fn touches(&self, dir: &str) -> bool {
        match self {
            NameChange::Link { path, .. } | NameChange::Unlink { path } => parent_of(path) == dir,
            NameChange::Rename { from, to, .. } => parent_of(from) == dir || parent_of(to) == dir,
        }
    }
}

struct Countdown {
    fragment: String,
    skip: u64,
}

#[derive(Default)]
struct Faults {
    halt_after: Option<u64>,
    halted: bool,
    space: Option<u64>,
    sync: Vec<Countdown>,
    write: Vec<Countdown>,
    reads: Option<String>,
    /// Reads that give bytes of another place.
    misdirected: Vec<Countdown>,
    /// Reads that do not see the newest write.
    stale: Vec<Countdown>,
    /// How long an operation may take.
    slow_us: u64,
}

struct State {
    clock: Arc<SimClock>,
    /// Counts restarts; handles of an earlier run are dead.
    run: u64,
    prng: Prng,
    nodes: BTreeMap<u64, Node>,
    next_node: u64,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    pending_names: Vec<NameChange>,
    dirs: BTreeSet<String>,
    locks: BTreeSet<String>,
    faults: Faults,
    counts: DiskCounts,
}

/// What a crash keeps of the queued changes.
#[derive(Clone, Copy)]
enum Survival {
    Nothing,
    Everything,
    /// Each change, in order, until the dice say stop.
    Prefix,
    /// Each change by its own toss.
    Scattered,
}

impl SimDisk {
    pub(super) fn new(prng: Prng, clock: Arc<SimClock>) -> Self {
        let state = State {
            clock,
            run: 0,
            prng,
            nodes: BTreeMap::new(),
            next_node: 1,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            dirs: BTreeSet::from([String::new()]),
            locks: BTreeSet::new(),
            faults: Faults::default(),
            counts: DiskCounts::default(),
        };
        SimDisk { state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn crash(&self) {
        let mut state = self.state.lock();
        let survival = match state.prng.below(4) {
            0 => Survival::Nothing,
            1 => Survival::Everything,
            2 => Survival::Prefix,
            _ => Survival::Scattered,
        };
        state.crash(survival);
    }

    pub(crate) fn crash_losing_all_unsynced(&self) {
        self.state.lock().crash(Survival::Nothing);
    }

    pub(crate) fn kill(&self) {
        self.state.lock().restart();
    }

    pub(crate) fn halt_after(&self, operations: u64) {
        self.state.lock().faults.halt_after = Some(operations);
    }

    pub(crate) fn limit_space(&self, bytes: Option<u64>) {
        self.state.lock().faults.space = bytes;
    }

    pub(crate) fn fail_sync(&self, fragment: &str, skip: u64) {
        self.state.lock().faults.sync.push(Countdown { fragment: fragment.to_owned(), skip });
    }

    pub(crate) fn fail_write(&self, fragment: &str, skip: u64) {
        self.state.lock().faults.write.push(Countdown { fragment: fragment.to_owned(), skip });
    }

    pub(crate) fn fail_reads(&self, fragment: Option<&str>) {
        self.state.lock().faults.reads = fragment.map(str::to_owned);
    }

    pub(crate) fn misdirect_read(&self, fragment: &str, skip: u64) {
        let fault = Countdown { fragment: fragment.to_owned(), skip };
        self.state.lock().faults.misdirected.push(fault);
    }

    pub(crate) fn stale_read(&self, fragment: &str, skip: u64) {
        let fault = Countdown { fragment: fragment.to_owned(), skip };
        self.state.lock().faults.stale.push(fault);
    }

    pub(crate) fn slow_down(&self, most_us: u64) {
        self.state.lock().faults.slow_us = most_us;
    }

    pub(crate) fn lift_read_faults(&self) {
        let mut state = self.state.lock();
        state.faults.misdirected.clear();
        state.faults.stale.clear();
    }

    pub(crate) fn flip_bit(&self, path: &str, byte_offset: u64, bit: u32) -> Result<()> {
        let mut state = self.state.lock();
        let node = *state.names.get(path).ok_or_else(|| not_found("open file", path))?;
        let node = state.nodes.get_mut(&node).expect("every name has its node");
        let at = byte_offset as usize;
        let mask = 1u8 << (bit % 8);
        for image in [&mut node.content, &mut node.durable] {
            if let Some(byte) = image.get_mut(at) {
                *byte ^= mask;
            }
        }
        Ok(())
    }

    pub(crate) fn flip_random_bit(&self, path: &str) -> Result<u64> {
        let (byte_offset, bit) = {
            let mut state = self.state.lock();
            let node = *state.names.get(path).ok_or_else(|| not_found("open file", path))?;
            let length = state.nodes[&node].content.len() as u64;
            (state.prng.below(length), state.prng.below(8) as u32)
        };
        self.flip_bit(path, byte_offset, bit)?;
        Ok(byte_offset)
    }

    pub(crate) fn counts(&self) -> DiskCounts {
        self.state.lock().counts
    }
}

fn not_found(action: &str, path: &str) -> Error {
    Error::new(
        SqlState::UNDEFINED_FILE,
        format!("could not {action} \"{path}\": No such file or directory"),
    )
}

fn input_output(action: &str, path: &str) -> Error {
    Error::new(SqlState::IO_ERROR, format!("could not {action} \"{path}\": Input/output error"))
}

fn halted() -> Error {
    Error::new(SqlState::IO_ERROR, "the simulated machine has stopped")
}

fn store(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(bytes);
}

/// Cuts a write at sector boundaries.
fn sectors(offset: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == bytes.len() {
            return None;
        }
        let start = offset + at;
        let length = (SECTOR_BYTES - start % SECTOR_BYTES).min(bytes.len() - at);
        let piece = &bytes[at..at + length];
        at += length;
        Some((start, piece))
    })
}

impl Node {
    /// Writes to the cache.
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let length = self.content.len();
        let end = (offset + bytes.len()).min(length);
        let before = self.content.get(offset..end).unwrap_or_default().to_vec();
        self.replaced = Some(Replaced { offset, bytes: before, length });
        store(&mut self.content, offset, bytes);
        self.pending.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    /// The content without the newest write.
    fn stale(&self) -> Vec<u8> {
        let mut content = self.content.clone();
        if let Some(Replaced { offset, bytes, length }) = &self.replaced {
            store(&mut content, *offset, bytes);
            content.truncate(*length);
        }
        content
    }

    fn settle(&mut self) {
        for change in self.pending.drain(..) {
            match change {
                Change::Write { offset, bytes } => store(&mut self.durable, offset, &bytes),
                Change::SetLen(length) => self.durable.resize(length, 0),
            }
        }
    }

    fn settle_some(&mut self, mut keep: impl FnMut() -> bool) {
        for change in self.pending.drain(..) {
            match change {
                Change::Write { offset, bytes } => {
                    for (start, piece) in sectors(offset, &bytes) {
                        if keep() {
                            store(&mut self.durable, start, piece);
                        }
                    }
                }
                Change::SetLen(length) => {
                    if keep() {
                        self.durable.resize(length, 0);
                    }
                }
            }
        }
    }
}

impl State {
    /// Counts one change of the disk; an error means the machine has stopped *in* it.
    fn step(&mut self) -> Result<()> {
        self.alive()?;
        self.dawdle();
        match &mut self.faults.halt_after {
            None => Ok(()),
            Some(0) => {
                self.faults.halted = true;
                Err(halted())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    /// Lets an operation take its time.
    fn dawdle(&mut self) {
        if self.faults.slow_us > 0 {
            *self.clock.elapsed_us.lock() += self.prng.below(self.faults.slow_us);
        }
    }

    /// Reads a file, as the faults have it; how many bytes.
    fn read(&mut self, id: u64, out: &mut [u8], offset: usize) -> usize {
        let Some(node) = self.nodes.get(&id) else { return 0 };
        let copy = |content: &[u8], from: usize, out: &mut [u8]| {
            let rest = content.get(from..).unwrap_or_default();
            let length = rest.len().min(out.len());
            out[..length].copy_from_slice(&rest[..length]);
            length
        };
        if State::strikes(&mut self.faults.stale, &node.path) {
            return copy(&node.stale(), offset, out);
        }
        let length = copy(&node.content, offset, out);
        if State::strikes(&mut self.faults.misdirected, &node.path) {
            let distance = SECTOR_BYTES * (1 + self.prng.below(8) as usize);
            let before = self.prng.below(2) == 0;
            let from = offset.checked_sub(distance).filter(|_| before);
            out[..length].fill(0);
            copy(&node.content, from.unwrap_or(offset + distance), &mut out[..length]);
        }
        length
    }

    fn alive(&self) -> Result<()> {
        if self.faults.halted { Err(halted()) } else { Ok(()) }
    }

    fn strikes(faults: &mut Vec<Countdown>, path: &str) -> bool {
        let Some(at) = faults.iter().position(|fault| path.contains(&fault.fragment)) else {
            return false;
        };
        if faults[at].skip > 0 {
            faults[at].skip -= 1;
            return false;
        }
        faults.remove(at);
        true
    }

    fn node(&mut self, run: u64, id: u64) -> Result<&mut Node> {
        if run != self.run {
            return Err(halted());
        }
        self.nodes.get_mut(&id).ok_or_else(|| Error::bug("a simulated file lost its node"))
    }

    fn crash(&mut self, survival: Survival) {
        let prng = &mut self.prng;
        // One prefix across names, one per file: metadata and data are ordered independently.
        let keeper = |prng: &mut Prng| {
            let mut stopped = false;
            let odds = 2 + prng.below(14);
            move |prng: &mut Prng| match survival {
                Survival::Nothing => false,
                Survival::Everything => true,
                Survival::Prefix => {
                    stopped |= prng.below(odds) == 0;
                    !stopped
                }
                Survival::Scattered => prng.below(2) == 0,
            }
        };
        let mut keep_name = keeper(prng);
        for change in std::mem::take(&mut self.pending_names) {
            if keep_name(prng) {
                settle_name(&mut self.durable_names, change);
            }
        }
        for node in self.nodes.values_mut() {
            let mut keep = keeper(prng);
            node.settle_some(|| keep(prng));
            node.content.clone_from(&node.durable);
        }
        self.names.clone_from(&self.durable_names);
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.nodes.retain(|id, _| named.contains(id));
        for (path, id) in &self.names {
            if let Some(node) = self.nodes.get_mut(id) {
                node.path.clone_from(path);
            }
        }
        self.restart();
    }

    fn restart(&mut self) {
        self.run += 1;
        for node in self.nodes.values_mut() {
            node.handles = 0;
        }
        self.locks.clear();
        self.faults = Faults::default();
    }

    /// Forgets files that can neither be opened again nor come back after a crash.
    fn forget_removed(&mut self) {
        let mut named: BTreeSet<u64> = self.names.values().copied().collect();
        named.extend(self.durable_names.values());
        named.extend(self.pending_names.iter().filter_map(|change| match change {
            NameChange::Link { node, .. } | NameChange::Rename { node, .. } => Some(*node),
            NameChange::Unlink { .. } => None,
        }));
        self.nodes.retain(|id, node| node.handles > 0 || named.contains(id));
    }

    /// How much of a growth to `end` fits; the rest is refused.
    fn reserve(&mut self, id: u64, end: usize) -> usize {
        let length = self.nodes.get(&id).map_or(0, |node| node.content.len());
        let growth = end.saturating_sub(length) as u64;
        let Some(space) = &mut self.faults.space else { return end };
        let granted = growth.min(*space);
        *space -= granted;
        if granted == growth { end } else { length + granted as usize }
    }
}

fn settle_name(names: &mut BTreeMap<String, u64>, change: NameChange) {
    match change {
        NameChange::Link { path, node } => {
            names.insert(path, node);
        }
        NameChange::Unlink { path } => {
            names.remove(&path);
        }
        NameChange::Rename { from, to, node } => {
            if names.get(&from) == Some(&node) {
                names.remove(&from);
            }
            names.insert(to, node);
        }
    }
}
