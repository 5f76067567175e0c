//! Settings, identity, sequences, sizes, sleeping.

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};

use crate::{
    Numeric,
    builtin::args::{arg, list, scalar},
    context::EvalContext,
    io,
};

fn setting(context: &EvalContext, name: &str, missing_ok: bool) -> Result<Option<String>> {
    match context.session.current_setting(name)? {
        None if !missing_ok => Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("unrecognized configuration parameter \"{name}\""),
        )),
        found => Ok(found),
    }
}

fn schemas(context: &EvalContext, implicit: bool) -> Vec<Datum> {
    let mut out = Vec::new();
    if implicit && !context.search_path.iter().any(|schema| schema == "pg_catalog") {
        out.push(Datum::text("pg_catalog"));
    }
    out.extend(context.search_path.iter().map(|schema| Datum::text(schema.as_str())));
    out
}

const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];

/// A size with the unit that keeps it below 10 × 1024, half rounded away from zero.
fn pretty(bytes: &Numeric) -> String {
    let limit = Numeric::from_i128(10 * 1024);
    let mut value = bytes.clone();
    let mut halved = false;
    for (at, unit) in UNITS.iter().enumerate() {
        let bound = if halved { limit.mul(&Numeric::from_i128(2)) } else { limit.clone() };
        let bound = if halved { bound.sub(&Numeric::ONE) } else { bound };
        if value.abs() < bound || at + 1 == UNITS.len() {
            if halved {
                let step = if value.is_negative() { Numeric::ONE.neg() } else { Numeric::ONE };
                value = value.add(&step).div_trunc(&Numeric::from_i128(2)).unwrap_or(value);
            }
            return format!("{value} {unit}");
        }
        // Keep one bit more than the unit for rounding.
        let shift = if halved { 1024 } else { 512 };
        value = value.div_trunc(&Numeric::from_i128(shift)).unwrap_or(value);
        halved = true;
    }
    value.to_string()
}

fn parse_size(text: &str) -> Result<i64> {
    let invalid =
        || Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid size: \"{text}\""));
    let trimmed = text.trim();
    let end = trimmed
        .char_indices()
        .find(|(at, c)| {
            !(c.is_ascii_digit()
                || matches!(c, '.' | '+' | '-')
                || (matches!(c, 'e' | 'E') && *at > 0))
        })
        .map_or(trimmed.len(), |(at, _)| at);
    let number = Numeric::parse(&trimmed[..end]).map_err(|_| invalid())?;
    let unit = trimmed[end..].trim().to_ascii_lowercase();
    let power = match unit.as_str() {
        "" | "b" | "bytes" => 0,
        "kb" => 1,
        "mb" => 2,
        "gb" => 3,
        "tb" => 4,
        "pb" => 5,
        other => {
            return Err(invalid()
                .with_detail(format!("Invalid size unit: \"{other}\"."))
                .with_hint(
                    "Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".",
                ));
        }
    };
    number.mul(&Numeric::from_i128(1 << (10 * power))).to_integer("bigint")
}

fn sleep(context: &EvalContext, micros: i64) -> Result<Datum> {
    if micros > 0 {
        context.session.sleep(micros)?;
    }
    Ok(Datum::text(""))
}

