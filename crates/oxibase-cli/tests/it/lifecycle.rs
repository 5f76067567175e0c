//! Starting, stopping, and who may come in.

use std::process::Command;

use crate::harness::*;

#[test]
fn what_was_committed_survives_the_stop() {
    let directory = Directory::new();
    let mut server = Served::start(&directory, &[]);
    let mut client = server.client();
    client.rows("create table t (a int); insert into t values (7)");
    let mut idle = server.client();
    assert_eq!(server.stop(), Some(0));
    let goodbye = idle.next().unwrap();
    assert_eq!(goodbye.field(b'C'), "57P01");
    assert!(idle.next().is_none());

    let server = Served::start(&directory, &[]);
    assert_eq!(server.client().rows("select a from t"), [["7"]]);
}

#[test]
fn one_process_per_directory() {
    let directory = Directory::new();
    let _server = Served::start(&directory, &[]);
    let output = Command::new(OXIBASE)
        .args(["serve", "--pg", "127.0.0.1:0", "--data", &directory.file("db")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.is_empty());
    assert!(output.stdout.is_empty());
}

#[test]
fn an_open_door_is_refused() {
    let directory = Directory::new();
    let output = Command::new(OXIBASE)
        .args(["serve", "--pg", "0.0.0.0:0", "--data", &directory.file("db")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("without authentication"), "{text}");
}

#[test]
fn users_prove_their_password() {
    let directory = Directory::new();
    let config = directory.file("oxibase.toml");
    std::fs::write(&config, "max_connections = 2\n[users]\nann = \"secret\"\n").unwrap();
    let server = Served::start(&directory, &["--config", &config]);
    let shell = |url: &str| {
        let output = Command::new(OXIBASE)
            .args([url, "-c", "select 1", "--format", "csv"])
            .env_remove("PGPASSWORD")
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let address = server.address;
    assert_eq!(shell(&format!("postgres://ann:secret@{address}/oxibase")).0, Some(0));
    for user in ["ann:wrong", "bob:secret"] {
        let (status, text) = shell(&format!("postgres://{user}@{address}/oxibase"));
        assert_eq!(status, Some(3));
        assert!(text.contains("password authentication failed"), "{text}");
    }
}

#[test]
fn too_many_clients() {
    let directory = Directory::new();
    let config = directory.file("oxibase.toml");
    std::fs::write(&config, "max_connections = 2\n").unwrap();
    let server = Served::start(&directory, &["--config", &config]);
    let _clients = [server.client(), server.client()];
    let mut third = Raw::connect(server.address);
    third.bytes(&startup("ann"));
    assert_eq!(third.next().unwrap().field(b'C'), "53300");
}
