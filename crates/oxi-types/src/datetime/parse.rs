//! Text input of dates and times.

mod token;

use oxi_base::{Error, Result, SqlState};
use oxi_model::Interval;

use super::{
    DAY, HOUR, INFINITY, MIN_DATE, MINUTE, NEG_INFINITY, SECOND, days_from_civil, days_in_month,
    is_leap, timetz, words, zone::TimeZone,
};
use crate::context::{DateOrder, EvalContext};

use token::{Kind, tokens};

/// Why an input was refused.
enum Refusal {
    Syntax,
    Overflow,
    MonthDayOverflow,
    ZoneOverflow,
    UnknownZone(String),
}

type Parsed<T> = std::result::Result<T, Refusal>;

fn report(refusal: Refusal, text: &str, type_name: &str) -> Error {
    let overflow = || {
        Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date/time field value out of range: \"{text}\""),
        )
    };
    match refusal {
        Refusal::Syntax => Error::new(
            SqlState::INVALID_DATETIME_FORMAT,
            format!("invalid input syntax for type {type_name}: \"{text}\""),
        ),
        Refusal::Overflow => overflow(),
        Refusal::MonthDayOverflow => {
            overflow().with_hint("Perhaps you need a different \"datestyle\" setting.")
        }
        Refusal::ZoneOverflow => Error::new(
            SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
            format!("time zone displacement out of range: \"{text}\""),
        ),
        Refusal::UnknownZone(name) => Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("time zone \"{name}\" not recognized"),
        ),
    }
}

/// What an input said.
#[derive(Default)]
struct Fields {
    infinite: Option<i64>,
    epoch: bool,
    now: bool,
    relative_day: Option<i64>,
    /// Astronomical year, month, day.
    date: Option<(i64, i64, i64)>,
    julian: Option<i64>,
    month: Option<i64>,
    numbers: Vec<(i64, usize)>,
    time: Option<i64>,
    meridian: Option<bool>,
    bc: bool,
    zone: Option<TimeZone>,
}

fn int(text: &str) -> Parsed<i64> {
    text.parse().map_err(|_| Refusal::Overflow)
}

fn fraction_micros(digits: &str) -> i64 {
    let kept: String = digits.chars().chain("0000000".chars()).take(7).collect();
    let value: i64 = kept.parse().unwrap_or(0);
    (value + 5) / 10
}

/// `hh:mm[:ss[.ffffff]]`.
fn parse_time(text: &str) -> Parsed<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let parts: Vec<&str> = clock.split(':').collect();
    if parts.len() > 3 || parts.iter().any(|part| part.is_empty()) {
        return Err(Refusal::Syntax);
    }
    let hour = int(parts[0])?;
    let (hour, minute, second) = match parts.len() {
        3 => (hour, int(parts[1])?, int(parts[2])?),
        // mm:ss.fff is what a fraction without seconds means.
        2 if text.contains('.') => (0, hour, int(parts[1])?),
        2 => (hour, int(parts[1])?, 0),
        _ => return Err(Refusal::Syntax),
    };
    clock_micros(hour, minute, second, fraction_micros(fraction))
}

fn clock_micros(hour: i64, minute: i64, second: i64, micros: i64) -> Parsed<i64> {
    let total = hour * HOUR + minute * MINUTE + second * SECOND + micros;
    if minute > 59 || second > 60 || hour > 24 || total > DAY {
        return Err(Refusal::Overflow);
    }
    Ok(total)
}

/// `+hh[:mm[:ss]]`, `+hhmm`.
fn parse_offset(text: &str) -> Parsed<i32> {
    let negative = text.starts_with('-');
    let body = text[1..].trim_start();
    let mut parts = body.split(':').map(int);
    let first = parts.next().unwrap_or(Err(Refusal::Syntax))?;
    let (hours, minutes) = match parts.next() {
        Some(minutes) => (first, minutes?),
        None if body.len() > 2 => (first / 100, first % 100),
        None => (first, 0),
    };
    let seconds = parts.next().unwrap_or(Ok(0))?;
    if hours > 15 || minutes > 59 || seconds > 59 {
        return Err(Refusal::ZoneOverflow);
    }
    let total = (hours * 3600 + minutes * 60 + seconds) as i32;
    Ok(if negative { -total } else { total })
}

fn two_digit_year(year: i64, digits: usize) -> i64 {
    match (digits, year) {
        (..=2, ..70) => year + 2000,
        (..=2, _) => year + 1900,
        _ => year,
    }
}

