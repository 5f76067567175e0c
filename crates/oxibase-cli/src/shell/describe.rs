//! `\d` and its family: queries on the catalog.

use std::io::Write as _;

use oxi_base::{Error, SqlState};

use super::script::Lines;
use super::{Shell, Stop};

/// Schemas of the system, which lists leave out.
const NOT_SYSTEM: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema')";

/// The query behind a listing command, if `name` is one.
pub(super) fn list_query(name: &str, pattern: &str) -> Option<String> {
    let kinds = match name {
        "\\d" => "'r','p','v','m','S'",
        "\\dt" => "'r','p'",
        "\\di" => "'i','I'",
        "\\ds" => "'S'",
        "\\dv" => "'v'",
        "\\dm" => "'m'",
        "\\dn" => {
            return Some(
                "SELECT n.nspname AS \"Name\", pg_get_userbyid(n.nspowner) AS \"Owner\" \
                 FROM pg_catalog.pg_namespace n \
                 WHERE n.nspname NOT LIKE 'pg_%' AND n.nspname <> 'information_schema' \
                 ORDER BY 1"
                    .to_owned(),
            );
        }
        "\\du" => {
            return Some(
                "SELECT rolname AS \"Role name\", rolsuper AS \"Superuser\", \
                 rolcanlogin AS \"Can login\" FROM pg_catalog.pg_roles \
                 WHERE rolname NOT LIKE 'pg_%' ORDER BY 1"
                    .to_owned(),
            );
        }
        "\\l" => {
            return Some(
                "SELECT datname AS \"Name\", pg_get_userbyid(datdba) AS \"Owner\", \
                 pg_encoding_to_char(encoding) AS \"Encoding\" \
                 FROM pg_catalog.pg_database ORDER BY 1"
                    .to_owned(),
            );
        }
        "\\df" => {
            let which = if pattern.is_empty() {
                NOT_SYSTEM.to_owned()
            } else {
                like("n.nspname", "p.proname", pattern)
            };
            return Some(format!(
                "SELECT n.nspname AS \"Schema\", p.proname AS \"Name\", \
                 pg_get_function_result(p.oid) AS \"Result data type\", \
                 pg_get_function_arguments(p.oid) AS \"Argument data types\" \
                 FROM pg_catalog.pg_proc p \
                 JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
                 WHERE {which} ORDER BY 1, 2, 4"
            ));
        }
        _ => return None,
    };
    let which = if pattern.is_empty() {
        NOT_SYSTEM.to_owned()
    } else {
        like("n.nspname", "c.relname", pattern)
    };
    let (table, join) = if name == "\\di" {
        (
            ", t.relname AS \"Table\"",
            "LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid \
             LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid ",
        )
    } else {
        ("", "")
    };
    Some(format!(
        "SELECT n.nspname AS \"Schema\", c.relname AS \"Name\", \
         CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' \
         WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' \
         WHEN 'I' THEN 'partitioned index' WHEN 'S' THEN 'sequence' END AS \"Type\"{table} \
         FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace {join}\
         WHERE c.relkind IN ({kinds}) AND {which} ORDER BY 1, 2"
    ))
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
    /// `\d NAME`.
    pub(super) async fn describe(&mut self, pattern: &str) -> Result<(), Stop> {
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
            Box::pin(self.describe_one(&oid, &schema, &name, &kind)).await?;
        }
        Ok(())
    }

    async fn describe_one(
        &mut self,
        oid: &str,
        schema: &str,
        name: &str,
        kind: &str,
    ) -> Result<(), Stop> {
        let title = match kind {
            "v" => "View",
            "m" => "Materialized view",
            "i" | "I" => "Index",
            "S" => "Sequence",
            _ => "Table",
        };
        let _ = writeln!(self.output, "{title} \"{schema}.{name}\"");
        let quiet = std::mem::replace(&mut self.quiet, true);
        let columns = format!(
            "SELECT a.attname AS \"Column\", \
             pg_catalog.format_type(a.atttypid, a.atttypmod) AS \"Type\", \
             CASE WHEN a.attnotnull THEN 'not null' ELSE '' END AS \"Nullable\", \
             CASE WHEN a.attidentity = 'a' THEN 'generated always as identity' \
             WHEN a.attidentity = 'd' THEN 'generated by default as identity' \
             WHEN a.attgenerated = 's' \
             THEN 'generated always as (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ') stored' \
             ELSE coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') END AS \"Default\" \
             FROM pg_catalog.pg_attribute a \
             LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
             WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        );
        let shown = self.execute(&columns, &mut Lines::default()).await;
        self.quiet = quiet;
        shown?;
        match kind {
            "v" | "m" => {
                let sql = format!("SELECT pg_catalog.pg_get_viewdef({oid}, true)");
                self.section("View definition:", &sql).await
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
        self.section("Indexes:", &indexes).await?;
        let of_kind = |column: &str, kind: &str| {
            format!(
                "SELECT '\"' || r.conname || '\" ' || pg_catalog.pg_get_constraintdef(r.oid) \
                 FROM pg_catalog.pg_constraint r \
                 WHERE r.{column} = {oid} AND r.contype = '{kind}' ORDER BY r.conname"
            )
        };
        self.section("Check constraints:", &of_kind("conrelid", "c")).await?;
        self.section("Foreign-key constraints:", &of_kind("conrelid", "f")).await?;
        self.section("Referenced by:", &of_kind("confrelid", "f")).await
    }

    /// A title and the lines that a query finds; nothing if it finds none.
    async fn section(&mut self, title: &str, sql: &str) -> Result<(), Stop> {
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
                let _ = writeln!(self.output, "    {line}");
            }
        }
        let _ = self.output.flush();
        Ok(())
    }
}
