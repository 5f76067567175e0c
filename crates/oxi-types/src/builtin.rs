//! The built-in functions, operators, casts, aggregates and window functions: rows of data that
//! name their implementations.

pub mod aggregate;
pub mod args;
pub mod array;
pub mod cast;
pub mod compare;
pub mod datetime;
pub mod json;
pub mod math;
pub mod pattern;
pub mod string;
pub mod system;
pub mod template;

mod tables;

use oxi_base::Result;
use oxi_model::{Datum, descriptor::TypeRef};

pub use aggregate::{AGGREGATES, Accumulator, Aggregate, AggregateKind, WINDOWS, WindowFunction};
pub use tables::{CASTS, FUNCTIONS, OPERATORS};

use crate::context::EvalContext;

/// An implementation that needs no more than its arguments.
pub type ScalarFn = fn(&EvalContext, &[Datum]) -> Result<Datum>;

/// An implementation that needs the actual types of its arguments (polymorphic functions).
pub type TypedFn = fn(&EvalContext, &[TypeRef], &[Datum]) -> Result<Datum>;

/// How a row computes.
#[derive(Clone, Copy, Debug)]
pub enum Implementation {
    /// Needs the arguments only.
    Plain(ScalarFn),
    /// Needs the arguments' actual types too.
    Typed(TypedFn),
}

impl Implementation {
    /// Computes. `types` are the actual types of `args` (the elements of a variadic call
    /// included); NULLs of strict functions are the caller's business.
    pub fn call(&self, context: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
        match self {
            Implementation::Plain(function) => function(context, args),
            Implementation::Typed(function) => function(context, types, args),
        }
    }

    /// Whether the actual argument types matter.
    pub fn is_typed(&self) -> bool {
        matches!(self, Implementation::Typed(_))
    }
}

/// `provolatile`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Volatility {
    /// Depends on the arguments only.
    Immutable,
    /// Constant within a statement.
    Stable,
    /// May differ from call to call.
    Volatile,
}

/// A row of `pg_proc` of kind function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// `pg_proc.oid`.
    pub oid: u32,
    /// Its name.
    pub name: &'static str,
    /// Types of the arguments. A variadic function's last one is the array type (or `"any"`), and
    /// its implementation takes the variadic arguments one by one, however they were given.
    pub args: &'static [u32],
    /// Whether the last argument is variadic.
    pub variadic: bool,
    /// How many of the last arguments may be left out: their values, as text for text input.
    pub defaults: &'static [&'static str],
    /// The type of the result; of one element if it returns a set.
    pub returns: u32,
    /// Whether it returns a set: then the implementation gives a `Datum::List` of the results.
    pub returns_set: bool,
    /// Columns of the result for functions with several `OUT` arguments: then each result is a
    /// `Datum::List` of the columns' values.
    pub columns: &'static [(&'static str, u32)],
    /// Whether a NULL argument gives NULL without a call.
    pub strict: bool,
    /// Whether and when the result may change.
    pub volatility: Volatility,
    /// How it computes.
    pub implementation: Implementation,
}

/// What an operator means, where the planner cares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OperatorKind {
    /// `=`
    Eq,
    /// `<>`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `||`
    Concat,
    /// `~~`
    Like,
    /// `!~~`
    NotLike,
    /// `~~*`
    ILike,
    /// `!~~*`
    NotILike,
    /// Anything else.
    Other,
}

impl OperatorKind {
    /// The kind an operator of this name has by convention.
    pub fn of(name: &str, binary: bool) -> Self {
        match name {
            "=" => Self::Eq,
            "<>" => Self::NotEq,
            "<" => Self::Lt,
            "<=" => Self::LtEq,
            ">" => Self::Gt,
            ">=" => Self::GtEq,
            "+" if binary => Self::Plus,
            "-" if binary => Self::Minus,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            "%" => Self::Modulo,
            "||" => Self::Concat,
            "~~" => Self::Like,
            "!~~" => Self::NotLike,
            "~~*" => Self::ILike,
            "!~~*" => Self::NotILike,
            _ => Self::Other,
        }
    }
}

/// A row of `pg_operator`. All are strict, except where `strict` says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// `pg_operator.oid`.
    pub oid: u32,
    /// Its name.
    pub name: &'static str,
    /// The left operand's type; `None` for prefix operators.
    pub left: Option<u32>,
    /// The right operand's type.
    pub right: u32,
    /// The result's type.
    pub result: u32,
    /// The function it stands for.
    pub function: &'static str,
    /// That function's oid.
    pub function_oid: u32,
    /// The operator with operands exchanged, or empty.
    pub commutator: &'static str,
    /// The operator with the opposite result, or empty.
    pub negator: &'static str,
    /// What it means.
    pub kind: OperatorKind,
    /// Whether a NULL operand gives NULL without a call.
    pub strict: bool,
    /// Whether and when the result may change.
    pub volatility: Volatility,
    /// How it computes.
    pub implementation: Implementation,
}

/// Where a cast applies by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CastContext {
    /// In expressions too.
    Implicit,
    /// On assignment to a column too.
    Assignment,
    /// Only when written.
    Explicit,
}

/// How a cast computes. Type modifiers are applied afterwards by [`crate::io::apply_typmod`].
#[derive(Clone, Copy, Debug)]
pub enum CastMethod {
    /// By a function of one argument.
    Function(Implementation),
    /// Same bytes, other name.
    Binary,
    /// Text output of the source, text input of the target.
    InOut,
}

/// A row of `pg_cast`.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// From.
    pub source: u32,
    /// To.
    pub target: u32,
    /// Where it applies.
    pub context: CastContext,
    /// How it computes.
    pub method: CastMethod,
}

pub use cast::{cast_value, find_cast};

#[cfg(test)]
mod tests;