/// Three numbers in the session's order, or as their lengths tell.
fn order_numbers(context: &EvalContext, parts: &[(i64, usize)]) -> Parsed<(i64, i64, i64)> {
    let &[a, b, c] = parts else { return Err(Refusal::Syntax) };
    let year = |part: (i64, usize)| two_digit_year(part.0, part.1);
    if a.1 >= 3 {
        return Ok((year(a), b.0, c.0));
    }
    Ok(match context.date_style.order {
        DateOrder::Ymd => (year(a), b.0, c.0),
        DateOrder::Dmy => (year(c), b.0, a.0),
        DateOrder::Mdy => (year(c), a.0, b.0),
    })
}

impl Fields {
    fn date_token(&mut self, context: &EvalContext, text: &str) -> Parsed<()> {
        let mut numbers = Vec::new();
        let mut month = None;
        let mut month_first = false;
        for part in text.split(['-', '/', '.']) {
            if part.is_empty() {
                return Err(Refusal::Syntax);
            }
            if part.as_bytes()[0].is_ascii_digit() {
                numbers.push((int(part)?, part.len()));
            } else {
                month = Some(words::month(part).ok_or(Refusal::Syntax)?);
                month_first = numbers.is_empty();
            }
        }
        let _ = month_first;
        let date = match (month, numbers.as_slice()) {
            (None, [year, day]) if day.1 == 3 => {
                let (year, day) = (two_digit_year(year.0, year.1), day.0);
                if day < 1 || day > 365 + i64::from(is_leap(year)) {
                    return Err(Refusal::Overflow);
                }
                let days = days_from_civil(year, 1, 1) + day - 1;
                super::civil_from_days(days)
            }
            (None, numbers) => order_numbers(context, numbers)?,
            (Some(month), [a, b]) => month_and_numbers(context, month, *a, *b),
            (Some(month), [day]) if self.numbers.is_empty() => {
                self.month = Some(month);
                self.numbers.push(*day);
                return Ok(());
            }
            _ => return Err(Refusal::Syntax),
        };
        if self.date.replace(date).is_some() {
            return Err(Refusal::Syntax);
        }
        Ok(())
    }

