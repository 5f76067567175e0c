//! What belongs to the server rather than to a schema: databases, roles, settings, sessions,
//! access methods, collations, statistics.

use oxi_model::{Datum, Row};

use super::{SystemContext, class, value::*};

/// Oid of the one database that a session sees.
pub(crate) const DATABASE: u32 = oxi_model::lock::DATABASE_OID;

/// How text compares: by code point.
const LOCALE: &str = "C.UTF-8";

pub(super) fn pg_am(_: &SystemContext) -> Vec<Row> {
    vec![
        vec![oid(class::HEAP), text("heap"), oid(3), text("t")],
        vec![oid(class::BTREE), text("btree"), oid(330), text("i")],
    ]
}

pub(super) fn pg_database(context: &SystemContext) -> Vec<Row> {
    vec![vec![
        oid(DATABASE),
        text(&context.database),
        oid(OWNER),
        int4(6),
        text("c"),
        FALSE,
        TRUE,
        int4(-1),
        oid(3),
        oid(1),
        oid(1663),
        text(LOCALE),
        text(LOCALE),
        NULL,
        NULL,
        NULL,
    ]]
}

pub(super) fn pg_roles(context: &SystemContext) -> Vec<Row> {
    vec![vec![
        text(&context.user),
        TRUE,
        TRUE,
        TRUE,
        TRUE,
        TRUE,
        TRUE,
        int4(-1),
        text("********"),
        NULL,
        TRUE,
        NULL,
        oid(OWNER),
    ]]
}

pub(super) fn pg_authid(context: &SystemContext) -> Vec<Row> {
    vec![vec![
        oid(OWNER),
        text(&context.user),
        TRUE,
        TRUE,
        TRUE,
        TRUE,
        TRUE,
        TRUE,
        TRUE,
        int4(-1),
        NULL,
        NULL,
    ]]
}

pub(super) fn pg_user(context: &SystemContext) -> Vec<Row> {
    vec![vec![
        text(&context.user),
        oid(OWNER),
        TRUE,
        TRUE,
        TRUE,
        TRUE,
        text("********"),
        NULL,
        NULL,
    ]]
}

pub(super) fn pg_settings(context: &SystemContext) -> Vec<Row> {
    context
        .server
        .settings()
        .into_iter()
        .map(|setting| {
            let values = setting
                .enum_values
                .map_or(NULL, |values| list(values.iter().map(|value| text(value)).collect()));
            vec![
                text(&setting.name),
                text(&setting.value),
                optional(setting.unit.as_deref()),
                text(&setting.category),
                text(&setting.description),
                NULL,
                text(&setting.context),
                text(&setting.value_type),
                text(&setting.source),
                NULL,
                NULL,
                values,
                text(&setting.boot_value),
                text(&setting.reset_value),
                NULL,
                NULL,
                FALSE,
            ]
        })
        .collect()
}

pub(super) fn pg_prepared_xacts(context: &SystemContext) -> Vec<Row> {
    let prepared = context.server.prepared_transactions();
    prepared
        .iter()
        .map(|found| {
            vec![
                // As PostgreSQL's, a transaction's short number has 32 bits.
                oid(found.txn.0 as u32),
                text(&found.gid),
                Datum::Int64(found.prepared_us),
                text(&found.owner),
                text(&context.database),
            ]
        })
        .collect()
}

pub(super) fn pg_stat_database(context: &SystemContext) -> Vec<Row> {
    let sessions = i32::try_from(context.server.sessions().len()).unwrap_or(i32::MAX);
    let mut row = vec![oid(DATABASE), text(&context.database), int4(sessions)];
    row.extend(std::iter::repeat_n(int8(0), 13));
    row.extend([NULL, NULL]);
    row.extend(std::iter::repeat_n(Datum::Float64(0.0), 5));
    row.extend([int8(i64::from(sessions)), int8(0), int8(0), int8(0), NULL]);
    vec![row]
}

