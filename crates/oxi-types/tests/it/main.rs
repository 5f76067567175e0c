//! Functions, operators, casts and input against what PostgreSQL 15 answered.

mod postgresql;
