//! One history: several lives of one database, each ended by a crash, a kill or a clean close.

use std::{cell::Cell, cell::RefCell, rc::Rc, sync::Arc};

use oxi_base::SqlState;
use oxi_model::engine::{Engine, Isolation};
use oxi_store::{Flush, Store, StoreOptions};
use oxi_world::{SimControl, World, rng::Prng};

use crate::{
    audit::{self, Held},
    canary::{Lie, LyingDisk},
    damage,
    executor::{Executor, Step, now},
    model::Model,
    schema::{ACCOUNT_COUNT, ACCOUNTS, OPENING_BALANCE},
    shared::{Shared, Stop, one_in},
    workload,
};

pub use crate::shared::Statistics;

/// One database through its lives.
struct History {
    world: World,
    control: SimControl,
    prng: Prng,
    options: StoreOptions,
    lie: Lie,
    model: Model,
    statistics: Statistics,
    next_token: i64,
    /// Decides about damage, in the histories that have it.
    decay: Option<Prng>,
    /// What fate had in store, for the report of a failure.
    fates: Vec<String>,
}

/// Lives a history; the error says which promise was broken.
pub fn run(seed: u64, lie: Lie) -> Result<Statistics, String> {
    let (mut world, control) = World::simulated(seed);
    world.disk = Arc::new(LyingDisk::new(world.disk.clone(), lie));
    let mut prng = Prng::new(seed ^ 0x6f78_6962_6173_6573);
    let choose = |prng: &mut Prng, from: [u64; 3]| from[prng.below(3) as usize];
    let synchronous = lie != Lie::EarlyVisibility && (lie != Lie::None || !one_in(&mut prng, 8));
    let options = StoreOptions {
        dir: "db".to_owned(),
        flush: Flush::Caller,
        synchronous_commit: synchronous,
        log_segment_bytes: choose(&mut prng, [4_096, 16_384, 65_536]),
        chunk_bytes: choose(&mut prng, [300, 3_000, 1 << 20]) as usize,
        collect_every: choose(&mut prng, [3, 40, 512]) as usize,
        memory_limit: [Some(1), Some(40_000), None, None][(seed % 4) as usize],
        ..StoreOptions::default()
    };
    let mut history = History {
        world,
        control,
        prng,
        options,
        lie,
        model: Model::default(),
        statistics: Statistics::default(),
        next_token: 0,
        decay: (seed % 5 == 3 && lie == Lie::None).then(|| Prng::new(seed ^ 0x0064_6563_6179)),
        fates: Vec::new(),
    };
    let lives = 2 + history.prng.below(4);
    for life in 0..=lives {
        history.fates.push(format!("life {life}"));
        history
            .life(life == lives)
            .map_err(|reason| format!("{reason}\n  fate: {}", history.fates.join(", ")))?;
    }
    Ok(history.statistics)
}

impl History {
    fn open(&self) -> oxi_base::Result<Arc<Store>> {
        Store::open(self.world.clone(), self.options.clone())
    }

    /// Opens the database, now and then with a machine that stops in the middle of it.
    fn recover(&mut self, last: bool) -> Result<(Arc<Store>, bool), String> {
        let mut faulty = false;
        if !last && one_in(&mut self.prng, 4) {
            faulty = true;
            self.statistics.faults += 1;
            let operations = self.prng.below(16);
            self.fates.push(format!("halt_after({operations}) before opening"));
            self.control.halt_after(operations);
        }
        match self.open() {
            Ok(store) => return Ok((store, faulty)),
            Err(_) if faulty => self.stop_machine(),
            Err(error) => return Err(format!("the database does not open: {error}")),
        }
        let store = self.open();
        let store = store.map_err(|e| format!("the database does not open again: {e}"))?;
        Ok((store, false))
    }

    /// Opens the database with something wrong with its files or with how they are read: that is
    /// reported, or does no harm. Without damage in this history nothing happens.
    fn open_damaged(&mut self) -> Result<(), String> {
        let Some(mut decay) = self.decay.take() else { return Ok(()) };
        let outcome = self.damaged_opening(&mut decay);
        self.control.lift_read_faults();
        self.decay = Some(decay);
        outcome
    }

