//! LIKE, SIMILAR TO and regular expressions as functions and operators.

mod functions;
mod operators;

pub use functions::*;
pub use operators::*;
