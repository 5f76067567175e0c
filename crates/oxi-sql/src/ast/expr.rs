//! Expressions.

use super::{Ident, ObjectName, OperatorName, Query, Span, TypeName};

/// An expression and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// From its first token to its last.
    pub span: Span,
}

impl Expr {
    /// An expression.
    pub fn new(kind: ExprKind, span: Span) -> Self {
        Expr { kind, span }
    }
}

/// The forms of expressions. Parentheses leave no trace.
#[allow(missing_docs, reason = "the SQL in the comment shows the fields")]
#[derive(Clone, PartialEq, Debug)]
pub enum ExprKind {
    /// A constant.
    Literal(Literal),
    /// `$n`, n from 1.
    Parameter(u32),
    /// `a`, `t.a`, `s.t.a`, `d.s.t.a`: at least one part. (`(row).field` is `Field`.)
    Column(Vec<Ident>),
    /// `*` or `t.*`, `s.t.*`: in select lists, RETURNING, and as an argument or row field.
    Star(Vec<Ident>),
    /// A prefix operator. A minus before a number is already part of the number.
    Unary { op: OperatorName, operand: Box<Expr> },
    /// An infix operator.
    Binary { left: Box<Expr>, op: OperatorName, right: Box<Expr> },
    /// `a AND b AND …`, flattened: at least two.
    And(Vec<Expr>),
    /// `a OR b OR …`, flattened: at least two.
    Or(Vec<Expr>),
    /// `NOT a`.
    Not(Box<Expr>),
    /// `a IS [NOT] NULL`, `ISNULL`, `NOTNULL`.
    IsNull { operand: Box<Expr>, negated: bool },
    /// `a IS [NOT] TRUE|FALSE|UNKNOWN`.
    IsBool { operand: Box<Expr>, test: BoolTest, negated: bool },
    /// `a IS [NOT] DISTINCT FROM b`; the operator is `=`, its span the word `IS`.
    IsDistinct { left: Box<Expr>, right: Box<Expr>, negated: bool, op: OperatorName },
    /// `a [NOT] LIKE|ILIKE|SIMILAR TO b [ESCAPE c]`; `op` holds `~~`, `!~~`, `~~*`, `!~~*`, `~`, `!~`.
    Like {
        operand: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
        kind: LikeKind,
        negated: bool,
        op: OperatorName,
    },
    /// `a [NOT] BETWEEN [SYMMETRIC] b AND c`.
    Between {
        operand: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        symmetric: bool,
        negated: bool,
        op_span: Span,
    },
    /// `a [NOT] IN (b, …)`: at least one.
    InList { operand: Box<Expr>, list: Vec<Expr>, negated: bool, op_span: Span },
    /// `a [NOT] IN (SELECT …)`; `a` may be a row.
    InSubquery { operand: Box<Expr>, query: Box<Query>, negated: bool, op_span: Span },
    /// `a op ANY|SOME|ALL (…)`; `LIKE ANY` has the operator `~~`.
    Quantified { left: Box<Expr>, op: OperatorName, all: bool, right: QuantifiedRight },
    /// `EXISTS (SELECT …)`.
    Exists(Box<Query>),
    /// `(SELECT …)` as a value.
    Subquery(Box<Query>),
    /// `ARRAY(SELECT …)`.
    ArraySubquery(Box<Query>),
    /// A call of a function, aggregate or window function.
    Call(Box<FunctionCall>),
    /// `COALESCE(a, …)`.
    Coalesce(Vec<Expr>),
    /// `NULLIF(a, b)`.
    NullIf(Box<Expr>, Box<Expr>),
    /// `GREATEST(a, …)`.
    Greatest(Vec<Expr>),
    /// `LEAST(a, …)`.
    Least(Vec<Expr>),
    /// `CURRENT_DATE` and its like.
    SqlValue { function: SqlValue, precision: Option<i32> },
    /// `CASE [a] WHEN b THEN c … [ELSE d] END`.
    Case { operand: Option<Box<Expr>>, branches: Vec<CaseBranch>, otherwise: Option<Box<Expr>> },
    /// `ROW(a, …)` or `(a, b, …)`.
    Row { fields: Vec<Expr>, explicit: bool },
    /// `ARRAY[a, …]`; inner brackets are `Array` too.
    Array(Vec<Expr>),
    /// `a[1]`, `a[1:2][3]`.
    Subscript { base: Box<Expr>, subscripts: Vec<Subscript> },
    /// `(a).b`.
    Field { base: Box<Expr>, field: Ident },
    /// `(a).*`.
    FieldStar(Box<Expr>),
    /// `a COLLATE c`.
    Collate { operand: Box<Expr>, collation: ObjectName },
    /// `CAST(a AS t)`, `a::t`, `t 'a'`.
    Cast { operand: Box<Expr>, target: Box<TypeName>, syntax: CastSyntax },
    /// `GROUPING(a, …)`.
    Grouping(Vec<Expr>),
    /// `DEFAULT` as a value of INSERT or UPDATE.
    Default,
    /// `CURRENT OF cursor`, as the whole condition of UPDATE or DELETE.
    CurrentOf(Ident),
}

