//! Time zones: names of the IANA database, abbreviations, POSIX offsets.

use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone as _, offset::LocalResult};
use chrono_tz::{OffsetName, Tz};

/// The setting `TimeZone`, or a zone written in a value.
#[derive(Clone, PartialEq, Debug)]
pub enum TimeZone {
    /// A zone of the IANA database.
    Named(Tz),
    /// Seconds east of Greenwich, with the name to show.
    Fixed(i32, String),
}

const MICROS: i64 = 1_000_000;

impl TimeZone {
    /// UTC.
    pub const UTC: TimeZone = TimeZone::Named(Tz::UTC);

    /// A zone by what `SET TimeZone` takes: an IANA name in any case, an abbreviation, an offset
    /// in hours (`-7.5`), or a POSIX zone with its sign west-positive (`XXX+3`).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(zone) = Tz::from_str(text) {
            return Some(TimeZone::Named(zone));
        }
        if let Some(zone) = Self::by_name(text) {
            return Some(zone);
        }
        if let Ok(hours) = text.parse::<f64>()
            && hours.abs() <= 168.0
        {
            let seconds = (hours * 3600.0).round() as i32;
            return Some(Self::fixed(seconds));
        }
        Self::posix(text)
    }

    /// A zone of a fixed offset, named as PostgreSQL names it.
    pub fn fixed(seconds: i32) -> Self {
        let mut name = String::new();
        put_offset(seconds, &mut name);
        TimeZone::Fixed(seconds, format!("<{name}>{}", posix_offset(-seconds)))
    }

    /// A zone by its IANA name or abbreviation.
    pub fn by_name(text: &str) -> Option<Self> {
        if let Some(offset) = abbreviation(text) {
            let upper = text.to_ascii_uppercase();
            if offset == 0 && matches!(upper.as_str(), "UTC" | "GMT" | "Z" | "UT" | "ZULU") {
                return Some(TimeZone::Named(if upper == "GMT" { Tz::GMT } else { Tz::UTC }));
            }
            return Some(TimeZone::Fixed(offset, upper));
        }
        if let Ok(zone) = Tz::from_str(text) {
            return Some(TimeZone::Named(zone));
        }
        let spelled = chrono_tz::TZ_VARIANTS.iter();
        spelled
            .into_iter()
            .find(|zone| zone.name().eq_ignore_ascii_case(text))
            .map(|zone| TimeZone::Named(*zone))
    }

    /// A zone as `AT TIME ZONE` takes it: an abbreviation, an IANA name, or a POSIX zone, in which
    /// offsets count westward even without a name.
    pub fn for_value(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::by_name(text).or_else(|| Self::posix(text))
    }

    fn posix(text: &str) -> Option<Self> {
        let (name, rest) = if let Some(inner) = text.strip_prefix('<') {
            inner.split_once('>')?
        } else {
            let end = text.find(|c: char| !c.is_ascii_alphabetic())?;
            if !matches!(end, 0 | 3..) {
                return None;
            }
            text.split_at(end)
        };
        let (negative, rest) = match rest.as_bytes().first()? {
            b'-' => (true, &rest[1..]),
            b'+' => (false, &rest[1..]),
            _ => (false, rest),
        };
        let mut seconds = 0;
        let mut unit = 3600;
        for part in rest.split(':') {
            seconds += part.parse::<i32>().ok().filter(|part| (0..=167).contains(part))? * unit;
            unit /= 60;
        }
        let west = if negative { -seconds } else { seconds };
        if name.is_empty() {
            return Some(Self::fixed(-west));
        }
        Some(TimeZone::Fixed(-west, name.to_owned()))
    }

    /// The name that `SHOW TimeZone` gives.
    pub fn name(&self) -> &str {
        match self {
            TimeZone::Named(zone) => zone.name(),
            TimeZone::Fixed(_, name) => name,
        }
    }

    /// Seconds east of Greenwich at a moment.
    pub fn offset_at(&self, unix_us: i64) -> i32 {
        match self {
            TimeZone::Named(Tz::UTC) => 0,
            TimeZone::Fixed(seconds, _) => *seconds,
            TimeZone::Named(zone) => moment(unix_us)
                .map_or(0, |utc| zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()),
        }
    }

    /// The abbreviation in use at a moment.
    pub fn abbreviation_at(&self, unix_us: i64) -> String {
        match self {
            TimeZone::Fixed(_, name) => match name.strip_prefix('<') {
                Some(inner) => inner.split('>').next().unwrap_or("").to_owned(),
                None => name.clone(),
            },
            TimeZone::Named(zone) => moment(unix_us).map_or_else(String::new, |utc| {
                let offset = zone.offset_from_utc_datetime(&utc);
                if let Some(name) = offset.abbreviation() {
                    name.to_owned()
                } else {
                    let mut name = String::new();
                    put_offset(offset.fix().local_minus_utc(), &mut name);
                    name
                }
            }),
        }
    }

    /// Seconds east of Greenwich for a local time. A time that occurs twice is taken in standard
    /// time, one that a change of clocks skips in the offset before the change, as PostgreSQL
    /// does.
    pub fn offset_of_local(&self, local_us: i64) -> i32 {
        let zone = match self {
            TimeZone::Named(Tz::UTC) => return 0,
            TimeZone::Fixed(seconds, _) => return *seconds,
            TimeZone::Named(zone) => zone,
        };
        let Some(local) = moment(local_us) else { return 0 };
        match zone.offset_from_local_datetime(&local) {
            LocalResult::Single(offset) => offset.fix().local_minus_utc(),
            LocalResult::Ambiguous(_, later) => later.fix().local_minus_utc(),
            LocalResult::None => self.offset_at(local_us - 86_400 * MICROS),
        }
    }

    /// The local time of a moment, in microseconds.
    pub fn to_local(&self, unix_us: i64) -> i64 {
        unix_us.saturating_add(i64::from(self.offset_at(unix_us)) * MICROS)
    }

    /// The moment of a local time, in microseconds.
    pub fn to_utc(&self, local_us: i64) -> i64 {
        local_us.saturating_sub(i64::from(self.offset_of_local(local_us)) * MICROS)
    }
}

