//! ALTER as changes of descriptors: each function checks the names and gives the changed state.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::{
    ColumnDescriptor, ConstraintDescriptor, ConstraintKind, Deferral, IndexDescriptor,
    RelationDescriptor, RelationKind, TableDescriptor,
};

use crate::{catalog::Catalog, expression, identifier, mutation, removal, resolve, suggest};

/// Names that every table's rows have already.
const SYSTEM_COLUMNS: &[&str] = &["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];

/// A column of a table by name.
///
/// # Errors
/// `42703` if there is none; `42809` if the relation is no table.
pub fn column<'a>(
    relation: &'a RelationDescriptor,
    name: &str,
) -> Result<(usize, &'a ColumnDescriptor)> {
    let table = table(relation)?;
    table.column_by_name(name).ok_or_else(|| {
        let error = Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
        );
        let names = table.columns.iter().map(|column| column.name.as_str());
        match suggest::nearest(name, names) {
            Some(near) => error.with_hint(format!(
                "Perhaps you meant to reference the column \"{}.{near}\".",
                relation.name
            )),
            None => error,
        }
    })
}

/// The table description.
///
/// # Errors
/// `42809` if the relation is no table.
pub fn table(relation: &RelationDescriptor) -> Result<&TableDescriptor> {
    relation.as_table().ok_or_else(|| {
        Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a table", relation.name))
    })
}

/// Makes sure that a column of this name can be added.
///
/// # Errors
/// `42701` if it is there already or is a system column's.
pub fn check_new_column(relation: &RelationDescriptor, name: &str) -> Result<()> {
    if SYSTEM_COLUMNS.contains(&name) {
        return Err(Error::new(
            SqlState::DUPLICATE_COLUMN,
            format!("column name \"{name}\" conflicts with a system column name"),
        ));
    }
    if table(relation)?.column_by_name(name).is_some() {
        return Err(Error::new(
            SqlState::DUPLICATE_COLUMN,
            format!("column \"{name}\" of relation \"{}\" already exists", relation.name),
        ));
    }
    Ok(())
}

/// Makes sure that the column names of a new table are usable and differ.
///
/// # Errors
/// `42701` otherwise.
pub fn check_column_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if SYSTEM_COLUMNS.contains(&name) {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column name \"{name}\" conflicts with a system column name"),
            ));
        }
        if seen.contains(&name) {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            ));
        }
        seen.push(name);
    }
    Ok(())
}

/// The table with one more column, whose id is chosen here; gives the id too.
///
/// # Errors
/// `42701` if the name is taken.
pub fn add_column(
    relation: &RelationDescriptor,
    mut column: ColumnDescriptor,
) -> Result<(RelationDescriptor, u32)> {
    check_new_column(relation, &column.name)?;
    let mut changed = relation.clone();
    let id = table(relation)?.next_column_id;
    if let RelationKind::Table(table) = &mut changed.kind {
        column.id = id;
        table.next_column_id = id + 1;
        table.columns.push(column);
    }
    Ok((changed, id))
}

/// The table with one more constraint.
///
/// # Errors
/// `42710` if the name is taken; `42P16` for a second primary key.
pub fn add_constraint(
    relation: &RelationDescriptor,
    constraint: ConstraintDescriptor,
) -> Result<RelationDescriptor> {
    let descriptor = table(relation)?;
    if descriptor.constraints.iter().any(|found| found.name == constraint.name) {
        return Err(Error::new(
            SqlState::DUPLICATE_OBJECT,
            format!(
                "constraint \"{}\" for relation \"{}\" already exists",
                constraint.name, relation.name
            ),
        ));
    }
    if matches!(constraint.kind, ConstraintKind::Unique { primary: true, .. })
        && primary_key(descriptor).is_some()
    {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            format!("multiple primary keys for table \"{}\" are not allowed", relation.name),
        ));
    }
    let mut changed = relation.clone();
    if let RelationKind::Table(table) = &mut changed.kind {
        if let ConstraintKind::Unique { primary: true, columns, .. } = &constraint.kind {
            for column in &mut table.columns {
                column.not_null |= columns.contains(&column.id);
            }
        }
        table.constraints.push(constraint);
    }
    Ok(changed)
}

/// A constraint of a table by name.
///
/// # Errors
/// `42704` if there is none.
pub fn constraint<'a>(
    relation: &'a RelationDescriptor,
    name: &str,
) -> Result<&'a ConstraintDescriptor> {
    table(relation)?.constraints.iter().find(|found| found.name == name).ok_or_else(|| {
        Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("constraint \"{name}\" of relation \"{}\" does not exist", relation.name),
        )
    })
}

