//! Tests of the store through its contract.
