//! Type names.

use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::TypeRef;
use oxi_types::{oid, pg_type};

use crate::ast::{self, ExprKind, Literal, TypeName};

/// The type a name stands for. `char` without length is `char(1)` already in the tree.
///
/// # Errors
/// `42704` if there is none, `22023` for bad modifiers.
pub fn resolve_type(name: &TypeName) -> Result<TypeRef> {
    let position = name.span.position();
    if name.percent_type {
        return Err(Error::unsupported("%TYPE is not supported").at(position));
    }
    if name.set_of {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "SETOF is not allowed here").at(position));
    }
    let undefined = || {
        Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("type \"{}\" does not exist", name.name.texts().join(".")),
        )
        .at(position)
    };
    let row = match name.name.schema() {
        None | Some("pg_catalog") => pg_type::by_typname(name.name.last()),
        Some(_) => None,
    }
    .or_else(|| (name.name.schema().is_none()).then(|| pg_type::by_name(name.name.last()))?)
    .ok_or_else(undefined)?;
    let modifiers = name.modifiers.iter().map(modifier).collect::<Result<Vec<_>>>()?;
    let typmod = match (&name.interval, row.oid) {
        (Some(fields), oid::INTERVAL) => {
            pg_type::interval_typmod(Some(fields.sql()), modifiers.first().copied())
        }
        _ => pg_type::encode_typmod(row.oid, &modifiers),
    }
    .map_err(|error| error.at(position))?;
    let type_oid = if name.array_bounds.is_empty() {
        row.oid
    } else if row.array_oid != 0 {
        row.array_oid
    } else {
        return Err(undefined());
    };
    Ok(TypeRef { oid: type_oid, typmod })
}

fn modifier(expr: &ast::Expr) -> Result<i32> {
    match &expr.kind {
        ExprKind::Literal(Literal::Int4(value)) => Ok(*value),
        ExprKind::Literal(Literal::String(text)) if text.parse::<i32>().is_ok() => {
            Ok(text.parse().unwrap_or_default())
        }
        _ => Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "type modifiers must be simple constants or identifiers",
        )
        .at(expr.span.position())),
    }
}
