//! What functions of SQL ask of the catalog: names and numbers, definitions, comments, sizes. The
//! session's `SessionFunctions` hands such questions here.

use std::sync::Arc;

use oxi_base::Result;
use oxi_model::descriptor::RelationDescriptor;
use oxi_types::{
    builtin::{AGGREGATES, FUNCTIONS, OPERATORS, WINDOWS},
    context::{ObjectClass, ObjectName},
    pg_type,
};

use crate::{
    alter, definition,
    resolve::Resolved,
    system::{self, SystemContext},
};

/// The catalog as functions see it: with the search path that decides which names need a schema.
pub struct CatalogFunctions<'a> {
    /// Catalog, names of database and user, statistics.
    pub context: &'a SystemContext,
    /// The search path.
    pub search_path: &'a [String],
}

/// Oids of objects that every database has: languages, tablespaces, collations.
const LANGUAGES: &[(u32, &str)] = &[(12, "internal"), (14, "sql")];
const TABLESPACES: &[(u32, &str)] = &[(1663, "pg_default"), (1664, "pg_global")];
const COLLATIONS: &[(u32, &str)] =
    &[(100, "default"), (950, "C"), (951, "POSIX"), (12546, "ucs_basic")];

impl CatalogFunctions<'_> {
    /// The oid of a named object (dotted parts, unquoted); `None` if there is none.
    ///
    /// # Errors
    /// `42601` for too many parts.
    pub fn lookup(&self, class: ObjectClass, name: &[String]) -> Result<Option<u32>> {
        let catalog = &self.context.catalog;
        let Some(last) = name.last().map(String::as_str) else { return Ok(None) };
        let builtin = name.len() == 1 || name[name.len() - 2] == "pg_catalog";
        let listed = |list: &[(u32, &str)]| {
            list.iter().find(|(_, found)| builtin && *found == last).map(|(oid, _)| *oid)
        };
        Ok(match class {
            ObjectClass::Relation => {
                catalog.try_resolve(self.search_path, name)?.map(|found| found.oid())
            }
            ObjectClass::Schema => catalog.schema_by_name(last).map(|schema| schema.oid),
            ObjectClass::Type if builtin => pg_type::by_name(last).map(|found| found.oid),
            ObjectClass::Function if builtin => function_oid(last),
            ObjectClass::Operator if builtin => {
                OPERATORS.iter().find(|found| found.name == last).map(|found| found.oid)
            }
            ObjectClass::Type | ObjectClass::Function | ObjectClass::Operator => None,
            ObjectClass::Role => (last == self.context.user).then_some(system::OWNER),
            ObjectClass::Database => (last == self.context.database).then_some(system::DATABASE),
            ObjectClass::Collation => listed(COLLATIONS),
            ObjectClass::Tablespace => listed(TABLESPACES),
            ObjectClass::Language => listed(LANGUAGES),
            ObjectClass::Constraint => None,
        })
    }

    /// The name of an object; `None` if there is none.
    pub fn name_of(&self, class: ObjectClass, oid: u32) -> Option<ObjectName> {
        let catalog = &self.context.catalog;
        let plain =
            |name: &str| Some(ObjectName { schema: None, name: name.to_owned(), visible: true });
        let builtin = |name: &str| {
            let schema = Some("pg_catalog".to_owned());
            Some(ObjectName { schema, name: name.to_owned(), visible: true })
        };
        let listed = |list: &'static [(u32, &'static str)]| {
            list.iter().find(|(found, _)| *found == oid).map(|(_, name)| *name)
        };
        match class {
            ObjectClass::Relation => {
                let (schema, name) = match catalog.relation(oid) {
                    Some(found) => (catalog.schema_name(found.schema), found.name.as_str()),
                    None => system::by_oid(oid).map(|found| (found.schema, found.name))?,
                };
                let visible = catalog.is_visible(self.search_path, oid)?;
                let schema = Some(schema.to_owned());
                Some(ObjectName { schema, name: name.to_owned(), visible })
            }
            ObjectClass::Schema => plain(&catalog.schema(oid)?.name),
            ObjectClass::Type => builtin(pg_type::by_oid(oid)?.name),
            ObjectClass::Function => builtin(function_name(oid)?),
            ObjectClass::Operator => builtin(OPERATORS.iter().find(|found| found.oid == oid)?.name),
            ObjectClass::Role => {
                if oid == system::OWNER {
                    plain(&self.context.user)
                } else {
                    None
                }
            }
            ObjectClass::Database => {
                if oid == system::DATABASE {
                    plain(&self.context.database)
                } else {
                    None
                }
            }
            ObjectClass::Constraint => {
                let (relation, position) = catalog.constraint(oid)?;
                let constraint = relation.as_table()?.constraints.get(position)?;
                Some(ObjectName {
                    schema: Some(catalog.schema_name(relation.schema).to_owned()),
                    name: constraint.name.clone(),
                    visible: true,
                })
            }
            ObjectClass::Collation => builtin(listed(COLLATIONS)?),
            ObjectClass::Tablespace => plain(listed(TABLESPACES)?),
            ObjectClass::Language => plain(listed(LANGUAGES)?),
        }
    }

    /// Argument types of a built-in function, for `regprocedure`.
    pub fn function_arguments(&self, oid: u32) -> Option<Vec<u32>> {
        let functions = FUNCTIONS.iter().map(|found| (found.oid, found.args));
        let aggregates = AGGREGATES.iter().map(|found| (found.oid, found.args));
        let windows = WINDOWS.iter().map(|found| (found.oid, found.args));
        functions
            .chain(aggregates)
            .chain(windows)
            .find(|(found, _)| *found == oid)
            .map(|(_, args)| args.to_vec())
    }

    /// `obj_description`, `col_description`: the comment on an object (`sub` 0) or a column.
    pub fn description(&self, oid: u32, class: Option<&str>, sub: i32) -> Option<String> {
        if matches!(class, None | Some("pg_class"))
            && let Some(relation) = self.context.catalog.relation(oid)
        {
            return if sub == 0 {
                relation.comment.clone()
            } else {
                let id = u32::try_from(sub).ok()?.checked_sub(1)?;
                relation.as_table()?.column_by_id(id)?.1.comment.clone()
            };
        }
        match (class, oid) {
            (None | Some("pg_namespace"), crate::catalog::PUBLIC) => {
                Some("standard public schema".to_owned())
            }
            (None | Some("pg_namespace"), crate::catalog::PG_CATALOG) => {
                Some("system catalog schema".to_owned())
            }
            _ => None,
        }
    }

    /// `pg_get_constraintdef`.
    pub fn constraint_def(&self, oid: u32) -> Option<String> {
        let (relation, position) = self.context.catalog.constraint(oid)?;
        let constraint = relation.as_table()?.constraints.get(position)?;
        let catalog = &self.context.catalog;
        Some(definition::constraint_def(catalog, self.search_path, &relation, constraint))
    }

    /// `pg_get_indexdef`; column 0 asks for the whole statement.
    pub fn index_def(&self, oid: u32, column: i32, pretty: bool) -> Option<String> {
        let catalog = &self.context.catalog;
        let relation = catalog.relation(oid)?;
        if column != 0 {
            let position = usize::try_from(column).ok()?;
            return definition::index_column_def(catalog, relation, position);
        }
        definition::index_def(catalog, relation, pretty.then_some(self.search_path))
    }

    /// `pg_get_viewdef`.
    pub fn view_def(&self, oid: u32) -> Option<String> {
        self.context.catalog.relation(oid)?.as_view().map(definition::view_def)
    }

    /// `pg_get_serial_sequence`: the sequence's qualified name.
    ///
    /// # Errors
    /// `42703` if there is no such column.
    pub fn serial_sequence(&self, table: u32, column: &str) -> Result<Option<String>> {
        let catalog = &self.context.catalog;
        let Some(relation) = catalog.relation(table) else { return Ok(None) };
        let (_, found) = alter::column(relation, column)?;
        Ok(definition::serial_sequence(catalog, table, found.id))
    }

    /// Bytes of a relation as storage estimates them; `None` if there is no such relation.
    pub fn relation_size(&self, oid: u32) -> Option<i64> {
        let Some(relation) = self.context.catalog.relation(oid) else {
            return system::by_oid(oid).map(|_| 0);
        };
        let bytes = relation
            .as_table()
            .map_or(0, |table| self.context.server.statistics(table.storage()).bytes);
        Some(i64::try_from(bytes).unwrap_or(i64::MAX))
    }

    /// Bytes of all tables.
    pub fn database_size(&self) -> i64 {
        let sizes = self
            .context
            .catalog
            .relations()
            .map(|found: &Arc<RelationDescriptor>| self.relation_size(found.oid).unwrap_or(0));
        sizes.fold(0, i64::saturating_add)
    }

    /// Which relation a name stands for, computed ones included.
    ///
    /// # Errors
    /// `42P01` if there is none.
    pub fn relation(&self, name: &[String]) -> Result<Resolved> {
        self.context.catalog.resolve(self.search_path, name)
    }
}

fn function_oid(name: &str) -> Option<u32> {
    let functions = FUNCTIONS.iter().map(|found| (found.oid, found.name));
    let aggregates = AGGREGATES.iter().map(|found| (found.oid, found.name));
    let windows = WINDOWS.iter().map(|found| (found.oid, found.name));
    functions
        .chain(aggregates)
        .chain(windows)
        .find(|(_, found)| *found == name)
        .map(|(oid, _)| oid)
        .or_else(|| system::type_function_oid(name))
}

fn function_name(oid: u32) -> Option<&'static str> {
    let functions = FUNCTIONS.iter().map(|found| (found.oid, found.name));
    let aggregates = AGGREGATES.iter().map(|found| (found.oid, found.name));
    let windows = WINDOWS.iter().map(|found| (found.oid, found.name));
    functions
        .chain(aggregates)
        .chain(windows)
        .find(|(found, _)| *found == oid)
        .map(|(_, name)| name)
        .or_else(|| system::type_function_name(oid))
}

#[cfg(test)]
mod tests;
