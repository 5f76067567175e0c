//! From names in SQL to objects, by PostgreSQL's search path rules.

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_model::descriptor::{RelationDescriptor, RelationKind, SchemaDescriptor};

use crate::{
    catalog::{Catalog, FIRST_USER_OID, PG_CATALOG},
    suggest,
    system::{self, SystemRelation},
};

/// What a relation name stands for.
#[derive(Clone, Debug)]
pub enum Resolved {
    /// A relation with a descriptor.
    Relation(Arc<RelationDescriptor>),
    /// A computed relation of `pg_catalog` or `information_schema`.
    System(&'static SystemRelation),
}

impl Resolved {
    /// The relation's oid.
    pub fn oid(&self) -> u32 {
        match self {
            Resolved::Relation(relation) => relation.oid,
            Resolved::System(system) => system.oid,
        }
    }

    /// The relation's name without its schema.
    pub fn name(&self) -> &str {
        match self {
            Resolved::Relation(relation) => &relation.name,
            Resolved::System(system) => system.name,
        }
    }
}

impl Catalog {
    /// The relation that the name parts stand for (`[name]`, `[schema, name]` or
    /// `[database, schema, name]`; the database part is not checked here).
    ///
    /// # Errors
    /// `42P01` if there is none, `42601` for too many parts.
    pub fn resolve(&self, search_path: &[String], parts: &[impl AsRef<str>]) -> Result<Resolved> {
        self.try_resolve(search_path, parts)?.ok_or_else(|| self.undefined(search_path, parts))
    }

    /// As [`Catalog::resolve`], with `None` where there is no such relation.
    ///
    /// # Errors
    /// `42601` for too many parts.
    pub fn try_resolve(
        &self,
        search_path: &[String],
        parts: &[impl AsRef<str>],
    ) -> Result<Option<Resolved>> {
        let (schema, name) = split(parts)?;
        match schema {
            Some(schema) => Ok(self.resolve_in(schema, name)),
            None => Ok(effective_path(search_path)
                .into_iter()
                .find_map(|schema| self.resolve_in(schema, name))),
        }
    }

