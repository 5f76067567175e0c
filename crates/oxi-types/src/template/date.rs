//! `to_char` of dates and times.

use std::fmt::Write;

use crate::datetime::{DAY, HOUR, MINUTE, SECOND, civil_from_days, days_from_civil, iso_week};

/// What a template may ask of a moment.
pub struct Moment {
    /// The local timestamp.
    pub local: i64,
    /// Offset and abbreviation of the zone, if there is one.
    pub zone: Option<(i32, String)>,
}

/// The patterns, longest first where one starts another.
pub(super) const PATTERNS: &[&str] = &[
    "Y,YYY", "A.D.", "A.M.", "B.C.", "P.M.", "MONTH", "SSSSS", "HH24", "HH12", "IYYY", "IDDD",
    "SSSS", "YYYY", "DAY", "DDD", "IYY", "MON", "TZH", "TZM", "YYY", "FF1", "FF2", "FF3", "FF4",
    "FF5", "FF6", "AD", "AM", "BC", "CC", "DD", "DY", "HH", "ID", "IW", "IY", "MI", "MM", "MS",
    "OF", "PM", "RM", "SS", "TZ", "US", "WW", "YY", "D", "I", "J", "Q", "W", "Y",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] =
    ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) enum Piece<'a> {
    /// A pattern as written, and its name.
    Pattern { name: &'static str, written: &'a str, fill: bool, ordinal: Option<&'a str> },
    /// Text that stands for itself.
    Literal(char),
    /// Text in quotes.
    Quoted(char),
}

/// Splits a template.
pub(super) fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let mut chars = rest[1..].char_indices();
            let mut end = rest.len();
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        end = at + 2;
                        break;
                    }
                    '\\' => out.extend(chars.next().map(|(_, c)| Piece::Quoted(c))),
                    c => out.push(Piece::Quoted(c)),
                }
            }
            rest = &rest[end..];
            continue;
        }
        let mut body = rest;
        let mut fill = true;
        loop {
            let prefix = body.get(..2).unwrap_or("").to_ascii_uppercase();
            match prefix.as_str() {
                "FM" => fill = false,
                "TM" | "FX" => {}
                _ => break,
            }
            body = &body[2..];
        }
        let found = PATTERNS.iter().find(|name| {
            body.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name))
        });
        match found {
            Some(name) => {
                let (written, mut after) = body.split_at(name.len());
                let suffix = after.get(..2).filter(|suffix| suffix.eq_ignore_ascii_case("th"));
                if let Some(suffix) = suffix {
                    after = &after[suffix.len()..];
                }
                out.push(Piece::Pattern { name, written, fill, ordinal: suffix });
                rest = after;
            }
            None if body.len() < rest.len() => rest = body,
            None => {
                let mut chars = rest.chars();
                let c = chars.next().unwrap_or(' ');
                if c == '\\' && chars.clone().next() == Some('"') {
                    out.push(Piece::Literal('"'));
                    rest = &rest[2..];
                    continue;
                }
                out.push(Piece::Literal(c));
                rest = chars.as_str();
            }
        }
    }
    out
}

fn cased(name: &str, written: &str) -> String {
    let mut letters = written.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_uppercase() => {
            name.to_uppercase()
        }
        (Some(first), _) if first.is_uppercase() => name.to_owned(),
        _ => name.to_lowercase(),
    }
}

fn ordinal(number: i64) -> &'static str {
    match (number.abs() % 100, number.abs() % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

/// Writes a moment by a template.
pub fn format(moment: &Moment, template: &str) -> String {
    let (days, time) = (moment.local.div_euclid(DAY), moment.local.rem_euclid(DAY));
    let mut out = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Literal(c) | Piece::Quoted(c) => out.push(c),
            Piece::Pattern { name, written, fill, ordinal: suffix } => {
                put(moment, days, time, name, written, fill, suffix, &mut out);
            }
        }
    }
    out
}