fn moment(unix_us: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(unix_us).map(|utc| utc.naive_utc())
}

fn posix_offset(west: i32) -> String {
    let mut name = String::new();
    put_offset(west, &mut name);
    name
}

/// Appends `+hh[:mm[:ss]]`.
pub fn put_offset(seconds: i32, out: &mut String) {
    use std::fmt::Write;
    let sign = if seconds < 0 { '-' } else { '+' };
    let magnitude = seconds.unsigned_abs();
    let _ = write!(out, "{sign}{:02}", magnitude / 3600);
    if !magnitude.is_multiple_of(3600) {
        let _ = write!(out, ":{:02}", magnitude / 60 % 60);
        if !magnitude.is_multiple_of(60) {
            let _ = write!(out, ":{:02}", magnitude % 60);
        }
    }
}

/// Fixed offsets of the abbreviations in daily use, in quarter hours.
const ABBREVIATIONS: &[(&str, i32)] = &[
    ("utc", 0),
    ("ut", 0),
    ("gmt", 0),
    ("z", 0),
    ("zulu", 0),
    ("wet", 0),
    ("uct", 0),
    ("bst", 4),
    ("cet", 4),
    ("met", 4),
    ("west", 4),
    ("mez", 4),
    ("cest", 8),
    ("cets", 8),
    ("eet", 8),
    ("sast", 8),
    ("mest", 8),
    ("mesz", 8),
    ("cat", 8),
    ("eest", 12),
    ("msk", 12),
    ("eat", 12),
    ("idt", 12),
    ("ist", 8),
    ("msd", 16),
    ("pkt", 20),
    ("uzt", 20),
    ("almt", 24),
    ("ict", 28),
    ("wib", 28),
    ("cct", 32),
    ("hkt", 32),
    ("pht", 32),
    ("sgt", 32),
    ("awst", 32),
    ("wita", 32),
    ("jst", 36),
    ("kst", 36),
    ("wit", 36),
    ("acst", 38),
    ("aest", 40),
    ("acdt", 42),
    ("aedt", 44),
    ("nzst", 48),
    ("nzt", 48),
    ("nzdt", 52),
    ("fjt", 48),
    ("ndt", -10),
    ("nst", -14),
    ("nft", -14),
    ("brt", -12),
    ("art", -12),
    ("adt", -12),
    ("brst", -8),
    ("ast", -16),
    ("edt", -16),
    ("clt", -16),
    ("clst", -12),
    ("est", -20),
    ("cdt", -20),
    ("cst", -24),
    ("mdt", -24),
    ("mst", -28),
    ("pdt", -28),
    ("pst", -32),
    ("akdt", -32),
    ("akst", -36),
    ("hst", -40),
];

/// Seconds east of Greenwich of an abbreviation.
pub fn abbreviation(text: &str) -> Option<i32> {
    ABBREVIATIONS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, quarters)| quarters * 900)
}
