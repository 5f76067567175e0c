//! Tests of `identifier`.
