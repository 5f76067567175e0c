//! Tests of looking for names in stored expressions.

use super::*;

#[test]
fn columns_are_told_from_other_words() {
    assert!(mentions("a > 0", "a"));
    assert!(mentions("length(A) > 0", "a"));
    assert!(mentions("t.a + 1", "a"));
    assert!(mentions("\"Weird\" = 1", "Weird"));
    assert!(!mentions("'a' = b", "a"));
    assert!(!mentions("\"A\" = b", "a"));
    assert!(!mentions("a(b)", "a"));
    assert!(!mentions("b::date", "date"));
    assert!(!mentions("E'it\\'s a' = b", "a"));
    assert!(!mentions("b -- a", "a"));
    assert!(mentions_or_star("SELECT * FROM t", "a"));
    assert!(!mentions_or_star("SELECT b * 2 FROM t", "a"));
}

#[test]
fn renaming_touches_columns_only() {
    assert_eq!(
        rename_column("a > 0 AND a(a) <> 'a'", "a", "B c"),
        "\"B c\" > 0 AND a(\"B c\") <> 'a'"
    );
    assert_eq!(rename_column("ab > 0", "a", "x"), "ab > 0");
}

#[test]
fn sequences_are_found_in_defaults() {
    assert_eq!(
        sequence_names("nextval('public.s_id_seq'::regclass)"),
        [["public".to_owned(), "s_id_seq".to_owned()]]
    );
    assert_eq!(sequence_names("nextval('\"S\"')"), [["S".to_owned()]]);
    assert!(sequence_names("'nextval'").is_empty());
    assert_eq!(
        rename_sequence("nextval('public.s'::regclass) + 1", ("public", "s"), "public.r"),
        "nextval('public.r'::regclass) + 1"
    );
}
