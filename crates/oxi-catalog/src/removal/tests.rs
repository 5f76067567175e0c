//! Tests of `removal`.