    /// As [`Catalog::resolve`] for relations that have a descriptor.
    ///
    /// # Errors
    /// As [`Catalog::resolve`]; `42501` if the name stands for a computed system relation.
    pub fn resolve_relation(
        &self,
        search_path: &[String],
        parts: &[impl AsRef<str>],
    ) -> Result<Arc<RelationDescriptor>> {
        match self.resolve(search_path, parts)? {
            Resolved::Relation(relation) => Ok(relation),
            Resolved::System(system) => Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied: \"{}\" is a system catalog", system.name),
            )),
        }
    }

    /// A schema by name.
    ///
    /// # Errors
    /// `3F000` if there is none.
    pub fn resolve_schema(&self, name: &str) -> Result<Arc<SchemaDescriptor>> {
        self.schema_by_name(name).cloned().ok_or_else(|| {
            let error = Error::new(
                SqlState::INVALID_SCHEMA_NAME,
                format!("schema \"{name}\" does not exist"),
            );
            match suggest::nearest(name, self.schemas().map(|schema| schema.name.as_str())) {
                Some(near) => error.with_hint(format!("Perhaps you meant the schema \"{near}\".")),
                None => error,
            }
        })
    }

    /// Where a new object with these name parts goes, and its plain name.
    ///
    /// # Errors
    /// `3F000` if the schema does not exist or the search path names none; `42501` in a system
    /// schema; `42601` for too many parts.
    pub fn resolve_creation<'a>(
        &self,
        search_path: &[String],
        parts: &'a [impl AsRef<str>],
    ) -> Result<(Arc<SchemaDescriptor>, &'a str)> {
        let (schema, name) = split(parts)?;
        let schema = match schema {
            Some(schema) => self.resolve_schema(schema)?,
            None => self.creation_schema(search_path)?,
        };
        if schema.oid < FIRST_USER_OID && schema.oid != crate::catalog::PUBLIC {
            return Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied to create \"{}.{name}\"", schema.name),
            )
            .with_detail("System catalog modifications are currently disallowed."));
        }
        Ok((schema, name))
    }

    /// The schema where unqualified new objects go: the first of the search path that exists.
    ///
    /// # Errors
    /// `3F000` if none of them does.
    pub fn creation_schema(&self, search_path: &[String]) -> Result<Arc<SchemaDescriptor>> {
        search_path.iter().find_map(|name| self.schema_by_name(name)).cloned().ok_or_else(|| {
            Error::new(SqlState::INVALID_SCHEMA_NAME, "no schema has been selected to create in")
        })
    }

    /// The schemas of the effective search path that exist, `pg_catalog` included where implied.
    pub fn path_schemas(&self, search_path: &[String]) -> Vec<Arc<SchemaDescriptor>> {
        let mut found: Vec<Arc<SchemaDescriptor>> = Vec::new();
        for name in effective_path(search_path) {
            if let Some(schema) = self.schema_by_name(name)
                && !found.iter().any(|seen| seen.oid == schema.oid)
            {
                found.push(Arc::clone(schema));
            }
        }
        found
    }

    /// Whether the plain name of a relation finds it (`pg_table_is_visible`); `None` if there is
    /// no such relation.
    pub fn is_visible(&self, search_path: &[String], oid: u32) -> Option<bool> {
        let name = match self.relation(oid) {
            Some(relation) => relation.name.clone(),
            None => system::by_oid(oid)?.name.to_owned(),
        };
        let found = self.try_resolve(search_path, &[name]).ok()?;
        Some(found.is_some_and(|found| found.oid() == oid))
    }

    /// The name by which SQL finds the relation: plain if visible, else with its schema
    /// (`regclass` output). `None` if there is no such relation.
    pub fn display_name(&self, search_path: &[String], oid: u32) -> Option<String> {
        let (schema, name) = match self.relation(oid) {
            Some(relation) => (self.schema_name(relation.schema), relation.name.as_str()),
            None => system::by_oid(oid).map(|system| (system.schema, system.name))?,
        };
        Some(if self.is_visible(search_path, oid)? {
            crate::identifier::quote(name).into_owned()
        } else {
            crate::identifier::qualified(schema, name)
        })
    }

    /// The relation called `name` in the schema called `schema`.
    pub fn resolve_in(&self, schema: &str, name: &str) -> Option<Resolved> {
        if let Some(system) = system::relation(schema, name) {
            return Some(Resolved::System(system));
        }
        let schema = self.schema_by_name(schema)?.oid;
        self.relation_by_name(schema, name).cloned().map(Resolved::Relation)
    }

    /// The nearest existing relation name to one that does not exist, as a hint would write it.
    pub fn suggest_relation(&self, search_path: &[String], name: &str) -> Option<String> {
        let path = self.path_schemas(search_path);
        let mut names: Vec<&str> = Vec::new();
        for schema in path.iter().filter(|schema| schema.oid != PG_CATALOG) {
            names.extend(
                self.relations_in(schema.oid)
                    .filter(|relation| relation.as_index().is_none())
                    .map(|relation| relation.name.as_str()),
            );
        }
        if let Some(near) = suggest::nearest(name, names) {
            return Some(crate::identifier::quote(near).into_owned());
        }
        // The very name in a schema off the path is the other frequent slip.
        self.schemas()
            .filter(|schema| !path.iter().any(|seen| seen.oid == schema.oid))
            .find(|schema| self.relation_by_name(schema.oid, name).is_some())
            .map(|schema| crate::identifier::qualified(&schema.name, name))
    }

    fn undefined(&self, search_path: &[String], parts: &[impl AsRef<str>]) -> Error {
        let written: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        // The database part, checked by the caller, is not repeated.
        let shown = if written.len() == 3 { &written[1..] } else { &written[..] };
        let error = undefined_relation(&shown.join("."));
        let hint = match written.as_slice() {
            [name] => self.suggest_relation(search_path, name),
            [.., schema, name] => self.schema_by_name(schema).and_then(|schema| {
                let names = self.relations_in(schema.oid).map(|relation| relation.name.as_str());
                suggest::nearest(name, names)
                    .map(|near| crate::identifier::qualified(&schema.name, near))
            }),
            [] => None,
        };
        match hint {
            Some(near) => error.with_hint(format!("Perhaps you meant the relation \"{near}\".")),
            None => error,
        }
    }
}

/// `42P01` with PostgreSQL's wording.
pub fn undefined_relation(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

/// Whether an oid belongs to the system rather than to a user.
pub fn is_system_oid(oid: u32) -> bool {
    oid < FIRST_USER_OID
}

/// Refuses changes of system tables' rows and definitions.
///
/// # Errors
/// `42501` if the relation is the system's.
pub fn check_not_system(relation: &RelationDescriptor) -> Result<()> {
    if is_system_oid(relation.oid) {
        return Err(Error::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied: \"{}\" is a system catalog", relation.name),
        ));
    }
    Ok(())
}

/// SQL's word for a relation's kind.
pub fn kind_word(relation: &RelationDescriptor) -> &'static str {
    match relation.kind {
        RelationKind::Table(_) => "table",
        RelationKind::Index(_) => "index",
        RelationKind::View(_) => "view",
        RelationKind::Sequence(_) => "sequence",
    }
}

/// Schema (if written) and plain name of a dotted name.
///
/// # Errors
/// `42601` for no part or more than three.
pub fn split(parts: &[impl AsRef<str>]) -> Result<(Option<&str>, &str)> {
    match parts {
        [name] => Ok((None, name.as_ref())),
        [schema, name] | [_, schema, name] => Ok((Some(schema.as_ref()), name.as_ref())),
        _ => {
            let written: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
            Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("improper qualified name (too many dotted names): {}", written.join(".")),
            ))
        }
    }
}

/// The search path with `pg_catalog` first unless it is named.
fn effective_path(search_path: &[String]) -> Vec<&str> {
    let mut path: Vec<&str> = search_path.iter().map(String::as_str).collect();
    if !path.contains(&"pg_catalog") {
        path.insert(0, "pg_catalog");
    }
    path
}

#[cfg(test)]
mod tests;
