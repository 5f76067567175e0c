//! Tests of `system`.