#[allow(clippy::too_many_arguments, reason = "the parts of one pattern")]
fn put(
    moment: &Moment,
    days: i64,
    time: i64,
    name: &str,
    written: &str,
    fill: bool,
    suffix: Option<&str>,
    out: &mut String,
) {
    let (astronomical, month, day) = civil_from_days(days);
    let year = if astronomical > 0 { astronomical } else { 1 - astronomical };
    let (iso_year, iso_weeks) = iso_week(days);
    let day_of_year = days - days_from_civil(astronomical, 1, 1) + 1;
    let weekday = (days + 4).rem_euclid(7);
    let hour = time / HOUR;
    let micros = time % SECOND;
    let zone = moment.zone.as_ref();
    let offset = zone.map_or(0, |(offset, _)| *offset);
    let word = |text: &str, width: usize| {
        let text = cased(text, written);
        if fill { format!("{text:<width$}") } else { text }
    };
    let half = |am: &str, pm: &str| {
        let text = if hour < 12 { am } else { pm };
        if written.starts_with(char::is_uppercase) { text.to_uppercase() } else { text.to_owned() }
    };
    let text = match name {
        "AM" | "PM" => Some(half("am", "pm")),
        "A.M." | "P.M." => Some(half("a.m.", "p.m.")),
        "AD" | "BC" | "A.D." | "B.C." => {
            let era = match (astronomical > 0, name.contains('.')) {
                (true, false) => "AD",
                (false, false) => "BC",
                (true, true) => "A.D.",
                (false, true) => "B.C.",
            };
            let upper = written.starts_with(char::is_uppercase);
            Some(if upper { era.to_owned() } else { era.to_lowercase() })
        }
        "MONTH" => Some(word(MONTHS[month as usize - 1], 9)),
        "MON" => Some(cased(&MONTHS[month as usize - 1][..3], written)),
        "DAY" => Some(word(DAYS[weekday as usize], 9)),
        "DY" => Some(cased(&DAYS[weekday as usize][..3], written)),
        "RM" => {
            let upper = written.starts_with('R');
            let numeral = ROMAN[month as usize - 1];
            let numeral = if upper { numeral.to_owned() } else { numeral.to_lowercase() };
            Some(if fill { format!("{numeral:<4}") } else { numeral })
        }
        "TZ" => Some(zone.map_or_else(String::new, |(_, name)| {
            if written.starts_with('T') { name.to_uppercase() } else { name.to_lowercase() }
        })),
        "TZH" => Some(format!("{}{:02}", if offset < 0 { '-' } else { '+' }, offset.abs() / 3600)),
        "TZM" => Some(format!("{:02}", offset.abs() / 60 % 60)),
        "OF" => {
            let mut shown =
                format!("{}{:02}", if offset < 0 { '-' } else { '+' }, offset.abs() / 3600);
            if offset % 3600 != 0 {
                let _ = write!(shown, ":{:02}", offset.abs() / 60 % 60);
            }
            Some(shown)
        }
        "Y,YYY" => Some(format!("{},{:03}", year / 1000, year % 1000)),
        _ => None,
    };
    if let Some(text) = text {
        out.push_str(&text);
        return;
    }
    let iso_shown = if iso_year > 0 { iso_year } else { 1 - iso_year };
    let (number, width) = match name {
        "HH" | "HH12" => ((hour + 11) % 12 + 1, 2),
        "HH24" => (hour, 2),
        "MI" => (time / MINUTE % 60, 2),
        "SS" => (time / SECOND % 60, 2),
        "MS" | "FF3" => (micros / 1000, 3),
        "US" | "FF6" => (micros, 6),
        "FF1" => (micros / 100_000, 1),
        "FF2" => (micros / 10_000, 2),
        "FF4" => (micros / 100, 4),
        "FF5" => (micros / 10, 5),
        "SSSS" | "SSSSS" => (time / SECOND, 0),
        "YYYY" => (year, 4),
        "YYY" => (year % 1000, 3),
        "YY" => (year % 100, 2),
        "Y" => (year % 10, 1),
        "IYYY" => (iso_shown, 4),
        "IYY" => (iso_shown % 1000, 3),
        "IY" => (iso_shown % 100, 2),
        "I" => (iso_shown % 10, 1),
        "MM" => (month, 2),
        "DDD" => (day_of_year, 3),
        "IDDD" => ((iso_weeks - 1) * 7 + (weekday + 6) % 7 + 1, 3),
        "DD" => (day, 2),
        "D" => (weekday + 1, 1),
        "ID" => ((weekday + 6) % 7 + 1, 1),
        "W" => ((day - 1) / 7 + 1, 1),
        "WW" => ((day_of_year - 1) / 7 + 1, 2),
        "IW" => (iso_weeks, 2),
        "CC" if astronomical > 0 => ((year + 99) / 100, 2),
        "CC" => (-((year + 99) / 100), 3),
        "J" => (days + crate::datetime::UNIX_JULIAN, 0),
        "Q" => ((month - 1) / 3 + 1, 1),
        _ => (0, 0),
    };
    let fraction = matches!(name, "MS" | "US") || name.starts_with("FF");
    let width = if fill || fraction { width } else { 0 };
    let _ = write!(out, "{number:0width$}");
    if let Some(suffix) = suffix {
        let ending = ordinal(number);
        let upper = suffix.starts_with('T');
        out.push_str(&if upper { ending.to_uppercase() } else { ending.to_owned() });
    }
}
