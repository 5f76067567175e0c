//! Statements that change rows: INSERT, UPDATE, DELETE, MERGE, TRUNCATE, COPY.

use super::{
    Expr, Ident, ObjectName, OperatorName, Query, SelectItem, Span, Statement, Subscript,
    TableExpr, With,
};

/// `INSERT`.
#[derive(Clone, PartialEq, Debug)]
pub struct Insert {
    /// `WITH`.
    pub with: Option<With>,
    /// The table.
    pub table: ObjectName,
    /// `AS`.
    pub alias: Option<Ident>,
    /// The columns; empty means all.
    pub columns: Vec<AssignTarget>,
    /// `OVERRIDING`.
    pub overriding: Option<Overriding>,
    /// The rows.
    pub source: InsertSource,
    /// `ON CONFLICT`.
    pub on_conflict: Option<OnConflict>,
    /// `RETURNING`.
    pub returning: Vec<SelectItem>,
    /// Where it stands.
    pub span: Span,
}

/// A column that is assigned, with a path into it.
#[derive(Clone, PartialEq, Debug)]
pub struct AssignTarget {
    /// The column.
    pub column: Ident,
    /// `.field` and `[i]`, in order.
    pub path: Vec<AssignStep>,
    /// Where it stands.
    pub span: Span,
}

/// A step into a column's value.
#[derive(Clone, PartialEq, Debug)]
pub enum AssignStep {
    /// `.field`.
    Field(Ident),
    /// `[i]`.
    Subscript(Subscript),
}

/// `OVERRIDING … VALUE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Overriding {
    /// `USER`.
    User,
    /// `SYSTEM`.
    System,
}

/// The rows of INSERT.
#[derive(Clone, PartialEq, Debug)]
pub enum InsertSource {
    /// `DEFAULT VALUES`.
    DefaultValues,
    /// A query; `VALUES` may hold `Default`.
    Query(Box<Query>),
}

/// `ON CONFLICT`.
#[derive(Clone, PartialEq, Debug)]
pub struct OnConflict {
    /// What decides.
    pub target: Option<ConflictTarget>,
    /// What to do.
    pub action: ConflictAction,
    /// Where it stands.
    pub span: Span,
}

/// What decides a conflict.
#[derive(Clone, PartialEq, Debug)]
pub enum ConflictTarget {
    /// `(a, lower(b)) [WHERE …]`.
    Index {
        /// At least one.
        elements: Vec<IndexElement>,
        /// The predicate of a partial index.
        filter: Option<Box<Expr>>,
        /// Where it stands.
        span: Span,
    },
    /// `ON CONSTRAINT name`.
    Constraint(Ident),
}

/// One key of an index: `CREATE INDEX`, `ON CONFLICT`, `EXCLUDE`.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexElement {
    /// A column (`Column` of one part) or an expression.
    pub expr: Expr,
    /// `COLLATE`.
    pub collation: Option<ObjectName>,
    /// The operator class.
    pub operator_class: Option<ObjectName>,
    /// `DESC` is true, `ASC` is false.
    pub descending: Option<bool>,
    /// `NULLS FIRST` is true.
    pub nulls_first: Option<bool>,
    /// `WITH op` of an exclusion constraint.
    pub exclude_with: Option<OperatorName>,
    /// Where it stands.
    pub span: Span,
}

/// What to do about a conflict.
#[derive(Clone, PartialEq, Debug)]
pub enum ConflictAction {
    /// `DO NOTHING`.
    Nothing,
    /// `DO UPDATE SET … WHERE …`.
    Update {
        /// `SET`.
        assignments: Vec<Assignment>,
        /// `WHERE`.
        filter: Option<Box<Expr>>,
    },
}

