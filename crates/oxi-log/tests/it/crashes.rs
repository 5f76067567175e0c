//! Histories of random work and crashes: acknowledged frames survive, the rest is a prefix.

use oxi_base::{Lsn, SqlState, Ts, TxnId};
use oxi_log::{Frame, FrameKind, Log, LogOptions};
use oxi_world::rng::Prng;
use oxi_world::{SimControl, World};

struct History {
    seed: u64,
    world: World,
    control: SimControl,
    options: LogOptions,
    dice: Prng,
    /// Everything appended since the beginning that has not been proved lost.
    appended: Vec<Frame>,
    acknowledged: Lsn,
    /// The largest position given to `retire`.
    retired: Lsn,
}

impl History {
    fn new(seed: u64) -> Self {
        let (world, control) = World::simulated(seed);
        let mut options = LogOptions::new("wal");
        let mut dice = Prng::new(seed.wrapping_mul(31));
        options.segment_bytes = 256 << dice.below(6);
        options.fill_bytes = 64 << dice.below(6);
        History {
            seed,
            world,
            control,
            options,
            dice,
            appended: Vec::new(),
            acknowledged: Lsn(0),
            retired: Lsn(0),
        }
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.dice.below(one_in) == 0
    }

    /// Ends the run: the process dies, mostly with its machine.
    fn stop(&mut self) {
        if self.chance(4) { self.control.kill() } else { self.control.crash() }
    }

    fn reopen(&mut self, mut created: bool) -> Log {
        loop {
            if self.chance(3) {
                let operations = self.dice.below(8);
                self.control.halt_after(operations);
            } else if self.chance(6) {
                self.control.fail_sync("wal", 0);
            }
            created |= self.acknowledged > Lsn(0);
            let (world, options) = (self.world.clone(), self.options.clone());
            let outcome = if created || Log::exists(&world, "wal").unwrap_or(false) {
                Log::open(world, options)
            } else {
                Log::create(world, options)
            };
            match outcome {
                Ok((log, recovered)) => {
                    self.check(&log, recovered.next_lsn);
                    return log;
                }
                Err(error) => {
                    assert_eq!(error.code(), SqlState::IO_ERROR, "seed {}: {error}", self.seed);
                    self.stop();
                }
            }
        }
    }

    /// The log holds a prefix of what was appended, at least up to what was acknowledged.
    fn check(&mut self, log: &Log, next: Lsn) {
        let seed = self.seed;
        assert!(next >= self.acknowledged, "seed {seed}: {next} < {}", self.acknowledged);
        self.appended.retain(|frame| frame.end_lsn <= next);
        assert_eq!(self.appended.last().map_or(Lsn(0), |frame| frame.end_lsn), next);
        let oldest = log.oldest_lsn();
        assert!(oldest <= self.retired, "seed {seed}");
        // Retired files may come back when the sync of their directory failed: what lies before
        // the retired position is nobody's business any more.
        let from = self.appended.iter().map(|frame| frame.lsn).find(|&lsn| lsn >= self.retired);
        let from = from.unwrap_or(next);
        let found: Result<Vec<_>, _> = log.read(from).collect();
        // A machine told to stop soon may stop while the check reads.
        if let Err(error) = &found {
            assert_eq!(error.code(), SqlState::IO_ERROR, "seed {seed}: {error}");
            return;
        }
        let expected: Vec<_> =
            self.appended.iter().filter(|frame| frame.lsn >= from).cloned().collect();
        assert_eq!(found.unwrap(), expected, "seed {seed}");
        self.acknowledged = next;
    }

    fn append(&mut self, log: &Log) {
        let most = if self.chance(10) { 6000 } else { 200 };
        let mut payload = vec![0; self.dice.below(most) as usize];
        if !self.chance(5) {
            self.dice.fill(&mut payload);
        }
        let kind = FrameKind::ALL[self.dice.below(FrameKind::ALL.len() as u64) as usize];
        let (txn, commit_ts) = (TxnId(self.dice.next_u64()), Ts(self.dice.next_u64()));
        let lsn = log.next_lsn();
        if let Ok(end_lsn) = log.append(kind, txn, commit_ts, &payload) {
            self.appended.push(Frame { lsn, end_lsn, kind, txn, commit_ts, payload });
        }
    }

    fn work(&mut self, log: &Log) {
        for _ in 0..self.dice.below(40) {
            match self.dice.below(16) {
                0..8 => self.append(log),
                8..13 => {
                    if let Ok(durable) = log.flush() {
                        self.acknowledged = durable;
                    }
                }
                13 => {
                    if let Ok(boundary) = log.rotate() {
                        assert_eq!(boundary, log.durable_lsn());
                        self.acknowledged = boundary;
                    }
                }
                14 => {
                    let before = Lsn(self.dice.below(self.acknowledged.0 + 1));
                    self.retired = self.retired.max(before);
                    let _ = log.retire(before);
                }
                _ => match self.dice.below(12) {
                    0 => self.control.fail_sync("wal", 0),
                    1 => self.control.fail_write("wal", 0),
                    2 => self.control.limit_space(Some(self.dice.below(2000))),
                    3 => {
                        let operations = self.dice.below(10);
                        self.control.halt_after(operations);
                    }
                    _ => {}
                },
            }
        }
    }
}

#[test]
fn acknowledged_frames_survive_everything() {
    for seed in 0..400 {
        let mut history = History::new(seed);
        let mut log = history.reopen(false);
        for _ in 0..8 {
            history.work(&log);
            drop(log);
            history.stop();
            log = history.reopen(true);
        }
    }
}
