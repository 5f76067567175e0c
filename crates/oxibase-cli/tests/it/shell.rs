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

#[test]
fn bare_values_for_scripts() {
    assert_eq!(shell(&["-Atc", "select 1, null, 'x'"], "").1, "1||x\n");
    assert_eq!(shell(&["-A", "-c", "select 1 as a, 'x' as b"], "").1, "a|b\n1|x\n");
    assert_eq!(shell(&["-t", "--format", "csv", "-c", "select 1 as a"], "").1, "1\n");
    let (_, out, _) = shell(&["-tc", "select 1 as a"], "");
    assert_eq!(out, "┌───┐\n│ 1 │\n└───┘\n");
    let script = "\\pset null '∅'\n\\a\n\\t on\nselect null, '', 1;\n";
    assert_eq!(shell(&["-q"], script).1, "∅||1\n");
    // JSON has its own null.
    let script = "\\pset null x\nselect null as a;\n";
    assert_eq!(shell(&["--format", "jsonl"], script).1, "{\"a\": null}\n");
}

#[test]
fn go_ends_a_statement() {
    let (status, out, errors) =
        shell(&["--format", "csv"], "select 1 as a \\g\nselect\n2 as b\\g\n");
    assert_eq!((status, out.as_str()), (0, "a\n1\nb\n2\n"), "{errors}");
    let (_, out, _) = shell(&["-c", "select 1 as a \\gx", "-c", "select 2 as b"], "");
    assert!(out.starts_with("-[ RECORD 1 ]-"), "{out}");
    assert!(out.contains("a | 1\n"), "{out}");
    assert!(out.contains("│ 2 │"), "{out}");
}

#[test]
fn an_error_shows_no_empty_table() {
    let (status, out, errors) =
        shell(&["-c", "select 1 / (n - 1) from generate_series(1, 1) n"], "");
    assert_eq!((status, out.as_str()), (1, ""), "{errors}");
}

#[test]
fn files_include_those_beside_them() {
    let directory = Directory::new();
    std::fs::create_dir(directory.file("inner")).unwrap();
    std::fs::write(directory.file("outer.sql"), "\\ir inner/a.sql\n").unwrap();
    std::fs::write(directory.file("inner/a.sql"), "\\ir b.sql\nselect 1 as a;\n").unwrap();
    std::fs::write(directory.file("inner/b.sql"), "select 2 as b;\n").unwrap();
    let (_, out, errors) = shell(&["--format", "csv", "-f", &directory.file("outer.sql")], "");
    assert_eq!(out, "b\n2\na\n1\n", "{errors}");
}

#[test]
fn descriptions_in_full() {
    let script = "create table t (id int generated always as identity primary key, up int references t);\n\
                  comment on table t is 'the table'; comment on column t.up is 'the column';\n\
                  create view v as select id from t;\n\
                  \\d+ t\n\\dt+\n\\d t_id_seq\n\\d v\n\\d\n\\dn\n";
    let (status, out, errors) = shell(&[], script);
    assert_eq!(status, 0, "{errors}");
    for part in [
        "the column",
        "the table",
        "TABLE \"t\" CONSTRAINT \"t_up_fkey\" FOREIGN KEY (up) REFERENCES t(id)",
        "Sequence \"public.t_id_seq\"",
        "2147483647",
        "public.t.id",
        "View definition:\n SELECT",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(!out.contains("oxi "), "the system's own tables: {out}");
}

#[test]
fn commands_after_comments_and_restricted_parts() {
    let script = "-- a comment\n\\echo one\n/* two\n\\echo no */\nselect 2 as b;\n";
    let (status, out, errors) = shell(&["--format", "csv"], script);
    assert_eq!((status, out.as_str()), (0, "one\nb\n2\n"), "{errors}");
    let script = "-- dump\n\n\\restrict key\n\nselect 1 as a;\n--\n\\unrestrict key\n\\echo out\n";
    let (status, out, errors) = shell(&["--format", "csv"], script);
    assert_eq!((status, out.as_str()), (0, "a\n1\nout\n"), "{errors}");
    for script in ["\\restrict key\n\\echo x\n", "\\restrict key\n\\unrestrict other\n"] {
        assert_eq!(shell(&[], script).0, 1);
    }
}

#[test]
fn copy_of_rows_without_columns() {
    let script = "create table e ();\ncopy e from stdin;\n\n\n\\.\nselect count(*) from e;\n";
    let (status, out, errors) = shell(&["--format", "csv"], script);
    assert_eq!((status, out.as_str()), (0, "count\n2\n"), "{errors}");
}
