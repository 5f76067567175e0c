//! `oxibase backup` and `oxibase restore`, with a server that goes on, dies, or archives its log.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::harness::*;

const EVERYTHING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/dump/everything.sql");

/// Exit status, output and errors.
fn oxibase(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(OXIBASE).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The output of what must go well.
fn well(arguments: &[&str]) -> String {
    let (status, out, errors) = oxibase(arguments);
    assert_eq!(status, 0, "{arguments:?}\n{out}\n{errors}");
    out
}

/// What is said by what must not.
fn refused(arguments: &[&str]) -> String {
    let (status, out, errors) = oxibase(arguments);
    assert_eq!(status, 1, "{arguments:?}\n{out}\n{errors}");
    format!("{out}{errors}")
}

/// The bare result of a query on a directory.
fn ask(database: &str, sql: &str) -> String {
    well(&[database, "-Atc", sql]).trim_end().to_owned()
}

fn url(server: &Served) -> String {
    format!("postgres://ann@{}/oxibase", server.address)
}

#[test]
fn a_directory_there_and_back() {
    let directory = Directory::new();
    let (database, backup) = (directory.file("db"), directory.file("backup"));
    well(&[&database, "-q", "-f", EVERYTHING]);
    let said = well(&["backup", &database, &backup]);
    assert!(said.contains("verified    every byte was read back"), "{said}");
    let said = well(&["check", &backup]);
    assert!(said.contains("backup      checkpoint ") && said.contains("indexes  "), "{said}");
    let copy = directory.file("copy");
    let said = well(&["restore", &backup, &copy]);
    assert!(said.contains("timeline 2 begins"), "{said}");
    assert!(well(&["check", &copy]).ends_with("no problems found\n"));
    assert_eq!(well(&["dump", &database]), well(&["dump", &copy]));

    // Of the restored database, and back once more, by the address of a file.
    let (second, third) = (format!("file://{}", directory.file("second")), directory.file("third"));
    well(&["backup", &copy, &second]);
    assert!(well(&["restore", &second, &third]).contains("timeline 3 begins"));
    assert_eq!(well(&["dump", &database]), well(&["dump", &third]));
}

#[test]
fn what_is_refused_says_why() {
    let directory = Directory::new();
    let (database, backup) = (directory.file("db"), directory.file("backup"));
    well(&[&database, "-q", "-c", "create table t (a int)"]);
    well(&["backup", &database, &backup]);
    let said = refused(&["backup", &database, &backup]);
    assert!(said.contains("not empty") && said.contains("place of its own"), "{said}");
    assert!(refused(&["restore", &backup, &database]).contains("not empty"));
    assert!(refused(&["backup", &directory.file("nowhere"), "x"]).contains("there is no database"));
    let nowhere = directory.file("nowhere");
    assert!(refused(&["restore", &nowhere, &directory.file("x")]).contains("does not exist"));
    assert!(!Path::new(&directory.file("x")).exists());
    let new = directory.file("new");
    let said = refused(&["restore", &backup, &new, "--to", "2001-01-01"]);
    assert!(said.contains("before consistent recovery point"), "{said}");
    let said = refused(&["restore", &backup, &directory.file("y"), "--to", "soon"]);
    assert!(said.contains("invalid input syntax"), "{said}");

    let server = Served::start(&directory, &[]);
    let said = refused(&["backup", &database, &directory.file("z")]);
    assert!(said.contains("postgres://"), "{said}");
    drop(server);

    std::fs::remove_file(Path::new(&backup).join("backup.manifest")).unwrap();
    assert!(refused(&["check", &backup]).contains("is not complete"));
    assert!(refused(&["restore", &backup, &directory.file("w")]).contains("is not complete"));
    assert!(refused(&["backup", &database, &backup]).contains("was not completed"));
}

/// Clients that transfer money until told to stop; the sum never changes.
struct Transfers {
    stop: AtomicBool,
    /// The highest number that was acknowledged, by client.
    acknowledged: [AtomicI64; 3],
}

const MADE: &str = "create table account (id int primary key, balance int);
    insert into account select n, 100 from generate_series(1, 20) n;
    create table token (client int, n int, primary key (client, n))";

impl Transfers {
    fn new() -> Self {
        Transfers { stop: AtomicBool::new(false), acknowledged: Default::default() }
    }

    /// One client: a transfer and its token in each transaction, until told to stop or the server
    /// is gone.
    fn client(&self, number: usize, address: std::net::SocketAddr) {
        let mut client = Raw::connect(address);
        client.start("ann");
        let mut n = self.acknowledged[number].load(Ordering::SeqCst);
        while !self.stop.load(Ordering::SeqCst) {
            n += 1;
            let (from, to) = (n * 7 % 20 + 1, (n * 13 + number as i64) % 20 + 1);
            let sql = format!(
                "begin; insert into token values ({number}, {n}) on conflict do nothing;
                 update account set balance = balance - 1 where id = least({from}, {to});
                 update account set balance = balance + 1 where id = greatest({from}, {to}); commit"
            );
            let mut body = sql.into_bytes();
            body.push(0);
            if std::io::Write::write_all(&mut client.stream, &frame(b'Q', &body)).is_err() {
                return;
            }
            let messages = client.until_ready();
            if !messages.iter().any(|m| m.tag == b'Z') {
                return;
            }
            if messages.iter().any(|m| m.tag == b'E') {
                // A deadlock: nothing of it is there.
                client.query("rollback");
                n -= 1;
            } else {
                self.acknowledged[number].store(n, Ordering::SeqCst);
            }
        }
    }

    fn counts(&self) -> [i64; 3] {
        [0, 1, 2].map(|number| self.acknowledged[number].load(Ordering::SeqCst))
    }
}

/// That a directory has what was acknowledged then, and nothing half.
fn verify(database: &str, acknowledged: [i64; 3]) {
    assert_eq!(ask(database, "select sum(balance), count(*) from account"), "2000|20");
    for (number, n) in acknowledged.iter().enumerate() {
        let sql = format!("select count(*) >= {n} from token where client = {number} and n <= {n}");
        assert_eq!(ask(database, &sql), "t", "client {number}, {n}");
    }
}

#[test]
fn a_server_goes_on_while_it_is_copied() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    server.client().query(MADE);
    let transfers = Transfers::new();
    std::thread::scope(|scope| {
        for number in 0..3 {
            let (transfers, address) = (&transfers, server.address);
            scope.spawn(move || transfers.client(number, address));
        }
        for round in 0..3 {
            std::thread::sleep(Duration::from_millis(200));
            let before = transfers.counts();
            let backup = directory.file(&format!("backup{round}"));
            well(&["backup", &url(&server), &backup]);
            let after = transfers.counts();
            assert!(before.iter().zip(&after).any(|(before, after)| before < after));
            server.client().query("checkpoint");
            assert!(well(&["check", &backup]).ends_with("no problems found\n"));
            let restored = directory.file(&format!("restored{round}"));
            well(&["restore", &backup, &restored]);
            verify(&restored, before);
        }
        transfers.stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn functions_of_a_backup_belong_to_their_session() {
    let directory = Directory::new();
    let server = Served::start(&directory, &[]);
    let mut client = server.client();
    assert_eq!(code(&client.query("select oxi_backup_finish()")), "55000");
    assert_eq!(code(&client.query("select oxi_backup_read('CURRENT', 0, 1)")), "55000");
    assert_eq!(client.rows("select oxi_backup_stop()"), [["f"]]);
    let begin = client.rows("select oxi_backup_start()")[0][0].clone();
    assert!(begin.contains("\nfile ") && begin.starts_with("database "), "{begin}");
    assert_eq!(code(&client.query("select oxi_backup_start()")), "55000");
    assert_eq!(
        client.rows("select oxi_backup_read('CURRENT', 0, 9)"),
        [["\\x6d616e6966657374 2d".replace(' ', "")]]
    );
    assert_eq!(code(&client.query("select oxi_backup_read('LOCK', 0, 0)")), "58P01");
    assert_eq!(code(&client.query("select oxi_backup_read('CURRENT', -1, 1)")), "22023");
    assert_eq!(code(&client.query("select oxi_backup_read('CURRENT', 0, 1000)")), "22023");
    let end = client.rows("select oxi_backup_finish()")[0][0].clone();
    assert!(end.contains("\nend ") && end.contains(" wal/"), "{end}");
    assert_eq!(client.rows("select oxi_backup_stop()"), [["t"]]);
}

#[test]
fn a_server_that_dies_while_it_is_copied() {
    let directory = Directory::new();
    let archive = directory.file("archive");
    let more = ["--archive", &archive, "--archive-timeout", "1s"];
    let database = directory.file("db");
    let mut server = Served::start(&directory, &more);
    server.client().query(MADE);
    // Large enough that copying takes a while.
    server.client().rows("create table ballast as select n, repeat(md5(n::text), 20) t from generate_series(1, 20000) n");
    let transfers = Transfers::new();
    let mut whole = 0;
    for round in 0..5u64 {
        let backup = directory.file(&format!("backup{round}"));
        let mut copying = Command::new(OXIBASE)
            .args(["backup", &url(&server), &backup])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::scope(|scope| {
            for number in 0..3 {
                let (transfers, address) = (&transfers, server.address);
                scope.spawn(move || transfers.client(number, address));
            }
            std::thread::sleep(Duration::from_millis(40 + round * round * 90));
            server.child.kill().unwrap();
            server.child.wait().unwrap();
        });
        let (survived, copied) = (transfers.counts(), copying.wait().unwrap().success());
        assert!(well(&["check", &database]).ends_with("no problems found\n"));
        if copied {
            whole += 1;
            let restored = directory.file(&format!("restored{round}"));
            well(&["restore", &backup, &restored]);
            verify(&restored, [0; 3]);
        } else if Path::new(&backup).join("files").exists() {
            assert!(refused(&["check", &backup]).contains("is not complete"));
        }
        server = Served::start(&directory, &more);
        assert_eq!(server.client().rows("select sum(balance) from account"), [["2000"]]);
        for (number, n) in survived.iter().enumerate() {
            let sql = format!("select count(*) from token where client = {number} and n <= {n}");
            assert_eq!(server.client().rows(&sql), [[n.to_string()]], "round {round}");
        }
    }
    // One more, undisturbed; with the archive it leads to the very end.
    let backup = directory.file("last");
    well(&["backup", &url(&server), &backup]);
    server.client().query("insert into token values (9, 9)");
    assert_eq!(server.stop(), Some(0));
    let restored = directory.file("end");
    well(&["restore", &backup, &restored, "--archive", &archive]);
    verify(&restored, transfers.counts());
    assert_eq!(ask(&restored, "select count(*) from token where client = 9"), "1", "{whole} whole");
}

/// A transaction that changes something and writes into the audit log what holds then. The lock on
/// the counter makes the order of numbers that of commits.
fn audited(n: i64) -> String {
    format!(
        "begin; update counter set n = n + 1;
         update account set balance = balance + {n} where id = {} ;
         insert into audit select n, clock_timestamp(),
           (select string_agg(id || ':' || balance, ',' order by id) from account) from counter;
         commit",
        n % 5 + 1
    )
}

#[test]
fn restoring_to_a_moment_gives_what_the_audit_log_says() {
    let directory = Directory::new();
    let (archive, backup) = (directory.file("archive"), directory.file("backup"));
    let more = ["--archive", &archive];
    let mut server = Served::start(&directory, &more);
    server.client().query(
        "create table account (id int primary key, balance bigint);
         insert into account select n, 0 from generate_series(1, 5) n;
         create table counter (n int); insert into counter values (0);
         create table audit (n int primary key, at timestamptz, state text)",
    );
    well(&["backup", &url(&server), &backup]);
    let mut number = 0;
    for round in 0..3 {
        std::thread::scope(|scope| {
            for client in 0..3 {
                let address = server.address;
                scope.spawn(move || {
                    let mut raw = Raw::connect(address);
                    raw.start("ann");
                    for n in 0..20 {
                        let messages = raw.query(&audited(number + n * 3 + client));
                        assert_eq!(code(&messages), "");
                    }
                });
            }
        });
        number += 60;
        match round {
            0 => drop(server.client().query("checkpoint; create table later (a int)")),
            1 => {
                server.child.kill().unwrap();
                server.child.wait().unwrap();
                server = Served::start(&directory, &more);
            }
            _ => {}
        }
    }
    let audit = server.client().rows("select n, at, state from audit order by n");
    assert_eq!(audit.len(), 180);
    let status = server.client().rows(
        "select archived_count > 0, last_archived_wal like '0000%.wal', failed_count
         from pg_stat_archiver",
    );
    assert_eq!(status, [["t", "t", "0"]]);
    assert_eq!(server.client().rows("show archive"), [[archive.clone()]]);
    assert_eq!(server.stop(), Some(0));

    // What transaction n + 1 saw on its clock before it committed is a moment after n's commit.
    for n in [1, 2, 37, 59, 60, 61, 119, 120, 150, 178] {
        let (expected, next) = (&audit[n - 1], &audit[n]);
        let restored = directory.file(&format!("at{n}"));
        well(&["restore", &backup, &restored, "--archive", &archive, "--to", &next[1]]);
        let state = "select string_agg(id || ':' || balance, ',' order by id) from account";
        assert_eq!(ask(&restored, state), expected[2], "at {}", next[1]);
        let rows = "select count(*), max(n), (select n from counter) from audit";
        assert_eq!(ask(&restored, rows), format!("{n}|{n}|{n}"));
        let later = ask(&restored, "select to_regclass('later') is not null");
        assert_eq!(later, if n >= 60 { "t" } else { "f" }, "{n}");
    }
    let end = directory.file("end");
    well(&["restore", &backup, &end, "--archive", &archive]);
    assert_eq!(ask(&end, "select count(*) from audit"), "180");
    let said = refused(&[
        "restore",
        &backup,
        &directory.file("z"),
        "--archive",
        &archive,
        "--to",
        "2100-01-01",
    ]);
    assert!(said.contains("recovery ended before configured recovery target"), "{said}");
}

#[test]
fn an_archive_that_does_not_take_anything_is_reported() {
    let directory = Directory::new();
    let archive = directory.file("archive");
    let mut server = Served::start(&directory, &["--archive", &archive]);
    let mut client = server.client();
    client.query("create table t (a int); checkpoint");
    // Somebody else's file stands where ours would go.
    let log = std::fs::read_dir(directory.file("db/wal")).unwrap();
    let mut names: Vec<String> =
        log.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    std::fs::write(Path::new(&archive).join(names.last().unwrap()), "not ours").unwrap();
    client.query("insert into t values (1); checkpoint");
    let failed = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        let sql = "select failed_count > 0, last_failed_wal from pg_stat_archiver";
        client.rows(sql) == [["t".to_owned(), names.last().unwrap().clone()]]
    });
    assert!(failed);
    // The log is kept meanwhile, and archived once that is possible.
    client.query("checkpoint");
    assert!(Path::new(&directory.file("db/wal")).join(names.last().unwrap()).exists());
    std::fs::remove_file(Path::new(&archive).join(names.last().unwrap())).unwrap();
    assert_eq!(server.stop(), Some(0));
    assert!(Path::new(&archive).join(names.last().unwrap()).metadata().unwrap().len() > 64);
}
