//! Tests of the edit distance and its threshold.

use super::*;

#[test]
fn distance_counts_edits() {
    assert_eq!(distance("orders", "orders"), 0);
    assert_eq!(distance("ordres", "orders"), 1);
    assert_eq!(distance("order", "orders"), 1);
    assert_eq!(distance("", "abc"), 3);
    assert_eq!(distance("Kitten", "sitting"), 3);
}

#[test]
fn only_near_names_are_suggested() {
    assert_eq!(nearest("ordrs", ["orders", "users"]), Some("orders"));
    assert_eq!(nearest("xyz", ["orders", "users"]), None);
    assert_eq!(nearest("a", ["b"]), None);
}
