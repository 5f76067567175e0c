//! Text forms of intervals.

mod output;

use oxi_base::{Error, Result, SqlState};
use oxi_model::Interval;

use super::{
    DAY, HOUR, MINUTE, SECOND, interval_out_of_range, round_micros,
    words::{Unit, unit},
};
use crate::context::{EvalContext, IntervalStyle};

pub use output::interval_out;

fn invalid(text: &str) -> Error {
    Error::new(
        SqlState::INVALID_DATETIME_FORMAT,
        format!("invalid input syntax for type interval: \"{text}\""),
    )
}

fn field_overflow(text: &str) -> Error {
    Error::new(
        SqlState::INTERVAL_FIELD_OVERFLOW,
        format!("interval field value out of range: \"{text}\""),
    )
}

/// Sums of the parts read so far.
#[derive(Default, Clone, Copy)]
struct Sums {
    months: i128,
    days: i128,
    micros: i128,
}

impl Sums {
    fn add_days(&mut self, days: f64) {
        let whole = days.trunc();
        self.days += whole as i128;
        self.micros += ((days - whole) * DAY as f64).round_ties_even() as i128;
    }

    fn add_months(&mut self, whole: i128, fraction: f64) {
        self.months += whole;
        self.add_days(fraction * 30.0);
    }

    /// A number of a unit, given as integer part and fraction of one sign.
    fn add(&mut self, whole: i128, fraction: f64, of: Unit) {
        let years =
            |count: i128| (whole * count * 12, (fraction * count as f64 * 12.0).round_ties_even());
        match of {
            Unit::Microsecond => self.micros += whole + fraction.round_ties_even() as i128,
            Unit::Millisecond => {
                self.micros += whole * 1000 + (fraction * 1e3).round_ties_even() as i128;
            }
            Unit::Second => {
                self.micros +=
                    whole * i128::from(SECOND) + (fraction * 1e6).round_ties_even() as i128;
            }
            Unit::Minute => {
                self.micros += whole * i128::from(MINUTE)
                    + (fraction * MINUTE as f64).round_ties_even() as i128;
            }
            Unit::Hour => {
                self.micros +=
                    whole * i128::from(HOUR) + (fraction * HOUR as f64).round_ties_even() as i128;
            }
            Unit::Day => {
                self.days += whole;
                self.micros += (fraction * DAY as f64).round_ties_even() as i128;
            }
            Unit::Week => {
                self.days += whole * 7;
                self.add_days(fraction * 7.0);
            }
            Unit::Month => self.add_months(whole, fraction),
            Unit::Quarter => self.add_months(whole * 3, fraction * 3.0),
            Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium => {
                let count = match of {
                    Unit::Year => 1,
                    Unit::Decade => 10,
                    Unit::Century => 100,
                    _ => 1000,
                };
                let (months, extra) = years(count);
                self.months += months + extra as i128;
            }
        }
    }

    fn negate(&mut self) {
        self.months = -self.months;
        self.days = -self.days;
        self.micros = -self.micros;
    }

