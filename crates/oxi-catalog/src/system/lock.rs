//! Who does what, who holds what, who waits for whom: `pg_stat_activity` and `pg_locks`.

use std::collections::BTreeMap;

use oxi_model::{
    Datum, Row,
    engine::PreparedTransaction,
    lock::{LockInfo, LockObject},
};

use super::{SessionInfo, SystemContext, cluster::DATABASE, value::*};

/// How much of a statement is shown, as `track_activity_query_size` has it.
const QUERY_BYTES: usize = 1024;

pub(super) fn pg_stat_activity(context: &SystemContext) -> Vec<Row> {
    let time = |micros: Option<i64>| micros.map_or(NULL, Datum::Int64);
    let row = |session: SessionInfo| {
        vec![
            oid(DATABASE),
            text(&session.database),
            int4(session.pid),
            NULL,
            oid(OWNER),
            text(&session.user),
            text(&session.application_name),
            optional(session.client_address.as_deref()),
            NULL,
            session.client_port.map_or(NULL, int4),
            Datum::Int64(session.started_us),
            time(session.transaction_started_us),
            time(session.statement_started_us),
            time(session.state_changed_us),
            optional(session.wait_event.map(|(kind, _)| kind)),
            optional(session.wait_event.map(|(_, event)| event)),
            text(&session.state),
            session.transaction_id.map_or(NULL, |id| oid(id as u32)),
            NULL,
            NULL,
            text(shown(&session.query)),
            text("client backend"),
        ]
    };
    context.server.sessions().into_iter().map(row).collect()
}

fn shown(query: &str) -> &str {
    &query[..query.floor_char_boundary(QUERY_BYTES - 1)]
}

/// What a row of `pg_locks` is about; the other columns of the kind are NULL.
#[derive(Default)]
struct Subject {
    kind: &'static str,
    relation: Option<u32>,
    virtual_id: Option<String>,
    transaction: Option<u64>,
    /// `classid`, `objid`, `objsubid`.
    key: Option<(u32, u32, i16)>,
}

/// The columns that all kinds have.
struct Holder<'a> {
    virtual_transaction: &'a str,
    /// `None` for a prepared transaction.
    pid: Option<i32>,
    mode: &'static str,
    granted: bool,
    fast_path: bool,
    waits_since_us: Option<i64>,
}

pub(super) fn pg_locks(context: &SystemContext) -> Vec<Row> {
    let sessions = context.server.sessions();
    let virtual_ids: BTreeMap<i32, String> = sessions
        .iter()
        .map(|session| (session.pid, format!("{}/{}", session.pid, number(session))))
        .collect();
    let mut rows = Vec::new();
    for session in &sessions {
        rows.extend(of_transaction(session, &virtual_ids[&session.pid]));
    }
    rows.extend(context.server.prepared_transactions().iter().map(of_prepared));
    let relations: BTreeMap<u32, u32> = context
        .catalog
        .relations()
        .filter_map(|relation| Some((relation.as_table()?.storage().0, relation.oid)))
        .collect();
    let mut seen = Vec::new();
    for lock in context.server.locks() {
        // A session and its transaction may both hold an advisory lock; it is one lock.
        if seen.contains(&lock) {
            continue;
        }
        seen.push(lock);
        let pid = lock.session.cast_signed();
        let lone = format!("-1/{}", lock.transaction.map_or(0, |id| id.0));
        let virtual_transaction = virtual_ids.get(&pid).unwrap_or(&lone);
        let holder = Holder {
            virtual_transaction,
            pid: (pid != 0).then_some(pid),
            mode: lock.lock.name(),
            granted: lock.granted,
            fast_path: lock.fast_path,
            waits_since_us: lock.waits_since_us,
        };
        rows.push(row(subject(&lock, &relations), &holder));
    }
    rows
}

fn number(session: &SessionInfo) -> u64 {
    session.transaction_number.unwrap_or_default()
}

/// The locks that a transaction holds on itself, for others to wait for.
fn of_transaction(session: &SessionInfo, virtual_transaction: &str) -> Vec<Row> {
    if session.transaction_number.is_none() {
        return Vec::new();
    }
    let holder = |fast_path| Holder {
        virtual_transaction,
        pid: Some(session.pid),
        mode: "ExclusiveLock",
        granted: true,
        fast_path,
        waits_since_us: None,
    };
    let virtual_id = Some(virtual_transaction.to_owned());
    let itself = Subject { kind: "virtualxid", virtual_id, ..Subject::default() };
    let mut rows = vec![row(itself, &holder(true))];
    if let Some(id) = session.transaction_id {
        let numbered =
            Subject { kind: "transactionid", transaction: Some(id), ..Subject::default() };
        rows.push(row(numbered, &holder(false)));
    }
    rows
}

/// The lock that a prepared transaction holds on itself.
fn of_prepared(prepared: &PreparedTransaction) -> Row {
    let id = prepared.txn.0;
    let itself = Subject { kind: "transactionid", transaction: Some(id), ..Subject::default() };
    let holder = Holder {
        virtual_transaction: &format!("-1/{id}"),
        pid: None,
        mode: "ExclusiveLock",
        granted: true,
        fast_path: false,
        waits_since_us: None,
    };
    row(itself, &holder)
}

fn subject(lock: &LockInfo, relations: &BTreeMap<u32, u32>) -> Subject {
    match lock.object {
        LockObject::Table(table) => Subject {
            kind: "relation",
            relation: Some(relations.get(&table.0).copied().unwrap_or(table.0)),
            ..Subject::default()
        },
        LockObject::Transaction(id) => {
            Subject { kind: "transactionid", transaction: Some(id.0), ..Subject::default() }
        }
        LockObject::Advisory(key) => {
            Subject { kind: "advisory", key: Some(key.parts()), ..Subject::default() }
        }
    }
}

fn row(subject: Subject, holder: &Holder<'_>) -> Row {
    let in_database = subject.relation.is_some() || subject.key.is_some();
    let (class, object, sub) = match subject.key {
        Some((class, object, sub)) => (oid(class), oid(object), int2(sub)),
        None => (NULL, NULL, NULL),
    };
    vec![
        text(subject.kind),
        if in_database { oid(DATABASE) } else { NULL },
        subject.relation.map_or(NULL, oid),
        NULL,
        NULL,
        optional(subject.virtual_id.as_deref()),
        subject.transaction.map_or(NULL, |id| oid(id as u32)),
        class,
        object,
        sub,
        text(holder.virtual_transaction),
        holder.pid.map_or(NULL, int4),
        text(holder.mode),
        bool(holder.granted),
        bool(holder.fast_path),
        holder.waits_since_us.map_or(NULL, Datum::Int64),
    ]
}
