//! Which anomalies a history holds, by Adya's names.
//!
//! The order of the versions of a list is the longest list that was read. From it follow the
//! edges: who wrote the next version (ww), who read a version (wr), who wrote the version after
//! the one that was read (rw). Cycles of them are what isolation forbids.

use std::{collections::BTreeMap, fmt};

use oxi_model::engine::Isolation;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    graph::{Cycle, Edge, Graph, shown},
    history::{Key, Op, Transaction, Value},
};

/// No more cycles of one kind are looked for.
const CYCLES_MAX: usize = 100;

/// What can be wrong with a history.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A value was read that nobody appended.
    Garbage,
    /// A value is in a list twice.
    Twice,
    /// A transaction does not see what it did itself.
    Internal,
    /// Two reads of a list do not continue each other.
    Fork,
    /// A value that was committed is not in the list.
    Lost,
    /// Cycle of ww: dirty write.
    G0,
    /// A value was read whose transaction was rolled back.
    G1a,
    /// A version was read that its transaction changed again.
    G1b,
    /// Cycle of ww and wr.
    G1c,
    /// Cycle with one rw: read skew.
    GSingle,
    /// Cycle with several rw, none next to another.
    GNonadjacent,
    /// Cycle with rw next to rw: write skew.
    G2,
}

impl Kind {
    /// Whether a level of isolation admits it.
    pub fn is_allowed(self, isolation: Isolation) -> bool {
        match isolation {
            Isolation::ReadCommitted => {
                matches!(self, Kind::GSingle | Kind::GNonadjacent | Kind::G2)
            }
            // A snapshot's reads can only be overtaken by two transactions in a row.
            Isolation::RepeatableRead => self == Kind::G2,
            Isolation::Serializable => false,
        }
    }
}

/// What was found: for each kind how often, and one case in words.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Findings {
    found: BTreeMap<Kind, (usize, String)>,
}

impl Findings {
    fn add(&mut self, kind: Kind, example: impl FnOnce() -> String) {
        let (count, _) = self.found.entry(kind).or_insert_with(|| (0, example()));
        *count += 1;
    }

    /// The kinds found.
    pub fn kinds(&self) -> Vec<Kind> {
        self.found.keys().copied().collect()
    }

    /// Those that a level does not admit.
    pub fn forbidden(&self, isolation: Isolation) -> Findings {
        let mut found = self.found.clone();
        found.retain(|kind, _| !kind.is_allowed(isolation));
        Findings { found }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds another history's.
    pub fn merge(&mut self, other: &Findings) {
        for (kind, (count, example)) in &other.found {
            self.found.entry(*kind).or_insert_with(|| (0, example.clone())).0 += count;
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, (count, example)) in &self.found {
            writeln!(f, "{kind:?}: {count}, as {example}")?;
        }
        Ok(())
    }
}

/// Looks for anomalies. With `is_complete`, the last transaction has read every list after all
/// others had ended, so that committed values that are nowhere are lost.
pub fn check(history: &[Transaction], is_complete: bool) -> Findings {
    let mut checker = Checker { history, ..Checker::default() };
    checker.learn_writers();
    checker.order_versions();
    checker.check_reads();
    if is_complete {
        checker.check_lost();
    }
    checker.check_cycles();
    checker.findings
}

#[derive(Default)]
struct Checker<'a> {
    history: &'a [Transaction],
    findings: Findings,
    /// Who appended a value to a list, and whether it was the last that transaction appended.
    writers: FxHashMap<(Key, Value), Writer>,
    /// The versions of each list in their order.
    versions: FxHashMap<Key, &'a [Value]>,
}

#[derive(Clone, Copy)]
struct Writer {
    transaction: usize,
    is_last: bool,
}