/// A constant.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Literal {
    /// `NULL`.
    Null,
    /// `TRUE`, `FALSE`.
    Bool(bool),
    /// A whole number that fits int4, perhaps with a minus.
    Int4(i32),
    /// A whole number that fits int8, perhaps with a minus.
    Int8(i64),
    /// Any other number, as written in decimal, perhaps with a minus.
    Numeric(String),
    /// A string of any quoting, decoded: of type unknown.
    String(String),
    /// `B'…'`: the digits 0 and 1.
    BitString(String),
    /// `X'…'`: the hexadecimal digits, of type bit.
    HexString(String),
}

/// What `IS` tests for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum BoolTest {
    /// `TRUE`.
    True,
    /// `FALSE`.
    False,
    /// `UNKNOWN`.
    Unknown,
}

/// The pattern languages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum LikeKind {
    /// `LIKE`.
    Like,
    /// `ILIKE`.
    ILike,
    /// `SIMILAR TO`.
    SimilarTo,
}

/// What stands after `ANY` or `ALL`.
#[derive(Clone, PartialEq, Debug)]
pub enum QuantifiedRight {
    /// An array value.
    Array(Box<Expr>),
    /// A subquery.
    Subquery(Box<Query>),
}

/// The functions that are called without parentheses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum SqlValue {
    /// `CURRENT_DATE`.
    CurrentDate,
    /// `CURRENT_TIME`.
    CurrentTime,
    /// `CURRENT_TIMESTAMP`.
    CurrentTimestamp,
    /// `LOCALTIME`.
    LocalTime,
    /// `LOCALTIMESTAMP`.
    LocalTimestamp,
    /// `CURRENT_ROLE`.
    CurrentRole,
    /// `CURRENT_USER`.
    CurrentUser,
    /// `USER`.
    User,
    /// `SESSION_USER`.
    SessionUser,
    /// `CURRENT_CATALOG`.
    CurrentCatalog,
    /// `CURRENT_SCHEMA`.
    CurrentSchema,
}

impl SqlValue {
    /// The word in lower case, which is also the result column's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CurrentDate => "current_date",
            Self::CurrentTime => "current_time",
            Self::CurrentTimestamp => "current_timestamp",
            Self::LocalTime => "localtime",
            Self::LocalTimestamp => "localtimestamp",
            Self::CurrentRole => "current_role",
            Self::CurrentUser => "current_user",
            Self::User => "user",
            Self::SessionUser => "session_user",
            Self::CurrentCatalog => "current_catalog",
            Self::CurrentSchema => "current_schema",
        }
    }
}

/// How a cast was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum CastSyntax {
    /// `CAST(a AS t)`.
    Cast,
    /// `a::t`.
    Colons,
    /// `t 'a'`.
    TypedLiteral,
}

/// One `WHEN … THEN …`.
#[derive(Clone, PartialEq, Debug)]
pub struct CaseBranch {
    /// After `WHEN`.
    pub condition: Expr,
    /// After `THEN`.
    pub result: Expr,
    /// Where it stands.
    pub span: Span,
}

/// One pair of brackets after an array.
#[allow(missing_docs, reason = "the SQL in the comment shows the fields")]
#[derive(Clone, PartialEq, Debug)]
pub enum Subscript {
    /// `[i]`.
    Index(Expr),
    /// `[l:u]`.
    Slice { lower: Option<Expr>, upper: Option<Expr> },
}

