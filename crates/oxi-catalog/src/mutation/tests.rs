//! Tests of changes and of loading them back.

use oxi_model::engine::Isolation;

use super::*;
use crate::{
    catalog::Catalog,
    fake::{Fake, block_on},
    removal,
    sample::*,
};

fn database() -> Fake {
    let engine = Fake::default();
    let txn = engine.begin(Isolation::ReadCommitted);
    block_on(bootstrap(&txn)).unwrap();
    block_on(txn.commit().unwrap()).unwrap();
    engine
}

fn reload(engine: &Fake) -> Catalog {
    load(&*engine.begin(Isolation::ReadCommitted).begin_statement()).unwrap()
}

fn writer(engine: &Fake) -> (Arc<dyn Txn>, CatalogTxn) {
    let txn = engine.begin(Isolation::ReadCommitted);
    let writer = CatalogTxn::new(Arc::clone(&txn), &reload(engine));
    (txn, writer)
}

fn simple(oid: u32, name: &str) -> RelationDescriptor {
    table(oid, name, vec![int_column(0, "id"), int_column(1, "a")], Vec::new())
}

/// Everything that a catalog says, for comparison.
fn content(catalog: &Catalog) -> String {
    let schemas: Vec<_> = catalog.schemas().collect();
    let relations: Vec<_> = catalog.relations().collect();
    let settings: Vec<_> = catalog.settings().collect();
    format!("{schemas:#?}{relations:#?}{settings:#?}")
}

#[test]
fn a_new_database_has_its_schemas() {
    let catalog = reload(&database());
    let names: Vec<&str> = catalog.schemas().map(|schema| schema.name.as_str()).collect();
    assert_eq!(names, ["pg_catalog", "public", "oxi", "information_schema"]);
    assert_eq!(catalog.resolve_relation(&[], &["oxi", "schemas"]).unwrap().oid, 13001);
}

#[test]
fn what_is_written_is_what_loads() {
    let engine = database();
    let (txn, mut writer) = writer(&engine);
    block_on(async {
        writer.create_schema(SchemaDescriptor { oid: X, name: "x".to_owned() }).await.unwrap();
        writer.create_relation(simple(T, "t")).await.unwrap();
        writer.create_relation(index(T_PKEY, "t_pkey", T, true, &[0])).await.unwrap();
        let mut changed = simple(T, "t2");
        changed.schema = X;
        writer.replace_relation(changed, &[]).await.unwrap();
        writer.set_setting("timezone", Some("UTC")).await.unwrap();
        writer.set_setting("timezone", Some("Europe/Berlin")).await.unwrap();
        writer.set_setting("gone", Some("1")).await.unwrap();
        writer.set_setting("gone", None).await.unwrap();
        let schema = SchemaDescriptor { oid: X, name: "renamed".to_owned() };
        writer.replace_schema(schema).await.unwrap();
    });
    let expected = writer.finish();
    block_on(txn.commit().unwrap()).unwrap();
    let loaded = reload(&engine);
    assert_eq!(content(&loaded), content(&expected));
    assert_eq!(loaded.resolve_relation(&[], &["renamed", "t2"]).unwrap().oid, T);
    assert_eq!(loaded.setting("timezone"), Some("Europe/Berlin"));
}

#[test]
fn names_conflict() {
    let engine = database();
    let (txn, mut writer) = writer(&engine);
    block_on(async {
        writer.create_relation(simple(T, "t")).await.unwrap();
        let error = writer.create_relation(simple(U, "t")).await.unwrap_err();
        assert_eq!(told(&error), "42P07: relation \"t\" already exists");
        let schema = SchemaDescriptor { oid: X, name: "public".to_owned() };
        let error = writer.create_schema(schema).await.unwrap_err();
        assert_eq!(told(&error), "42P06: schema \"public\" already exists");
        writer.create_relation(simple(S, "s")).await.unwrap();
        let error = writer.replace_relation(simple(S, "t"), &[]).await.unwrap_err();
        assert_eq!(told(&error), "42P07: relation \"t\" already exists");
    });
    txn.rollback();
    assert!(reload(&engine).resolve_relation(&path(), &["t"]).is_err());
}

#[test]
fn concurrent_creations_wait_for_each_other() {
    for commits in [true, false] {
        let engine = database();
        let (first, mut one) = writer(&engine);
        let (second, mut two) = writer(&engine);
        block_on(one.create_relation(simple(T, "t"))).unwrap();
        let waiting = std::thread::spawn(move || {
            let result = block_on(two.create_relation(simple(U, "t")));
            if result.is_ok() {
                block_on(second.commit().unwrap()).unwrap();
            }
            result
        });
        if commits {
            block_on(first.commit().unwrap()).unwrap();
        } else {
            first.rollback();
        }
        let result = waiting.join().unwrap();
        let catalog = reload(&engine);
        let found = catalog.resolve_relation(&path(), &["t"]).unwrap().oid;
        if commits {
            assert_eq!(told(&result.unwrap_err()), "42P07: relation \"t\" already exists");
            assert_eq!(found, T);
        } else {
            result.unwrap();
            assert_eq!(found, U);
        }
    }
}

#[test]
fn stale_changes_are_refused() {
    let engine = database();
    let (txn, mut one) = writer(&engine);
    block_on(one.create_relation(simple(T, "t"))).unwrap();
    block_on(txn.commit().unwrap()).unwrap();
    let (_late, mut late) = writer(&engine);
    let (txn, mut early) = writer(&engine);
    block_on(early.replace_relation(simple(T, "other"), &[])).unwrap();
    block_on(txn.commit().unwrap()).unwrap();
    let error = block_on(late.replace_relation(simple(T, "third"), &[])).unwrap_err();
    assert_eq!(error.code(), SqlState::SERIALIZATION_FAILURE);
}

#[test]
fn storage_follows_descriptors() {
    let engine = database();
    let (_txn, mut writer) = writer(&engine);
    block_on(async {
        let t = simple(T, "t");
        let storage = t.as_table().unwrap().storage;
        writer.create_relation(t.clone()).await.unwrap();
        writer.create_relation(index(T_PKEY, "t_pkey", T, true, &[0])).await.unwrap();
        let (changed, id) = crate::alter::add_column(&t, int_column(0, "b")).unwrap();
        writer.replace_relation(changed, &[(id, Datum::Int32(5))]).await.unwrap();
        let layout = engine.layout(storage).unwrap();
        assert_eq!(layout.columns[2].missing, Datum::Int32(5));
        writer.renew_storage(&engine, T).await.unwrap();
        let table = writer.catalog().relation(T).unwrap().as_table().unwrap().clone();
        assert_ne!(table.storage, storage);
        assert_eq!(engine.layout(table.storage).unwrap().columns.len(), 3);
        assert_eq!(engine.dropped(), [format!("table {storage}")]);
        let plan = removal::plan(
            writer.catalog(),
            &[removal::Target::Relation(T)],
            removal::Behavior::Restrict,
        )
        .unwrap();
        writer.remove(&plan).await.unwrap();
        assert_eq!(engine.dropped().len(), 2);
        assert!(writer.catalog().relation(T_PKEY).is_none());
    });
}
