//! The settings there are: one line each.

/// What values a setting takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SettingKind {
    /// on or off
    Bool,
    /// A whole number in a range.
    Integer {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A number of milliseconds, written with or without a unit.
    Milliseconds,
    /// A number of kilobytes, written with or without a unit.
    Kilobytes,
    /// One of some words.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
    /// A time zone's name or offset.
    TimeZone,
    /// DateStyle's two words.
    DateStyle,
    /// A comma-separated list of identifiers.
    Identifiers,
    /// The client's encoding: UTF8 only.
    Encoding,
}

/// One setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Its name in canonical spelling.
    pub name: &'static str,
    /// The value when nobody set it.
    pub default: &'static str,
    /// What values it takes.
    pub kind: SettingKind,
    /// Told to the client whenever it changes.
    pub reported: bool,
    /// Cannot be changed by SET.
    pub fixed: bool,
    /// One line for `pg_settings` and the book.
    pub description: &'static str,
}

const ANY: SettingKind = SettingKind::Integer { min: i64::MIN, max: i64::MAX };
const fn int(min: i64, max: i64) -> SettingKind {
    SettingKind::Integer { min, max }
}

const ISOLATION: SettingKind =
    SettingKind::Word(&["read uncommitted", "read committed", "repeatable read", "serializable"]);
const MESSAGES: SettingKind = SettingKind::Word(&[
    "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error",
]);

/// (name, default, kind, reported, fixed, description)
macro_rules! settings {
    ($(($name:literal, $default:literal, $kind:expr, $reported:literal, $fixed:literal, $description:literal)),* $(,)?) => {
        const SETTINGS: &[Setting] = &[$(Setting {
            name: $name,
            default: $default,
            kind: $kind,
            reported: $reported,
            fixed: $fixed,
            description: $description,
        }),*];
    };
}

use SettingKind::{
    Bool, DateStyle, Encoding, Identifiers, Kilobytes, Milliseconds, Text, TimeZone,
};

settings! {
    ("application_name", "", Text, true, false, "The application's name, as monitoring shows it."),
    ("archive", "", Text, false, true, "Where complete files of the log are copied to; empty is nowhere."),
    ("archive_mode", "off", Bool, false, true, "Whether the log is archived."),
    ("archive_timeout", "0", Text, false, true, "The most time until what was written is archived; 0 waits until a file of the log is full."),
    ("backslash_quote", "safe_encoding", Text, false, false, "Accepted for compatibility."),
    ("bytea_output", "hex", SettingKind::Word(&["hex", "escape"]), false, false, "How bytea is written as text."),
    ("check_function_bodies", "on", Bool, false, false, "Accepted for compatibility."),
    ("checkpoint_timeout", "5min", Text, false, true, "The most time between automatic checkpoints while something is written."),
    ("client_encoding", "UTF8", Encoding, true, false, "The client's character encoding."),
    ("client_min_messages", "notice", MESSAGES, false, false, "The least severity of messages sent to the client."),
    ("DateStyle", "ISO, MDY", DateStyle, true, false, "How dates are written and ambiguous ones read."),
    ("default_tablespace", "", Text, false, false, "Accepted for compatibility."),
    ("default_table_access_method", "heap", Text, false, false, "Accepted for compatibility."),
    ("default_transaction_deferrable", "off", Bool, false, false, "Whether transactions are deferrable unless they say otherwise."),
    ("default_transaction_isolation", "read committed", ISOLATION, false, false, "The isolation of transactions that do not name one."),
    ("default_transaction_read_only", "off", Bool, true, false, "Whether transactions are read-only unless they say otherwise."),
    ("extra_float_digits", "1", int(-15, 3), false, false, "Digits of floats written as text; above 0 is shortest exact."),
    ("history_retention", "0", Text, false, true, "How long older versions of rows stay readable (AS OF) where a table says nothing else; 0 keeps none."),
    ("idle_in_transaction_session_timeout", "0", Milliseconds, false, false, "Ends sessions that idle in a transaction for longer; 0 is never."),
    ("in_hot_standby", "off", Bool, true, true, "Whether the server is a replica."),
    ("integer_datetimes", "on", Bool, true, true, "Timestamps are 64-bit integers."),
    ("IntervalStyle", "postgres", SettingKind::Word(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]), true, false, "How intervals are written."),
    ("is_superuser", "on", Bool, true, true, "Whether the user is a superuser."),
    ("lc_collate", "C", Text, false, true, "Text is compared by its bytes."),
    ("lc_ctype", "C.UTF-8", Text, false, true, "Case of letters follows Unicode."),
    ("lc_messages", "C", Text, false, false, "The language of messages."),
    ("lc_monetary", "C", Text, false, false, "Accepted for compatibility."),
    ("lc_numeric", "C", Text, false, false, "Accepted for compatibility."),
    ("lc_time", "C", Text, false, false, "Accepted for compatibility."),
    ("lock_timeout", "0", Milliseconds, false, false, "Ends statements that wait longer for a lock; 0 is never."),
    ("max_connections", "1000", ANY, false, true, "The most connections at once."),
    ("max_prepared_transactions", "64", ANY, false, true, "The most transactions prepared for two-phase commit at once."),
    ("max_identifier_length", "63", ANY, false, true, "The longest identifier in bytes."),
    ("max_index_keys", "32", ANY, false, true, "The most columns of an index key."),
    ("max_wal_size", "1GB", Text, false, true, "The log since the last checkpoint that starts the next one."),
    ("memory_limit", "0", Text, false, true, "Rows, indexes and older versions kept in memory; what was not used lately goes to disk. 0 keeps everything."),
    ("oxi.fast_path", "on", Bool, false, false, "Whether statements by key run straight on the store."),
    ("retained_checkpoints", "0", Text, false, true, "How many checkpoints are kept besides the newest one."),
    ("row_security", "on", Bool, false, false, "Accepted for compatibility."),
    ("search_path", "\"$user\", public", Identifiers, true, false, "The schemas in which unqualified names are looked up."),
    ("server_encoding", "UTF8", Text, true, true, "The server's character encoding."),
    ("server_version", "15.0", Text, true, true, "The PostgreSQL version whose behaviour is followed."),
    ("server_version_num", "150000", ANY, false, true, "The same as a number."),
    ("session_authorization", "oxibase", Text, true, true, "The session's user."),
    ("standard_conforming_strings", "on", Bool, true, false, "Backslashes in plain strings are ordinary characters."),
    ("statement_timeout", "0", Milliseconds, false, false, "Ends statements that run longer; 0 is never."),
    ("synchronous_commit", "on", SettingKind::Word(&["on", "off", "local", "remote_write", "remote_apply"]), false, false, "Whether a commit waits until it is durable."),
    ("TimeZone", "UTC", TimeZone, true, false, "The time zone in which timestamps are shown and read."),
    ("transaction_isolation", "read committed", ISOLATION, false, false, "The isolation of the running transaction."),
    ("transaction_read_only", "off", Bool, false, false, "Whether the running transaction is read-only."),
    ("transaction_deferrable", "off", Bool, false, false, "Whether the running transaction may wait for a snapshot that no other one disturbs; all snapshots are such."),
    ("work_mem", "65536", Kilobytes, false, false, "Memory a query may use for sorting and hashing before it spills."),
    ("xmloption", "content", Text, false, false, "Accepted for compatibility."),
}

/// All settings in the order of their names.
pub fn all() -> &'static [Setting] {
    SETTINGS
}

/// A setting by name, whatever its case.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
}
