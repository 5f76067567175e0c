//! `extract`, `date_part` and `date_trunc`.

use oxi_base::{Error, Result, SqlState};
use oxi_model::Interval;

use super::{
    DAY, HOUR, INFINITY, MINUTE, SECOND, UNIX_JULIAN, checked_timestamp, civil_from_days,
    days_from_civil, is_infinite,
    words::{Unit, unit},
};
use crate::{
    context::TimeZone,
    numeric::{Int, Numeric},
};

/// What a field's name asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Unit(Unit),
    Dow,
    IsoDow,
    Doy,
    IsoYear,
    Epoch,
    Julian,
    Zone,
    ZoneHour,
    ZoneMinute,
}

fn field(name: &str) -> Option<Field> {
    Some(match name.to_ascii_lowercase().as_str() {
        "dow" => Field::Dow,
        "isodow" => Field::IsoDow,
        "doy" => Field::Doy,
        "isoyear" => Field::IsoYear,
        "epoch" => Field::Epoch,
        "julian" | "j" | "jd" => Field::Julian,
        "timezone" => Field::Zone,
        "timezone_hour" | "timezone_h" => Field::ZoneHour,
        "timezone_minute" | "timezone_m" => Field::ZoneMinute,
        other => Field::Unit(unit(other)?),
    })
}

fn not_recognized(name: &str, type_name: &str) -> Error {
    Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("unit \"{}\" not recognized for type {type_name}", name.to_ascii_lowercase()),
    )
}

fn not_supported(name: &str, type_name: &str) -> Error {
    Error::unsupported(format!(
        "unit \"{}\" not supported for type {type_name}",
        name.to_ascii_lowercase()
    ))
}

fn whole(value: i64) -> Numeric {
    Numeric::from_i128(i128::from(value))
}

/// A count of microseconds shown with `scale` digits, divided by `10^(6 - …)` units.
fn micros(value: i128, scale: i32) -> Numeric {
    Numeric::Finite(Int::Small(value), scale)
}

