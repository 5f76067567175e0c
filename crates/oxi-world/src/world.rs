//! The bundle of everything outside that a component is given at its construction.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use oxi_base::Result;

use crate::clock::{Clock, SystemClock};
use crate::disk::Disk;
use crate::disk::real::RealDisk;
use crate::rng::{Rng, SystemRng};
use crate::simulated::{self, SimControl};
use crate::tasks::{SystemTasks, Tasks};

/// Clock, randomness, disk and threads; cheap to clone.
#[derive(Clone)]
pub struct World {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where random numbers come from.
    pub rng: Arc<dyn Rng>,
    /// The one directory tree this database lives in.
    pub disk: Arc<dyn Disk>,
    /// How background threads run.
    pub tasks: Arc<dyn Tasks>,
}

impl World {
    /// The real world, with `root_dir` (created when missing) as the disk's root.
    pub fn real(root_dir: impl AsRef<Path>) -> Result<World> {
        Ok(World {
            clock: Arc::new(SystemClock::new()),
            rng: Arc::new(SystemRng::new()?),
            disk: Arc::new(RealDisk::open(root_dir.as_ref())?),
            tasks: Arc::new(SystemTasks),
        })
    }

    /// A world grown from one seed, and the handle that makes time pass and disks fail in it.
    pub fn simulated(seed: u64) -> (World, SimControl) {
        simulated::world(seed)
    }

    /// An in-memory world for databases without a directory: real time and randomness, threads
    /// that run, and a disk that vanishes with the process.
    pub fn in_memory() -> Result<World> {
        let (simulated, _) = simulated::world(0);
        Ok(World {
            clock: Arc::new(SystemClock::new()),
            rng: Arc::new(SystemRng::new()?),
            disk: simulated.disk,
            tasks: Arc::new(SystemTasks),
        })
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("disk", &self.disk.describe()).finish_non_exhaustive()
    }
}
