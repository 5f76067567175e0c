//! The thread that archives the log of an open database.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use oxi_base::{Lsn, Result};
use oxi_store::{Archiver, Store};
use oxi_world::{World, tasks::TaskHandle};
use parking_lot::Mutex;

/// How often there may be something to do.
const LOOK_EVERY_US: u64 = 200_000;
/// How long the archive is left alone after a failure, at first and at most.
const RETRY_US: (u64, u64) = (1_000_000, 60_000_000);

/// Archiving as long as the database is open.
pub(crate) struct Archiving {
    archiver: Arc<Archiver>,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<TaskHandle>>,
}

impl Archiving {
    /// Lets an archiver work. With `timeout_us` above 0, a file of the log is ended so long after
    /// the one before if anything was written.
    pub(crate) fn start(
        world: &World,
        store: &Arc<Store>,
        archiver: Arc<Archiver>,
        timeout_us: u64,
    ) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let work = Work {
            world: world.clone(),
            store: Arc::clone(store),
            archiver: Arc::clone(&archiver),
            timeout_us,
            ended: (archiver.completed_end(), world.clock.monotonic_us()),
            retry: None,
        };
        let stopped = Arc::clone(&stop);
        let body = Box::new(move || work.run(&stopped));
        let thread = world.tasks.spawn_thread("oxi-archiver", body)?;
        Ok(Archiving { archiver, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) -> Result<()> {
        self.stop.store(true, Ordering::Release);
        self.thread.lock().take().map_or(Ok(()), TaskHandle::join)
    }

    /// Archives the rest of a log that is closed. What cannot be archived now is when the database
    /// is opened again.
    pub(crate) fn finish(&self) {
        match self.archiver.finish() {
            Ok(count) => say(&self.archiver, count),
            Err(error) => tracing::warn!(
                %error,
                "archiving the log failed; it is kept and archived after the next start"
            ),
        }
    }
}

struct Work {
    world: World,
    store: Arc<Store>,
    archiver: Arc<Archiver>,
    timeout_us: u64,
    /// Where the newest complete file ends, and since when.
    ended: (Lsn, u64),
    /// After a failure: when to try again, and how long was waited for that.
    retry: Option<(u64, u64)>,
}

impl Work {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            self.world.tasks.sleep(LOOK_EVERY_US);
            let now = self.world.clock.monotonic_us();
            self.end_file(now);
            if self.archiver.is_behind() && self.retry.is_none_or(|(at, _)| now >= at) {
                self.archive(now);
            }
        }
    }

    /// Ends the file that is being written when that is due.
    fn end_file(&mut self, now: u64) {
        let end = self.archiver.completed_end();
        if end != self.ended.0 {
            self.ended = (end, now);
        }
        let is_due = self.timeout_us > 0 && now.saturating_sub(self.ended.1) >= self.timeout_us;
        if is_due
            && self.store.log_position() > end.0
            && let Err(error) = self.store.rotate_log()
        {
            // The database has stopped; everybody who commits is told.
            tracing::error!(%error, "ending a file of the log");
            self.ended.1 = now;
        }
    }

    fn archive(&mut self, now: u64) {
        match self.archiver.step() {
            Ok(count) => {
                say(&self.archiver, count);
                self.retry = None;
            }
            Err(error) => {
                let (first, most) = RETRY_US;
                let wait = self.retry.map_or(first, |(_, waited)| (waited * 2).min(most));
                self.retry = Some((now + wait, wait));
                let seconds = wait / 1_000_000;
                tracing::warn!(
                    %error,
                    detail = error.detail(),
                    "archiving the log failed; it is kept and tried again in {seconds} s"
                );
            }
        }
    }
}

fn say(archiver: &Archiver, count: u64) {
    if count > 0
        && let Some((name, _)) = archiver.statistics().last_archived
    {
        tracing::info!("archived {count} of the log's files, the last was {name}");
    }
}
