//! The file that `oxibase serve --config` reads.

use std::process::{Command, Stdio};

use crate::harness::*;

const CERTIFICATE: &str = include_str!("tls/server.crt");
const KEY: &str = include_str!("tls/server.key");

/// What `serve` says about a file that it does not take.
fn refused(text: &str) -> String {
    let directory = Directory::new();
    let config = directory.file("oxibase.toml");
    std::fs::write(&config, text).unwrap();
    let output = Command::new(OXIBASE)
        .args(["serve", "--pg", "127.0.0.1:0", "--data", &directory.file("db")])
        .args(["--config", &config])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(output.stdout.is_empty(), "{text}");
    assert!(!std::path::Path::new(&directory.file("db")).exists(), "{text}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("oxibase.toml: line "), "{said}");
    said
}

#[test]
fn every_key_of_a_file_counts() {
    let directory = Directory::new();
    let config = directory.file("oxibase.toml");
    let (certificate, key) = (directory.file("server.crt"), directory.file("server.key"));
    std::fs::write(&certificate, CERTIFICATE).unwrap();
    std::fs::write(&key, KEY).unwrap();
    let data = directory.file("from-the-file");
    let archive = directory.file("archive");
    let text = format!(
        "data = \"{data}\"\npg = \"127.0.0.1:0\"\nmax_connections = 1\n\
         checkpoint_timeout = \"1min\"\nmax_wal_size = \"64MB\"\nmemory_limit = \"32MB\"\n\
         archive = \"{archive}\"\narchive_timeout = \"1s\"\n\
         history_retention = \"7d\"\nretained_checkpoints = 1\n\
         [tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n\
         [users]\nann = \"secret\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let child = Command::new(OXIBASE)
        .args(["serve", "--config", &config])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Served::of(child);
    assert!(std::path::Path::new(&data).join("wal").exists());

    // TLS is offered.
    let mut raw = Raw::connect(server.address);
    raw.bytes(&[0, 0, 0, 8, 4, 210, 22, 47]);
    assert_eq!(raw.byte(), Some(b'S'));
    drop(raw);

    // The user is asked for a password.
    let shell = |user: &str| {
        let url = format!("postgres://{user}@{}/oxibase", server.address);
        let output = Command::new(OXIBASE).args([&url, "-c", "select 1"]).output().unwrap();
        output.status.code()
    };
    assert_eq!(shell("ann:secret"), Some(0));
    assert_eq!(shell("ann:wrong"), Some(3));

    // What was written on the first start is archived in time.
    let is_archived = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::read_dir(&archive)
            .unwrap()
            .any(|entry| entry.unwrap().path().extension().is_some_and(|ending| ending == "wal"))
    });
    assert!(is_archived);
}

#[test]
fn arguments_win_over_the_file() {
    let directory = Directory::new();
    let config = directory.file("oxibase.toml");
    let other = directory.file("other");
    std::fs::write(&config, format!("data = \"{other}\"\npg = \"127.0.0.1:1\"\n")).unwrap();
    let server = Served::start(&directory, &["--config", &config]);
    assert_eq!(server.client().rows("select 1"), [["1"]]);
    assert!(!std::path::Path::new(&other).exists());
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let said = refused("pg = \"127.0.0.1:0\"\n\nmax_conections = 5\n");
    assert!(said.contains("line 3, \"max_conections\": unknown field `max_conections`"), "{said}");
    let said = refused("[tls]\ncertificate = \"x\"\nkey = \"y\"\ncipher = \"z\"\n");
    assert!(said.contains("line 4, \"cipher\": unknown field `cipher`"), "{said}");
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_line() {
    let said = refused("data = \"x\"\nmax_connections = \"many\"\n");
    assert!(said.contains("line 2, \"max_connections\": invalid type: string \"many\""), "{said}");
    let said = refused("max_connections = -1\n");
    assert!(said.contains("line 1, \"max_connections\": invalid value: integer `-1`"), "{said}");
    let said = refused("[users]\nann = 5\n");
    assert!(said.contains("line 2, \"ann\": invalid type: integer `5`"), "{said}");
    let said = refused("[tls]\ncertificate = \"x\"\n");
    assert!(said.contains("line 1, \"[tls]\": missing field `key`"), "{said}");
}

#[test]
fn text_that_is_not_toml() {
    let said = refused("data = \"x\"\npg 127.0.0.1\n");
    assert!(said.contains("line 2"), "{said}");
}

#[test]
fn a_file_that_is_not_there() {
    let output = Command::new(OXIBASE)
        .args(["serve", "--pg", "127.0.0.1:0", "--config", "/does/not/exist.toml"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("exist.toml"));
}

#[test]
fn an_open_door_is_refused_from_the_file_too() {
    let directory = Directory::new();
    let config = directory.file("oxibase.toml");
    let data = directory.file("db");
    for address in ["0.0.0.0:0", "[::]:0"] {
        std::fs::write(&config, format!("data = \"{data}\"\npg = \"{address}\"\n")).unwrap();
        let output = Command::new(OXIBASE).args(["serve", "--config", &config]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
    }
    let users = format!("data = \"{data}\"\npg = \"0.0.0.0:0\"\n[users]\nann = \"secret\"\n");
    std::fs::write(&config, users).unwrap();
    let child = Command::new(OXIBASE)
        .args(["serve", "--config", &config])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(Served::of(child).address.ip().is_unspecified());
}
