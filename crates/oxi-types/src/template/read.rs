//! `to_date` and `to_timestamp`: reading by a template.

use oxi_base::{Error, Result, SqlState};

use super::date::{Piece, pieces};
use crate::datetime::{DAY, HOUR, MINUTE, SECOND, UNIX_JULIAN, days_from_civil, days_in_month};

/// What was read.
pub struct Read {
    /// The local timestamp.
    pub local: i64,
    /// The zone's offset in seconds, if the text gave one.
    pub offset: Option<i32>,
}

#[derive(Default)]
struct Fields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    julian: Option<i64>,
    hour: Option<i64>,
    minute: i64,
    second: i64,
    micros: i64,
    pm: Option<bool>,
    bc: bool,
    offset: Option<i32>,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    iso_day: Option<i64>,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn invalid(value: &str, name: &str) -> Error {
    Error::new(
        SqlState::INVALID_DATETIME_FORMAT,
        format!("invalid value \"{value}\" for \"{name}\""),
    )
}

/// Takes up to `width` digits (all there are if no digit pattern follows).
fn number(rest: &mut &str, width: usize, name: &str) -> Result<(i64, usize)> {
    *rest = rest.trim_start();
    let signed = usize::from(rest.starts_with(['-', '+']));
    let digits = rest[signed..].bytes().take(width).take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        let shown: String = rest.chars().take(width.min(4)).collect();
        return Err(invalid(&shown, name).with_detail("Value must be an integer."));
    }
    let (written, tail) = rest.split_at(signed + digits);
    *rest = tail;
    written.parse().map(|value| (value, digits)).map_err(|_| invalid(written, name))
}

fn word(rest: &mut &str, words: &[&str], name: &str) -> Result<usize> {
    *rest = rest.trim_start();
    let lower = rest.to_ascii_lowercase();
    if let Some(at) = words.iter().position(|word| lower.starts_with(word)) {
        *rest = &rest[words[at].len()..];
        Ok(at)
    } else {
        let shown: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
        Err(invalid(&shown, name)
            .with_detail("The given value did not match any of the allowed values for this field."))
    }
}

/// Reads a text by a template.
pub fn read(text: &str, template: &str) -> Result<Read> {
    let mut fields = Fields::default();
    let mut rest = text;
    let all = pieces(template);
    for (at, piece) in all.iter().enumerate() {
        if rest.trim_start().is_empty() {
            break;
        }
        match piece {
            Piece::Quoted(_) => {
                let mut chars = rest.chars();
                chars.next();
                rest = chars.as_str();
            }
            Piece::Literal(c) => {
                if c.is_alphanumeric() {
                    let mut chars = rest.chars();
                    chars.next();
                    rest = chars.as_str();
                } else {
                    let trimmed = rest.trim_start();
                    let separator = |c: char| c.is_ascii_punctuation() && c != '+';
                    let sign = trimmed.starts_with('-')
                        && matches!(all.get(at + 1), Some(Piece::Pattern { name: "TZH", .. }));
                    rest = if trimmed.starts_with(separator) && !sign {
                        &trimmed[1..]
                    } else {
                        trimmed
                    };
                }
            }
            Piece::Pattern { name, ordinal, .. } => {
                let digits_follow = matches!(all.get(at + 1), Some(Piece::Pattern { .. }));
                field(&mut fields, &mut rest, name, digits_follow)?;
                if ordinal.is_some() {
                    rest = rest.get(2..).unwrap_or("");
                }
            }
        }
    }
    finish(&fields, text)
}

fn field(fields: &mut Fields, rest: &mut &str, name: &'static str, packed: bool) -> Result<()> {
    if date_field(fields, rest, name, packed)? || time_field(fields, rest, name)? {
        return Ok(());
    }
    Err(Error::unsupported(format!("formatting field \"{name}\" is only supported in to_char")))
}

