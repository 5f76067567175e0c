//! Array values.
