//! `\d` and its family: queries on the catalog.

use std::io::Write as _;

use oxi_base::{Error, SqlState};

use super::script::Lines;
use super::{Shell, Stop};

/// Schemas of the system, which lists leave out.
const NOT_SYSTEM: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'oxi')";

/// The query behind a listing command, if `name` is one. `comments`: with a column for them.
pub(super) fn list_query(name: &str, pattern: &str, comments: bool) -> Option<String> {
    let kinds = match name {
        "\\d" => "'r','p','v','m','S'",
        "\\dt" => "'r','p'",
        "\\di" => "'i','I'",
        "\\ds" => "'S'",
        "\\dv" => "'v'",
        "\\dm" => "'m'",
        "\\dn" => return Some(schemas(comments)),
        "\\du" | "\\dg" => return Some(ROLES.to_owned()),
        "\\l" => return Some(DATABASES.to_owned()),
        "\\df" => return Some(functions(pattern)),
        _ => return None,
    };
    Some(relations(kinds, name == "\\di", pattern, comments))
}

const ROLES: &str = "SELECT rolname AS \"Role name\", rolsuper AS \"Superuser\", \
                     rolcanlogin AS \"Can login\" FROM pg_catalog.pg_roles \
                     WHERE rolname NOT LIKE 'pg_%' ORDER BY 1";

const DATABASES: &str = "SELECT datname AS \"Name\", pg_get_userbyid(datdba) AS \"Owner\", \
                         pg_encoding_to_char(encoding) AS \"Encoding\" \
                         FROM pg_catalog.pg_database ORDER BY 1";

fn schemas(comments: bool) -> String {
    let comment = if comments {
        ", pg_catalog.obj_description(n.oid, 'pg_namespace') AS \"Description\""
    } else {
        ""
    };
    format!(
        "SELECT n.nspname AS \"Name\", pg_get_userbyid(n.nspowner) AS \"Owner\"{comment} \
         FROM pg_catalog.pg_namespace n WHERE n.nspname NOT LIKE 'pg_%' AND {NOT_SYSTEM} ORDER BY 1"
    )
}

fn functions(pattern: &str) -> String {
    let which = matching("n.nspname", "p.proname", pattern);
    format!(
        "SELECT n.nspname AS \"Schema\", p.proname AS \"Name\", \
         pg_get_function_result(p.oid) AS \"Result data type\", \
         pg_get_function_arguments(p.oid) AS \"Argument data types\" \
         FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
         WHERE {which} ORDER BY 1, 2, 4"
    )
}

fn relations(kinds: &str, indexes: bool, pattern: &str, comments: bool) -> String {
    let which = matching("n.nspname", "c.relname", pattern);
    let (table, join) = if indexes {
        (
            ", t.relname AS \"Table\"",
            "LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid \
             LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid ",
        )
    } else {
        ("", "")
    };
    let comment = if comments {
        ", pg_catalog.obj_description(c.oid, 'pg_class') AS \"Description\""
    } else {
        ""
    };
    format!(
        "SELECT n.nspname AS \"Schema\", c.relname AS \"Name\", \
         CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' \
         WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' \
         WHEN 'I' THEN 'partitioned index' WHEN 'S' THEN 'sequence' END AS \"Type\"{table}{comment} \
         FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace {join}\
         WHERE c.relkind IN ({kinds}) AND {which} ORDER BY 1, 2"
    )
}

/// A condition for what a pattern names, or without one for what is not the system's.
fn matching(schema: &str, name: &str, pattern: &str) -> String {
    if pattern.is_empty() { NOT_SYSTEM.to_owned() } else { like(schema, name, pattern) }
}

/// A condition for a pattern as users write it: `schema.name` with `*` and `?`.
fn like(schema: &str, name: &str, pattern: &str) -> String {
    let one = |column: &str, pattern: &str| {
        let exact = pattern.strip_prefix('"').and_then(|p| p.strip_suffix('"'));
        let folded = exact.map_or_else(|| pattern.to_lowercase(), str::to_owned);
        let escaped = folded.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%");
        let wild = escaped.replace('*', "%").replace('?', "_").replace('\'', "''");
        format!("{column} LIKE '{wild}'")
    };
    match pattern.split_once('.') {
        Some((in_schema, named)) => {
            format!("{} AND {}", one(schema, in_schema), one(name, named))
        }
        None => one(name, pattern),
    }
}

impl Shell {
    /// `\d NAME`, or `\d+ NAME` with comments.
    pub(super) async fn describe(&mut self, pattern: &str, comments: bool) -> Result<(), Stop> {
        let which = like("n.nspname", "c.relname", pattern);
        // Without a schema or a wildcard the search path decides.
        let visible = if pattern.contains(['.', '*', '?']) {
            ""
        } else {
            " AND pg_catalog.pg_table_is_visible(c.oid)"
        };
        let found = Box::pin(self.fetch(&format!(
            "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE {which}{visible} ORDER BY 2, 3"
        )))
        .await?;
        if found.is_empty() {
            let message = format!("Did not find any relation named \"{pattern}\".");
            return Err(self.complain(&Error::new(SqlState::UNDEFINED_TABLE, message)));
        }
        for row in found {
            let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
            let (oid, schema, name, kind) = (text(0), text(1), text(2), text(3));
            let title = title(&kind);
            let _ = writeln!(self.output, "{title} \"{schema}.{name}\"");
            let sql = if kind == "S" { sequence(&oid) } else { columns(&oid, comments) };
            Box::pin(self.table(&sql)).await?;
            Box::pin(self.describe_more(&oid, &kind)).await?;
        }
        Ok(())
    }

