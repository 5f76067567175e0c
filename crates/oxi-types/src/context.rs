//! What evaluation may know of the outside: time, zone, settings, session and catalog.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{
    Datum,
    descriptor::TypeRef,
    lock::{AdvisoryKey, TableLock},
};

pub use crate::datetime::zone::TimeZone;
use crate::regexp::RegexCache;

/// Order of the fields of ambiguous dates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DateOrder {
    /// Month, day, year.
    #[default]
    Mdy,
    /// Day, month, year.
    Dmy,
    /// Year, month, day.
    Ymd,
}

/// Output format of dates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DateFormat {
    /// `1997-12-17 07:37:16-08`
    #[default]
    Iso,
    /// `12/17/1997 07:37:16.00 PST`
    Sql,
    /// `Wed Dec 17 07:37:16 1997 PST`
    Postgres,
    /// `17.12.1997 07:37:16.00 PST`
    German,
}

/// The setting `DateStyle`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DateStyle {
    /// Output format.
    pub format: DateFormat,
    /// Field order of input and of some outputs.
    pub order: DateOrder,
}

impl DateStyle {
    /// Reads the setting's text, as `ISO, MDY`; parts not named keep the values of `self`.
    pub fn parse(self, text: &str) -> Option<Self> {
        let mut style = self;
        for word in text.split(',') {
            match word.trim().to_ascii_lowercase().as_str() {
                "iso" => style.format = DateFormat::Iso,
                "sql" => style.format = DateFormat::Sql,
                "german" => {
                    style.format = DateFormat::German;
                    style.order = DateOrder::Dmy;
                }
                word if word.starts_with("postgres") => style.format = DateFormat::Postgres,
                "ymd" => style.order = DateOrder::Ymd,
                word if word.starts_with("euro") || word == "dmy" => style.order = DateOrder::Dmy,
                word if word.starts_with("us") || word.starts_with("noneuro") || word == "mdy" => {
                    style.order = DateOrder::Mdy;
                }
                "default" => style = DateStyle::default(),
                _ => return None,
            }
        }
        Some(style)
    }

    /// The setting's canonical text.
    pub fn display(self) -> String {
        let format = match self.format {
            DateFormat::Iso => "ISO",
            DateFormat::Sql => "SQL",
            DateFormat::Postgres => "Postgres",
            DateFormat::German => "German",
        };
        let order = match self.order {
            DateOrder::Mdy => "MDY",
            DateOrder::Dmy => "DMY",
            DateOrder::Ymd => "YMD",
        };
        format!("{format}, {order}")
    }
}

/// The setting `IntervalStyle`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum IntervalStyle {
    /// `1 day 02:03:04`
    #[default]
    Postgres,
    /// `@ 1 day 2 hours 3 mins 4 secs`
    PostgresVerbose,
    /// `1 2:03:04`
    SqlStandard,
    /// `P1DT2H3M4S`
    Iso8601,
}

impl IntervalStyle {
    /// Reads the setting's text.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "postgres" => Self::Postgres,
            "postgres_verbose" => Self::PostgresVerbose,
            "sql_standard" => Self::SqlStandard,
            "iso_8601" => Self::Iso8601,
            _ => return None,
        })
    }
}

/// The setting `bytea_output`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ByteaOutput {
    /// `\x0123`
    #[default]
    Hex,
    /// Octal escapes.
    Escape,
}

/// The kinds of catalog objects that have `reg*` types or are asked for by oid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjectClass {
    /// `pg_class`
    Relation,
    /// `pg_type`
    Type,
    /// `pg_proc`
    Function,
    /// `pg_operator`
    Operator,
    /// `pg_namespace`
    Schema,
    /// `pg_authid`
    Role,
    /// `pg_collation`
    Collation,
    /// `pg_database`
    Database,
    /// `pg_constraint`
    Constraint,
    /// `pg_tablespace`
    Tablespace,
    /// `pg_language`
    Language,
}

/// The name of a catalog object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectName {
    /// Its schema, if it lives in one.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether the name alone finds it on the search path.
    pub visible: bool,
}

/// An advisory lock, as the functions for it name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdvisoryLock {
    /// What it is on.
    pub key: AdvisoryKey,
    /// `Exclusive` or `Share`.
    pub lock: TableLock,
    /// How long it is held.
    pub scope: AdvisoryScope,
}

/// How long an advisory lock is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdvisoryScope {
    /// Until it is given back, or the session ends.
    Session,
    /// Until the transaction ends.
    Transaction,
}

fn no_session(what: &str) -> Error {
    Error::unsupported(format!("{what} is not available here"))
}

