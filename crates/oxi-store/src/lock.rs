//! Locks of tables, rows and advisory keys; waiting, and deadlocks.
//!
//! Exclusive row locks are versions in the row's chain (see `undo`), and who wants such a row waits
//! for the transaction. What several transactions may hold of a row is in `row`; tables and
//! advisory keys are held in PostgreSQL's eight modes and have a line of those who wait (`queue`).
//! All waits stand in one graph (`wait`), so that a circle is found whatever it goes through.

pub(crate) mod advisory;
pub(crate) mod queue;
pub(crate) mod row;
pub(crate) mod wait;

#[cfg(test)]
mod tests;
