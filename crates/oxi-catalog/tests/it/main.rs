//! Integration tests of the catalog: in a real store, and against what clients ask for.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a failed unwrap is a failed test, and who waits for another has a thread"
)]

mod persistence;

use oxi_catalog::system;

#[test]
fn recorded_queries_name_known_relations_only() {
    let text = include_str!("../fixtures/psql15-queries.sql");
    let mut seen = 0;
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')) {
        // Relations of the schema are written without a call.
        let Some(name) = word.strip_prefix("pg_catalog.") else { continue };
        if text.contains(&format!("{word}(")) || !name.starts_with("pg_") {
            continue;
        }
        assert!(system::relation("pg_catalog", name).is_some(), "{name}");
        seen += 1;
    }
    assert!(seen > 100);
}
