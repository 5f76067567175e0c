//! Words of dates and intervals.

/// English names of months.
pub(crate) const MONTHS: [&str; 12] = [
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

/// English names of days, Sunday first.
pub(crate) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The month (1–12) of a name or its usual abbreviations.
pub(crate) fn month(word: &str) -> Option<i64> {
    let lower = word.to_ascii_lowercase();
    let found = MONTHS.iter().position(|name| {
        let name = name.to_ascii_lowercase();
        name == lower || name[..3] == lower
    });
    match found {
        Some(at) => Some(at as i64 + 1),
        None if lower == "sept" => Some(9),
        None => None,
    }
}

/// Whether this is a day's name.
pub(crate) fn is_weekday(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    DAYS.iter().any(|name| {
        let name = name.to_ascii_lowercase();
        name == lower || name[..3] == lower
    }) || matches!(lower.as_str(), "tues" | "weds" | "thur" | "thurs")
}

/// Units of time in intervals, `date_trunc` and `extract`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
}

/// The unit of a word, as intervals are written.
pub(crate) fn unit(word: &str) -> Option<Unit> {
    Some(match word.to_ascii_lowercase().as_str() {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecon" | "microsecond"
        | "microseconds" => Unit::Microsecond,
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecon" | "millisecond"
        | "milliseconds" => Unit::Millisecond,
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
        "d" | "day" | "days" => Unit::Day,
        "w" | "week" | "weeks" => Unit::Week,
        "mon" | "mons" | "month" | "months" => Unit::Month,
        "qtr" | "quarter" => Unit::Quarter,
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
        "dec" | "decs" | "decade" | "decades" => Unit::Decade,
        "c" | "cent" | "century" | "centuries" => Unit::Century,
        "mil" | "mils" | "millennia" | "millennium" => Unit::Millennium,
        _ => return None,
    })
}
