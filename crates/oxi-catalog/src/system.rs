//! The relations of `pg_catalog` and `information_schema`: columns as PostgreSQL 15 has them, rows
//! computed when asked for.
//!
//! `relations.txt` declares every relation; [`ROWS`] names the functions that fill those that can
//! have rows. The others are empty because Oxibase has no such objects.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use oxi_base::TableId;
use oxi_model::{
    PhysicalType, Row,
    backup::ArchiverInfo,
    engine::{PreparedTransaction, TableStatistics},
    lock::LockInfo,
};

use crate::catalog::Catalog;

mod value;

mod class;
mod cluster;
mod constraint;
mod information;
mod lock;
mod routine;
mod usage;

/// A computed relation.
#[derive(Debug)]
pub struct SystemRelation {
    /// `pg_class.oid`.
    pub oid: u32,
    /// `pg_catalog` or `information_schema`.
    pub schema: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Whether PostgreSQL has it as a view rather than a table.
    pub view: bool,
    /// Its columns in order.
    pub columns: Vec<SystemColumn>,
    rows: Option<RowsFn>,
}

/// A column of a computed relation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SystemColumn {
    /// Its name.
    pub name: &'static str,
    /// Its type in `pg_type`.
    pub type_oid: u32,
    /// How its values lie in memory.
    pub physical: PhysicalType,
    /// NOT NULL.
    pub not_null: bool,
}

/// Computes all rows of a relation.
type RowsFn = fn(&SystemContext) -> Vec<Row>;

/// What computed relations are computed from.
#[derive(Clone)]
pub struct SystemContext {
    /// The catalog as the statement sees it.
    pub catalog: Arc<Catalog>,
    /// The database's name.
    pub database: String,
    /// The user's name; owner of everything.
    pub user: String,
    /// Everything that is not in the catalog.
    pub server: Arc<dyn ServerState>,
}

/// What the running server knows and system relations show.
pub trait ServerState: Send + Sync {
    /// Numbers of a table.
    fn statistics(&self, table: TableId) -> TableStatistics;
    /// A sequence's `(last_value, is_called)`; `None` if never used.
    fn sequence_state(&self, sequence: u32) -> Option<(i64, bool)>;
    /// The settings as the session sees them.
    fn settings(&self) -> Vec<SettingInfo>;
    /// The sessions of the database.
    fn sessions(&self) -> Vec<SessionInfo>;
    /// The transactions prepared for two-phase commit.
    fn prepared_transactions(&self) -> Vec<PreparedTransaction>;
    /// Locks on tables and advisory keys, and waits for any lock.
    fn locks(&self) -> Vec<LockInfo> {
        Vec::new()
    }
    /// How the archiving of the log goes.
    fn archiver(&self) -> ArchiverInfo {
        ArchiverInfo::default()
    }
}

/// A row of `pg_settings`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SettingInfo {
    /// Its name.
    pub name: String,
    /// The current value.
    pub value: String,
    /// Unit of numeric settings.
    pub unit: Option<String>,
    /// Group for display.
    pub category: String,
    /// What it does.
    pub description: String,
    /// Who may set it: `user`, `superuser`, `postmaster`, `internal`.
    pub context: String,
    /// `bool`, `integer`, `real`, `string` or `enum`.
    pub value_type: String,
    /// Where the value comes from: `default`, `session`, `database`, `configuration file`.
    pub source: String,
    /// Allowed values of an enum.
    pub enum_values: Option<Vec<String>>,
    /// The value without any configuration.
    pub boot_value: String,
    /// The value that RESET gives.
    pub reset_value: String,
}

/// A row of `pg_stat_activity`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionInfo {
    /// The number that cancel requests name.
    pub pid: i32,
    /// Its user.
    pub user: String,
    /// Its database.
    pub database: String,
    /// `application_name`.
    pub application_name: String,
    /// Client's address; `None` for embedded sessions.
    pub client_address: Option<String>,
    /// Client's port.
    pub client_port: Option<i32>,
    /// Begin of the session, Unix microseconds.
    pub started_us: i64,
    /// Begin of the transaction.
    pub transaction_started_us: Option<i64>,
    /// Begin of the current or last statement.
    pub statement_started_us: Option<i64>,
    /// Last change of `state`.
    pub state_changed_us: Option<i64>,
    /// `active`, `idle`, `idle in transaction`, `idle in transaction (aborted)`.
    pub state: String,
    /// `wait_event_type` and `wait_event`.
    pub wait_event: Option<(&'static str, &'static str)>,
    /// The number of the open transaction, if it has one.
    pub transaction_id: Option<u64>,
    /// Which transaction of the session is open.
    pub transaction_number: Option<u64>,
    /// Text of the current or last statement.
    pub query: String,
}