scalar! {
    fn pgsql_version[context]() -> String { context.version.clone() }
    fn current_user[context]() -> String { context.user.clone() }
    fn session_user[context]() -> String {
        context.session.session_user().unwrap_or_else(|| context.user.clone())
    }
    fn current_database[context]() -> String { context.database.clone() }
    fn current_schema[context]() -> Option<String> { context.search_path.first().cloned() }
    fn current_schemas[context](implicit: bool) -> Datum { list(schemas(context, implicit)) }
    fn current_query() -> Option<String> { None }
    fn pg_backend_pid[context]() -> i32 { context.session.backend_pid() }
    fn pg_current_xact_id[context]() -> i64 { context.session.transaction_id()?.cast_signed() }
    fn pg_current_xact_id_if_assigned[context]() -> Option<i64> {
        context.session.transaction_id_if_assigned()?.map(u64::cast_signed)
    }
    fn show_config_by_name[context](name: &str) -> Option<String> { setting(context, name, false)? }
    fn show_config_by_name_missing_ok[context](name: &str, missing_ok: bool) -> Option<String> {
        setting(context, name, missing_ok)?
    }
    fn set_config_by_name[context](name: Option<&str>, value: Option<&str>, local: Option<bool>) -> String {
        let name = name.ok_or_else(|| {
            Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name")
        })?;
        context.session.set_config(name, value.unwrap_or(""), local.unwrap_or(false))?
    }
    fn nextval_oid[context](sequence: u32) -> i64 { context.session.nextval(sequence)? }
    fn currval_oid[context](sequence: u32) -> i64 { context.session.currval(sequence)? }
    fn lastval[context]() -> i64 { context.session.lastval()? }
    fn setval_oid[context](sequence: u32, value: i64) -> i64 {
        context.session.setval(sequence, value, true)?
    }
    fn setval3_oid[context](sequence: u32, value: i64, called: bool) -> i64 {
        context.session.setval(sequence, value, called)?
    }
    fn gen_random_uuid[context]() -> [u8; 16] {
        let mut bytes = [0; 16];
        context.session.random_bytes(&mut bytes)?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        bytes
    }
    fn setseed[context](seed: f64) -> &'static str {
        if !(-1.0..=1.0).contains(&seed) {
            let mut shown = String::new();
            crate::float::float8_out(seed, 1, &mut shown);
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("setseed parameter {shown} is out of allowed range [-1,1]"),
            ));
        }
        context.session.set_seed(seed)?;
        ""
    }
    fn pg_sleep[context](seconds: f64) -> Datum { sleep(context, (seconds * 1e6) as i64)? }
    fn sql_pg_sleep_for[context](span: oxi_model::Interval) -> Datum {
        sleep(context, crate::compare::interval_span(span) as i64)?
    }
    fn sql_pg_sleep_until[context](until: i64) -> Datum {
        sleep(context, until.saturating_sub((context.clock)()))?
    }
    fn pg_cancel_backend[context](pid: i32) -> bool { context.session.signal_backend(pid, false)? }
    fn pg_terminate_backend[context](pid: i32, _timeout: i64) -> bool {
        context.session.signal_backend(pid, true)?
    }
    fn oxi_backup_start[context]() -> String { context.session.backup_start()? }
    fn oxi_backup_read[context](path: &str, offset: i64, length: i32) -> Vec<u8> {
        context.session.backup_read(path, offset, length)?
    }
    fn oxi_backup_finish[context]() -> String { context.session.backup_finish()? }
    fn oxi_backup_stop[context]() -> bool { context.session.backup_stop()? }
    fn pg_client_encoding() -> &'static str { "UTF8" }
    fn getdatabaseencoding() -> &'static str { "UTF8" }
    fn PG_encoding_to_char(encoding: i32) -> &'static str {
        match encoding {
            0 => "SQL_ASCII",
            6 => "UTF8",
            8 => "LATIN1",
            _ => "",
        }
    }
    fn PG_char_to_encoding(name: &str) -> i32 {
        match name.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
            "utf8" | "unicode" => 6,
            "sqlascii" => 0,
            "latin1" | "iso88591" => 8,
            _ => -1,
        }
    }
    fn pg_encoding_max_length_sql(encoding: i32) -> Option<i32> {
        match encoding {
            6 => Some(4),
            0 | 8 => Some(1),
            _ => None,
        }
    }
    fn pg_is_in_recovery() -> bool { false }
    fn pg_jit_available() -> bool { false }
    fn pg_postmaster_start_time[context]() -> Option<i64> { context.session.start_time() }
    fn pg_conf_load_time[context]() -> Option<i64> { context.session.start_time() }
    fn pg_trigger_depth() -> i32 { 0 }
    fn inet_client_port() -> Option<i32> { None }
    fn inet_server_port() -> Option<i32> { None }
    fn pg_my_temp_schema() -> u32 { 0 }
    fn pg_is_other_temp_schema(_schema: u32) -> bool { false }
    fn pg_listening_channels() -> Vec<String> { Vec::new() }
    fn pg_blocking_pids[context](pid: i32) -> Datum {
        list(context.session.blocking_pids(pid)?.into_iter().map(Datum::Int32).collect())
    }
    fn pg_size_pretty(bytes: i64) -> String { pretty(&Numeric::from_i128(i128::from(bytes))) }
    fn pg_size_pretty_numeric(bytes: Numeric) -> String { pretty(&bytes) }
    fn pg_size_bytes(text: &str) -> i64 { parse_size(text)? }
    fn pg_relation_size[context](relation: u32, fork: &str) -> Option<i64> {
        context.session.relation_size(relation, fork)?
    }
    fn sql_pg_relation_size[context](relation: u32) -> Option<i64> {
        context.session.relation_size(relation, "main")?
    }
    fn pg_total_relation_size[context](relation: u32) -> Option<i64> {
        context.session.relation_size(relation, "total")?
    }
    fn pg_table_size[context](relation: u32) -> Option<i64> {
        context.session.relation_size(relation, "table")?
    }
    fn pg_indexes_size[context](relation: u32) -> Option<i64> {
        context.session.relation_size(relation, "indexes")?
    }
    fn pg_database_size_oid[context](database: u32) -> i64 { context.session.database_size(database)? }
    fn pg_database_size_name[context](_database: &str) -> i64 { context.session.database_size(0)? }
    fn pg_tablespace_size_oid(_tablespace: u32) -> i64 { 0 }
    fn pg_tablespace_location(_tablespace: u32) -> &'static str { "" }
    fn mxid_age(_a: u32) -> i32 { 0 }
}

/// `pg_typeof`.
pub fn pg_typeof(_: &EvalContext, types: &[TypeRef], _: &[Datum]) -> Result<Datum> {
    Ok(Datum::UInt32(types.first().map_or(0, |reference| reference.oid)))
}

/// `pg_collation_for`.
pub fn pg_collation_for(_: &EvalContext, types: &[TypeRef], _: &[Datum]) -> Result<Datum> {
    let string = types
        .first()
        .and_then(|reference| crate::pg_type::by_oid(reference.oid))
        .is_some_and(|row| row.category == 'S');
    Ok(if string { Datum::text("\"default\"") } else { Datum::Null })
}

/// `pg_column_size`: the length of the value's wire form.
pub fn pg_column_size(_: &EvalContext, types: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    let value: &Datum = arg(args, 0)?;
    let Some(reference) = types.first().filter(|_| !value.is_null()) else {
        return Ok(Datum::Null);
    };
    let mut out = Vec::new();
    io::binary_out(*reference, value, &mut out)?;
    let fixed = crate::pg_type::by_oid(reference.oid).is_some_and(|row| row.len > 0);
    Ok(Datum::Int32(out.len() as i32 + i32::from(!fixed)))
}

/// `num_nulls`.
pub fn pg_num_nulls(_: &EvalContext, _: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int32(args.iter().filter(|value| value.is_null()).count() as i32))
}

/// `num_nonnulls`.
pub fn pg_num_nonnulls(_: &EvalContext, _: &[TypeRef], args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int32(args.iter().filter(|value| !value.is_null()).count() as i32))
}
