//! Tests of definitions as text.

use oxi_model::descriptor::{IndexColumn, RelationKind};

use super::*;
use crate::sample::*;

#[test]
fn constraints_print_as_postgresql_prints_them() {
    let catalog = catalog();
    let def = |oid| {
        let (relation, position) = catalog.constraint(oid).unwrap();
        let constraint = &relation.as_table().unwrap().constraints[position];
        constraint_def(&catalog, &path(), &relation, constraint)
    };
    assert_eq!(def(30_000), "PRIMARY KEY (id)");
    assert_eq!(def(T_A_KEY_CONSTRAINT), "UNIQUE (a)");
    assert_eq!(def(30_002), "CHECK ((b > 0))");
    assert_eq!(def(30_003), "CHECK ((a < b))");
    assert_eq!(def(30_011), "FOREIGN KEY (ta) REFERENCES t(a) ON DELETE CASCADE");
}

#[test]
fn indexes_print_as_postgresql_prints_them() {
    let mut catalog = catalog();
    let def =
        |catalog: &Catalog, oid| index_def(catalog, catalog.relation(oid).unwrap(), None).unwrap();
    assert_eq!(def(&catalog, T_PKEY), "CREATE UNIQUE INDEX t_pkey ON public.t USING btree (id)");
    let mut index = index(1, "q", Y, true, &[1, 0]);
    if let RelationKind::Index(descriptor) = &mut index.kind {
        descriptor.columns = [(1, true, false), (0, false, true), (0, true, true)]
            .map(|(column, descending, nulls_first)| IndexColumn {
                column,
                descending,
                nulls_first,
            })
            .to_vec();
        descriptor.nulls_not_distinct = true;
    }
    catalog.put_relation(std::sync::Arc::new(index));
    assert_eq!(
        def(&catalog, 1),
        "CREATE UNIQUE INDEX q ON x.y USING btree (\"Weird\" DESC NULLS LAST, z NULLS FIRST, z DESC) \
         NULLS NOT DISTINCT"
    );
    let found = catalog.relation(1).unwrap();
    assert_eq!(index_column_def(&catalog, found, 1).as_deref(), Some("\"Weird\""));
    assert_eq!(serial_sequence(&catalog, S, 0).as_deref(), Some("public.s_id_seq"));
}

#[test]
fn parentheses_are_neither_lost_nor_doubled() {
    assert_eq!(parenthesized("a > 0"), "(a > 0)");
    assert_eq!(parenthesized("(a > 0)"), "(a > 0)");
    assert_eq!(parenthesized("(a) > (b)"), "((a) > (b))");
    assert_eq!(parenthesized("(a = ')')"), "(a = ')')");
}
