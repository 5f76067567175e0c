//! Sessions that wait for each other: deadlocks, who waits for whom, cancelling and terminating.

use std::{
    thread::{JoinHandle, sleep, spawn},
    time::Duration,
};

use oxibase::{Connection, Database, Error, SqlState};

fn database() -> (Database, Connection) {
    let database = Database::memory().unwrap();
    let mut connection = database.connect().unwrap();
    connection.execute("CREATE TABLE t (id int PRIMARY KEY, v int)", &[]).unwrap();
    connection.execute("INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)", &[]).unwrap();
    (database, connection)
}

fn text(connection: &mut Connection, sql: &str) -> String {
    connection.query_one(sql, &[]).unwrap().get(0).unwrap()
}

fn pid(connection: &mut Connection) -> i32 {
    connection.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0).unwrap()
}

/// A session whose last statement runs on a thread of its own.
struct Waiting(JoinHandle<(Connection, Result<u64, Error>)>);

impl Waiting {
    /// Starts a statement, and returns when it waits for a lock.
    fn start(watcher: &mut Connection, mut connection: Connection, sql: &'static str) -> Self {
        let pid = pid(&mut connection);
        let thread = spawn(move || {
            let outcome = connection.execute(sql, &[]);
            (connection, outcome)
        });
        let waits = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND wait_event_type = 'Lock'"
        );
        while watcher.query_one(&waits, &[]).unwrap().get::<i64>(0).unwrap() == 0 {
            sleep(Duration::from_millis(1));
        }
        Waiting(thread)
    }

    fn end(self) -> (Connection, Result<u64, Error>) {
        self.0.join().unwrap()
    }
}

fn begin(database: &Database, statements: &[&str]) -> Connection {
    let mut connection = database.connect().unwrap();
    connection.execute("BEGIN", &[]).unwrap();
    for statement in statements {
        connection.execute(statement, &[]).unwrap();
    }
    connection
}

#[test]
fn a_deadlock_goes_through_rows_tables_and_advisory_locks() {
    let (database, mut watcher) = database();
    let mut a = begin(&database, &["UPDATE t SET v = 0 WHERE id = 1"]);
    let mut b = begin(&database, &["SELECT pg_advisory_xact_lock(7)"]);
    let mut c = begin(&database, &["LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE"]);
    let (first, second, third) = (pid(&mut a), pid(&mut b), pid(&mut c));
    let oid = text(&mut watcher, "SELECT 't'::regclass::oid::text");
    let xid = text(
        &mut watcher,
        &format!("SELECT backend_xid::text FROM pg_stat_activity WHERE pid = {first}"),
    );
    let a = Waiting::start(&mut watcher, a, "SELECT pg_advisory_lock(7)");
    let b = Waiting::start(&mut watcher, b, "LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE");
    let error = c.execute("UPDATE t SET v = 1 WHERE id = 1", &[]).unwrap_err();
    assert_eq!(error.code(), SqlState::DEADLOCK_DETECTED);
    assert_eq!(error.message(), "deadlock detected");
    assert_eq!(error.hint(), Some("See server log for query details."));
    let detail = [
        format!(
            "Process {third} waits for ShareLock on transaction {xid}; blocked by process {first}."
        ),
        format!(
            "Process {first} waits for ExclusiveLock on advisory lock [5,0,7,1]; blocked by process \
             {second}."
        ),
        format!(
            "Process {second} waits for ShareUpdateExclusiveLock on relation {oid} of database 5; \
             blocked by process {third}."
        ),
    ];
    assert_eq!(error.detail(), Some(detail.join("\n").as_str()));
    // Its transaction is rolled back, so the others go on.
    let (mut b, outcome) = b.end();
    outcome.unwrap();
    b.execute("COMMIT", &[]).unwrap();
    let (_, outcome) = a.end();
    outcome.unwrap();
}

