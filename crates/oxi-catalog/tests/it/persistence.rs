//! The catalog in a real store: written, loaded, reopened, and under concurrent change.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
};

use oxi_base::SqlState;
use oxi_catalog::{
    Catalog, CatalogCache, CatalogTxn,
    catalog::PUBLIC,
    mutation,
    removal::{self, Behavior, Target},
};
use oxi_model::{
    Datum, PhysicalType,
    descriptor::{
        ColumnDescriptor, IndexColumn, IndexDescriptor, RelationDescriptor, RelationKind,
        SchemaDescriptor, TableDescriptor, TypeRef,
    },
    engine::{Engine, InsertOutcome, Isolation, Txn},
};
use oxi_store::{Store, StoreOptions};
use oxi_world::World;

/// Runs a future on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn commit(txn: &Arc<dyn Txn>) {
    block_on(txn.commit().unwrap()).unwrap();
}

fn begin(store: &Arc<Store>) -> Arc<dyn Txn> {
    store.begin(Isolation::ReadCommitted)
}

fn database(world: &World) -> Arc<Store> {
    let store = Store::open(world.clone(), StoreOptions::default()).unwrap();
    let txn = begin(&store);
    txn.begin_statement();
    block_on(mutation::bootstrap(&txn)).unwrap();
    commit(&txn);
    store
}

fn column(id: u32, name: &str) -> ColumnDescriptor {
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

fn table(store: &Store, schema: u32, name: &str) -> RelationDescriptor {
    RelationDescriptor {
        oid: store.allocate_oid(),
        schema,
        name: name.to_owned(),
        comment: None,
        kind: RelationKind::Table(TableDescriptor {
            storage: store.allocate_table_id().0,
            columns: vec![column(0, "id"), column(1, "a")],
            next_column_id: 2,
            constraints: Vec::new(),
            history_us: None,
        }),
    }
}

fn index(store: &Store, table: &RelationDescriptor, name: &str) -> RelationDescriptor {
    RelationDescriptor {
        oid: store.allocate_oid(),
        schema: table.schema,
        name: name.to_owned(),
        comment: None,
        kind: RelationKind::Index(IndexDescriptor {
            table: table.oid,
            storage: store.allocate_index_id().0,
            unique: true,
            nulls_not_distinct: false,
            deferrable: false,
            invalid: false,
            columns: vec![IndexColumn { column: 0, descending: false, nulls_first: false }],
        }),
    }
}

fn content(catalog: &Catalog) -> String {
    let schemas: Vec<_> = catalog.schemas().collect();
    let relations: Vec<_> = catalog.relations().collect();
    format!("{schemas:#?}{relations:#?}")
}

fn path() -> Vec<String> {
    vec!["public".to_owned()]
}

#[test]
fn a_catalog_survives_reopening() {
    let world = World::in_memory().unwrap();
    let store = database(&world);
    let cache = CatalogCache::new();
    let txn = begin(&store);
    txn.begin_statement();
    let mut writer = CatalogTxn::new(Arc::clone(&txn), &cache.latest(&*store).unwrap());
    block_on(async {
        let schema = SchemaDescriptor { oid: store.allocate_oid(), name: "x".to_owned() };
        writer.create_schema(schema.clone()).await.unwrap();
        let t = table(&store, schema.oid, "t");
        writer.create_relation(t.clone()).await.unwrap();
        writer.create_relation(index(&store, &t, "t_pkey")).await.unwrap();
        let mut renamed = t.clone();
        renamed.name = "t2".to_owned();
        writer.replace_relation(renamed.clone(), &[]).await.unwrap();
        // Again in the same statement, and with a new column.
        let (wider, id) = oxi_catalog::alter::add_column(&renamed, column(0, "b")).unwrap();
        writer.replace_relation(wider, &[(id, Datum::Int32(5))]).await.unwrap();
    });
    let expected = writer.finish();
    assert!(cache.latest(&*store).unwrap().schema_by_name("x").is_none());
    commit(&txn);
    assert_eq!(content(&cache.latest(&*store).unwrap()), content(&expected));
    store.close().unwrap();
    drop((txn, store));

    let store = Store::open(world, StoreOptions::default()).unwrap();
    let catalog = CatalogCache::new().latest(&*store).unwrap();
    assert_eq!(content(&catalog), content(&expected));
    let t = catalog.resolve_relation(&[], &["x", "t2"]).unwrap();
    let txn = begin(&store);
    txn.begin_statement();
    let row = [Datum::Int32(1), Datum::Int32(2), Datum::Null];
    let storage = t.as_table().unwrap().storage();
    assert!(matches!(txn.insert(storage, &row).unwrap(), InsertOutcome::Done(_)));
    assert!(matches!(txn.insert(storage, &row).unwrap(), InsertOutcome::Duplicate(_)));
}

#[test]
fn dropping_and_renewing_reach_storage() {
    let world = World::in_memory().unwrap();
    let store = database(&world);
    let cache = CatalogCache::new();
    let t = table(&store, PUBLIC, "t");
    let txn = begin(&store);
    txn.begin_statement();
    let mut writer = CatalogTxn::new(Arc::clone(&txn), &cache.latest(&*store).unwrap());
    block_on(async {
        writer.create_relation(t.clone()).await.unwrap();
        writer.create_relation(index(&store, &t, "t_pkey")).await.unwrap();
    });
    commit(&txn);

    let txn = begin(&store);
    txn.begin_statement();
    let mut writer = CatalogTxn::new(Arc::clone(&txn), &cache.latest(&*store).unwrap());
    block_on(writer.renew_storage(&*store, t.oid)).unwrap();
    commit(&txn);
    let catalog = cache.latest(&*store).unwrap();
    let found = catalog.resolve_relation(&path(), &["t"]).unwrap();
    assert_ne!(found.as_table().unwrap().storage, t.as_table().unwrap().storage);

    let txn = begin(&store);
    txn.begin_statement();
    let plan = removal::plan(&catalog, &[Target::Relation(t.oid)], Behavior::Restrict).unwrap();
    let mut writer = CatalogTxn::new(Arc::clone(&txn), &catalog);
    block_on(writer.remove(&plan)).unwrap();
    commit(&txn);
    assert!(cache.latest(&*store).unwrap().relation_by_name(PUBLIC, "t").is_none());
    // The name is free again.
    let txn = begin(&store);
    txn.begin_statement();
    let mut writer = CatalogTxn::new(Arc::clone(&txn), &cache.latest(&*store).unwrap());
    block_on(writer.create_relation(table(&store, PUBLIC, "t"))).unwrap();
    txn.rollback();
}

#[test]
fn equal_names_wait_and_conflict() {
    for commits in [true, false] {
        let world = World::in_memory().unwrap();
        let store = database(&world);
        let cache = CatalogCache::new();
        let base = cache.latest(&*store).unwrap();
        let (first, second) = (begin(&store), begin(&store));
        first.begin_statement();
        second.begin_statement();
        let mut one = CatalogTxn::new(Arc::clone(&first), &base);
        let mut two = CatalogTxn::new(Arc::clone(&second), &base);
        block_on(one.create_relation(table(&store, PUBLIC, "t"))).unwrap();
        let other = table(&store, PUBLIC, "t");
        let waiting = std::thread::spawn(move || block_on(two.create_relation(other)));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!waiting.is_finished());
        if commits {
            commit(&first);
        } else {
            first.rollback();
        }
        let result = waiting.join().unwrap();
        if commits {
            assert_eq!(result.unwrap_err().code(), SqlState::DUPLICATE_TABLE);
        } else {
            result.unwrap();
        }
    }
}

