//! A small schema that the tests share: `t` (key, unique, checks, generated column), `u` with
//! foreign keys to it, views `v` on `t` and `w` on `v`, a serial and an identity table `s`, and
//! `x.y` with a foreign key to `t`.

use std::sync::Arc;

use oxi_base::Error;
use oxi_model::{
    PhysicalType,
    descriptor::{
        ColumnDescriptor, ConstraintDescriptor, ConstraintKind, Deferral, ForeignKey, Identity,
        IndexColumn, IndexDescriptor, ReferentialAction, RelationDescriptor, RelationKind,
        SchemaDescriptor, SequenceDescriptor, TableDescriptor, TypeRef, ViewColumn, ViewDescriptor,
    },
};

use crate::catalog::{Catalog, PUBLIC};

pub(crate) const T: u32 = 20_000;
pub(crate) const T_PKEY: u32 = 20_001;
pub(crate) const T_A_KEY: u32 = 20_002;
pub(crate) const T_B_IDX: u32 = 20_003;
pub(crate) const U: u32 = 20_010;
pub(crate) const V: u32 = 20_020;
pub(crate) const W: u32 = 20_021;
pub(crate) const S: u32 = 20_030;
pub(crate) const S_ID_SEQ: u32 = 20_031;
pub(crate) const S_K_SEQ: u32 = 20_032;
pub(crate) const X: u32 = 20_040;
pub(crate) const Y: u32 = 20_041;
pub(crate) const T_A_KEY_CONSTRAINT: u32 = 30_001;

pub(crate) fn path() -> Vec<String> {
    vec!["public".to_owned()]
}

pub(crate) fn int_column(id: u32, name: &str) -> ColumnDescriptor {
    ColumnDescriptor {
        id,
        name: name.to_owned(),
        data_type: TypeRef::plain(23),
        physical: PhysicalType::Int32,
        not_null: false,
        default: None,
        generated: None,
        identity: None,
        comment: None,
    }
}

pub(crate) fn relation(oid: u32, name: &str, kind: RelationKind) -> RelationDescriptor {
    RelationDescriptor { oid, schema: PUBLIC, name: name.to_owned(), comment: None, kind }
}

pub(crate) fn table(
    oid: u32,
    name: &str,
    columns: Vec<ColumnDescriptor>,
    constraints: Vec<ConstraintDescriptor>,
) -> RelationDescriptor {
    let next_column_id = columns.len() as u32;
    let storage = oid + 10_000;
    let kind = TableDescriptor { storage, columns, next_column_id, constraints, history_us: None };
    relation(oid, name, RelationKind::Table(kind))
}

pub(crate) fn index(
    oid: u32,
    name: &str,
    table: u32,
    unique: bool,
    key: &[u32],
) -> RelationDescriptor {
    let columns = key
        .iter()
        .map(|column| IndexColumn { column: *column, descending: false, nulls_first: false })
        .collect();
    let storage = oid + 10_000;
    let kind = IndexDescriptor {
        table,
        storage,
        unique,
        nulls_not_distinct: false,
        deferrable: false,
        invalid: false,
        columns,
    };
    relation(oid, name, RelationKind::Index(kind))
}

pub(crate) fn unique(
    oid: u32,
    name: &str,
    primary: bool,
    index: u32,
    column: u32,
) -> ConstraintDescriptor {
    let kind = ConstraintKind::Unique { primary, index, columns: vec![column] };
    ConstraintDescriptor { oid, name: name.to_owned(), kind, deferral: Deferral::NONE }
}

pub(crate) fn check(oid: u32, name: &str, expression: &str) -> ConstraintDescriptor {
    let kind = ConstraintKind::Check { expression: expression.to_owned() };
    ConstraintDescriptor { oid, name: name.to_owned(), kind, deferral: Deferral::NONE }
}

