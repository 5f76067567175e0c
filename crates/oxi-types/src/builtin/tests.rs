//! The tables are well formed.

use std::collections::BTreeSet;

use super::*;

#[test]
fn oids_are_unique_and_sorted() {
    assert!(FUNCTIONS.windows(2).all(|pair| pair[0].oid < pair[1].oid));
    assert!(OPERATORS.windows(2).all(|pair| pair[0].oid < pair[1].oid));
    let key = |cast: &Cast| (cast.source, cast.target);
    assert!(CASTS.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
    let aggregates: BTreeSet<u32> = AGGREGATES.iter().map(|row| row.oid).collect();
    assert_eq!(aggregates.len(), AGGREGATES.len());
}

#[test]
fn every_operator_names_a_function_of_the_table() {
    for operator in OPERATORS.iter() {
        let known = FUNCTIONS.binary_search_by_key(&operator.function_oid, |row| row.oid);
        assert!(known.is_ok(), "{} {}", operator.name, operator.function);
    }
}
