//! Comparison operators.
