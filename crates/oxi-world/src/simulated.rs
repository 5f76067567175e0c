//! A world that grows from one seed: time moves when told, disks fail when told.
//!
//! [`SimControl`] is the hand of fate: it advances the clock, crashes the machine, breaks the
//! disk, and runs the background tasks that the product only *asked* for.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use oxi_base::Result;
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::rng::{Prng, Rng};
use crate::tasks::{Signal, TaskHandle, Tasks};
use crate::world::World;

pub mod disk;

pub use disk::{DiskCounts, SimDisk};

/// The moment every simulated history begins: 2026-01-01T00:00:00Z.
pub const START_UNIX_US: i64 = 1_767_225_600_000_000;

/// Builds a simulated world and its control.
pub(crate) fn world(seed: u64) -> (World, SimControl) {
    let clock = Arc::new(SimClock { elapsed_us: Mutex::new(0) });
    // Faults draw from a stream of their own, so that one more random number taken by the product
    // does not change which sectors a crash keeps.
    let disk = Arc::new(SimDisk::new(Prng::new(seed ^ 0x6469_736b_6661_756c), Arc::clone(&clock)));
    let tasks = Arc::new(SimTasks { clock: Arc::clone(&clock), pending: Mutex::default() });
    let world = World {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        rng: Arc::new(SimRng { state: Mutex::new(Prng::new(seed)) }),
        disk: Arc::clone(&disk) as Arc<dyn crate::disk::Disk>,
        tasks: Arc::clone(&tasks) as Arc<dyn Tasks>,
    };
    (world, SimControl { clock, disk, tasks })
}

/// Makes things happen in a simulated world; cheap to clone.
#[derive(Clone)]
pub struct SimControl {
    clock: Arc<SimClock>,
    disk: Arc<SimDisk>,
    tasks: Arc<SimTasks>,
}

impl fmt::Debug for SimControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimControl").field("disk", &self.disk.counts()).finish_non_exhaustive()
    }
}

impl SimControl {
    /// Lets time pass.
    pub fn advance_us(&self, duration_us: u64) {
        *self.clock.elapsed_us.lock() += duration_us;
    }

    /// Stops and restarts the machine: open files and locks are gone, of what was not synced a
    /// random part survives, and all faults are lifted. Tasks not yet run are forgotten.
    pub fn crash(&self) {
        self.tasks.pending.lock().clear();
        self.disk.crash();
    }

    /// Like [`Self::crash`], but nothing unsynced survives: the strictest legal outcome.
    pub fn crash_losing_all_unsynced(&self) {
        self.tasks.pending.lock().clear();
        self.disk.crash_losing_all_unsynced();
    }

    /// Kills the process but not the machine: open files and locks are gone, all written bytes and
    /// names stay in the page cache, still unsynced.
    pub fn kill(&self) {
        self.tasks.pending.lock().clear();
        self.disk.kill();
    }

    /// Lets `operations` more changes of the disk happen (writes, syncs, renames …); the one after
    /// them half-happens and fails, and so does everything else until [`Self::crash`].
    pub fn halt_after(&self, operations: u64) {
        self.disk.halt_after(operations);
    }

