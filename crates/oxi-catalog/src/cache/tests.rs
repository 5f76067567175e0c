//! Tests of sharing and of noticing commits.

use oxi_model::descriptor::SchemaDescriptor;

use super::*;
use crate::{
    fake::{Fake, block_on},
    mutation::CatalogTxn,
};

#[test]
fn the_cache_follows_commits() {
    let engine = Fake::default();
    let txn = engine.begin(Isolation::ReadCommitted);
    block_on(mutation::bootstrap(&txn)).unwrap();
    block_on(txn.commit().unwrap()).unwrap();

    let cache = CatalogCache::new();
    let first = cache.latest(&engine).unwrap();
    assert!(Arc::ptr_eq(&first, &cache.latest(&engine).unwrap()));

    let old = engine.begin(Isolation::ReadCommitted).begin_statement();
    assert!(Arc::ptr_eq(&first, &cache.at_snapshot(&engine, &*old).unwrap()));

    let txn = engine.begin(Isolation::ReadCommitted);
    let mut writer = CatalogTxn::new(Arc::clone(&txn), &first);
    block_on(writer.create_schema(SchemaDescriptor { oid: 20_000, name: "x".to_owned() })).unwrap();
    // Not committed: nobody sees it.
    assert!(cache.latest(&engine).unwrap().schema_by_name("x").is_none());
    block_on(txn.commit().unwrap()).unwrap();
    assert!(cache.latest(&engine).unwrap().schema_by_name("x").is_some());
    // The old snapshot still sees the old catalog.
    assert!(cache.at_snapshot(&engine, &*old).unwrap().schema_by_name("x").is_none());
    let new = engine.begin(Isolation::ReadCommitted).begin_statement();
    assert!(cache.at_snapshot(&engine, &*new).unwrap().schema_by_name("x").is_some());
}