    fn damaged_opening(&mut self, decay: &mut Prng) -> Result<(), String> {
        let described = |error: oxi_base::Error| error.to_string();
        if !self.world.disk.exists("db").map_err(described)? {
            return Ok(());
        }
        self.statistics.faults += 1;
        self.model.exclusive.clear();
        let skip = decay.below(30);
        match decay.below(4) {
            0 => self.control.misdirect_read("db", skip),
            1 => self.control.stale_read("db", skip),
            _ => {
                let flip = damage::flip(&self.world, &self.control, "db", decay);
                let Some(flip) = flip.map_err(described)? else { return Ok(()) };
                let looked = self.look_at_damaged(decay);
                flip.mend(&self.world, &self.control).map_err(described)?;
                return looked.map_err(|reason| format!("{flip:?}: {reason}"));
            }
        }
        self.look_at_damaged(decay).map_err(|reason| format!("with a wrong read: {reason}"))
    }

    fn look_at_damaged(&self, prng: &mut Prng) -> Result<(), String> {
        let store = match self.open() {
            Ok(store) => store,
            Err(error) if damage::is_reported(&error) => return Ok(()),
            Err(error) => return Err(format!("damage is reported as: {error}")),
        };
        let txn = store.begin(Isolation::ReadCommitted);
        let snapshot = txn.begin_statement();
        match audit::explain(&*snapshot, &self.model, prng, false) {
            Err(reason) if !damage::is_report(&reason) => Err(format!("silent damage: {reason}")),
            _ => Ok(()),
        }
    }

    /// Whether this is what comes of decay.
    fn is_decay(&self, reason: &str) -> bool {
        self.decay.is_some() && damage::is_report(reason)
    }

    /// Lets the disk be slow, or give wrong bytes once, while clients are at work.
    fn arrange_wrong_reads(&mut self) {
        let Some(decay) = &mut self.decay else { return };
        let fragment = ["db", "db/data", "db/tmp"][decay.below(3) as usize];
        let skip = decay.below(40);
        match decay.below(4) {
            0 => self.control.misdirect_read(fragment, skip),
            1 => self.control.stale_read(fragment, skip),
            2 => self.control.slow_disk(20_000),
            _ => {}
        }
    }

    fn stop_machine(&mut self) {
        self.statistics.faults += 1;
        let fate = match self.prng.below(5) {
            0 | 1 => {
                self.control.crash();
                "crash"
            }
            2 | 3 => {
                self.control.crash_losing_all_unsynced();
                "crash_losing_all_unsynced"
            }
            _ => {
                self.control.kill();
                "kill"
            }
        };
        self.fates.push(fate.to_owned());
    }

    /// One life: open, verify, work, end.
    fn life(&mut self, last: bool) -> Result<(), String> {
        for _ in 0..4 {
            self.open_damaged()?;
        }
        let (store, faulty) = self.recover(last)?;
        self.arrange_wrong_reads();
        match self.verify_recovered(&store) {
            // What a fault arranged for the opening left over has hit the reading.
            Err(reason) if faulty && audit::is_of_the_disk(&reason) || self.is_decay(&reason) => {
                self.stop_machine();
                return Ok(());
            }
            verified => verified?,
        }
        let shared = Rc::new(Shared {
            store,
            model: RefCell::new(std::mem::take(&mut self.model)),
            statistics: RefCell::new(self.statistics),
            next_token: Cell::new(self.next_token),
            violation: RefCell::default(),
            down: Cell::new(false),
            faulty: Cell::new(faulty),
            decaying: self.decay.is_some(),
            faults_before: self.statistics.faults,
            stopping: Cell::new(false),
            synchronous: self.options.synchronous_commit || self.lie == Lie::EarlyVisibility,
        });
        let mut executor = Executor::default();
        let mut held = Vec::new();
        let lived = self.work(&shared, &mut executor, &mut held, last);
        // The machine stops before anything is dropped, so that no destructor reaches the disk.
        self.stop_machine();
        drop(executor);
        drop(held);
        self.model = shared.model.take();
        let faults = self.statistics.faults - shared.faults_before;
        self.statistics = *shared.statistics.borrow();
        self.statistics.faults += faults;
        self.next_token = shared.next_token.get();
        lived?;
        match shared.violation.take() {
            Some(violation) => Err(violation),
            None => Ok(()),
        }
    }

