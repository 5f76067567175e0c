//! Tests of DROP plans, against what PostgreSQL 15 says of the same schema.

use super::*;
use crate::sample::*;

fn refused(targets: &[Target]) -> Error {
    plan(&catalog(), targets, Behavior::Restrict).unwrap_err()
}

#[test]
fn restrict_lists_what_depends() {
    let error = refused(&[Target::Relation(T)]);
    assert_eq!(told(&error), "2BP01: cannot drop table t because other objects depend on it");
    assert_eq!(
        error.detail().unwrap(),
        "constraint u_t_id_fkey on table u depends on table t\n\
         constraint u_ta_fkey on table u depends on table t\n\
         constraint y_z_fkey on table x.y depends on table t\n\
         view v depends on table t\n\
         view w depends on view v"
    );
    assert_eq!(error.hint(), Some("Use DROP ... CASCADE to drop the dependent objects too."));
}

#[test]
fn cascade_takes_dependents_first() {
    let plan = plan(&catalog(), &[Target::Relation(T)], Behavior::Cascade).unwrap();
    assert_eq!(plan.relations.last(), Some(&T));
    for oid in [T_PKEY, T_A_KEY, T_B_IDX, V, W] {
        assert!(plan.relations.contains(&oid));
    }
    let place = |oid| plan.relations.iter().position(|found| *found == oid);
    assert!(place(W) < place(V));
    let changed: Vec<(u32, usize)> = plan
        .changed
        .iter()
        .map(|table| (table.oid, table.as_table().unwrap().constraints.len()))
        .collect();
    assert_eq!(changed, [(U, 0), (Y, 0)]);
    let (message, detail) = plan.notice.unwrap();
    assert_eq!(message, "drop cascades to 5 other objects");
    assert!(detail.unwrap().starts_with("drop cascades to constraint u_t_id_fkey on table u\n"));
}

#[test]
fn objects_dropped_together_do_not_hinder() {
    let all = [Target::Relation(T), Target::Relation(U), Target::Relation(V)];
    let error = refused(&all);
    assert_eq!(
        told(&error),
        "2BP01: cannot drop desired object(s) because other objects depend on them"
    );
    assert_eq!(
        error.detail().unwrap(),
        "constraint y_z_fkey on table x.y depends on table t\nview w depends on view v"
    );
    let table = plan(&catalog(), &[Target::Relation(S)], Behavior::Restrict).unwrap();
    assert_eq!(table.relations, [S_K_SEQ, S_ID_SEQ, S]);
    assert!(table.notice.is_none());
}

#[test]
fn columns_take_their_constraints_and_indexes() {
    let error = refused(&[Target::Column(T, 2)]);
    assert_eq!(
        told(&error),
        "2BP01: cannot drop column b of table t because other objects depend on it"
    );
    assert_eq!(error.detail(), Some("column g of table t depends on column b of table t"));
    let done = plan(&catalog(), &[Target::Column(T, 2)], Behavior::Cascade).unwrap();
    assert_eq!(done.relations, [T_B_IDX]);
    let table = done.changed[0].as_table().unwrap();
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "a"]);
    assert_eq!(table.constraints.len(), 2);
    assert_eq!(done.notice.unwrap().0, "drop cascades to column g of table t");
}

#[test]
fn constraints_are_held_by_foreign_keys() {
    let error = refused(&[Target::Constraint(T, T_A_KEY_CONSTRAINT)]);
    assert_eq!(
        told(&error),
        "2BP01: cannot drop constraint t_a_key on table t because other objects depend on it"
    );
    assert_eq!(
        error.detail().unwrap(),
        "constraint u_ta_fkey on table u depends on index t_a_key\n\
         constraint y_z_fkey on table x.y depends on index t_a_key"
    );
    let target = [Target::Constraint(T, T_A_KEY_CONSTRAINT)];
    let done = plan(&catalog(), &target, Behavior::Cascade).unwrap();
    assert_eq!(done.relations, [T_A_KEY]);
    assert_eq!(done.changed.len(), 3);
}

#[test]
fn parts_go_with_their_owner_only() {
    let error = refused(&[Target::Relation(T_A_KEY)]);
    assert_eq!(
        told(&error),
        "2BP01: cannot drop index t_a_key because constraint t_a_key on table t requires it"
    );
    assert_eq!(error.hint(), Some("You can drop constraint t_a_key on table t instead."));
    let error = refused(&[Target::Relation(S_K_SEQ)]);
    assert_eq!(
        told(&error),
        "2BP01: cannot drop sequence s_k_seq because column k of table s requires it"
    );
    let error = refused(&[Target::Relation(S_ID_SEQ)]);
    assert_eq!(
        error.detail(),
        Some("default value for column id of table s depends on sequence s_id_seq")
    );
}

#[test]
fn schemas_hold_their_relations() {
    let error = refused(&[Target::Schema(X)]);
    assert_eq!(told(&error), "2BP01: cannot drop schema x because other objects depend on it");
    assert_eq!(error.detail(), Some("table x.y depends on schema x"));
    let done = plan(&catalog(), &[Target::Schema(X)], Behavior::Cascade).unwrap();
    assert_eq!((done.relations, done.schemas), (vec![Y], vec![X]));
    assert_eq!(
        told(&refused(&[Target::Schema(crate::catalog::PG_CATALOG)])),
        "2BP01: cannot drop schema pg_catalog because it is required by the database system"
    );
}

#[test]
fn drop_finds_the_right_kind_only() {
    let catalog = catalog();
    let error = |name: &[&str], kind| find(&catalog, &path(), name, kind).unwrap_err();
    assert_eq!(told(&error(&["t"], DropKind::View)), "42809: \"t\" is not a view");
    assert_eq!(error(&["t"], DropKind::View).hint(), Some("Use DROP TABLE to remove a table."));
    assert_eq!(told(&error(&["no"], DropKind::Table)), "42P01: table \"no\" does not exist");
    assert_eq!(told(&error(&["no"], DropKind::Index)), "42704: index \"no\" does not exist");
    let missing = error(&["no", "t"], DropKind::Table);
    assert_eq!(told(&missing), "3F000: schema \"no\" does not exist");
    assert_eq!(missing_notice(&missing).as_deref(), Some("schema \"no\" does not exist, skipping"));
    assert_eq!(find(&catalog, &path(), &["t"], DropKind::Table).unwrap(), T);
}

#[test]
fn foreign_keys_hold_columns_and_indexes() {
    let error = refused(&[Target::Column(T, 1)]);
    assert_eq!(
        error.detail().unwrap(),
        "constraint u_ta_fkey on table u depends on column a of table t\n\
         constraint y_z_fkey on table x.y depends on column a of table t\n\
         view v depends on column a of table t\n\
         view w depends on view v"
    );
    let done = plan(&catalog(), &[Target::Column(U, 1)], Behavior::Restrict).unwrap();
    assert_eq!(done.changed[0].as_table().unwrap().constraints.len(), 1);
}