/// The primary key's index and columns.
pub fn primary_key(table: &TableDescriptor) -> Option<(u32, &[u32])> {
    table.constraints.iter().find_map(|constraint| match &constraint.kind {
        ConstraintKind::Unique { primary: true, index, columns } => {
            Some((*index, columns.as_slice()))
        }
        _ => None,
    })
}

/// Makes sure that NOT NULL can be dropped from a column.
///
/// # Errors
/// `42P16` if it is in the primary key or an identity column.
pub fn check_drop_not_null(relation: &RelationDescriptor, name: &str) -> Result<()> {
    let (_, found) = column(relation, name)?;
    if found.identity.is_some() {
        return Err(Error::new(
            SqlState::SYNTAX_ERROR,
            format!("column \"{name}\" of relation \"{}\" is an identity column", relation.name),
        ));
    }
    if primary_key(table(relation)?).is_some_and(|(_, columns)| columns.contains(&found.id)) {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            format!("column \"{name}\" is in a primary key"),
        ));
    }
    Ok(())
}

/// The index of the referenced table that serves a foreign key, and the referenced columns in
/// the order written (the primary key's if none are written).
///
/// # Errors
/// `42830` or `42704` if no unique index has exactly these columns; `55000` if only one of a
/// deferrable constraint has.
pub fn foreign_key_target(
    catalog: &Catalog,
    referenced: &RelationDescriptor,
    columns: Option<&[u32]>,
    referencing_count: usize,
) -> Result<(u32, Vec<u32>)> {
    let descriptor = table(referenced).map_err(|_| {
        Error::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("referenced relation \"{}\" is not a table", referenced.name),
        )
    })?;
    let found = match columns {
        None => {
            let (index, columns) = primary_key(descriptor).ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("there is no primary key for referenced table \"{}\"", referenced.name),
                )
            })?;
            (index, columns.to_vec())
        }
        Some(columns) => {
            let index = unique_index_on(catalog, referenced.oid, columns).ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_FOREIGN_KEY,
                    format!(
                        "there is no unique constraint matching given keys for referenced table \"{}\"",
                        referenced.name
                    ),
                )
            })?;
            (index, columns.to_vec())
        }
    };
    let deferrable = |oid| catalog.relation(oid)?.as_index().map(|index| index.deferrable);
    if deferrable(found.0) == Some(true) {
        let what = if columns.is_none() { "primary key" } else { "unique constraint" };
        return Err(Error::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("cannot use a deferrable {what} for referenced table \"{}\"", referenced.name),
        ));
    }
    if found.1.len() != referencing_count {
        return Err(Error::new(
            SqlState::INVALID_FOREIGN_KEY,
            "number of referencing and referenced columns for foreign key disagree",
        ));
    }
    Ok(found)
}

/// A unique index over exactly these columns in any order: one whose keys never meet before one
/// of a deferrable constraint, and among those the primary key's first.
pub fn unique_index_on(catalog: &Catalog, table: u32, columns: &[u32]) -> Option<u32> {
    let primary = catalog.relation(table)?.as_table().and_then(primary_key).map(|(index, _)| index);
    let fits = |index: &IndexDescriptor| {
        index.unique
            && !index.invalid
            && index.columns.len() == columns.len()
            && columns.iter().all(|id| index.columns.iter().any(|key| key.column == *id))
    };
    let mut fitting: Vec<(bool, bool, u32)> = catalog
        .indexes_of(table)
        .iter()
        .filter_map(|relation| {
            let index = relation.as_index().filter(|index| fits(index))?;
            Some((index.deferrable, Some(relation.oid) != primary, relation.oid))
        })
        .collect();
    fitting.sort_unstable();
    fitting.first().map(|(_, _, oid)| *oid)
}

/// A table whose foreign key is checked at another time: ALTER CONSTRAINT.
///
/// # Errors
/// `42704` if there is no such constraint, `42809` if it is none of a foreign key.
pub fn set_deferral(
    relation: &RelationDescriptor,
    name: &str,
    deferral: Deferral,
) -> Result<RelationDescriptor> {
    let oid = constraint(relation, name)?.oid;
    let mut changed = relation.clone();
    let RelationKind::Table(table) = &mut changed.kind else {
        return Err(Error::bug("a constraint of what is no table"));
    };
    for found in table.constraints.iter_mut().filter(|found| found.oid == oid) {
        if !matches!(found.kind, ConstraintKind::ForeignKey(_)) {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!(
                    "constraint \"{name}\" of relation \"{}\" is not a foreign key constraint",
                    relation.name
                ),
            ));
        }
        found.deferral = deferral;
    }
    Ok(changed)
}