#[test]
fn who_waits_for_whom() {
    let (database, mut watcher) = database();
    let mut a = begin(&database, &["UPDATE t SET v = 0 WHERE id = 1"]);
    let mut b = begin(&database, &[]);
    let mut c = begin(&database, &[]);
    let (first, second, third) = (pid(&mut a), pid(&mut b), pid(&mut c));
    let b = Waiting::start(&mut watcher, b, "UPDATE t SET v = v + 1 WHERE id = 1");
    let c = Waiting::start(&mut watcher, c, "LOCK TABLE t IN SHARE MODE");
    let blockers = |watcher: &mut Connection, pid: i32| {
        text(
            watcher,
            &format!(
                "SELECT string_agg(pid::text, ',' ORDER BY pid) FROM unnest(pg_blocking_pids({pid})) \
                 AS pid"
            ),
        )
    };
    assert_eq!(blockers(&mut watcher, second), first.to_string());
    assert_eq!(blockers(&mut watcher, third), format!("{first},{second}"));
    let waits = "SELECT string_agg(pid || ' ' || locktype || ' ' || mode, ', ' ORDER BY pid) FROM \
                 pg_locks WHERE NOT granted AND waitstart <= now()";
    assert_eq!(
        text(&mut watcher, waits),
        format!("{second} transactionid ShareLock, {third} relation ShareLock")
    );
    let events = "SELECT string_agg(wait_event || ' ' || state || ' ' || query, ', ' ORDER BY pid) \
                  FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    assert_eq!(
        text(&mut watcher, events),
        "transactionid active UPDATE t SET v = v + 1 WHERE id = 1, relation active LOCK TABLE t IN \
         SHARE MODE"
    );
    // One is cancelled, which dooms its block and lets the lock go; the other is ended.
    watcher.execute(&format!("SELECT pg_cancel_backend({second})"), &[]).unwrap();
    let (_, outcome) = b.end();
    assert_eq!(outcome.unwrap_err().message(), "canceling statement due to user request");
    watcher.execute(&format!("SELECT pg_terminate_backend({third})"), &[]).unwrap();
    let (mut c, outcome) = c.end();
    assert_eq!(outcome.unwrap_err().code(), SqlState::ADMIN_SHUTDOWN);
    assert_eq!(c.execute("SELECT 1", &[]).unwrap_err().code(), SqlState::ADMIN_SHUTDOWN);
    a.execute("COMMIT", &[]).unwrap();
    assert_eq!(text(&mut watcher, "SELECT v::text FROM t WHERE id = 1"), "0");
}

#[test]
fn advisory_locks_end_with_their_session() {
    let (database, mut watcher) = database();
    let mut a = database.connect().unwrap();
    a.execute("SELECT pg_advisory_lock(1, 2)", &[]).unwrap();
    let b = database.connect().unwrap();
    let b = Waiting::start(&mut watcher, b, "SELECT pg_advisory_lock_shared(1, 2)");
    drop(a);
    let (b, outcome) = b.end();
    assert_eq!(outcome.unwrap(), 1);
    let held = "SELECT string_agg(mode, ',') FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(text(&mut watcher, held), "ShareLock");
    drop(b);
    let held = "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(text(&mut watcher, held), "0");
}

/// A statement that had to wait for a change of the table sees the table as it is then.
#[test]
fn who_waited_for_a_definition_reads_by_it() {
    let (database, mut watcher) = database();
    let mut a = begin(
        &database,
        &["ALTER TABLE t DROP COLUMN v", "ALTER TABLE t ADD w text DEFAULT 'new'"],
    );
    let b = database.connect().unwrap();
    let b = Waiting::start(&mut watcher, b, "INSERT INTO t SELECT max(id) + 1 FROM t");
    let c = database.connect().unwrap();
    let c = Waiting::start(&mut watcher, c, "SELECT v FROM t");
    a.execute("COMMIT", &[]).unwrap();
    b.end().1.unwrap();
    assert_eq!(c.end().1.unwrap_err().code(), SqlState::UNDEFINED_COLUMN);
    assert_eq!(
        text(&mut watcher, "SELECT string_agg(id || w, ',' ORDER BY id) FROM t"),
        "1new,2new,3new,4new"
    );
}

/// Sixteen consumers of one queue take each row once, and do not wait for each other.
#[test]
fn a_queue_with_skip_locked() {
    let (database, mut watcher) = database();
    watcher.execute("CREATE TABLE job (id int PRIMARY KEY, done int DEFAULT 0)", &[]).unwrap();
    watcher.execute("INSERT INTO job SELECT i FROM generate_series(1, 400) i", &[]).unwrap();
    let consumers: Vec<_> = (0..4)
        .map(|_| {
            let mut connection = database.connect().unwrap();
            spawn(move || {
                let mut taken = 0;
                loop {
                    connection.execute("BEGIN", &[]).unwrap();
                    let next = "SELECT id FROM job WHERE done = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP \
                                LOCKED";
                    let rows = connection.query(next, &[]).unwrap();
                    let Some(row) = rows.into_iter().next() else {
                        connection.execute("COMMIT", &[]).unwrap();
                        return taken;
                    };
                    let id: i32 = row.get(0).unwrap();
                    connection.execute("UPDATE job SET done = done + 1 WHERE id = $1", &[&id]).unwrap();
                    connection.execute("COMMIT", &[]).unwrap();
                    taken += 1;
                }
            })
        })
        .collect();
    let taken: i32 = consumers.into_iter().map(|consumer| consumer.join().unwrap()).sum();
    assert_eq!(taken, 400);
    assert_eq!(text(&mut watcher, "SELECT count(*)::text FROM job WHERE done <> 1"), "0");
}
