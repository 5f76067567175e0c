//! Tests of `alter`.