    fn number(&mut self, text: &str) -> Parsed<()> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let has_date = self.date.is_some() || self.julian.is_some() || self.relative_day.is_some();
        let at = |from: usize, to: usize| int(&whole[from..to]);
        if has_date && self.time.is_none() && matches!(whole.len(), 4 | 6) {
            let second = if whole.len() == 6 { at(4, 6)? } else { 0 };
            let micros = fraction_micros(fraction.unwrap_or(""));
            self.time = Some(clock_micros(at(0, 2)?, at(2, 4)?, second, micros)?);
            return Ok(());
        }
        if let Some(fraction) = fraction {
            // Year and day of the year.
            if fraction.len() == 3 && self.date.is_none() {
                let (year, day) = (two_digit_year(int(whole)?, whole.len()), int(fraction)?);
                if day < 1 || day > 365 + i64::from(is_leap(year)) {
                    return Err(Refusal::Overflow);
                }
                self.date = Some(super::civil_from_days(days_from_civil(year, 1, 1) + day - 1));
                return Ok(());
            }
            return Err(Refusal::Syntax);
        }
        if self.date.is_none() && self.month.is_none() && self.numbers.is_empty() {
            match whole.len() {
                8.. => {
                    let split = whole.len() - 4;
                    let year = at(0, split)?;
                    self.date = Some((year, at(split, split + 2)?, at(split + 2, split + 4)?));
                    return Ok(());
                }
                6 => {
                    let year = two_digit_year(at(0, 2)?, 2);
                    self.date = Some((year, at(2, 4)?, at(4, 6)?));
                    return Ok(());
                }
                _ => {}
            }
        }
        if self.numbers.len() >= 3 || self.date.is_some() {
            return Err(Refusal::Syntax);
        }
        self.numbers.push((int(whole)?, whole.len()));
        Ok(())
    }

    fn word(&mut self, text: &str) -> Parsed<()> {
        let lower = text.replace(' ', "").to_ascii_lowercase();
        match lower.as_str() {
            "infinity" | "+infinity" => self.infinite = Some(INFINITY),
            "-infinity" => self.infinite = Some(NEG_INFINITY),
            "epoch" => self.epoch = true,
            "now" => self.now = true,
            "today" => self.relative_day = Some(0),
            "tomorrow" => self.relative_day = Some(1),
            "yesterday" => self.relative_day = Some(-1),
            "allballs" => {
                self.time = Some(0);
                self.zone = Some(TimeZone::UTC);
            }
            "am" => self.meridian = Some(false),
            "pm" => self.meridian = Some(true),
            "bc" => self.bc = true,
            "ad" | "at" | "on" => {}
            "z" => self.zone = Some(TimeZone::UTC),
            "dst" => {
                if let Some(TimeZone::Fixed(offset, _)) = &mut self.zone {
                    *offset += 3600;
                }
            }
            _ => {
                if let Some(month) = words::month(&lower) {
                    if self.month.replace(month).is_some() {
                        return Err(Refusal::Syntax);
                    }
                } else if let Some(day) = lower.strip_prefix('j').filter(|rest| {
                    !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
                }) {
                    self.julian = Some(int(day)?);
                } else if words::is_weekday(&lower) {
                } else if let Some(zone) = TimeZone::by_name(text) {
                    self.zone = Some(zone);
                } else {
                    return Err(Refusal::Syntax);
                }
            }
        }
        Ok(())
    }

    fn read(context: &EvalContext, text: &str) -> Parsed<Self> {
        let mut fields = Fields::default();
        let found = tokens(text)?;
        if found.is_empty() {
            return Err(Refusal::Syntax);
        }
        for token in found {
            match token.kind {
                Kind::Number => fields.number(token.text)?,
                Kind::Date => fields.date_token(context, token.text)?,
                Kind::Time => {
                    if fields.time.replace(parse_time(token.text)?).is_some() {
                        return Err(Refusal::Syntax);
                    }
                }
                Kind::Word => fields.word(token.text)?,
                Kind::Offset => {
                    let offset = parse_offset(token.text)?;
                    if fields.zone.is_some() {
                        return Err(Refusal::Syntax);
                    }
                    fields.zone = Some(TimeZone::fixed(offset));
                }
                Kind::Zone => {
                    fields.zone = Some(
                        TimeZone::parse(token.text)
                            .ok_or_else(|| Refusal::UnknownZone(token.text.to_owned()))?,
                    );
                }
            }
        }
        fields.settle(context)?;
        Ok(fields)
    }

    /// Puts loose numbers and the month together and checks the date.
    fn settle(&mut self, context: &EvalContext) -> Parsed<()> {
        if self.date.is_none() && (self.month.is_some() || !self.numbers.is_empty()) {
            self.date = Some(match (self.month, self.numbers.as_slice()) {
                (Some(month), [a, b]) => month_and_numbers(context, month, *a, *b),
                (None, numbers) => order_numbers(context, numbers)?,
                _ => return Err(Refusal::Syntax),
            });
        } else if self.month.is_some() {
            return Err(Refusal::Syntax);
        }
        if let Some((year, month, day)) = self.date {
            let two_digits = |(value, digits): &(i64, usize)| {
                *digits <= 2 && two_digit_year(*value, *digits) == year
            };
            let year =
                if self.bc && self.numbers.iter().any(two_digits) { year % 100 } else { year };
            let year = if self.bc {
                if year < 1 {
                    return Err(Refusal::Overflow);
                }
                1 - year
            } else if year == 0 {
                return Err(Refusal::Overflow);
            } else {
                year
            };
            if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
                return Err(Refusal::MonthDayOverflow);
            }
            if day > days_in_month(year, month) {
                return Err(Refusal::Overflow);
            }
            self.date = Some((year, month, day));
        }
        if let (Some(pm), Some(time)) = (self.meridian, self.time) {
            if !(HOUR..13 * HOUR).contains(&time) && !(0..HOUR).contains(&time) {
                return Err(Refusal::Overflow);
            }
            let twelve = time >= 12 * HOUR;
            self.time = Some(match (pm, twelve) {
                (true, false) => time + 12 * HOUR,
                (false, true) => time - 12 * HOUR,
                _ => time,
            });
        }
        Ok(())
    }

    /// The days since 1970-01-01 that the date says.
    fn days(&self, context: &EvalContext) -> Parsed<Option<i64>> {
        if let Some((year, month, day)) = self.date {
            return Ok(Some(days_from_civil(year, month, day)));
        }
        if let Some(julian) = self.julian {
            return Ok(Some(julian - super::UNIX_JULIAN));
        }
        if let Some(offset) = self.relative_day {
            let local = context.timezone.to_local(context.transaction_us);
            return Ok(Some(local.div_euclid(DAY) + offset));
        }
        Ok(None)
    }
}

/// A month word with two numbers: which is the year?
fn month_and_numbers(
    context: &EvalContext,
    month: i64,
    a: (i64, usize),
    b: (i64, usize),
) -> (i64, i64, i64) {
    let a_is_year =
        a.1 >= 3 || a.0 > 31 || (context.date_style.order == DateOrder::Ymd && b.1 <= 2);
    let (year, day) = if a_is_year && b.1 <= 2 { (a, b) } else { (b, a) };
    (two_digit_year(year.0, year.1), month, day.0)
}

