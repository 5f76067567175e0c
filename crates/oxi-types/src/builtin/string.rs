//! Strings and bytea.

mod binary;
mod format;
mod plain;

pub use binary::*;
pub use format::*;
pub use plain::*;
