//! History: what keeps older versions readable for as long as a table wants, and reading as of an
//! earlier moment.
//!
//! Older versions stay where they are, in the chains behind their rows; collection passes them on
//! to the table instead of cutting them, and comes back for them when they are old enough.
//! Checkpoints write them with the blocks (`image`), replay builds those of the log again.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use oxi_base::{Error, Lsn, Result, SqlState, TableId, Ts, TxnId};
use oxi_model::engine::{BoxFuture, Difference, DifferenceVisitor, Moment, Snapshot, TableLayout};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::{
    block::{Block, Rows, SLOTS, Seen, row_id},
    collect::{Undo, drop_versions},
    engine::Core,
    image::Extent,
    snapshot::{StoreSnapshot, register},
    table::{Shape, Table},
    undo::{Sight, Status, TxnState},
};

/// A block is looked at this many times, about, while a version of it ages.
const LOOKS: u64 = 16;

/// What a table keeps of earlier moments.
#[derive(Default)]
pub(crate) struct History {
    /// From this commit on the versions are complete.
    from: AtomicU64,
    due: Mutex<Due>,
}

/// Blocks with older versions, by the time to look which of them are old enough.
#[derive(Default)]
struct Due {
    order: BTreeSet<(Ts, u64)>,
    of_block: FxHashMap<u64, Ts>,
    /// Up to here they were looked at.
    reached: Ts,
}

impl History {
    /// The commit from which on the versions are complete.
    pub(crate) fn from(&self) -> Ts {
        Ts(self.from.load(Ordering::SeqCst))
    }

    /// Versions from before a commit are missing, or about to go.
    pub(crate) fn begins_at(&self, ts: Ts) {
        self.from.fetch_max(ts.0, Ordering::SeqCst);
    }

    /// A block has versions that may go after `ts`.
    pub(crate) fn schedule(&self, block: u64, ts: Ts) {
        let mut due = self.due.lock();
        match due.of_block.get(&block).copied() {
            Some(known) if known <= ts => return,
            Some(known) => {
                due.order.remove(&(known, block));
            }
            None => {}
        }
        due.of_block.insert(block, ts);
        due.order.insert((ts, block));
    }

    /// A block has versions of this commit, which are to be kept so long.
    pub(crate) fn keep(&self, block: u64, ts: Ts, us: u64) {
        self.schedule(block, Ts(ts.0.saturating_add(span(us / LOOKS))));
    }

    /// The blocks that are to be looked at by `ts`, if collection reaches further than it did.
    fn take_due(&self, ts: Ts, reach: Ts) -> Vec<u64> {
        let mut due = self.due.lock();
        let mut blocks = Vec::new();
        if due.reached >= reach {
            return blocks;
        }
        while let Some((first, block)) = due.order.first().copied()
            && first <= ts
        {
            due.order.pop_first();
            due.of_block.remove(&block);
            blocks.push(block);
        }
        if !blocks.is_empty() {
            due.reached = reach;
        }
        blocks
    }

    /// Whether there are older versions.
    pub(crate) fn is_there(&self) -> bool {
        !self.due.lock().order.is_empty()
    }
}

/// What the tables' histories share.
#[derive(Default)]
pub(crate) struct Histories {
    /// How long system tables keep theirs: as long as any table does.
    pub(crate) catalog_us: AtomicU64,
    /// Up to here collection may have removed what nobody keeps.
    collected: AtomicU64,
    /// Some table has, or had, a history.
    is_used: AtomicBool,
    /// Transactions that changed tables with a history, in the order of their commits.
    pub(crate) commits: Mutex<VecDeque<(Ts, TxnId)>>,
}

impl Histories {
    /// What is known after recovery.
    pub(crate) fn recovered(
        visible: Ts,
        commits: VecDeque<(Ts, TxnId)>,
        longest_us: u64,
        is_used: bool,
    ) -> Histories {
        let histories = Histories { commits: Mutex::new(commits), ..Histories::default() };
        histories.begin_collection(visible);
        histories.catalog_us.store(longest_us, Ordering::SeqCst);
        histories.is_used.store(is_used || longest_us > 0, Ordering::SeqCst);
        histories
    }

