//! What system relations show of the running server.

use std::{net::SocketAddr, sync::Arc};

use oxi_base::TableId;
use oxi_catalog::system::{ServerState, SessionInfo, SettingInfo};
use oxi_model::{
    backup::ArchiverInfo,
    engine::{PreparedTransaction, TableStatistics},
    lock::{LockInfo, LockObject},
};

use crate::{
    database::{SessionEntry, Shared},
    settings::{self, SettingKind, Settings},
};

/// The server as one session's statements see it.
pub(crate) struct SessionServer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) settings: Settings,
}

impl ServerState for SessionServer {
    fn statistics(&self, table: TableId) -> TableStatistics {
        self.shared.engine.statistics(table)
    }

    fn sequence_state(&self, sequence: u32) -> Option<(i64, bool)> {
        let txn = self.shared.engine.begin(oxi_model::engine::Isolation::ReadCommitted);
        txn.sequence_state(sequence)
    }

    fn settings(&self) -> Vec<SettingInfo> {
        settings::all()
            .iter()
            .map(|setting| {
                let value = self.settings.lookup(setting.name).unwrap_or_default();
                let source = if value == setting.default { "default" } else { "session" };
                SettingInfo {
                    name: setting.name.to_owned(),
                    value,
                    unit: match setting.kind {
                        SettingKind::Milliseconds => Some("ms".to_owned()),
                        SettingKind::Kilobytes => Some("kB".to_owned()),
                        _ => None,
                    },
                    category: "Settings".to_owned(),
                    description: setting.description.to_owned(),
                    context: if setting.fixed { "internal" } else { "user" }.to_owned(),
                    value_type: value_type(setting.kind).to_owned(),
                    source: source.to_owned(),
                    enum_values: match setting.kind {
                        SettingKind::Word(words) => {
                            Some(words.iter().map(|word| (*word).to_owned()).collect())
                        }
                        _ => None,
                    },
                    boot_value: setting.default.to_owned(),
                    reset_value: setting.default.to_owned(),
                }
            })
            .collect()
    }

    fn prepared_transactions(&self) -> Vec<PreparedTransaction> {
        self.shared.engine.prepared()
    }

    fn sessions(&self) -> Vec<SessionInfo> {
        let waits: Vec<LockInfo> =
            self.shared.engine.locks().into_iter().filter(|lock| !lock.granted).collect();
        let sessions = self.shared.sessions.lock();
        let database = &self.shared.options.name;
        sessions.iter().map(|(id, entry)| session_info(*id, entry, database, &waits)).collect()
    }

    fn locks(&self) -> Vec<LockInfo> {
        self.shared.engine.locks()
    }

    fn archiver(&self) -> ArchiverInfo {
        let nobody =
            || ArchiverInfo { since_us: self.shared.started_us, ..ArchiverInfo::default() };
        self.shared.engine.archiver().unwrap_or_else(nobody)
    }
}

fn session_info(id: u32, entry: &SessionEntry, database: &str, waits: &[LockInfo]) -> SessionInfo {
    let now = entry.activity.now();
    // "local" and "embedded" are no addresses.
    let address = entry.client.parse::<SocketAddr>().ok();
    let waits_for = waits.iter().find(|lock| lock.session == id).map(|lock| lock.object);
    let wait_event = match waits_for {
        Some(LockObject::Table(_)) => Some(("Lock", "relation")),
        Some(LockObject::Transaction(_)) => Some(("Lock", "transactionid")),
        Some(LockObject::Advisory(_)) => Some(("Lock", "advisory")),
        None if entry.activity.is_asleep() => Some(("Timeout", "PgSleep")),
        None if now.runs => None,
        None => Some(("Client", "ClientRead")),
    };
    SessionInfo {
        pid: id.cast_signed(),
        user: entry.user.clone(),
        database: database.to_owned(),
        application_name: now.application_name(),
        client_address: address.map(|address| address.ip().to_string()),
        client_port: address.map(|address| i32::from(address.port())),
        started_us: entry.started_us,
        transaction_started_us: now.transaction_started_us(),
        statement_started_us: now.query_started_us,
        state_changed_us: now.changed_us,
        state: now.state().to_owned(),
        wait_event,
        transaction_id: now.transaction_id(),
        transaction_number: now.transaction_number(),
        query: now.query.as_deref().unwrap_or_default().to_owned(),
    }
}

fn value_type(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::Bool => "bool",
        SettingKind::Integer { .. } | SettingKind::Milliseconds | SettingKind::Kilobytes => {
            "integer"
        }
        SettingKind::Word(_) => "enum",
        _ => "string",
    }
}
