//! json and jsonb as functions and operators.

mod access;
mod build;
mod change;

pub use access::*;
pub use build::*;
pub use change::*;
