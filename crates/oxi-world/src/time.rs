//! Unix time as calendar fields and text, for messages and file names.

/// Microseconds in a second.
pub const US_PER_SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub const US_PER_DAY: i64 = 86_400 * US_PER_SECOND;
/// Microseconds from the Unix epoch to PostgreSQL's (2000-01-01 UTC).
pub const POSTGRES_EPOCH_UNIX_US: i64 = 10_957 * US_PER_DAY;

/// Calendar fields of a moment, UTC, proleptic Gregorian.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Civil {
    /// Astronomical year: 0 is 1 BC.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// 0 to 999999.
    pub microsecond: u32,
}

/// The calendar fields of a Unix time.
pub fn civil(unix_us: i64) -> Civil {
    let days = unix_us.div_euclid(US_PER_DAY);
    let within = unix_us.rem_euclid(US_PER_DAY);
    // Days are counted from 0000-03-01, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let seconds = within / US_PER_SECOND;
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month: month as u32,
        day: (day_of_year - (153 * march_month + 2) / 5 + 1) as u32,
        hour: (seconds / 3_600) as u32,
        minute: (seconds / 60 % 60) as u32,
        second: (seconds % 60) as u32,
        microsecond: (within % US_PER_SECOND) as u32,
    }
}

/// Text such as `2026-03-01T12:00:00.000000Z`.
pub fn rfc3339(unix_us: i64) -> String {
    let Civil { year, month, day, hour, minute, second, microsecond } = civil(unix_us);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{microsecond:06}Z")
}

#[cfg(test)]
mod tests;
