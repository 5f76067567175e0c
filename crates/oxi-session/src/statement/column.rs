//! From a column's definition in SQL to its descriptor, and what it brings along.

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::identifier::Generated;
use oxi_model::descriptor::{ColumnDescriptor, Identity, SequenceDescriptor, TypeRef};
use oxi_sql::ast::{self, ColumnConstraintKind as Kind, ColumnDef, Expr, SequenceOption};
use oxi_types::{oid, pg_type};

use crate::{
    binding::StoredUse,
    session::Session,
    statement::{
        constraint::{NewConstraint, deferral_of},
        definition, sequence,
    },
};

/// A column on its way into a table.
pub(crate) struct NewColumn {
    pub(crate) descriptor: ColumnDescriptor,
    pub(crate) default: Option<Expr>,
    pub(crate) generated: Option<Expr>,
    pub(crate) constraints: Vec<NewConstraint>,
    /// The sequence that `serial` or an identity brings along.
    pub(crate) sequence: Option<NewSequence>,
}

/// A sequence on its way into the catalog together with its column.
pub(crate) struct NewSequence {
    pub(crate) name: Option<ast::ObjectName>,
    pub(crate) descriptor: SequenceDescriptor,
    /// Of `GENERATED ALWAYS AS IDENTITY`; `None` for serial.
    pub(crate) identity_always: Option<bool>,
}

/// Reads a column's definition; expressions are checked later, when all columns are known.
pub(crate) fn define(session: &mut Session, def: &ColumnDef, id: u32) -> Result<NewColumn> {
    refuse_unsupported(def)?;
    let (data_type, serial) = column_type(&def.data_type)?;
    let physical = pg_type::by_oid(data_type.oid)
        .map(|row| row.physical.clone())
        .ok_or_else(|| Error::bug(format!("type {} is not there", data_type.oid)))?;
    let descriptor = ColumnDescriptor {
        id,
        name: def.name.value.clone(),
        data_type,
        physical,
        not_null: serial,
        default: None,
        generated: None,
        identity: None,
        comment: None,
    };
    let mut column = NewColumn {
        descriptor,
        default: None,
        generated: None,
        constraints: Vec::new(),
        sequence: None,
    };
    if serial {
        let descriptor = sequence::describe(session, data_type, &[])?;
        column.sequence = Some(NewSequence { name: None, descriptor, identity_always: None });
    }
    let mut null_given = None;
    for constraint in &def.constraints {
        apply(session, &mut column, constraint, &mut null_given)?;
    }
    Ok(column)
}

fn refuse_unsupported(def: &ColumnDef) -> Result<()> {
    if let Some(collation) = &def.collation
        && !matches!(collation.last(), "C" | "POSIX" | "default" | "ucs_basic")
    {
        return Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("collation \"{}\" for encoding \"UTF8\" does not exist", collation.last()),
        )
        .at(collation.span.position()));
    }
    Ok(())
}

/// The column's type; true if it is one of the serial types.
fn column_type(name: &ast::TypeName) -> Result<(TypeRef, bool)> {
    let plain = name.name.parts.len() == 1 && name.array_bounds.is_empty();
    let serial = match name.name.last() {
        "serial" | "serial4" if plain => Some(oid::INT4),
        "bigserial" | "serial8" if plain => Some(oid::INT8),
        "smallserial" | "serial2" if plain => Some(oid::INT2),
        _ => None,
    };
    if let Some(oid) = serial {
        return Ok((TypeRef::plain(oid), true));
    }
    let data_type = oxi_sql::bind::resolve_type(name)?;
    if pg_type::by_oid(data_type.oid).is_some_and(|row| row.category == 'P') {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            format!("column has pseudo-type {}", pg_type::format_type(data_type)),
        )
        .at(name.span.position()));
    }
    Ok((data_type, false))
}

fn apply(
    session: &mut Session,
    column: &mut NewColumn,
    constraint: &ast::ColumnConstraint,
    null_given: &mut Option<bool>,
) -> Result<()> {
    let at = constraint.span.position();
    let names = vec![column.descriptor.name.clone()];
    let given = constraint.name.as_ref().map(|name| name.value.clone());
    match &constraint.kind {
        Kind::Null | Kind::NotNull => {
            let not_null = matches!(constraint.kind, Kind::NotNull);
            if null_given.is_some_and(|before| before != not_null) {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    format!(
                        "conflicting NULL/NOT NULL declarations for column \"{}\"",
                        column.descriptor.name
                    ),
                )
                .at(at));
            }
            *null_given = Some(not_null);
            column.descriptor.not_null |= not_null;
        }
        Kind::Default(expr) => {
            if column.default.is_some() {
                return Err(multiple("default values", column).at(at));
            }
            column.default = Some(expr.clone());
        }
        Kind::Generated { expr, stored } => {
            if !stored {
                return Err(
                    Error::unsupported("virtual generated columns are not supported").at(at)
                );
            }
            if column.generated.is_some() {
                return Err(multiple("generation clauses", column).at(at));
            }
            column.generated = Some(expr.clone());
        }
        Kind::Identity { always, options } => {
            identity(session, column, *always, options).map_err(|error| error.at(at))?;
        }
        Kind::Check { expr, .. } => {
            column.constraints.push(NewConstraint::check(given, expr.clone(), names));
        }
        Kind::PrimaryKey(parameters) => {
            parameters_supported(parameters, at)?;
            column.constraints.push(NewConstraint::unique(given, true, false, names));
        }
        Kind::Unique { nulls_not_distinct, parameters } => {
            parameters_supported(parameters, at)?;
            column.constraints.push(NewConstraint::unique(
                given,
                false,
                *nulls_not_distinct,
                names,
            ));
        }
        Kind::References(key) => {
            column.constraints.push(NewConstraint::foreign_key(given, names, key.clone()));
        }
    }
    put_deferral(column, constraint)
}

