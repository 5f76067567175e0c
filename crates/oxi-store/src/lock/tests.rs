//! Tables' locks against a plain list of who holds what.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use oxi_base::TableId;
use oxi_model::{
    engine::{TableLock, Wait},
    lock::LockObject,
};
use oxi_world::World;
use proptest::prelude::*;

use super::{
    queue::{LockQueue, Modes},
    wait::Waits,
};
use crate::undo::TxnState;

const PARTIES: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Acquire(usize, TableLock),
    Release(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let lock = (0..TableLock::ALL.len()).prop_map(|number| TableLock::ALL[number]);
    prop_oneof![
        3 => (0..PARTIES, lock).prop_map(|(party, lock)| Step::Acquire(party, lock)),
        1 => (0..PARTIES).prop_map(Step::Release),
    ]
}

proptest! {
    #[test]
    fn a_mode_is_had_if_nobody_holds_a_conflicting_one(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let queue = LockQueue::of_table();
        let parties: Vec<Arc<TxnState>> = (0..PARTIES).map(|_| TxnState::new()).collect();
        let mut held: Vec<Vec<TableLock>> = vec![Vec::new(); PARTIES];
        for step in steps {
            match step {
                Step::Acquire(party, lock) => {
                    let others = held.iter().enumerate().filter(|(other, _)| *other != party);
                    let free = others.flat_map(|(_, locks)| locks).all(|other| !other.conflicts(lock));
                    prop_assert_eq!(queue.acquire(&parties[party], lock), free);
                    if free {
                        held[party].push(lock);
                    }
                }
                Step::Release(party) => {
                    let modes = held[party].drain(..).fold(Modes::default(), Modes::with);
                    queue.release(&parties[party], modes);
                }
            }
        }
    }
}

#[test]
fn a_session_is_not_in_its_own_way() {
    let queue = LockQueue::of_key();
    let (a, b) = (TxnState::new(), TxnState::new());
    a.belong_to(7);
    b.belong_to(7);
    assert!(queue.acquire(&a, TableLock::Exclusive));
    assert!(queue.acquire(&b, TableLock::Exclusive));
    let other = TxnState::new();
    assert!(!queue.acquire(&other, TableLock::Share));
    queue.release(&a, TableLock::Exclusive.into());
    assert!(!queue.acquire(&other, TableLock::Share));
    queue.release(&b, TableLock::Exclusive.into());
    assert!(queue.acquire(&other, TableLock::Share));
}

/// Counts how often somebody was woken.
#[derive(Default)]
struct Alarm(AtomicU64);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn who_leaves_the_line_without_having_held_anything_wakes_those_behind() {
    let (world, _) = World::simulated(1);
    let waits = Arc::new(Waits::new(world.clock));
    let queue = LockQueue::of_table();
    let (holder, first, second) = (TxnState::new(), TxnState::new(), TxnState::new());
    assert!(queue.acquire(&holder, TableLock::AccessExclusive));
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(Arc::clone(&alarm));
    let poll = |wait: &mut Wait| Pin::new(wait).poll(&mut Context::from_waker(&waker));
    let object = LockObject::Table(TableId(1));
    // The first in line may go on, and keeps its place, but never takes the lock.
    let mut wait = queue.wait(&waits, &first, object, TableLock::RowExclusive);
    assert!(poll(&mut wait).is_pending());
    queue.release(&holder, TableLock::AccessExclusive.into());
    assert!(matches!(poll(&mut wait), Poll::Ready(Ok(()))));
    drop(wait);
    let mut wait = queue.wait(&waits, &second, object, TableLock::AccessExclusive);
    assert!(poll(&mut wait).is_pending());
    let before = alarm.0.load(Ordering::SeqCst);
    first.abort();
    first.wake();
    assert!(alarm.0.load(Ordering::SeqCst) > before);
    assert!(matches!(poll(&mut wait), Poll::Ready(Ok(()))));
}

/// Threads that write and threads that want the table for themselves never meet.
#[test]
fn threads_exclude_each_other() {
    let queue = LockQueue::of_table();
    // Writers count up, the one who has the table for itself sees none.
    let writers = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (queue, writers) = (&queue, &writers);
            scope.spawn(move || {
                let lock =
                    if number == 0 { TableLock::AccessExclusive } else { TableLock::RowExclusive };
                for _ in 0..20_000 {
                    let state = TxnState::new();
                    if !queue.acquire(&state, lock) {
                        continue;
                    }
                    if number == 0 {
                        assert_eq!(writers.load(Ordering::SeqCst), 0);
                    } else {
                        writers.fetch_add(1, Ordering::SeqCst);
                        writers.fetch_sub(1, Ordering::SeqCst);
                    }
                    queue.release(&state, lock.into());
                }
            });
        }
    });
    assert!(queue.is_idle());
}
