//! CREATE and ALTER SEQUENCE.

use oxi_base::{Error, Result, SqlState};
use oxi_catalog::CatalogTxn;
use oxi_model::descriptor::{RelationDescriptor, RelationKind, SequenceDescriptor, TypeRef};
use oxi_sql::ast::{
    AlterSequence, CreateSequence, ObjectName, SequenceOption, SequenceOptionKind as Kind,
};
use oxi_types::oid;

use crate::{
    outcome::CommandTag,
    session::Session,
    statement::{
        create_table::place,
        definition::{begin_change, finish_change, if_exists, no_such_column},
    },
};

/// CREATE SEQUENCE.
pub(crate) async fn create(session: &mut Session, create: &CreateSequence) -> Result<CommandTag> {
    const TAG: CommandTag = CommandTag::plain("CREATE SEQUENCE");
    let mut change = begin_change(session)?;
    let Some((schema, name)) = place(session, &change, &create.name, create.if_not_exists)? else {
        return Ok(TAG);
    };
    let descriptor = describe(session, TypeRef::plain(oid::INT8), &create.options)?;
    let oid = session.shared.engine.allocate_oid();
    insert(&mut change, oid, schema, &name, descriptor).await?;
    if let Some(owner) = owner(session, &change, &create.options)? {
        set_owner(&mut change, oid, owner).await?;
    }
    finish_change(session, change);
    Ok(TAG)
}

/// ALTER SEQUENCE.
pub(crate) async fn alter(session: &mut Session, alter: &AlterSequence) -> Result<CommandTag> {
    const TAG: CommandTag = CommandTag::plain("ALTER SEQUENCE");
    let mut change = begin_change(session)?;
    let parts = alter.name.texts();
    let found = change
        .catalog()
        .resolve_relation(&session.search_path(), &parts)
        .map_err(|error| error.at(alter.name.span.position()));
    let Some(found) = if_exists(session, found, alter.if_exists)? else { return Ok(TAG) };
    change_options(session, &mut change, found.oid, &alter.options).await?;
    finish_change(session, change);
    Ok(TAG)
}

/// Applies options to an existing sequence.
pub(crate) async fn change_options(
    session: &mut Session,
    change: &mut CatalogTxn,
    oid: u32,
    options: &[SequenceOption],
) -> Result<()> {
    let mut relation = relation_of(change, oid)?;
    let RelationKind::Sequence(sequence) = &mut relation.kind else {
        return Err(Error::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{}\" is not a sequence", relation.name),
        ));
    };
    let before = sequence.clone();
    apply(sequence, options, false)?;
    let (storage, start) = (sequence.storage, sequence.start);
    let changed = *sequence != before;
    if changed {
        change.replace_relation(relation, &[]).await?;
    }
    for option in options {
        if let Kind::Restart(value) = &option.kind {
            let value = match value {
                Some(text) => number(text, option)?,
                None => start,
            };
            session.ensure_transaction().txn.sequence_set(storage, value, false)?;
        }
    }
    if let Some(owner) = owner(session, change, options)? {
        set_owner(change, oid, owner).await?;
    }
    Ok(())
}

/// Describes a new sequence of the given type.
pub(crate) fn describe(
    session: &mut Session,
    data_type: TypeRef,
    options: &[SequenceOption],
) -> Result<SequenceDescriptor> {
    let mut sequence = SequenceDescriptor {
        storage: session.shared.engine.allocate_oid(),
        data_type,
        increment: 1,
        min: 1,
        max: type_range(data_type).1,
        start: 1,
        cache: 1,
        cycle: false,
        owned_by: None,
    };
    apply(&mut sequence, options, true)?;
    Ok(sequence)
}

fn type_range(data_type: TypeRef) -> (i64, i64) {
    match data_type.oid {
        oid::INT2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        oid::INT4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn number(text: &str, option: &SequenceOption) -> Result<i64> {
    text.parse().map_err(|_| {
        Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{text}\" is out of range for type bigint"),
        )
        .at(option.span.position())
    })
}

