//! Statements that define objects.

use super::{
    ColumnDefinition, Expr, Ident, IndexElement, NamedOption, ObjectName, Persistence, Query, Span,
    Statement, TypeName,
};

/// `CREATE TABLE`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateTable {
    /// Its name.
    pub name: ObjectName,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `TEMP`, `UNLOGGED`.
    pub persistence: Persistence,
    /// Columns, constraints and LIKE, in order.
    pub elements: Vec<TableElement>,
    /// `INHERITS`.
    pub inherits: Vec<ObjectName>,
    /// `USING method`.
    pub access_method: Option<Ident>,
    /// `WITH (…)`.
    pub options: Vec<NamedOption>,
    /// `ON COMMIT`.
    pub on_commit: Option<OnCommit>,
    /// `TABLESPACE`.
    pub tablespace: Option<Ident>,
    /// Where it stands.
    pub span: Span,
}

/// What happens to a temporary table's rows at commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum OnCommit {
    /// `PRESERVE ROWS`.
    PreserveRows,
    /// `DELETE ROWS`.
    DeleteRows,
    /// `DROP`.
    Drop,
}

/// An element of CREATE TABLE.
#[derive(Clone, PartialEq, Debug)]
pub enum TableElement {
    /// A column.
    Column(Box<ColumnDef>),
    /// A constraint.
    Constraint(Box<TableConstraint>),
    /// `LIKE t`.
    Like(LikeClause),
}

/// A column of CREATE TABLE.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnDef {
    /// Its name.
    pub name: Ident,
    /// Its type; `serial` and its like are ordinary names here.
    pub data_type: TypeName,
    /// `COLLATE`.
    pub collation: Option<ObjectName>,
    /// `STORAGE`.
    pub storage: Option<Ident>,
    /// `COMPRESSION`.
    pub compression: Option<Ident>,
    /// Its constraints, in order.
    pub constraints: Vec<ColumnConstraint>,
    /// Where it stands.
    pub span: Span,
}

/// A constraint of a column.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnConstraint {
    /// `CONSTRAINT name`.
    pub name: Option<Ident>,
    /// What it is.
    pub kind: ColumnConstraintKind,
    /// `DEFERRABLE`.
    pub deferral: Deferral,
    /// Where it stands.
    pub span: Span,
}

/// The constraints of a column.
#[derive(Clone, PartialEq, Debug)]
pub enum ColumnConstraintKind {
    /// `NULL`.
    Null,
    /// `NOT NULL`.
    NotNull,
    /// `DEFAULT`.
    Default(Expr),
    /// `GENERATED ALWAYS AS (…) STORED`.
    Generated {
        /// The expression.
        expr: Expr,
        /// `STORED`.
        stored: bool,
    },
    /// `GENERATED … AS IDENTITY`.
    Identity {
        /// `ALWAYS`, not `BY DEFAULT`.
        always: bool,
        /// The sequence's options.
        options: Vec<SequenceOption>,
    },
    /// `CHECK`.
    Check {
        /// The condition.
        expr: Expr,
        /// `NO INHERIT`.
        no_inherit: bool,
    },
    /// `PRIMARY KEY`.
    PrimaryKey(IndexParameters),
    /// `UNIQUE`.
    Unique {
        /// `NULLS NOT DISTINCT`.
        nulls_not_distinct: bool,
        /// Of its index.
        parameters: IndexParameters,
    },
    /// `REFERENCES`.
    References(ForeignKey),
}

/// The index of a constraint.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct IndexParameters {
    /// `INCLUDE`.
    pub include: Vec<Ident>,
    /// `WITH (…)`.
    pub options: Vec<NamedOption>,
    /// `USING INDEX TABLESPACE`.
    pub tablespace: Option<Ident>,
}

/// When a constraint is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub struct Deferral {
    /// `DEFERRABLE`.
    pub deferrable: bool,
    /// `INITIALLY DEFERRED`.
    pub initially_deferred: bool,
}

