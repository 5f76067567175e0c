//! Where the caret stands.

use super::*;

#[test]
fn the_caret_is_under_the_word() {
    let error = ServerError {
        severity: "ERROR".into(),
        code: "42703".into(),
        message: "column \"nme\" does not exist".into(),
        hint: Some("Perhaps you meant to reference the column \"t.name\".".into()),
        position: Some(18),
        ..ServerError::default()
    };
    let text = describe(&error, "select 'ä',\n     nme from t", "");
    assert_eq!(
        text,
        "ERROR:  column \"nme\" does not exist\n\
         LINE 2:      nme from t\n\
         \x20            ^\n\
         HINT:  Perhaps you meant to reference the column \"t.name\".\n\
         SQLSTATE:  42703\n"
    );
}

#[test]
fn a_place_beyond_the_text_shows_nothing() {
    assert_eq!(pointer("select", 99), "LINE 1: select\n              ^\n");
    assert_eq!(pointer("", 1), "");
}

#[test]
fn long_lines_are_cut() {
    let sql = format!("select {} oops", "a, ".repeat(100));
    let text = pointer(&sql, sql.chars().count() - 3);
    let mut lines = text.lines();
    let (line, caret) = (lines.next().unwrap(), lines.next().unwrap());
    assert!(line.len() < 100);
    assert_eq!(&line[caret.len() - 1..], "oops");
}
