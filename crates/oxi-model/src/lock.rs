//! Locks as they cross the contract: how strongly rows, tables and advisory keys are held, and what
//! monitoring is shown of them.

use oxi_base::{Result, TableId, TxnId};

use crate::engine::Wait;

/// The oid of the one database, as lock messages and system relations name it.
pub const DATABASE_OID: u32 = 5;

/// The strength of a row lock, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RowLock {
    /// FOR KEY SHARE: keeps the row from being deleted or given another key. Foreign keys take it
    /// on the referenced row.
    KeyShare,
    /// FOR SHARE: keeps the row as it is.
    Share,
    /// FOR NO KEY UPDATE: what changing columns outside of any key takes.
    NoKeyUpdate,
    /// FOR UPDATE: what deleting a row and changing a key takes.
    Update,
}

impl RowLock {
    /// Whether two transactions cannot hold a row like this at the same time.
    pub fn conflicts(self, other: RowLock) -> bool {
        use RowLock::{KeyShare, NoKeyUpdate, Share, Update};
        match self {
            KeyShare => other == Update,
            Share => matches!(other, NoKeyUpdate | Update),
            NoKeyUpdate => other != KeyShare,
            Update => true,
        }
    }

    /// Whether several transactions may hold a row like this.
    pub fn is_shared(self) -> bool {
        !self.conflicts(self)
    }
}

/// The modes of table locks, weakest first. Advisory locks are `Share` or `Exclusive`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum TableLock {
    /// Reading rows.
    AccessShare,
    /// Locking rows.
    RowShare,
    /// Changing rows.
    RowExclusive,
    /// Changing what neither readers nor writers depend on.
    ShareUpdateExclusive,
    /// Keeping the rows as they are: CREATE INDEX.
    Share,
    /// The same, and by one transaction only: adding foreign keys.
    ShareRowExclusive,
    /// Leaving others nothing but reading.
    Exclusive,
    /// Leaving others nothing: most changes of a definition.
    AccessExclusive,
}

impl TableLock {
    /// All modes, weakest first.
    pub const ALL: [TableLock; 8] = {
        use TableLock::*;
        [
            AccessShare,
            RowShare,
            RowExclusive,
            ShareUpdateExclusive,
            Share,
            ShareRowExclusive,
            Exclusive,
            AccessExclusive,
        ]
    };

    /// The modes that conflict with this one, as bits in the order of [`TableLock::ALL`].
    pub const fn conflict_bits(self) -> u8 {
        match self {
            TableLock::AccessShare => 0b1000_0000,
            TableLock::RowShare => 0b1100_0000,
            TableLock::RowExclusive => 0b1111_0000,
            TableLock::ShareUpdateExclusive => 0b1111_1000,
            TableLock::Share => 0b1110_1100,
            TableLock::ShareRowExclusive => 0b1111_1100,
            TableLock::Exclusive => 0b1111_1110,
            TableLock::AccessExclusive => 0b1111_1111,
        }
    }

    /// The mode's bit.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Whether two transactions cannot hold these modes at the same time.
    pub const fn conflicts(self, other: TableLock) -> bool {
        self.conflict_bits() & other.bit() != 0
    }

    /// Its name in `pg_locks`.
    pub fn name(self) -> &'static str {
        match self {
            TableLock::AccessShare => "AccessShareLock",
            TableLock::RowShare => "RowShareLock",
            TableLock::RowExclusive => "RowExclusiveLock",
            TableLock::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            TableLock::Share => "ShareLock",
            TableLock::ShareRowExclusive => "ShareRowExclusiveLock",
            TableLock::Exclusive => "ExclusiveLock",
            TableLock::AccessExclusive => "AccessExclusiveLock",
        }
    }
}

/// What an advisory lock is on: numbers that only applications give a meaning to. The two kinds are
/// different things even where their bits are the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AdvisoryKey {
    /// One bigint.
    One(i64),
    /// Two integers.
    Two(i32, i32),
}

impl AdvisoryKey {
    /// `classid`, `objid` and `objsubid` of `pg_locks`.
    pub fn parts(self) -> (u32, u32, i16) {
        match self {
            AdvisoryKey::One(key) => {
                let bits = key.cast_unsigned();
                ((bits >> 32) as u32, bits as u32, 1)
            }
            AdvisoryKey::Two(first, second) => (first.cast_unsigned(), second.cast_unsigned(), 2),
        }
    }
}

/// The advisory locks that a session holds whatever becomes of its transactions; given back when
/// dropped.
pub trait SessionLocks: Send + Sync {
    /// Takes a lock once more; `Some` asks to wait and call again.
    ///
    /// # Errors
    /// When the database has stopped.
    fn lock(&self, key: AdvisoryKey, lock: TableLock) -> Result<Option<Wait>>;

    /// Gives a lock back that was taken once; false if the session does not hold it.
    fn unlock(&self, key: AdvisoryKey, lock: TableLock) -> bool;

    /// Gives all of them back.
    fn unlock_all(&self);
}

/// What a lock is on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LockObject {
    /// A table, by its storage.
    Table(TableId),
    /// A transaction: who waits for a row waits for the one that holds it.
    Transaction(TxnId),
    /// An advisory lock.
    Advisory(AdvisoryKey),
}

/// One row of `pg_locks`, as far as storage knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LockInfo {
    /// What it is on.
    pub object: LockObject,
    /// How strong.
    pub lock: TableLock,
    /// The session that has it or waits for it; 0 for a transaction without one.
    pub session: u32,
    /// The number of a transaction without session.
    pub transaction: Option<TxnId>,
    /// Whether it is had rather than waited for.
    pub granted: bool,
    /// Taken without a look at others.
    pub fast_path: bool,
    /// Since when it is waited for, in Unix microseconds.
    pub waits_since_us: Option<i64>,
}

#[cfg(test)]
mod tests;
