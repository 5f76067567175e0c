//! The shell in scripts.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::*;

/// Exit status, output and errors of a shell.
fn shell(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(OXIBASE)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A shell that does not read its input may have closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_statement_and_its_box() {
    let sql = "select 1 as id, 'x' as name";
    let (status, out, _) = shell(&["-c", sql], "");
    assert_eq!(status, 0);
    let expected = "\
┌────┬──────┐
│ id │ name │
├────┼──────┤
│  1 │ x    │
└────┴──────┘
(1 row)
";
    assert_eq!(out, expected);
    let (_, out, _) = shell(&["-c", sql, "--format", "csv"], "");
    assert_eq!(out, "id,name\n1,x\n");
    let (_, out, _) = shell(&["-c", sql, "--format", "jsonl"], "");
    assert_eq!(out, "{\"id\": 1, \"name\": \"x\"}\n");
}

#[test]
fn a_script_stops_at_its_first_error() {
    let script = "create table t (a int);\ninsert into t values (1);\nselect nope from t;\n\
                  insert into t values (2);\n";
    let directory = Directory::new();
    let database = directory.file("db");
    let (status, _, errors) = shell(&[&database], script);
    assert_eq!(status, 1);
    assert!(errors.contains("<stdin>:3: ERROR:  column \"nope\" does not exist"), "{errors}");
    assert!(errors.contains("LINE 1: select nope from t;\n               ^\n"), "{errors}");
    let (_, out, _) = shell(&[&database, "-c", "select a from t", "--format", "csv"], "");
    assert_eq!(out, "a\n1\n");
}

#[test]
fn copy_within_a_script_and_with_files() {
    let directory = Directory::new();
    let database = directory.file("db");
    let script = "create table t (a int, b text);\ncopy t from stdin (format csv);\n1,x\n2,y\n\\.\n\
                  select count(*) from t;\n";
    let (status, out, errors) = shell(&[&database, "--format", "csv"], script);
    assert_eq!((status, out.as_str()), (0, "count\n2\n"), "{errors}");

    let file = directory.file("t.csv");
    let copy = format!("\\copy t to '{file}' (format csv)");
    assert_eq!(shell(&[&database, "-c", &copy], "").0, 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "1,x\n2,y\n");
    let copy = format!("\\copy t from '{file}' (format csv)");
    assert_eq!(shell(&[&database, "-c", &copy], "").0, 0);
    let (_, out, _) = shell(&[&database, "--format", "csv", "-c", "select sum(a) from t"], "");
    assert_eq!(out, "sum\n6\n");
}

#[test]
fn tables_are_described() {
    let script = "create table shop (id int primary key, name text not null default 'x');\n\
                  create index shop_name on shop (name);\n\\d shop\n\\dt\n\\di\n\\dn\n\\l\n\\du\n\\d\n";
    let (status, out, errors) = shell(&[], script);
    assert_eq!(status, 0, "{errors}");
    for part in ["Table \"public.shop\"", "integer", "not null", "'x'::text", "shop_name", "public"]
    {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (status, _, errors) = shell(&["-c", "\\d nothing"], "");
    assert_eq!(status, 1);
    assert!(errors.contains("Did not find any relation named \"nothing\"."));
}

#[test]
fn exit_statuses() {
    assert_eq!(shell(&["--nonsense"], "").0, 2);
    assert_eq!(shell(&["postgres://127.0.0.1:1/x", "-c", "select 1"], "").0, 3);
    assert_eq!(shell(&["-c", "select 1/0"], "").0, 1);
    assert_eq!(shell(&["-f", "/does/not/exist.sql"], "").0, 1);
    assert_eq!(shell(&["-c", "\\q"], "").0, 0);
    assert_eq!(shell(&["--version"], "").0, 0);
    assert!(shell(&["--help"], "").1.contains("Examples:"));
}
