//! `pg_namespace`, `pg_class`, `pg_attribute`, `pg_attrdef`, `pg_sequence`, `pg_rewrite`,
//! `pg_description`, and the views that list relations.

use oxi_model::{
    Datum, Row,
    descriptor::{ColumnDescriptor, RelationDescriptor, RelationKind, TypeRef},
};
use oxi_types::pg_type;

use super::{SystemContext, SystemRelation, routine, value::*};
use crate::{
    catalog::{PG_CATALOG, PUBLIC},
    definition,
};

/// Oids of the catalogs that others refer to by `classoid`.
pub(super) const PG_CLASS: u32 = 1259;
pub(super) const PG_NAMESPACE: u32 = 2615;

/// Access methods.
pub(super) const HEAP: u32 = 2;
pub(super) const BTREE: u32 = 403;

/// The columns that a sequence has as a relation.
pub(super) const SEQUENCE_COLUMNS: &[(&str, u32)] =
    &[("last_value", 20), ("log_cnt", 20), ("is_called", 16)];

/// A number for objects that have none of their own here: the default of a column.
pub(super) fn default_oid(table: u32, column: u32) -> u32 {
    0x8000_0000 | table.wrapping_mul(1601).wrapping_add(column)
}

/// The same for the rule of a view.
pub(super) fn rule_oid(view: u32) -> u32 {
    0x4000_0000 | view
}

/// `pg_attribute.attnum` of a column id.
pub(super) fn attnum(column: u32) -> i16 {
    (column + 1) as i16
}

/// The collation of values of a type.
pub(super) fn collation(type_oid: u32) -> u32 {
    routine::physical_letters(type_oid).2
}

/// Whether ordinary listings show a relation: the system tables of `oxi` are relations like
/// others.
pub(super) fn user_relations(
    context: &SystemContext,
) -> impl Iterator<Item = &std::sync::Arc<RelationDescriptor>> {
    context.catalog.relations()
}

/// Oid of the schema of a computed relation.
pub(super) fn system_schema(relation: &SystemRelation) -> u32 {
    if relation.schema == "pg_catalog" { PG_CATALOG } else { crate::catalog::INFORMATION_SCHEMA }
}

pub(super) fn pg_namespace(context: &SystemContext) -> Vec<Row> {
    context
        .catalog
        .schemas()
        .map(|schema| vec![oid(schema.oid), text(&schema.name), oid(OWNER), NULL])
        .collect()
}

/// What differs between the rows of `pg_class`.
struct Class<'a> {
    oid: u32,
    name: &'a str,
    schema: u32,
    access_method: u32,
    storage: u32,
    rows: Option<u64>,
    bytes: u64,
    has_index: bool,
    kind: &'a str,
    columns: usize,
    checks: usize,
    has_rules: bool,
    has_triggers: bool,
}

impl Class<'_> {
    fn row(&self) -> Row {
        let is_table = self.kind == "r";
        vec![
            oid(self.oid),
            text(self.name),
            oid(self.schema),
            oid(0),
            oid(0),
            oid(OWNER),
            oid(self.access_method),
            oid(self.storage),
            oid(0),
            int4(i32::try_from(self.bytes.div_ceil(8192)).unwrap_or(i32::MAX)),
            Datum::Float32(self.rows.map_or(-1.0, |rows| rows as f32)),
            int4(0),
            oid(0),
            bool(self.has_index),
            FALSE,
            text("p"),
            text(self.kind),
            int2(self.columns as i16),
            int2(self.checks as i16),
            bool(self.has_rules),
            bool(self.has_triggers),
            FALSE,
            FALSE,
            FALSE,
            TRUE,
            text(if is_table { "d" } else { "n" }),
            FALSE,
            oid(0),
            oid(if is_table { 3 } else { 0 }),
            oid(u32::from(is_table)),
            NULL,
            NULL,
            NULL,
        ]
    }
}

