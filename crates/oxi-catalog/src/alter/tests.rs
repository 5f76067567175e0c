//! Tests of ALTER's changes.

use super::*;
use crate::sample::{
    self, S, S_ID_SEQ, T, T_A_KEY, T_PKEY, U, V, X, check, int_column, told, unique,
};

#[test]
fn columns_are_added_under_new_ids() {
    let catalog = sample::catalog();
    let u = catalog.relation(U).unwrap();
    let (changed, id) = add_column(u, int_column(99, "new")).unwrap();
    assert_eq!(id, 3);
    assert_eq!(changed.as_table().unwrap().next_column_id, 4);
    assert_eq!(
        told(&add_column(u, int_column(0, "ta")).unwrap_err()),
        "42701: column \"ta\" of relation \"u\" already exists"
    );
    assert_eq!(
        told(&add_column(u, int_column(0, "ctid")).unwrap_err()),
        "42701: column name \"ctid\" conflicts with a system column name"
    );
    let missing = column(u, "t_di").unwrap_err();
    assert_eq!(told(&missing), "42703: column \"t_di\" of relation \"u\" does not exist");
    assert_eq!(missing.hint(), Some("Perhaps you meant to reference the column \"u.t_id\"."));
}

#[test]
fn renaming_a_column_rewrites_expressions() {
    let mut catalog = sample::catalog();
    let t = catalog.relation(T).unwrap().clone();
    let changed = rename_column(&catalog, &t, "b", "c").unwrap();
    let table = changed[0].as_table().unwrap();
    assert_eq!(table.columns[3].generated.as_deref(), Some("c * 2"));
    assert_eq!(
        table.constraints[3].kind,
        ConstraintKind::Check { expression: "(a < c)".to_owned() }
    );
    let refused = rename_column(&catalog, &t, "a", "c").unwrap_err();
    assert_eq!(told(&refused), "0A000: cannot rename a column that a view uses");
    catalog.remove_relation(V);
    assert!(rename_column(&catalog, &t, "a", "c").is_ok());
    let error = rename_column(&catalog, &t, "zz", "c").unwrap_err();
    assert_eq!(told(&error), "42703: column \"zz\" does not exist");
}

#[test]
fn constraints_and_their_indexes_share_names() {
    let catalog = sample::catalog();
    let t = catalog.relation(T).unwrap();
    let changed = rename_constraint(&catalog, t, "t_a_key", "fresh").unwrap();
    assert_eq!(changed[0].as_table().unwrap().constraints[1].name, "fresh");
    assert_eq!((changed[1].oid, changed[1].name.as_str()), (T_A_KEY, "fresh"));
    let index = catalog.relation(T_A_KEY).unwrap();
    let changed = rename_relation(&catalog, index, "fresh").unwrap();
    assert_eq!(changed[1].as_table().unwrap().constraints[1].name, "fresh");
    assert_eq!(
        told(&rename_constraint(&catalog, t, "t_a_key", "t_pkey").unwrap_err()),
        "42P07: relation \"t_pkey\" already exists"
    );
    let again = unique(1, "other", true, 0, 0);
    assert_eq!(
        told(&add_constraint(t, again).unwrap_err()),
        "42P16: multiple primary keys for table \"t\" are not allowed"
    );
    let again = check(1, "t_pkey", "a > 0");
    assert_eq!(
        told(&add_constraint(t, again).unwrap_err()),
        "42710: constraint \"t_pkey\" for relation \"t\" already exists"
    );
}

#[test]
fn sequences_take_defaults_along() {
    let catalog = sample::catalog();
    let sequence = catalog.relation(S_ID_SEQ).unwrap();
    let changed = rename_relation(&catalog, sequence, "fresh").unwrap();
    let default = changed[1].as_table().unwrap().columns[0].default.as_deref();
    assert_eq!(default, Some("nextval('public.fresh'::regclass)"));
    let s = catalog.relation(S).unwrap();
    let moved = set_schema(&catalog, s, X).unwrap();
    assert_eq!(moved.len(), 3);
    assert!(moved.iter().all(|relation| relation.schema == X));
    let default = moved[0].as_table().unwrap().columns[0].default.as_deref();
    assert_eq!(default, Some("nextval('x.s_id_seq'::regclass)"));
}

#[test]
fn foreign_keys_find_their_index() {
    let catalog = sample::catalog();
    let t = catalog.relation(T).unwrap();
    assert_eq!(foreign_key_target(&catalog, t, None, 1).unwrap(), (T_PKEY, vec![0]));
    assert_eq!(foreign_key_target(&catalog, t, Some(&[1]), 1).unwrap(), (T_A_KEY, vec![1]));
    assert!(foreign_key_target(&catalog, t, Some(&[2]), 1).is_err());
    assert!(foreign_key_target(&catalog, t, None, 2).is_err());
}
