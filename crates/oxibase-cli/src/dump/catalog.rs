//! What there is to dump, read from the catalog's relations.
//!
//! Everything is sorted by name: numbers of objects differ between a database and its copy.

mod read;
mod view;

use super::pattern::Pattern;
use super::source::{Failure, Row, Source};

/// Kinds of objects that a dump does not hold, and how many of them there are.
pub(super) use read::NOT_DUMPED;

/// A schema.
pub(crate) struct Schema {
    /// As SQL writes it.
    pub(crate) display: String,
    /// Its plain name.
    pub(crate) name: String,
    pub(crate) comment: Option<String>,
}

/// What tables, views and sequences share.
#[derive(Clone)]
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// Schema and name as SQL writes them.
    pub(crate) display: String,
    pub(crate) comment: Option<String>,
    kind: String,
    is_visible: bool,
}

/// A column of a table or view.
pub(crate) struct Column {
    pub(crate) number: u32,
    /// As SQL writes it.
    pub(crate) name: String,
    pub(crate) data_type: String,
    pub(crate) type_oid: u32,
    pub(crate) is_not_null: bool,
    /// `a` always, `d` by default, empty for none.
    pub(crate) identity: String,
    pub(crate) is_generated: bool,
    /// The default, or what generates it.
    pub(crate) expression: Option<String>,
    pub(crate) comment: Option<String>,
}

/// A constraint of a table.
pub(crate) struct Constraint {
    /// As SQL writes it.
    pub(crate) name: String,
    /// Its plain name.
    pub(crate) plain: String,
    /// `c`, `p`, `u`, `f`, `x`.
    pub(crate) kind: String,
    pub(crate) is_validated: bool,
    pub(crate) definition: String,
    pub(crate) comment: Option<String>,
    /// A comment on the index that serves it, and that index.
    pub(crate) index_comment: Option<(String, String)>,
}

/// An index that serves no constraint.
pub(crate) struct Index {
    /// Schema and name as SQL writes them.
    pub(crate) display: String,
    /// Its plain name.
    pub(crate) plain: String,
    pub(crate) definition: String,
    pub(crate) comment: Option<String>,
}

/// A table.
pub(crate) struct Table {
    pub(crate) relation: Relation,
    pub(crate) columns: Vec<Column>,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) indexes: Vec<Index>,
}

/// The column that a sequence belongs to.
pub(crate) struct Owner {
    pub(crate) table: u32,
    pub(crate) column: u32,
    pub(crate) is_identity: bool,
}

/// A sequence.
pub(crate) struct Sequence {
    pub(crate) relation: Relation,
    pub(crate) data_type: String,
    pub(crate) start: i64,
    pub(crate) increment: i64,
    /// `None` is what the type and direction give.
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
    pub(crate) cache: String,
    pub(crate) is_cycle: bool,
    pub(crate) owner: Option<Owner>,
}

/// A view.
pub(crate) struct View {
    pub(crate) relation: Relation,
    pub(crate) columns: Vec<Column>,
    pub(crate) definition: String,
}

/// All of it.
pub(crate) struct Catalog {
    pub(crate) schemas: Vec<Schema>,
    pub(crate) tables: Vec<Table>,
    pub(crate) sequences: Vec<Sequence>,
    /// Each after those that it reads.
    pub(crate) views: Vec<View>,
}

impl Catalog {
    /// Reads what the patterns name, or everything if there are none.
    pub(crate) async fn read(source: &mut Source, patterns: &[Pattern]) -> Result<Self, Failure> {
        read::catalog(source, patterns).await
    }

    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.sequences.is_empty() && self.views.is_empty()
    }
}

impl Relation {
    fn of(row: &Row) -> Self {
        Relation {
            oid: row.oid(0),
            kind: row.text(1),
            schema: row.text(2),
            name: row.text(3),
            display: row.text(4),
            is_visible: row.is_true(5),
            comment: row.optional(6),
        }
    }
}
