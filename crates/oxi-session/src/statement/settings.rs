//! SET, RESET, SHOW, DISCARD.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};
use oxi_sql::ast::{
    Discard, Expr, ExprKind, IsolationLevel, Literal, Set, SetScope, SetValue, Show,
    TransactionModes,
};
use oxi_types::oid;

use crate::{
    outcome::{CommandTag, Cursor, Outcome, OutputField, computed},
    session::Session,
    settings,
    statement::transaction::{on_or_off, session_modes, set_modes},
};

/// SET and RESET.
pub(crate) fn set(session: &mut Session, set: &Set) -> Result<CommandTag> {
    match set {
        Set::Variable { scope, name, name_span, values } => {
            let text = values.as_deref().map(value_text).transpose()?;
            let local = *scope == SetScope::Local;
            assign(session, name, text.as_deref(), local)
                .map_err(|error| error.at(name_span.position()))?;
            Ok(CommandTag::plain("SET"))
        }
        Set::Reset(name) => {
            assign(session, name, None, false)?;
            Ok(CommandTag::plain("RESET"))
        }
        Set::ResetAll => {
            let mut settings = session.settings.lock();
            settings.effective.reset_all();
            settings.lasting.reset_all();
            Ok(CommandTag::plain("RESET"))
        }
        Set::Transaction(modes) => {
            if !session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
                session.warning(
                    SqlState::NO_ACTIVE_SQL_TRANSACTION,
                    "SET TRANSACTION can only be used in transaction blocks",
                );
            }
            set_modes(session, *modes)?;
            Ok(CommandTag::plain("SET"))
        }
        Set::SessionCharacteristics(modes) => {
            if let Some(level) = modes.isolation {
                assign(session, "default_transaction_isolation", Some(level.name()), false)?;
            }
            if let Some(read_only) = modes.read_only {
                let value = Some(on_or_off(read_only));
                assign(session, "default_transaction_read_only", value, false)?;
            }
            if let Some(deferrable) = modes.deferrable {
                let value = Some(on_or_off(deferrable));
                assign(session, "default_transaction_deferrable", value, false)?;
            }
            Ok(CommandTag::plain("SET"))
        }
        Set::Snapshot(_) => Err(Error::unsupported("SET TRANSACTION SNAPSHOT is not supported")),
    }
}

/// Sets or resets (`None`) one setting.
pub(crate) fn assign(
    session: &mut Session,
    name: &str,
    value: Option<&str>,
    local: bool,
) -> Result<()> {
    if let Some(value) = value
        && let Some(modes) = modes_by_setting(name, value)?
    {
        return set_modes(session, modes);
    }
    if local && !session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
        session.warning(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            "SET LOCAL can only be used in transaction blocks",
        );
    }
    let mut settings = session.settings.lock();
    settings.effective.set(name, value)?;
    if !local {
        settings.lasting.set(name, value)?;
    }
    Ok(())
}

/// What assigning one of the settings that stand for modes of the transaction asks for.
fn modes_by_setting(name: &str, value: &str) -> Result<Option<TransactionModes>> {
    let Some(setting) = settings::find(name) else { return Ok(None) };
    let mut modes = TransactionModes::default();
    if !matches!(
        setting.name,
        "transaction_isolation" | "transaction_read_only" | "transaction_deferrable"
    ) {
        return Ok(None);
    }
    let mut checked = settings::Settings::default();
    checked.set(setting.name, Some(value))?;
    match setting.name {
        "transaction_isolation" => modes.isolation = isolation_named(&checked.get(name)?),
        "transaction_read_only" => modes.read_only = Some(checked.is_on(setting.name)),
        _ => modes.deferrable = Some(checked.is_on(setting.name)),
    }
    Ok(Some(modes))
}

fn isolation_named(level: &str) -> Option<IsolationLevel> {
    use IsolationLevel as Level;
    [Level::ReadUncommitted, Level::ReadCommitted, Level::RepeatableRead, Level::Serializable]
        .into_iter()
        .find(|candidate| candidate.name() == level)
}