/// What functions ask of the session and the catalog. Every method has an answer for where there
/// is no session, so implementations give only what they have.
#[allow(unused_variables, reason = "defaults ignore what they are asked")]
pub trait SessionFunctions: Send + Sync {
    /// `nextval`.
    fn nextval(&self, sequence: u32) -> Result<i64> {
        Err(no_session("nextval"))
    }
    /// `currval`.
    fn currval(&self, sequence: u32) -> Result<i64> {
        Err(no_session("currval"))
    }
    /// `lastval`.
    fn lastval(&self) -> Result<i64> {
        Err(no_session("lastval"))
    }
    /// `setval`.
    fn setval(&self, sequence: u32, value: i64, is_called: bool) -> Result<i64> {
        Err(no_session("setval"))
    }
    /// The value of a setting as `SHOW` gives it; `None` if there is no such setting.
    fn current_setting(&self, name: &str) -> Result<Option<String>> {
        Ok(None)
    }
    /// `set_config`: the value now in force.
    fn set_config(&self, name: &str, value: &str, local: bool) -> Result<String> {
        Err(no_session("set_config"))
    }
    /// Random bytes fit for keys (`gen_random_uuid`).
    fn random_bytes(&self, bytes: &mut [u8]) -> Result<()> {
        Err(no_session("randomness"))
    }
    /// `random()`: in `[0, 1)`.
    fn random(&self) -> Result<f64> {
        let mut bytes = [0u8; 8];
        self.random_bytes(&mut bytes)?;
        Ok((u64::from_le_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64)
    }
    /// `setseed`.
    fn set_seed(&self, seed: f64) -> Result<()> {
        Err(no_session("setseed"))
    }
    /// `txid_current`: assigns an id if there is none yet.
    fn transaction_id(&self) -> Result<u64> {
        Err(no_session("txid_current"))
    }
    /// `txid_current_if_assigned`.
    fn transaction_id_if_assigned(&self) -> Result<Option<u64>> {
        Ok(None)
    }
    /// `pg_backend_pid`.
    fn backend_pid(&self) -> i32 {
        0
    }
    /// The user that logged in (`session_user`).
    fn session_user(&self) -> Option<String> {
        None
    }
    /// `pg_sleep`: waits, and returns early with `57014` when cancelled.
    fn sleep(&self, micros: i64) -> Result<()> {
        Err(no_session("pg_sleep"))
    }
    /// `pg_advisory_lock` and its like: waits.
    fn advisory_lock(&self, lock: AdvisoryLock) -> Result<()> {
        Err(no_session("pg_advisory_lock"))
    }
    /// `pg_try_advisory_lock` and its like: false instead of waiting.
    fn try_advisory_lock(&self, lock: AdvisoryLock) -> Result<bool> {
        Err(no_session("pg_try_advisory_lock"))
    }
    /// `pg_advisory_unlock` and its like: false if the session does not hold it.
    fn advisory_unlock(&self, lock: AdvisoryLock) -> Result<bool> {
        Err(no_session("pg_advisory_unlock"))
    }
    /// `pg_advisory_unlock_all`.
    fn advisory_unlock_all(&self) -> Result<()> {
        Ok(())
    }
    /// `pg_blocking_pids`.
    fn blocking_pids(&self, pid: i32) -> Result<Vec<i32>> {
        Ok(Vec::new())
    }
    /// `pg_cancel_backend` / `pg_terminate_backend`.
    fn signal_backend(&self, pid: i32, terminate: bool) -> Result<bool> {
        Ok(false)
    }
    /// `oxi_backup_start`: what is to be copied, as text.
    fn backup_start(&self) -> Result<String> {
        Err(no_session("oxi_backup_start"))
    }
    /// `oxi_backup_read`: a part of a file.
    fn backup_read(&self, path: &str, offset: i64, length: i32) -> Result<Vec<u8>> {
        Err(no_session("oxi_backup_read"))
    }
    /// `oxi_backup_finish`: the log up to now, as text.
    fn backup_finish(&self) -> Result<String> {
        Err(no_session("oxi_backup_finish"))
    }
    /// `oxi_backup_stop`: false if there was none.
    fn backup_stop(&self) -> Result<bool> {
        Ok(false)
    }
    /// The oid of a named object (dotted parts, unquoted), `None` if there is none.
    fn lookup(&self, class: ObjectClass, name: &[String]) -> Result<Option<u32>> {
        Ok(None)
    }
    /// The name of an object.
    fn name_of(&self, class: ObjectClass, oid: u32) -> Result<Option<ObjectName>> {
        Ok(None)
    }
    /// Argument types of a function, for `regprocedure`.
    fn function_arguments(&self, oid: u32) -> Result<Option<Vec<u32>>> {
        Ok(None)
    }
    /// The oid of the type of a dotted name, including user-defined types.
    fn lookup_type(&self, name: &str) -> Result<Option<TypeRef>> {
        Ok(crate::pg_type::by_name(name).map(|row| TypeRef::plain(row.oid)))
    }
    /// `format_type` for types that are not built in.
    fn format_type(&self, reference: TypeRef) -> Result<Option<String>> {
        Ok(None)
    }
    /// Text input of a type that is not built in (enums, domains).
    fn type_in(&self, reference: TypeRef, text: &str) -> Result<Datum> {
        Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("type with OID {} does not exist", reference.oid),
        ))
    }
    /// Text output of a type that is not built in.
    fn type_out(&self, reference: TypeRef, value: &Datum, out: &mut String) -> Result<()> {
        Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("type with OID {} does not exist", reference.oid),
        ))
    }
    /// `obj_description` (sub-object 0), `col_description`; `catalog` is the catalog's name.
    fn description(&self, oid: u32, catalog: Option<&str>, sub: i32) -> Result<Option<String>> {
        Ok(None)
    }
    /// `pg_get_expr`.
    fn get_expr(&self, expression: &str, relation: u32) -> Result<Option<String>> {
        Ok(Some(expression.to_owned()))
    }
    /// `pg_get_constraintdef`.
    fn get_constraintdef(&self, oid: u32, pretty: bool) -> Result<Option<String>> {
        Ok(None)
    }
    /// `pg_get_indexdef`; column 0 asks for the whole statement.
    fn get_indexdef(&self, oid: u32, column: i32, pretty: bool) -> Result<Option<String>> {
        Ok(None)
    }
    /// `pg_get_viewdef`.
    fn get_viewdef(&self, oid: u32, pretty: bool) -> Result<Option<String>> {
        Ok(None)
    }
    /// `pg_get_functiondef`, `pg_get_triggerdef`, `pg_get_ruledef` and others, by function name.
    fn get_definition(&self, function: &str, oid: u32) -> Result<Option<String>> {
        Ok(None)
    }
    /// `pg_get_serial_sequence`: the sequence's qualified name.
    fn get_serial_sequence(&self, table: u32, column: &str) -> Result<Option<String>> {
        Ok(None)
    }
    /// `has_table_privilege` and the like; `column` for column privileges. `None` if there is no
    /// such object.
    fn has_privilege(
        &self,
        user: Option<&str>,
        class: ObjectClass,
        object: u32,
        column: Option<&str>,
        privilege: &str,
    ) -> Result<Option<bool>> {
        Ok(Some(true))
    }
    /// `pg_has_role`.
    fn has_role(&self, user: Option<&str>, role: u32, privilege: &str) -> Result<bool> {
        Ok(true)
    }
    /// `pg_relation_size` (`main`), `pg_indexes_size` (`indexes`), `pg_total_relation_size`
    /// (`total`), `pg_table_size` (`table`).
    fn relation_size(&self, relation: u32, part: &str) -> Result<Option<i64>> {
        Ok(Some(0))
    }
    /// `pg_database_size`; `None` asks for the current database.
    fn database_size(&self, database: u32) -> Result<i64> {
        Ok(0)
    }
    /// When the server and its configuration started, in Unix microseconds.
    fn start_time(&self) -> Option<i64> {
        None
    }
}

