//! A copy of the sources, built and run apart from them.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use oxi_world::{Disk, World, disk::join};

/// Histories that one process lives: it is started anew so that one that hangs is noticed.
const SEEDS_AT_ONCE: u64 = 50;
/// How long these may take.
const PATIENCE_US: u64 = 240_000_000;
const LOOK_EVERY_US: u64 = 5_000;

/// The copy.
pub(super) struct Tree {
    world: World,
    work: PathBuf,
}

/// What came of a hunt.
pub(super) enum Hunt {
    /// A history did not keep its promises.
    Noticed {
        /// Which one.
        seed: String,
        /// The first broken promise.
        reason: String,
    },
    /// All went well.
    Nothing,
}

impl Tree {
    /// Copies what a build needs. Files that are the same already are left alone, so that what was
    /// built from them stays fresh.
    pub(super) fn copy(sources: &Path, work: &Path) -> Result<Tree, String> {
        let failed = |error: oxi_base::Error| error.to_string();
        let from = World::real(sources).map_err(failed)?;
        let world = World::real(work).map_err(failed)?;
        let tree = Tree { world, work: work.to_owned() };
        for name in ["Cargo.toml", "Cargo.lock"] {
            tree.copy_file(&*from.disk, name)?;
        }
        for dir in ["bench", "crates", "xtask"] {
            tree.copy_dir(&*from.disk, dir)?;
        }
        Ok(tree)
    }

    fn copy_dir(&self, from: &dyn Disk, dir: &str) -> Result<(), String> {
        for name in from.list(dir).map_err(|error| error.to_string())? {
            let path = join(dir, &name);
            let is_source = Path::new(&name).extension().is_some_and(|e| e == "rs" || e == "toml");
            if is_source {
                self.copy_file(from, &path)?;
            } else if name != "target" && from.list(&path).is_ok() {
                self.copy_dir(from, &path)?;
            }
        }
        Ok(())
    }

    fn copy_file(&self, from: &dyn Disk, path: &str) -> Result<(), String> {
        let bytes = from.read(path).map_err(|error| error.to_string())?;
        let disk = &self.world.disk;
        if disk.read(path).is_ok_and(|known| known == bytes) {
            return Ok(());
        }
        self.put(path, &bytes)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), String> {
        let disk = &self.world.disk;
        disk.create_dir_all(oxi_world::disk::parent_of(path))
            .and_then(|()| disk.replace(path, bytes))
            .map_err(|error| error.to_string())
    }

    pub(super) fn read(&self, path: &str) -> Result<String, String> {
        let bytes = self.world.disk.read(path).map_err(|error| error.to_string())?;
        String::from_utf8(bytes).map_err(|error| format!("{path}: {error}"))
    }

    pub(super) fn write(&self, path: &str, text: &str) -> Result<(), String> {
        self.put(path, text.as_bytes())
    }

    /// Builds the smallest program that has the store in it; what the compiler says is the error.
    pub(super) fn build(&self) -> Result<(), String> {
        let output = Command::new("cargo")
            .current_dir(&self.work)
            .args(["build", "--quiet", "--locked", "--package", "oxi-sim-store"])
            .args(["--bin", "oxi-sim-hunt"])
            .env("CARGO_TARGET_DIR", self.work.join("target"))
            .env("CARGO_INCREMENTAL", "1")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cargo does not start: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("it does not build:\n{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Lives histories until one breaks a promise.
    pub(super) fn hunt(&self, seeds: u64) -> Result<Hunt, String> {
        let mut first = 0;
        while first < seeds {
            let count = SEEDS_AT_ONCE.min(seeds - first);
            if let Some((seed, reason)) = self.hunt_some(first, count)? {
                return Ok(Hunt::Noticed { seed, reason });
            }
            first += count;
        }
        Ok(Hunt::Nothing)
    }

    fn hunt_some(&self, first: u64, count: u64) -> Result<Option<(String, String)>, String> {
        let program = self.work.join("target/debug/oxi-sim-hunt");
        let mut child = Command::new(&program)
            .args([first.to_string(), count.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", program.display()))?;
        let seeds = || format!("one of the seeds {first} to {}", first + count - 1);
        let Some(status) = self.wait(&mut child)? else {
            return Ok(Some((seeds(), "it does not end".to_owned())));
        };
        if status.success() {
            return Ok(None);
        }
        let mut said = String::new();
        if let Some(mut output) = child.stdout.take() {
            output.read_to_string(&mut said).map_err(|error| error.to_string())?;
        }
        let line = said.lines().next().and_then(|line| line.split_once(": "));
        Ok(Some(match line {
            Some((seed, reason)) => (seed.to_owned(), reason.to_owned()),
            None => (seeds(), format!("the process ended with {status}")),
        }))
    }

    /// Waits for the end; `None` if it did not come in time, after ending it.
    fn wait(&self, child: &mut Child) -> Result<Option<std::process::ExitStatus>, String> {
        let clock = &self.world.clock;
        let began = clock.monotonic_us();
        loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                return Ok(Some(status));
            }
            if clock.monotonic_us() - began > PATIENCE_US {
                child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
                return Ok(None);
            }
            self.world.tasks.sleep(LOOK_EVERY_US);
        }
    }
}