    /// A query's rows without their number.
    async fn table(&mut self, sql: &str) -> Result<(), Stop> {
        let quiet = std::mem::replace(&mut self.quiet, true);
        let shown = self.execute(sql, &mut Lines::default()).await;
        self.quiet = quiet;
        shown
    }

    async fn describe_more(&mut self, oid: &str, kind: &str) -> Result<(), Stop> {
        match kind {
            "v" | "m" => {
                let sql = format!("SELECT pg_catalog.pg_get_viewdef({oid}, true)");
                self.section("View definition:", &sql, "").await
            }
            "S" => {
                let sql = format!(
                    "SELECT n.nspname || '.' || t.relname || '.' || a.attname \
                     FROM pg_catalog.pg_depend d \
                     JOIN pg_catalog.pg_class t ON t.oid = d.refobjid \
                     JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
                     JOIN pg_catalog.pg_attribute a \
                     ON a.attrelid = t.oid AND a.attnum = d.refobjsubid \
                     WHERE d.objid = {oid} AND d.deptype IN ('a', 'i')"
                );
                self.section("Owned by:", &sql, "    ").await
            }
            "r" | "p" => self.describe_table(oid).await,
            _ => Ok(()),
        }
    }

    async fn describe_table(&mut self, oid: &str) -> Result<(), Stop> {
        let indexes = format!(
            "SELECT '\"' || c.relname || '\"' || CASE WHEN i.indisprimary THEN ' PRIMARY KEY,' \
             WHEN i.indisunique THEN ' UNIQUE,' ELSE '' END || ' ' || \
             pg_catalog.pg_get_indexdef(i.indexrelid) \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             WHERE i.indrelid = {oid} ORDER BY i.indisprimary DESC, c.relname"
        );
        self.section("Indexes:", &indexes, "    ").await?;
        let of_kind = |kind: &str| {
            format!(
                "SELECT '\"' || r.conname || '\" ' || pg_catalog.pg_get_constraintdef(r.oid) \
                 FROM pg_catalog.pg_constraint r \
                 WHERE r.conrelid = {oid} AND r.contype = '{kind}' ORDER BY r.conname"
            )
        };
        self.section("Check constraints:", &of_kind("c"), "    ").await?;
        self.section("Foreign-key constraints:", &of_kind("f"), "    ").await?;
        let referring = format!(
            "SELECT 'TABLE \"' || t.relname || '\" CONSTRAINT \"' || r.conname || '\" ' || \
             pg_catalog.pg_get_constraintdef(r.oid) FROM pg_catalog.pg_constraint r \
             JOIN pg_catalog.pg_class t ON t.oid = r.conrelid \
             WHERE r.confrelid = {oid} AND r.contype = 'f' ORDER BY t.relname, r.conname"
        );
        self.section("Referenced by:", &referring, "    ").await
    }

    /// A title and the lines that a query finds; nothing if it finds none.
    async fn section(&mut self, title: &str, sql: &str, indent: &str) -> Result<(), Stop> {
        let rows = self.fetch(sql).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let _ = writeln!(self.output, "{title}");
        for row in rows {
            for line in row.first().cloned().flatten().unwrap_or_default().lines() {
                // The definition's beginning is what the name and kind already say.
                let line = match line.split_once(" USING ") {
                    Some((head, tail)) if head.contains(" INDEX ") => {
                        let head = &head[..head.find("CREATE ").unwrap_or(head.len())];
                        format!("{head}{tail}")
                    }
                    _ => line.to_owned(),
                };
                let _ = writeln!(self.output, "{indent}{line}");
            }
        }
        let _ = self.output.flush();
        Ok(())
    }
}

fn title(kind: &str) -> &'static str {
    match kind {
        "v" => "View",
        "m" => "Materialized view",
        "i" | "I" => "Index",
        "S" => "Sequence",
        _ => "Table",
    }
}

/// The query for a relation's columns.
fn columns(oid: &str, comments: bool) -> String {
    let comment = if comments {
        ", pg_catalog.col_description(a.attrelid, a.attnum) AS \"Description\""
    } else {
        ""
    };
    format!(
        "SELECT a.attname AS \"Column\", \
         pg_catalog.format_type(a.atttypid, a.atttypmod) AS \"Type\", \
         CASE WHEN a.attnotnull THEN 'not null' ELSE '' END AS \"Nullable\", \
         CASE WHEN a.attidentity = 'a' THEN 'generated always as identity' \
         WHEN a.attidentity = 'd' THEN 'generated by default as identity' \
         WHEN a.attgenerated = 's' \
         THEN 'generated always as (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ') stored' \
         ELSE coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') END AS \"Default\"{comment} \
         FROM pg_catalog.pg_attribute a \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
}

/// The query for a sequence's properties.
fn sequence(oid: &str) -> String {
    format!(
        "SELECT pg_catalog.format_type(seqtypid, NULL) AS \"Type\", seqstart AS \"Start\", \
         seqmin AS \"Minimum\", seqmax AS \"Maximum\", seqincrement AS \"Increment\", \
         CASE WHEN seqcycle THEN 'yes' ELSE 'no' END AS \"Cycles?\", seqcache AS \"Cache\" \
         FROM pg_catalog.pg_sequence WHERE seqrelid = {oid}"
    )
}