/// One assignment of SET.
#[derive(Clone, PartialEq, Debug)]
pub struct Assignment {
    /// What is assigned.
    pub kind: AssignmentKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of assignments.
#[derive(Clone, PartialEq, Debug)]
pub enum AssignmentKind {
    /// `a = v`; the value may be `Default`.
    Single {
        /// The column.
        target: AssignTarget,
        /// The value.
        value: Expr,
    },
    /// `(a, b) = ROW(…)`, `(a, b) = (…)`, `(a, b) = (SELECT …)`.
    Multiple {
        /// The columns.
        targets: Vec<AssignTarget>,
        /// A `Row` (whose fields may be `Default`), a `Subquery`, or another expression of a row.
        value: Expr,
    },
}

/// The table of UPDATE, DELETE and MERGE.
#[derive(Clone, PartialEq, Debug)]
pub struct TargetTable {
    /// Its name.
    pub name: ObjectName,
    /// `ONLY`.
    pub only: bool,
    /// `AS`.
    pub alias: Option<Ident>,
    /// Where it stands.
    pub span: Span,
}

/// `UPDATE`.
#[derive(Clone, PartialEq, Debug)]
pub struct Update {
    /// `WITH`.
    pub with: Option<With>,
    /// The table.
    pub table: TargetTable,
    /// `SET`.
    pub assignments: Vec<Assignment>,
    /// `FROM`.
    pub from: Vec<TableExpr>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `RETURNING`.
    pub returning: Vec<SelectItem>,
    /// Where it stands.
    pub span: Span,
}

/// `DELETE`.
#[derive(Clone, PartialEq, Debug)]
pub struct Delete {
    /// `WITH`.
    pub with: Option<With>,
    /// The table.
    pub table: TargetTable,
    /// `USING`.
    pub using: Vec<TableExpr>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `RETURNING`.
    pub returning: Vec<SelectItem>,
    /// Where it stands.
    pub span: Span,
}

/// `MERGE`.
#[derive(Clone, PartialEq, Debug)]
pub struct Merge {
    /// `WITH`.
    pub with: Option<With>,
    /// The table.
    pub table: TargetTable,
    /// `USING`.
    pub source: TableExpr,
    /// `ON`.
    pub on: Expr,
    /// The WHEN clauses, in order.
    pub clauses: Vec<MergeClause>,
    /// Where it stands.
    pub span: Span,
}

/// `WHEN [NOT] MATCHED [AND …] THEN …`.
#[derive(Clone, PartialEq, Debug)]
pub struct MergeClause {
    /// `MATCHED` without `NOT`.
    pub matched: bool,
    /// `AND`.
    pub condition: Option<Expr>,
    /// `THEN`.
    pub action: MergeAction,
    /// Where it stands.
    pub span: Span,
}

/// What a clause of MERGE does.
#[derive(Clone, PartialEq, Debug)]
pub enum MergeAction {
    /// `DO NOTHING`.
    Nothing,
    /// `DELETE`.
    Delete,
    /// `UPDATE SET`.
    Update(Vec<Assignment>),
    /// `INSERT`.
    Insert {
        /// The columns; empty means all.
        columns: Vec<AssignTarget>,
        /// `OVERRIDING`.
        overriding: Option<Overriding>,
        /// The values; none is `DEFAULT VALUES`.
        values: Option<Vec<Expr>>,
    },
}

/// `TRUNCATE`.
#[derive(Clone, PartialEq, Debug)]
pub struct Truncate {
    /// The tables; `true` is `ONLY`.
    pub tables: Vec<(ObjectName, bool)>,
    /// `RESTART IDENTITY`.
    pub restart_identity: bool,
    /// `CASCADE`.
    pub cascade: bool,
}

/// `COPY`.
#[derive(Clone, PartialEq, Debug)]
pub struct Copy {
    /// What is copied.
    pub source: CopySource,
    /// `FROM` (into the table).
    pub from: bool,
    /// The other end.
    pub endpoint: CopyEndpoint,
    /// The options; the old syntax is turned into the new (`format`, `delimiter`, `null`, `header`,
    /// `quote`, `escape`, `force_quote`, `force_not_null`, `force_null`, `encoding`, `freeze`).
    pub options: Vec<NamedOption>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// What COPY copies.
#[derive(Clone, PartialEq, Debug)]
pub enum CopySource {
    /// A table and its columns; none means all.
    Table {
        /// Its name.
        name: ObjectName,
        /// The columns.
        columns: Vec<Ident>,
    },
    /// A statement that returns rows.
    Query(Box<Statement>),
}

/// The other end of COPY.
#[derive(Clone, PartialEq, Debug)]
pub enum CopyEndpoint {
    /// `STDIN`, `STDOUT`.
    Client,
    /// A file on the server.
    File(String),
    /// `PROGRAM`.
    Program(String),
}

/// A named option: of COPY, EXPLAIN, VACUUM, storage parameters, ….
#[derive(Clone, PartialEq, Debug)]
pub struct NamedOption {
    /// The name, in lower case; storage parameters may have a dotted name.
    pub name: String,
    /// The value.
    pub value: Option<OptionValue>,
    /// Where it stands.
    pub span: Span,
}

/// The value of an option.
#[derive(Clone, PartialEq, Debug)]
pub enum OptionValue {
    /// A bare word, `true`, `on`, ….
    Word(String),
    /// A quoted string.
    String(String),
    /// A number, as written.
    Number(String),
    /// `*`.
    Star,
    /// `(a, b)`.
    List(Vec<String>),
}

impl OptionValue {
    /// The text of a word, string or number.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::String(text) | Self::Number(text) => Some(text),
            Self::Star | Self::List(_) => None,
        }
    }
}
