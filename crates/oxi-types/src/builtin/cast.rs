//! Casts: their functions, and one door that casts any value by the rules of `pg_cast`.

mod functions;

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, datum::ListValue, descriptor::TypeRef};

pub use functions::*;

use super::{CASTS, Cast, CastMethod};
use crate::{
    context::EvalContext,
    io, oid,
    pg_type::{self, PgType},
};

/// The row of `pg_cast` from one type to another, if there is one.
pub fn find_cast(source: u32, target: u32) -> Option<&'static Cast> {
    CASTS
        .binary_search_by_key(&(source, target), |row| (row.source, row.target))
        .ok()
        .map(|index| &CASTS[index])
}

/// Casts a value: by `pg_cast`, between arrays element by element, else through text. The
/// target's modifier applies as for a written cast if `explicit`.
///
/// # Errors
/// Whatever the conversion finds wrong with the value; `42846` if the types have nothing in
/// common.
pub fn cast_value(
    context: &EvalContext,
    source: TypeRef,
    target: TypeRef,
    value: &Datum,
    explicit: bool,
) -> Result<Datum> {
    if value.is_null() {
        return Ok(Datum::Null);
    }
    let plain = cast_plain(context, source, target, value, explicit)?;
    io::apply_typmod(target, plain, explicit)
}

fn cast_plain(
    context: &EvalContext,
    source: TypeRef,
    target: TypeRef,
    value: &Datum,
    explicit: bool,
) -> Result<Datum> {
    if source.oid == target.oid {
        return Ok(value.clone());
    }
    if let Some(row) = find_cast(source.oid, target.oid) {
        return match row.method {
            CastMethod::Binary => Ok(value.clone()),
            CastMethod::Function(implementation) => {
                implementation.call(context, &[source], std::slice::from_ref(value))
            }
            CastMethod::InOut => through_text(context, source, target, value),
        };
    }
    let element_of = |oid: u32| pg_type::by_oid(oid).and_then(PgType::element);
    if let (Some(from), Some(to), Datum::List(list)) =
        (element_of(source.oid), element_of(target.oid), value)
    {
        let from = TypeRef::plain(from.oid);
        let to = TypeRef { oid: to.oid, typmod: target.typmod };
        let elements = list
            .elements
            .iter()
            .map(|item| cast_value(context, from, to, item, explicit))
            .collect::<Result<Vec<_>>>()?;
        let dimensions = list.dimensions.clone();
        return Ok(Datum::List(Arc::new(ListValue { dimensions, elements })));
    }
    if is_string(source.oid) || is_string(target.oid) || pg_type::by_oid(target.oid).is_none() {
        return through_text(context, source, target, value);
    }
    Err(Error::new(
        SqlState::CANNOT_COERCE,
        format!(
            "cannot cast type {} to {}",
            pg_type::format_type(source),
            pg_type::format_type(TypeRef::plain(target.oid))
        ),
    ))
}

fn is_string(type_oid: u32) -> bool {
    type_oid == oid::UNKNOWN || pg_type::by_oid(type_oid).is_some_and(|row| row.category == 'S')
}

fn through_text(
    context: &EvalContext,
    source: TypeRef,
    target: TypeRef,
    value: &Datum,
) -> Result<Datum> {
    let text = io::to_text(context, source, value)?;
    // The modifier waits for the caller: a written cast cuts text where input would refuse it.
    let bare = if target.oid == oid::INTERVAL { target } else { TypeRef::plain(target.oid) };
    io::text_in(context, bare, &text)
}

/// Whether values of `source` may stand where `target` is wanted without any work.
pub fn binary_coercible(source: u32, target: u32) -> bool {
    source == target
        || find_cast(source, target).is_some_and(|row| {
            matches!(row.method, CastMethod::Binary) && row.context == super::CastContext::Implicit
        })
}
