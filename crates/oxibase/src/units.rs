//! Amounts with units, as PostgreSQL writes settings: read from configuration, shown by `SHOW`.

use std::collections::BTreeMap;

use oxi_base::{Error, Result, SqlState};

use crate::database::Options;

/// Units of memory, largest first, in bytes.
const BYTES: [(&str, u64); 5] =
    [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)];
/// Units of time, largest first, in microseconds.
const MICROSECONDS: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("min", 60_000_000),
    ("ms", 1_000),
    ("us", 1),
    ("s", 1_000_000),
];

/// The bytes that a text like `256MB` means.
///
/// # Errors
/// `22023` if it is not a number with a unit of memory.
pub fn bytes(name: &str, text: &str) -> Result<u64> {
    parse(text, &BYTES)
        .ok_or_else(|| invalid(name, text, "\"B\", \"kB\", \"MB\", \"GB\", and \"TB\""))
}

/// The microseconds that a text like `5min` means.
///
/// # Errors
/// `22023` if it is not a number with a unit of time.
pub fn microseconds(name: &str, text: &str) -> Result<u64> {
    parse(text, &MICROSECONDS).ok_or_else(|| {
        let units = "\"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\"";
        invalid(name, text, units)
    })
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let (number, size) =
        units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)))?;
    number.trim().parse::<u64>().ok()?.checked_mul(size)
}

fn invalid(name: &str, text: &str, units: &str) -> Error {
    let message = format!("invalid value for parameter \"{name}\": \"{text}\"");
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
        .with_hint(format!("Valid units for this parameter are {units}."))
}

/// An amount in the largest unit that it is a multiple of.
fn show(amount: u64, units: &[(&str, u64)]) -> String {
    let mut units = units.to_vec();
    units.sort_unstable_by_key(|(_, size)| std::cmp::Reverse(*size));
    let fitting = units.iter().find(|(_, size)| amount > 0 && amount.is_multiple_of(*size));
    fitting.map_or_else(|| "0".to_owned(), |(unit, size)| format!("{}{unit}", amount / size))
}

/// What settings show that a database is opened with.
pub(crate) fn shown(options: &Options) -> BTreeMap<&'static str, String> {
    let archive_mode = if options.archive.is_some() { "on" } else { "off" };
    BTreeMap::from([
        ("archive", options.archive.clone().unwrap_or_default()),
        ("archive_mode", archive_mode.to_owned()),
        ("archive_timeout", show(options.archive_timeout_us, &MICROSECONDS)),
        ("checkpoint_timeout", show(options.checkpoint_timeout_us, &MICROSECONDS)),
        ("history_retention", show(options.history_retention_us.unwrap_or(0), &MICROSECONDS)),
        ("max_connections", options.connections_max.to_string()),
        ("max_wal_size", show(options.max_wal_bytes, &BYTES)),
        ("retained_checkpoints", options.retained_checkpoints.unwrap_or(0).to_string()),
        ("memory_limit", show(options.memory_limit.unwrap_or(0), &BYTES)),
    ])
}

#[cfg(test)]
mod tests;
