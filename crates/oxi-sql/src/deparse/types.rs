//! Type names as text.

use std::fmt::Write as _;

use oxi_base::Result;

use super::Writer;
use crate::ast::*;

impl Writer<'_> {
    pub(super) fn type_name(&mut self, name: &TypeName) -> Result<()> {
        if name.set_of {
            self.push("SETOF ");
        }
        let own = match name.name.parts.as_slice() {
            [schema, last] if schema.value == "pg_catalog" => spelling(&last.value),
            _ => None,
        };
        // A bare bpchar has no length, which `character` would give it.
        let own = own.filter(|(word, _)| {
            *word != "character" && *word != "bit" || !name.modifiers.is_empty()
        });
        let after = if let Some((word, after)) = own {
            self.push(word);
            after
        } else {
            self.dotted(&name.name.parts);
            ""
        };
        if let Some(fields) = name.interval {
            let _ = write!(self.out, " {}", fields.sql());
        }
        if !name.modifiers.is_empty() {
            self.push("(");
            self.exprs(&name.modifiers)?;
            self.push(")");
        }
        self.push(after);
        for bound in &name.array_bounds {
            match bound {
                Some(bound) => {
                    let _ = write!(self.out, "[{bound}]");
                }
                None => self.push("[]"),
            }
        }
        Ok(())
    }
}

/// The SQL spelling of a type of the grammar: before and after the modifiers.
fn spelling(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "int2" => ("smallint", ""),
        "int4" => ("integer", ""),
        "int8" => ("bigint", ""),
        "float4" => ("real", ""),
        "float8" => ("double precision", ""),
        "bool" => ("boolean", ""),
        "numeric" => ("numeric", ""),
        "varchar" => ("character varying", ""),
        "bpchar" => ("character", ""),
        "bit" => ("bit", ""),
        "varbit" => ("bit varying", ""),
        "interval" => ("interval", ""),
        "time" => ("time", " without time zone"),
        "timetz" => ("time", " with time zone"),
        "timestamp" => ("timestamp", " without time zone"),
        "timestamptz" => ("timestamp", " with time zone"),
        _ => return None,
    })
}
