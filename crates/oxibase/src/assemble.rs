//! Puts the parts together: which world, which storage, which background work.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use oxi_base::Result;
use oxi_model::engine::Engine;
use oxi_session::DatabaseOptions;
use oxi_store::{Archiver, Flush, Observer, Store, StoreOptions};
use oxi_world::{World, disk::place, tasks::TaskHandle};
use parking_lot::Mutex;

use crate::archive::Archiving;
use crate::database::{Checkpoint, Options};
use crate::units;

/// How often versions that nobody sees any more are collected.
const COLLECT_EVERY_US: u64 = 200_000;

/// A running database with everything it needs.
pub(crate) struct Assembly {
    pub(crate) store: Arc<Store>,
    pub(crate) sessions: oxi_session::Database,
    background: Mutex<Option<TaskHandle>>,
    archiving: Option<Archiving>,
    stop: Arc<AtomicBool>,
    world: World,
}

impl Assembly {
    /// Opens a database in a directory, or in memory if there is none.
    pub(crate) fn open(directory: Option<&Path>, options: Options) -> Result<Self> {
        let world = match directory {
            Some(path) => World::real(path)?,
            None => World::in_memory()?,
        };
        // Where nothing reaches a disk, there is nothing to gather for one sync.
        let flush = if directory.is_some() { Flush::Writer } else { Flush::Caller };
        let observer = Observer::new(|progress| {
            tracing::info!("{}", crate::check::progress_line(&progress));
        });
        let memory_limit = options.memory_limit.filter(|_| directory.is_some());
        let store_options = StoreOptions {
            flush,
            observer,
            memory_limit,
            history_retention_us: options.history_retention_us,
            retained_checkpoints: options.retained_checkpoints,
            ..StoreOptions::default()
        };
        let store = Store::open(world.clone(), store_options)?;
        // Before the first checkpoint, which removes what is archived.
        let archive = options.archive.as_deref().map(place::open).transpose()?;
        let archiver = archive.map(|archive| store.archive_to(archive));
        Self::over(store, world, options, archiver)
    }

    /// Opens a checkpoint of the database in a directory.
    pub(crate) fn open_checkpoint(directory: &Path, number: u64) -> Result<Self> {
        let world = World::real(directory)?;
        let (scratch, options) = (World::in_memory()?, StoreOptions::default());
        let store = Store::open_checkpoint(world.clone(), scratch, options, number)?;
        Self::over(store, world, Options::default(), None)
    }

    fn over(
        store: Arc<Store>,
        world: World,
        mut options: Options,
        archiver: Option<Arc<Archiver>>,
    ) -> Result<Self> {
        options.history_retention_us = Some(store.history_retention_us());
        options.retained_checkpoints = Some(store.retained_checkpoints());
        let engine: Arc<dyn Engine> = Arc::clone(&store) as Arc<dyn Engine>;
        let server_settings = Arc::new(units::shown(&options));
        let session_options = DatabaseOptions {
            connections_max: options.connections_max,
            authentication: options.authentication,
            server_files: options.server_files,
            server_settings,
            ..DatabaseOptions::default()
        };
        let pace =
            Pace { log_bytes: options.max_wal_bytes, every_us: options.checkpoint_timeout_us };
        // Nothing here waits for anybody else, so any executor will do.
        let sessions = futures::executor::block_on(oxi_session::Database::open(
            engine,
            world.clone(),
            session_options,
        ))?;
        let stop = Arc::new(AtomicBool::new(false));
        let archiving = archiver
            .map(|archiver| Archiving::start(&world, &store, archiver, options.archive_timeout_us))
            .transpose()?;
        let background = start_background(&world, &store, &stop, pace)?;
        let background = Mutex::new(Some(background));
        Ok(Assembly { store, sessions, background, archiving, stop, world })
    }

    /// Threads that make sense at once.
    pub(crate) fn parallelism(&self) -> usize {
        self.world.tasks.parallelism()
    }

    /// Ends background work, writes a checkpoint, closes the files.
    pub(crate) fn close(&self) -> Result<()> {
        self.stop.store(true, Ordering::Release);
        if let Some(background) = self.background.lock().take() {
            background.join()?;
            let stopped = self.archiving.as_ref().map_or(Ok(()), Archiving::stop);
            self.store.close()?;
            if let Some(archiving) = &self.archiving {
                archiving.finish();
            }
            stopped?;
        }
        Ok(())
    }
}

/// The checkpoints in a directory.
pub(crate) fn checkpoints(directory: &Path) -> Result<Vec<Checkpoint>> {
    let found = Store::checkpoints(&World::real(directory)?, "")?;
    let of_store = |one: &oxi_store::Checkpoint| Checkpoint {
        number: one.number,
        committed_us: one.ts.unix_us(),
        committed_at: one.committed_at(),
    };
    Ok(found.iter().map(of_store).collect())
}

/// When a checkpoint is due.
#[derive(Clone, Copy)]
struct Pace {
    /// After so much log …
    log_bytes: u64,
    /// … or so much time, if anything was written.
    every_us: u64,
}

/// Collection of old versions and periodic checkpoints.
fn start_background(
    world: &World,
    store: &Arc<Store>,
    stop: &Arc<AtomicBool>,
    pace: Pace,
) -> Result<TaskHandle> {
    let (clock, tasks) = (Arc::clone(&world.clock), Arc::clone(&world.tasks));
    let (store, stop) = (Arc::clone(store), Arc::clone(stop));
    let body = move || {
        let mut checkpoint_us = clock.monotonic_us();
        let mut checkpoint_log = store.log_position();
        while !stop.load(Ordering::Acquire) {
            tasks.sleep(COLLECT_EVERY_US);
            store.collect();
            let (now, log) = (clock.monotonic_us(), store.log_position());
            let written = log.saturating_sub(checkpoint_log);
            let is_due = now.saturating_sub(checkpoint_us) >= pace.every_us && written > 0;
            if is_due || written >= pace.log_bytes {
                match store.checkpoint() {
                    Ok(report) => tracing::info!("{}", crate::check::checkpoint_line(&report)),
                    Err(error) => tracing::error!(%error, "checkpoint failed"),
                }
                checkpoint_us = now;
                checkpoint_log = store.log_position();
            }
        }
    };
    world.tasks.spawn_thread("oxi-background", Box::new(body))
}
