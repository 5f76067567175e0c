//! Type names.

use super::{Expr, ObjectName, Span};

/// A type as written, with its modifiers and array bounds.
///
/// The types that have grammar of their own are already `pg_catalog` names: `int` is
/// `pg_catalog.int4`, `char(3)` is `pg_catalog.bpchar` with modifier 3 (`char` alone has 1), `float(5)` is
/// `pg_catalog.float4`, `timestamp(3) with time zone` is `pg_catalog.timestamptz` with modifier 3,
/// `interval day to second(2)` keeps its fields in `interval`.
#[derive(Clone, PartialEq, Debug)]
pub struct TypeName {
    /// The name.
    pub name: ObjectName,
    /// What stands in parentheses.
    pub modifiers: Vec<Expr>,
    /// The fields of an interval type.
    pub interval: Option<IntervalFields>,
    /// One entry per dimension: `int[3][]` is `[Some(3), None]`; empty for no array.
    pub array_bounds: Vec<Option<i32>>,
    /// `SETOF`.
    pub set_of: bool,
    /// `name%TYPE`.
    pub percent_type: bool,
    /// Where it stands.
    pub span: Span,
}

/// The fields after `interval`. The precision of seconds is in the type's `modifiers`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum IntervalFields {
    /// `YEAR`.
    Year,
    /// `MONTH`.
    Month,
    /// `DAY`.
    Day,
    /// `HOUR`.
    Hour,
    /// `MINUTE`.
    Minute,
    /// `SECOND`.
    Second,
    /// `YEAR TO MONTH`.
    YearToMonth,
    /// `DAY TO HOUR`.
    DayToHour,
    /// `DAY TO MINUTE`.
    DayToMinute,
    /// `DAY TO SECOND`.
    DayToSecond,
    /// `HOUR TO MINUTE`.
    HourToMinute,
    /// `HOUR TO SECOND`.
    HourToSecond,
    /// `MINUTE TO SECOND`.
    MinuteToSecond,
}

impl IntervalFields {
    /// The fields in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
            Self::YearToMonth => "year to month",
            Self::DayToHour => "day to hour",
            Self::DayToMinute => "day to minute",
            Self::DayToSecond => "day to second",
            Self::HourToMinute => "hour to minute",
            Self::HourToSecond => "hour to second",
            Self::MinuteToSecond => "minute to second",
        }
    }
}