/// When the constraint that was just added is checked.
fn put_deferral(column: &mut NewColumn, constraint: &ast::ColumnConstraint) -> Result<()> {
    let is_key =
        matches!(&constraint.kind, Kind::PrimaryKey(_) | Kind::Unique { .. } | Kind::References(_));
    match column.constraints.last_mut().filter(|_| is_key) {
        Some(added) => added.deferral = deferral_of(constraint.deferral),
        None if constraint.deferral.deferrable => {
            let misplaced = Error::new(SqlState::SYNTAX_ERROR, "misplaced DEFERRABLE clause");
            return Err(misplaced.at(constraint.span.position()));
        }
        None => {}
    }
    Ok(())
}

/// INCLUDE columns have no place in an index yet.
pub(crate) fn parameters_supported(parameters: &ast::IndexParameters, at: usize) -> Result<()> {
    if parameters.include.is_empty() {
        return Ok(());
    }
    Err(Error::unsupported("INCLUDE columns are not supported").at(at))
}

fn multiple(what: &str, column: &NewColumn) -> Error {
    Error::new(
        SqlState::SYNTAX_ERROR,
        format!("multiple {what} specified for column \"{}\"", column.descriptor.name),
    )
}

/// Makes the column an identity column.
pub(crate) fn identity(
    session: &mut Session,
    column: &mut NewColumn,
    always: bool,
    options: &[SequenceOption],
) -> Result<()> {
    let data_type = column.descriptor.data_type;
    if !matches!(data_type.oid, oid::INT2 | oid::INT4 | oid::INT8) {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "identity column type must be smallint, integer, or bigint",
        ));
    }
    if column.sequence.is_some() {
        return Err(multiple("identity specifications", column));
    }
    column.descriptor.not_null = true;
    let name = options.iter().find_map(|option| match &option.kind {
        ast::SequenceOptionKind::SequenceName(name) => Some(name.clone()),
        _ => None,
    });
    let descriptor = sequence::describe(session, data_type, options)?;
    column.sequence = Some(NewSequence { name, descriptor, identity_always: Some(always) });
    Ok(())
}

/// Checks that the column does not say where its values come from twice, and stores the
/// expressions' texts.
pub(crate) fn settle_expressions(
    session: &mut Session,
    relation: &str,
    columns: &mut [ColumnDescriptor],
    new: &NewColumn,
) -> Result<()> {
    let sources = [
        (new.default.is_some(), "default"),
        (new.generated.is_some(), "generation expression"),
        (new.sequence.as_ref().is_some_and(|s| s.identity_always.is_some()), "identity"),
    ];
    let given: Vec<&str> = sources.iter().filter(|(given, _)| *given).map(|(_, w)| *w).collect();
    if let [first, second, ..] = given[..] {
        return Err(Error::new(
            SqlState::SYNTAX_ERROR,
            format!(
                "both {first} and {second} specified for column \"{}\" of table \"{relation}\"",
                new.descriptor.name
            ),
        ));
    }
    let data_type = new.descriptor.data_type;
    let default = match &new.default {
        Some(expr) => {
            let usage = StoredUse::Default(data_type);
            Some(definition::stored_expression(session, &[], relation, expr, usage)?)
        }
        None => None,
    };
    let generated = match &new.generated {
        Some(expr) => {
            let usage = StoredUse::Generated(data_type);
            Some(definition::stored_expression(session, columns, relation, expr, usage)?)
        }
        None => None,
    };
    if let Some(column) = columns.iter_mut().find(|column| column.id == new.descriptor.id) {
        if default.is_some() {
            column.default = default;
        }
        if generated.is_some() {
            column.generated = generated;
        }
    }
    Ok(())
}

/// Creates the column's sequence and lets the column draw from it. The sequence becomes owned by
/// the column once the table is there.
pub(crate) async fn create_sequence(
    session: &mut Session,
    change: &mut oxi_catalog::CatalogTxn,
    schema: u32,
    table_name: &str,
    column: &mut ColumnDescriptor,
    new: &NewSequence,
) -> Result<u32> {
    let oid = session.shared.engine.allocate_oid();
    let name = match &new.name {
        Some(name) => name.last().to_owned(),
        None => change.catalog().generate_name(
            schema,
            Generated::Sequence,
            table_name,
            &[&column.name],
            &[],
        ),
    };
    sequence::insert(change, oid, schema, &name, new.descriptor.clone()).await?;
    if let Some(always) = new.identity_always {
        column.identity = Some(Identity { always, sequence: oid });
    } else {
        let qualified =
            oxi_catalog::identifier::qualified(change.catalog().schema_name(schema), &name);
        let literal = oxi_catalog::identifier::literal(&qualified);
        column.default = Some(format!("nextval({literal}::regclass)"));
    }
    Ok(oid)
}