impl SystemRelation {
    /// Computes the rows; each has one value per column.
    pub fn rows(&self, context: &SystemContext) -> Vec<Row> {
        self.rows.map_or_else(Vec::new, |rows| rows(context))
    }

    /// Position and description of a column.
    pub fn column_by_name(&self, name: &str) -> Option<(usize, &SystemColumn)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name == name)
    }
}

/// A computed relation by schema and name.
pub fn relation(schema: &str, name: &str) -> Option<&'static SystemRelation> {
    DIRECTORY.by_name.get(&(schema, name)).map(|position| &DIRECTORY.relations[*position])
}

/// A computed relation by oid.
pub fn by_oid(oid: u32) -> Option<&'static SystemRelation> {
    DIRECTORY.by_oid.get(&oid).map(|position| &DIRECTORY.relations[*position])
}

/// What a sequence shows when it is read as a table, for all sequences: `seqrelid` says whose row
/// it is. Queries reach it by the sequences' names only.
pub fn sequence_state() -> &'static SystemRelation {
    &SEQUENCE_STATE
}

static SEQUENCE_STATE: LazyLock<SystemRelation> = LazyLock::new(|| {
    let column = |(name, type_oid): (&'static str, u32)| {
        let shape = value::TYPES.iter().find(|(_, found, _)| *found == type_oid);
        let physical = shape.map_or(PhysicalType::Text, |(_, _, shape)| shape.physical());
        SystemColumn { name, type_oid, physical, not_null: true }
    };
    let state = class::SEQUENCE_COLUMNS.iter().copied();
    SystemRelation {
        oid: 0,
        schema: PG,
        name: "pg_sequence_state",
        view: true,
        columns: std::iter::once(("seqrelid", 26)).chain(state).map(column).collect(),
        rows: Some(class::sequence_state),
    }
});

/// All computed relations.
pub fn relations() -> &'static [SystemRelation] {
    &DIRECTORY.relations
}

struct Directory {
    relations: Vec<SystemRelation>,
    by_name: BTreeMap<(&'static str, &'static str), usize>,
    by_oid: BTreeMap<u32, usize>,
}

static DIRECTORY: LazyLock<Directory> = LazyLock::new(|| {
    let relations = parse(include_str!("system/relations.txt"));
    let by_name = relations.iter().enumerate().map(|(at, r)| ((r.schema, r.name), at)).collect();
    let by_oid = relations.iter().enumerate().map(|(at, r)| (r.oid, at)).collect();
    Directory { relations, by_name, by_oid }
});

/// Reads the declaration; lines it does not understand are skipped (a test counts them).
fn parse(text: &'static str) -> Vec<SystemRelation> {
    let mut relations: Vec<SystemRelation> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(column) = line.strip_prefix("    ") {
            if let (Some(relation), Some(column)) = (relations.last_mut(), parse_column(column)) {
                relation.columns.push(column);
            }
            continue;
        }
        let mut words = line.split(' ');
        if let (Some((schema, name)), Some(oid), Some(kind)) = (
            words.next().and_then(|word| word.split_once('.')),
            words.next().and_then(|word| word.parse().ok()),
            words.next(),
        ) {
            let found = ROWS.iter().find(|(key, _)| *key == (schema, name));
            relations.push(SystemRelation {
                oid,
                schema,
                name,
                view: kind == "v",
                columns: Vec::new(),
                rows: found.map(|(_, rows)| *rows),
            });
        }
    }
    relations
}

fn parse_column(line: &'static str) -> Option<SystemColumn> {
    let (name, rest) = line.split_once(' ')?;
    let (type_name, not_null) = match rest.strip_suffix('!') {
        Some(type_name) => (type_name, true),
        None => (rest, false),
    };
    let (_, type_oid, physical) = value::TYPES.iter().find(|(found, ..)| *found == type_name)?;
    Some(SystemColumn { name, type_oid: *type_oid, physical: physical.physical(), not_null })
}