    /// Lets files grow by `bytes` more before the disk is full; `None` lifts the limit.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.disk.limit_space(bytes);
    }

    /// Makes one sync of a file (or directory) whose path contains `fragment` fail, after `skip`
    /// that succeed. The unsynced bytes then count as clean: a later sync succeeds without them.
    pub fn fail_sync(&self, fragment: &str, skip: u64) {
        self.disk.fail_sync(fragment, skip);
    }

    /// Makes one write to a file whose path contains `fragment` fail, after `skip` that succeed.
    pub fn fail_write(&self, fragment: &str, skip: u64) {
        self.disk.fail_write(fragment, skip);
    }

    /// Makes reads of files whose path contains `fragment` fail until lifted with `None`.
    pub fn fail_reads(&self, fragment: Option<&str>) {
        self.disk.fail_reads(fragment);
    }

    /// Makes one read of a file whose path contains `fragment` give the bytes of another place of
    /// the file, after `skip` reads that are as they should be.
    pub fn misdirect_read(&self, fragment: &str, skip: u64) {
        self.disk.misdirect_read(fragment, skip);
    }

    /// Makes one read of a file whose path contains `fragment` miss the newest write to it, after
    /// `skip` reads that are as they should be.
    pub fn stale_read(&self, fragment: &str, skip: u64) {
        self.disk.stale_read(fragment, skip);
    }

    /// Lifts the wrong reads that were arranged and have not happened.
    pub fn lift_read_faults(&self) {
        self.disk.lift_read_faults();
    }

    /// Lets each operation of the disk take up to so many microseconds; 0 lifts it.
    pub fn slow_disk(&self, most_us: u64) {
        self.disk.slow_down(most_us);
    }

    /// Turns over one bit of a file, as a decaying medium does.
    pub fn flip_bit(&self, path: &str, byte_offset: u64, bit: u32) -> Result<()> {
        self.disk.flip_bit(path, byte_offset, bit)
    }

    /// Turns over a random bit of a file and tells the byte it is in.
    pub fn flip_random_bit(&self, path: &str) -> Result<u64> {
        self.disk.flip_random_bit(path)
    }

    /// How often the disk was written, synced and read.
    pub fn disk_counts(&self) -> DiskCounts {
        self.disk.counts()
    }

    /// The names of the tasks that were spawned and not run.
    pub fn pending_tasks(&self) -> Vec<String> {
        self.tasks.pending.lock().iter().map(|task| task.name.clone()).collect()
    }

    /// Runs the oldest pending task of this name to its end on the calling thread.
    pub fn run_task(&self, name: &str) -> bool {
        let task = {
            let mut pending = self.tasks.pending.lock();
            pending.iter().position(|task| task.name == name).and_then(|at| pending.remove(at))
        };
        task.map(|task| (task.body)()).is_some()
    }
}

struct SimClock {
    elapsed_us: Mutex<u64>,
}

impl Clock for SimClock {
    fn now_unix_us(&self) -> i64 {
        START_UNIX_US + *self.elapsed_us.lock() as i64
    }

    fn monotonic_us(&self) -> u64 {
        *self.elapsed_us.lock()
    }
}

struct SimRng {
    state: Mutex<Prng>,
}

impl Rng for SimRng {
    fn next_u64(&self) -> u64 {
        self.state.lock().next_u64()
    }

    fn fill(&self, out: &mut [u8]) {
        self.state.lock().fill(out);
    }
}

struct PendingTask {
    name: String,
    body: Box<dyn FnOnce() + Send>,
}

struct SimTasks {
    clock: Arc<SimClock>,
    pending: Mutex<VecDeque<PendingTask>>,
}

impl Tasks for SimTasks {
    fn spawn_thread(&self, name: &str, body: Box<dyn FnOnce() + Send>) -> Result<TaskHandle> {
        self.pending.lock().push_back(PendingTask { name: name.to_owned(), body });
        Ok(TaskHandle::detached())
    }

    fn sleep(&self, duration_us: u64) {
        *self.clock.elapsed_us.lock() += duration_us;
    }

    fn signal(&self) -> Arc<dyn Signal> {
        Arc::new(SimSignal { clock: Arc::clone(&self.clock), raised: Mutex::new(false) })
    }

    fn is_simulated(&self) -> bool {
        true
    }

    fn parallelism(&self) -> usize {
        1
    }
}

struct SimSignal {
    clock: Arc<SimClock>,
    raised: Mutex<bool>,
}

impl Signal for SimSignal {
    fn raise(&self) {
        *self.raised.lock() = true;
    }

    fn wait(&self, timeout_us: u64) -> bool {
        let raised = std::mem::take(&mut *self.raised.lock());
        if !raised {
            *self.clock.elapsed_us.lock() += timeout_us;
        }
        raised
    }
}

#[cfg(test)]
mod tests;
