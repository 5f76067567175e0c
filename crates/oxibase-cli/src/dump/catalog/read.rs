//! The queries on the catalog.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Catalog, Column, Constraint, Index, Owner, Relation, Schema, Sequence, Table, View, view,
};
use crate::dump::pattern::Pattern;
use crate::dump::source::{Failure, Row, Source};

/// Schemas of users.
const OF_USERS: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'oxi') \
                        AND n.nspname NOT LIKE 'pg\\_%'";

/// Tables that are locked by one statement.
const LOCKED_TOGETHER: usize = 200;

/// Kinds of objects that a dump does not hold, and how many of them there are.
pub(in crate::dump) const NOT_DUMPED: &str = "\
    SELECT 'partitioned tables, foreign tables, materialized views', count(*) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('p', 'f', 'm') AND n.nspname NOT LIKE 'pg\\_%' \
    AND n.nspname NOT IN ('information_schema', 'oxi') \
    UNION ALL SELECT 'functions and procedures', count(*) \
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'oxi') \
    UNION ALL SELECT 'enums, domains and ranges', count(*) \
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
    WHERE t.typtype IN ('e', 'd', 'r') \
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'oxi') \
    UNION ALL SELECT 'triggers', count(*) FROM pg_catalog.pg_trigger WHERE NOT tgisinternal";

const RELATIONS: &str = "\
    SELECT c.oid, c.relkind, n.nspname, c.relname, \
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
    pg_catalog.pg_table_is_visible(c.oid), pg_catalog.obj_description(c.oid, 'pg_class') \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'v', 'S') AND ";

const COLUMNS: &str = "\
    SELECT a.attrelid, a.attnum, pg_catalog.quote_ident(a.attname), \
    pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid, a.attnotnull, a.attidentity, \
    a.attgenerated, pg_catalog.pg_get_expr(d.adbin, d.adrelid), \
    pg_catalog.col_description(a.attrelid, a.attnum) \
    FROM pg_catalog.pg_attribute a \
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v') AND ";

const CONSTRAINTS: &str = "\
    SELECT r.conrelid, pg_catalog.quote_ident(r.conname), r.contype, r.convalidated, r.conindid, \
    pg_catalog.pg_get_constraintdef(r.oid), pg_catalog.obj_description(r.oid, 'pg_constraint'), \
    r.conname \
    FROM pg_catalog.pg_constraint r JOIN pg_catalog.pg_namespace n ON n.oid = r.connamespace \
    WHERE r.conrelid <> 0 AND r.contype IN ('c', 'p', 'u', 'f', 'x') AND ";

const INDEXES: &str = "\
    SELECT i.indrelid, i.indexrelid, \
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
    pg_catalog.pg_get_indexdef(i.indexrelid), pg_catalog.obj_description(c.oid, 'pg_class'), \
    c.relname \
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE i.indisvalid AND ";

const SEQUENCES: &str = "\
    SELECT seqrelid, pg_catalog.format_type(seqtypid, NULL), seqstart, seqincrement, seqmin, \
    seqmax, seqcache, seqcycle FROM pg_catalog.pg_sequence";

/// Which columns sequences belong to. 1259 is `pg_class` in every database.
const OWNERS: &str = "\
    SELECT objid, refobjid, refobjsubid, deptype FROM pg_catalog.pg_depend \
    WHERE classid = 1259 AND refclassid = 1259 AND refobjsubid > 0 AND deptype IN ('a', 'i')";

/// What views read; a rule stands between. 2618 is `pg_rewrite`.
const READS: &str = "\
    SELECT r.ev_class, d.refobjid FROM pg_catalog.pg_depend d \
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid \
    WHERE d.classid = 2618 AND d.refclassid = 1259 AND d.refobjid <> r.ev_class";