/// Applies options; for a new sequence, what they leave open gets its default.
fn apply(
    sequence: &mut SequenceDescriptor,
    options: &[SequenceOption],
    is_new: bool,
) -> Result<()> {
    let (mut min, mut max, mut start) = (None, None, None);
    for option in options {
        match &option.kind {
            Kind::DataType(name) => {
                let data_type = oxi_sql::bind::resolve_type(name)?;
                if !matches!(data_type.oid, oid::INT2 | oid::INT4 | oid::INT8) {
                    return Err(invalid("sequence type must be smallint, integer, or bigint"));
                }
                if sequence.max == type_range(sequence.data_type).1 {
                    max = Some(None);
                }
                sequence.data_type = data_type;
            }
            Kind::Increment(text) => {
                sequence.increment = number(text, option)?;
                if sequence.increment == 0 {
                    return Err(invalid("INCREMENT must not be zero"));
                }
            }
            Kind::MinValue(value) => {
                min = Some(value.as_deref().map(|text| number(text, option)).transpose()?);
            }
            Kind::MaxValue(value) => {
                max = Some(value.as_deref().map(|text| number(text, option)).transpose()?);
            }
            Kind::Start(text) => start = Some(number(text, option)?),
            Kind::Cache(text) => {
                sequence.cache = number(text, option)?;
                if sequence.cache < 1 {
                    return Err(invalid(format!("CACHE ({text}) must be greater than zero")));
                }
            }
            Kind::Cycle(cycle) => sequence.cycle = *cycle,
            Kind::Restart(_) | Kind::OwnedBy(_) | Kind::SequenceName(_) | Kind::Logged(_) => {}
        }
    }
    let (least, most) = type_range(sequence.data_type);
    let ascending = sequence.increment > 0;
    if is_new || min.is_some() {
        sequence.min = min.flatten().unwrap_or(if ascending { 1 } else { least });
    }
    if is_new || max.is_some() {
        sequence.max = max.flatten().unwrap_or(if ascending { most } else { -1 });
    }
    if let Some(start) = start {
        sequence.start = start;
    } else if is_new {
        sequence.start = if ascending { sequence.min } else { sequence.max };
    }
    check_range(sequence, least, most)
}

fn check_range(sequence: &SequenceDescriptor, least: i64, most: i64) -> Result<()> {
    let type_name = oxi_types::pg_type::format_type(sequence.data_type);
    let SequenceDescriptor { min, max, start, .. } = *sequence;
    if min < least || min > most {
        return Err(invalid(format!(
            "MINVALUE ({min}) is out of range for sequence data type {type_name}"
        )));
    }
    if max < least || max > most {
        return Err(invalid(format!(
            "MAXVALUE ({max}) is out of range for sequence data type {type_name}"
        )));
    }
    if min >= max {
        return Err(invalid(format!("MINVALUE ({min}) must be less than MAXVALUE ({max})")));
    }
    if start < min {
        return Err(invalid(format!("START value ({start}) cannot be less than MINVALUE ({min})")));
    }
    if start > max {
        return Err(invalid(format!(
            "START value ({start}) cannot be greater than MAXVALUE ({max})"
        )));
    }
    Ok(())
}

/// Adds a sequence to the catalog.
pub(crate) async fn insert(
    change: &mut CatalogTxn,
    oid: u32,
    schema: u32,
    name: &str,
    descriptor: SequenceDescriptor,
) -> Result<()> {
    change
        .create_relation(RelationDescriptor {
            oid,
            schema,
            name: name.to_owned(),
            comment: None,
            kind: RelationKind::Sequence(descriptor),
        })
        .await
}

/// Sets or clears the column that owns the sequence.
pub(crate) async fn set_owner(
    change: &mut CatalogTxn,
    oid: u32,
    owner: Option<(u32, u32)>,
) -> Result<()> {
    let mut relation = relation_of(change, oid)?;
    if let RelationKind::Sequence(sequence) = &mut relation.kind {
        sequence.owned_by = owner;
    }
    change.replace_relation(relation, &[]).await
}

fn relation_of(change: &CatalogTxn, oid: u32) -> Result<RelationDescriptor> {
    change
        .catalog()
        .relation(oid)
        .map(|relation| RelationDescriptor::clone(relation))
        .ok_or_else(|| Error::bug("the sequence is gone"))
}

/// The column that OWNED BY names: `Some(None)` for OWNED BY NONE.
#[expect(clippy::option_option, reason = "absent, NONE and a column are three things")]
fn owner(
    session: &mut Session,
    change: &CatalogTxn,
    options: &[SequenceOption],
) -> Result<Option<Option<(u32, u32)>>> {
    let named = options.iter().find_map(|option| match &option.kind {
        Kind::OwnedBy(name) => Some(name),
        _ => None,
    });
    let Some(name) = named else { return Ok(None) };
    let Some(name) = name else { return Ok(Some(None)) };
    column_named(session, change, name).map(|column| Some(Some(column)))
}

/// Table and column of `[schema.]table.column`.
fn column_named(
    session: &mut Session,
    change: &CatalogTxn,
    name: &ObjectName,
) -> Result<(u32, u32)> {
    let parts = name.texts();
    let Some((column, table)) = parts.split_last().filter(|(_, table)| !table.is_empty()) else {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "invalid OWNED BY option")
            .with_hint("Specify OWNED BY table.column or OWNED BY NONE."));
    };
    let relation = change
        .catalog()
        .resolve_relation(&session.search_path(), table)
        .map_err(|error| error.at(name.span.position()))?;
    let found = relation.as_table().and_then(|table| table.column_by_name(column));
    let (_, found) = found.ok_or_else(|| no_such_column(column, &relation.name))?;
    Ok((relation.oid, found.id))
}