/// What a foreign key refers to.
#[derive(Clone, PartialEq, Debug)]
pub struct ForeignKey {
    /// The table.
    pub table: ObjectName,
    /// Its columns; empty means its primary key.
    pub columns: Vec<Ident>,
    /// `MATCH`.
    pub matching: MatchType,
    /// `ON DELETE`.
    pub on_delete: ReferentialAction,
    /// `ON DELETE SET NULL (columns)`.
    pub on_delete_columns: Vec<Ident>,
    /// `ON UPDATE`.
    pub on_update: ReferentialAction,
}

/// `MATCH`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum MatchType {
    /// `SIMPLE`.
    Simple,
    /// `FULL`.
    Full,
    /// `PARTIAL`.
    Partial,
}

/// What a foreign key does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ReferentialAction {
    /// `NO ACTION`.
    NoAction,
    /// `RESTRICT`.
    Restrict,
    /// `CASCADE`.
    Cascade,
    /// `SET NULL`.
    SetNull,
    /// `SET DEFAULT`.
    SetDefault,
}

/// A constraint of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct TableConstraint {
    /// `CONSTRAINT name`.
    pub name: Option<Ident>,
    /// What it is.
    pub kind: TableConstraintKind,
    /// `DEFERRABLE`.
    pub deferral: Deferral,
    /// `NOT VALID`.
    pub not_valid: bool,
    /// Where it stands.
    pub span: Span,
}

/// The constraints of a table.
#[derive(Clone, PartialEq, Debug)]
pub enum TableConstraintKind {
    /// `CHECK`.
    Check {
        /// The condition.
        expr: Expr,
        /// `NO INHERIT`.
        no_inherit: bool,
    },
    /// `PRIMARY KEY (…)`.
    PrimaryKey {
        /// The columns.
        columns: Vec<Ident>,
        /// Of its index.
        parameters: IndexParameters,
    },
    /// `UNIQUE (…)`.
    Unique {
        /// The columns.
        columns: Vec<Ident>,
        /// `NULLS NOT DISTINCT`.
        nulls_not_distinct: bool,
        /// Of its index.
        parameters: IndexParameters,
    },
    /// `PRIMARY KEY USING INDEX`, `UNIQUE USING INDEX`.
    UsingIndex {
        /// `PRIMARY KEY`.
        primary: bool,
        /// The index.
        index: Ident,
    },
    /// `FOREIGN KEY`.
    ForeignKey {
        /// The columns.
        columns: Vec<Ident>,
        /// What they refer to.
        references: ForeignKey,
    },
    /// `EXCLUDE`.
    Exclude {
        /// `USING`.
        method: Option<Ident>,
        /// The elements, each with its operator.
        elements: Vec<IndexElement>,
        /// Of its index.
        parameters: IndexParameters,
        /// `WHERE`.
        filter: Option<Expr>,
    },
}

/// `LIKE t INCLUDING …`.
#[derive(Clone, PartialEq, Debug)]
pub struct LikeClause {
    /// The table.
    pub table: ObjectName,
    /// `true` is INCLUDING; in order, `All` being every feature.
    pub options: Vec<(bool, LikeOption)>,
    /// Where it stands.
    pub span: Span,
}

/// What LIKE copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum LikeOption {
    /// `ALL`.
    All,
    /// `COMMENTS`.
    Comments,
    /// `COMPRESSION`.
    Compression,
    /// `CONSTRAINTS`.
    Constraints,
    /// `DEFAULTS`.
    Defaults,
    /// `GENERATED`.
    Generated,
    /// `IDENTITY`.
    Identity,
    /// `INDEXES`.
    Indexes,
    /// `STATISTICS`.
    Statistics,
    /// `STORAGE`.
    Storage,
}