    /// What recovery found must be a prefix of the commits that holds all acknowledged ones.
    fn verify_recovered(&mut self, store: &Arc<Store>) -> Result<(), String> {
        let report = store.recovery_report();
        let txn = store.begin(Isolation::ReadCommitted);
        let snapshot = txn.begin_statement();
        self.model.exclusive.clear();
        let (count, _) = audit::explain(&*snapshot, &self.model, &mut self.prng, false)
            .map_err(|reason| format!("after recovery ({report:?}): {reason}"))?;
        let before = self.model.settled_count;
        let doubt = self.model.pending.len() as u64;
        self.model.settle(count)?;
        self.model.restart();
        if self.model.head.rows(ACCOUNTS).is_none() {
            self.model.total = None;
        }
        store.check().map_err(|error| format!("after recovery, check: {error}"))?;
        self.statistics.recoveries += 1;
        self.statistics.doubtful_kept += count - before;
        self.statistics.doubtful_lost += doubt - (count - before);
        self.statistics.mix(count);
        Ok(())
    }

    fn work(
        &mut self,
        shared: &Rc<Shared>,
        executor: &mut Executor,
        held: &mut Vec<Held>,
        last: bool,
    ) -> Result<(), String> {
        if shared.model.borrow().head.rows(ACCOUNTS).is_none() {
            match now(workload::set_up(shared)) {
                Some(Ok(())) => {}
                Some(Err(Stop::Down)) => return Ok(()),
                other => return Err(format!("the tables could not be made: {other:?}")),
            }
        }
        shared.model.borrow_mut().total = Some(ACCOUNT_COUNT * OPENING_BALANCE);
        if !shared.faulty.get() && one_in(&mut self.prng, 4) {
            self.second_opening()?;
        }
        if last {
            return Self::close(shared);
        }
        self.arm_faults(shared);
        for _ in 0..2 + self.prng.below(5) {
            let prng = Prng::new(self.prng.next_u64());
            executor.spawn(Box::pin(workload::client(shared.clone(), prng)));
        }
        let steps = 20 + self.prng.below(300);
        for _ in 0..steps {
            if !self.step(shared, executor, held)? {
                return Ok(());
            }
        }
        if one_in(&mut self.prng, 3) {
            return Ok(());
        }
        shared.stopping.set(true);
        loop {
            let step = executor.step(&mut self.prng);
            if Self::ended(shared) {
                return Ok(());
            }
            match step {
                Step::Ran => {}
                Step::Idle => break,
                Step::Stuck => return Err("all clients wait for each other".to_owned()),
            }
        }
        self.audit(shared, held)?;
        if one_in(&mut self.prng, 2) { Self::close(shared) } else { Ok(()) }
    }

    /// Nothing more is to be done in this life.
    fn ended(shared: &Shared) -> bool {
        shared.down.get() || shared.violation.borrow().is_some() || shared.store.failure().is_some()
    }

    /// Two openings of one directory exclude each other.
    fn second_opening(&self) -> Result<(), String> {
        match self.open() {
            Ok(_) => Err("the database was opened twice".to_owned()),
            Err(error) if error.code() == SqlState::OBJECT_IN_USE => Ok(()),
            Err(error) => Err(format!("a second opening failed with {error}")),
        }
    }

