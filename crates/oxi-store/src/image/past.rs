//! The history within a block image: who created rows, and the versions before the image's.

use std::sync::Arc;

use oxi_base::{
    ColumnId, Ts,
    codec::{Reader, put_varint},
};
use oxi_model::array::{decode_datum, encode_datum};

use crate::{
    block::{Rows, Run, SLOTS},
    redo::{put_physical, read_physical, read_u32},
    undo::{Before, Sight, Status, TxnState, Version},
};

const END: u8 = 0;
const LIVE: u8 = 1;
const COLUMNS: u8 = 2;

/// What an image holds of a block's past.
#[derive(Default)]
pub(super) struct Past<'a> {
    /// Commits, ascending.
    commits: Vec<Ts>,
    /// First slot, the one after the last, and the commit.
    created: Vec<(u16, u16, Ts)>,
    /// By slot: the steps back from what the image sees, newest first.
    chains: Vec<(u16, Vec<(Ts, &'a Before)>)>,
}

impl<'a> Past<'a> {
    /// All that was committed by `sight`.
    pub(super) fn of(rows: &'a Rows, sight: &Sight<'_>) -> Past<'a> {
        let committed = |txn: &Arc<TxnState>| match txn.status() {
            Status::Committed(ts) if ts <= sight.ts => Some(ts),
            _ => None,
        };
        let mut past = Past::default();
        for run in &rows.created {
            past.created.extend(committed(&run.txn).map(|ts| (run.start, run.end, ts)));
        }
        let mut slots: Vec<u16> = rows.changed_slots().collect();
        slots.sort_unstable();
        for slot in slots {
            let mut steps = Vec::new();
            let mut version = rows.chain(slot);
            while let Some(step) = version {
                if let Some(ts) = committed(&step.txn)
                    && !matches!(step.before, Before::Locked(_))
                {
                    steps.push((ts, &step.before));
                }
                version = step.next.as_deref();
            }
            if !steps.is_empty() {
                past.chains.push((slot, steps));
            }
        }
        let steps = past.chains.iter().flat_map(|(_, steps)| steps.iter().map(|(ts, _)| *ts));
        let mut commits: Vec<Ts> = past.created.iter().map(|(.., ts)| *ts).chain(steps).collect();
        commits.sort_unstable();
        commits.dedup();
        past.commits = commits;
        past
    }

    /// Whether a slot was deleted.
    pub(super) fn is_gone(&self, slot: u16) -> bool {
        let found = self.chains.binary_search_by_key(&slot, |(slot, _)| *slot);
        found.is_ok_and(|at| matches!(self.chains[at].1.first(), Some((_, Before::Live))))
    }

    /// The oldest commit, 0 if there is no past.
    pub(super) fn oldest(&self) -> u64 {
        self.commits.first().map_or(0, |ts| ts.0)
    }

    fn number(&self, ts: Ts) -> u64 {
        self.commits.partition_point(|known| *known < ts) as u64
    }

    /// Appends the past to an image; nothing if there is none.
    pub(super) fn put(&self, out: &mut Vec<u8>, rows: &Rows) {
        if self.commits.is_empty() {
            return;
        }
        put_varint(out, self.commits.len() as u64);
        for ts in &self.commits {
            out.extend_from_slice(&ts.0.to_le_bytes());
        }
        put_varint(out, self.created.len() as u64);
        for (start, end, ts) in &self.created {
            put_varint(out, (*start).into());
            put_varint(out, (*end).into());
            put_varint(out, self.number(*ts));
        }
        put_varint(out, self.chains.len() as u64);
        for (slot, steps) in &self.chains {
            put_varint(out, (*slot).into());
            for (ts, before) in steps {
                self.put_step(out, rows, *ts, before);
            }
            out.push(END);
        }
    }

    fn put_step(&self, out: &mut Vec<u8>, rows: &Rows, ts: Ts, before: &Before) {
        let Before::Columns { values, .. } = before else {
            out.push(LIVE);
            put_varint(out, self.number(ts));
            return;
        };
        out.push(COLUMNS);
        put_varint(out, self.number(ts));
        let columns = || rows.columns.iter().chain(&rows.dropped);
        // A column that is gone for good has nobody to read its old values.
        let wanted = values.iter().filter_map(|(id, datum)| {
            columns().find(|column| column.id == *id).map(|column| (column, datum))
        });
        put_varint(out, wanted.clone().count() as u64);
        for (column, datum) in wanted {
            put_varint(out, column.id.0.into());
            put_physical(out, &column.physical);
            encode_datum(out, datum);
        }
    }
}

/// Who created which slots, and the chains of slots in their order.
type Read = (Vec<Run>, Vec<(u16, Box<Version>)>);

/// Reads the past of a block with so many slots; `None` on malformed bytes.
pub(super) fn read(reader: &mut Reader<'_>, len: usize) -> Option<Read> {
    let mut txns = Vec::new();
    for _ in 0..reader.varint()? {
        txns.push(TxnState::committed(Ts(reader.u64()?)));
    }
    let mut created: Vec<Run> = Vec::new();
    for _ in 0..reader.varint()? {
        let start = read_slot(reader, len)?;
        let end = u16::try_from(reader.varint()?).ok()?;
        let is_next = created.last().is_none_or(|run| run.end <= start);
        if !is_next || end <= start || usize::from(end) > len {
            return None;
        }
        created.push(Run { start, end, command: 0, txn: read_txn(reader, &txns)? });
    }
    let mut chains: Vec<(u16, Box<Version>)> = Vec::new();
    for _ in 0..reader.varint()? {
        let slot = read_slot(reader, len)?;
        if chains.last().is_some_and(|(before, _)| *before >= slot) {
            return None;
        }
        chains.push((slot, read_chain(reader, &txns)?));
    }
    Some((created, chains))
}

fn read_slot(reader: &mut Reader<'_>, len: usize) -> Option<u16> {
    let slot = u16::try_from(reader.varint()?).ok()?;
    (usize::from(slot) < len.min(SLOTS)).then_some(slot)
}

fn read_txn(reader: &mut Reader<'_>, txns: &[Arc<TxnState>]) -> Option<Arc<TxnState>> {
    txns.get(usize::try_from(reader.varint()?).ok()?).cloned()
}

fn read_chain(reader: &mut Reader<'_>, txns: &[Arc<TxnState>]) -> Option<Box<Version>> {
    let mut steps = Vec::new();
    loop {
        let kind = reader.u8()?;
        if kind == END {
            break;
        }
        let txn = read_txn(reader, txns)?;
        let before = match kind {
            LIVE if steps.is_empty() => Before::Live,
            COLUMNS => {
                let mut values = Vec::new();
                for _ in 0..reader.varint()? {
                    let id = ColumnId(read_u32(reader)?);
                    let physical = read_physical(reader, 0)?;
                    values.push((id, decode_datum(reader, &physical)?));
                }
                Before::Columns { values: values.into_boxed_slice(), key: false }
            }
            _ => return None,
        };
        steps.push((txn, before));
    }
    let mut chain = None;
    for (txn, before) in steps.into_iter().rev() {
        chain = Some(Box::new(Version { txn, command: 0, before, next: chain }));
    }
    chain
}