/// `CREATE TABLE … AS`, `SELECT INTO`, `CREATE MATERIALIZED VIEW`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateTableAs {
    /// Its name.
    pub name: ObjectName,
    /// `MATERIALIZED VIEW`.
    pub materialized_view: bool,
    /// It was `SELECT INTO`.
    pub select_into: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `TEMP`, `UNLOGGED`.
    pub persistence: Persistence,
    /// The column names.
    pub columns: Vec<Ident>,
    /// `USING method`.
    pub access_method: Option<Ident>,
    /// `WITH (…)`.
    pub options: Vec<NamedOption>,
    /// `ON COMMIT`.
    pub on_commit: Option<OnCommit>,
    /// `TABLESPACE`.
    pub tablespace: Option<Ident>,
    /// A query or EXECUTE; a query's `into` is none.
    pub statement: Box<Statement>,
    /// Not `WITH NO DATA`.
    pub with_data: bool,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ObjectKind {
    /// `TABLE`.
    Table,
    /// `INDEX`.
    Index,
    /// `VIEW`.
    View,
    /// `MATERIALIZED VIEW`.
    MaterializedView,
    /// `SEQUENCE`.
    Sequence,
    /// `SCHEMA`.
    Schema,
    /// `DATABASE`.
    Database,
    /// `TYPE`.
    Type,
    /// `DOMAIN`.
    Domain,
    /// `EXTENSION`.
    Extension,
    /// `ROLE`, `USER`, `GROUP`.
    Role,
    /// `FUNCTION`.
    Function,
    /// `COLUMN`, of a relation.
    Column,
    /// `CONSTRAINT`, on a relation.
    Constraint,
    /// Another kind, which is not supported.
    Other,
}

impl ObjectKind {
    /// The kind in SQL, lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Index => "index",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Sequence => "sequence",
            Self::Schema => "schema",
            Self::Database => "database",
            Self::Type => "type",
            Self::Domain => "domain",
            Self::Extension => "extension",
            Self::Role => "role",
            Self::Function => "function",
            Self::Column => "column",
            Self::Constraint => "constraint",
            Self::Other => "object",
        }
    }
}

/// `CREATE INDEX`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateIndex {
    /// `UNIQUE`.
    pub unique: bool,
    /// `CONCURRENTLY`.
    pub concurrently: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// Its name (never qualified); none asks for a generated one.
    pub name: Option<Ident>,
    /// The table.
    pub table: ObjectName,
    /// `ONLY`.
    pub only: bool,
    /// `USING`.
    pub method: Option<Ident>,
    /// The keys.
    pub elements: Vec<IndexElement>,
    /// `INCLUDE`.
    pub include: Vec<Ident>,
    /// `NULLS NOT DISTINCT`.
    pub nulls_not_distinct: bool,
    /// `WITH (…)`.
    pub options: Vec<NamedOption>,
    /// `TABLESPACE`.
    pub tablespace: Option<Ident>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// `CREATE VIEW`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateView {
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// `TEMP`.
    pub persistence: Persistence,
    /// `RECURSIVE`.
    pub recursive: bool,
    /// Its name.
    pub name: ObjectName,
    /// The column names.
    pub columns: Vec<Ident>,
    /// `WITH (…)`.
    pub options: Vec<NamedOption>,
    /// Its query.
    pub query: Box<Query>,
    /// `WITH … CHECK OPTION`.
    pub check_option: Option<CheckOption>,
    /// Where it stands.
    pub span: Span,
}

/// `WITH … CHECK OPTION`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum CheckOption {
    /// `LOCAL`.
    Local,
    /// `CASCADED`, which is the default.
    Cascaded,
}

/// `REFRESH MATERIALIZED VIEW`.
#[derive(Clone, PartialEq, Debug)]
pub struct RefreshMaterializedView {
    /// The view.
    pub name: ObjectName,
    /// `CONCURRENTLY`.
    pub concurrently: bool,
    /// Not `WITH NO DATA`.
    pub with_data: bool,
}

/// `CREATE SCHEMA`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateSchema {
    /// Its name; none takes the owner's.
    pub name: Option<Ident>,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `AUTHORIZATION`.
    pub owner: Option<Ident>,
    /// The statements that create its objects.
    pub elements: Vec<Statement>,
}

/// `CREATE SEQUENCE`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateSequence {
    /// Its name.
    pub name: ObjectName,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `TEMP`, `UNLOGGED`.
    pub persistence: Persistence,
    /// Its options.
    pub options: Vec<SequenceOption>,
}