pub(super) fn pg_stat_archiver(context: &SystemContext) -> Vec<Row> {
    let archiver = context.server.archiver();
    let count = |number: u64| int8(i64::try_from(number).unwrap_or(i64::MAX));
    let last = |event: Option<(String, i64)>| match event {
        Some((name, at_us)) => [text(&name), Datum::Int64(at_us)],
        None => [NULL, NULL],
    };
    let mut row = vec![count(archiver.archived)];
    row.extend(last(archiver.last_archived));
    row.push(count(archiver.failed));
    row.extend(last(archiver.last_failed));
    row.push(Datum::Int64(archiver.since_us));
    vec![row]
}

/// `pg_stat_all_tables`, `pg_stat_user_tables`.
pub(super) fn pg_stat_tables(context: &SystemContext) -> Vec<Row> {
    class::user_relations(context)
        .filter(|relation| relation.oid >= crate::catalog::FIRST_USER_OID)
        .filter_map(|relation| {
            let table = relation.as_table()?;
            let live = context.server.statistics(table.storage()).rows;
            let mut row = vec![
                oid(relation.oid),
                text(context.catalog.schema_name(relation.schema)),
                text(&relation.name),
            ];
            row.extend(std::iter::repeat_n(int8(0), 8));
            row.extend([int8(i64::try_from(live).unwrap_or(i64::MAX)), int8(0), int8(0), int8(0)]);
            row.extend(std::iter::repeat_n(NULL, 4));
            row.extend(std::iter::repeat_n(int8(0), 4));
            Some(row)
        })
        .collect()
}

/// `pg_stat_all_indexes`, `pg_stat_user_indexes`.
pub(super) fn pg_stat_indexes(context: &SystemContext) -> Vec<Row> {
    class::user_relations(context)
        .filter(|relation| relation.oid >= crate::catalog::FIRST_USER_OID)
        .filter_map(|relation| {
            let table = context.catalog.relation(relation.as_index()?.table)?;
            Some(vec![
                oid(table.oid),
                oid(relation.oid),
                text(context.catalog.schema_name(relation.schema)),
                text(&table.name),
                text(&relation.name),
                int8(0),
                int8(0),
                int8(0),
            ])
        })
        .collect()
}

pub(super) fn pg_tablespace(_: &SystemContext) -> Vec<Row> {
    [(1663, "pg_default"), (1664, "pg_global")]
        .into_iter()
        .map(|(number, name)| vec![oid(number), text(name), oid(OWNER), NULL, NULL])
        .collect()
}

pub(super) fn pg_language(_: &SystemContext) -> Vec<Row> {
    [(12, "internal", false), (14, "sql", true)]
        .into_iter()
        .map(|(number, name, trusted)| {
            vec![
                oid(number),
                text(name),
                oid(OWNER),
                FALSE,
                bool(trusted),
                oid(0),
                oid(0),
                oid(0),
                NULL,
            ]
        })
        .collect()
}

pub(super) fn pg_collation(_: &SystemContext) -> Vec<Row> {
    let row = |number: u32, name: &str, provider: &str, locale: Option<&str>| {
        vec![
            oid(number),
            text(name),
            oid(crate::catalog::PG_CATALOG),
            oid(OWNER),
            text(provider),
            TRUE,
            int4(-1),
            optional(locale),
            optional(locale),
            NULL,
            NULL,
        ]
    };
    vec![
        row(100, "default", "d", None),
        row(950, "C", "c", Some("C")),
        row(951, "POSIX", "c", Some("POSIX")),
        row(12546, "ucs_basic", "c", Some("C")),
    ]
}

