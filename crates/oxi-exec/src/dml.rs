//! INSERT, UPDATE, DELETE: from the logical node to rows written.

pub mod target;
pub mod violation;

pub mod rules;

pub mod writer;

pub mod foreign_key;

pub mod deferred;

pub(crate) mod action;

pub mod recheck;

pub mod apply;

pub mod modify;

pub mod row_lock;
