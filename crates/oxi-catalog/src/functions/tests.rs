//! Tests of what functions learn from the catalog.

use std::sync::Arc;

use super::*;
use crate::{sample::*, system::ServerState};

struct Server;

impl ServerState for Server {
    fn statistics(&self, _: oxi_base::TableId) -> oxi_model::engine::TableStatistics {
        oxi_model::engine::TableStatistics { rows: 1, bytes: 100 }
    }
    fn sequence_state(&self, _: u32) -> Option<(i64, bool)> {
        None
    }
    fn settings(&self) -> Vec<system::SettingInfo> {
        Vec::new()
    }
    fn prepared_transactions(&self) -> Vec<oxi_model::engine::PreparedTransaction> {
        Vec::new()
    }
    fn sessions(&self) -> Vec<system::SessionInfo> {
        Vec::new()
    }
}

#[test]
fn names_and_numbers_agree() {
    let context = SystemContext {
        catalog: Arc::new(catalog()),
        database: "d".to_owned(),
        user: "me".to_owned(),
        server: Arc::new(Server),
    };
    let path = path();
    let functions = CatalogFunctions { context: &context, search_path: &path };
    let parts = |name: &str| name.split('.').map(str::to_owned).collect::<Vec<String>>();
    for (class, name, oid) in [
        (ObjectClass::Relation, "t", T),
        (ObjectClass::Relation, "x.y", Y),
        (ObjectClass::Relation, "pg_catalog.pg_class", 1259),
        (ObjectClass::Schema, "x", X),
        (ObjectClass::Type, "int4", 23),
        (ObjectClass::Function, "array_in", 750),
        (ObjectClass::Role, "me", 10),
        (ObjectClass::Database, "d", 5),
        (ObjectClass::Collation, "C", 950),
    ] {
        assert_eq!(functions.lookup(class, &parts(name)).unwrap(), Some(oid), "{name}");
        let found = functions.name_of(class, oid).unwrap();
        assert_eq!(Some(&found.name), parts(name).last(), "{name}");
        assert_eq!(found.visible, name != "x.y", "{name}");
    }
    assert_eq!(functions.lookup(ObjectClass::Relation, &parts("no.t")).unwrap(), None);
    assert_eq!(functions.constraint_def(30_000).as_deref(), Some("PRIMARY KEY (id)"));
    assert_eq!(
        functions.index_def(T_PKEY, 0, true).as_deref(),
        Some("CREATE UNIQUE INDEX t_pkey ON t USING btree (id)")
    );
    assert_eq!(functions.index_def(T_PKEY, 1, true).as_deref(), Some("id"));
    assert_eq!(functions.view_def(V).as_deref(), Some(" SELECT t.id, t.a FROM public.t;"));
    assert!(functions.serial_sequence(T, "nope").is_err());
    assert_eq!(functions.relation_size(T), Some(100));
    assert_eq!(
        functions.description(crate::catalog::PUBLIC, Some("pg_namespace"), 0).as_deref(),
        Some("standard public schema")
    );
}
