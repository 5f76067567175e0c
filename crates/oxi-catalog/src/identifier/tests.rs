//! Tests of quoting and generated names.

use super::*;
use crate::{catalog::PUBLIC, sample};

#[test]
fn only_plain_names_stay_unquoted() {
    for plain in ["t", "_x1", "name", "value"] {
        assert_eq!(quote(plain), plain);
    }
    assert_eq!(quote("order"), "\"order\"");
    assert_eq!(quote("Weird"), "\"Weird\"");
    assert_eq!(quote("a\"b"), "\"a\"\"b\"");
    assert_eq!(quote(""), "\"\"");
    assert_eq!(literal("it's"), "'it''s'");
    assert!(KEYWORDS.is_sorted());
}

#[test]
fn long_names_lose_the_longer_part() {
    let (long, short) = ("a".repeat(63), "b".repeat(20));
    let name = object_name(&long, Some(&short), "fkey");
    assert_eq!(name.len(), 63);
    assert_eq!(name, format!("{}_{short}_fkey", "a".repeat(37)));
    assert_eq!(object_name("t", None, "pkey"), "t_pkey");
    // Clipping never splits a character.
    assert_eq!(object_name(&"ü".repeat(31), None, "pkey"), format!("{}_pkey", "ü".repeat(29)));
}

#[test]
fn generated_names_avoid_those_that_exist() {
    let catalog = sample::catalog();
    let name = |what, table: &str, columns: &[&str]| {
        catalog.generate_name(PUBLIC, what, table, columns, &["new_pkey".to_owned()])
    };
    assert_eq!(name(Generated::PrimaryKey, "new", &["id"]), "new_pkey1");
    assert_eq!(name(Generated::PrimaryKey, "t", &["id"]), "t_pkey1");
    assert_eq!(name(Generated::Unique, "t", &["a", "b"]), "t_a_b_key");
    assert_eq!(name(Generated::Unique, "t", &["a"]), "t_a_key1");
    assert_eq!(name(Generated::Index, "t", &["b"]), "t_b_idx1");
    assert_eq!(name(Generated::ForeignKey, "u", &["ta"]), "u_ta_fkey1");
    assert_eq!(name(Generated::Check, "t", &["b"]), "t_b_check1");
    assert_eq!(name(Generated::Check, "t", &["a", "b"]), "t_check1");
    assert_eq!(name(Generated::Sequence, "t", &["id"]), "t_id_seq");
}