/// A [`SessionFunctions`] for where there is no session.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSession;

impl SessionFunctions for NoSession {}

/// Everything an expression may depend on besides its arguments.
#[derive(Clone)]
pub struct EvalContext {
    /// `now()`: the transaction's start in Unix microseconds.
    pub transaction_us: i64,
    /// `statement_timestamp()` in Unix microseconds.
    pub statement_us: i64,
    /// `clock_timestamp()` in Unix microseconds.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// `TimeZone`.
    pub timezone: TimeZone,
    /// `DateStyle`.
    pub date_style: DateStyle,
    /// `IntervalStyle`.
    pub interval_style: IntervalStyle,
    /// `extra_float_digits`.
    pub extra_float_digits: i32,
    /// `bytea_output`.
    pub bytea_output: ByteaOutput,
    /// `current_user`.
    pub user: String,
    /// `current_database()`.
    pub database: String,
    /// The effective search path.
    pub search_path: Vec<String>,
    /// `server_version` and its number, as `version()` and settings give them.
    pub version: String,
    /// Session and catalog.
    pub session: Arc<dyn SessionFunctions>,
    /// Compiled patterns of this session.
    pub regexes: Arc<RegexCache>,
}

impl EvalContext {
    /// A context with PostgreSQL's default settings in UTC.
    pub fn new(
        now_unix_us: i64,
        clock: Arc<dyn Fn() -> i64 + Send + Sync>,
        session: Arc<dyn SessionFunctions>,
    ) -> Self {
        EvalContext {
            transaction_us: now_unix_us,
            statement_us: now_unix_us,
            clock,
            timezone: TimeZone::UTC,
            date_style: DateStyle::default(),
            interval_style: IntervalStyle::default(),
            extra_float_digits: 1,
            bytea_output: ByteaOutput::default(),
            user: "oxibase".to_owned(),
            database: "oxibase".to_owned(),
            search_path: vec!["public".to_owned()],
            version: "PostgreSQL 15.0 (Oxibase)".to_owned(),
            session,
            regexes: Arc::default(),
        }
    }

    /// A context for constants and tests: no session, the clock stands at the given time.
    pub fn fixed(now_unix_us: i64) -> Self {
        Self::new(now_unix_us, Arc::new(move || now_unix_us), Arc::new(NoSession))
    }
}

impl std::fmt::Debug for EvalContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvalContext")
            .field("transaction_us", &self.transaction_us)
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}
