//! Dates, times and intervals as functions and operators.

mod arith;
mod convert;
mod fields;

pub use arith::*;
pub use convert::*;
pub use fields::*;
