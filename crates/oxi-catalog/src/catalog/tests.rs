//! Tests of lookups and of changing a clone.

use std::sync::Arc;

use crate::sample::*;

#[test]
fn lookups_follow_descriptors() {
    let catalog = catalog();
    let indexes: Vec<u32> = catalog.indexes_of(T).iter().map(|index| index.oid).collect();
    assert_eq!(indexes, [T_PKEY, T_A_KEY, T_B_IDX]);
    assert_eq!(catalog.owned_sequences(S, Some(0))[0].oid, S_ID_SEQ);
    assert_eq!(catalog.owned_sequences(S, None).len(), 2);
    assert_eq!(catalog.views_on(T)[0].oid, V);
    let tables: Vec<u32> = catalog.foreign_keys_to(T).iter().map(|key| key.table.oid).collect();
    assert_eq!(tables, [U, U, Y]);
    let (table, position) = catalog.constraint_of_index(T_A_KEY).unwrap();
    assert_eq!((table.oid, position), (T, 1));
    assert_eq!(catalog.constraint(30_010).unwrap().0.oid, U);
    assert_eq!(catalog.qualified_name(catalog.relation(Y).unwrap()), "x.y");
}

#[test]
fn a_changed_clone_leaves_the_original() {
    let catalog = catalog();
    let mut changed = catalog.clone();
    changed.remove_relation(T_B_IDX);
    let mut renamed = (**catalog.relation(T).unwrap()).clone();
    renamed.name = "t2".to_owned();
    changed.put_relation(Arc::new(renamed));
    assert!(catalog.relation_by_name(crate::catalog::PUBLIC, "t").is_some());
    assert_eq!(catalog.indexes_of(T).len(), 3);
    assert!(changed.relation_by_name(crate::catalog::PUBLIC, "t").is_none());
    assert_eq!(changed.relation_by_name(crate::catalog::PUBLIC, "t2").unwrap().oid, T);
    assert_eq!(changed.indexes_of(T).len(), 2);
    changed.remove_relation(U);
    assert_eq!(changed.foreign_keys_to(T).len(), 1);
}
