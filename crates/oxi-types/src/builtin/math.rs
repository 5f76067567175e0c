//! Numbers: arithmetic, rounding, bits, and the functions on them.

mod float;
mod integer;
mod numbers;

pub use float::*;
pub use integer::*;
pub use numbers::*;
