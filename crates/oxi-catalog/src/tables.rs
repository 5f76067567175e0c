//! The system tables: where the catalog itself is stored. Their numbers are fixed.

use oxi_base::{IndexId, TableId};
use oxi_model::{
    PhysicalType,
    descriptor::{
        ColumnDescriptor, IndexColumn, IndexDescriptor, RelationDescriptor, RelationKind,
        TableDescriptor, TypeRef,
    },
    engine::{IndexLayout, TableLayout},
};

use crate::{catalog::OXI, layout};

/// `oxi.schemas (oid, name, descriptor)`.
pub const SCHEMAS: TableId = TableId(1);
/// `oxi.relations (oid, schema, name, descriptor)`.
pub const RELATIONS: TableId = TableId(2);
/// `oxi.settings (name, value)`.
pub const SETTINGS: TableId = TableId(3);

/// Unique index of `oxi.schemas` on oid.
pub const SCHEMAS_OID: IndexId = IndexId(1);
/// Unique index of `oxi.schemas` on name.
pub const SCHEMAS_NAME: IndexId = IndexId(2);
/// Unique index of `oxi.relations` on oid.
pub const RELATIONS_OID: IndexId = IndexId(3);
/// Unique index of `oxi.relations` on (schema, name).
pub const RELATIONS_NAME: IndexId = IndexId(4);
/// Unique index of `oxi.settings` on name.
pub const SETTINGS_NAME: IndexId = IndexId(5);

/// The setting that names the format of the rows, so that a later version can tell.
pub const FORMAT_SETTING: &str = "oxi.catalog_format";
/// The format this version writes and reads.
pub const FORMAT: &str = "1";

const OID_TYPE: u32 = 26;
const TEXT_TYPE: u32 = 25;

struct Table {
    oid: u32,
    storage: TableId,
    name: &'static str,
    comment: &'static str,
    columns: &'static [(&'static str, u32)],
    indexes: &'static [Index],
}

struct Index {
    oid: u32,
    storage: IndexId,
    name: &'static str,
    columns: &'static [u32],
}

const TABLES: &[Table] = &[
    Table {
        oid: 13001,
        storage: SCHEMAS,
        name: "schemas",
        comment: "schemas and their descriptors",
        columns: &[("oid", OID_TYPE), ("name", TEXT_TYPE), ("descriptor", TEXT_TYPE)],
        indexes: &[
            Index { oid: 13002, storage: SCHEMAS_OID, name: "schemas_oid_key", columns: &[0] },
            Index { oid: 13003, storage: SCHEMAS_NAME, name: "schemas_name_key", columns: &[1] },
        ],
    },
    Table {
        oid: 13011,
        storage: RELATIONS,
        name: "relations",
        comment: "tables, indexes, views and sequences and their descriptors",
        columns: &[
            ("oid", OID_TYPE),
            ("schema", OID_TYPE),
            ("name", TEXT_TYPE),
            ("descriptor", TEXT_TYPE),
        ],
        indexes: &[
            Index { oid: 13012, storage: RELATIONS_OID, name: "relations_oid_key", columns: &[0] },
            Index {
                oid: 13013,
                storage: RELATIONS_NAME,
                name: "relations_schema_name_key",
                columns: &[1, 2],
            },
        ],
    },
    Table {
        oid: 13021,
        storage: SETTINGS,
        name: "settings",
        comment: "settings of the database that outlive its sessions",
        columns: &[("name", TEXT_TYPE), ("value", TEXT_TYPE)],
        indexes: &[Index {
            oid: 13022,
            storage: SETTINGS_NAME,
            name: "settings_name_key",
            columns: &[0],
        }],
    },
];

/// The descriptors of the system tables and their indexes.
pub fn descriptors() -> Vec<RelationDescriptor> {
    let mut relations = Vec::new();
    for table in TABLES {
        relations.push(RelationDescriptor {
            oid: table.oid,
            schema: OXI,
            name: table.name.to_owned(),
            comment: Some(table.comment.to_owned()),
            kind: RelationKind::Table(table_descriptor(table)),
        });
        for index in table.indexes {
            relations.push(RelationDescriptor {
                oid: index.oid,
                schema: OXI,
                name: index.name.to_owned(),
                comment: None,
                kind: RelationKind::Index(index_descriptor(table, index)),
            });
        }
    }
    relations
}

/// The storage of one system table: its layout and its indexes'.
pub(crate) type Storage = (TableId, TableLayout, Vec<(IndexId, IndexLayout)>);

/// What storage must create in a new database.
pub(crate) fn layouts() -> Vec<Storage> {
    TABLES
        .iter()
        .map(|table| {
            let mut shape = layout::layout_of(&table_descriptor(table));
            shape.catalog = true;
            let indexes = table
                .indexes
                .iter()
                .map(|index| {
                    let descriptor = index_descriptor(table, index);
                    (index.storage, layout::index_layout(&descriptor, table.storage))
                })
                .collect();
            (table.storage, shape, indexes)
        })
        .collect()
}

fn table_descriptor(table: &Table) -> TableDescriptor {
    TableDescriptor {
        storage: table.storage.0,
        columns: (0u32..)
            .zip(table.columns)
            .map(|(id, (name, type_oid))| ColumnDescriptor {
                id,
                name: (*name).to_owned(),
                data_type: TypeRef::plain(*type_oid),
                physical: if *type_oid == OID_TYPE {
                    PhysicalType::UInt32
                } else {
                    PhysicalType::Text
                },
                not_null: true,
                default: None,
                generated: None,
                identity: None,
                comment: None,
            })
            .collect(),
        next_column_id: table.columns.len() as u32,
        constraints: Vec::new(),
        history_us: None,
    }
}

fn index_descriptor(table: &Table, index: &Index) -> IndexDescriptor {
    IndexDescriptor {
        table: table.oid,
        storage: index.storage.0,
        unique: true,
        nulls_not_distinct: false,
        deferrable: false,
        invalid: false,
        columns: index
            .columns
            .iter()
            .map(|column| IndexColumn { column: *column, descending: false, nulls_first: false })
            .collect(),
    }
}
