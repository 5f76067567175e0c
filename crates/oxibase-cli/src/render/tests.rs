//! The same result in every format.

use super::*;

fn rendered(format: Format, expanded: bool) -> String {
    let mut renderer = Renderer::new(format);
    renderer.expanded = expanded;
    let mut out = Vec::new();
    let field = |name: &str, type_oid| Field { name: name.into(), type_oid };
    renderer.start(vec![field("id", 23), field("näme", 25), field("ok", 16)], &mut out).unwrap();
    let rows = [
        vec![Some("1".into()), Some("a,\"b\"".into()), Some("t".into())],
        vec![Some("22".into()), Some("x\ny".into()), None],
    ];
    for row in rows {
        renderer.row(row, &mut out).unwrap();
    }
    renderer.end(true, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_box() {
    let expected = "\
┌────┬───────┬────┐
│ id │ näme  │ ok │
├────┼───────┼────┤
│  1 │ a,\"b\" │ t  │
│ 22 │ x     │    │
│    │ y     │    │
└────┴───────┴────┘
(2 rows)
";
    assert_eq!(rendered(Format::Box, false), expected);
}

#[test]
fn records() {
    let text = rendered(Format::Box, true);
    assert!(text.starts_with("-[ RECORD 1 ]-"));
    assert!(text.contains("näme | x\n     | y\nok   | \n"), "{text}");
}

#[test]
fn csv() {
    let expected = "id,näme,ok\n1,\"a,\"\"b\"\"\",t\n22,\"x\ny\",\n";
    assert_eq!(rendered(Format::Csv, false), expected);
}

#[test]
fn json() {
    let one = "{\"id\": 1, \"näme\": \"a,\\\"b\\\"\", \"ok\": true}";
    let two = "{\"id\": 22, \"näme\": \"x\\ny\", \"ok\": null}";
    assert_eq!(rendered(Format::Json, false), format!("[\n  {one},\n  {two}\n]\n"));
    assert_eq!(rendered(Format::Jsonl, false), format!("{one}\n{two}\n"));
}

#[test]
fn markdown_and_line() {
    let text = rendered(Format::Markdown, false);
    assert!(text.starts_with("| id | näme | ok |\n| ---: | --- | --- |\n| 1 |"), "{text}");
    assert!(text.contains("| 22 | x<br>y |  |"));
    assert!(rendered(Format::Line, false).starts_with("  id = 1\nnäme = a,"));
}