    /// Whether some table has, or had, a history.
    pub(crate) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::SeqCst)
    }

    pub(crate) fn collected(&self) -> Ts {
        Ts(self.collected.load(Ordering::SeqCst))
    }

    pub(crate) fn begin_collection(&self, horizon: Ts) {
        self.collected.fetch_max(horizon.0, Ordering::SeqCst);
    }
}

/// Microseconds as a difference of timestamps.
fn span(us: u64) -> u64 {
    us.saturating_mul(1 << Ts::COUNTER_BITS)
}

/// How long a layout keeps older versions where the database says nothing else.
pub(crate) fn wanted_us(layout: &TableLayout, default_us: u64) -> u64 {
    layout.history_us.unwrap_or(default_us)
}

/// Whether recovery is to keep the versions of a table: it may want them, or there are older ones.
pub(crate) fn keeps_history(table: &Table, default_us: u64) -> bool {
    let layout = &table.shape().layout;
    // How long system tables keep theirs depends on tables that were not all read yet.
    layout.catalog || wanted_us(layout, default_us) > 0 || table.history.is_there()
}

/// How long the table keeps its history that does so longest.
pub(crate) fn longest_us<'a>(tables: impl Iterator<Item = &'a Arc<Table>>, default_us: u64) -> u64 {
    tables.map(|table| wanted_us(&table.shape().layout, default_us)).max().unwrap_or(0)
}

impl Core {
    /// How long a table keeps older versions, in microseconds.
    pub(crate) fn history_us(&self, layout: &TableLayout) -> u64 {
        let wanted = wanted_us(layout, self.kept.history_us);
        if layout.catalog {
            return wanted.max(self.histories.catalog_us.load(Ordering::SeqCst));
        }
        wanted
    }

    /// A table is to be given a layout: its history begins now, if it has wanted none so far.
    pub(crate) fn begin_history(&self, table: &Table, layout: &TableLayout) {
        if self.history_us(layout) > 0 && self.history_us(&table.shape().layout) == 0 {
            table.history.begins_at(self.histories.collected());
        }
    }

    /// A table was given a layout: system tables keep their history as long.
    pub(crate) fn lengthen_histories(&self, layout: &TableLayout) {
        let us = wanted_us(layout, self.kept.history_us);
        if us == 0 {
            return;
        }
        self.histories.is_used.store(true, Ordering::SeqCst);
        if self.histories.catalog_us.fetch_max(us, Ordering::SeqCst) == 0 {
            self.begin_catalog_history();
        }
    }

    fn begin_catalog_history(&self) {
        for table in self.tables.read().values().filter(|table| table.shape().layout.catalog) {
            table.history.begins_at(self.histories.collected());
        }
    }

    /// What checkpoints write of a table's blocks.
    pub(crate) fn extent(&self, table: &Table) -> Extent {
        if self.history_us(&table.shape().layout) > 0 || table.history.is_there() {
            Extent::History
        } else {
            Extent::State
        }
    }

    /// The newest moment that a history of this length need not reach back to.
    fn history_limit(&self, us: u64) -> Ts {
        let now = Ts::from_unix_us(self.world.clock.now_unix_us());
        Ts(now.0.saturating_sub(span(us)))
    }

    /// All tables, also those that were dropped and may come back.
    pub(crate) fn all_tables(&self) -> Vec<Arc<Table>> {
        let mut tables: Vec<_> = self.tables.read().values().cloned().collect();
        let known: BTreeSet<TableId> = tables.iter().map(|table| table.id).collect();
        let dropped = self.dropped.read();
        tables.extend(dropped.values().filter(|table| !known.contains(&table.id)).cloned());
        tables
    }

    /// Lets the system tables keep their history as long as any other table.
    pub(crate) fn measure_histories(&self) {
        let tables = self.all_tables();
        let longest = longest_us(tables.iter(), self.kept.history_us);
        if self.histories.catalog_us.swap(longest, Ordering::SeqCst) == 0 && longest > 0 {
            self.begin_catalog_history();
        }
    }