impl<'a> Checker<'a> {
    /// The committed transactions with their numbers.
    fn committed(&self) -> impl Iterator<Item = (usize, &'a Transaction)> + use<'a> {
        self.history.iter().enumerate().filter(|(_, transaction)| transaction.committed)
    }

    fn learn_writers(&mut self) {
        for (number, transaction) in self.history.iter().enumerate() {
            let mut last: FxHashMap<Key, Value> = FxHashMap::default();
            for op in &transaction.ops {
                let Op::Append(key, value) = op else { continue };
                let writer = Writer { transaction: number, is_last: true };
                self.writers.insert((*key, *value), writer);
                if let Some(before) = last.insert(*key, *value)
                    && let Some(writer) = self.writers.get_mut(&(*key, before))
                {
                    writer.is_last = false;
                }
            }
        }
    }

    /// The longest list that was read is the order; the others must be its beginnings.
    fn order_versions(&mut self) {
        let mut reads = Vec::new();
        for (number, transaction) in self.committed() {
            for op in &transaction.ops {
                if let Op::Read(key, values) = op {
                    reads.push((number, *key, values.as_slice()));
                }
            }
        }
        for (_, key, values) in &reads {
            let longest = self.versions.entry(*key).or_default();
            if values.len() > longest.len() {
                *longest = values;
            }
        }
        for (number, key, values) in reads {
            let order = self.versions[&key];
            if !order.starts_with(values) {
                self.findings.add(Kind::Fork, || {
                    format!("T{number} read {values:?} in list {key}, where {order:?} was read")
                });
            }
        }
        let lists: Vec<(Key, &[Value])> = self.versions.iter().map(|(k, v)| (*k, *v)).collect();
        for (key, order) in lists {
            let mut seen = FxHashSet::default();
            for value in order {
                if !seen.insert(*value) {
                    self.findings.add(Kind::Twice, || format!("{value} in list {key}: {order:?}"));
                }
            }
        }
    }

    fn check_reads(&mut self) {
        for (number, transaction) in self.committed() {
            let mut own: FxHashMap<Key, Vec<Value>> = FxHashMap::default();
            for op in &transaction.ops {
                match op {
                    Op::Append(key, value) => own.entry(*key).or_default().push(*value),
                    Op::Read(key, values) => {
                        let mine = own.get(key).map_or(&[][..], Vec::as_slice);
                        self.check_read(number, *key, values, mine);
                    }
                }
            }
        }
    }

    /// One read of a transaction that had itself appended `mine` to the list.
    fn check_read(&mut self, number: usize, key: Key, values: &[Value], mine: &[Value]) {
        let Some(others) = values.strip_suffix(mine) else {
            self.findings.add(Kind::Internal, || {
                format!("T{number} appended {mine:?} to list {key} and then read {values:?}")
            });
            return;
        };
        for value in others {
            match self.writers.get(&(key, *value)) {
                None => self.findings.add(Kind::Garbage, || {
                    format!("T{number} read {value} in list {key}, which nobody appended")
                }),
                Some(writer) if writer.transaction == number => {
                    self.findings.add(Kind::Internal, || {
                        format!("T{number} read its own {value} in list {key} where it was not")
                    });
                }
                Some(writer) if !self.history[writer.transaction].committed => {
                    self.findings.add(Kind::G1a, || {
                        let writer = writer.transaction;
                        format!("T{number} read {value} in list {key}, which T{writer} rolled back")
                    });
                }
                Some(_) => {}
            }
        }
        if let Some(last) = others.last()
            && let Some(writer) = self.writers.get(&(key, *last))
            && writer.transaction != number
            && !writer.is_last
        {
            self.findings.add(Kind::G1b, || {
                let writer = writer.transaction;
                format!("T{number} read list {key} up to {last}, in the middle of T{writer}")
            });
        }
    }

    fn check_lost(&mut self) {
        let mut there: FxHashSet<(Key, Value)> = FxHashSet::default();
        for op in self.history.last().map_or(&[][..], |last| &last.ops) {
            if let Op::Read(key, values) = op {
                there.extend(values.iter().map(|value| (*key, *value)));
            }
        }
        for (number, transaction) in self.committed() {
            for op in &transaction.ops {
                if let Op::Append(key, value) = op
                    && !there.contains(&(*key, *value))
                {
                    self.findings.add(Kind::Lost, || {
                        format!("T{number} appended {value} to list {key}, where it is not")
                    });
                }
            }
        }
    }

    fn graph(&self) -> Graph {
        let mut graph = Graph::new(self.history.len());
        let writer = |key: Key, value: Value| {
            let writer = self.writers.get(&(key, value))?.transaction;
            self.history[writer].committed.then_some(writer)
        };
        let mut places: FxHashMap<(Key, Value), usize> = FxHashMap::default();
        for (key, order) in &self.versions {
            for (place, value) in order.iter().enumerate() {
                places.insert((*key, *value), place);
                if place > 0
                    && let Some(from) = writer(*key, order[place - 1])
                    && let Some(to) = writer(*key, *value)
                {
                    graph.add(from, to, Edge::WriteWrite);
                }
            }
        }
        for (number, transaction) in self.committed() {
            for op in &transaction.ops {
                let Op::Read(key, values) = op else { continue };
                let is_own = |value: &Value| writer(*key, *value) == Some(number);
                let own = values.iter().rev().take_while(|value| is_own(value)).count();
                let seen = &values[..values.len() - own];
                let order = self.versions[key];
                let next = match seen.last() {
                    None => order.first(),
                    Some(last) => {
                        if let Some(from) = writer(*key, *last) {
                            graph.add(from, number, Edge::WriteRead);
                        }
                        places.get(&(*key, *last)).and_then(|place| order.get(place + 1))
                    }
                };
                if let Some(to) = next.and_then(|next| writer(*key, *next)) {
                    graph.add(number, to, Edge::ReadWrite);
                }
            }
        }
        graph
    }

    fn check_cycles(&mut self) {
        use Edge::{ReadWrite, WriteRead, WriteWrite};
        let graph = self.graph();
        let mut add = |kind: Kind, cycle: &Cycle| {
            self.findings.add(kind, || {
                let members: Vec<String> = cycle
                    .iter()
                    .map(|(number, _)| format!("T{number}: {}", self.history[*number]))
                    .collect();
                format!("{} where {}", shown(cycle), members.join("; "))
            });
        };
        for cycle in graph.cycles(&[WriteWrite], WriteWrite) {
            add(Kind::G0, &cycle);
        }
        for cycle in graph.cycles(&[WriteWrite, WriteRead], WriteRead) {
            add(Kind::G1c, &cycle);
        }
        let reads = |cycle: &Cycle| cycle.iter().filter(|(_, edge)| *edge == ReadWrite).count();
        for cycle in graph.without_adjacent_reads(CYCLES_MAX) {
            add(if reads(&cycle) == 1 { Kind::GSingle } else { Kind::GNonadjacent }, &cycle);
        }
        for cycle in graph.cycles(&[WriteWrite, WriteRead, ReadWrite], ReadWrite) {
            if reads(&cycle) > 1 {
                add(Kind::G2, &cycle);
            }
        }
    }
}

#[cfg(test)]
mod tests;
