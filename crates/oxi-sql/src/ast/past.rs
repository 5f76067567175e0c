//! Statements that bring back what was.

use super::{AsOf, Ident, ObjectName};

/// `FLASHBACK TABLE … TO …`.
#[derive(Clone, PartialEq, Debug)]
pub struct Flashback {
    /// The tables.
    pub tables: Vec<ObjectName>,
    /// The moment whose rows they get back.
    pub to: AsOf,
}

/// `UNDROP TABLE`.
#[derive(Clone, PartialEq, Debug)]
pub struct Undrop {
    /// The name the table had.
    pub name: ObjectName,
    /// `RENAME TO`: the name it gets.
    pub rename: Option<Ident>,
}
