//! Background threads and how they wait.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use oxi_base::{Error, Result, SqlState};
use parking_lot::{Condvar, Mutex};

/// How background work is started and how it waits.
pub trait Tasks: Send + Sync {
    /// Runs `body` on a thread of its own. A simulated world only keeps it until
    /// [`crate::SimControl::run_task`] asks for it.
    fn spawn_thread(&self, name: &str, body: Box<dyn FnOnce() + Send>) -> Result<TaskHandle>;
    /// Waits; a simulated world moves its clock instead.
    fn sleep(&self, duration_us: u64);
    /// A flag that background threads can wait on.
    fn signal(&self) -> Arc<dyn Signal>;
    /// Whether background threads never run by themselves, so that the caller drives their steps.
    fn is_simulated(&self) -> bool;
    /// How many threads make sense at once.
    fn parallelism(&self) -> usize;
}

/// A one-bit mailbox: raised by anyone, awaited and lowered by a background thread.
pub trait Signal: Send + Sync {
    /// Raises the flag and wakes whoever waits.
    fn raise(&self);
    /// Waits until the flag is up or the time is over, lowers it, and says whether it was up.
    fn wait(&self, timeout_us: u64) -> bool;
}

/// A started thread.
pub struct TaskHandle {
    thread: Option<thread::JoinHandle<()>>,
}

impl TaskHandle {
    /// A handle on something that does not run by itself.
    pub(crate) fn detached() -> Self {
        TaskHandle { thread: None }
    }

    /// Waits for the end; a panic of the thread becomes an error.
    pub fn join(self) -> Result<()> {
        match self.thread.map(thread::JoinHandle::join) {
            None | Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(Error::bug("a background thread panicked")),
        }
    }

    /// Whether the thread has ended (always true for what does not run by itself).
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(thread::JoinHandle::is_finished)
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle").field("finished", &self.is_finished()).finish()
    }
}

/// Threads of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemTasks;

impl Tasks for SystemTasks {
    fn spawn_thread(&self, name: &str, body: Box<dyn FnOnce() + Send>) -> Result<TaskHandle> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(body).map_err(|error| {
            Error::new(
                SqlState::INSUFFICIENT_RESOURCES,
                format!("could not start thread \"{name}\": {error}"),
            )
        })?;
        Ok(TaskHandle { thread: Some(thread) })
    }

    fn sleep(&self, duration_us: u64) {
        thread::sleep(Duration::from_micros(duration_us));
    }

    fn signal(&self) -> Arc<dyn Signal> {
        Arc::new(SystemSignal::default())
    }

    fn is_simulated(&self) -> bool {
        false
    }

    fn parallelism(&self) -> usize {
        thread::available_parallelism().map_or(1, std::num::NonZero::get)
    }
}

#[derive(Default)]
struct SystemSignal {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Signal for SystemSignal {
    fn raise(&self) {
        *self.raised.lock() = true;
        self.changed.notify_all();
    }

    fn wait(&self, timeout_us: u64) -> bool {
        let mut raised = self.raised.lock();
        if !*raised {
            self.changed.wait_for(&mut raised, Duration::from_micros(timeout_us));
        }
        std::mem::take(&mut *raised)
    }
}
