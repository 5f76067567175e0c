//! `information_schema`: relations, columns, sequences, views.

use oxi_model::{
    Datum, Row,
    descriptor::{ColumnDescriptor, RelationDescriptor, RelationKind, TypeRef},
};
use oxi_types::pg_type;

use super::{SystemContext, class, value::*};
use crate::definition;

pub(super) fn catalog_name(context: &SystemContext) -> Vec<Row> {
    vec![vec![text(&context.database)]]
}

pub(super) fn schemata(context: &SystemContext) -> Vec<Row> {
    context
        .catalog
        .schemas()
        .map(|schema| {
            vec![
                text(&context.database),
                text(&schema.name),
                text(&context.user),
                NULL,
                NULL,
                NULL,
                NULL,
            ]
        })
        .collect()
}

pub(super) fn tables(context: &SystemContext) -> Vec<Row> {
    let row = |schema: &str, name: &str, view: bool, insertable: bool| {
        vec![
            text(&context.database),
            text(schema),
            text(name),
            text(if view { "VIEW" } else { "BASE TABLE" }),
            NULL,
            NULL,
            NULL,
            NULL,
            NULL,
            yes_no(insertable),
            text("NO"),
            NULL,
        ]
    };
    let mut rows: Vec<Row> = super::relations()
        .iter()
        .map(|relation| row(relation.schema, relation.name, relation.view, false))
        .collect();
    for relation in class::user_relations(context) {
        let schema = context.catalog.schema_name(relation.schema);
        match &relation.kind {
            RelationKind::Table(_) => {
                let writable = relation.oid >= crate::catalog::FIRST_USER_OID;
                rows.push(row(schema, &relation.name, false, writable));
            }
            RelationKind::View(_) => rows.push(row(schema, &relation.name, true, false)),
            RelationKind::Index(_) | RelationKind::Sequence(_) => {}
        }
    }
    rows
}

/// What differs between the rows of `columns`.
struct Column<'a> {
    schema: &'a str,
    table: &'a str,
    name: &'a str,
    number: i16,
    data_type: TypeRef,
    not_null: bool,
    updatable: bool,
    descriptor: Option<&'a ColumnDescriptor>,
}

pub(super) fn columns(context: &SystemContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in super::relations() {
        for (number, column) in (1i16..).zip(&relation.columns) {
            let column = Column {
                schema: relation.schema,
                table: relation.name,
                name: column.name,
                number,
                data_type: TypeRef::plain(column.type_oid),
                not_null: column.not_null,
                updatable: false,
                descriptor: None,
            };
            rows.push(column_row(context, &column));
        }
    }
    for relation in class::user_relations(context) {
        let schema = context.catalog.schema_name(relation.schema);
        match &relation.kind {
            RelationKind::Table(table) => {
                rows.extend(table.columns.iter().map(|column| {
                    let column = Column {
                        schema,
                        table: &relation.name,
                        name: &column.name,
                        number: class::attnum(column.id),
                        data_type: column.data_type,
                        not_null: column.not_null,
                        updatable: true,
                        descriptor: Some(column),
                    };
                    column_row(context, &column)
                }));
            }
            RelationKind::View(view) => {
                rows.extend((1i16..).zip(&view.columns).map(|(number, column)| {
                    let column = Column {
                        schema,
                        table: &relation.name,
                        name: &column.name,
                        number,
                        data_type: column.data_type,
                        not_null: false,
                        updatable: false,
                        descriptor: None,
                    };
                    column_row(context, &column)
                }));
            }
            RelationKind::Index(_) | RelationKind::Sequence(_) => {}
        }
    }
    rows
}

