//! Tests of the declared relations and of the rows computed for them.

use std::sync::Arc;

use oxi_base::TableId;
use oxi_model::{Datum, engine::TableStatistics};

use super::*;
use crate::sample;

struct Server;

impl ServerState for Server {
    fn statistics(&self, _: TableId) -> TableStatistics {
        TableStatistics { rows: 7, bytes: 100 }
    }
    fn sequence_state(&self, _: u32) -> Option<(i64, bool)> {
        Some((3, true))
    }
    fn settings(&self) -> Vec<SettingInfo> {
        let enum_values = Some(vec!["a".to_owned(), "b".to_owned()]);
        vec![SettingInfo { name: "s".to_owned(), enum_values, ..SettingInfo::default() }]
    }
    fn prepared_transactions(&self) -> Vec<PreparedTransaction> {
        Vec::new()
    }
    fn sessions(&self) -> Vec<SessionInfo> {
        vec![SessionInfo::default()]
    }
}

fn context() -> SystemContext {
    SystemContext {
        catalog: Arc::new(sample::catalog()),
        database: "d".to_owned(),
        user: "me".to_owned(),
        server: Arc::new(Server),
    }
}

/// The rows of a relation as text of the named columns.
fn rows(schema: &str, name: &str, columns: &[&str]) -> Vec<String> {
    let relation = relation(schema, name).unwrap();
    let at: Vec<usize> =
        columns.iter().map(|column| relation.column_by_name(column).unwrap().0).collect();
    relation
        .rows(&context())
        .iter()
        .map(|row| {
            let cells: Vec<String> = at
                .iter()
                .map(|position| match &row[*position] {
                    Datum::Null => "-".to_owned(),
                    Datum::Text(text) => text.to_string(),
                    Datum::Bool(value) => value.to_string(),
                    Datum::Int16(value) => value.to_string(),
                    Datum::Int32(value) => value.to_string(),
                    Datum::Int64(value) => value.to_string(),
                    Datum::UInt32(value) => value.to_string(),
                    other => format!("{other:?}"),
                })
                .collect();
            cells.join(" ")
        })
        .collect()
}

#[test]
fn every_declaration_is_understood() {
    let text = include_str!("relations.txt");
    let columns = text.lines().filter(|line| line.starts_with("    ")).count();
    let tables = text.lines().filter(|line| !line.starts_with([' ', '#'])).count();
    assert_eq!(relations().len(), tables);
    assert_eq!(relations().iter().map(|relation| relation.columns.len()).sum::<usize>(), columns);
    assert_eq!(relation("pg_catalog", "pg_class").unwrap().columns.len(), 33);
    assert_eq!(by_oid(1259).unwrap().name, "pg_class");
    for ((schema, name), _) in ROWS {
        assert!(relation(schema, name).is_some_and(|found| found.rows.is_some()), "{name}");
    }
}

#[test]
fn every_row_fits_its_columns() {
    let context = context();
    for relation in relations() {
        for row in relation.rows(&context) {
            assert_eq!(row.len(), relation.columns.len(), "{}", relation.name);
            for (value, column) in row.iter().zip(&relation.columns) {
                assert!(value.fits(&column.physical), "{}.{}", relation.name, column.name);
                assert!(
                    !(column.not_null && value.is_null()),
                    "{}.{} is NULL",
                    relation.name,
                    column.name
                );
            }
        }
    }
}

#[test]
fn column_types_are_those_of_the_type_table() {
    for relation in relations() {
        for column in &relation.columns {
            let found = oxi_types::pg_type::by_oid(column.type_oid);
            assert_eq!(
                found.map(|found| &found.physical),
                Some(&column.physical),
                "{}.{}",
                relation.name,
                column.name
            );
        }
    }
}

#[test]
fn relations_are_listed() {
    let found = rows("pg_catalog", "pg_class", &["relname", "relkind", "relnatts", "relhasindex"]);
    for wanted in ["t r 4 true", "t_pkey i 1 false", "v v 2 false", "s_id_seq S 3 false"] {
        assert!(found.contains(&wanted.to_owned()), "{wanted}");
    }
    let found = rows("pg_catalog", "pg_tables", &["schemaname", "tablename", "hasindexes"]);
    assert!(found.contains(&"public t true".to_owned()));
    assert!(found.contains(&"pg_catalog pg_class false".to_owned()));
    let found = rows("information_schema", "tables", &["table_schema", "table_name", "table_type"]);
    assert!(found.contains(&"public v VIEW".to_owned()));
    assert!(found.contains(&"x y BASE TABLE".to_owned()));
}

#[test]
fn columns_are_described() {
    let found = rows(
        "information_schema",
        "columns",
        &[
            "table_name",
            "column_name",
            "ordinal_position",
            "is_nullable",
            "data_type",
            "numeric_precision",
            "is_identity",
            "is_generated",
            "generation_expression",
        ],
    );
    assert!(found.contains(&"t id 1 NO integer 32 NO NEVER -".to_owned()));
    assert!(found.contains(&"t g 4 YES integer 32 NO ALWAYS (b * 2)".to_owned()));
    assert!(found.contains(&"s k 2 YES integer 32 YES NEVER -".to_owned()));
    let found =
        rows("pg_catalog", "pg_attribute", &["attname", "attnum", "attidentity", "atthasdef"]);
    assert!(found.contains(&"Weird 2  false".to_owned()));
    assert!(found.contains(&"k 2 d false".to_owned()));
}

#[test]
fn constraints_are_described() {
    let found = rows("pg_catalog", "pg_constraint", &["conname", "contype", "confdeltype"]);
    assert!(found.contains(&"t_pkey p  ".to_owned()));
    assert!(found.contains(&"u_ta_fkey f c".to_owned()));
    let found = rows(
        "information_schema",
        "referential_constraints",
        &["constraint_name", "unique_constraint_name", "update_rule", "delete_rule"],
    );
    assert!(found.contains(&"u_ta_fkey t_a_key NO ACTION CASCADE".to_owned()));
    let found =
        rows("information_schema", "check_constraints", &["constraint_name", "check_clause"]);
    assert!(found.contains(&"t_b_check ((b > 0))".to_owned()));
    assert!(found.contains(&"2200_20000_1_not_null id IS NOT NULL".to_owned()));
    let found = rows(
        "pg_catalog",
        "pg_depend",
        &["classid", "objid", "refobjid", "refobjsubid", "deptype"],
    );
    assert!(found.contains(&"1259 20031 20030 1 a".to_owned()));
    assert!(found.contains(&"1259 20032 20030 2 i".to_owned()));
}
