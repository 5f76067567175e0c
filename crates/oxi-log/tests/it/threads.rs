//! Real threads on a real directory: group commit, ordering of callbacks and wake-ups.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use oxi_base::{Lsn, SqlState, Ts, TxnId};
use oxi_log::{FrameKind, Log, LogOptions};
use oxi_world::World;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn temporary(name: &str) -> std::path::PathBuf {
    let dir = std::env::temp_dir().join(format!("oxi-log-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

#[test]
fn many_threads_commit_in_groups() {
    const THREADS: u64 = 8;
    const COMMITS: u64 = 40;
    let root = temporary("group");
    let world = World::real(&root).unwrap();
    let mut options = LogOptions::new("wal");
    options.segment_bytes = 8 << 10;
    options.fill_bytes = 4 << 10;
    let (log, _) = Log::create(world.clone(), options.clone()).unwrap();
    let published = Arc::new(AtomicU64::new(0));
    let flushes = Arc::new(AtomicU64::new(0));
    {
        let (published, flushes) = (Arc::clone(&published), Arc::clone(&flushes));
        log.on_durable(move |lsn| {
            assert!(published.swap(lsn.0, Ordering::SeqCst) < lsn.0);
            flushes.fetch_add(1, Ordering::SeqCst);
        });
    }
    let writer = {
        let log = log.clone();
        world.tasks.spawn_thread("log-writer", Box::new(move || log.run_writer())).unwrap()
    };
    let ends = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, published, ends) = (&log, &published, &ends);
            scope.spawn(move || {
                for commit in 0..COMMITS {
                    let txn = TxnId(thread * 1000 + commit);
                    let end = log.append(FrameKind::Commit, txn, Ts(1), &[7; 50]).unwrap();
                    if commit % 2 == 0 {
                        block_on(log.wait_durable(end)).unwrap();
                    } else {
                        log.wait_durable_blocking(end).unwrap();
                    }
                    assert!(published.load(Ordering::SeqCst) >= end.0, "callbacks come first");
                    ends.lock().unwrap().push((end, txn));
                }
            });
        }
    });
    log.close().unwrap();
    writer.join().unwrap();
    assert!(flushes.load(Ordering::SeqCst) <= THREADS * COMMITS);
    assert_eq!(
        log.append(FrameKind::Noop, TxnId(0), Ts(0), &[]).unwrap_err().code(),
        SqlState::ADMIN_SHUTDOWN
    );

    let (log, recovered) = Log::open(world, options).unwrap();
    let mut ends = ends.into_inner().unwrap();
    ends.sort_unstable();
    let read: Vec<_> = log
        .read(Lsn(0))
        .map(|frame| frame.map(|frame| (frame.end_lsn, frame.txn)).unwrap())
        .collect();
    assert_eq!(read, ends);
    assert_eq!(recovered.next_lsn, ends.last().unwrap().0);
    std::fs::remove_dir_all(&root).unwrap();
}

#[test]
fn a_reader_follows_the_log() {
    let (world, _) = World::simulated(1);
    let mut options = LogOptions::new("wal");
    options.segment_bytes = 256;
    options.fill_bytes = 64;
    let (log, _) = Log::create(world, options).unwrap();
    let mut reader = log.read(Lsn(0));
    for round in 0..30 {
        assert!(reader.next().is_none());
        log.append(FrameKind::Message, TxnId(round), Ts(0), &[1; 40]).unwrap();
        assert!(reader.next().is_none(), "not durable yet");
        log.flush().unwrap();
        assert_eq!(reader.next().unwrap().unwrap().txn, TxnId(round));
        assert_eq!(reader.position(), log.durable_lsn());
    }
}

#[test]
fn a_failure_reaches_every_waiter() {
    let (world, control) = World::simulated(1);
    let (log, _) = Log::create(world, LogOptions::new("wal")).unwrap();
    let first = log.append(FrameKind::Commit, TxnId(1), Ts(1), b"one").unwrap();
    log.flush().unwrap();
    let second = log.append(FrameKind::Commit, TxnId(2), Ts(2), b"two").unwrap();
    control.fail_sync("wal", 0);
    assert_eq!(block_on(log.wait_durable(second)).unwrap_err().code(), SqlState::IO_ERROR);
    assert_eq!(log.wait_durable_blocking(second).unwrap_err().code(), SqlState::IO_ERROR);
    block_on(log.wait_durable(first)).unwrap();
    assert_eq!(log.failure().unwrap().code(), SqlState::IO_ERROR);
    assert!(log.rotate().is_err());
    assert_eq!(log.durable_lsn(), first);
}

#[test]
fn a_payload_copied_from_the_log_is_no_frame() {
    let (world, control) = World::simulated(1);
    let options = LogOptions::new("wal");
    let (log, _) = Log::create(world.clone(), options.clone()).unwrap();
    for txn in 0..3 {
        log.append(FrameKind::Commit, TxnId(txn), Ts(0), b"payload").unwrap();
        log.flush().unwrap();
    }
    let copied = world.disk.read("wal/00000001-000000000001.wal").unwrap();
    let copied = copied[..300].to_vec();
    let durable = log.durable_lsn();
    log.append(FrameKind::Commit, TxnId(9), Ts(0), &copied).unwrap();
    log.flush().unwrap();
    drop(log);
    control.crash();
    // The last flush is torn (one bit would be damage); its payload holds three sound-looking
    // flushes.
    for at in [8, 9] {
        control.flip_bit("wal/00000001-000000000001.wal", 64 + durable.0 + at, 0).unwrap();
    }
    let (log, recovered) = Log::open(world, options).unwrap();
    assert_eq!(recovered.next_lsn, durable);
    assert_eq!(log.read(Lsn(0)).count(), 3);
}
