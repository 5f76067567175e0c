//! Checks a setting's value and brings it to its canonical spelling.

use oxi_base::{Error, Result, SqlState};
use oxi_types::context::DateStyle;

use super::{Setting, SettingKind, Settings};

/// The canonical spelling of `text` for the setting; `22023` if it is not one of its values.
pub(super) fn normalise(setting: &Setting, text: &str, current: &Settings) -> Result<String> {
    let invalid = || invalid_value(setting, text);
    match setting.kind {
        SettingKind::Bool => {
            parse_bool(text).map(|on| if on { "on" } else { "off" }.to_owned()).ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("parameter \"{}\" requires a Boolean value", setting.name),
                )
            })
        }
        SettingKind::Integer { min, max } => {
            let value: i64 = text.trim().parse().map_err(|_| invalid())?;
            in_range(setting, value, min, max)
        }
        SettingKind::Milliseconds => {
            let units =
                [("us", 0.001), ("ms", 1.0), ("min", 6e4), ("s", 1e3), ("h", 3.6e6), ("d", 8.64e7)];
            let value = with_unit(text, &units).ok_or_else(invalid)?;
            in_range(setting, value, 0, i64::from(i32::MAX))
        }
        SettingKind::Kilobytes => {
            let units = [("kB", 1.0), ("MB", 1024.0), ("GB", 1_048_576.0), ("TB", 1_073_741_824.0)];
            let value = with_unit(text, &units).ok_or_else(invalid)?;
            in_range(setting, value, 64, i64::from(i32::MAX))
        }
        SettingKind::Word(words) => words
            .iter()
            .find(|word| word.eq_ignore_ascii_case(text.trim()))
            .map(|word| (*word).to_owned())
            .ok_or_else(|| invalid().with_hint(format!("Available values: {}.", words.join(", ")))),
        SettingKind::Text => Ok(text.to_owned()),
        SettingKind::TimeZone => {
            oxi_types::TimeZone::parse(text).map(|zone| zone.name().to_owned()).ok_or_else(invalid)
        }
        SettingKind::DateStyle => date_style(text, current).ok_or_else(invalid),
        SettingKind::Identifiers => Ok(text.to_owned()),
        SettingKind::Encoding => {
            let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
            match plain.to_ascii_lowercase().as_str() {
                "utf8" | "unicode" => Ok("UTF8".to_owned()),
                "sqlascii" => Ok("SQL_ASCII".to_owned()),
                _ => Err(Error::unsupported(format!(
                    "conversion between {text} and UTF8 is not supported"
                ))),
            }
        }
    }
}

fn invalid_value(setting: &Setting, text: &str) -> Error {
    Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("invalid value for parameter \"{}\": \"{text}\"", setting.name),
    )
}

fn in_range(setting: &Setting, value: i64, min: i64, max: i64) -> Result<String> {
    if (min..=max).contains(&value) {
        return Ok(value.to_string());
    }
    Err(Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!(
            "{value} is outside the valid range for parameter \"{}\" ({min} .. {max})",
            setting.name
        ),
    ))
}

/// A boolean as PostgreSQL reads it: unambiguous prefixes of true, false, yes, no; on, off; 1, 0.
fn parse_bool(text: &str) -> Option<bool> {
    let lower = text.trim().to_ascii_lowercase();
    match lower.as_str() {
        "" | "o" => None,
        "on" | "1" => Some(true),
        "of" | "off" | "0" => Some(false),
        _ if "true".starts_with(&lower) || "yes".starts_with(&lower) => Some(true),
        _ if "false".starts_with(&lower) || "no".starts_with(&lower) => Some(false),
        _ => None,
    }
}

fn with_unit(text: &str, units: &[(&str, f64)]) -> Option<i64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let number: f64 = text[..split].trim().parse().ok()?;
    let unit = text[split..].trim();
    let factor =
        if unit.is_empty() { 1.0 } else { units.iter().find(|(name, _)| *name == unit)?.1 };
    Some((number * factor).round() as i64)
}

/// `DateStyle` takes an output style, an order, or both; what is not named stays.
fn date_style(text: &str, current: &Settings) -> Option<String> {
    let now = current.lookup("DateStyle").and_then(|now| DateStyle::default().parse(&now));
    let words = split_list(text).join(",");
    now.unwrap_or_default().parse(&words).map(DateStyle::display)
}

/// Splits a comma-separated list of identifiers, folding unquoted ones to lower case.
pub(super) fn split_list(text: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let item;
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            item = quoted[..end].to_owned();
            rest = quoted.get(end + 1..).unwrap_or("");
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            item = rest[..end].trim().to_lowercase();
            rest = &rest[end..];
        }
        if !item.is_empty() {
            items.push(item);
        }
        rest = rest.trim_start().trim_start_matches(',').trim_start();
    }
    items
}
