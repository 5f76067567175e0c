//! Queries.

use super::{Expr, FunctionCall, Ident, ObjectName, OrderItem, Span, Statement, TypeName, Window};

/// A query with the clauses that apply to its whole result.
#[derive(Clone, PartialEq, Debug)]
pub struct Query {
    /// `WITH`.
    pub with: Option<With>,
    /// What makes the rows.
    pub body: QueryBody,
    /// `ORDER BY`.
    pub order_by: Vec<OrderItem>,
    /// `LIMIT` or `FETCH FIRST`; `LIMIT ALL` is none.
    pub limit: Option<Expr>,
    /// `FETCH FIRST … WITH TIES`.
    pub with_ties: bool,
    /// `OFFSET`.
    pub offset: Option<Expr>,
    /// `FOR UPDATE` and its like, in order.
    pub locking: Vec<Locking>,
    /// Where it stands, without the parentheses around it.
    pub span: Span,
}

/// What makes the rows of a query.
#[derive(Clone, PartialEq, Debug)]
pub enum QueryBody {
    /// `SELECT`; `TABLE t` is `SELECT * FROM t`.
    Select(Box<Select>),
    /// `VALUES`: at least one row; the rows may differ in length.
    Values(Vec<ValuesRow>),
    /// `UNION`, `INTERSECT`, `EXCEPT`.
    Set {
        /// Which.
        op: SetOperator,
        /// `ALL`.
        all: bool,
        /// The first operand.
        left: Box<Query>,
        /// The second operand.
        right: Box<Query>,
    },
}

/// A row of `VALUES`.
#[derive(Clone, PartialEq, Debug)]
pub struct ValuesRow {
    /// At least one value; in INSERT it may be `Default`.
    pub values: Vec<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// The set operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum SetOperator {
    /// `UNION`.
    Union,
    /// `INTERSECT`.
    Intersect,
    /// `EXCEPT`.
    Except,
}

/// One SELECT.
#[derive(Clone, PartialEq, Debug)]
pub struct Select {
    /// `DISTINCT`.
    pub distinct: Option<Distinct>,
    /// The select list, perhaps empty.
    pub items: Vec<SelectItem>,
    /// `INTO`: only in the outermost SELECT of a statement, where it becomes `CreateTableAs`.
    pub into: Option<SelectInto>,
    /// `FROM`.
    pub from: Vec<TableExpr>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `GROUP BY`.
    pub group_by: Option<GroupBy>,
    /// `HAVING`.
    pub having: Option<Expr>,
    /// `WINDOW`.
    pub windows: Vec<NamedWindow>,
    /// Where it stands.
    pub span: Span,
}

/// `DISTINCT` of a SELECT.
#[derive(Clone, PartialEq, Debug)]
pub enum Distinct {
    /// `DISTINCT`.
    All,
    /// `DISTINCT ON (…)`.
    On(Vec<Expr>),
}

/// One item of a select list or of RETURNING.
#[derive(Clone, PartialEq, Debug)]
pub struct SelectItem {
    /// The expression; `Star` and `FieldStar` expand.
    pub expr: Expr,
    /// `AS name`.
    pub alias: Option<Ident>,
    /// Where it stands.
    pub span: Span,
}

/// `INTO [TEMP] t`.
#[derive(Clone, PartialEq, Debug)]
pub struct SelectInto {
    /// The table to create.
    pub name: ObjectName,
    /// Temporary or unlogged.
    pub persistence: Persistence,
}

/// How long a relation lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub enum Persistence {
    /// For ever.
    #[default]
    Permanent,
    /// Until the session ends.
    Temporary,
    /// Until a crash.
    Unlogged,
}

/// `WITH`.
#[derive(Clone, PartialEq, Debug)]
pub struct With {
    /// `RECURSIVE`.
    pub recursive: bool,
    /// At least one.
    pub ctes: Vec<Cte>,
    /// Where it stands.
    pub span: Span,
}

/// One named query of WITH.
#[derive(Clone, PartialEq, Debug)]
pub struct Cte {
    /// Its name.
    pub name: Ident,
    /// Its column names.
    pub columns: Vec<Ident>,
    /// `MATERIALIZED` is true, `NOT MATERIALIZED` is false.
    pub materialized: Option<bool>,
    /// A query, INSERT, UPDATE, DELETE or MERGE.
    pub statement: Box<Statement>,
    /// Where it stands.
    pub span: Span,
}

/// `GROUP BY`.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupBy {
    /// `GROUP BY DISTINCT`.
    pub distinct: bool,
    /// At least one.
    pub items: Vec<GroupingElement>,
    /// Where it stands.
    pub span: Span,
}

/// One element of GROUP BY.
#[derive(Clone, PartialEq, Debug)]
pub enum GroupingElement {
    /// An expression; `(a, b)` is an implicit `Row`.
    Expr(Expr),
    /// `()`.
    Empty(Span),
    /// `ROLLUP (…)`.
    Rollup(Vec<Expr>, Span),
    /// `CUBE (…)`.
    Cube(Vec<Expr>, Span),
    /// `GROUPING SETS (…)`.
    Sets(Vec<GroupingElement>, Span),
}