pub(super) fn pg_class(context: &SystemContext) -> Vec<Row> {
    let mut rows: Vec<Row> = super::relations()
        .iter()
        .map(|relation| {
            Class {
                oid: relation.oid,
                name: relation.name,
                schema: system_schema(relation),
                access_method: if relation.view { 0 } else { HEAP },
                storage: if relation.view { 0 } else { relation.oid },
                rows: None,
                bytes: 0,
                has_index: false,
                kind: if relation.view { "v" } else { "r" },
                columns: relation.columns.len(),
                checks: 0,
                has_rules: relation.view,
                has_triggers: false,
            }
            .row()
        })
        .collect();
    rows.extend(user_relations(context).map(|relation| class_of(context, relation).row()));
    rows
}

fn class_of<'a>(context: &SystemContext, relation: &'a RelationDescriptor) -> Class<'a> {
    let mut class = Class {
        oid: relation.oid,
        name: &relation.name,
        schema: relation.schema,
        access_method: 0,
        storage: 0,
        rows: None,
        bytes: 0,
        has_index: false,
        kind: relkind(relation),
        columns: 0,
        checks: 0,
        has_rules: false,
        has_triggers: false,
    };
    match &relation.kind {
        RelationKind::Table(table) => {
            let statistics = context.server.statistics(table.storage());
            class.access_method = HEAP;
            class.storage = table.storage;
            class.rows = Some(statistics.rows);
            class.bytes = statistics.bytes;
            class.has_index = !context.catalog.indexes_of(relation.oid).is_empty();
            class.columns = table.next_column_id as usize;
            // PostgreSQL enforces foreign keys by triggers on both tables, and clients look for
            // foreign keys only where there are triggers.
            class.has_triggers = !context.catalog.foreign_keys_to(relation.oid).is_empty()
                || table.constraints.iter().any(|found| {
                    matches!(found.kind, oxi_model::descriptor::ConstraintKind::ForeignKey(_))
                });
            class.checks = table
                .constraints
                .iter()
                .filter(|found| {
                    matches!(found.kind, oxi_model::descriptor::ConstraintKind::Check { .. })
                })
                .count();
        }
        RelationKind::Index(index) => {
            class.access_method = BTREE;
            class.storage = index.storage;
            class.columns = index.columns.len();
            class.rows = Some(0);
        }
        RelationKind::View(view) => {
            class.columns = view.columns.len();
            class.has_rules = true;
        }
        RelationKind::Sequence(sequence) => {
            class.storage = sequence.storage;
            class.rows = Some(1);
            class.columns = SEQUENCE_COLUMNS.len();
        }
    }
    class
}

/// `pg_class.relkind`.
pub(super) fn relkind(relation: &RelationDescriptor) -> &'static str {
    match relation.kind {
        RelationKind::Table(_) => "r",
        RelationKind::Index(_) => "i",
        RelationKind::View(_) => "v",
        RelationKind::Sequence(_) => "S",
    }
}

/// What differs between the rows of `pg_attribute`.
struct Attribute<'a> {
    relation: u32,
    name: &'a str,
    data_type: TypeRef,
    number: i16,
    not_null: bool,
    column: Option<&'a ColumnDescriptor>,
}

impl Attribute<'_> {
    fn row(&self) -> Row {
        let described = pg_type::by_oid(self.data_type.oid);
        let length = described.map_or(-1, |found| found.len);
        let by_value = described.is_some_and(|found| found.by_val);
        let dimensions = i32::from(described.is_some_and(|found| found.category == 'A'));
        let (alignment, storage, collation) = routine::physical_letters(self.data_type.oid);
        let column = self.column;
        let has_default =
            column.is_some_and(|column| column.default.is_some() || column.generated.is_some());
        let identity = match column.and_then(|column| column.identity) {
            Some(identity) if identity.always => "a",
            Some(_) => "d",
            None => "",
        };
        let generated = column.is_some_and(|column| column.generated.is_some());
        vec![
            oid(self.relation),
            text(self.name),
            oid(self.data_type.oid),
            int4(-1),
            int2(length),
            int2(self.number),
            int4(dimensions),
            int4(-1),
            int4(self.data_type.typmod),
            bool(by_value),
            text(alignment),
            text(storage),
            text(""),
            bool(self.not_null),
            bool(has_default),
            FALSE,
            text(identity),
            text(if generated { "s" } else { "" }),
            FALSE,
            TRUE,
            int4(0),
            oid(collation),
            NULL,
            NULL,
            NULL,
            NULL,
        ]
    }
}

