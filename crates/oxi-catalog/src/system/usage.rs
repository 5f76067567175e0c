//! `information_schema`: constraints and what they use.

use oxi_model::{
    Row,
    descriptor::{
        ConstraintDescriptor, ConstraintKind, Deferral, RelationDescriptor, TableDescriptor,
    },
};

use super::{SystemContext, class, constraint, value::*};
use crate::{definition, identifier};

/// All constraints with their tables.
fn all(
    context: &SystemContext,
) -> impl Iterator<Item = (&RelationDescriptor, &TableDescriptor, &ConstraintDescriptor)> {
    class::user_relations(context)
        .filter_map(|relation| Some((relation, relation.as_table()?)))
        .flat_map(|(relation, table)| {
            table.constraints.iter().map(move |found| (&**relation, table, found))
        })
}

/// NOT NULL as the constraint that the standard makes of it: table, column, name.
fn not_nulls(context: &SystemContext) -> Vec<(&RelationDescriptor, &str, String)> {
    let mut found = Vec::new();
    for relation in class::user_relations(context) {
        for column in relation.as_table().into_iter().flat_map(|table| &table.columns) {
            if column.not_null {
                let name = format!(
                    "{}_{}_{}_not_null",
                    relation.schema,
                    relation.oid,
                    class::attnum(column.id)
                );
                found.push((&**relation, column.name.as_str(), name));
            }
        }
    }
    found
}

pub(super) fn table_constraints(context: &SystemContext) -> Vec<Row> {
    let row = |relation: &RelationDescriptor,
               name: &str,
               kind: &str,
               distinct: Option<bool>,
               deferral: Deferral| {
        let schema = context.catalog.schema_name(relation.schema);
        vec![
            text(&context.database),
            text(schema),
            text(name),
            text(&context.database),
            text(schema),
            text(&relation.name),
            text(kind),
            yes_no(deferral.deferrable),
            yes_no(deferral.initially_deferred),
            text("YES"),
            distinct.map_or(NULL, yes_no),
        ]
    };
    let mut rows: Vec<Row> = all(context)
        .map(|(relation, _, found)| {
            let (kind, distinct) = match &found.kind {
                ConstraintKind::Check { .. } => ("CHECK", None),
                ConstraintKind::Unique { primary: true, .. } => ("PRIMARY KEY", None),
                ConstraintKind::Unique { index, .. } => {
                    let not_distinct = context
                        .catalog
                        .relation(*index)
                        .and_then(|index| index.as_index())
                        .is_some_and(|index| index.nulls_not_distinct);
                    ("UNIQUE", Some(!not_distinct))
                }
                ConstraintKind::ForeignKey(_) => ("FOREIGN KEY", None),
            };
            row(relation, &found.name, kind, distinct, found.deferral)
        })
        .collect();
    rows.extend(
        not_nulls(context)
            .iter()
            .map(|(relation, _, name)| row(relation, name, "CHECK", None, Deferral::NONE)),
    );
    rows
}

pub(super) fn key_column_usage(context: &SystemContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for (relation, table, found) in all(context) {
        let (columns, referenced) = match &found.kind {
            ConstraintKind::Unique { columns, .. } => (columns, None),
            ConstraintKind::ForeignKey(key) => (&key.columns, Some(key)),
            ConstraintKind::Check { .. } => continue,
        };
        let schema = context.catalog.schema_name(relation.schema);
        for (position, id) in columns.iter().enumerate() {
            let place = referenced.and_then(|key| {
                let index = context.catalog.relation(key.referenced_index)?.as_index()?;
                let target = key.referenced_columns.get(position)?;
                index.columns.iter().position(|part| part.column == *target)
            });
            let name = table.column_by_id(*id).map_or("", |(_, column)| column.name.as_str());
            rows.push(vec![
                text(&context.database),
                text(schema),
                text(&found.name),
                text(&context.database),
                text(schema),
                text(&relation.name),
                text(name),
                int4(position as i32 + 1),
                place.map_or(NULL, |place| int4(place as i32 + 1)),
            ]);
        }
    }
    rows
}

pub(super) fn constraint_column_usage(context: &SystemContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for (relation, table, found) in all(context) {
        let (used, columns): (&RelationDescriptor, Vec<u32>) = match &found.kind {
            ConstraintKind::Unique { columns, .. } => (relation, columns.clone()),
            ConstraintKind::Check { expression } => {
                (relation, constraint::check_columns(table, expression))
            }
            ConstraintKind::ForeignKey(key) => match context.catalog.relation(key.referenced_table)
            {
                Some(referenced) => (referenced, key.referenced_columns.clone()),
                None => continue,
            },
        };
        let Some(used_table) = used.as_table() else { continue };
        for id in columns {
            let name = used_table.column_by_id(id).map_or("", |(_, column)| column.name.as_str());
            rows.push(vec![
                text(&context.database),
                text(context.catalog.schema_name(used.schema)),
                text(&used.name),
                text(name),
                text(&context.database),
                text(context.catalog.schema_name(relation.schema)),
                text(&found.name),
            ]);
        }
    }
    rows
}

pub(super) fn constraint_table_usage(context: &SystemContext) -> Vec<Row> {
    all(context)
        .filter_map(|(relation, _, found)| {
            let used = match &found.kind {
                ConstraintKind::Unique { .. } => relation,
                ConstraintKind::ForeignKey(key) => {
                    &**context.catalog.relation(key.referenced_table)?
                }
                ConstraintKind::Check { .. } => return None,
            };
            Some(vec![
                text(&context.database),
                text(context.catalog.schema_name(used.schema)),
                text(&used.name),
                text(&context.database),
                text(context.catalog.schema_name(relation.schema)),
                text(&found.name),
            ])
        })
        .collect()
}

pub(super) fn referential_constraints(context: &SystemContext) -> Vec<Row> {
    all(context)
        .filter_map(|(relation, _, found)| {
            let ConstraintKind::ForeignKey(key) = &found.kind else { return None };
            let owner = context.catalog.constraint_of_index(key.referenced_index);
            let unique = owner.as_ref().and_then(|(table, position)| {
                let constraint = table.as_table()?.constraints.get(*position)?;
                Some((context.catalog.schema_name(table.schema), constraint.name.as_str()))
            });
            let rule = |action| text(definition::action_word(action).unwrap_or("NO ACTION"));
            Some(vec![
                text(&context.database),
                text(context.catalog.schema_name(relation.schema)),
                text(&found.name),
                unique.map_or(NULL, |_| text(&context.database)),
                optional(unique.map(|(schema, _)| schema)),
                optional(unique.map(|(_, name)| name)),
                text(if key.match_full { "FULL" } else { "NONE" }),
                rule(key.on_update),
                rule(key.on_delete),
            ])
        })
        .collect()
}

pub(super) fn check_constraints(context: &SystemContext) -> Vec<Row> {
    let row = |relation: &RelationDescriptor, name: &str, clause: &str| {
        vec![
            text(&context.database),
            text(context.catalog.schema_name(relation.schema)),
            text(name),
            text(clause),
        ]
    };
    let mut rows: Vec<Row> = all(context)
        .filter(|(_, _, found)| matches!(found.kind, ConstraintKind::Check { .. }))
        .map(|(relation, _, found)| {
            let whole = definition::constraint_def(&context.catalog, &[], relation, found);
            row(relation, &found.name, whole.strip_prefix("CHECK ").unwrap_or(&whole))
        })
        .collect();
    rows.extend(not_nulls(context).iter().map(|(relation, column, name)| {
        row(relation, name, &format!("{} IS NOT NULL", identifier::quote(column)))
    }));
    rows
}