/// A window of the WINDOW clause.
#[derive(Clone, PartialEq, Debug)]
pub struct NamedWindow {
    /// Its name.
    pub name: Ident,
    /// Its definition.
    pub window: Window,
}

/// An item of FROM and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct TableExpr {
    /// What it is.
    pub kind: TableExprKind,
    /// Where it stands.
    pub span: Span,
}

/// The moment as of which a relation is read: `AS OF TIMESTAMP …`, `AS OF TRANSACTION …`, or
/// `FOR SYSTEM_TIME AS OF …`.
#[derive(Clone, PartialEq, Debug)]
pub struct AsOf {
    /// How the moment is given.
    pub kind: MomentKind,
    /// The time, or the number of the transaction.
    pub expr: Expr,
}

/// How a moment is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum MomentKind {
    /// By its time.
    Timestamp,
    /// By the transaction whose commit it is.
    Transaction,
}

/// The items of FROM.
#[derive(Clone, PartialEq, Debug)]
pub enum TableExprKind {
    /// A relation or a CTE.
    Table {
        /// Its name.
        name: ObjectName,
        /// `ONLY`.
        only: bool,
        /// `AS OF`.
        as_of: Option<Box<AsOf>>,
        /// `AS`.
        alias: Option<TableAlias>,
    },
    /// `(SELECT …)`.
    Subquery {
        /// The query.
        query: Box<Query>,
        /// `LATERAL`.
        lateral: bool,
        /// `AS`.
        alias: Option<TableAlias>,
    },
    /// `f(…)` or `ROWS FROM (f(…), …)`.
    Functions {
        /// At least one.
        functions: Vec<TableFunction>,
        /// `ROWS FROM` was written.
        rows_from: bool,
        /// `LATERAL`.
        lateral: bool,
        /// `WITH ORDINALITY`.
        ordinality: bool,
        /// `AS`.
        alias: Option<TableAlias>,
    },
    /// A join.
    Join {
        /// The left side.
        left: Box<TableExpr>,
        /// The right side.
        right: Box<TableExpr>,
        /// The kind.
        kind: JoinKind,
        /// The condition.
        condition: JoinCondition,
        /// `(a JOIN b) AS x`.
        alias: Option<TableAlias>,
    },
}

/// One function in FROM.
#[derive(Clone, PartialEq, Debug)]
pub struct TableFunction {
    /// The call: `Call`, or another expression that looks like one (`COALESCE`, `SqlValue`, `Cast`).
    pub call: Expr,
    /// `AS (a int, b text)`.
    pub columns: Vec<ColumnDefinition>,
}

impl TableFunction {
    /// The call, when it is an ordinary one.
    pub fn function(&self) -> Option<&FunctionCall> {
        match &self.call.kind {
            super::ExprKind::Call(call) => Some(call),
            _ => None,
        }
    }
}

/// A column of a column definition list.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub data_type: TypeName,
    /// `COLLATE`.
    pub collation: Option<ObjectName>,
    /// Where it stands.
    pub span: Span,
}

/// `AS name (columns)`.
#[derive(Clone, PartialEq, Debug)]
pub struct TableAlias {
    /// The name. It is none only for `f() AS (a int)`.
    pub name: Option<Ident>,
    /// The column names.
    pub columns: Vec<Ident>,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of joins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum JoinKind {
    /// `INNER JOIN`, and `CROSS JOIN` with no condition.
    Inner,
    /// `LEFT JOIN`.
    Left,
    /// `RIGHT JOIN`.
    Right,
    /// `FULL JOIN`.
    Full,
}

/// What joins.
#[derive(Clone, PartialEq, Debug)]
pub enum JoinCondition {
    /// `CROSS JOIN`.
    Cross,
    /// `NATURAL`.
    Natural,
    /// `ON`.
    On(Box<Expr>),
    /// `USING (…) [AS alias]`.
    Using {
        /// The columns.
        columns: Vec<Ident>,
        /// `AS`.
        alias: Option<Ident>,
    },
}

/// `FOR UPDATE` and its like.
#[derive(Clone, PartialEq, Debug)]
pub struct Locking {
    /// How strong.
    pub strength: LockStrength,
    /// `OF`.
    pub of: Vec<ObjectName>,
    /// `NOWAIT`, `SKIP LOCKED`.
    pub wait: LockWait,
    /// Where it stands.
    pub span: Span,
}

/// How strong row locks are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum LockStrength {
    /// `FOR KEY SHARE`.
    KeyShare,
    /// `FOR SHARE`.
    Share,
    /// `FOR NO KEY UPDATE`.
    NoKeyUpdate,
    /// `FOR UPDATE`.
    Update,
}

/// What to do about locked rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum LockWait {
    /// Wait.
    Block,
    /// `NOWAIT`.
    NoWait,
    /// `SKIP LOCKED`.
    SkipLocked,
}