/// `ALTER SEQUENCE`.
#[derive(Clone, PartialEq, Debug)]
pub struct AlterSequence {
    /// Its name.
    pub name: ObjectName,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// Its options.
    pub options: Vec<SequenceOption>,
}

/// An option of a sequence and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct SequenceOption {
    /// Which.
    pub kind: SequenceOptionKind,
    /// Where it stands.
    pub span: Span,
}

/// The options of a sequence. Numbers are whole and as written; the binder checks their range.
#[derive(Clone, PartialEq, Debug)]
pub enum SequenceOptionKind {
    /// `AS`.
    DataType(TypeName),
    /// `INCREMENT BY`.
    Increment(String),
    /// `MINVALUE`; none is `NO MINVALUE`.
    MinValue(Option<String>),
    /// `MAXVALUE`; none is `NO MAXVALUE`.
    MaxValue(Option<String>),
    /// `START WITH`.
    Start(String),
    /// `RESTART`.
    Restart(Option<String>),
    /// `CACHE`.
    Cache(String),
    /// `CYCLE`, `NO CYCLE`.
    Cycle(bool),
    /// `OWNED BY table.column`; none is `OWNED BY NONE`.
    OwnedBy(Option<ObjectName>),
    /// `SEQUENCE NAME`.
    SequenceName(ObjectName),
    /// `LOGGED`, `UNLOGGED`.
    Logged(bool),
}

/// `CREATE TYPE`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateType {
    /// Its name.
    pub name: ObjectName,
    /// What it is.
    pub kind: CreateTypeKind,
}

/// The kinds of types that can be created.
#[derive(Clone, PartialEq, Debug)]
pub enum CreateTypeKind {
    /// `AS ENUM`.
    Enum(Vec<(String, Span)>),
    /// `AS (…)`.
    Composite(Vec<ColumnDefinition>),
}

/// `CREATE DOMAIN`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateDomain {
    /// Its name.
    pub name: ObjectName,
    /// Its base.
    pub data_type: TypeName,
    /// `COLLATE`.
    pub collation: Option<ObjectName>,
    /// `DEFAULT`, `NOT NULL`, `CHECK`.
    pub constraints: Vec<ColumnConstraint>,
}

/// `CREATE EXTENSION`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateExtension {
    /// Its name.
    pub name: Ident,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `SCHEMA`.
    pub schema: Option<Ident>,
    /// `VERSION`.
    pub version: Option<String>,
    /// `CASCADE`.
    pub cascade: bool,
}

/// `CREATE DATABASE`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateDatabase {
    /// Its name.
    pub name: Ident,
    /// Its options.
    pub options: Vec<NamedOption>,
}

/// `CREATE ROLE`.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateRole {
    /// Its name.
    pub name: Ident,
    /// It was `CREATE USER`, which implies LOGIN.
    pub login: bool,
    /// The options, as `superuser` with value `true` or `false`, `password`, `connection_limit`, ….
    pub options: Vec<NamedOption>,
}

/// `ALTER ROLE`.
#[derive(Clone, PartialEq, Debug)]
pub struct AlterRole {
    /// Its name.
    pub name: Ident,
    /// As in [`CreateRole`].
    pub options: Vec<NamedOption>,
}

/// `DROP`.
#[derive(Clone, PartialEq, Debug)]
pub struct Drop {
    /// What kind.
    pub kind: ObjectKind,
    /// At least one.
    pub names: Vec<ObjectName>,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// `CASCADE`.
    pub cascade: bool,
    /// `CONCURRENTLY`.
    pub concurrently: bool,
}

/// `COMMENT ON`.
#[derive(Clone, PartialEq, Debug)]
pub struct Comment {
    /// What kind.
    pub kind: ObjectKind,
    /// The object; for `Column` the relation and the column; for `Constraint` the relation.
    pub name: ObjectName,
    /// The constraint.
    pub part: Option<Ident>,
    /// The comment; none is NULL, which removes it.
    pub text: Option<String>,
}