pub(super) fn pg_attribute(context: &SystemContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in super::relations() {
        for (number, column) in (1i16..).zip(&relation.columns) {
            let attribute = Attribute {
                relation: relation.oid,
                name: column.name,
                data_type: TypeRef::plain(column.type_oid),
                number,
                not_null: column.not_null,
                column: None,
            };
            rows.push(attribute.row());
        }
    }
    for relation in user_relations(context) {
        attributes(context, relation, &mut rows);
    }
    rows
}

fn attributes(context: &SystemContext, relation: &RelationDescriptor, rows: &mut Vec<Row>) {
    let relation_oid = relation.oid;
    match &relation.kind {
        RelationKind::Table(table) => rows.extend(table.columns.iter().map(|column| {
            let attribute = Attribute {
                relation: relation_oid,
                name: &column.name,
                data_type: column.data_type,
                number: attnum(column.id),
                not_null: column.not_null,
                column: Some(column),
            };
            attribute.row()
        })),
        RelationKind::Index(index) => {
            let Some(table) =
                context.catalog.relation(index.table).and_then(|table| table.as_table())
            else {
                return;
            };
            for (number, key) in (1i16..).zip(&index.columns) {
                let Some((_, column)) = table.column_by_id(key.column) else { continue };
                let attribute = Attribute {
                    relation: relation_oid,
                    name: &column.name,
                    data_type: column.data_type,
                    number,
                    not_null: false,
                    column: None,
                };
                rows.push(attribute.row());
            }
        }
        RelationKind::View(view) => {
            rows.extend((1i16..).zip(&view.columns).map(|(number, column)| {
                let attribute = Attribute {
                    relation: relation_oid,
                    name: &column.name,
                    data_type: column.data_type,
                    number,
                    not_null: false,
                    column: None,
                };
                attribute.row()
            }));
        }
        RelationKind::Sequence(_) => {
            rows.extend((1i16..).zip(SEQUENCE_COLUMNS).map(|(number, (name, type_oid))| {
                let attribute = Attribute {
                    relation: relation_oid,
                    name,
                    data_type: TypeRef::plain(*type_oid),
                    number,
                    not_null: true,
                    column: None,
                };
                attribute.row()
            }));
        }
    }
}

pub(super) fn pg_attrdef(context: &SystemContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in user_relations(context) {
        let Some(table) = relation.as_table() else { continue };
        for column in &table.columns {
            if let Some(expression) = definition::default_text(column) {
                rows.push(vec![
                    oid(default_oid(relation.oid, column.id)),
                    oid(relation.oid),
                    int2(attnum(column.id)),
                    text(&expression),
                ]);
            }
        }
    }
    rows
}

pub(super) fn pg_sequence(context: &SystemContext) -> Vec<Row> {
    user_relations(context)
        .filter_map(|relation| Some((relation.oid, relation.as_sequence()?)))
        .map(|(number, sequence)| {
            vec![
                oid(number),
                oid(sequence.data_type.oid),
                int8(sequence.start),
                int8(sequence.increment),
                int8(sequence.max),
                int8(sequence.min),
                int8(sequence.cache),
                bool(sequence.cycle),
            ]
        })
        .collect()
}

pub(super) fn sequence_state(context: &SystemContext) -> Vec<Row> {
    user_relations(context)
        .filter_map(|relation| Some((relation.oid, relation.as_sequence()?)))
        .map(|(number, sequence)| {
            let state = context.server.sequence_state(sequence.storage);
            let (last, is_called) = state.unwrap_or((sequence.start, false));
            vec![oid(number), int8(last), int8(0), bool(is_called)]
        })
        .collect()
}

