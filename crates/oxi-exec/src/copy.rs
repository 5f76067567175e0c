//! COPY: text, CSV and binary streams to rows and back, by PostgreSQL's rules.

pub mod options;

mod column;

mod line;

mod csv;
mod text;

mod binary;

pub mod decode;

pub mod encode;

pub mod load;

pub use decode::CopyDecoder;
pub use encode::CopyEncoder;
pub use load::CopyLoad;
pub use options::{CopyFormat, CopyOptions, Header};

#[cfg(test)]
mod tests;
