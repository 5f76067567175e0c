//! The errors of violated constraints, in PostgreSQL's words.

use oxi_base::{Error, Result, SqlState, error::ErrorObject};
use oxi_model::{
    Datum,
    descriptor::{ColumnDescriptor, RelationDescriptor},
};
use oxi_types::{EvalContext, io};

use crate::dml::target::{IncomingKey, OutgoingKey, Target, UniqueKey};

/// Longest text of one value in "Failing row contains".
const VALUE_BYTES: usize = 64;

/// `23502`
pub fn not_null(eval: &EvalContext, target: &Target, column: usize, row: &[Datum]) -> Error {
    let name = target.columns().get(column).map_or("", |column| column.name.as_str());
    let mut object = object_of(target);
    object.column = Some(name.to_owned());
    Error::new(
        SqlState::NOT_NULL_VIOLATION,
        format!(
            "null value in column \"{name}\" of relation \"{}\" violates not-null constraint",
            target.relation.name
        ),
    )
    .with_detail(failing_row(eval, target, row))
    .with_object(object)
}

/// `23514`
pub fn check(eval: &EvalContext, target: &Target, constraint: &str, row: &[Datum]) -> Error {
    let mut object = object_of(target);
    object.constraint = Some(constraint.to_owned());
    Error::new(
        SqlState::CHECK_VIOLATION,
        format!(
            "new row for relation \"{}\" violates check constraint \"{constraint}\"",
            target.relation.name
        ),
    )
    .with_detail(failing_row(eval, target, row))
    .with_object(object)
}

/// `23505`
pub fn unique(eval: &EvalContext, target: &Target, key: &UniqueKey, row: &[Datum]) -> Error {
    let values: Vec<Datum> =
        key.columns.iter().map(|column| row.get(*column).cloned().unwrap_or_default()).collect();
    unique_values(eval, target, key, &values)
}

/// `23505` for the values of a key.
pub fn unique_values(
    eval: &EvalContext,
    target: &Target,
    key: &UniqueKey,
    values: &[Datum],
) -> Error {
    let mut object = object_of(target);
    object.constraint = Some(key.name.clone());
    Error::new(
        SqlState::UNIQUE_VIOLATION,
        format!("duplicate key value violates unique constraint \"{}\"", key.name),
    )
    .with_detail(format!(
        "Key {} already exists.",
        describe(eval, target.columns(), &key.columns, values)
    ))
    .with_object(object)
}

/// `23503` for a row that refers to nothing. `values` are in the order of the key's columns.
pub fn reference(
    eval: &EvalContext,
    target: &Target,
    key: &OutgoingKey,
    values: &[Datum],
) -> Error {
    let declared = reorder(&key.columns, &key.declared, values);
    reference_error(target, key).with_detail(format!(
        "Key {} is not present in table \"{}\".",
        describe(eval, target.columns(), &key.declared, &declared),
        key.parent.name
    ))
}

/// `23503` for a MATCH FULL key that is partly NULL.
pub fn match_full(target: &Target, key: &OutgoingKey) -> Error {
    reference_error(target, key)
        .with_detail("MATCH FULL does not allow mixing of null and nonnull key values.")
}

fn reference_error(target: &Target, key: &OutgoingKey) -> Error {
    let mut object = object_of(target);
    object.constraint = Some(key.name.clone());
    Error::new(
        SqlState::FOREIGN_KEY_VIOLATION,
        format!(
            "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
            target.relation.name, key.name
        ),
    )
    .with_object(object)
}

/// `23503` for a row that others refer to. `values` are in the order of the key's columns.
pub fn referenced(
    eval: &EvalContext,
    target: &Target,
    key: &IncomingKey,
    child_schema: &str,
    values: &[Datum],
) -> Error {
    let declared = reorder(&key.columns, &key.declared, values);
    Error::new(
        SqlState::FOREIGN_KEY_VIOLATION,
        format!(
            "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
            target.relation.name, key.name, key.child.name
        ),
    )
    .with_detail(format!(
        "Key {} is still referenced from table \"{}\".",
        describe(eval, target.columns(), &key.declared, &declared),
        key.child.name
    ))
    .with_object(ErrorObject {
        schema: Some(child_schema.to_owned()),
        table: Some(key.child.name.clone()),
        constraint: Some(key.name.clone()),
        ..ErrorObject::default()
    })
}

/// Values of columns `from` in the order of `to`.
pub fn reorder(from: &[usize], to: &[usize], values: &[Datum]) -> Vec<Datum> {
    to.iter()
        .map(|wanted| {
            let place = from.iter().position(|found| found == wanted);
            place.and_then(|place| values.get(place)).cloned().unwrap_or_default()
        })
        .collect()
}

fn object_of(target: &Target) -> ErrorObject {
    ErrorObject {
        schema: Some(target.schema.clone()),
        table: Some(target.relation.name.clone()),
        ..ErrorObject::default()
    }
}

/// `(a, b)=(1, x)`
pub fn describe(
    eval: &EvalContext,
    columns: &[ColumnDescriptor],
    positions: &[usize],
    values: &[Datum],
) -> String {
    let mut names = String::new();
    let mut texts = String::new();
    for (position, value) in positions.iter().zip(values) {
        let Some(column) = columns.get(*position) else { continue };
        if !names.is_empty() {
            names.push_str(", ");
            texts.push_str(", ");
        }
        names.push_str(&column.name);
        texts.push_str(&text_of(eval, column, value));
    }
    format!("({names})=({texts})")
}

fn text_of(eval: &EvalContext, column: &ColumnDescriptor, value: &Datum) -> String {
    if value.is_null() {
        return "null".to_owned();
    }
    let mut text = String::new();
    // A value that cannot be shown must not hide the error that is being reported.
    match io::text_out(eval, column.data_type, value, &mut text) {
        Ok(()) => text,
        Err(_) => "?".to_owned(),
    }
}

fn failing_row(eval: &EvalContext, target: &Target, row: &[Datum]) -> String {
    let mut out = String::from("Failing row contains (");
    for (place, (column, value)) in target.columns().iter().zip(row).enumerate() {
        if place > 0 {
            out.push_str(", ");
        }
        let text = text_of(eval, column, value);
        if text.len() <= VALUE_BYTES {
            out.push_str(&text);
        } else {
            out.push_str(&text[..text.floor_char_boundary(VALUE_BYTES)]);
            out.push_str("...");
        }
    }
    out.push_str(").");
    out
}

/// Checks the NOT NULL columns of one row.
///
/// # Errors
/// `23502`
pub fn require_not_null(eval: &EvalContext, target: &Target, row: &[Datum]) -> Result<()> {
    match target.not_null.iter().find(|column| row.get(**column).is_none_or(Datum::is_null)) {
        Some(column) => Err(not_null(eval, target, *column, row)),
        None => Ok(()),
    }
}

/// `55000` for ON CONFLICT on keys that may meet for a while.
pub fn deferrable_arbiter(target: &Target, key: &UniqueKey) -> Error {
    let mut object = object_of(target);
    object.constraint = Some(key.name.clone());
    Error::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters",
    )
    .with_object(object)
}

/// `21000` for a second ON CONFLICT DO UPDATE of one row.
pub fn second_time(_: &RelationDescriptor) -> Error {
    Error::new(
        SqlState::CARDINALITY_VIOLATION,
        "ON CONFLICT DO UPDATE command cannot affect row a second time",
    )
    .with_hint(
        "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
    )
}