/// Reads a date.
pub fn date_in(context: &EvalContext, text: &str) -> Result<i32> {
    let fail = |refusal| report(refusal, text, "date");
    let fields = Fields::read(context, text).map_err(fail)?;
    match fields.infinite {
        Some(NEG_INFINITY) => return Ok(i32::MIN),
        Some(_) => return Ok(i32::MAX),
        None => {}
    }
    if fields.epoch {
        return Ok(0);
    }
    if fields.now {
        return Ok(context.timezone.to_local(context.transaction_us).div_euclid(DAY) as i32);
    }
    let days = fields.days(context).map_err(fail)?.ok_or_else(|| fail(Refusal::Syntax))?;
    super::checked_date(days).map_err(|_| {
        Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date out of range: \"{text}\""))
    })
}

fn timestamp_parts(
    context: &EvalContext,
    text: &str,
    type_name: &str,
) -> Result<(i64, Option<TimeZone>)> {
    let fail = |refusal| report(refusal, text, type_name);
    let fields = Fields::read(context, text).map_err(fail)?;
    if let Some(infinite) = fields.infinite {
        return Ok((infinite, None));
    }
    if fields.epoch {
        return Ok((0, Some(TimeZone::UTC)));
    }
    if fields.now {
        return Ok((context.timezone.to_local(context.transaction_us), None));
    }
    let days = fields.days(context).map_err(fail)?.ok_or_else(|| fail(Refusal::Syntax))?;
    let out_of_range = || {
        Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("timestamp out of range: \"{text}\""))
    };
    let micros = days
        .checked_mul(DAY)
        .and_then(|day| day.checked_add(fields.time.unwrap_or(0)))
        .filter(|_| days >= MIN_DATE)
        .ok_or_else(out_of_range)?;
    Ok((micros, fields.zone))
}

/// Reads a timestamp without time zone; a zone in the text is ignored.
pub fn timestamp_in(context: &EvalContext, text: &str) -> Result<i64> {
    timestamp_parts(context, text, "timestamp").map(|(micros, _)| micros)
}

/// Reads a timestamp with time zone.
pub fn timestamptz_in(context: &EvalContext, text: &str) -> Result<i64> {
    let (local, zone) = timestamp_parts(context, text, "timestamp with time zone")?;
    if super::is_infinite(local) {
        return Ok(local);
    }
    if text.trim().eq_ignore_ascii_case("now") {
        return Ok(context.transaction_us);
    }
    Ok(zone.as_ref().unwrap_or(&context.timezone).to_utc(local))
}

fn time_fields(context: &EvalContext, text: &str, type_name: &str) -> Result<(i64, Fields)> {
    let fail = |refusal| report(refusal, text, type_name);
    let mut fields = Fields::default();
    // A bare number is a time here: hhmmss or hhmm.
    let trimmed = text.trim();
    let plain = trimmed.split(['.', '+', '-', ' ']).next().unwrap_or("");
    if plain.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(plain.len(), 4 | 6)
        && !trimmed[plain.len()..].starts_with('-')
    {
        fields.relative_day = Some(0);
        let found = tokens(text).map_err(fail)?;
        for token in found {
            match token.kind {
                Kind::Number => fields.number(token.text).map_err(fail)?,
                Kind::Offset => {
                    fields.zone = Some(TimeZone::fixed(parse_offset(token.text).map_err(fail)?));
                }
                Kind::Word => fields.word(token.text).map_err(fail)?,
                _ => return Err(fail(Refusal::Syntax)),
            }
        }
    } else {
        fields = Fields::read(context, text).map_err(fail)?;
    }
    if fields.now {
        let local = context.timezone.to_local(context.transaction_us);
        return Ok((local.rem_euclid(DAY), fields));
    }
    let named = matches!(&fields.zone, Some(TimeZone::Named(zone)) if *zone != chrono_tz::Tz::UTC);
    let dated = fields.date.is_some() || fields.julian.is_some() || fields.relative_day.is_some();
    match fields.time {
        // Without a date a zone with changing clocks says nothing.
        Some(_) if named && !dated => Err(fail(Refusal::Syntax)),
        Some(time) => Ok((time, fields)),
        None => Err(fail(Refusal::Syntax)),
    }
}

/// Reads a time.
pub fn time_in(context: &EvalContext, text: &str) -> Result<i64> {
    time_fields(context, text, "time").map(|(time, _)| time)
}

/// Reads a time with time zone.
pub fn timetz_in(context: &EvalContext, text: &str) -> Result<Interval> {
    let (time, fields) = time_fields(context, text, "time with time zone")?;
    let days = fields.days(context).ok().flatten();
    let zone = fields.zone.as_ref().unwrap_or(&context.timezone);
    let local = match days {
        Some(days) => days * DAY + time,
        None => zone.to_local(context.transaction_us).div_euclid(DAY) * DAY + time,
    };
    Ok(timetz(time, zone.offset_of_local(local)))
}
