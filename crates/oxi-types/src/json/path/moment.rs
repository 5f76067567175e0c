//! Dates and times inside a path.

use std::cmp::Ordering;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};

use crate::{builtin::cast_value, compare, context::EvalContext, io, oid};

/// A date or time.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Moment {
    pub(super) type_oid: u32,
    value: Datum,
}

impl Moment {
    /// Reads one of the ISO forms; `None` if the text has none of them.
    pub(super) fn read(context: &EvalContext, text: &str) -> Option<Moment> {
        let bytes = text.as_bytes();
        let date = bytes.len() >= 10 && bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
        let time = if date {
            match bytes.get(10) {
                None => None,
                Some(b' ' | b'T') => text.get(11..),
                Some(_) => return None,
            }
        } else {
            Some(text)
        };
        let zoned = match time {
            None => false,
            Some(time) => {
                let plain = time.len() >= 8
                    && time.as_bytes()[2] == b':'
                    && time.as_bytes()[5] == b':'
                    && time.bytes().all(|b| b.is_ascii_digit() || b":.+- ".contains(&b));
                if !plain {
                    return None;
                }
                time.contains(['+', '-'])
            }
        };
        let type_oid = match (date, time.is_some(), zoned) {
            (true, false, _) => oid::DATE,
            (true, true, false) => oid::TIMESTAMP,
            (true, true, true) => oid::TIMESTAMPTZ,
            (false, _, false) => oid::TIME,
            (false, _, true) => oid::TIMETZ,
        };
        let value = io::text_in(context, TypeRef::plain(type_oid), text).ok()?;
        Some(Moment { type_oid, value })
    }

    /// What `.type()` says.
    pub(super) fn type_name(&self) -> &'static str {
        match self.type_oid {
            oid::DATE => "date",
            oid::TIME => "time without time zone",
            oid::TIMETZ => "time with time zone",
            oid::TIMESTAMP => "timestamp without time zone",
            _ => "timestamp with time zone",
        }
    }

    /// Its text in JSON.
    pub(super) fn text(&self, context: &EvalContext) -> Result<String> {
        let value =
            crate::json::datum_to_json(context, TypeRef::plain(self.type_oid), &self.value)?;
        Ok(value.as_text().unwrap_or_default())
    }

    /// The order of two; `None` if their types have none.
    ///
    /// # Errors
    /// `0A000` if it depends on the time zone and may not.
    pub(super) fn compare(
        &self,
        other: &Moment,
        context: &EvalContext,
        use_zone: bool,
    ) -> Result<Option<Ordering>> {
        let (a, b) = (self.type_oid, other.type_oid);
        let is_time = |oid: u32| matches!(oid, oid::TIME | oid::TIMETZ);
        if is_time(a) != is_time(b) {
            return Ok(None);
        }
        let zoned = |oid: u32| matches!(oid, oid::TIMETZ | oid::TIMESTAMPTZ);
        if zoned(a) != zoned(b) && !use_zone {
            let short = |oid: u32| match oid {
                oid::DATE => "date",
                oid::TIME => "time",
                oid::TIMETZ => "timetz",
                oid::TIMESTAMP => "timestamp",
                _ => "timestamptz",
            };
            let (from, to) = if zoned(a) { (b, a) } else { (a, b) };
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!(
                    "cannot convert value from {} to {} without time zone usage",
                    short(from),
                    short(to)
                ),
            )
            .with_hint("Use *_tz() function for time zone support."));
        }
        let common = match (is_time(a), zoned(a) || zoned(b), a == b) {
            (_, _, true) => a,
            (true, ..) => oid::TIMETZ,
            (false, true, _) => oid::TIMESTAMPTZ,
            (false, false, _) => oid::TIMESTAMP,
        };
        let (left, right) = (self.cast(context, common)?, other.cast(context, common)?);
        Ok(Some(compare::compare(common, &left, &right)))
    }

    fn cast(&self, context: &EvalContext, target: u32) -> Result<Datum> {
        if self.type_oid == target {
            return Ok(self.value.clone());
        }
        let (from, to) = (TypeRef::plain(self.type_oid), TypeRef::plain(target));
        cast_value(context, from, to, &self.value, false)
    }
}
