//! Normal forms and results, as PostgreSQL 15 gives them.

use super::{Query, Vars, parse};
use crate::{EvalContext, json::Json};

fn query(json: &str, path: &str) -> String {
    let context = EvalContext::fixed(0);
    let path = parse(path).expect("a path");
    let json = Json::parse(json).expect("json");
    let none = Json::Object(Vec::new());
    let vars = Vars::new(&none).expect("an object");
    let found = Query::new(&context, &path, &json, &vars, false).items();
    match found {
        Ok(items) => items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn normal_forms() {
    for (text, expected) in [
        ("$.a.v", "$.\"a\".\"v\""),
        ("strict $[*]", "strict $[*]"),
        ("$-1", "($ - 1)"),
        ("$--+1", "($ - -1)"),
        ("1 * 2 + 4 % -3 != false", "(1 * 2 + 4 % -3 != false)"),
        ("$.g ? (+@.x >= +-(+@.a + 2))", "$.\"g\"?(+@.\"x\" >= +(-(+@.\"a\" + 2)))"),
        ("$.a.**{2 to 2}.b", "$.\"a\".**{2}.\"b\""),
        ("(1.2).e3", "(1.2).\"e3\""),
        ("1.2.e3", "(1.2).\"e3\""),
        ("$ ? (@ like_regex \"p\" flag \"smixq\")", "$?(@ like_regex \"p\" flag \"ismxq\")"),
        ("$.a[$.a.size() - 3]", "$.\"a\"[$.\"a\".size() - 3]"),
    ] {
        let mut out = String::new();
        parse(text).expect(text).print(&mut out);
        assert_eq!(out, expected, "{text}");
    }
}

#[test]
fn results() {
    for (json, path, expected) in [
        ("{\"a\": [1, 2, 3]}", "$.a[*] ? (@ > 1)", "2 3"),
        ("[12, {\"a\": 13}]", "lax $[1].a", "13"),
        ("[1, 2, 3]", "$[last - 1]", "2"),
        ("{\"a\": {\"b\": 1}}", "lax $.**{2}", "1"),
        ("[1, \"2\", null]", "$[*] ? (@ == null)", "null"),
        ("1", "$ + 2", "3"),
        ("[]", "$.size()", "0"),
        ("{\"x\": 1}", "$.keyvalue()", "{\"id\": 0, \"key\": \"x\", \"value\": 1}"),
    ] {
        assert_eq!(query(json, path), expected, "{path}");
    }
}