/// A call.
#[derive(Clone, PartialEq, Debug)]
pub struct FunctionCall {
    /// The function; those of special syntax are in `pg_catalog`.
    pub name: ObjectName,
    /// The arguments; for `WITHIN GROUP` the direct ones.
    pub args: Vec<Argument>,
    /// The argument list is `*`.
    pub star: bool,
    /// The last argument is `VARIADIC`.
    pub variadic: bool,
    /// `DISTINCT` before the arguments.
    pub distinct: bool,
    /// `ORDER BY` after the arguments, or in `WITHIN GROUP`.
    pub order_by: Vec<OrderItem>,
    /// `order_by` stood in `WITHIN GROUP`.
    pub within_group: bool,
    /// `FILTER (WHERE …)`.
    pub filter: Option<Box<Expr>>,
    /// `OVER …`.
    pub over: Option<Over>,
    /// How it was written.
    pub syntax: CallSyntax,
    /// Where it stands.
    pub span: Span,
}

/// How a call was written. The names and argument orders are PostgreSQL's:
/// `extract(text, v)`, `timezone(zone, v)`, `overlay(s, r, from [, for])`, `position(s, sub)`,
/// `substring(s, from [, for])`, `substring(s, pattern, escape)`, `btrim|ltrim|rtrim(s [, chars])`,
/// `overlaps(a, b, c, d)`, `normalize(s [, form])`, `is_normalized(s [, form])`, `pg_collation_for(a)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum CallSyntax {
    /// `f(…)`.
    Call,
    /// A special syntax.
    Sql,
}

/// One argument.
#[derive(Clone, PartialEq, Debug)]
pub struct Argument {
    /// `name =>`.
    pub name: Option<Ident>,
    /// The value.
    pub value: Expr,
}

/// `ORDER BY` one of its items.
#[derive(Clone, PartialEq, Debug)]
pub struct OrderItem {
    /// The key.
    pub expr: Expr,
    /// The direction.
    pub direction: Direction,
    /// `NULLS FIRST` is true.
    pub nulls_first: Option<bool>,
    /// Where it stands.
    pub span: Span,
}

/// The direction of a sort key.
#[derive(Clone, PartialEq, Debug)]
pub enum Direction {
    /// None given: ascending.
    Default,
    /// `ASC`.
    Asc,
    /// `DESC`.
    Desc,
    /// `USING op`.
    Using(OperatorName),
}

/// What stands after `OVER`.
#[derive(Clone, PartialEq, Debug)]
pub enum Over {
    /// A window of the WINDOW clause.
    Name(Ident),
    /// A window in parentheses.
    Window(Box<Window>),
}

/// A window definition.
#[derive(Clone, PartialEq, Debug)]
pub struct Window {
    /// The window it extends.
    pub base: Option<Ident>,
    /// `PARTITION BY`.
    pub partition_by: Vec<Expr>,
    /// `ORDER BY`.
    pub order_by: Vec<OrderItem>,
    /// The frame.
    pub frame: Option<Frame>,
    /// Where it stands.
    pub span: Span,
}

/// A window frame; without `BETWEEN` the end is `CurrentRow`.
#[derive(Clone, PartialEq, Debug)]
pub struct Frame {
    /// What is counted.
    pub unit: FrameUnit,
    /// The first bound.
    pub start: FrameBound,
    /// The second bound.
    pub end: FrameBound,
    /// `EXCLUDE …`.
    pub exclude: FrameExclude,
    /// Where it stands.
    pub span: Span,
}

/// What a frame counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum FrameUnit {
    /// `ROWS`.
    Rows,
    /// `RANGE`.
    Range,
    /// `GROUPS`.
    Groups,
}

/// One bound of a frame.
#[derive(Clone, PartialEq, Debug)]
pub enum FrameBound {
    /// `UNBOUNDED PRECEDING`.
    UnboundedPreceding,
    /// `n PRECEDING`.
    Preceding(Box<Expr>),
    /// `CURRENT ROW`.
    CurrentRow,
    /// `n FOLLOWING`.
    Following(Box<Expr>),
    /// `UNBOUNDED FOLLOWING`.
    UnboundedFollowing,
}

/// What a frame leaves out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum FrameExclude {
    /// Nothing: `NO OTHERS`.
    NoOthers,
    /// `CURRENT ROW`.
    CurrentRow,
    /// `GROUP`.
    Group,
    /// `TIES`.
    Ties,
}