    /// Removes the versions that are older than their tables want them, and what was dropped
    /// before that.
    pub(crate) fn collect_histories(&self, visible: Ts) -> Result<()> {
        for table in self.all_tables() {
            let shape = table.shape();
            let us = self.history_us(&shape.layout);
            let limit = self.history_limit(us);
            let reach = limit.min(self.snapshots.oldest(visible));
            let due = table.history.take_due(if us == 0 { Ts(u64::MAX) } else { limit }, reach);
            if due.is_empty() {
                continue;
            }
            table.history.begins_at(reach);
            // Who has registered meanwhile may not have seen that: the oldest of them counts.
            let horizon = Sight::committed(reach.min(self.snapshots.oldest(visible)));
            for number in due {
                let Some(block) = table.block(number) else { continue };
                if let Some(next) = collect_block(&table, &shape, &block, &horizon)? {
                    table.history.keep(block.number, next, us);
                }
            }
        }
        self.forget_commits();
        self.forget_dropped();
        Ok(())
    }

    fn forget_commits(&self) {
        let limit = self.history_limit(self.histories.catalog_us.load(Ordering::SeqCst));
        let mut commits = self.histories.commits.lock();
        while commits.pop_front_if(|(ts, _)| *ts < limit).is_some() {}
    }

    fn forget_dropped(&self) {
        if self.dropped.read().is_empty() {
            return;
        }
        self.dropped.write().retain(|_, table| {
            let limit = self.history_limit(self.history_us(&table.shape().layout));
            table.dropped_at.load(Ordering::SeqCst) > limit.0
        });
    }

    /// The commit from which on images taken at `ts` hold all versions of a table.
    pub(crate) fn history_in_images(&self, table: &Table, ts: Ts) -> Ts {
        if self.history_us(&table.shape().layout) == 0 {
            return ts;
        }
        match table.created.status() {
            Status::Committed(created) => table.history.from().max(created),
            Status::Active | Status::Aborted => ts,
        }
    }

    /// The transactions that changed tables with a history and committed by then.
    pub(crate) fn commits_by(&self, ts: Ts) -> Vec<(Ts, TxnId)> {
        let commits = self.histories.commits.lock();
        commits.iter().take_while(|(commit, _)| *commit <= ts).copied().collect()
    }

    /// Remembers the number of a transaction that changed a table with a history.
    pub(crate) fn note_commit(&self, ts: Ts, txn: TxnId, undo: &Undo) {
        if !self.histories.is_used() {
            return;
        }
        let mut last: Option<&Arc<Table>> = None;
        for (table, _) in undo.entries().iter().filter_map(|entry| entry.place()) {
            if last.is_some_and(|last| Arc::ptr_eq(last, table)) {
                continue;
            }
            last = Some(table);
            if self.history_us(&table.shape().layout) > 0 {
                self.histories.commits.lock().push_back((ts, txn));
                return;
            }
        }
    }

    /// The commit up to which a moment sees, and what must be durable before it may be read.
    fn commit_at(&self, moment: Moment) -> Result<(Ts, Option<Lsn>)> {
        let ts = match moment {
            Moment::Commit(ts) => ts,
            Moment::Time(us) => {
                if us > self.world.clock.now_unix_us() {
                    return Err(Error::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        "cannot read as of a moment in the future",
                    ));
                }
                Ts(Ts::from_unix_us(us).0 | ((1 << Ts::COUNTER_BITS) - 1))
            }
            Moment::Transaction(id) => {
                let commits = self.histories.commits.lock();
                let found = commits.iter().rev().find(|(_, known)| *known == id);
                found.map(|(ts, _)| *ts).ok_or_else(|| unknown_transaction(id))?
            }
        };
        // Whoever commits from now on does so later than what is being read.
        Ok((ts, self.sequencer.lock().settle(ts)))
    }

    /// See [`oxi_model::engine::Txn::snapshot_at`].
    pub(crate) fn snapshot_at(
        self: &Arc<Self>,
        moment: Moment,
    ) -> BoxFuture<Result<Arc<dyn Snapshot>>> {
        let core = Arc::clone(self);
        Box::pin(async move {
            let (ts, pending) = core.commit_at(moment)?;
            if let Some(lsn) = pending {
                core.wait_durable(lsn).await?;
            }
            let registration = Arc::new(register(&core, Some(ts)));
            let own = TxnState::new();
            let snapshot: Arc<dyn Snapshot> =
                Arc::new(StoreSnapshot { registration, own, command: 0, reads: None, past: true });
            Ok(snapshot)
        })
    }

    /// Refuses to read a table as of a commit from which on its versions are not complete. The
    /// commit is registered.
    pub(crate) fn check_history(&self, table: &Table, ts: Ts) -> Result<()> {
        let too_old = |detail: String, hint: &str| {
            Err(Error::new(SqlState::SNAPSHOT_TOO_OLD, "snapshot too old")
                .with_detail(detail)
                .with_hint(hint))
        };
        if self.history_us(&table.shape().layout) == 0 {
            return too_old(
                "The table does not keep older versions of its rows.".to_owned(),
                "Set history_retention of the table or of the database.",
            );
        }
        let created = match table.created.status() {
            Status::Committed(ts) => ts,
            Status::Active | Status::Aborted => Ts(u64::MAX),
        };
        let from = table.history.from().max(created);
        if ts >= from {
            return Ok(());
        }
        let since = if from.0 == u64::MAX {
            "The table is being created.".to_owned()
        } else {
            format!("Its history begins at {}.", show_ts(from))
        };
        too_old(
            since,
            "It begins where the table was created, emptied by TRUNCATE or rewritten, or where \
             history_retention ends.",
        )
    }
}

