//! Applying type modifiers: lengths, precisions, fields.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, datum::ListValue, descriptor::TypeRef};

use crate::{datetime, numeric::Numeric, oid, pg_type};

fn too_long(spelled: &str, length: usize) -> Error {
    Error::new(
        SqlState::STRING_DATA_RIGHT_TRUNCATION,
        format!("value too long for type {spelled}({length})"),
    )
}

/// Cuts or refuses text longer than `length` characters; trailing blanks may always go.
fn limit_text(text: &str, length: usize, explicit: bool, spelled: &str) -> Result<Option<String>> {
    let Some((end, _)) = text.char_indices().nth(length) else { return Ok(None) };
    if !explicit && text[end..].chars().any(|c| c != ' ') {
        return Err(too_long(spelled, length));
    }
    Ok(Some(text[..end].to_owned()))
}

/// Makes a value of the base type fit the modifier. `explicit` is for written casts, which cut
/// text silently.
pub fn apply_typmod(reference: TypeRef, value: Datum, explicit: bool) -> Result<Datum> {
    let typmod = reference.typmod;
    if typmod < 0 || value.is_null() {
        return Ok(value);
    }
    if let Datum::List(list) = &value
        && let Some(element) = pg_type::by_oid(reference.oid).and_then(pg_type::PgType::element)
    {
        let element = TypeRef { oid: element.oid, typmod };
        let elements = list
            .elements
            .iter()
            .map(|item| apply_typmod(element, item.clone(), explicit))
            .collect::<Result<Vec<_>>>()?;
        let dimensions = list.dimensions.clone();
        return Ok(Datum::List(Arc::new(ListValue { dimensions, elements })));
    }
    match (reference.oid, &value) {
        (oid::VARCHAR, Datum::Text(text)) if typmod >= 4 => {
            let limited = limit_text(text, (typmod - 4) as usize, explicit, "character varying")?;
            Ok(limited.map_or(value, Datum::text))
        }
        (oid::BPCHAR, Datum::Text(text)) if typmod >= 4 => {
            let length = (typmod - 4) as usize;
            if let Some(limited) = limit_text(text, length, explicit, "character")? {
                return Ok(Datum::text(limited));
            }
            let missing = length - text.chars().count();
            Ok(if missing == 0 {
                value
            } else {
                Datum::text(format!("{text}{}", " ".repeat(missing)))
            })
        }
        (oid::BIT | oid::VARBIT, Datum::Text(bits)) => {
            bit_typmod(reference.oid, bits, typmod as usize, explicit).map(Datum::text)
        }
        (oid::NUMERIC, Datum::Bytes(_)) => {
            Numeric::from_datum(&value)?.apply_typmod(typmod)?.to_datum()
        }
        (oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ, Datum::Int64(micros)) => {
            Ok(Datum::Int64(datetime::round_micros(*micros, typmod)))
        }
        (oid::TIMETZ, Datum::Interval(time)) => {
            let mut time = *time;
            time.micros = datetime::round_micros(time.micros, typmod);
            Ok(Datum::Interval(time))
        }
        (oid::INTERVAL, Datum::Interval(interval)) => {
            Ok(Datum::Interval(datetime::interval_typmod(*interval, typmod)?))
        }
        _ => Ok(value),
    }
}

fn bit_typmod(type_oid: u32, bits: &str, length: usize, explicit: bool) -> Result<String> {
    if type_oid == oid::BIT {
        if bits.len() == length {
            return Ok(bits.to_owned());
        }
        if !explicit {
            return Err(Error::new(
                SqlState::STRING_DATA_LENGTH_MISMATCH,
                format!("bit string length {} does not match type bit({length})", bits.len()),
            ));
        }
        return Ok(format!("{:0<length$}", &bits[..bits.len().min(length)]));
    }
    if bits.len() <= length {
        return Ok(bits.to_owned());
    }
    if explicit {
        return Ok(bits[..length].to_owned());
    }
    Err(Error::new(
        SqlState::STRING_DATA_RIGHT_TRUNCATION,
        format!("bit string too long for type bit varying({length})"),
    ))
}
