//! What transactions did: values appended to lists, lists read. Every value is appended once, so
//! that a list tells who wrote it, and in which order.

use std::fmt;

/// A list.
pub type Key = u32;
/// What is appended; never twice.
pub type Value = u32;

/// One step of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// A value was appended.
    Append(Key, Value),
    /// A list was read; what does not exist is empty.
    Read(Key, Vec<Value>),
}

/// A transaction that has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// What it did, in order; reads that failed are left out.
    pub ops: Vec<Op>,
    /// Whether it committed; otherwise nothing of it may ever be seen.
    pub committed: bool,
}

impl Transaction {
    /// One that committed.
    pub fn committed(ops: Vec<Op>) -> Self {
        Transaction { ops, committed: true }
    }

    /// One that was rolled back.
    pub fn aborted(ops: Vec<Op>) -> Self {
        Transaction { ops, committed: false }
    }
}

impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for op in &self.ops {
            match op {
                Op::Append(key, value) => write!(f, "a({key}, {value}) ")?,
                Op::Read(key, values) => write!(f, "r({key}, {values:?}) ")?,
            }
        }
        f.write_str(if self.committed { "commit" } else { "abort" })
    }
}