/// The relations that change when a column gets another name; the table is the first.
///
/// # Errors
/// `42703`, `42701`; `0A000` if a view reads the column.
pub fn rename_column(
    catalog: &Catalog,
    relation: &RelationDescriptor,
    old: &str,
    new: &str,
) -> Result<Vec<RelationDescriptor>> {
    resolve::check_not_system(relation)?;
    if let RelationKind::View(_) = relation.kind {
        return rename_view_column(catalog, relation, old, new);
    }
    if table(relation)?.column_by_name(old).is_none() {
        return Err(Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{old}\" does not exist"),
        ));
    }
    check_new_column(relation, new)?;
    refuse_views(catalog, relation, "rename a column", |query| {
        expression::mentions_or_star(query, old)
    })?;
    let mut changed = relation.clone();
    if let RelationKind::Table(table) = &mut changed.kind {
        for column in &mut table.columns {
            if column.name == old {
                new.clone_into(&mut column.name);
            }
            if let Some(generated) = &mut column.generated {
                *generated = expression::rename_column(generated, old, new);
            }
        }
        for constraint in &mut table.constraints {
            if let ConstraintKind::Check { expression } = &mut constraint.kind {
                *expression = expression::rename_column(expression, old, new);
            }
        }
    }
    Ok(vec![changed])
}

fn rename_view_column(
    catalog: &Catalog,
    relation: &RelationDescriptor,
    old: &str,
    new: &str,
) -> Result<Vec<RelationDescriptor>> {
    let mut changed = relation.clone();
    let RelationKind::View(view) = &mut changed.kind else { return Ok(Vec::new()) };
    if view.columns.iter().any(|column| column.name == new) {
        return Err(Error::new(
            SqlState::DUPLICATE_COLUMN,
            format!("column \"{new}\" of relation \"{}\" already exists", relation.name),
        ));
    }
    refuse_views(catalog, relation, "rename a column", |query| {
        expression::mentions_or_star(query, old)
    })?;
    let column = view.columns.iter_mut().find(|column| column.name == old).ok_or_else(|| {
        Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{old}\" does not exist"))
    })?;
    new.clone_into(&mut column.name);
    Ok(vec![changed])
}

/// The relations that change when one gets another name; it is the first. The index of a
/// constraint takes the constraint along.
///
/// # Errors
/// `42P07` if the name is taken; `0A000` if a view reads the relation.
pub fn rename_relation(
    catalog: &Catalog,
    relation: &RelationDescriptor,
    new: &str,
) -> Result<Vec<RelationDescriptor>> {
    resolve::check_not_system(relation)?;
    if catalog.relation_by_name(relation.schema, new).is_some() {
        return Err(mutation::duplicate_relation(new));
    }
    refuse_views(catalog, relation, "rename a relation", |_| true)?;
    let mut renamed = relation.clone();
    new.clone_into(&mut renamed.name);
    let mut changed = vec![renamed];
    match &relation.kind {
        RelationKind::Index(_) => {
            if let Some((table, position)) = catalog.constraint_of_index(relation.oid) {
                changed.push(with_constraint_name(&table, position, new));
            }
        }
        RelationKind::Sequence(_) => {
            let place = (relation.schema, new);
            changed.extend(defaults_of_moved_sequence(catalog, relation, place));
        }
        RelationKind::Table(_) | RelationKind::View(_) => {}
    }
    Ok(changed)
}

