//! The static tables.

use super::{Cast, Function, Operator};

/// Every built-in function.
pub static FUNCTIONS: &[Function] = &[];
/// Every built-in operator.
pub static OPERATORS: &[Operator] = &[];
/// Every built-in cast, in the order of source and target.
pub static CASTS: &[Cast] = &[];
