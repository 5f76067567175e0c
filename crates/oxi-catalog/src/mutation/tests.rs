//! Tests of `mutation`.