fn column_row(context: &SystemContext, column: &Column<'_>) -> Row {
    let described = pg_type::by_oid(column.data_type.oid);
    let generated = column.descriptor.and_then(|found| found.generated.as_deref());
    let default = match (column.descriptor, generated) {
        (Some(found), None) => optional(found.default.as_deref()),
        _ => NULL,
    };
    let measures = Measures::of(column.data_type);
    let number = |value: Option<i32>| value.map_or(NULL, int4);
    let database = text(&context.database);
    let own_collation = class::collation(column.data_type.oid) == 950;
    let mut row = vec![
        database.clone(),
        text(column.schema),
        text(column.table),
        text(column.name),
        int4(i32::from(column.number)),
        default,
        yes_no(!column.not_null),
        text(&data_type(column.data_type.oid)),
        number(measures.characters),
        number(measures.octets),
        number(measures.precision),
        number(measures.radix),
        number(measures.scale),
        number(measures.datetime),
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
    ];
    row.extend(if own_collation {
        [database.clone(), text("pg_catalog"), text("C")]
    } else {
        [NULL, NULL, NULL]
    });
    row.extend([
        NULL,
        NULL,
        NULL,
        database,
        text("pg_catalog"),
        text(described.map_or("", |found| found.name)),
        NULL,
        NULL,
        NULL,
        NULL,
        text(&column.number.to_string()),
        text("NO"),
    ]);
    row.extend(identity(context, column));
    row.extend([
        text(if generated.is_some() { "ALWAYS" } else { "NEVER" }),
        optional(
            column
                .descriptor
                .filter(|_| generated.is_some())
                .and_then(definition::default_text)
                .as_deref(),
        ),
        yes_no(column.updatable),
    ]);
    row
}

fn identity(context: &SystemContext, column: &Column<'_>) -> [Datum; 7] {
    let found = column.descriptor.and_then(|descriptor| descriptor.identity);
    let Some(identity) = found else {
        return [text("NO"), NULL, NULL, NULL, NULL, NULL, text("NO")];
    };
    let generation = text(if identity.always { "ALWAYS" } else { "BY DEFAULT" });
    let relation = context.catalog.relation(identity.sequence);
    match relation.and_then(|relation| relation.as_sequence()) {
        Some(sequence) => [
            text("YES"),
            generation,
            text(&sequence.start.to_string()),
            text(&sequence.increment.to_string()),
            text(&sequence.max.to_string()),
            text(&sequence.min.to_string()),
            yes_no(sequence.cycle),
        ],
        None => [text("YES"), generation, NULL, NULL, NULL, NULL, text("NO")],
    }
}

/// `data_type` as `information_schema` spells it.
fn data_type(type_oid: u32) -> String {
    match pg_type::by_oid(type_oid) {
        Some(found) if found.is_array() && !matches!(type_oid, 22 | 30) => "ARRAY".to_owned(),
        Some(found) => found.display.to_owned(),
        None => "USER-DEFINED".to_owned(),
    }
}

/// Lengths and precisions of a type.
#[derive(Default)]
struct Measures {
    characters: Option<i32>,
    octets: Option<i32>,
    precision: Option<i32>,
    radix: Option<i32>,
    scale: Option<i32>,
    datetime: Option<i32>,
}

impl Measures {
    fn of(data_type: TypeRef) -> Self {
        let typmod = data_type.typmod;
        let mut measures = Measures::default();
        let mut exact = |precision, radix, scale| {
            measures.precision = Some(precision);
            measures.radix = Some(radix);
            measures.scale = scale;
        };
        match data_type.oid {
            21 => exact(16, 2, Some(0)),
            23 => exact(32, 2, Some(0)),
            20 => exact(64, 2, Some(0)),
            700 => exact(24, 2, None),
            701 => exact(53, 2, None),
            1700 if typmod >= 4 => {
                let (precision, scale) = pg_type::numeric_typmod(typmod);
                exact(precision, 10, Some(scale));
            }
            1700 => measures.radix = Some(10),
            25 => measures.octets = Some(1 << 30),
            1042 | 1043 if typmod >= 4 => {
                measures.characters = Some(typmod - 4);
                measures.octets = Some((typmod - 4).saturating_mul(4));
            }
            1042 | 1043 => measures.octets = Some(1 << 30),
            1082 => measures.datetime = Some(0),
            1083 | 1114 | 1184 | 1266 => {
                measures.datetime = Some(if typmod < 0 { 6 } else { typmod });
            }
            1186 => {
                let precision = typmod & 0xffff;
                let full = typmod < 0 || precision == 0xffff;
                measures.datetime = Some(if full { 6 } else { precision });
            }
            _ => {}
        }
        measures
    }
}

