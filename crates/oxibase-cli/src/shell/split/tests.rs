//! Statements cut out of texts.

use super::*;

fn check(text: &str, statements: &[&str], rest: &str, state: State) {
    let pieces = split(text);
    assert_eq!(pieces.statements, statements, "{text}");
    assert_eq!(pieces.rest.trim(), rest, "{text}");
    assert_eq!(pieces.state, state, "{text}");
}

#[test]
fn statements_end_at_semicolons() {
    check("select 1; select 2;", &["select 1;", "select 2;"], "", State::Empty);
    check("select 1;\n-- done\n", &["select 1;"], "-- done", State::Empty);
    check("select", &[], "select", State::Statement);
    check(";", &[";"], "", State::Empty);
}

#[test]
fn semicolons_within_are_no_end() {
    check("select ';', \"a;b\", e'\\';';", &["select ';', \"a;b\", e'\\';';"], "", State::Empty);
    check("do $x$ a; $y$ b; $x$;", &["do $x$ a; $y$ b; $x$;"], "", State::Empty);
    check("select /* ; /* ; */ */ 1;", &["select /* ; /* ; */ */ 1;"], "", State::Empty);
    check("create rule r as (a; b);", &["create rule r as (a; b);"], "", State::Empty);
    let body = "create function f() begin atomic select case when a then 1 end; select 2; end;";
    check(body, &[body], "", State::Empty);
    check("select 'it''s;';", &["select 'it''s;';"], "", State::Empty);
}

#[test]
fn open_ends() {
    check("select 'a", &[], "select 'a", State::Quoted('\''));
    check("select $$a;", &[], "select $$a;", State::Dollar("$$".into()));
    check("/* a /* b */", &[], "/* a /* b */", State::Comment);
    check("select (1;", &[], "select (1;", State::Statement);
    check("select $1;", &["select $1;"], "", State::Empty);
}

#[test]
fn go_ends_a_statement() {
    check("select 1 \\g\nselect 2\\gx", &["select 1 \\g", "select 2\\gx"], "", State::Empty);
    check("select '\\g'", &[], "select '\\g'", State::Statement);
    check("select 1 \\go", &[], "select 1 \\go", State::Statement);
    assert_eq!(without_go("select 2 \\gx\n"), Some(("select 2 ", true)));
    assert_eq!(without_go("select 2;"), None);
}