#[test]
fn a_schema_is_not_dropped_under_a_new_relation() {
    let world = World::in_memory().unwrap();
    let store = database(&world);
    let cache = CatalogCache::new();
    let oid = store.allocate_oid();
    let txn = begin(&store);
    txn.begin_statement();
    let mut writer = CatalogTxn::new(Arc::clone(&txn), &cache.latest(&*store).unwrap());
    block_on(writer.create_schema(SchemaDescriptor { oid, name: "x".to_owned() })).unwrap();
    commit(&txn);

    let base = cache.latest(&*store).unwrap();
    let (dropper, creator) = (begin(&store), begin(&store));
    dropper.begin_statement();
    creator.begin_statement();
    let mut one = CatalogTxn::new(Arc::clone(&dropper), &base);
    block_on(one.drop_schema(oid)).unwrap();
    let mut two = CatalogTxn::new(Arc::clone(&creator), &base);
    let t = table(&store, oid, "t");
    let waiting = std::thread::spawn(move || block_on(two.create_relation(t)));
    commit(&dropper);
    let error = waiting.join().unwrap().unwrap_err();
    assert_eq!(error.code(), SqlState::INVALID_SCHEMA_NAME);
}

#[test]
fn a_dropped_column_takes_its_index_and_comes_back() {
    let world = World::in_memory().unwrap();
    let store = database(&world);
    let cache = CatalogCache::new();
    let t = table(&store, PUBLIC, "t");
    let storage = t.as_table().unwrap().storage();
    let txn = begin(&store);
    txn.begin_statement();
    let mut writer = CatalogTxn::new(Arc::clone(&txn), &cache.latest(&*store).unwrap());
    block_on(async {
        writer.create_relation(t.clone()).await.unwrap();
        writer.create_relation(index(&store, &t, "t_id_idx")).await.unwrap();
    });
    commit(&txn);

    for commits in [false, true] {
        let catalog = cache.latest(&*store).unwrap();
        let target = [Target::Column(t.oid, 0)];
        let plan = removal::plan(&catalog, &target, Behavior::Restrict).unwrap();
        let txn = begin(&store);
        txn.begin_statement();
        let mut writer = CatalogTxn::new(Arc::clone(&txn), &catalog);
        block_on(writer.remove(&plan)).unwrap();
        if commits {
            commit(&txn);
        } else {
            txn.rollback();
        }
        let txn = begin(&store);
        txn.begin_statement();
        let row: &[Datum] =
            if commits { &[Datum::Int32(2)] } else { &[Datum::Int32(1), Datum::Int32(2)] };
        assert!(matches!(txn.insert(storage, row).unwrap(), InsertOutcome::Done(_)));
        let again = txn.insert(storage, row).unwrap();
        assert_eq!(matches!(again, InsertOutcome::Duplicate(_)), !commits);
        txn.rollback();
    }
    let catalog = cache.latest(&*store).unwrap();
    assert!(catalog.indexes_of(t.oid).is_empty());
    assert_eq!(catalog.relation(t.oid).unwrap().as_table().unwrap().columns.len(), 1);
}
