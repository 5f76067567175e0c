//! json and jsonb as functions and operators.

mod access;
mod build;
mod change;
mod path;

pub use access::*;
pub use build::*;
pub use change::*;
pub use path::*;
