//! What users name.

use super::*;

#[test]
fn targets() {
    assert_eq!(parse(":memory:").unwrap().0, Target::Memory);
    assert_eq!(parse("./x").unwrap().0, Target::Directory("./x".into()));
    let (target, login) = parse("postgres://ann:p%40ss@db.example:6000/shop?a=b").unwrap();
    assert_eq!(target, Target::Server("db.example:6000".into()));
    assert_eq!(login.user, "ann");
    assert_eq!(login.password.as_deref(), Some("p@ss"));
    assert_eq!(login.database, "shop");
    let (target, login) = parse("postgresql://[::1]").unwrap();
    assert_eq!(target, Target::Server("[::1]:5432".into()));
    assert_eq!(login.user, "");
    assert!(parse("postgres://a%zz@h").is_err());
}
