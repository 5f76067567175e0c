//! Keys on both sides of a foreign key: their values taken, converted and compared.

use oxi_base::{Error, Result};
use oxi_model::{Datum, array::encode_datum, descriptor::TypeRef};
use oxi_types::{EvalContext, compare, io};

use crate::dml::target::{IncomingKey, OutgoingKey, Target};

pub(super) fn parent_key(
    eval: &EvalContext,
    target: &Target,
    key: &OutgoingKey,
    values: &[Datum],
) -> Result<Option<Vec<Datum>>> {
    let mut out = Vec::with_capacity(values.len());
    for (place, (column, value)) in key.columns.iter().zip(values).enumerate() {
        let from = target.columns().get(*column).map(|column| column.data_type);
        let to = key.parent_column(place).map(|column| column.data_type);
        let (Some(from), Some(to)) = (from, to) else {
            return Err(Error::bug("foreign key column without type"));
        };
        match convert(eval, from, to, value)? {
            Some(value) => out.push(value),
            None => return Ok(None),
        }
    }
    Ok(Some(out))
}

/// The value in another type of the same family; `None` if that type has no such value.
pub(crate) fn convert(
    eval: &EvalContext,
    from: TypeRef,
    to: TypeRef,
    value: &Datum,
) -> Result<Option<Datum>> {
    if from.oid == to.oid || value.is_null() {
        return Ok(Some(value.clone()));
    }
    let physical = oxi_types::pg_type::physical(to.oid);
    let integer = match value {
        Datum::Int16(value) => Some(i64::from(*value)),
        Datum::Int32(value) => Some(i64::from(*value)),
        Datum::Int64(value) => Some(*value),
        _ => None,
    };
    use oxi_model::PhysicalType as P;
    Ok(match (integer, physical) {
        (Some(value), Some(P::Int16)) => i16::try_from(value).ok().map(Datum::Int16),
        (Some(value), Some(P::Int32)) => i32::try_from(value).ok().map(Datum::Int32),
        (Some(value), Some(P::Int64)) => Some(Datum::Int64(value)),
        (None, Some(P::Text)) if matches!(value, Datum::Text(_)) => Some(value.clone()),
        _ => {
            let mut text = String::new();
            io::text_out(eval, from, value, &mut text)?;
            io::text_in(eval, TypeRef::plain(to.oid), &text).ok()
        }
    })
}

pub(super) fn child_key(
    eval: &EvalContext,
    target: &Target,
    key: &IncomingKey,
    values: &[Datum],
) -> Result<Option<Vec<Datum>>> {
    let child = key.child.as_table().map_or(&[][..], |table| &table.columns);
    let mut out = Vec::with_capacity(values.len());
    for ((from, to), value) in key.columns.iter().zip(&key.child_columns).zip(values) {
        let (Some(from), Some(to)) = (target.columns().get(*from), child.get(*to)) else {
            return Err(Error::bug("foreign key column without type"));
        };
        match convert(eval, from.data_type, to.data_type, value)? {
            Some(value) => out.push(value),
            None => return Ok(None),
        }
    }
    Ok(Some(out))
}

pub(super) fn comparable(types: &[u32], values: &[Datum]) -> Vec<u8> {
    let mut out = Vec::new();
    for (oid, value) in types.iter().zip(values) {
        if compare::needs_key(*oid) {
            encode_datum(&mut out, &compare::key(*oid, value));
        } else {
            encode_datum(&mut out, value);
        }
    }
    out
}

pub(super) fn equal(oid: u32, left: &Datum, right: &Datum) -> bool {
    match (left.is_null(), right.is_null()) {
        (false, false) => compare::compare(oid, left, right).is_eq(),
        (left, right) => left && right,
    }
}

pub(super) fn same(target: &Target, columns: &[usize], old: &[Datum], new: &[Datum]) -> bool {
    columns.iter().all(|column| {
        let oid = target.columns().get(*column).map_or(0, |column| column.data_type.oid);
        match (old.get(*column), new.get(*column)) {
            (Some(old), Some(new)) => old == new || equal(oid, old, new),
            _ => false,
        }
    })
}

pub(super) fn pick(row: &[Datum], columns: &[usize]) -> Vec<Datum> {
    columns.iter().map(|column| row.get(*column).cloned().unwrap_or_default()).collect()
}