    fn arm_faults(&mut self, shared: &Shared) {
        let prng = &mut self.prng;
        let fault = prng.below(9);
        // A fault arranged for the opening may still be waiting.
        shared.faulty.set(shared.faulty.get() || fault < 6);
        let (control, after) = (&self.control, prng.below(120));
        let fate = match fault {
            0 | 1 => {
                control.halt_after(after);
                format!("halt_after({after})")
            }
            2 => {
                control.fail_sync("db/wal", after / 3);
                format!("fail_sync(db/wal, {})", after / 3)
            }
            3 => {
                control.fail_sync("db", after / 2);
                format!("fail_sync(db, {})", after / 2)
            }
            4 => {
                control.fail_write("db", after / 2);
                format!("fail_write(db, {})", after / 2)
            }
            5 => {
                control.limit_space(Some(after * 800));
                format!("limit_space({})", after * 800)
            }
            _ => return,
        };
        shared.statistics.borrow_mut().faults += 1;
        self.fates.push(fate);
    }

    /// One step of a client, or of the housekeeping. False when the life is over.
    fn step(
        &mut self,
        shared: &Rc<Shared>,
        executor: &mut Executor,
        held: &mut Vec<Held>,
    ) -> Result<bool, String> {
        if one_in(&mut self.prng, 3) {
            self.control.advance_us(self.prng.below(300));
        }
        match self.prng.below(200) {
            0..=1 => Self::checkpoint(shared)?,
            2..=6 => shared.store.collect(),
            7..=9 => self.audit(shared, held)?,
            10 => {
                let checked = shared.store.check().map(|_| ());
                Self::tolerate(shared, "check", checked)?;
            }
            _ => match executor.step(&mut self.prng) {
                Step::Ran => {}
                Step::Idle => return Ok(false),
                Step::Stuck if Self::ended(shared) => return Ok(false),
                Step::Stuck => return Err("all clients wait for each other".to_owned()),
            },
        }
        Ok(!Self::ended(shared))
    }

    /// Errors of the disk are expected after faults, and only then.
    fn tolerate(shared: &Shared, what: &str, result: oxi_base::Result<()>) -> Result<(), String> {
        match result.map_err(|error| (shared.stop(&error), error)) {
            Ok(()) | Err((Stop::Down, _)) => Ok(()),
            Err((_, error)) => Err(format!("{what}: {error}")),
        }
    }

    fn checkpoint(shared: &Shared) -> Result<(), String> {
        let before = {
            let model = shared.model.borrow();
            model.settled_count + model.pending.len() as u64
        };
        match shared.store.checkpoint() {
            Ok(report) => {
                shared.statistics.borrow_mut().checkpoints += 1;
                shared.mix(report.rows_written);
                // Everything before the checkpoint's position was flushed.
                shared.model.borrow_mut().settle(before)
            }
            Err(error) => Self::tolerate(shared, "checkpoint", Err(error)),
        }
    }

    fn close(shared: &Shared) -> Result<(), String> {
        match shared.store.close() {
            Ok(()) => {
                let mut model = shared.model.borrow_mut();
                let all = model.settled_count + model.pending.len() as u64;
                if shared.store.failure().is_none() { model.settle(all) } else { Ok(()) }
            }
            Err(error) => Self::tolerate(shared, "close", Err(error)),
        }
    }

    /// Compares a fresh snapshot with the model, and the kept ones with themselves. Whatever is
    /// visible is durable.
    fn audit(&mut self, shared: &Shared, held: &mut Vec<Held>) -> Result<(), String> {
        shared.statistics.borrow_mut().audits += 1;
        let txn = shared.store.begin(Isolation::RepeatableRead);
        let snapshot = txn.begin_statement();
        let explained =
            audit::explain(&*snapshot, &shared.model.borrow(), &mut self.prng, !shared.synchronous);
        let (count, content) = match explained {
            Err(reason) if shared.expects(&reason) => {
                shared.down.set(true);
                return Ok(());
            }
            explained => {
                explained.map_err(|reason| format!("a snapshot is not consistent: {reason}"))?
            }
        };
        if shared.synchronous {
            shared.model.borrow_mut().settle(count)?;
        }
        for kept in held.iter() {
            match kept.verify(&mut self.prng) {
                Err(reason) if shared.expects(&reason) => {
                    shared.down.set(true);
                    return Ok(());
                }
                verified => verified?,
            }
        }
        if held.len() < 4 {
            held.push(Held { snapshot, content });
        } else {
            let at = self.prng.below(4) as usize;
            held.swap_remove(at);
        }
        Ok(())
    }
}