pub(super) fn pg_rewrite(context: &SystemContext) -> Vec<Row> {
    user_relations(context)
        .filter_map(|relation| Some((relation.oid, relation.as_view()?)))
        .map(|(number, view)| {
            vec![
                oid(rule_oid(number)),
                text("_RETURN"),
                oid(number),
                text("1"),
                text("O"),
                TRUE,
                text("<>"),
                text(&view.query),
            ]
        })
        .collect()
}

pub(super) fn pg_description(context: &SystemContext) -> Vec<Row> {
    let row = |object: u32, class: u32, number: i32, comment: &str| {
        vec![oid(object), oid(class), int4(number), text(comment)]
    };
    let mut rows = vec![
        row(PUBLIC, PG_NAMESPACE, 0, "standard public schema"),
        row(PG_CATALOG, PG_NAMESPACE, 0, "system catalog schema"),
    ];
    for relation in user_relations(context) {
        if let Some(comment) = &relation.comment {
            rows.push(row(relation.oid, PG_CLASS, 0, comment));
        }
        for column in relation.as_table().into_iter().flat_map(|table| &table.columns) {
            if let Some(comment) = &column.comment {
                rows.push(row(relation.oid, PG_CLASS, i32::from(attnum(column.id)), comment));
            }
        }
    }
    rows
}

pub(super) fn pg_tables(context: &SystemContext) -> Vec<Row> {
    let row = |schema: &str, name: &str, has_indexes: bool| {
        vec![
            text(schema),
            text(name),
            text(&context.user),
            NULL,
            bool(has_indexes),
            FALSE,
            FALSE,
            FALSE,
        ]
    };
    let mut rows: Vec<Row> = super::relations()
        .iter()
        .filter(|relation| !relation.view)
        .map(|relation| row(relation.schema, relation.name, false))
        .collect();
    rows.extend(user_relations(context).filter(|relation| relation.as_table().is_some()).map(
        |relation| {
            let schema = context.catalog.schema_name(relation.schema);
            row(schema, &relation.name, !context.catalog.indexes_of(relation.oid).is_empty())
        },
    ));
    rows
}

pub(super) fn pg_views(context: &SystemContext) -> Vec<Row> {
    let mut rows: Vec<Row> = super::relations()
        .iter()
        .filter(|relation| relation.view)
        .map(|relation| {
            vec![text(relation.schema), text(relation.name), text(&context.user), text("")]
        })
        .collect();
    for relation in user_relations(context) {
        if let Some(view) = relation.as_view() {
            rows.push(vec![
                text(context.catalog.schema_name(relation.schema)),
                text(&relation.name),
                text(&context.user),
                text(&definition::view_def(view)),
            ]);
        }
    }
    rows
}

pub(super) fn pg_sequences(context: &SystemContext) -> Vec<Row> {
    user_relations(context)
        .filter_map(|relation| Some((relation, relation.as_sequence()?)))
        .map(|(relation, sequence)| {
            let last = match context.server.sequence_state(sequence.storage) {
                Some((value, true)) => int8(value),
                _ => NULL,
            };
            vec![
                text(context.catalog.schema_name(relation.schema)),
                text(&relation.name),
                text(&context.user),
                oid(sequence.data_type.oid),
                int8(sequence.start),
                int8(sequence.min),
                int8(sequence.max),
                int8(sequence.increment),
                bool(sequence.cycle),
                int8(sequence.cache),
                last,
            ]
        })
        .collect()
}

pub(super) fn pg_indexes(context: &SystemContext) -> Vec<Row> {
    user_relations(context)
        .filter_map(|relation| {
            let table = context.catalog.relation(relation.as_index()?.table)?;
            Some(vec![
                text(context.catalog.schema_name(relation.schema)),
                text(&table.name),
                text(&relation.name),
                NULL,
                text(&definition::index_def(&context.catalog, relation, None)?),
            ])
        })
        .collect()
}