/// Reads a field of a date; false if it is none.
fn date_field(
    fields: &mut Fields,
    rest: &mut &str,
    name: &'static str,
    packed: bool,
) -> Result<bool> {
    let width = |natural: usize| if packed { natural } else { 9 };
    match name {
        "YYYY" => fields.year = Some(number(rest, width(4), name)?.0),
        "YYY" | "YY" | "Y" => {
            let (value, digits) = number(rest, width(name.len()), name)?;
            fields.year = Some(match digits {
                1 | 2 if value < 70 => value + 2000,
                1 | 2 => value + 1900,
                3 if value < 520 => value + 2000,
                3 => value + 1000,
                _ => value,
            });
        }
        "Y,YYY" => {
            let thousands = number(rest, 9, name)?.0;
            *rest = rest.strip_prefix(',').unwrap_or(rest);
            fields.year = Some(thousands * 1000 + number(rest, 3, name)?.0);
        }
        "IYYY" => fields.iso_year = Some(number(rest, width(4), name)?.0),
        "IW" => fields.iso_week = Some(number(rest, 2, name)?.0),
        "ID" => fields.iso_day = Some(number(rest, 1, name)?.0),
        "MM" => fields.month = Some(number(rest, 2, name)?.0),
        "DD" => fields.day = Some(number(rest, 2, name)?.0),
        "DDD" => fields.day_of_year = Some(number(rest, 3, name)?.0),
        "J" => fields.julian = Some(number(rest, 9, name)?.0),
        "MONTH" => fields.month = Some(word(rest, &MONTHS, name)? as i64 + 1),
        "MON" => {
            let short: Vec<&str> = MONTHS.iter().map(|month| &month[..3]).collect();
            fields.month = Some(word(rest, &short, name)? as i64 + 1);
        }
        "RM" => {
            const ROMAN: [&str; 12] =
                ["viii", "xii", "vii", "iii", "xi", "vi", "iv", "ix", "ii", "x", "v", "i"];
            const VALUES: [i64; 12] = [8, 12, 7, 3, 11, 6, 4, 9, 2, 10, 5, 1];
            fields.month = Some(VALUES[word(rest, &ROMAN, name)?]);
        }
        "DAY" | "DY" => {
            *rest = rest.trim_start().trim_start_matches(|c: char| c.is_ascii_alphabetic());
        }
        "AD" | "BC" => fields.bc = word(rest, &["ad", "bc"], name)? == 1,
        "A.D." | "B.C." => fields.bc = word(rest, &["a.d.", "b.c."], name)? == 1,
        "D" | "Q" | "W" => {
            number(rest, 1, name)?;
        }
        "WW" => {
            let week = number(rest, 2, name)?.0;
            fields.day_of_year = Some((week - 1) * 7 + 1);
        }
        "CC" => {
            let century = number(rest, 2, name)?.0;
            fields.year.get_or_insert((century - 1) * 100 + 1);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Reads a field of a time or its zone; false if it is none.
fn time_field(fields: &mut Fields, rest: &mut &str, name: &'static str) -> Result<bool> {
    match name {
        "HH" | "HH12" | "HH24" => {
            let hour = number(rest, 2, name)?.0;
            let most = if name == "HH24" { 24 } else { 12 };
            if name != "HH24" && !(1..=most).contains(&hour) {
                return Err(Error::new(
                    SqlState::INVALID_DATETIME_FORMAT,
                    format!("hour \"{hour}\" is invalid for the 12-hour clock"),
                )
                .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
            }
            fields.hour = Some(if name == "HH24" { hour } else { hour % 12 });
        }
        "MI" => fields.minute = number(rest, 2, name)?.0,
        "SS" => fields.second = number(rest, 2, name)?.0,
        "SSSS" | "SSSSS" => {
            let seconds = number(rest, 5, name)?.0;
            fields.hour = Some(seconds / 3600);
            fields.minute = seconds / 60 % 60;
            fields.second = seconds % 60;
        }
        "MS" | "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
            let most = match name {
                "MS" => 3,
                "US" => 6,
                other => usize::from(other.as_bytes()[2] - b'0'),
            };
            let (value, digits) = number(rest, most, name)?;
            fields.micros = value * 10i64.pow(6 - digits as u32);
        }
        "AM" | "PM" => fields.pm = Some(word(rest, &["am", "pm"], name)? == 1),
        "A.M." | "P.M." => fields.pm = Some(word(rest, &["a.m.", "p.m."], name)? == 1),
        "TZH" => {
            *rest = rest.trim_start();
            let negative = rest.starts_with('-');
            let hours = number(rest, 2, name)?.0.abs() as i32 * 3600;
            fields.offset = Some(if negative { -hours } else { hours });
        }
        "TZM" => {
            let minutes = number(rest, 2, name)?.0 as i32 * 60;
            let hours = fields.offset.unwrap_or(0);
            fields.offset = Some(if hours < 0 { hours - minutes } else { hours + minutes });
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn finish(fields: &Fields, text: &str) -> Result<Read> {
    let out_of_range = || {
        Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date/time field value out of range: \"{text}\""),
        )
    };
    let year = match fields.year {
        Some(year) if fields.bc => 1 - year,
        Some(year) if year < 0 => year + 1,
        Some(year) => year,
        None => 0,
    };
    let days = if let Some(julian) = fields.julian {
        julian - UNIX_JULIAN
    } else if let Some(iso_year) = fields.iso_year {
        let fourth = days_from_civil(iso_year, 1, 4);
        let monday = fourth - (fourth + 3).rem_euclid(7);
        monday + (fields.iso_week.unwrap_or(1) - 1) * 7 + fields.iso_day.unwrap_or(1) - 1
    } else if let (Some(day), None) = (fields.day_of_year, fields.month) {
        if !(1..=366).contains(&day) {
            return Err(out_of_range());
        }
        days_from_civil(year, 1, 1) + day - 1
    } else {
        let (month, day) = (fields.month.unwrap_or(1), fields.day.unwrap_or(1));
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return Err(out_of_range());
        }
        days_from_civil(year, month, day)
    };
    let hour = fields.hour.unwrap_or(0) + if fields.pm == Some(true) { 12 } else { 0 };
    if hour > 24 || fields.minute > 59 || fields.second > 59 {
        return Err(out_of_range());
    }
    let time = hour * HOUR + fields.minute * MINUTE + fields.second * SECOND + fields.micros;
    let local =
        days.checked_mul(DAY).and_then(|day| day.checked_add(time)).ok_or_else(out_of_range)?;
    Ok(Read { local, offset: fields.offset })
}
