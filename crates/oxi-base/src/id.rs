//! Identifiers and positions, each its own type so that one cannot stand in for another.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// The catalog's number of an object (schema, relation, constraint, type, function): SQL's `oid`.
    Oid(u32)
);
id!(
    /// The storage of one table. `TRUNCATE` and rewriting DDL give a relation a new one, as
    /// PostgreSQL's relfilenode does, so it is not the relation's [`Oid`].
    TableId(u32)
);
id!(
    /// The storage of one index.
    IndexId(u32)
);
id!(
    /// A column of a table's storage; never reused within its table, unchanged by renames.
    ColumnId(u32)
);
id!(
    /// A row of one table: monotonic, never reused, unchanged by updates and checkpoints.
    RowId(u64)
);
id!(
    /// A transaction that wrote or locked something, unique within one database history.
    TxnId(u64)
);
id!(
    /// A byte position in the log's one logical stream.
    Lsn(u64)
);
id!(
    /// A hybrid logical timestamp: microseconds since 2020-01-01 UTC in the high 52 bits, a counter
    /// in the low 12. Commit order, `AS OF` key and replication position at once.
    Ts(u64)
);

impl Ts {
    /// Bits of the counter below the wall-clock part.
    pub const COUNTER_BITS: u32 = 12;
    /// Unix microseconds of 2020-01-01T00:00:00Z, the epoch of the wall-clock part.
    pub const EPOCH_UNIX_US: i64 = 1_577_836_800_000_000;

    /// The first timestamp of the given Unix time in microseconds (earlier than 2020 gives zero).
    pub fn from_unix_us(unix_us: i64) -> Self {
        let us = unix_us.saturating_sub(Self::EPOCH_UNIX_US).max(0);
        Ts(us.unsigned_abs() << Self::COUNTER_BITS)
    }

    /// The wall-clock part as Unix microseconds.
    pub fn unix_us(self) -> i64 {
        (self.0 >> Self::COUNTER_BITS).cast_signed() + Self::EPOCH_UNIX_US
    }
}
