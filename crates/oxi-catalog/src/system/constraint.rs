//! `pg_index`, `pg_constraint`, `pg_depend`: what ties relations together.

use oxi_model::{
    Row,
    descriptor::{
        ConstraintDescriptor, ConstraintKind, ReferentialAction, RelationDescriptor, RelationKind,
        TableDescriptor,
    },
};

use super::{SystemContext, class, cluster, value::*};
use crate::expression;

const PG_CONSTRAINT: u32 = 2606;
const PG_ATTRDEF: u32 = 2604;
const PG_REWRITE: u32 = 2618;

pub(super) fn pg_index(context: &SystemContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in context.catalog.relations() {
        let Some(index) = relation.as_index() else { continue };
        let Some(table) = context.catalog.relation(index.table).and_then(|table| table.as_table())
        else {
            continue;
        };
        let primary =
            context.catalog.constraint_of_index(relation.oid).is_some_and(|(owner, position)| {
                owner.as_table().and_then(|table| table.constraints.get(position)).is_some_and(
                    |found| matches!(found.kind, ConstraintKind::Unique { primary: true, .. }),
                )
            });
        let types: Vec<u32> = index
            .columns
            .iter()
            .map(|key| table.column_by_id(key.column).map_or(0, |(_, c)| c.data_type.oid))
            .collect();
        let count = int2(index.columns.len() as i16);
        rows.push(vec![
            oid(relation.oid),
            oid(index.table),
            count.clone(),
            count,
            bool(index.unique),
            bool(index.nulls_not_distinct),
            bool(primary),
            FALSE,
            bool(!index.deferrable),
            FALSE,
            bool(!index.invalid),
            FALSE,
            TRUE,
            TRUE,
            FALSE,
            vector(index.columns.iter().map(|key| int2(class::attnum(key.column))).collect()),
            vector(types.iter().map(|found| oid(class::collation(*found))).collect()),
            vector(types.iter().map(|found| oid(cluster::operator_class(*found))).collect()),
            vector(
                index
                    .columns
                    .iter()
                    .map(|key| int2(i16::from(key.descending) | i16::from(key.nulls_first) << 1))
                    .collect(),
            ),
            NULL,
            NULL,
        ]);
    }
    rows
}

pub(super) fn pg_constraint(context: &SystemContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in context.catalog.relations() {
        let Some(table) = relation.as_table() else { continue };
        for constraint in &table.constraints {
            rows.push(constraint_row(relation, table, constraint));
        }
    }
    rows
}

fn constraint_row(
    relation: &RelationDescriptor,
    table: &TableDescriptor,
    constraint: &ConstraintDescriptor,
) -> Row {
    let numbers = |ids: &[u32]| list(ids.iter().map(|id| int2(class::attnum(*id))).collect());
    let (kind, index, key, expression) = match &constraint.kind {
        ConstraintKind::Check { expression } => {
            let key = check_columns(table, expression);
            ("c", 0, if key.is_empty() { NULL } else { numbers(&key) }, text(expression))
        }
        ConstraintKind::Unique { primary, index, columns } => {
            (if *primary { "p" } else { "u" }, *index, numbers(columns), NULL)
        }
        ConstraintKind::ForeignKey(key) => ("f", key.referenced_index, numbers(&key.columns), NULL),
    };
    let foreign = match &constraint.kind {
        ConstraintKind::ForeignKey(key) => Some(key),
        _ => None,
    };
    let action = |pick: fn(&oxi_model::descriptor::ForeignKey) -> ReferentialAction| {
        text(foreign.map_or(" ", |key| action_letter(pick(key))))
    };
    vec![
        oid(constraint.oid),
        text(&constraint.name),
        oid(relation.schema),
        text(kind),
        bool(constraint.deferral.deferrable),
        bool(constraint.deferral.initially_deferred),
        TRUE,
        oid(relation.oid),
        oid(0),
        oid(index),
        oid(0),
        oid(foreign.map_or(0, |key| key.referenced_table)),
        action(|key| key.on_update),
        action(|key| key.on_delete),
        text(foreign.map_or(" ", |key| if key.match_full { "f" } else { "s" })),
        TRUE,
        int4(0),
        bool(kind != "c"),
        key,
        foreign.map_or(NULL, |key| numbers(&key.referenced_columns)),
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        expression,
    ]
}

/// The columns that a CHECK mentions.
pub(super) fn check_columns(table: &TableDescriptor, expression: &str) -> Vec<u32> {
    table
        .columns
        .iter()
        .filter(|column| expression::mentions(expression, &column.name))
        .map(|column| column.id)
        .collect()
}