/// The text of SET's value list. Words and strings of a list are quoted where needed, so that
/// `SET search_path = a, "B"` keeps its meaning.
fn value_text(values: &[SetValue]) -> Result<String> {
    if let [single] = values {
        return one_text(single);
    }
    let texts: Result<Vec<String>> = values
        .iter()
        .map(|value| {
            let text = one_text(value)?;
            let plain =
                text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            Ok(if plain || text.starts_with('"') { text } else { format!("\"{text}\"") })
        })
        .collect();
    Ok(texts?.join(", "))
}

fn one_text(value: &SetValue) -> Result<String> {
    match value {
        SetValue::Interval(interval) => interval_offset(interval),
        other => Ok(other.text().unwrap_or_default().to_owned()),
    }
}

/// `SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE`.
fn interval_offset(expr: &Expr) -> Result<String> {
    match &expr.kind {
        ExprKind::Cast { operand, .. } => interval_offset(operand),
        ExprKind::Literal(Literal::String(text)) => Ok(text.clone()),
        _ => Err(Error::new(SqlState::SYNTAX_ERROR, "invalid interval value for time zone")
            .at(expr.span.position())),
    }
}

/// SHOW.
pub(crate) fn show(session: &mut Session, show: &Show, commits: bool) -> Result<Outcome> {
    let effective = session.settings.lock().effective.clone();
    let rows = match show {
        Show::Variable(name) => {
            let value = match name.as_str() {
                "session_authorization" => session.options.user.clone(),
                "transaction_isolation" => session_modes(session).isolation_name().to_owned(),
                "transaction_read_only" => on_or_off(session_modes(session).read_only).to_owned(),
                "transaction_deferrable" => on_or_off(session_modes(session).deferrable).to_owned(),
                _ => display(name, &effective.get(name)?),
            };
            vec![vec![Datum::text(value)]]
        }
        Show::All => settings::all()
            .iter()
            .map(|setting| {
                let value = effective.lookup(setting.name).unwrap_or_default();
                let value = display(setting.name, &value);
                [setting.name, value.as_str(), setting.description].map(Datum::text).to_vec()
            })
            .collect(),
    };
    Ok(Outcome::Rows(Cursor::of_rows("SHOW", show_fields(show), rows, commits)))
}

/// The columns of SHOW.
pub(crate) fn show_fields(show: &Show) -> Arc<[OutputField]> {
    let names = match show {
        Show::Variable(name) => {
            vec![settings::find(name).map_or(name.as_str(), |setting| setting.name)]
        }
        Show::All => vec!["name", "setting", "description"],
    };
    names.into_iter().map(|name| computed(name, TypeRef::plain(oid::TEXT))).collect()
}

/// A value with its unit, as SHOW writes it.
pub(crate) fn display(name: &str, value: &str) -> String {
    let number: i64 = value.parse().unwrap_or(0);
    let scaled = |units: &[(i64, &str)]| {
        units
            .iter()
            .find(|(size, _)| number != 0 && number % size == 0)
            .map_or_else(|| value.to_owned(), |(size, unit)| format!("{}{unit}", number / size))
    };
    match settings::find(name).map(|setting| setting.kind) {
        Some(settings::SettingKind::Milliseconds) => {
            scaled(&[(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")])
        }
        Some(settings::SettingKind::Kilobytes) => {
            scaled(&[(1_048_576, "GB"), (1024, "MB"), (1, "kB")])
        }
        _ => value.to_owned(),
    }
}

/// DISCARD.
pub(crate) fn discard(session: &mut Session, what: Discard) -> Result<CommandTag> {
    match what {
        Discard::All => {
            if session.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
                return Err(Error::new(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "DISCARD ALL cannot run inside a transaction block",
                ));
            }
            session.prepared.clear();
            session.cursors.clear();
            session.advisory.give_all_back();
            *session.sequences.lock() = crate::functions::SequenceMemory::default();
            let mut settings = session.settings.lock();
            settings.effective.reset_all();
            settings.lasting.reset_all();
            Ok(CommandTag::plain("DISCARD ALL"))
        }
        Discard::Plans => Ok(CommandTag::plain("DISCARD PLANS")),
        Discard::Sequences => {
            *session.sequences.lock() = crate::functions::SequenceMemory::default();
            Ok(CommandTag::plain("DISCARD SEQUENCES"))
        }
        Discard::Temp => Ok(CommandTag::plain("DISCARD TEMP")),
    }
}
