//! Runs client futures one poll at a time, in an order that the seed decides.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use oxi_world::rng::Prng;

/// A future of one thread.
pub type Local = Pin<Box<dyn Future<Output = ()>>>;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

struct Task {
    future: Local,
    ready: Arc<Flag>,
    waker: Waker,
}

/// The clients of one life of the database.
#[derive(Default)]
pub struct Executor {
    tasks: Vec<Task>,
}

/// What one step did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Some client went on.
    Ran,
    /// Every client waits for another: nobody will ever wake them.
    Stuck,
    /// All clients have ended.
    Idle,
}

impl Executor {
    /// Adds a client.
    pub fn spawn(&mut self, future: Local) {
        let ready = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(ready.clone());
        self.tasks.push(Task { future, ready, waker });
    }

    /// Polls one client that is ready.
    pub fn step(&mut self, prng: &mut Prng) -> Step {
        let ready = self.tasks.iter().filter(|task| task.ready.0.load(Ordering::Acquire)).count();
        if ready == 0 {
            return if self.tasks.is_empty() { Step::Idle } else { Step::Stuck };
        }
        let pick = prng.below(ready as u64) as usize;
        let at = (0..self.tasks.len())
            .filter(|at| self.tasks[*at].ready.0.load(Ordering::Acquire))
            .nth(pick)
            .expect("fewer than the number of ready tasks");
        let task = &mut self.tasks[at];
        task.ready.0.store(false, Ordering::Release);
        let mut context = Context::from_waker(&task.waker);
        if task.future.as_mut().poll(&mut context).is_ready() {
            self.tasks.remove(at);
        }
        Step::Ran
    }
}

/// Lets the others go first.
pub async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs a future whose waits need nobody else.
pub fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..64 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
    }
    None
}
