//! Tests of name resolution and its errors.

use crate::sample::*;

#[test]
fn names_resolve_along_the_path() {
    let catalog = catalog();
    assert_eq!(catalog.resolve_relation(&path(), &["t"]).unwrap().oid, T);
    assert_eq!(catalog.resolve_relation(&path(), &["x", "y"]).unwrap().oid, Y);
    assert_eq!(catalog.resolve(&path(), &["pg_class"]).unwrap().oid(), 1259);
    assert_eq!(catalog.resolve(&[], &["information_schema", "tables"]).unwrap().name(), "tables");
    assert_eq!(catalog.resolve(&path(), &["oxi", "relations"]).unwrap().oid(), 13011);
    let both = ["x".to_owned(), "public".to_owned()];
    assert_eq!(catalog.resolve_relation(&both, &["y"]).unwrap().oid, Y);
}

#[test]
fn missing_names_are_told_as_postgresql_does() {
    let catalog = catalog();
    let error = |parts: &[&str]| catalog.resolve_relation(&path(), parts).unwrap_err();
    assert_eq!(told(&error(&["nope"])), "42P01: relation \"nope\" does not exist");
    assert_eq!(told(&error(&["no", "t"])), "42P01: relation \"no.t\" does not exist");
    assert_eq!(told(&error(&["d", "s", "t"])), "42P01: relation \"s.t\" does not exist");
    assert_eq!(
        told(&error(&["a", "b", "c", "d"])),
        "42601: improper qualified name (too many dotted names): a.b.c.d"
    );
    assert_eq!(
        told(&error(&["pg_class"])),
        "42501: permission denied: \"pg_class\" is a system catalog"
    );
    assert_eq!(error(&["y"]).hint(), Some("Perhaps you meant the relation \"x.y\"."));
    assert_eq!(error(&["s_id_sq"]).hint(), Some("Perhaps you meant the relation \"s_id_seq\"."));
}

#[test]
fn creation_goes_to_the_first_schema() {
    let catalog = catalog();
    let place = ["gone".to_owned(), "x".to_owned(), "public".to_owned()];
    let (schema, name) = catalog.resolve_creation(&place, &["new"]).unwrap();
    assert_eq!((schema.oid, name), (X, "new"));
    let error = catalog.resolve_creation(&[], &["new"]).unwrap_err();
    assert_eq!(told(&error), "3F000: no schema has been selected to create in");
    let error = catalog.resolve_creation(&[], &["no", "new"]).unwrap_err();
    assert_eq!(told(&error), "3F000: schema \"no\" does not exist");
    let error = catalog.resolve_creation(&[], &["pg_catalog", "new"]).unwrap_err();
    assert_eq!(told(&error), "42501: permission denied to create \"pg_catalog.new\"");
}

#[test]
fn regclass_output_is_as_short_as_it_can_be() {
    let catalog = catalog();
    assert_eq!(catalog.display_name(&path(), T).as_deref(), Some("t"));
    assert_eq!(catalog.display_name(&path(), Y).as_deref(), Some("x.y"));
    assert_eq!(catalog.display_name(&[], T).as_deref(), Some("public.t"));
    assert_eq!(catalog.display_name(&[], 1259).as_deref(), Some("pg_class"));
    assert_eq!(catalog.is_visible(&path(), Y), Some(false));
    assert_eq!(catalog.is_visible(&path(), 1), None);
}
