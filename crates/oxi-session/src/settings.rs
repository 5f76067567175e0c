//! Run-time settings: their table, the session's values, `SET LOCAL` and what a rollback restores.

mod shared;
mod table;
mod value;

use std::{collections::BTreeMap, sync::Arc};

use oxi_base::{Error, Result, SqlState};

pub(crate) use shared::{SettingsPair, SharedSettings};
pub use table::{Setting, SettingKind, all, find};

/// Where a value of a setting was set, as `SET` and `SET LOCAL` distinguish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Until the session ends; undone if the transaction rolls back.
    Session,
    /// Until the transaction ends.
    Transaction,
}

/// The session's values of settings. Cheap to clone (shared until changed).
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: Arc<BTreeMap<String, String>>,
    /// What the server was started with, for settings that cannot be changed.
    server: Arc<BTreeMap<&'static str, String>>,
}

impl Settings {
    /// The defaults, with what the server was started with.
    pub(crate) fn of_server(server: &Arc<BTreeMap<&'static str, String>>) -> Self {
        Settings { values: Arc::default(), server: Arc::clone(server) }
    }

    /// The value in force.
    ///
    /// # Errors
    /// `42704` for a name that is neither a setting nor a custom `prefix.name` that was set.
    pub fn get(&self, name: &str) -> Result<String> {
        self.lookup(name).ok_or_else(|| unrecognized(name))
    }

    /// The value in force, if the name is known.
    pub fn lookup(&self, name: &str) -> Option<String> {
        let key = name.to_ascii_lowercase();
        if let Some(value) = self.values.get(&key) {
            return Some(value.clone());
        }
        if let Some(value) = self.server.get(key.as_str()) {
            return Some(value.clone());
        }
        find(&key).map(|setting| setting.default.to_owned())
    }

    /// Sets a value after checking and normalising it; `None` restores the default. Returns the
    /// canonical name and value if the client must be told (`ParameterStatus`).
    ///
    /// # Errors
    /// `42704` unknown name, `22023` invalid value, `55P02` fixed setting.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<Option<(String, String)>> {
        let key = name.to_ascii_lowercase();
        let Some(setting) = find(&key) else {
            return self.set_custom(key, value);
        };
        if setting.fixed {
            return Err(Error::new(
                SqlState::CANT_CHANGE_RUNTIME_PARAM,
                format!("parameter \"{}\" cannot be changed", setting.name),
            ));
        }
        let normal = match value {
            Some(value) => value::normalise(setting, value, self)?,
            None => setting.default.to_owned(),
        };
        let values = Arc::make_mut(&mut self.values);
        if normal == setting.default {
            values.remove(&key);
        } else {
            values.insert(key, normal.clone());
        }
        Ok(setting.reported.then(|| (setting.name.to_owned(), normal)))
    }

    fn set_custom(&mut self, key: String, value: Option<&str>) -> Result<Option<(String, String)>> {
        if !key.contains('.') {
            return Err(unrecognized(&key));
        }
        let values = Arc::make_mut(&mut self.values);
        match value {
            Some(value) => values.insert(key, value.to_owned()),
            None => values.remove(&key),
        };
        Ok(None)
    }

    /// All settings to their defaults (`RESET ALL`); returns what the client must be told.
    pub fn reset_all(&mut self) -> Vec<(String, String)> {
        let changed = self
            .values
            .keys()
            .filter_map(|key| find(key))
            .filter(|setting| setting.reported)
            .map(|setting| (setting.name.to_owned(), setting.default.to_owned()))
            .collect();
        self.values = Arc::default();
        changed
    }

    /// What a client is told of these values at the start (`ParameterStatus`).
    pub fn reported(&self) -> Vec<(String, String)> {
        all()
            .iter()
            .filter(|setting| setting.reported)
            .map(|s| (s.name.to_owned(), self.lookup(s.name).unwrap_or_default()))
            .collect()
    }

    /// Whether these are the very same values (a cheap test; false says nothing).
    pub(crate) fn is_same(&self, other: &Settings) -> bool {
        Arc::ptr_eq(&self.values, &other.values)
    }

    /// What differs between two sets of values among those the client is told.
    pub fn reported_changes(&self, new: &Settings) -> Vec<(String, String)> {
        if Arc::ptr_eq(&self.values, &new.values) {
            return Vec::new();
        }
        let old = self.reported();
        new.reported().into_iter().filter(|pair| !old.contains(pair)).collect()
    }

    /// The schemas of `search_path`, `"$user"` replaced.
    pub fn search_path(&self, user: &str) -> Vec<String> {
        let text = self.lookup("search_path").unwrap_or_default();
        value::split_list(&text)
            .into_iter()
            .map(|name| if name == "$user" { user.to_owned() } else { name })
            .collect()
    }

    /// Whether a boolean setting is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.lookup(name).is_some_and(|value| value == "on")
    }

    /// An integer setting in its base unit.
    pub fn integer(&self, name: &str) -> i64 {
        self.lookup(name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }
}

fn unrecognized(name: &str) -> Error {
    Error::new(
        SqlState::UNDEFINED_OBJECT,
        format!("unrecognized configuration parameter \"{name}\""),
    )
}

#[cfg(test)]
mod tests;
