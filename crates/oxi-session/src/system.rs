//! What system relations show of the running server.

use std::sync::Arc;

use oxi_base::TableId;
use oxi_catalog::system::{ServerState, SessionInfo, SettingInfo};
use oxi_model::engine::{PreparedTransaction, TableStatistics};

use crate::{
    database::Shared,
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
        let sessions = self.shared.sessions.lock();
        sessions
            .iter()
            .map(|(id, entry)| SessionInfo {
                pid: *id as i32,
                user: entry.user.clone(),
                database: self.shared.options.name.clone(),
                client_address: Some(entry.client.clone()).filter(|client| client != "embedded"),
                started_us: entry.started_us,
                ..SessionInfo::default()
            })
            .collect()
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