/// The relations that change when a constraint gets another name: the table, and the index that
/// enforces it.
///
/// # Errors
/// `42704` if there is none; `42710`, `42P07` if the name is taken.
pub fn rename_constraint(
    catalog: &Catalog,
    relation: &Arc<RelationDescriptor>,
    old: &str,
    new: &str,
) -> Result<Vec<RelationDescriptor>> {
    resolve::check_not_system(relation)?;
    let descriptor = table(relation)?;
    let position =
        descriptor.constraints.iter().position(|found| found.name == old).ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!("constraint \"{old}\" for table \"{}\" does not exist", relation.name),
            )
        })?;
    let mut changed = vec![with_constraint_name(relation, position, new)];
    if let ConstraintKind::Unique { index, .. } = descriptor.constraints[position].kind {
        if catalog.relation_by_name(relation.schema, new).is_some() {
            return Err(mutation::duplicate_relation(new));
        }
        if let Some(found) = catalog.relation(index) {
            let mut renamed = (**found).clone();
            new.clone_into(&mut renamed.name);
            changed.push(renamed);
        }
    } else if descriptor.constraints.iter().any(|found| found.name == new) {
        return Err(Error::new(
            SqlState::DUPLICATE_OBJECT,
            format!("constraint \"{new}\" for relation \"{}\" already exists", relation.name),
        ));
    }
    Ok(changed)
}

/// The relations that change when one moves to another schema: it, its indexes, its sequences.
///
/// # Errors
/// `42P07` if a name is taken there; `0A000` if a view reads the relation.
pub fn set_schema(
    catalog: &Catalog,
    relation: &RelationDescriptor,
    schema: u32,
) -> Result<Vec<RelationDescriptor>> {
    resolve::check_not_system(relation)?;
    refuse_views(catalog, relation, "move a relation", |_| true)?;
    let mut changed = vec![relation.clone()];
    changed.extend(catalog.indexes_of(relation.oid).iter().map(|index| (**index).clone()));
    changed.extend(
        catalog.owned_sequences(relation.oid, None).iter().map(|sequence| (**sequence).clone()),
    );
    for moved in &mut changed {
        moved.schema = schema;
        if catalog.relation_by_name(schema, &moved.name).is_some() {
            return Err(Error::new(
                SqlState::DUPLICATE_TABLE,
                format!(
                    "relation \"{}\" already exists in schema \"{}\"",
                    moved.name,
                    catalog.schema_name(schema)
                ),
            ));
        }
    }
    let mut sequences: Vec<Arc<RelationDescriptor>> = catalog.owned_sequences(relation.oid, None);
    sequences.extend(catalog.relation(relation.oid).filter(|r| r.as_sequence().is_some()).cloned());
    for sequence in sequences {
        for user in defaults_of_moved_sequence(catalog, &sequence, (schema, &sequence.name)) {
            match changed.iter_mut().find(|found| found.oid == user.oid) {
                Some(found) => found.kind = user.kind,
                None => changed.push(user),
            }
        }
    }
    Ok(changed)
}

/// The tables whose defaults name a sequence, with its new place in their text.
fn defaults_of_moved_sequence(
    catalog: &Catalog,
    sequence: &RelationDescriptor,
    place: (u32, &str),
) -> Vec<RelationDescriptor> {
    let old = (catalog.schema_name(sequence.schema), sequence.name.as_str());
    let new = identifier::qualified(catalog.schema_name(place.0), place.1);
    let mut changed = Vec::new();
    for relation in catalog.relations() {
        let RelationKind::Table(table) = &relation.kind else { continue };
        let mut renamed = table.clone();
        for column in &mut renamed.columns {
            if let Some(default) = &mut column.default {
                *default = expression::rename_sequence(default, old, &new);
            }
        }
        if renamed != *table {
            let mut relation = (**relation).clone();
            relation.kind = RelationKind::Table(renamed);
            changed.push(relation);
        }
    }
    changed
}

fn with_constraint_name(
    relation: &RelationDescriptor,
    position: usize,
    name: &str,
) -> RelationDescriptor {
    let mut changed = relation.clone();
    if let RelationKind::Table(table) = &mut changed.kind
        && let Some(constraint) = table.constraints.get_mut(position)
    {
        name.clone_into(&mut constraint.name);
    }
    changed
}

/// Views keep their query as text, which names of other objects must not leave behind.
fn refuse_views(
    catalog: &Catalog,
    relation: &RelationDescriptor,
    what: &str,
    reads: impl Fn(&str) -> bool,
) -> Result<()> {
    let found = catalog
        .views_on(relation.oid)
        .into_iter()
        .find(|view| view.as_view().is_some_and(|view| reads(&view.query)));
    match found {
        Some(view) => Err(Error::unsupported(format!("cannot {what} that a view uses"))
            .with_detail(format!(
                "view {} depends on {} {}",
                removal::display(catalog, &view),
                resolve::kind_word(relation),
                removal::display(catalog, relation)
            ))
            .with_hint("Drop the view, make the change, and create the view again.")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