/// Reads everything that the patterns name.
pub(super) async fn catalog(source: &mut Source, patterns: &[Pattern]) -> Result<Catalog, Failure> {
    let owners = owners(source).await?;
    let relations = relations(source, patterns, &owners).await?;
    // Patterns needed the search path; definitions name every schema.
    source.rows("SELECT pg_catalog.set_config('search_path', '', false)").await?;
    lock(source, &relations).await?;
    let schemas = if patterns.is_empty() { schemas(source).await? } else { Vec::new() };
    let mut parts = Parts::read(source).await?;
    let (mut tables, mut views) = (Vec::new(), Vec::new());
    let mut sequences = Vec::new();
    for relation in relations {
        match relation.kind.as_str() {
            "r" => tables.push(parts.table(relation)),
            "S" => sequences.push(relation),
            _ => views.push(View {
                columns: parts.columns.remove(&relation.oid).unwrap_or_default(),
                definition: view_definition(source, relation.oid).await?,
                relation,
            }),
        }
    }
    let sequences = describe_sequences(source, sequences, owners).await?;
    let reads = source.rows(READS).await?;
    let reads: Vec<(u32, u32)> = reads.iter().map(|row| (row.oid(0), row.oid(1))).collect();
    Ok(Catalog { schemas, tables, sequences, views: view::in_order(views, &reads) })
}

async fn owners(source: &mut Source) -> Result<BTreeMap<u32, Owner>, Failure> {
    let rows = source.rows(OWNERS).await?;
    let owner = |row: &Row| {
        let is_identity = row.text(3) == "i";
        (row.oid(0), Owner { table: row.oid(1), column: row.oid(2), is_identity })
    };
    Ok(rows.iter().map(owner).collect())
}

/// The relations that the patterns name, with the sequences of their columns, sorted by name.
async fn relations(
    source: &mut Source,
    patterns: &[Pattern],
    owners: &BTreeMap<u32, Owner>,
) -> Result<Vec<Relation>, Failure> {
    let rows = source.rows(&format!("{RELATIONS}{OF_USERS}")).await?;
    let mut relations: Vec<Relation> = rows.iter().map(Relation::of).collect();
    if !patterns.is_empty() {
        let is_named = |relation: &Relation| {
            let Relation { schema, name, is_visible, .. } = relation;
            patterns.iter().any(|pattern| pattern.matches(schema, name, *is_visible))
        };
        let named: BTreeSet<u32> =
            relations.iter().filter(|found| is_named(found)).map(|found| found.oid).collect();
        relations.retain(|found| match owners.get(&found.oid) {
            Some(owner) if found.kind == "S" => {
                // The sequence of an identity comes with its column and never alone.
                named.contains(&owner.table) || !owner.is_identity && named.contains(&found.oid)
            }
            _ => named.contains(&found.oid),
        });
    }
    relations.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    Ok(relations)
}

