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
    let parts = Parts::of(moment, days, time);
    let mut out = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Literal(c) | Piece::Quoted(c) => out.push(c),
            Piece::Pattern { name, written, fill, ordinal: suffix } => {
                put(&parts, name, written, fill, suffix, &mut out);
            }
        }
    }
    out
}

/// The parts of a moment that patterns show.
struct Parts<'a> {
    days: i64,
    time: i64,
    astronomical: i64,
    year: i64,
    month: i64,
    day: i64,
    iso_year: i64,
    iso_weeks: i64,
    day_of_year: i64,
    weekday: i64,
    offset: i64,
    zone: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(moment: &'a Moment, days: i64, time: i64) -> Self {
        let (astronomical, month, day) = civil_from_days(days);
        let (iso_year, iso_weeks) = iso_week(days);
        let zone = moment.zone.as_ref();
        Parts {
            days,
            time,
            astronomical,
            year: if astronomical > 0 { astronomical } else { 1 - astronomical },
            month,
            day,
            iso_year: if iso_year > 0 { iso_year } else { 1 - iso_year },
            iso_weeks,
            day_of_year: days - days_from_civil(astronomical, 1, 1) + 1,
            weekday: (days + 4).rem_euclid(7),
            offset: zone.map_or(0, |(offset, _)| i64::from(*offset)),
            zone: zone.map(|(_, name)| name.as_str()),
        }
    }

    /// `+02`
    fn offset_hours(&self) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        format!("{sign}{:02}", self.offset.abs() / 3600)
    }

    /// What a pattern of letters shows; `None` if it shows a number.
    fn text(&self, name: &str, written: &str, fill: bool) -> Option<String> {
        let word = |text: &str, width: usize| {
            let text = cased(text, written);
            if fill { format!("{text:<width$}") } else { text }
        };
        let capital = written.starts_with(char::is_uppercase);
        let marked = |text: &str| if capital { text.to_uppercase() } else { text.to_lowercase() };
        let is_morning = self.time / HOUR < 12;
        let month = MONTHS[self.month as usize - 1];
        let day = DAYS[self.weekday as usize];
        Some(match name {
            "AM" | "PM" => marked(if is_morning { "am" } else { "pm" }),
            "A.M." | "P.M." => marked(if is_morning { "a.m." } else { "p.m." }),
            "AD" | "BC" => marked(if self.astronomical > 0 { "ad" } else { "bc" }),
            "A.D." | "B.C." => marked(if self.astronomical > 0 { "a.d." } else { "b.c." }),
            "MONTH" => word(month, 9),
            "MON" => cased(&month[..3], written),
            "DAY" => word(day, 9),
            "DY" => cased(&day[..3], written),
            "RM" => {
                let numeral = marked(ROMAN[self.month as usize - 1]);
                if fill { format!("{numeral:<4}") } else { numeral }
            }
            "TZ" => self.zone.map_or_else(String::new, marked),
            "TZH" => self.offset_hours(),
            "TZM" => format!("{:02}", self.offset.abs() / 60 % 60),
            "OF" => {
                let mut shown = self.offset_hours();
                if self.offset % 3600 != 0 {
                    let _ = write!(shown, ":{:02}", self.offset.abs() / 60 % 60);
                }
                shown
            }
            "Y,YYY" => format!("{},{:03}", self.year / 1000, self.year % 1000),
            _ => return None,
        })
    }

    /// The number that a pattern shows, and how wide it is.
    fn number(&self, name: &str) -> (i64, usize) {
        let hour = self.time / HOUR;
        let micros = self.time % SECOND;
        match name {
            "HH" | "HH12" => ((hour + 11) % 12 + 1, 2),
            "HH24" => (hour, 2),
            "MI" => (self.time / MINUTE % 60, 2),
            "SS" => (self.time / SECOND % 60, 2),
            "MS" | "FF3" => (micros / 1000, 3),
            "US" | "FF6" => (micros, 6),
            "FF1" => (micros / 100_000, 1),
            "FF2" => (micros / 10_000, 2),
            "FF4" => (micros / 100, 4),
            "FF5" => (micros / 10, 5),
            "SSSS" | "SSSSS" => (self.time / SECOND, 0),
            "YYYY" => (self.year, 4),
            "YYY" => (self.year % 1000, 3),
            "YY" => (self.year % 100, 2),
            "Y" => (self.year % 10, 1),
            "IYYY" => (self.iso_year, 4),
            "IYY" => (self.iso_year % 1000, 3),
            "IY" => (self.iso_year % 100, 2),
            "I" => (self.iso_year % 10, 1),
            "MM" => (self.month, 2),
            "DDD" => (self.day_of_year, 3),
            "IDDD" => ((self.iso_weeks - 1) * 7 + (self.weekday + 6) % 7 + 1, 3),
            "DD" => (self.day, 2),
            "D" => (self.weekday + 1, 1),
            "ID" => ((self.weekday + 6) % 7 + 1, 1),
            "W" => ((self.day - 1) / 7 + 1, 1),
            "WW" => ((self.day_of_year - 1) / 7 + 1, 2),
            "IW" => (self.iso_weeks, 2),
            "CC" if self.astronomical > 0 => ((self.year + 99) / 100, 2),
            "CC" => (-((self.year + 99) / 100), 3),
            "J" => (self.days + crate::datetime::UNIX_JULIAN, 0),
            "Q" => ((self.month - 1) / 3 + 1, 1),
            _ => (0, 0),
        }
    }
}

/// Shows one pattern.
fn put(
    parts: &Parts<'_>,
    name: &str,
    written: &str,
    fill: bool,
    suffix: Option<&str>,
    out: &mut String,
) {
    if let Some(text) = parts.text(name, written, fill) {
        out.push_str(&text);
        return;
    }
    let (number, width) = parts.number(name);
    let fraction = matches!(name, "MS" | "US") || name.starts_with("FF");
    let width = if fill || fraction { width } else { 0 };
    let _ = write!(out, "{number:0width$}");
    if let Some(suffix) = suffix {
        let ending = ordinal(number);
        let upper = suffix.starts_with('T');
        out.push_str(&if upper { ending.to_uppercase() } else { ending.to_owned() });
    }
}