/// B-tree operator classes that are their type's default: oid, name, family, type.
const OPERATOR_CLASSES: &[(u32, &str, u32, u32)] = &[
    (10003, "bool_ops", 424, 16),
    (10006, "bytea_ops", 428, 17),
    (10007, "char_ops", 429, 18),
    (10028, "name_ops", 1994, 19),
    (3124, "int8_ops", 1976, 20),
    (1979, "int2_ops", 1976, 21),
    (1978, "int4_ops", 1976, 23),
    (3126, "text_ops", 1994, 25),
    (1981, "oid_ops", 1989, 26),
    (10050, "tid_ops", 2789, 27),
    (10032, "oidvector_ops", 1991, 30),
    (10012, "float4_ops", 1970, 700),
    (3123, "float8_ops", 1970, 701),
    (10026, "macaddr8_ops", 3371, 774),
    (10047, "money_ops", 2099, 790),
    (10024, "macaddr_ops", 1984, 829),
    (10015, "inet_ops", 1974, 869),
    (10004, "bpchar_ops", 426, 1042),
    (3122, "date_ops", 434, 1082),
    (10038, "time_ops", 1996, 1083),
    (3128, "timestamp_ops", 434, 1114),
    (3127, "timestamptz_ops", 434, 1184),
    (10022, "interval_ops", 1982, 1186),
    (10041, "timetz_ops", 2000, 1266),
    (10002, "bit_ops", 423, 1560),
    (10043, "varbit_ops", 2002, 1562),
    (3125, "numeric_ops", 1988, 1700),
    (10034, "record_ops", 2994, 2249),
    (10000, "array_ops", 397, 2277),
    (10065, "uuid_ops", 2968, 2950),
    (10067, "pg_lsn_ops", 3253, 3220),
    (10069, "enum_ops", 3522, 3500),
    (10071, "tsvector_ops", 3626, 3614),
    (10074, "tsquery_ops", 3683, 3615),
    (10088, "jsonb_ops", 4033, 3802),
    (10076, "range_ops", 3901, 3831),
];

/// Families of those classes.
const OPERATOR_FAMILIES: &[(u32, &str)] = &[
    (397, "array_ops"),
    (423, "bit_ops"),
    (424, "bool_ops"),
    (426, "bpchar_ops"),
    (428, "bytea_ops"),
    (429, "char_ops"),
    (434, "datetime_ops"),
    (1970, "float_ops"),
    (1974, "network_ops"),
    (1976, "integer_ops"),
    (1982, "interval_ops"),
    (1984, "macaddr_ops"),
    (1988, "numeric_ops"),
    (1989, "oid_ops"),
    (1991, "oidvector_ops"),
    (1994, "text_ops"),
    (1996, "time_ops"),
    (2000, "timetz_ops"),
    (2002, "varbit_ops"),
    (2099, "money_ops"),
    (2789, "tid_ops"),
    (2968, "uuid_ops"),
    (2994, "record_ops"),
    (3253, "pg_lsn_ops"),
    (3371, "macaddr8_ops"),
    (3522, "enum_ops"),
    (3626, "tsvector_ops"),
    (3683, "tsquery_ops"),
    (3901, "range_ops"),
    (4033, "jsonb_ops"),
];

/// The default operator class of a type.
pub(super) fn operator_class(type_oid: u32) -> u32 {
    // varchar is compared as text.
    let compared = if type_oid == 1043 { 25 } else { type_oid };
    OPERATOR_CLASSES.iter().find(|(.., found)| *found == compared).map_or(0, |(number, ..)| *number)
}

pub(super) fn pg_opclass(_: &SystemContext) -> Vec<Row> {
    OPERATOR_CLASSES
        .iter()
        .map(|(number, name, family, type_oid)| {
            vec![
                oid(*number),
                oid(class::BTREE),
                text(name),
                oid(crate::catalog::PG_CATALOG),
                oid(OWNER),
                oid(*family),
                oid(*type_oid),
                TRUE,
                oid(0),
            ]
        })
        .collect()
}

pub(super) fn pg_opfamily(_: &SystemContext) -> Vec<Row> {
    OPERATOR_FAMILIES
        .iter()
        .map(|(number, name)| {
            vec![
                oid(*number),
                oid(class::BTREE),
                text(name),
                oid(crate::catalog::PG_CATALOG),
                oid(OWNER),
            ]
        })
        .collect()
}
