//! What the catalog knows of each object: plain data, stored as rows of the system tables.

use oxi_base::{ColumnId, IndexId, Oid, TableId};
use serde::{Deserialize, Serialize};

use crate::datum::PhysicalType;

/// A SQL type with its modifier, as `numeric(10,2)` or `varchar(20)`; -1 is "no modifier". The
/// encoding of modifiers is PostgreSQL's `atttypmod`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct TypeRef {
    /// The type's oid in `pg_type`.
    pub oid: u32,
    /// The modifier.
    pub typmod: i32,
}

impl TypeRef {
    /// A type without modifier.
    pub const fn plain(oid: u32) -> Self {
        TypeRef { oid, typmod: -1 }
    }
}

/// A schema.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SchemaDescriptor {
    /// `pg_namespace.oid`.
    pub oid: u32,
    /// Its name.
    pub name: String,
}

/// Anything that lives in `pg_class`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RelationDescriptor {
    /// `pg_class.oid`.
    pub oid: u32,
    /// The schema it lives in.
    pub schema: u32,
    /// Its name, unique among the relations of its schema.
    pub name: String,
    /// COMMENT ON the object.
    pub comment: Option<String>,
    /// What it is.
    pub kind: RelationKind,
}

/// The kinds of relation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RelationKind {
    /// An ordinary table.
    Table(TableDescriptor),
    /// An index of a table in the same schema.
    Index(IndexDescriptor),
    /// A view.
    View(ViewDescriptor),
    /// A sequence.
    Sequence(SequenceDescriptor),
}

/// A table: columns in their order (dropped ones are gone; ids are never reused).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TableDescriptor {
    /// Where the rows are.
    pub storage: u32,
    /// The live columns in display order.
    pub columns: Vec<ColumnDescriptor>,
    /// The id the next new column gets.
    pub next_column_id: u32,
    /// CHECK, UNIQUE, PRIMARY KEY, FOREIGN KEY (NOT NULL is a property of the column).
    pub constraints: Vec<ConstraintDescriptor>,
    /// `history_retention` of the table, in microseconds; `None` is the database's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_us: Option<u64>,
}

/// A column of a table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ColumnDescriptor {
    /// Storage id; `pg_attribute.attnum` is this plus one.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its SQL type.
    pub data_type: TypeRef,
    /// The type's physical type, so that storage and scan need not look it up.
    pub physical: PhysicalType,
    /// NOT NULL.
    pub not_null: bool,
    /// DEFAULT expression as SQL text.
    pub default: Option<String>,
    /// GENERATED ALWAYS AS (…) STORED, as SQL text.
    pub generated: Option<String>,
    /// GENERATED … AS IDENTITY.
    pub identity: Option<Identity>,
    /// COMMENT ON COLUMN.
    pub comment: Option<String>,
}

/// An identity column's flavour and its sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// ALWAYS (true) or BY DEFAULT.
    pub always: bool,
    /// The relation oid of the sequence.
    pub sequence: u32,
}

/// A table constraint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ConstraintDescriptor {
    /// `pg_constraint.oid`.
    pub oid: u32,
    /// Its name, unique within the table.
    pub name: String,
    /// What it demands.
    pub kind: ConstraintKind,
    /// When it is checked.
    #[serde(default, skip_serializing_if = "Deferral::is_none")]
    pub deferral: Deferral,
}

/// When a constraint is checked. (A default one is left out of the stored descriptor, which so
/// reads as it did before there were others.)
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Deferral {
    /// DEFERRABLE: at the end of the statement at the earliest, and when SET CONSTRAINTS says.
    pub deferrable: bool,
    /// INITIALLY DEFERRED: at commit, unless SET CONSTRAINTS says otherwise.
    pub initially_deferred: bool,
}

impl Deferral {
    /// NOT DEFERRABLE.
    pub const NONE: Deferral = Deferral { deferrable: false, initially_deferred: false };

    /// Whether it is NOT DEFERRABLE.
    pub fn is_none(&self) -> bool {
        *self == Deferral::NONE
    }
}

/// What a constraint demands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ConstraintKind {
    /// CHECK (expression), as SQL text.
    Check {
        /// The expression.
        expression: String,
    },
    /// PRIMARY KEY or UNIQUE, enforced by an index of the same name.
    Unique {
        /// Whether it is the primary key.
        primary: bool,
        /// The relation oid of the index.
        index: u32,
        /// Column ids in key order.
        columns: Vec<u32>,
    },
    /// FOREIGN KEY.
    ForeignKey(ForeignKey),
}