fn foreign(oid: u32, name: &str, column: u32, to: (u32, u32, u32)) -> ConstraintDescriptor {
    let kind = ConstraintKind::ForeignKey(ForeignKey {
        columns: vec![column],
        referenced_table: to.0,
        referenced_columns: vec![to.1],
        referenced_index: to.2,
        on_delete: ReferentialAction::Cascade,
        on_update: ReferentialAction::NoAction,
        match_full: false,
    });
    ConstraintDescriptor { oid, name: name.to_owned(), kind, deferral: Deferral::NONE }
}

fn view(oid: u32, name: &str, on: u32, query: &str) -> RelationDescriptor {
    let column = |name: &str| ViewColumn { name: name.to_owned(), data_type: TypeRef::plain(23) };
    relation(
        oid,
        name,
        RelationKind::View(ViewDescriptor {
            query: query.to_owned(),
            columns: vec![column("id"), column("a")],
            depends_on: vec![on],
            search_path: path(),
        }),
    )
}

fn sequence(oid: u32, name: &str, owner: (u32, u32)) -> RelationDescriptor {
    relation(
        oid,
        name,
        RelationKind::Sequence(SequenceDescriptor {
            storage: oid + 10_000,
            data_type: TypeRef::plain(23),
            increment: 1,
            min: 1,
            max: i64::from(i32::MAX),
            start: 1,
            cache: 1,
            cycle: false,
            owned_by: Some(owner),
        }),
    )
}

pub(crate) fn catalog() -> Catalog {
    let mut catalog = Catalog::builtin();
    catalog.put_schema(Arc::new(SchemaDescriptor { oid: PUBLIC, name: "public".to_owned() }));
    catalog.put_schema(Arc::new(SchemaDescriptor { oid: X, name: "x".to_owned() }));
    let mut generated = int_column(3, "g");
    generated.generated = Some("b * 2".to_owned());
    let mut id = int_column(0, "id");
    id.not_null = true;
    let t = table(
        T,
        "t",
        vec![id.clone(), int_column(1, "a"), int_column(2, "b"), generated],
        vec![
            unique(30_000, "t_pkey", true, T_PKEY, 0),
            unique(T_A_KEY_CONSTRAINT, "t_a_key", false, T_A_KEY, 1),
            check(30_002, "t_b_check", "b > 0"),
            check(30_003, "t_check", "(a < b)"),
        ],
    );
    let u = table(
        U,
        "u",
        vec![int_column(0, "id"), int_column(1, "t_id"), int_column(2, "ta")],
        vec![
            foreign(30_010, "u_t_id_fkey", 1, (T, 0, T_PKEY)),
            foreign(30_011, "u_ta_fkey", 2, (T, 1, T_A_KEY)),
        ],
    );
    let mut serial = id;
    serial.default = Some("nextval('public.s_id_seq'::regclass)".to_owned());
    let mut identity = int_column(1, "k");
    identity.identity = Some(Identity { always: false, sequence: S_K_SEQ });
    let s = table(S, "s", vec![serial, identity], Vec::new());
    let mut y = table(
        Y,
        "y",
        vec![int_column(0, "z"), int_column(1, "Weird")],
        vec![foreign(30_040, "y_z_fkey", 0, (T, 1, T_A_KEY))],
    );
    y.schema = X;
    for relation in [
        t,
        index(T_PKEY, "t_pkey", T, true, &[0]),
        index(T_A_KEY, "t_a_key", T, true, &[1]),
        index(T_B_IDX, "t_b_idx", T, false, &[2]),
        u,
        view(V, "v", T, "SELECT t.id, t.a FROM public.t"),
        view(W, "w", V, "SELECT v.id FROM public.v"),
        s,
        sequence(S_ID_SEQ, "s_id_seq", (S, 0)),
        sequence(S_K_SEQ, "s_k_seq", (S, 1)),
        y,
    ] {
        catalog.put_relation(Arc::new(relation));
    }
    catalog
}

/// What a test asserts of an error: code and message.
pub(crate) fn told(error: &Error) -> String {
    format!("{}: {}", error.code(), error.message())
}