pub(crate) use cluster::DATABASE;
pub(crate) use routine::{type_function_name, type_function_oid};
pub(crate) use value::OWNER;

const PG: &str = "pg_catalog";
const INFORMATION: &str = "information_schema";

/// The relations that can have rows.
const ROWS: &[((&str, &str), RowsFn)] = &[
    ((PG, "pg_namespace"), class::pg_namespace),
    ((PG, "pg_class"), class::pg_class),
    ((PG, "pg_attribute"), class::pg_attribute),
    ((PG, "pg_attrdef"), class::pg_attrdef),
    ((PG, "pg_sequence"), class::pg_sequence),
    ((PG, "pg_rewrite"), class::pg_rewrite),
    ((PG, "pg_description"), class::pg_description),
    ((PG, "pg_tables"), class::pg_tables),
    ((PG, "pg_views"), class::pg_views),
    ((PG, "pg_sequences"), class::pg_sequences),
    ((PG, "pg_indexes"), class::pg_indexes),
    ((PG, "pg_index"), constraint::pg_index),
    ((PG, "pg_constraint"), constraint::pg_constraint),
    ((PG, "pg_depend"), constraint::pg_depend),
    ((PG, "pg_type"), routine::pg_type),
    ((PG, "pg_proc"), routine::pg_proc),
    ((PG, "pg_operator"), routine::pg_operator),
    ((PG, "pg_cast"), routine::pg_cast),
    ((PG, "pg_aggregate"), routine::pg_aggregate),
    ((PG, "pg_am"), cluster::pg_am),
    ((PG, "pg_database"), cluster::pg_database),
    ((PG, "pg_roles"), cluster::pg_roles),
    ((PG, "pg_authid"), cluster::pg_authid),
    ((PG, "pg_user"), cluster::pg_user),
    ((PG, "pg_shadow"), cluster::pg_user),
    ((PG, "pg_settings"), cluster::pg_settings),
    ((PG, "pg_prepared_xacts"), cluster::pg_prepared_xacts),
    ((PG, "pg_stat_activity"), lock::pg_stat_activity),
    ((PG, "pg_locks"), lock::pg_locks),
    ((PG, "pg_stat_archiver"), cluster::pg_stat_archiver),
    ((PG, "pg_stat_database"), cluster::pg_stat_database),
    ((PG, "pg_stat_all_tables"), cluster::pg_stat_tables),
    ((PG, "pg_stat_user_tables"), cluster::pg_stat_tables),
    ((PG, "pg_stat_all_indexes"), cluster::pg_stat_indexes),
    ((PG, "pg_stat_user_indexes"), cluster::pg_stat_indexes),
    ((PG, "pg_tablespace"), cluster::pg_tablespace),
    ((PG, "pg_language"), cluster::pg_language),
    ((PG, "pg_collation"), cluster::pg_collation),
    ((PG, "pg_opclass"), cluster::pg_opclass),
    ((PG, "pg_opfamily"), cluster::pg_opfamily),
    ((INFORMATION, "information_schema_catalog_name"), information::catalog_name),
    ((INFORMATION, "schemata"), information::schemata),
    ((INFORMATION, "tables"), information::tables),
    ((INFORMATION, "columns"), information::columns),
    ((INFORMATION, "sequences"), information::sequences),
    ((INFORMATION, "views"), information::views),
    ((INFORMATION, "view_table_usage"), information::view_table_usage),
    ((INFORMATION, "character_sets"), information::character_sets),
    ((INFORMATION, "enabled_roles"), information::enabled_roles),
    ((INFORMATION, "table_privileges"), information::table_privileges),
    ((INFORMATION, "role_table_grants"), information::table_privileges),
    ((INFORMATION, "table_constraints"), usage::table_constraints),
    ((INFORMATION, "key_column_usage"), usage::key_column_usage),
    ((INFORMATION, "constraint_column_usage"), usage::constraint_column_usage),
    ((INFORMATION, "constraint_table_usage"), usage::constraint_table_usage),
    ((INFORMATION, "referential_constraints"), usage::referential_constraints),
    ((INFORMATION, "check_constraints"), usage::check_constraints),
];

#[cfg(test)]
mod tests;