/// Keeps the tables from being dropped or altered before their rows are read.
async fn lock(source: &mut Source, relations: &[Relation]) -> Result<(), Failure> {
    let tables = relations.iter().filter(|relation| relation.kind == "r");
    let names: Vec<&str> = tables.map(|table| table.display.as_str()).collect();
    for some in names.chunks(LOCKED_TOGETHER) {
        source.rows(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", some.join(", "))).await?;
    }
    Ok(())
}

async fn schemas(source: &mut Source) -> Result<Vec<Schema>, Failure> {
    let rows = source
        .rows(&format!(
            "SELECT n.nspname, pg_catalog.quote_ident(n.nspname), \
             pg_catalog.obj_description(n.oid, 'pg_namespace') \
             FROM pg_catalog.pg_namespace n WHERE {OF_USERS}"
        ))
        .await?;
    let schema =
        |row: &Row| Schema { name: row.text(0), display: row.text(1), comment: row.optional(2) };
    let mut schemas: Vec<Schema> = rows.iter().map(schema).collect();
    schemas.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(schemas)
}

async fn view_definition(source: &mut Source, oid: u32) -> Result<String, Failure> {
    let rows = source.rows(&format!("SELECT pg_catalog.pg_get_viewdef({oid}::oid)")).await?;
    Ok(rows.first().map(|row| row.text(0)).unwrap_or_default())
}

/// What belongs to tables and views, by their numbers.
struct Parts {
    columns: BTreeMap<u32, Vec<Column>>,
    constraints: BTreeMap<u32, Vec<Constraint>>,
    indexes: BTreeMap<u32, Vec<Index>>,
}

impl Parts {
    async fn read(source: &mut Source) -> Result<Self, Failure> {
        let mut parts = Parts {
            columns: BTreeMap::new(),
            constraints: BTreeMap::new(),
            indexes: BTreeMap::new(),
        };
        for row in source.rows(&format!("{COLUMNS}{OF_USERS}")).await? {
            parts.columns.entry(row.oid(0)).or_default().push(column(&row));
        }
        for columns in parts.columns.values_mut() {
            columns.sort_by_key(|column| column.number);
        }
        let mut indexes = source.rows(&format!("{INDEXES}{OF_USERS}")).await?;
        indexes.sort_by_key(|row| row.text(5));
        let mut constraints = source.rows(&format!("{CONSTRAINTS}{OF_USERS}")).await?;
        constraints.sort_by_key(|row| row.text(7));
        // A foreign key names an index as well: the one of the table that it refers to.
        let serving: BTreeSet<u32> =
            constraints.iter().filter(|row| row.text(2) != "f").map(|row| row.oid(4)).collect();
        for row in &constraints {
            let index =
                indexes.iter().find(|index| row.text(2) != "f" && index.oid(1) == row.oid(4));
            let constraint = Constraint {
                name: row.text(1),
                plain: row.text(7),
                kind: row.text(2),
                is_validated: row.is_true(3),
                definition: row.text(5),
                comment: row.optional(6),
                index_comment: index.and_then(|row| Some((row.text(2), row.optional(4)?))),
            };
            parts.constraints.entry(row.oid(0)).or_default().push(constraint);
        }
        for row in indexes.iter().filter(|row| !serving.contains(&row.oid(1))) {
            let index = Index {
                display: row.text(2),
                plain: row.text(5),
                definition: row.text(3),
                comment: row.optional(4),
            };
            parts.indexes.entry(row.oid(0)).or_default().push(index);
        }
        Ok(parts)
    }

    fn table(&mut self, relation: Relation) -> Table {
        let oid = relation.oid;
        Table {
            relation,
            columns: self.columns.remove(&oid).unwrap_or_default(),
            constraints: self.constraints.remove(&oid).unwrap_or_default(),
            indexes: self.indexes.remove(&oid).unwrap_or_default(),
        }
    }
}

fn column(row: &Row) -> Column {
    Column {
        number: row.oid(1),
        name: row.text(2),
        data_type: row.text(3),
        type_oid: row.oid(4),
        is_not_null: row.is_true(5),
        identity: row.text(6),
        is_generated: row.text(7) == "s",
        expression: row.optional(8),
        comment: row.optional(9),
    }
}

async fn describe_sequences(
    source: &mut Source,
    relations: Vec<Relation>,
    mut owners: BTreeMap<u32, Owner>,
) -> Result<Vec<Sequence>, Failure> {
    let rows = source.rows(SEQUENCES).await?;
    let rows: BTreeMap<u32, &Row> = rows.iter().map(|row| (row.oid(0), row)).collect();
    let described = relations.into_iter().filter_map(|relation| {
        let row = rows.get(&relation.oid)?;
        let owner = owners.remove(&relation.oid);
        Some(sequence(relation, row, owner))
    });
    Ok(described.collect())
}

fn sequence(relation: Relation, row: &Row, owner: Option<Owner>) -> Sequence {
    let number = |column: usize| row.text(column).parse::<i64>().unwrap_or_default();
    let data_type = row.text(1);
    let (least, most) = match data_type.as_str() {
        "smallint" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "integer" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let increment = number(3);
    let (usual_min, usual_max) = if increment > 0 { (1, most) } else { (least, -1) };
    Sequence {
        relation,
        data_type,
        start: number(2),
        increment,
        min: Some(number(4)).filter(|min| *min != usual_min),
        max: Some(number(5)).filter(|max| *max != usual_max),
        cache: row.text(6),
        is_cycle: row.is_true(7),
        owner,
    }
}
