//! Templates of statements.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::{Constant, template};

fn text(sql: &str) -> Option<String> {
    template(sql).map(|template| template.text)
}

#[test]
fn constants_become_parameters() {
    let found = template("SELECT a FROM t WHERE id = 17 AND b = 'it''s' AND c < 1.5;").unwrap();
    assert_eq!(found.text, "SELECT a FROM t WHERE id =  $1  AND b =  $2  AND c <  $3 ;");
    let constants = [
        Constant::Integer("17".into()),
        Constant::Text("it's".into()),
        Constant::Decimal("1.5".into()),
    ];
    assert_eq!(found.constants, constants);
}

#[test]
fn names_comments_and_other_constants_stay() {
    let sql = "select \"a1\", x'1f', null, true from t1 -- 5 of them\n";
    assert_eq!(text(sql).as_deref(), Some(sql));
    // A parameter does not grow together with what stands beside it.
    assert_eq!(text("select 'a'as b").as_deref(), Some("select  $1 as b"));
}

#[test]
fn what_is_no_template() {
    for sql in [
        "",
        "BEGIN",
        "SELECT 1; SELECT 2",
        "SELECT a FROM t WHERE id = $1",
        "SELECT a, b FROM t ORDER BY 2",
        "SELECT a, count(*) FROM t GROUP BY 1",
        "SELECT 'unterminated",
    ] {
        assert_eq!(template(sql), None, "{sql}");
    }
    let long = format!("INSERT INTO t VALUES {}", vec!["(1)"; 65].join(", "));
    assert_eq!(template(&long), None);
    assert_eq!(template(&format!("SELECT 1 -- {}", "x".repeat(20_000))), None);
}
