//! `oxibase checkpoints` and `oxibase DIR --at NUMBER`.

use std::process::Command;

use crate::harness::*;

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(OXIBASE).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_kept_checkpoint_is_opened_for_reading() {
    let directory = Directory::new();
    let (database, config) = (directory.file("db"), directory.file("oxibase.toml"));
    let text = format!("data = \"{database}\"\npg = \"127.0.0.1:0\"\nretained_checkpoints = 2\n");
    std::fs::write(&config, text).unwrap();
    let mut server = Served::start(&directory, &["--config", &config]);
    let mut client = server.client();
    client.rows("create table t (a int)");
    for a in 1..=4 {
        client.rows(&format!("insert into t values ({a})"));
        client.rows("checkpoint");
    }
    server.child.kill().unwrap();
    server.child.wait().unwrap();

    let (status, out, _) = run(&["checkpoints", &database]);
    assert_eq!(status, Some(0));
    let numbers: Vec<&str> =
        out.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(numbers.len(), 3, "{out}");
    for (number, sum) in numbers.iter().zip(["3", "6", "10"]) {
        let (status, out, error) =
            run(&[&database, "--at", number, "-Atc", "select sum(a) from t"]);
        assert_eq!((status, out.trim()), (Some(0), sum), "{error}");
    }
    let (status, _, error) =
        run(&[&database, "--at", numbers[0], "-c", "insert into t values (9)"]);
    assert_eq!(status, Some(1));
    assert!(error.contains("cannot be changed"), "{error}");
    let (status, _, error) = run(&[&database, "--at", "99", "-c", "select 1"]);
    assert_eq!(status, Some(1));
    assert!(error.contains("there is no checkpoint 99"), "{error}");
    let (status, ..) = run(&["--at", "1", "-c", "select 1"]);
    assert_eq!(status, Some(1));
    // The database itself goes on, and keeps as many as it was told.
    let (_, out, _) = run(&[&database, "-Atc", "select sum(a) from t"]);
    assert_eq!(out.trim(), "10");
    let (_, out, _) = run(&["checkpoints", &database]);
    assert_eq!(out.lines().count(), 3, "{out}");
}