/// A foreign key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The referencing column ids.
    pub columns: Vec<u32>,
    /// The relation oid of the referenced table.
    pub referenced_table: u32,
    /// The referenced column ids, in the order of `columns`.
    pub referenced_columns: Vec<u32>,
    /// The relation oid of the unique index of the referenced table that serves the check.
    pub referenced_index: u32,
    /// ON DELETE.
    pub on_delete: ReferentialAction,
    /// ON UPDATE.
    pub on_update: ReferentialAction,
    /// MATCH FULL rather than MATCH SIMPLE.
    pub match_full: bool,
}

/// What happens to referencing rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "SQL's words")]
pub enum ReferentialAction {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

/// An index.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IndexDescriptor {
    /// The relation oid of the table.
    pub table: u32,
    /// Where the entries are.
    pub storage: u32,
    /// Whether two live rows may not have equal keys.
    pub unique: bool,
    /// UNIQUE NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// Of a DEFERRABLE constraint: storage lets equal keys in, the constraint is checked later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferrable: bool,
    /// Built beside its table's writers and not complete (yet): they maintain it, nobody reads by
    /// it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invalid: bool,
    /// The key.
    pub columns: Vec<IndexColumn>,
}

/// One column of an index key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IndexColumn {
    /// The table's column id.
    pub column: u32,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// A view.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ViewDescriptor {
    /// The defining query as SQL text with names resolved at creation.
    pub query: String,
    /// Names and types of the columns.
    pub columns: Vec<ViewColumn>,
    /// Relation oids the query reads, for DROP … RESTRICT/CASCADE.
    pub depends_on: Vec<u32>,
    /// The search path at creation, in which the query's names resolve.
    pub search_path: Vec<String>,
}

/// A column of a view.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ViewColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: TypeRef,
}

/// A sequence; its current value is in storage, outside transactions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SequenceDescriptor {
    /// The engine's number of the sequence's state.
    pub storage: u32,
    /// int2, int4 or int8.
    pub data_type: TypeRef,
    /// INCREMENT BY.
    pub increment: i64,
    /// MINVALUE.
    pub min: i64,
    /// MAXVALUE.
    pub max: i64,
    /// START WITH.
    pub start: i64,
    /// CACHE.
    pub cache: i64,
    /// CYCLE.
    pub cycle: bool,
    /// OWNED BY: table's relation oid and column id.
    pub owned_by: Option<(u32, u32)>,
}

impl RelationDescriptor {
    /// The relation's oid.
    pub fn oid(&self) -> Oid {
        Oid(self.oid)
    }

    /// The table description, if this is a table.
    pub fn as_table(&self) -> Option<&TableDescriptor> {
        match &self.kind {
            RelationKind::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The index description, if this is an index.
    pub fn as_index(&self) -> Option<&IndexDescriptor> {
        match &self.kind {
            RelationKind::Index(index) => Some(index),
            _ => None,
        }
    }

    /// The view description, if this is a view.
    pub fn as_view(&self) -> Option<&ViewDescriptor> {
        match &self.kind {
            RelationKind::View(view) => Some(view),
            _ => None,
        }
    }

    /// The sequence description, if this is a sequence.
    pub fn as_sequence(&self) -> Option<&SequenceDescriptor> {
        match &self.kind {
            RelationKind::Sequence(sequence) => Some(sequence),
            _ => None,
        }
    }
}

impl TableDescriptor {
    /// Where the rows are.
    pub fn storage(&self) -> TableId {
        TableId(self.storage)
    }

    /// Position and description of a column by name.
    pub fn column_by_name(&self, name: &str) -> Option<(usize, &ColumnDescriptor)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name == name)
    }

    /// Position and description of a column by id.
    pub fn column_by_id(&self, id: u32) -> Option<(usize, &ColumnDescriptor)> {
        self.columns.iter().enumerate().find(|(_, column)| column.id == id)
    }
}

impl ColumnDescriptor {
    /// The storage id.
    pub fn id(&self) -> ColumnId {
        ColumnId(self.id)
    }
}

impl IndexDescriptor {
    /// Where the entries are.
    pub fn storage(&self) -> IndexId {
        IndexId(self.storage)
    }
}