    fn finish(self, text: &str) -> Result<Interval> {
        match (i32::try_from(self.months), i32::try_from(self.days), i64::try_from(self.micros)) {
            (Ok(months), Ok(days), Ok(micros)) => Ok(Interval { months, days, micros }),
            _ => Err(field_overflow(text)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece<'a> {
    Number(&'a str),
    Clock(&'a str),
    YearMonth(&'a str),
    Word(&'a str),
}

fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte.is_ascii_whitespace() || matches!(byte, b'@' | b',') {
            at += 1;
            continue;
        }
        let start = at;
        if byte.is_ascii_alphabetic() {
            while at < bytes.len() && bytes[at].is_ascii_alphabetic() {
                at += 1;
            }
            out.push(Piece::Word(&text[start..at]));
            continue;
        }
        if matches!(byte, b'+' | b'-') {
            at += 1;
            while at < bytes.len() && bytes[at] == b' ' {
                at += 1;
            }
        }
        let digits = at;
        while at < bytes.len() && (bytes[at].is_ascii_digit() || matches!(bytes[at], b'.' | b':')) {
            at += 1;
        }
        if at == digits {
            return None;
        }
        let number = &text[start..at];
        if number.contains(':') {
            out.push(Piece::Clock(number));
        } else if bytes.get(at) == Some(&b'-')
            && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
            && !number.contains('.')
        {
            at += 1;
            while at < bytes.len() && bytes[at].is_ascii_digit() {
                at += 1;
            }
            out.push(Piece::YearMonth(&text[start..at]));
        } else {
            if matches!(bytes.get(at), Some(b'e' | b'E'))
                && bytes.get(at + 1).is_some_and(|b| b.is_ascii_digit() || *b == b'-' || *b == b'+')
            {
                at += 2;
                while at < bytes.len() && bytes[at].is_ascii_digit() {
                    at += 1;
                }
            }
            out.push(Piece::Number(&text[start..at]));
        }
    }
    Some(out)
}

/// Sign, integer part and fraction; the latter two carry the sign.
fn number(text: &str) -> Option<(bool, i128, f64)> {
    let negative = text.starts_with('-');
    let body = text.trim_start_matches(['+', '-']).trim_start();
    if body.contains(['e', 'E']) {
        let value: f64 = body.parse().ok()?;
        let (whole, fraction) = (value.trunc() as i128, value.fract());
        return Some(if negative { (true, -whole, -fraction) } else { (false, whole, fraction) });
    }
    let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: f64 =
        if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    Some(if negative { (true, -whole, -fraction) } else { (false, whole, fraction) })
}

/// `h:mm[:ss[.f]]` or `mm:ss.f`, with a sign over all.
fn clock(text: &str, minutes_first: bool) -> Option<i128> {
    let negative = text.starts_with('-');
    let body = text.trim_start_matches(['+', '-']).trim_start();
    let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
    let parts: Vec<i128> = whole.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        [minutes, seconds] if !fraction.is_empty() || minutes_first => (0, *minutes, *seconds),
        [hours, minutes] => (*hours, *minutes, 0),
        _ => return None,
    };
    if minutes > 59 || seconds > 60 {
        return None;
    }
    let fraction: f64 =
        if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    let total = hours * i128::from(HOUR)
        + minutes * i128::from(MINUTE)
        + seconds * i128::from(SECOND)
        + (fraction * 1e6).round_ties_even() as i128;
    Some(if negative { -total } else { total })
}

fn mask(typmod: i32) -> i32 {
    if typmod < 0 { 0x7fff } else { (typmod >> 16) & 0x7fff }
}

/// The unit of a number without one: the lowest field of the type's range.
fn default_unit(typmod: i32) -> Unit {
    match mask(typmod) {
        0x7fff => Unit::Second,
        fields if fields & 0x1000 != 0 => Unit::Second,
        fields if fields & 0x0800 != 0 => Unit::Minute,
        fields if fields & 0x0400 != 0 => Unit::Hour,
        fields if fields & 0x0008 != 0 => Unit::Day,
        fields if fields & 0x0002 != 0 => Unit::Month,
        _ => Unit::Year,
    }
}

/// Reads an interval; the modifier's fields say what bare numbers mean.
pub fn interval_in(context: &EvalContext, text: &str, typmod: i32) -> Result<Interval> {
    let trimmed = text.trim();
    if trimmed.starts_with(['P', 'p']) && !trimmed[1..].is_empty() {
        return iso(trimmed).ok_or_else(|| invalid(text))?.finish(text);
    }
    let pieces = pieces(trimmed).ok_or_else(|| invalid(text))?;
    if pieces.is_empty() {
        return Err(invalid(text));
    }
    let mut sums = Sums::default();
    let mut ago = false;
    let mut at = 0;
    let mut seen = false;
    let covers = minus_covers(context, trimmed, &pieces);
    while at < pieces.len() {
        let (mut part, negative) = match pieces[at] {
            Piece::Word(word) if word.eq_ignore_ascii_case("ago") && seen => {
                ago = true;
                at += 1;
                continue;
            }
            Piece::Word(_) => return Err(invalid(text)),
            Piece::Clock(written) => {
                let minutes_first = mask(typmod) == 0x1800;
                let micros = clock(written, minutes_first).ok_or_else(|| field_overflow(text))?;
                (Sums { micros, ..Sums::default() }, written.starts_with('-'))
            }
            Piece::YearMonth(written) => year_month(written, text)?,
            Piece::Number(written) => {
                let next = pieces.get(at + 1);
                if matches!(next, Some(Piece::Word(word)) if !word.eq_ignore_ascii_case("ago")) {
                    at += 1;
                }
                counted(written, next, text, typmod)?
            }
        };
        at += 1;
        if covers && seen && !negative {
            part.negate();
        }
        seen = true;
        sums.months += part.months;
        sums.days += part.days;
        sums.micros += part.micros;
    }
    if ago {
        sums.negate();
    }
    sums.finish(text)
}

/// Whether a leading minus covers all parts that have no sign, as it does in the SQL style.
fn minus_covers(context: &EvalContext, trimmed: &str, pieces: &[Piece<'_>]) -> bool {
    if context.interval_style != IntervalStyle::SqlStandard || !trimmed.starts_with('-') {
        return false;
    }
    let has_words = pieces.iter().any(|piece| matches!(piece, Piece::Word(_)));
    let only_sign = !trimmed[1..].contains(['+', '-'].as_slice());
    let years_and_more = pieces.len() > 1
        && matches!(pieces[0], Piece::YearMonth(_))
        && trimmed.matches('-').count() == 2
        && !trimmed.contains('+');
    !has_words && only_sign || years_and_more
}

/// `1-2`: years and months, and whether they are negative.
fn year_month(written: &str, text: &str) -> Result<(Sums, bool)> {
    let negative = written.starts_with('-');
    let body = written.trim_start_matches(['+', '-']);
    let (years, months) = body.split_once('-').unwrap_or((body, "0"));
    let years: i128 = years.parse().map_err(|_| field_overflow(text))?;
    let months: i128 = months.parse().map_err(|_| field_overflow(text))?;
    if months > 11 {
        return Err(field_overflow(text));
    }
    let mut part = Sums { months: years * 12 + months, ..Sums::default() };
    if negative {
        part.negate();
    }
    Ok((part, negative))
}

/// A number with the unit that may follow it, and whether it is negative.
fn counted(
    written: &str,
    next: Option<&Piece<'_>>,
    text: &str,
    typmod: i32,
) -> Result<(Sums, bool)> {
    let (negative, whole, fraction) = number(written).ok_or_else(|| invalid(text))?;
    let of = match next {
        Some(Piece::Word(word)) if !word.eq_ignore_ascii_case("ago") => {
            unit(word).filter(|of| *of != Unit::Quarter).ok_or_else(|| invalid(text))?
        }
        // `1 2:03:04` is days and time.
        Some(Piece::Clock(_)) => Unit::Day,
        _ => default_unit(typmod),
    };
    if whole.unsigned_abs() > 1 << 70 {
        return Err(field_overflow(text));
    }
    let mut part = Sums::default();
    part.add(whole, fraction, of);
    Ok((part, negative))
}

/// `P1Y2M3DT4H5M6S`, `P1W`, `P0001-02-03T04:05:06`.
fn iso(text: &str) -> Option<Sums> {
    let mut sums = Sums::default();
    let mut rest = &text[1..];
    let mut in_time = false;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(['T', 't']) {
            in_time = true;
            rest = after;
            continue;
        }
        let digits_from = usize::from(rest.starts_with(['+', '-']));
        let end = rest[digits_from..]
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .map_or(rest.len(), |end| end + digits_from);
        let (_, whole, fraction) = number(&rest[..end])?;
        let after = &rest[end..];
        let Some(letter) = after.chars().next() else {
            // The alternative form's last field.
            return None;
        };
        if letter == '-' || letter == ':' {
            return iso_alternative(rest, in_time, sums);
        }
        rest = &after[letter.len_utf8()..];
        let of = match (letter.to_ascii_uppercase(), in_time) {
            ('Y', false) => Unit::Year,
            ('M', false) => Unit::Month,
            ('W', false) => Unit::Week,
            ('D', false) => Unit::Day,
            ('H', true) => Unit::Hour,
            ('M', true) => Unit::Minute,
            ('S', true) => Unit::Second,
            _ => return None,
        };
        sums.add(whole, fraction, of);
    }
    Some(sums)
}

fn iso_alternative(rest: &str, in_time: bool, mut sums: Sums) -> Option<Sums> {
    let (date, time) =
        if in_time { ("", rest) } else { rest.split_once(['T', 't']).unwrap_or((rest, "")) };
    if !date.is_empty() {
        let negative = date.starts_with('-');
        let mut parts = date.trim_start_matches('-').split('-');
        let years = parts.next()?.parse::<i128>().ok()?;
        let mut part = Sums { months: years * 12, ..Sums::default() };
        part.months += parts.next().map_or(Some(0), |months| months.parse().ok())?;
        part.days = parts.next().map_or(Some(0), |days| days.parse().ok())?;
        if negative {
            part.negate();
        }
        sums.months += part.months;
        sums.days += part.days;
    }
    if !time.is_empty() {
        sums.micros += clock(time, false)?;
    }
    Some(sums)
}

/// Applies an interval type's fields and precision.
pub fn interval_typmod(value: Interval, typmod: i32) -> Result<Interval> {
    if typmod < 0 {
        return Ok(value);
    }
    let mut kept = value;
    let fields = mask(typmod);
    match fields {
        0x0004 => {
            kept = Interval { months: value.months / 12 * 12, days: 0, micros: 0 };
        }
        0x0002 | 0x0006 => kept = Interval { months: value.months, days: 0, micros: 0 },
        0x0008 => kept.micros = 0,
        0x0400 | 0x0408 => kept.micros = value.micros / HOUR * HOUR,
        0x0800 | 0x0c00 | 0x0c08 => kept.micros = value.micros / MINUTE * MINUTE,
        _ => {}
    }
    let precision = typmod & 0xffff;
    if precision < 6 {
        kept.micros = round_micros(kept.micros, precision);
    }
    if kept.micros == i64::MIN { Err(interval_out_of_range()) } else { Ok(kept) }
}
