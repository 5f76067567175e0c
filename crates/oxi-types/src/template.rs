//! The templates of `to_char`, `to_date`, `to_timestamp` and `to_number`.

pub mod date;
pub mod number;
pub mod read;
