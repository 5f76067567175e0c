//! Aggregates and window functions: their rows and the state machines behind them.

use oxi_base::{Error, Result};
use oxi_model::{Datum, descriptor::TypeRef};

use crate::context::EvalContext;

mod json;
mod ordered;
mod simple;
mod statistics;
mod tables;

pub use tables::{AGGREGATES, WINDOWS};

/// The running state of one group.
pub trait Accumulator: Send {
    /// Takes one row's arguments. NULLs are passed too: each aggregate has its own mind about
    /// them.
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()>;

    /// The result so far; the state stays usable (windows call this once a row).
    fn finish(&mut self, context: &EvalContext) -> Result<Datum>;

    /// The state as a value that [`Accumulator::merge`] of another state takes. Only for
    /// aggregates that are [`Aggregate::mergeable`].
    fn state(&self, context: &EvalContext) -> Result<Datum> {
        let _ = context;
        Err(Error::unsupported("this aggregate has no partial state"))
    }

    /// Takes in another state.
    fn merge(&mut self, context: &EvalContext, state: &Datum) -> Result<()> {
        let _ = (context, state);
        Err(Error::unsupported("this aggregate has no partial state"))
    }

    /// Bytes held, roughly.
    fn size(&self) -> usize {
        64
    }
}

/// How an aggregate is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AggregateKind {
    /// `f(args)`
    Normal,
    /// `f(direct) WITHIN GROUP (ORDER BY …)`: rows come sorted.
    OrderedSet,
    /// As ordered-set, the direct arguments being a hypothetical row.
    Hypothetical,
}

/// Makes the state for arguments of the given actual types. For ordered-set aggregates every
/// row's arguments are the direct ones followed by the sorted ones.
pub type AccumulatorFactory = fn(&[TypeRef]) -> Result<Box<dyn Accumulator>>;

/// A row of `pg_aggregate`.
#[derive(Clone, Copy, Debug)]
pub struct Aggregate {
    /// `pg_proc.oid`.
    pub oid: u32,
    /// Its name.
    pub name: &'static str,
    /// Argument types, direct ones first. Empty for `count(*)`.
    pub args: &'static [u32],
    /// Whether the last argument is variadic.
    pub variadic: bool,
    /// The result's type.
    pub returns: u32,
    /// How it is called.
    pub kind: AggregateKind,
    /// How many of the arguments are direct.
    pub direct_args: usize,
    /// Whether partial states can be combined.
    pub mergeable: bool,
    /// Makes the state.
    pub factory: AccumulatorFactory,
}

/// A row of `pg_proc` of kind window function.
#[derive(Clone, Copy, Debug)]
pub struct WindowFunction {
    /// `pg_proc.oid`.
    pub oid: u32,
    /// Its name.
    pub name: &'static str,
    /// Argument types.
    pub args: &'static [u32],
    /// The result's type.
    pub returns: u32,
}
