//! Settings of `serve`: the file, then the arguments on top.

use std::collections::BTreeMap;

use oxi_base::{Error, Result, SqlState};
use serde::Deserialize;

use crate::args::ServeArguments;
use crate::files;

/// The settings of a server.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) data: String,
    pub(crate) pg: String,
    pub(crate) max_connections: usize,
    pub(crate) checkpoint_timeout: String,
    pub(crate) max_wal_size: String,
    /// Without one, everything stays in memory.
    pub(crate) memory_limit: Option<String>,
    /// Where the log is archived.
    pub(crate) archive: Option<String>,
    pub(crate) archive_timeout: Option<String>,
    /// How long older versions of rows stay readable; without it as long as before.
    pub(crate) history_retention: Option<String>,
    /// How many checkpoints are kept besides the newest one; without it as many as before.
    pub(crate) retained_checkpoints: Option<u64>,
    pub(crate) tls: Option<Tls>,
    pub(crate) users: BTreeMap<String, String>,
}

/// Certificate and key files.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data: "./oxibase-data".to_owned(),
            pg: "127.0.0.1:5433".to_owned(),
            max_connections: 200,
            checkpoint_timeout: "5min".to_owned(),
            max_wal_size: "1GB".to_owned(),
            memory_limit: None,
            archive: None,
            archive_timeout: None,
            history_retention: None,
            retained_checkpoints: None,
            tls: None,
            users: BTreeMap::new(),
        }
    }
}

impl Config {
    /// The settings that the arguments ask for.
    pub(crate) fn load(arguments: &ServeArguments) -> Result<Self> {
        let mut config = match &arguments.config {
            Some(path) => {
                let text = files::read_text(path)?;
                toml::from_str(&text).map_err(|error| complaint(path, &text, &error))?
            }
            None => Config::default(),
        };
        if let Some(data) = &arguments.data {
            config.data.clone_from(data);
        }
        if let Some(pg) = &arguments.pg {
            config.pg.clone_from(pg);
        }
        if arguments.archive.is_some() {
            config.archive.clone_from(&arguments.archive);
        }
        if arguments.archive_timeout.is_some() {
            config.archive_timeout.clone_from(&arguments.archive_timeout);
        }
        Ok(config)
    }
}

/// What is wrong with a file, and in which line and key.
fn complaint(path: &str, text: &str, error: &toml::de::Error) -> Error {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or(text);
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default().trim();
    let key = line.split('=').next().unwrap_or_default().trim();
    let key = if key.is_empty() { String::new() } else { format!(", \"{key}\"") };
    let message = format!("{path}: line {number}{key}: {}", error.message().replace('\n', " "));
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
        .with_hint("`oxibase serve --help` shows what such a file holds.")
}