/// ISO 8601's year and week of a day.
pub fn iso_week(days: i64) -> (i64, i64) {
    // The Thursday of the week decides the year.
    let weekday = (days + 3).rem_euclid(7);
    let thursday = days - weekday + 3;
    let (year, _, _) = civil_from_days(thursday);
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

/// Years before 1 are shown as negative with no year 0.
fn shown_year(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

fn clock_field(unit: Unit, time: i64) -> Option<Numeric> {
    let seconds = i128::from(time % MINUTE);
    Some(match unit {
        Unit::Microsecond => micros(seconds, 0),
        Unit::Millisecond => micros(seconds, 3),
        Unit::Second => micros(seconds, 6),
        Unit::Minute => whole(time / MINUTE % 60),
        Unit::Hour => whole(time / HOUR),
        _ => return None,
    })
}

fn calendar_field(field: Field, days: i64) -> Option<i64> {
    let (year, month, day) = civil_from_days(days);
    let period = |length: i64| {
        if year > 0 { (year + length - 1) / length } else { -((length - 1 - (year - 1)) / length) }
    };
    Some(match field {
        Field::Unit(Unit::Day) => day,
        Field::Unit(Unit::Week) => iso_week(days).1,
        Field::Unit(Unit::Month) => month,
        Field::Unit(Unit::Quarter) => (month - 1) / 3 + 1,
        Field::Unit(Unit::Year) => shown_year(year),
        Field::Unit(Unit::Decade) => year.div_euclid(10),
        Field::Unit(Unit::Century) => period(100),
        Field::Unit(Unit::Millennium) => period(1000),
        Field::Dow => (days + 4).rem_euclid(7),
        Field::IsoDow => (days + 3).rem_euclid(7) + 1,
        Field::Doy => days - days_from_civil(year, 1, 1) + 1,
        Field::IsoYear => shown_year(iso_week(days).0),
        Field::Julian => days + UNIX_JULIAN,
        _ => return None,
    })
}

fn infinite_field(field: Field, positive: bool) -> Option<Numeric> {
    match field {
        Field::Unit(Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium)
        | Field::IsoYear
        | Field::Epoch
        | Field::Julian => Some(if positive { Numeric::Infinity } else { Numeric::NegInfinity }),
        _ => None,
    }
}

fn julian(local: i64) -> Result<Numeric> {
    let (days, time) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let day = whole(days + UNIX_JULIAN);
    Ok(day.add(&whole(time).div(&whole(DAY))?))
}

/// A field of a timestamp; `None` where an infinite one has none.
pub fn timestamp_field(name: &str, local: i64) -> Result<Option<Numeric>> {
    const TYPE: &str = "timestamp without time zone";
    let asked = field(name).ok_or_else(|| not_recognized(name, TYPE))?;
    if is_infinite(local) {
        return Ok(infinite_field(asked, local == INFINITY));
    }
    zoneless(asked, name, local, TYPE).map(Some)
}

fn zoneless(asked: Field, name: &str, local: i64, type_name: &str) -> Result<Numeric> {
    if asked == Field::Epoch {
        return Ok(micros(i128::from(local), 6));
    }
    if asked == Field::Julian {
        return julian(local);
    }
    if let Field::Unit(unit) = asked
        && let Some(found) = clock_field(unit, local.rem_euclid(DAY))
    {
        return Ok(found);
    }
    calendar_field(asked, local.div_euclid(DAY))
        .map(whole)
        .ok_or_else(|| not_supported(name, type_name))
}

fn zone_field(asked: Field, offset: i32) -> Option<Numeric> {
    let offset = i64::from(offset);
    Some(match asked {
        Field::Zone => whole(offset),
        Field::ZoneHour => whole(offset / 3600),
        Field::ZoneMinute => whole(offset / 60 % 60),
        _ => return None,
    })
}

/// A field of a timestamp with time zone, on the zone's calendar.
pub fn timestamptz_field(name: &str, utc: i64, zone: &TimeZone) -> Result<Option<Numeric>> {
    const TYPE: &str = "timestamp with time zone";
    let asked = field(name).ok_or_else(|| not_recognized(name, TYPE))?;
    if is_infinite(utc) {
        return Ok(infinite_field(asked, utc == INFINITY));
    }
    if let Some(found) = zone_field(asked, zone.offset_at(utc)) {
        return Ok(Some(found));
    }
    if asked == Field::Epoch {
        return Ok(Some(micros(i128::from(utc), 6)));
    }
    zoneless(asked, name, zone.to_local(utc), TYPE).map(Some)
}

/// A field of a date.
pub fn date_field(name: &str, days: i32) -> Result<Option<Numeric>> {
    let asked = field(name).ok_or_else(|| not_recognized(name, "date"))?;
    let clocklike = matches!(
        asked,
        Field::Unit(
            Unit::Microsecond | Unit::Millisecond | Unit::Second | Unit::Minute | Unit::Hour
        ) | Field::Zone
            | Field::ZoneHour
            | Field::ZoneMinute
    );
    if clocklike {
        return Err(not_supported(name, "date"));
    }
    if days == i32::MIN || days == i32::MAX {
        return Ok(infinite_field(asked, days == i32::MAX));
    }
    let days = i64::from(days);
    if asked == Field::Epoch {
        return Ok(Some(Numeric::from_i128(i128::from(days) * 86_400)));
    }
    calendar_field(asked, days)
        .map(|value| Some(whole(value)))
        .ok_or_else(|| not_supported(name, "date"))
}

/// A field of a time.
pub fn time_field(name: &str, time: i64) -> Result<Numeric> {
    const TYPE: &str = "time without time zone";
    match field(name).ok_or_else(|| not_recognized(name, TYPE))? {
        Field::Epoch => Ok(micros(i128::from(time), 6)),
        Field::Unit(unit) => clock_field(unit, time).ok_or_else(|| not_supported(name, TYPE)),
        _ => Err(not_supported(name, TYPE)),
    }
}

/// A field of a time with time zone.
pub fn timetz_field(name: &str, value: Interval) -> Result<Numeric> {
    const TYPE: &str = "time with time zone";
    let asked = field(name).ok_or_else(|| not_recognized(name, TYPE))?;
    if let Some(found) = zone_field(asked, value.months) {
        return Ok(found);
    }
    match asked {
        Field::Epoch => {
            Ok(micros(i128::from(value.micros) - i128::from(value.months) * 1_000_000, 6))
        }
        Field::Unit(unit) => {
            clock_field(unit, value.micros).ok_or_else(|| not_supported(name, TYPE))
        }
        _ => Err(not_supported(name, TYPE)),
    }
}

/// A field of an interval.
pub fn interval_field(name: &str, value: Interval) -> Result<Numeric> {
    let asked = field(name).ok_or_else(|| not_recognized(name, "interval"))?;
    let (years, months) = (i64::from(value.months / 12), i64::from(value.months % 12));
    Ok(match asked {
        Field::Epoch => {
            // A year is 365.25 days, a month 30.
            let quarter_days =
                i128::from(years) * 1461 + (i128::from(months) * 30 + i128::from(value.days)) * 4;
            micros(quarter_days * i128::from(DAY) / 4 + i128::from(value.micros), 6)
        }
        Field::Unit(Unit::Day) => whole(i64::from(value.days)),
        Field::Unit(Unit::Month) => whole(months),
        Field::Unit(Unit::Quarter) => whole(months / 3 + 1),
        Field::Unit(Unit::Year) => whole(years),
        Field::Unit(Unit::Decade) => whole(years / 10),
        Field::Unit(Unit::Century) => whole(years / 100),
        Field::Unit(Unit::Millennium) => whole(years / 1000),
        Field::Unit(unit) => {
            clock_field(unit, value.micros).ok_or_else(|| not_supported(name, "interval"))?
        }
        _ => return Err(not_supported(name, "interval")),
    })
}

fn truncation_unit(name: &str, type_name: &str) -> Result<Unit> {
    match field(name) {
        Some(Field::Unit(unit)) => Ok(unit),
        Some(Field::Zone | Field::ZoneHour | Field::ZoneMinute) => {
            Err(not_supported(name, type_name))
        }
        _ => Err(not_recognized(name, type_name)),
    }
}

/// `date_trunc` of a local timestamp.
pub fn timestamp_trunc(name: &str, local: i64, type_name: &str) -> Result<i64> {
    if is_infinite(local) {
        return Ok(local);
    }
    let unit = truncation_unit(name, type_name)?;
    let floor = |step: i64| local.div_euclid(step) * step;
    let days = local.div_euclid(DAY);
    let (year, month, _) = civil_from_days(days);
    let start = |year: i64, month: i64| days_from_civil(year, month, 1).checked_mul(DAY);
    // Centuries and millennia start with year 1.
    let period = |length: i64| (year - 1).div_euclid(length) * length + 1;
    checked_timestamp(match unit {
        Unit::Microsecond => Some(local),
        Unit::Millisecond => Some(floor(1000)),
        Unit::Second => Some(floor(SECOND)),
        Unit::Minute => Some(floor(MINUTE)),
        Unit::Hour => Some(floor(HOUR)),
        Unit::Day => Some(floor(DAY)),
        Unit::Week => (days - (days + 3).rem_euclid(7)).checked_mul(DAY),
        Unit::Month => start(year, month),
        Unit::Quarter => start(year, (month - 1) / 3 * 3 + 1),
        Unit::Year => start(year, 1),
        Unit::Decade => start(year.div_euclid(10) * 10, 1),
        Unit::Century => start(period(100), 1),
        Unit::Millennium => start(period(1000), 1),
    })
}

/// `date_trunc` of a moment on a zone's calendar.
pub fn timestamptz_trunc(name: &str, utc: i64, zone: &TimeZone) -> Result<i64> {
    if is_infinite(utc) {
        return timestamp_trunc(name, utc, "timestamp with time zone");
    }
    let local = timestamp_trunc(name, zone.to_local(utc), "timestamp with time zone")?;
    let within_day = matches!(
        unit(name),
        Some(Unit::Microsecond | Unit::Millisecond | Unit::Second | Unit::Minute | Unit::Hour)
    );
    if within_day {
        // The offset stays that of the moment itself.
        return checked_timestamp(local.checked_sub(i64::from(zone.offset_at(utc)) * SECOND));
    }
    Ok(zone.to_utc(local))
}

/// `date_trunc` of an interval.
pub fn interval_trunc(name: &str, value: Interval) -> Result<Interval> {
    let unit = truncation_unit(name, "interval")?;
    let months = |count: i32| Interval { months: value.months / count * count, days: 0, micros: 0 };
    let clock = |step: i64| Interval { micros: value.micros / step * step, ..value };
    Ok(match unit {
        Unit::Microsecond => value,
        Unit::Millisecond => clock(1000),
        Unit::Second => clock(SECOND),
        Unit::Minute => clock(MINUTE),
        Unit::Hour => clock(HOUR),
        Unit::Day => Interval { micros: 0, ..value },
        Unit::Week => {
            return Err(not_supported(name, "interval")
                .with_detail("Months usually have fractional weeks."));
        }
        Unit::Month => months(1),
        Unit::Quarter => months(3),
        Unit::Year => months(12),
        Unit::Decade => months(120),
        Unit::Century => months(1200),
        Unit::Millennium => months(12_000),
    })
}