fn unknown_transaction(id: TxnId) -> Error {
    Error::new(SqlState::SNAPSHOT_TOO_OLD, format!("transaction {id} is not known"))
        .with_detail(
            "It did not commit, changed no table that keeps its history, or is older than that.",
        )
        .with_hint("Use AS OF TIMESTAMP, or a larger history_retention.")
}

/// Cuts the versions of a block below a horizon; the oldest commit that is left.
fn collect_block(
    table: &Table,
    shape: &Shape,
    block: &Block,
    horizon: &Sight<'_>,
) -> Result<Option<Ts>> {
    let mut rows = block.write()?;
    let slots: Vec<u16> = rows.changed_slots().collect();
    let creators = rows.created.len();
    let mut has_changed = false;
    for slot in slots {
        if let Some(cut) = rows.truncate(slot, horizon) {
            has_changed = true;
            drop_versions(&mut rows, shape, block.number, slot, *cut)?;
        }
    }
    rows.forget_creators(horizon);
    if has_changed || rows.created.len() < creators {
        // The next checkpoint writes the block without them.
        block.touch();
    }
    block.recharge(&mut rows);
    let oldest = rows.oldest_commit();
    let is_dead = rows.len == SLOTS && rows.dead == SLOTS;
    drop(rows);
    if is_dead {
        table.drop_block(block.number);
    }
    Ok(oldest)
}

/// See [`oxi_model::engine::Txn::differences`].
pub(crate) fn differences(
    table: &Table,
    then: &Sight<'_>,
    now: &Sight<'_>,
    visit: &mut DifferenceVisitor<'_>,
) -> Result<()> {
    for block in table.blocks() {
        table.home.storage.relieve()?;
        let mut found = Vec::new();
        let rows = block.read()?;
        if rows.all_seen(then) && rows.all_seen(now) {
            continue;
        }
        for slot in 0..rows.len as u16 {
            let (then, now) = (rows.see(slot, then), rows.see(slot, now));
            if matches!((&then, &now), (Seen::No, Seen::No) | (Seen::InPlace, Seen::InPlace)) {
                continue;
            }
            let (then, now) = (values(&rows, slot, &then), values(&rows, slot, &now));
            if then != now {
                found.push(Difference { row: row_id(block.number, slot), then, now });
            }
        }
        drop(rows);
        found.into_iter().try_for_each(&mut *visit)?;
    }
    Ok(())
}

fn values(rows: &Rows, slot: u16, seen: &Seen<'_>) -> Option<Vec<oxi_model::Datum>> {
    let overlay = match seen {
        Seen::No => return None,
        Seen::InPlace => None,
        Seen::Older(overlay) => Some(overlay),
    };
    Some((0..rows.columns.len()).map(|position| rows.value(slot, position, overlay)).collect())
}

/// A commit's time, for messages.
pub(crate) fn show_ts(ts: Ts) -> String {
    let us = ts.unix_us();
    let (days, rest) = (us.div_euclid(86_400_000_000), us.rem_euclid(86_400_000_000));
    // Years that begin with March have their leap day at the end.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let year = era * 400 + year;
    let (seconds, us) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{us:06}+00")
}

#[cfg(test)]
mod tests;