pub(super) fn sequences(context: &SystemContext) -> Vec<Row> {
    class::user_relations(context)
        .filter(|relation| !is_identity_sequence(context, relation))
        .filter_map(|relation| Some((relation, relation.as_sequence()?)))
        .map(|(relation, sequence)| {
            let bits = match sequence.data_type.oid {
                21 => 16,
                23 => 32,
                _ => 64,
            };
            vec![
                text(&context.database),
                text(context.catalog.schema_name(relation.schema)),
                text(&relation.name),
                text(&data_type(sequence.data_type.oid)),
                int4(bits),
                int4(2),
                int4(0),
                text(&sequence.start.to_string()),
                text(&sequence.min.to_string()),
                text(&sequence.max.to_string()),
                text(&sequence.increment.to_string()),
                yes_no(sequence.cycle),
            ]
        })
        .collect()
}

/// PostgreSQL hides the sequences behind identity columns from `information_schema`.
fn is_identity_sequence(context: &SystemContext, relation: &RelationDescriptor) -> bool {
    relation
        .as_sequence()
        .and_then(|sequence| sequence.owned_by)
        .and_then(|(table, _)| context.catalog.relation(table))
        .and_then(|owner| owner.as_table())
        .is_some_and(|table| {
            table.columns.iter().any(|column| {
                column.identity.is_some_and(|identity| identity.sequence == relation.oid)
            })
        })
}

pub(super) fn views(context: &SystemContext) -> Vec<Row> {
    class::user_relations(context)
        .filter_map(|relation| Some((relation, relation.as_view()?)))
        .map(|(relation, view)| {
            vec![
                text(&context.database),
                text(context.catalog.schema_name(relation.schema)),
                text(&relation.name),
                text(&definition::view_def(view)),
                text("NONE"),
                text("NO"),
                text("NO"),
                text("NO"),
                text("NO"),
                text("NO"),
            ]
        })
        .collect()
}

pub(super) fn view_table_usage(context: &SystemContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in class::user_relations(context) {
        let Some(view) = relation.as_view() else { continue };
        for read in view.depends_on.iter().filter_map(|oid| context.catalog.relation(*oid)) {
            rows.push(vec![
                text(&context.database),
                text(context.catalog.schema_name(relation.schema)),
                text(&relation.name),
                text(&context.database),
                text(context.catalog.schema_name(read.schema)),
                text(&read.name),
            ]);
        }
    }
    rows
}

pub(super) fn character_sets(context: &SystemContext) -> Vec<Row> {
    vec![vec![
        NULL,
        NULL,
        text("UTF8"),
        text("UCS"),
        text("UTF8"),
        text(&context.database),
        text("pg_catalog"),
        text("default"),
    ]]
}

pub(super) fn enabled_roles(context: &SystemContext) -> Vec<Row> {
    vec![vec![text(&context.user)]]
}

/// What an owner may do with a relation.
const PRIVILEGES: &[&str] =
    &["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];

/// `table_privileges`, `role_table_grants`.
pub(super) fn table_privileges(context: &SystemContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in class::user_relations(context) {
        if relation.as_table().is_none() && relation.as_view().is_none() {
            continue;
        }
        for privilege in PRIVILEGES {
            rows.push(vec![
                text(&context.user),
                text(&context.user),
                text(&context.database),
                text(context.catalog.schema_name(relation.schema)),
                text(&relation.name),
                text(privilege),
                text("YES"),
                yes_no(*privilege == "SELECT"),
            ]);
        }
    }
    rows
}