fn action_letter(action: ReferentialAction) -> &'static str {
    match action {
        ReferentialAction::NoAction => "a",
        ReferentialAction::Restrict => "r",
        ReferentialAction::Cascade => "c",
        ReferentialAction::SetNull => "n",
        ReferentialAction::SetDefault => "d",
    }
}

/// One end of a dependency: catalog, object, column number.
type End = (u32, u32, i16);

fn dependency(object: End, on: End, kind: &str) -> Row {
    vec![
        oid(object.0),
        oid(object.1),
        int4(i32::from(object.2)),
        oid(on.0),
        oid(on.1),
        int4(i32::from(on.2)),
        text(kind),
    ]
}

pub(super) fn pg_depend(context: &SystemContext) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for relation in context.catalog.relations() {
        let number = relation.oid;
        let column = |table: u32, id: u32| (class::PG_CLASS, table, class::attnum(id));
        match &relation.kind {
            RelationKind::Table(table) => table_dependencies(context, relation, table, &mut rows),
            RelationKind::Index(index) => {
                let this = (class::PG_CLASS, number, 0);
                match context.catalog.constraint_of_index(number) {
                    Some((owner, position)) => {
                        let constraint = owner
                            .as_table()
                            .and_then(|table| table.constraints.get(position))
                            .map_or(0, |constraint| constraint.oid);
                        rows.push(dependency(this, (PG_CONSTRAINT, constraint, 0), "i"));
                    }
                    None => rows.extend(
                        index
                            .columns
                            .iter()
                            .map(|key| dependency(this, column(index.table, key.column), "a")),
                    ),
                }
            }
            RelationKind::View(view) => {
                let rule = (PG_REWRITE, class::rule_oid(number), 0);
                rows.push(dependency(rule, (class::PG_CLASS, number, 0), "i"));
                rows.extend(
                    view.depends_on
                        .iter()
                        .map(|read| dependency(rule, (class::PG_CLASS, *read, 0), "n")),
                );
            }
            RelationKind::Sequence(sequence) => {
                let this = (class::PG_CLASS, number, 0);
                if let Some((table, id)) = sequence.owned_by {
                    let identity = context
                        .catalog
                        .relation(table)
                        .and_then(|owner| owner.as_table())
                        .and_then(|owner| owner.column_by_id(id))
                        .is_some_and(|(_, column)| column.identity.is_some());
                    let kind = if identity { "i" } else { "a" };
                    rows.push(dependency(this, column(table, id), kind));
                }
            }
        }
    }
    rows
}

fn table_dependencies(
    context: &SystemContext,
    relation: &RelationDescriptor,
    table: &TableDescriptor,
    rows: &mut Vec<Row>,
) {
    let column = |id: u32| (class::PG_CLASS, relation.oid, class::attnum(id));
    for constraint in &table.constraints {
        let this = (PG_CONSTRAINT, constraint.oid, 0);
        match &constraint.kind {
            ConstraintKind::Check { expression } => rows.extend(
                check_columns(table, expression)
                    .into_iter()
                    .map(|id| dependency(this, column(id), "a")),
            ),
            ConstraintKind::Unique { columns, .. } => {
                rows.extend(columns.iter().map(|id| dependency(this, column(*id), "a")));
            }
            ConstraintKind::ForeignKey(key) => {
                rows.extend(key.columns.iter().map(|id| dependency(this, column(*id), "a")));
                rows.extend(key.referenced_columns.iter().map(|id| {
                    let on = (class::PG_CLASS, key.referenced_table, class::attnum(*id));
                    dependency(this, on, "n")
                }));
                let index = (class::PG_CLASS, key.referenced_index, 0);
                rows.push(dependency(this, index, "n"));
            }
        }
    }
    for found in &table.columns {
        let default = (PG_ATTRDEF, class::default_oid(relation.oid, found.id), 0);
        if found.default.is_some() || found.generated.is_some() {
            rows.push(dependency(default, column(found.id), "a"));
        }
        for parts in found.default.iter().flat_map(|text| expression::sequence_names(text)) {
            let path = [context.catalog.schema_name(relation.schema).to_owned()];
            if let Ok(Some(sequence)) = context.catalog.try_resolve(&path, &parts) {
                rows.push(dependency(default, (class::PG_CLASS, sequence.oid(), 0), "n"));
            }
        }
    }
}
