//! Which names patterns stand for.

use super::Pattern;

fn found(pattern: &str, schema: &str, name: &str) -> bool {
    Pattern::parse(pattern).matches(schema, name, schema == "public")
}

#[test]
fn names_fold_unless_quoted() {
    assert!(found("Orders", "public", "orders"));
    assert!(!found("Orders", "public", "Orders"));
    assert!(found("\"Orders\"", "public", "Orders"));
    assert!(found("\"a \"\"b\"\".c\"", "public", "a \"b\".c"));
}

#[test]
fn schemas_are_named_or_on_the_path() {
    assert!(!found("orders", "shop", "orders"));
    assert!(found("shop.orders", "shop", "orders"));
    assert!(found("*.orders", "shop", "orders"));
    assert!(found("\"My shop\".\"T.x\"", "My shop", "T.x"));
}

#[test]
fn wildcards() {
    assert!(found("o*s", "public", "orders"));
    assert!(found("*", "public", ""));
    assert!(found("*a*b", "public", "xaxbxab"));
    assert!(!found("*a*b", "public", "xaxbxabx"));
    assert!(found("or?ers", "public", "orders"));
    assert!(!found("orders?", "public", "orders"));
    assert!(!found("\"o*s\"", "public", "orders"));
}
